package demo

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

const bucket = "acme-landing"

// scene is one invocation: what it is, and what must come of it.
type scene struct {
	title string
	// trigger says which function is invoked; the other is s3arrival.
	trigger bool
	// in describes the payload.
	in      string
	payload func(now time.Time) string
	// before prepares the simulated Amperity.
	before func(*amperitytest.Server) error
	want   seen
}

func fixed(s string) func(time.Time) string { return func(time.Time) string { return s } }

func scenes() []scene {
	const (
		schedule = `{"config_id":"cg-456DEf7GH","run_mode":"full","range":{"from":"-1d","to":"0d","timezone":"America/New_York"},"scheduled_time":"2026-11-22T03:40:00Z"}`
		unknown  = `{"config_id":"og-GONE","idempotency_key":"monday"}`
		campaign = `{"config_id":"cc-123ABc4DE","idempotency_key":"november"}`
	)
	started := []announcement.DetailType{announcement.RunStarted}
	return []scene{
		{
			title: "A schedule", trigger: true, in: schedule, payload: fixed(schedule),
			want: seen{answer: `"outcome":"started"`, statuses: []int{200, 201}, announced: started,
				runs: []string{"cg-456DEf7GH 2026-11-20 2026-11-21"}},
		},
		{
			title: "A file with a date in its key: that date is the range",
			in:    "s3://" + bucket + "/orders/2026/11/20/orders_1.csv.gz", payload: files("orders/2026/11/20/orders_%d.csv.gz", 1),
			want: seen{answer: `{"batchItemFailures":[]}`, statuses: []int{201}, announced: started,
				runs: []string{"cg-789GHi0JK 2026-11-20 2026-11-21"}},
		},
		{
			title: "A file without one: the day of its arrival in the route's time zone (22:50 on the 21st in New York)",
			in:    "s3://" + bucket + "/customers/1.parquet", payload: files("customers/%d.parquet", 1),
			want: seen{answer: `{"batchItemFailures":[]}`, statuses: []int{201}, announced: started,
				runs: []string{"cg-123ABc4DE 2026-11-21 2026-11-22"}},
		},
		{
			title: "A storm: 1,000 files of one day in one batch are one run",
			in:    "s3://" + bucket + "/orders/2026/11/21/orders_1.csv.gz … orders_1000.csv.gz", payload: files("orders/2026/11/21/orders_%d.csv.gz", 1000),
			want: seen{answer: `{"batchItemFailures":[]}`, statuses: []int{201}, announced: started,
				runs: []string{"cg-789GHi0JK 2026-11-21 2026-11-22"}},
		},
		{
			title: "A rejection: Amperity does not know what to run", trigger: true, in: unknown, payload: fixed(unknown),
			before: func(s *amperitytest.Server) error { return s.Fault(notFound("og-GONE")) },
			want: seen{answer: `"outcome":"rejected"`, statuses: []int{404},
				announced: []announcement.DetailType{announcement.RunRejected}},
		},
		{
			title: "An expired token: a fresh one is fetched, and the run starts", trigger: true, in: campaign, payload: fixed(campaign),
			before: func(s *amperitytest.Server) error { s.ExpireTokens(); return nil },
			want: seen{answer: `"outcome":"started"`, statuses: []int{401, 200, 201}, announced: started,
				runs: []string{"cc-123ABc4DE  "}},
		},
	}
}

// files makes an SQS batch as the deployed stack delivers it: one EventBridge
// event a message.
func files(key string, n int) func(time.Time) string {
	return func(now time.Time) string {
		type record map[string]any
		records := make([]record, n)
		for i := range records {
			event, err := json.Marshal(record{
				"version": "0", "id": fmt.Sprintf("event-%d", i+1), "detail-type": "Object Created", "source": "aws.s3",
				"account": "123456789012", "region": "us-east-1", "time": now.Format(time.RFC3339),
				"resources": []string{"arn:aws:s3:::" + bucket},
				"detail": record{
					"version": "0", "bucket": record{"name": bucket}, "reason": "PutObject",
					"object": record{"key": fmt.Sprintf(key, i+1), "size": 1024, "etag": "0", "sequencer": fmt.Sprintf("%016X", i+1)},
				},
			})
			if err != nil {
				panic(err) // strings and numbers only
			}
			records[i] = record{
				"messageId": fmt.Sprintf("message-%d", i+1), "eventSource": "aws:sqs", "body": string(event),
				"eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:arrivals",
			}
		}
		batch, err := json.Marshal(record{"Records": records})
		if err != nil {
			panic(err) // strings only
		}
		return string(batch)
	}
}
