package amperitytest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// answer is what a request is answered with.
type answer struct {
	status  int
	header  http.Header
	value   any    // JSON body of a success
	message string // of the documented error body
	code    string // "error" of RFC 6749, of the token endpoint's errors
	raw     []byte // the whole body, where it is none of these
}

func ok(status int, value any) answer { return answer{status: status, value: value} }

// problemf is an answer other than success, in the documented error body.
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

// errorBody is the documented body of an answer other than success.
type errorBody struct {
	Error     string `json:"error,omitempty"`
	Status    int    `json:"status"`
	Message   string `json:"message"`
	RequestID string `json:"request_id"`
	TraceID   string `json:"trace_id"`
}

// encode gives the answer's body.
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
		// Only this package's own structs of strings and numbers come here.
		panic(err)
	}
	return body
}

// send writes the answer; of its body, only so many bytes as keep gives of its
// length. If that is not all, the connection ends there.
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
