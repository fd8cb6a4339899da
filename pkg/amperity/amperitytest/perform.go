package amperitytest

import (
	"context"
	"net/http"
	"time"
)

const notJSON = "<html><body>This is not the API.</body></html>\n"

// perform answers a request with the fault that hits it. process performs the
// request.
func (s *Server) perform(w http.ResponseWriter, c *call, entry *Request, f *Fault, process func() answer) {
	if f == nil {
		a := process()
		s.finish(entry, a.status)
		s.send(w, a, all)
		return
	}
	s.mu.Lock()
	entry.Fault = f.Kind
	s.mu.Unlock()

	var a answer
	if f.applied() {
		a = process()
	}
	if f.Delay > 0 && !s.wait(c.Context(), f.Delay) {
		breakOff(w)
		return
	}
	keep := all
	switch f.Kind {
	case Hang:
		select {
		case <-c.Context().Done():
		case <-s.done:
		}
		breakOff(w)
		return
	case Reset:
		breakOff(w)
		return
	case Slow:
		if !f.applied() {
			a = process()
		}
	case Truncate:
		keep = half
	case Status:
		a = problemf(f.Status, "a fault on demand: %d %s", f.Status, http.StatusText(f.Status))
		if f.Body != "" {
			a.raw = []byte(f.Body)
		}
	case NotJSON:
		status := a.status
		if status == 0 {
			status = http.StatusOK
		}
		if f.Status != 0 {
			status = f.Status
		}
		a = answer{status: status, raw: []byte(notJSON)}.with("Content-Type", "text/html; charset=utf-8")
		if f.Body != "" {
			a.raw = []byte(f.Body)
		}
	case Redirect:
		a = problemf(http.StatusTemporaryRedirect, "a fault on demand: look elsewhere").
			with("Location", s.origin()+c.URL.RequestURI())
	}
	for name, value := range f.Header {
		a = a.with(name, value)
	}
	s.finish(entry, a.status)
	s.send(w, a, keep)
}

// wait waits for d. It reports whether the client and the server are still
// there.
func (s *Server) wait(client context.Context, d time.Duration) bool {
	ctx, cancel := context.WithCancel(client)
	defer cancel()
	defer context.AfterFunc(s.running, cancel)()
	return s.cfg.Sleep(ctx, d) == nil
}

// breakOff resets the request's connection.
func breakOff(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		// Only a connection of net/http's server can be hijacked. Any
		// other server aborts the handler.
		panic(http.ErrAbortHandler)
	}
	reset(conn)
}

// refuse refuses connections for d, starting now.
func (s *Server) refuse(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running.Err() != nil {
		return // Close may be waiting already, so add nothing to s.serving
	}
	s.StopListening()
	s.serving.Go(func() {
		// If another program has taken the port, try again later: there
		// is no caller left to receive the error.
		for s.wait(context.Background(), d) && s.Listen() != nil {
		}
	})
}
