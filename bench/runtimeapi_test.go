package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func newTestRuntimeAPI(t *testing.T) *runtimeAPI {
	t.Helper()
	api, err := newRuntimeAPI(func(bool) moment { return moment{At: time.Now()} })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	return api
}

func TestRuntimeAPIHandsOverAndTakesBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, kind, body string
		failed           bool
	}{
		{"an answer", "response", `{"outcome":"started"}`, false},
		{"an error", "error", `{"errorType":"BlockedError"}`, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			api := newTestRuntimeAPI(t)
			base := "http://" + api.addr + runtimePath
			done := make(chan struct{})
			go func() {
				defer close(done)
				res, err := http.Get(base + "invocation/next")
				if err != nil {
					t.Error(err)
					return
				}
				for _, name := range []string{"Lambda-Runtime-Deadline-Ms", "Lambda-Runtime-Invoked-Function-Arn", "Lambda-Runtime-Trace-Id"} {
					if res.Header.Get(name) == "" {
						t.Errorf("no header %s", name)
					}
				}
				res.Body.Close()
				id := res.Header.Get("Lambda-Runtime-Aws-Request-Id")
				if code := send(t, http.MethodPost, base+"invocation/"+id+"/"+tt.kind, tt.body, http.Header{}); code != http.StatusAccepted {
					t.Errorf("status %d", code)
				}
			}()
			ans, err := api.exchange(t.Context(), []byte("{}"))
			<-done
			var reported *functionError
			if ans.Failed != tt.failed || errors.As(err, &reported) != tt.failed {
				t.Errorf("got %+v, %v", ans, err)
			}
			if string(ans.Body) != tt.body || !ans.Answered.At.After(ans.Given) {
				t.Errorf("answer %s of %v to an event of %v", ans.Body, ans.Answered.At, ans.Given)
			}
			<-api.asked
		})
	}
}

func TestRuntimeAPIRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	base := "http://" + newTestRuntimeAPI(t).addr
	for _, tt := range []struct {
		method, path string
		code         int
	}{
		{http.MethodPost, runtimePath + "invocation/none/response", http.StatusBadRequest},
		{http.MethodPost, runtimePath + "invocation/next", http.StatusBadRequest},
		{http.MethodGet, runtimePath + "restore/next", http.StatusNotFound},
		{http.MethodGet, "/2020-01-01/extension/event/next", http.StatusNotFound},
	} {
		if code := send(t, tt.method, base+tt.path, "{}", http.Header{}); code != tt.code {
			t.Errorf("%s %s: status %d, want %d", tt.method, tt.path, code, tt.code)
		}
	}
}

func TestExchangeEndsWithABrokenInit(t *testing.T) {
	t.Parallel()
	api := newTestRuntimeAPI(t)
	if code := send(t, http.MethodPost, "http://"+api.addr+runtimePath+"init/error", `{"errorMessage":"no"}`, http.Header{}); code != http.StatusAccepted {
		t.Errorf("status %d", code)
	}
	_, err := api.exchange(t.Context(), []byte("{}"))
	if err == nil || !strings.HasSuffix(err.Error(), `{"errorMessage":"no"}`) {
		t.Errorf("got %v", err)
	}
}

func TestExchangeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newTestRuntimeAPI(t).exchange(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// send sends one request and returns the status of its answer.
func send(t *testing.T, method, url, body string, h http.Header) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = h.Clone()
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode
}
