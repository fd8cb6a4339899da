package launch_test

import (
	"context"
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

// Sequences that have broken the launcher.

// A release that cannot be sent yet is retried, and is not held again.
func TestReleaseResumesAfterABlock(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		refused answer
		paused  bool
	}{
		"too many requests":    {refused: answer{err: status(429, 0)}},
		"an expired token":     {refused: answer{err: status(401, 0)}},
		"a group that is busy": {refused: answer{err: status(409, 0)}},
		"paused":               {paused: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.posts = []answer{noAnswer, row.refused}
			o.launch(nil)
			o.wait(20 * time.Minute) // held
			o.Paused = row.paused
			res, err := o.Release(t.Context(), held.Command{Key: scheduleKey, HoldNumber: 1})
			if err != nil || res.Outcome != record.Unknown {
				t.Fatalf("answered %+v, %v", res, err)
			}
			o.wait(2 * time.Hour)
			o.Paused, o.posts = false, []answer{started}
			o.wait(30 * time.Minute)
			if last := o.mails[len(o.mails)-1]; !strings.HasPrefix(last, "Amperity Workflow Run Started") {
				t.Errorf("the last mail is\n%s", last)
			}
		})
	}
}

// halfAWindow makes a window for a and b with a deadline at seven, in an hour.
// Of its files, a has arrived.
func (o *office) halfAWindow() {
	o.window = aWindow("", window.Entry{Pattern: "a"}, window.Entry{Pattern: "b"})
	o.window.Rules.Settle, o.window.Rules.Deadline = time.Minute, o.now.Add(time.Hour)
	o.arrive(o.arrivals("a", "a/1"))
}

// A window with some of its files is in the list of what waits for the
// operator.
func TestWindowWithSomeFilesIsListed(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.halfAWindow()
	o.wait(3 * time.Hour)
	listed := func(key string) {
		t.Helper()
		list, more, err := o.List(t.Context())
		if err != nil || more || len(list) != 1 || list[0].Reason != announcement.ReasonFilesMissing || list[0].LaunchKey != key ||
			list[0].Since != "2026-11-22T07:00:00Z" {
			t.Errorf("listed %+v, more %t, error %v", list, more, err)
		}
	}
	listed("arrival/cg-1/2026-11-22/1")
	// After a discard the window waits for the operator only once files arrive.
	if res, err := o.Discard(t.Context(), held.Command{Key: "arrival/cg-1/2026-11-22/1", HoldNumber: 1, Reason: "r"}); err != nil || res.Outcome != record.Discarded {
		t.Fatalf("answered %+v, %v", res, err)
	}
	o.wait(time.Hour)
	if list, _, err := o.List(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("listed %+v, %v", list, err)
	}
	o.arrive(o.arrivals("a", "a/2"))
	o.wait(time.Hour)
	listed("arrival/cg-1/2026-11-22/2")
	if o.sent > 0 {
		t.Error("a request was sent before its files were there")
	}
	o.arrive(o.arrivals("b", "b/1"))
	o.wait(time.Hour)
	if o.sent != 1 {
		t.Errorf("sent %d requests", o.sent)
	}
}

// Files that arrived before a rejection need no launch of their own, unless
// they could not be counted. Later files need one.
func TestRejectionCoversEarlierFiles(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		hidden bool // the window, when the launch is rejected
		sent   int
	}{"it is counted": {false, 1}, "it cannot be counted": {true, 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.window = aWindow("", window.Entry{Pattern: "a"})
			o.posts = []answer{{err: status(400, 0)}}
			o.meanwhile = func() {
				o.arrive(o.arrivals("a", "a/2"))
				if row.hidden {
					o.getErr = func(key string) error {
						if strings.HasPrefix(key, "window/") {
							o.getErr = nil
							return errThrottled
						}
						return nil
					}
				}
			}
			o.arrive(o.arrivals("a", "a/1"))
			o.wait(time.Hour)
			if o.sent != row.sent {
				t.Errorf("sent %d requests instead of %d: %s", o.sent, row.sent, strings.Join(o.mails, "\n"))
			}
			o.arrive(o.arrivals("a", "a/3"))
			o.wait(time.Hour)
			if o.sent != row.sent+1 {
				t.Errorf("sent %d requests instead of %d, after another file", o.sent, row.sent+1)
			}
		})
	}
}

