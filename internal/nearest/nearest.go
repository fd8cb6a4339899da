// Package nearest finds the known word that a mistyped word stands for.
package nearest

import "strings"

// Match returns the known word that is most similar to name. It reports false
// if more than a third of the known word's letters differ. Upper and lower case
// are the same.
func Match(name string, known []string) (string, bool) {
	best, at := "", 1<<10
	for _, k := range known {
		if d := distance(strings.ToLower(strings.ReplaceAll(name, "-", "_")), k); d < at {
			best, at = k, d
		}
	}
	return best, at <= max(1, len(best)/3)
}

// distance returns how many letters must be inserted, removed, replaced or
// swapped with the next letter to turn a into b.
func distance(a, b string) int {
	if len(a) > 2*len(b)+2 {
		return len(a)
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
