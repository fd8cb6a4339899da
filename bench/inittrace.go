package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// initCost is what the initialization of one Go package took.
type initCost struct {
	Package string
	Took    time.Duration
	Bytes   int64
}

// parseInitTrace reads the lines that a Go program writes under
// GODEBUG=inittrace=1 (package runtime), as
//
//	init regexp/syntax @0.52 ms, 0.017 ms clock, 4192 bytes, 19 allocs
//
// and leaves out all others.
func parseInitTrace(text string) []initCost {
	var costs []initCost
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 11 || f[0] != "init" || f[8] != "bytes," {
			continue
		}
		took, err1 := strconv.ParseFloat(f[4], 64)
		bytes, err2 := strconv.ParseInt(f[7], 10, 64)
		if err1 == nil && err2 == nil {
			costs = append(costs, initCost{f[1], time.Duration(took * float64(time.Millisecond)), bytes})
		}
	}
	return costs
}

// printInitCosts prints, from one cold start of each Go program, what the
// initialization of its packages costs and which of trigger's cost the most.
func printInitCosts(ctx context.Context, ps programs, out io.Writer) error {
	const shown = 6
	t := newTable(out, "Package initialization (one start each, GODEBUG=inittrace=1)", "program", "packages", "time", "allocated")
	var top []initCost
	for _, p := range []program{ps.Hello, ps.Trigger} {
		costs, err := traceInit(ctx, p)
		if err != nil {
			return err
		}
		var took time.Duration
		var bytes int64
		for _, c := range costs {
			took += c.Took
			bytes += c.Bytes
		}
		t.row(p.Name, strconv.Itoa(len(costs)), ms(took), kilobytes(bytes))
		top = costs
	}
	slices.SortStableFunc(top, func(a, b initCost) int { return cmp.Compare(b.Took, a.Took) })
	for _, c := range top[:min(shown, len(top))] {
		t.row("  "+c.Package, "", ms(c.Took), kilobytes(c.Bytes))
	}
	t.end()
	return nil
}

func traceInit(ctx context.Context, p program) ([]initCost, error) {
	pr, err := start(ctx, p, func(*process, time.Time) {}, "GODEBUG=inittrace=1")
	if err != nil {
		return nil, err
	}
	_, err = pr.Ready(ctx)
	pr.Stop()
	if err != nil {
		return nil, err
	}
	return tracedCosts(p.Name, pr.log.String())
}

func tracedCosts(name, text string) ([]initCost, error) {
	costs := parseInitTrace(text)
	if len(costs) == 0 {
		return nil, fmt.Errorf("%s wrote no line of GODEBUG=inittrace=1", name)
	}
	return costs, nil
}
