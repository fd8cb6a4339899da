package runs

import (
	"testing"

	"github.com/amperity-runs/amperity-runs/internal/record"
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
