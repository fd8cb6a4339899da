package amperity

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// endable is a context that a test ends itself, with the error of its choice.
// No test waits for a timer.
type endable struct {
	context.Context
	done chan struct{}
	err  error
}

func newEndable(ctx context.Context, err error) *endable {
	return &endable{Context: ctx, done: make(chan struct{}), err: err}
}

func (e *endable) end()                        { close(e.done) }
func (e *endable) Deadline() (time.Time, bool) { return time.Time{}, true }
func (e *endable) Done() <-chan struct{}       { return e.done }
func (e *endable) Err() error {
	select {
	case <-e.done:
		return e.err
	default:
		return nil
	}
}

// The kinds of errors that a row expects.
const (
	noError        = "none"
	transportError = "TransportError"
	responseError  = "ResponseError"
	apiError       = "APIError"
)

func kindOfError(err error) string {
	switch err.(type) {
	case nil:
		return noError
	case *TransportError:
		return transportError
	case *ResponseError:
		return responseError
	case *APIError:
		return apiError
	}
	return "another"
}

var sentinels = []error{ErrRejected, ErrUnauthorized, ErrConflict, ErrRateLimited, ErrNotFound}

// sentinelsOf lists which of the package's sentinels an error is.
func sentinelsOf(err error) (is []error) {
	for _, s := range sentinels {
		if errors.Is(err, s) {
			is = append(is, s)
		}
	}
	return is
}

// verdict is what a caller can read from a failed StartRun, and what the server
// saw.
type verdict struct {
	Kind string
	// NotProcessed is the answer of the function of that name.
	NotProcessed bool
	// Is holds the sentinels that errors.Is finds.
	Is []error
	// Requests is the number of whole requests that the server read.
	Requests int
}

