package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// landed returns an event of a file.
func landed(key string) string {
	return `{"source":"aws.s3","detail-type":"Object Created","time":"2026-11-22T05:00:00Z","detail":{"bucket":{"name":"acme-landing"},"object":{"key":` + quote(key) + `}}}`
}

// failedCall returns Lambda's record of a call.
func failedCall(payload string) string {
	return `{"version":"1.0","timestamp":"2026-11-22T11:03:00Z","requestContext":{"requestId":"e4b46cbf","condition":"RetriesExhausted","approximateInvokeCount":3},` +
		`"requestPayload":` + payload + `,"responsePayload":{"errorMessage":"gone","errorType":"LedgerError"}}`
}

// Each message has one reading, and a redrive sends one payload for it.
func TestEveryKindOfMessageIsRead(t *testing.T) {
	t.Parallel()
	const due = `{"config_id":"cg-1","range":{"from":"-1d","to":"0d"},"scheduled_time":"2026-11-22T11:00:00Z"}`
	rows := []struct {
		name, queue, body string
		attributes        map[string]string
		what, why         string
		sends             string // empty if the message stays
		stays             string
	}{
		// Events of files.
		{"a file", "arrivals", landed("orders/a+b c%2B.csv"), nil, "s3://acme-landing/orders/a+b c%2B.csv", "", landed("orders/a+b c%2B.csv"), ""},
		{"a notification of two files", "arrivals", `{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","eventTime":"2026-11-22T05:00:00Z","s3":{"bucket":{"name":"b"},"object":{"key":"x+y"}}},` +
			`{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","eventTime":"2026-11-22T05:00:00Z","s3":{"bucket":{"name":"b"},"object":{"key":"z"}}}]}`, nil,
			"s3://b/x y and 1 more", "", "the body", ""},
		{"a test event", "arrivals", `{"Event":"s3:TestEvent"}`, nil, "message arrivals-1", "", "the body", ""},
		{"no event", "arrivals", `hello`, nil, "message arrivals-1", "", "", "it cannot be read: is not JSON, at byte 1; an S3 event was expected"},
		{"a batch within, one of it no event", "arrivals", `{"Records":[{"messageId":"m","eventSource":"aws:sqs","body":"hello"}]}`, nil, "message arrivals-1", "",
			"", "it cannot be read: message m: body: is not JSON, at byte 1; an S3 event was expected"},
		{"a file of the rule", "arrivals-rule", landed("x"), map[string]string{"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "not allowed", "RULE_ARN": "r"},
			"s3://acme-landing/x", "NO_PERMISSIONS: not allowed", "the body", ""},

		// Calls that the trigger failed on.
		{"a schedule's call", "trigger", failedCall(due), nil, due, "RetriesExhausted after 3 calls: LedgerError: gone", due, ""},
		{"a start by hand with a name", "trigger", failedCall(`{"config_id":"og-1","idempotency_key":"k"}`), nil, `{"config_id":"og-1","idempotency_key":"k"}`,
			"RetriesExhausted after 3 calls: LedgerError: gone", `{"config_id":"og-1","idempotency_key":"k"}`, ""},
		{"a start by hand without one gets that of its call", "trigger", failedCall(`{"config_id":"og-1","max_age":null}`), nil, `{"config_id":"og-1","idempotency_key":"e4b46cbf","max_age":null}`,
			"RetriesExhausted after 3 calls: LedgerError: gone", `{"config_id":"og-1","idempotency_key":"e4b46cbf","max_age":null}`, ""},
		{"an empty name, which trigger rejects", "trigger", failedCall(`{"config_id":"og-1","idempotency_key":""}`), nil, `{"config_id":"og-1","idempotency_key":""}`,
			"RetriesExhausted after 3 calls: LedgerError: gone", `{"config_id":"og-1","idempotency_key":""}`, ""},
		{"a name of null, which trigger rejects", "trigger", failedCall(`{"config_id":"og-1","idempotency_key":null}`), nil, `{"config_id":"og-1","idempotency_key":null}`,
			"RetriesExhausted after 3 calls: LedgerError: gone", `{"config_id":"og-1","idempotency_key":null}`, ""},
		{"dates that count from the call", "trigger", failedCall(`{"config_id":"cg-1","idempotency_key":"k","range":{"from":"-1d","to":"0d"}}`), nil, `{"config_id":"cg-1","idempotency_key":"k","range":{"from":"-1d","to":"0d"}}`,
			"RetriesExhausted after 3 calls: LedgerError: gone", "",
			"its range counts from the time of the call, so it would ask for other dates than it did: call the trigger with range_from and range_to instead"},
		{"a command", "trigger", failedCall(`{"release":"k","hold":1}`), nil, `{"release":"k","hold":1}`, "RetriesExhausted after 3 calls: LedgerError: gone", `{"release":"k","hold":1}`, ""},
		{"a function that was killed", "trigger", `{"requestContext":{"condition":"EventAgeExceeded","approximateInvokeCount":1},"requestPayload":{"config_id":"cg-1","scheduled_time":"2026-11-22T11:00:00Z"},` +
			`"responsePayload":{"errorMessage":"Task timed out"}}`, nil, `{"config_id":"cg-1","scheduled_time":"2026-11-22T11:00:00Z"}`, "EventAgeExceeded after 1 call: Task timed out",
			`{"config_id":"cg-1","scheduled_time":"2026-11-22T11:00:00Z"}`, ""},
		{"a record without an id", "trigger", `{"requestPayload":{"config_id":"og-1"}}`, nil, `{"config_id":"og-1","idempotency_key":"trigger-1"}`, "", `{"config_id":"og-1","idempotency_key":"trigger-1"}`, ""},
		{"a record without the input", "trigger", `{"requestContext":{}}`, nil, "message trigger-1", "", "", "the record has no requestPayload, which is the input"},
		{"an input that is a list", "trigger", failedCall(`[1]`), nil, "message trigger-1", "RetriesExhausted after 3 calls: LedgerError: gone", "", "its input is not a JSON object: [1]"},
		{"no record", "trigger", `hello`, nil, "message trigger-1", "", "", "it is not a record of Lambda's, as far as it can be read: hello"},

		// Calls that Scheduler could not make.
		{"the input", "schedules", due, map[string]string{"ERROR_CODE": "ResourceNotFoundException", "ERROR_MESSAGE": "Function not found"}, due, "ResourceNotFoundException: Function not found", due, ""},
		{"the request to Lambda", "schedules", `{"FunctionName":"arn:aws:lambda:us-east-1:123456789012:function:t","InvocationType":"Event","Payload":` + quote(due) + `}`, nil, due, "", due, ""},
		{"the request with the input as it is", "schedules", `{"FunctionName":"t","Payload":` + due + `}`, nil, due, "", due, ""},
		{"the input with what Scheduler fills in", "schedules", `{"config_id":"og-1","scheduled_time":"<aws.scheduler.scheduled-time>","schedule_arn":"<aws.scheduler.schedule-arn>"}`,
			map[string]string{"SCHEDULED_TIME": "2026-11-22T11:00:00Z", "SCHEDULE_ARN": "arn:aws:scheduler:us-east-1:123456789012:schedule/default/daily"},
			`{"config_id":"og-1","scheduled_time":"2026-11-22T11:00:00Z","schedule_arn":"arn:aws:scheduler:us-east-1:123456789012:schedule/default/daily"}`, "",
			`{"config_id":"og-1","scheduled_time":"2026-11-22T11:00:00Z","schedule_arn":"arn:aws:scheduler:us-east-1:123456789012:schedule/default/daily"}`, ""},
		{"a schedule without its time", "schedules", `{"config_id":"og-1","scheduled_time":"<aws.scheduler.scheduled-time>"}`, nil, `{"config_id":"og-1","scheduled_time":"<aws.scheduler.scheduled-time>"}`, "",
			"", "it does not say when it was due: call the trigger yourself"},
		{"a schedule without a time", "schedules", `{"config_id":"og-1"}`, nil, `{"config_id":"og-1","idempotency_key":"schedules-1"}`, "", `{"config_id":"og-1","idempotency_key":"schedules-1"}`, ""},
		{"cut short", "schedules", `{"config_id":"og-`, map[string]string{"IS_PAYLOAD_TRUNCATED": "true"}, "message schedules-1", "", "", "its input is incomplete, because Scheduler truncated it: call the trigger yourself"},

		// Sweeps, for which nothing is sent.
		{"a sweep", "sweep", failedCall(`{}`), nil, `{}`, "RetriesExhausted after 3 calls: LedgerError: gone", "nothing", ""},
		{"a sweep of which nothing can be read", "sweep", `hello`, nil, "message sweep-1", "", "nothing", ""},
		{"a sweep that was not called", "sweep-schedule", `{}`, map[string]string{"ERROR_CODE": "ThrottlingException"}, "message sweep-schedule-1", "ThrottlingException", "nothing", ""},
	}
	for _, row := range rows {
		t.Run(row.queue+"/"+row.name, func(t *testing.T) {
			t.Parallel()
			f := newFakeCloud(t)
			belongs := map[string]string{"the body": row.body, "nothing": ""}
			sends, ok := belongs[row.sends]
			if !ok {
				sends = row.sends
			}
			f.put(row.queue, row.body, sends, row.attributes)

			var all struct {
				Queues []struct {
					Queue string
					Some  []struct{ ID, Why, Stays string }
				}
			}
			listed, stderr, code := f.shell("dlq list --json")
			if code != 0 || json.Unmarshal([]byte(listed), &all) != nil {
				t.Fatal(listed, stderr)
			}
			i := slices.IndexFunc(deadLetterQueues(), func(q deadLetterQueue) bool { return q.name == row.queue })
			some := all.Queues[i].Some
			if len(some) != 1 || some[0].Why != row.why || some[0].Stays != row.stays || some[0].ID != row.queue+"-1" {
				t.Fatalf("listed as %+v, want why %q and stays %q", some, row.why, row.stays)
			}
			f.queues["dead-"+row.queue].messages[0].hidden = false // the five seconds are over

			stdout, stderr, code := f.shell("dlq redrive " + row.queue)
			first, _, _ := strings.Cut(stdout, "\n")
			got := append(f.called, f.bodies("arrivals")...)
			if row.sends == "" {
				if want := "left    " + row.what + ": " + row.stays; first != want || code != 1 || len(got) > 0 || len(f.bodies("dead-"+row.queue)) != 1 {
					t.Errorf("exit code %d, sent %q\n%s%s\nwant\n%s", code, got, stdout, stderr, want)
				}
				if f.queues["dead-"+row.queue].messages[0].hidden {
					t.Error("it is not shown again")
				}
				return
			}
			if code != 0 || !strings.HasSuffix(first, " "+row.what) || len(f.bodies("dead-"+row.queue)) != 0 {
				t.Errorf("exit code %d\n%s%s\nwant a line with %s", code, stdout, stderr, row.what)
			}
			want := []string{sends}
			if sends == "" {
				want = nil
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("sent (-want +got)\n%s", diff)
			}
		})
	}
}

func quote(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}
