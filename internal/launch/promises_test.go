package launch_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/held"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Promises that code was once changed against without a failed test.

// over returns a run that has ended.
func over(id, name string, at time.Time) *amperity.Run {
	run := aRun(id, name, at)
	run.State = amperity.StateSucceeded
	return run
}

// exists reports whether the ledger has an item.
func (o *office) exists(key string) bool {
	o.t.Helper()
	item, err := o.ledger.Get(o.t.Context(), key)
	if err != nil {
		o.t.Fatal(err)
	}
	return item.Exists()
}

// A window that runs with the files it has still waits for quiet after its
// deadline.
func TestWindowWaitsForQuietAfterItsDeadline(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"}, window.Entry{Pattern: "b"})
	o.window.Rules.Settle, o.window.Rules.Deadline, o.window.Rules.ThenRun = 30*time.Minute, o.now.Add(time.Hour), true
	o.wait(50 * time.Minute)
	o.arrive(o.arrivals("a", "a/1"))
	o.wait(time.Hour)
	if o.sent != 1 {
		t.Errorf("%d requests, announced %q", o.sent, o.mails)
	}
}

// The notice of a window is announced once the bus is back.
func TestNoticeIsAnnouncedOnceTheBusIsBack(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.halfAWindow()
	o.busErr = errors.New("down")
	o.wait(2 * time.Hour)
	o.busErr = nil
	o.wait(5 * time.Minute)
	o.wantNews("Amperity Files Missing [arrival/cg-1/2026-11-22/1, hold 1]")
}

// A decided launch takes the turn of its config id before its request is sent,
// and keeps it if the request is blocked.
func TestDecidedLaunchTakesTheTurn(t *testing.T) {
	t.Parallel()
	for name, carried := range map[string]bool{"before its request": false, "while it is blocked": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.posts = []answer{{err: status(401, 0)}}
			o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
			decided, err := o.windows.Arrive(t.Context(), *o.window, o.arrivals("a", "a/1"), o.now)
			if err != nil {
				t.Fatal(err)
			}
			if carried {
				o.windows.Launch(t.Context(), decided)
			}
			o.window.Period = "2026-11-23"
			if res := o.arrive(o.arrivals("a", "b/1")); res.Outcome != record.Waiting {
				t.Errorf("answered %+v", res)
			}
			o.wait(4 * time.Minute)
			if o.exists("launch/arrival/cg-1/2026-11-23/1") {
				t.Error("the next window launches too")
			}
		})
	}
}

// Files that arrive while the sweep decides are launched too, and the sweep
// continues.
func TestSweepIgnoresAConflict(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
	o.window.Rules.Settle = 2 * time.Minute
	o.arrive(o.arrivals("a", "a/1"))
	raced := false
	o.getErr = func(key string) error {
		if key == "config/cg-1" && !raced {
			raced = true
			o.arrive(o.arrivals("a", "a/2"))
		}
		return nil
	}
	o.wait(10 * time.Minute) // it fails on an error
	if !raced || o.sent != 1 {
		t.Errorf("raced %t, %d requests", raced, o.sent)
	}
}

// The index of due items lags behind, so the sweep checks the item itself.
func TestSweepLeavesItemsThatAreNotDue(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
	o.window.Rules.Settle = 10 * time.Minute
	o.arrive(o.arrivals("a", "a/1"))
	worked, err := o.windows.Due(t.Context(), o.window.Key())
	if worked || err != nil {
		t.Errorf("a window: worked %t, %v", worked, err)
	}
}

// The lease of a function outlasts its deadline by 11 s, since Lambda kills
// late.
func TestSweepRespectsTheLease(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.pacer = waiting{}
	o.putErr = func(items []ledger.Item) error {
		if len(items) > 1 {
			return errThrottled // it dies before it can send
		}
		return nil
	}
	end := o.now.Add(30 * time.Second)
	if _, err := o.Launch(ending{t.Context(), end}, request()); err != nil {
		t.Fatal(err)
	}
	o.putErr = nil
	for _, at := range []time.Duration{-20 * time.Second, 10 * time.Second} {
		o.now = end.Add(at)
		if worked, err := o.Reconcile(t.Context(), "launch/"+scheduleKey); worked || err != nil || o.sent > 0 {
			t.Errorf("%s after the function's end: worked %t, %v", at, worked, err)
		}
	}
	o.now = end.Add(12 * time.Second)
	if worked, err := o.Reconcile(t.Context(), "launch/"+scheduleKey); !worked || err != nil || o.sent != 1 {
		t.Errorf("then: worked %t, %v, %d requests", worked, err, o.sent)
	}
}

