package launch_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/held"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// A repeated command changes nothing and answers with the state of the launch.
// It announces what could not be announced before.
func TestRepeatedCommandChangesNothing(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		say  func(o *office, w held.Command) (record.Result, error)
		news string
	}{
		"release": {func(o *office, w held.Command) (record.Result, error) { return o.Release(o.t.Context(), w) }, "Started [" + scheduleKey + ", hold ]"},
		"adopt":   {func(o *office, w held.Command) (record.Result, error) { return o.Adopt(o.t.Context(), w) }, "Started [" + scheduleKey + ", hold ]"},
		"discard": {func(o *office, w held.Command) (record.Result, error) { return o.Discard(o.t.Context(), w) }, "Discarded [" + scheduleKey + ", hold 1]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.posts = []answer{noAnswer, {run: aRun("wf-2", "Orders", o.now)}}
			o.launch(nil)
			o.runs = append(o.runs, aRun("wf-1", "Orders", o.now))
			o.wait(20 * time.Minute)
			o.mails, o.busErr = nil, errors.New("down")
			word := held.Command{Key: scheduleKey, HoldNumber: 1, RunID: "wf-1", Reason: "r"}
			first, err := row.say(o, word)
			if err != nil || len(o.mails) > 0 {
				t.Fatalf("answered %+v, %v", first, err)
			}
			o.busErr = nil
			res, err := row.say(o, word)
			if err != nil || res.Outcome != record.Duplicate || res.Recorded != first.Outcome || res.Warning == "" {
				t.Errorf("answered %+v, %v after %s", res, err, first.Outcome)
			}
			o.wantNews(row.news)
		})
	}
}

// An item that cannot be decoded, or has a later format, is an error and stays
// as it is.
func TestUndecodableItemIsAnError(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		before func(o *office)
		key    string
		do     func(o *office) error
	}{
		"the config id of a look": {func(o *office) {
			o.posts = []answer{noAnswer}
			o.launch(nil)
			o.now = o.now.Add(time.Hour)
		}, "config/cg-1", func(o *office) error { _, err := o.Reconcile(o.t.Context(), "launch/"+scheduleKey); return err }},
		"the window of files": {func(o *office) { o.halfAWindow() }, "window/cg-1/2026-11-22", func(o *office) error {
			_, err := o.windows.Arrive(o.t.Context(), *o.window, o.arrivals("b", "b/1"), o.now)
			return err
		}},
		"the config id of a released window": {func(o *office) {
			o.halfAWindow()
			o.wait(2 * time.Hour)
		}, "config/cg-1", func(o *office) error {
			_, err := o.Release(o.t.Context(), held.Command{Key: firstOfWindow, HoldNumber: 1})
			return err
		}},
		"the window of a rejected launch": {func(o *office) {
			o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
			o.posts = []answer{{err: status(400, 0)}, started}
			o.arrive(o.arrivals("a", "a/1"))
		}, "window/cg-1/2026-11-22", func(o *office) error {
			_, err := o.Release(o.t.Context(), held.Command{Key: firstOfWindow, HoldNumber: 1})
			return err
		}},
		"the launch of an adoption": {func(o *office) {
			o.posts = []answer{noAnswer}
			o.launch(nil)
			o.wait(20 * time.Minute)
		}, "launch/" + scheduleKey, func(o *office) error {
			_, err := o.Adopt(o.t.Context(), held.Command{Key: scheduleKey, HoldNumber: 1, RunID: "wf-1"})
			var failed *record.LedgerError
			if !errors.As(err, &failed) {
				o.t.Errorf("adopted: %v", err)
			}
			return err
		}},
		"the launch that a window has forgotten": {func(o *office) {
			o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
			o.posts = []answer{{run: over("wf-1", "Orders", o.now)}}
			o.runs = []*amperity.Run{o.posts[0].run}
			o.arrive(o.arrivals("a", "a/1"))
			o.ledger.Expire("window/cg-1/2026-11-22")
		}, "launch/" + firstOfWindow, func(o *office) error {
			_, err := o.windows.Arrive(o.t.Context(), *o.window, o.arrivals("a", "a/2"), o.now)
			return err
		}},
	} {
		for _, how := range []string{"of a later version", "unreadable"} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				o := newOffice(t)
				row.before(o)
				if how == "unreadable" && row.key == "launch/"+firstOfWindow {
					return // no function reads it alone
				}
				if how == "unreadable" {
					o.getErr = func(key string) error {
						if key == row.key {
							return errThrottled
						}
						return nil
					}
				} else {
					item, err := o.ledger.Get(t.Context(), row.key)
					if err != nil {
						t.Fatal(err)
					}
					item.Doc = []byte(`{"format":2}`)
					if err := o.ledger.Put(t.Context(), "newer", item); err != nil {
						t.Fatal(err)
					}
				}
				sent, mails := o.sent, len(o.mails)
				err := row.do(o)
				if err == nil || how == "unreadable" && !errors.Is(err, errThrottled) || o.sent > sent || len(o.mails) > mails {
					t.Errorf("%v, %d requests, announced %q", err, o.sent-sent, o.mails[mails:])
				}
			})
		}
	}
}

