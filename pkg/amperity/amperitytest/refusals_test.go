package amperitytest

import (
	"errors"
	"math"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/golden"
)

// Each refusal of the API. The golden file has the messages.
func TestRefusalHasTheDocumentedStatus(t *testing.T) {
	t.Parallel()
	s, clock := setup(t, func(c *Config) {
		c.RetiredVersions = []string{"2023-01-01"}
		c.BusyWhileRunning = true
		c.Seed = 1
	})
	header := func(name, value string) map[string]string { return map[string]string{name: value} }
	going := mustStart(t, s, "og-going")
	over := mustStart(t, s, "og-over")
	clock.Advance(time.Minute)
	going = func() string { going = mustStart(t, s, "og-going"); return going }()
	pageTwo := func() string {
		token, _ := send(t, s, get("", "limit=1")).object(t)["next_token"].(string)
		return token
	}()
	tokenForm := func(h map[string]string, form string) request {
		all := map[string]string{"X-Amperity-Tenant": "acme", "Content-Type": "application/x-www-form-urlencoded"}
		for k, v := range h {
			all[k] = v
		}
		return request{method: "POST", path: tokenPath, body: form, header: all}
	}

	var texts strings.Builder
	for _, row := range []struct {
		name    string
		request request
		status  int
	}{
		// the endpoint
		{"an endpoint that is not there", get("/workflow", ""), 404},
		{"a slash at the end, as in the documentation's curl", get("/workflow/runs/", ""), 404},
		{"an endpoint below a run", get("/workflow/runs/wf-1/tasks", ""), 404},
		{"the stop of no run", request{method: "POST", path: "/workflow/runs//stop"}, 404},
		{"a method that is not there", request{method: "DELETE"}, 405},
		{"a stop by GET", get("/workflow/runs/wf-1/stop", ""), 405},

		// version, token and tenant
		{"no version", request{header: header("api-version", "-")}, 400},
		{"an unknown version", request{header: header("api-version", "2024-04-02")}, 401},
		{"a version no longer supported", request{header: header("api-version", "2023-01-01")}, 400},
		{"two versions", get("", "api_version=2025-01-01"), 400},
		{"no token", request{header: header("Authorization", "-")}, 401},
		{"a token without Bearer", request{header: header("Authorization", goodToken)}, 401},
		{"another scheme", request{header: header("Authorization", "Basic "+goodToken)}, 401},
		{"an unknown token", request{header: header("Authorization", "Bearer tok-xSECRETx-other")}, 401},
		{"no tenant", request{header: header("amperity-tenant", "-")}, 400},
		{"another tenant", request{header: header("amperity-tenant", "other")}, 403},

		// query
		{"a malformed query", get("", "a=%zz"), 400},
		{"an unknown parameter", get("", "config_id=cg-1"), 400},
		{"a parameter of another endpoint", request{method: "POST", query: "limit=1", body: `{}`}, 400},
		{"a parameter twice", get("", "limit=1&limit=2"), 400},

		// body of POST /workflow/runs
		{"a body that is too large", post(strings.Repeat(" ", maxBody+1)), 400},
		{"a form", request{method: "POST", body: "config_id=cg-1", header: header("Content-Type", "application/x-www-form-urlencoded")}, 400},
		{"no content type", request{method: "POST", body: `{"config_id":"cg-1"}`, noJSON: true}, 400},
		{"text that is not UTF-8", post("{\"config_id\":\"cg-\xff\"}"), 400},
		{"the documentation's own curl sample", post(`{"config_id"="cg-123ABc4DE"}`), 400},
		{"no body", request{method: "POST", header: header("Content-Type", "application/json")}, 400},
		{"half a body", post(`{"config_id":"cg-1`), 400},
		{"two bodies", post(`{"config_id":"cg-1"}{}`), 400},
		{"an array", post(`[]`), 400},
		{"null", post(`null`), 400},
		{"an unknown field", post(`{"config_id":"cg-1","idempotency_key":"k"}`), 400},
		{"a field in another case", post(`{"Config_ID":"cg-1"}`), 400},
		{"a field twice", post(`{"config_id":"cg-1","config_id":"cg-2"}`), 400},
		{"a number", post(`{"config_id":1}`), 400},
		{"a null field", post(`{"config_id":"cg-1","range_from":null}`), 400},
		{"an empty field", post(`{"config_id":"cg-1","run_mode":""}`), 400},
		{"an object in a field", post(`{"config_id":{"config_id":"cg-1"}}`), 400},

		// rules of POST /workflow/runs
		{"no config id", post(`{}`), 400},
		{"another kind of config id", startOf("ds-123"), 400},
		{"only a prefix", startOf("cg-"), 400},
		{"a blank in the config id", startOf("cg-1 2"), 400},
		{"a range for an orchestration group", post(`{"config_id":"og-1","range_from":"2026-11-22"}`), 400},
		{"a run mode for a campaign", post(`{"config_id":"cc-1","run_mode":"full"}`), 400},
		{"an end without a start", post(`{"config_id":"cg-1","range_to":"2026-11-22"}`), 400},
		{"a day that is not", post(`{"config_id":"cg-1","range_from":"2026-02-29"}`), 400},
		{"a month alone", post(`{"config_id":"cg-1","range_from":"2026-02"}`), 400},
		{"a timestamp without its zone", post(`{"config_id":"cg-1","range_from":"2026-02-01T00:00:00"}`), 400},
		{"another zone", post(`{"config_id":"cg-1","range_from":"2026-02-01","range_to":"2026-02-02T00:00:00-05:00"}`), 400},
		{"an empty range", post(`{"config_id":"cg-1","range_from":"2026-11-22","range_to":"2026-11-22"}`), 400},
		{"a range backwards", post(`{"config_id":"cg-1","range_from":"2026-11-22T00:00:01Z","range_to":"2026-11-22"}`), 400},
		{"an unknown run mode", post(`{"config_id":"cg-1","run_mode":"FULL"}`), 400},
		{"a config id that is running", startOf("og-going"), 409},

		// list
		{"an empty filter", get("", "state="), 400},
		{"an empty next_token", get("", "next_token="), 400},
		{"no date", get("", "created_from=yesterday"), 400},
		{"a filter in another zone", get("", "ended_to=2026-11-22T00:00:00%2B01:00"), 400},
		{"an empty window", get("", "created_from=2026-11-22&created_to=2026-11-22T00:00:00Z"), 400},
		{"a window backwards", get("", "ended_from=2027&ended_to=2026"), 400},
		{"no limit", get("", "limit=0"), 400},
		{"half a limit", get("", "limit=1.5"), 400},
		{"maybe a total", get("", "with_total=1"), 400},
		{"an invented next_token", get("", "next_token=2"), 400},
		{"the next_token of another list", get("", "type=campaign.send&next_token="+pageTwo), 400},

		// one run
		{"an unknown run", get("/workflow/runs/wf-1", ""), 404},
		{"an unknown view", get("/workflow/runs/"+over, "view=all"), 400},
		{"a stop of an unknown run", request{method: "POST", path: "/workflow/runs/wf-1/stop"}, 404},
		{"a stop with a body", request{method: "POST", path: "/workflow/runs/" + going + "/stop", body: "{}"}, 400},
		{"a stop of a run that is over", request{method: "POST", path: "/workflow/runs/" + over + "/stop"}, 409},

		// token endpoint
		{"a token without a tenant", tokenForm(header("X-Amperity-Tenant", "-"), ""), 400},
		{"a token of another tenant", tokenForm(header("X-Amperity-Tenant", "other"), ""), 401},
		{"a token for JSON", tokenForm(header("Content-Type", "application/json"), "{}"), 400},
		{"a malformed form", tokenForm(nil, "client_secret=%zz"), 400},
		{"half a form", tokenForm(nil, "grant_type=client_credentials&client_id=client-1"), 400},
		{"two clients", tokenForm(nil, "grant_type=client_credentials&client_id=client-1&client_id=client-2&client_secret=x"), 400},
		{"another grant", tokenForm(nil, "grant_type=password&client_id=client-1&client_secret=x"), 400},
		{"a wrong secret", tokenForm(nil, "grant_type=client_credentials&client_id=client-1&client_secret=x"), 401},
		{"another client", tokenForm(nil, "grant_type=client_credentials&client_id=client-2&client_secret="+goodSecret), 401},
	} {
		before := len(s.Runs())
		got := send(t, s, row.request)
		v := got.object(t)
		if ct := got.header.Get("Content-Type"); got.status != row.status || v["status"] != float64(row.status) || ct != "application/json" {
			t.Errorf("%s: status %d and in the body %v, want %d, content type %q", row.name, got.status, v["status"], row.status, ct)
		}
		for _, id := range []string{"request_id", "trace_id"} {
			if text, _ := v[id].(string); !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(text) {
				t.Errorf("%s: %s is %q", row.name, id, text)
			}
		}
		if len(s.Runs()) != before {
			t.Errorf("%s: a run was started", row.name)
		}
		message, _ := v["message"].(string)
		texts.WriteString(golden.Row(row.name, regexp.MustCompile(`wf-\d{8}-\d{5}-\w{6}`).ReplaceAllString(message, "wf-ID")))
	}
	golden.Check(t, "testdata/refusals.golden", texts.String())
}

