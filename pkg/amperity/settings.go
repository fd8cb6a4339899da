package amperity

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode"
)

// Version is the version of this package. The User-Agent header has it.
const Version = "0.1.0"

// DefaultBaseURL is the base URL of tenants hosted in Amazon AWS (Amperity API
// reference, "Base URL"). Tenants hosted in Microsoft Azure use
// https://{tenant-id}.amperity.com/api, those in Australia
// https://app-aws-apse2.amperity.com/api.
const DefaultBaseURL = "https://app.amperity.com/api"

// DefaultAPIVersion is the API version that this package is written for
// (Amperity API reference, "Supported versions").
const DefaultAPIVersion = "2024-04-01"

// Option is an optional setting of New. Each option checks its own value. New
// names the faults of all.
type Option func(*settings) error

type settings struct {
	baseURL    string
	userAgent  string
	apiVersion string
	transport  http.RoundTripper
	dial       dialTLS
	deprecated func(Deprecation)
}

// The settings in the user's spelling, for Problem.Field.
const (
	fieldTenant      = "tenant"
	fieldTokens      = "token source"
	fieldBaseURL     = "WithBaseURL"
	fieldTransport   = "WithTransport"
	fieldDialTLS     = "WithDialTLS"
	fieldUserAgent   = "WithUserAgent"
	fieldAPIVersion  = "WithAPIVersion"
	fieldDeprecation = "WithDeprecationHook"
)

// WithBaseURL sets the address of the API. The default is [DefaultBaseURL]. The
// URL has no user, query or fragment. A final slash does not matter.
//
// The scheme is https, or http for this machine only: localhost, 127.0.0.0/8,
// ::1, and host.docker.internal, which is this machine as seen from a
// container.
func WithBaseURL(base string) Option {
	return func(s *settings) error {
		var f faults
		if u := f.checkURL(fieldBaseURL, base, DefaultBaseURL); u != nil {
			s.baseURL = u.Scheme + "://" + u.Host + strings.TrimRight(u.EscapedPath(), "/")
		}
		return f.config()
	}
}

// WithTransport replaces the client's transports, for tests and simulation. The
// client's own transports open a new HTTP/1.1 connection for every POST and use
// no HTTP/2. A replacement has these obligations:
//
//   - It sends a request at most once, follows no redirect, and stops when the
//     context of the request ends. (*http.Transport sends a POST of this client
//     only once, because the POST has no Idempotency-Key and no GetBody.)
//   - It passes the context of the request on, so that the client's httptrace
//     hooks run. If GetConn has not run, a failure counts as possibly
//     processed, even if no connection could be made. To simulate a failed
//     connection, call httptrace.ContextClientTrace(req.Context()).GetConn and
//     return an error without calling GotConn. A transport that calls GetConn
//     must call GotConn before it sends anything.
//   - It reveals the Authorization header to no other party.
func WithTransport(transport http.RoundTripper) Option {
	return func(s *settings) error {
		var f faults
		if transport == nil {
			f.faultf(fieldTransport, "is nil: leave the option out to use the client's own transports")
		}
		s.transport = transport
		return f.config()
	}
}

// dialTLS opens a connection to an address (host:port). It makes the TLS
// handshake, and verifies the host's certificate.
type dialTLS = func(ctx context.Context, network, addr string) (net.Conn, error)

// WithDialTLS sets how the client opens the connection of each POST over https:
// dial connects to an address (host:port), makes the TLS handshake, and verifies
// the host's certificate. Its context bounds the time. Several goroutines may
// call it at the same time.
//
// By default it dials when the request is ready. A replacement may return a
// connection that it opened earlier, which saves two round trips. It has these
// obligations:
//
//   - It returns a connection only once, and has sent nothing over it but the
//     handshake.
//   - It returns no connection that the server may have closed. A request on
//     such a connection has an unknown outcome, because the client learns that
//     the connection is closed only after it has written the request.
//   - The connection speaks HTTP/1.1: dial does not offer h2.
//
// Through an http proxy from the environment the client opens the connection
// itself. A proxy over https is dialed with dial, like a server. WithDialTLS
// cannot be combined with [WithTransport].
func WithDialTLS(dial func(ctx context.Context, network, addr string) (net.Conn, error)) Option {
	return func(s *settings) error {
		var f faults
		if dial == nil {
			f.faultf(fieldDialTLS, "is nil: leave the option out to let the client dial")
		}
		s.dial = dial
		return f.config()
	}
}

