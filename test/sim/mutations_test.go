package sim

import (
	"fmt"
	"slices"
	"testing"
)

// TestTheCheckerSeesEachMutation: a checker that cannot fail proves nothing.
func TestTheCheckerSeesEachMutation(t *testing.T) {
	t.Parallel()
	const times, most = 3, 30_000
	for _, m := range Mutations {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			var needed []int
			first := ""
			last := uint64(0)
			for seed := uint64(1); seed <= most && len(needed) < times; seed++ {
				w := Random(seed, m, false)
				violations, _ := w.check()
				if len(violations) == 0 {
					continue
				}
				if first == "" {
					first = fmt.Sprintf("seed %d: %v", seed, violations[0])
				}
				needed = append(needed, int(seed-last))
				last = seed
			}
			if len(needed) == 0 {
				t.Fatalf("not seen in %d histories", most)
			}
			slices.Sort(needed)
			t.Logf("seen after %d histories (median of %d); %s", needed[len(needed)/2], len(needed), first)
		})
	}
}
