package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
)

// backends are the backends of one instance.
type backends struct {
	w *World
	p *process // the process that runs in the instance
}

// op is one call of a backend.
type op struct {
	kind string // get, put, due, held, post, read, list, bus
	key  string
}

// choice is the fate of a call.
type choice struct {
	// before is the time until the call takes effect, and after the time from
	// then until the answer.
	before, after time.Duration
	fault         fault
	// freezeBefore and freezeAfter are how long the process is frozen, before
	// or after the call takes effect.
	freezeBefore, freezeAfter time.Duration
	// status is the status that Amperity returns instead.
	status int
	// late is how long after the request Amperity processes it, although the
	// client no longer waits.
	late time.Duration
	// lag is how far a list lags behind.
	lag time.Duration
	// body is the body that Amperity returns instead, with status 200.
	body string
}

// fault is how a call fails.
type fault string

const (
	none       fault = ""
	failBefore fault = "failed"              // and took no effect
	failAfter  fault = "failed, took effect" // the answer was lost
	repeated   fault = "repeated"            // the answer was lost, and the SDK sent it again
	dieBefore  fault = "died before"
	dieAfter   fault = "died after"
	slowBefore fault = "too slow"              // the deadline comes first; it takes no effect
	slowAfter  fault = "too slow, took effect" // the deadline comes first
	// A gateway repeats a request, and passes on the answer to the second one:
	// 409, because the run of the first one is running.
	gatewayBusy fault = "repeated with 409"
)

// call makes one call of a backend with the faults that the chooser chose.
func (b *backends) call(ctx context.Context, o op, effect func()) error {
	p := b.p
	if err := ctx.Err(); err != nil {
		return err
	}
	c := b.w.choose(p, o)
	if c.freezeBefore > 0 {
		p.freeze(c.freezeBefore)
	}
	b.delay(ctx, c.before)
	switch c.fault {
	case dieBefore:
		p.die()
	case failBefore:
		return errInjected
	case slowBefore, slowAfter:
		if c.fault == slowAfter {
			effect()
		}
		b.untilDeadline(ctx)
		return context.DeadlineExceeded
	}
	effect()
	switch c.fault {
	case dieAfter:
		p.die()
	case failAfter:
		b.delay(ctx, c.after)
		return errInjected
	case repeated:
		b.delay(ctx, c.after)
		effect()
	}
	b.delay(ctx, c.after)
	if c.freezeAfter > 0 {
		p.freeze(c.freezeAfter)
	}
	return nil
}

func (b *backends) delay(ctx context.Context, d time.Duration) { b.p.wait(d) }

// untilDeadline waits until the deadline of ctx.
func (b *backends) untilDeadline(ctx context.Context) {
	if end, ok := ctx.Deadline(); ok {
		b.p.wait(max(0, end.Sub(b.p.w.now.Add(b.p.skew))))
	}
}

// choose returns the chooser's choice, and records it.
func (w *World) choose(p *process, o op) choice {
	c := w.chooser.choose(w, p, o)
	w.calls++
	if c.fault != none || c.freezeBefore > 0 || c.freezeAfter > 0 || c.status != 0 || c.late > 0 || c.body != "" {
		w.faults = append(w.faults, o.kind+" "+string(c.fault))
		w.hit(p.current, o.kind+" "+string(c.fault)+describe(c), c.freezeBefore+c.freezeAfter+c.late)
	}
	if w.tracing {
		w.note("%s %s %s %s%s", p, o.kind, o.key, c.fault, describe(c))
	}
	return c
}

func describe(c choice) string {
	var b strings.Builder
	add := func(name string, d time.Duration) {
		if d > 0 {
			b.WriteString(" " + name + " " + d.String())
		}
	}
	add("frozen before", c.freezeBefore)
	add("frozen after", c.freezeAfter)
	add("processed after", c.late)
	add("lags", c.lag)
	if c.status != 0 {
		b.WriteString(" " + http.StatusText(c.status))
	}
	return b.String()
}