func TestTokensDiffer(t *testing.T) {
	t.Parallel()
	if a, b := launch.NewToken(t.Context()), launch.NewToken(t.Context()); a == b || a == "" {
		t.Errorf("%q and %q", a, b)
	}
}

// A released launch that waits behind one run after the other is not held
// again.
func TestQueuedLaunchWaitsForEachRun(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
	hanging := aRun("wf-1", "Orders", o.now)
	o.posts, o.runs = []answer{{run: hanging}}, []*amperity.Run{hanging}
	o.arrive(o.arrivals("a", "a/1"))
	o.window.Period = "2026-11-23"
	o.arrive(o.arrivals("a", "a/2"))
	const key = "arrival/cg-1/2026-11-23/1"
	o.wait(13 * time.Hour) // held
	if _, err := o.Release(t.Context(), held.Command{Key: key, HoldNumber: 1}); err != nil {
		t.Fatal(err)
	}
	o.wait(11 * time.Hour)
	hanging.State = amperity.StateStopped
	next := aRun("wf-2", "Orders", o.now)
	o.posts, o.runs = []answer{{run: next}, {run: next}, {run: aRun("wf-3", "Orders", o.now)}}, append(o.runs, next)
	o.launch(nil)
	o.wait(5 * time.Hour)
	next.State = amperity.StateSucceeded
	o.wait(10 * time.Minute)
	o.wantNews("Started [arrival/cg-1/2026-11-22/1, hold ]", "Held ["+key+", hold 1]", "Started ["+scheduleKey+", hold ]", "Started ["+key+", hold ]")
}

// The time of the request decides what a run covers. A later file gets another
// run.
func TestFileAfterTheRequestGetsARun(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(o *office) (requests int){
		"while Amperity answers": func(o *office) int {
			o.posts = []answer{{run: over("wf-1", "Orders", o.now)}, {run: over("wf-2", "Orders", o.now)}}
			o.runs = append(o.runs, o.posts[0].run)
			o.meanwhile = func() {
				o.now = o.now.Add(10 * time.Second)
				o.arrive(o.arrivals("a", "a/2"))
				o.now = o.now.Add(8 * time.Second)
			}
			o.arrive(o.arrivals("a", "a/1"))
			return 2
		},
		"between two requests, of which the first started a run": func(o *office) int {
			o.window.IfUnknown = record.Retry
			o.posts = []answer{noAnswer, noAnswer, {run: over("wf-3", "Orders", o.now)}}
			o.arrive(o.arrivals("a", "a/1"))
			run := over("wf-1", "Orders", o.now.Add(time.Second))
			o.wait(5 * time.Minute)
			o.arrive(o.arrivals("a", "a/2"))
			o.wait(15 * time.Minute)
			o.runs = append(o.runs, run)
			return 3
		},
		"before an operator adopts the run": func(o *office) int {
			o.posts = []answer{noAnswer, {run: over("wf-2", "Orders", o.now)}}
			o.arrive(o.arrivals("a", "a/1"))
			run := over("wf-1", "Other", o.now.Add(time.Second)) // another name than the config id's runs have
			o.wait(5 * time.Minute)
			o.arrive(o.arrivals("a", "a/2"))
			o.wait(15 * time.Minute)
			o.runs = append(o.runs, run)
			res, err := o.Adopt(o.t.Context(), held.Command{Key: firstOfWindow, HoldNumber: 1, RunID: "wf-1"})
			if err != nil || res.Outcome != record.Started {
				o.t.Errorf("adopted: %+v, %v", res, err)
			}
			return 2
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.knowing("cg-1", "Orders")
			o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
			want := do(o)
			o.wait(time.Hour)
			if o.sent != want {
				t.Errorf("%d requests, want %d: %q", o.sent, want, o.mails)
			}
		})
	}
}

// A discard ends the files that had arrived by then.
func TestDiscardCoversEarlierFiles(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
	o.posts = []answer{noAnswer}
	o.arrive(o.arrivals("a", "a/1"))
	o.wait(20 * time.Minute)
	o.arrive(o.arrivals("a", "a/2"))
	if _, err := o.Discard(t.Context(), held.Command{Key: firstOfWindow, HoldNumber: 1, Reason: "not wanted"}); err != nil {
		t.Fatal(err)
	}
	o.wait(time.Hour)
	o.wantNews("Held ["+firstOfWindow+", hold 1]", "Discarded ["+firstOfWindow+", hold 1]")
	o.arrive(o.arrivals("a", "a/3"))
	o.wait(time.Hour)
	if o.sent != 2 {
		t.Errorf("%d requests after a further file", o.sent)
	}
}

