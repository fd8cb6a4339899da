package sim

import (
	"fmt"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

// scripted lets only the calls fail that it names by their number.
type scripted struct {
	faults map[int]fault
	// kinds are the kinds of the calls so far.
	kinds []string
}

func (s *scripted) lag(*World) time.Duration { return 0 }

func (s *scripted) choose(_ *World, _ *process, o op) choice {
	n := len(s.kinds)
	s.kinds = append(s.kinds, o.kind)
	c := choice{before: 5 * time.Millisecond, after: 5 * time.Millisecond}
	if o.kind == "post" {
		c.before = 100 * time.Millisecond
	}
	c.fault = s.faults[n]
	return c
}

// faultsOf returns all ways in which a call of a kind can fail.
func faultsOf(kind string) []fault {
	switch kind {
	case "get", "due", "held", "read", "list":
		return []fault{failBefore, dieBefore, slowBefore}
	}
	return []fault{failBefore, failAfter, dieBefore, dieAfter, slowAfter}
}

// Scenario is a small history without randomness.
type Scenario struct {
	Name string
	// set schedules the inputs. p is the pattern of their deliveries.
	set func(w *World, p Pattern)
}

// Pattern is how often, and when, a delivery comes.
type Pattern struct {
	Name string
	// again are the further deliveries, after the first.
	again []time.Duration
}

// Patterns are once, twice in turn, and twice simultaneously.
var Patterns = []Pattern{
	{Name: "once"},
	{Name: "twice in turn", again: []time.Duration{90 * time.Second}},
	{Name: "twice at once", again: []time.Duration{3 * time.Millisecond}},
}

// deliver returns the delays of a file's events.
func (p Pattern) deliver() []time.Duration {
	return append([]time.Duration{time.Second}, addAll(p.again, time.Second)...)
}

func addAll(ds []time.Duration, d time.Duration) []time.Duration {
	var sum []time.Duration
	for _, x := range ds {
		sum = append(sum, x+d)
	}
	return sum
}

// file lets a file of a route land.
func (w *World) file(at time.Duration, letter string, day int, name string, p Pattern) {
	w.at(Begin.Add(at), func() { w.land(w.newFile(letter, day, 0, name, w.now), p.deliver()...) })
}

// starts lets a decision of a schedule be delivered.
func (w *World) starts(at time.Duration, config, mode string, p Pattern) {
	n := len(w.decisions)
	d := &decision{at: Begin.Add(at), config: config, from: fmt.Sprintf("2025-01-%02d", n+1), retry: mode == "source"}
	arn := fmt.Sprintf("arn:aws:scheduler:us-east-1:123456789012:schedule/default/s%d", n)
	d.key = fmt.Sprintf("schedule/%s/%s/%s", config, arn, d.at.Format(time.RFC3339))
	d.payload = fmt.Sprintf(`{"config_id":%q,"run_mode":%q,"range_from":%q,"scheduled_time":%q,"schedule_arn":%q}`, config, mode, d.from, d.at.Format(time.RFC3339), arn)
	w.decisions = append(w.decisions, d)
	for i, after := range append([]time.Duration{0}, p.again...) {
		w.at(d.at.Add(after), func() { w.schedule(d, fmt.Sprintf("request-%d-%d", n, i)) })
	}
}

// answers lets an operator answer each hold when it is first announced.
func (w *World) answers(verb string, p Pattern) {
	seen := map[string]bool{}
	w.onAnnounced = func(a announcement.Announcement) {
		if a.Type != announcement.RunHeld && a.Type != announcement.RunRejected || seen[a.Detail.ID] || a.Detail.HoldNumber > 2 {
			return
		}
		seen[a.Detail.ID] = true
		v := &word{verb: verb, key: a.Detail.LaunchKey, hold: a.Detail.HoldNumber}
		if verb == "adopt" {
			v.runID = "wf-none"
			if len(a.Detail.Candidates) > 0 {
				v.runID = a.Detail.Candidates[0].ID
			}
		}
		w.words = append(w.words, v)
		for _, after := range append([]time.Duration{0}, p.again...) {
			w.after(2*time.Minute+after, func() { w.say(v) })
		}
	}
}

// Scenarios are small histories. TestExhaustive tries every fault of each.
var Scenarios = []Scenario{
	{"a schedule, held when unknown", func(w *World, p Pattern) { w.starts(0, "cg-B", "full", p) }},
	{"a schedule, retried when unknown", func(w *World, p Pattern) { w.starts(0, "cg-A", "source", p) }},
	{"a schedule after an earlier run", func(w *World, p Pattern) {
		w.starts(0, "cg-A", "source", Patterns[0])
		w.starts(10*time.Minute, "cg-A", "source", p)
	}},
	{"two schedules of one config id at once", func(w *World, p Pattern) {
		w.starts(0, "cg-B", "full", p)
		w.starts(0, "cg-B", "full", p)
	}},
	{"a file that launches at once", func(w *World, p Pattern) { w.file(0, "a", 0, "x1", p) }},
	{"a file that launches at once, held when unknown", func(w *World, p Pattern) { w.file(0, "f", 0, "x1", p) }},
	{"a file that waits for quiet", func(w *World, p Pattern) { w.file(0, "g", 0, "x1", p) }},
	{"a late file", func(w *World, p Pattern) {
		w.file(0, "a", 0, "x1", Patterns[0])
		w.file(5*time.Minute, "a", 0, "x2", p)
	}},
	{"two files, both required", func(w *World, p Pattern) {
		w.file(0, "c", 0, "x1", p)
		w.file(20*time.Second, "c", 0, "y1", Patterns[0])
	}},
	{"two windows of one config id", func(w *World, p Pattern) {
		w.file(0, "f", 0, "x1", p)
		w.file(0, "f", -1, "x1", Patterns[0])
	}},
	{"a late file that a person releases", func(w *World, p Pattern) {
		w.file(0, "b", 0, "x1", Patterns[0])
		w.file(2*time.Minute, "b", 0, "x2", Patterns[0])
		w.answers("release", p)
	}},
	{"a late file that a person discards", func(w *World, p Pattern) {
		w.file(0, "b", 0, "x1", Patterns[0])
		w.file(2*time.Minute, "b", 0, "x2", Patterns[0])
		w.answers("discard", p)
	}},
	{"an unknown run that a person adopts", func(w *World, p Pattern) {
		w.expiries = []span{{Begin.Add(-time.Second), Begin.Add(40 * time.Second)}}
		w.starts(0, "cg-B", "full", p)
		w.answers("adopt", p)
	}},
	{"missing files at the deadline", func(w *World, p Pattern) { w.file(0, "e", 0, "x1", p) }},
}

// Scripted runs a scenario with faults by the number of the call. It returns
// the kinds of the calls.
func Scripted(s Scenario, p Pattern, faults map[int]fault, tracing bool) (*World, []string) {
	c := &scripted{faults: faults}
	w := newWorld(1, c, false)
	w.tracing = tracing
	w.batch = 1     // simultaneous deliveries have an instance each
	w.quiet = Begin // nothing fails by chance
	w.deployAtStart()
	w.duration = 90 * time.Second
	if err := w.amperity.Script("", amperitytest.Script{Duration: w.duration}); err != nil {
		panic(err)
	}
	s.set(w, p)
	w.run()
	w.amperity.Close()
	return w, c.kinds
}
