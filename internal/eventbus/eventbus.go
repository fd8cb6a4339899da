// Package eventbus publishes announcements to an EventBridge event bus.
//
// [Publisher.Announce] returns nil only when EventBridge gave an event id for
// every announcement. PutEvents answers 200 also when entries failed, and the
// SDK's retries do not cover those; here they are looked at one by one.
//
// What an event id does not prove: that the bus exists. PutEvents to a bus
// that does not exist answers as if it did (aws/aws-cli issue 9186).
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

	// maxCall is how many bytes the entries of one call may have together, by
	// the formula for the size of an entry. Above it the whole call fails with
	// "Total size of the entries in the request is over the limit".
	maxCall = announcement.MaxEntry - 1

	// attempts is how often an entry is given to EventBridge at most, and
	// firstDelay what is waited after the first failure; each further wait is
	// twice as long. In all less than 2 s.
	attempts   = 5
	firstDelay = 100 * time.Millisecond
)

// Codes of failures that EventBridge has no code for.
const (
	// CodeTooLarge: the announcement does not fit, however much of it is cut.
	CodeTooLarge = "TooLarge"
	// CodeNoEventID: the answer has neither an event id nor an error code for
	// the entry. It may have been published.
	CodeNoEventID = "NoEventId"
	// CodeNoAnswer: the call failed without an answer of EventBridge. The entry
	// may have been published.
	CodeNoAnswer = "NoAnswer"
	// CodeNotSent: the time was over before the entry's turn.
	CodeNotSent = "NotSent"
)

// EventBridge is what the publisher needs of *eventbridge.Client. It must be
// safe for use by several goroutines if the publisher is used by several.
type EventBridge interface {
	PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

// Publisher publishes to one event bus. It is safe for use by several
// goroutines.
type Publisher struct {
	// Partition is the AWS partition of the ARNs of files; empty: aws. See
	// [Partition].
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
	// Message is EventBridge's message, for a person; bounded.
	Message string
	// Err is the error of the call or of the encoding; nil where EventBridge
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

// Error says which announcements were not confirmed. The others were published;
// publishing the failed ones again, with the same ids, does no harm.
type Error struct {
	// Bus is the event bus, as it was given to New.
	Bus string
	// Total is how many announcements there were.
	Total int
	// Failed are those not confirmed, in the order given; at least one.
	Failed []Failure
}

// Error names every announcement that failed, with its code and message.
func (e *Error) Error() string {
	texts := make([]string, len(e.Failed))
	for i, f := range e.Failed {
		texts[i] = f.String()
	}
	return fmt.Sprintf("event bus %s: %d of %d announcements not confirmed: %s", e.Bus, len(e.Failed), e.Total, strings.Join(texts, "; "))
}

// Unwrap gives the errors behind the failures, such as context.DeadlineExceeded.
func (e *Error) Unwrap() []error {
	var errs []error
	for _, f := range e.Failed {
		if f.Err != nil {
			errs = append(errs, f.Err)
		}
	}
	return errs
}

// entry is one announcement on its way.
type entry struct {
	request types.PutEventsRequestEntry
	size    int
	failure *Failure // nil once confirmed
	what    Failure  // what a failure of this entry says in any case
}

func (e *entry) fail(code, message string, err error) {
	f := e.what
	f.Code, f.Message, f.Err = code, clip(message), err
	e.failure = &f
}

// Announce publishes announcements in the order given, ten a call. Entries
// that fail with InternalFailure or ThrottlingException are given again, up to
// five times in all, while the context lasts; one that is given again may
// arrive after later ones. The error is an *[Error]; everything it does not
// name has been published.
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

// callful is how many of the entries, at least one, go into one call.
func callful(entries []*entry) int {
	size := 0
	for i, e := range entries {
		if size += e.size; i == maxEntries || i > 0 && size > maxCall {
			return i
		}
	}
	return len(entries)
}

// publish gives the entries of one call to EventBridge, and those that fail
// for the moment again.
func (p *Publisher) publish(ctx context.Context, entries []*entry) {
	for attempt := 1; ; attempt++ {
		p.put(ctx, entries)
		var again []*entry
		for _, e := range entries {
			// What failed as a call, the SDK has tried again already.
			if e.failure != nil && e.failure.Err == nil && passing(e.failure.Code) {
				again = append(again, e)
			}
		}
		if len(again) == 0 || attempt == attempts {
			return
		}
		// Half of the wait is random, so that instances that were throttled
		// together do not come back together.
		delay := firstDelay << (attempt - 1)
		if p.sleep(ctx, delay/2+rand.N(delay/2)) != nil { // #nosec G404 -- jitter is no secret
			return // the time is over; the failures are recorded
		}
		entries = again
	}
}

// passing tells whether the same entry may succeed a moment later: the codes
// that EventBridge documents as retryable, their spellings in its common
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

// put is one call of PutEvents. It sets each entry's failure, or clears it.
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
		// One entry spoils the call; the others shall not suffer for it.
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

// refusesContent tells whether a call failed for what is in it.
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

// maxMessage bounds a message of EventBridge, in runes.
const maxMessage = 500

func clip(s string) string {
	if r := []rune(s); len(r) > maxMessage {
		return string(r[:maxMessage]) + "…"
	}
	return s
}
