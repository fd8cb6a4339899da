package s3event

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// everyEnvelope has an event of a created key in each shape.
var everyEnvelope = []struct {
	name string
	// outermost shape, and whether S3 wrote the event itself.
	envelope Envelope
	byS3     bool
	wrap     func(key string) string
}{
	{"S3 notification", S3Notification, true, func(k string) string { return notification(created(k)) }},
	{"EventBridge", EventBridge, false, ebCreated},
	{"SNS with an S3 notification", SNS, true, func(k string) string { return snsEvent(notification(created(k))) }},
	{"SNS with an EventBridge event", SNS, false, func(k string) string { return snsEvent(ebCreated(k)) }},
	{"SQS with an S3 notification", SQS, true, func(k string) string { return sqsBatch(notification(created(k))) }},
	{"SQS with an EventBridge event", SQS, false, func(k string) string { return sqsBatch(ebCreated(k)) }},
	{"SQS with SNS with an S3 notification", SQS, true, func(k string) string { return sqsBatch(snsDocument(notification(created(k)))) }},
	{"SQS with SNS with an EventBridge event", SQS, false, func(k string) string { return sqsBatch(snsDocument(ebCreated(k))) }},
	{"dead-letter queue with an SNS event", SQS, true, func(k string) string { return sqsBatch(snsEvent(notification(created(k)))) }},
	{"SNS's document by itself", SNS, true, func(k string) string { return snsDocument(notification(created(k))) }},
}

func TestDecodeReturnsKeyAsS3ListsIt(t *testing.T) {
	t.Parallel()
	for _, e := range everyEnvelope {
		for _, key := range []string{
			"orders/2026/11/22/a.csv", "a+b c%2F.csv", "red flower.jpg", "100%.csv", "%", "%zz", "a&b=c;d", "straße/日本 語.csv",
			`quo"te\back`, "tab\tline\n", "{}*", strings.Repeat("k", 1024), "folder/",
		} {
			t.Run(e.name+" "+key[:min(len(key), 20)], func(t *testing.T) {
				t.Parallel()
				b, err := Decode([]byte(e.wrap(key)))
				if err != nil {
					t.Fatal(err)
				}
				want := Arrival{
					Bucket: "acme-landing", Key: key, VersionID: "v1", Size: 1024, Sequencer: "0055AED6DCD90281E5",
					EventTime: time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC),
				}
				if e.byS3 {
					want.EventTime = want.EventTime.Add(123 * time.Millisecond)
				}
				m := Message{Arrivals: []Arrival{want}}
				if e.envelope == SQS {
					m.ID = "m1"
				}
				if d := cmp.Diff(Batch{Envelope: e.envelope, Messages: []Message{m}}, b); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
			})
		}
	}
}

func TestDecodeCountsEventsWithoutCreatedObject(t *testing.T) {
	t.Parallel()
	const at = "2026-11-22T05:00:00.000Z"
	record := func(name string) string { return s3Record(name, "b", "k", at) }
	for _, tt := range []struct {
		name, payload     string
		arrivals, ignored int
	}{
		{"every way to create", notification(record("ObjectCreated:Put"), record("ObjectCreated:Post"), record("ObjectCreated:Copy"),
			record("ObjectCreated:CompleteMultipartUpload")), 4, 0},
		{"a way to create that is not known yet", notification(record("ObjectCreated:Teleport")), 1, 0},
		{"the prefix that a notification's configuration has", notification(record("s3:ObjectCreated:Put")), 1, 0},
		{"deletions", notification(record("ObjectRemoved:Delete"), record("ObjectRemoved:DeleteMarkerCreated")), 0, 2},
		{"a deletion among creations", notification(record("ObjectCreated:Put"), record("ObjectRemoved:Delete"), record("ObjectCreated:Put")), 2, 1},
		{"other events of S3", notification(record("ObjectRestore:Completed"), record("Replication:OperationMissedThreshold"),
			record("ReducedRedundancyLostObject"), record("ObjectTagging:Put")), 0, 4},
		{"an ignored event is not looked into", notification(s3Record("ObjectRemoved:Delete", "", "%zz", "never")), 0, 1},
		{"EventBridge's deletion", ebEvent("Object Deleted", "b", "k", at), 0, 1},
		{"EventBridge's other events of S3", ebEvent("Object Restore Completed", "b", "k", at), 0, 1},
		{"S3's test event", testEvent, 0, 1},
		{"S3's test event by SNS", snsEvent(testEvent), 0, 1},
		{"S3's test event by SQS", sqsBatch(testEvent), 0, 1},
		{"S3's test event by SNS and SQS", sqsBatch(snsDocument(testEvent)), 0, 1},
		{"an SQS batch within SNS", snsEvent(sqsBatch(ebCreated("a"), testEvent)), 1, 1},
		{"several SNS records", snsEvent(ebCreated("a"), notification(created("b"), created("c"))), 3, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, err := Decode([]byte(tt.payload))
			if err != nil {
				t.Fatal(err)
			}
			if len(b.Messages) != 1 || b.Messages[0].Err != nil {
				t.Fatalf("got %+v", b)
			}
			if m := b.Messages[0]; len(m.Arrivals) != tt.arrivals || m.Ignored != tt.ignored {
				t.Errorf("%d arrivals and %d ignored, want %d and %d", len(m.Arrivals), m.Ignored, tt.arrivals, tt.ignored)
			}
		})
	}
}

