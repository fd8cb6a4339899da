package amperitytest

import (
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

func TestStartReturnsTheDocumentedWorkflow(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	got := send(t, s, post(`{"config_id":"cg-123ABc4DE","range_from":"2026-11-22","range_to":"2026-11-23T00:00:00Z","run_mode":"source"}`))
	if got.status != http.StatusCreated {
		t.Fatal(got.status)
	}
	v := got.object(t)
	for key, form := range map[string]string{
		"id":               `^wf-20261122-\d{5}-[0-9A-Za-z]{6}$`,
		"launched_version": `^etv-20261122-\d{5}-[0-9A-Za-z]{6}$`,
	} {
		if text, _ := v[key].(string); !regexp.MustCompile(form).MatchString(text) {
			t.Errorf("%s: %q", key, text)
		}
	}
	if v["launched_version"] != v["current_version"] {
		t.Error("the two versions differ")
	}
	// The body has the keys of the reference's sample and no others.
	if diff := cmp.Diff(map[string]any{
		"task_instances": []any{}, "id": v["id"], "name": "Simulated workflow fe29",
		"principal_name": "Automated workflow", "principal_id": "api-key|simulator", "type": "courier.group/run",
		"launched_version": v["launched_version"], "state": "scheduled", "created_at": "2026-11-22T05:00:00.000Z",
		"tenant": "acme", "current_version": v["current_version"],
	}, v); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Started{{
		ID: v["id"].(string), ConfigID: courier, RangeFrom: "2026-11-22", RangeTo: "2026-11-23T00:00:00Z", RunMode: "source",
		At: newClock().Now(), CreatedAt: newClock().Now(), Principal: "api-key|simulator",
	}}, s.Runs()); diff != "" {
		t.Error(diff)
	}
}

