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

// way is one way to go through a batch. It returns how many records it went
// through.
type way func() (int, error)

// The ways of a size.
const (
	plain       = iota // decoded with encoding/json, see decodePlainly
	decodedOnly        // decoded by internal/s3event
	bothWay            // decoded and routed, as s3arrival does
	routedOnly         // routed, decoded before
	waysInAll
)

// size is one size of batch and one number of routes.
type size struct {
	Records, Routes int
	ways            [waysInAll]way
	repeats         [waysInAll]int
	// PerRecord has the nanoseconds that a record took, of each way and
	// round.
	PerRecord [waysInAll][]float64
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
	var cells []*size
	for _, routes := range routeCounts {
		for _, records := range batchSizes {
			c, err := newSize(records, routes)
			if err != nil {
				return nil, err
			}
			cells = append(cells, c)
		}
	}
	runtime.GC()
	for range routingRounds {
		for _, c := range cells {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			for i, w := range c.ways {
				c.PerRecord[i] = append(c.PerRecord[i], timed(w, c.repeats[i])/float64(c.Records))
			}
		}
	}
	t := newColumns(out, fmt.Sprintf("SQS batches of EventBridge events: ns of processor time per record, median of %d, in turns", routingRounds),
		"records", "routes", "plain decoding", "decoded", "decoded and routed", "of plain decoding", "routing alone")
	for _, c := range cells {
		ns := func(way int) string { return fmt.Sprintf("%.0f", median(c.PerRecord[way])) }
		t.row(strconv.Itoa(c.Records), strconv.Itoa(c.Routes), ns(plain), ns(decodedOnly), ns(bothWay),
			fmt.Sprintf("%.2fx", medianRatio(c.PerRecord[bothWay], c.PerRecord[plain])), ns(routedOnly))
	}
	t.end()
	worst := judge(cells)
	return &worst, nil
}

// judge finds the worst of each ratio.
func judge(cells []*size) routingFigures {
	var worst routingFigures
	at := make(map[[2]int][]float64)
	for _, c := range cells {
		at[[2]int{c.Records, c.Routes}] = c.PerRecord[bothWay]
		worst.Plain = max(worst.Plain, medianRatio(c.PerRecord[bothWay], c.PerRecord[plain]))
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
	c := &size{Records: records, Routes: routes}
	payload := sqsBatch(batchTime, records, routes, 0)
	table, _, err := route.Parse("routes.yaml", routesFile(routes, "0s"), route.Options{})
	if err != nil {
		return nil, err
	}
	batch, err := s3event.Decode(payload)
	if err != nil {
		return nil, err
	}
	c.ways = [waysInAll]way{
		plain:       func() (int, error) { return decodePlainly(payload) },
		decodedOnly: func() (int, error) { return decoded(payload) },
		bothWay:     func() (int, error) { return routed(payload, table) },
		routedOnly:  func() (int, error) { return matches(batch, table) },
	}
	for i, w := range c.ways {
		n, err := w()
		if err != nil {
			return nil, err
		}
		if err := complete(n, records); err != nil {
			return nil, err
		}
		c.repeats[i] = repeats(w)
	}
	return c, nil
}

// complete is nil if all records came through.
func complete(n, records int) error {
	if n != records {
		return fmt.Errorf("%d of %d records were decoded and routed", n, records)
	}
	return nil
}

// repeats returns how often to go one way for one sample.
func repeats(w way) int {
	for n := 1; ; n *= 2 {
		if timed(w, n)*float64(n) >= float64(routingSlice) {
			return n
		}
	}
}

// timed goes one way n times, and returns the nanoseconds of processor time that
// each took. A busy machine changes them less than the time that passed.
func timed(w way, n int) float64 {
	begun := ownTime()
	for range n {
		w()
	}
	return float64(ownTime()-begun) / float64(n)
}

// ownTime is what this process has used, the garbage collector with it.
func ownTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // only wrong arguments fail: getrusage(2)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// decoded returns how many arrivals a batch has.
func decoded(payload []byte) (int, error) {
	batch, err := s3event.Decode(payload)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, m := range batch.Messages {
		n += len(m.Arrivals)
		if m.Err != nil {
			return n, m.Err
		}
	}
	return n, nil
}

// routed does to a batch what s3arrival does before it starts runs, and returns
// the number of matches.
func routed(payload []byte, table *route.Routes) (int, error) {
	batch, err := s3event.Decode(payload)
	if err != nil {
		return 0, err
	}
	return matches(batch, table)
}

func matches(batch s3event.Batch, table *route.Routes) (int, error) {
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
