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

// An operator adopts for a launch the run of another launch, whose answer comes
// later. The first launch is in doubt again: no launch has the run that its
// POST started.
func TestDispossessedLaunchMakesRunsDoubtful(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	o.posts = []answer{noAnswer}
	o.launch(nil)
	o.wait(16 * time.Minute)
	answered := aRun("wf-B", "Orders", o.now)
	o.posts, o.sent = []answer{{run: answered}}, 0
	o.meanwhile = func() {
		o.runs = append(o.runs, answered)
		if _, err := o.Adopt(t.Context(), held.Command{Key: scheduleKey, HoldNumber: 1, RunID: "wf-B"}); err != nil {
			t.Error(err)
		}
	}
	o.launch(func(l *launch.Launch) { l.Key = otherKey })
	o.wait(2 * time.Minute)
	o.posts, o.sent = []answer{noAnswer}, 0
	o.launch(func(l *launch.Launch) { l.Key = "manual/cg-1/third" }) // its request is never processed
	o.runs = append(o.runs, aRun("wf-A", "Orders", o.now.Add(time.Second)))
	o.wait(time.Hour)
	if news := o.news(); slices.Contains(news, "Started [manual/cg-1/third, hold ]") || !slices.Contains(news, "Held ["+scheduleKey+", hold 2]") {
		t.Errorf("announced %q", news)
	}
}

// The operator is asked again about a run in front that stays there for another
// 12 hours, once the launch that asked has an answer.
func TestRunInFrontIsAskedAboutAgain(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]func(o *office, c held.Command) error{
		"after a discard": func(o *office, c held.Command) error {
			c.Reason = "not wanted"
			_, err := o.Discard(o.t.Context(), c)
			return err
		},
		"after an adoption": func(o *office, c held.Command) error {
			by := aRun("wf-hand", "Orders", o.now)
			by.State = amperity.StateSucceeded
			o.runs = append(o.runs, by)
			c.RunID = "wf-hand"
			_, err := o.Adopt(o.t.Context(), c)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
			o.window.Rules.Settle = time.Minute
			first := aRun("wf-1", "Orders", o.now)
			o.posts, o.runs = []answer{{run: first}}, []*amperity.Run{first}
			for i := range 3 {
				o.window.Period = fmt.Sprint("2026-11-2", i)
				o.arrive(o.arrivals("a", fmt.Sprint("a/", i)))
				o.wait(2 * time.Minute)
			}
			o.wait(13 * time.Hour)
			if err := reply(o, held.Command{Key: "arrival/cg-1/2026-11-21/1", HoldNumber: 1}); err != nil {
				t.Fatal(err)
			}
			o.wait(13 * time.Hour)
			if news := o.news(); !slices.Contains(news, "Held [arrival/cg-1/2026-11-22/1, hold 1]") {
				t.Errorf("announced %q", news)
			}
		})
	}
}

// A release is for one request, also of a launch that was answered with 409
// before.
func TestReleaseAfterA409SendsOneRequest(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.posts = []answer{{err: status(409, 0)}, noAnswer}
	o.launch(nil)
	o.queryErr = func(string) error { return status(503, 0) }
	o.wait(25 * time.Minute)
	o.wantNews("Held [" + scheduleKey + ", hold 1]")
	o.queryErr = nil
	if _, err := o.Release(t.Context(), held.Command{Key: scheduleKey, HoldNumber: 1}); err != nil {
		t.Fatal(err)
	}
	o.wait(time.Hour)
	if o.sent != 2 {
		t.Errorf("%d requests, want the first and that of the release", o.sent)
	}
}

// The ledger forgets the owners of runs after 50 days: no launch takes a run
// that is nearly as old.
func TestRunOfLongAgoIsNotTaken(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	o.posts = []answer{noAnswer}
	o.launch(nil)
	o.runs = append(o.runs, aRun("wf-old", "Orders", o.now.Add(time.Second)))
	o.now = o.now.Add(41 * 24 * time.Hour) // the sweep has not run
	o.wait(20 * time.Minute)
	o.wantNews("Held [" + scheduleKey + ", hold 1]")
}

