package s3event

import (
	"errors"
	"strings"
	"testing"

	"github.com/amperity-runs/amperity-runs/internal/golden"
)

func TestEnvelopeErrorNamesEveryFault(t *testing.T) {
	t.Parallel()
	edit := func(payload, old, new string) string {
		if !strings.Contains(payload, old) {
			t.Fatalf("%s not in %s", old, payload)
		}
		return strings.Replace(payload, old, new, 1)
	}
	var texts strings.Builder
	for _, row := range []struct{ name, payload string }{
		// What is no event at all.
		{"nothing", ``},
		{"half an event", `{"Records":[`},
		{"something after it", testEvent + `x`},
		{"nested beyond reason", strings.Repeat("[", 20_000)},
		{"null", `null`},
		{"an empty object", `{}`},
		{"no records", `{"Records":[]}`},
		{"a list", `[]`},
		{"a number", `1`},
		{"records that are no list", `{"Records":{}}`},
		{"a record that is no object", `{"Records":["x"]}`},
		{"another service's records", `{"Records":[{"eventSource":"aws:kinesis"}]}`},
		{"an event without a source", `{"detail-type":"Object Created","detail":{}}`},
		{"an event without a source and with any detail", `{"detail-type":"X","source":"","detail":[1]}`},

		// SQS.
		{"a message without an id", edit(sqsBatch(ebCreated("a"), ebCreated("b")), `"messageId":"m2"`, `"messageId":""`)},

		// SNS.
		{"a subscription", `{"Type":"SubscriptionConfirmation","SubscribeURL":"https://sns.example"}`},
		{"another type", `{"Type":"UnsubscribeConfirmation"}`},
		{"a document without a message", `{"Type":"Notification"}`},
		{"a record without a message", `{"Records":[{"EventSource":"aws:sns","Sns":{}}]}`},
		{"a record with a message for people", snsEvent("hello")},
		{"an SQS record within without a body", snsEvent(`{"Records":[{"eventSource":"aws:sqs"}]}`)},
		{"too many envelopes", snsDocument(snsDocument(snsDocument(snsDocument(testEvent))))},

		// S3.
		{"records of two services", `{"Records":[` + created("a") + `,` + sqsMessage("m", "x") + `]}`},
		{"the next structure", edit(notification(created("a")), `"2.5"`, `"3.0"`)},
		{"the twentieth structure", edit(notification(created("a")), `"2.5"`, `"20.1"`)},
		{"no name", edit(notification(created("a")), `"ObjectCreated:Put"`, `""`)},
		{"a bad escape", notification(created("a"), s3Record("ObjectCreated:Put", "b", "a%zz", "2026-11-22T05:00:00Z"))},
		{"a key that is not UTF-8", notification(s3Record("ObjectCreated:Put", "b", "a%FF", "2026-11-22T05:00:00Z"))},
		{"a key too long", ebCreated(strings.Repeat("k", 1025))},
		{"a sequencer in figures", edit(notification(created("a")), `"sequencer":"0055AED6DCD90281E5"`, `"sequencer":55`)},
		{"an event with a version that is a list", edit(ebCreated("a"), `"sequencer":"0055AED6DCD90281E5"`, `"sequencer":[]`)},
		{"an event with a list for a detail", edit(ebCreated("a"), `"bucket":{"name":"acme-landing"}`, `"bucket":[]`)},

		// All that is wrong, at once.
		{"a record of nothing", `{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put"}]}`},
		{"an event of nothing", `{"detail-type":"Object Created","source":"aws.s3"}`},
		{"several records", notification(s3Record("ObjectCreated:Put", "", "%", "yesterday"), created("a"), s3Record("ObjectCreated:Put", "b", "", "2026-11-22"))},
		{"a day that is not", ebEvent("Object Created", "b", "k", "2026-02-30T00:00:00Z")},
		{"a year before S3", ebEvent("Object Created", "b", "k", "0001-01-01T00:00:00Z")},
	} {
		_, err := Decode([]byte(row.payload))
		if _, ok := errors.AsType[*EnvelopeError](err); !ok {
			t.Errorf("%s: got %v", row.name, err)
			continue
		}
		texts.WriteString(golden.Row(row.name, err.Error()))
	}
	golden.Check(t, "testdata/envelope.golden", texts.String())
}

func TestErrorOfOneSQSMessageNamesEveryFault(t *testing.T) {
	t.Parallel()
	var texts strings.Builder
	for _, row := range []struct{ name, record string }{
		{"no body", `{"messageId":"m1","eventSource":"aws:sqs"}`},
		{"a body that is no text", `{"messageId":"m1","eventSource":"aws:sqs","body":{}}`},
		{"an empty body", sqsMessage("m1", "")},
		{"not of SQS", `{"messageId":"m1","eventSource":"aws:kinesis"}`},
		{"many faults", sqsMessage("m1", notification(strings.Split(strings.Repeat(`{"eventSource":"aws:s3"} `, 7)[:7*25-1], " ")...))},
	} {
		// The second message makes it a batch whatever the first is.
		b, err := Decode([]byte(`{"Records":[` + sqsMessage("m0", testEvent) + `,` + row.record + `]}`))
		if err != nil || b.Messages[1].Err == nil {
			t.Errorf("%s: got %+v, %v", row.name, b, err)
			continue
		}
		texts.WriteString(golden.Row(row.name, b.Messages[1].Err.Error()))
	}
	golden.Check(t, "testdata/message.golden", texts.String())
}
