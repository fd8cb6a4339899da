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

// The one thing that must not happen, whenever a caller gives up: "not processed", and the server has the request.
func TestGivingUpAtAnyMomentNeverHidesARequestThatWasSent(t *testing.T) {
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
		{"when a connection is asked for", func(cancel context.CancelFunc) *httptrace.ClientTrace {
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
	notProcessed := map[string]string{} // config id to the moment
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
			t.Errorf("given up %s: %v", moment.name, err)
		}
		if NotProcessed(err) {
			notProcessed[id] = moment.name
		}
	}
	server.close() // every connection has ended; the server has read all that was sent

	for _, body := range server.bodies {
		var r RunRequest
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			t.Fatal(err)
		}
		got[r.ConfigID] = true
		if moment, ok := notProcessed[r.ConfigID]; ok {
			t.Errorf("given up %s: called not processed, and the server got it", moment)
		}
	}
	// Both answers must have been put to the test.
	if len(notProcessed) < 50 || failed-len(notProcessed) < 50 {
		t.Errorf("of %d that failed, %d were called not processed; the server got %d of 400", failed, len(notProcessed), len(got))
	}
	t.Logf("of %d that failed, %d were called not processed; the server got %d of 400", failed, len(notProcessed), len(got))
}

// What a transport that is not the client's own must show before a failure counts as not processed.
func TestAnotherTransportsSilenceProvesNothing(t *testing.T) {
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
		{"nothing told", nil, false},
		{"a connection asked for", []step{getConn}, true},
		{"a connection got", []step{getConn, gotConn}, false},
		{"a connection got that was not asked for", []step{gotConn}, false},
		{"writing failed before the headers were done", []step{getConn, gotConn, failure}, true},
		{"writing failed in the body", []step{getConn, gotConn, headers, failure}, false},
		{"all written", []step{getConn, gotConn, headers, request}, false},
		{"one attempt failed in the headers, the next got a connection", []step{getConn, gotConn, failure, getConn, gotConn}, false},
		{"two attempts failed in the headers", []step{getConn, gotConn, failure, getConn, gotConn, failure}, true},
		{"one attempt wrote, the next got no connection", []step{getConn, gotConn, headers, request, getConn}, false},
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

// roundTrip is a transport that is a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