// After a change of the API key the control run is immediately one of the new
// key.
func TestControlRunHasTheLatestKey(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for i, key := range []string{"key-1", "key-2"} {
		run := aRun(fmt.Sprint("wf-", i), "Orders", o.now)
		run.PrincipalID = key
		o.posts, o.sent = []answer{{run: run}}, 0
		o.launch(func(l *launch.Launch) { l.Key = "manual/cg-1/" + key })
		o.now = o.now.Add(time.Minute)
	}
	item, err := o.ledger.Get(t.Context(), "control")
	if err != nil || !strings.Contains(string(item.Doc), "key-2") {
		t.Errorf("the control run is %s, %v", item.Doc, err)
	}
}

// A mistake in the code while one look reads the list ends that look alone.
func TestListIsReadAgainAfterAPanic(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.posts = []answer{noAnswer}
	o.launch(nil)
	o.now = o.now.Add(2 * time.Minute)
	mistake := errors.New("a mistake")
	lists := 0
	o.queryErr = func(id string) error {
		if lists++; lists == 1 {
			panic(mistake)
		}
		return nil
	}
	func() {
		defer func() {
			if err := recover(); err != mistake {
				t.Errorf("recovered %v", err)
			}
		}()
		_, _ = o.Reconcile(t.Context(), "launch/"+scheduleKey)
	}()
	before := o.now
	o.wait(time.Minute)
	if took := o.now.Sub(before); lists != 2 || took > 2*time.Minute {
		t.Errorf("%d lists in %s", lists, took)
	}
}

// A hold names 20 runs at most. One that was created right after the request
// takes the place of one that was created long after it.
func TestHoldNamesTheLikeliestRuns(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.posts = []answer{noAnswer}
	o.launch(nil)
	likely := aRun("wf-likely", "Orders", o.now.Add(2*time.Second))
	for i := range 20 {
		o.runs = append(o.runs, aRun(fmt.Sprint("wf-", i), "Orders", o.now.Add(time.Duration(10+i)*time.Minute)))
	}
	o.wait(40 * time.Minute)
	o.wantNews("Held [" + scheduleKey + ", hold 1]")
	o.runs = append(o.runs, likely) // the list lagged behind
	o.wait(2 * time.Minute)
	if !slices.Contains(o.named, "wf-likely") || slices.Contains(o.named, "wf-19") || len(o.named) != 20 {
		t.Errorf("named %q", o.named)
	}
	o.wait(time.Hour)
	o.wantNews("Held ["+scheduleKey+", hold 1]", "Held ["+scheduleKey+", hold 2]")
}

// A file that arrives between a request and its late answer is not in the
// answer's run, and starts another run.
func TestFileBeforeALateAnswerStartsAnotherRun(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
	run := aRun("wf-1", "Orders", o.now)
	run.State = amperity.StateSucceeded
	o.posts = []answer{{run: run}, {run: aRun("wf-2", "Orders", o.now.Add(20*time.Minute))}}
	o.meanwhile = func() {
		o.wait(5 * time.Minute)
		o.arrive(o.arrivals("a", "a/2"))
		o.wait(5 * time.Minute)
		o.runs = append(o.runs, run)
	}
	o.arrive(o.arrivals("a", "a/1"))
	o.wait(20 * time.Minute)
	o.wantNews("Started [arrival/cg-1/2026-11-22/1, hold ]", "Started [arrival/cg-1/2026-11-22/2, hold ]")
}

