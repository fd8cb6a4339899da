package amperity

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Client calls the workflow API for one tenant. Several goroutines may use it
// at the same time.
//
// A Client sends each request once. The one exception is a 401, which the API
// returns before it processes anything. The Client then asks its token source
// for another token, and sends the request once more if there is one.
type Client struct {
	tenant, baseURL       string
	userAgent, apiVersion string
	tokens                TokenSource
	wire                  wire
	deprecated            func(Deprecation)
}

// New returns a client for a tenant. Its error is a [*ConfigError] that names
// everything wrong with the arguments. New sends nothing, and asks for no
// token.
func New(tenant string, tokens TokenSource, opts ...Option) (*Client, error) {
	s := settings{
		baseURL:    DefaultBaseURL,
		userAgent:  "amperity-runs/" + Version,
		apiVersion: DefaultAPIVersion,
	}
	var f faults
	f.checkTenant(fieldTenant, tenant)
	if tokens == nil {
		f.faultf(fieldTokens, "is nil: give one, such as StaticTokenSource(…)")
	}
	for _, opt := range opts {
		if opt != nil {
			f.add(opt(&s))
		}
	}
	if s.transport != nil && s.dial != nil {
		f.faultf(fieldDialTLS, "has no effect beside WithTransport: leave one of them out")
	}
	if err := f.config(); err != nil {
		return nil, err
	}
	return &Client{
		tenant:     tenant,
		baseURL:    s.baseURL,
		userAgent:  s.userAgent,
		apiVersion: s.apiVersion,
		tokens:     tokens,
		wire:       newWire(s.transport, s.dial),
		deprecated: s.deprecated,
	}, nil
}

// Format writes the tenant and the base URL for every verb. It never prints the
// token source, which may hold a token.
func (c Client) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "amperity.Client(tenant "+c.tenant+" at "+c.baseURL+")")
}

const runsPath = "/workflow/runs"

// StartRun starts a run (Amperity API reference, POST /workflow/runs).
//
// The API has no idempotency key: the same request sent twice starts two runs.
// After an error, [NotProcessed] reports whether it is safe to send the request
// again.
//
// The error is a [*RequestError], [*TokenError], [*TransportError], [*APIError]
// or [*ResponseError]. A RequestError costs nothing: the client has not even
// asked for a token.
func (c *Client) StartRun(ctx context.Context, req RunRequest) (*Run, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	body, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	return c.run(ctx, request{method: http.MethodPost, path: runsPath, url: c.baseURL + runsPath, body: body})
}

// GetRun reads one run (Amperity API reference, GET /workflow/runs/{id}).
// [ViewVerbose] asks for all fields and the tasks. An empty view asks for the
// overview.
//
// An id that the tenant does not have is an [*APIError] that is [ErrNotFound].
func (c *Client) GetRun(ctx context.Context, id string, view View) (*Run, error) {
	var f faults
	f.checkRunID(id)
	f.checkView(view)
	if err := f.request(); err != nil {
		return nil, err
	}
	path := runsPath + "/" + url.PathEscape(id)
	target := c.baseURL + path
	if view != "" {
		target += "?" + url.Values{"view": {string(view)}}.Encode()
	}
	return c.run(ctx, request{method: http.MethodGet, path: path, url: target})
}

// StopRun stops a run (Amperity API reference, POST /workflow/runs/{id}/stop).
// It returns the run in its new state, which is most often [StateStopping]. Its
// errors are those of StartRun.
func (c *Client) StopRun(ctx context.Context, id string) (*Run, error) {
	var f faults
	f.checkRunID(id)
	if err := f.request(); err != nil {
		return nil, err
	}
	path := runsPath + "/" + url.PathEscape(id) + "/stop"
	return c.run(ctx, request{method: http.MethodPost, path: path, url: c.baseURL + path})
}