// After a request without an answer, the sweep reads the list before each
// further request.
func TestFurtherRequestFollowsALookup(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.posts = []answer{noAnswer, {err: status(429, 0)}}
	o.launch(func(l *launch.Launch) { l.IfUnknown = record.Retry })
	for range 40 {
		before := o.sent
		o.wait(time.Minute)
		if o.sent > before+1 {
			t.Fatalf("%d requests at once", o.sent-before)
		}
	}
	if o.sent < 3 {
		t.Errorf("%d requests", o.sent)
	}
}

func TestBlockedLaunchRespectsRetryAfter(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.posts = []answer{{err: status(429, 30*time.Minute)}, started}
	if _, err := o.Launch(ending{t.Context(), o.now.Add(30 * time.Second)}, request()); err != nil {
		t.Fatal(err)
	}
	o.wait(29 * time.Minute)
	if o.sent != 1 {
		t.Errorf("%d requests within half an hour", o.sent)
	}
	o.wait(2 * time.Minute)
	if o.sent != 2 {
		t.Errorf("%d requests after it", o.sent)
	}
}

// The API may round times, so the list reaches a little further back than the
// control run's time.
func TestControlRunIsListedDespiteRounding(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]time.Duration{"in the same list": time.Minute, "in a list of its own": 3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.rounds = 2 * time.Second
			o.knowing("cg-1", "Orders")
			o.now = o.now.Add(after)
			o.posts = []answer{noAnswer}
			o.launch(nil)
			o.runs = append(o.runs, aRun("wf-1", "Orders", o.now))
			o.wait(2 * time.Minute)
			o.wantNews("Started [" + scheduleKey + ", hold ]")
		})
	}
}

// A list that was read for another launch decides nothing about a later
// request.
func TestListFromBeforeTheRequestIsNotUsed(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	o.knowing("cg-2", "Lines")
	o.posts = []answer{noAnswer}
	o.launch(nil)
	o.wait(time.Minute) // its list is read now
	o.now = o.now.Add(time.Second)
	o.launchAndDie(func(l *launch.Launch) { l.Key, l.Request.ConfigID = "manual/cg-2/b", "cg-2" }, 9*time.Second)
	o.runs = append(o.runs, aRun("wf-b", "Lines", o.now))
	o.now = o.now.Add(21 * time.Second)
	if worked, err := o.Reconcile(t.Context(), "launch/manual/cg-2/b"); !worked || err != nil {
		t.Errorf("worked %t, %v", worked, err)
	}
	o.wantNews("Started [manual/cg-2/b, hold ]")
}

// launchAndDie launches in a process with the time left, which dies after the
// request.
func (o *office) launchAndDie(edit func(*launch.Launch), left time.Duration) {
	o.t.Helper()
	in, sent := request(), o.sent
	edit(&in)
	o.putErr = func([]ledger.Item) error {
		if o.sent > sent {
			return context.DeadlineExceeded
		}
		return nil
	}
	ctx, cancel := context.WithCancel(ending{o.t.Context(), o.now.Add(left)})
	o.meanwhile = cancel
	if _, err := o.Launch(ctx, in); err != nil {
		o.t.Fatal(err)
	}
	o.putErr = nil
}

// The sweep reads a new list right before a request.
func TestListIsReadRightBeforeTheRequest(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	o.knowing("cg-2", "Lines")
	o.posts = []answer{noAnswer}
	o.launch(func(l *launch.Launch) { l.Key, l.Request.ConfigID = "manual/cg-2/b", "cg-2" })
	o.launch(func(l *launch.Launch) { l.IfUnknown = record.Retry })
	o.wait(15 * time.Minute)
	o.now = o.now.Add(time.Minute)
	if _, err := o.Reconcile(t.Context(), "launch/manual/cg-2/b"); err != nil { // its list is read now
		t.Fatal(err)
	}
	o.runs = append(o.runs, aRun("wf-1", "Orders", o.now))
	o.now = o.now.Add(10 * time.Second)
	if _, err := o.Reconcile(t.Context(), "launch/"+scheduleKey); err != nil {
		t.Fatal(err)
	}
	if news := o.news(); o.sent != 2 || !slices.Contains(news, "Started ["+scheduleKey+", hold ]") {
		t.Errorf("%d requests, announced %q", o.sent, news)
	}
}

