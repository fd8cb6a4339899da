package amperity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"
)

// DefaultTimeout bounds a request whose context has no deadline. Some requests
// take seconds (Amperity API reference).
const DefaultTimeout = time.Minute

// The bounds on what the client reads of a response, in bytes. A verbose run
// with thousands of tasks is far below the first.
const (
	maxBody      = 8 << 20
	maxErrorBody = 64 << 10
	maxHeaders   = 256 << 10
)

// newTransport returns a transport that speaks HTTP/1.1 only.
//
// If reuse is false, as for POST, every request opens a new connection. A
// reused connection may be closed already, as after AWS Lambda froze and thawed
// a sandbox. net/http then reports the closed connection only after it wrote
// the request, and whether the server processed the request is unknown. HTTP/2
// sends a request again automatically after REFUSED_STREAM and GOAWAY.
func newTransport(reuse bool) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		DisableKeepAlives:      !reuse,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: maxHeaders,
		Protocols:              protocols,
	}
}

// wire sends requests. It uses its transports without an http.Client, which
// would follow redirects and add the URL to errors.
type wire struct {
	post, get http.RoundTripper
	// own reports whether the transports are newTransport's. Those run the
	// httptrace hooks for every connection.
	own bool
}

// newWire returns a wire over a given transport, or over its own for nil. Its
// own transport for POST dials with dial, unless that is nil.
func newWire(transport http.RoundTripper, dial dialTLS) wire {
	if transport != nil {
		return wire{post: transport, get: transport}
	}
	post := newTransport(false)
	post.DialTLSContext = dial
	return wire{post: post, get: newTransport(true), own: true}
}

// request is one HTTP request.
type request struct {
	method string
	// path is for messages. url is the address.
	path, url string
	header    http.Header
	body      []byte
	// scrub knows the secrets in the request. private reports whether the
	// response holds a secret too.
	scrub   scrubber
	private bool
}

// answer is a response, with its body read up to the bounds.
type answer struct {
	status int
	header http.Header
	body   []byte
	// long reports whether the body is longer than its bound. broken is the
	// error that ended the reading early.
	long   bool
	broken error
}

// send sends a request once and reads the response, whatever its status. The
// error is a *TransportError.
func (w wire) send(ctx context.Context, r request) (*answer, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, DefaultTimeout)
		defer cancel()
	}
	failed := func(maySend bool, err error) error {
		return &TransportError{Method: r.method, Path: r.path, MayHaveBeenSent: maySend, Err: r.cause(ctx, err, maySend)}
	}
	// A transport that finds the context ended runs no httptrace hook, so
	// check here.
	if err := ctx.Err(); err != nil {
		return nil, failed(false, err)
	}

	var seen trace
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, seen.hooks()), r.method, r.url, body)
	if err != nil {
		return nil, failed(false, err)
	}
	req.Header = r.header.Clone()
	transport := w.get
	if r.method == http.MethodPost {
		transport = w.post
		req.GetBody = nil // a transport could send the body again with it
		req.Close = true  // for transports other than ours
	}

	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, failed(seen.mayHaveBeenSent(w.own), err)
	}
	a := &answer{status: resp.StatusCode, header: resp.Header}
	if resp.Body != nil {
		defer func() { _ = resp.Body.Close() }() // closing a body that is only read loses nothing
		limit := maxErrorBody
		if a.ok() {
			limit = maxBody
		}
		a.body, err = io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
		if len(a.body) > limit {
			a.body, a.long = a.body[:limit], true
		}
		if err != nil {
			a.broken = r.cause(ctx, err, true)
		}
	}
	return a, nil
}

// ok reports whether the status is 2xx.
func (a *answer) ok() bool { return a.status >= 200 && a.status <= 299 }

// cause makes an error fit for a message: without the URL and the secrets. If
// the context has ended, errors.Is finds the context's error in it. sent
// reports whether the server may have responded.
func (r request) cause(ctx context.Context, err error, sent bool) error {
	var in *url.Error
	if errors.As(err, &in) {
		err = in.Err
	}
	if r.private && sent && !isPlain(err) {
		err = &scrubbedError{text: "the server does not speak HTTP as it should", cause: err}
	}
	if done := ctx.Err(); done != nil && !errors.Is(err, done) {
		err = fmt.Errorf("%w: %w", done, err)
	}
	return r.scrub.err(err)
}

// isPlain reports whether an error certainly does not quote the response, as
// the errors of an HTTP parser do.
func isPlain(err error) bool {
	var network *net.OpError
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// trace records how far a request got. Its hooks run on the transport's
// goroutines, some after RoundTrip returned.
type trace struct {
	mu sync.Mutex
	// asked and connected count the connections requested and obtained.
	// headers counts the requests whose headers were written. failed counts
	// the requests that could not be written.
	asked, connected, headers, failed int
}

func (t *trace) hooks() *httptrace.ClientTrace {
	count := func(n *int) {
		t.mu.Lock()
		defer t.mu.Unlock()
		*n++
	}
	return &httptrace.ClientTrace{
		GetConn:      func(string) { count(&t.asked) },
		GotConn:      func(httptrace.GotConnInfo) { count(&t.connected) },
		WroteHeaders: func() { count(&t.headers) },
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err != nil {
				count(&t.failed)
			}
		},
	}
}

// mayHaveBeenSent reports, after RoundTrip returned an error, whether the
// server may have the whole request.
//
// Without a connection the request was not sent. A transport other than ours
// must have requested one, because its silence proves nothing.
//
// With a connection the request was not sent only if writing it failed before
// the headers were written. Headers that are not written *yet* prove nothing:
// another goroutine of net/http writes them. When the context ends, RoundTrip
// waits for that goroutine in Go 1.26, but net/http does not promise it.
func (t *trace) mayHaveBeenSent(own bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.connected == 0 {
		return !own && t.asked == 0
	}
	return t.headers > 0 || t.failed < t.connected
}
