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

// The credentials that a server accepts if its Config names no tenant, token or
// client. They are public and not secret: they open nothing but a simulated
// Amperity.
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

// Config configures a [Server]. The zero Config has a default for every field.
type Config struct {
	// Addr is the TCP address to listen on. The default is a free port of
	// 127.0.0.1. There is no TLS and the default token is public, so listen
	// on other interfaces only in a network of your own.
	Addr string
	// BasePath is the prefix of the endpoints' paths. The default is
	// "/api", as on Amperity's own hosts. It cannot be empty: a client that
	// drops the path of its base URL should fail.
	BasePath string
	// Tenant is the only tenant. The default is [DefaultTenant].
	Tenant string
	// Tokens are the static access tokens that the server accepts. Without
	// Tokens and Clients it accepts [DefaultToken], and [DefaultClientID]
	// with [DefaultClientSecret].
	Tokens []Token
	// Clients are the OAuth clients that may fetch tokens from
	// [Server.TokenURL].
	Clients []Client
	// TokenLifetime is how long the server accepts a fetched token. The
	// default is an hour. Clients learn it in whole seconds.
	TokenLifetime time.Duration
	// NoSocket makes the server listen nowhere. Requests reach it through
	// [Server.Transport] alone, and Addr has no effect.
	NoSocket bool
	// Now is the clock. It moves the runs through their states, expires
	// tokens and counts the rate limit. The default is [time.Now]. The
	// server calls it from several goroutines.
	Now func() time.Time
	// Sleep waits for the delays of faults. It returns early with an error
	// if ctx ends. The default waits in real time.
	Sleep func(ctx context.Context, d time.Duration) error
	// Seed determines ids and random faults, so that a test can repeat
	// them.
	Seed uint64
	// RateLimit is how many requests a second the server admits. 0 means
	// 10, as documented. A negative number means no limit. With a clock
	// that stands still the first 10 requests pass and no other.
	RateLimit int
	// PageSize is the most runs on one page of the list. The default is
	// 100.
	PageSize int
	// PrincipalID and PrincipalName name who starts the runs, unless the
	// token has its own.
	PrincipalID, PrincipalName string
	// StartStatus is the status of a successful POST /workflow/runs. The
	// default is 201, as in the OpenAPI document. The documentation pages
	// have 200.
	StartStatus int
	// BusyWhileRunning makes the server answer 409 to a POST for a config
	// id that has a run which has not ended.
	BusyWhileRunning bool
	// RetiredVersions are values of api-version that are no longer
	// supported.
	RetiredVersions []string
	// Deprecation and Sunset are headers of every response of the API. An
	// empty one is not sent.
	Deprecation, Sunset string
	// Control adds endpoints outside the base path, for tests in other
	// processes. They are not part of Amperity's API, and need no token:
	//
	//	GET /_simulator/runs        {"runs":[…]}, as Server.Runs
	//	GET /_simulator/requests    {"requests":[…]}, as Server.Requests
	//	POST /_simulator/faults     adds the Fault in the body
	//	DELETE /_simulator/faults   removes all faults
	Control bool
}

// Token is a static access token that the server accepts.
type Token struct {
	// Value is the bearer token. Required.
	Value amperity.Token
	// Expires is when the token expires. The zero time is never.
	Expires time.Time
	// PrincipalID and PrincipalName name who starts the runs of this token.
	// The default is the Config's. A second token with another principal
	// can play a user who starts a workflow in Amperity.
	PrincipalID, PrincipalName string
}

// Client is an OAuth client that may fetch tokens.
type Client struct {
	ID     string         // client_id; required
	Secret amperity.Token // client_secret; required
}

// ConfigError lists every problem of a [Config], a [Fault] or a [Script].
type ConfigError struct {
	What     string   // "Config", "Fault" or "Script"
	Problems []string // what is wrong, and what to write
}

// Error returns all problems on one line.
func (e *ConfigError) Error() string {
	return "amperitytest: " + e.What + ": " + strings.Join(e.Problems, "; ")
}

func (e *ConfigError) problemf(format string, args ...any) {
	e.Problems = append(e.Problems, fmt.Sprintf(format, args...))
}

// orNil returns e, or nil if there is no problem.
func (e *ConfigError) orNil() error {
	if len(e.Problems) == 0 {
		return nil
	}
	return e
}

// withDefaults sets the defaults and checks the rest.
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
