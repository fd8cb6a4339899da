package route

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/s3event"
)

var benchReceived = time.Date(2026, 11, 22, 5, 30, 0, 0, time.UTC)

// sqsOfEventBridge is what the deployed stack receives: a batch of n messages,
// each an EventBridge event of its own file. Every tenth is for no route.
func sqsOfEventBridge(n int) []byte {
	type message struct {
		MessageID   string            `json:"messageId"`
		Receipt     string            `json:"receiptHandle"`
		Body        string            `json:"body"`
		Attributes  map[string]string `json:"attributes"`
		EventSource string            `json:"eventSource"`
		ARN         string            `json:"eventSourceARN"`
	}
	var batch struct{ Records []message }
	for i := range n {
		key := fmt.Sprintf("route%02d/2026/11/22/05/part-%05d.json", i%100, i)
		if i%10 == 9 {
			key = fmt.Sprintf("other%02d/part-%05d.json", i%100, i)
		}
		body := fmt.Sprintf(`{"version":"0","id":"17793124-05d4-b198-2fde-7ededc63b103","detail-type":"Object Created","source":"aws.s3",`+
			`"account":"111122223333","time":"2026-11-22T05:00:00Z","region":"us-west-2","resources":["arn:aws:s3:::acme-landing"],`+
			`"detail":{"version":"0","bucket":{"name":"acme-landing"},"object":{"key":%q,"size":5,"etag":"b1946ac92492d2347c6235b4d2611184",`+
			`"version-id":"IYV3p45BT0ac8hjHg1houSdS1a.Mro8e","sequencer":"00617F08299329D189"},"request-id":"N4N7GDK58NMKJ12R",`+
			`"requester":"123456789012","source-ip-address":"1.2.3.4","reason":"PutObject"}}`, key)
		batch.Records = append(batch.Records, message{
			MessageID: fmt.Sprintf("059f36b4-87a3-44ab-83d2-%012d", i), Receipt: "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a", Body: body,
			Attributes:  map[string]string{"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183", "SenderId": "AIDAIENQZJOLO23YVJ4VO"},
			EventSource: "aws:sqs", ARN: "arn:aws:sqs:us-east-2:123456789012:arrivals",
		})
	}
	b, err := json.Marshal(batch)
	if err != nil {
		panic(err)
	}
	return b
}

// benchRoutes are n routes, half by the hour and half by the day.
func benchRoutes(tb testing.TB, n int) *Routes {
	tb.Helper()
	src := "version: 1\ntimezone: America/New_York\nignore: [\"logs/**\", \"**/*.tmp\"]\nroutes:\n"
	for i := range n {
		files := fmt.Sprintf("route%02d/{yyyy}/{MM}/{dd}/{HH}/*.json", i)
		if i%2 == 1 {
			files = fmt.Sprintf("route%02d/**", i)
		}
		src += fmt.Sprintf("  - {name: route%02d, config_id: cg-bench%02d, files: \"%s\"}\n", i, i, files)
	}
	r, _, err := Parse("routes.yaml", []byte(src), Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func BenchmarkDecode(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		payload := sqsOfEventBridge(n)
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s3event.Decode(payload); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/record")
		})
	}
}

func BenchmarkDecodeAndRoute(b *testing.B) {
	for _, routes := range []int{1, 10, 100} {
		r := benchRoutes(b, routes)
		for _, n := range []int{1, 10, 100, 1000} {
			payload := sqsOfEventBridge(n)
			b.Run(fmt.Sprintf("routes=%d/records=%d", routes, n), func(b *testing.B) {
				b.SetBytes(int64(len(payload)))
				b.ReportAllocs()
				for b.Loop() {
					batch, err := s3event.Decode(payload)
					if err != nil {
						b.Fatal(err)
					}
					for _, m := range batch.Messages {
						for _, a := range m.Arrivals {
							if !r.Ignored(a) {
								r.Match(a, benchReceived)
							}
						}
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/record")
			})
		}
	}
}

// BenchmarkRoute is routing alone, one arrival at a time.
func BenchmarkRoute(b *testing.B) {
	batch, err := s3event.Decode(sqsOfEventBridge(1000))
	if err != nil {
		b.Fatal(err)
	}
	for _, routes := range []int{1, 10, 100} {
		r := benchRoutes(b, routes)
		b.Run(fmt.Sprintf("routes=%d", routes), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				a := batch.Messages[i%1000].Arrivals[0]
				i++
				if !r.Ignored(a) {
					r.Match(a, benchReceived)
				}
			}
		})
	}
}

// BenchmarkParse is part of every cold start.
func BenchmarkParse(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		src := "version: 1\nroutes:\n"
		for i := range n {
			src += fmt.Sprintf("  - name: route%02d\n    config_id: cg-bench%02d\n    run_mode: source\n    files: route%02d/{yyyy}/{MM}/{dd}/*.json\n", i, i, i)
		}
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Parse("routes.yaml", []byte(src), Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
