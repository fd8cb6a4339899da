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

Look into the stack's dead-letter queues, and send what is in them where it
belongs. Mend the cause first, or it comes back.

  QUEUE           what is in it                          where a redrive sends it
  arrivals        events of files that s3arrival         to the arrivals queue
                  failed on 15 times
  arrivals-rule   events of files that EventBridge       to the arrivals queue
                  could not put into that queue
  trigger         inputs that the trigger failed on      calls the trigger
  schedules       calls of the trigger that Scheduler    calls the trigger
                  could not make
  sweep           sweeps that failed                     deletes it: a sweep
  sweep-schedule  sweeps that Scheduler could not call   comes every minute

"list" shows how many messages each has, by a count of SQS's that is
approximate, and some of them: since when, what, and why as far as that can be
told. It takes nothing out; what it shows is hidden from others for 5 seconds.

"redrive" sends first and deletes then, message by message. If it is broken off
in between, a message is sent twice. That is safe, and so is a redrive of what
had its run meanwhile: a launch key starts one run, and a repeat is a duplicate.
An event of a file older than 45 days is held, and so is a schedule's call later
than its max_age. An input without scheduled_time and idempotency_key gets its
first call's id as idempotency_key, so that it stays one launch. What cannot be
read, or would start something else today, is left in the queue and named; what
comes in meanwhile stays for the next redrive.

  --max N         send at most so many messages; begin with 1
  --dry-run       show what would be done, and do nothing; messages are hidden
                  from others until it ends
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

Exit code 1 if something was left or failed.
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

// deadLetterQueue is one of the stack's queues for what failed.
type deadLetterQueue struct {
	name string
	// output is the stack's output with its address.
	output string
	read   reader
	// to is the output with the queue or function that its messages go to;
	// empty: they are only deleted.
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

// runDLQ lists and redrives what failed.
func runDLQ(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return dlq(ctx, args, os.Getenv, connect, stdout, stderr)
}

func dlq(ctx context.Context, args []string, getenv func(string) string, to connector, stdout, stderr io.Writer) int {
	o, err := parseDLQ(args, getenv)
	return act(ctx, "dlq", dlqUsage, o, err, to, stdout, stderr)
}

// parseDLQ reads verb, flags and argument. The error is misuse, or
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
		return nil, fmt.Errorf("which queue? give one of %s", queueNames())
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
	// Each stack of amperity-runs has a trigger; another stack is not taken for
	// one without messages.
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