// While the bus is down, the list shows since when files are missing.
func TestMissingFilesAreListedWhileTheBusIsDown(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.halfAWindow()
	o.busErr = errors.New("the bus is gone")
	o.wait(2 * time.Hour)
	list, _, err := o.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Since != "2026-11-22T07:00:00Z" {
		t.Errorf("listed %+v, %v", list, err)
	}
}

// Windows behind a blocked launch resume automatically after an outage of any
// length.
func TestWindowsBehindABlockedLaunchResume(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.posts = []answer{{err: status(401, 0)}}
	for _, period := range []string{"2026-11-22T06:00:00Z", "2026-11-22T07:00:00Z"} {
		o.window = aWindow("", window.Entry{Pattern: "a"})
		o.window.Period, o.window.Rules.Length, o.window.Rules.Settle = period, time.Hour, time.Minute
		o.arrive(o.arrivals("a", "a/"+period))
		o.wait(10 * time.Minute)
	}
	o.wait(40 * time.Hour)
	o.posts = []answer{started}
	o.wait(5 * time.Hour)
	held, begun := 0, 0
	for _, m := range o.mails {
		if strings.HasPrefix(m, "Amperity Workflow Run Held") {
			held++
		}
		if strings.HasPrefix(m, "Amperity Workflow Run Started") {
			begun++
		}
	}
	if held > 0 || begun == 0 {
		t.Errorf("%d are held, %d are started: %s", held, begun, strings.Join(o.mails, "\n"))
	}
}

// turns is a Pacer that counts the turns.
type turns int

func (n *turns) TakeTurn() bool { *n++; return true }

func (n *turns) Wait(context.Context) error { *n++; return nil }

// Each query of Amperity waits for its turn.
func TestEachQueryIsPaced(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.posts = []answer{noAnswer}
	o.launch(nil)
	for i := range 3 {
		o.runs = append(o.runs, aRun(fmt.Sprint("wf-", i), "Orders", o.now))
	}
	var n turns
	o.pacer = &n
	o.wait(time.Minute)
	if want := turns(1 + 1 + len(o.runs)); n != want { // the list, what would be its next page, and each run
		t.Errorf("waited for %d turns instead of %d", n, want)
	}
}

// Three sweeps that continue after a crash hit the rate limit. Each retries its
// query in place, and none starts its lookup over.
func TestRateLimitedQueryIsRetried(t *testing.T) {
	t.Parallel()
	for _, of := range []string{"", "wf-0", "wf-1"} {
		t.Run("of "+of, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.posts = []answer{noAnswer}
			o.launch(nil)
			for i := range 2 {
				o.runs = append(o.runs, aRun(fmt.Sprint("wf-", i), "Orders", o.now))
			}
			questions, from := map[string]int{}, o.now
			o.queryErr = func(id string) error {
				if questions[id]++; id == of && questions[id] < 3 {
					return status(429, time.Second)
				}
				return nil
			}
			o.wait(time.Minute)
			if questions[of] != 3 || questions[""]+questions["wf-0"]+questions["wf-1"] != 5 {
				t.Errorf("asked %v", questions)
			}
			o.wait(16 * time.Minute)
			if len(o.mails) != 1 || !strings.Contains(o.mails[0], "Held") {
				t.Errorf("%s after %v: %v", o.mails, o.now.Sub(from), questions)
			}
		})
	}
}

// A window queries the run it waits for once per look, without retries.
func TestRunEndIsQueriedOncePerLook(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
	o.window.Rules.Settle = time.Minute
	o.arrive(o.arrivals("a", "a/1"))
	o.wait(5 * time.Minute)
	o.arrive(o.arrivals("a", "a/2"))
	looks, asked := 0, 0
	o.queryErr = func(string) error {
		if asked++; asked > looks {
			t.Errorf("asked %d times in %d minutes", asked, looks)
		}
		return status(429, time.Second)
	}
	for range 20 {
		looks++
		o.wait(time.Minute)
	}
	if asked == 0 {
		t.Error("never asked")
	}
}

