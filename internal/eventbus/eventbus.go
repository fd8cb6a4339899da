// Package eventbus publishes announcements to an EventBridge event bus.
//
// [Publisher.Announce] returns nil only if EventBridge returned an event id for
// every announcement. PutEvents answers 200 even if entries failed, and the SDK
// does not retry those entries. The publisher checks each entry.
//
// An event id does not prove that the bus exists. PutEvents returns event ids
// for a bus that does not exist (aws/aws-cli issue 9186).
package eventbus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
)

const (
	// maxEntries is how many entries PutEvents takes in one call.
	maxEntries = 10

	// maxCall is the most bytes that the entries of one call may have together,
	// by the formula for the size of an entry. A larger call fails with "Total
	// size of the entries in the request is over the limit".
	maxCall = announcement.MaxEntry - 1

	// attempts is the most times an entry is sent. The delay starts at
	// firstDelay and doubles; together the delays stay below 2 s.
	attempts   = 5
	firstDelay = 100 * time.Millisecond
)

// Codes of failures that EventBridge has no code for.
const (
	// CodeTooLarge: the announcement does not fit, even if it is cut.
	CodeTooLarge = "TooLarge"
	// CodeNoEventID: the answer has neither an event id nor an error code for
	// the entry. It may have been published.
	CodeNoEventID = "NoEventId"
	// CodeNoAnswer: the call failed without an answer from EventBridge. The
	// entry may have been published.
	CodeNoAnswer = "NoAnswer"
	// CodeNotSent: the context ended before the entry was sent.
	CodeNotSent = "NotSent"
)

