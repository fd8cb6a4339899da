package main

import (
	"encoding/json"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/amperity-runs/amperity-runs/internal/route"
)

func TestBatchesHoldWhatIsMeasured(t *testing.T) {
	t.Parallel()
	for _, n := range batchSizes {
		for _, routes := range routeCounts {
			payload := sqsBatch(n, routes)
			if got, err := decodePlainly(payload); got != n || err != nil {
				t.Errorf("plain decoding finds %d of %d objects: %v", got, n, err)
			}
			if got, err := decoded(payload); got != n || err != nil {
				t.Errorf("internal/s3event finds %d of %d arrivals: %v", got, n, err)
			}
			table, _, err := route.Parse("routes.yaml", routesFile(routes), route.Options{})
			if err != nil {
				t.Fatalf("%d routes: %v", routes, err)
			}
			if got, err := routed(payload, table); got != n || err != nil {
				t.Errorf("%d of %d records are routed to exactly one of %d routes: %v", got, n, routes, err)
			}
		}
	}
}

func TestBatchIsWhatLambdaSends(t *testing.T) {
	t.Parallel()
	var batch events.SQSEvent
	if err := json.Unmarshal(sqsBatch(2, 1), &batch); err != nil {
		t.Fatal(err)
	}
	var e events.EventBridgeEvent
	if err := json.Unmarshal([]byte(batch.Records[1].Body), &e); err != nil {
		t.Fatal(err)
	}
	if e.DetailType != "Object Created" || e.Source != "aws.s3" || batch.Records[1].EventSource != "aws:sqs" {
		t.Errorf("got detail-type %q from %q by %q", e.DetailType, e.Source, batch.Records[1].EventSource)
	}
}

func TestJudgeTakesTheWorst(t *testing.T) {
	t.Parallel()
	var cells []*cell
	for _, routes := range routeCounts {
		for _, records := range batchSizes {
			c := &cell{Records: records, Routes: routes}
			c.PerRecord[plain] = []float64{50, 50, 50}
			c.PerRecord[bothWay] = []float64{75, 7500, 75} // one round was disturbed
			cells = append(cells, c)
		}
	}
	cells[0].PerRecord[plain] = []float64{40, 40, 40}
	cells[len(cells)-1].PerRecord[bothWay] = []float64{90, 9000, 90} // 1000 records, 100 routes
	linear, flat, worst := judge(cells)
	if linear != 1.2 || flat != 1.2 || worst != 1.875 {
		t.Errorf("got %v, %v, %v", linear, flat, worst)
	}
}

// The benchmarks are for profiles:
//
//	go test ./bench -run '^$' -bench Routed -cpuprofile cpu.prof
func BenchmarkRouted(b *testing.B) {
	payload := sqsBatch(1000, 100)
	table, _, err := route.Parse("routes.yaml", routesFile(100), route.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := routed(payload, table); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodedPlainly(b *testing.B) {
	payload := sqsBatch(1000, 100)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodePlainly(payload); err != nil {
			b.Fatal(err)
		}
	}
}
