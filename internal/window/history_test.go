package window

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// chooser makes the choices of a history.
type chooser interface {
	// pick returns one of n numbers. done reports whether the history may end.
	pick(n int) int
	done() bool
}

type randomly struct{ *rand.Rand }

func (r randomly) pick(n int) int { return r.IntN(n) }
func (r randomly) done() bool     { return false }

// byBytes makes each choice by a byte.
type byBytes struct{ rest []byte }

func (b *byBytes) pick(n int) int {
	if len(b.rest) == 0 {
		return 0
	}
	x := int(b.rest[0])
	b.rest = b.rest[1:]
	return x % n
}

func (b *byBytes) done() bool { return len(b.rest) == 0 }

// history is one history of a window.
type history struct {
	chooser
	// now is the true clock. s3 is how far S3's clock is ahead, and ours how
	// far the clocks of our instances are.
	now  time.Time
	s3   time.Duration
	ours [2]time.Duration

	witnesses []*witness
	// files are the files put so far. put has the time by name, if the file's
	// event time is meaningful.
	files []Arrival
	put   map[[3]string]time.Time
	rules Rules
	next  time.Time // when the window wants to be looked at
	// busy: a run of the config id has been running since ran. queued: a launch
	// is in flight. asked: the operator was asked about the run. unread: the
	// run cannot be read.
	busy, queued, asked, unread bool
	ran                         time.Time
	// flight is the launch in flight, past the ended ones.
	flight *flying
	past   []Outcome
	// sent is when the request of the latest run was sent, by the true clock.
	sent     time.Time
	lastPost time.Time
	// stormy: hundreds of files come together.
	stormy bool
	storms int
	// versioned: the buckets keep versions.
	versioned bool

	// trace is the list of events, or nil if it is not needed.
	traced bool
	trace  []string
	wrong  error
}

// flying is a launch in the ledger.
type flying struct {
	revision, turn int
	rerun, held    bool
	decided        time.Time
	posted, sent   time.Time
}

// routes are the versions of the window's route.
var routes = func() []Rules {
	deadlined := []func(*Rules){deadline("06:30")}
	var rs []Rules
	for _, entries := range [][]string{
		{"a"}, {"a1", "a2", "b×2"}, {"a*", "b×2"}, {"a1", "a2?"}, {"a*×3"}, {"a*×2", "b?"}, {"b", "c?"}, {"a*?", "b×2?"}, {"a1", "a2", "b×3", "c"},
	} {
		for _, change := range [][]func(*Rules){
			{settle(0)}, {}, {late(Hold)}, {late(Ignore), settle(0)}, {settle(30 * time.Minute), func(r *Rules) { r.Length = time.Hour }},
			deadlined, {deadline("06:05"), thenRun}, {settle(0), late(Hold), deadline("06:05"), thenRun},
		} {
			rs = append(rs, day(entries...).with(change...))
		}
	}
	return rs
}()

const steps = 30

// live plays a history and compares after each step. The error is the first
// difference, with the trace.
func live(choices func() chooser, seed uint64) error {
	if liveOnce(choices(), seed, false).wrong == nil {
		return nil
	}
	h := liveOnce(choices(), seed, true)
	return fmt.Errorf("%w\n\t%s", h.wrong, strings.Join(h.trace, "\n\t"))
}

func liveOnce(c chooser, seed uint64, traced bool) *history {
	h := &history{chooser: c, now: at("06:00"), put: map[[3]string]time.Time{}, traced: traced}
	skews := []time.Duration{0, 2 * time.Second, -2 * time.Second}
	h.s3, h.ours = skews[h.pick(3)], [2]time.Duration{skews[h.pick(3)], skews[h.pick(3)]}
	h.rules, h.stormy = routes[h.pick(len(routes))], h.pick(60) == 0
	h.now = h.now.Add([]time.Duration{0, 0, 10 * time.Minute, time.Hour}[h.pick(4)])
	h.versioned = h.pick(2) == 0
	for _, w := range []*witness{{}, {shuffle: rand.New(rand.NewPCG(seed, 1))}} {
		made := h.now
		w.state, w.model = New("cg-1", "2026-11-22", "orders", made), &model{made: made}
		h.witnesses = append(h.witnesses, w)
	}
	if h.pick(12) == 0 {
		h.forgotten()
	}
	for n := 0; n < steps && !h.done() && h.wrong == nil; n++ {
		h.step()
		h.compare()
	}
	return h
}

func (h *history) fail(format string, args ...any) {
	if h.wrong == nil {
		h.wrong = fmt.Errorf(format, args...)
	}
}

