package amperitytest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// What a server accepts when its Config names no tenant, token or client.
// All of these are public, and so no secrets: they open nothing but a
// simulated Amperity.
const (
	DefaultTenant       = "demo"
	DefaultToken        = "simulator-token"
	DefaultClientID     = "simulator-client"
	DefaultClientSecret = "simulator-secret"
)

const (
	defaultAddr          = "127.0.0.1:0"
	defaultBasePath      = "/api"
	defaultRateLimit     = 10 // requests a second; Amperity API reference, "Rate limits"
	defaultPageSize      = 100
	defaultTokenLifetime = time.Hour // the expires_in that the documentation shows
	defaultPrincipalID   = "api-key|simulator"
	defaultPrincipalName = "Automated workflow"
)

// Config says what a [Server] is like. Only Now is required.
type Config struct {
	// Addr is the TCP address to listen on; default 127.0.0.1 with a free
	// port. There is no TLS and the default token is public, so listen on
	// other interfaces only where nobody else is.
	Addr string
	// BasePath is what the endpoints' paths begin with; default "/api", as on
	// Amperity's own hosts. It cannot be empty: a client that drops the path
	// of its base URL should fail here.
	BasePath string
	// Tenant is the only tenant there is; default [DefaultTenant].
	Tenant string
	// Tokens are the static access tokens that are accepted. If there are
	// neither Tokens nor Clients, [DefaultToken] is accepted, and
	// [DefaultClientID] with [DefaultClientSecret].
	Tokens []Token
	// Clients are the OAuth clients that may fetch tokens from
	// [Server.TokenURL].
	Clients []Client
	// TokenLifetime is how long a token fetched there is accepted; default an
	// hour, and whole seconds.
	TokenLifetime time.Duration
	// NoSocket: the server listens nowhere, and requests reach it through
	// [Server.Transport] alone. Addr is of no use then.
	NoSocket bool
	// Now is the clock: it moves the runs through their states, lets tokens
	// expire and counts the rate limit. Required. It is called from several
	// goroutines.
	Now func() time.Time
	// Sleep waits for the delays of faults. It returns early with an error
	// when ctx ends. Default: real time.
	Sleep func(ctx context.Context, d time.Duration) error
	// Seed makes ids and random faults the same in each run of a test.
	Seed uint64
	// RateLimit is how many requests a second are let through; 0 means 10, as
	// documented, and below 0 there is no limit. With a clock that stands
	// still the first 10 requests pass and no other.
	RateLimit int
	// PageSize is the most runs on one page of the list; default 100.
	PageSize int
	// PrincipalID and PrincipalName are those of the runs' starter, unless the
	// token has its own.
	PrincipalID, PrincipalName string
	// StartStatus is the status of a successful POST /workflow/runs: 201 by
	// the OpenAPI document (the default), or 200 by the documentation pages.
	StartStatus int
	// BusyWhileRunning answers 409 to a POST for a config id that has a run
	// which is not over.
	BusyWhileRunning bool
	// RetiredVersions are values of api-version that are no longer supported.
	RetiredVersions []string
	// Deprecation and Sunset are sent as headers of these names with every
	// answer of the API; empty: not sent.
	Deprecation, Sunset string
	// Control adds endpoints outside the base path, which are no part of
	// Amperity's API, for tests in other processes. They need no token:
	//
	//	GET /_simulator/runs        {"runs":[…]}, as Server.Runs
	//	GET /_simulator/requests    {"requests":[…]}, as Server.Requests
	//	POST /_simulator/faults     adds the Fault in the body
	//	DELETE /_simulator/faults   takes all faults back
	Control bool
}

// Token is a static access token that the server accepts.
type Token struct {
	// Value is what the client sends as bearer token. Required.
	Value amperity.Token
	// Expires is when it stops being accepted; zero: never.
	Expires time.Time
	// PrincipalID and PrincipalName are those of the runs it starts; default:
	// the Config's. Give a second token another principal to play the person
	// who starts a workflow by hand.
	PrincipalID, PrincipalName string
}

// Client is an OAuth client that may fetch tokens.
type Client struct {
	ID     string         // client_id; required
	Secret amperity.Token // client_secret; required
}

// ConfigError lists everything wrong in a [Config], a [Fault] or a [Script].
type ConfigError struct {
	What     string   // "Config", "Fault" or "Script"
	Problems []string // each says what is wrong, and what to write
}

// Error names all problems in one line.
func (e *ConfigError) Error() string {
	return "amperitytest: " + e.What + ": " + strings.Join(e.Problems, "; ")
}

func (e *ConfigError) problemf(format string, args ...any) {
	e.Problems = append(e.Problems, fmt.Sprintf(format, args...))
}

// orNil is e if anything is wrong.
func (e *ConfigError) orNil() error {
	if len(e.Problems) == 0 {
		return nil
	}
	return e
}

// withDefaults fills in what was left out, and checks the rest.
func (c Config) withDefaults() (Config, error) {
	e := &ConfigError{What: "Config"}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Addr == "" {
		c.Addr = defaultAddr
	}
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		e.problemf("Addr %q is not host:port, for example 127.0.0.1:8089", c.Addr)
	}
	if c.BasePath == "" {
		c.BasePath = defaultBasePath
	}
	if !strings.HasPrefix(c.BasePath, "/") || c.BasePath == "/" || path.Clean(c.BasePath) != c.BasePath {
		e.problemf("BasePath %q does not begin with one slash or ends in one: write it like /api", c.BasePath)
	}
	if c.Tenant == "" {
		c.Tenant = DefaultTenant
	}
	if len(c.Tokens) == 0 && len(c.Clients) == 0 {
		c.Tokens = []Token{{Value: amperity.NewToken(DefaultToken)}}
		c.Clients = []Client{{ID: DefaultClientID, Secret: amperity.NewToken(DefaultClientSecret)}}
	}
	for i, t := range c.Tokens {
		if t.Value.IsZero() {
			e.problemf("Tokens[%d] has no Value", i)
		}
	}
	for i, cl := range c.Clients {
		if cl.ID == "" || cl.Secret.IsZero() {
			e.problemf("Clients[%d] needs both ID and Secret", i)
		}
	}
	switch {
	case c.TokenLifetime == 0:
		c.TokenLifetime = defaultTokenLifetime
	case c.TokenLifetime < time.Second:
		e.problemf("TokenLifetime %v is below a second, which expires_in cannot say", c.TokenLifetime)
	}
	if c.Sleep == nil {
		c.Sleep = sleepRealTime
	}
	if c.RateLimit == 0 {
		c.RateLimit = defaultRateLimit
	}
	switch {
	case c.PageSize == 0:
		c.PageSize = defaultPageSize
	case c.PageSize < 0:
		e.problemf("PageSize %d is negative", c.PageSize)
	}
	if c.PrincipalID == "" {
		c.PrincipalID = defaultPrincipalID
	}
	if c.PrincipalName == "" {
		c.PrincipalName = defaultPrincipalName
	}
	switch c.StartStatus {
	case 0:
		c.StartStatus = http.StatusCreated
	case http.StatusOK, http.StatusCreated:
	default:
		e.problemf("StartStatus %d is neither 201 (OpenAPI document) nor 200 (documentation pages)", c.StartStatus)
	}
	return c, e.orNil()
}

func sleepRealTime(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
