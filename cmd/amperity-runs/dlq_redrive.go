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
	// other readers. It is enough to send and delete ten messages.
	redriveHidden = 300
	// showTime bounds how long a redrive takes at its end to show messages
	// again.
	showTime = 10 * time.Second
)

// redriveReport describes what a redrive did.
type redriveReport struct {
	Queue    string    `json:"queue"`
	DryRun   bool      `json:"dry_run,omitempty"`
	Messages []redrove `json:"messages"`
	// Done counts messages that were sent, or would be in a dry run. Left
	// counts messages that stay in the queue. Newer counts messages that came
	// after the redrive began.
	Done  int `json:"done"`
	Left  int `json:"left"`
	Newer int `json:"newer"`
}

// redrove describes what happened to one message.
type redrove struct {
	// Action is sent, called, deleted or left.
	Action string `json:"action"`
	letterReport
}

// redriving is one redrive in progress.
type redriving struct {
	*dlqOptions
	c    *cloud
	out  io.Writer
	from string // the address of the queue
	to   string // the address of the queue, or the function
	// begun is when the redrive began, by SQS's clock, which may differ from
	// this machine's.
	begun time.Time
	// gone has the ids of deleted messages. stay has the messages that we read
	// and hide, with the receipts that show them again.
	gone map[string]bool
	stay map[string]string
	redriveReport
}

// redrive sends the messages of a queue to their destination.
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
	// The report covers the finished part even after an error.
	r.show(ctx)
	if o.json {
		err = errors.Join(document(out, r.redriveReport), err)
	} else {
		r.summary()
	}
	if err == nil && r.Left > 0 {
		err = fmt.Errorf("%s left in the queue %s; the output says why", counted(r.Left, "message"), o.queue.name)
	}
	return err
}

// all processes the messages one after the other.
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
			r.begun = now.Add(time.Second) // SQS's time has whole seconds
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

// take processes a message that was read for the first time or again.
func (r *redriving) take(ctx context.Context, l letter, stays bool) error {
	switch {
	case r.gone[l.id]:
		// SQS may return a deleted message again.
		return r.remove(ctx, l)
	case stays:
		r.stay[l.id] = l.receipt
		return nil
	}
	r.stay[l.id] = l.receipt
	return r.one(ctx, l)
}

// one sends one message, and then deletes it. A crash in between leaves the
// message in the queue, and the next redrive sends it again.
func (r *redriving) one(ctx context.Context, l letter) error {
	if l.since.After(r.begun) {
		// The message may be one that was redriven and has failed again.
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
		done() // it was sent, even if it cannot be deleted
	}
	if err := r.remove(ctx, l); err != nil {
		return err
	}
	if r.queue.to == "" {
		done()
	}
	return nil
}

// remove deletes a sent message. An interrupt does not cancel it.
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

// send sends a message's payload to its destination.
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
		return errors.New("SQS SendMessage to the arrivals queue: the answer has no MessageId, so the message may not be there")
	}
	return nil
}

// action returns what a redrive does with a message that does not stay.
func (r *redriving) action() string {
	switch r.queue.to {
	case "":
		return "deleted"
	case outputTrigger:
		return "called"
	}
	return "sent"
}

// print prints what happened to a message.
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
	if r.max > 0 && r.Done == r.max {
		fmt.Fprintf(r.out, "; stopped at --max %d, more may be in the queue", r.max)
	}
	fmt.Fprintln(r.out)
}

// show makes the remaining messages visible to other readers. If that fails,
// they become visible after redriveHidden.
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
