package conformance_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

// exchanges makes the server send every response that it can send to an
// operation of the document.
func exchanges(t *testing.T, w *world) []exchange {
	t.Helper()
	var es []exchange
	send := func(r request) exchange {
		e := w.send(t, r)
		es = append(es, e)
		return e
	}
	start := func(name, body string) string {
		var run struct{ ID string }
		if err := json.Unmarshal([]byte(send(request{name: name, method: "POST", body: body}).body), &run); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return run.ID
	}
	fault := func(f amperitytest.Fault) {
		if err := w.Fault(f); err != nil {
			t.Fatal(err)
		}
	}

	for configID, script := range map[string]amperitytest.Script{
		"cg-failed": {Scheduled: time.Second, Duration: time.Minute, End: amperitytest.FailedCustomer, Tasks: []string{"Load", "Send"}},
		"og-1":      {End: amperitytest.Canceled},
		"cc-1":      {End: amperitytest.FailedPlatform},
		"cg-stuck":  {End: amperitytest.Never},
	} {
		if err := w.Script(configID, script); err != nil {
			t.Fatal(err)
		}
	}
	failed := start("start with dates", `{"config_id":"cg-failed","range_from":"2026-11-22","range_to":"2026-11-23","run_mode":"full"}`)
	stuck := start("start with timestamps", `{"config_id":"cg-stuck","range_from":"2026-11-22T05:00:00Z","range_to":"2026-11-22T06:00:00.5Z","run_mode":"source"}`)
	start("start an orchestration group", `{"config_id":"og-1"}`)
	start("start a campaign", `{"config_id":"cc-1"}`)
	send(request{name: "start what is running", method: "POST", body: `{"config_id":"cg-stuck"}`})
	for _, after := range []time.Duration{0, time.Second, 40 * time.Second, time.Hour} {
		w.advance(after)
		send(request{name: "overview", path: "/workflow/runs/" + failed})
		send(request{name: "overview by name", path: "/workflow/runs/" + failed + "?view=overview"})
		send(request{name: "verbose", path: "/workflow/runs/" + failed + "?view=verbose"})
	}
	for _, query := range []string{
		"", "?limit=1&with_total=true", "?with_total=false&state=Succeeded&type=courier.group/run", "?state=no+such",
		"?created_from=2026-11-22T00:00:00Z&created_to=2026-11-23T00:00:00.000Z&ended_from=2026-11-22T00:00:00Z&ended_to=2026-11-23T00:00:00Z",
		"?created_from=2026-11&ended_to=2026-11-23",
	} {
		send(request{name: "list " + query, path: "/workflow/runs" + query})
	}
	var page struct {
		NextToken string `json:"next_token"`
	}
	if err := json.Unmarshal([]byte(send(request{name: "first page", path: "/workflow/runs?limit=3"}).body), &page); err != nil || page.NextToken == "" {
		t.Fatalf("no second page: %v", err)
	}
	send(request{name: "second page", path: "/workflow/runs?limit=3&next_token=" + page.NextToken})
	stop := "/workflow/runs/" + stuck + "/stop"
	send(request{name: "stop", method: "POST", path: stop})
	w.advance(time.Hour)
	send(request{name: "stop what is over", method: "POST", path: stop})

	for _, operation := range []request{
		{name: "start", method: "POST", body: `{"config_id":"cg-1"}`},
		{name: "list"},
		{name: "read", path: "/workflow/runs/" + failed},
		{name: "stop", method: "POST", path: stop},
	} {
		with := func(what string, header map[string]string) request {
			r := operation
			r.name += " " + what
			r.header = header
			return r
		}
		send(with("without a token", map[string]string{"Authorization": "-"}))
		send(with("with a wrong token", map[string]string{"Authorization": "Bearer tok-xSECRETx-no"}))
		send(with("without a version", map[string]string{"api-version": "-"}))
		send(with("without a tenant", map[string]string{"amperity-tenant": "-"}))
		send(with("of another tenant", map[string]string{"amperity-tenant": "other"}))
		fault(amperitytest.Fault{Kind: amperitytest.Status, Status: 500})
		send(with("failing", nil))
		fault(amperitytest.Fault{Kind: amperitytest.Status, Status: 429})
		send(with("too often", nil))
	}
	send(request{name: "read what is not", path: "/workflow/runs/wf-1"})
	send(request{name: "stop what is not", method: "POST", path: "/workflow/runs/wf-1/stop"})
	return es
}

