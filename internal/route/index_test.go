package route

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/route/pattern"
)

func TestIndexFindsSamePatternsAsFullSearch(t *testing.T) {
	t.Parallel()
	texts := []string{"**", "a", "a/**", "a/b/**", "a/bc/*", "ab/**", "a/b/c*", "b/*", "a/b", "**/x", "a/{yyyy}{MM}{dd}", "z*"}
	var entries []entry
	for i, text := range texts {
		p, faults := pattern.Parse(text)
		if p == nil {
			t.Fatal(faults)
		}
		entries = append(entries, entry{i, 0, p})
	}
	x := newIndex(entries)
	for _, key := range []string{"", "a", "a/", "a/b", "a/b/", "a/b/c", "a/b/cd", "a/bc", "a/bc/d", "ab", "ab/x", "a0", "b/x", "x", "q/x", "a/20261122", "zz", "~"} {
		var got, want []string
		x.each(key, func(es []entry) bool {
			for _, e := range es {
				got = append(got, e.pattern.String())
			}
			return true
		})
		for _, e := range entries {
			if strings.HasPrefix(key, e.pattern.Prefix()) {
				want = append(want, e.pattern.String())
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("key %q (-want +got):\n%s", key, d)
		}
	}
}