func TestDecodeCountsOtherEventsByKind(t *testing.T) {
	t.Parallel()
	other := func(detailType, source, detail string) string {
		return fmt.Sprintf(`{"version":"0","detail-type":%q,"source":%q,"time":"2026-11-22T05:00:00Z","detail":%s}`, detailType, source, detail)
	}
	const (
		at        = "2026-11-22T05:00:00Z"
		trail     = "AWS API Call via CloudTrail"
		trailKind = "AWS API Call via CloudTrail of aws.s3"
	)
	for _, tt := range []struct {
		name, payload string
		want          map[string]int
	}{
		{"CloudTrail's call of S3", other(trail, "aws.s3", `{"eventName":"PutObject","requestParameters":{"bucketName":"b","key":"k"}}`), map[string]int{trailKind: 1}},
		{"a detail that looks like anything", other(trail, "aws.s3", `{"bucket":"b","object":["k"]}`), map[string]int{trailKind: 1}},
		{"a detail that is a list", other("Scheduled Event", "aws.events", `[1]`), map[string]int{"Scheduled Event of aws.events": 1}},
		{"an event of another service", other("GuardDuty Finding", "aws.guardduty", `{}`), map[string]int{"GuardDuty Finding of aws.guardduty": 1}},
		{"an object created elsewhere", other("Object Created", "acme.files", `{"bucket":{"name":"b"},"object":{"key":"k"}}`), map[string]int{"Object Created of acme.files": 1}},
		{"deletions and restores", snsEvent(ebEvent("Object Deleted", "b", "k", at), ebEvent("Object Restore Completed", "b", "k", at), ebEvent("Object Deleted", "b", "l", at)),
			map[string]int{"Object Deleted of aws.s3": 2, "Object Restore Completed of aws.s3": 1}},
		{"S3's own form", notification(s3Record("ObjectRemoved:Delete", "b", "k", at), s3Record("s3:ObjectRemoved:Delete", "b", "l", at), s3Record("ObjectRestore:Completed", "b", "k", at), created("a")),
			map[string]int{"ObjectRemoved:Delete": 2, "ObjectRestore:Completed": 1}},
		{"S3's test event is expected", testEvent, nil},
		{"created objects are no others", notification(created("a")), nil},
		{"names of any length", other(strings.Repeat("n", 1000), strings.Repeat("s", 1000), `{}`), map[string]int{strings.Repeat("n", 60) + " of " + strings.Repeat("s", 60): 1}},
	} {
		for _, payload := range []string{tt.payload, sqsBatch(tt.payload), sqsBatch(snsDocument(tt.payload))} {
			b, err := Decode([]byte(payload))
			if err != nil || b.Messages[0].Err != nil {
				t.Errorf("%s: %v, %v", tt.name, err, b.Messages[0].Err)
				continue
			}
			if d := cmp.Diff(tt.want, b.Messages[0].Others); d != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, d)
			}
			n := 0
			for _, k := range tt.want {
				n += k
			}
			if tt.want != nil && b.Messages[0].Ignored != n {
				t.Errorf("%s: ignored %d", tt.name, b.Messages[0].Ignored)
			}
		}
	}
}

