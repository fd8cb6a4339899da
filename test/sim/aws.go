package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/inprocess"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/route"
	"github.com/amperity-runs/amperity-runs/internal/runs"
	"github.com/amperity-runs/amperity-runs/internal/s3arrival"
	"github.com/amperity-runs/amperity-runs/internal/sweep"
	"github.com/amperity-runs/amperity-runs/internal/wire"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

// The functions' limits, as in the template.
const (
	triggerLimit   = 30 * time.Second
	s3arrivalLimit = 60 * time.Second
	sweepLimit     = 55 * time.Second
	visibility     = 380 * time.Second
	maxReceive     = 15
)

// file is an object in S3, and its event.
type file struct {
	n           int
	bucket, key string
	// put is when the file was there, and event the time in its event.
	put, event time.Time
	// window is the key of its window's item, or empty if no route matches.
	window string
	entry  string
	config string
	period string
	// recorded is when the ledger first had it.
	recorded time.Time
	// copies counts its messages. lost counts those that ended in the
	// dead-letter queue.
	copies, lost int
	// lies: the time in its event is long before put.
	lies bool
	// version is the version id in its events, or empty if they have none.
	version string
	// byHand: its events are delivered without the queue.
	byHand bool
}

// message is one event in the arrivals queue.
type message struct {
	id       string
	file     *file
	receives int
	visible  time.Time
	taken    bool // an invocation has it
	gone     bool
	// raw: the message is body, and not the event of a file.
	raw  bool
	body string
}

func (m *message) text() string {
	if m.raw {
		return m.body
	}
	return eventOf(m.file)
}

// sqs is the arrivals queue.
type sqs struct{ messages []*message }

// land puts a file into S3. Its events come later, at least once.
func (w *World) land(f *file, delays ...time.Duration) {
	w.files = append(w.files, f)
	for i, d := range delays {
		m := &message{id: fmt.Sprintf("m%d-%d", f.n, i), file: f}
		f.copies++
		w.after(d, func() {
			w.inputAt = w.now
			w.note("file %s (put %s, event %s) is in the queue", f.key, sinceBegin(f.put), sinceBegin(f.event))
			if f.byHand {
				w.hand(f, 1)
				return
			}
			m.visible = w.now
			w.sqs.messages = append(w.sqs.messages, m)
			w.after(w.between(0, time.Second), w.poll)
		})
	}
}

// hand invokes the function with an event directly, as a rule or an operator
// may. AWS tries twice more after an error.
func (w *World) hand(f *file, n int) {
	again := func() {
		if n == 3 {
			f.lost++
			return
		}
		w.after(time.Duration(n)*time.Minute, func() { w.hand(f, n+1) })
	}
	in := w.instance("s3arrival", 2)
	if in == nil {
		w.after(time.Second, func() { w.hand(f, n) })
		return
	}
	m := &message{file: f}
	p := w.invoke("s3arrival", in, s3arrivalLimit, fmt.Sprintf("r%d", w.processes), []byte(eventOf(f)), func(_ []byte, err error) {
		if err != nil {
			again()
		}
	}, again)
	p.messages = []*message{m}
}

// asks lets an operator list the held launches.
func (w *World) asks() {
	in := w.instance("trigger", 10)
	w.invoke("trigger", in, triggerLimit, fmt.Sprintf("r%d", w.processes), []byte(`{"list":"held"}`), func([]byte, error) {}, func() {})
}

