package amperity

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// What a caller does differently about a failure, for errors.Is. At most one of rejected, unauthorized, busy and rate
// limited holds for one error; not found is a case of rejected.
var (
	// ErrRejected is a final no: any 4xx but 401, 408, 409, 429 and 499. The request must be changed.
	ErrRejected = errors.New("rejected by the Amperity API")
	// ErrUnauthorized is a 401, with a fresh token too where the source had one, or a token source whose own
	// credentials were refused. Nothing was processed; a new token is needed.
	ErrUnauthorized = errors.New("the Amperity API does not accept the token")
	// ErrConflict is a 409: the request conflicts with the present state. Nothing was processed; it can be sent later.
	ErrConflict = errors.New("in conflict with what is running in Amperity")
	// ErrRateLimited is a 429. Nothing was processed; send again after APIError.RetryAfter.
	ErrRateLimited = errors.New("too many requests to the Amperity API")
	// ErrNotFound is a 404: no such id in this tenant, or the base URL is not that of an Amperity API.
	ErrNotFound = errors.New("not found in Amperity")
)

// APIError is an answer of the API other than 2xx.
type APIError struct {
	// Method and Path of the request, the path relative to the base URL and without the query.
	Method, Path string
	// Status is the HTTP status.
	Status int
	// Message is the API's own, or an excerpt of a body that is not the documented JSON; bounded, on one line, and
	// never with the token in it. May be empty.
	Message string
	// RequestID and TraceID are Amperity's, for its support; both may be empty.
	RequestID, TraceID string
	// RetryAfter is how long the API asks to wait; zero if it does not say. At most an hour.
	RetryAfter time.Duration
	// Hint says what a person can do about it; may be empty.
	Hint string

	// credentials marks an answer of a token endpoint that refused the credentials.
	credentials bool
}

// Error gives "POST /workflow/runs: 400 Bad Request: message (request id …, trace id …); hint".
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %d", e.Method, e.Path, e.Status)
	if text := http.StatusText(e.Status); text != "" {
		b.WriteString(" " + text)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	switch {
	case e.RequestID != "" && e.TraceID != "":
		fmt.Fprintf(&b, " (request id %s, trace id %s)", e.RequestID, e.TraceID)
	case e.RequestID != "":
		fmt.Fprintf(&b, " (request id %s)", e.RequestID)
	case e.TraceID != "":
		fmt.Fprintf(&b, " (trace id %s)", e.TraceID)
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, "; retry after %s", e.RetryAfter)
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// Is tells which of ErrRejected, ErrUnauthorized, ErrConflict, ErrRateLimited and ErrNotFound the answer is.
func (e *APIError) Is(target error) bool {
	if e.credentials {
		return target == ErrUnauthorized
	}
	switch target {
	case ErrUnauthorized:
		return e.Status == http.StatusUnauthorized
	case ErrConflict:
		return e.Status == http.StatusConflict
	case ErrRateLimited:
		return e.Status == http.StatusTooManyRequests
	case ErrNotFound:
		return e.Status == http.StatusNotFound
	case ErrRejected:
		return isRejection(e.Status)
	}
	return false
}

// statusClientClosed is what some proxies answer when they gave up waiting for the server behind them.
const statusClientClosed = 499

// isRejection reports whether a status is a final no to the request.
func isRejection(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusConflict, http.StatusTooManyRequests,
		http.StatusRequestTimeout, statusClientClosed:
		return false
	}
	return status >= 400 && status <= 499
}

// TransportError is a request without an answer: no connection, a connection that broke, or a deadline.
// Unwrap gives the cause, so that errors.Is works with context.Canceled and context.DeadlineExceeded.
type TransportError struct {
	// Method and Path of the request, the path relative to the base URL and without the query.
	Method, Path string
	// MayHaveBeenSent is false where it is certain that the API did not get the request whole: no address, no
	// connection, no TLS session, or its headers could not be written.
	MayHaveBeenSent bool
	// Err is the cause.
	Err error
}

// Error gives "POST /workflow/runs: not sent: cause", or "…: no answer, but it may have been processed: cause".
func (e *TransportError) Error() string {
	what := "not sent"
	if e.MayHaveBeenSent {
		what = "no answer"
		if e.Method == http.MethodPost {
			what = "no answer, but it may have been processed"
		}
	}
	return fmt.Sprintf("%s %s: %s: %v", e.Method, e.Path, what, e.Err)
}

// Unwrap gives the cause.
func (e *TransportError) Unwrap() error { return e.Err }

// ResponseError is an answer that says it is a success and is not the documented one: half a body, not JSON, a run
// without an id, a list without "data". After a POST the request may have been processed.
type ResponseError struct {
	// Method and Path of the request, the path relative to the base URL and without the query.
	Method, Path string
	// Status is the HTTP status.
	Status int
	// Problem says what is wrong with the answer; bounded, on one line, and never with the token in it.
	Problem string
	// Err is the cause, if there is one: what broke off the reading.
	Err error
}

// Error gives "POST /workflow/runs: 200 OK, but problem".
func (e *ResponseError) Error() string {
	status := fmt.Sprint(e.Status)
	if text := http.StatusText(e.Status); text != "" {
		status += " " + text
	}
	return fmt.Sprintf("%s %s: %s, but %s", e.Method, e.Path, status, e.Problem)
}

// Unwrap gives the cause; nil if there is none.
func (e *ResponseError) Unwrap() error { return e.Err }

// TokenError says that there was no access token, so nothing was sent to the workflow API.
type TokenError struct {
	// Err is the token source's error.
	Err error
}

// Error gives "no access token: cause".
func (e *TokenError) Error() string { return fmt.Sprintf("no access token: %v", e.Err) }

// Unwrap gives the token source's error.
func (e *TokenError) Unwrap() error { return e.Err }

// Problem is one fault of a request or of a setting.
type Problem struct {
	// Field is the field or option at fault, as its user writes it.
	Field string
	// Message says what is wrong and what to write instead.
	Message string
}

// RequestError is a request that is not sent because it cannot be right. It names every fault at once.
type RequestError struct {
	// Problems are the faults, in the order of the fields; at least one.
	Problems []Problem
}

// Error lists all the faults.
func (e *RequestError) Error() string { return "invalid request: " + listProblems(e.Problems) }

// ConfigError is what New and NewClientCredentials say to settings that cannot work. It names every fault at once.
type ConfigError struct {
	// Problems are the faults; at least one.
	Problems []Problem
}

// Error lists all the faults.
func (e *ConfigError) Error() string { return "invalid client settings: " + listProblems(e.Problems) }

func listProblems(ps []Problem) string {
	texts := make([]string, len(ps))
	for i, p := range ps {
		texts[i] = p.Field + " " + p.Message
	}
	return strings.Join(texts, "; ")
}
