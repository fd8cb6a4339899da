package amperity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"
)

func TestRetryAfterIsReadAsAWait(t *testing.T) {
	t.Parallel()
	const date = "Sun, 22 Nov 2026 05:00:00 GMT"
	rows := []struct {
		name, value, date string
		want              time.Duration
	}{
		{"none", "", date, 0},
		{"seconds", "7", date, 7 * time.Second},
		{"seconds with blanks", " 7 ", date, 7 * time.Second},
		{"seconds, without a Date header", "7", "", 7 * time.Second},
		{"zero", "0", date, 0},
		{"leading zeros", "0007", date, 7 * time.Second},
		{"an hour", "3600", date, time.Hour},
		{"more than an hour", "3601", date, time.Hour},
		{"more than an integer holds", "99999999999999999999999999", date, time.Hour},
		{"negative", "-7", date, 0},
		{"a fraction", "1.5", date, 0},
		{"a unit", "7s", date, 0},
		{"garbage", "soon", date, 0},
		{"digits of another script", "٧", date, 0},
		{"a date", "Sun, 22 Nov 2026 05:00:30 GMT", date, 30 * time.Second},
		{"a date in the old form", "Sunday, 22-Nov-26 05:00:30 GMT", date, 30 * time.Second},
		{"a date, without a Date header", "Sun, 22 Nov 2026 05:00:30 GMT", "", 0},
		{"a date, beside a Date header that is not a date", "Sun, 22 Nov 2026 05:00:30 GMT", "today", 0},
		{"a date that has passed", "Sun, 22 Nov 2026 04:59:59 GMT", date, 0},
		{"a date far away", "Mon, 22 Nov 2027 05:00:00 GMT", date, time.Hour},
		{"a date that does not exist", "Sun, 31 Nov 2026 05:00:00 GMT", date, 0},
	}
	for _, row := range rows {
		h := http.Header{"Retry-After": {row.value}, "Date": {row.date}}
		if got := parseRetryAfter(h); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}

func TestRetryAfterReachesTheCaller(t *testing.T) {
	t.Parallel()
	server := listen(t, answering(429, "Date: Sun, 22 Nov 2026 05:00:00 GMT\nRetry-After: Sun, 22 Nov 2026 05:00:07 GMT\n", ""))
	_, err := newTestClient(t, server.url).StartRun(t.Context(), RunRequest{ConfigID: "cg-1"})
	var answer *APIError
	if !errors.As(err, &answer) || answer.RetryAfter != 7*time.Second {
		t.Errorf("got %v", err)
	}
}

func TestAPIErrorHoldsTheDocumentedFields(t *testing.T) {
	t.Parallel()
	server := listen(t, answering(400, "", `{"status":400,"message":"config_id\nis unknown","request_id":"r-1","trace_id":"t-1","new":1}`))
	_, err := newTestClient(t, server.url).StartRun(t.Context(), RunRequest{ConfigID: "cg-1"})
	var got *APIError
	if !errors.As(err, &got) {
		t.Fatal(err)
	}
	want := APIError{Method: "POST", Path: "/workflow/runs", Status: 400, Message: "config_id is unknown", RequestID: "r-1", TraceID: "t-1"}
	if *got != want {
		t.Errorf("got %#v", got)
	}
}

func TestNotProcessedIsTrueForProofAlone(t *testing.T) {
	t.Parallel()
	timeout := &TransportError{Method: "POST", MayHaveBeenSent: true, Err: context.DeadlineExceeded}
	refused := &TransportError{Method: "POST", Err: errors.New("refused")}
	limited, conflict, failed := &APIError{Status: 429}, &APIError{Status: 409}, &APIError{Status: 500}
	rows := []struct {
		name string
		err  error
		want bool
	}{
		{"no error: the request was processed", nil, false},
		{"an error of another package", errors.New("x"), false},
		{"a bare context error", context.Canceled, false},
		{"RequestError", &RequestError{}, true},
		{"ConfigError", &ConfigError{}, true},
		{"TokenError", &TokenError{Err: errors.New("x")}, true},
		{"TokenError around a 500 of the token endpoint", &TokenError{Err: failed}, true},
		{"TokenError around a 409 of the token endpoint", &TokenError{Err: conflict}, true},
		{"TokenError around a timeout at the token endpoint", &TokenError{Err: timeout}, true},
		{"TransportError, not sent", refused, true},
		{"TransportError, sent", timeout, false},
		{"ResponseError", &ResponseError{Status: 200}, false},
		{"a 409 of StartRun", &APIError{Method: "POST", Path: "/workflow/runs", Status: 409}, false},
		{"a 409 of StopRun", &APIError{Method: "POST", Path: "/workflow/runs/wf-1/stop", Status: 409}, false},
		{"wrapped, not sent", fmt.Errorf("start: %w", refused), true},
		{"wrapped, sent", fmt.Errorf("start: %w", timeout), false},
		{"wrapped twice", fmt.Errorf("a: %w", fmt.Errorf("b: %w", limited)), true},
		{"wrapped, a 409", fmt.Errorf("start: %w", conflict), false},
		{"joined with an error of another package", errors.Join(errors.New("x"), limited), true},
		{"joined with a sent request", errors.Join(limited, timeout), false},
		{"joined with a 409", errors.Join(limited, conflict), false},
		{"joined, none of this package", errors.Join(errors.New("x"), errors.New("y")), false},
		{"joined, nothing", joinsNothing{}, false},
		{"wrapped with the context's error", fmt.Errorf("%w: %w", context.DeadlineExceeded, limited), true},
		{"a wrapper of nothing", wrapsNothing{}, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := NotProcessed(row.err); got != row.want {
				t.Errorf("got %t", got)
			}
		})
	}
	// A 4xx is a refusal. The exceptions are 408 and 499, which a proxy may
	// send, and 409, which an earlier copy of the request may have caused.
	for status := 100; status < 1000; status++ {
		want := status >= 400 && status <= 499 && status != 408 && status != 409 && status != 499
		if got := NotProcessed(&APIError{Status: status}); got != want {
			t.Errorf("%d: %t", status, got)
		}
		// An answer that proves nothing has no sentinel, but for a 409.
		// Any other has exactly one.
		is := 0
		for _, s := range []error{ErrRejected, ErrUnauthorized, ErrConflict, ErrRateLimited} {
			if errors.Is(&APIError{Status: status}, s) {
				is++
			}
		}
		if is != map[bool]int{true: 1, false: 0}[want || status == 409] {
			t.Errorf("%d is %d of rejected, unauthorized, conflict and rate limited", status, is)
		}
	}
}

type wrapsNothing struct{}

func (wrapsNothing) Error() string { return "x" }
func (wrapsNothing) Unwrap() error { return nil }

type joinsNothing struct{}

func (joinsNothing) Error() string   { return "x" }
func (joinsNothing) Unwrap() []error { return nil }