func (h *history) note(format string, args ...any) {
	if !h.traced {
		return
	}
	for i, a := range args {
		switch a := a.(type) {
		case time.Time:
			args[i] = a.Sub(begin)
		case []Arrival:
			args[i] = list(a)
		}
	}
	h.trace = append(h.trace, clockText(h.now)+" "+fmt.Sprintf(format, args...))
}

// clock returns the time of one of our clocks.
func (h *history) clock() time.Time { return h.now.Add(h.ours[h.pick(2)]) }

func (h *history) step() {
	switch n := h.pick(20); {
	case n < 8:
		h.receive()
	case n < 13:
		h.pass()
		h.look(h.clock())
	case n < 16:
		h.end()
	case n == 16:
		h.again()
	case n == 17:
		h.edit(routes[h.pick(len(routes))])
		if h.pick(2) == 0 {
			h.look(h.clock())
		}
	case n == 18:
		h.strange()
	case h.pick(3) == 0:
		h.busy, h.queued, h.asked, h.ran = !h.busy, h.pick(3) == 0, h.pick(3) == 0, h.clock()
		h.unread = h.ran.Second()%3 == 0
		h.note("busy: %v, queued: %v, asked: %v", h.busy, h.queued, h.asked)
	default:
		h.pass()
	}
}

// edit edits the route.
func (h *history) edit(r Rules) {
	h.rules = r
	h.note("edited: %s", r.Hash)
	for pattern, set := range h.witnesses[0].model.read().entries {
		into := map[string]bool{}
		for _, t := range h.witnesses[0].model.read().taken {
			if t.Entry == pattern {
				into[r.EntryOf(t.Bucket, t.Key)] = true
			}
		}
		// By design the progress of a removed entry moves by one of its files,
		// and a met set keeps only one. So the last file may matter, and it
		// differs between windows that take batches in different orders.
		for now := range into {
			if len(into) > 1 || !set.met.IsZero() && wanted(&r, now) > len(set.keys) {
				h.witnesses = h.witnesses[:1]
			}
		}
	}
}

// pass lets time pass.
func (h *history) pass() {
	d := []time.Duration{
		0, 0, 0, 0, time.Second, 3 * time.Second, 7 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute,
		15*time.Minute + 30*time.Second, time.Hour, 12 * time.Hour, 25 * time.Hour, 46 * 24 * time.Hour,
	}[h.pick(15)]
	if d == 0 && h.next.After(h.now) {
		d = h.next.Sub(h.now)
	}
	// The time is rarely a whole second.
	h.now = h.now.Add(d).Add(time.Duration(h.pick(4)) * 333_400 * time.Microsecond)
}

// receive delivers a batch and evaluates the window.
func (h *history) receive() {
	received := h.clock()
	var batch []Arrival
	before := len(h.files)
	for range 1 + h.pick(4) {
		if h.versioned && before > 0 && h.pick(6) == 0 {
			// A replica of an earlier file, in another bucket.
			a := h.files[h.pick(before)]
			a.Bucket, a.EventTime = "replicas", h.now.Add(h.s3)
			batch = append(batch, a)
			continue
		}
		if len(h.files) > 0 && h.pick(3) == 0 {
			// A duplicate, or the same event on another path that cuts its time
			// to the second.
			a := h.files[h.pick(len(h.files))]
			if h.pick(4) == 0 {
				a.EventTime = a.EventTime.Truncate(time.Second)
			}
			batch = append(batch, a)
			continue
		}
		batch = append(batch, h.file(received)...)
	}
	// The present route decides which entry a file counts for.
	routed := batch[:0]
	for _, a := range batch {
		// For a file and its replica in one batch the order matters, because
		// they have two event times.
		both := slices.ContainsFunc(routed, func(b Arrival) bool { return id(&a) == id(&b) && a.Bucket != b.Bucket })
		if a.Entry = h.rules.EntryOf(a.Bucket, a.Key); a.Entry != "" && !both {
			routed = append(routed, a)
		}
	}
	if len(routed) == 0 {
		return
	}
	// By design a file older than the remembered ones is forgotten immediately,
	// and is new each time. So the number of its duplicates matters.
	if _, forgotten := h.witnesses[0].model.read().remembered(); !forgotten.IsZero() {
		for _, a := range routed {
			if !ms(a.EventTime).After(forgotten) {
				h.witnesses = h.witnesses[:1]
			}
		}
	}
	for i, w := range h.witnesses {
		state, told := w.take(routed, h.rules, received)
		if state != told {
			h.fail("witness %d counts %+v, and the model %+v", i, state, told)
		}
		h.coveredIsCovered(w)
	}
	h.note("received at %s: %v", received, routed)
	h.look(received)
}

