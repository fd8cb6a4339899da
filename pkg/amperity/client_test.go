package amperity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestClientSendsDocumentedRequests(t *testing.T) {
	t.Parallel()
	common := "Amperity-Tenant: acme\nApi-Version: 2024-04-01\nUser-Agent: amperity-runs/" + Version + "\nAccept: application/json\n"
	day := time.Date(2026, 11, 22, 1, 2, 3, 4_567_890, time.FixedZone("", -5*3600))
	list := func(o ListOptions) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			for _, err := range c.ListRuns(ctx, o) {
				return err
			}
			return nil
		}
	}
	rows := []struct {
		name string
		call func(context.Context, *Client) error
		head string
		body string
	}{
		{"StartRun with everything", func(ctx context.Context, c *Client) error {
			_, err := c.StartRun(ctx, RunRequest{ConfigID: "cg-123ABc4DE", RangeFrom: "2026-11-22", RangeTo: "2026-11-23", RunMode: RunModeFull})
			return err
		}, "POST /base/api/workflow/runs HTTP/1.1\nConnection: close\n" + common + "Content-Type: application/json\nContent-Length: 99\nAuthorization: the token\n",
			`{"config_id":"cg-123ABc4DE","range_from":"2026-11-22","range_to":"2026-11-23","run_mode":"full"}`},
		{"StartRun with a config id only", func(ctx context.Context, c *Client) error {
			_, err := c.StartRun(ctx, RunRequest{ConfigID: "og-1"})
			return err
		}, "POST /base/api/workflow/runs HTTP/1.1\nConnection: close\n" + common + "Content-Type: application/json\nContent-Length: 20\nAuthorization: the token\n",
			`{"config_id":"og-1"}`},
		{"GetRun", func(ctx context.Context, c *Client) error { _, err := c.GetRun(ctx, "wf-1", ""); return err },
			"GET /base/api/workflow/runs/wf-1 HTTP/1.1\n" + common + "Authorization: the token\n", ""},
		{"GetRun, verbose, an id to escape", func(ctx context.Context, c *Client) error {
			_, err := c.GetRun(ctx, "wf?1#%2F", ViewVerbose)
			return err
		}, "GET /base/api/workflow/runs/wf%3F1%23%252F?view=verbose HTTP/1.1\n" + common + "Authorization: the token\n", ""},
		{"GetRun, overview", func(ctx context.Context, c *Client) error { _, err := c.GetRun(ctx, "wf-1", ViewOverview); return err },
			"GET /base/api/workflow/runs/wf-1?view=overview HTTP/1.1\n" + common + "Authorization: the token\n", ""},
		{"StopRun", func(ctx context.Context, c *Client) error { _, err := c.StopRun(ctx, "wf-1"); return err },
			"POST /base/api/workflow/runs/wf-1/stop HTTP/1.1\nConnection: close\n" + common + "Content-Length: 0\nAuthorization: the token\n", ""},
		{"ListRuns of everything", list(ListOptions{}),
			"GET /base/api/workflow/runs HTTP/1.1\n" + common + "Authorization: the token\n", ""},
		{"ListRuns with every filter, a start rounded down and an end up", list(ListOptions{
			CreatedFrom: day, CreatedTo: day.Add(time.Hour), EndedFrom: day, EndedTo: day.Add(2 * time.Hour),
			State: StateInProgress, Type: RunTypeCourierGroup, Limit: 50, WithTotal: true,
		}), "GET /base/api/workflow/runs?created_from=2026-11-22T06%3A02%3A03.004Z&created_to=2026-11-22T07%3A02%3A03.005Z" +
			"&ended_from=2026-11-22T06%3A02%3A03.004Z&ended_to=2026-11-22T08%3A02%3A03.005Z" +
			"&limit=50&state=in+progress&type=courier.group%2Frun&with_total=true HTTP/1.1\n" + common + "Authorization: the token\n", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server := listen(t, answering(200, "", `{"id":"wf-1","data":[]}`))
			for _, slash := range []string{"", "/"} {
				if err := row.call(t.Context(), newTestClient(t, server.url+slash)); err != nil {
					t.Fatal(err)
				}
			}
			server.close()
			head := strings.Replace(row.head, "Content-Length: 99", fmt.Sprintf("Content-Length: %d", len(row.body)), 1)
			if diff := cmp.Diff([]string{head, head}, server.heads); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if diff := cmp.Diff([]string{row.body, row.body}, server.bodies); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestOptionsSetHeaders(t *testing.T) {
	t.Parallel()
	server := listen(t, answering(200, "", aRun))
	client := newTestClient(t, server.url, WithUserAgent("acme-etl/1.0 (ops)"), WithAPIVersion("unstable"), nil)
	if _, err := client.GetRun(t.Context(), "wf-1", ""); err != nil {
		t.Fatal(err)
	}
	server.close()
	if head := server.heads[0]; !strings.Contains(head, "User-Agent: acme-etl/1.0 (ops)\n") || !strings.Contains(head, "Api-Version: unstable\n") {
		t.Errorf("sent\n%s", head)
	}
}

func TestClientFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	elsewhere := listen(t, answering(201, "", aRun))
	calls := map[string]func(context.Context, *Client) error{
		"StartRun": func(ctx context.Context, c *Client) error {
			_, err := c.StartRun(ctx, RunRequest{ConfigID: "cg-1"})
			return err
		},
		"GetRun":  func(ctx context.Context, c *Client) error { _, err := c.GetRun(ctx, "wf-1", ""); return err },
		"StopRun": func(ctx context.Context, c *Client) error { _, err := c.StopRun(ctx, "wf-1"); return err },
		"ListRuns": func(ctx context.Context, c *Client) error {
			for _, err := range c.ListRuns(ctx, ListOptions{}) {
				return err
			}
			return nil
		},
	}
	var wg sync.WaitGroup
	for _, status := range []int{300, 301, 302, 303, 307, 308} {
		for name, call := range calls {
			wg.Go(func() {
				server := listen(t, answering(status, "Location: "+elsewhere.url+"/workflow/runs\n", ""))
				err := call(t.Context(), newTestClient(t, server.url))
				var answer *APIError
				if !errors.As(err, &answer) || answer.Status != status || NotProcessed(err) || sentinelsOf(err) != nil {
					t.Errorf("%s, %d: %v", name, status, err)
				} else if host := elsewhere.listener.Addr().String(); !strings.Contains(err.Error(), host) || !strings.Contains(err.Error(), "base URL, "+server.url) {
					t.Errorf("%s, %d: neither host nor base URL is named: %v", name, status, err)
				}
				server.close()
				if server.requests() != 1 {
					t.Errorf("%s, %d: %d requests", name, status, server.requests())
				}
			})
		}
	}
	wg.Wait()
	elsewhere.close()
	if elsewhere.connections != 0 {
		t.Errorf("%d redirects were followed", elsewhere.connections)
	}
}

// tokens is a token source that returns one token after the other. It moves to
// the next one when a token is refused, and stays at the last.
type tokens struct {
	give        []string
	fail        error // returned instead of the last token
	asked       int
	invalidated []string
}

func (s *tokens) Token(context.Context) (Token, error) {
	s.asked++
	n := len(s.invalidated)
	if n >= len(s.give) && s.fail != nil {
		return Token{}, s.fail
	}
	return NewToken(s.give[min(n, len(s.give)-1)]), nil
}

func (s *tokens) Invalidate(t Token) { s.invalidated = append(s.invalidated, t.Reveal()) }

func TestClientAsksForOneFreshTokenAfter401(t *testing.T) {
	t.Parallel()
	unreachable := errors.New("the secret store does not answer")
	const good, old, older = testToken, "old-xSECRETx", "older-xSECRETx"
	rows := []struct {
		name              string
		source            *tokens
		kind              string
		unauthorized      bool
		requests, asked   int
		invalidated       int
		cause             error
		wantNotInvalidate string
	}{
		{"the token is good", &tokens{give: []string{good}}, noError, false, 1, 1, 0, nil, ""},
		{"an old token, then a good one", &tokens{give: []string{old, good}}, noError, false, 2, 2, 1, nil, good},
		{"an old token and no other", &tokens{give: []string{old}}, apiError, true, 1, 2, 1, nil, ""},
		{"two old tokens, then a good one: the client stops after the second", &tokens{give: []string{older, old, good}}, apiError, true, 2, 2, 2, nil, good},
		{"an old token, then an error", &tokens{give: []string{old}, fail: unreachable}, "TokenError", true, 1, 2, 1, unreachable, ""},
		{"no token at all", &tokens{fail: unreachable}, "TokenError", false, 0, 1, 0, unreachable, ""},
		{"no token at all, by a TokenError", &tokens{fail: &TokenError{Err: unreachable}}, "TokenError", false, 0, 1, 0, unreachable, ""},
		{"an empty token", &tokens{give: []string{""}}, "TokenError", true, 0, 1, 0, nil, ""},
		{"a token with a line end", &tokens{give: []string{good + "\n"}}, "TokenError", true, 0, 1, 0, nil, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server := listen(t, func(c *conn) {
				if !c.read() {
					return
				}
				c.server.mu.Lock()
				known := strings.Contains(c.server.heads[len(c.server.heads)-1], "the token")
				c.server.mu.Unlock()
				if known {
					c.answer(201, "", aRun)
				} else {
					c.answer(401, "", `{"message":"Unauthorized"}`)
				}
			})
			client, err := New("acme", row.source, WithBaseURL(server.url))
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.StartRun(t.Context(), RunRequest{ConfigID: "cg-1"})
			server.close()
			kind := kindOfError(err)
			if _, ok := err.(*TokenError); ok {
				kind = "TokenError"
			}
			if kind != row.kind || errors.Is(err, ErrUnauthorized) != row.unauthorized || !errors.Is(err, row.cause) && row.cause != nil {
				t.Errorf("%s, unauthorized: %t: %v", kind, errors.Is(err, ErrUnauthorized), err)
			}
			if err != nil && !NotProcessed(err) {
				t.Error("the error of a 401 is not proof that nothing was processed")
			}
			if server.requests() != row.requests || row.source.asked != row.asked || len(row.source.invalidated) != row.invalidated {
				t.Errorf("%d requests, %d tokens asked for, %d invalidated; want %d, %d, %d", server.requests(),
					row.source.asked, len(row.source.invalidated), row.requests, row.asked, row.invalidated)
			}
			for _, refused := range row.source.invalidated {
				if refused == row.wantNotInvalidate {
					t.Error("a good token was invalidated")
				}
			}
			for _, body := range server.bodies {
				if body != `{"config_id":"cg-1"}` {
					t.Errorf("a body was %q", body)
				}
			}
		})
	}
}

