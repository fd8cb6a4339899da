package amperitytest

import (
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"time"
)

// Kind is the effect of a [Fault].
type Kind string

// The kinds of faults. Each but Refuse, Drop and Truncate has two forms. In one
// the request is not processed. In the other, with Fault.Applied, it is
// processed and the response is lost. The client cannot tell the two apart.
const (
	// Status answers Fault.Status, with Fault.Header and Fault.Body.
	Status Kind = "status"
	// Slow waits for Fault.Delay, and then answers normally. With Applied
	// the server processes the request before the wait, otherwise after it.
	Slow Kind = "slow"
	// Hang never answers. It ends when the client leaves or the server
	// closes.
	Hang Kind = "hang"
	// Reset reads the request and resets the connection.
	Reset Kind = "reset"
	// Truncate processes the request and sends half of the response's body.
	Truncate Kind = "truncate"
	// NotJSON answers a page of HTML (or Fault.Body), as a proxy would. The
	// status is Fault.Status. By default it is 200 or, with Applied, the
	// response's own.
	NotJSON Kind = "not-json"
	// Redirect answers 307. The Location is the request's own address, or
	// the one in Fault.Header. A client that follows it sends its request
	// again.
	Redirect Kind = "redirect"
	// Drop resets a new connection before anything is read from it. Nth and
	// Times count connections. No other field can match.
	Drop Kind = "drop"
	// Refuse closes the listening socket immediately and for Fault.Delay,
	// so that connections are refused. Use [Server.StopListening] in a test
	// that ends it itself.
	Refuse Kind = "refuse"
)

// Fault makes requests fail. The fields before Kind select the requests. The
// others describe the failure. In the JSON form of a Fault, durations are
// strings such as "1.5s".
type Fault struct {
	// Method is the method of the requests, for example "POST". Empty means
	// any.
	Method string
	// PathSuffix is the end of their path, for example "/workflow/runs".
	// Empty means any path, the token endpoint's included.
	PathSuffix string
	// ConfigID is the config id that a POST starts, or that of the run in
	// the path. Empty means any.
	ConfigID string
	// Nth is the first matching request that the fault hits. The default is
	// 1, the next one. Requests that an earlier fault hit do not count.
	Nth int
	// Times is how many requests the fault hits from then on. The default
	// is 1. A negative number means all.
	Times int

	// Kind is the effect. Required.
	Kind Kind
	// Applied makes the server process the request and lose the response.
	Applied bool
	// Status is the response's status, 200 to 599.
	Status int
	// Header is added to the response, for example Retry-After.
	Header map[string]string
	// Body is the response's body. The default is the documented error
	// body.
	Body string
	// Delay is the wait before the fault takes effect, after the request is
	// processed (if it is). For Refuse it is how long connections are
	// refused.
	Delay time.Duration
	// Late delays the creation of the run that the request starts, so that
	// lists and reads find it only then. It is only for faults that are
	// applied.
	Late time.Duration
}

// applied reports whether the request is processed despite the fault.
func (f Fault) applied() bool { return f.Applied || f.Kind == Truncate }

// matchesAny reports whether no field narrows down the requests.
func (f Fault) matchesAny() bool { return f.Method == "" && f.PathSuffix == "" && f.ConfigID == "" }

func (f Fault) matches(c *call, configID string) bool {
	return (f.Method == "" || strings.EqualFold(f.Method, c.Method)) &&
		strings.HasSuffix(c.URL.Path, f.PathSuffix) &&
		(f.ConfigID == "" || f.ConfigID == configID)
}

