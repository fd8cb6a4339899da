package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

func TestListShowsEveryQueue(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	delete(f.outputs, "SweepScheduleDeadLetterQueueUrl")
	for i := range 12 {
		f.put("arrivals", landed(fmt.Sprintf("%d\x1b[2J", i)), "", nil)
	}
	f.put("trigger", failedCall(`{"config_id":"og-1","note":"`+strings.Repeat("n", 300)+`"}`), "", map[string]string{"SentTimestamp": "soon"})
	f.put("schedules", `{}`, "", nil).hidden = true
	got, stderr, code := f.shell("dlq list")
	want := "arrivals: 12 messages\n"
	for i := range 10 {
		want += fmt.Sprintf("  2026-11-22T12:05:00Z  s3://acme-landing/%d\uFFFD[2J\n", i)
	}
	want += "  and about 2 more\narrivals-rule: empty\ntrigger: 1 message\n" +
		"  time unknown  " + `{"config_id":"og-1","idempotency_key":"e4b46cbf","note":"` + strings.Repeat("n", 200-len(`{"config_id":"og-1","idempotency_key":"e4b46cbf","note":"`)) + "…\n" +
		"    why    RetriesExhausted after 3 calls: LedgerError: gone\n" +
		"schedules: 0 messages, and 1 hidden by another reader\nsweep: empty\nsweep-schedule: not in this stack's version\n" +
		"The numbers are SQS's, which are approximate; nothing was taken out.\n"
	if diff := cmp.Diff(want, got); diff != "" || code != 0 || stderr != "" {
		t.Errorf("exit code %d, %s (-want +got)\n%s", code, stderr, diff)
	}
	if n := len(f.bodies("dead-arrivals")); n != 12 {
		t.Errorf("%d messages are left", n)
	}
}

func TestRedriveSendsUpToMaxMessages(t *testing.T) {
	t.Parallel()
	many := func(t *testing.T) *fakeCloud {
		f := newFakeCloud(t)
		for i := range 25 {
			f.put("arrivals", landed(fmt.Sprint(i)), landed(fmt.Sprint(i)), nil)
		}
		f.put("arrivals", "hello", "never", nil)
		return f
	}
	rows := []struct {
		line             string
		code, sent, left int
		summary          string
	}{
		{"dlq redrive arrivals", 1, 25, 1, "arrivals: 25 sent to the arrivals queue, 1 left"},
		{"dlq redrive arrivals --max 25", 0, 25, 1, "arrivals: 25 sent to the arrivals queue, 0 left; stopped at --max 25, more may be in the queue"},
		{"dlq redrive --max 11 arrivals", 0, 11, 15, "arrivals: 11 sent to the arrivals queue, 0 left; stopped at --max 11, more may be in the queue"},
		{"dlq redrive arrivals --max 1", 0, 1, 25, "arrivals: 1 sent to the arrivals queue, 0 left; stopped at --max 1, more may be in the queue"},
		{"dlq redrive arrivals --dry-run", 1, 0, 26, "arrivals: 25 would be sent to the arrivals queue, 1 left"},
		{"dlq redrive arrivals --dry-run --max 3", 0, 0, 26, "arrivals: 3 would be sent to the arrivals queue, 0 left; stopped at --max 3, more may be in the queue"},
	}
	for _, row := range rows {
		t.Run(row.line, func(t *testing.T) {
			t.Parallel()
			f := many(t)
			stdout, stderr, code := f.shell(row.line)
			lines := strings.Split(strings.TrimSpace(stdout), "\n")
			if code != row.code || lines[len(lines)-1] != row.summary {
				t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
			}
			if code == 1 && stderr != "amperity-runs: dlq: 1 message left in the queue arrivals; the output says why\n" {
				t.Errorf("told %q", stderr)
			}
			if sent, left := len(f.bodies("arrivals")), len(f.bodies("dead-arrivals")); sent != row.sent || left != row.left {
				t.Errorf("%d sent, %d left", sent, left)
			}
			for _, m := range f.queues["dead-arrivals"].messages {
				if m.hidden {
					t.Errorf("%s is not shown again", *m.MessageId)
				}
			}
		})
	}
}