// CloseIdleConnections closes the connections that the client keeps for its
// next GET. It keeps none for POST.
func (c *Client) CloseIdleConnections() {
	if t, ok := c.wire.get.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

func (c *Client) run(ctx context.Context, r request) (*Run, error) {
	r, a, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	return r.run(a)
}

// send sends a request with a token. After a 401 it sends the request once
// more, if there is another token. It returns the request as sent, and a 2xx
// response.
func (c *Client) send(ctx context.Context, r request) (request, *answer, error) {
	token, err := c.token(ctx)
	if err != nil {
		return r, nil, &TokenError{Err: err}
	}
	r, a, err := c.attempt(ctx, r, token)
	if refused, ok := err.(*APIError); !ok || refused.Status != http.StatusUnauthorized {
		return r, a, err
	}
	c.tokens.Invalidate(token)
	fresh, tokenErr := c.token(ctx)
	if tokenErr != nil {
		return r, nil, &TokenError{Err: fmt.Errorf("the last one was refused, and there is no new one: %w; %w", tokenErr, err)}
	}
	if fresh.Equal(token) {
		return r, nil, err
	}
	r, a, err = c.attempt(ctx, r, fresh)
	if refused, ok := err.(*APIError); ok && refused.Status == http.StatusUnauthorized {
		c.tokens.Invalidate(fresh)
	}
	return r, a, err
}

// token returns the token of the source. It refuses a token that cannot be part
// of a header: net/http would blame the request for it.
func (c *Client) token(ctx context.Context) (Token, error) {
	token, err := c.tokens.Token(ctx)
	if wrapped, ok := err.(*TokenError); ok {
		return Token{}, wrapped.Err
	}
	switch {
	case err != nil:
		return Token{}, err
	case token.IsZero():
		return Token{}, unusableToken("the token is empty")
	case !isPrintableASCII(token.Reveal()):
		return Token{}, unusableToken("the token holds blanks, line ends or other characters that no token has; it is one word, as Amperity shows it")
	}
	return token, nil
}

// unusableToken is the error of a token that cannot be sent. It is
// ErrUnauthorized, as if the API had refused the token.
type unusableToken string

func (e unusableToken) Error() string { return string(e) }

func (e unusableToken) Is(target error) bool { return target == ErrUnauthorized }

// attempt sends a request once, with the token. It returns the request as sent,
// and a 2xx response.
func (c *Client) attempt(ctx context.Context, r request, token Token) (request, *answer, error) {
	r.scrub = scrubber{token}
	r.header = http.Header{
		"Authorization":   {"Bearer " + token.Reveal()},
		"Amperity-Tenant": {c.tenant},
		"Api-Version":     {c.apiVersion},
		"User-Agent":      {c.userAgent},
		"Accept":          {"application/json"},
	}
	if r.body != nil {
		r.header.Set("Content-Type", "application/json")
	}
	a, err := c.wire.send(ctx, r)
	if err != nil {
		return r, nil, err
	}
	c.reportDeprecation(r, a)
	if !a.ok() {
		apiErr := r.apiError(a)
		apiErr.Hint = c.hint(r, a.status)
		return r, nil, apiErr
	}
	return r, a, nil
}

func (c *Client) reportDeprecation(r request, a *answer) {
	deprecation, sunset := a.header.Get("Deprecation"), a.header.Get("Sunset")
	if c.deprecated == nil || deprecation == "" && sunset == "" {
		return
	}
	c.deprecated(Deprecation{
		Method: r.method, Path: r.path,
		Deprecation: r.scrub.clean(deprecation, maxID), Sunset: r.scrub.clean(sunset, maxID),
	})
}

// hint returns what an operator can do about a response, or "".
func (c *Client) hint(r request, status int) string {
	switch {
	case status >= 300 && status <= 399:
		return fmt.Sprintf("check the base URL, %s", c.baseURL)
	case status == http.StatusUnauthorized:
		return fmt.Sprintf("the token is expired or not valid for tenant %s: generate a new one in that tenant", c.tenant)
	case status == http.StatusForbidden:
		return fmt.Sprintf("the API key has no permission for this: add a policy to it in tenant %s", c.tenant)
	case status == http.StatusNotFound:
		return fmt.Sprintf("check the id, the tenant, %s, and the base URL, %s", c.tenant, c.baseURL)
	case status == http.StatusConflict && r.path != runsPath:
		return "the run may be over already: read it"
	case status == http.StatusConflict:
		return "it may be running already: try again later"
	case status == http.StatusTooManyRequests:
		return "try again later, more slowly"
	case r.method == http.MethodPost && !isRejection(status):
		return "it may have been processed all the same: look in Amperity before you send it again"
	}
	return ""
}
