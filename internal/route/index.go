package route

import (
	"slices"
	"strings"

	"github.com/amperity-runs/amperity-runs/internal/route/pattern"
)

// index finds the patterns that may match a key by their prefixes, so that a
// key is compared with few patterns.
//
// The prefixes are sorted. Let p be the greatest prefix that is not greater
// than the key. Every other prefix of the key is a prefix of p too, because all
// texts that sort between a prefix of the key and the key begin with it. So all
// prefixes of the key are on the chain of parents of p.
type index struct {
	prefixes []string
	// parent is the index of the longest other prefix with which each prefix
	// begins, or -1.
	parent []int
	// entries are the entries of each prefix.
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

// each calls f with the entries of each prefix of key, the longest prefix
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
