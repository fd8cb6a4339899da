package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

// planned lets the calls fail that a history names: the nth call of a kind, or
// of a kind in a function, such as "post 1" or "trigger put 2".
type planned struct {
	plan map[string]choice
	// all is the choice for every call of a kind that is not named.
	all   map[string]choice
	count map[string]int
	off   bool
}

func (c *planned) lag(*World) time.Duration { return 0 }

func (c *planned) choose(_ *World, p *process, o op) choice {
	if c.off {
		return choice{before: 20 * time.Millisecond, after: 20 * time.Millisecond}
	}
	c.count[o.kind]++
	c.count[p.name+" "+o.kind]++
	got, ok := c.plan[fmt.Sprintf("%s %d", o.kind, c.count[o.kind])]
	if !ok {
		got, ok = c.plan[fmt.Sprintf("%s %s %d", p.name, o.kind, c.count[p.name+" "+o.kind])]
	}
	if !ok {
		got = c.all[o.kind]
	}
	if got.before == 0 {
		got.before = 20 * time.Millisecond
	}
	if got.after == 0 {
		got.after = 20 * time.Millisecond
	}
	return got
}

// history is a world with planned faults.
type history struct {
	*World
	t    *testing.T
	plan *planned
}

// newHistory returns a world with a plan. Its runs take a minute and a half.
func newHistory(t *testing.T, plan map[string]choice) *history {
	t.Helper()
	t.Parallel()
	if plan == nil {
		plan = map[string]choice{}
	}
	c := &planned{plan: plan, all: map[string]choice{}, count: map[string]int{}}
	w := newWorld(7, c, false)
	t.Cleanup(w.amperity.Close)
	w.tracing, w.batch, w.quiet = true, 1, Begin
	w.deployAtStart()
	h := &history{w, t, c}
	h.runsTake(90 * time.Second)
	return h
}

func (h *history) runsTake(d time.Duration) {
	h.duration = d
	if err := h.amperity.Script("", amperitytest.Script{Duration: d}); err != nil {
		h.t.Fatal(err)
	}
}

// earlier lets a run of a config id start and end, so that the stack knows the
// identity of its runs.
func (h *history) earlier(config, mode string) {
	h.starts(0, config, mode, Patterns[0])
	// The calls of this run do not count, and none of them fails.
	h.plan.off = true
	h.at(Begin.Add(20*time.Second), func() { h.plan.off = false })
}

// holds runs the history, and checks it against the guarantees.
func (h *history) holds() Allowed {
	h.t.Helper()
	h.run()
	violations, allowed := h.check()
	for _, v := range violations {
		h.t.Error(v)
	}
	if h.t.Failed() {
		h.t.Log(strings.Join(h.trace, "\n"))
	}
	return allowed
}

// want compares the announcements of a launch, without repeats.
func (h *history) want(key string, want ...announcement.DetailType) {
	h.t.Helper()
	var got []string
	seen := map[string]bool{}
	for _, a := range h.announced {
		if a.Detail.LaunchKey == key && !seen[a.Detail.ID] {
			seen[a.Detail.ID] = true
			got = append(got, strings.TrimPrefix(strings.TrimPrefix(string(a.Type), "Amperity Workflow Run "), "Amperity "))
		}
	}
	var short []string
	for _, t := range want {
		short = append(short, strings.TrimPrefix(strings.TrimPrefix(string(t), "Amperity Workflow Run "), "Amperity "))
	}
	if fmt.Sprint(got) != fmt.Sprint(short) {
		h.t.Errorf("of %s was said %v, want %v\n%s", key, got, short, strings.Join(h.trace, "\n"))
	}
}

// runs compares the number of runs of a config id and a day.
func (h *history) runs(want int, config, from string) {
	h.t.Helper()
	n := 0
	for _, r := range h.amperity.Runs() {
		if r.ConfigID == config && (from == "" || r.RangeFrom == from) && !h.foreign[r.ID] && r.Principal == "key-ours" {
			n++
		}
	}
	if n != want {
		h.t.Errorf("%d runs of %s %s, want %d\n%s", n, config, from, want, strings.Join(h.trace, "\n"))
	}
}

// key returns the launch key of the nth decision.
func (h *history) key(n int) string { return h.decisions[n].key }
