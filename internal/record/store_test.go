package record

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/clock"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

func storeOf(l Ledger) *Store {
	tokens := 0
	return &Store{Ledger: l, Clock: clock.System{}, Token: func(context.Context) string { tokens++; return fmt.Sprint(tokens) }}
}

// Another process updates the document of a config id while a launch writes it.
// The launch's change is made again, to the newer document.
func TestChangeOfAConfigIDIsMadeAgain(t *testing.T) {
	t.Parallel()
	l := ledger.NewMemory()
	s := storeOf(l)
	put := func(version int64, run string) {
		t.Helper()
		doc := fmt.Sprintf(`{"format":1,"config_id":"cg-1","overlap":{"run_id":%q,"at":"2026-11-22T06:00:00Z"}}`, run)
		if err := l.Put(t.Context(), doc, ledger.Item{Key: "config/cg-1", Version: version, Doc: []byte(doc)}); err != nil {
			t.Fatal(err)
		}
	}
	put(0, "wf-1")
	j := &Launch{Item: ledger.Item{Key: "launch/manual/cg-1/a"}, LaunchDoc: LaunchDoc{Format: Format, Key: "manual/cg-1/a"}}
	j.Request.ConfigID = "cg-1"
	var seen []string
	err := s.Transact(t.Context(), j, time.Time{}, func(c *ConfigID) {
		seen = append(seen, c.Overlap.RunID)
		if len(seen) == 1 {
			put(1, "wf-2")
		}
	})
	if d := cmp.Diff([]string{"wf-1", "wf-2"}, seen); d != "" || err != nil {
		t.Errorf("%v, the change saw (-want +got):\n%s", err, d)
	}
	if item, err := l.Get(t.Context(), "launch/manual/cg-1/a"); err != nil || !item.Exists() {
		t.Errorf("the launch is %v, %v", item, err)
	}
}

func TestConflictErrorNamesItsItem(t *testing.T) {
	t.Parallel()
	s := storeOf(ledger.NewMemory())
	now := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	launch := func(key string) *Launch {
		return &Launch{LaunchDoc: LaunchDoc{Key: key}, Item: ledger.Item{Key: "launch/" + key}}
	}
	first, second := launch("manual/cg-1/a"), launch("manual/cg-1/b")
	write := func(j *Launch) error {
		return s.Transact(t.Context(), j, now, func(*ConfigID) {}, RunItem(j.Key, "wf-1", 0, now))
	}
	if err := write(first); err != nil {
		t.Fatal(err)
	}
	stale := *first
	if err := s.PutLaunch(t.Context(), first, now); err != nil {
		t.Fatal(err)
	}
	for want, err := range map[string]error{
		"launch/manual/cg-1/a was taken over (version 2)": s.PutLaunch(t.Context(), &stale, now),
		"run/wf-1 belongs to another launch":              write(second),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// Only a launch that an operator may answer has the number to name.
func TestAnswerHasTheNumberThatACommandNames(t *testing.T) {
	t.Parallel()
	for state, want := range map[State]int{StateHeld: 2, StateRejected: 2, StateStarted: 0, StateDiscarded: 0, StateClaimed: 0, StatePosting: 0, StateUnknown: 0} {
		r := LaunchDoc{State: state, HoldNumber: 2}
		if got := r.Result().HoldNumber; got != want {
			t.Errorf("%s: %d, want %d", state, got, want)
		}
	}
}

// A run that may be the launch's turns out to be. It stands once.
func TestFurtherRunThatBecomesCertainStandsOnce(t *testing.T) {
	t.Parallel()
	run := &amperity.Run{ID: "wf-2", State: amperity.StateRunning}
	r := LaunchDoc{Run: &amperity.Run{ID: "wf-1"}}
	r.AddOther(run, 3)
	r.AddRun(run)
	if len(r.Others) != 1 || r.Others[0].RunID != "wf-2" || r.Others[0].HoldNumber != 0 || !r.HasRun("wf-2") {
		t.Errorf("%+v", r.Others)
	}
}
