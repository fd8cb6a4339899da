package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/route"
	"github.com/amperity-runs/amperity-runs/internal/s3event"
)

const (
	// routingRounds is how often everything is timed, in turns, and
	// routingSlice the least time that one sample takes.
	routingRounds = 21
	routingSlice  = 3 * time.Millisecond
	// tolerance is what "linear" and "nearly flat" leave for noise.
	tolerance = 1.25
)

var (
	batchSizes  = []int{1, 10, 100, 1000}
	routeCounts = []int{1, 10, 100}
)

// way is one way to go through a batch.
type way struct {
	// once goes through the batch, and returns the number of its records.
	once func() (int, error)
	// repeats is how often it is done for one sample.
	repeats int
	// perRecord has the nanoseconds that a record took in each round.
	perRecord []float64
}

// size is one size of batch and one number of routes.
type size struct {
	Records, Routes int
	// plain is decodePlainly, routed what s3arrival does.
	plain, routed way
}

// routingFigures are the worst of three ratios.
type routingFigures struct {
	// Linear is how much dearer a record is in a batch of 1000 than in one of 10.
	Linear float64
	// Flat is how much dearer it is with 100 routes than with one.
	Flat float64
	// Plain is how much dearer it is than plain decoding.
	Plain float64
}

// measureRouting measures how batches of S3 events are decoded and routed.
func measureRouting(ctx context.Context, out io.Writer) (*routingFigures, error) {
	var sizes []*size
	for _, routes := range routeCounts {
		for _, records := range batchSizes {
			s, err := newSize(records, routes)
			if err != nil {
				return nil, err
			}
			sizes = append(sizes, s)
		}
	}
	runtime.GC()
	for range routingRounds {
		for _, s := range sizes {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			for _, w := range []*way{&s.plain, &s.routed} {
				w.perRecord = append(w.perRecord, w.timed()/float64(s.Records))
			}
		}
	}
	t := newColumns(out, fmt.Sprintf("SQS batches of EventBridge events: ns of processor time per record, median of %d, in turns", routingRounds),
		"records", "routes", "plain decoding", "decoded and routed", "of plain decoding")
	for _, s := range sizes {
		t.row(strconv.Itoa(s.Records), strconv.Itoa(s.Routes), fmt.Sprintf("%.0f", median(s.plain.perRecord)),
			fmt.Sprintf("%.0f", median(s.routed.perRecord)), fmt.Sprintf("%.2fx", medianRatio(s.routed.perRecord, s.plain.perRecord)))
	}
	t.end()
	worst := judge(sizes)
	return &worst, nil
}

// judge finds the worst of each ratio.
func judge(sizes []*size) routingFigures {
	var worst routingFigures
	at := make(map[[2]int][]float64)
	for _, s := range sizes {
		at[[2]int{s.Records, s.Routes}] = s.routed.perRecord
		worst.Plain = max(worst.Plain, medianRatio(s.routed.perRecord, s.plain.perRecord))
	}
	for _, n := range routeCounts {
		worst.Linear = max(worst.Linear, medianRatio(at[[2]int{1000, n}], at[[2]int{10, n}]))
	}
	for _, n := range batchSizes {
		worst.Flat = max(worst.Flat, medianRatio(at[[2]int{n, 100}], at[[2]int{n, 1}]))
	}
	return worst
}

func newSize(records, routes int) (*size, error) {
	s := &size{Records: records, Routes: routes}
	payload := sqsBatch(batchTime, records, routes, 0)
	table, _, err := route.Parse("routes.yaml", routesFile(routes, "0s"), route.Options{})
	if err != nil {
		return nil, err
	}
	s.plain.once = func() (int, error) { return decodePlainly(payload) }
	s.routed.once = func() (int, error) { return routed(payload, table) }
	for _, w := range []*way{&s.plain, &s.routed} {
		n, err := w.once()
		if err != nil {
			return nil, err
		}
		if n != records {
			return nil, fmt.Errorf("%d of %d records were decoded and routed", n, records)
		}
		for w.repeats = 1; w.timed()*float64(w.repeats) < float64(routingSlice); {
			w.repeats *= 2
		}
	}
	return s, nil
}

// timed returns the nanoseconds of processor time that the way takes once. A
// busy machine changes them less than the time that passes.
func (w *way) timed() float64 {
	begun := ownTime()
	for range w.repeats {
		// It has worked before, on the same batch.
		_, _ = w.once()
	}
	return float64(ownTime()-begun) / float64(w.repeats)
}

// ownTime is what this process has used, the garbage collector with it.
func ownTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // only wrong arguments fail: getrusage(2)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// routed does to a batch what s3arrival does before it starts runs, and returns
// the number of matches.
func routed(payload []byte, table *route.Routes) (int, error) {
	batch, err := s3event.Decode(payload)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, m := range batch.Messages {
		if m.Err != nil {
			return n, m.Err
		}
		for _, a := range m.Arrivals {
			if !table.Ignored(a) {
				n += len(table.Match(a, batchTime))
			}
		}
	}
	return n, nil
}
