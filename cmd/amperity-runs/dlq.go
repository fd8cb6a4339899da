package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

const dlqUsage = `Usage:
  amperity-runs dlq list [--json] [--stack NAME]
  amperity-runs dlq redrive QUEUE [--max N] [--dry-run] [--json] [--stack NAME]

List the stack's dead-letter queues, and redrive their messages. Fix the cause
first, or the messages come back.

  QUEUE           its messages                           what a redrive does
  arrivals        events of files that s3arrival         sends to the arrivals queue
                  failed on 15 times
  arrivals-rule   events of files that EventBridge       sends to the arrivals queue
                  could not put into that queue
  trigger         inputs that the trigger failed on      calls the trigger
  schedules       calls of the trigger that Scheduler    calls the trigger
                  could not make
  sweep           sweeps that failed                     deletes: a sweep comes
  sweep-schedule  sweeps that Scheduler could not call   every minute anyway

"list" shows SQS's approximate number of messages in each queue, and some of the
messages: since when they are there, their subject, and the reason if known. It
removes nothing. Other readers do not see the shown messages for 5 seconds.

"redrive" sends each message and then deletes it. If it is interrupted in
between, the message is sent twice. That is safe, even if its run has started
meanwhile: a launch key starts one run, and a repeat is a duplicate. An event of
a file older than 45 days is held, and so is a schedule's call later than its
max_age. An input without scheduled_time and idempotency_key gets the id of its
first call as idempotency_key, so that it stays one launch. A message that is
unreadable, or would start something else today, stays in the queue and is
named. Messages that come meanwhile stay for the next redrive.

  --max N         send at most N messages; begin with 1
  --dry-run       show what would be done, and do nothing; other readers do not
                  see the messages until it ends
  --stack NAME    the deployed stack (default $AMPERITY_RUNS_STACK, else
                  amperity-runs); its outputs name the queues
  --json          print one JSON document

Account, region and credentials are those of the shell, as for the AWS CLI. They
need cloudformation:DescribeStacks on the stack, on the queues
sqs:GetQueueAttributes, sqs:ReceiveMessage, sqs:ChangeMessageVisibility and
sqs:DeleteMessage, and to redrive sqs:SendMessage on the arrivals queue or
lambda:InvokeFunction on the trigger.

  $ amperity-runs dlq redrive arrivals
  sent    s3://acme-landing/orders/2026/11/22/orders_1.csv.gz
  sent    s3://acme-landing/orders/2026/11/22/orders_2.csv.gz
  arrivals: 2 sent to the arrivals queue, 0 left

Exit code 1 if a message was left or something failed.
`

// dlqOptions are the command's verb, argument and flags.
type dlqOptions struct {
	verb   string
	queue  deadLetterQueue
	max    int // 0: all
	dryRun bool
	json   bool
	deployed
}

// queues reads and writes queues; [sqs.Client] does.
type queues interface {
	GetQueueAttributes(ctx context.Context, in *sqs.GetQueueAttributesInput, opts ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
	ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, opts ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	SendMessage(ctx context.Context, in *sqs.SendMessageInput, opts ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
	DeleteMessage(ctx context.Context, in *sqs.DeleteMessageInput, opts ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error)
	ChangeMessageVisibilityBatch(ctx context.Context, in *sqs.ChangeMessageVisibilityBatchInput, opts ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error)
}

// deadLetterQueue is one of the stack's dead-letter queues.
type deadLetterQueue struct {
	name string
	// output is the stack's output with the queue's address.
	output string
	read   reader
	// to is the output with the queue or function that a redrive sends to. If
	// it is empty, a redrive only deletes the messages.
	to string
}

func deadLetterQueues() []deadLetterQueue {
	return []deadLetterQueue{
		{"arrivals", "ArrivalsDeadLetterQueueUrl", readArrival, outputArrivalsQueue},
		{"arrivals-rule", "ArrivalsRuleDeadLetterQueueUrl", readRuleArrival, outputArrivalsQueue},
		{"trigger", "TriggerFailureQueueUrl", readTriggerRecord, outputTrigger},
		{"schedules", "SchedulesDeadLetterQueueUrl", readScheduleCall, outputTrigger},
		{"sweep", "SweepFailureQueueUrl", readSweepRecord, ""},
		{"sweep-schedule", "SweepScheduleDeadLetterQueueUrl", readSweepCall, ""},
	}
}

// runDLQ lists and redrives dead-letter queues.
func runDLQ(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return dlq(ctx, args, os.Getenv, connect, stdout, stderr)
}

func dlq(ctx context.Context, args []string, getenv func(string) string, to connector, stdout, stderr io.Writer) int {
	o, err := parseDLQ(args, getenv)
	return act(ctx, "dlq", dlqUsage, o, err, to, stdout, stderr)
}

// parseDLQ parses verb, flags and argument. The error is misuse or
// flag.ErrHelp.
func parseDLQ(args []string, getenv func(string) string) (*dlqOptions, error) {
	o := &dlqOptions{}
	var err error
	if o.verb, args, err = verbs(args, "list", "redrive"); err != nil {
		return nil, err
	}
	fs := flag.NewFlagSet(o.verb, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.BoolVar(&o.json, "json", false, "")
	o.stackFlag(fs, getenv)
	if o.verb == "redrive" {
		fs.IntVar(&o.max, "max", 0, "")
		fs.BoolVar(&o.dryRun, "dry-run", false, "")
	}
	names, err := parseFlags(fs, args)
	if err != nil {
		return nil, err
	}
	maxGiven := false
	fs.Visit(func(f *flag.Flag) { maxGiven = maxGiven || f.Name == "max" })
	switch {
	case o.verb == "list" && len(names) > 0:
		return nil, fmt.Errorf("unexpected argument %q: list shows all queues", names[0])
	case o.verb == "list":
		return o, nil
	case maxGiven && o.max < 1:
		return nil, fmt.Errorf("--max %d sends nothing: give a number from 1, or leave it out", o.max)
	case len(names) == 0:
		return nil, fmt.Errorf("no queue: give one of %s", queueNames())
	case len(names) > 1:
		return nil, fmt.Errorf("unexpected argument %q: it takes one queue", names[1])
	}
	for _, q := range deadLetterQueues() {
		if q.name == names[0] {
			o.queue = q
			return o, nil
		}
	}
	return nil, fmt.Errorf("%q is none of the queues %s", names[0], queueNames())
}

func queueNames() string {
	var names []string
	for _, q := range deadLetterQueues() {
		names = append(names, q.name)
	}
	return strings.Join(names, ", ")
}

func (o *dlqOptions) do(ctx context.Context, c *cloud, out io.Writer) error {
	stack, err := c.outputs(ctx, o.stack)
	if err != nil {
		return err
	}
	// Each stack of amperity-runs has a trigger. Without this check, another
	// stack would look like one without messages.
	if _, err := stack.of(outputTrigger); err != nil {
		return err
	}
	if o.verb == "list" {
		return o.list(ctx, c, stack, out)
	}
	return o.redrive(ctx, c, stack, out)
}

// document prints one JSON document.
func document(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
