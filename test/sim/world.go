// Package sim runs the functions' real handlers, with the launch and window
// code and the real client, in a simulated world. The world has the ledger in
// memory, the simulated Amperity, and an AWS that delivers twice, late and out
// of order and loses answers. At any call a process may die, or freeze and wake
// up later.
//
// Everything happens one step at a time, on one clock. Every choice comes from
// one seed, so that the same seed makes the same history. Each call of a
// backend is a step. Nothing interrupts a handler between two calls. Processes
// overlap, and so do the workers of one sweep.
//
// At the end a checker that knows nothing of the code under test reads the logs
// of Amperity and of the event bus, and the world's own record of its inputs.
// It checks them against the guarantees.
package sim

import (
	"container/heap"
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

// Begin is when every history begins: 01:00 in New York.
var Begin = time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)

// World is one history.
type World struct {
	rng    *rand.Rand
	now    time.Time // true time; each process has a clock of its own
	events queue
	order  int

	ledger   *ledger.Memory
	listed   map[string]listing // the index's view of items before their last change
	amperity *amperitytest.Server
	// ours is the token of the stack, theirs the token of other users.
	ours, theirs amperity.TokenSource

	chooser chooser
	mutant  Mutation
	logger  *slog.Logger

	// The world's record for the checker.
	decisions []*decision
	files     []*file
	posts     []*post
	announced []announced
	words     []*word
	bads      []*bad
	obeyed    []string // nonsensical commands that were carried out
	junk      *message
	// decidedAt is when a launch was created, endedAt when it first ended or was
	// held, by launch key.
	decidedAt, endedAt map[string]time.Time
	foreign            map[string]bool // runs that others started under our principal
	others             []*amperity.Run // runs that others started
	faults             []string
	hits               []hit
	calls              int
	lists              int

	around     surroundings
	sqs        sqs
	processes  int
	living     map[*process]bool
	coroutines []*coroutine // idle ones
	searches   map[string]searches
	instances  []*instance
	routes     []routing
	paused     []span
	// quiet is when the faults end.
	quiet       time.Time
	quietSweeps int
	stopped     bool
	outages     []span
	expiries    []span
	batch       int    // the most messages of one invocation
	letters     string // the routes of this history
	onAnnounced func(announcement.Announcement)
	duration    time.Duration // of every run
	workers     int           // concurrent workers of a sweep
	fast        bool          // every clock of ours is fast
	busy        bool          // Amperity refuses a second run of a config id
	broken      string        // a kind of request that fails for up to three days
	// inputAt is when the last input came. touches are the first and the last
	// time at which sweeps have read an item again and again. endless is an item
	// that they read forever.
	inputAt time.Time
	touches map[string]*span
	endless string

	tracing bool
	trace   []string
	hash    uint64
}

// span is a stretch of time.
type span struct{ from, to time.Time }

func (s span) has(t time.Time) bool { return !t.Before(s.from) && t.Before(s.to) }

// listing is an item's former place in the index.
type listing struct {
	due     time.Time
	changed time.Time
}

// announced is one entry that reached the bus.
type announced struct {
	at time.Time
	// asked is when the publisher was called.
	asked time.Time
	announcement.Announcement
}

// event is a function that the world calls at a time.
type event struct {
	at    time.Time
	order int
	do    func()
}

type queue []event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if c := q[i].at.Compare(q[j].at); c != 0 {
		return c < 0
	}
	return q[i].order < q[j].order
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *queue) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = event{}
	*q = old[:len(old)-1]
	return e
}

// newWorld returns a world without events.
func newWorld(seed uint64, c chooser, busy bool) *World {
	w := &World{
		rng: rand.New(rand.NewPCG(seed, 0x5ea)), now: Begin, chooser: c,
		listed: map[string]listing{}, decidedAt: map[string]time.Time{}, endedAt: map[string]time.Time{}, foreign: map[string]bool{}, living: map[*process]bool{}, searches: map[string]searches{},
		touches: map[string]*span{}, busy: busy,
		logger: slog.New(slog.DiscardHandler), quiet: Begin, batch: 10,
	}
	w.ledger = ledger.NewMemory()
	w.simulates(seed, busy, 3)
	w.ours, w.theirs = amperity.StaticTokenSource("ours"), amperity.StaticTokenSource("theirs")
	return w
}