func TestAllowHeaderNamesTheMethods(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	if got := send(t, s, request{method: "PUT"}).header.Get("Allow"); got != "GET, POST" {
		t.Errorf("Allow: %s", got)
	}
}

func TestExpiredTokenIsRefused(t *testing.T) {
	t.Parallel()
	s, clock := setup(t)
	s.ExpireTokens()
	got := send(t, s, request{})
	if want := "the access token has expired"; got.status != 401 || got.object(t)["message"] != want {
		t.Errorf("%d, want 401 %s", got.status, want)
	}
	clock.Advance(time.Hour)
	s.SetTokens(s.cfg.Tokens...)
	if got := send(t, s, request{}); got.status != 200 {
		t.Errorf("%d with the new token", got.status)
	}
}

func TestConfigErrorNamesEveryProblem(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	newError := func(c Config) error { _, err := New(c); return err }
	reset := Fault{Kind: Reset}
	var texts strings.Builder
	for _, row := range []struct {
		name string
		err  error
	}{
		{"a config with every fault", newError(Config{
			Addr: "8089", BasePath: "api/", Tokens: make([]Token, 1), Clients: []Client{{ID: "client-1"}},
			TokenLifetime: time.Millisecond, PageSize: -1, StartStatus: 202,
		})},
		{"a script", s.Script(courier, Script{}, Script{Duration: -1}, Script{End: "failed"})},

		// Faults.
		{"nothing", Fault{}.Validate()},
		{"an unknown kind", Fault{Kind: "timeout"}.Validate()},
		{"no status", Fault{Kind: Status}.Validate()},
		{"a status below all", Fault{Kind: Status, Status: 100}.Validate()},
		{"a status above all", Fault{Kind: NotJSON, Status: 600}.Validate()},
		{"a reset with a status", Fault{Kind: Reset, Status: 503, Body: "x"}.Validate()},
		{"slow by nothing", Fault{Kind: Slow}.Validate()},
		{"all that is negative", Fault{Kind: Hang, Delay: -time.Second, Late: -time.Second, Nth: -1}.Validate()},
		{"late without being applied", Fault{Kind: Reset, Late: time.Second}.Validate()},
		{"a drop of a method", Fault{Kind: Drop, Method: "POST"}.Validate()},
		{"a refusal of two", Fault{Kind: Refuse, Times: 2}.Validate()},

		// Random faults.
		{"a probability below 0", s.FaultRandomly(-0.1, reset)},
		{"a probability above 1", s.FaultRandomly(1.1, reset)},
		{"no probability", s.FaultRandomly(math.NaN(), reset)},
		{"no fault", s.FaultRandomly(0.5)},
		{"a drop at random", s.FaultRandomly(0.5, Fault{Kind: Drop})},
		{"slow by nothing at random", s.FaultRandomly(0.5, Fault{Kind: Slow})},
	} {
		if _, ok := errors.AsType[*ConfigError](row.err); !ok {
			t.Errorf("%s: got %v", row.name, row.err)
			continue
		}
		texts.WriteString(golden.Row(row.name, row.err.Error()))
	}
	golden.Check(t, "testdata/problems.golden", texts.String())
	if err := s.Fault(reset, Fault{Kind: Slow}); err == nil || send(t, s, request{}).status != 200 {
		t.Error("a fault was added beside one that is wrong")
	}
}

