package launch_test

import (
	"errors"
	"fmt"
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

// Histories that have broken searches, holds and the queue.

// A launch loses its adopted run while a further run of it is not announced
// yet. Its hold names the further run.
func TestRevokedAdoptionNamesTheFurtherRun(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	o.posts = []answer{noAnswer}
	o.launch(nil)
	o.wait(16 * time.Minute)
	if _, err := o.Release(t.Context(), held.Command{Key: scheduleKey, HoldNumber: 1}); err != nil {
		t.Fatal(err)
	}
	o.wait(16 * time.Minute)
	b := aRun("wf-B", "Orders", o.now)
	o.posts, o.sent = []answer{{run: b}}, 0
	o.meanwhile = func() { // the other request is on its way, and its run is there
		o.runs = append(o.runs, b)
		if _, err := o.Adopt(t.Context(), held.Command{Key: scheduleKey, HoldNumber: 2, RunID: "wf-B"}); err != nil {
			t.Fatal(err)
		}
		o.runs = append(o.runs, aRun("wf-9", "Orders", o.now))
		o.busErr = errors.New("down")
		o.wait(2 * time.Minute)
	}
	o.launch(func(l *launch.Launch) { l.Key = otherKey })
	o.busErr = nil
	o.wait(30 * time.Minute)
	news := o.news()
	if !slices.Contains(news, "Started ["+otherKey+", hold ]") || !strings.Contains(strings.Join(o.mails, "\n"), "wf-9") {
		t.Errorf("announced %q", o.mails)
	}
}

// The API key changes while a request has no answer. An instance that took the
// new key's run for a foreign one finds it once the key is known.
func TestRunOfANewAPIKeyIsFound(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	o.knowing("cg-2", "Lines")
	o.posts = []answer{noAnswer}
	o.launch(nil)
	run := aRun("wf-1", "Orders", o.now)
	run.PrincipalID = "key-2"
	o.runs = append(o.runs, run)
	o.wait(20 * time.Minute)
	two := aRun("wf-2", "Lines", o.now)
	two.PrincipalID = "key-2"
	o.posts, o.sent = []answer{{run: two}}, 0
	o.launch(func(l *launch.Launch) { l.Key, l.Request.ConfigID = "manual/cg-2/x", "cg-2" })
	o.runs = append(o.runs, two)
	o.wait(time.Hour)
	if news := o.news(); !strings.HasPrefix(news[len(news)-1], "Started ["+scheduleKey) {
		t.Errorf("announced %q", news)
	}
}

// The run of the former API key is found although newer runs have another
// principal.
func TestRunOfTheFormerAPIKeyIsFound(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	o.posts = []answer{noAnswer}
	sent := o.now
	o.launch(nil)
	o.wait(20 * time.Minute)
	two := aRun("wf-2", "Orders", o.now)
	two.PrincipalID = "key-2"
	o.posts, o.sent = []answer{{run: two}}, 0
	o.launch(func(l *launch.Launch) { l.Key = otherKey })
	o.runs = append(o.runs, two, aRun("wf-1", "Orders", sent.Add(time.Minute)))
	o.wait(time.Hour)
	if news := o.news(); !strings.HasPrefix(news[len(news)-1], "Started ["+scheduleKey) {
		t.Errorf("announced %q", news)
	}
}

// A release rules out the runs that its hold names, even if its request cannot
// be sent immediately.
func TestReleaseRulesOutItsCandidates(t *testing.T) {
	t.Parallel()
	for _, code := range []int{401, 409, 429} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.posts = []answer{noAnswer}
			o.launch(nil)
			o.runs = append(o.runs, aRun("wf-1", "Orders", o.now))
			o.wait(20 * time.Minute)
			o.posts, o.sent = []answer{{err: status(code, 0)}}, 0
			if _, err := o.Release(t.Context(), held.Command{Key: scheduleKey, HoldNumber: 1}); err != nil {
				t.Fatal(err)
			}
			o.wait(2 * time.Hour)
			o.posts, o.sent = []answer{started}, 0
			o.wait(time.Hour)
			o.wantNews("Held ["+scheduleKey+", hold 1]", "Started ["+scheduleKey+", hold ]")
		})
	}
}

