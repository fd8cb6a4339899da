package s3event

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// The shapes below have the fields that the documentation of S3, EventBridge,
// SNS and Lambda names, and some that Decode has no use for.

// s3Record is one record of an S3 notification, with its key encoded.
func s3Record(name, bucket, key, at string) string {
	return fmt.Sprintf(`{"eventVersion":"2.5","eventSource":"aws:s3","awsRegion":"eu-west-1","eventTime":%q,"eventName":%q,`+
		`"userIdentity":{"principalId":"AWS:AIDA"},"requestParameters":{"sourceIPAddress":"192.0.2.1"},`+
		`"responseElements":{"x-amz-request-id":"C3D13FE58DE4C810"},"s3":{"s3SchemaVersion":"1.0","configurationId":"all",`+
		`"bucket":{"name":%q,"ownerIdentity":{"principalId":"A3NL"},"arn":"arn:aws:s3:::b"},`+
		`"object":{"key":%s,"size":1024,"eTag":"d41d8cd9","versionId":"v1","sequencer":"0055AED6DCD90281E5"}}}`, at, name, bucket, quote(key))
}

// created is the record of a file that came at five o'clock.
func created(key string) string {
	return s3Record("ObjectCreated:Put", "acme-landing", formEncode(key), "2026-11-22T05:00:00.123Z")
}

// formEncode encodes a key as S3 does: like a form, but / stays.
func formEncode(key string) string {
	return strings.ReplaceAll(url.QueryEscape(key), "%2F", "/")
}

func notification(records ...string) string {
	return `{"Records":[` + strings.Join(records, ",") + `]}`
}

// ebEvent is an EventBridge event from S3.
func ebEvent(detailType, bucket, key, at string) string {
	return fmt.Sprintf(`{"version":"0","id":"2f1d","detail-type":%q,"source":"aws.s3","account":"111122223333","time":%q,`+
		`"region":"eu-west-1","resources":["arn:aws:s3:::b"],"detail":{"version":"0","event-version":"1.0","bucket":{"name":%q},`+
		`"object":{"key":%s,"size":1024,"etag":"d41d8cd9","version-id":"v1","sequencer":"0055AED6DCD90281E5"},`+
		`"request-id":"C3D13FE58DE4C810","requester":"111122223333","source-ip-address":"192.0.2.1","reason":"PutObject"}}`,
		detailType, at, bucket, quote(key))
}

func ebCreated(key string) string {
	return ebEvent("Object Created", "acme-landing", key, "2026-11-22T05:00:00Z")
}

// snsDocument is what SNS puts in an SQS message.
func snsDocument(inner string) string {
	return fmt.Sprintf(`{"Type":"Notification","MessageId":"22b80b92","TopicArn":"arn:aws:sns:eu-west-1:111122223333:t",`+
		`"Subject":"Amazon S3 Notification","Message":%s,"Timestamp":"2026-11-22T05:00:01.000Z","SignatureVersion":"1"}`, quote(inner))
}

// snsEvent is what Lambda is invoked with by SNS.
func snsEvent(inner ...string) string {
	records := make([]string, len(inner))
	for i, m := range inner {
		records[i] = fmt.Sprintf(`{"EventSource":"aws:sns","EventVersion":"1.0","EventSubscriptionArn":"arn:aws:sns:eu-west-1:111122223333:t:1",`+
			`"Sns":{"Type":"Notification","MessageId":"95df01b4","TopicArn":"arn:aws:sns:eu-west-1:111122223333:t","Subject":null,`+
			`"Message":%s,"Timestamp":"2026-11-22T05:00:01.000Z","MessageAttributes":{}}}`, quote(m))
	}
	return `{"Records":[` + strings.Join(records, ",") + `]}`
}

// sqsMessage is one message of a batch.
func sqsMessage(id, body string) string {
	return fmt.Sprintf(`{"messageId":%q,"receiptHandle":"AQEB","body":%s,"attributes":{"ApproximateReceiveCount":"1"},`+
		`"messageAttributes":{},"md5OfBody":"e4e68fb7","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:eu-west-1:111122223333:q","awsRegion":"eu-west-1"}`,
		id, quote(body))
}

// sqsBatch is a batch of messages with the ids m1, m2, …
func sqsBatch(bodies ...string) string {
	messages := make([]string, len(bodies))
	for i, b := range bodies {
		messages[i] = sqsMessage(fmt.Sprintf("m%d", i+1), b)
	}
	return `{"Records":[` + strings.Join(messages, ",") + `]}`
}

const testEvent = `{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-11-22T05:00:00.000Z","Bucket":"acme-landing","RequestId":"5582","HostId":"8cLe"}`

// quote returns s as a JSON string.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}