// A run without name, type or principal does not define the identity of a
// config id's runs.
func TestIdentityNeedsNameTypeAndPrincipal(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(r *amperity.Run){
		"no name":      func(r *amperity.Run) { r.Name = "" },
		"no type":      func(r *amperity.Run) { r.Type = "" },
		"no principal": func(r *amperity.Run) { r.PrincipalID = "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			known := aRun("wf-0", "Orders", o.now)
			change(known)
			o.posts, o.runs = []answer{{run: known}, noAnswer}, []*amperity.Run{known}
			o.launch(func(l *launch.Launch) { l.Key = otherKey })
			o.now = o.now.Add(time.Minute)
			o.launch(nil)
			o.runs = append(o.runs, aRun("wf-1", "Orders", o.now))
			o.wait(20 * time.Minute)
			o.wantNews("Started ["+otherKey+", hold ]", "Held ["+scheduleKey+", hold 1]")
			if d := cmp.Diff([]string{"wf-1"}, o.named); d != "" {
				t.Errorf("named (-want +got)\n%s", d)
			}
		})
	}
}

// One request starts one run, so of two found runs none is adopted.
func TestTwoRunsForOneRequestAreHeld(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	o.posts = []answer{noAnswer}
	o.launch(nil)
	o.runs = append(o.runs, aRun("wf-1", "Orders", o.now), aRun("wf-2", "Orders", o.now))
	o.wait(20 * time.Minute)
	o.wantNews("Held [" + scheduleKey + ", hold 1]")
}

// An instance does not query again what it remembers.
func TestInstanceQueriesOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	controls := 0
	o.getErr = func(key string) error {
		if key == "control" {
			controls++
		}
		return nil
	}
	o.posts = []answer{{run: aRun("wf-1", "Orders", o.now)}, noAnswer}
	o.launch(func(l *launch.Launch) { l.Key = otherKey })
	if controls > 0 {
		t.Errorf("read the control run %d times", controls)
	}
	o.launch(nil)
	theirs := aRun("wf-2", "Orders", o.now)
	theirs.PrincipalID = "user-1"
	o.runs = append(o.runs, o.posts[0].run, theirs)
	reads := 0
	o.queryErr = func(id string) error {
		if id == "wf-2" {
			reads++
		}
		return nil
	}
	o.wait(10 * time.Minute)
	if reads != 1 {
		t.Errorf("read another principal's run %d times", reads)
	}
}

// A request that was certainly not processed leaves no doubt, and no other
// launch waits for it.
func TestBlockedLaunchLeavesNoDoubt(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	o.posts = []answer{{err: status(401, 0)}}
	o.launch(func(l *launch.Launch) { l.Key = otherKey })
	o.posts, o.sent = []answer{noAnswer, {run: aRun("wf-2", "Orders", o.now)}}, 0
	o.launch(nil)
	o.runs = append(o.runs, over("wf-1", "Orders", o.now))
	o.now = o.now.Add(time.Minute)
	if _, err := o.Reconcile(t.Context(), "launch/"+scheduleKey); err != nil {
		t.Fatal(err)
	}
	o.wantNews("Started [" + scheduleKey + ", hold ]")
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
	if res := o.arrive(o.arrivals("a", "a/1")); res.Outcome != record.Started {
		t.Errorf("answered %+v", res)
	}
}

// A late answer that cannot be recorded is not announced.
func TestLateAnswerIsAnnouncedOnceItIsRecorded(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.posts = []answer{{run: aRun("wf-1", "Orders", o.now)}}
	o.meanwhile = func() {
		o.wait(10 * time.Minute)
		writes := 0
		o.putErr = func(items []ledger.Item) error {
			if len(items) > 2 { // the launch, its config id and the run
				writes++
			}
			if len(items) > 2 && writes > 1 { // the first finds a newer version
				return errThrottled
			}
			return nil
		}
	}
	res := o.launch(nil)
	if res.Warning == "" || len(o.mails) > 0 {
		t.Errorf("answered %+v, announced %q", res, o.mails)
	}
}