// The operator adopts a run that was started by hand. The search continues,
// since the launch's own request may have started another run.
func TestRunByHandDoesNotEndTheSearch(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	o.posts = []answer{noAnswer}
	o.launch(nil)
	o.wait(16 * time.Minute)
	hand := aRun("wf-hand", "Orders", o.now)
	hand.PrincipalID = "user-1"
	o.runs = append(o.runs, hand)
	if _, err := o.Adopt(t.Context(), held.Command{Key: scheduleKey, HoldNumber: 1, RunID: "wf-hand"}); err != nil {
		t.Fatal(err)
	}
	o.launch(func(l *launch.Launch) { l.Key = otherKey }) // its request is never processed
	o.runs = append(o.runs, aRun("wf-A", "Orders", o.now.Add(time.Second)))
	o.wait(3 * time.Hour)
	if slices.Contains(o.news(), "Started ["+otherKey+", hold ]") || !strings.Contains(strings.Join(o.mails, "\n"), "wf-A") {
		t.Errorf("announced %q", o.mails)
	}
}

// A run in front that is unreadable for three days makes a hold, so that
// windows do not wait forever unnoticed.
func TestRunUnreadableForDaysMakesAHold(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
	o.window.Rules.Settle = time.Minute
	o.posts = []answer{{run: aRun("wf-1", "Orders", o.now)}}
	for i := range 2 {
		o.window.Period = fmt.Sprint("2026-11-2", i)
		o.arrive(o.arrivals("a", fmt.Sprint("a/", i)))
		o.wait(2 * time.Minute)
	}
	o.queryErr = func(string) error { return status(500, 0) }
	o.wait(71 * time.Hour)
	o.wantNews("Started [arrival/cg-1/2026-11-20/1, hold ]")
	o.wait(2 * time.Hour)
	o.wantNews("Started [arrival/cg-1/2026-11-20/1, hold ]", "Held [arrival/cg-1/2026-11-21/1, hold 1]")
}

