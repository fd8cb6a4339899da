package sim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

// The exhaustive mode of two launches of one config id, A and B: each operation
// of A happens right before and right after each operation of B.

// step is one call of a backend for a launch: A or B, and its number among the
// calls for that launch.
type step struct {
	who byte
	n   int
}

func (s step) String() string { return fmt.Sprintf("%c%d", s.who, s.n) }

// order is two steps of two launches. The second happens right after the first,
// without another step of these launches in between.
type order struct{ first, second step }

func (o order) String() string {
	if o == (order{}) {
		return "as it comes"
	}
	return o.first.String() + "<" + o.second.String()
}

// Plan is one history of two launches: its faults and its order.
type Plan struct {
	Scenario int
	faults   map[step]trouble
	order    order
}

func (p Plan) String() string {
	var parts []string
	for _, s := range slices.SortedFunc(maps.Keys(p.faults), func(a, b step) int { return cmp.Or(cmp.Compare(a.who, b.who), cmp.Compare(a.n, b.n)) }) {
		parts = append(parts, s.String()+"="+string(p.faults[s]))
	}
	return fmt.Sprintf("%d;%s;%s", p.Scenario, strings.Join(parts, " + "), p.order)
}

// readPlan parses the text of String.
func readPlan(text string) (Plan, error) {
	p := Plan{faults: map[step]trouble{}}
	parts := strings.Split(text, ";")
	if len(parts) != 3 {
		return p, fmt.Errorf("a plan has three parts: %q", text)
	}
	_, err := fmt.Sscan(parts[0], &p.Scenario)
	readStep := func(text string) (s step) {
		if _, e := fmt.Sscanf(text, "%c%d", &s.who, &s.n); e != nil && err == nil {
			err = e
		}
		return s
	}
	for _, f := range strings.Split(parts[1], " + ") {
		if at, what, ok := strings.Cut(f, "="); ok {
			p.faults[readStep(at)] = trouble(what)
		}
	}
	if first, second, ok := strings.Cut(parts[2], "<"); ok {
		p.order = order{readStep(first), readStep(second)}
	}
	return p, err
}

// trouble is how a step fails, by name.
type trouble string

// The ways in which a request to start a run fails here, besides those of
// faultsOf.
const (
	lostUnprocessed trouble = "lost, not processed"
	lostProcessed   trouble = "lost, processed"
	lostLate        trouble = "lost, processed 90 s later"
	limitedAll      trouble = "rate-limited, with all of its invocation"
	repeatedBusy    trouble = "repeated with 409"
	frozenBefore    trouble = "frozen before"
)

// postTroubles are the troubles of requests to start a run alone.
var postTroubles = []trouble{lostUnprocessed, lostProcessed, lostLate, limitedAll, repeatedBusy, frozenBefore}

// choice returns c with the trouble.
func (t trouble) choice(c choice) choice {
	switch t {
	case "":
	case lostUnprocessed:
		c.fault, c.status = slowBefore, 504
	case lostProcessed:
		c.fault, c.after = failAfter, 4*time.Second
	case lostLate:
		c.status, c.late = 504, 90*time.Second
	case limitedAll:
		c.status = 429
	case repeatedBusy:
		c.fault = gatewayBusy
	case frozenBefore:
		c.freezeBefore = 3 * time.Minute
	default:
		c.fault = fault(t)
	}
	return c
}

// patience is the longest delay of a process for an order. It is short enough
// that no process meets its deadline because of it.
const patience = 8 * time.Second

// done is a step that happened.
type done struct {
	step
	kind, key string
	at        time.Time
	process   int
}

// shared reports whether the step uses something that both launches use.
func (d done) shared() bool {
	return d.kind == "post" || d.kind == "list" || d.kind == "read" || strings.Contains(d.key, "config/") || strings.Contains(d.key, "run/")
}

// timed lets the steps of a plan fail, and brings two steps into an order.
type timed struct {
	plan    Plan
	items   map[string]byte // the launch of an item
	count   map[byte]int
	steps   []done
	limited map[*thread]bool
	// reached are the steps that a process has begun. over is when a step has
	// taken effect.
	reached map[step]bool
	over    map[step]time.Time
	// missed: one of the two steps did not come in time, so there was no order.
	missed bool
	// looked is called when a sweep first reads A.
	looked func()
}

func (c *timed) lag(*World) time.Duration { return 0 }

// whose returns the launch that a thread works for, or 0.
func (c *timed) whose(t *thread, o op) byte {
	if who, ok := c.items[t.item]; ok {
		return who
	}
	for _, key := range strings.Fields(o.key) {
		if who, ok := c.items[key]; ok {
			return who
		}
	}
	return 0
}