// A release waits while lookups in Amperity fail, but not forever.
func TestReleaseWithFailingLookupsIsHeldAgain(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		outage time.Duration
		want   string
	}{
		"a night": {10 * time.Hour, "Amperity Workflow Run Started"},
		"forever": {100 * time.Hour, "Amperity Workflow Run Held in tenant acme (unknown_outcome): no answer came to the request, and the release of hold 1 could not be carried out for a day, so that nothing was sent for it: POST /workflow/runs: 503"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.posts = []answer{noAnswer}
			o.launch(nil)
			o.queryErr = func(string) error { return status(503, 0) }
			o.wait(20 * time.Minute) // held
			o.posts = []answer{{err: status(429, 0)}}
			if _, err := o.Release(t.Context(), held.Command{Key: scheduleKey, HoldNumber: 1}); err != nil {
				t.Fatal(err)
			}
			o.posts = []answer{started}
			o.wait(row.outage)
			o.queryErr = nil
			o.wait(time.Hour)
			if last := o.mails[len(o.mails)-1]; len(o.mails) != 2 || !strings.HasPrefix(last, row.want) {
				t.Errorf("%d mails, the last %s", len(o.mails), last)
			}
		})
	}
}

// A release expires after a day. Until then the launch is counted as blocked,
// and announced as blocked if it cannot have a run.
func TestBlockedReleaseIsHeldAgain(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		posts []answer // the first before the release, the others after it
		told  string
		held  string
	}{
		"with a request before": {[]answer{noAnswer, {err: status(409, 0)}}, "", "Amperity Workflow Run Held in tenant acme (unknown_outcome): no answer came to the request, " +
			"and the release of hold 1 could not be carried out for a day, so that nothing was sent for it: POST /workflow/runs: 409 Conflict"},
		"without one": {[]answer{{err: status(400, 0)}, {err: status(409, 0)}}, "Amperity Workflow Run Blocked in tenant acme (busy)", "Amperity Workflow Run Held in tenant acme (too_old): the run was wanted until 2026-11-23T06:20:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.posts = row.posts
			o.launch(nil)
			o.wait(20 * time.Minute) // held, or rejected
			o.mails = nil
			if _, err := o.Release(t.Context(), held.Command{Key: scheduleKey, HoldNumber: 1}); err != nil {
				t.Fatal(err)
			}
			o.wait(30 * time.Minute)
			if !strings.HasPrefix(strings.Join(o.mails, ""), row.told) || row.told == "" && len(o.mails) > 0 || strings.Count(o.logged.String(), `"StaysBlocked":1`) != 1 {
				t.Errorf("after half an hour: %q", o.mails)
			}
			o.mails = nil
			o.wait(10 * 24 * time.Hour)
			if len(o.mails) != 1 || !strings.HasPrefix(o.mails[0], row.held) {
				t.Errorf("after ten days: %q", o.mails)
			}
			if o.sent > 450 {
				t.Errorf("%d requests", o.sent)
			}
		})
	}
}

// A list without the run, after lists that have shown it, does not prove that
// there is none.
func TestListedRunDelaysTheRetry(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.posts = []answer{noAnswer, started}
	o.launch(func(l *launch.Launch) { l.IfUnknown = record.Retry })
	o.wait(3 * time.Minute) // no run is listed yet
	runs := []*amperity.Run{aRun("wf-9", "Orders", o.now.Add(-3*time.Minute))}
	o.runs, o.queryErr = runs, func(id string) error {
		if id != "" {
			return status(503, 0)
		}
		return nil
	}
	o.wait(13 * time.Minute)
	o.runs = nil
	o.wait(2 * time.Minute)
	o.runs = runs
	o.wait(20 * time.Minute)
	if o.sent != 1 || len(o.mails) != 1 || !slices.Equal(o.named, []string{"wf-9"}) {
		t.Errorf("%d requests, %q, of %q", o.sent, o.mails, o.named)
	}
}

