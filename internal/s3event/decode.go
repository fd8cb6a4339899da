// Package s3event reads S3 events from the envelopes that AWS delivers them in:
// SQS batches, SNS messages, EventBridge events and S3 notifications.
//
// [Decode] is strict on the fields that it needs. It is lenient on all others,
// because AWS adds fields to its events.
package s3event

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Decode reads a payload: an SQS batch, an S3 notification, an EventBridge
// event from S3 or an SNS event, each of which may hold the others.
//
// In an SQS batch each message fails separately, by [Message.Err]. For every
// other envelope the error is an [*EnvelopeError] with every fault, and the
// caller must not use any part of the payload. The same holds for a batch with
// a message that has no id. Decode does not limit the number of messages:
// Lambda limits a payload to 6 MB (AWS Lambda quotas).
func Decode(payload []byte) (Batch, error) {
	var c collector
	p, ok := c.parse(payload, nil)
	if ok && p.shape() == SQS {
		b := Batch{Envelope: SQS, Messages: make([]Message, len(p.Records))}
		for i := range p.Records {
			b.Messages[i] = p.Records[i].message(&c, &place{name: "Records", index: i + 1})
		}
		if len(c.faults) > 0 {
			return Batch{}, &EnvelopeError{Faults: c.faults}
		}
		return b, nil
	}
	if ok {
		c.take(p, nil, 1)
	}
	if len(c.faults) > 0 {
		return Batch{}, &EnvelopeError{Faults: c.faults}
	}
	return Batch{Envelope: p.shape(), Messages: []Message{{Arrivals: c.arrivals, Ignored: c.ignored, Others: c.others}}}, nil
}

// maxDepth is the most envelopes within each other. AWS produces three: a
// message of a dead-letter queue, in it a Lambda event of SNS, in it an S3
// notification. One more allows a queue between two stacks.
const maxDepth = 4

// collector gathers the contents of a message.
type collector struct {
	arrivals []Arrival
	ignored  int
	others   map[string]int // of ignored
	faults   []EnvelopeFault
}

// place is a position in a payload: a field, and its index from 1 if the field
// is a list.
type place struct {
	within *place
	name   string
	index  int
}

func (at *place) String() string {
	if at == nil {
		return ""
	}
	s := at.name
	if at.index > 0 {
		s = fmt.Sprintf("%s[%d]", at.name, at.index-1)
	}
	if at.within != nil {
		return at.within.String() + "." + s
	}
	return s
}

func (at *place) field(name string) *place { return &place{within: at, name: name} }

func (c *collector) faultf(at *place, format string, args ...any) {
	c.faults = append(c.faults, EnvelopeFault{Path: at.String(), Message: fmt.Sprintf(format, args...)})
}

// parse reads the JSON of one envelope.
func (c *collector) parse(payload []byte, at *place) (*envelope, bool) {
	p := new(envelope)
	err := json.Unmarshal(payload, p)
	var mismatch *json.UnmarshalTypeError
	switch {
	case err == nil:
		return p, true
	case !errors.As(err, &mismatch):
		c.notJSON(err, at)
		return nil, false
	}
	// The records are read one by one, so that one wrong record fails alone.
	var one struct {
		*envelope
		Records []json.RawMessage `json:"Records"`
	}
	one.envelope = new(envelope)
	if err := json.Unmarshal(payload, &one); err != nil {
		if errors.As(err, &mismatch) && !one.foreign() {
			c.mismatch(mismatch, at)
			return nil, false
		}
	}
	p = one.envelope
	p.Records = make([]record, len(one.Records))
	for i, raw := range one.Records {
		if err := json.Unmarshal(raw, &p.Records[i]); errors.As(err, &mismatch) {
			p.Records[i].err = mismatch
		}
	}
	return p, true
}

// foreign reports whether p is an event that is not about a created object. The
// detail of such an event may have any form.
func (p *envelope) foreign() bool {
	return p.DetailType != nil && (p.Source != "aws.s3" || *p.DetailType != "Object Created")
}

// other counts an event that is not about a created object.
func (c *collector) other(kind string) {
	c.ignored++
	if c.others == nil {
		c.others = map[string]int{}
	}
	c.others[kind]++
}

func (c *collector) notJSON(err error, at *place) {
	var offset int64
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset = syntax.Offset
	}
	c.faultf(at, "is not JSON, at byte %d; an S3 event was expected", offset)
}

