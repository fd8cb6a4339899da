package amperity

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// ClientCredentialsConfig is what NewClientCredentials needs: what Amperity shows under "Get OAuth credentials" of an
// API key, and the tenant.
type ClientCredentialsConfig struct {
	// TokenURL is the token endpoint, {host}/api/v0/oauth2/token; https, or http for this machine only, as WithBaseURL.
	TokenURL string
	// ClientID names the API key; it is no secret.
	ClientID string
	// ClientSecret is the secret.
	ClientSecret Token
	// Tenant is the tenant id.
	Tenant string
	// Transport replaces the source's own transport; optional, with the obligations of WithTransport.
	Transport http.RoundTripper
	// Now is the clock that tokens expire by; default [time.Now]. The source
	// reads its wall clock, not its monotonic one: a machine that was suspended
	// must notice that its token expired meanwhile.
	Now func() time.Time
}

// ClientCredentials is a token source by OAuth client credentials (Amperity API reference, "OAuth"). It caches the
// token until shortly before it expires, and fetches one token at a time, however many ask.
type ClientCredentials struct {
	tenant, clientID string
	secret           Token
	url, path        string
	wire             wire
	now              func() time.Time

	// fetching is held by who fetches; its capacity is 1. A channel, because waiting for it must end with a context.
	fetching chan struct{}

	mu      sync.Mutex
	token   Token
	renewAt time.Time
	// fetches counts the fetches that are done, and failure is why the last of them failed; nil if it did not.
	fetches int
	failure error
}

// The settings as their users write them, for Problem.Field.
const (
	fieldTokenURL     = "TokenURL"
	fieldClientID     = "ClientID"
	fieldClientSecret = "ClientSecret"
	fieldOAuthTenant  = "Tenant"
)

// exampleTokenURL is the token endpoint beside [DefaultBaseURL] (Amperity API reference, OAuth client credentials).
const exampleTokenURL = DefaultBaseURL + "/v0/oauth2/token"

// NewClientCredentials makes the source. Its error is a *ConfigError with every fault. Nothing is sent.
func NewClientCredentials(cfg ClientCredentialsConfig) (*ClientCredentials, error) {
	var f faults
	u := f.checkURL(fieldTokenURL, cfg.TokenURL, exampleTokenURL)
	if cfg.ClientID == "" {
		f.faultf(fieldClientID, "is missing: write the client id, as Get OAuth credentials gives it in Amperity")
	}
	if cfg.ClientSecret.IsZero() {
		f.faultf(fieldClientSecret, "is missing: write the client secret, as Get OAuth credentials gives it in Amperity")
	}
	f.checkTenant(fieldOAuthTenant, cfg.Tenant)
	if err := f.config(); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &ClientCredentials{
		tenant:   cfg.Tenant,
		clientID: cfg.ClientID,
		secret:   cfg.ClientSecret,
		url:      u.String(),
		path:     u.EscapedPath(),
		wire:     newWire(cfg.Transport),
		now:      cfg.Now,
		fetching: make(chan struct{}, 1),
	}
	if c.path == "" {
		c.path = "/"
	}
	return c, nil
}

// Format writes the token endpoint and the tenant, whatever the verb.
func (c *ClientCredentials) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "amperity.ClientCredentials(tenant "+c.tenant+" at "+c.url+")")
}

// Token gives the cached token, or fetches one. Who asks while another fetches gets what that one gets, a failure too,
// unless it failed because the other's context was done. The error is a *TokenError around a *TransportError, an
// *APIError (ErrUnauthorized for credentials that are refused: any 4xx but 408, 429 and 499; ErrRateLimited), an
// *ResponseError, or the context's error.
func (c *ClientCredentials) Token(ctx context.Context) (Token, error) {
	token, before, _ := c.cached()
	if !token.IsZero() {
		return token, nil
	}
	select {
	case c.fetching <- struct{}{}:
		defer func() { <-c.fetching }()
	case <-ctx.Done():
		return Token{}, &TokenError{Err: ctx.Err()}
	}
	token, fetches, failure := c.cached()
	if !token.IsZero() {
		return token, nil
	}
	if fetches != before && failure != nil {
		return Token{}, failure
	}
	token, life, err := c.fetch(ctx)
	if err != nil {
		err = &TokenError{Err: err}
	}
	c.keep(token, life, err, ctx.Err() != nil)
	return token, err
}