// The list shows a held launch whose runs the sweep searches for, even among
// the windows of a backfill.
func TestSearchedLaunchIsListedBesideABackfill(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-2", "Lines")
	o.posts = []answer{noAnswer}
	o.launch(func(l *launch.Launch) { l.Key, l.Request.ConfigID = "manual/cg-2/x", "cg-2" })
	o.wait(5 * time.Hour)
	o.posts, o.sent = []answer{{run: aRun("wf-1", "Orders", o.now)}}, 0
	o.runs = append(o.runs, o.posts[0].run)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
	o.window.Rules.Settle = time.Minute
	for i := range 210 {
		o.window.Period = time.Date(2026, 1, 1+i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		o.arrive(o.arrivals("a", fmt.Sprint("a/", i)))
	}
	o.wait(5 * time.Minute)
	list, _, err := o.List(t.Context())
	if err != nil || len(list) != 1 || list[0].LaunchKey != "manual/cg-2/x" {
		t.Errorf("listed %+v, %v", list, err)
	}
}

// Two queued launches make one hold for the run in front, and either can still
// be discarded.
func TestQueuedLaunchesAskOnceAboutARun(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
	o.window.Rules.Settle = time.Minute
	first, second := aRun("wf-1", "Orders", o.now), aRun("wf-2", "Orders", o.now.Add(15*time.Hour))
	o.posts, o.runs = []answer{{run: first}, {run: second}}, []*amperity.Run{first, second}
	for i := range 5 {
		o.window.Period = fmt.Sprint("2026-11-2", i)
		o.arrive(o.arrivals("a", fmt.Sprint("a/", i)))
		o.wait(2 * time.Minute)
	}
	o.wait(14 * time.Hour)
	first.State = amperity.StateStopped
	o.wait(14 * time.Hour)
	heldKeys := func() (keys []string) {
		list, _, err := o.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range list {
			if h.Reason == announcement.ReasonOverlap {
				keys = append(keys, h.LaunchKey)
			}
		}
		return keys
	}
	keys := heldKeys()
	if len(keys) != 2 {
		t.Fatalf("held: %q", keys)
	}
	for _, key := range keys {
		if res, err := o.Release(t.Context(), held.Command{Key: key, HoldNumber: 1}); err != nil || res.Outcome != record.Blocked {
			t.Errorf("answered %+v, %v", res, err)
		}
	}
	o.wait(30 * time.Hour)
	if again := heldKeys(); len(again) != 1 {
		t.Errorf("held again: %q", again)
	}
	for _, key := range keys {
		for hold := range 3 {
			if res, err := o.Discard(t.Context(), held.Command{Key: key, HoldNumber: hold, Reason: "not wanted"}); err != nil {
				t.Errorf("answered %+v, %v", res, err)
			}
		}
	}
	if last := o.news(); !slices.ContainsFunc(last, func(s string) bool { return strings.HasPrefix(s, "Discarded ["+keys[0]) }) ||
		!slices.ContainsFunc(last, func(s string) bool { return strings.HasPrefix(s, "Discarded ["+keys[1]) }) {
		t.Errorf("announced %q", last)
	}
}

// A launch that may have a second run stays in doubt as long as the sweep
// searches for it, however many launches follow.
func TestDoubtOutlastsManyLaunches(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	o.posts, o.sent = []answer{noAnswer}, 0
	o.launch(func(l *launch.Launch) { l.Key, l.IfUnknown = "manual/cg-1/K", record.Retry })
	o.wait(10 * time.Minute)
	o.posts, o.sent = []answer{{run: aRun("wf-K2", "Orders", o.now.Add(7*time.Minute))}}, 0
	o.wait(8 * time.Minute)
	o.runs = append(o.runs, o.posts[0].run)
	o.posts, o.sent = []answer{noAnswer}, 0
	o.launch(func(l *launch.Launch) { l.Key = "manual/cg-1/J" })
	lost := o.now
	o.wait(25 * time.Hour)
	for i := range 55 {
		run := aRun(fmt.Sprint("wf-x", i), "Orders", o.now)
		o.posts, o.sent = []answer{{run: run}}, 0
		o.launch(func(l *launch.Launch) { l.Key = fmt.Sprint("manual/cg-1/x", i) })
		o.runs = append(o.runs, run)
		o.wait(30 * time.Minute)
	}
	o.mails = nil
	o.runs = append(o.runs, aRun("wf-K1", "Orders", lost.Add(time.Second)))
	o.wait(4 * time.Hour)
	if slices.Contains(o.news(), "Started [manual/cg-1/J, hold ]") || !strings.Contains(strings.Join(o.mails, "\n"), "wf-K1") {
		t.Errorf("announced %q", o.mails)
	}
}

// The lookups of one sweep share a slow list, and a failed one.
func TestSlowListIsShared(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]error{"read": nil, "failed": status(503, 0)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			ids := []string{"cg-1", "cg-2", "cg-3", "cg-4"}
			for _, id := range ids {
				o.knowing(id, "Group "+id)
			}
			o.posts = []answer{noAnswer}
			for _, id := range ids {
				o.launch(func(l *launch.Launch) { l.Key, l.Request.ConfigID = "manual/"+id+"/a", id })
			}
			lists := 0
			o.queryErr = func(id string) error {
				if id == "" {
					lists++
					o.now = o.now.Add(31 * time.Second)
					return fails
				}
				return nil
			}
			o.wait(time.Minute)
			if lists != 1 {
				t.Errorf("%d lists", lists)
			}
		})
	}
}