// poll invokes the function with the visible messages.
func (w *World) poll() {
	var batch []*message
	for _, m := range w.sqs.messages {
		if !m.gone && !m.taken && !m.visible.After(w.now) && len(batch) < w.batch {
			batch = append(batch, m)
		}
	}
	if len(batch) == 0 {
		return
	}
	in := w.instance("s3arrival", 2)
	if in == nil {
		w.after(time.Second, w.poll)
		return
	}
	w.rng.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
	var b strings.Builder
	b.WriteString(`{"Records":[`)
	for i, m := range batch {
		m.taken = true
		m.receives++
		if i > 0 {
			b.WriteByte(',')
		}
		body, _ := json.Marshal(m.text()) // a string
		fmt.Fprintf(&b, `{"messageId":%q,"eventSource":"aws:sqs","body":%s}`, m.id, body)
	}
	b.WriteString(`]}`)
	back := func(m *message) {
		m.taken = false
		if m.receives >= maxReceive {
			m.gone = true
			m.file.lost++
			w.note("message %s is in the dead-letter queue", m.id)
			return
		}
		m.visible = w.now.Add(visibility)
		w.at(m.visible, w.poll)
	}
	p := w.invoke("s3arrival", in, s3arrivalLimit, fmt.Sprintf("r%d", w.processes), []byte(b.String()),
		func(out []byte, err error) {
			var answer s3arrival.Answer
			if err != nil || json.Unmarshal(out, &answer) != nil {
				for _, m := range batch {
					back(m)
				}
				return
			}
			failed := map[string]bool{}
			for _, f := range answer.BatchItemFailures {
				failed[f.ItemIdentifier] = true
			}
			for _, m := range batch {
				if failed[m.id] {
					back(m)
				} else {
					m.gone, m.taken = true, false
				}
			}
		},
		func() {
			for _, m := range batch {
				back(m)
			}
		})
	p.messages = batch
}

// eventOf returns the EventBridge event of a file.
func eventOf(f *file) string {
	version := ""
	if f.version != "" {
		version = fmt.Sprintf(`"version-id":%q,`, f.version)
	}
	return fmt.Sprintf(`{"version":"0","detail-type":"Object Created","source":"aws.s3","time":%q,"detail":{"version":"0","bucket":{"name":%q},"object":{"key":%q,"size":1,"etag":"e",%s"sequencer":"%016X"},"reason":"PutObject"}}`,
		f.event.Truncate(time.Second).Format(time.RFC3339), f.bucket, f.key, version, f.n)
}

// decision is one decision of a schedule or an operator, however often it is
// delivered.
type decision struct {
	key     string
	at      time.Time
	payload string
	config  string
	from    string // range_from, unique; empty if the config id takes no range
	retry   bool   // if_unknown
	// delivered counts the deliveries, failed those that ended in the failure
	// queue, and settled those that were answered.
	delivered, failed, settled int
}

// schedule delivers a decision asynchronously. AWS tries twice more after an
// error.
func (w *World) schedule(d *decision, requestID string) {
	d.delivered++
	w.inputAt = w.now
	w.attempt(d, requestID, 1)
}

func (w *World) attempt(d *decision, requestID string, n int) {
	again := func() {
		if n == 3 {
			d.failed++
			w.note("decision %s is in the failure queue", d.key)
			return
		}
		w.after(time.Duration(n)*time.Minute, func() { w.attempt(d, requestID, n+1) })
	}
	in := w.instance("trigger", 10)
	p := w.invoke("trigger", in, triggerLimit, requestID, []byte(d.payload), func(_ []byte, err error) {
		if err != nil {
			again()
			return
		}
		d.settled++
	}, again)
	p.threads[0].item = "launch/" + d.key
}

// word is an operator's command.
type word struct {
	verb, key string
	hold      int
	runID     string
	at        []time.Time
	// answered is when the command was first answered. obeyed is when an answer
	// first showed that it was carried out or begun.
	answered, obeyed time.Time
}

// say lets an operator call the trigger with a command.
func (w *World) say(v *word) {
	payload := fmt.Sprintf(`{%q:%q,"hold":%d`, v.verb, v.key, v.hold)
	switch v.verb {
	case "adopt":
		payload += fmt.Sprintf(`,"run_id":%q`, v.runID)
	case "discard":
		payload += `,"reason":"not wanted"`
	}
	payload += "}"
	w.note("a person says %s", payload)
	v.at = append(v.at, w.now)
	w.inputAt = w.now
	in := w.instance("trigger", 10)
	w.invoke("trigger", in, triggerLimit, fmt.Sprintf("r%d", w.processes), []byte(payload), func(answer []byte, err error) {
		var a struct{ Outcome, Warning string }
		if err == nil && v.answered.IsZero() {
			v.answered = w.now
		}
		if err == nil && json.Unmarshal(answer, &a) == nil && a.Outcome != "duplicate" && a.Outcome != "waiting" && v.obeyed.IsZero() {
			v.obeyed = w.now
		}
	}, func() {})
}

