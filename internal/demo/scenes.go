package demo

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

const bucket = "acme-landing"

// function is one of the three functions.
type function string

const (
	triggers function = "trigger"
	arrivals function = "s3arrival"
	sweeps   function = "sweep"
)

// scene is a few invocations with their expected results.
type scene struct {
	title string
	// before prepares the simulated Amperity.
	before func(*amperitytest.Server) error
	steps  []step
	want   seen
}

// step is one invocation.
type step struct {
	// after is the time since the previous step.
	after    time.Duration
	function function
	// in describes the payload.
	in      string
	payload func(now time.Time) string
	// dies is a prefix of ledger keys. The process dies instead of writing an
	// item with this prefix.
	dies string
}

func fixed(s string) func(time.Time) string { return func(time.Time) string { return s } }

// swept returns a sweep some time later.
func swept(after time.Duration) step {
	return step{after: after, function: sweeps, in: "once a minute; this one " + words(after) + " later", payload: fixed("{}")}
}

func words(d time.Duration) string { return fmt.Sprintf("%d minutes", int(d.Minutes())) }

func scenes() []scene {
	const (
		schedule = `{"config_id":"cg-456DEf7GH","run_mode":"full","range":{"from":"-1d","to":"0d","timezone":"America/New_York"},"scheduled_time":"2026-11-22T03:40:00Z"}`
		unknown  = `{"config_id":"og-GONE","idempotency_key":"monday"}`
		campaign = `{"config_id":"cc-123ABc4DE","idempotency_key":"november"}`
		again    = `{"config_id":"cc-123ABc4DE","idempotency_key":"december"}`
		orders   = "s3://" + bucket + "/orders/2026/11/"
	)
	started := []announcement.DetailType{announcement.RunStarted}
	call := func(payload string) step {
		return step{function: triggers, in: payload, payload: fixed(payload)}
	}
	land := func(in, key string, n int) step {
		return step{function: arrivals, in: in, payload: files(key, n)}
	}
	lost := func(dies string, s step) step {
		s.dies = dies
		return s
	}
	return []scene{
		{
			title: "A schedule, which AWS delivers twice",
			steps: []step{call(schedule), call(schedule)},
			want: seen{answer: `"outcome":"duplicate","recorded":"started"`, statuses: []int{200, 201}, announced: started,
				runs: []string{"cg-456DEf7GH 2026-11-20 2026-11-21"}},
		},
		{
			title: "A file with a date in its key: once it is quiet, a run over that date",
			steps: []step{land(orders+"20/orders_1.csv.gz", "orders/2026/11/20/orders_%d.csv.gz", 1), swept(3 * time.Minute)},
			want: seen{answer: `{"batchItemFailures":[]}`, statuses: []int{201}, announced: started,
				runs: []string{"cg-789GHi0JK 2026-11-20 2026-11-21"}},
		},
		{
			title: "A file without one: the day of its arrival in the route's time zone (22:53 on the 21st in New York)",
			steps: []step{land("s3://"+bucket+"/customers/1.parquet", "customers/%d.parquet", 1), swept(3 * time.Minute)},
			want: seen{answer: `{"batchItemFailures":[]}`, statuses: []int{201}, announced: started,
				runs: []string{"cg-123ABc4DE 2026-11-21 2026-11-22"}},
		},
		{
			title: "A storm: 1,000 files of one day are one run",
			steps: []step{land(orders+"21/orders_1.csv.gz … orders_1000.csv.gz", "orders/2026/11/21/orders_%d.csv.gz", 1000), swept(3 * time.Minute)},
			// The run of scene 2 may still be running, so the sweep reads it
			// first.
			want: seen{answer: `{"batchItemFailures":[]}`, statuses: []int{200, 201}, announced: started,
				runs: []string{"cg-789GHi0JK 2026-11-21 2026-11-22"}},
		},
		{
			title: "A late file: its window opens again, and gets another run",
			steps: []step{{after: 10 * time.Minute, function: arrivals, in: orders + "21/late.csv.gz", payload: files("orders/2026/11/21/late_%d.csv.gz", 1)}, swept(3 * time.Minute)},
			// The token is an hour old by now, so the client fetches a new one.
			want: seen{answer: `{"batchItemFailures":[]}`, statuses: []int{200, 200, 201}, announced: started,
				runs: []string{"cg-789GHi0JK 2026-11-21 2026-11-22"}},
		},
		{
			title:  "A rejection: Amperity does not know what to run",
			before: func(s *amperitytest.Server) error { return s.Fault(notFound("og-GONE")) },
			steps:  []step{call(unknown)},
			want: seen{answer: `"outcome":"rejected"`, statuses: []int{404},
				announced: []announcement.DetailType{announcement.RunRejected}},
		},
		{
			title:  "An expired token: a fresh one is fetched, and the run starts",
			before: func(s *amperitytest.Server) error { s.ExpireTokens(); return nil },
			steps:  []step{call(campaign)},
			want: seen{answer: `"outcome":"started"`, statuses: []int{401, 200, 201}, announced: started,
				runs: []string{"cc-123ABc4DE  "}},
		},
		{
			title:  "No answer from Amperity: the run is not started again, but looked for, and found",
			before: func(s *amperitytest.Server) error { return s.Fault(noAnswer("cc-123ABc4DE")) },
			steps:  []step{call(again), swept(3 * time.Minute)},
			want: seen{answer: `"outcome":"unknown"`, statuses: []int{0, 200, 200}, announced: started,
				runs: []string{"cc-123ABc4DE  "}},
		},
		{
			title: "A crash between Amperity's answer and the record of it: found and announced, and not started again",
			steps: []step{
				land(orders+"22/orders_1.csv.gz", "orders/2026/11/22/orders_%d.csv.gz", 1),
				lost("run/", swept(3*time.Minute)), swept(3 * time.Minute),
			},
			want: seen{answer: `{"batchItemFailures":[]}`, statuses: []int{200, 201, 200, 200}, announced: started,
				runs: []string{"cg-789GHi0JK 2026-11-22 2026-11-23"}},
		},
	}
}

// files returns an SQS batch as the deployed stack delivers it: one EventBridge
// event per message.
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