// file returns a new file, or a storm of files.
func (h *history) file(received time.Time) []Arrival {
	segment := []string{"a1", "a2", "b", "c", "a"}[h.pick(5)]
	put := h.now.Add(-[]time.Duration{0, 0, 0, time.Second, 4 * time.Second, 7 * time.Second, 30 * time.Second, 10 * time.Minute, 1075 * time.Hour, 46 * 24 * time.Hour}[h.pick(10)])
	event := put.Add(h.s3)
	put = put.Add(3 * time.Millisecond)
	if event = event.Add(time.Duration(h.pick(7)) * 321 * time.Microsecond); h.pick(2) == 0 {
		event = event.Truncate(time.Second)
	}
	strange := h.pick(16) == 0
	if strange {
		event = received.Add(time.Hour)
	}
	n := 1
	if h.stormy && h.storms < 2 && h.pick(10) == 0 {
		h.storms++
		n = 250 + h.pick(20)
	}
	var files []Arrival
	for i := range n {
		a := Arrival{Bucket: "b", Key: fmt.Sprintf("%s/%d", segment, h.pick(4)), Version: fmt.Sprint(len(h.files)), Versioned: h.versioned, EventTime: event}
		if n > 1 {
			a.Key = fmt.Sprintf("%s/%d", segment, i)
			a.EventTime = event.Add(time.Duration(i%3) * time.Second)
		}
		h.files = append(h.files, a)
		if h.put[id(&a)] = put; strange || n > 1 {
			delete(h.put, id(&a))
		}
		files = append(files, a)
	}
	return files
}

// look evaluates the window and carries out the decision.
func (h *history) look(now time.Time) {
	d := h.both(func(w *witness) (Decision, Decision) {
		return w.state.Evaluate(h.rules, now), w.model.evaluate(h.rules, now)
	})
	if d.Do == Launch && h.busy {
		d = h.both(func(w *witness) (Decision, Decision) {
			return w.state.Wait(now, h.front()), w.model.wait(now, h.front())
		})
	}
	if h.next = d.At; d.Do != Nothing {
		h.begin(h.rules, now, d.Do == HoldIt)
	}
	h.note("looked at %s: %+v", now, d)
}

// front returns what is in front of the window.
func (h *history) front() Front {
	return Front{Launch: h.queued, RunID: "wf-1", Since: h.ran, Asked: h.asked, Unread: h.unread}
}

func (h *history) begin(r Rules, now time.Time, held bool) {
	h.flight = &flying{decided: now, held: held, rerun: !h.lastPost.IsZero() && !held}
	for i, w := range h.witnesses {
		h.flight.revision = w.state.Decide(r, now, held)
		if told := w.model.decide(r, now, held); told != h.flight.revision {
			h.fail("witness %d launches %d, and the model %d", i, h.flight.revision, told)
		}
	}
	if gap := now.Sub(h.lastPost); h.flight.rerun && r.Hash != "" && gap < 15*time.Minute {
		h.fail("a rerun %s after the last request", gap)
	}
}

// end ends the launch in flight in one of the possible ways.
func (h *history) end() {
	f := h.flight
	if f == nil {
		return
	}
	h.pass()
	if f.posted.IsZero() {
		// The request was sent between the decision and now. A held launch
		// sends it now, after a release.
		f.sent = h.now
		if !f.held && h.pick(2) == 0 {
			f.sent = earliest(h.now, f.decided.Add(2*time.Second).Add(time.Duration(h.pick(3))*time.Second))
		}
		f.posted = f.sent.Add(h.ours[h.pick(2)])
	}
	// The window may hear of the end some time later.
	o := Outcome{Revision: f.revision, Turn: f.turn, Answered: h.pick(1 + h.witnesses[0].state.After.Count), At: latest(f.posted, h.now.Add(-time.Duration(h.pick(3))*5*time.Second))}
	switch h.pick(5) {
	case 0: // rejected, or discarded before any request
	case 1: // discarded, after a request that may have started a run
		o.LastPost = f.posted
	default:
		o.Started, o.LastPost, o.CoveredUntil = true, f.posted, f.posted.Add(-Margin)
		if h.pick(8) == 0 {
			// The operator adopts an earlier run. Files that came after the run
			// may not be in it.
			old := time.Duration(1+h.pick(90)) * time.Minute
			o.CoveredUntil, f.sent = o.CoveredUntil.Add(-old), f.sent.Add(-old)
		}
		h.sent = latest(h.sent, f.sent)
	}
	h.note("ended: %+v", o)
	h.tell(o, true)
	h.lastPost = latest(h.lastPost, o.LastPost)
	h.past = append(h.past, o)
	h.flight = nil
	// The window is due immediately if files are open.
	if h.pick(3) > 0 {
		h.look(h.clock())
	}
}

