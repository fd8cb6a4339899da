package amperity

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Client calls the workflow API for one tenant. It is safe for use by several goroutines. It sends each request once;
// the one exception is a 401, which the API gives before it processes anything: then it asks the token source for
// another token, and if there is one, sends once more.
type Client struct {
	tenant, baseURL       string
	userAgent, apiVersion string
	tokens                TokenSource
	wire                  wire
	deprecated            func(Deprecation)
}

// New makes a client for a tenant. Its error is a *ConfigError with everything that is wrong with the arguments.
// Nothing is sent, and no token asked for.
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
	if err := f.config(); err != nil {
		return nil, err
	}
	return &Client{
		tenant:     tenant,
		baseURL:    s.baseURL,
		userAgent:  s.userAgent,
		apiVersion: s.apiVersion,
		tokens:     tokens,
		wire:       newWire(s.transport),
		deprecated: s.deprecated,
	}, nil
}

// Format writes the tenant and the base URL, whatever the verb: a token source may hold a token.
func (c Client) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "amperity.Client(tenant "+c.tenant+" at "+c.baseURL+")")
}

const runsPath = "/workflow/runs"

// StartRun starts a run (Amperity API reference, POST /workflow/runs).
//
// The API has no idempotency key: the same call twice starts two runs. After an error, MayHaveBeenProcessed says
// whether that may have happened already. The errors are *RequestError (nothing was asked of anyone, not even a
// token), *TokenError, *TransportError, *APIError and *ResponseError.
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

// GetRun reads one run (Amperity API reference, GET /workflow/runs/{id}); ViewVerbose for all fields and the tasks, an
// empty view is the overview. An id that this tenant does not have is an *APIError that is ErrNotFound.
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

// StopRun stops a run (Amperity API reference, POST /workflow/runs/{id}/stop) and gives it as it then stands, most
// often in StateStopping. Errors are those of StartRun.
func (c *Client) StopRun(ctx context.Context, id string) (*Run, error) {
	var f faults
	f.checkRunID(id)
	if err := f.request(); err != nil {
		return nil, err
	}
	path := runsPath + "/" + url.PathEscape(id) + "/stop"
	return c.run(ctx, request{method: http.MethodPost, path: path, url: c.baseURL + path})
}

// CloseIdleConnections closes the connections that are kept for the next GET. POST keeps none.
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

// send sends a request with a token, and after a 401 once more if there is another token. It gives the request as
// sent, and an answer that is 2xx.
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

// token asks the source, and refuses what cannot stand in a header: net/http would call that the request's fault.
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

// unusableToken is a token that cannot be sent; to errors.Is it is ErrUnauthorized, as if the API had refused it.
type unusableToken string

func (e unusableToken) Error() string { return string(e) }

func (e unusableToken) Is(target error) bool { return target == ErrUnauthorized }

// attempt sends a request once with the token. It gives the request as sent, and an answer that is 2xx.
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
	c.tellDeprecation(r, a)
	if !a.ok() {
		apiErr := r.apiError(a)
		apiErr.Hint = c.hint(r, a.status)
		return r, nil, apiErr
	}
	return r, a, nil
}

func (c *Client) tellDeprecation(r request, a *answer) {
	deprecation, sunset := a.header.Get("Deprecation"), a.header.Get("Sunset")
	if c.deprecated == nil || deprecation == "" && sunset == "" {
		return
	}
	c.deprecated(Deprecation{
		Method: r.method, Path: r.path,
		Deprecation: r.scrub.clean(deprecation, maxID), Sunset: r.scrub.clean(sunset, maxID),
	})
}

// hint says what a person can do about an answer.
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