func (c *collector) mismatch(err *json.UnmarshalTypeError, at *place) {
	// encoding/json names the struct that parse embeds, too.
	if field := strings.TrimPrefix(err.Field, "envelope."); field != "" {
		at = at.field(field)
	}
	got, _, _ := strings.Cut(err.Value, " ")
	if got == "array" {
		got = "list"
	}
	want := "an object"
	switch err.Type.Kind() {
	case reflect.String:
		want = "text"
	case reflect.Slice:
		want = "a list"
	}
	c.faultf(at, "is of the type %s, and %s was expected", got, want)
}

// message reads one message of an SQS batch. The fault of a message without an
// id goes to whole.
func (r *record) message(whole *collector, at *place) Message {
	m := Message{ID: r.MessageID}
	if m.ID == "" {
		whole.faultf(at.field("messageId"), "is missing or empty; without it the message cannot be failed alone")
		return m
	}
	var c collector
	switch {
	case r.EventSource != "aws:sqs":
		c.faultf(at.field("eventSource"), "is %.60q, in a batch of \"aws:sqs\"", r.EventSource)
	case r.err != nil:
		c.mismatch(r.err, nil)
	case r.Body == nil:
		c.faultf(at.field("body"), "is missing")
	default:
		c.nested(*r.Body, &place{name: "body"}, 1)
	}
	if len(c.faults) > 0 {
		m.Err = &EnvelopeError{MessageID: m.ID, Faults: c.faults}
		return m
	}
	m.Arrivals, m.Ignored, m.Others = c.arrivals, c.ignored, c.others
	return m
}

// nested reads an envelope that another envelope holds as text.
func (c *collector) nested(text string, at *place, depth int) {
	if depth++; depth > maxDepth {
		c.faultf(at, "holds more than %d envelopes within each other", maxDepth)
		return
	}
	if p, ok := c.parse([]byte(text), at); ok {
		c.take(p, at, depth)
	}
}

// take gathers the contents of an envelope.
func (c *collector) take(p *envelope, at *place, depth int) {
	switch shape := p.shape(); {
	case p.Event == "s3:TestEvent":
		c.ignored++
	case shape == EventBridge:
		c.event(p, at)
	case shape == SNS && p.Type != nil:
		c.sns(p, at, depth)
	case shape == "" && len(p.Records) > 0:
		c.faultf(at.field("Records[0].eventSource"), "is %.60q; \"aws:s3\", \"aws:sqs\" or \"aws:sns\" was expected", p.Records[0].EventSource)
	case shape == "":
		c.faultf(at, "is not an S3 event: an SQS batch, an S3 notification, an EventBridge event or an SNS message was expected")
	default:
		for i := range p.Records {
			c.record(&p.Records[i], p.Records[0].EventSource, &place{within: at, name: "Records", index: i + 1}, depth)
		}
	}
}

func (c *collector) sns(p *envelope, at *place, depth int) {
	switch {
	case *p.Type == "SubscriptionConfirmation":
		c.faultf(at, "is an SNS subscription that waits to be confirmed: open its SubscribeURL once; it carries no S3 event")
	case *p.Type != "Notification":
		c.faultf(at.field("Type"), "is %.60q; \"Notification\" was expected", *p.Type)
	case p.Message == nil:
		c.faultf(at.field("Message"), "is missing")
	default:
		c.nested(*p.Message, at.field("Message"), depth)
	}
}

// record reads one record of an S3 notification, of SNS, or of an SQS batch
// within another envelope.
func (c *collector) record(r *record, source string, at *place, depth int) {
	switch {
	case r.err != nil:
		c.mismatch(r.err, at)
	case r.EventSource != source:
		c.faultf(at.field("eventSource"), "is %.60q, among records of %q", r.EventSource, source)
	case source == "aws:sqs" && r.Body == nil:
		c.faultf(at.field("body"), "is missing")
	case source == "aws:sqs":
		c.nested(*r.Body, at.field("body"), depth)
	case source == "aws:sns" && r.SNS.Message == nil:
		c.faultf(at.field("Sns.Message"), "is missing")
	case source == "aws:sns":
		c.nested(*r.SNS.Message, at.field("Sns.Message"), depth)
	default:
		c.s3(r, at)
	}
}
