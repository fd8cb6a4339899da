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

// ClientCredentialsConfig is the input of NewClientCredentials. Amperity shows
// it under "Get OAuth credentials" of an API key.
type ClientCredentialsConfig struct {
	// TokenURL is the token endpoint, {host}/api/v0/oauth2/token. It is
	// https, or http for this machine only, as in WithBaseURL.
	TokenURL string
	// ClientID names the API key. It is not a secret.
	ClientID string
	// ClientSecret is the secret of the API key.
	ClientSecret Token
	// Tenant is the tenant id.
	Tenant string
	// Transport replaces the source's own transport. It is optional, and
	// has the obligations of WithTransport.
	Transport http.RoundTripper
	// Now is the clock that tokens expire by; default [time.Now]. The
	// source reads its wall clock, not its monotonic one: a machine that
	// was suspended must notice that its token expired meanwhile.
	Now func() time.Time
}

// ClientCredentials is a token source by OAuth client credentials (Amperity API
// reference, "OAuth"). It caches the token until shortly before the token
// expires. It fetches one token at a time, however many callers wait.
type ClientCredentials struct {
	tenant, clientID string
	secret           Token
	url, path        string
	wire             wire
	now              func() time.Time

	// fetching is a lock of capacity 1 that the fetching caller holds. It
	// is a channel, because the wait for it must end with a context.
	fetching chan struct{}

	mu      sync.Mutex
	token   Token
	renewAt time.Time
	// fetches counts the finished fetches. failure is the error of the last
	// one, or nil.
	fetches int
	failure error
}

// The settings in the user's spelling, for Problem.Field.
const (
	fieldTokenURL     = "TokenURL"
	fieldClientID     = "ClientID"
	fieldClientSecret = "ClientSecret"
	fieldOAuthTenant  = "Tenant"
)

// exampleTokenURL is the token endpoint beside [DefaultBaseURL] (Amperity API
// reference, OAuth client credentials).
const exampleTokenURL = DefaultBaseURL + "/v0/oauth2/token"

// NewClientCredentials returns a token source. Its error is a [*ConfigError]
// with every fault. It sends nothing.
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
		wire:     newWire(cfg.Transport, nil),
		now:      cfg.Now,
		fetching: make(chan struct{}, 1),
	}
	if c.path == "" {
		c.path = "/"
	}
	return c, nil
}

// Format writes the token endpoint and the tenant for every verb.
func (c *ClientCredentials) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "amperity.ClientCredentials(tenant "+c.tenant+" at "+c.url+")")
}

// Token returns the cached token, or fetches one. Concurrent callers share one
// fetch and its result, failures included. A caller whose context ends stops
// waiting, and a fetch that fails because its own caller's context ended does
// not count: another caller fetches.
//
// The error is a [*TokenError]. It holds one of these:
//
//   - a [*TransportError];
//   - an [*APIError], which is [ErrUnauthorized] for refused credentials (any
//     4xx but 408, 429 and 499) and [ErrRateLimited] for a 429;
//   - a [*ResponseError];
//   - the error of the context.
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

// cached returns the token, or zero if there is none or it is about to expire.
// It also returns the number of finished fetches, and the error of the last
// one.
func (c *ClientCredentials) cached() (Token, int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.wallClock().Before(c.renewAt) {
		return Token{}, c.fetches, c.failure
	}
	return c.token, c.fetches, c.failure
}

// keep records how a fetch ended. It ignores a failure if the context of the
// fetching caller ended: the other callers try for themselves.
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

// wallClock returns the time without the monotonic reading, which stands still
// while a machine is suspended.
func (c *ClientCredentials) wallClock() time.Time { return c.now().Round(0) }

// Invalidate drops the token if it is the cached one.
func (c *ClientCredentials) Invalidate(refused Token) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token.Equal(refused) {
		c.token, c.renewAt = Token{}, time.Time{}
	}
}

// fetch requests a token, and returns it with its lifetime (Amperity API
// reference, "OAuth":
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

// hint returns what an operator can do about a response of the endpoint, or "".
func (c *ClientCredentials) hint(e *APIError) string {
	switch {
	case e.Status >= 300 && e.Status <= 399 || e.Status == http.StatusNotFound:
		return fmt.Sprintf("check the token URL, %s", c.url)
	case e.Is(ErrUnauthorized):
		return fmt.Sprintf("check the client id and the client secret; they must be of an API key of tenant %s", c.tenant)
	}
	return ""
}

// lifetime returns expires_in, which is in seconds. It is 5 minutes if the
// field is missing or no positive number, and a day at most.
func lifetime(expiresIn json.RawMessage) time.Duration {
	var seconds float64
	if json.Unmarshal(expiresIn, &seconds) != nil || !(seconds > 0) {
		return 5 * time.Minute
	}
	return time.Duration(math.Min(seconds, (24*time.Hour).Seconds()) * float64(time.Second))
}
