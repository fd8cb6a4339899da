package route

import (
	"slices"
	"strings"

	"github.com/amperity-runs/amperity-runs/internal/route/pattern"
)

// index finds the patterns that may match a key by the text they begin with,
// so that a key is compared with few of many.
//
// Of all prefixes in sorted order, take the greatest that is not greater than
// the key. Each prefix of the key that is in the list begins that one too (what
// lies between a text and a longer one that it begins, begins with it), so they
// all are on its chain of parents.
type index struct {
	prefixes []string
	// parent is the longest other prefix that begins this one; -1: none.
	parent []int
	// entries are those of each prefix.
	entries [][]entry
}

// entry is one pattern of one route.
type entry struct {
	route, place int
	pattern      *pattern.Pattern
}

func newIndex(entries []entry) index {
	byPrefix := make(map[string][]entry)
	for _, e := range entries {
		p := e.pattern.Prefix()
		byPrefix[p] = append(byPrefix[p], e)
	}
	var x index
	for p := range byPrefix {
		x.prefixes = append(x.prefixes, p)
	}
	slices.Sort(x.prefixes)
	x.parent = make([]int, len(x.prefixes))
	x.entries = make([][]entry, len(x.prefixes))
	for i, p := range x.prefixes {
		x.entries[i] = byPrefix[p]
		x.parent[i] = i - 1
		for x.parent[i] >= 0 && !strings.HasPrefix(p, x.prefixes[x.parent[i]]) {
			x.parent[i] = x.parent[x.parent[i]]
		}
	}
	return x
}

// each calls f with the entries whose prefix begins key, the longest prefix
// first, until f returns false.
func (x *index) each(key string, f func([]entry) bool) {
	i, found := slices.BinarySearch(x.prefixes, key)
	if !found {
		i--
	}
	for ; i >= 0; i = x.parent[i] {
		if strings.HasPrefix(key, x.prefixes[i]) && !f(x.entries[i]) {
			return
		}
	}
}