// hit is a fault: when it happened, how long it lasted, and the launches,
// windows and config ids whose work it delayed.
type hit struct {
	at    time.Time
	lasts time.Duration
	keys  []string
	what  string
	// sweep: the fault hit a sweep, and delayed every due item.
	sweep bool
}

// hit records a fault of a thread.
func (w *World) hit(t *thread, what string, lasts time.Duration) {
	h := hit{at: w.now, lasts: lasts, what: what, sweep: t.p.name == "sweep"}
	add := func(key string) {
		if key != "" && !slices.Contains(h.keys, key) {
			h.keys = append(h.keys, key)
		}
	}
	add(t.item)
	if t.launchKey != "" {
		add("launch/" + t.launchKey)
	}
	for _, m := range t.p.messages {
		add(m.file.window)
	}
	w.hits = append(w.hits, h)
}

// touched reports whether the fault delayed work on an item.
func (h hit) touched(key string) bool { return slices.Contains(h.keys, key) }

// ofConfig reports whether the fault delayed work for a config id.
func (h hit) ofConfig(id string) bool {
	return slices.ContainsFunc(h.keys, func(key string) bool { return configOf(key) == id })
}

// configOf returns the config id of the item of a window or a launch, or "".
func configOf(item string) string {
	parts := strings.SplitN(item, "/", 4)
	switch {
	case len(parts) > 2 && parts[0] == "launch":
		return parts[2]
	case len(parts) > 1 && parts[0] == "window":
		return parts[1]
	}
	return ""
}

// --- The ledger --------------------------------------------------------------

// simLedger is the ledger as a process sees it.
type simLedger struct{ *backends }

func (l simLedger) Get(ctx context.Context, key string) (item ledger.Item, err error) {
	if strings.HasPrefix(key, "launch/") || strings.HasPrefix(key, "window/") {
		l.p.current.item = key
		if l.p.name == "sweep" {
			l.w.touch(key)
		}
	}
	if failed := l.call(ctx, op{"get", key}, func() { item, err = l.w.ledger.Get(context.Background(), key) }); failed != nil {
		return ledger.Item{}, failed
	}
	return item, err
}

func (l simLedger) Put(ctx context.Context, token string, items ...ledger.Item) (err error) {
	// The keys are recorded before the call, because the process may die in it.
	keys := make([]string, len(items))
	for i, item := range items {
		keys[i] = item.Key
	}
	effect := func() {
		was := make([]ledger.Item, len(items))
		for i, item := range items {
			was[i], _ = l.w.ledger.Get(context.Background(), item.Key)
		}
		if err = l.w.ledger.Put(context.Background(), token, items...); err == nil {
			l.w.wrote(l.p, was, items)
		}
	}
	if failed := l.call(ctx, op{"put", strings.Join(keys, " ")}, effect); failed != nil {
		return failed
	}
	if l.w.tracing {
		var conflict *ledger.ConflictError
		if errors.As(err, &conflict) {
			l.w.note("%s put refused: %v", l.p, err)
		}
	}
	return err
}

// wrote records the changes of a write, for the lagging index and the checker.
func (w *World) wrote(p *process, was, items []ledger.Item) {
	for i, item := range items {
		w.listed[item.Key] = listing{due: was[i].Due, changed: w.now}
		if key, ok := strings.CutPrefix(item.Key, "launch/"); ok {
			p.current.launchKey, p.current.wroteLaunch, p.current.launchDoc = key, w.now, item.Doc
			if !was[i].Exists() {
				w.decidedAt[key] = w.now
			}
			if _, ok := w.endedAt[key]; !ok && over(item.Doc) {
				w.endedAt[key] = w.now
			}
		}
		if run, ok := strings.CutPrefix(item.Key, "run/"); ok {
			for _, q := range w.posts {
				if q.run == run && !q.known {
					q.known, q.recorded, q.certain = true, w.now, q.by == p.current
				}
			}
		}
		if strings.HasPrefix(item.Key, "window/") {
			for _, m := range p.messages {
				if m.file.window == item.Key && m.file.recorded.IsZero() {
					m.file.recorded = w.now
				}
			}
		}
		if w.tracing {
			w.note("  %s version %d due %s: %.900s", item.Key, item.Version+1, sinceBegin(item.Due), item.Doc)
		}
	}
}

