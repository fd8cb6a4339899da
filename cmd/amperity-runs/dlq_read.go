package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/amperity-runs/amperity-runs/internal/s3event"
)

// letter is the readable part of one message of a dead-letter queue.
type letter struct {
	id, receipt string
	// since is when the message was first sent to a queue.
	since time.Time
	// files or input are the subject of the message.
	files []string
	input json.RawMessage
	// why is the reason for the failure, or "" if unknown.
	why string
	// payload is the payload of a redrive.
	payload []byte
	// left is why a redrive leaves the message in the queue, or nil.
	left error
}

// A reader reads the body and the attributes of one kind of message into l.
type reader func(l *letter, body []byte, attributes map[string]string)

// open reads a message.
func (q deadLetterQueue) open(m types.Message) letter {
	l := letter{id: aws.ToString(m.MessageId), receipt: aws.ToString(m.ReceiptHandle)}
	sent := m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)]
	if ms, err := strconv.ParseInt(sent, 10, 64); err == nil {
		l.since = time.UnixMilli(ms).UTC()
	}
	attributes := map[string]string{}
	for name, v := range m.MessageAttributes {
		attributes[name] = aws.ToString(v.StringValue)
	}
	q.read(&l, []byte(aws.ToString(m.Body)), attributes)
	return l
}

// what names the message in one line.
func (l letter) what() string {
	switch {
	case len(l.files) > 1:
		return fmt.Sprintf("%s and %d more", l.files[0], len(l.files)-1)
	case len(l.files) == 1:
		return l.files[0]
	case l.input != nil:
		return excerpt(string(l.input))
	}
	return "message " + l.id
}

// readArrival reads an S3 event, in any of its shapes.
func readArrival(l *letter, body []byte, _ map[string]string) {
	l.payload = body
	batch, err := s3event.Decode(body)
	if err != nil {
		l.left = fmt.Errorf("it cannot be read: %w", err)
		return
	}
	for _, m := range batch.Messages {
		for _, a := range m.Arrivals {
			l.files = append(l.files, "s3://"+a.Bucket+"/"+a.Key)
		}
		if m.Err != nil {
			l.left = fmt.Errorf("it cannot be read: %w", m.Err)
		}
	}
}

// readRuleArrival reads an S3 event from EventBridge, with the error in the
// attributes (EventBridge User Guide, Using dead-letter queues).
func readRuleArrival(l *letter, body []byte, attributes map[string]string) {
	readArrival(l, body, attributes)
	l.why = errorAttributes(attributes)
}

func errorAttributes(attributes map[string]string) string {
	var words []string
	for _, name := range []string{"ERROR_CODE", "ERROR_MESSAGE"} {
		if v := attributes[name]; v != "" {
			words = append(words, v)
		}
	}
	return strings.Join(words, ": ")
}

// callRecord is Lambda's record of a failed asynchronous call (Lambda Developer
// Guide, Capturing records of Lambda asynchronous invocations).
type callRecord struct {
	RequestContext struct {
		RequestID              string `json:"requestId"`
		Condition              string `json:"condition"`
		ApproximateInvokeCount int    `json:"approximateInvokeCount"`
	} `json:"requestContext"`
	RequestPayload  json.RawMessage `json:"requestPayload"`
	ResponsePayload json.RawMessage `json:"responsePayload"`
}

// readRecord reads Lambda's record of a call.
func readRecord(l *letter, body []byte) (r callRecord) {
	if err := json.Unmarshal(body, &r); err != nil {
		l.left = errors.New("it is not a record of Lambda's, as far as it can be read: " + excerpt(string(body)))
		return r
	}
	var words []string
	if c := r.RequestContext; c.Condition != "" {
		words = append(words, fmt.Sprintf("%s after %s", c.Condition, counted(c.ApproximateInvokeCount, "call")))
	}
	var e functionError
	if json.Unmarshal(r.ResponsePayload, &e) == nil && e.Message != "" {
		words = append(words, strings.TrimPrefix(e.Type+": "+e.Message, ": "))
	}
	l.why = strings.Join(words, ": ")
	return r
}

