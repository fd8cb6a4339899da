package s3event

import (
	"fmt"
	"strings"
)

// EnvelopeError says that a payload, or one SQS message of it, is not an S3
// event that can be read. The same bytes will never be readable: the message
// belongs in a dead-letter queue, where a person finds the reason.
type EnvelopeError struct {
	// MessageID is the SQS message; empty where the whole payload is at fault.
	MessageID string
	// Faults lists everything that is wrong.
	Faults []EnvelopeFault
}

// EnvelopeFault is one thing wrong with an envelope.
type EnvelopeFault struct {
	// Path is where, as "body: Records[1].s3.object.key"; empty for the whole.
	Path string
	// Message says what is wrong and what was expected.
	Message string
}

// maxFaultsShown bounds an error's text: a message can hold hundreds of
// records with the same fault.
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