// sweepOnce invokes the sweep once.
func (w *World) sweepOnce() {
	in := w.instance("sweep", 4)
	if in == nil {
		return
	}
	w.invoke("sweep", in, sweepLimit, fmt.Sprintf("r%d", w.processes), []byte(`{}`), func([]byte, error) {}, func() {})
}

// instance returns an idle instance of a function, or a new one. It returns nil
// if most instances are busy.
func (w *World) instance(name string, most int) *instance {
	want := w.deployed(name)
	busy := 0
	for _, in := range w.instances {
		if in.name != name || in.dead {
			continue
		}
		if in.busy {
			busy++
			continue
		}
		if in.made == want {
			return in
		}
	}
	if busy >= most {
		return nil
	}
	in := &instance{name: name, made: want, give: &backends{w: w}, skew: w.skew()}
	in.keep = w.build(in)
	w.instances = append(w.instances, in)
	return in
}

// routing is a version of the routes, and when it was deployed to each
// function.
type routing struct {
	routes *route.Routes
	from   map[string]time.Time
}

// deployed returns the present deployment of a function.
func (w *World) deployed(name string) deployment {
	var d deployment
	for i, r := range w.routes {
		if !w.now.Before(r.from[name]) {
			d.routing = i
		}
	}
	for _, s := range w.paused {
		d.paused = d.paused || s.has(w.now)
	}
	return d
}

// build returns the real handler of a function.
func (w *World) build(in *instance) lambda.Handler {
	b := in.give
	tenant := amperitytest.DefaultTenant
	client, err := amperity.New(tenant, w.ours, amperity.WithBaseURL(w.amperity.URL()), amperity.WithTransport(transport{b}))
	if err != nil {
		panic(err) // the configuration is fixed
	}
	clock := procClock{b}
	m := w.mutate(b, client)
	rate := map[string]float64{"trigger": wire.TriggerRate, "s3arrival": wire.S3ArrivalRate, "sweep": wire.SweepRate}[in.name]
	routes := w.routes[in.made.routing].routes
	f := inprocess.New(launch.Config{
		API: m.api, Ledger: m.ledger, Announcer: m.bus, Clock: clock, Logger: w.logger, Tenant: tenant,
		Token: m.token, Paused: in.made.paused, Rand: w.rng.Float64, Pacer: runs.NewLimiter(rate, clock),
	}, routes)
	switch in.name {
	case "trigger":
		f.Trigger.Launcher = m.launcher(f.Trigger.Launcher)
		return f.Trigger
	case "s3arrival":
		return f.S3Arrival
	default:
		f.Sweep.Workers, f.Sweep.Pool = w.workers, func(most int) sweep.Pool { return &pool{p: b.p, most: most} }
		return f.Sweep
	}
}

// procClock is the clock of the process that runs in an instance.
type procClock struct{ b *backends }

func (c procClock) Now() time.Time { return clock{c.b.p}.Now() }

func (c procClock) Sleep(ctx context.Context, d time.Duration) error {
	return clock{c.b.p}.Sleep(ctx, d)
}

func (c procClock) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return clock{c.b.p}.WithTimeout(ctx, d)
}

// announcedNow records an announcement, and lets the operators react to it.
func (w *World) announcedNow(a announcement.Announcement) {
	w.note("announced %s %s reason=%s hold=%d run=%s", a.Type, a.Detail.LaunchKey, a.Detail.Reason, a.Detail.HoldNumber, runOf(a))
	if w.onAnnounced != nil {
		w.onAnnounced(a)
	}
}

func runOf(a announcement.Announcement) string {
	if a.Detail.Run == nil {
		return ""
	}
	return a.Detail.Run.ID
}
