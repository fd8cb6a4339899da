package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
)

// cell is one program at one place: a row of the figures for each kind of its
// invocations.
type cell struct {
	program program
	place   place
	plan    plan
}

// key is what the samples of different rounds have in common.
type key struct {
	Label string
	Place place
	Kind  kind
}

// results are the samples, in the order of the rounds. Rounds have the same
// number of samples of a key.
type results map[key][]sample

// measure runs every cell once a round, in turns, so that a machine that is
// slow for a while affects all of them.
func (e environment) measure(ctx context.Context, cells []cell, rounds int) (results, error) {
	// A first start brings the files into memory.
	silent := environment{world: e.world, cgroups: e.cgroups}
	for _, c := range cells {
		if _, err := silent.live(ctx, c.program, c.place, plan{}); err != nil {
			return nil, err
		}
	}
	all := results{}
	for range rounds {
		for _, c := range cells {
			samples, err := e.live(ctx, c.program, c.place, c.plan)
			if err != nil {
				return nil, err
			}
			for _, s := range samples {
				k := key{c.program.label(), c.place, s.Kind}
				all[k] = append(all[k], s)
			}
		}
	}
	return all, nil
}

// figures maps the samples of a key to one of their figures.
func figures[T any](r results, k key, f func(sample) T) []T { return each(r[k], f) }

func total(s sample) time.Duration      { return s.Total }
func invokeUsed(s sample) time.Duration { return s.InvokeUsed }
func peak(s sample) int64               { return s.Peak }

// median returns the median of a figure.
func (r results) median(k key, f func(sample) int64) int64 { return median(figures(r, k, f)) }

// ratio returns the median of the ratios of two times within a round.
func (r results) ratio(a, b key) float64 {
	return medianRatio(figures(r, a, total), figures(r, b, total))
}

// has reports whether all the keys have samples.
func (r results) has(keys ...key) bool {
	for _, k := range keys {
		if len(r[k]) == 0 {
			return false
		}
	}
	return true
}

// print prints the medians: a row for each kind of invocation of each cell.
func (r results) print(out io.Writer, title string, cells []cell) {
	first := key{cells[0].program.label(), cells[0].place, cold}
	t := newColumns(out, fmt.Sprintf("%s: medians of %d; (n) of the requests or connections followed each other", title, len(r[first])),
		"program", "MB", "Amperity", "", "until answer", "init", "invoke", "CPU init", "CPU invoke", "requests", "connections", "handshakes", "look-ups", "peak memory")
	for _, c := range cells {
		for _, k := range []kind{cold, warm, thawed} {
			if id := (key{c.program.label(), c.place, k}); r.has(id) {
				t.row(r.row(id)...)
			}
		}
	}
	t.end()
}

func (r results) row(k key) []string {
	duration := func(f func(sample) time.Duration) string { return ms(median(figures(r, k, f))) }
	init, initUsed := "", ""
	if k.Kind == cold {
		init, initUsed = duration(func(s sample) time.Duration { return s.Init }), duration(func(s sample) time.Duration { return s.InitUsed })
	}
	memory := "-"
	if k.Place.Memory > 0 {
		memory = strconv.Itoa(k.Place.Memory)
	}
	return []string{
		k.Label, memory, k.Place.Amperity.String(), string(k.Kind), duration(total),
		init, duration(func(s sample) time.Duration { return s.Invoke }), initUsed, duration(invokeUsed),
		r.count(k, func(c call) bool { return c.Operation != connected }),
		r.count(k, func(c call) bool { return c.Operation == connected }),
		fmt.Sprint(r.median(k, func(s sample) int64 { return int64(s.Handshakes) })),
		fmt.Sprint(r.median(k, func(s sample) int64 { return int64(s.Lookups) })),
		megabytes(r.median(k, peak)),
	}
}

// count returns the median number of some of the calls, and how many of them
// followed each other.
func (r results) count(k key, which func(call) bool) string {
	some := figures(r, k, func(s sample) []call {
		return slices.DeleteFunc(slices.Clone(s.Calls), func(c call) bool { return !which(c) })
	})
	n := median(each(some, func(c []call) int64 { return int64(len(c)) }))
	row := median(each(some, func(c []call) int64 { return int64(len(steps(c))) }))
	if n == row {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d (%d)", n, row)
}
