package amperity

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"time"
)

// Version of this package, in the User-Agent.
const Version = "0.1.0"

// DefaultBaseURL is the base URL of tenants hosted in Amazon AWS (Amperity API reference, "Base URL").
const DefaultBaseURL = "https://app.amperity.com/api"

// DefaultAPIVersion is the API version this package is written for.
const DefaultAPIVersion = "2024-04-01"

// Client calls the workflow API of one tenant.
type Client struct{}

// Option is an optional setting of New.
type Option func(*settings) error

type settings struct{}

// New makes a client.
func New(tenant string, tokens TokenSource, opts ...Option) (*Client, error) { return &Client{}, nil }

// WithBaseURL sets the base URL.
func WithBaseURL(base string) Option { return nil }

// WithTransport replaces both transports.
func WithTransport(rt http.RoundTripper) Option { return nil }

// WithUserAgent sets the User-Agent header.
func WithUserAgent(ua string) Option { return nil }

// WithAPIVersion sets the api-version header.
func WithAPIVersion(version string) Option { return nil }

// WithDeprecationHook sets what is told of Deprecation and Sunset headers.
func WithDeprecationHook(hook func(Deprecation)) Option { return nil }

// WithClock sets the clock that Retry-After dates are measured by.
func WithClock(now func() time.Time) Option { return nil }

// Deprecation is an announcement in an answer's headers that an endpoint will end.
type Deprecation struct {
	Method, Path        string
	Deprecation, Sunset string
}

// StartRun starts a run.
func (c *Client) StartRun(ctx context.Context, req RunRequest) (*Run, error) {
	return nil, errors.ErrUnsupported
}

// GetRun reads one run.
func (c *Client) GetRun(ctx context.Context, id string, view View) (*Run, error) {
	return nil, errors.ErrUnsupported
}

// StopRun stops a run.
func (c *Client) StopRun(ctx context.Context, id string) (*Run, error) {
	return nil, errors.ErrUnsupported
}

// ListOptions filters a list.
type ListOptions struct {
	CreatedFrom, CreatedTo, EndedFrom, EndedTo time.Time
	State                                      State
	Type                                       RunType
	Limit                                      int
	WithTotal                                  bool
}

// Page is one page of a list.
type Page struct {
	Runs  []*Run
	Total *int
}

// ListRuns lists runs, page by page.
func (c *Client) ListRuns(ctx context.Context, o ListOptions) iter.Seq2[*Page, error] {
	return func(yield func(*Page, error) bool) { yield(nil, errors.ErrUnsupported) }
}