// simulates adds a tenant of Amperity to the world. pageSize is the number of
// runs on a page of its lists.
func (w *World) simulates(seed uint64, busy bool, pageSize int) {
	amperitySkew := time.Duration(w.rng.IntN(4001)-2000) * time.Millisecond
	var err error
	w.amperity, err = amperitytest.New(amperitytest.Config{
		NoSocket: true, Now: func() time.Time { return w.now.Add(amperitySkew) }, Seed: seed, RateLimit: -1, PageSize: pageSize,
		BusyWhileRunning: busy,
		Tokens: []amperitytest.Token{
			{Value: amperity.NewToken("ours"), PrincipalID: "key-ours", PrincipalName: "Ours"},
			{Value: amperity.NewToken("theirs"), PrincipalID: "user-1", PrincipalName: "Somebody"},
		},
		Sleep: func(context.Context, time.Duration) error { return nil },
	})
	if err != nil {
		panic(err) // the configuration is fixed
	}
}

// at schedules a call of do at a time.
func (w *World) at(t time.Time, do func()) {
	if t.Before(w.now) {
		t = w.now
	}
	w.order++
	heap.Push(&w.events, event{t, w.order, do})
}

// after schedules a call of do after d.
func (w *World) after(d time.Duration, do func()) { w.at(w.now.Add(d), do) }

// step runs the next event. It returns false if none is left.
func (w *World) step() bool {
	if len(w.events) == 0 {
		return false
	}
	e := heap.Pop(&w.events).(event)
	if e.at.After(w.now) {
		w.now = e.at
	}
	e.do()
	return true
}

// touch records that a sweep reads an item. An item that sweeps read each
// minute for three hours without faults or inputs ends the history.
func (w *World) touch(item string) {
	t := w.touches[item]
	if t == nil || w.now.Before(w.quiet) || w.now.Sub(t.to) > 150*time.Second || t.from.Before(w.inputAt) {
		w.touches[item] = &span{w.now, w.now}
		return
	}
	if t.to = w.now; t.to.Sub(t.from) > 3*time.Hour {
		w.endless, w.stopped = item, true
	}
}

// note adds a line to the trace. Tests compare the traces of two runs of a
// seed, and developers read them.
func (w *World) note(format string, args ...any) {
	if w.tracing {
		line := w.now.Sub(Begin).String() + " " + fmt.Sprintf(format, args...)
		w.trace = append(w.trace, line)
		h := fnv.New64a()
		_, _ = h.Write([]byte(line))
		w.hash = w.hash*31 + h.Sum64()
	}
}

// startOwn starts a run with the stack's own key, without the stack.
func (w *World) startOwn(configID string) *amperity.Run {
	client, err := amperity.New(amperitytest.DefaultTenant, w.ours, amperity.WithBaseURL(w.amperity.URL()), amperity.WithTransport(w.amperity.Transport()))
	if err != nil {
		panic(err)
	}
	run, err := client.StartRun(context.Background(), amperity.RunRequest{ConfigID: configID})
	if err != nil {
		panic(err) // nothing fails here
	}
	return run
}

// startForeign starts a run without the stack, with the given token.
func (w *World) startForeign(configID string, tokens amperity.TokenSource) {
	client, err := amperity.New(amperitytest.DefaultTenant, tokens, amperity.WithBaseURL(w.amperity.URL()), amperity.WithTransport(w.amperity.Transport()))
	if err != nil {
		panic(err)
	}
	run, err := client.StartRun(context.Background(), amperity.RunRequest{ConfigID: configID})
	if err != nil {
		return // the config id is busy
	}
	if tokens == w.ours {
		w.foreign[run.ID] = true
	}
	w.others = append(w.others, run)
	w.note("others start %s of %s", run.ID, configID)
}

// serve lets Amperity process a request, even if no caller waits for the
// answer.
func (w *World) serve(req *http.Request) (*http.Response, error) {
	return w.amperity.Transport().RoundTrip(req)
}

// hasRun reports whether Amperity has a run of a config id.
func (w *World) hasRun(id, configID string) bool {
	for _, r := range w.amperity.Runs() {
		if r.ID == id {
			return r.ConfigID == configID
		}
	}
	return false
}

// endOf returns when a run ends, or zero for an unknown run.
func (w *World) endOf(id string) time.Time {
	for _, r := range w.amperity.Runs() {
		if r.ID == id {
			return r.CreatedAt.Add(w.duration)
		}
	}
	return time.Time{}
}

// pick returns a number in [0,n).
func (w *World) pick(n int) int { return w.rng.IntN(n) }

// chance returns true with probability p.
func (w *World) chance(p float64) bool { return w.rng.Float64() < p }

// between returns a duration in [a,b).
func (w *World) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.rng.Int64N(int64(b-a)))
}
