package s3event

import (
	"fmt"
	"strings"
)

// EnvelopeError reports that a payload, or one of its SQS messages, is not a
// readable S3 event. A retry cannot succeed: the message belongs in a
// dead-letter queue, where an operator finds the reason.
type EnvelopeError struct {
	// MessageID is the id of the SQS message. It is empty if the whole payload
	// is unreadable.
	MessageID string
	// Faults are all the mistakes.
	Faults []EnvelopeFault
}

// EnvelopeFault is one mistake in an envelope.
type EnvelopeFault struct {
	// Path is the field, for example "body.Records[1].s3.object.key". It is
	// empty if the fault is about the whole envelope.
	Path string
	// Message describes the mistake and the expected value.
	Message string
}

// maxFaultsShown is the most faults that an error shows. A message can hold
// hundreds of records with the same fault.
const maxFaultsShown = 5

func (e *EnvelopeError) Error() string {
	var b strings.Builder
	if e.MessageID != "" {
		fmt.Fprintf(&b, "message %.100s: ", e.MessageID)
	}
	for i, f := range e.Faults {
		if i == maxFaultsShown {
			fmt.Fprintf(&b, "; and %d more", len(e.Faults)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		if f.Path != "" {
			b.WriteString(f.Path + ": ")
		}
		b.WriteString(f.Message)
	}
	return b.String()
}