// overlapping returns an office with a launch that is held because another run
// has been in front of it for 12 hours, and the command that answers the hold.
func overlapping(t *testing.T) (*office, held.Command) {
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
	o.window.Rules.Settle = time.Minute
	hanging := aRun("wf-1", "Orders", o.now)
	o.posts = []answer{{run: hanging}, {run: aRun("wf-2", "Orders", o.now.Add(49*time.Hour))}}
	o.runs = []*amperity.Run{hanging}
	for i := range 2 {
		o.window.Period = fmt.Sprint("2026-11-2", i)
		o.arrive(o.arrivals("a", fmt.Sprint("a/", i)))
		o.wait(2 * time.Minute)
	}
	o.wait(14 * time.Hour)
	o.wantNews("Started [arrival/cg-1/2026-11-20/1, hold ]", "Held [arrival/cg-1/2026-11-21/1, hold 1]")
	return o, held.Command{Key: "arrival/cg-1/2026-11-21/1", HoldNumber: 1}
}

// The operator releases a launch twice that is held because of another run. The
// launch waits for that run all the same.
func TestSecondReleaseKeepsTheTurn(t *testing.T) {
	t.Parallel()
	t.Run("after the first could not read the config id", func(t *testing.T) {
		t.Parallel()
		o, cmd := overlapping(t)
		reads := 0
		o.getErr = func(key string) error {
			if key == "config/cg-1" {
				if reads++; reads == 2 { // the first read is that of the release
					return errThrottled
				}
			}
			return nil
		}
		for range 2 {
			if res, err := o.Release(t.Context(), cmd); err != nil || o.sent != 1 {
				t.Fatalf("%+v, %v, %d requests although wf-1 is still running", res, err, o.sent)
			}
		}
	})
	t.Run("while the first asks about the run in front", func(t *testing.T) {
		t.Parallel()
		o, cmd := overlapping(t)
		o.now = o.now.Add(time.Minute)
		nested := false
		o.queryErr = func(id string) error {
			if id == "wf-1" && !nested {
				nested = true
				if _, err := o.Release(t.Context(), cmd); err != nil {
					t.Error(err)
				}
			}
			return nil
		}
		if _, err := o.Release(t.Context(), cmd); err != nil || !nested || o.sent != 1 {
			t.Errorf("%v, %d requests although wf-1 is still running", err, o.sent)
		}
	})
}

// A release is valid for a day, also if its process dies before the request.
// Its request is sent only after a list that shows no run of the launch.
func TestReleaseWithoutItsRequestLooksFirst(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		after  time.Duration
		listed bool
		sent   int
		last   string
	}{
		"a run appears":           {time.Hour, true, 0, "Started [" + scheduleKey + ", hold ]"},
		"no run appears":          {time.Hour, false, 1, "Started [" + scheduleKey + ", hold ]"},
		"no run, and a day later": {30 * time.Hour, false, 0, "Held [" + scheduleKey + ", hold 2]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.knowing("cg-1", "Orders")
			o.posts = []answer{noAnswer}
			o.launch(nil)
			o.wait(20 * time.Minute)
			writes := 0
			o.putErr = func([]ledger.Item) error {
				if writes++; writes > 1 { // all but the release
					return errThrottled
				}
				return nil
			}
			if _, err := o.Release(t.Context(), held.Command{Key: scheduleKey, HoldNumber: 1}); err != nil {
				t.Fatal(err)
			}
			o.putErr = nil
			if row.listed {
				o.runs = append(o.runs, aRun("wf-1", "Orders", o.now.Add(-10*time.Minute)))
			}
			o.now = o.now.Add(row.after)
			o.posts, o.sent = []answer{{run: aRun("wf-2", "Orders", o.now)}}, 0
			o.wait(2 * time.Minute)
			if news := o.news(); o.sent != row.sent || news[len(news)-1] != row.last {
				t.Errorf("%d requests, announced %q", o.sent, news)
			}
		})
	}
}

