package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cftypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

var testNow = time.Date(2026, 11, 22, 13, 5, 0, 0, time.UTC)

// fakeCloud is an account in memory. It fails the test if a message is deleted
// before it was sent to its destination.
type fakeCloud struct {
	t       *testing.T
	outputs map[string]string
	queues  map[string]*fakeQueue // by URL
	// answer is the trigger's answer to a synchronous call.
	answer *lambda.InvokeOutput
	// called are the payloads that the trigger received.
	called []string
	// fault decides each call. A refused call has no effect. A lost call takes
	// effect and fails.
	fault func(operation string) (refused, lost error)
	// regions are the requested regions.
	regions []string
}

type fakeQueue struct {
	messages []*fakeMessage
	// again are deleted messages that SQS returns again.
	again []*fakeMessage
	reads int
}

type fakeMessage struct {
	types.Message
	hidden bool
	// belongs is the payload that must be sent before the message is deleted,
	// or empty.
	belongs string
}

const testTrigger = "arn:aws:lambda:us-east-1:123456789012:function:t"

// newFakeCloud returns an account with a stack and all its queues.
func newFakeCloud(t *testing.T) *fakeCloud {
	f := &fakeCloud{t: t, outputs: map[string]string{outputTrigger: testTrigger, outputArrivalsQueue: "arrivals"}, queues: map[string]*fakeQueue{"arrivals": {}}}
	for _, q := range deadLetterQueues() {
		f.outputs[q.output] = "dead-" + q.name
		f.queues["dead-"+q.name] = &fakeQueue{}
	}
	return f
}

// connect is a connector.
func (f *fakeCloud) connect(_ context.Context, region string) (*cloud, error) {
	f.regions = append(f.regions, region)
	return &cloud{stacks: f, functions: f, queues: f, now: func() time.Time { return testNow }}, nil
}

// put puts a message into a dead-letter queue. It is one hour old unless
// attributes have another time.
func (f *fakeCloud) put(queue, body, belongs string, attributes map[string]string) *fakeMessage {
	q := f.queues["dead-"+queue]
	id := fmt.Sprintf("%s-%d", queue, len(q.messages)+1)
	m := &fakeMessage{belongs: belongs, Message: types.Message{MessageId: &id, Body: &body,
		Attributes: map[string]string{"SentTimestamp": fmt.Sprint(testNow.Add(-time.Hour).UnixMilli())}, MessageAttributes: map[string]types.MessageAttributeValue{}}}
	for k, v := range attributes {
		if k == "SentTimestamp" {
			m.Attributes[k] = v
			continue
		}
		m.MessageAttributes[k] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(v)}
	}
	q.messages = append(q.messages, m)
	return m
}

// bodies returns the bodies of the messages of a queue.
func (f *fakeCloud) bodies(url string) []string {
	bodies := []string{}
	for _, m := range f.queues[url].messages {
		bodies = append(bodies, *m.Body)
	}
	return bodies
}

func call[T any](f *fakeCloud, operation string, do func() (*T, error)) (*T, error) {
	f.t.Helper()
	var lost error
	if f.fault != nil {
		var refused error
		if refused, lost = f.fault(operation); refused != nil {
			return nil, refused
		}
	}
	out, err := do()
	if lost != nil {
		return nil, lost
	}
	return out, err
}

func (f *fakeCloud) DescribeStacks(_ context.Context, in *cloudformation.DescribeStacksInput, _ ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error) {
	return call(f, "DescribeStacks", func() (*cloudformation.DescribeStacksOutput, error) {
		s := cftypes.Stack{StackName: in.StackName, StackStatus: cftypes.StackStatusUpdateComplete}
		for k, v := range f.outputs {
			s.Outputs = append(s.Outputs, cftypes.Output{OutputKey: aws.String(k), OutputValue: aws.String(v)})
		}
		return &cloudformation.DescribeStacksOutput{Stacks: []cftypes.Stack{s}}, nil
	})
}

func (f *fakeCloud) Invoke(_ context.Context, in *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	return call(f, "Invoke", func() (*lambda.InvokeOutput, error) {
		if want := f.outputs[outputTrigger]; *in.FunctionName != want && want != "" {
			f.t.Errorf("called %s", *in.FunctionName)
		}
		f.called = append(f.called, string(in.Payload))
		if in.InvocationType == lambdatypes.InvocationTypeEvent {
			if f.answer != nil {
				return f.answer, nil
			}
			return &lambda.InvokeOutput{StatusCode: 202}, nil
		}
		return f.answer, nil
	})
}

