package sim

import (
	"net/http"
	"time"
)

// chooser chooses the fate of each call.
type chooser interface {
	choose(w *World, p *process, o op) choice
	// lag returns the lag of the index.
	lag(w *World) time.Duration
}

// random lets calls fail at random, until the world is quiet.
type random struct {
	// p is the probability that a call fails.
	p float64
	// freezes: some of the failing calls freeze the process.
	freezes bool
	lags    bool
	// broken is a kind of request to Amperity that always fails in the same way
	// until healed, even if the world is quiet.
	broken string
	how    choice
	healed time.Time
	// slow: requests to Amperity may take seconds.
	slow bool
}

func (r random) lag(w *World) time.Duration {
	if !r.lags || w.chance(0.7) {
		return 0
	}
	return w.between(0, 4*time.Second)
}

func (r random) choose(w *World, p *process, o op) choice {
	c := choice{before: w.between(time.Millisecond, 30*time.Millisecond), after: w.between(time.Millisecond, 30*time.Millisecond)}
	if o.kind == "post" || o.kind == "read" || o.kind == "list" {
		c.before, c.after = w.between(20*time.Millisecond, 400*time.Millisecond), w.between(time.Millisecond, 100*time.Millisecond)
	}
	if w.chance(0.03) {
		c.before = w.between(100*time.Millisecond, 3*time.Second)
	}
	if r.slow {
		r.slower(w, o, &c)
	}
	if o.kind == r.broken && w.now.Before(r.healed) {
		c.fault, c.status = r.how.fault, r.how.status
		return c
	}
	if w.befalls(o, &c) {
		return c
	}
	if !w.now.Before(w.quiet) || !w.chance(r.p) {
		return c
	}
	if w.odd(o, &c) {
		return c
	}
	if r.freezes && w.chance(0.15) {
		d := w.between(10*time.Second, 40*time.Minute)
		if w.chance(0.5) {
			c.freezeBefore = d
		} else {
			c.freezeAfter = d
		}
		return c
	}
	switch o.kind {
	case "post":
		r.post(w, &c)
	case "list":
		r.list(w, &c)
	case "get", "due", "held":
		c.fault = []fault{failBefore, failBefore, dieBefore, dieAfter, slowBefore}[w.pick(5)]
	case "read":
		c.fault = []fault{failBefore, failAfter, dieBefore, dieAfter, slowBefore}[w.pick(5)]
		if w.chance(0.4) {
			c.fault, c.status = none, []int{429, 500, 503}[w.pick(3)]
		}
	case "bus":
		c.fault = []fault{failBefore, failAfter, dieBefore, dieAfter, slowAfter}[w.pick(5)]
	default:
		c.fault = []fault{failBefore, failAfter, repeated, repeated, dieBefore, dieAfter, slowBefore, slowAfter}[w.pick(8)]
	}
	return c
}

// slower delays Amperity: a page of a list takes up to 20 s, and the answer to
// a request may come after the run has begun.
func (r random) slower(w *World, o op, c *choice) {
	switch o.kind {
	case "list":
		c.before = w.between(200*time.Millisecond, 2*time.Second)
		if w.chance(0.15) {
			c.before = w.between(2*time.Second, 20*time.Second)
		}
	case "post":
		if w.chance(0.25) {
			c.after = w.between(time.Second, 12*time.Second)
		}
	case "read":
		if w.chance(0.1) {
			c.before = w.between(time.Second, 4*time.Second)
		}
	default:
		if w.chance(0.02) {
			c.after = w.between(100*time.Millisecond, 2*time.Second)
		}
	}
}

// post lets a request to start a run fail in one of many ways.
func (r random) post(w *World, c *choice) {
	switch w.pick(12) {
	case 0:
		c.fault = failBefore // no connection
	case 1, 2:
		c.fault = dieAfter
	case 3:
		c.fault = dieBefore
	case 4:
		c.fault = failAfter // reset, and processed
	case 5:
		c.fault = slowAfter
	case 6: // reset, and not processed
		c.fault, c.status = failAfter, -1
	case 7: // no answer, and processed later, perhaps much later
		c.fault, c.late = slowBefore, w.between(30*time.Second, 25*time.Minute)
		if w.chance(0.5) {
			c.late = w.between(25*time.Second, 3*time.Minute)
		}
	case 8: // a 504, and processed later
		c.status, c.late = http.StatusGatewayTimeout, w.between(time.Second, 20*time.Minute)
	case 9: // a 502 or 500, and processed
		c.status = []int{500, 502, 503}[w.pick(3)]
	case 10: // a 503, and not processed
		c.fault, c.status = slowBefore, 503
	default:
		c.status = []int{429, 409, 401, 400, 404}[w.pick(5)]
	}
}

// list lets a list of runs fail, or lag behind.
func (r random) list(w *World, c *choice) {
	switch w.pick(6) {
	case 0:
		c.fault = failBefore
	case 1:
		c.fault = dieAfter
	case 2:
		c.status = []int{429, 500, 401}[w.pick(3)]
	case 3:
		c.fault = slowBefore
	default:
		c.lag = w.between(time.Second, 2*time.Minute)
	}
}
