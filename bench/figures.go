package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// median returns the median of xs, which must not be empty. That of an even
// number of samples is the lower of the two in the middle: a sample that was
// measured.
func median[T ~int64 | ~float64](xs []T) T {
	return slices.Sorted(slices.Values(xs))[(len(xs)-1)/2]
}

// medianRatio is the median of the ratios of a's and b's samples of the same
// round, so that a machine that is slow for a while changes nothing.
func medianRatio[T ~int64 | ~float64](a, b []T) float64 {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = float64(a[i]) / float64(b[i])
	}
	return median(ratios)
}

// each maps samples to one of their figures.
func each[S any, T any](xs []S, f func(S) T) []T {
	ys := make([]T, len(xs))
	for i, x := range xs {
		ys[i] = f(x)
	}
	return ys
}

func ms(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

// megabytes prints bytes in MB of a million bytes each.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// columns prints aligned columns under a title.
type columns struct{ w *tabwriter.Writer }

func newColumns(w io.Writer, title string, heads ...string) columns {
	fmt.Fprintf(w, "\n%s\n", title)
	t := columns{tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
	t.row(heads...)
	return t
}

func (t columns) row(cells ...string) {
	fmt.Fprintf(t.w, "  %s\n", strings.TrimRight(strings.Join(cells, "\t"), "\t"))
}

func (t columns) end() { t.w.Flush() }