func TestStartAcceptsValidRequests(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	for _, row := range []struct {
		name, body, wantType string
	}{
		{"a config id alone", `{"config_id":"cg-1"}`, "courier.group/run"},
		{"an orchestration group", `{"config_id":"og-1"}`, "orchestration.group/run"},
		{"a campaign", ` { "config_id" : "cc-1" } `, "campaign.send"},
		{"a day", `{"config_id":"cg-1","range_from":"2028-02-29"}`, "courier.group/run"},
		{"timestamps with fractions", `{"config_id":"cg-1","range_from":"2026-11-22T00:00:00.5Z","range_to":"2026-11-22T00:00:00.75Z"}`, "courier.group/run"},
		{"UTC as an offset", `{"config_id":"cg-1","range_from":"2026-11-22T00:00:00+00:00"}`, "courier.group/run"},
		{"a day up to a timestamp in it", `{"config_id":"cg-1","range_from":"2026-11-22","range_to":"2026-11-22T00:00:01Z"}`, "courier.group/run"},
		{"full", `{"config_id":"cg-1","run_mode":"full"}`, "courier.group/run"},
		{"refresh", `{"config_id":"cg-1","run_mode":"refresh"}`, "courier.group/run"},
		{"escapes", `{"config_id":"cg-\u0031"}`, "courier.group/run"},
	} {
		got := send(t, s, post(row.body))
		if got.status != http.StatusCreated || got.object(t)["type"] != row.wantType {
			t.Errorf("%s: %d %s", row.name, got.status, got.body)
		}
	}
	for name, r := range map[string]request{
		"a charset":              {method: "POST", body: `{"config_id":"cg-1"}`, header: map[string]string{"Content-Type": "application/json; charset=utf-8"}},
		"the version in a query": {method: "POST", body: `{"config_id":"cg-1"}`, query: "api_version=2024-04-01", header: map[string]string{"api-version": "-"}},
		"the version twice":      {method: "POST", body: `{"config_id":"cg-1"}`, query: "api_version=2024-04-01"},
	} {
		if got := send(t, s, r); got.status != http.StatusCreated {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

func TestSamePostTwiceStartsTwoRuns(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	first, second := mustStart(t, s, courier), mustStart(t, s, courier)
	if first == second || len(s.Runs()) != 2 {
		t.Errorf("runs %v", s.Runs())
	}
}

func TestStartStatusCanBe200(t *testing.T) {
	t.Parallel()
	s, _ := setup(t, func(c *Config) { c.StartStatus = http.StatusOK })
	if got := send(t, s, startOf(courier)); got.status != http.StatusOK {
		t.Error(got.status)
	}
}

func TestBusyWhileRunningRefusesASecondRun(t *testing.T) {
	t.Parallel()
	s, clock := setup(t, func(c *Config) { c.BusyWhileRunning = true })
	status := func(configID string) int { return send(t, s, startOf(configID)).status }
	steps := []struct {
		after    time.Duration
		configID string
		want     int
	}{
		{0, "cg-1", 201},
		{0, "cg-1", 409},
		{0, "cg-2", 201}, // another config id is free
		{9999 * time.Millisecond, "cg-1", 409},
		{time.Millisecond, "cg-1", 201}, // ended after 10 s
	}
	for i, step := range steps {
		clock.Advance(step.after)
		if got := status(step.configID); got != step.want {
			t.Errorf("step %d: %d, want %d", i, got, step.want)
		}
	}
}

func TestRunHasThePrincipalOfItsToken(t *testing.T) {
	t.Parallel()
	s, _ := setup(t, func(c *Config) {
		c.PrincipalID, c.PrincipalName = "api-key|ours", "Ours"
		c.Tokens = append(c.Tokens, Token{
			Value: amperity.NewToken("tok-xSECRETx-2"), PrincipalID: "google-apps|ann@acme.com", PrincipalName: "Ann",
		})
	})
	ann := startOf("cg-2")
	ann.header = map[string]string{"Authorization": "Bearer tok-xSECRETx-2"}
	byAnn := send(t, s, ann).object(t)
	byUs := send(t, s, startOf("cg-1")).object(t)
	got := []any{byAnn["principal_id"], byAnn["principal_name"], byUs["principal_id"], byUs["principal_name"]}
	if diff := cmp.Diff([]any{"google-apps|ann@acme.com", "Ann", "api-key|ours", "Ours"}, got); diff != "" {
		t.Error(diff)
	}
	if s.Runs()[0].Principal != "google-apps|ann@acme.com" {
		t.Error("the log has another principal")
	}
}

func TestIDsRepeatWithTheSeed(t *testing.T) {
	t.Parallel()
	ids := func(seed uint64) []string {
		s, _ := setup(t, func(c *Config) { c.Seed = seed })
		return []string{mustStart(t, s, "cg-1"), mustStart(t, s, "cg-1")}
	}
	if diff := cmp.Diff(ids(7), ids(7)); diff != "" {
		t.Error(diff)
	}
	if slices.Equal(ids(7), ids(8)) {
		t.Error("two seeds give the same ids")
	}
}

func TestDeprecationHeadersAreSent(t *testing.T) {
	t.Parallel()
	s, _ := setup(t, func(c *Config) {
		c.Deprecation, c.Sunset = "Tue, 1 Sep 2026 23:59:59 GMT", "Wed, 1 Dec 2026 23:59:59 GMT"
	})
	for _, r := range []request{{}, {header: map[string]string{"Authorization": "-"}}} {
		got := send(t, s, r)
		if got.header.Get("Deprecation") != "Tue, 1 Sep 2026 23:59:59 GMT" || got.header.Get("Sunset") != "Wed, 1 Dec 2026 23:59:59 GMT" {
			t.Errorf("status %d without them", got.status)
		}
	}
}

func TestRateLimitCountsTheLastSecond(t *testing.T) {
	t.Parallel()
	s, clock := setup(t, func(c *Config) { c.RateLimit = 0 })
	statuses := func(n int) (got []int) {
		for range n {
			got = append(got, send(t, s, request{}).status)
		}
		return got
	}
	if diff := cmp.Diff(slices.Repeat([]int{200}, 4), statuses(4)); diff != "" {
		t.Error(diff)
	}
	clock.Advance(600 * time.Millisecond)
	if diff := cmp.Diff(slices.Concat(slices.Repeat([]int{200}, 6), []int{429, 429}), statuses(8)); diff != "" {
		t.Error(diff)
	}
	// A second after the first four requests, four more are free.
	clock.Advance(400 * time.Millisecond)
	if diff := cmp.Diff(slices.Concat(slices.Repeat([]int{200}, 4), []int{429}), statuses(5)); diff != "" {
		t.Error(diff)
	}
	clock.Advance(time.Hour)
	if diff := cmp.Diff(slices.Concat(slices.Repeat([]int{200}, 10), []int{429}), statuses(11)); diff != "" {
		t.Error(diff)
	}
	if got := send(t, s, request{}).header.Get("Retry-After"); got != "1" {
		t.Errorf("Retry-After %q", got)
	}
}

func TestServerIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	const n = 40
	replies := make(chan reply, n)
	for range n {
		go func() { replies <- send(t, s, startOf(courier)) }()
	}
	var answered []string
	for range n {
		answered = append(answered, (<-replies).object(t)["id"].(string))
	}
	var logged []string
	for _, r := range s.Runs() {
		logged = append(logged, r.ID)
	}
	if diff := cmp.Diff(answered, logged, cmpopts.SortSlices(func(a, b string) bool { return a < b })); diff != "" {
		t.Error(diff)
	}
	slices.Sort(logged)
	if len(slices.Compact(logged)) != n {
		t.Error("ids repeat")
	}
}
