package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const (
	// redriveHidden is for how many seconds a redrive hides a message from
	// others: enough to send ten and delete them.
	redriveHidden = 300
	// showTime is for how long messages are shown again at the end.
	showTime = 10 * time.Second
)

// redriveReport tells what a redrive did.
type redriveReport struct {
	Queue    string    `json:"queue"`
	DryRun   bool      `json:"dry_run,omitempty"`
	Messages []redrove `json:"messages"`
	// Done were sent, or would be; Left stay in the queue; Newer have come
	// since the redrive began.
	Done  int `json:"done"`
	Left  int `json:"left"`
	Newer int `json:"newer"`
}

// redrove tells what became of one message.
type redrove struct {
	// Action is sent, called, deleted or left.
	Action string `json:"action"`
	letterReport
}

// redriving is one redrive under way.
type redriving struct {
	*dlqOptions
	c    *cloud
	out  io.Writer
	from string // the address of the queue
	to   string // the address of the queue, or the function
	// begun is when it began, by SQS's clock, which may not be this machine's.
	begun time.Time
	// gone are the messages that were deleted, stay those that were read and
	// are hidden by us, with what shows them again.
	gone map[string]bool
	stay map[string]string
	redriveReport
}

// redrive sends what is in a queue where it belongs.
func (o *dlqOptions) redrive(ctx context.Context, c *cloud, stack outputs, out io.Writer) error {
	r := &redriving{dlqOptions: o, c: c, out: out, from: stack.values[o.queue.output],
		gone: map[string]bool{}, stay: map[string]string{},
		redriveReport: redriveReport{Queue: o.queue.name, DryRun: o.dryRun, Messages: []redrove{}}}
	if r.from == "" {
		return fmt.Errorf("this version of the stack %s has no queue %s (output %s)", stack.stack, o.queue.name, o.queue.output)
	}
	if o.queue.to != "" {
		var err error
		if r.to, err = stack.of(o.queue.to); err != nil {
			return err
		}
	}
	err := r.all(ctx)
	// What was done is told, however it ends.
	r.show(ctx)
	if o.json {
		err = errors.Join(document(out, r.redriveReport), err)
	} else {
		r.summary()
	}
	if err == nil && r.Left > 0 {
		err = fmt.Errorf("%s left in the queue %s, as told", counted(r.Left, "message"), o.queue.name)
	}
	return err
}

// all takes the messages one after the other.
func (r *redriving) all(ctx context.Context) error {
	for r.max == 0 || r.Done < r.max {
		most := maxReceive
		if r.max > 0 {
			most = min(most, r.max-r.Done)
		}
		letters, now, err := r.c.receive(ctx, r.queue, r.from, int32(most), redriveHidden)
		if err != nil {
			return err
		}
		if r.begun.IsZero() {
			r.begun = now.Add(time.Second) // it comes in whole seconds
		}
		news := false
		for _, l := range letters {
			_, stays := r.stay[l.id]
			news = news || !stays && !r.gone[l.id]
			if err := r.take(ctx, l, stays); err != nil {
				return err
			}
		}
		if !news {
			return nil
		}
	}
	return nil
}

// take takes a message as it was read, for the first time or again.
func (r *redriving) take(ctx context.Context, l letter, stays bool) error {
	switch {
	case r.gone[l.id]:
		// SQS may show a message once more that was deleted.
		return r.remove(ctx, l)
	case stays:
		r.stay[l.id] = l.receipt
		return nil
	}
	r.stay[l.id] = l.receipt
	return r.one(ctx, l)
}

