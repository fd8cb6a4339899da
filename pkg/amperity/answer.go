package amperity

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxRetryAfter is the longest wait that APIError.RetryAfter reports.
const maxRetryAfter = time.Hour

// apiError returns the error of a response other than 2xx. The documented body
// is {"status":400,"message":"…","request_id":"…","trace_id":"…"} (Amperity API
// reference, "Errors"). A proxy's page, or no body, makes a usable error too.
func (r request) apiError(a *answer) *APIError {
	e := &APIError{
		Method:     r.method,
		Path:       r.path,
		Status:     a.status,
		RetryAfter: parseRetryAfter(a.header),
	}
	if a.status >= 300 && a.status <= 399 {
		e.Message = redirectMessage(a.header.Get("Location"), r.scrub)
		return e
	}
	var fields object
	if isObject(a.body) && json.Unmarshal(a.body, &fields) == nil {
		e.Message = r.scrub.clean(fields.text("message"), maxMessage)
		if e.Message == "" { // RFC 6749, section 5.2: the error of a token endpoint
			e.Message = r.scrub.clean(fields.text("error")+" "+fields.text("error_description"), maxMessage)
		}
		e.RequestID = r.scrub.clean(fields.text("request_id"), maxID)
		e.TraceID = r.scrub.clean(fields.text("trace_id"), maxID)
	}
	if e.Message == "" {
		e.Message = r.scrub.clean(string(a.body), maxExcerpt)
	}
	return e
}

// redirectMessage names the host to which a response redirects. The client does
// not send its token there.
func redirectMessage(location string, scrub scrubber) string {
	if u, err := url.Parse(location); err == nil && u.Host != "" {
		return fmt.Sprintf("redirected to the host %s, not followed", scrub.clean(u.Host, maxID))
	}
	return "redirected, not followed"
}

// parseRetryAfter reads the Retry-After header, which holds seconds or a date
// (RFC 9110, section 10.2.3). It returns a wait from zero to maxRetryAfter. It
// is zero if the header is missing, malformed, negative or in the past.
//
// A date is compared with the response's own Date header, so that the clock of
// this machine does not matter. Without a Date header the wait is zero.
func parseRetryAfter(h http.Header) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789") == "" {
		var seconds time.Duration
		for _, digit := range value {
			if seconds = seconds*10 + time.Duration(digit-'0')*time.Second; seconds > maxRetryAfter {
				return maxRetryAfter
			}
		}
		return seconds
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	from, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return min(max(at.Sub(from), 0), maxRetryAfter)
}

// problemf returns the error of a 2xx response other than the documented one.
func (r request) problemf(a *answer, format string, args ...any) *ResponseError {
	return &ResponseError{
		Method: r.method, Path: r.path, Status: a.status, Err: a.broken,
		Problem: fmt.Sprintf(format, args...),
	}
}

// excerpt returns the beginning of a body for a message. It returns nothing if
// the body may hold a secret that the scrubber does not know.
func (r request) excerpt(a *answer) string {
	if r.private {
		return ""
	}
	return fmt.Sprintf("; it begins %q", r.scrub.clean(string(a.body), maxExcerpt))
}

// checkBody returns an error unless the body of a 2xx response is one whole
// JSON object.
func (r request) checkBody(a *answer) error {
	switch {
	case a.broken != nil:
		return r.problemf(a, "the answer broke off after %d bytes: %v", len(a.body), a.broken)
	case a.long:
		return r.problemf(a, "the answer is longer than %d MiB", maxBody>>20)
	case len(a.body) == 0:
		return r.problemf(a, "the answer is empty")
	case !json.Valid(a.body):
		return r.problemf(a, "the answer is not JSON%s", r.excerpt(a))
	case !isObject(a.body):
		return r.problemf(a, "the answer is not a JSON object%s", r.excerpt(a))
	}
	return nil
}

// run decodes the response of an endpoint that returns a Workflow.
func (r request) run(a *answer) (*Run, error) {
	if err := r.checkBody(a); err != nil {
		return nil, err
	}
	run := new(Run)
	if err := run.UnmarshalJSON(a.body); err != nil || run.ID == "" {
		return nil, r.problemf(a, "the answer is not a run: it has no \"id\"%s", r.excerpt(a))
	}
	return run, nil
}
