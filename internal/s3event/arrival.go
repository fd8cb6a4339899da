package s3event

import (
	"strings"
	"time"
)

// MaxKey is the longest key of an S3 object, in bytes of UTF-8 (S3 User Guide,
// Naming Amazon S3 objects).
const MaxKey = 1024

// LastYear is the last year of a plausible date.
const LastYear = 2999

// hadoopFolder ends the keys of Hadoop's folder markers, which are empty
// (Apache Hadoop, S3A and the older S3N; Amazon EMR writes them too).
const hadoopFolder = "_$folder$"

// IsFolder reports whether an arrival is a folder marker: its key ends in a /,
// or it is one of Hadoop's and not known to have content.
func (a Arrival) IsFolder() bool {
	return strings.HasSuffix(a.Key, "/") || a.Size == 0 && strings.HasSuffix(a.Key, hadoopFolder)
}

// Envelope is the shape of a payload.
type Envelope string

// The shapes that [Decode] takes; each may hold the ones after it.
const (
	// SQS is a batch of SQS messages, as Lambda's event source mapping sends
	// it. Its messages fail one by one; every other envelope is settled or
	// failed as a whole.
	SQS Envelope = "sqs"
	// SNS is a Lambda event of SNS records, or the JSON document that SNS puts
	// in an SQS message.
	SNS Envelope = "sns"
	// EventBridge is an EventBridge event from S3, such as "Object Created".
	EventBridge Envelope = "eventbridge"
	// S3Notification is what S3 sends by itself: records, or a test event.
	S3Notification Envelope = "s3"
)

// Batch is one payload, decoded.
type Batch struct {
	// Envelope is the outermost shape.
	Envelope Envelope
	// Messages has one entry for each SQS message, in their order, and exactly
	// one for every other envelope.
	Messages []Message
}

// Message is what succeeds or fails as one.
type Message struct {
	// ID is the SQS messageId; empty in every other envelope.
	ID string
	// Arrivals are the objects created, in the order of the records. Empty
	// where Err is set, even if some records could be read: a message is
	// delivered again whole, and what was acted upon would be acted upon
	// twice.
	Arrivals []Arrival
	// Ignored counts the events that are not about a created object: deletions,
	// restores, S3's test event, events of other services.
	Ignored int
	// Others counts the ignored events by their kind, such as
	// "Scheduled Event of aws.events" or "ObjectRemoved:Delete". S3's test event
	// is not among them: S3 sends it whenever notifications are set up.
	Others map[string]int
	// Err is nil or an [*EnvelopeError] with every fault of the message.
	Err error
}

// Arrival is one S3 object-created event.
type Arrival struct {
	// Bucket is the bucket's name.
	Bucket string
	// Key is the object's key, as S3 knows it: at most 1,024 bytes of UTF-8,
	// decoded where the envelope had it encoded.
	Key string
	// VersionID is the object's version; empty for objects without one, whose
	// version S3 calls "null".
	VersionID string
	// Size is the object's size in bytes; 0 if the event has no size, -1 if its
	// size cannot be read.
	Size int64
	// Sequencer orders the events of one key: hexadecimal, to be compared after
	// padding the shorter one with zeros on the right (S3 User Guide, Event
	// message structure). A duplicate has the same.
	Sequencer string
	// EventTime is when S3 finished the request, in UTC; EventBridge events
	// give whole seconds.
	EventTime time.Time
}