func (c *timed) choose(w *World, p *process, o op) choice {
	got := choice{before: 5 * time.Millisecond, after: 5 * time.Millisecond}
	switch o.kind {
	case "post":
		got.before = 100 * time.Millisecond
	case "list":
		got.before = 300 * time.Millisecond
	}
	t := p.current
	who := c.whose(t, o)
	if who == 0 {
		return got
	}
	if looked := c.looked; looked != nil && who == 'A' && p.name == "sweep" {
		c.looked = nil
		looked()
	}
	c.count[who]++
	s := step{who, c.count[who]}
	c.steps = append(c.steps, done{s, o.kind, o.key, w.now, p.id})
	what := c.plan.faults[s]
	if what == limitedAll {
		c.limited[t] = true
	}
	if o.kind == "post" && c.limited[t] {
		what = limitedAll
	}
	got = what.choice(got)
	until := func(ready func() bool) {
		for end := w.now.Add(patience); !ready() && !c.missed; p.wait(20 * time.Millisecond) {
			if w.now.After(end) {
				c.missed = true
			}
		}
	}
	switch c.reached[s] = true; s {
	case c.plan.order.first:
		until(func() bool { return c.reached[c.plan.order.second] })
		c.over[s] = w.now.Add(got.freezeBefore + got.before + time.Millisecond)
	case c.plan.order.second:
		until(func() bool { over, ok := c.over[c.plan.order.first]; return ok && !w.now.Before(over) })
	}
	return got
}

// TwoLaunches are the scenarios of two launches.
var TwoLaunches = []struct {
	Name string
	set  func(w *World, c *timed)
	// later: B begins when a sweep reads A, whose request was lost.
	later bool
}{
	{"two schedules of the same second, held when unknown", func(w *World, c *timed) {
		c.is('A', w.startsAt(0, "cg-B", "full"))
		c.is('B', w.startsAt(0, "cg-B", "full"))
	}, false},
	{"two schedules of the same second, retried when unknown", func(w *World, c *timed) {
		c.is('A', w.startsAt(0, "cg-A", "source"))
		c.is('B', w.startsAt(0, "cg-A", "source"))
	}, false},
	{"a schedule and a file", func(w *World, c *timed) {
		c.is('A', w.startsAt(time.Second, "cg-A", "source"))
		c.isWindow('B', "cg-A", "2026-11-22")
		w.file(500*time.Millisecond, "a", 0, "x1", Patterns[0])
	}, false},
	{"two windows at once", func(w *World, c *timed) {
		c.isWindow('A', "cg-F", "2026-11-22")
		c.isWindow('B', "cg-F", "2026-11-21")
		w.file(0, "f", 0, "x1", Patterns[0])
		w.file(0, "f", -1, "x1", Patterns[0])
	}, false},
	{"a schedule fires while a sweep looks at another's request", func(w *World, c *timed) {
		c.is('A', w.startsAt(0, "cg-B", "full"))
		c.looked = func() { c.is('B', w.startsAt(w.now.Sub(Begin), "cg-B", "full")) }
	}, true},
	{"a file comes while a sweep looks at a schedule's request", func(w *World, c *timed) {
		c.is('A', w.startsAt(0, "cg-A", "source"))
		c.isWindow('B', "cg-A", "2026-11-22")
		c.looked = func() { w.land(w.newFile("a", 0, 0, "x1", w.now), time.Millisecond) }
	}, true},
}

// is makes a launch A or B.
func (c *timed) is(who byte, launchKey string) { c.items["launch/"+launchKey] = who }

func (c *timed) isWindow(who byte, config, day string) {
	c.items["window/"+config+"/"+day] = who
	for revision := range 4 {
		c.is(who, fmt.Sprintf("arrival/%s/%s/%d", config, day, revision+1))
	}
}

// startsAt lets a schedule fire, and returns its launch key.
func (w *World) startsAt(at time.Duration, config, mode string) string {
	w.starts(at, config, mode, Patterns[0])
	return w.decisions[len(w.decisions)-1].key
}

// Timed runs a plan. It returns the steps of the two launches, and whether the
// order was impossible.
func Timed(p Plan, m Mutation, tracing bool) (w *World, steps []done, missed bool) {
	c := &timed{plan: p, items: map[string]byte{}, count: map[byte]int{}, limited: map[*thread]bool{}, reached: map[step]bool{}, over: map[step]time.Time{}}
	w = newWorld(1, c, false)
	w.tracing, w.mutant, w.batch, w.workers, w.quiet = tracing, m, 1, 8, Begin
	w.deployAtStart()
	w.knowsRunsOf([]string{"b", "a", "a", "f", "b", "a"}[p.Scenario])
	w.duration = 90 * time.Second
	if err := w.amperity.Script("", amperitytest.Script{Duration: w.duration}); err != nil {
		panic(err)
	}
	TwoLaunches[p.Scenario].set(w, c)
	w.run()
	w.amperity.Close()
	return w, c.steps, c.missed
}

// maxSteps is how many steps of each launch are brought into an order: those of
// its first invocation and of the first sweeps that read it.
const maxSteps = 26

// ordersOf returns the possible orders of two of these steps, which are at most
// patience apart.
func ordersOf(steps []done, sharedOnly bool) []order {
	var orders []order
	for _, a := range steps {
		for _, b := range steps {
			if a.who != 'A' || b.who != 'B' || a.n > maxSteps || b.n > maxSteps || sharedOnly && !(a.shared() && b.shared()) || a.at.Sub(b.at).Abs() > patience {
				continue
			}
			orders = append(orders, order{a.step, b.step}, order{b.step, a.step})
		}
	}
	return orders
}

// troublesOf returns the ways in which a step fails.
func troublesOf(d done) []trouble {
	var ts []trouble
	for _, f := range faultsOf(d.kind) {
		ts = append(ts, trouble(f))
	}
	if d.kind == "post" {
		ts = append(ts, postTroubles...)
	}
	return ts
}
