package amperitytest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"syscall"
)

// Transport returns a transport for amperity.WithTransport that carries
// requests to the server within this process, without a socket. It runs the
// httptrace hooks that show the client how far a request got. It supports all
// faults: a connection refused, dropped or reset, half a body, a request that
// is never answered.
//
// The server answers a request on the caller's goroutine. The end of the
// request's context interrupts it only while the server waits for something.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ server *Server }

// RoundTrip sends one request.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	hooks := hooksOf(req.Context())
	hooks.GetConn(req.URL.Host)
	if t.server.refusing.Load() {
		return nil, &connError{"dial", syscall.ECONNREFUSED}
	}
	hooks.GotConn(httptrace.GotConnInfo{})
	if t.server.takeDrop() {
		err := &connError{"write", syscall.ECONNRESET}
		hooks.WroteRequest(httptrace.WroteRequestInfo{Err: err})
		return nil, err
	}
	in := req.Clone(req.Context())
	in.RequestURI = req.URL.RequestURI()
	in.Body = req.Body
	if in.Body == nil {
		in.Body = http.NoBody
	}
	hooks.WroteHeaders()
	hooks.WroteRequest(httptrace.WroteRequestInfo{})
	w := &response{header: http.Header{}}
	if err := w.serve(t.server, in); err != nil {
		return nil, err
	}
	hooks.GotFirstResponseByte()
	return w.result(req), nil
}

// connError is the error of a failed connection.
type connError struct {
	op  string
	err error
}

func (e *connError) Error() string { return e.op + ": " + e.err.Error() }

func (e *connError) Unwrap() error { return e.err }

// hooksOf returns the hooks of a context. None of them is nil.
func hooksOf(ctx context.Context) httptrace.ClientTrace {
	var hooks httptrace.ClientTrace
	if t := httptrace.ContextClientTrace(ctx); t != nil {
		hooks = *t
	}
	if hooks.GetConn == nil {
		hooks.GetConn = func(string) {}
	}
	if hooks.GotConn == nil {
		hooks.GotConn = func(httptrace.GotConnInfo) {}
	}
	if hooks.WroteHeaders == nil {
		hooks.WroteHeaders = func() {}
	}
	if hooks.WroteRequest == nil {
		hooks.WroteRequest = func(httptrace.WroteRequestInfo) {}
	}
	if hooks.GotFirstResponseByte == nil {
		hooks.GotFirstResponseByte = func() {}
	}
	return hooks
}

// response records the response of a handler.
type response struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (w *response) Header() http.Header         { return w.header }
func (w *response) WriteHeader(status int)      { w.status = status }
func (w *response) Write(p []byte) (int, error) { return w.body.Write(p) }

// serve has the server answer. The error is that of a connection that the
// server reset.
func (w *response) serve(s *Server, req *http.Request) (err error) {
	defer func() {
		if broken := recover(); broken != nil {
			if failure, ok := broken.(error); !ok || !errors.Is(failure, http.ErrAbortHandler) {
				panic(broken)
			}
			if err = req.Context().Err(); err == nil {
				err = &connError{"read", syscall.ECONNRESET}
			}
		}
	}()
	s.ServeHTTP(w, req)
	return nil
}

// result returns the response as a client receives it. A body shorter than its
// Content-Length ends as a broken connection does.
func (w *response) result(req *http.Request) *http.Response {
	length, err := strconv.Atoi(w.header.Get("Content-Length"))
	if err != nil {
		length = w.body.Len()
	}
	body := io.Reader(&w.body)
	if w.body.Len() < length {
		body = io.MultiReader(body, broken{})
	}
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(body), ContentLength: int64(length), Request: req,
	}
}

// broken is a connection that ends too early.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