// over reports whether a launch's document has an end state, or is held.
func over(doc []byte) bool {
	return containsAny(string(doc), `"state":"started"`, `"state":"rejected"`, `"state":"held"`, `"state":"discarded"`)
}

func sinceBegin(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Sub(Begin).String()
}

// Due lists the due items, by an index that may lag behind.
func (l simLedger) Due(ctx context.Context, until time.Time) iter.Seq2[ledger.Listed, error] {
	return func(yield func(ledger.Listed, error) bool) {
		var rows []ledger.Listed
		lag := time.Duration(0)
		err := l.call(ctx, op{"due", ""}, func() {
			lag = l.w.chooser.lag(l.w)
			for row := range l.w.ledger.Due(context.Background(), until) {
				rows = append(rows, row)
			}
		})
		if err != nil {
			yield(ledger.Listed{}, err)
			return
		}
		for _, row := range l.w.lagged(rows, until, lag) {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// lagged returns a list as it was lag ago.
func (w *World) lagged(rows []ledger.Listed, until time.Time, lag time.Duration) []ledger.Listed {
	if lag == 0 {
		return rows
	}
	since := w.now.Add(-lag)
	rows = slices.DeleteFunc(rows, func(r ledger.Listed) bool {
		before := w.listed[r.Key]
		return before.changed.After(since) && (before.due.IsZero() || before.due.After(until))
	})
	for _, key := range slices.Sorted(maps.Keys(w.listed)) {
		before := w.listed[key]
		if before.changed.After(since) && !before.due.IsZero() && !before.due.After(until) &&
			!slices.ContainsFunc(rows, func(r ledger.Listed) bool { return r.Key == key }) {
			rows = append(rows, ledger.Listed{Key: key, At: before.due})
		}
	}
	return rows
}

func (l simLedger) Held(ctx context.Context) iter.Seq2[ledger.Listed, error] {
	return func(yield func(ledger.Listed, error) bool) {
		var rows []ledger.Listed
		err := l.call(ctx, op{"held", ""}, func() {
			for row := range l.w.ledger.Held(context.Background()) {
				rows = append(rows, row)
			}
		})
		if err != nil {
			yield(ledger.Listed{}, err)
			return
		}
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// --- The event bus -----------------------------------------------------------

// simBus is the event bus as a process sees it.
type simBus struct{ *backends }

func (s simBus) Announce(ctx context.Context, as ...announcement.Announcement) error {
	asked := s.w.now
	return s.call(ctx, op{"bus", string(as[0].Type) + " " + as[0].Detail.LaunchKey}, func() {
		for _, a := range as {
			s.w.announced = append(s.w.announced, announced{s.w.now, asked, a})
			s.w.announcedNow(a)
		}
	})
}

// --- Amperity ----------------------------------------------------------------

// post is one sent request to start a run.
type post struct {
	launchKey string // the launch that its process had marked
	body      startBody
	sent      time.Time
	// marked is when the launch was marked for this request.
	marked time.Time
	// answered is when the client had a certain answer, or zero if it never had
	// one.
	answered time.Time
	// run is the run that the request started, perhaps later, and started is
	// when.
	run     string
	started time.Time
	// noted is the time of the request in the ledger. It is before marked if the
	// process was frozen in between.
	noted time.Time
	// refused: the request certainly started nothing, and the client knows that.
	refused bool
	status  int
	// decided is when the launch was created or released. known: the run was
	// recorded, at recorded.
	decided  time.Time
	known    bool
	recorded time.Time
	// listed: its process had read the list of runs before this request and
	// after the launch's previous one.
	listed bool
	// certain: the thread that had the answer recorded the run. It was not found
	// in a list.
	certain bool
	by      *thread
	// gateway: a gateway repeated the request, and the answer is 409.
	gateway bool
}

type startBody struct {
	ConfigID  string `json:"config_id"`
	RangeFrom string `json:"range_from"`
	RangeTo   string `json:"range_to"`
}

// transport carries requests to Amperity for a process.
type transport struct{ *backends }

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		_ = req.Body.Close()
	}
	ctx, p, w := req.Context(), t.p, t.w
	o := op{kind: "post"}
	if req.Method == http.MethodGet {
		o.kind = "read"
		if strings.HasSuffix(req.URL.Path, "/runs") {
			o.kind = "list"
			w.lists++
		}
	}
	trace := hooks(ctx)
	trace.GetConn(req.URL.Host)
	c := w.choose(p, o)
	if c.freezeBefore > 0 {
		p.freeze(c.freezeBefore)
	}
	var sent *post
	if o.kind == "post" {
		t := p.current
		sent = &post{launchKey: t.launchKey, sent: w.now, marked: t.wroteLaunch, noted: notedIn(t.launchDoc).Add(-p.skew), by: t, listed: w.listedFor(p, t.launchKey, t.wroteLaunch), decided: w.decidedAt[t.launchKey]}
		_ = json.Unmarshal(body, &sent.body)
	}
	if c.fault == dieBefore {
		p.die()
	}
	if c.fault == failBefore || w.outage() {
		if sent != nil {
			w.note("%s is refused a connection", p)
		}
		return nil, syscall.ECONNREFUSED
	}
	trace.GotConn(httptrace.GotConnInfo{})
	trace.WroteHeaders()
	trace.WroteRequest(httptrace.WroteRequestInfo{})
	if sent != nil {
		w.posts = append(w.posts, sent)
	}

	var answer *http.Response
	var failed error
	garbled := false // the answer does not show what happened to the request
	process := func() {
		in := req.Clone(context.WithoutCancel(ctx))
		in.Body = io.NopCloser(bytes.NewReader(body))
		if c.status != 0 && !unclear(c.status) || w.expired() {
			status := c.status
			if w.expired() {
				status = http.StatusUnauthorized
			}
			answer = plain(req, status)
			return
		}
		answer, failed = w.serve(in)
		if run := startedBy(answer, failed); sent != nil && run != "" {
			sent.run, sent.started = run, w.now
			w.note("  Amperity starts %s of %s %s", sent.run, sent.body.ConfigID, sent.body.RangeFrom)
		}
		if c.fault == gatewayBusy {
			answer, failed = plain(req, http.StatusConflict), nil
			sent.gateway = sent.run != ""
		}
		if garbled = c.body != ""; garbled {
			answer = plain(req, http.StatusOK)
			answer.Body = io.NopCloser(strings.NewReader(c.body))
		}
		if o.kind == "list" && c.lag > 0 {
			answer = w.lagList(answer, c.lag)
		}
		if o.kind == "list" && failed == nil && !garbled {
			answer = w.paged(p, req, answer)
		}
	}
	// Amperity processes the request even if the client no longer waits.
	gone := false
	switch {
	case c.late > 0:
		w.after(c.late, func() { process() })
		gone = true
	case c.fault == slowBefore || c.fault == failAfter && c.status == -1:
		gone = true
	}
	left := leftOf(ctx, w.now)
	switch {
	case gone && unclear(c.status):
		// A proxy stops waiting.
		p.wait(min(left, c.before))
		if left < c.before {
			return nil, context.DeadlineExceeded
		}
		return plain(req, c.status), nil
	case gone && c.fault == failAfter:
		p.wait(min(left, c.before))
		return nil, syscall.ECONNRESET
	case gone:
		p.wait(left)
		return nil, context.DeadlineExceeded
	}
	if c.before >= left {
		w.hit(p.current, o.kind+" took too long", left)
		w.after(c.before, process)
		p.wait(left)
		return nil, context.DeadlineExceeded
	}
	p.wait(c.before)
	process()
	switch c.fault {
	case dieAfter:
		p.die()
	case failAfter, repeated:
		p.wait(min(left-c.before, c.after))
		return nil, syscall.ECONNRESET
	case slowAfter:
		p.wait(left - c.before)
		return nil, context.DeadlineExceeded
	}
	if c.after >= left-c.before {
		w.hit(p.current, o.kind+" was answered too late", left)
		p.wait(left - c.before)
		return nil, context.DeadlineExceeded
	}
	p.wait(c.after)
	if c.freezeAfter > 0 {
		p.freeze(c.freezeAfter)
	}
	if unclear(c.status) {
		return plain(req, c.status), nil
	}
	if o.kind == "list" && failed == nil && answer.StatusCode == http.StatusOK && !garbled {
		p.listed = w.now
	}
	if sent != nil && failed == nil && !garbled {
		sent.answered, sent.status = w.now, answer.StatusCode
		sent.refused = answer.StatusCode >= 400 && sent.run == ""
	}
	return answer, failed
}

// notedIn returns the time of the latest request in a launch's document.
func notedIn(doc []byte) time.Time {
	var launch struct {
		Posts []time.Time `json:"posts"`
	}
	if json.Unmarshal(doc, &launch) != nil || len(launch.Posts) == 0 {
		return time.Time{}
	}
	return launch.Posts[len(launch.Posts)-1]
}

// listedFor reports whether a process has read the list of runs between the last
// request of a launch before a mark, and that mark. A process that is frozen
// after its mark may send later than another that was marked after it.
func (w *World) listedFor(p *process, launchKey string, marked time.Time) bool {
	last := time.Time{}
	for _, q := range w.posts {
		if q.launchKey == launchKey && q.marked.Before(marked) {
			last = q.marked
		}
	}
	return p.listed.After(last)
}

// startedBy returns the run that an answer of Amperity shows as started, or "".
func startedBy(answer *http.Response, failed error) string {
	if failed != nil || answer.StatusCode != http.StatusCreated {
		return ""
	}
	var run struct {
		ID string `json:"id"`
	}
	raw, _ := io.ReadAll(answer.Body)
	_ = json.Unmarshal(raw, &run)
	answer.Body = io.NopCloser(bytes.NewReader(raw))
	return run.ID
}

// plain returns an answer with a status and a short body.
func plain(req *http.Request, status int) *http.Response {
	return &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   io.NopCloser(strings.NewReader(`{"message":"by the simulation"}`))}
}

// lagList removes the runs from a page that are newer than the lag.
func (w *World) lagList(answer *http.Response, lag time.Duration) *http.Response {
	var page struct {
		Data      []json.RawMessage `json:"data"`
		NextToken string            `json:"next_token,omitempty"`
	}
	raw, _ := io.ReadAll(answer.Body)
	if json.Unmarshal(raw, &page) == nil && page.Data != nil {
		page.Data = slices.DeleteFunc(page.Data, func(run json.RawMessage) bool {
			var r struct {
				ID        string    `json:"id"`
				CreatedAt time.Time `json:"created_at"`
			}
			return json.Unmarshal(run, &r) == nil && w.now.Sub(r.CreatedAt) < lag && w.hides(r.ID)
		})
		raw, _ = json.Marshal(page)
	}
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	return answer
}

func hooks(ctx context.Context) httptrace.ClientTrace {
	if t := httptrace.ContextClientTrace(ctx); t != nil {
		return *t
	}
	return httptrace.ClientTrace{GetConn: func(string) {}, GotConn: func(httptrace.GotConnInfo) {}, WroteHeaders: func() {}, WroteRequest: func(httptrace.WroteRequestInfo) {}}
}
