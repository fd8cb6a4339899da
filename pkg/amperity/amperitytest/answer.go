package amperitytest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// answer is the response to a request.
type answer struct {
	status  int
	header  http.Header
	value   any    // the JSON body of a success
	message string // in the documented error body
	code    string // "error" of RFC 6749, in errors of the token endpoint
	raw     []byte // the whole body, instead of the others
}

func ok(status int, value any) answer { return answer{status: status, value: value} }

// problemf returns a response other than success, with the documented error
// body.
func problemf(status int, format string, args ...any) answer {
	return answer{status: status, message: fmt.Sprintf(format, args...)}
}

func (a answer) with(header, value string) answer {
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set(header, value)
	return a
}

// errorBody is the documented body of a response other than success.
type errorBody struct {
	Error     string `json:"error,omitempty"`
	Status    int    `json:"status"`
	Message   string `json:"message"`
	RequestID string `json:"request_id"`
	TraceID   string `json:"trace_id"`
}

// encode returns the body of the response.
func (s *Server) encode(a answer) []byte {
	if a.raw != nil {
		return a.raw
	}
	v := a.value
	if v == nil {
		s.mu.Lock()
		v = errorBody{Error: a.code, Status: a.status, Message: a.message,
			RequestID: s.newHex(), TraceID: s.newHex()}
		s.mu.Unlock()
	}
	body, err := json.Marshal(v)
	if err != nil {
		// Only structs of this package, with strings and numbers, get
		// here.
		panic(err)
	}
	return body
}

// send writes the response. keep returns how many bytes of the body it sends.
// If those are not all, the connection ends there.
func (s *Server) send(w http.ResponseWriter, a answer, keep func(length int) int) {
	body := s.encode(a)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	for name, values := range a.header {
		h[name] = values
	}
	h.Set("Content-Length", itoa(len(body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(body[:keep(len(body))])
}

func all(length int) int  { return length }
func half(length int) int { return length / 2 }

func itoa(n int) string { return strconv.Itoa(n) }
