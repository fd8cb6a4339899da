package main

import (
	"cmp"
	"fmt"
	"io"
	"time"
)

// goal is a limit for one figure of the built functions.
type goal struct {
	Claim string
	Limit float64
	Unit  string
	// Least: the limit is the least that is wanted, not the most.
	Least bool
	// Figure returns the figure of a tree, and false if it was not measured.
	Figure func(m measured, t tree) (float64, bool)
}

// measured is all that goals are judged by.
type measured struct {
	memory  int
	account results
	routing *routingFigures
	// binaries are the sizes of trigger's files in bytes.
	binaries map[tree]int64
}

// goals are the limits, in the order in which they are printed.
var goals = []goal{
	overFloor("trigger cold, Amperity at 40 ms", "trigger", far, cold, 1.10),
	overFloor("trigger cold, Amperity at 5 ms", "trigger", near, cold, 1.4),
	overFloor("trigger warm, Amperity at 40 ms", "trigger", far, warm, 1.05),
	overFloor("trigger warm, Amperity at 5 ms", "trigger", near, warm, 1.15),
	overFloor("s3arrival cold, 10 files", "s3arrival", far, cold, 2),
	overFloor("sweep cold, nothing due", "sweep", far, cold, 2),
	{Claim: "trigger cold at 128 MB, over 1769 MB", Limit: 1.1, Unit: "x", Figure: func(m measured, t tree) (float64, bool) {
		return m.ratio(key{t.label("trigger"), place{little, far}, cold}, key{t.label("trigger"), place{wholeProcessor, far}, cold})
	}},
	{Claim: "plain Python over trigger, cold", Limit: 4, Unit: "x", Least: true, Figure: func(m measured, t tree) (float64, bool) {
		return m.ratio(key{"python", place{m.memory, far}, cold}, key{t.label("trigger"), place{m.memory, far}, cold})
	}},
	{Claim: "processor time in invoke, trigger cold", Limit: 7, Unit: " ms", Figure: func(m measured, t tree) (float64, bool) {
		k := key{t.label("trigger"), place{m.memory, far}, cold}
		if !m.account.has(k) {
			return 0, false
		}
		return float64(median(figures(m.account, k, invokeUsed))) / float64(time.Millisecond), true
	}},
	mostMemory("trigger", "trigger", 20),
	mostMemory("sweep, nothing due", "sweep", 20),
	mostMemory("sweep, 20 due", "sweep, 20 due", 20),
	mostMemory("s3arrival, 1,000 messages of 3 MB", "s3arrival, 3 MB", 64),
	{Claim: "binary of trigger", Limit: 12, Unit: " MB", Figure: func(m measured, t tree) (float64, bool) {
		size, ok := m.binaries[t]
		return float64(size) / 1e6, ok
	}},
	{Claim: "decoded and routed: a record of 1000, over one of 10", Limit: tolerance, Unit: "x", Figure: ofRouting(func(f routingFigures) float64 { return f.Linear })},
	{Claim: "decoded and routed: with 100 routes, over with 1", Limit: tolerance, Unit: "x", Figure: ofRouting(func(f routingFigures) float64 { return f.Flat })},
	{Claim: "decoded and routed, over plain decoding, in the worst case", Limit: 2, Unit: "x", Figure: ofRouting(func(f routingFigures) float64 { return f.Plain })},
}

// label is the label of a path of this tree.
func (t tree) label(path string) string { return program{Name: path, Tree: t.Name}.label() }

func (m measured) ratio(a, b key) (float64, bool) {
	if !m.account.has(a, b) {
		return 0, false
	}
	return m.account.ratio(a, b), true
}

// overFloor is a limit for the time until the answer, over that of the floor.
func overFloor(claim, path string, distance time.Duration, k kind, limit float64) goal {
	return goal{Claim: claim + ", over floor", Limit: limit, Unit: "x", Figure: func(m measured, t tree) (float64, bool) {
		at := place{m.memory, distance}
		return m.ratio(key{t.label(path), at, k}, key{"floor of " + path, at, k})
	}}
}

// mostMemory is a limit for the peak memory of a path in all rounds.
func mostMemory(claim, path string, limit float64) goal {
	return goal{Claim: "peak memory of " + claim, Limit: limit, Unit: " MB", Figure: func(m measured, t tree) (float64, bool) {
		var most int64
		for _, k := range []kind{cold, warm, thawed} {
			for _, s := range m.account[key{t.label(path), place{m.memory, far}, k}] {
				most = max(most, s.Peak)
			}
		}
		return float64(most) / 1e6, most > 0
	}}
}

func ofRouting(figure func(routingFigures) float64) func(measured, tree) (float64, bool) {
	return func(m measured, _ tree) (float64, bool) {
		if m.routing == nil {
			return 0, false
		}
		return figure(*m.routing), true
	}
}

// verdict is a goal's figure, and whether it is reached.
func (g goal) verdict(figure float64) (text, judged string) {
	judged = "reached"
	if g.Least && figure < g.Limit || !g.Least && figure > g.Limit {
		judged = "MISSED"
	}
	return fmt.Sprintf("%.2f%s", figure, g.Unit), judged
}

func (g goal) String() string {
	word := "at most"
	if g.Least {
		word = "at least"
	}
	return fmt.Sprintf("%s: %s %g%s", g.Claim, word, g.Limit, g.Unit)
}

// printGoals prints the goals that were measured, with a column for each tree.
func printGoals(out io.Writer, m measured, trees []tree) {
	heads := []string{"goal"}
	for _, t := range trees {
		heads = append(heads, cmp.Or(t.Name, "measured"), "")
	}
	var rows [][]string
	for _, g := range goals {
		row, any := []string{g.String()}, false
		for _, t := range trees {
			text, judged := "", ""
			if figure, ok := g.Figure(m, t); ok {
				text, judged = g.verdict(figure)
				any = true
			}
			row = append(row, text, judged)
		}
		if any {
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		return
	}
	t := newColumns(out, fmt.Sprintf("Goals at %d MB", m.memory), heads...)
	for _, row := range rows {
		t.row(row...)
	}
	t.end()
}