// The list of what waits for the operator gives the reason of each entry.
func TestHeldListGivesReasons(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "orders/*", Count: 1})
	o.window.Rules.Deadline = o.now.Add(time.Hour)
	if err := o.windows.Expect(t.Context(), *o.window); err != nil {
		t.Fatal(err)
	}
	o.wait(2 * time.Hour)
	list, more, err := o.List(t.Context())
	if err != nil || more || len(list) != 1 {
		t.Fatalf("%d listed, more %t, error %v", len(list), more, err)
	}
	if got, want := list[0].Message, "files were missing at the deadline, and the window still waits for them"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// A bus that fails and an item of another version hide no entry.
	o.busErr = errors.New("no bus")
	o.launch(func(l *launch.Launch) { l.Key, l.NotAfter = "manual/cg-1/k", o.now.Add(-time.Second) })
	if err := o.ledger.Put(t.Context(), "other", ledger.Item{Key: "launch/manual/cg-1/new", Held: o.now, Doc: []byte(`{"format":2}`)}); err != nil {
		t.Fatal(err)
	}
	list, _, err = o.List(t.Context())
	if err != nil || len(list) != 3 || list[0].Reason != "unreadable" || list[1].LaunchKey != "manual/cg-1/k" {
		t.Errorf("%+v, error %v", list, err)
	}
	o.busErr = nil
	o.wait(2 * time.Minute)

	// Held launches come before the windows of a feed that has ended.
	o.launch(func(l *launch.Launch) { l.NotAfter = o.now.Add(-time.Second) })
	list, _, err = o.List(t.Context())
	if err != nil || len(list) != 4 || list[1].Reason != "unreadable" || list[3].Reason != "files_missing" {
		t.Errorf("%+v, error %v", list, err)
	}
}

// An expected window without files expires, so that a feed that has ended does
// not fill the list. A window with files never expires.
func TestEmptyWindowExpires(t *testing.T) {
	t.Parallel()
	for _, files := range []int{0, 1} {
		o := newOffice(t)
		o.window = aWindow(window.Rerun, window.Entry{Pattern: "orders/*", Count: 2})
		o.window.Rules.Deadline = o.now.Add(time.Hour)
		if err := o.windows.Expect(t.Context(), *o.window); err != nil {
			t.Fatal(err)
		}
		if files > 0 {
			o.arrive(o.arrivals("orders/*", "orders/1"))
		}
		o.wait(2 * time.Hour)
		item, err := o.ledger.Get(t.Context(), o.window.Key())
		if err != nil || item.Expires.IsZero() != (files > 0) || item.Held.IsZero() {
			t.Errorf("with %d files it is held since %s and expires %s (%v)", files, item.Held, item.Expires, err)
		}
	}
}

// A hold for implausible dates can only be discarded.
func TestImplausibleDatesAreOnlyDiscarded(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	key := o.implausible()
	res, err := o.Release(t.Context(), held.Command{Key: key, HoldNumber: 1})
	if err != nil || res.Warning == "" || res.Outcome != record.Duplicate || res.Recorded != record.Held {
		t.Errorf("released: %+v, %v", res, err)
	}
	if _, err := o.Adopt(t.Context(), held.Command{Key: key, HoldNumber: 1, RunID: "wf-1"}); err == nil {
		t.Error("adopted")
	}
	if o.sent > 0 {
		t.Errorf("%d requests", o.sent)
	}
}

// A held launch whose run is searched for is due. Many launches that are due
// before it do not hide it.
func TestHeldLaunchBehindBlockedOnesIsListed(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	o.posts = []answer{noAnswer}
	o.launch(nil)
	o.wait(3 * time.Hour) // now it is searched for once an hour
	o.posts, o.sent = []answer{{err: status(401, 0)}}, 0
	for i := range 1001 {
		o.launch(func(l *launch.Launch) { l.Key = fmt.Sprint("manual/cg-1/x", i) })
	}
	list, more, err := o.List(t.Context())
	if err != nil || more || len(list) != 1 || list[0].LaunchKey != scheduleKey {
		t.Errorf("%+v, more %t, %v", list, more, err)
	}
	if list, more, err := o.List(ending{t.Context(), o.now.Add(time.Second)}); err != nil || !more || len(list) != 0 {
		t.Errorf("without time: %+v, more %t, %v", list, more, err)
	}
}