func TestStartRunErrorReportsWhatWasProcessed(t *testing.T) {
	t.Parallel()
	rejected, unauthorized := []error{ErrRejected}, []error{ErrUnauthorized}
	rows := []struct {
		name   string
		handle func(*conn)
		want   verdict
		cause  error // errors.Is must find it
	}{
		// Connections that break.
		{"closed before the request is read", func(*conn) {}, verdict{transportError, false, nil, 0}, nil},
		{"reset after the request is read", func(c *conn) { c.read(); c.reset() }, verdict{transportError, false, nil, 1}, syscall.ECONNRESET},
		{"closed after the request is read", func(c *conn) { c.read() }, verdict{transportError, false, nil, 1}, io.EOF},
		{"closed within the status line", func(c *conn) { c.read(); c.write("HTTP/1.1 20") }, verdict{transportError, false, nil, 1}, nil},

		// Responses that are not the documented ones.
		{"half a body", func(c *conn) {
			c.read()
			c.write("HTTP/1.1 201 Created\nContent-Length: 100\n\n{\"id\":")
		}, verdict{responseError, false, nil, 1}, io.ErrUnexpectedEOF},
		{"a whole run, then a reset before the body's end", func(c *conn) {
			c.read()
			c.write("HTTP/1.1 201 Created\nTransfer-Encoding: chunked\n\n5\n{\"id\"\n")
		}, verdict{responseError, false, nil, 1}, io.ErrUnexpectedEOF},
		{"not HTTP", func(c *conn) { c.read(); c.write("220 ready\n\n") }, verdict{transportError, false, nil, 1}, nil},
		{"200 with HTML", answering(200, "Content-Type: text/html\n", "<html>Sign in</html>"), verdict{responseError, false, nil, 1}, nil},
		{"200 with a list", answering(200, "", "["+aRun+"]"), verdict{responseError, false, nil, 1}, nil},
		{"200 with an object that is not a run", answering(200, "", `{"data":[]}`), verdict{responseError, false, nil, 1}, nil},
		{"200 with an id that is not a string", answering(200, "", `{"id":7}`), verdict{responseError, false, nil, 1}, nil},
		{"200 with null", answering(200, "", `null`), verdict{responseError, false, nil, 1}, nil},
		{"200 with two runs in a row", answering(200, "", aRun+aRun), verdict{responseError, false, nil, 1}, nil},
		{"200 with more than 8 MiB", answering(200, "", strings.Repeat(" ", 8<<20)+aRun), verdict{responseError, false, nil, 1}, nil},
		{"200 with nothing", answering(200, "", ""), verdict{responseError, false, nil, 1}, nil},
		{"204", answering(204, "", ""), verdict{responseError, false, nil, 1}, nil},
		{"headers without end", func(c *conn) {
			c.read()
			c.write("HTTP/1.1 200 OK\n%s", strings.Repeat("X-Filler: "+strings.Repeat("x", 1000)+"\n", 300))
		}, verdict{transportError, false, nil, 1}, nil},

		// Runs.
		{"200 with a run", answering(200, "", aRun), verdict{noError, false, nil, 1}, nil},
		{"201 with a run", answering(201, "", aRun), verdict{noError, false, nil, 1}, nil},
		{"202 with a run", answering(202, "", aRun), verdict{noError, false, nil, 1}, nil},
		{"103, then 201 with a run", func(c *conn) {
			c.read()
			c.write("HTTP/1.1 103 Early Hints\n\n")
			c.answer(201, "", aRun)
		}, verdict{noError, false, nil, 1}, nil},

		// The API refuses the request: nothing was processed. A 409
		// alone proves nothing, because an earlier copy may have caused
		// it.
		{"400", answering(400, "", `{"status":400,"message":"no"}`), verdict{apiError, true, rejected, 1}, nil},
		{"400 with half its body", func(c *conn) {
			c.read()
			c.write("HTTP/1.1 400 Bad Request\nContent-Length: 100\n\n{\"status\":")
		}, verdict{apiError, true, rejected, 1}, nil},
		{"401", answering(401, "", ""), verdict{apiError, true, unauthorized, 1}, nil},
		{"403", answering(403, "", ""), verdict{apiError, true, rejected, 1}, nil},
		{"404", answering(404, "", ""), verdict{apiError, true, []error{ErrRejected, ErrNotFound}, 1}, nil},
		{"405", answering(405, "", ""), verdict{apiError, true, rejected, 1}, nil},
		{"409", answering(409, "", ""), verdict{apiError, false, []error{ErrConflict}, 1}, nil},
		{"422", answering(422, "", ""), verdict{apiError, true, rejected, 1}, nil},
		{"429", answering(429, "", ""), verdict{apiError, true, []error{ErrRateLimited}, 1}, nil},

		// A proxy refuses the request, or the server failed: the API
		// may have processed the request.
		{"408", answering(408, "", ""), verdict{apiError, false, nil, 1}, nil},
		{"499", answering(499, "", ""), verdict{apiError, false, nil, 1}, nil},
		{"500", answering(500, "", ""), verdict{apiError, false, nil, 1}, nil},
		{"502", answering(502, "", "<html>Bad Gateway</html>"), verdict{apiError, false, nil, 1}, nil},
		{"503", answering(503, "Retry-After: 3\n", ""), verdict{apiError, false, nil, 1}, nil},
		{"504", answering(504, "", ""), verdict{apiError, false, nil, 1}, nil},
		{"304", answering(304, "", ""), verdict{apiError, false, nil, 1}, nil},
		{"600", answering(600, "", ""), verdict{apiError, false, nil, 1}, nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server := listen(t, row.handle)
			client := newTestClient(t, server.url)
			run, err := client.StartRun(t.Context(), RunRequest{ConfigID: "cg-1"})
			server.close() // now the server has seen everything
			got := verdict{kindOfError(err), NotProcessed(err), sentinelsOf(err), server.requests()}
			if diff := cmp.Diff(row.want, got, cmp.Comparer(func(a, b error) bool { return a == b })); diff != "" {
				t.Errorf("(-want +got)\n%s\n%v", diff, err)
			}
			if (run == nil) != (err != nil) {
				t.Errorf("run is nil: %t, error: %v", run == nil, err)
			}
			if row.cause != nil && !errors.Is(err, row.cause) {
				t.Errorf("errors.Is does not find %v in: %v", row.cause, err)
			}
			if err != nil {
				noSecret(t, "the error", err.Error())
			}
		})
	}
}

func TestNoConnectionMeansNotProcessed(t *testing.T) {
	t.Parallel()
	closed := listen(t, func(*conn) {})
	closed.close()
	noTLS := listen(t, func(c *conn) { c.write("hello\n") })
	hangsUp := listen(t, func(c *conn) { c.reset() })
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	https := func(s *rawServer) string { return "https" + strings.TrimPrefix(s.url, "http") }
	noSuchHost := &net.DNSError{Err: "no such host", Name: "amperity.invalid", IsNotFound: true}

	rows := []struct {
		name    string
		baseURL string
		dial    error // the error of dialing; nil dials
	}{
		{"refused", closed.url, nil},
		{"a name that does not resolve", "https://amperity.invalid/api", noSuchHost},
		{"no route", "https://amperity.invalid/api", &net.OpError{Op: "dial", Net: "tcp", Err: syscall.EHOSTUNREACH}},
		{"the other end does not speak TLS", https(noTLS), nil},
		{"reset in the TLS handshake", https(hangsUp), nil},
		{"an untrusted certificate", untrusted.URL, nil},
	}
	for _, row := range rows {
		for _, own := range []bool{true, false} {
			name := row.name + ", own transport"
			if !own {
				name = row.name + ", transport of the caller"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				transport := newTransport(false)
				if row.dial != nil {
					transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, row.dial }
				}
				client := newTestClient(t, row.baseURL, WithTransport(transport))
				client.wire.own = own
				_, err := client.StartRun(t.Context(), RunRequest{ConfigID: "cg-1"})
				if kindOfError(err) != transportError || !NotProcessed(err) {
					t.Errorf("%s, not processed: %t: %v", kindOfError(err), NotProcessed(err), err)
				}
				if row.dial != nil && !errors.Is(err, row.dial) {
					t.Errorf("errors.Is does not find the cause in: %v", err)
				}
			})
		}
	}
}

