package main

import (
	"encoding/json"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/route"
)

func TestBatchesHoldWhatIsMeasured(t *testing.T) {
	t.Parallel()
	for _, n := range batchSizes {
		for _, routes := range routeCounts {
			payload := sqsBatch(batchTime, n, routes, 0)
			if got, err := decodePlainly(payload); got != n || err != nil {
				t.Errorf("plain decoding finds %d of %d objects: %v", got, n, err)
			}
			table, _, err := route.Parse("routes.yaml", routesFile(routes, "0s"), route.Options{})
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
	if err := json.Unmarshal(sqsBatch(batchTime, 2, 1, 0), &batch); err != nil {
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

func TestMessagesHaveTheirSize(t *testing.T) {
	t.Parallel()
	for _, want := range []int{2000, 3000, 5000} {
		var batch struct{ Records []json.RawMessage }
		if err := json.Unmarshal(sqsBatch(batchTime, 3, 1, want), &batch); err != nil {
			t.Fatal(err)
		}
		for _, m := range batch.Records {
			if len(m) < want || len(m) > want+2 {
				t.Errorf("a message has %d bytes, want %d", len(m), want)
			}
		}
	}
	if n, err := decodePlainly(sqsBatch(batchTime, 3, 1, 3000)); n != 3 || err != nil {
		t.Errorf("%d of 3 objects: %v", n, err)
	}
}

func TestJudgeTakesTheWorst(t *testing.T) {
	t.Parallel()
	var cells []*size
	for _, routes := range routeCounts {
		for _, records := range batchSizes {
			c := &size{Records: records, Routes: routes}
			c.plain.perRecord = []float64{50, 50, 50}
			c.routed.perRecord = []float64{75, 7500, 75} // one round was disturbed
			cells = append(cells, c)
		}
	}
	cells[0].plain.perRecord = []float64{40, 40, 40}
	cells[len(cells)-1].routed.perRecord = []float64{90, 9000, 90} // 1000 records, 100 routes
	want := routingFigures{Linear: 1.2, Flat: 1.2, Plain: 1.875}
	if diff := cmp.Diff(want, judge(cells)); diff != "" {
		t.Error(diff)
	}
}

// The benchmarks are for profiles:
//
//	go test ./bench -run '^$' -bench Routed -cpuprofile cpu.prof
func BenchmarkRouted(b *testing.B) {
	payload := sqsBatch(batchTime, 1000, 100, 0)
	table, _, err := route.Parse("routes.yaml", routesFile(100, "0s"), route.Options{})
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
	payload := sqsBatch(batchTime, 1000, 100, 0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodePlainly(payload); err != nil {
			b.Fatal(err)
		}
	}
}
