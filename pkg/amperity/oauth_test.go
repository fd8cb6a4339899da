package amperity

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	clientSecret = "shh+/=xSECRETx-2"
	firstToken   = "first-xSECRETx"
	secondToken  = "second-xSECRETx"
)

func tokenAnswer(token string) string {
	return `{"access_token":"` + token + `","expires_in":3600,"token_type":"Bearer"}`
}

// newCredentials returns a source with the credentials of the fixtures.
func newCredentials(t *testing.T, url string, transport http.RoundTripper, now func() time.Time) *ClientCredentials {
	t.Helper()
	c, err := NewClientCredentials(ClientCredentialsConfig{
		TokenURL: url, ClientID: "id-1", ClientSecret: NewToken(clientSecret), Tenant: "acme", Transport: transport, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTokenRequestIsSentAsDocumented(t *testing.T) {
	t.Parallel()
	server := listen(t, answering(200, "", tokenAnswer(firstToken)))
	token, err := newCredentials(t, server.url+"/v0/oauth2/token", nil, time.Now).Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !token.Equal(NewToken(firstToken)) {
		t.Error("the token is not the one of the answer")
	}
	server.close()
	want := "POST /base/api/v0/oauth2/token HTTP/1.1\nConnection: close\nX-Amperity-Tenant: acme\nUser-Agent: amperity-runs/" + Version +
		"\nAccept: application/json\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 81\n"
	if diff := cmp.Diff([]string{want}, server.heads); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if server.bodies[0] != "client_id=id-1&client_secret=shh%2B%2F%3DxSECRETx-2&grant_type=client_credentials" {
		t.Error("the form is not as documented")
	}
}

func TestTokenIsRenewedBeforeItExpires(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	rows := []struct {
		name, expiresIn string
		keeps, renews   time.Duration // the last instant of the cached token, the first of the next
	}{
		{"an hour: a minute before", `3600`, 59*time.Minute - 1, 59 * time.Minute},
		{"a minute: a tenth before", `60`, 54*time.Second - 1, 54 * time.Second},
		{"a fraction", `1.5`, 1350*time.Millisecond - 1, 1350 * time.Millisecond},
		{"a year: after a day", `31536000`, 24*time.Hour - time.Minute - 1, 24*time.Hour - time.Minute},
		{"more than a duration holds", `1e300`, 24*time.Hour - time.Minute - 1, 24*time.Hour - time.Minute},
		{"a null", `null`, 5*time.Minute - 30*time.Second - 1, 5*time.Minute - 30*time.Second},
		{"a text", `"3600"`, 5*time.Minute - 30*time.Second - 1, 5*time.Minute - 30*time.Second},
		{"negative", `-5`, 5*time.Minute - 30*time.Second - 1, 5*time.Minute - 30*time.Second},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			now, fetches := start, 0
			source := newCredentials(t, "https://amperity.invalid/token", answers(func() (int, string) {
				fetches++
				return 200, `{"access_token":"` + firstToken + `","expires_in":` + row.expiresIn + `}`
			}), func() time.Time { return now })
			for _, step := range []struct {
				after time.Duration
				want  int
			}{{0, 1}, {row.keeps, 1}, {row.renews, 2}} {
				now = start.Add(step.after)
				if _, err := source.Token(t.Context()); err != nil {
					t.Fatal(err)
				}
				if fetches != step.want {
					t.Errorf("after %s there were %d fetches", step.after, fetches)
				}
			}
		})
	}
}

func TestClientCredentialsDefaultToTheMachineClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fetches := 0
		source := newCredentials(t, "https://amperity.invalid/token", answers(func() (int, string) {
			fetches++
			return 200, tokenAnswer(firstToken)
		}), nil)
		for i, wait := range []time.Duration{0, 59*time.Minute - 1, 1} {
			time.Sleep(wait)
			if _, err := source.Token(t.Context()); err != nil {
				t.Fatal(err)
			}
			if want := 1 + i/2; fetches != want {
				t.Errorf("step %d: %d fetches, want %d", i, fetches, want)
			}
		}
	})
}

// answers is a transport that sends the response of a function.
func answers(answer func() (status int, body string)) roundTrip {
	return func(req *http.Request) (*http.Response, error) {
		status, body := answer()
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
	}
}

