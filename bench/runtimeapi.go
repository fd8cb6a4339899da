package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// runtimeAPI is Lambda's Runtime API for one function process: the process
// asks for invocations, and answers them, over HTTP (AWS Lambda developer
// guide, "Using the Lambda runtime API").
type runtimeAPI struct {
	addr   string
	server *http.Server
	// ready gets the instant at which the function first asked for an
	// invocation, which is when its init is over.
	ready chan time.Time
	// broken gets the error of a function that reports that its init failed.
	broken chan error
	work   chan *invocation

	mu   sync.Mutex
	open map[string]*invocation
	next int
}

// invocation is one event on its way.
type invocation struct {
	id      string
	payload []byte
	given   time.Time
	answers chan answer
}

// answer is what the function made of an invocation.
type answer struct {
	// Given and At are when the invocation was handed over and when the
	// answer had been read.
	Given, At time.Time
	Body      []byte
	// Failed: the function reported an error instead.
	Failed bool
}

// Took is the time between the two, as Lambda would see it.
func (a answer) Took() time.Duration { return a.At.Sub(a.Given) }

// functionError is the error that a function reported.
type functionError struct{ Report string }

func (e *functionError) Error() string { return "the function reported an error: " + e.Report }

const (
	runtimePath = "/2018-06-01/runtime/"
	// timeLimit is trigger's time limit; each invocation's deadline.
	timeLimit = 30 * time.Second
	// maxBody bounds what is read of a request: Lambda's own limit of an
	// answer.
	maxBody = 6 << 20
)

// newRuntimeAPI listens on a free port of the loopback interface.
func newRuntimeAPI() (*runtimeAPI, error) {
	a := &runtimeAPI{
		ready:  make(chan time.Time, 1),
		broken: make(chan error, 1),
		work:   make(chan *invocation),
		open:   make(map[string]*invocation),
	}
	var err error
	a.server, a.addr, err = serve(a)
	return a, err
}

// Close breaks all connections.
func (a *runtimeAPI) Close() { a.server.Close() }

// Invoke hands payload to the function and waits for its answer. An error that
// the function reports is a [*functionError].
func (a *runtimeAPI) Invoke(ctx context.Context, payload []byte) (answer, error) {
	a.mu.Lock()
	a.next++
	inv := &invocation{
		id:      fmt.Sprintf("00000000-0000-4000-8000-%012d", a.next),
		payload: payload,
		answers: make(chan answer, 1),
	}
	a.open[inv.id] = inv
	a.mu.Unlock()
	select {
	case a.work <- inv:
	case err := <-a.broken:
		return answer{}, err
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
	select {
	case ans := <-inv.answers:
		if ans.Failed {
			return ans, &functionError{Report: string(ans.Body)}
		}
		return ans, nil
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
}

func (a *runtimeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, runtimePath)
	if !ok {
		http.NotFound(w, r)
		return
	}
	switch {
	case r.Method == http.MethodGet && path == "invocation/next":
		a.serveNext(w, r)
	case r.Method == http.MethodPost && path == "init/error":
		body, _ := io.ReadAll(io.LimitReader(r.Body, maxBody))
		select {
		case a.broken <- &functionError{Report: string(body)}:
		default:
		}
		w.WriteHeader(http.StatusAccepted)
	case r.Method == http.MethodPost && strings.HasPrefix(path, "invocation/"):
		a.serveAnswer(w, r, strings.TrimPrefix(path, "invocation/"))
	default:
		http.NotFound(w, r)
	}
}

func (a *runtimeAPI) serveNext(w http.ResponseWriter, r *http.Request) {
	select {
	case a.ready <- time.Now():
	default:
	}
	var inv *invocation
	select {
	case inv = <-a.work:
	case <-r.Context().Done():
		return
	}
	h := w.Header()
	h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
	h.Set("Lambda-Runtime-Invoked-Function-Arn", functionARN)
	h.Set("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0")
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(inv.payload)))
	inv.given = time.Now()
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.given.Add(timeLimit).UnixMilli(), 10))
	w.Write(inv.payload)
}

func (a *runtimeAPI) serveAnswer(w http.ResponseWriter, r *http.Request, path string) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	at := time.Now()
	id, kind, _ := strings.Cut(path, "/")
	a.mu.Lock()
	inv := a.open[id]
	delete(a.open, id)
	a.mu.Unlock()
	if err != nil || inv == nil || kind != "response" && kind != "error" {
		http.Error(w, `{"errorMessage":"no such invocation","errorType":"InvalidRequestID"}`, http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	io.WriteString(w, `{"status":"OK"}`)
	inv.answers <- answer{Given: inv.given, At: at, Body: body, Failed: kind == "error"}
}

// serve answers with h on a free port of the loopback interface.
func serve(h http.Handler) (*http.Server, string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	return serveOn(l, h), l.Addr().String(), nil
}

func serveOn(l net.Listener, h http.Handler) *http.Server {
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic(err)
		}
	}()
	return s
}