// one takes one message. It is deleted once what it is about was sent, and not
// before: a crash in between leaves it here, and it is sent again.
func (r *redriving) one(ctx context.Context, l letter) error {
	if l.since.After(r.begun) {
		// Perhaps what was sent has failed again already.
		r.Newer++
		return nil
	}
	if l.left != nil {
		r.Left++
		r.print("left", l)
		return nil
	}
	done := func() {
		r.Done++
		r.print(r.action(), l)
	}
	if r.dryRun {
		done()
		return nil
	}
	if err := r.send(ctx, l); err != nil {
		return fmt.Errorf("%s: %w; it stays in the queue", l.what(), err)
	}
	if r.queue.to != "" {
		done() // as it was sent, also if it cannot be deleted
	}
	if err := r.remove(ctx, l); err != nil {
		return err
	}
	if r.queue.to == "" {
		done()
	}
	return nil
}

// remove deletes a message that was sent. It is not broken off.
func (r *redriving) remove(ctx context.Context, l letter) error {
	_, err := r.c.queues.DeleteMessage(context.WithoutCancel(ctx), &sqs.DeleteMessageInput{QueueUrl: &r.from, ReceiptHandle: &l.receipt})
	if err == nil {
		r.gone[l.id] = true
		delete(r.stay, l.id)
		return nil
	}
	err = queueFailed("DeleteMessage", r.queue, r.from, err)
	if r.queue.to == "" {
		return fmt.Errorf("%s: %w; it stays in the queue", l.what(), err)
	}
	return fmt.Errorf("%s: it was sent, but is still in the queue: %w; the next redrive sends it again, which is a duplicate", l.what(), err)
}

// send sends what a message is about where it belongs.
func (r *redriving) send(ctx context.Context, l letter) error {
	switch r.queue.to {
	case "":
		return nil
	case outputTrigger:
		return r.c.post(ctx, r.to, l.payload)
	}
	got, err := r.c.queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &r.to, MessageBody: aws.String(string(l.payload))})
	if err != nil {
		return failed("SQS SendMessage to the arrivals queue", err)
	}
	if aws.ToString(got.MessageId) == "" {
		return errors.New("SQS SendMessage to the arrivals queue: the answer has no MessageId, so it is not known to be there")
	}
	return nil
}

// action is what is done with a message that does not stay.
func (r *redriving) action() string {
	switch r.queue.to {
	case "":
		return "deleted"
	case outputTrigger:
		return "called"
	}
	return "sent"
}

// print prints what became of a message.
func (r *redriving) print(action string, l letter) {
	if r.json {
		r.Messages = append(r.Messages, redrove{action, l.report()})
		return
	}
	if r.dryRun && action != "left" {
		action = map[string]string{"sent": "would send", "called": "would call", "deleted": "would delete"}[action]
	}
	text := l.what()
	if action == "left" {
		text += ": " + l.left.Error()
	}
	fmt.Fprintf(r.out, "%-7s %s\n", action, printable(text))
}

func (r *redriving) summary() {
	done := map[string]string{"": "deleted", outputTrigger: "handed to the trigger", outputArrivalsQueue: "sent to the arrivals queue"}[r.queue.to]
	if r.dryRun {
		done = "would be " + done
	}
	fmt.Fprintf(r.out, "%s: %d %s, %d left", r.Queue, r.Done, done, r.Left)
	if r.Newer > 0 {
		fmt.Fprintf(r.out, ", %d came meanwhile and stay for the next redrive", r.Newer)
	}
	fmt.Fprintln(r.out)
}

// show shows the messages that stay to others again. Where that fails they show
// by themselves, after redriveHidden.
func (r *redriving) show(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), showTime)
	defer cancel()
	var batch []types.ChangeMessageVisibilityBatchRequestEntry
	flush := func() {
		if len(batch) > 0 {
			_, _ = r.c.queues.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &r.from, Entries: batch})
		}
		batch = nil
	}
	for _, receipt := range r.stay {
		batch = append(batch, types.ChangeMessageVisibilityBatchRequestEntry{
			Id: aws.String(fmt.Sprint(len(batch))), ReceiptHandle: aws.String(receipt), VisibilityTimeout: 0})
		if len(batch) == maxReceive {
			flush()
		}
	}
	flush()
}