func TestServerConformsToTheDocument(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 201} {
		w := newWorld(t, func(c *amperitytest.Config) { c.StartStatus = status })
		router := mustLoad(t, w.URL())
		seen := map[string]map[int]bool{}
		for _, e := range exchanges(t, w) {
			if err := e.checkResponse(router); err != nil {
				t.Errorf("%s: answer %d: %v", e.name, e.status, err)
			}
			// The document must allow every request that the server
			// accepts.
			if err := e.checkRequest(router); err != nil && e.status < 300 {
				t.Errorf("%s: accepted by the server, but not by the document: %v", e.name, err)
			}
			route, _, err := router.FindRoute(e.request)
			if err != nil {
				t.Fatal(err)
			}
			if seen[route.Operation.OperationID] == nil {
				seen[route.Operation.OperationID] = map[int]bool{}
			}
			seen[route.Operation.OperationID][e.status] = true
		}
		got := map[string][]int{}
		for operation, statuses := range seen {
			got[operation] = slices.Sorted(maps.Keys(statuses))
		}
		// The statuses of the document, and 409 and 429.
		if diff := cmp.Diff(map[string][]int{
			"run-workflow":   {status, 400, 401, 403, 409, 429, 500},
			"list-workflows": {200, 400, 401, 403, 429, 500},
			"get-workflow":   {200, 400, 401, 403, 404, 429, 500},
			"stop-workflow":  {200, 400, 401, 403, 404, 409, 429, 500},
		}, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestServerRefusesWhatTheDocumentRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	router := mustLoad(t, w.URL())
	run := w.send(t, request{method: "POST", body: `{"config_id":"cg-1"}`})
	id := strings.Split(run.body, `"id":"`)[1][:24]
	header := func(name, value string) map[string]string { return map[string]string{name: value} }
	for _, r := range []request{
		{name: "no version", header: header("api-version", "-")},
		{name: "another version", header: header("api-version", "2025-07-31")},
		{name: "no tenant", header: header("amperity-tenant", "-")},
		{name: "no token", header: header("Authorization", "-")},
		{name: "no body", method: "POST", header: header("Content-Type", "application/json")},
		{name: "a form", method: "POST", body: "config_id=cg-1", header: header("Content-Type", "application/x-www-form-urlencoded")},
		{name: "the documentation's curl", method: "POST", body: `{"config_id"="cg-1"}`},
		{name: "an array", method: "POST", body: `["cg-1"]`},
		{name: "no config id", method: "POST", body: `{"run_mode":"full"}`},
		{name: "a number", method: "POST", body: `{"config_id":1}`},
		{name: "null", method: "POST", body: `{"config_id":"cg-1","range_from":null}`},
		{name: "an unknown field", method: "POST", body: `{"config_id":"cg-1","name":"x"}`},
		{name: "an unknown run mode", method: "POST", body: `{"config_id":"cg-1","run_mode":"all"}`},
		{name: "no date", method: "POST", body: `{"config_id":"cg-1","range_from":"yesterday"}`},
		{name: "half a limit", path: "/workflow/runs?limit=1.5"},
		{name: "maybe a total", path: "/workflow/runs?with_total=maybe"},
		{name: "no date in the list", path: "/workflow/runs?ended_from=yesterday"},
		{name: "an unknown view", path: "/workflow/runs/" + id + "?view=all"},
		{name: "a stop with a body", method: "POST", path: "/workflow/runs/" + id + "/stop", body: "{}"},
	} {
		e := w.send(t, r)
		if err := e.checkRequest(router); err == nil {
			t.Errorf("%s: the document allows it", r.name)
		}
		if e.status < 400 || e.status > 499 {
			t.Errorf("%s: the server answers %d", r.name, e.status)
		}
		if err := e.checkResponse(router); err != nil {
			t.Errorf("%s: answer %d: %v", r.name, e.status, err)
		}
	}
	if len(w.Runs()) != 1 {
		t.Errorf("%d runs were started", len(w.Runs()))
	}
}

func TestEachRelaxationIsNeeded(t *testing.T) {
	t.Parallel()
	pages := newWorld(t, func(c *amperitytest.Config) { c.StartStatus = 200 })
	es := exchanges(t, pages)
	for name := range relaxations() {
		router, err := load(pages.URL(), name)
		if err != nil {
			if name != serverVariableUnused || !strings.Contains(err.Error(), "tenant-id") {
				t.Errorf("without %q the document is wrong: %v", name, err)
			}
			continue
		}
		refused := 0
		for _, e := range es {
			if e.checkResponse(router) != nil || e.status < 300 && e.checkRequest(router) != nil {
				refused++
			}
		}
		if refused == 0 {
			t.Errorf("%q is not needed", name)
		}
	}
}
