package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// apart is a distance at which concurrent requests certainly overlap.
const apart = 20 * time.Millisecond

// measureLoopback measures what needs no root. At a distance and over TLS it
// counts the round trips. Without both it measures what a program takes alone.
// No process is limited or frozen.
func measureLoopback(ctx context.Context, o options, scratch string, out io.Writer) error {
	a, err := newAuthority(scratch)
	if err != nil {
		return err
	}
	remote, err := openLoopback(distances{AWS: apart, Amperity: apart}, a)
	if err != nil {
		return err
	}
	defer remote.Close()
	local, err := openLoopback(distances{}, nil)
	if err != nil {
		return err
	}
	defer local.Close()
	for _, part := range []struct {
		title  string
		world  *world
		rounds int
		cells  []cell
	}{
		{fmt.Sprintf("Over the loopback interface, with TLS, %v to each server", apart), remote, 1, pathCells(o, scratch)},
		{"Over the loopback interface, without TLS or distance", local, o.rounds, startCells(o, scratch)},
	} {
		e := environment{world: part.world}
		if o.trace {
			e.trace = out
		}
		all, err := e.measure(ctx, part.cells, part.rounds)
		if err != nil {
			return err
		}
		all.print(out, part.title, part.cells)
	}
	return nil
}

// pathCells lists the paths of the functions.
func pathCells(o options, scratch string) []cell {
	var cells []cell
	at := place{Amperity: apart}
	for _, t := range o.trees {
		cells = append(cells,
			cell{trigger(scratch, t), at, plan{Warm: 1}},
			cell{s3arrival(scratch, t, "s3arrival", tenFiles), at, plan{Warm: 1}},
			cell{arrivalNow(scratch, t), at, plan{}},
			cell{sweep(scratch, t), at, plan{Warm: 1}})
	}
	return cells
}

// startCells lists the programs whose starts are compared.
func startCells(o options, scratch string) []cell {
	cells := []cell{{hello(scratch), place{}, plan{Warm: 1}}}
	for _, t := range o.trees {
		cells = append(cells, cell{trigger(scratch, t), place{}, plan{Warm: 1}})
	}
	if o.python != "" {
		cells = append(cells, cell{python(scratch, o.python), place{}, plan{Warm: 1}})
	}
	return cells
}
