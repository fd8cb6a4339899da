package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// The distances of an account: to AWS within a region, to the resolver of the
// VPC, and two to Amperity, whose distance from an account is unknown.
const (
	toAWS  = 1500 * time.Microsecond
	toDNS  = 500 * time.Microsecond
	far    = 40 * time.Millisecond
	near   = 5 * time.Millisecond
	little = 128 // MB, Lambda's least
)

// usual is the place at which all paths are measured.
func (o options) usual() place { return place{o.memory, far} }

// Our functions live through all kinds of invocations. The floor and hello do
// not open a closed connection again.
var (
	wholeLife = plan{Warm: 2, Thawed: 1}
	floorLife = plan{Warm: 2}
)

func triggerCells(o options, scratch string) []cell {
	cells := []cell{{hello(scratch), o.usual(), floorLife}}
	if o.python != "" {
		cells = append(cells, cell{python(scratch, o.python), o.usual(), wholeLife})
	}
	for _, at := range []place{o.usual(), {o.memory, near}} {
		cells = append(cells, cell{floor(scratch, "trigger", 1), at, floorLife})
		for _, t := range o.trees {
			cells = append(cells, cell{trigger(scratch, t), at, wholeLife})
		}
	}
	for _, memory := range []int{little, wholeProcessor} {
		for _, t := range o.trees {
			cells = append(cells, cell{trigger(scratch, t), place{memory, far}, plan{}})
		}
	}
	return cells
}

func s3arrivalCells(o options, scratch string) []cell {
	cells := []cell{{floor(scratch, "s3arrival", 0), o.usual(), floorLife}}
	for _, t := range o.trees {
		cells = append(cells,
			cell{s3arrival(scratch, t, "s3arrival", tenFiles), o.usual(), wholeLife},
			cell{s3arrival(scratch, t, "s3arrival, 3 MB", thousandMessages), o.usual(), plan{}})
	}
	return cells
}

// sweepCells first makes a table with due windows for each tree.
func (e environment) sweepCells(ctx context.Context, o options, scratch string) ([]cell, error) {
	cells := []cell{{floor(scratch, "sweep", 0), o.usual(), floorLife}}
	for _, t := range o.trees {
		due, err := makeDue(ctx, e, scratch, t)
		if err != nil {
			return nil, err
		}
		cells = append(cells,
			cell{sweep(scratch, t), o.usual(), wholeLife},
			cell{sweepDue(scratch, t, due), o.usual(), plan{}})
	}
	return cells, nil
}

// measureAccount measures the programs as in an account, and prints the figures.
// It runs in namespaces of its own.
func measureAccount(ctx context.Context, o options, scratch string, out io.Writer) (results, error) {
	a, err := newAuthority(scratch)
	if err != nil {
		return nil, err
	}
	if err := furnishAccount(scratch, a); err != nil {
		return nil, err
	}
	w, err := openAccount(distances{AWS: toAWS, Amperity: far, DNS: toDNS}, a)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	e := environment{world: w, cgroups: cgroupRoot}
	cells, err := e.accountCells(ctx, o, scratch)
	if err != nil {
		return nil, err
	}
	if o.trace {
		e.trace = out
	}
	all, err := e.measure(ctx, cells, o.rounds)
	if err != nil {
		return nil, err
	}
	all.print(out, fmt.Sprintf("As in an account, %v to AWS", toAWS), cells)
	return all, nil
}

func (e environment) accountCells(ctx context.Context, o options, scratch string) ([]cell, error) {
	var cells []cell
	if o.parts["trigger"] {
		cells = append(cells, triggerCells(o, scratch)...)
	}
	if o.parts["s3arrival"] {
		cells = append(cells, s3arrivalCells(o, scratch)...)
	}
	if o.parts["sweep"] {
		more, err := e.sweepCells(ctx, o, scratch)
		if err != nil {
			return nil, err
		}
		cells = append(cells, more...)
	}
	return cells, nil
}
