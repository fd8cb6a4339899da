package amperitytest

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

const (
	apiVersion = "2024-04-01"
	runsPath   = "/workflow/runs"
	tokenPath  = "/v0/oauth2/token" // #nosec G101 -- a path

	// maxBody is the most bytes of a request body that the server reads.
	maxBody = 1 << 20
)

// call is one request, read whole.
type call struct {
	*http.Request
	body  []byte
	query url.Values
	// late delays the creation of the run that the call starts.
	late time.Duration
	// who is set after the token was accepted.
	who grant
}

// endpoint is a method of a path.
type endpoint struct {
	open   bool     // needs no version, token and tenant
	params []string // query parameters
	do     func(*call) answer
}

// ServeHTTP answers a request of the API, with the faults that apply to it. It
// is exported so that a Server can also stand behind a test's own listener.
// Faults that reset connections then need a server of net/http.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Control && strings.HasPrefix(r.URL.Path, controlPath) {
		s.control(w, r)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		// The client left, or does not speak HTTP.
		panic(http.ErrAbortHandler)
	}
	c := &call{Request: r, body: body}
	c.query, err = url.ParseQuery(r.URL.RawQuery)
	badQuery := err != nil

	entry := s.record(c)
	fault := s.takeFault(c)
	if fault != nil {
		c.late = fault.Late
	}
	s.perform(w, c, entry, fault, func() answer {
		a := s.answer(c, badQuery)
		if s.cfg.Deprecation != "" {
			a = a.with("Deprecation", s.cfg.Deprecation)
		}
		if s.cfg.Sunset != "" {
			a = a.with("Sunset", s.cfg.Sunset)
		}
		return a
	})
}

// answer performs a request.
func (s *Server) answer(c *call, badQuery bool) answer {
	if wait := s.admit(s.cfg.Now()); wait > 0 {
		return problemf(http.StatusTooManyRequests, "more than %d requests in a second", s.cfg.RateLimit).
			with("Retry-After", retryAfter(wait))
	}
	methods := s.endpoints(c.URL.EscapedPath())
	if methods == nil {
		return problemf(http.StatusNotFound, "no such endpoint: %s", c.URL.Path)
	}
	e, found := methods[c.Method]
	if !found {
		return problemf(http.StatusMethodNotAllowed, "%s does not take %s", c.URL.Path, c.Method).
			with("Allow", strings.Join(slices.Sorted(maps.Keys(methods)), ", "))
	}
	if !e.open {
		if a := s.authenticate(c); a.status != 0 {
			return a
		}
	}
	if badQuery {
		return problemf(http.StatusBadRequest, "the query string is malformed")
	}
	for _, name := range slices.Sorted(maps.Keys(c.query)) {
		values := c.query[name]
		if !slices.Contains(e.params, name) && (e.open || name != "api_version") {
			return problemf(http.StatusBadRequest, "unknown query parameter %q", name)
		}
		if len(values) > 1 {
			return problemf(http.StatusBadRequest, "the query parameter %q is given %d times", name, len(values))
		}
	}
	if len(c.body) > maxBody {
		return problemf(http.StatusBadRequest, "the body is larger than %d bytes", maxBody)
	}
	return e.do(c)
}

// endpoints returns the methods of a path, or nil if the API has no such path.
func (s *Server) endpoints(path string) map[string]endpoint {
	rel, found := strings.CutPrefix(path, s.cfg.BasePath)
	if !found {
		return nil
	}
	switch rel {
	case tokenPath:
		return map[string]endpoint{http.MethodPost: {open: true, do: s.fetchToken}}
	case runsPath:
		return map[string]endpoint{
			http.MethodGet:  {params: listParams(), do: s.list},
			http.MethodPost: {do: s.start},
		}
	}
	id, found := runID(rel)
	if !found {
		return nil
	}
	if id, found := strings.CutSuffix(id, "/stop"); found && !strings.Contains(id, "/") {
		return map[string]endpoint{http.MethodPost: {do: func(c *call) answer { return s.stopRun(c, id) }}}
	}
	if strings.Contains(id, "/") {
		return nil
	}
	return map[string]endpoint{http.MethodGet: {params: []string{"view"}, do: func(c *call) answer { return s.get(c, id) }}}
}

// runID returns the part after /workflow/runs/, if there is any.
func runID(rel string) (string, bool) {
	id, found := strings.CutPrefix(rel, runsPath+"/")
	return id, found && id != "" && id != "/stop"
}

// authenticate checks version, token and tenant, and records in the call whose
// token it is. The zero answer means that all are valid.
func (s *Server) authenticate(c *call) answer {
	if a := s.checkVersion(c); a.status != 0 {
		return a
	}
	scheme, value, _ := strings.Cut(c.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || value == "" {
		return problemf(http.StatusUnauthorized, "the header Authorization: Bearer is missing")
	}
	who, known := s.lookUp(amperity.NewToken(value))
	if !known {
		return problemf(http.StatusUnauthorized, "the access token is not valid")
	}
	if !who.expires.IsZero() && !s.cfg.Now().Before(who.expires) {
		return problemf(http.StatusUnauthorized, "the access token has expired")
	}
	switch tenant := c.Header.Get("Amperity-Tenant"); tenant {
	case "":
		return problemf(http.StatusBadRequest, "the header amperity-tenant is missing")
	case s.cfg.Tenant:
	default:
		return problemf(http.StatusForbidden, "the access token is not one of the tenant %q", tenant)
	}
	c.who = who
	return answer{}
}

func (s *Server) lookUp(token amperity.Token) (grant, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.accepted {
		if g.value.Equal(token) {
			return g, true
		}
	}
	return grant{}, false
}

func (s *Server) checkVersion(c *call) answer {
	inHeader, inQuery := c.Header.Get("Api-Version"), c.query.Get("api_version")
	version := inHeader
	if version == "" {
		version = inQuery
	}
	switch {
	case version == "":
		return problemf(http.StatusBadRequest, "the header api-version is missing")
	case inQuery != "" && inQuery != version:
		return problemf(http.StatusBadRequest, "api-version is %q and api_version is %q", inHeader, inQuery)
	case slices.Contains(s.cfg.RetiredVersions, version):
		return problemf(http.StatusBadRequest, "the api-version %q is no longer supported", version)
	case version != apiVersion:
		return problemf(http.StatusUnauthorized, "there is no api-version %q", version)
	}
	return answer{}
}