func TestInvalidateDropsOnlyTheRefusedToken(t *testing.T) {
	t.Parallel()
	give := []string{firstToken, secondToken}
	fetches := 0
	source := newCredentials(t, "https://amperity.invalid/token", answers(func() (int, string) {
		fetches++
		return 200, tokenAnswer(give[fetches-1])
	}), time.Now)
	get := func(want string) {
		t.Helper()
		if token, err := source.Token(t.Context()); err != nil || token.Reveal() != want {
			t.Errorf("not the token wanted, after %d fetches: %v", fetches, err)
		}
	}
	get(firstToken)
	source.Invalidate(NewToken("other-xSECRETx"))
	get(firstToken)
	source.Invalidate(NewToken(firstToken))
	get(secondToken)
	source.Invalidate(NewToken(firstToken)) // a late refusal of the first token
	get(secondToken)
	if fetches != 2 {
		t.Errorf("%d fetches", fetches)
	}
}

// gate is a transport that holds each request until it receives a value.
type gate struct {
	open chan error // nil makes the response a token

	mu    sync.Mutex
	calls int
}

func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	g.mu.Lock()
	g.calls++
	g.mu.Unlock()
	select {
	case err := <-g.open:
		if err != nil {
			return nil, err
		}
		return answers(func() (int, string) { return 200, tokenAnswer(firstToken) })(req)
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
}

func TestConcurrentCallersShareOneFetch(t *testing.T) {
	t.Parallel()
	unreachable := errors.New("unreachable")
	// start starts ten callers, the first of them with a context of its
	// own. The crowd holds their errors once all have returned.
	type crowd struct {
		errs   []error
		cancel context.CancelFunc
		wait   func()
	}
	start := func(t *testing.T, source *ClientCredentials) *crowd {
		c := &crowd{errs: make([]error, 10)}
		var wg sync.WaitGroup
		first, cancel := context.WithCancel(t.Context())
		call := func(i int, ctx context.Context) {
			token, err := source.Token(ctx)
			if err == nil && !token.Equal(NewToken(firstToken)) {
				err = errors.New("another token")
			}
			c.errs[i] = err
		}
		wg.Go(func() { call(0, first) })
		synctest.Wait()
		for i := 1; i < len(c.errs); i++ {
			wg.Go(func() { call(i, t.Context()) })
		}
		synctest.Wait()
		c.cancel, c.wait = cancel, wg.Wait
		return c
	}
	in := func(name string, f func(*testing.T, *gate, *ClientCredentials)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := &gate{open: make(chan error)}
				f(t, g, newCredentials(t, "https://amperity.invalid/token", g, time.Now))
			})
		})
	}

	in("a token", func(t *testing.T, g *gate, source *ClientCredentials) {
		c := start(t, source)
		g.open <- nil
		c.wait()
		c.cancel()
		if err := errors.Join(c.errs...); err != nil || g.calls != 1 {
			t.Errorf("%d fetches: %v", g.calls, err)
		}
	})
	in("a failure, and the next caller fetches again", func(t *testing.T, g *gate, source *ClientCredentials) {
		c := start(t, source)
		g.open <- unreachable
		c.wait()
		c.cancel()
		for _, err := range c.errs {
			if !errors.Is(err, unreachable) {
				t.Errorf("got %v", err)
			}
		}
		if g.calls != 1 {
			t.Errorf("%d fetches", g.calls)
		}
		go func() { g.open <- nil }()
		if _, err := source.Token(t.Context()); err != nil || g.calls != 2 {
			t.Errorf("%d fetches: %v", g.calls, err)
		}
	})
	in("the first cancels, another fetches for the rest", func(t *testing.T, g *gate, source *ClientCredentials) {
		c := start(t, source)
		c.cancel()
		synctest.Wait()
		g.open <- nil
		c.wait()
		if !errors.Is(c.errs[0], context.Canceled) || errors.Join(c.errs[1:]...) != nil || g.calls != 2 {
			t.Errorf("%d fetches: %v", g.calls, c.errs)
		}
	})
	in("a waiting caller whose context has ended returns", func(t *testing.T, g *gate, source *ClientCredentials) {
		c := start(t, source)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var none *TokenError
		if _, err := source.Token(ctx); !errors.As(err, &none) || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		g.open <- nil
		c.wait()
		c.cancel()
		if err := errors.Join(c.errs...); err != nil || g.calls != 1 {
			t.Errorf("%d fetches: %v", g.calls, err)
		}
	})
	in("a token invalidated before and after its fetch is fetched once more", func(t *testing.T, g *gate, source *ClientCredentials) {
		c := start(t, source)
		source.Invalidate(NewToken(firstToken)) // not fetched yet, so nothing happens
		g.open <- nil
		c.wait()
		c.cancel()
		source.Invalidate(NewToken(firstToken))
		go func() { g.open <- nil }()
		if _, err := source.Token(t.Context()); err != nil || g.calls != 2 {
			t.Errorf("%d fetches: %v", g.calls, err)
		}
	})
}

