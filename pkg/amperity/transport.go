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

// DefaultTimeout is how long a request may take whose context has no deadline. Some requests take seconds (Amperity
// API reference).
const DefaultTimeout = time.Minute

// The bounds on what is read of an answer, in bytes. A verbose run with thousands of tasks stays well below the first.
const (
	maxBody      = 8 << 20
	maxErrorBody = 64 << 10
	maxHeaders   = 256 << 10
)

// newTransport makes a transport that speaks HTTP/1.1 only.
//
// For POST (reuse false) every request opens a connection of its own. On a reused one, which the server may have
// closed while nobody looked (a Lambda sandbox is frozen between invocations), net/http reports the end of the
// connection after it wrote the request, so that nobody knows whether it was processed. HTTP/2 sends a request again by
// itself after REFUSED_STREAM and GOAWAY.
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

// wire is how requests go out. Its transports are used without an http.Client: that would follow redirects, and add
// the URL to errors.
type wire struct {
	post, get http.RoundTripper
	// own says that the transports are newTransport's, which make no connection without telling httptrace.
	own bool
}

// newWire makes the wire over a given transport, or over its own for nil.
func newWire(transport http.RoundTripper) wire {
	if transport == nil {
		return wire{post: newTransport(false), get: newTransport(true), own: true}
	}
	return wire{post: transport, get: transport}
}

// request is one HTTP request.
type request struct {
	method string
	// path is for messages; url is where it goes.
	path, url string
	header    http.Header
	body      []byte
	// scrub knows the secrets in the request; private says that the answer holds one, too.
	scrub   scrubber
	private bool
}

// answer is what came back, its body read as far as the bounds allow.
type answer struct {
	status int
	header http.Header
	body   []byte
	// long says that there was more than the bound allows; broken is what ended the reading early.
	long   bool
	broken error
}

// send sends a request once and reads the answer, whatever its status. The error is a *TransportError.
func (w wire) send(ctx context.Context, r request) (*answer, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, DefaultTimeout)
		defer cancel()
	}
	failed := func(maySend bool, err error) error {
		return &TransportError{Method: r.method, Path: r.path, MayHaveBeenSent: maySend, Err: r.cause(ctx, err, maySend)}
	}
	// Asked here, because a transport that finds the context done tells httptrace nothing.
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
		req.GetBody = nil // with it, a transport may send the body again
		req.Close = true  // also where the transport is not ours
	}

	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, failed(seen.mayHaveBeenSent(w.own), err)
	}
	a := &answer{status: resp.StatusCode, header: resp.Header}
	if resp.Body != nil {
		defer func() { _ = resp.Body.Close() }() // nothing is written to it, so nothing can be lost
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

// ok reports whether the answer says that the request succeeded.
func (a *answer) ok() bool { return a.status >= 200 && a.status <= 299 }

// cause makes the cause of a failure fit for a message: without the URL and the secrets, and such that errors.Is finds
// the context's error where the context is done. sent says that the server may have answered something.
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

// isPlain reports whether an error surely does not quote the answer, as those of an HTTP parser do.
func isPlain(err error) bool {
	var network *net.OpError
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// trace notes how far a request got. Its hooks run on the transport's goroutines, some after RoundTrip returned.
type trace struct {
	mu sync.Mutex
	// asked and connected count connections asked for and got; headers and failed the requests whose headers were
	// written, and those whose writing failed.
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

// mayHaveBeenSent judges, after RoundTrip returned an error, whether the server may have the whole request.
//
// No connection: not sent. A transport that is not ours must have asked for one, else its silence proves nothing.
// With a connection: not sent only where the writing itself reported that it failed before the headers were done.
// That the headers are not written *yet* proves nothing: another goroutine of net/http writes them, and that RoundTrip
// waits for it when the context is done (it does in Go 1.26) is no promise of net/http.
func (t *trace) mayHaveBeenSent(own bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.connected == 0 {
		return !own && t.asked == 0
	}
	return t.headers > 0 || t.failed < t.connected
}