// WithUserAgent sets the User-Agent header. The default is "amperity-runs/" and
// [Version].
func WithUserAgent(userAgent string) Option {
	return func(s *settings) error {
		var f faults
		if userAgent == "" || !isPrintableASCII(strings.ReplaceAll(userAgent, " ", "_")) {
			f.faultf(fieldUserAgent, "is %s: write printable ASCII, such as acme-etl/1.0", quote(userAgent))
		}
		s.userAgent = userAgent
		return f.config()
	}
}

// WithAPIVersion sets the api-version header. The default is
// [DefaultAPIVersion].
func WithAPIVersion(version string) Option {
	return func(s *settings) error {
		var f faults
		if !isPrintableASCII(version) {
			f.faultf(fieldAPIVersion, "is %s: write a version such as %s", quote(version), DefaultAPIVersion)
		}
		s.apiVersion = version
		return f.config()
	}
}

// WithDeprecationHook sets a function that the client calls for every response
// with a Deprecation or Sunset header. Amperity sends these headers at least 6
// months before an endpoint ends, and recommends an alert on them (Amperity API
// reference, "Deprecated versions").
//
// The function runs on the goroutine of the request. Concurrent requests call
// it concurrently. It should return soon.
func WithDeprecationHook(hook func(Deprecation)) Option {
	return func(s *settings) error {
		var f faults
		if hook == nil {
			f.faultf(fieldDeprecation, "is nil: leave the option out to hear of no deprecation")
		}
		s.deprecated = hook
		return f.config()
	}
}

// Deprecation announces, in the headers of a response, that an endpoint will
// end (RFC 8594, and the Deprecation header).
type Deprecation struct {
	// Method and Path are those of the request. The path is relative to the
	// base URL, and has no query.
	Method, Path string
	// Deprecation and Sunset are the texts of the headers. They are dates
	// by the documentation, such as "Tue, 1 Sep 2024 23:59:59 GMT". A
	// missing header is empty.
	Deprecation, Sunset string
}

// config returns the faults as the error of settings, or nil.
func (f faults) config() error {
	if len(f) == 0 {
		return nil
	}
	return &ConfigError{Problems: f}
}

// add appends the faults of an option.
func (f *faults) add(err error) {
	var config *ConfigError
	if errors.As(err, &config) {
		*f = append(*f, config.Problems...)
	}
}

func (f *faults) checkTenant(field, tenant string) {
	switch {
	case tenant == "":
		f.faultf(field, "is missing: write the tenant id, as Copy tenant ID gives it in Amperity")
	case strings.Contains(tenant, ".amperity.com"):
		f.faultf(field, "is %s, a host: write the tenant id alone, acme of acme.amperity.com", quote(tenant))
	case !isCleanID(tenant) || !isPrintableASCII(tenant):
		f.faultf(field, "is %s: write the tenant id as Copy tenant ID gives it in Amperity, without blanks, slashes and quotes", quote(tenant))
	}
}

// checkURL returns the parsed URL, or nil after a fault. The faults show the
// example and not the URL, which may hold a password.
func (f *faults) checkURL(field, raw, example string) *url.URL {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme == "" || u.Hostname() == "" || strings.ContainsFunc(raw, unicode.IsSpace):
		f.faultf(field, "is not a URL: write one such as %s", example)
	case u.User != nil:
		f.faultf(field, "holds a user or a password: leave them out")
	case strings.ContainsAny(raw, "?#"):
		f.faultf(field, "has a query or a fragment: end it with the path")
	case u.Scheme != "https" && (u.Scheme != "http" || !isThisMachine(u.Hostname())):
		f.faultf(field, "would send secrets in the clear: write https (http is for localhost, 127.0.0.1, ::1 and host.docker.internal)")
	default:
		return u
	}
	return nil
}

// isThisMachine reports whether a host is certainly this machine.
func isThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || host == "host.docker.internal" || ip != nil && ip.IsLoopback()
}

// isPrintableASCII reports whether s can be a header's value of one word: not
// empty, and without blanks.
func isPrintableASCII(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}
