package amperitytest

import (
	"errors"
	"math"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRefusalHasTheDocumentedStatus has every message with which the API
// refuses a request, and its documented status.
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

	for _, row := range []struct {
		name    string
		request request
		status  int
		message string
	}{
		// the endpoint
		{"an endpoint that is not there", get("/workflow", ""), 404, "no such endpoint: /api/workflow"},
		{"a slash at the end, as in the documentation's curl", get("/workflow/runs/", ""), 404, "no such endpoint: /api/workflow/runs/"},
		{"an endpoint below a run", get("/workflow/runs/wf-1/tasks", ""), 404, "no such endpoint: /api/workflow/runs/wf-1/tasks"},
		{"the stop of no run", request{method: "POST", path: "/workflow/runs//stop"}, 404, "no such endpoint: /api/workflow/runs//stop"},
		{"a method that is not there", request{method: "DELETE"}, 405, "/api/workflow/runs does not take DELETE"},
		{"a stop by GET", get("/workflow/runs/wf-1/stop", ""), 405, "/api/workflow/runs/wf-1/stop does not take GET"},

		// version, token and tenant
		{"no version", request{header: header("api-version", "-")}, 400, "the header api-version is missing"},
		{"an unknown version", request{header: header("api-version", "2024-04-02")}, 401, `there is no api-version "2024-04-02"`},
		{"a version no longer supported", request{header: header("api-version", "2023-01-01")}, 400, `the api-version "2023-01-01" is no longer supported`},
		{"two versions", get("", "api_version=2025-01-01"), 400, `api-version is "2024-04-01" and api_version is "2025-01-01"`},
		{"no token", request{header: header("Authorization", "-")}, 401, "the header Authorization: Bearer is missing"},
		{"a token without Bearer", request{header: header("Authorization", goodToken)}, 401, "the header Authorization: Bearer is missing"},
		{"another scheme", request{header: header("Authorization", "Basic "+goodToken)}, 401, "the header Authorization: Bearer is missing"},
		{"an unknown token", request{header: header("Authorization", "Bearer tok-xSECRETx-other")}, 401, "the access token is not valid"},
		{"no tenant", request{header: header("amperity-tenant", "-")}, 400, "the header amperity-tenant is missing"},
		{"another tenant", request{header: header("amperity-tenant", "other")}, 403, `the access token is not one of the tenant "other"`},

		// query
		{"a malformed query", get("", "a=%zz"), 400, "the query string is malformed"},
		{"an unknown parameter", get("", "config_id=cg-1"), 400, `unknown query parameter "config_id"`},
		{"a parameter of another endpoint", request{method: "POST", query: "limit=1", body: `{}`}, 400, `unknown query parameter "limit"`},
		{"a parameter twice", get("", "limit=1&limit=2"), 400, `the query parameter "limit" is given 2 times`},

		// body of POST /workflow/runs
		{"a body that is too large", post(strings.Repeat(" ", maxBody+1)), 400, "the body is larger than 1048576 bytes"},
		{"a form", request{method: "POST", body: "config_id=cg-1", header: header("Content-Type", "application/x-www-form-urlencoded")}, 400, `the content type "application/x-www-form-urlencoded" is not application/json`},
		{"no content type", request{method: "POST", body: `{"config_id":"cg-1"}`, noJSON: true}, 400, `the content type "" is not application/json`},
		{"text that is not UTF-8", post("{\"config_id\":\"cg-\xff\"}"), 400, "the body is not UTF-8"},
		{"the documentation's own curl sample", post(`{"config_id"="cg-123ABc4DE"}`), 400, "the body is not JSON: invalid character '=' after object key"},
		{"no body", request{method: "POST", header: header("Content-Type", "application/json")}, 400, "the body is not JSON: unexpected end of JSON input"},
		{"half a body", post(`{"config_id":"cg-1`), 400, "the body is not JSON: unexpected end of JSON input"},
		{"two bodies", post(`{"config_id":"cg-1"}{}`), 400, "the body is not JSON: invalid character '{' after top-level value"},
		{"an array", post(`[]`), 400, "the body is not a JSON object"},
		{"null", post(`null`), 400, "the body is not a JSON object"},
		{"an unknown field", post(`{"config_id":"cg-1","idempotency_key":"k"}`), 400, `unknown field "idempotency_key"`},
		{"a field in another case", post(`{"Config_ID":"cg-1"}`), 400, `unknown field "Config_ID"`},
		{"a field twice", post(`{"config_id":"cg-1","config_id":"cg-2"}`), 400, "the field config_id is given twice"},
		{"a number", post(`{"config_id":1}`), 400, "the field config_id is not a string that says something"},
		{"a null field", post(`{"config_id":"cg-1","range_from":null}`), 400, "the field range_from is not a string that says something"},
		{"an empty field", post(`{"config_id":"cg-1","run_mode":""}`), 400, "the field run_mode is not a string that says something"},
		{"an object in a field", post(`{"config_id":{"config_id":"cg-1"}}`), 400, "the field config_id is not a string that says something"},

		// rules of POST /workflow/runs
		{"no config id", post(`{}`), 400, "the field config_id is missing"},
		{"another kind of config id", startOf("ds-123"), 400, `config_id "ds-123" is none of a courier group (cg-), an orchestration group (og-) or a campaign (cc-)`},
		{"only a prefix", startOf("cg-"), 400, `config_id "cg-" is none of a courier group (cg-), an orchestration group (og-) or a campaign (cc-)`},
		{"a blank in the config id", startOf("cg-1 2"), 400, `config_id "cg-1 2" is none of a courier group (cg-), an orchestration group (og-) or a campaign (cc-)`},
		{"a range for an orchestration group", post(`{"config_id":"og-1","range_from":"2026-11-22"}`), 400, "range_from, range_to and run_mode are for courier groups only"},
		{"a run mode for a campaign", post(`{"config_id":"cc-1","run_mode":"full"}`), 400, "range_from, range_to and run_mode are for courier groups only"},
		{"an end without a start", post(`{"config_id":"cg-1","range_to":"2026-11-22"}`), 400, "range_to needs range_from"},
		{"a day that is not", post(`{"config_id":"cg-1","range_from":"2026-02-29"}`), 400, `range_from "2026-02-29" is neither a date like 2026-10-01 nor a timestamp in UTC like 2026-10-01T00:00:00Z`},
		{"a month alone", post(`{"config_id":"cg-1","range_from":"2026-02"}`), 400, `range_from "2026-02" is neither a date like 2026-10-01 nor a timestamp in UTC like 2026-10-01T00:00:00Z`},
		{"a timestamp without its zone", post(`{"config_id":"cg-1","range_from":"2026-02-01T00:00:00"}`), 400, `range_from "2026-02-01T00:00:00" is neither a date like 2026-10-01 nor a timestamp in UTC like 2026-10-01T00:00:00Z`},
		{"another zone", post(`{"config_id":"cg-1","range_from":"2026-02-01","range_to":"2026-02-02T00:00:00-05:00"}`), 400, `range_to "2026-02-02T00:00:00-05:00" is neither a date like 2026-10-01 nor a timestamp in UTC like 2026-10-01T00:00:00Z`},
		{"an empty range", post(`{"config_id":"cg-1","range_from":"2026-11-22","range_to":"2026-11-22"}`), 400, "range_from is not before range_to"},
		{"a range backwards", post(`{"config_id":"cg-1","range_from":"2026-11-22T00:00:01Z","range_to":"2026-11-22"}`), 400, "range_from is not before range_to"},
		{"an unknown run mode", post(`{"config_id":"cg-1","run_mode":"FULL"}`), 400, `run_mode "FULL" is none of full, refresh, source`},
		{"a config id that is running", startOf("og-going"), 409, "og-going is running already: wf-ID"},

		// list
		{"an empty filter", get("", "state="), 400, "state is empty"},
		{"an empty next_token", get("", "next_token="), 400, "next_token is empty"},
		{"no date", get("", "created_from=yesterday"), 400, `created_from "yesterday" is not a timestamp in UTC, whole or partial`},
		{"a filter in another zone", get("", "ended_to=2026-11-22T00:00:00%2B01:00"), 400, `ended_to "2026-11-22T00:00:00+01:00" is not a timestamp in UTC, whole or partial`},
		{"an empty window", get("", "created_from=2026-11-22&created_to=2026-11-22T00:00:00Z"), 400, "created_from is not before created_to"},
		{"a window backwards", get("", "ended_from=2027&ended_to=2026"), 400, "ended_from is not before ended_to"},
		{"no limit", get("", "limit=0"), 400, `limit "0" is not a whole number from 1`},
		{"half a limit", get("", "limit=1.5"), 400, `limit "1.5" is not a whole number from 1`},
		{"maybe a total", get("", "with_total=1"), 400, `with_total "1" is neither true nor false`},
		{"an invented next_token", get("", "next_token=2"), 400, "next_token is none that this endpoint gave"},
		{"the next_token of another list", get("", "type=campaign.send&next_token="+pageTwo), 400, "next_token came from a list with other filters"},

		// one run
		{"an unknown run", get("/workflow/runs/wf-1", ""), 404, `there is no workflow "wf-1"`},
		{"an unknown view", get("/workflow/runs/"+over, "view=all"), 400, `view "all" is neither overview nor verbose`},
		{"a stop of an unknown run", request{method: "POST", path: "/workflow/runs/wf-1/stop"}, 404, `there is no workflow "wf-1"`},
		{"a stop with a body", request{method: "POST", path: "/workflow/runs/" + going + "/stop", body: "{}"}, 400, "this endpoint takes no body"},
		{"a stop of a run that is over", request{method: "POST", path: "/workflow/runs/" + over + "/stop"}, 409, "wf-ID is over: it has succeeded"},

		// token endpoint
		{"a token without a tenant", tokenForm(header("X-Amperity-Tenant", "-"), ""), 400, "the header X-Amperity-Tenant is missing"},
		{"a token of another tenant", tokenForm(header("X-Amperity-Tenant", "other"), ""), 401, `the client is not one of the tenant "other"`},
		{"a token for JSON", tokenForm(header("Content-Type", "application/json"), "{}"), 400, `the content type "application/json" is not application/x-www-form-urlencoded`},
		{"a malformed form", tokenForm(nil, "client_secret=%zz"), 400, "the form is malformed"},
		{"half a form", tokenForm(nil, "grant_type=client_credentials&client_id=client-1"), 400, "the form has 0 values of client_secret, not one"},
		{"two clients", tokenForm(nil, "grant_type=client_credentials&client_id=client-1&client_id=client-2&client_secret=x"), 400, "the form has 2 values of client_id, not one"},
		{"another grant", tokenForm(nil, "grant_type=password&client_id=client-1&client_secret=x"), 400, `grant_type "password" is not client_credentials`},
		{"a wrong secret", tokenForm(nil, "grant_type=client_credentials&client_id=client-1&client_secret=x"), 401, "client_id and client_secret are not those of a client"},
		{"another client", tokenForm(nil, "grant_type=client_credentials&client_id=client-2&client_secret="+goodSecret), 401, "client_id and client_secret are not those of a client"},
	} {
		t.Run(row.name, func(t *testing.T) {
			before := len(s.Runs())
			got := send(t, s, row.request)
			v := got.object(t)
			message, _ := v["message"].(string)
			message = regexp.MustCompile(`wf-\d{8}-\d{5}-\w{6}`).ReplaceAllString(message, "wf-ID")
			if got.status != row.status || message != row.message {
				t.Errorf("%d %s, want %d %s", got.status, message, row.status, row.message)
			}
			if ct := got.header.Get("Content-Type"); ct != "application/json" {
				t.Errorf("content type %q", ct)
			}
			if v["status"] != float64(row.status) {
				t.Errorf("the body has status %v", v["status"])
			}
			for _, id := range []string{"request_id", "trace_id"} {
				if text, _ := v[id].(string); !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(text) {
					t.Errorf("%s is %q", id, text)
				}
			}
			if len(s.Runs()) != before {
				t.Error("a run was started")
			}
		})
	}
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
	_, err := New(Config{
		Addr: "8089", BasePath: "api/", Tokens: make([]Token, 1), Clients: []Client{{ID: "client-1"}},
		TokenLifetime: time.Millisecond, PageSize: -1, StartStatus: 202,
	})
	var got *ConfigError
	if !errors.As(err, &got) {
		t.Fatalf("%T", err)
	}
	if diff := cmp.Diff([]string{
		`Addr "8089" is not host:port, for example 127.0.0.1:8089`,
		`BasePath "api/" does not begin with one slash or ends in one: write it like /api`,
		"Tokens[0] has no Value",
		"Clients[0] needs both ID and Secret",
		"TokenLifetime 1ms is below a second, which expires_in cannot say",
		"PageSize -1 is negative",
		"StartStatus 202 is neither 201 (OpenAPI document) nor 200 (documentation pages)",
	}, got.Problems); diff != "" {
		t.Error(diff)
	}
	if _, err := New(Config{PageSize: -1, StartStatus: 202}); err == nil || err.Error() != "amperitytest: Config: PageSize -1 is negative; StartStatus 202 is neither 201 (OpenAPI document) nor 200 (documentation pages)" {
		t.Error(err)
	}
}

