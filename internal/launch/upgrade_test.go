package launch_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/held"
	"github.com/amperity-runs/amperity-runs/internal/intake"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// earlier is a ledger that commit 27c3704 wrote: launches in every state,
// windows that wait for each reason, and the items of their config ids and
// runs.
func (o *office) earlier() {
	o.t.Helper()
	text, err := os.ReadFile("testdata/ledger-27c3704.json")
	if err != nil {
		o.t.Fatal(err)
	}
	var was struct {
		Now   time.Time
		Items []struct {
			Key                string
			Due, Held, Expires time.Time
			Doc                json.RawMessage
		}
	}
	if err := json.Unmarshal(text, &was); err != nil {
		o.t.Fatal(err)
	}
	o.now = was.Now
	for _, i := range was.Items {
		item := ledger.Item{Key: i.Key, Due: i.Due, Held: i.Held, Expires: i.Expires, Doc: i.Doc}
		if err := o.ledger.Put(o.t.Context(), "earlier "+i.Key, item); err != nil {
			o.t.Fatal(err)
		}
	}
}

// states are the launches of the ledger, each with its state.
func (o *office) states() map[string]string {
	o.t.Helper()
	states := map[string]string{}
	for _, item := range o.ledger.All() {
		if key, ok := strings.CutPrefix(item.Key, record.LaunchPrefix); ok {
			j, err := record.DecodeLaunch(item)
			if err != nil {
				o.t.Fatal(err)
			}
			states[key] = string(j.State)
		}
	}
	return states
}

// An earlier version's ledger is read, continued and finished.
func TestLedgerOfAnEarlierVersionIsFinished(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.earlier()
	o.posts = nil
	for n := range 40 {
		run := aRun(fmt.Sprint("wf-new-", n), "Orders", o.now)
		run.State = amperity.StateSucceeded
		o.posts = append(o.posts, answer{run: run})
	}
	// A run of the launch whose function died after its request, and the run in
	// front of the window that waits.
	o.runs = []*amperity.Run{aRun("wf-posting", "Orders", time.Date(2026, 11, 22, 6, 0, 3, 0, time.UTC)), aRun("wf-10", "Orders", o.now)}
	o.windows = intake.New(o.Launcher, func(configID, period string) (record.WindowSpec, bool) {
		w := *aWindow(window.Rerun, window.Entry{Pattern: "a"})
		w.ConfigID, w.Period, w.Request.ConfigID = configID, period, configID
		switch configID {
		case "cg-entries", "cg-missing":
			w.Rules.Entries = append(w.Rules.Entries, window.Entry{Pattern: "b"})
		case "cg-settle":
			w.Rules.Settle = 5 * time.Minute
		case "cg-late":
			w.Rules.Late = window.Hold
		}
		return w, true
	})
	o.Resolver = held.New(o.Launcher, o.windows)

	// Amperity lists the runs that it has started.
	others := o.runs
	wait := func(d time.Duration) {
		for end := o.now.Add(d); o.now.Before(end); o.wait(time.Minute) {
			o.runs = slices.Clone(others)
			for _, a := range o.posts[:o.sent] {
				o.runs = append(o.runs, a.run)
			}
		}
	}

	wait(30 * time.Minute)
	want := map[string]string{
		"manual/cg-claimed/k": "started", "manual/cg-posting/k": "held", "manual/cg-unknown/k": "held", "manual/cg-untold/k": "started",
		"manual/cg-started/k": "started", "manual/cg-rejected/k": "rejected", "manual/cg-blocked/k": "started", "manual/cg-held/k": "held",
		"manual/cg-discarded/k": "discarded", "manual/cg-released/k": "started", "manual/cg-old/k": "held",
		"arrival/cg-settle/2026-11-22/1": "started", "arrival/cg-done/2026-11-22/1": "started", "arrival/cg-rerun/2026-11-22/1": "started",
		"arrival/cg-late/2026-11-22/1": "started", "arrival/cg-late/2026-11-22/2": "held",
		"arrival/cg-flight/2026-11-22/1": "started", "arrival/cg-queue/2026-11-22/1": "started",
	}
	if diff := cmp.Diff(want, o.states()); diff != "" {
		t.Errorf("after 30 minutes (-want +got)\n%s", diff)
	}

	// The run in front ends, a missing file comes, and the operator answers.
	others[1].State = amperity.StateSucceeded
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"}, window.Entry{Pattern: "b"})
	o.window.ConfigID, o.window.Request.ConfigID = "cg-entries", "cg-entries"
	o.arrive(o.arrivals("b", "2"))
	for key, answer := range map[string]func(held.Command) (record.Result, error){
		"manual/cg-posting/k": func(c held.Command) (record.Result, error) {
			c.RunID = "wf-posting"
			return o.Adopt(t.Context(), c)
		},
		"manual/cg-unknown/k":  func(c held.Command) (record.Result, error) { return o.Release(t.Context(), c) },
		"manual/cg-rejected/k": func(c held.Command) (record.Result, error) { return o.Release(t.Context(), c) },
		"manual/cg-old/k":      func(c held.Command) (record.Result, error) { return o.Release(t.Context(), c) },
		"manual/cg-held/k": func(c held.Command) (record.Result, error) {
			c.Reason = "not wanted"
			return o.Discard(t.Context(), c)
		},
		"arrival/cg-late/2026-11-22/2": func(c held.Command) (record.Result, error) { return o.Release(t.Context(), c) },
		// The window whose files are missing.
		"arrival/cg-missing/2026-11-22/1": func(c held.Command) (record.Result, error) { return o.Release(t.Context(), c) },
	} {
		if res, err := answer(held.Command{Key: key, HoldNumber: 1}); err != nil || res.Outcome == record.Duplicate {
			t.Errorf("%s: %+v, %v", key, res, err)
		}
	}
	wait(8 * 24 * time.Hour) // the searches end after a week
	for _, key := range []string{"manual/cg-posting/k", "manual/cg-unknown/k", "manual/cg-rejected/k", "manual/cg-old/k",
		"arrival/cg-late/2026-11-22/2", "arrival/cg-missing/2026-11-22/1", "arrival/cg-entries/2026-11-22/1", "arrival/cg-queue/2026-11-23/1",
		"arrival/cg-rerun/2026-11-22/2"} {
		want[key] = "started"
	}
	want["manual/cg-held/k"] = "discarded"
	if diff := cmp.Diff(want, o.states()); diff != "" {
		t.Errorf("in the end (-want +got)\n%s", diff)
	}
	for row, err := range o.ledger.Due(t.Context(), o.now.Add(1000*time.Hour)) {
		if err != nil || !strings.HasPrefix(row.Key, "expect/") {
			t.Errorf("%s is still due, %v", row.Key, err)
		}
	}
	// claimed, blocked, released, settle, rerun, flight; then unknown, rejected,
	// old, late, missing, entries, queue.
	if o.sent != 13 {
		t.Errorf("%d requests, want 13", o.sent)
	}
	if ids := slices.Sorted(slices.Values(o.ids)); len(slices.Compact(ids)) != len(o.ids) {
		t.Errorf("an event was published twice: %q", o.mails)
	}
}