func (h *history) tell(o Outcome, want bool) {
	for i, w := range h.witnesses {
		state, told := w.state.Outcome(o), w.model.outcome(o)
		if state != told || state != want {
			h.fail("witness %d heard of %+v: %v, the model %v, want %v", i, o, state, told, want)
		}
		if v := w.model.read(); o.Started && state {
			for _, t := range v.taken {
				if put, ok := h.put[id(t.Arrival)]; ok && t.event.Before(v.covered) && put.After(h.sent) {
					h.fail("%q was put at %s, and is covered by a request of %s", id(t.Arrival), stamp(put), stamp(h.sent))
				}
			}
		}
	}
}

// again repeats an outcome.
func (h *history) again() {
	if len(h.past) > 0 {
		o := h.past[h.pick(len(h.past))]
		h.note("told again: %+v", o)
		h.tell(o, false)
	}
}

// strange plays a rare event.
func (h *history) strange() {
	now := h.clock()
	switch h.pick(4) {
	case 0:
		h.note("no route")
		d := h.both(func(w *witness) (Decision, Decision) { return w.state.Abandon(now), w.model.abandon(now) })
		h.next = d.At
	case 1:
		h.note("expected")
		for _, w := range h.witnesses {
			w.state.Expected, w.model.expected = true, true
		}
	case 2: // the operator releases the latest launch, or the window
		if h.flight != nil {
			return
		}
		if len(h.past) == 0 || h.pick(3) == 0 {
			h.note("released as it is")
			h.begin(Rules{}, now, false)
			return
		}
		last := h.past[len(h.past)-1]
		turn := last.Turn + 1
		h.note("released: %d, turn %d", last.Revision, turn)
		for i, w := range h.witnesses {
			state, told := w.state.Reopen(last.Revision, turn, now), w.model.reopen(last.Revision, turn, now)
			if !state || !told {
				h.fail("witness %d reopened: %v, the model: %v", i, state, told)
			}
		}
		h.flight = &flying{revision: last.Revision, turn: turn, decided: now, held: true}
	case 3:
		for i, w := range h.witnesses {
			if o := (Outcome{Revision: w.state.Revision + 1, Started: true}); w.state.Outcome(o) || w.model.outcome(o) {
				h.fail("witness %d heard of a launch to come", i)
			}
		}
	}
}

// forgotten begins with a window that the ledger has forgotten, and a launch of
// the window that the ledger still has.
func (h *history) forgotten() {
	h.busy = h.pick(2) == 0
	h.receive()
	if h.wrong != nil || h.witnesses[0].state.Launch != nil {
		return
	}
	f := &flying{revision: 1, turn: h.pick(2), decided: h.now.Add(-time.Hour)}
	f.sent = f.decided.Add(time.Second)
	f.posted = f.sent
	var end *Outcome
	switch h.pick(4) {
	case 0:
	case 1:
		end = &Outcome{Revision: 1, Turn: f.turn}
	case 2:
		end = &Outcome{Revision: 1, Turn: f.turn, LastPost: f.posted}
	case 3:
		f.posted = []time.Time{f.posted, f.posted.Add(-50 * 24 * time.Hour), h.now}[h.pick(3)]
		f.sent = f.posted
		end = &Outcome{Revision: 1, Turn: f.turn, Started: true, LastPost: f.posted, CoveredUntil: f.posted.Add(-Margin)}
	}
	h.note("recalled: %+v", end)
	for _, w := range h.witnesses {
		w.state.Recall(1, f.turn, f.decided, end)
		w.model.recall(1, f.turn, f.decided, end)
	}
	if end == nil {
		h.flight = f
		return
	}
	h.lastPost, h.past = end.LastPost, append(h.past, *end)
	if end.Started {
		h.sent = f.sent
	}
}

func stamp(t time.Time) string { return t.Sub(begin).String() }

func list(as []Arrival) string {
	var parts []string
	for i, a := range as {
		if i == 8 {
			parts = append(parts, fmt.Sprintf("and %d more", len(as)-i))
			break
		}
		parts = append(parts, fmt.Sprintf("%s#%s@%s", a.Key, a.Version, stamp(a.EventTime)))
	}
	return strings.Join(parts, " ")
}
