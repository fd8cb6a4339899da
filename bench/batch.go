package main

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// batchTime is when the files of the batches were put.
var batchTime = time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)

// sqsBatch makes an SQS batch of n EventBridge "Object Created" events in the
// form in which Lambda passes it to a function (AWS Lambda developer guide,
// "Using Lambda with Amazon SQS"; Amazon S3 user guide, "EventBridge event
// message structure"). The files come at a time, and are spread evenly over the
// first folders of routes. Each message has at least size bytes.
func sqsBatch(at time.Time, n, routes, size int) []byte {
	var b strings.Builder
	b.WriteString(`{"Records":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(message(at, i, batchKey(at, i, routes), size))
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

func message(at time.Time, i int, key string, size int) string {
	const receipt = "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy"
	event := string(mustJSON(objectCreated(at, i, key)))
	text := fmt.Sprintf(`{"messageId":"%08d-3c2d-4a57-9a11-5c1d4b7a1f00","receiptHandle":"%s","body":%s,"attributes":{`+
		`"ApproximateReceiveCount":"1","SentTimestamp":"%d","SenderId":"AIDAIENQZJOLO23YVJ4VO",`+
		`"ApproximateFirstReceiveTimestamp":"%d"},"messageAttributes":{},`+
		`"md5OfBody":"e4e68fb7bd0e697a0ae8f1bb342846b3","eventSource":"aws:sqs",`+
		`"eventSourceARN":"arn:aws:sqs:eu-west-1:123456789012:arrivals","awsRegion":"eu-west-1"}`,
		i, strings.Repeat(receipt, 4), event, at.UnixMilli(), at.UnixMilli()+5)
	if missing := size - len(text); missing > 0 {
		// Long keys make large messages. S3 permits 1,024 bytes. The receipt
		// handle has no documented limit.
		if long := min(missing, 1024-len(key)); long > 0 {
			return message(at, i, lengthened(key, long), size)
		}
		return strings.Replace(text, receipt, strings.Repeat("A", missing)+receipt, 1)
	}
	return text
}

// lengthened puts a folder before the name of a file.
func lengthened(key string, by int) string {
	dir, name := path.Split(key)
	return dir + strings.Repeat("f", by-1) + "/" + name
}

func objectCreated(at time.Time, i int, key string) string {
	return fmt.Sprintf(`{"version":"0","id":"17793124-05d4-b198-2fde-%012d","detail-type":"Object Created","source":"aws.s3",`+
		`"account":"123456789012","time":"%s","region":"eu-west-1","resources":["arn:aws:s3:::`+bucket+`"],`+
		`"detail":{"version":"0","bucket":{"name":"`+bucket+`"},"object":{"key":"%s","size":%d,`+
		`"etag":"b1946ac92492d2347c6235b4d2611184","version-id":"IYV3p45BT0ac8hjHg1houSdS1a.Mro8e","sequencer":"00617F08299329D%03X"},`+
		`"request-id":"N4N7GDK58NMKJ12R","requester":"123456789012","source-ip-address":"203.0.113.7","reason":"PutObject"}}`,
		i, at.UTC().Format(time.RFC3339), key, 1<<20+i, i)
}

// batchKey is the key of a file of one day. No two batches have the same keys.
func batchKey(at time.Time, i, routes int) string {
	return fmt.Sprintf("feed-%03d/%s/part-%x-%05d.csv.gz", i%routes, at.UTC().Format("2006/01/02"), at.UnixNano(), i)
}

// routesFile makes a routes file of n routes, each for one first folder, that
// settle after a time.
func routesFile(n int, settle string) []byte {
	var b strings.Builder
	b.WriteString("version: 1\ntimezone: UTC\nignore: [\"logs/**\", \"**/*.tmp\"]\nroutes:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - name: feed-%03d\n    config_id: cg-%03dABc4DE\n    files: feed-%03d/{yyyy}/{MM}/{dd}/**\n    settle: %s\n    late: rerun\n", i, i, i, settle)
	}
	return []byte(b.String())
}

// s3Detail is the detail of an "Object Created" event, for which aws-lambda-go
// has no type.
type s3Detail struct {
	Version string `json:"version"`
	Bucket  struct {
		Name string `json:"name"`
	} `json:"bucket"`
	Object struct {
		Key       string `json:"key"`
		Size      int64  `json:"size"`
		ETag      string `json:"etag"`
		VersionID string `json:"version-id"`
		Sequencer string `json:"sequencer"`
	} `json:"object"`
	RequestID       string `json:"request-id"`
	Requester       string `json:"requester"`
	SourceIPAddress string `json:"source-ip-address"`
	Reason          string `json:"reason"`
}

// decodePlainly decodes a batch with encoding/json and the types of
// aws-lambda-go, down to the object's key, and does nothing with it. It
// returns the number of objects.
func decodePlainly(payload []byte) (int, error) {
	var batch events.SQSEvent
	if err := json.Unmarshal(payload, &batch); err != nil {
		return 0, err
	}
	objects := 0
	for _, m := range batch.Records {
		var e events.EventBridgeEvent
		if err := json.Unmarshal([]byte(m.Body), &e); err != nil {
			return objects, err
		}
		var d s3Detail
		if err := json.Unmarshal(e.Detail, &d); err != nil {
			return objects, err
		}
		if d.Object.Key != "" {
			objects++
		}
	}
	return objects, nil
}