// A release that could not be sent at once is not sent by a list that another
// launch has read before.
func TestListIsReadRightBeforeAReleasedRequest(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	o.knowing("cg-2", "Lines")
	o.posts = []answer{noAnswer}
	o.launch(func(l *launch.Launch) { l.Key, l.Request.ConfigID = "manual/cg-2/b", "cg-2" })
	o.launch(nil)
	o.wait(20 * time.Minute)
	o.posts = []answer{{err: refused()}}
	if _, err := o.Release(t.Context(), held.Command{Key: scheduleKey, HoldNumber: 1}); err != nil {
		t.Fatal(err)
	}
	o.posts = []answer{noAnswer}
	o.now, o.sent = o.now.Add(20*time.Minute), 0
	if _, err := o.Reconcile(t.Context(), "launch/manual/cg-2/b"); err != nil { // its list is read now
		t.Fatal(err)
	}
	o.runs = append(o.runs, aRun("wf-1", "Orders", o.now))
	o.now = o.now.Add(10 * time.Second)
	if _, err := o.Reconcile(t.Context(), "launch/"+scheduleKey); err != nil {
		t.Fatal(err)
	}
	if news := o.news(); o.sent != 0 || !slices.Contains(news, "Started ["+scheduleKey+", hold ]") {
		t.Errorf("%d requests, announced %q", o.sent, news)
	}
}

// While a launch reads the runs that it found, another launch records one of
// them. The launch does not adopt it.
func TestRunRecordedMeanwhileIsNotAdopted(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	o.posts = []answer{noAnswer}
	o.launch(nil)
	theirs := aRun("wf-1", "Orders", o.now)
	o.runs = append(o.runs, theirs)
	met := false
	o.queryErr = func(id string) error {
		if id == "wf-1" && !met {
			met = true
			o.posts = []answer{{run: theirs}}
			o.launch(func(l *launch.Launch) { l.Key = otherKey })
		}
		return nil
	}
	o.wait(20 * time.Minute)
	o.wantNews("Started ["+otherKey+", hold ]", "Held ["+scheduleKey+", hold 1]")
}

// An adopted run is not certain, so it does not define the identity of later
// runs.
func TestAdoptedRunDoesNotDefineTheIdentity(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.posts = []answer{noAnswer}
	o.launch(nil)
	o.runs = append(o.runs, aRun("wf-1", "Orders", o.now))
	o.wait(20 * time.Minute)
	if _, err := o.Adopt(t.Context(), held.Command{Key: scheduleKey, HoldNumber: 1, RunID: "wf-1"}); err != nil {
		t.Fatal(err)
	}
	o.launch(func(l *launch.Launch) { l.Key = otherKey })
	o.runs = append(o.runs, aRun("wf-2", "Orders", o.now))
	o.wait(20 * time.Minute)
	o.wantNews("Held ["+scheduleKey+", hold 1]", "Started ["+scheduleKey+", hold ]", "Held ["+otherKey+", hold 1]")
}

// The answer to the first request arrives after the second request has started
// a run. Both runs are announced.
func TestLateAnswerIsAnnouncedAsASecondRun(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.posts = []answer{{run: aRun("wf-1", "Orders", o.now)}, {run: aRun("wf-2", "Orders", o.now.Add(25*time.Minute))}}
	o.meanwhile = func() { o.wait(30 * time.Minute) }
	o.launch(func(l *launch.Launch) { l.IfUnknown = record.Retry })
	o.wait(5 * time.Minute)
	o.wantNews("Started ["+scheduleKey+", hold ]", "Started ["+scheduleKey+", hold ]")
	want := []string{announcement.ID(announcement.RunStarted, scheduleKey, "wf-2"), announcement.ID(announcement.RunStarted, scheduleKey, "wf-1")}
	if !slices.Equal(o.ids, want) {
		t.Errorf("announced %q, want %q", o.ids, want)
	}
}

// busFunc is an event bus that calls a function.
type busFunc func() error

func (f busFunc) Announce(context.Context, ...announcement.Announcement) error { return f() }

// A process that dies while it announces has confirmed nothing.
func TestOutcomeIsConfirmedAfterItIsAnnounced(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.Announcer = busFunc(func() error {
		o.putErr = func([]ledger.Item) error { return errThrottled }
		return errThrottled
	})
	o.launch(nil)
	o.Announcer, o.putErr = o, nil
	o.wait(5 * time.Minute)
	o.wantNews("Started [" + scheduleKey + ", hold ]")
}