func TestRedriveLeavesNewMessages(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	f.put("trigger", failedCall(`{"config_id":"og-1","idempotency_key":"a"}`), `{"config_id":"og-1","idempotency_key":"a"}`, nil)
	f.put("trigger", failedCall(`{"config_id":"og-1","idempotency_key":"b"}`), "never", map[string]string{"SentTimestamp": fmt.Sprint(testNow.Add(time.Minute).UnixMilli())})
	stdout, stderr, code := f.shell("dlq redrive trigger")
	want := "called  {\"config_id\":\"og-1\",\"idempotency_key\":\"a\"}\ntrigger: 1 handed to the trigger, 0 left, 1 came meanwhile and stay for the next redrive\n"
	if stdout != want || stderr != "" || code != 0 {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

func TestDeletedMessageIsNotSentAgain(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	m := f.put("arrivals", landed("a"), landed("a"), nil)
	stays := f.put("arrivals", "hello", "never", nil)
	reads := 0
	f.fault = func(operation string) (refused, lost error) {
		if operation == "ReceiveMessage" {
			if reads++; reads == 2 {
				m.hidden, stays.hidden = false, false
				f.queues["dead-arrivals"].again = []*fakeMessage{m}
			}
		}
		return nil, nil
	}
	if stdout, _, code := f.shell("dlq redrive arrivals"); code != 1 || !strings.HasSuffix(stdout, "arrivals: 1 sent to the arrivals queue, 1 left\n") {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
	if sent := f.bodies("arrivals"); len(sent) != 1 || reads != 2 || stays.hidden {
		t.Errorf("sent %q in %d reads", sent, reads)
	}
}

// If any call fails, before or after it took effect, no message is lost. The
// next redrive does the rest.
func TestNoFaultLosesAMessage(t *testing.T) {
	t.Parallel()
	for _, queue := range []string{"arrivals", "trigger", "sweep"} {
		faults := 0
		for nth := 1; ; nth++ {
			for _, applied := range []bool{false, true} {
				f := newFakeCloud(t)
				var want []string
				for i := range 3 {
					body, belongs := landed(fmt.Sprint(i)), landed(fmt.Sprint(i))
					if queue != "arrivals" {
						belongs = fmt.Sprintf(`{"config_id":"og-1","idempotency_key":"%d"}`, i)
						body = failedCall(belongs)
					}
					if queue == "sweep" {
						belongs = ""
					}
					f.put(queue, body, belongs, nil)
					want = append(want, belongs)
				}
				calls := 0
				f.fault = func(string) (refused, lost error) {
					if calls++; calls != nth {
						return nil, nil
					}
					faults++
					if applied {
						return nil, errCut
					}
					return errCut, nil
				}
				before := faults
				stdout, stderr, code := f.shell("dlq redrive " + queue)
				if faults == before {
					// The redrive ended before the nth call, so every call was
					// tested.
					if nth < 6 || faults < 10 {
						t.Errorf("%s: %d calls, %d faults: the search is broken", queue, calls, faults)
					}
					nth = 0
					break
				}
				if code != 1 && calls != nth { // showing messages again may fail
					t.Errorf("%s, call %d, applied %t: exit code %d\n%s%s", queue, nth, applied, code, stdout, stderr)
				}
				for _, m := range f.queues["dead-"+queue].messages {
					m.hidden = false // the five minutes are over
				}
				if stdout, stderr, code := f.shell("dlq redrive " + queue); code != 0 {
					t.Errorf("%s, call %d, applied %t, then: exit code %d\n%s%s", queue, nth, applied, code, stdout, stderr)
				}
				got := append(f.called, f.bodies("arrivals")...)
				twice := len(got) - 3
				slices.Sort(got)
				if queue == "sweep" {
					want, twice = nil, 0
				}
				if diff := cmp.Diff(want, slices.Compact(got)); diff != "" || twice > 1 || len(f.bodies("dead-"+queue)) > 0 {
					t.Errorf("%s, call %d, applied %t: %d twice, %d left (-want +got)\n%s", queue, nth, applied, twice, len(f.bodies("dead-"+queue)), diff)
				}
			}
			if nth == 0 {
				break
			}
		}
	}
}

func TestRedriveExplainsEachFailure(t *testing.T) {
	t.Parallel()
	on := func(operation string, err error) func(*fakeCloud) {
		return func(f *fakeCloud) {
			f.fault = func(o string) (refused, lost error) {
				if o == operation {
					return err, nil
				}
				return nil, nil
			}
		}
	}
	denied := &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "ann is not authorized"}
	rows := []struct {
		name, line string
		put        func(*fakeCloud)
		stdout     string
		want       string
	}{
		{"no arrivals queue", "dlq redrive arrivals", func(f *fakeCloud) { delete(f.outputs, outputArrivalsQueue) }, "",
			"the stack amperity-runs (UPDATE_COMPLETE) has no output ArrivalsQueueUrl: give the stack that amperity-runs was deployed as with --stack or AMPERITY_RUNS_STACK"},
		{"no dead-letter queue", "dlq redrive sweep", func(f *fakeCloud) { delete(f.outputs, "SweepFailureQueueUrl") }, "",
			"this version of the stack amperity-runs has no queue sweep (output SweepFailureQueueUrl)"},
		{"a read", "dlq redrive trigger", on("ReceiveMessage", denied), "trigger: 0 handed to the trigger, 0 left\n",
			"SQS ReceiveMessage trigger: access denied: ann is not authorized; get that permission, or set AWS_PROFILE to a profile that has it"},
		{"a call", "dlq redrive trigger", on("Invoke", denied), "trigger: 0 handed to the trigger, 0 left\n",
			`{"config_id":"og-1","idempotency_key":"a"}: Lambda Invoke ` + testTrigger + `: access denied: ann is not authorized; get that permission, or set AWS_PROFILE to a profile that has it; it stays in the queue`},
		{"a call that is answered", "dlq redrive trigger", func(f *fakeCloud) { f.answer = &lambda.InvokeOutput{StatusCode: 200} }, "trigger: 0 handed to the trigger, 0 left\n",
			`{"config_id":"og-1","idempotency_key":"a"}: Lambda Invoke ` + testTrigger + `: the answer is status 200, and 202 was expected; it stays in the queue`},
		{"a deletion after a call", "dlq redrive trigger", on("DeleteMessage", denied), "called  {\"config_id\":\"og-1\",\"idempotency_key\":\"a\"}\ntrigger: 1 handed to the trigger, 0 left\n",
			`{"config_id":"og-1","idempotency_key":"a"}: it was sent, but is still in the queue: SQS DeleteMessage trigger: access denied: ann is not authorized; get that permission, or set AWS_PROFILE to a profile that has it; the next redrive sends it again, which is a duplicate`},
		{"a deletion alone", "dlq redrive sweep", on("DeleteMessage", denied), "sweep: 0 deleted, 0 left\n",
			`{}: SQS DeleteMessage sweep: access denied: ann is not authorized; get that permission, or set AWS_PROFILE to a profile that has it; it stays in the queue`},
		{"interrupted", "dlq redrive trigger", on("ReceiveMessage", context.Canceled), "trigger: 0 handed to the trigger, 0 left\n", "SQS ReceiveMessage trigger: interrupted"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFakeCloud(t)
			f.put("trigger", failedCall(`{"config_id":"og-1","idempotency_key":"a"}`), "", nil)
			f.put("sweep", failedCall(`{}`), "", nil)
			row.put(f)
			stdout, stderr, code := f.shell(row.line)
			if code != 1 || stdout != row.stdout || stderr != "amperity-runs: dlq: "+row.want+"\n" {
				t.Errorf("exit code %d\n%s%s\nwant\n%s%s", code, stdout, stderr, row.stdout, row.want)
			}
		})
	}
}

// confirming responds to a sent message without an id.
type confirming struct{ *fakeCloud }

func (confirming) SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	return &sqs.SendMessageOutput{}, nil
}