// Each run is read once, however many launches it may belong to.
func TestRunsAreReadOnceForAllLaunches(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	o.posts = []answer{noAnswer}
	for i := range 10 {
		o.launch(func(l *launch.Launch) { l.Key = fmt.Sprint("manual/cg-1/x", i) })
		o.runs = append(o.runs, aRun(fmt.Sprint("wf-", i), "Orders", o.now))
	}
	reads := map[string]int{}
	o.queryErr = func(id string) error {
		reads[id]++
		return nil
	}
	o.wait(time.Hour)
	delete(reads, "") // the lists
	for id, n := range reads {
		if n > 1 {
			t.Errorf("%s was read %d times", id, n)
		}
	}
	if len(reads) != 10 {
		t.Errorf("read %v", reads)
	}
}

// Two operators release a window with missing files at the same time. The second
// learns that the first has.
func TestSecondReleaseOfAWindowIsADuplicate(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"}, window.Entry{Pattern: "b"})
	o.window.Rules.Deadline = o.now.Add(time.Hour)
	o.arrive(o.arrivals("a", "a/1"))
	o.wait(2 * time.Hour)
	cmd := held.Command{Key: "arrival/cg-1/2026-11-22/1", HoldNumber: 1}
	raced := false
	o.putErr = func([]ledger.Item) error {
		if !raced {
			raced = true
			if res, err := o.Release(t.Context(), cmd); err != nil || res.Outcome != record.Started {
				t.Errorf("the first: %+v, %v", res, err)
			}
		}
		return nil
	}
	if res, err := o.Release(t.Context(), cmd); err != nil || res.Outcome != record.Duplicate || res.Recorded != record.Started {
		t.Errorf("the second: %+v, %v", res, err)
	}
	if o.sent != 1 {
		t.Errorf("%d requests", o.sent)
	}
}

// A launch that was put back into the queue and is then discarded is in no other
// launch's way.
func TestDiscardLeavesTheQueue(t *testing.T) {
	t.Parallel()
	o, cmd := overlapping(t)
	if _, err := o.Release(t.Context(), cmd); err != nil {
		t.Fatal(err)
	}
	cmd.Reason = "not wanted any more"
	if res, err := o.Discard(t.Context(), cmd); err != nil || res.Outcome != record.Discarded {
		t.Fatalf("%+v, %v", res, err)
	}
	o.runs[0].State = amperity.StateSucceeded
	o.window.Period = "2026-11-23"
	o.arrive(o.arrivals("a", "a/3"))
	o.wait(10 * time.Minute)
	if news := o.news(); news[len(news)-1] != "Started [arrival/cg-1/2026-11-23/1, hold ]" {
		t.Errorf("announced %q", news)
	}
}

// The ledger has forgotten a launch's window when the launch ends. Nothing is
// left to do.
func TestLaunchOfAForgottenWindowIsDelivered(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
	o.posts = []answer{noAnswer}
	o.arrive(o.arrivals("a", "a/1"))
	o.ledger.Expire("window/cg-1/2026-11-22")
	o.wait(20 * time.Minute)
	if _, err := o.Discard(t.Context(), held.Command{Key: "arrival/cg-1/2026-11-22/1", HoldNumber: 1, Reason: "not wanted"}); err != nil {
		t.Fatal(err)
	}
	o.wantNews("Held [arrival/cg-1/2026-11-22/1, hold 1]", "Discarded [arrival/cg-1/2026-11-22/1, hold 1]")
	if strings.Contains(o.logged.String(), "not updated") {
		t.Errorf("the log says %s", &o.logged)
	}
}