func TestControlRefusesInvalidRequests(t *testing.T) {
	t.Parallel()
	s, _ := setup(t, func(c *Config) { c.Control = true })
	var texts strings.Builder
	for _, row := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", faultsPath, "", 404},
		{"POST", faultsPath, "{", 400},
		{"POST", faultsPath, `{"kind":"reset","after":true}`, 400},
		{"POST", faultsPath, `{"kind":"slow","delay":1}`, 400},
		{"POST", faultsPath, `{"kind":"slow","delay":"1"}`, 400},
		{"POST", faultsPath, `{"kind":"slow"}`, 400},
	} {
		got := roundTrip(request{method: row.method, path: row.path, body: row.body}.at(t, s.origin(), ""))
		if got.status != row.status {
			t.Errorf("%s %s: status %d, want %d", row.method, row.body, got.status, row.status)
		}
		message, _ := got.object(t)["message"].(string)
		texts.WriteString(golden.Row(strings.TrimSpace(row.method+" "+row.body), message))
	}
	golden.Check(t, "testdata/control.golden", texts.String())
	if s, _ := setup(t); roundTrip(request{path: runsLog}.at(t, s.origin(), "")).status != http.StatusNotFound {
		t.Error("the control paths exist without Control")
	}
}

func TestFaultAnswersNameTheFault(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	if err := s.Fault(Fault{Kind: Status, Status: 503}, Fault{Kind: Redirect}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a fault on demand: 503 Service Unavailable", "a fault on demand: look elsewhere"} {
		if got := send(t, s, request{}).object(t)["message"]; got != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
}

func TestRateLimitAnswerNamesTheLimit(t *testing.T) {
	t.Parallel()
	s, _ := setup(t, func(c *Config) { c.RateLimit = 1 })
	send(t, s, request{})
	if got, want := send(t, s, request{}).object(t)["message"], "more than 1 requests in a second"; got != want {
		t.Errorf("%v, want %s", got, want)
	}
}