func TestResponseWithoutAMessageIDConfirmsNothing(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	f.put("arrivals", landed("a"), landed("a"), nil)
	connect := func(ctx context.Context, region string) (*cloud, error) {
		c, err := f.connect(ctx, region)
		c.queues = confirming{f}
		return c, err
	}
	var stdout, stderr strings.Builder
	code := dlq(t.Context(), []string{"redrive", "arrivals"}, func(string) string { return "" }, connect, &stdout, &stderr)
	want := "amperity-runs: dlq: s3://acme-landing/a: SQS SendMessage to the arrivals queue: the answer has no MessageId, so the message may not be there; it stays in the queue\n"
	if code != 1 || stderr.String() != want || len(f.bodies("dead-arrivals")) != 1 {
		t.Errorf("exit code %d\n%s%s", code, &stdout, &stderr)
	}
}

func TestRedriveAsJSONReportsMessagesDoneBeforeAFailure(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	for _, key := range []string{"a", "b"} {
		f.put("arrivals", landed(key), landed(key), nil)
	}
	sends := 0
	f.fault = func(operation string) (refused, lost error) {
		if operation == "SendMessage" {
			if sends++; sends == 2 {
				return errors.New("gone"), nil
			}
		}
		return nil, nil
	}
	stdout, stderr, code := f.shell("dlq redrive arrivals --json")
	var report struct {
		Queue    string
		Messages []struct {
			Action, ID string
			Files      []string
		}
		Done, Left int
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || report.Done != 1 || report.Left != 0 || len(report.Messages) != 1 ||
		report.Messages[0].Action != "sent" || report.Messages[0].Files[0] != "s3://acme-landing/a" {
		t.Errorf("%v\n%s", err, stdout)
	}
	if code != 1 || stderr != "amperity-runs: dlq: s3://acme-landing/b: SQS SendMessage to the arrivals queue: no answer: gone; look at the network, at AWS_REGION and at AWS_ENDPOINT_URL; it stays in the queue\n" {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}
