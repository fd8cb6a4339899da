package amperity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	const date = "Sun, 22 Nov 2026 05:00:00 GMT"
	rows := []struct {
		name, value, date string
		now               func() time.Time
		want              time.Duration
	}{
		{"none", "", date, clock, 0},
		{"seconds", "7", date, clock, 7 * time.Second},
		{"seconds with blanks", " 7 ", date, nil, 7 * time.Second},
		{"nought", "0", date, clock, 0},
		{"leading noughts", "0007", date, clock, 7 * time.Second},
		{"an hour", "3600", date, clock, time.Hour},
		{"more than an hour", "3601", date, clock, time.Hour},
		{"more than a number holds", "99999999999999999999999999", date, clock, time.Hour},
		{"negative", "-7", date, clock, 0},
		{"a fraction", "1.5", date, clock, 0},
		{"a unit", "7s", date, clock, 0},
		{"garbage", "soon", date, clock, 0},
		{"digits of another script", "٧", date, clock, 0},
		{"a date, by the clock", "Sun, 22 Nov 2026 05:00:30 GMT", "Sun, 22 Nov 2026 04:00:00 GMT", clock, 30 * time.Second},
		{"a date, by the answer's own date", "Sun, 22 Nov 2026 05:00:30 GMT", date, nil, 30 * time.Second},
		{"a date in the old form", "Sunday, 22-Nov-26 05:00:30 GMT", date, nil, 30 * time.Second},
		{"a date without any clock", "Sun, 22 Nov 2026 05:00:30 GMT", "", nil, 0},
		{"a date that has passed", "Sun, 22 Nov 2026 04:59:59 GMT", date, clock, 0},
		{"a date far away", "Mon, 22 Nov 2027 05:00:00 GMT", date, clock, time.Hour},
		{"a date that does not exist", "Sun, 31 Nov 2026 05:00:00 GMT", date, clock, 0},
	}
	for _, row := range rows {
		h := http.Header{"Retry-After": {row.value}, "Date": {row.date}}
		if got := parseRetryAfter(h, row.now); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}

func TestRetryAfterReachesTheCaller(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	server := listen(t, answering(429, "Retry-After: Sun, 22 Nov 2026 05:00:07 GMT\n", ""))
	client := newTestClient(t, server.url, WithClock(func() time.Time { return now }))
	_, err := client.StartRun(t.Context(), RunRequest{ConfigID: "cg-1"})
	var answer *APIError
	if !errors.As(err, &answer) || answer.RetryAfter != 7*time.Second {
		t.Errorf("got %v", err)
	}
}

func TestAPIErrorHoldsWhatTheAPISays(t *testing.T) {
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

func TestMayHaveBeenProcessedByError(t *testing.T) {
	t.Parallel()
	timeout := &TransportError{Method: "POST", MayHaveBeenSent: true, Err: context.DeadlineExceeded}
	refused := &TransportError{Method: "POST", Err: errors.New("refused")}
	busy, broken := &APIError{Status: 409}, &APIError{Status: 500}
	rows := []struct {
		name string
		err  error
		may  bool
	}{
		{"no error: it was processed", nil, true},
		{"an error of somebody else", errors.New("x"), true},
		{"a bare context error", context.Canceled, true},
		{"RequestError", &RequestError{}, false},
		{"ConfigError", &ConfigError{}, false},
		{"TokenError", &TokenError{Err: errors.New("x")}, false},
		{"TokenError of an answer of the token endpoint", &TokenError{Err: broken}, false},
		{"TokenError of a time-out at the token endpoint", &TokenError{Err: timeout}, false},
		{"TransportError, not sent", refused, false},
		{"TransportError, sent", timeout, true},
		{"ResponseError", &ResponseError{Status: 200}, true},
		{"wrapped, not sent", fmt.Errorf("start: %w", refused), false},
		{"wrapped, sent", fmt.Errorf("start: %w", timeout), true},
		{"wrapped twice", fmt.Errorf("a: %w", fmt.Errorf("b: %w", busy)), false},
		{"joined with the error of somebody else", errors.Join(errors.New("x"), busy), false},
		{"joined, one of them sent", errors.Join(busy, timeout), true},
		{"joined, none of them ours", errors.Join(errors.New("x"), errors.New("y")), true},
		{"wrapped with the context's error", fmt.Errorf("%w: %w", context.DeadlineExceeded, busy), false},
		{"a wrap of nothing", wrapsNothing{}, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := MayHaveBeenProcessed(row.err); got != row.may {
				t.Errorf("got %t", got)
			}
		})
	}
	// By status: a refusal is a 4xx, but for the two that come from a proxy that gave up.
	for status := 100; status < 1000; status++ {
		want := status < 400 || status > 499 || status == 408 || status == 499
		if got := MayHaveBeenProcessed(&APIError{Status: status}); got != want {
			t.Errorf("%d: %t", status, got)
		}
		// What may have been processed must have no sentinel that says otherwise; what was not has exactly one.
		is := 0
		for _, s := range []error{ErrRejected, ErrUnauthorized, ErrConflict, ErrRateLimited} {
			if errors.Is(&APIError{Status: status}, s) {
				is++
			}
		}
		if is != map[bool]int{true: 0, false: 1}[want] {
			t.Errorf("%d is %d of rejected, unauthorized, busy and rate limited", status, is)
		}
	}
}

type wrapsNothing struct{}

func (wrapsNothing) Error() string { return "x" }
func (wrapsNothing) Unwrap() error { return nil }