// A launch with two requests may have a second run, even after its first run
// has ended. No other launch adopts it.
func TestLateSecondRunIsNotAdoptedByTheNextLaunch(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
	o.window.IfUnknown, o.window.Rules.Settle = record.Retry, time.Minute
	o.posts = []answer{noAnswer, {run: aRun("wf-2", "Orders", o.now.Add(19*time.Minute))}, noAnswer}
	o.arrive(o.arrivals("a", "a/1"))
	o.wait(25 * time.Minute)
	over := aRun("wf-2", "Orders", o.now.Add(-6*time.Minute))
	over.State = amperity.StateSucceeded
	o.runs = []*amperity.Run{over}
	o.window.Period = "2026-11-23"
	o.arrive(o.arrivals("a", "b/1"))
	for range 60 {
		if o.sent == 3 {
			break
		}
		o.wait(time.Minute)
	}
	if o.sent != 3 {
		t.Fatalf("%d requests within an hour", o.sent)
	}
	o.runs = append(o.runs, aRun("wf-1", "Orders", o.now)) // of the very first request
	o.wait(20 * time.Minute)
	if last := o.mails[len(o.mails)-1]; !strings.HasPrefix(last, "Amperity Workflow Run Held") || !slices.Equal(o.named, []string{"wf-1"}) {
		t.Errorf("%q, of %q", o.mails, o.named)
	}
}

// A launch is held 15 minutes after its first lookup, even if the lookups
// alternate between no run, a doubtful run and an error.
func TestDifferingLookupsHoldAfter15Minutes(t *testing.T) {
	t.Parallel()
	doubtful := aRun("wf-1", "Orders", time.Date(2026, 11, 22, 6, 0, 30, 0, time.UTC))
	down := func(string) error { return status(503, 0) }
	for name, look := range map[string]func(o *office, minute int){
		"down, then up, then down": func(o *office, minute int) {
			o.queryErr = down
			if 10 <= minute && minute < 12 {
				o.queryErr = nil
			}
		},
		"a run that only some lists show": func(o *office, minute int) {
			o.runs = []*amperity.Run{doubtful}[:minute/2%2]
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.posts = []answer{noAnswer}
			o.launch(nil)
			for minute := range 15 {
				look(o, minute)
				o.wait(time.Minute)
			}
			if len(o.mails) > 0 {
				t.Errorf("after 15 minutes: %q", o.mails)
			}
			for minute := range 3 {
				look(o, 15+minute)
				o.wait(time.Minute)
			}
			if len(o.mails) != 1 || !strings.HasPrefix(o.mails[0], "Amperity Workflow Run Held") {
				t.Errorf("after 18 minutes: %q", o.mails)
			}
		})
	}
}

// A released request without an answer waits no longer than any other request.
func TestUnansweredReleaseIsHeldAgainSoon(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.posts = []answer{noAnswer}
	o.launch(nil)
	o.wait(20 * time.Minute)
	o.queryErr = func(string) error { return status(503, 0) }
	if _, err := o.Release(t.Context(), held.Command{Key: scheduleKey, HoldNumber: 1}); err != nil {
		t.Fatal(err)
	}
	o.wait(20 * time.Minute)
	if len(o.mails) != 2 || o.sent != 2 {
		t.Errorf("%d requests, %q", o.sent, o.mails)
	}
}

// An outcome that cannot be announced is counted after 15 minutes.
func TestUndeliveredOutcomeIsCounted(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.busErr = errors.New("AccessDenied")
	o.posts = []answer{{err: status(400, 0)}}
	o.launch(nil)
	o.wait(14 * time.Minute)
	const untold = `"msg":"outcome not delivered"`
	if n := strings.Count(o.logged.String(), untold); n > 0 {
		t.Errorf("counted %d times after 14 minutes", n)
	}
	o.wait(10 * time.Minute)
	if n := strings.Count(o.logged.String(), untold); n < 8 || n != strings.Count(o.logged.String(), `"StaysUndone":1`) {
		t.Errorf("counted %d times", n)
	}
	o.busErr = nil
	o.wait(5 * time.Minute)
	if len(o.mails) != 1 {
		t.Errorf("%q", o.mails)
	}
}

