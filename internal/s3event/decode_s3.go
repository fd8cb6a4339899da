package s3event

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// s3 reads one record of an S3 notification. Its key is form-encoded: "+" is a
// blank (S3 User Guide, Event message structure).
func (c *collector) s3(r *record, at *place) {
	// AWS "increments the minor version if AWS makes a change to the event
	// structure that adds new fields". Only another major version is
	// unreadable.
	if major, _, _ := strings.Cut(r.EventVersion, "."); major != "2" && r.EventVersion != "" {
		c.faultf(at.field("eventVersion"), "is %.20q; 2 and any minor version are known", r.EventVersion)
		return
	}
	// Some S3-compatible stores write the prefix of notification
	// configurations.
	name := strings.TrimPrefix(r.EventName, "s3:")
	switch {
	case name == "":
		c.faultf(at.field("eventName"), "is missing; something like \"ObjectCreated:Put\" was expected")
		return
	case !strings.HasPrefix(name, "ObjectCreated:"):
		c.other(fmt.Sprintf("%.60s", name))
		return
	}
	object := &r.S3.Object
	key, err := url.QueryUnescape(object.Key)
	if err != nil {
		c.faultf(at.field("s3.object.key"), "%.60q has a %% that is not followed by two hexadecimal digits; S3 encodes keys like a form", object.Key)
		key = ""
	}
	c.arrival(Arrival{
		Bucket:    r.S3.Bucket.Name,
		Key:       key,
		VersionID: object.VersionID,
		Size:      int64(object.Size),
		Sequencer: object.Sequencer,
	}, r.EventTime, at, &places{"s3.bucket.name", "s3.object.key", "eventTime"}, err == nil)
}

// event reads an EventBridge event. Its key is not encoded, unlike the key of a
// notification. AWS does not document this; users found it
// (awslabs/medialake-on-aws#21).
func (c *collector) event(p *envelope, at *place) {
	switch {
	case p.Source == "": // every event of EventBridge has a source
		c.faultf(at.field("source"), "is missing or empty (%.60q); events from \"aws.s3\" were expected", *p.DetailType)
		return
	case p.foreign():
		c.other(fmt.Sprintf("%.60s of %.60s", *p.DetailType, p.Source))
		return
	}
	object := &p.Detail.Object
	c.arrival(Arrival{
		Bucket:    p.Detail.Bucket.Name,
		Key:       object.Key,
		VersionID: object.VersionID,
		Size:      int64(object.Size),
		Sequencer: object.Sequencer,
	}, p.Time, at, &places{"detail.bucket.name", "detail.object.key", "time"}, true)
}

// places are the names of an arrival's fields in one kind of envelope.
type places struct{ bucket, key, time string }

// noVersion is the version id of all objects without a version (S3 User Guide,
// Adding objects to versioning-suspended buckets).
const noVersion = "null"

// arrival checks an arrival and adds it. keyRead reports whether the key could
// be decoded.
func (c *collector) arrival(a Arrival, eventTime string, at *place, fields *places, keyRead bool) {
	before := len(c.faults)
	if a.Bucket == "" {
		c.faultf(at.field(fields.bucket), "is missing or empty")
	}
	switch {
	case !keyRead: // reported already
	case a.Key == "":
		c.faultf(at.field(fields.key), "is missing or empty")
	case len(a.Key) > MaxKey:
		c.faultf(at.field(fields.key), "has %d bytes; S3's longest key has %d", len(a.Key), MaxKey)
	case !utf8.ValidString(a.Key):
		c.faultf(at.field(fields.key), "%.60q is not UTF-8, which every key is", a.Key)
	}
	t, err := time.Parse(time.RFC3339, eventTime)
	switch {
	case eventTime == "":
		c.faultf(at.field(fields.time), "is missing; something like \"2026-11-22T05:00:00Z\" was expected")
	case err != nil || t.UTC().Year() < 1970 || t.UTC().Year() > LastYear:
		c.faultf(at.field(fields.time), "is %.40q; something like \"2026-11-22T05:00:00Z\" was expected", eventTime)
	}
	if !keyRead || len(c.faults) > before {
		return
	}
	if a.VersionID == noVersion {
		a.VersionID = ""
	}
	a.EventTime = t.UTC()
	c.arrivals = append(c.arrivals, a)
}
