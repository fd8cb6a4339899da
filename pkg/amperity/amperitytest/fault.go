package amperitytest

import (
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"time"
)

// Kind is what a [Fault] does.
type Kind string

// The kinds of faults. Each but Refuse, Drop and Truncate comes in two forms:
// the request was not processed, or with Fault.Applied it was and its answer is
// lost. To the client the two look the same.
const (
	// Status answers Fault.Status, with Fault.Header and Fault.Body.
	Status Kind = "status"
	// Slow waits for Fault.Delay, and then answers as ever. Applied says on
	// which side of the wait the request is processed.
	Slow Kind = "slow"
	// Hang answers nothing, until the client goes away or the server closes.
	Hang Kind = "hang"
	// Reset reads the request and resets the connection.
	Reset Kind = "reset"
	// Truncate processes the request and sends half the answer's body.
	Truncate Kind = "truncate"
	// NotJSON answers a page of HTML (or Fault.Body), as a proxy would. The
	// status is Fault.Status; default: 200, or if applied the answer's own.
	NotJSON Kind = "not-json"
	// Redirect answers 307 with the request's own address, or with what
	// Fault.Header says as Location. A client that follows it sends its
	// request again.
	Redirect Kind = "redirect"
	// Drop resets a new connection before anything is read from it. Nth and
	// Times count connections; nothing else can be matched.
	Drop Kind = "drop"
	// Refuse closes the listening socket for Fault.Delay, at once, so that
	// connections are refused. See [Server.StopListening] for a test that has
	// its own idea of how long.
	Refuse Kind = "refuse"
)

// Fault makes requests fail. Its first fields say which, the others how. It has
// a JSON form, in which durations are text such as "1.5s".
type Fault struct {
	// Method of the requests, for example "POST"; empty: any.
	Method string
	// PathSuffix is how their path ends, for example "/workflow/runs"; empty:
	// any path, the token endpoint's too.
	PathSuffix string
	// ConfigID is what a POST starts, or what the run in the path is a run of;
	// empty: any.
	ConfigID string
	// Nth is the first matching request that meets the fault; default 1, the
	// next one. Requests that met an earlier fault do not count.
	Nth int
	// Times is how many requests meet it from then on; default 1, below 0: all.
	Times int

	// Kind is what happens. Required.
	Kind Kind
	// Applied: the request is processed, and the answer is lost.
	Applied bool
	// Status is the answer's status, 200 to 599.
	Status int
	// Header is added to the answer, for example Retry-After.
	Header map[string]string
	// Body is the answer's body; default: the documented error body.
	Body string
	// Delay is waited for before the fault shows, and after the request was
	// processed, if it is. With Refuse, how long connections are refused.
	Delay time.Duration
	// Late makes the run that the request starts be created so much later: it
	// can be found only then. Only for faults that are applied.
	Late time.Duration
}

// applied reports whether the request is processed in spite of the fault.
func (f Fault) applied() bool { return f.Applied || f.Kind == Truncate }

// matchesAny reports whether no field narrows the requests down.
func (f Fault) matchesAny() bool { return f.Method == "" && f.PathSuffix == "" && f.ConfigID == "" }

func (f Fault) matches(c *call, configID string) bool {
	return (f.Method == "" || strings.EqualFold(f.Method, c.Method)) &&
		strings.HasSuffix(c.URL.Path, f.PathSuffix) &&
		(f.ConfigID == "" || f.ConfigID == configID)
}

// Validate gives nil or a [*ConfigError] with all that is wrong in the fault.
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

// meet counts a request that matches, and reports whether it meets the fault.
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

// Fault adds faults. A request meets at most one: the first, in the order in
// which they were added, that matches it and is not used up. The error is a
// [*ConfigError]; then none was added.
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

// FaultRandomly lets each request that meets no other fault meet one of these
// with probability p, from 0 to 1. Which ones do depends only on Config.Seed,
// the request's method, path and config id, and on how many such requests there
// were: not on how the requests of several goroutines interleave. It replaces
// what an earlier call asked for; p = 0 ends it. The error is a [*ConfigError],
// and changes nothing.
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

// ClearFaults takes all faults back, random ones too, but for those that
// requests have met already.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.random = nil, nil
}

// takeFault gives the fault that a request meets, if any.
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