// A list that starts over after a 429 counts each run once.
func TestRestartedListCountsEachRunOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.posts = []answer{{run: aRun("wf-known", "Orders", o.now)}, noAnswer}
	o.launch(func(l *launch.Launch) { l.Key = "manual/cg-1/a" }) // what runs look like
	o.now = o.now.Add(time.Minute)
	o.launch(nil)
	o.runs = []*amperity.Run{o.posts[0].run, aRun("wf-mine", "Orders", o.now)}
	asked := 0
	o.secondPageErr = func() error {
		if asked++; asked == 1 {
			return status(429, time.Second)
		}
		return nil
	}
	o.wait(3 * time.Minute)
	if last := o.mails[len(o.mails)-1]; asked < 2 || !strings.HasPrefix(last, "Amperity Workflow Run Started") {
		t.Errorf("asked %d times for the second page: %q", asked, o.mails)
	}
}

// A lookup whose list is readable but whose runs are not is not repeated
// forever. The hold names the runs.
func TestUnreadableCandidatesAreHeld(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"too many": status(429, time.Second), "too many, for long": status(429, time.Hour), "gone": status(404, 0), "down": status(503, 0),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.posts = []answer{noAnswer}
			o.launch(nil)
			o.runs = []*amperity.Run{aRun("wf-1", "Orders", o.now), aRun("wf-2", "Orders", o.now)}
			asked := 0
			o.queryErr = func(id string) error {
				if id != "" {
					asked++
					return err
				}
				return nil
			}
			o.wait(70 * time.Minute)
			if once := !errors.Is(err, amperity.ErrRateLimited); once && asked > 70 {
				t.Errorf("asked %d times", asked)
			}
			if len(o.mails) != 1 || !strings.Contains(o.mails[0], "Held") || !slices.Equal(o.named, []string{"wf-1", "wf-2"}) {
				t.Errorf("%q, of %q", o.mails, o.named)
			}
		})
	}
}

// A launch that was held for long does not adopt a run whose owner the ledger
// has forgotten.
func TestRunOfAForgottenLaunchIsNotAdopted(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	old := aRun("wf-old", "Orders", o.now.Add(time.Hour))
	o.posts = []answer{noAnswer, {run: aRun("wf-known", "Orders", o.now)}, noAnswer}
	o.launch(nil)
	o.wait(20 * time.Minute)
	o.launch(func(l *launch.Launch) { l.Key = "manual/cg-1/a" }) // what runs look like
	o.runs = []*amperity.Run{old}
	o.now = o.now.Add(52 * 24 * time.Hour)
	if _, err := o.Release(t.Context(), held.Command{Key: scheduleKey, HoldNumber: 1}); err != nil {
		t.Fatal(err)
	}
	o.wait(time.Hour)
	if i := slices.IndexFunc(o.mails, func(m string) bool { return strings.Contains(m, "wf-old") }); i >= 0 {
		t.Errorf("it was: %s", o.mails[i])
	}
}

// A launch that cannot be marked is an error of the sweep, so that it is not
// retried every minute forever.
func TestFailedMarkIsAnError(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	if err := o.ledger.Put(t.Context(), "newer", ledger.Item{Key: "config/cg-1", Doc: []byte(`{"format":2}`)}); err != nil {
		t.Fatal(err)
	}
	o.launch(nil)
	o.now = o.now.Add(time.Hour)
	_, err := o.Reconcile(t.Context(), "launch/"+scheduleKey)
	var document *record.DocumentError
	if !errors.As(err, &document) {
		t.Errorf("got %v", err)
	}
}

// No other place has Amperity's answer, so failed writes and a failed read after
// them must not lose it (found by the simulation).
func TestAnswerSurvivesAFailedRead(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	writes, reads := 0, 0
	o.putErr = func([]ledger.Item) error {
		if o.sent == 1 && reads == 0 {
			writes++
			return ledger.ErrThrottled
		}
		return nil
	}
	o.getErr = func(key string) error {
		if o.sent == 1 && reads == 0 && key == "config/cg-1" {
			reads++
			return ledger.ErrThrottled
		}
		return nil
	}
	res := o.launch(func(l *launch.Launch) { l.Request.ConfigID = "cg-1" })
	if res.Outcome != record.Started || res.Warning != "" || writes == 0 || reads != 1 {
		t.Errorf("%d writes and %d reads failed, and the answer is %+v", writes, reads, res)
	}
}
