package launch

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestAConfigItemIsBounded: whatever happens to a config id, what is kept of
// its launches stays small, and a doubt is never forgotten before its time.
func TestAConfigItemIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	many := func(n int, e entry) (es []entry) {
		for i := range n {
			// The first are the oldest, a minute after each other.
			e.Key, e.Last = fmt.Sprint(e.State, i), now.Add(time.Duration(i-n)*time.Minute)
			es = append(es, e)
		}
		return es
	}
	held, started := entry{State: entryHeld, Doubt: true}, entry{State: entryStarted}
	going := []entry{{Key: "going", State: entryGoing, Last: now, Doubt: true}}
	older := func(last time.Time) []entry {
		return []entry{{Key: olderDoubts, State: entryHeld, Last: last, Doubt: true}}
	}
	for name, row := range map[string]struct{ have, want []entry }{
		"nothing":                    {nil, nil},
		"as many doubts as are kept": {many(maxDoubts, held), many(maxDoubts, held)},
		"three too many": {
			slices.Concat(many(maxDoubts+3, held), going),
			slices.Concat(older(now.Add(-(maxDoubts+1)*time.Minute)), many(maxDoubts+3, held)[3:], going),
		},
		"one more": {
			slices.Concat(older(now.Add(-24*time.Hour)), going, many(maxDoubts+1, held)),
			slices.Concat(older(now.Add(-(maxDoubts+1)*time.Minute)), going, many(maxDoubts+1, held)[1:]),
		},
		"one more, which is older": {
			slices.Concat(older(now), many(maxDoubts+1, held)),
			slices.Concat(older(now), many(maxDoubts+1, held)[1:]),
		},
		"doubts out of every list's reach": {
			slices.Concat(older(now.Add(-doubtKept-time.Second)), []entry{{Key: "k", State: entryHeld, Last: now.Add(-doubtKept - time.Second), Doubt: true}}, going),
			going,
		},
		"more runs than are kept": {
			slices.Concat(many(maxEntries+5, started), going),
			slices.Concat(many(maxEntries+5, started)[6:], going),
		},
		"runs in doubt": {
			many(maxEntries+5, entry{State: entryStarted, Doubt: true}),
			many(maxEntries+5, entry{State: entryStarted, Doubt: true}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := config{Launches: row.have}
			c.prune(now)
			if diff := cmp.Diff(row.want, c.Launches); diff != "" {
				t.Error("-want +got", diff)
			}
		})
	}
}
