package amperity

import "net/http"

// MayHaveBeenProcessed answers, for the error of a request that changes something (StartRun, StopRun), whether Amperity
// may have processed it all the same. Only where it answers false is it safe to send the request again: StartRun has
// no idempotency key, so that the same call twice starts two runs.
//
// False: the request was not valid (RequestError), there was no token (TokenError), there was no connection, no
// address, no TLS session, or the API said no: 401, 409, 429 and every other 4xx but 408 and 499, which may come from
// a proxy that gave up waiting.
//
// True: everything else, 3xx, 5xx, a broken connection, a deadline, half an answer and errors that are not of this
// package; and nil, because a request without an error was processed.
func MayHaveBeenProcessed(err error) bool {
	may, known := processed(err)
	return may || !known
}

// processed gives the verdict of the outermost error of this package in the tree; known is false without one.
func processed(err error) (may, known bool) {
	switch e := err.(type) {
	case nil:
		return true, false
	case *RequestError, *ConfigError, *TokenError:
		return false, true
	case *TransportError:
		return e.MayHaveBeenSent, true
	case *ResponseError:
		return true, true
	case *APIError:
		refused := e.Status >= 400 && e.Status <= 499 &&
			e.Status != http.StatusRequestTimeout && e.Status != statusClientClosed
		return !refused, true
	case interface{ Unwrap() error }:
		return processed(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, cause := range e.Unwrap() {
			m, k := processed(cause)
			known = known || k
			may = may || m && k
		}
		return may, known
	}
	return true, false
}