// A launch whose outcome is delivered to its window and the bus is never due
// again.
func TestDeliveredLaunchIsNeverDue(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
	o.arrive(o.arrivals("a", "a/1"))
	for row := range o.ledger.Due(t.Context(), o.now.Add(1000*time.Hour)) {
		t.Errorf("%s is still due", row.Key)
	}
}

// Announcements name the schedule or the first file as their resource.
func TestAnnouncementsNameTheirResource(t *testing.T) {
	t.Parallel()
	o, b := newOffice(t), &bus{}
	o.Announcer = b
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
	o.arrive(o.arrivals("a", "a/1"))
	o.posts = []answer{{}, {run: aRun("wf-2", "Orders", o.now)}, {err: status(401, 0)}}
	o.launch(nil)
	o.launch(func(l *launch.Launch) { l.Key = otherKey })
	o.wait(10 * time.Minute)
	var got []string
	for _, a := range b.announced {
		got = append(got, fmt.Sprint(a.Type, " ", a.Resources))
	}
	want := []string{
		"Amperity Workflow Run Started [arn:aws:s3:::b/a/1]",
		"Amperity Workflow Run Started [" + request().Resource + "]",
		"Amperity Workflow Run Blocked [" + request().Resource + "]",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// The announcement of a hold for implausible dates names the files.
func TestHoldOfImplausibleDatesNamesTheFiles(t *testing.T) {
	t.Parallel()
	o, b := newOffice(t), &bus{}
	o.Announcer = b
	o.window = &record.WindowSpec{ConfigID: "cg-1", Period: "implausible-day-2026-11-22T06:00:00Z", Route: "orders", Rules: window.Rules{Hash: "1", HoldReason: announcement.ReasonImplausibleDate},
		Request: amperity.RunRequest{ConfigID: "cg-1"}}
	o.arrive(o.arrivals("orders/*", "orders/1", "orders/2"))
	want := &announcement.Window{ConfigID: "cg-1", Period: o.window.Period, Route: "orders", Files: 2, Samples: []string{"s3://b/orders/1", "s3://b/orders/2"}}
	if len(b.announced) != 1 {
		t.Fatalf("announced %+v", b.announced)
	}
	if d := cmp.Diff(want, b.announced[0].Detail.Window); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// Expect also takes a window that files have created after its deadline.
func TestExpectCoversAnExistingWindow(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow("", window.Entry{Pattern: "a"}, window.Entry{Pattern: "b"})
	o.window.Rules.Settle, o.window.Rules.Deadline = time.Minute, o.now.Add(-time.Hour)
	o.arrive(o.arrivals("a", "a/1"))
	o.wait(5 * time.Minute)
	o.wantNews() // it was made after its deadline
	if err := o.windows.Expect(t.Context(), *o.window); err != nil {
		t.Fatal(err)
	}
	o.wait(5 * time.Minute)
	o.wantNews("Amperity Files Missing [" + firstOfWindow + ", hold 1]")
}

// Since is when a launch was held, not when it was claimed.
func TestHeldSinceIsTheTimeOfTheHold(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.posts = []answer{noAnswer}
	o.launch(nil)
	o.wait(30 * time.Minute)
	list, _, err := o.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Since != "2026-11-22T06:16:00Z" {
		t.Errorf("listed %+v, %v", list, err)
	}
}

// A file that arrives while the outcome is recorded in the window delays
// nothing.
func TestWindowUpdateSurvivesAConcurrentFile(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
	raced := false
	o.putErr = func(items []ledger.Item) error {
		if o.sent > 0 && len(items) == 1 && strings.HasPrefix(items[0].Key, "window/") && !raced {
			raced = true
			o.arrive(o.arrivals("a", "a/2"))
		}
		return nil
	}
	if res := o.arrive(o.arrivals("a", "a/1")); res.Outcome != record.Started || res.Warning != "" || !raced {
		t.Errorf("raced %t, answered %+v", raced, res)
	}
}

// The ledger remembers a launch for 50 days after its end.
func TestEndedLaunchExpires(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]answer{"started": started, "rejected": {err: status(400, 0)}} {
		o := newOffice(t)
		o.posts = []answer{a}
		o.launch(nil)
		item, err := o.ledger.Get(t.Context(), "launch/"+scheduleKey)
		if want := o.now.AddDate(0, 0, 50); err != nil || !item.Expires.Equal(want) {
			t.Errorf("%s: expires %s, want %s, %v", name, item.Expires, want, err)
		}
	}
}