func TestInvalidRequestNeedsNoToken(t *testing.T) {
	t.Parallel()
	source := &tokens{give: []string{testToken}}
	client, err := New("acme", source, WithTransport(roundTrip(func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return nil, errors.New("no")
	})))
	if err != nil {
		t.Fatal(err)
	}
	errs := map[string]error{}
	_, errs["StartRun"] = client.StartRun(t.Context(), RunRequest{})
	_, errs["GetRun"] = client.GetRun(t.Context(), "wf/1", "most")
	_, errs["StopRun"] = client.StopRun(t.Context(), "..")
	for _, err := range client.ListRuns(t.Context(), ListOptions{Limit: -1}) {
		errs["ListRuns"] = err
	}
	for name, err := range errs {
		var invalid *RequestError
		if !errors.As(err, &invalid) || !NotProcessed(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(errs) != 4 || source.asked != 0 {
		t.Errorf("%d errors, %d tokens asked for", len(errs), source.asked)
	}
}

func TestDeprecationHookRunsForItsHeaders(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name, headers string
		status        int
		want          []Deprecation
	}{
		{"neither header", "", 200, nil},
		{"both headers", "Deprecation: Tue, 1 Sep 2026 23:59:59 GMT\nSunset: Wed, 1 Dec 2026 23:59:59 GMT\n", 200,
			[]Deprecation{{"GET", "/workflow/runs/wf-1", "Tue, 1 Sep 2026 23:59:59 GMT", "Wed, 1 Dec 2026 23:59:59 GMT"}}},
		{"a deprecation only", "Deprecation: true\n", 200, []Deprecation{{"GET", "/workflow/runs/wf-1", "true", ""}}},
		{"a sunset only, on an error", "Sunset: true\n", 400, []Deprecation{{"GET", "/workflow/runs/wf-1", "", "true"}}},
		{"an echo of the token", "Sunset: " + testToken + "\n", 200, []Deprecation{{"GET", "/workflow/runs/wf-1", "", "[redacted]"}}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server := listen(t, answering(row.status, row.headers, aRun))
			var got []Deprecation
			client := newTestClient(t, server.url, WithDeprecationHook(func(d Deprecation) { got = append(got, d) }))
			_, _ = client.GetRun(t.Context(), "wf-1", "")
			if len(got) > 0 {
				noSecret(t, "the deprecation", got[0].Sunset)
			}
			if !cmp.Equal(row.want, got) {
				t.Errorf("%d deprecations, want %d", len(got), len(row.want))
			}
			// Without a hook the headers do no harm.
			_, _ = newTestClient(t, server.url).GetRun(t.Context(), "wf-1", "")
		})
	}
}

func TestContextWithoutDeadlineGetsOne(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"POST", "GET"} {
		client := newTestClient(t, "https://amperity.invalid", WithTransport(roundTrip(func(req *http.Request) (*http.Response, error) {
			if _, ok := req.Context().Deadline(); !ok {
				t.Errorf("%s without a deadline", method)
			}
			return nil, errors.New("no")
		})))
		var err error
		if method == "POST" {
			_, err = client.StartRun(context.Background(), RunRequest{ConfigID: "cg-1"})
		} else {
			_, err = client.GetRun(context.Background(), "wf-1", "")
		}
		if err == nil {
			t.Error("no error")
		}
	}
}
