package amperity

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// The sentinel errors, for errors.Is. Each stands for one thing that a caller
// can do. An error is at most one of ErrRejected, ErrUnauthorized, ErrConflict
// and ErrRateLimited.
var (
	// ErrRejected is a final refusal: any 4xx but 401, 408, 409, 429 and
	// 499. Change the request before sending it again.
	ErrRejected = errors.New("rejected by the Amperity API")
	// ErrUnauthorized means that no token is accepted. It is a 401 that a
	// fresh token, if the source had one, did not cure. It is also a token
	// that cannot be sent, or a token source whose own credentials were
	// refused. Nothing was processed. Renew the token.
	ErrUnauthorized = errors.New("the Amperity API does not accept the token")
	// ErrConflict is a 409: the request conflicts with the present state.
	// For StartRun another run may be in the way, and an earlier copy of
	// the same request may have started it. For StopRun the run may have
	// ended.
	ErrConflict = errors.New("in conflict with what is running in Amperity")
	// ErrRateLimited is a 429. Nothing was processed. Send the request
	// again after APIError.RetryAfter.
	ErrRateLimited = errors.New("too many requests to the Amperity API")
	// ErrNotFound is a 404. The tenant has no such id, or the base URL is
	// not that of an Amperity API. The error is ErrRejected too.
	ErrNotFound = errors.New("not found in Amperity")
)

// APIError is a response with a status other than 2xx.
type APIError struct {
	// Method and Path are those of the request. The path is relative to the
	// base URL, and has no query.
	Method, Path string
	// Status is the HTTP status.
	Status int
	// Message is the message of the API, or an excerpt of a body other than
	// the documented one. It is one line of bounded length, never contains
	// the token, and may be empty.
	Message string
	// RequestID and TraceID are for Amperity's support. Both may be empty.
	RequestID, TraceID string
	// RetryAfter is how long the API asks the caller to wait, at most an
	// hour. It is zero if the API does not ask for a wait.
	RetryAfter time.Duration
	// Hint is what an operator can do about the error. It may be empty.
	Hint string

	// credentials marks the response of a token endpoint that refused the
	// credentials.
	credentials bool
}

// Error returns "POST /workflow/runs: 400 Bad Request: message (request id …,
// trace id …); hint".
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

// Is reports whether the response is target, one of the sentinel errors.
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

// statusClientClosed is the status of some proxies whose server did not respond
// in time.
const statusClientClosed = 499

// isRejection reports whether a status is a final refusal of the request.
func isRejection(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusConflict, http.StatusTooManyRequests,
		http.StatusRequestTimeout, statusClientClosed:
		return false
	}
	return status >= 400 && status <= 499
}

// TransportError is a request without a response: no connection, a broken
// connection, or a deadline. Its cause is in its tree: errors.Is finds
// context.Canceled and context.DeadlineExceeded.
type TransportError struct {
	// Method and Path are those of the request. The path is relative to the
	// base URL, and has no query.
	Method, Path string
	// MayHaveBeenSent is false if the API certainly did not receive the
	// whole request. Then there was no address, no connection or no TLS
	// session, or the headers could not be written.
	MayHaveBeenSent bool
	// Err is the cause.
	Err error
}

// Error returns "POST /workflow/runs: not sent: cause", or "…: no answer, but
// it may have been processed: cause".
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

// Unwrap returns the cause.
func (e *TransportError) Unwrap() error { return e.Err }

// ResponseError is a response with a 2xx status that is not the documented one:
// half a body, a body other than JSON, a run without an id, a list without
// "data". After a POST the request may have been processed.
type ResponseError struct {
	// Method and Path are those of the request. The path is relative to the
	// base URL, and has no query.
	Method, Path string
	// Status is the HTTP status.
	Status int
	// Problem is what is wrong with the response. It is one line of bounded
	// length, and never contains the token.
	Problem string
	// Err is why reading the body failed, or nil.
	Err error
}

// Error returns "POST /workflow/runs: 200 OK, but problem".
func (e *ResponseError) Error() string {
	status := fmt.Sprint(e.Status)
	if text := http.StatusText(e.Status); text != "" {
		status += " " + text
	}
	return fmt.Sprintf("%s %s: %s, but %s", e.Method, e.Path, status, e.Problem)
}

// Unwrap returns the cause, or nil.
func (e *ResponseError) Unwrap() error { return e.Err }

// TokenError means that there was no access token. Nothing was sent to the
// workflow API.
type TokenError struct {
	// Err is the error of the token source.
	Err error
}

// Error returns "no access token: cause".
func (e *TokenError) Error() string { return fmt.Sprintf("no access token: %v", e.Err) }

// Unwrap returns the error of the token source.
func (e *TokenError) Unwrap() error { return e.Err }

// Problem is one fault of a request or of a setting.
type Problem struct {
	// Field is the field or the option at fault, in the user's spelling.
	Field string
	// Message is what is wrong, and what to write instead.
	Message string
}

// RequestError is an invalid request, which the client does not send. It names
// every fault.
type RequestError struct {
	// Problems are the faults, at least one, in the order of the fields.
	Problems []Problem
}

// Error lists all faults.
func (e *RequestError) Error() string { return "invalid request: " + listProblems(e.Problems) }

// ConfigError is the error of New and of NewClientCredentials for invalid
// settings. It names every fault.
type ConfigError struct {
	// Problems are the faults, at least one.
	Problems []Problem
}

// Error lists all faults.
func (e *ConfigError) Error() string { return "invalid client settings: " + listProblems(e.Problems) }

func listProblems(ps []Problem) string {
	texts := make([]string, len(ps))
	for i, p := range ps {
		texts[i] = p.Field + " " + p.Message
	}
	return strings.Join(texts, "; ")
}