// A file that arrives between a request and the adoption of its run is not in
// that run, and starts another run.
func TestFileBeforeAnAdoptionStartsAnotherRun(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
	o.posts = []answer{noAnswer, {run: aRun("wf-2", "Orders", o.now.Add(20*time.Minute))}}
	o.arrive(o.arrivals("a", "a/1"))
	run := aRun("wf-1", "Orders", o.now.Add(time.Second))
	o.wait(5 * time.Minute)
	o.arrive(o.arrivals("a", "a/2"))
	o.wait(15 * time.Minute)
	run.State = amperity.StateSucceeded
	o.runs = append(o.runs, run)
	if _, err := o.Adopt(t.Context(), held.Command{Key: "arrival/cg-1/2026-11-22/1", HoldNumber: 1, RunID: "wf-1"}); err != nil {
		t.Fatal(err)
	}
	o.wait(20 * time.Minute)
	o.wantNews("Held [arrival/cg-1/2026-11-22/1, hold 1]", "Started [arrival/cg-1/2026-11-22/1, hold ]", "Started [arrival/cg-1/2026-11-22/2, hold ]")
}

// A lookup that cannot read the control run decides nothing, and no request
// follows it.
func TestLookupWithoutTheControlRunDecidesNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.posts = []answer{noAnswer}
	o.launch(func(l *launch.Launch) { l.IfUnknown = record.Retry })
	o.getErr = func(key string) error {
		if key == "control" {
			return errThrottled
		}
		return nil
	}
	o.wait(25 * time.Minute)
	if news := o.news(); o.sent != 1 || len(news) != 1 || !strings.HasPrefix(news[0], "Held") || !strings.Contains(o.mails[0], errThrottled.Error()) {
		t.Errorf("%d requests, announced %q", o.sent, o.mails)
	}
}

// Two sweeps look at one launch. The second to write has nothing to report.
func TestLostRaceIsNoError(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.posts = []answer{noAnswer}
	o.launch(nil)
	o.now = o.now.Add(2 * time.Minute)
	raced := false
	o.putErr = func([]ledger.Item) error {
		if !raced {
			raced = true
			if _, err := o.Reconcile(t.Context(), "launch/"+scheduleKey); err != nil {
				t.Errorf("the first: %v", err)
			}
		}
		return nil
	}
	if did, err := o.Reconcile(t.Context(), "launch/"+scheduleKey); !did || !raced || err != nil {
		t.Errorf("the second: %t, %v", did, err)
	}
}

// Files arrive while another process folds files into their window.
func TestFilesThatArriveTogetherAreAllCounted(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a", Count: 3})
	o.arrive(o.arrivals("a", "a/1"))
	raced := false
	o.putErr = func([]ledger.Item) error {
		if !raced {
			raced = true
			o.arrive(o.arrivals("a", "a/2"))
		}
		return nil
	}
	o.arrive(o.arrivals("a", "a/3"))
	o.wantNews("Started [arrival/cg-1/2026-11-22/1, hold ]")
}

// The times of the requests help to find a run whose launch has an unknown
// outcome. They would mislead where a launch is held for another reason.
func TestOnlyAnUnknownOutcomeNamesTheTimesOfRequests(t *testing.T) {
	t.Parallel()
	cause := &announcement.Error{Kind: announcement.ErrorUnknown, Message: "why"}
	posts := []time.Time{time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC), time.Date(2026, 11, 22, 6, 20, 0, 0, time.UTC)}
	for _, row := range []struct {
		name string
		doc  record.LaunchDoc
		want string
	}{
		{"an unknown outcome", record.LaunchDoc{State: record.StateHeld, Reason: announcement.ReasonUnknownOutcome, Error: cause, Posts: posts}, "why (sent 2026-11-22T06:00:00Z and 2026-11-22T06:20:00Z)"},
		{"another reason", record.LaunchDoc{State: record.StateHeld, Reason: announcement.ReasonTooOld, Error: cause, Posts: posts}, "why"},
		{"not held", record.LaunchDoc{State: record.StateDiscarded, Reason: announcement.ReasonUnknownOutcome, Error: cause, Posts: posts}, "why"},
		{"no request", record.LaunchDoc{State: record.StateHeld, Reason: announcement.ReasonUnknownOutcome, Error: cause}, "why"},
	} {
		if got := launch.ErrorWithTimes(&row.doc); got.Message != row.want {
			t.Errorf("%s: %q, want %q", row.name, got.Message, row.want)
		}
	}
}

