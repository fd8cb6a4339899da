package amperity

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptrace"
	"runtime"
	"strconv"
	"testing"
)

// The client must never call a request unprocessed that the server has,
// whenever the caller cancels.
func TestCanceledRequestIsNeverWronglyCalledUnprocessed(t *testing.T) {
	t.Parallel()
	got := map[string]bool{}
	server := listen(t, func(c *conn) {
		if c.read() {
			c.answer(201, "", aRun)
		}
	})
	moments := []struct {
		name  string
		trace func(cancel context.CancelFunc) *httptrace.ClientTrace
	}{
		{"when a connection is requested", func(cancel context.CancelFunc) *httptrace.ClientTrace {
			return &httptrace.ClientTrace{GetConn: func(string) { cancel() }}
		}},
		{"when the dialing is done", func(cancel context.CancelFunc) *httptrace.ClientTrace {
			return &httptrace.ClientTrace{ConnectDone: func(string, string, error) { cancel() }}
		}},
		{"when there is a connection", func(cancel context.CancelFunc) *httptrace.ClientTrace {
			return &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { cancel() }}
		}},
		{"about when there is a connection", func(cancel context.CancelFunc) *httptrace.ClientTrace {
			return &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { go cancel() }}
		}},
		{"a little after there is a connection", func(cancel context.CancelFunc) *httptrace.ClientTrace {
			return &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { go func() { runtime.Gosched(); cancel() }() }}
		}},
		{"when the headers are written", func(cancel context.CancelFunc) *httptrace.ClientTrace {
			return &httptrace.ClientTrace{WroteHeaders: cancel}
		}},
		{"about when the headers are written", func(cancel context.CancelFunc) *httptrace.ClientTrace {
			return &httptrace.ClientTrace{WroteHeaders: func() { go cancel() }}
		}},
		{"when the request is written", func(cancel context.CancelFunc) *httptrace.ClientTrace {
			return &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { cancel() }}
		}},
	}

	client := newTestClient(t, server.url)
	notProcessed := map[string]string{} // from the config id to the moment
	failed := 0
	for i := range 400 {
		moment := moments[i%len(moments)]
		id := "cg-" + strconv.Itoa(i)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := client.StartRun(httptrace.WithClientTrace(ctx, moment.trace(cancel)), RunRequest{ConfigID: id})
		cancel()
		if err == nil {
			continue
		}
		failed++
		if !errors.Is(err, context.Canceled) {
			t.Errorf("canceled %s: %v", moment.name, err)
		}
		if NotProcessed(err) {
			notProcessed[id] = moment.name
		}
	}
	server.close() // now the server has read all that was sent

	for _, body := range server.bodies {
		var r RunRequest
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			t.Fatal(err)
		}
		got[r.ConfigID] = true
		if moment, ok := notProcessed[r.ConfigID]; ok {
			t.Errorf("canceled %s: called not processed, and the server has it", moment)
		}
	}
	// The test is worth something only if both verdicts occurred often.
	if len(notProcessed) < 50 || failed-len(notProcessed) < 50 {
		t.Errorf("of %d that failed, %d were called not processed; the server got %d of 400", failed, len(notProcessed), len(got))
	}
	t.Logf("of %d that failed, %d were called not processed; the server got %d of 400", failed, len(notProcessed), len(got))
}

// A transport of the caller must show how far a request got, before a failure
// counts as not processed.
func TestSilentTransportProvesNothing(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	type step func(*httptrace.ClientTrace)
	var (
		getConn step = func(c *httptrace.ClientTrace) { c.GetConn("amperity.invalid:443") }
		gotConn step = func(c *httptrace.ClientTrace) { c.GotConn(httptrace.GotConnInfo{}) }
		headers step = func(c *httptrace.ClientTrace) { c.WroteHeaders() }
		request step = func(c *httptrace.ClientTrace) { c.WroteRequest(httptrace.WroteRequestInfo{}) }
		failure step = func(c *httptrace.ClientTrace) { c.WroteRequest(httptrace.WroteRequestInfo{Err: broken}) }
	)
	rows := []struct {
		name         string
		steps        []step
		notProcessed bool
	}{
		{"no hook", nil, false},
		{"a connection requested", []step{getConn}, true},
		{"a connection obtained", []step{getConn, gotConn}, false},
		{"a connection obtained without a request for it", []step{gotConn}, false},
		{"writing failed before the headers were done", []step{getConn, gotConn, failure}, true},
		{"writing failed in the body", []step{getConn, gotConn, headers, failure}, false},
		{"all written", []step{getConn, gotConn, headers, request}, false},
		{"one attempt failed in the headers, the next obtained a connection", []step{getConn, gotConn, failure, getConn, gotConn}, false},
		{"two attempts failed in the headers", []step{getConn, gotConn, failure, getConn, gotConn, failure}, true},
		{"one attempt wrote, the next obtained no connection", []step{getConn, gotConn, headers, request, getConn}, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			client := newTestClient(t, "https://amperity.invalid/api", WithTransport(roundTrip(func(req *http.Request) (*http.Response, error) {
				for _, s := range row.steps {
					s(httptrace.ContextClientTrace(req.Context()))
				}
				return nil, broken
			})))
			_, err := client.StartRun(t.Context(), RunRequest{ConfigID: "cg-1"})
			if NotProcessed(err) != row.notProcessed || !errors.Is(err, broken) {
				t.Errorf("not processed: %t: %v", NotProcessed(err), err)
			}
		})
	}
}

// roundTrip is a function as a transport.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
