package s3event

import (
	"encoding/json"
	"strconv"
)

// envelope has the fields of every shape. The fields that a payload has
// determine its shape.
type envelope struct {
	// Records: records of SQS, SNS or S3, by their eventSource.
	Records []record `json:"Records"`
	// DetailType and those below it: an EventBridge event (EventBridge User
	// Guide, Amazon S3 events), for example "Object Created".
	DetailType *string `json:"detail-type"`
	Source     string  `json:"source"`
	Time       string  `json:"time"`
	Detail     struct {
		Bucket struct {
			Name string `json:"name"`
		} `json:"bucket"`
		Object struct {
			Key       string `json:"key"`
			VersionID string `json:"version-id"`
			Size      size   `json:"size"`
			Sequencer string `json:"sequencer"`
		} `json:"object"`
	} `json:"detail"`
	// Type and Message: the document that SNS writes into an SQS message (SNS
	// Developer Guide, Message and JSON formats), for example "Notification".
	Type    *string `json:"Type"`
	Message *string `json:"Message"`
	// Event: S3's test event, "s3:TestEvent" (S3 User Guide, Event message
	// structure).
	Event string `json:"Event"`
}

// record has the fields of an SQS, an SNS and an S3 record. encoding/json
// ignores case, so it reads SNS's EventSource too.
type record struct {
	EventSource string `json:"eventSource"`
	// MessageID and Body: SQS (Lambda Developer Guide, Using Lambda with
	// Amazon SQS).
	MessageID string  `json:"messageId"`
	Body      *string `json:"body"`
	// SNS: an SNS message in a Lambda event.
	SNS struct {
		Message *string `json:"Message"`
	} `json:"Sns"`
	// EventVersion and those below it: S3 (S3 User Guide, Event message
	// structure), for example "2.4", "ObjectCreated:Put",
	// "2026-11-22T05:00:00.123Z".
	EventVersion string `json:"eventVersion"`
	EventName    string `json:"eventName"`
	EventTime    string `json:"eventTime"`
	S3           struct {
		Bucket struct {
			Name string `json:"name"`
		} `json:"bucket"`
		Object struct {
			Key       string `json:"key"`
			VersionID string `json:"versionId"`
			Size      size   `json:"size"`
			Sequencer string `json:"sequencer"`
		} `json:"object"`
	} `json:"s3"`

	// err is set if a field has the wrong type.
	err *json.UnmarshalTypeError
}

// size is the size of an object in bytes, as in [Arrival].
type size int64

// UnmarshalJSON accepts any value: an event with an unreadable size is still an
// event.
func (s *size) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		n = -1
	}
	*s = size(n)
	return nil
}

// shape returns the shape of an envelope, or "" if it is unknown.
func (p *envelope) shape() Envelope {
	switch {
	case p.Event == "s3:TestEvent":
		return S3Notification
	case p.DetailType != nil:
		return EventBridge
	case p.Type != nil && len(p.Records) == 0:
		return SNS
	case len(p.Records) == 0:
		return ""
	}
	switch p.Records[0].EventSource {
	case "aws:sqs":
		return SQS
	case "aws:sns":
		return SNS
	case "aws:s3":
		return S3Notification
	}
	return ""
}
