package amperity

import "net/http"

// NotProcessed reports whether err proves that Amperity did not process a
// request. Only then is it safe to send StartRun again: the API has no
// idempotency key, and the same request sent twice starts two runs.
//
//	if amperity.NotProcessed(err) {
//		// Send the request again.
//	}
//
// It is true if the request was invalid ([RequestError]), if there was no
// token ([TokenError]), if the request did not reach Amperity
// ([TransportError] with MayHaveBeenSent false), and for most responses with a
// 4xx status.
//
// It is false in every other case:
//
//   - a 3xx, a 5xx, a broken connection, a deadline, an unreadable response;
//   - 408 and 499, which a proxy may send after it forwarded the request;
//   - 409, because an earlier copy of the same request may have caused the
//     conflict: the run in the way may be the one that the copy started;
//   - nil, and any error that is not one of this package's.
func NotProcessed(err error) bool {
	not, known := notProcessed(err)
	return not && known
}

// notProcessed judges the outermost error of this package in the tree. known
// is false if the tree has none.
func notProcessed(err error) (not, known bool) {
	switch e := err.(type) {
	case *RequestError, *ConfigError, *TokenError:
		return true, true
	case *TransportError:
		return !e.MayHaveBeenSent, true
	case *ResponseError:
		return false, true
	case *APIError:
		return isRejection(e.Status) || e.Status == http.StatusUnauthorized || e.Status == http.StatusTooManyRequests, true
	case interface{ Unwrap() error }:
		return notProcessed(e.Unwrap())
	case interface{ Unwrap() []error }:
		not = true
		for _, cause := range e.Unwrap() {
			n, k := notProcessed(cause)
			known = known || k
			not = not && (n || !k)
		}
		return not && known, known
	}
	return false, false
}
