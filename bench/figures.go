package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// spread describes a set of samples.
type spread[T ~int64 | ~float64] struct{ Median, Min, Max T }

// spreadOf returns the spread of xs, which must not be empty. The median of an
// even number of samples is the lower of the two in the middle: a sample that
// was measured.
func spreadOf[T ~int64 | ~float64](xs []T) spread[T] {
	s := slices.Sorted(slices.Values(xs))
	return spread[T]{s[(len(s)-1)/2], s[0], s[len(s)-1]}
}

// medianRatio is the median of the ratios of a's and b's samples of the same
// round, so that a machine that is slow for a while changes nothing.
func medianRatio[T ~int64 | ~float64](a, b []T) float64 {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = float64(a[i]) / float64(b[i])
	}
	return spreadOf(ratios).Median
}

// quantile returns the sample below which the share q of xs lies.
func quantile[T ~int64 | ~float64](xs []T, q float64) T {
	s := slices.Sorted(slices.Values(xs))
	return s[int(q*float64(len(s)-1))]
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

func micros(d time.Duration) string { return fmt.Sprintf("%d µs", d.Microseconds()) }

// megabytes prints bytes in MB of a million bytes each.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

func kilobytes(n int64) string { return fmt.Sprintf("%d kB", n/1000) }

// spreadMS prints a spread of durations as "median (min to max)".
func spreadMS(s spread[time.Duration]) string {
	f := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return fmt.Sprintf("%.2f ms (%.2f to %.2f)", f(s.Median), f(s.Min), f(s.Max))
}

// aim is one figure that was set as a goal.
type aim struct {
	Claim   string
	Figure  string
	Reached bool
}

// atMost is the aim that figure does not exceed limit, both in unit.
func atMost(claim string, figure, limit float64, unit string) aim {
	return aim{
		Claim:   fmt.Sprintf("%s: at most %g%s", claim, limit, unit),
		Figure:  fmt.Sprintf("%.2f%s", figure, unit),
		Reached: figure <= limit,
	}
}

// atLeast is the aim that figure is not below limit, both in unit.
func atLeast(claim string, figure, limit float64, unit string) aim {
	return aim{
		Claim:   fmt.Sprintf("%s: at least %g%s", claim, limit, unit),
		Figure:  fmt.Sprintf("%.2f%s", figure, unit),
		Reached: figure >= limit,
	}
}

func printAims(w io.Writer, aims []aim) {
	if len(aims) == 0 {
		return
	}
	t := newTable(w, "Aims", "aim", "measured", "")
	for _, a := range aims {
		verdict := "reached"
		if !a.Reached {
			verdict = "MISSED"
		}
		t.row(a.Claim, a.Figure, verdict)
	}
	t.end()
}

// table prints aligned columns under a title.
type table struct{ w *tabwriter.Writer }

func newTable(w io.Writer, title string, columns ...string) table {
	fmt.Fprintf(w, "\n%s\n", title)
	t := table{tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
	t.row(columns...)
	return t
}

func (t table) row(cells ...string) {
	fmt.Fprintf(t.w, "  %s\n", strings.TrimRight(strings.Join(cells, "\t"), "\t"))
}

func (t table) end() { t.w.Flush() }