func TestDecodeReadsVersionAndSize(t *testing.T) {
	t.Parallel()
	for _, e := range []struct{ name, payload, version string }{
		{"S3 notification", notification(created("k")), `"versionId":"v1"`},
		{"EventBridge", ebCreated("k"), `"version-id":"v1"`},
	} {
		name, _, _ := strings.Cut(e.version, ":")
		for _, tt := range []struct {
			version, size string
			want          Arrival
		}{
			{e.version, `"size":1024`, Arrival{VersionID: "v1", Size: 1024}},
			{name + `:"null"`, `"size":0`, Arrival{}},
			{name + `:""`, `"x":0`, Arrival{}},
			{name + `:"Null"`, `"size":null`, Arrival{VersionID: "Null"}},
			{e.version, `"size":"0"`, Arrival{VersionID: "v1", Size: -1}},
			{e.version, `"size":[1.5]`, Arrival{VersionID: "v1", Size: -1}},
		} {
			t.Run(e.name+" "+tt.version+" "+tt.size, func(t *testing.T) {
				t.Parallel()
				b, err := Decode([]byte(strings.NewReplacer(e.version, tt.version, `"size":1024`, tt.size).Replace(e.payload)))
				if err != nil {
					t.Fatal(err)
				}
				got := b.Messages[0].Arrivals[0]
				if d := cmp.Diff(tt.want, Arrival{VersionID: got.VersionID, Size: got.Size}); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
			})
		}
	}
}

func TestDecodeIgnoresUnknownFields(t *testing.T) {
	t.Parallel()
	edit := func(payload, old, new string) string {
		if !strings.Contains(payload, old) {
			panic(old)
		}
		return strings.ReplaceAll(payload, old, new)
	}
	for _, tt := range []struct{ name, payload string }{
		{"eventVersion 2.0", edit(notification(created("k")), `"2.5"`, `"2.0"`)},
		{"eventVersion 2.1", edit(notification(created("k")), `"2.5"`, `"2.1"`)},
		{"eventVersion 2.17", edit(notification(created("k")), `"2.5"`, `"2.17"`)},
		{"no eventVersion", edit(notification(created("k")), `"eventVersion":"2.5",`, ``)},
		{"new fields in a record", edit(notification(created("k")), `"s3":{`, `"news":[{"x":1}],"s3":{"more":{"y":[1]},`)},
		{"new fields in an event", edit(ebCreated("k"), `"object":{`, `"news":{"x":[1]},"object":{"storage":true,`)},
		{"no version, size, tag or sequencer", edit(edit(notification(created("k")), `"size":1024,"eTag":"d41d8cd9","versionId":"v1","sequencer":"0055AED6DCD90281E5"`, `"x":1`), `,"x":1`, ``)},
		{"a size that is none", edit(ebCreated("k"), `"size":1024`, `"size":"large"`)},
		{"null for what is not there", edit(notification(created("k")), `"versionId":"v1"`, `"versionId":null`)},
		{"a time with an offset", edit(ebCreated("k"), `05:00:00Z`, `00:00:00-05:00`)},
		{"a batch with an empty list of attributes", edit(sqsBatch(ebCreated("k")), `"messageAttributes":{}`, `"messageAttributes":{"a":{"binaryListValues":[]}}`)},
		{"blanks and lines", "\n\t " + edit(ebCreated("k"), `,"`, "  ,\n\t\"") + "\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, err := Decode([]byte(tt.payload))
			if err != nil {
				t.Fatal(err)
			}
			if m := b.Messages[0]; m.Err != nil || len(m.Arrivals) != 1 || m.Arrivals[0].Key != "k" || m.Arrivals[0].EventTime.Hour() != 5 {
				t.Errorf("got %+v", m)
			}
		})
	}
}