// cached gives the token, zero if there is none or it is about to expire; how many fetches there were, and why the
// last of them failed.
func (c *ClientCredentials) cached() (Token, int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.wallClock().Before(c.renewAt) {
		return Token{}, c.fetches, c.failure
	}
	return c.token, c.fetches, c.failure
}

// keep notes how a fetch ended. One that its own caller broke off tells the others nothing: they try for themselves.
func (c *ClientCredentials) keep(token Token, life time.Duration, err error, brokenOff bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && brokenOff {
		return
	}
	c.fetches++
	c.failure = err
	if err == nil {
		c.token = token
		c.renewAt = c.wallClock().Add(life - min(time.Minute, life/10))
	}
}

// wallClock is now without the monotonic reading, which stands still while a machine is suspended.
func (c *ClientCredentials) wallClock() time.Time { return c.now().Round(0) }

// Invalidate drops the token if it is the cached one.
func (c *ClientCredentials) Invalidate(refused Token) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token.Equal(refused) {
		c.token, c.renewAt = Token{}, time.Time{}
	}
}

// fetch asks the endpoint for a token and says how long it lives (Amperity API reference, "OAuth":
// {"access_token":"…","expires_in":3600,"token_type":"Bearer"}).
func (c *ClientCredentials) fetch(ctx context.Context) (Token, time.Duration, error) {
	form := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {c.clientID},
		"client_secret": {c.secret.Reveal()},
	}
	r := request{
		method: http.MethodPost, path: c.path, url: c.url, body: []byte(form.Encode()), private: true,
		scrub: scrubber{c.secret, NewToken(url.QueryEscape(c.secret.Reveal()))},
		header: http.Header{
			"Content-Type":      {"application/x-www-form-urlencoded"},
			"X-Amperity-Tenant": {c.tenant},
			"User-Agent":        {"amperity-runs/" + Version},
			"Accept":            {"application/json"},
		},
	}
	a, err := c.wire.send(ctx, r)
	if err != nil {
		return Token{}, 0, err
	}
	if !a.ok() {
		apiErr := r.apiError(a)
		apiErr.credentials = isRejection(a.status) || a.status == http.StatusUnauthorized || a.status == http.StatusConflict
		apiErr.Hint = c.hint(apiErr)
		return Token{}, 0, apiErr
	}
	if err := r.checkBody(a); err != nil {
		return Token{}, 0, err
	}
	var o object
	if err := json.Unmarshal(a.body, &o); err != nil {
		return Token{}, 0, r.problemf(a, "the answer is not JSON%s", r.excerpt(a))
	}
	if kind := o.text("token_type"); kind != "" && !strings.EqualFold(kind, "bearer") {
		return Token{}, 0, r.problemf(a, "its token_type is not Bearer")
	}
	token := o.text("access_token")
	if !isPrintableASCII(token) {
		return Token{}, 0, r.problemf(a, "it holds no access_token that can be sent in a header")
	}
	return NewToken(token), lifetime(o["expires_in"]), nil
}

// hint says what a person can do about an answer of the endpoint.
func (c *ClientCredentials) hint(e *APIError) string {
	switch {
	case e.Status >= 300 && e.Status <= 399 || e.Status == http.StatusNotFound:
		return fmt.Sprintf("check the token URL, %s", c.url)
	case e.Is(ErrUnauthorized):
		return fmt.Sprintf("check the client id and the client secret; they must be of an API key of tenant %s", c.tenant)
	}
	return ""
}

// lifetime reads expires_in, in seconds. Where it is missing or no positive number the token is renewed after 5
// minutes, and at the latest after a day, whatever it says.
func lifetime(expiresIn json.RawMessage) time.Duration {
	var seconds float64
	if json.Unmarshal(expiresIn, &seconds) != nil || !(seconds > 0) {
		return 5 * time.Minute
	}
	return time.Duration(math.Min(seconds, (24*time.Hour).Seconds()) * float64(time.Second))
}
