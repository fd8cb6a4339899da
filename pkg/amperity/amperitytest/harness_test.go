package amperitytest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

const (
	goodToken  = "tok-xSECRETx-1"
	goodSecret = "sec-xSECRETx-1"
	courier    = "cg-123ABc4DE"
)

// clock is a clock that the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// setup starts a server of the tenant acme, without a rate limit.
func setup(t *testing.T, change ...func(*Config)) (*Server, *clock) {
	t.Helper()
	c := newClock()
	cfg := Config{
		Tenant: "acme", Now: c.Now, RateLimit: -1,
		Tokens:  []Token{{Value: amperity.NewToken(goodToken)}},
		Clients: []Client{{ID: "client-1", Secret: amperity.NewToken(goodSecret)}},
	}
	for _, f := range change {
		f(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, c
}

// request is a valid request but for the fields that are set. An empty method
// is GET, an empty path is that of the runs, and a header "-" is left out.
type request struct {
	method, path, query, body string
	header                    map[string]string
	noJSON                    bool // do not set the content type
}

func post(body string) request { return request{method: "POST", body: body} }

func startOf(configID string) request { return post(`{"config_id":"` + configID + `"}`) }

func get(path, query string) request { return request{path: path, query: query} }

func (r request) at(t *testing.T, origin, base string) *http.Request {
	t.Helper()
	if r.path == "" {
		r.path = runsPath
	}
	url := origin + base + r.path
	if r.query != "" {
		url += "?" + r.query
	}
	req, err := http.NewRequestWithContext(t.Context(), r.method, url, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+goodToken)
	req.Header.Set("amperity-tenant", "acme")
	req.Header.Set("api-version", "2024-04-01")
	if r.body != "" && !r.noJSON {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range r.header {
		req.Header.Del(name)
		if value != "-" {
			req.Header.Set(name, value)
		}
	}
	return req
}

// reply is a response as the client sees it. err is set if there is none, or
// only a part of one.
type reply struct {
	status int
	header http.Header
	body   string
	err    error
}

// send sends a request on a new connection, and follows no redirect.
func send(t *testing.T, s *Server, r request) reply {
	t.Helper()
	return roundTrip(r.at(t, s.origin(), s.cfg.BasePath))
}

func roundTrip(req *http.Request) reply {
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(body), err}
}

// object decodes the body, which must be a JSON object.
func (r reply) object(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := errors.Join(r.err, json.Unmarshal([]byte(r.body), &v)); err != nil {
		t.Fatalf("status %d, not a JSON object: %v", r.status, err)
	}
	return v
}

// mustStart starts a run and returns its id.
func mustStart(t *testing.T, s *Server, configID string) string {
	t.Helper()
	r := send(t, s, startOf(configID))
	id, _ := r.object(t)["id"].(string)
	if r.status != http.StatusCreated || id == "" {
		t.Fatalf("status %d, id %q", r.status, id)
	}
	return id
}

// stateOf returns a run's state.
func stateOf(t *testing.T, s *Server, id string) string {
	t.Helper()
	state, _ := send(t, s, get(runsPath+"/"+id, "")).object(t)["state"].(string)
	return state
}
