package amperity

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/golden"
)

// answered returns a client that gets this response for every request.
func answered(t *testing.T, status int, headers map[string]string, body io.Reader) *Client {
	t.Helper()
	return newTestClient(t, "https://app.amperity.com/api", WithTransport(roundTrip(func(*http.Request) (*http.Response, error) {
		h := http.Header{}
		for k, v := range headers {
			h.Set(k, v)
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(body)}, nil
	})))
}

func start(t *testing.T, status int, headers map[string]string, body string) error {
	t.Helper()
	_, err := answered(t, status, headers, strings.NewReader(body)).StartRun(t.Context(), RunRequest{ConfigID: "cg-1"})
	return err
}

func list(t *testing.T, bodies ...string) error {
	t.Helper()
	n := 0
	c := newTestClient(t, "https://app.amperity.com/api", WithTransport(roundTrip(func(*http.Request) (*http.Response, error) {
		body := bodies[min(n, len(bodies)-1)]
		n++
		return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(body))}, nil
	})))
	for _, err := range c.ListRuns(t.Context(), ListOptions{}) {
		if err != nil {
			return err
		}
	}
	return nil
}

func listWith(t *testing.T, o ListOptions) error {
	t.Helper()
	for _, err := range newTestClient(t, "https://app.amperity.com/api").ListRuns(t.Context(), o) {
		return err
	}
	return nil
}

func credentials(t *testing.T, status int, body string) error {
	t.Helper()
	c, err := NewClientCredentials(ClientCredentialsConfig{TokenURL: "https://acme.amperity.com/api/v0/oauth2/token", ClientID: "id",
		ClientSecret: NewToken("shh-xSECRETx"), Tenant: "acme", Now: time.Now,
		Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
		})})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Token(t.Context())
	return err
}

// source is a token source that returns its tokens, and then its error.
type source struct {
	tokens []string
	err    error
	n      int
}

func (s *source) Token(context.Context) (Token, error) {
	if s.n++; s.n > len(s.tokens) {
		return Token{}, s.err
	}
	return NewToken(s.tokens[s.n-1]), nil
}

func (*source) Invalidate(Token) {}

func startWith(t *testing.T, tokens TokenSource, status int) error {
	t.Helper()
	c, err := New("acme", tokens, WithTransport(roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}, nil
	})))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.StartRun(t.Context(), RunRequest{ConfigID: "cg-1"})
	return err
}

// failing returns the error of a start by a transport that fails.
func failing(t *testing.T, rt http.RoundTripper) error {
	t.Helper()
	_, err := newTestClient(t, "https://app.amperity.com/api", WithTransport(rt)).StartRun(t.Context(), RunRequest{ConfigID: "cg-1"})
	return err
}

// broken is a body that ends too early.
type broken struct{}

func (broken) Read(p []byte) (int, error) { return copy(p, "{"), io.ErrUnexpectedEOF }

func newWith(opts ...Option) error {
	_, err := New("acme", StaticTokenSource(testToken), opts...)
	return err
}