func TestMessageFailsAlone(t *testing.T) {
	t.Parallel()
	poison := s3Record("ObjectCreated:Put", "b", "a%zz", "2026-11-22T05:00:00Z")
	payload := sqsBatch(ebCreated("first"), notification(created("good"), poison, created("good too")), "hello", notification(created("last"), created("x")), testEvent)
	payload = strings.Replace(payload, `"Records":[`, `"Records":[{"messageId":"m0","eventSource":"aws:sqs","body":{"an":"object"}},`, 1)
	b, err := Decode([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	type outcome struct {
		ID      string
		Keys    []string
		Ignored int
		Err     string
	}
	var got []outcome
	for _, m := range b.Messages {
		o := outcome{ID: m.ID, Ignored: m.Ignored}
		for _, a := range m.Arrivals {
			o.Keys = append(o.Keys, a.Key)
		}
		if m.Err != nil {
			o.Err = m.Err.Error()
			var e *EnvelopeError
			if !errors.As(m.Err, &e) || e.MessageID != m.ID {
				t.Errorf("message %s: %#v", m.ID, m.Err)
			}
		}
		got = append(got, o)
	}
	want := []outcome{
		{ID: "m0", Err: `message m0: body: is of the type object, and text was expected`},
		{ID: "m1", Keys: []string{"first"}},
		{ID: "m2", Err: `message m2: body.Records[1].s3.object.key: "a%zz" has a % that is not followed by two hexadecimal digits; S3 encodes keys like a form`},
		{ID: "m3", Err: `message m3: body: is not JSON, at byte 1; an S3 event was expected`},
		{ID: "m4", Keys: []string{"last", "x"}},
		{ID: "m5", Ignored: 1},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestDecodeReadsTenThousandMessages(t *testing.T) {
	t.Parallel()
	bodies := make([]string, 10_000)
	for i := range bodies {
		bodies[i] = ebCreated(fmt.Sprint("part-", i))
	}
	bodies[5000] = "poison"
	b, err := Decode([]byte(sqsBatch(bodies...)))
	if err != nil {
		t.Fatal(err)
	}
	arrivals := 0
	for i, m := range b.Messages {
		arrivals += len(m.Arrivals)
		if (m.Err != nil) != (i == 5000) {
			t.Errorf("message %d: %v", i, m.Err)
		}
	}
	if len(b.Messages) != 10_000 || arrivals != 9_999 {
		t.Errorf("%d messages, %d arrivals", len(b.Messages), arrivals)
	}
}

func FuzzDecode(f *testing.F) {
	for _, e := range everyEnvelope {
		f.Add([]byte(e.wrap("a+b c%2F.csv")))
	}
	f.Add([]byte(testEvent))
	f.Add([]byte(sqsBatch("hello", testEvent, notification(s3Record("ObjectRemoved:Delete", "b", "%zz", "never")))))
	f.Add([]byte(notification(s3Record("ObjectCreated:Put", "b", "%zz%FF", "never"), strings.Replace(created("k"), `1024`, `"big"`, 1))))
	f.Add([]byte(`{"Records":{},"detail-type":1,"Type":[],"Event":null}`))
	f.Add([]byte(`{"detail-type":"Scheduled Event","source":"aws.events","detail":[]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		b, err := Decode(payload)
		var e *EnvelopeError
		if err != nil {
			if !errors.As(err, &e) || len(e.Faults) == 0 || e.Error() == "" || len(b.Messages) > 0 {
				t.Fatalf("error %#v with batch %+v", err, b)
			}
			return
		}
		if b.Envelope == "" || b.Envelope != SQS && len(b.Messages) != 1 {
			t.Fatalf("batch %+v", b)
		}
		for _, m := range b.Messages {
			if (m.ID == "") != (b.Envelope != SQS) {
				t.Fatalf("message id %q in %s", m.ID, b.Envelope)
			}
			if m.Err != nil {
				if b.Envelope != SQS || !errors.As(m.Err, &e) || len(e.Faults) == 0 || len(m.Arrivals) > 0 || m.Ignored > 0 {
					t.Fatalf("message %+v", m)
				}
				continue
			}
			for _, a := range m.Arrivals {
				if a.Bucket == "" || a.Key == "" || len(a.Key) > 1024 || !utf8.ValidString(a.Key) || a.EventTime.Location() != time.UTC {
					t.Fatalf("arrival %+v", a)
				}
				roundTrip(t, a)
			}
		}
	})
}

// roundTrip checks that Decode returns the arrival if it is written as an
// event.
func roundTrip(t *testing.T, a Arrival) {
	t.Helper()
	at := a.EventTime.Format(time.RFC3339Nano)
	for _, payload := range []string{
		notification(s3Record("ObjectCreated:Put", "b", formEncode(a.Key), at)),
		sqsBatch(snsDocument(ebEvent("Object Created", "b", a.Key, at))),
	} {
		b, err := Decode([]byte(payload))
		if err != nil {
			t.Fatalf("%s: %v", payload, err)
		}
		m := b.Messages[0]
		if len(m.Arrivals) != 1 || m.Arrivals[0].Key != a.Key || !m.Arrivals[0].EventTime.Equal(a.EventTime) {
			t.Fatalf("key %q read as %+v, %v", a.Key, m.Arrivals, m.Err)
		}
	}
}
