package sim

import (
	"fmt"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
)

// bad is an input of the trigger that cannot be carried out.
type bad struct {
	payload, requestID         string
	delivered, failed, settled int
}

// badInputs are inputs with one mistake each; %s is a config id.
var badInputs = []string{
	``,
	`null`,
	`"start"`,
	`{"config_id":"%s"`,
	`{"config_id":"%s"} {}`,
	`{"config_id":"%s","config_id":"%s"}`,
	`{"configid":"%s"}`,
	`{"config_id":7}`,
	`{"config_id":"","run_mode":"sometimes"}`,
	`{"config_id":"%s","range_from":"2025-01-02","range_to":"2025-01-01"}`,
	`{"config_id":"%s","range_to":"2025-01-01"}`,
	`{"config_id":"%s","range":{"from":"-1d","to":"0h"}}`,
	`{"config_id":"%s","range":{"from":"-1d","days":2}}`,
	`{"config_id":"%s","range":[1],"range_from":"2025-01-01"}`,
	`{"config_id":"%s","scheduled_time":"<aws.scheduler.scheduled-time>"}`,
	`{"config_id":"%s","scheduled_time":"yesterday","max_age":"-1h"}`,
	`{"config_id":"%s","schedule_arn":"daily","max_age":"1h"}`,
	`{"config_id":"%s","idempotency_key":"two words","if_unknown":"perhaps"}`,
	`{"source":"aws.events","detail-type":"Scheduled Event","detail":{}}`,
	`{"config_id":"` + strings.Repeat("x", 300) + `"}`,
}

// badWords are nonsensical commands of an operator.
var badWords = []string{
	`{"release":"","hold":1}`,
	`{"release":"arrival/cg-A/2026-11-22/1"}`,
	`{"release":"arrival/cg-A/2026-11-22/99","hold":1}`,
	`{"release":"manual/cg-A/nothing","hold":-1}`,
	`{"adopt":"arrival/cg-A/2026-11-22/1","hold":1}`,
	`{"adopt":"manual/cg-A/k0","run_id":"wf-none","hold":70}`,
	`{"discard":"arrival/cg-A/2026-11-22/1","hold":1}`,
	`{"discard":"a","release":"b","hold":1}`,
	`{"list":"everything"}`,
	`{"list":"held","hold":1}`,
	`{"release":"a","config_id":"cg-A","hold":1}`,
}

// unreadable are messages of the arrivals queue that are not events of S3.
var unreadable = []string{``, `{}`, `[]`, `{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put"}]}`,
	`{"source":"aws.s3","detail-type":"Object Created","detail":{"bucket":{"name":"landing"}}}`}

// nothings are messages of the arrivals queue without a meaning. They are
// acknowledged.
var nothings = []string{
	`{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-11-22T06:00:00.000Z","Bucket":"landing","RequestId":"r","HostId":"h"}`,
	`{"version":"0","source":"aws.s3","detail-type":"Object Deleted","time":"2026-11-22T06:00:00Z","detail":{"bucket":{"name":"landing"},"object":{"key":"a/2026/11/22/x1"}}}`,
}

// mistakes lets operators and other systems send wrong inputs.
func (w *World) mistakes(active time.Duration) {
	if w.chance(0.1) {
		id := "cg-" + strings.ToUpper(w.letters[:1])
		payload := strings.ReplaceAll(badInputs[w.pick(len(badInputs))], "%s", id)
		b := &bad{payload: payload, requestID: fmt.Sprintf("bad-%d", len(w.bads))}
		w.bads = append(w.bads, b)
		w.at(Begin.Add(w.between(0, active)), func() {
			b.delivered++
			w.sendBad(b, 1)
		})
	}
	if w.chance(0.05) {
		v := badWords[w.pick(len(badWords))]
		w.at(Begin.Add(w.between(0, active)), func() {
			w.note("a person says %s", v)
			w.invoke("trigger", w.instance("trigger", 10), triggerLimit, fmt.Sprintf("r%d", w.processes), []byte(v), func(out []byte, err error) {
				if err == nil {
					w.obeyed = append(w.obeyed, fmt.Sprintf("%s: %s", v, out))
				}
			}, func() {})
		})
	}
	if w.chance(0.1) {
		m := &message{id: "unreadable", body: unreadable[w.pick(len(unreadable))], raw: true, file: &file{}}
		m.file.copies = 1
		w.junk = m
		w.enqueue(Begin.Add(w.between(0, active)), m)
	}
	if w.chance(0.05) {
		m := &message{id: "nothing", body: nothings[w.pick(len(nothings))], raw: true, file: &file{}}
		w.enqueue(Begin.Add(w.between(0, active)), m)
	}
}

func (w *World) enqueue(at time.Time, m *message) {
	w.at(at, func() {
		m.visible = w.now
		w.sqs.messages = append(w.sqs.messages, m)
		w.after(w.between(0, time.Second), w.poll)
	})
}

func (w *World) sendBad(b *bad, n int) {
	again := func() {
		if n == 3 {
			b.failed++
			return
		}
		w.after(time.Duration(n)*time.Minute, func() { w.sendBad(b, n+1) })
	}
	w.invoke("trigger", w.instance("trigger", 10), triggerLimit, b.requestID, []byte(b.payload), func(_ []byte, err error) {
		if err != nil {
			again()
			return
		}
		b.settled++
	}, again)
}

// mistaken checks guarantee 2 for wrong inputs: each is announced.
func (c *checking) mistaken() {
	for _, b := range c.w.bads {
		told := 0
		for _, a := range c.w.announced {
			if a.Type == announcement.RunRejected && a.Detail.Cause != nil && a.Detail.Cause.RequestID == b.requestID {
				told++
			}
		}
		switch {
		case b.settled > 0 && told == 0:
			c.fail(2, "the input %s was answered, and nobody was told", b.payload)
		case b.delivered > 0 && b.settled == 0 && b.failed == 0:
			c.fail(2, "the input %s is nowhere", b.payload)
		}
	}
	for _, what := range c.w.obeyed {
		if !strings.Contains(what, `"outcome":"duplicate"`) && !strings.Contains(what, "nothing was done") {
			c.fail(2, "a word that cannot be meant was obeyed: %s", what)
		}
	}
	if m := c.w.junk; m != nil && m.receives > 0 && m.file.lost == 0 {
		c.fail(2, "the message %q cannot be read, and was taken off the queue", m.body)
	}
	for _, m := range c.w.sqs.messages {
		if m.id == "nothing" && m.receives > 0 && !m.gone {
			c.fail(2, "the message %q is still in the queue", m.body)
		}
	}
}