// Validate returns nil, or a [*ConfigError] with every problem of the fault.
func (f Fault) Validate() error {
	e := &ConfigError{What: "Fault"}
	switch f.Kind {
	case Status, Slow, Hang, Reset, Truncate, NotJSON, Redirect, Drop, Refuse:
	default:
		e.problemf("kind %q is none of status, slow, hang, reset, truncate, not-json, redirect, drop, refuse", f.Kind)
	}
	switch {
	case f.Kind != Status && f.Kind != NotJSON && f.Status != 0:
		e.problemf("status is for the kinds status and not-json")
	case (f.Kind == Status || f.Status != 0) && (f.Status < 200 || f.Status > 599):
		e.problemf("status %d is not between 200 and 599", f.Status)
	}
	if f.Body != "" && f.Kind != Status && f.Kind != NotJSON {
		e.problemf("body is for the kinds status and not-json")
	}
	switch {
	case f.Delay < 0:
		e.problemf("delay %v is negative", f.Delay)
	case f.Delay == 0 && (f.Kind == Slow || f.Kind == Refuse):
		e.problemf("kind %s needs a delay", f.Kind)
	}
	switch {
	case f.Late < 0:
		e.problemf("late %v is negative", f.Late)
	case f.Late > 0 && !f.applied():
		e.problemf("late is for faults that are applied")
	}
	if f.Nth < 0 {
		e.problemf("nth %d is negative", f.Nth)
	}
	if (f.Kind == Drop || f.Kind == Refuse) && (!f.matchesAny() || f.Applied) {
		e.problemf("kind %s comes before any request is read: method, path_suffix, config_id and applied do not go with it", f.Kind)
	}
	if f.Kind == Refuse && (f.Nth != 0 || f.Times != 0) {
		e.problemf("kind refuse begins at once: nth and times do not go with it")
	}
	return e.orNil()
}

// armed is a fault that waits for its requests.
type armed struct {
	Fault
	seen int
}

// meet counts a request that matches, and reports whether the fault hits it.
func (a *armed) meet() bool {
	a.seen++
	first := max(a.Nth, 1)
	times := a.Times
	if times == 0 {
		times = 1
	}
	return a.seen >= first && (times < 0 || a.seen < first+times)
}

// randomFaults hit each request with probability p.
type randomFaults struct {
	p      float64
	faults []Fault
	seen   map[string]uint64
}

// Fault adds faults. At most one hits a request: the first, in the order of
// their addition, that matches and is not used up. The error is a
// [*ConfigError]. Then no fault was added.
func (s *Server) Fault(faults ...Fault) error {
	for _, f := range faults {
		if err := f.Validate(); err != nil {
			return err
		}
	}
	for _, f := range faults {
		if f.Kind == Refuse {
			s.refuse(f.Delay)
			continue
		}
		s.mu.Lock()
		s.faults = append(s.faults, &armed{Fault: f})
		s.mu.Unlock()
	}
	return nil
}

// FaultRandomly makes one of these faults hit each request with probability p,
// from 0 to 1, if no other fault hits it.
//
// Config.Seed, the request's method, path and config id, and the number of
// earlier such requests alone determine which requests fail. How requests of
// several goroutines interleave does not matter.
//
// FaultRandomly replaces the faults of an earlier call. p = 0 removes them. The
// error is a [*ConfigError], and changes nothing.
func (s *Server) FaultRandomly(p float64, faults ...Fault) error {
	e := &ConfigError{What: "Fault"}
	if !(p >= 0 && p <= 1) { // NaN is neither
		e.problemf("probability %v is not between 0 and 1", p)
	}
	if p > 0 && len(faults) == 0 {
		e.problemf("probability %v of no fault: give at least one", p)
	}
	for _, f := range faults {
		if err := f.Validate(); err != nil {
			return err
		}
		if f.Kind == Drop || f.Kind == Refuse || f.Nth != 0 || f.Times != 0 {
			e.problemf("a random fault cannot have kind drop or refuse, nth or times")
		}
	}
	if err := e.orNil(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.random = &randomFaults{p: p, faults: faults, seen: map[string]uint64{}}
	return nil
}

// ClearFaults removes all faults, random ones included. Requests that a fault
// has already hit stay affected.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.random = nil, nil
}

// takeFault returns the fault that hits a request, or nil.
func (s *Server) takeFault(c *call) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	configID := s.aim(c)
	for _, a := range s.faults {
		if a.Kind != Drop && a.matches(c, configID) && a.meet() {
			return &a.Fault
		}
	}
	if s.random == nil {
		return nil
	}
	key := c.Method + " " + c.URL.Path + " " + configID
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	draw := rand.New(rand.NewPCG(s.cfg.Seed, h.Sum64()+s.random.seen[key])) // #nosec G404 -- a seed must repeat the faults
	s.random.seen[key]++
	if draw.Float64() >= s.random.p {
		return nil
	}
	f := s.random.faults[draw.IntN(len(s.random.faults))]
	if !f.matches(c, configID) {
		return nil
	}
	return &f
}

// takeDrop reports whether the connection just accepted is to be dropped.
func (s *Server) takeDrop() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.faults {
		if a.Kind == Drop && a.meet() {
			return true
		}
	}
	return false
}
