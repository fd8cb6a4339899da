package amperitytest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRequestsAreLogged(t *testing.T) {
	t.Parallel()
	s, clock := setup(t)
	send(t, s, startOf(courier))
	send(t, s, request{query: "limit=0"})
	if err := s.Fault(Fault{Kind: Reset}); err != nil {
		t.Fatal(err)
	}
	send(t, s, request{})
	common := []string{"Accept-Encoding", "Amperity-Tenant", "Api-Version", "Authorization", "Connection"}
	if diff := cmp.Diff([]Request{
		{
			At: clock.Now(), Method: "POST", Path: "/api/workflow/runs", Body: `{"config_id":"cg-123ABc4DE"}`, Status: 201,
			Header: []string{"Accept-Encoding", "Amperity-Tenant", "Api-Version", "Authorization", "Connection", "Content-Length", "Content-Type", "User-Agent"},
		},
		{At: clock.Now(), Method: "GET", Path: "/api/workflow/runs", Query: "limit=0", Status: 400, Header: append(common[:5:5], "User-Agent")},
		{At: clock.Now(), Method: "GET", Path: "/api/workflow/runs", Fault: Reset, Header: append(common[:5:5], "User-Agent")},
	}, s.Requests()); diff != "" {
		t.Error(diff)
	}
}

// TestServerShowsNoSecret sends valid and invalid secrets in all places. It
// then searches everything that the server shows.
func TestServerShowsNoSecret(t *testing.T) {
	t.Parallel()
	s, _ := setup(t, func(c *Config) { c.Control = true })
	fetched := mustFetch(t, s)
	var shown strings.Builder
	for _, secret := range []string{goodToken, goodSecret, fetched, "tok-xSECRETx-unknown"} {
		bearer := map[string]string{"Authorization": "Bearer " + secret}
		for _, r := range []request{
			{header: bearer},
			{header: bearer, query: "token=" + url.QueryEscape(secret)},
			{header: bearer, path: "/workflow/runs/" + secret},
			{header: bearer, method: "POST", body: secret},
			{header: bearer, method: "POST", body: `{"config_id":"` + secret + `"}`},
			{header: map[string]string{"Authorization": secret}, query: "token=" + secret},
			fetch("grant_type=client_credentials&client_id=client-1&client_secret=" + secret),
			fetch("client_secret=" + secret + "%zz"),
			{method: "POST", path: tokenPath, query: "client_secret=x", body: goodForm},
		} {
			send(t, s, r)
		}
	}
	fmt.Fprintf(&shown, "%v\n%+v\n%#v\n%v\n%+v\n%#v\n%s\n", s.Requests(), s.Requests(), s.Requests(), s.cfg, s.cfg, s.cfg.Tokens, s.Runs())
	fmt.Fprintf(&shown, "%v\n%+v\n", s.accepted, s.accepted)
	b, err := json.Marshal(s.cfg.Tokens)
	if err != nil {
		t.Fatal(err)
	}
	shown.Write(b)
	for _, path := range []string{runsLog, requestsLog} {
		shown.WriteString(roundTrip(request{path: path}.at(t, s.origin(), "")).body)
	}
	if n := strings.Count(shown.String(), "xSECRETx"); n > 0 {
		t.Errorf("%d secrets are shown", n)
	}
	if !strings.Contains(shown.String(), "[redacted]") {
		t.Error("nothing was redacted: is the test right?")
	}
}

func TestLogKeepsTheNewestRequests(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	for i := range maxRequests + 5 {
		s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/"+itoa(i), nil))
	}
	got := s.Requests()
	if len(got) != maxRequests || got[0].Path != "/5" {
		t.Errorf("%d requests, the first %s", len(got), got[0].Path)
	}
}

func TestControlServesOtherProcesses(t *testing.T) {
	t.Parallel()
	s, _ := setup(t, func(c *Config) { c.Control, c.RateLimit = true, 1 })
	ask := func(method, path, body string) reply {
		r := request{method: method, path: strings.TrimPrefix(path, controlPath), body: body}
		r.path = "/" + r.path
		return roundTrip(r.at(t, s.ControlURL(), ""))
	}
	if got := ask("GET", runsLog, ""); got.body != `{"runs":[]}` {
		t.Error(got.body)
	}
	id := mustStart(t, s, courier)
	want := `{"runs":[{"id":"` + id + `","config_id":"cg-123ABc4DE","at":"2026-11-22T05:00:00Z","created_at":"2026-11-22T05:00:00Z","principal":"api-key|simulator"}]}`
	if got := ask("GET", runsLog, ""); got.body != want {
		t.Error(got.body)
	}
	fault := `{"method":"GET","times":2,"kind":"status","status":503,"header":{"Retry-After":"3"},"delay":"1ms"}`
	if got := ask("POST", faultsPath, fault); got.status != http.StatusCreated || got.body != fault {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := send(t, s, request{}); got.status != 503 || got.header.Get("Retry-After") != "3" {
		t.Error(got.status)
	}
	if got := ask("DELETE", faultsPath, ""); got.status != 200 {
		t.Error(got.status)
	}
	if got := send(t, s, request{}); got.status != 429 {
		t.Errorf("%d: the control requests should not count", got.status)
	}
	var log struct{ Requests []Request }
	if err := json.Unmarshal([]byte(ask("GET", requestsLog, "").body), &log); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.Requests(), log.Requests); diff != "" {
		t.Error(diff)
	}
}

func TestURLsHaveTheBasePath(t *testing.T) {
	t.Parallel()
	s, _ := setup(t, func(c *Config) { c.Addr, c.BasePath = "0.0.0.0:0", "/some/where" })
	if !strings.HasPrefix(s.URL(), "http://127.0.0.1:") || !strings.HasSuffix(s.URL(), "/some/where") {
		t.Error(s.URL())
	}
	if s.TokenURL() != s.URL()+"/v0/oauth2/token" {
		t.Error(s.TokenURL())
	}
	mustStart(t, s, courier)
	r := request{}.at(t, s.origin(), "/api")
	if got := roundTrip(r); got.status != 404 {
		t.Errorf("another base path: %d", got.status)
	}
}
