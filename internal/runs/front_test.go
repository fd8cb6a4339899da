package runs

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/clock"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/window"
)

// A launch does not wait for the launches behind it in the queue.
func TestFirstLaunchInTheQueueWaitsForNothing(t *testing.T) {
	t.Parallel()
	c := &record.ConfigID{Launches: []record.LaunchRef{{Key: "first", State: record.RefGoing}, {Key: "second", State: record.RefGoing}}}
	for key, want := range map[string]bool{"first": true, "second": false, "": false} {
		if got := new(Client).Front(t.Context(), c, key).IsZero(); got != want {
			t.Errorf("%q: nothing in front %t", key, got)
		}
	}
}

// Of several runs in progress, the newest is in front. No launch waits for a held
// launch.
func TestNewestRunIsInFront(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	held := record.LaunchRef{Key: "held", State: record.RefHeld, Last: at.Add(time.Hour)}
	older := record.LaunchRef{Key: "older", State: record.RefStarted, RunID: "wf-1", Last: at}
	newer := record.LaunchRef{Key: "newer", State: record.RefStarted, RunID: "wf-2", Last: at.Add(time.Minute)}
	for _, tt := range []struct {
		launches []record.LaunchRef
		want     window.Front
	}{
		{[]record.LaunchRef{older, newer, held}, window.Front{RunID: "wf-2", Since: newer.Last}},
		{[]record.LaunchRef{newer, older}, window.Front{RunID: "wf-2", Since: newer.Last}},
		{[]record.LaunchRef{held}, window.Front{}},
	} {
		cl := &Client{Clock: clock.System{}}
		cl.memory.ends = map[string]*endQuery{"wf-1": {pending: true}, "wf-2": {pending: true}}
		if d := cmp.Diff(tt.want, cl.Front(t.Context(), &record.ConfigID{Launches: tt.launches}, "")); d != "" {
			t.Errorf("%v (-want +got):\n%s", tt.launches, d)
		}
	}
}
