package amperity

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

// broken is a body that ends too early.
type broken struct{}

func (broken) Read(p []byte) (int, error) { return copy(p, "{"), io.ErrUnexpectedEOF }

func newWith(opts ...Option) error {
	_, err := New("acme", StaticTokenSource(testToken), opts...)
	return err
}

func TestMessagesReadAsWritten(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	const runError = `{"status":400,"message":"config_id: unknown","request_id":"r-1","trace_id":"t-1"}`
	rows := []struct {
		name string
		err  error
		want string
	}{
		// Requests that are not sent.
		{"no config id", RunRequest{}.Validate(), `invalid request: config_id is missing: write the id of a courier group (cg-…), an orchestration group (og-…) or a campaign (cc-…)`},
		{"a config id with a blank", RunRequest{ConfigID: "cg-1 "}.Validate(), `invalid request: config_id is "cg-1 ": write it without blanks, slashes, quotes and unprintable characters`},
		{"another id", RunRequest{ConfigID: "wf-1"}.Validate(), `invalid request: config_id is "wf-1": write an id that starts with cg- (courier group), og- (orchestration group) or cc- (campaign)`},
		{"a prefix", RunRequest{ConfigID: "og-"}.Validate(), `invalid request: config_id is "og-", a prefix and nothing after it: write the whole id, such as cg-123ABc4DE`},
		{"a very long config id", RunRequest{ConfigID: strings.Repeat("x", 100)}.Validate(), `invalid request: config_id is "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"…: write an id that starts with cg- (courier group), og- (orchestration group) or cc- (campaign)`},
		{"an orchestration group with a range", RunRequest{ConfigID: "og-1", RangeFrom: "2026-11-22"}.Validate(), `invalid request: range_from is for courier groups (cg-…) only: leave it out, this is the id of an orchestration group`},
		{"a campaign with a mode", RunRequest{ConfigID: "cc-1", RunMode: "full"}.Validate(), `invalid request: run_mode is for courier groups (cg-…) only: leave it out, this is the id of a campaign`},
		{"an end alone", RunRequest{ConfigID: "cg-1", RangeTo: "2026-11-22"}.Validate(), `invalid request: range_to needs range_from: write where the range starts, too`},
		{"an end before the start", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22", RangeTo: "2026-11-21"}.Validate(), `invalid request: range_to is "2026-11-21", not after range_from, "2026-11-22": write a later end, which is itself not in the range`},
		{"another zone", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22T00:00:00-05:00"}.Validate(), `invalid request: range_from is "2026-11-22T00:00:00-05:00", which is not in UTC: write 2026-11-22T05:00:00Z`},
		{"no time", RunRequest{ConfigID: "cg-1", RangeFrom: "yesterday"}.Validate(), `invalid request: range_from is "yesterday": write a date, as YYYY-MM-DD, or a timestamp in UTC, such as 2026-11-22T05:00:00Z`},
		{"all at once", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-02-30", RangeTo: "later", RunMode: "quick"}.Validate(), `invalid request: range_from is "2026-02-30", which no calendar has: write a day that exists, as YYYY-MM-DD; range_to is "later": write a date, as YYYY-MM-DD, or a timestamp in UTC, such as 2026-11-22T05:00:00Z; run_mode is "quick": write full, refresh or source`},
		{"no run id", func() error {
			_, err := newTestClient(t, "https://x.test/api").GetRun(t.Context(), "", "all")
			return err
		}(), `invalid request: run id is "": write the id of a run, such as wf-20240603-12345-MNabc; view is "all": write overview or verbose`},
		{"a path for a run id", func() error {
			_, err := newTestClient(t, "https://x.test/api").StopRun(t.Context(), "wf-1/x")
			return err
		}(), `invalid request: run id is "wf-1/x": write it without blanks, slashes, quotes and unprintable characters`},
		{"filters of a list", listWith(t, ListOptions{CreatedFrom: day, CreatedTo: day, EndedFrom: day, EndedTo: day.Add(-time.Second), Limit: -1}), `invalid request: created_to is 2026-11-22T00:00:00Z, not after the start, 2026-11-22T00:00:00Z: give a later end, which is itself not in the range; ended_to is 2026-11-21T23:59:59Z, not after the start, 2026-11-22T00:00:00Z: give a later end, which is itself not in the range; limit is -1: write a number of runs a page, or 0 for the API's own`},

		// Settings.
		{"nothing set", func() error { _, err := New("", nil); return err }(), `invalid client settings: tenant is missing: write the tenant id, as Copy tenant ID gives it in Amperity; token source is nil: give one, such as StaticTokenSource(…)`},
		{"a tenant that is a host", func() error { _, err := New("acme.amperity.com", StaticTokenSource(testToken)); return err }(), `invalid client settings: tenant is "acme.amperity.com", a host: write the tenant id alone, acme of acme.amperity.com`},
		{"a tenant with a slash", func() error { _, err := New("acme/x", StaticTokenSource(testToken)); return err }(), `invalid client settings: tenant is "acme/x": write the tenant id as Copy tenant ID gives it in Amperity, without blanks, slashes and quotes`},
		{"no base URL", newWith(WithBaseURL("")), `invalid client settings: WithBaseURL is not a URL: write one such as https://app.amperity.com/api`},
		{"a base URL in the clear", newWith(WithBaseURL("http://app.amperity.com/api")), `invalid client settings: WithBaseURL would send the token in the clear: write https (http is for localhost, 127.0.0.1, ::1 and host.docker.internal)`},
		{"a base URL with a password", newWith(WithBaseURL("https://u:pw-xSECRETx@app.amperity.com/api")), `invalid client settings: WithBaseURL holds a user or a password: leave them out, the token goes in a header`},
		{"a base URL with a query", newWith(WithBaseURL("https://app.amperity.com/api?x=1")), `invalid client settings: WithBaseURL has a query or a fragment: end it with the path`},
		{"nothing for the options", newWith(WithTransport(nil), WithDeprecationHook(nil)), `invalid client settings: WithTransport is nil: leave the option out to use the client's own transports; WithDeprecationHook is nil: leave the option out to hear of no deprecation`},
		{"headers that cannot be sent", newWith(WithUserAgent("a\n"), WithAPIVersion("")), `invalid client settings: WithUserAgent is "a\n": write printable ASCII, such as acme-etl/1.0; WithAPIVersion is "": write a version such as 2024-04-01`},
		{"no credentials", func() error { _, err := NewClientCredentials(ClientCredentialsConfig{}); return err }(), `invalid client settings: TokenURL is not a URL: write one such as https://app.amperity.com/api/v0/oauth2/token; ClientID is missing: write the client id, as Get OAuth credentials gives it in Amperity; ClientSecret is missing: write the client secret, as Get OAuth credentials gives it in Amperity; Tenant is missing: write the tenant id, as Copy tenant ID gives it in Amperity`},

		// The API's answers.
		{"400", start(t, 400, nil, runError), `POST /workflow/runs: 400 Bad Request: config_id: unknown (request id r-1, trace id t-1)`},
		{"400 with a request id alone", start(t, 400, nil, `{"message":"no","request_id":"r-1"}`), `POST /workflow/runs: 400 Bad Request: no (request id r-1)`},
		{"400 with a trace id alone", start(t, 400, nil, `{"message":"no","trace_id":"t-1"}`), `POST /workflow/runs: 400 Bad Request: no (trace id t-1)`},
		{"401", start(t, 401, nil, ""), `POST /workflow/runs: 401 Unauthorized; the token is expired or not valid for tenant acme: generate a new one in that tenant`},
		{"403", start(t, 403, nil, ""), `POST /workflow/runs: 403 Forbidden; the API key has no permission for this: add a policy to it in tenant acme`},
		{"404", start(t, 404, nil, ""), `POST /workflow/runs: 404 Not Found; check the id, the tenant, acme, and the base URL, https://app.amperity.com/api`},
		{"409", start(t, 409, nil, ""), `POST /workflow/runs: 409 Conflict; it may be running already: try again later`},
		{"429", start(t, 429, map[string]string{"Retry-After": "2"}, ""), `POST /workflow/runs: 429 Too Many Requests; retry after 2s; try again later, more slowly`},
		{"500", start(t, 500, nil, "<html><body>oops</body></html>"), `POST /workflow/runs: 500 Internal Server Error: <html><body>oops</body></html>; it may have been processed all the same: look in Amperity before you send it again`},
		{"503 that echoes the token", start(t, 503, nil, "Authorization: Bearer "+testToken), `POST /workflow/runs: 503 Service Unavailable: Authorization: Bearer [redacted]; it may have been processed all the same: look in Amperity before you send it again`},
		{"a redirect to another host", start(t, 307, map[string]string{"Location": "https://evil.test/x"}, ""), `POST /workflow/runs: 307 Temporary Redirect: redirected to the host evil.test, not followed; check the base URL, https://app.amperity.com/api`},
		{"a redirect to nowhere", start(t, 302, nil, ""), `POST /workflow/runs: 302 Found: redirected, not followed; check the base URL, https://app.amperity.com/api`},

		// 2xx responses that are not the documented ones.
		{"an empty answer", start(t, 201, nil, ""), `POST /workflow/runs: 201 Created, but the answer is empty`},
		{"a page", start(t, 200, nil, "<html>"), `POST /workflow/runs: 200 OK, but the answer is not JSON; it begins "<html>"`},
		{"a list for a run", start(t, 200, nil, "[]"), `POST /workflow/runs: 200 OK, but the answer is not a JSON object; it begins "[]"`},
		{"no id", start(t, 200, nil, `{"state":"scheduled"}`), `POST /workflow/runs: 200 OK, but the answer is not a run: it has no "id"; it begins "{\"state\":\"scheduled\"}"`},
		{"a broken answer", func() error {
			_, err := answered(t, 201, nil, io.MultiReader(strings.NewReader(`{"id":`), broken{})).StartRun(t.Context(), RunRequest{ConfigID: "cg-1"})
			return err
		}(), `POST /workflow/runs: 201 Created, but the answer broke off after 7 bytes: unexpected EOF`},
		{"an endless answer", func() error {
			_, err := answered(t, 201, nil, strings.NewReader(strings.Repeat(" ", maxBody+1))).StartRun(t.Context(), RunRequest{ConfigID: "cg-1"})
			return err
		}(), `POST /workflow/runs: 201 Created, but the answer is longer than 8 MiB`},
		{"a run for a list", list(t, `{"id":"wf-1"}`), `GET /workflow/runs: 200 OK, but the answer is not a page of runs: it has no "data" array; it begins "{\"id\":\"wf-1\"}"`},
		{"a list of something else", list(t, `{"data":[{"id":"wf-1"},{}]}`), `GET /workflow/runs: 200 OK, but element 1 of "data" is not a run: it has no "id"`},
		{"a token of the next page that is a number", list(t, `{"data":[],"next_token":7}`), `GET /workflow/runs: 200 OK, but its next_token is not a text`},
		{"a list that does not end", list(t, `{"data":[],"next_token":"a"}`), `GET /workflow/runs: 200 OK, but its next_token is one that came before: the list would not end`},
		{"a run that is none", json.Unmarshal([]byte(`7`), new(Run)), `a run must be a JSON object`},
		{"a task that is none", new(Task).UnmarshalJSON([]byte(`{`)), `a task must be a JSON object: unexpected end of JSON input`},

		// No answer.
		{"not sent", &TransportError{Method: "POST", Path: "/workflow/runs", Err: errors.New("connection refused")}, `POST /workflow/runs: not sent: connection refused`},
		{"sent", &TransportError{Method: "POST", Path: "/workflow/runs", MayHaveBeenSent: true, Err: io.EOF}, `POST /workflow/runs: no answer, but it may have been processed: EOF`},
		{"asked", &TransportError{Method: "GET", Path: "/workflow/runs", MayHaveBeenSent: true, Err: io.EOF}, `GET /workflow/runs: no answer: EOF`},

		// Tokens.
		{"no token", startWith(t, &source{err: errors.New("the secret is gone")}, 200), `no access token: the secret is gone`},
		{"an empty token", startWith(t, StaticTokenSource(""), 200), `no access token: the token is empty`},
		{"a token of two lines", startWith(t, StaticTokenSource("a-xSECRETx\nb"), 200), `no access token: the token holds blanks, line ends or other characters that no token has; it is one word, as Amperity shows it`},
		{"no second token", startWith(t, &source{tokens: []string{"a-xSECRETx"}, err: errors.New("the secret is gone")}, 401), `no access token: the last one was refused, and there is no new one: the secret is gone; POST /workflow/runs: 401 Unauthorized; the token is expired or not valid for tenant acme: generate a new one in that tenant`},
		{"credentials refused", credentials(t, 401, `{"error":"invalid_client","error_description":"unknown client"}`), `no access token: POST /api/v0/oauth2/token: 401 Unauthorized: invalid_client unknown client; check the client id and the client secret; they must be of an API key of tenant acme`},
		{"too many tokens", credentials(t, 429, ""), `no access token: POST /api/v0/oauth2/token: 429 Too Many Requests`},
		{"a token endpoint that is down", credentials(t, 503, ""), `no access token: POST /api/v0/oauth2/token: 503 Service Unavailable`},
		{"a token endpoint elsewhere", credentials(t, 404, ""), `no access token: POST /api/v0/oauth2/token: 404 Not Found; check the token URL, https://acme.amperity.com/api/v0/oauth2/token`},
		{"no JSON for a token", credentials(t, 200, "tok-xSECRETx"), `no access token: POST /api/v0/oauth2/token: 200 OK, but the answer is not JSON`},
		{"another type of token", credentials(t, 200, `{"access_token":"tok-xSECRETx","token_type":"mac"}`), `no access token: POST /api/v0/oauth2/token: 200 OK, but its token_type is not Bearer`},
		{"no token in the answer", credentials(t, 200, `{}`), `no access token: POST /api/v0/oauth2/token: 200 OK, but it holds no access_token that can be sent in a header`},

		// The sentinel errors.
		{"rejected", ErrRejected, `rejected by the Amperity API`},
		{"unauthorized", ErrUnauthorized, `the Amperity API does not accept the token`},
		{"busy", ErrConflict, `in conflict with what is running in Amperity`},
		{"rate limited", ErrRateLimited, `too many requests to the Amperity API`},
		{"not found", ErrNotFound, `not found in Amperity`},
	}
	for _, row := range rows {
		if row.err == nil {
			t.Errorf("%s: no error", row.name)
			continue
		}
		got := row.err.Error()
		noSecret(t, row.name, got)
		if diff := cmp.Diff(row.want, got); diff != "" && !strings.Contains(got, "xSECRETx") {
			t.Errorf("%s: (-want +got)\n%s", row.name, diff)
		}
	}
}