// EventBridge is the part of *eventbridge.Client that the publisher calls. If
// several goroutines use the publisher, it must be safe for all of them.
type EventBridge interface {
	PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

// Publisher publishes to one event bus. It is safe for use by several
// goroutines.
type Publisher struct {
	// Partition is the AWS partition in the ARNs of files. The default is aws.
	// See [Partition].
	Partition string

	client EventBridge
	bus    string
	sleep  func(context.Context, time.Duration) error
}

// New returns a publisher for a bus, which it takes by name or ARN. sleep waits
// for a duration, or returns an error as soon as the context ends.
func New(client EventBridge, bus string, sleep func(context.Context, time.Duration) error) *Publisher {
	return &Publisher{client: client, bus: bus, sleep: sleep}
}

// Failure is one announcement that EventBridge did not confirm.
type Failure struct {
	// Index is its place among the arguments of Announce.
	Index int
	// Type, ID and LaunchKey are the announcement's.
	Type      announcement.DetailType
	ID        string
	LaunchKey string
	// Code is EventBridge's error code or one of the Code constants.
	Code string
	// Message is EventBridge's message, cut to 500 characters.
	Message string
	// Err is the error of the call or of the encoding. It is nil if EventBridge
	// answered with a code for this entry.
	Err error
}

func (f Failure) String() string {
	name := f.LaunchKey
	if name == "" {
		name = f.ID
	}
	return fmt.Sprintf("%s of %s: %s: %s", f.Type, name, f.Code, f.Message)
}

// Error lists the announcements that EventBridge did not confirm. The others
// were published. The failed announcements may be published again with the same
// ids.
type Error struct {
	// Bus is the event bus, as passed to New.
	Bus string
	// Total is how many announcements there were.
	Total int
	// Failed are the announcements that were not confirmed, in the order of the
	// arguments. There is at least one.
	Failed []Failure
}

// Error returns every failed announcement with its code and message.
func (e *Error) Error() string {
	texts := make([]string, len(e.Failed))
	for i, f := range e.Failed {
		texts[i] = f.String()
	}
	return fmt.Sprintf("event bus %s: %d of %d announcements not confirmed: %s", e.Bus, len(e.Failed), e.Total, strings.Join(texts, "; "))
}

// Unwrap returns the errors behind the failures, such as
// context.DeadlineExceeded.
func (e *Error) Unwrap() []error {
	var errs []error
	for _, f := range e.Failed {
		if f.Err != nil {
			errs = append(errs, f.Err)
		}
	}
	return errs
}

// entry is one announcement while Announce publishes it.
type entry struct {
	request types.PutEventsRequestEntry
	size    int
	failure *Failure // nil once confirmed
	what    Failure  // the fields that all failures of this entry share
}

func (e *entry) fail(code, message string, err error) {
	f := e.what
	f.Code, f.Message, f.Err = code, clip(message), err
	e.failure = &f
}

// Announce publishes announcements in order, ten a call. It sends entries that
// fail with InternalFailure or ThrottlingException again, up to five times in
// all, until the context ends. A retried entry may arrive after later entries.
// The error is an *[Error]. All announcements that it does not list have been
// published.
func (p *Publisher) Announce(ctx context.Context, as ...announcement.Announcement) error {
	entries := make([]*entry, len(as))
	var ready []*entry
	for i, a := range as {
		entries[i] = p.entry(i, a)
		if entries[i].failure == nil {
			ready = append(ready, entries[i])
		}
	}
	for len(ready) > 0 {
		n := callful(ready)
		p.publish(ctx, ready[:n])
		ready = ready[n:]
	}
	out := &Error{Bus: p.bus, Total: len(as)}
	for _, e := range entries {
		if e.failure != nil {
			out.Failed = append(out.Failed, *e.failure)
		}
	}
	if len(out.Failed) > 0 {
		return out
	}
	return nil
}

func (p *Publisher) entry(index int, a announcement.Announcement) *entry {
	e := &entry{what: Failure{Index: index, Type: a.Type, ID: a.Detail.ID, LaunchKey: a.Detail.LaunchKey}}
	a.Resources = inPartition(a.Resources, p.Partition)
	detail, err := a.Encode(announcement.DefaultLimit)
	if err != nil {
		e.fail(CodeTooLarge, err.Error(), err)
		return e
	}
	e.size = a.Size(detail)
	e.request = types.PutEventsRequestEntry{
		EventBusName: aws.String(p.bus),
		Source:       aws.String(announcement.Source),
		DetailType:   aws.String(string(a.Type)),
		Detail:       aws.String(string(detail)),
		Resources:    a.BoundedResources(),
	}
	return e
}

// callful returns how many of the entries fit into one call: at least one.
func callful(entries []*entry) int {
	size := 0
	for i, e := range entries {
		if size += e.size; i == maxEntries || i > 0 && size > maxCall {
			return i
		}
	}
	return len(entries)
}

// publish sends the entries of one call, and retries those that may succeed.
func (p *Publisher) publish(ctx context.Context, entries []*entry) {
	for attempt := 1; ; attempt++ {
		p.put(ctx, entries)
		var again []*entry
		for _, e := range entries {
			// The SDK has already retried a call that failed as a whole.
			if e.failure != nil && e.failure.Err == nil && passing(e.failure.Code) {
				again = append(again, e)
			}
		}
		if len(again) == 0 || attempt == attempts {
			return
		}
		// Half of the delay is random, so that instances that were throttled
		// at the same time do not retry at the same time.
		delay := firstDelay << (attempt - 1)
		if p.sleep(ctx, delay/2+rand.N(delay/2)) != nil { // #nosec G404 -- jitter is no secret
			return // the context has ended; the failures are recorded
		}
		entries = again
	}
}

// passing reports whether a retry of the same entry may succeed. These are the
// codes that EventBridge documents as retryable, their spellings in its common
// errors, and an entry without any result.
//
// Source: EventBridge API reference, PutEventsResultEntry, ErrorCode.
func passing(code string) bool {
	switch code {
	case "InternalFailure", "InternalException", "InternalError", "ServiceUnavailable",
		"ThrottlingException", "Throttling", CodeNoEventID:
		return true
	}
	return false
}

// put calls PutEvents once. It sets or clears the failure of each entry.
func (p *Publisher) put(ctx context.Context, entries []*entry) {
	if err := ctx.Err(); err != nil {
		for _, e := range entries {
			if e.failure == nil {
				e.fail(CodeNotSent, err.Error(), err)
			}
		}
		return
	}
	in := &eventbridge.PutEventsInput{}
	for _, e := range entries {
		in.Entries = append(in.Entries, e.request)
	}
	out, err := p.client.PutEvents(ctx, in)
	switch {
	case err != nil && len(entries) > 1 && refusesContent(err):
		// One entry fails the whole call, so each entry gets a call of its own.
		for _, e := range entries {
			p.put(ctx, []*entry{e})
		}
	case err != nil:
		code, message := CodeNoAnswer, err.Error()
		if api, ok := errors.AsType[smithy.APIError](err); ok {
			code, message = api.ErrorCode(), api.ErrorMessage()
		}
		for _, e := range entries {
			e.fail(code, message, err)
		}
	default:
		for i, e := range entries {
			var r types.PutEventsResultEntry
			if i < len(out.Entries) {
				r = out.Entries[i]
			}
			switch {
			case aws.ToString(r.ErrorCode) != "":
				e.fail(*r.ErrorCode, aws.ToString(r.ErrorMessage), nil)
			case aws.ToString(r.EventId) == "":
				e.fail(CodeNoEventID, "EventBridge gave neither an event id nor an error code", nil)
			default:
				e.failure = nil
			}
		}
	}
}

// refusesContent reports whether EventBridge refused the content of a call.
func refusesContent(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return false
	}
	switch api.ErrorCode() {
	case "ValidationException", "ValidationError", "RequestEntityTooLarge", "413":
		return true
	}
	return false
}

// maxMessage is the most characters of a message from EventBridge that are
// kept.
const maxMessage = 500

func clip(s string) string {
	if r := []rune(s); len(r) > maxMessage {
		return string(r[:maxMessage]) + "…"
	}
	return s
}
