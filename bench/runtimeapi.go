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
	// observe returns the instant and what the process has used until then. It
	// is called when the function asks for an invocation, for the first time or
	// again, and with each answer.
	observe func(first bool) moment
	// asked gets a moment each time that the function asks for an invocation.
	asked chan moment
	// broken gets the error of a function that reports that its init failed.
	broken  chan error
	events  chan []byte
	answers chan answer

	mu sync.Mutex
	// requested is how often the function asked for an invocation.
	requested int
	// open is the id of the invocation that has no answer yet, or "".
	open  string
	given time.Time
}

// moment is an instant in the life of a process.
type moment struct {
	At time.Time
	// Used is the processor time that the process has used until then.
	Used time.Duration
}

// answer is what a function answered to an invocation.
type answer struct {
	// Given is when the function got the event.
	Given time.Time
	// Answered is when its answer had been read.
	Answered moment
	Body     []byte
	// Failed: the function reported an error instead.
	Failed bool
}

// functionError is the error that a function reported.
type functionError struct{ Report string }

func (e *functionError) Error() string { return "the function reported an error: " + e.Report }

const (
	runtimePath = "/2018-06-01/runtime/"
	// timeLimit is the time limit of an invocation, as in the template.
	timeLimit   = 60 * time.Second
	functionARN = "arn:aws:lambda:" + region + ":123456789012:function:bench"
)

// newRuntimeAPI listens on a free port of the loopback interface.
func newRuntimeAPI(observe func(first bool) moment) (*runtimeAPI, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &runtimeAPI{
		addr:    l.Addr().String(),
		observe: observe,
		asked:   make(chan moment, 1),
		broken:  make(chan error, 1),
		events:  make(chan []byte),
		answers: make(chan answer, 1),
	}
	a.server = &http.Server{Handler: a, ReadHeaderTimeout: time.Minute}
	go func() {
		if err := a.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic(err)
		}
	}()
	return a, nil
}

// Close breaks all connections.
func (a *runtimeAPI) Close() { a.server.Close() }

// exchange hands payload to the function and waits for its answer. An error that
// the function reports is a [*functionError].
func (a *runtimeAPI) exchange(ctx context.Context, payload []byte) (answer, error) {
	select {
	case a.events <- payload:
	case err := <-a.broken:
		return answer{}, err
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
	select {
	case ans := <-a.answers:
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
	a.mu.Lock()
	a.requested++
	n := a.requested
	a.mu.Unlock()
	select {
	case a.asked <- a.observe(n == 1):
	default:
	}
	var event []byte
	select {
	case event = <-a.events:
	case <-r.Context().Done():
		return
	}
	id, given := fmt.Sprintf("00000000-0000-4000-8000-%012d", n), time.Now()
	a.mu.Lock()
	a.open, a.given = id, given
	a.mu.Unlock()
	h := w.Header()
	h.Set("Lambda-Runtime-Aws-Request-Id", id)
	h.Set("Lambda-Runtime-Invoked-Function-Arn", functionARN)
	h.Set("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0")
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(event)))
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(given.Add(timeLimit).UnixMilli(), 10))
	// An error means that the process has ended, which its owner notices.
	_, _ = w.Write(event)
}

func (a *runtimeAPI) serveAnswer(w http.ResponseWriter, r *http.Request, path string) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	answered := a.observe(false)
	id, kind, _ := strings.Cut(path, "/")
	a.mu.Lock()
	known := a.open == id && err == nil && (kind == "response" || kind == "error")
	if known {
		a.open = ""
	}
	given := a.given
	a.mu.Unlock()
	if !known {
		http.Error(w, `{"errorMessage":"no such invocation","errorType":"InvalidRequestID"}`, http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
	a.answers <- answer{Given: given, Answered: answered, Body: body, Failed: kind == "error"}
}