func (f *fakeCloud) GetQueueAttributes(_ context.Context, in *sqs.GetQueueAttributesInput, _ ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error) {
	return call(f, "GetQueueAttributes", func() (*sqs.GetQueueAttributesOutput, error) {
		shown, hidden := 0, 0
		for _, m := range f.queues[*in.QueueUrl].messages {
			if m.hidden {
				hidden++
			} else {
				shown++
			}
		}
		return &sqs.GetQueueAttributesOutput{Attributes: map[string]string{
			"ApproximateNumberOfMessages": fmt.Sprint(shown), "ApproximateNumberOfMessagesNotVisible": fmt.Sprint(hidden)}}, nil
	})
}

func (f *fakeCloud) ReceiveMessage(_ context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	return call(f, "ReceiveMessage", func() (*sqs.ReceiveMessageOutput, error) {
		if in.VisibilityTimeout == 0 || in.WaitTimeSeconds == 0 || in.MaxNumberOfMessages < 1 || in.MaxNumberOfMessages > 10 {
			f.t.Errorf("received with %+v", in)
		}
		q := f.queues[*in.QueueUrl]
		q.reads++
		out := &sqs.ReceiveMessageOutput{}
		for _, m := range append(slices.Clone(q.again), q.messages...) {
			if m.hidden || len(out.Messages) == int(in.MaxNumberOfMessages) {
				continue
			}
			m.hidden = true
			m.ReceiptHandle = aws.String(fmt.Sprintf("%s/%d", *m.MessageId, q.reads))
			out.Messages = append(out.Messages, m.Message)
		}
		q.again = nil
		return out, nil
	})
}

func (f *fakeCloud) SendMessage(_ context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	return call(f, "SendMessage", func() (*sqs.SendMessageOutput, error) {
		q := f.queues[*in.QueueUrl]
		q.messages = append(q.messages, &fakeMessage{Message: types.Message{Body: in.MessageBody}})
		return &sqs.SendMessageOutput{MessageId: aws.String("sent")}, nil
	})
}

func (f *fakeCloud) DeleteMessage(_ context.Context, in *sqs.DeleteMessageInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error) {
	return call(f, "DeleteMessage", func() (*sqs.DeleteMessageOutput, error) {
		q := f.queues[*in.QueueUrl]
		q.messages = slices.DeleteFunc(q.messages, func(m *fakeMessage) bool {
			if aws.ToString(m.ReceiptHandle) != *in.ReceiptHandle {
				return false
			}
			if m.belongs != "" && !slices.Contains(f.called, m.belongs) && !slices.Contains(f.bodies("arrivals"), m.belongs) {
				f.t.Errorf("%s is deleted, and was not sent", *m.MessageId)
			}
			return true
		})
		return &sqs.DeleteMessageOutput{}, nil
	})
}

func (f *fakeCloud) ChangeMessageVisibilityBatch(_ context.Context, in *sqs.ChangeMessageVisibilityBatchInput, _ ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	return call(f, "ChangeMessageVisibilityBatch", func() (*sqs.ChangeMessageVisibilityBatchOutput, error) {
		if len(in.Entries) > 10 {
			f.t.Errorf("%d entries in a batch", len(in.Entries))
		}
		for _, e := range in.Entries {
			for _, m := range f.queues[*in.QueueUrl].messages {
				if aws.ToString(m.ReceiptHandle) == *e.ReceiptHandle {
					m.hidden = false
				}
			}
		}
		return &sqs.ChangeMessageVisibilityBatchOutput{}, nil
	})
}

// shell runs a command on the account, and returns its output.
func (f *fakeCloud) shell(line string) (stdout, stderr string, code int) {
	f.t.Helper()
	var out, errs bytes.Buffer
	args := strings.Fields(line)
	run := map[string]func(context.Context, []string, func(string) string, connector, io.Writer, io.Writer) int{"held": answerHeld, "dlq": dlq}[args[0]]
	code = run(f.t.Context(), args[1:], func(string) string { return "" }, f.connect, &out, &errs)
	return out.String(), errs.String(), code
}

var errCut = errors.New("the connection was cut")