func TestErrorNamesCauseAndRemedy(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	noAnswer := roundTrip(func(*http.Request) (*http.Response, error) { return nil, io.EOF })
	const runError = `{"status":400,"message":"config_id: unknown","request_id":"r-1","trace_id":"t-1"}`
	var texts strings.Builder
	for _, row := range []struct {
		name string
		err  error
	}{
		// Requests that are not sent.
		{"no run id", func() error {
			_, err := newTestClient(t, "https://x.test/api").GetRun(t.Context(), "", "all")
			return err
		}()},
		{"a path for a run id", func() error {
			_, err := newTestClient(t, "https://x.test/api").StopRun(t.Context(), "wf-1/x")
			return err
		}()},
		{"filters of a list", listWith(t, ListOptions{CreatedFrom: day, CreatedTo: day, EndedFrom: day, EndedTo: day.Add(-time.Second), Limit: -1})},

		// Settings.
		{"nothing set", func() error { _, err := New("", nil); return err }()},
		{"a tenant that is a host", func() error { _, err := New("acme.amperity.com", StaticTokenSource(testToken)); return err }()},
		{"a tenant with a slash", func() error { _, err := New("acme/x", StaticTokenSource(testToken)); return err }()},
		{"no base URL", newWith(WithBaseURL(""))},
		{"a base URL in the clear", newWith(WithBaseURL("http://app.amperity.com/api"))},
		{"a base URL with a password", newWith(WithBaseURL("https://u:pw-xSECRETx@app.amperity.com/api"))},
		{"a base URL with a query", newWith(WithBaseURL("https://app.amperity.com/api?x=1"))},
		{"nothing for the options", newWith(WithTransport(nil), WithDialTLS(nil), WithDeprecationHook(nil))},
		{"a transport that does not dial", newWith(WithTransport(roundTrip(nil)), WithDialTLS(func(context.Context, string, string) (net.Conn, error) { return nil, nil }))},
		{"headers that cannot be sent", newWith(WithUserAgent("a\n"), WithAPIVersion(""))},
		{"no credentials", func() error { _, err := NewClientCredentials(ClientCredentialsConfig{}); return err }()},

		// The API's answers.
		{"400", start(t, 400, nil, runError)},
		{"400 with a request id alone", start(t, 400, nil, `{"message":"no","request_id":"r-1"}`)},
		{"400 with a trace id alone", start(t, 400, nil, `{"message":"no","trace_id":"t-1"}`)},
		{"401", start(t, 401, nil, "")},
		{"403", start(t, 403, nil, "")},
		{"404", start(t, 404, nil, "")},
		{"409", start(t, 409, nil, "")},
		{"429", start(t, 429, map[string]string{"Retry-After": "2"}, "")},
		{"500", start(t, 500, nil, "<html><body>oops</body></html>")},
		{"503 that echoes the token", start(t, 503, nil, "Authorization: Bearer "+testToken)},
		{"a redirect to another host", start(t, 307, map[string]string{"Location": "https://evil.test/x"}, "")},
		{"a redirect to nowhere", start(t, 302, nil, "")},

		// 2xx responses that are not the documented ones.
		{"an empty answer", start(t, 201, nil, "")},
		{"a page", start(t, 200, nil, "<html>")},
		{"a list for a run", start(t, 200, nil, "[]")},
		{"no id", start(t, 200, nil, `{"state":"scheduled"}`)},
		{"a broken answer", func() error {
			_, err := answered(t, 201, nil, io.MultiReader(strings.NewReader(`{"id":`), broken{})).StartRun(t.Context(), RunRequest{ConfigID: "cg-1"})
			return err
		}()},
		{"an endless answer", func() error {
			_, err := answered(t, 201, nil, strings.NewReader(strings.Repeat(" ", maxBody+1))).StartRun(t.Context(), RunRequest{ConfigID: "cg-1"})
			return err
		}()},
		{"a run for a list", list(t, `{"id":"wf-1"}`)},
		{"a list of something else", list(t, `{"data":[{"id":"wf-1"},{}]}`)},
		{"a token of the next page that is a number", list(t, `{"data":[],"next_token":7}`)},
		{"a list that does not end", list(t, `{"data":[],"next_token":"a"}`)},
		{"a run that is none", json.Unmarshal([]byte(`7`), new(Run))},
		{"a task that is none", new(Task).UnmarshalJSON([]byte(`{`))},

		// No answer.
		{"not sent", failing(t, &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }})},
		{"sent", failing(t, noAnswer)},
		{"asked", func() error {
			_, err := newTestClient(t, "https://app.amperity.com/api", WithTransport(noAnswer)).GetRun(t.Context(), "wf-1", "")
			return err
		}()},

		// Tokens.
		{"no token", startWith(t, &source{err: errors.New("the secret is gone")}, 200)},
		{"an empty token", startWith(t, StaticTokenSource(""), 200)},
		{"a token of two lines", startWith(t, StaticTokenSource("a-xSECRETx\nb"), 200)},
		{"no second token", startWith(t, &source{tokens: []string{"a-xSECRETx"}, err: errors.New("the secret is gone")}, 401)},
		{"credentials refused", credentials(t, 401, `{"error":"invalid_client","error_description":"unknown client"}`)},
		{"too many tokens", credentials(t, 429, "")},
		{"a token endpoint that is down", credentials(t, 503, "")},
		{"a token endpoint elsewhere", credentials(t, 404, "")},
		{"no JSON for a token", credentials(t, 200, "tok-xSECRETx")},
		{"another type of token", credentials(t, 200, `{"access_token":"tok-xSECRETx","token_type":"mac"}`)},
		{"no token in the answer", credentials(t, 200, `{}`)},
	} {
		if row.err == nil {
			t.Errorf("%s: no error", row.name)
			continue
		}
		noSecret(t, row.name, row.err.Error())
		texts.WriteString(golden.Row(row.name, row.err.Error()))
	}
	if !t.Failed() {
		golden.Check(t, "testdata/errors.golden", texts.String())
	}
}
