package s3event

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every message that this package gives, as it stands.

func TestEnvelopeMessages(t *testing.T) {
	t.Parallel()
	edit := func(payload, old, new string) string {
		if !strings.Contains(payload, old) {
			t.Fatalf("%s not in %s", old, payload)
		}
		return strings.Replace(payload, old, new, 1)
	}
	for _, tt := range []struct {
		name, payload string
		// path and message of each fault.
		want []EnvelopeFault
	}{
		// What is no event at all.
		{"nothing", ``, []EnvelopeFault{{"", `is not JSON, at byte 0; an S3 event was expected`}}},
		{"half an event", `{"Records":[`, []EnvelopeFault{{"", `is not JSON, at byte 12; an S3 event was expected`}}},
		{"something after it", testEvent + `x`, []EnvelopeFault{{"", `is not JSON, at byte 140; an S3 event was expected`}}},
		{"nested beyond reason", strings.Repeat("[", 20_000), []EnvelopeFault{{"", `is not JSON, at byte 10001; an S3 event was expected`}}},
		{"null", `null`, []EnvelopeFault{{"", `is not an S3 event: an SQS batch, an S3 notification, an EventBridge event or an SNS message was expected`}}},
		{"an empty object", `{}`, []EnvelopeFault{{"", `is not an S3 event: an SQS batch, an S3 notification, an EventBridge event or an SNS message was expected`}}},
		{"no records", `{"Records":[]}`, []EnvelopeFault{{"", `is not an S3 event: an SQS batch, an S3 notification, an EventBridge event or an SNS message was expected`}}},
		{"a list", `[]`, []EnvelopeFault{{"", `is of the type list, and an object was expected`}}},
		{"a number", `1`, []EnvelopeFault{{"", `is of the type number, and an object was expected`}}},
		{"records that are no list", `{"Records":{}}`, []EnvelopeFault{{"Records", `is of the type object, and a list was expected`}}},
		{"a record that is no object", `{"Records":["x"]}`, []EnvelopeFault{{"Records[0].eventSource", `is ""; "aws:s3", "aws:sqs" or "aws:sns" was expected`}}},
		{"another service's records", `{"Records":[{"eventSource":"aws:kinesis"}]}`, []EnvelopeFault{{"Records[0].eventSource", `is "aws:kinesis"; "aws:s3", "aws:sqs" or "aws:sns" was expected`}}},
		{"an event without a source", `{"detail-type":"Object Created","detail":{}}`, []EnvelopeFault{{"source", `is missing or empty ("Object Created"); events from "aws.s3" were expected`}}},
		{"an event without a source and with any detail", `{"detail-type":"X","source":"","detail":[1]}`, []EnvelopeFault{{"source", `is missing or empty ("X"); events from "aws.s3" were expected`}}},

		// SQS.
		{"a message without an id", edit(sqsBatch(ebCreated("a"), ebCreated("b")), `"messageId":"m2"`, `"messageId":""`),
			[]EnvelopeFault{{"Records[1].messageId", `is missing or empty; without it the message cannot be failed alone`}}},

		// SNS.
		{"a subscription", `{"Type":"SubscriptionConfirmation","SubscribeURL":"https://sns.example"}`, []EnvelopeFault{{"", `is an SNS subscription that waits to be confirmed: open its SubscribeURL once; it carries no S3 event`}}},
		{"another type", `{"Type":"UnsubscribeConfirmation"}`, []EnvelopeFault{{"Type", `is "UnsubscribeConfirmation"; "Notification" was expected`}}},
		{"a document without a message", `{"Type":"Notification"}`, []EnvelopeFault{{"Message", `is missing`}}},
		{"a record without a message", `{"Records":[{"EventSource":"aws:sns","Sns":{}}]}`, []EnvelopeFault{{"Records[0].Sns.Message", `is missing`}}},
		{"a record with a message for people", snsEvent("hello"), []EnvelopeFault{{"Records[0].Sns.Message", `is not JSON, at byte 1; an S3 event was expected`}}},
		{"an SQS record within without a body", snsEvent(`{"Records":[{"eventSource":"aws:sqs"}]}`), []EnvelopeFault{{"Records[0].Sns.Message.Records[0].body", `is missing`}}},
		{"too many envelopes", snsDocument(snsDocument(snsDocument(snsDocument(testEvent)))), []EnvelopeFault{{"Message.Message.Message.Message", `holds more than 4 envelopes within each other`}}},

		// S3.
		{"records of two services", `{"Records":[` + created("a") + `,` + sqsMessage("m", "x") + `]}`, []EnvelopeFault{{"Records[1].eventSource", `is "aws:sqs", among records of "aws:s3"`}}},
		{"the next structure", edit(notification(created("a")), `"2.5"`, `"3.0"`), []EnvelopeFault{{"Records[0].eventVersion", `is "3.0"; 2 and any minor version are known`}}},
		{"the twentieth structure", edit(notification(created("a")), `"2.5"`, `"20.1"`), []EnvelopeFault{{"Records[0].eventVersion", `is "20.1"; 2 and any minor version are known`}}},
		{"no name", edit(notification(created("a")), `"ObjectCreated:Put"`, `""`), []EnvelopeFault{{"Records[0].eventName", `is missing; something like "ObjectCreated:Put" was expected`}}},
		{"a bad escape", notification(created("a"), s3Record("ObjectCreated:Put", "b", "a%zz", "2026-11-22T05:00:00Z")),
			[]EnvelopeFault{{"Records[1].s3.object.key", `"a%zz" has a % that is not followed by two hexadecimal digits; S3 encodes keys like a form`}}},
		{"a key that is not UTF-8", notification(s3Record("ObjectCreated:Put", "b", "a%FF", "2026-11-22T05:00:00Z")),
			[]EnvelopeFault{{"Records[0].s3.object.key", `"a\xff" is not UTF-8, which every key is`}}},
		{"a key too long", ebCreated(strings.Repeat("k", 1025)), []EnvelopeFault{{"detail.object.key", `has 1025 bytes; S3's longest key has 1024`}}},
		{"a sequencer in figures", edit(notification(created("a")), `"sequencer":"0055AED6DCD90281E5"`, `"sequencer":55`), []EnvelopeFault{{"Records[0].s3.object.sequencer", `is of the type number, and text was expected`}}},
		{"an event with a version that is a list", edit(ebCreated("a"), `"sequencer":"0055AED6DCD90281E5"`, `"sequencer":[]`), []EnvelopeFault{{"detail.object.sequencer", `is of the type list, and text was expected`}}},
		{"an event with a list for a detail", edit(ebCreated("a"), `"bucket":{"name":"acme-landing"}`, `"bucket":[]`), []EnvelopeFault{{"detail.bucket", `is of the type list, and an object was expected`}}},

		// All that is wrong, at once.
		{"a record of nothing", `{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put"}]}`, []EnvelopeFault{
			{"Records[0].s3.bucket.name", `is missing or empty`},
			{"Records[0].s3.object.key", `is missing or empty`},
			{"Records[0].eventTime", `is missing; something like "2026-11-22T05:00:00Z" was expected`},
		}},
		{"an event of nothing", `{"detail-type":"Object Created","source":"aws.s3"}`, []EnvelopeFault{
			{"detail.bucket.name", `is missing or empty`},
			{"detail.object.key", `is missing or empty`},
			{"time", `is missing; something like "2026-11-22T05:00:00Z" was expected`},
		}},
		{"several records", notification(s3Record("ObjectCreated:Put", "", "%", "yesterday"), created("a"), s3Record("ObjectCreated:Put", "b", "", "2026-11-22")), []EnvelopeFault{
			{"Records[0].s3.object.key", `"%" has a % that is not followed by two hexadecimal digits; S3 encodes keys like a form`},
			{"Records[0].s3.bucket.name", `is missing or empty`},
			{"Records[0].eventTime", `is "yesterday"; something like "2026-11-22T05:00:00Z" was expected`},
			{"Records[2].s3.object.key", `is missing or empty`},
			{"Records[2].eventTime", `is "2026-11-22"; something like "2026-11-22T05:00:00Z" was expected`},
		}},
		{"a day that is not", ebEvent("Object Created", "b", "k", "2026-02-30T00:00:00Z"), []EnvelopeFault{{"time", `is "2026-02-30T00:00:00Z"; something like "2026-11-22T05:00:00Z" was expected`}}},
		{"a year before S3", ebEvent("Object Created", "b", "k", "0001-01-01T00:00:00Z"), []EnvelopeFault{{"time", `is "0001-01-01T00:00:00Z"; something like "2026-11-22T05:00:00Z" was expected`}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Decode([]byte(tt.payload))
			var e *EnvelopeError
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if d := cmp.Diff(&EnvelopeError{Faults: tt.want}, e); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestMessagesOfOneSQSMessage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, record, want string }{
		{"no body", `{"messageId":"m1","eventSource":"aws:sqs"}`, `message m1: Records[0].body: is missing`},
		{"a body that is no text", `{"messageId":"m1","eventSource":"aws:sqs","body":{}}`, `message m1: body: is of the type object, and text was expected`},
		{"an empty body", sqsMessage("m1", ""), `message m1: body: is not JSON, at byte 0; an S3 event was expected`},
		{"not of SQS", `{"messageId":"m1","eventSource":"aws:kinesis"}`, `message m1: Records[0].eventSource: is "aws:kinesis", in a batch of "aws:sqs"`},
		{"many faults", sqsMessage("m1", notification(strings.Split(strings.Repeat(`{"eventSource":"aws:s3"} `, 7)[:7*25-1], " ")...)),
			`message m1: body.Records[0].eventName: is missing; something like "ObjectCreated:Put" was expected; ` +
				`body.Records[1].eventName: is missing; something like "ObjectCreated:Put" was expected; ` +
				`body.Records[2].eventName: is missing; something like "ObjectCreated:Put" was expected; ` +
				`body.Records[3].eventName: is missing; something like "ObjectCreated:Put" was expected; ` +
				`body.Records[4].eventName: is missing; something like "ObjectCreated:Put" was expected; and 2 more`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// The second message makes it a batch whatever the first is.
			b, err := Decode([]byte(`{"Records":[` + sqsMessage("m0", testEvent) + `,` + tt.record + `]}`))
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Replace(b.Messages[1].Err.Error(), "Records[1].", "Records[0].", 1)
			if tt.name == "many faults" {
				got = b.Messages[1].Err.Error()
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
