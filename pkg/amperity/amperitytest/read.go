package amperitytest

import (
	"net/http"
	"time"
)

// find returns a run that exists by now. The caller holds s.mu.
func (s *Server) find(id string, now time.Time) (*run, answer) {
	for _, r := range s.runs {
		if r.id == id && r.exists(now) {
			return r, answer{}
		}
	}
	return nil, problemf(http.StatusNotFound, "there is no workflow %q", id)
}

// get is GET /workflow/runs/{id}.
func (s *Server) get(c *call, id string) answer {
	view := "overview"
	if c.query.Has("view") {
		view = c.query.Get("view")
	}
	if view != "overview" && view != "verbose" {
		return problemf(http.StatusBadRequest, "view %q is neither overview nor verbose", view)
	}
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	r, bad := s.find(id, now)
	if r == nil {
		return bad
	}
	if view == "verbose" {
		return ok(http.StatusOK, r.whole(now))
	}
	return ok(http.StatusOK, r.overview(now))
}

// stopRun is POST /workflow/runs/{id}/stop.
func (s *Server) stopRun(c *call, id string) answer {
	if len(c.body) > 0 {
		return problemf(http.StatusBadRequest, "this endpoint takes no body")
	}
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	r, bad := s.find(id, now)
	if r == nil {
		return bad
	}
	if state, ended := r.state(now); !ended.IsZero() {
		return problemf(http.StatusConflict, "%s is over: it has %s", id, state)
	}
	if r.stopped.IsZero() {
		r.stopped = now
	}
	return ok(http.StatusOK, r.whole(now))
}