// A run turns out to belong to another launch while a second sweep updates the
// window with it. The window ignores that update. Its launch is held, and later
// files wait for it.
func TestWindowIgnoresARevokedRun(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	o.window = aWindow(window.Hold, window.Entry{Pattern: "a"})
	o.posts = []answer{noAnswer}
	o.arrive(o.arrivals("a", "a/1"))
	theirs := aRun("wf-9", "Orders", o.now)
	o.runs = append(o.runs, theirs)
	o.putErr = func(items []ledger.Item) error {
		if items[0].Key == "launch/"+firstOfWindow && len(items) == 1 && strings.Contains(string(items[0].Doc), `"told":true`) {
			return errThrottled // it adopts the run, updates the window, and dies
		}
		return nil
	}
	for range 5 {
		if len(o.mails) == 0 {
			o.wait(time.Minute)
		}
	}
	o.wantNews("Started [" + firstOfWindow + ", hold ]")
	o.now, o.putErr = o.now.Add(2*time.Minute), nil
	o.getErr = func(key string) error {
		if strings.HasPrefix(key, "window/") {
			o.getErr, o.posts = nil, []answer{{run: theirs}}
			o.launch(nil)
		}
		return nil
	}
	if _, err := o.Reconcile(t.Context(), "launch/"+firstOfWindow); err != nil {
		t.Fatal(err)
	}
	o.arrive(o.arrivals("a", "a/2"))
	o.wait(time.Hour)
	if o.exists("launch/arrival/cg-1/2026-11-22/2") {
		t.Errorf("a further launch, although the first has no run: %q", o.news())
	}
}

// No other launch adopts the run of a released launch whose request cannot be
// sent yet.
func TestReleasedLaunchLeavesDoubt(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	o.posts = []answer{noAnswer}
	o.launch(nil)
	o.wait(20 * time.Minute)
	o.launch(func(l *launch.Launch) { l.Key = otherKey })
	o.Paused = true
	if _, err := o.Release(t.Context(), held.Command{Key: scheduleKey, HoldNumber: 1}); err != nil {
		t.Fatal(err)
	}
	o.runs = append(o.runs, aRun("wf-1", "Orders", o.now))
	o.wait(3 * time.Minute)
	o.wantNews("Held [" + scheduleKey + ", hold 1]")
}

// A command that could not be recorded is an error.
func TestUnrecordedCommandIsAnError(t *testing.T) {
	t.Parallel()
	for name, say := range map[string]func(o *office, w held.Command) (record.Result, error){
		"release": func(o *office, w held.Command) (record.Result, error) { return o.Release(o.t.Context(), w) },
		"adopt":   func(o *office, w held.Command) (record.Result, error) { return o.Adopt(o.t.Context(), w) },
		"discard": func(o *office, w held.Command) (record.Result, error) { return o.Discard(o.t.Context(), w) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.posts = []answer{noAnswer, started}
			o.launch(nil)
			o.runs = append(o.runs, aRun("wf-1", "Orders", o.now))
			o.wait(20 * time.Minute)
			o.putErr = func([]ledger.Item) error { return errThrottled }
			res, err := say(o, held.Command{Key: scheduleKey, HoldNumber: 1, RunID: "wf-1", Reason: "r"})
			var failed *record.LedgerError
			if !errors.As(err, &failed) || o.sent > 1 {
				t.Errorf("answered %+v, %v", res, err)
			}
		})
	}
}

// A command for a window answers one announcement.
func TestWindowCommandNeedsItsHoldNumber(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.halfAWindow()
	o.wait(2 * time.Hour)
	for _, hold := range []int{0, 2} {
		res, err := o.Release(t.Context(), held.Command{Key: firstOfWindow, HoldNumber: hold})
		if err != nil || res.Outcome != record.Waiting || res.HoldNumber != 1 || o.sent > 0 {
			t.Errorf("hold %d: answered %+v, %v", hold, res, err)
		}
	}
}

func TestHeldLaunchDoesNotExpire(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.launch(func(l *launch.Launch) { l.NotAfter = o.now.Add(-time.Second) })
	item, err := o.ledger.Get(t.Context(), "launch/"+scheduleKey)
	if err != nil || !item.Expires.IsZero() || item.Held.IsZero() {
		t.Errorf("held since %s, expires %s, %v", item.Held, item.Expires, err)
	}
}
