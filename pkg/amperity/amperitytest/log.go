package amperitytest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxRequests is how many requests the log keeps. It drops the oldest first.
const maxRequests = 10_000

// Started is one run that really started, whatever happened to the response. It
// has what Amperity's own responses lack: the config id and the range.
type Started struct {
	ID        string `json:"id"`
	ConfigID  string `json:"config_id"`
	RangeFrom string `json:"range_from,omitempty"` // as sent
	RangeTo   string `json:"range_to,omitempty"`   // as sent
	RunMode   string `json:"run_mode,omitempty"`   // as sent
	// At is when the POST was processed.
	At time.Time `json:"at"`
	// CreatedAt is the run's created_at. It is after At for a run that a
	// fault delayed.
	CreatedAt time.Time `json:"created_at"`
	Principal string    `json:"principal"` // principal_id
}

// Runs returns the log of the started runs, oldest first.
func (s *Server) Runs() []Started {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.started)
}

// Forget drops the runs that were created before a time and have ended. Lists
// and reads no longer show them. [Server.Runs] still has them.
func (s *Server) Forget(before time.Time) {
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = slices.DeleteFunc(s.runs, func(r *run) bool { return r.createdAt.Before(before) && r.over(now) })
}

// Request is one request that reached the server, without its token. It has the
// names of the headers alone, and nothing of the token endpoint's form.
// Anywhere else "[redacted]" replaces the bearer token, accepted tokens and the
// secrets of clients.
type Request struct {
	At     time.Time `json:"at"`
	Method string    `json:"method"`
	Path   string    `json:"path"` // with the base path
	Query  string    `json:"query,omitempty"`
	Header []string  `json:"header"` // names, in canonical form, sorted
	Body   string    `json:"body,omitempty"`
	Status int       `json:"status"`          // of the response; 0 if none was sent yet
	Fault  Kind      `json:"fault,omitempty"` // the fault that hit the request
}

// Requests returns the log of the requests, oldest first. It holds at most the
// newest 10,000. Connections that were refused or dropped are not in it.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	rs := make([]Request, len(s.requests))
	for i, r := range s.requests {
		rs[i] = *r
		rs[i].Header = slices.Clone(r.Header)
	}
	return rs
}

// record adds the log entry of a request.
func (s *Server) record(c *call) *Request {
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	scrub := s.scrubber(c)
	r := &Request{
		At: now, Method: c.Method, Path: scrub.Replace(c.URL.Path), Query: scrub.Replace(c.URL.RawQuery),
		Header: make([]string, 0, len(c.Header)),
	}
	for name := range c.Header {
		r.Header = append(r.Header, scrub.Replace(name))
	}
	slices.Sort(r.Header)
	if !strings.HasSuffix(c.URL.Path, tokenPath) {
		r.Body = scrub.Replace(string(c.body))
	}
	if len(s.requests) >= maxRequests {
		s.requests = slices.Delete(s.requests, 0, 1)
	}
	s.requests = append(s.requests, r)
	return r
}

// scrubber returns a replacer of all secrets that the server knows. The caller
// holds s.mu.
func (s *Server) scrubber(c *call) *strings.Replacer {
	var pairs []string
	hide := func(secret string) {
		if secret != "" {
			pairs = append(pairs, secret, "[redacted]")
		}
	}
	authorization := c.Header.Get("Authorization")
	_, bearer, _ := strings.Cut(authorization, " ")
	hide(authorization)
	hide(bearer)
	for _, g := range s.accepted {
		hide(g.value.Reveal())
	}
	for _, cl := range s.cfg.Clients {
		hide(cl.Secret.Reveal())
	}
	return strings.NewReplacer(pairs...)
}

// finish records the status of the response before it is sent.
func (s *Server) finish(entry *Request, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry.Status = status
}

// aim returns the config id by which faults match a request: the one that a
// POST names, or that of the run in the path.
func (s *Server) aim(c *call) string {
	rel, _ := strings.CutPrefix(c.URL.Path, s.cfg.BasePath)
	if rel == runsPath && c.Method == http.MethodPost {
		var body struct {
			ConfigID string `json:"config_id"`
		}
		// A body other than JSON has no config id.
		_ = json.Unmarshal(c.body, &body)
		return body.ConfigID
	}
	if id, found := runID(rel); found {
		id = strings.TrimSuffix(id, "/stop")
		for _, r := range s.runs {
			if r.id == id {
				return r.configID
			}
		}
	}
	return ""
}