// With a connection, what was written to it may be anywhere, even if the other
// end has closed it.
func TestResetAfterConnectIsNotProvenUnprocessed(t *testing.T) {
	t.Parallel()
	connected, wasReset := make(chan struct{}), make(chan struct{})
	server := listen(t, func(c *conn) {
		<-connected
		c.reset()
		close(wasReset)
	})
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		close(connected)
		<-wasReset
	}})
	_, err := newTestClient(t, server.url).StartRun(ctx, RunRequest{ConfigID: "cg-1"})
	if kindOfError(err) != transportError || NotProcessed(err) || server.requests() != 0 {
		t.Errorf("not processed: %t, requests: %d: %v", NotProcessed(err), server.requests(), err)
	}
}

func TestEndedContextReportsWhetherTheRequestWasSent(t *testing.T) {
	t.Parallel()
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		check := func(t *testing.T, err error, kind string, notProcessed bool) {
			t.Helper()
			if kindOfError(err) != kind || NotProcessed(err) != notProcessed || !errors.Is(err, ended) {
				t.Errorf("%s, not processed: %t, is %v: %t: %v",
					kindOfError(err), NotProcessed(err), ended, errors.Is(err, ended), err)
			}
		}
		t.Run(ended.Error()+" before anything", func(t *testing.T) {
			t.Parallel()
			server := listen(t, answering(201, "", aRun))
			ctx := newEndable(t.Context(), ended)
			ctx.end()
			_, err := newTestClient(t, server.url).StartRun(ctx, RunRequest{ConfigID: "cg-1"})
			check(t, err, transportError, true)
			if server.requests() != 0 {
				t.Error("a request was sent")
			}
		})
		t.Run(ended.Error()+" while dialing", func(t *testing.T) {
			t.Parallel()
			ctx := newEndable(t.Context(), ended)
			transport := newTransport(false)
			transport.DialContext = func(dial context.Context, _, _ string) (net.Conn, error) {
				ctx.end()
				<-dial.Done()
				return nil, dial.Err()
			}
			client := newTestClient(t, "https://amperity.invalid/api", WithTransport(transport))
			_, err := client.StartRun(ctx, RunRequest{ConfigID: "cg-1"})
			check(t, err, transportError, true)
		})
		t.Run(ended.Error()+" while the server thinks", func(t *testing.T) {
			t.Parallel()
			ctx := newEndable(t.Context(), ended)
			server := listen(t, func(c *conn) {
				c.read()
				ctx.end()
				c.untilClosed()
			})
			_, err := newTestClient(t, server.url).StartRun(ctx, RunRequest{ConfigID: "cg-1"})
			check(t, err, transportError, false)
		})
		t.Run(ended.Error()+" within the answer", func(t *testing.T) {
			t.Parallel()
			ctx := newEndable(t.Context(), ended)
			server := listen(t, func(c *conn) {
				c.read()
				c.write("HTTP/1.1 201 Created\nContent-Length: 100\n\n{")
				c.untilClosed()
			})
			client := newTestClient(t, server.url)
			client.wire.post = endsWithinBody{client.wire.post, ctx}
			_, err := client.StartRun(ctx, RunRequest{ConfigID: "cg-1"})
			check(t, err, responseError, false)
		})
	}
}

// net/http returns the cause of a cancellation, which may differ from the
// context's error.
func TestCancellationWithACauseIsCanceled(t *testing.T) {
	t.Parallel()
	impatient := errors.New("impatient")
	ctx, cancel := context.WithCancelCause(t.Context())
	server := listen(t, func(c *conn) {
		c.read()
		cancel(impatient)
		c.untilClosed()
	})
	_, err := newTestClient(t, server.url).StartRun(ctx, RunRequest{ConfigID: "cg-1"})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, impatient) || NotProcessed(err) {
		t.Errorf("got %v", err)
	}
}

// endsWithinBody ends a context at the second read of the body.
type endsWithinBody struct {
	http.RoundTripper
	ctx *endable
}

func (e endsWithinBody) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := e.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = &endingBody{ReadCloser: resp.Body, ctx: e.ctx}
	}
	return resp, err
}

type endingBody struct {
	io.ReadCloser
	ctx   *endable
	reads int
}

func (b *endingBody) Read(p []byte) (int, error) {
	if b.reads++; b.reads == 2 {
		b.ctx.end()
	}
	return b.ReadCloser.Read(p)
}