func TestScriptErrorNamesEveryProblem(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	var got *ConfigError
	if !errors.As(s.Script(courier, Script{}, Script{Duration: -1}, Script{End: "failed"}), &got) {
		t.Fatal("the scripts are valid")
	}
	if diff := cmp.Diff(&ConfigError{What: "Script", Problems: []string{
		"script 1 has a negative duration",
		`script 2 ends as "failed", which is none of succeeded, failed-customer, failed-platform, stopped, canceled, never`,
	}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestFaultErrorNamesEveryProblem(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		fault Fault
		want  []string
	}{
		{Fault{}, []string{`kind "" is none of status, slow, hang, reset, truncate, not-json, redirect, drop, refuse`}},
		{Fault{Kind: "timeout"}, []string{`kind "timeout" is none of status, slow, hang, reset, truncate, not-json, redirect, drop, refuse`}},
		{Fault{Kind: Status}, []string{"status 0 is not between 200 and 599"}},
		{Fault{Kind: Status, Status: 100}, []string{"status 100 is not between 200 and 599"}},
		{Fault{Kind: NotJSON, Status: 600}, []string{"status 600 is not between 200 and 599"}},
		{Fault{Kind: Reset, Status: 503, Body: "x"}, []string{"status is for the kinds status and not-json", "body is for the kinds status and not-json"}},
		{Fault{Kind: Slow}, []string{"kind slow needs a delay"}},
		{Fault{Kind: Hang, Delay: -time.Second, Late: -time.Second, Nth: -1}, []string{"delay -1s is negative", "late -1s is negative", "nth -1 is negative"}},
		{Fault{Kind: Reset, Late: time.Second}, []string{"late is for faults that are applied"}},
		{Fault{Kind: Drop, Method: "POST"}, []string{"kind drop comes before any request is read: method, path_suffix, config_id and applied do not go with it"}},
		{Fault{Kind: Refuse, Times: 2}, []string{"kind refuse needs a delay", "kind refuse begins at once: nth and times do not go with it"}},
	} {
		var got *ConfigError
		if !errors.As(row.fault.Validate(), &got) {
			t.Errorf("%+v is valid", row.fault)
			continue
		}
		if diff := cmp.Diff(row.want, got.Problems); diff != "" {
			t.Error(diff)
		}
	}

	s, _ := setup(t)
	reset := Fault{Kind: Reset}
	for _, row := range []struct {
		p      float64
		faults []Fault
		want   string
	}{
		{-0.1, []Fault{reset}, "probability -0.1 is not between 0 and 1"},
		{1.1, []Fault{reset}, "probability 1.1 is not between 0 and 1"},
		{math.NaN(), []Fault{reset}, "probability NaN is not between 0 and 1"},
		{0.5, nil, "probability 0.5 of no fault: give at least one"},
		{0.5, []Fault{{Kind: Drop}}, "a random fault cannot have kind drop or refuse, nth or times"},
		{0.5, []Fault{{Kind: Slow}}, "kind slow needs a delay"},
	} {
		if err := s.FaultRandomly(row.p, row.faults...); err == nil || err.Error() != "amperitytest: Fault: "+row.want {
			t.Errorf("%v, want %s", err, row.want)
		}
	}
	if err := s.Fault(reset, Fault{Kind: Slow}); err == nil || send(t, s, request{}).status != 200 {
		t.Error("a fault was added beside one that is wrong")
	}
}

func TestControlRefusesInvalidRequests(t *testing.T) {
	t.Parallel()
	s, _ := setup(t, func(c *Config) { c.Control = true })
	for _, row := range []struct {
		method, path, body string
		status             int
		message            string
	}{
		{"GET", faultsPath, "", 404, "the simulator has GET /_simulator/runs, GET /_simulator/requests, POST /_simulator/faults and DELETE /_simulator/faults"},
		{"POST", faultsPath, "{", 400, "the body is not a fault: unexpected end of JSON input"},
		{"POST", faultsPath, `{"kind":"reset","after":true}`, 400, `the body is not a fault: json: unknown field "after"`},
		{"POST", faultsPath, `{"kind":"slow","delay":1}`, 400, `the body is not a fault: 1 is no duration: write text such as "1.5s"`},
		{"POST", faultsPath, `{"kind":"slow","delay":"1"}`, 400, `the body is not a fault: "1" is no duration: write text such as "1.5s"`},
		{"POST", faultsPath, `{"kind":"slow"}`, 400, "amperitytest: Fault: kind slow needs a delay"},
	} {
		got := roundTrip(request{method: row.method, path: row.path, body: row.body}.at(t, s.origin(), ""))
		if message := got.object(t)["message"]; got.status != row.status || message != row.message {
			t.Errorf("%s %s: %d %v, want %d %s", row.method, row.body, got.status, message, row.status, row.message)
		}
	}
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