// readTriggerRecord reads the record of a call of the trigger.
func readTriggerRecord(l *letter, body []byte, _ map[string]string) {
	r := readRecord(l, body)
	if l.left != nil {
		return
	}
	if len(r.RequestPayload) == 0 || string(r.RequestPayload) == "null" {
		l.left = errors.New("the record has no requestPayload, which is the input")
		return
	}
	l.call(r.RequestPayload, r.RequestContext.RequestID)
}

// readSweepRecord reads the record of a call of the sweep. A redrive needs
// nothing of it.
func readSweepRecord(l *letter, body []byte, _ map[string]string) {
	r := readRecord(l, body)
	l.input, l.left = r.RequestPayload, nil
}

// readSweepCall reads a call of the sweep that Scheduler could not make. A
// redrive needs nothing of it.
func readSweepCall(l *letter, _ []byte, attributes map[string]string) {
	l.why = errorAttributes(attributes)
}

// readScheduleCall reads a call that Scheduler could not make. The message is
// the target's input, or the request to Lambda that contains the input. The
// guide shows only the request of another service (EventBridge Scheduler User
// Guide, Configuring a schedule's dead-letter queue).
func readScheduleCall(l *letter, body []byte, attributes map[string]string) {
	l.why = errorAttributes(attributes)
	if attributes["IS_PAYLOAD_TRUNCATED"] == "true" {
		l.left = errors.New("its input is incomplete, because Scheduler truncated it: call the trigger yourself")
		return
	}
	var request struct {
		FunctionName *string
		Payload      json.RawMessage
	}
	if json.Unmarshal(body, &request) == nil && request.FunctionName != nil && len(request.Payload) > 0 {
		body = request.Payload
		var text string
		if json.Unmarshal(body, &text) == nil {
			body = []byte(text)
		}
	}
	// Scheduler replaces these when it makes the call. The guide does not say
	// whether they are replaced here.
	for placeholder, name := range map[string]string{"<aws.scheduler.scheduled-time>": "SCHEDULED_TIME", "<aws.scheduler.schedule-arn>": "SCHEDULE_ARN"} {
		if v := attributes[name]; v != "" {
			quoted, _ := json.Marshal(v) // text
			body = bytes.ReplaceAll(body, []byte(placeholder), quoted[1:len(quoted)-1])
		}
	}
	if bytes.Contains(body, []byte("<aws.scheduler.")) {
		l.input = body
		l.left = errors.New("it does not say when it was due: call the trigger yourself")
		return
	}
	l.call(body, l.id)
}

// call makes a redrive of the message call the trigger with an input. id is the
// id of the first call.
func (l *letter) call(input json.RawMessage, id string) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(input, &fields); err != nil || fields == nil {
		l.left = errors.New("its input is not a JSON object: " + excerpt(string(input)))
		return
	}
	l.input, l.payload = input, input
	given := func(name string) bool {
		v, ok := fields[name]
		return ok && string(v) != "null" && string(v) != `""`
	}
	_, named := fields["idempotency_key"] // the trigger rejects an empty key
	switch {
	case !given("config_id") || given("scheduled_time"):
		// The input is no start, or counts from its own time.
	case given("range"):
		l.left = errors.New("its range counts from the time of the call, so it would ask for other dates than it did: call the trigger with range_from and range_to instead")
	case !named:
		// With the id of the first call the launch keeps its key. Without the
		// id, it would be another launch.
		if id == "" {
			id = l.id
		}
		quoted, _ := json.Marshal(id) // text
		fields["idempotency_key"] = quoted
		payload, _ := json.Marshal(fields) // what was JSON
		l.input, l.payload = payload, payload
	}
}
