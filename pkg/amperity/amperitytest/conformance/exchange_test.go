package conformance_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

const token = "tok-xSECRETx-1"

// exchange is a request and its response.
type exchange struct {
	name    string
	request *http.Request
	sent    string // the request's body
	status  int
	header  http.Header
	body    string
}

func hasBearer(_ context.Context, input *openapi3filter.AuthenticationInput) error {
	if !strings.HasPrefix(input.RequestValidationInput.Request.Header.Get("Authorization"), "Bearer ") {
		return errNoBearer
	}
	return nil
}

type readCloser struct{ io.Reader }

func (readCloser) Close() error { return nil }

// recorder is a transport that records its exchanges.
type recorder struct {
	inner *http.Transport

	mu        sync.Mutex
	exchanges []exchange
}

func newRecorder() *recorder { return &recorder{inner: &http.Transport{DisableKeepAlives: true}} }

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	e := exchange{request: request.Clone(request.Context())}
	if request.Body != nil {
		sent, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		e.sent = string(sent)
		request = request.Clone(request.Context())
		request.Body = readCloser{strings.NewReader(e.sent)}
	}
	resp, err := r.inner.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = readCloser{strings.NewReader(string(body))}
	e.status, e.header, e.body = resp.StatusCode, resp.Header, string(body)
	r.mu.Lock()
	r.exchanges = append(r.exchanges, e)
	r.mu.Unlock()
	return resp, nil
}

// all returns the exchanges so far.
func (r *recorder) all() []exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.exchanges
}

// world is a server of the tenant acme, whose clock the test moves.
type world struct {
	*amperitytest.Server
	mu  sync.Mutex
	now time.Time
}

func newWorld(t *testing.T, change ...func(*amperitytest.Config)) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)}
	cfg := amperitytest.Config{
		Tenant: "acme", RateLimit: -1, BusyWhileRunning: true,
		Tokens:  []amperitytest.Token{{Value: amperity.NewToken(token)}},
		Clients: []amperitytest.Client{{ID: "client-1", Secret: amperity.NewToken("sec-xSECRETx-1")}},
		Now: func() time.Time {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.now
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	srv, err := amperitytest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	w.Server = srv
	return w
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// request is a valid request but for the fields that are set. A header "-" is
// left out.
type request struct {
	name, method, path, body string
	header                   map[string]string
}

// send sends a request, and returns the exchange.
func (w *world) send(t *testing.T, r request) exchange {
	t.Helper()
	if r.method == "" {
		r.method = http.MethodGet
	}
	if r.path == "" {
		r.path = "/workflow/runs"
	}
	req, err := http.NewRequestWithContext(t.Context(), r.method, w.URL()+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("amperity-tenant", "acme")
	req.Header.Set("api-version", "2024-04-01")
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range r.header {
		req.Header.Del(name)
		if value != "-" {
			req.Header.Set(name, value)
		}
	}
	rec := newRecorder()
	if _, err := rec.RoundTrip(req); err != nil {
		t.Fatalf("%s: %v", r.name, err)
	}
	e := rec.all()[0]
	e.name = r.name
	return e
}