// The answer to a repeated event of a window that still waits is duplicate.
func TestRepeatedFileOfAWaitingWindowIsADuplicate(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"}, window.Entry{Pattern: "b"})
	file := o.arrivals("a", "a/1")
	for _, want := range []record.Outcome{record.Waiting, record.Duplicate} {
		if got := o.arrive(file).Outcome; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// A window that cannot be read is not a window that does not exist.
func TestAdoptForAnUnreadableWindowIsAnErrorOfTheLedger(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.getErr = func(key string) error {
		if strings.HasPrefix(key, record.WindowPrefix) {
			return errThrottled
		}
		return nil
	}
	_, err := o.Adopt(t.Context(), held.Command{Key: "arrival/cg-1/2026-11-22/1", HoldNumber: 1, RunID: "wf-1"})
	var failed *record.LedgerError
	if !errors.As(err, &failed) {
		t.Errorf("%v", err)
	}
}

// The ledger may forget a window before its launch that is held for implausible
// dates.
func TestListNamesALaunchWhoseWindowIsForgotten(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = &record.WindowSpec{ConfigID: "cg-1", Period: "implausible-day-2026-11-22T06:00:00Z", Route: "orders",
		Rules: window.Rules{Hash: "1", HoldReason: announcement.ReasonImplausibleDate}, Request: amperity.RunRequest{ConfigID: "cg-1"}}
	o.arrive(o.arrivals("a", "a/1"))
	o.ledger.Expire(o.window.Key())
	if list, _, err := o.List(t.Context()); err != nil || len(list) != 1 || list[0].Cause.Files != 1 {
		t.Errorf("%+v, %v", list, err)
	}
}

// The ledger is busy for seconds while the answers to two requests are to be
// recorded. No other place has them, so they are recorded once it is not.
func TestAnswersAreRecordedOnceTheLedgerIsNotBusy(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	for i, key := range []string{scheduleKey, otherKey} {
		run := aRun(fmt.Sprint("wf-", i), "Orders", o.now)
		o.posts, o.sent = []answer{{run: run}}, 0
		o.runs = append(o.runs, run)
		var begin time.Time
		o.putErr = func([]ledger.Item) error {
			if o.sent > 0 && begin.IsZero() {
				begin = o.now
			}
			if !begin.IsZero() && o.now.Sub(begin) < 3*time.Second {
				o.now = o.now.Add(400 * time.Millisecond)
				return ledger.ErrBusy
			}
			return nil
		}
		if res := o.launch(func(l *launch.Launch) { l.Key = key }); res.Outcome != record.Started || res.Warning != "" {
			t.Errorf("%+v", res)
		}
	}
	o.putErr = nil
	o.wait(30 * time.Minute)
	o.wantNews("Started ["+scheduleKey+", hold ]", "Started ["+otherKey+", hold ]")
}

// A ledger that stays busy ends the attempts to record an answer, also without a
// deadline.
func TestAttemptsToRecordAnAnswerEnd(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.putErr = func([]ledger.Item) error {
		if o.sent > 0 {
			return ledger.ErrBusy
		}
		return nil
	}
	before := o.now
	if res := o.launch(nil); res.Warning == "" {
		t.Errorf("%+v", res)
	}
	if took := o.now.Sub(before); took < 15*time.Second || took > time.Minute {
		t.Errorf("it took %s", took)
	}
}

// A newer version has written the launch in a format of its own before the
// answer arrives. The caller learns of the run all the same.
func TestLateAnswerForAnUnreadableLaunchIsReturned(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.posts = []answer{{run: aRun("wf-1", "Orders", o.now)}}
	o.meanwhile = func() {
		item, err := o.ledger.Get(t.Context(), "launch/"+scheduleKey)
		if err != nil {
			t.Fatal(err)
		}
		item.Doc = []byte(`{"format":2}`)
		if err := o.ledger.Put(t.Context(), "newer", item); err != nil {
			t.Fatal(err)
		}
	}
	res := o.launch(nil)
	if res.Outcome != record.Started || res.Run == nil || res.Run.ID != "wf-1" || !strings.Contains(res.Warning, "its format is 2") {
		t.Errorf("%+v", res)
	}
}

// Lookups of one sweep share a list. A lookup that comes 40 s later reads its
// own.
func TestListIsSharedWithinASweepAlone(t *testing.T) {
	t.Parallel()
	for _, later := range []time.Duration{10 * time.Second, 40 * time.Second} {
		o := newOffice(t)
		o.posts = []answer{noAnswer}
		for _, id := range []string{"cg-1", "cg-2"} {
			o.launch(func(l *launch.Launch) { l.Key, l.Request.ConfigID = "manual/"+id+"/a", id })
		}
		lists := 0
		o.queryErr = func(id string) error {
			if id == "" {
				lists++
			}
			return nil
		}
		o.now = o.now.Add(2 * time.Minute)
		for _, id := range []string{"cg-1", "cg-2"} {
			if _, err := o.Reconcile(t.Context(), "launch/manual/"+id+"/a"); err != nil {
				t.Fatal(err)
			}
			o.now = o.now.Add(later)
		}
		if want := map[bool]int{true: 1, false: 2}[later < 30*time.Second]; lists != want {
			t.Errorf("%s later: %d lists, want %d", later, lists, want)
		}
	}
}

// A launch that waits because the stack is paused is not announced: the operator
// has paused it.
func TestPausedLaunchIsNotAnnounced(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.Paused = true
	o.launch(nil)
	o.wait(time.Hour)
	if len(o.mails) > 0 || strings.Contains(o.logged.String(), "launch stays blocked") {
		t.Errorf("announced %q; the log says %s", o.mails, &o.logged)
	}
}

// The answer to an input whose request got no answer is unknown, also if that
// cannot be recorded.
func TestUnrecordedUnknownOutcomeIsUnknown(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.posts = []answer{noAnswer}
	o.putErr = func([]ledger.Item) error {
		if o.sent > 0 {
			return errThrottled
		}
		return nil
	}
	if res := o.launch(nil); res.Outcome != record.Unknown || res.Warning == "" {
		t.Errorf("%+v", res)
	}
}

// A further run is announced in the lookup that finds it.
func TestLaterCandidateIsAnnouncedAtOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.posts = []answer{noAnswer}
	o.launch(nil)
	o.wait(20 * time.Minute)
	o.runs = append(o.runs, aRun("wf-1", "Orders", o.now))
	o.now = o.now.Add(2 * time.Minute)
	if _, err := o.Reconcile(t.Context(), "launch/"+scheduleKey); err != nil {
		t.Fatal(err)
	}
	o.wantNews("Held ["+scheduleKey+", hold 1]", "Held ["+scheduleKey+", hold 2]")
}

// A process reports a rejection to the window after the operator has released
// the launch. The window ignores the report, and does not launch beside the
// released launch.
func TestReportOfAReleasedRejectionIsIgnored(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
	o.posts = []answer{{err: status(404, 0)}, {err: refused()}}
	raced := false
	o.putErr = func(items []ledger.Item) error {
		if o.sent == 1 && len(items) == 1 && strings.HasPrefix(items[0].Key, record.WindowPrefix) && !raced {
			raced = true
			if _, err := o.Release(t.Context(), held.Command{Key: "arrival/cg-1/2026-11-22/1", HoldNumber: 1}); err != nil {
				t.Error(err)
			}
		}
		return nil
	}
	o.arrive(o.arrivals("a", "a/1"))
	run := aRun("wf-1", "Orders", o.now.Add(time.Minute))
	run.State = amperity.StateSucceeded
	o.runs = append(o.runs, run)
	o.posts, o.sent = []answer{{run: run}, {run: aRun("wf-2", "Orders", o.now.Add(time.Minute))}}, 0
	o.arrive(o.arrivals("a", "a/2"))
	o.wait(20 * time.Minute)
	if !raced || o.sent != 1 {
		t.Errorf("released %t, %d requests, announced %q", raced, o.sent, o.news())
	}
}

// The answer to a file that waits for the launch in flight names that launch.
func TestAnswerNamesTheLaunchInFlight(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
	o.posts = []answer{noAnswer}
	o.arrive(o.arrivals("a", "a/1"))
	if res := o.arrive(o.arrivals("a", "a/2")); res.Outcome != record.Waiting || res.LaunchKey != "arrival/cg-1/2026-11-22/1" {
		t.Errorf("%+v", res)
	}
}

// A list reaches from a request to now, and once an hour over half an hour.
func TestListsReachAsFarAsNeeded(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.posts = []answer{noAnswer}
	sent := o.now
	o.launch(nil)
	o.wait(10 * time.Minute)
	if len(o.lists) == 0 {
		t.Fatal("no list")
	}
	for _, l := range o.lists {
		if l.CreatedFrom.Before(sent.Add(-time.Minute)) || !l.CreatedTo.IsZero() {
			t.Errorf("a list from %s to %s", l.CreatedFrom, l.CreatedTo)
		}
	}
	o.wait(4 * time.Hour)
	o.lists = nil
	o.wait(6 * time.Hour)
	if n := len(o.lists); n < 5 || n > 7 {
		t.Errorf("%d lists in six hours", n)
	}
	for _, l := range o.lists {
		if length := l.CreatedTo.Sub(l.CreatedFrom); length < 30*time.Minute || length > time.Hour {
			t.Errorf("an hourly list from %s to %s", l.CreatedFrom, l.CreatedTo)
		}
	}
}

// The hold for implausible dates counts the files that arrive after it.
func TestListCountsTheFilesAfterAHold(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.implausible()
	o.arrive(o.arrivals("orders/*", "orders/2", "orders/3"))
	list, _, err := o.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Cause.Files != 3 || len(list[0].Samples) != 3 {
		t.Errorf("%+v, %v", list, err)
	}
}

// A window of a newer version is an error of its item.
func TestUnreadableDueWindowIsAnError(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	const key = "window/cg-1/2026-11-22"
	if err := o.ledger.Put(t.Context(), "newer", ledger.Item{Key: key, Due: o.now, Doc: []byte(`{"format":2}`)}); err != nil {
		t.Fatal(err)
	}
	_, err := o.windows.Due(t.Context(), key)
	var document *record.DocumentError
	if !errors.As(err, &document) {
		t.Errorf("%v", err)
	}
}

// A further run is announced once, also if a third run comes later.
func TestEachFurtherRunIsAnnouncedOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.launch(nil)
	item, err := o.ledger.Get(t.Context(), "launch/"+scheduleKey)
	if err != nil {
		t.Fatal(err)
	}
	j, err := record.DecodeLaunch(item)
	if err != nil {
		t.Fatal(err)
	}
	j.AddRun(aRun("wf-2", "Orders", o.now))
	j.AddRun(aRun("wf-3", "Orders", o.now))
	j.Others[0].Run = nil // it is announced
	if item, err = j.NextItem(o.now); err != nil {
		t.Fatal(err)
	}
	if err := o.ledger.Put(t.Context(), "three", item); err != nil {
		t.Fatal(err)
	}
	o.ids = nil
	o.wait(2 * time.Minute)
	if want := []string{announcement.ID(announcement.RunStarted, scheduleKey, "wf-3")}; !slices.Equal(o.ids, want) {
		t.Errorf("announced %q, want %q", o.ids, want)
	}
}
