package s3event

import (
	"strings"
	"time"
)

// MaxKey is the longest key of an S3 object, in bytes of UTF-8 (S3 User Guide,
// Naming Amazon S3 objects).
const MaxKey = 1024

// LastYear is the last year of the time of an event, and of the date in a key.
const LastYear = 2999

// Envelope is the shape of a payload.
type Envelope string

// The shapes that [Decode] reads. Each shape may hold the shapes below it.
const (
	// SQS is a batch of SQS messages, as Lambda's event source mapping sends
	// it. Its messages fail one by one. Every other envelope succeeds or fails
	// as a whole.
	SQS Envelope = "sqs"
	// SNS is a Lambda event of SNS records, or the JSON document that SNS puts
	// in an SQS message.
	SNS Envelope = "sns"
	// EventBridge is an EventBridge event from S3, such as "Object Created".
	EventBridge Envelope = "eventbridge"
	// S3Notification is a notification that S3 sends without EventBridge:
	// records, or a test event.
	S3Notification Envelope = "s3"
)

// Batch is one payload, decoded.
type Batch struct {
	// Envelope is the outermost shape.
	Envelope Envelope
	// Messages has one entry for each SQS message, in the order of the batch.
	// Every other envelope has one entry.
	Messages []Message
}

// Message is a part of a batch that succeeds or fails as a whole.
type Message struct {
	// ID is the SQS messageId; empty in every other envelope.
	ID string
	// Arrivals are the created objects, in the order of the records. If Err is
	// set there are none, even if some records could be read: SQS delivers the
	// whole message again, and its readable records would be handled twice.
	Arrivals []Arrival
	// Ignored counts the events that are not about a created object: deletions,
	// restores, S3's test event and events of other services.
	Ignored int
	// Others counts the ignored events by their kind, such as
	// "Scheduled Event of aws.events" or "ObjectRemoved:Delete". Others leaves
	// out S3's test event, which S3 sends whenever notifications are set up.
	Others map[string]int
	// Err is nil or an [*EnvelopeError] with every fault of the message.
	Err error
}

// Arrival is one S3 object-created event.
type Arrival struct {
	// Bucket is the bucket's name.
	Bucket string
	// Key is the object's key as S3 lists it: at most 1,024 bytes of UTF-8. If
	// the envelope encodes the key, Key is decoded.
	Key string
	// VersionID is the object's version. It is empty for an object without a
	// version, for which S3 writes "null".
	VersionID string
	// Size is the object's size in bytes. It is 0 if the event has no size, and
	// -1 if the size cannot be read.
	Size int64
	// Sequencer orders the events of one key. It is hexadecimal. To compare two
	// sequencers, pad the shorter one with zeros on the right (S3 User Guide,
	// Event message structure). A duplicate of an event has the same sequencer.
	Sequencer string
	// EventTime is when S3 finished the request, in UTC. EventBridge events
	// have whole seconds.
	EventTime time.Time
}

// hadoopFolder is the end of the keys of Hadoop's folder markers, which are
// empty (Apache Hadoop, S3A and the older S3N). Amazon EMR writes them too.
const hadoopFolder = "_$folder$"

// IsFolder reports whether an arrival is a folder marker. The key of a folder
// marker ends in a /, or in Hadoop's suffix if the object is empty or the event
// has no size.
func (a Arrival) IsFolder() bool {
	return strings.HasSuffix(a.Key, "/") || a.Size == 0 && strings.HasSuffix(a.Key, hadoopFolder)
}
