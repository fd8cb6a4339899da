package record

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The document of a config id stays small, and keeps every doubt until it
// expires.
func TestConfigIDDocumentIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	many := func(n int, e LaunchRef) (es []LaunchRef) {
		for i := range n {
			// The first is the oldest. They are a minute apart.
			e.Key, e.Last = fmt.Sprint(e.State, i), now.Add(time.Duration(i-n)*time.Minute)
			es = append(es, e)
		}
		return es
	}
	held, started := LaunchRef{State: RefHeld, Doubt: true}, LaunchRef{State: RefStarted}
	going := []LaunchRef{{Key: "going", State: RefGoing, Last: now, Doubt: true}}
	for name, row := range map[string]struct{ have, want []LaunchRef }{
		"nothing":              {nil, nil},
		"doubts of eight days": {many(8*24*60, held), many(8*24*60, held)},
		"doubts beyond that":   {many(8*24*60+3, held), many(8*24*60+3, held)[3:]},
		"doubts and a launch":  {slices.Concat(many(10, held), going), slices.Concat(many(10, held), going)},
		"more runs than are kept": {
			slices.Concat(many(maxEntries+5, started), going),
			slices.Concat(many(maxEntries+5, started)[5:], going),
		},
		"a run behind many doubts": {
			slices.Concat(many(maxEntries+5, LaunchRef{State: RefStarted, Doubt: true}), many(1, started)),
			slices.Concat(many(maxEntries+5, LaunchRef{State: RefStarted, Doubt: true}), many(1, started)),
		},
		"runs in doubt": {
			many(maxEntries+5, LaunchRef{State: RefStarted, Doubt: true}),
			many(maxEntries+5, LaunchRef{State: RefStarted, Doubt: true}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := ConfigID{Launches: row.have}
			c.prune(now)
			if diff := cmp.Diff(row.want, c.Launches); diff != "" {
				t.Error("-want +got", diff)
			}
		})
	}
}

// Each run of a launch has one entry. The entry of the first run takes the
// place of the launch's own.
func TestEachRunOfALaunchHasOneEntry(t *testing.T) {
	t.Parallel()
	going := LaunchRef{Key: "a", State: RefGoing}
	other := LaunchRef{Key: "b", State: RefGoing}
	first := LaunchRef{Key: "a", State: RefStarted, RunID: "wf-1"}
	second := LaunchRef{Key: "a", State: RefStarted, RunID: "wf-2"}
	doubtful := LaunchRef{Key: "a", State: RefStarted, RunID: "wf-1", Doubt: true}
	c := &ConfigID{}
	for _, step := range []struct {
		set  LaunchRef
		want []LaunchRef
	}{
		{going, []LaunchRef{going}},
		{other, []LaunchRef{going, other}},
		{first, []LaunchRef{first, other}},
		{second, []LaunchRef{first, other, second}},
		{doubtful, []LaunchRef{doubtful, other, second}},
	} {
		c.SetLaunch(step.set)
		if d := cmp.Diff(step.want, c.Launches); d != "" {
			t.Errorf("after %+v (-want +got):\n%s", step.set, d)
		}
	}
}

// The newest runs stay. A launch whose request waited for hours has an old
// entry and a new run.
func TestNewestRunsStay(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	c := &ConfigID{Launches: []LaunchRef{{Key: "waited", State: RefGoing, Last: now.Add(-5 * time.Hour)}}}
	for i := range maxEntries {
		c.SetLaunch(LaunchRef{Key: fmt.Sprint("x", i), State: RefStarted, RunID: fmt.Sprint("wf-", i), Last: now.Add(time.Duration(i-100) * time.Minute)})
	}
	c.SetLaunch(LaunchRef{Key: "waited", State: RefStarted, RunID: "wf-newest", Last: now})
	c.prune(now)
	has := func(run string) bool {
		return slices.ContainsFunc(c.Launches, func(e LaunchRef) bool { return e.RunID == run })
	}
	if len(c.Launches) != maxEntries || !has("wf-newest") || has("wf-0") {
		t.Errorf("%d entries, the newest %t, the oldest %t", len(c.Launches), has("wf-newest"), has("wf-0"))
	}
}
