package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/arrival"
)

const (
	// routingSamples is how often each way is timed, in turns, and
	// routingSlice the least time that one sample takes.
	routingSamples = 15
	routingSlice   = 4 * time.Millisecond
	// tolerance is what "linear" and "nearly flat" leave for noise.
	tolerance = 1.25
)

var (
	batchSizes  = []int{1, 10, 100, 1000}
	routeCounts = []int{1, 10, 100}
)

// cell is what was measured of one size of batch and one number of routes, in
// nanoseconds for each record.
type cell struct {
	Records, Routes int
	Plain, Decode   float64
	// Routed is decoding and routing, Routing the routing alone.
	Routed, Routing float64
	// Ratio is the median of the ratios of Routed and Plain, each of samples
	// that were taken one after the other.
	Ratio float64
}

// routing measures how batches of S3 events are decoded and routed.
func routing(ctx context.Context, out io.Writer) ([]aim, error) {
	var cells []cell
	for _, routes := range routeCounts {
		for _, records := range batchSizes {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			c, err := measureCell(records, routes)
			if err != nil {
				return nil, err
			}
			cells = append(cells, c)
		}
	}
	t := newTable(out, fmt.Sprintf("SQS batches of EventBridge events: ns per record, median of %d, in turns", routingSamples),
		"records", "routes", "plain decoding", "decoded", "decoded and routed", "of plain decoding", "routing alone")
	for _, c := range cells {
		t.row(strconv.Itoa(c.Records), strconv.Itoa(c.Routes), fmt.Sprintf("%.0f", c.Plain), fmt.Sprintf("%.0f", c.Decode),
			fmt.Sprintf("%.0f", c.Routed), fmt.Sprintf("%.2fx", c.Ratio), fmt.Sprintf("%.0f", c.Routing))
	}
	t.end()
	linear, flat, worst := judge(cells)
	return []aim{
		atMost("decoded and routed: a record of 1000, of a record of 10", linear, tolerance, "x"),
		atMost("decoded and routed: with 100 routes, of with 1", flat, tolerance, "x"),
		atMost("decoded and routed, of plain decoding, in the worst case", worst, 2, "x"),
	}, nil
}

// judge finds the worst of each claim: how much dearer a record is in a batch
// of 1000 than in one of 10, how much dearer with 100 routes than with one, and
// how much dearer than plain decoding.
func judge(cells []cell) (linear, flat, worst float64) {
	at := make(map[[2]int]cell)
	for _, c := range cells {
		at[[2]int{c.Records, c.Routes}] = c
		worst = max(worst, c.Ratio)
	}
	for _, n := range routeCounts {
		linear = max(linear, at[[2]int{1000, n}].Routed/at[[2]int{10, n}].Routed)
	}
	for _, n := range batchSizes {
		flat = max(flat, at[[2]int{n, 100}].Routed/at[[2]int{n, 1}].Routed)
	}
	return linear, flat, worst
}

func measureCell(records, routes int) (cell, error) {
	c := cell{Records: records, Routes: routes}
	payload := sqsBatch(records, routes)
	table, _, err := arrival.ParseRoutes("routes.yaml", routesFile(routes), arrival.Options{})
	if err != nil {
		return c, err
	}
	batch, err := arrival.Decode(payload)
	if err != nil {
		return c, err
	}
	ways := []func() (int, error){
		func() (int, error) { return decodePlainly(payload) },
		func() (int, error) { return decoded(payload) },
		func() (int, error) { return routed(payload, table) },
		func() (int, error) { return matches(batch, table) },
	}
	slices := make([]int, len(ways))
	for i, way := range ways {
		n, err := way()
		if err != nil {
			return c, err
		}
		if err := complete(n, records); err != nil {
			return c, err
		}
		slices[i] = iterations(way)
	}
	runtime.GC()
	samples := make([][]float64, len(ways))
	var ratios []float64
	for range routingSamples {
		for i, way := range ways {
			samples[i] = append(samples[i], timed(way, slices[i])/float64(records))
		}
		last := len(samples[0]) - 1
		ratios = append(ratios, samples[2][last]/samples[0][last])
	}
	c.Plain, c.Decode = spreadOf(samples[0]).Median, spreadOf(samples[1]).Median
	c.Routed, c.Routing = spreadOf(samples[2]).Median, spreadOf(samples[3]).Median
	c.Ratio = spreadOf(ratios).Median
	return c, nil
}

// complete is nil if all records came through.
func complete(n, records int) error {
	if n != records {
		return fmt.Errorf("%d of %d records were decoded and routed", n, records)
	}
	return nil
}

// iterations tells how often to repeat way for one sample.
func iterations(way func() (int, error)) int {
	for n := 1; ; n *= 2 {
		if timed(way, n)*float64(n) >= float64(routingSlice) {
			return n
		}
	}
}

// timed runs way n times and tells the nanoseconds that one took.
func timed(way func() (int, error), n int) float64 {
	begun := time.Now()
	for range n {
		way()
	}
	return float64(time.Since(begun)) / float64(n)
}

// decoded tells how many arrivals a batch has.
func decoded(payload []byte) (int, error) {
	batch, err := arrival.Decode(payload)
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

// routed does what s3arrival does of a batch before it starts runs, and tells
// how many matches there are.
func routed(payload []byte, table *arrival.Routes) (int, error) {
	batch, err := arrival.Decode(payload)
	if err != nil {
		return 0, err
	}
	return matches(batch, table)
}

func matches(batch arrival.Batch, table *arrival.Routes) (int, error) {
	n := 0
	for _, m := range batch.Messages {
		if m.Err != nil {
			return n, m.Err
		}
		for _, a := range m.Arrivals {
			if !table.Ignored(a.Key) {
				n += len(table.Match(a, batchTime))
			}
		}
	}
	return n, nil
}