// fromTokenEndpoint is what a caller of StartRun can read from the error when
// the token endpoint fails.
type fromTokenEndpoint struct {
	Unauthorized, RateLimited, Unreachable, Answer bool
}

func TestTokenErrorRevealsItsCauseAndNoSecret(t *testing.T) {
	t.Parallel()
	gone := listen(t, func(*conn) {})
	gone.close()
	rows := []struct {
		name   string
		handle func(*conn)
		want   fromTokenEndpoint
	}{
		{"400 invalid_client", answering(400, "", `{"error":"invalid_client","error_description":"unknown client"}`), fromTokenEndpoint{Unauthorized: true}},
		{"401", answering(401, "", ""), fromTokenEndpoint{Unauthorized: true}},
		{"403", answering(403, "", ""), fromTokenEndpoint{Unauthorized: true}},
		{"404", answering(404, "", ""), fromTokenEndpoint{Unauthorized: true}},
		{"409", answering(409, "", ""), fromTokenEndpoint{Unauthorized: true}},
		{"408", answering(408, "", ""), fromTokenEndpoint{}},
		{"429", answering(429, "Retry-After: 5\n", ""), fromTokenEndpoint{RateLimited: true}},
		{"500", answering(500, "", ""), fromTokenEndpoint{}},
		{"307", answering(307, "Location: https://elsewhere.example/\n", ""), fromTokenEndpoint{}},
		{"refused", nil, fromTokenEndpoint{Unreachable: true}},
		{"reset", func(c *conn) { c.read(); c.reset() }, fromTokenEndpoint{Unreachable: true}},
		{"half a body", func(c *conn) {
			c.read()
			c.write("HTTP/1.1 200 OK\nContent-Length: 100\n\n{\"access_token\":\"%s", firstToken)
		}, fromTokenEndpoint{Answer: true}},
		{"a broken head that holds the token", func(c *conn) {
			c.read()
			c.write("HTTP/1.1 200 OK\naccess_token %s\n\n", firstToken)
		}, fromTokenEndpoint{Unreachable: true}},
		{"not JSON", answering(200, "", "token="+firstToken), fromTokenEndpoint{Answer: true}},
		{"JSON that is no object", answering(200, "", `"`+firstToken+`"`), fromTokenEndpoint{Answer: true}},
		{"no access_token", answering(200, "", `{"token":"`+firstToken+`"}`), fromTokenEndpoint{Answer: true}},
		{"an access_token that cannot be sent", answering(200, "", `{"access_token":"`+firstToken+`\n"}`), fromTokenEndpoint{Answer: true}},
		{"another token_type", answering(200, "", `{"access_token":"`+firstToken+`","token_type":"mac"}`), fromTokenEndpoint{Answer: true}},
		{"an echo of the form", func(c *conn) {
			c.read()
			c.server.mu.Lock()
			form := c.server.bodies[0]
			c.server.mu.Unlock()
			c.answer(500, "", form)
		}, fromTokenEndpoint{}},
		{"an echo of the secret", answering(500, "", `{"message":"`+clientSecret+`"}`), fromTokenEndpoint{}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			url := gone.url
			if row.handle != nil {
				url = listen(t, row.handle).url
			}
			client, err := New("acme", newCredentials(t, url, nil, time.Now), WithTransport(roundTrip(func(*http.Request) (*http.Response, error) {
				t.Error("a request was sent without a token")
				return nil, errors.New("no")
			})))
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.StartRun(t.Context(), RunRequest{ConfigID: "cg-1"})
			if err == nil {
				t.Fatal("no error")
			}
			everyPrint(t, err, func(how, text string) { noSecret(t, "the error by "+how, text) })
			_, isTokenError := err.(*TokenError)
			var unreachable *TransportError
			var answer *ResponseError
			got := fromTokenEndpoint{errors.Is(err, ErrUnauthorized), errors.Is(err, ErrRateLimited), errors.As(err, &unreachable), errors.As(err, &answer)}
			if !isTokenError || !NotProcessed(err) || errors.Is(err, ErrRejected) || errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) || got != row.want {
				t.Errorf("%T, not processed: %t, %+v: %v", err, NotProcessed(err), got, err)
			}
		})
	}
}
