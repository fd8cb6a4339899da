package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const (
	// listHidden is for how many seconds "list" hides the messages that it
	// reads. 0 would mean the queue's own time.
	listHidden = 5
	// receiveWait is how many seconds a read waits for a message. Without a
	// wait SQS queries only some of its servers, and may find nothing.
	receiveWait = 1
	// maxReceive is the most messages that one read returns (ReceiveMessage).
	maxReceive = 10
)

// queueReport describes one queue.
type queueReport struct {
	Queue string `json:"queue"`
	// URL is empty if the stack has no such queue.
	URL string `json:"url,omitempty"`
	// Messages and Hidden are approximate. Hidden counts the messages that
	// another reader has received and that are hidden for a time.
	Messages int            `json:"messages"`
	Hidden   int            `json:"hidden"`
	Some     []letterReport `json:"some,omitempty"`
}

// letterReport describes one message.
type letterReport struct {
	ID    string          `json:"id"`
	Since time.Time       `json:"since,omitzero"`
	Files []string        `json:"files,omitempty"`
	Input json.RawMessage `json:"input,omitempty"`
	Why   string          `json:"why,omitempty"`
	// Stays is why a redrive leaves the message.
	Stays string `json:"stays,omitempty"`
}

func (l letter) report() letterReport {
	r := letterReport{ID: l.id, Since: l.since, Files: l.files, Why: l.why}
	if json.Valid(l.input) {
		r.Input = l.input
	}
	if l.left != nil {
		r.Stays = l.left.Error()
	}
	return r
}

// list prints the queues and some of their messages.
func (o *dlqOptions) list(ctx context.Context, c *cloud, stack outputs, out io.Writer) error {
	var reports []queueReport
	for _, q := range deadLetterQueues() {
		r := queueReport{Queue: q.name, URL: stack.values[q.output]}
		var letters []letter
		if r.URL != "" {
			var err error
			if letters, err = c.look(ctx, q, &r); err != nil {
				return err
			}
		}
		if o.json {
			for _, l := range letters {
				r.Some = append(r.Some, l.report())
			}
			reports = append(reports, r)
			continue
		}
		r.print(out, letters)
	}
	if o.json {
		return document(out, struct {
			Queues []queueReport `json:"queues"`
		}{reports})
	}
	fmt.Fprintln(out, "The numbers are SQS's, which are approximate; nothing was taken out.")
	return nil
}

// look counts the messages of a queue and reads some.
func (c *cloud) look(ctx context.Context, q deadLetterQueue, r *queueReport) ([]letter, error) {
	counts, err := c.queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &r.URL, AttributeNames: []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible}})
	if err != nil {
		return nil, queueFailed("GetQueueAttributes", q, r.URL, err)
	}
	// A missing count is 0.
	r.Messages, _ = strconv.Atoi(counts.Attributes[string(types.QueueAttributeNameApproximateNumberOfMessages)])
	r.Hidden, _ = strconv.Atoi(counts.Attributes[string(types.QueueAttributeNameApproximateNumberOfMessagesNotVisible)])
	letters, _, err := c.receive(ctx, q, r.URL, maxReceive, listHidden)
	return letters, err
}

// receive reads messages and hides them from other readers for some seconds. It
// also returns the time by SQS's clock, or by this machine's if SQS's is
// unknown.
func (c *cloud) receive(ctx context.Context, q deadLetterQueue, url string, most, hidden int32) ([]letter, time.Time, error) {
	got, err := c.queues.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: most, VisibilityTimeout: hidden, WaitTimeSeconds: receiveWait,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameSentTimestamp},
		MessageAttributeNames:       []string{"All"},
	})
	if err != nil {
		return nil, time.Time{}, queueFailed("ReceiveMessage", q, url, err)
	}
	var letters []letter
	for _, m := range got.Messages {
		letters = append(letters, q.open(m))
	}
	now, ok := middleware.GetServerTime(got.ResultMetadata)
	if !ok {
		now = c.now()
	}
	return letters, now, nil
}

func queueFailed(operation string, q deadLetterQueue, url string, err error) error {
	var gone *types.QueueDoesNotExist
	if errors.As(err, &gone) {
		return fmt.Errorf("the queue %s of the stack no longer exists (%s): deploy the stack again", q.name, url)
	}
	return failed("SQS "+operation+" "+q.name, err)
}

// print prints a queue and the messages read from it.
func (r queueReport) print(out io.Writer, letters []letter) {
	switch {
	case r.URL == "":
		fmt.Fprintf(out, "%s: not in this stack's version\n", r.Queue)
		return
	case r.Messages == 0 && len(letters) == 0 && r.Hidden == 0:
		fmt.Fprintf(out, "%s: empty\n", r.Queue)
		return
	}
	fmt.Fprintf(out, "%s: %s", r.Queue, counted(max(r.Messages, len(letters)), "message"))
	if r.Hidden > 0 {
		fmt.Fprintf(out, ", and %d hidden by another reader", r.Hidden)
	}
	fmt.Fprintln(out)
	for _, l := range letters {
		at := "time unknown"
		if !l.since.IsZero() {
			at = l.since.Format(time.RFC3339)
		}
		fmt.Fprintf(out, "  %s  %s\n", at, printable(l.what()))
		if l.why != "" {
			fmt.Fprintf(out, "    why    %s\n", printable(excerpt(l.why)))
		}
		if l.left != nil {
			fmt.Fprintf(out, "    stays  %s\n", printable(l.left.Error()))
		}
	}
	if more := r.Messages - len(letters); more > 0 && len(letters) > 0 {
		fmt.Fprintf(out, "  and about %d more\n", more)
	}
}
