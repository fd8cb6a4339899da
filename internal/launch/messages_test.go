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

// Each mail says what happened and what to do.
func TestMailsSayWhatHappenedAndWhatToDo(t *testing.T) {
	t.Parallel()
	one := window.Entry{Pattern: "orders/*", Count: 1}
	four := window.Entry{Pattern: "lines/*", Count: 4}
	for _, row := range []struct {
		name string
		do   func(o *office)
		want []string
	}{
		{"a request that Amperity refuses", func(o *office) {
			o.posts = []answer{{err: status(404, 0)}}
			o.launch(nil)
		}, []string{"Amperity Workflow Run Rejected in tenant acme (refused): POST /workflow/runs: 404 Not Found: no (request id r-1); " +
			"no run was started: fix what Amperity names, then release the launch to start it (amperity-runs held) [" + scheduleKey + ", hold 1]"}},

		{"a request that is wrong in itself", func(o *office) {
			o.posts = []answer{{err: &amperity.RequestError{Problems: []amperity.Problem{{Field: "config_id", Message: "is missing"}}}}}
			o.launch(nil)
		}, []string{"Amperity Workflow Run Rejected in tenant acme (invalid_input): invalid request: config_id is missing; " +
			"no run was started: correct the request where it is written, a schedule, a rule, a call or a route, then start the run by hand [" + scheduleKey + ", hold 1]"}},

		{"another input with the key of a launch", func(o *office) {
			o.launch(nil)
			o.launch(func(l *launch.Launch) { l.InputHash = "other" })
		}, []string{
			"Amperity Workflow Run Started in tenant acme (): ;  [" + scheduleKey + ", hold ]",
			"Amperity Workflow Run Rejected in tenant acme (invalid_input): launch " + scheduleKey + " already exists with a different input (outcome: started); this input was ignored; " +
				"nothing was started for this input: give it another idempotency_key, or another scheduled_time, if it is another run [, hold ]",
		}},

		{"no connection for more than five minutes", func(o *office) {
			o.posts = []answer{{err: refused()}}
			o.launch(nil)
			o.wait(15 * time.Minute)
		}, []string{"Amperity Workflow Run Blocked in tenant acme (unreachable): POST /workflow/runs: not sent: connection refused; " +
			"no run was started: the launch is retried automatically, about every 15 minutes [" + scheduleKey + ", hold ]"}},

		{"no connection, and then a token that is refused", func(o *office) {
			o.posts = []answer{{err: refused()}}
			o.launch(nil)
			o.wait(15 * time.Minute)
			o.posts = []answer{{err: status(401, 0)}}
			o.wait(time.Hour)
		}, []string{"Amperity Workflow Run Blocked in tenant acme (unreachable): POST /workflow/runs: not sent: connection refused; " +
			"no run was started: the launch is retried automatically, about every 15 minutes [" + scheduleKey + ", hold ]",
			"Amperity Workflow Run Blocked in tenant acme (unauthorized): POST /workflow/runs: 401 Unauthorized: no (request id r-1); " +
				"no run was started: renew the token, or fix the secret that holds it; the launch then resumes automatically within about 15 minutes [" + scheduleKey + ", hold ]"}},

		{"a token that is refused, until it is too late", func(o *office) {
			o.posts = []answer{{err: status(401, 0)}}
			o.launch(func(l *launch.Launch) { l.NotAfter = o.now.Add(20 * time.Minute) })
			o.wait(40 * time.Minute)
		}, []string{
			"Amperity Workflow Run Blocked in tenant acme (unauthorized): POST /workflow/runs: 401 Unauthorized: no (request id r-1); " +
				"no run was started: renew the token, or fix the secret that holds it; the launch then resumes automatically within about 15 minutes; " +
				"if it still cannot be sent at 2026-11-22T06:20:00Z, it is held for the operator [" + scheduleKey + ", hold ]",
			"Amperity Workflow Run Held in tenant acme (too_old): the run was wanted until 2026-11-22T06:20:00Z, and it is 2026-11-22T06:30:00Z; until then it was blocked (unauthorized); " +
				"nothing was sent to Amperity for this launch: release it to start it now, or discard it (amperity-runs held) [" + scheduleKey + ", hold 1]",
		}},

		{"no answer, and no run in the list", func(o *office) {
			o.posts = []answer{noAnswer}
			o.launch(nil)
			o.wait(20 * time.Minute)
		}, []string{"Amperity Workflow Run Held in tenant acme (unknown_outcome): " +
			"the request was sent and no answer came; Amperity's list of runs has shown no run of it for 15 minutes, but one may still appear (sent 2026-11-22T06:00:00Z); " + lookForIt + " [" + scheduleKey + ", hold 1]"}},

		{"no answer, and a run that may be its", func(o *office) {
			o.posts = []answer{noAnswer}
			o.launch(nil)
			o.runs = []*amperity.Run{aRun("wf-7", "Orders", o.now)}
			o.wait(17 * time.Minute)
		}, []string{"Amperity Workflow Run Held in tenant acme (unknown_outcome): " +
			"the request was sent and no answer came; Amperity has one run that may be this launch's, but that is not certain (sent 2026-11-22T06:00:00Z); " + hintCandidatesWhole + " [" + scheduleKey + ", hold 1]"}},

		{"no answer, and several runs", func(o *office) {
			o.posts = []answer{noAnswer}
			o.launch(nil)
			o.runs = []*amperity.Run{aRun("wf-7", "Orders", o.now), aRun("wf-8", "Lines", o.now)}
			o.wait(17 * time.Minute)
		}, []string{"Amperity Workflow Run Held in tenant acme (unknown_outcome): " +
			"the request was sent and no answer came; Amperity has 2 runs that may be this launch's (sent 2026-11-22T06:00:00Z); " +
			"look at wf-7, wf-8 on the Workflows page in Amperity: adopt the run that is this launch's; if none is, " + answerIt + " [" + scheduleKey + ", hold 1]"}},

		{"no answer, and more runs than a look reads", func(o *office) {
			o.posts = []answer{noAnswer}
			o.launch(nil)
			for i := range 25 {
				o.runs = append(o.runs, aRun(fmt.Sprint("wf-", i), "Orders", o.now))
			}
			o.wait(20 * time.Minute)
		}, []string{"Amperity Workflow Run Held in tenant acme (unknown_outcome): the request was sent and no answer came, and for 15 minutes Amperity could not tell whether there is a run: " +
			"the list shows more runs of this name than one lookup reads; the next lookup skips those of other API keys" + " (sent 2026-11-22T06:00:00Z); " +
			"look at " + strings.Join(ids(20), ", ") + " on the Workflows page in Amperity: adopt the run that is this launch's; if none is, " + answerIt + " [" + scheduleKey + ", hold 1]"}},

		{"no answer, and no list either", func(o *office) {
			o.posts = []answer{noAnswer}
			o.launch(nil)
			o.queryErr = func(string) error { return &amperity.APIError{Method: "GET", Path: "/workflow/runs", Status: 503} }
			o.wait(20 * time.Minute)
		}, []string{"Amperity Workflow Run Held in tenant acme (unknown_outcome): " +
			"the request was sent and no answer came, and for 15 minutes Amperity could not tell whether there is a run: GET /workflow/runs: 503 Service Unavailable (sent 2026-11-22T06:00:00Z); " + lookForIt + " [" + scheduleKey + ", hold 1]"}},

		{"no answer, and a list that lacks a run", func(o *office) {
			o.posts = []answer{{run: aRun("wf-1", "Orders", o.now)}, noAnswer}
			o.launch(func(l *launch.Launch) { l.Key = "manual/cg-1/a" })
			o.launch(nil)
			o.wait(20 * time.Minute)
			o.mails = o.mails[1:]
		}, []string{"Amperity Workflow Run Held in tenant acme (unknown_outcome): " +
			"the request was sent and no answer came, and for 15 minutes Amperity could not tell whether there is a run: the list of runs does not show the run wf-1, which is known to be there (sent 2026-11-22T06:00:00Z); " + hintHeldWhole + " [" + scheduleKey + ", hold 1]"}},

		{"no answer, and then a refusal", func(o *office) {
			o.posts = []answer{noAnswer, {err: status(400, 0)}}
			o.launch(func(l *launch.Launch) { l.IfUnknown = record.Retry })
			o.wait(20 * time.Minute)
		}, []string{"Amperity Workflow Run Held in tenant acme (unknown_outcome): POST /workflow/runs: 400 Bad Request: no (request id r-1) (sent 2026-11-22T06:00:00Z); " +
			"this answers a later request, and an earlier one without an answer may have started a run: " + lookForIt + " [" + scheduleKey + ", hold 1]"}},

		{"a run that was taken for another launch's", func(o *office) {
			same := aRun("wf-9", "Orders", o.now.Add(time.Minute))
			o.posts = []answer{{run: aRun("wf-1", "Orders", o.now)}, noAnswer, {run: same}}
			o.launch(func(l *launch.Launch) { l.Key = "manual/cg-1/a" })
			o.launch(nil)
			o.meanwhile = func() {
				// The list shows the run, and the launch without an answer
				// adopts it.
				o.runs = []*amperity.Run{o.posts[0].run, same}
				o.wait(3 * time.Minute)
			}
			o.launch(func(l *launch.Launch) { l.Key, l.Request.ConfigID = "manual/cg-2/b", "cg-2" })
			o.wait(2 * time.Minute)
			o.mails = o.mails[3:]
		}, []string{"Amperity Workflow Run Held in tenant acme (unknown_outcome): " +
			"this launch had adopted the run wf-9, which belongs to manual/cg-2/b; whether this launch has started a run is unknown (sent 2026-11-22T06:00:00Z); " + lookForIt + " [" + scheduleKey + ", hold 1]"}},

		{"a discard of a held launch", func(o *office) {
			o.launch(func(l *launch.Launch) { l.NotAfter = o.now.Add(-time.Second) })
			_, _ = o.Discard(o.t.Context(), held.Command{Key: scheduleKey, HoldNumber: 1, Reason: "not wanted any more"})
			o.mails = o.mails[1:]
		}, []string{"Amperity Workflow Run Discarded in tenant acme (too_old): not wanted any more; discarded by an operator: nothing more will be started [" + scheduleKey + ", hold 1]"}},

		{"a discard of a launch that may have a run", func(o *office) {
			o.posts = []answer{noAnswer}
			o.launch(nil)
			o.wait(20 * time.Minute)
			_, _ = o.Discard(o.t.Context(), held.Command{Key: scheduleKey, HoldNumber: 1, Reason: "not wanted any more"})
			o.mails = o.mails[1:]
		}, []string{"Amperity Workflow Run Discarded in tenant acme (unknown_outcome): not wanted any more; " +
			"discarded by an operator: nothing more will be started, but a run it may already have started continues [" + scheduleKey + ", hold 1]"}},

		// Windows.
		{"late files", func(o *office) {
			o.window = aWindow(window.Hold, one)
			o.arrive(o.arrivals("orders/*", "orders/0"))
			o.wait(time.Hour)
			o.arrive(o.arrivals("orders/*", "orders/1", "orders/2"))
			o.mails = o.mails[1:]
		}, []string{"Amperity Workflow Run Held in tenant acme (late_file): " +
			"files came after a run of their window was started (late: hold), or they cannot be told from repeats of files whose launch was rejected or discarded; " +
			"nothing was sent to Amperity for this launch: release it to start it now, or discard it (amperity-runs held); the first of its 2 files is " + heldFile + " [arrival/cg-1/2026-11-22/2, hold 1]"}},

		{"a file of long ago", func(o *office) {
			o.window = aWindow(window.Rerun, one)
			files := o.arrivals("orders/*", "orders/1")
			files[0].EventTime = o.now.Add(-46 * 24 * time.Hour)
			o.arrive(files)
		}, []string{"Amperity Workflow Run Held in tenant acme (too_old): " +
			"the events of the files came more than 45 days late: the ledger may have forgotten a run that had these files; " +
			"nothing was sent to Amperity for this launch: release it to start it now, or discard it (amperity-runs held); the file is " + heldFile + " [arrival/cg-1/2026-11-22/1, hold 1]"}},

		{"files with implausible dates", func(o *office) {
			o.window = &record.WindowSpec{ConfigID: "cg-1", Period: "implausible-day-2026-11-22T06:00:00Z", Route: "orders", Rules: window.Rules{Hash: "1", HoldReason: announcement.ReasonImplausibleDate},
				Request: amperity.RunRequest{ConfigID: "cg-1"}}
			o.arrive(o.arrivals("orders/*", "orders/1", "orders/2"))
			o.wait(time.Hour)
		}, []string{"Amperity Workflow Run Held in tenant acme (implausible_date): " +
			"the dates in the files' keys are before 2000 or more than 400 days after the files came; amperity-runs held list counts the files of the same hour that come after this event; " +
			"nothing was started for these files, and a release starts nothing: correct their names and upload them again, or start the run you want by hand; " +
			"then discard this hold, which also ends the files that came since (amperity-runs held); the first of its 2 files is s3://b/orders/1 [arrival/cg-1/implausible-day-2026-11-22T06:00:00Z/1, hold 1]"}},

		{"a window that was run again and again", func(o *office) {
			o.window = aWindow(window.Rerun, one)
			for i := range 5 {
				at := o.now
				o.posts = []answer{{run: aRun(fmt.Sprint("wf-", i), "Orders", at)}}
				o.sent = 0
				o.arrive(o.arrivals("orders/*", fmt.Sprint("orders/", i-3)))
				o.wait(2 * time.Hour)
			}
			o.mails = o.mails[4:]
		}, []string{"Amperity Workflow Run Held in tenant acme (rerun_limit): " +
			"files came after the window had been run again three times, which is the most that happens automatically; " +
			"nothing was sent to Amperity for this launch: release it to start it now, or discard it (amperity-runs held); the file is " + heldFile + " [arrival/cg-1/2026-11-22/5, hold 1]"}},

		{"another run that does not end", func(o *office) {
			o.posts = []answer{{run: aRun("wf-1", "Orders", o.now)}}
			o.runs = []*amperity.Run{o.posts[0].run}
			o.launch(nil)
			o.window = aWindow(window.Rerun, one)
			o.arrive(o.arrivals("orders/*", "orders/1"))
			o.wait(13 * time.Hour)
			o.mails = o.mails[1:]
		}, []string{"Amperity Workflow Run Held in tenant acme (overlap): " +
			"the run wf-1 of the same config id has been in front for 12 hours or longer: it is still running, or cannot be read (\"run unreadable\" in the log); " +
			"nothing was sent to Amperity for this launch, and other windows of the config id wait too: stop that run if it hangs, " +
			"then release the launch to put it back into the queue, or discard it (amperity-runs held); the file is " + heldFile + " [arrival/cg-1/2026-11-22/1, hold 1]"}},

		{"files that are missing, and come after all", func(o *office) {
			o.window = aWindow(window.Rerun, one, four)
			o.window.Rules.Deadline = o.now.Add(time.Hour)
			o.arrive(o.arrivals("lines/*", "lines/1"))
			o.wait(2 * time.Hour)
			o.arrive(append(o.arrivals("lines/*", "lines/2", "lines/3", "lines/4"), o.arrivals("orders/*", "orders/1")...))
		}, []string{
			"Amperity Files Missing in tenant acme (files_missing): files of the route orders were missing for 2026-11-22 at the deadline, 2026-11-22T07:00:00Z: a file for orders/*, 3 of the 4 files for lines/*; " +
				"nothing was started: the window launches automatically once the files are there; to start the run without them, release it, or discard it (amperity-runs held) [arrival/cg-1/2026-11-22/1, hold 1]",
			"Amperity Files Complete in tenant acme (): ; all files are there now: the outcome of the window's launch is announced next [arrival/cg-1/2026-11-22/1, hold ]",
			"Amperity Workflow Run Started in tenant acme (): ;  [arrival/cg-1/2026-11-22/1, hold ]",
		}},

		{"a deadline with then: run", func(o *office) {
			o.window = aWindow(window.Rerun, one, four)
			o.window.Rules.Deadline, o.window.Rules.ThenRun = o.now.Add(time.Hour), true
			o.arrive(o.arrivals("orders/*", "orders/1"))
			o.wait(2 * time.Hour)
			o.mails = o.mails[:1]
		}, []string{"Amperity Files Missing in tenant acme (files_missing): files of the route orders were missing for 2026-11-22 at the deadline, 2026-11-22T07:00:00Z: 4 files for lines/*; " +
			"the window launches with what is there, as its route says (then: run) [arrival/cg-1/2026-11-22/1, hold 1]"}},

		{"a deadline at which it would run, with nothing there", func(o *office) {
			o.window = aWindow(window.Rerun, one, four)
			o.window.Rules.Deadline, o.window.Rules.ThenRun = o.now.Add(time.Hour), true
			if err := o.windows.Expect(o.t.Context(), *o.window); err != nil {
				o.t.Fatal(err)
			}
			o.wait(2 * time.Hour)
		}, []string{"Amperity Files Missing in tenant acme (files_missing): no file of the route orders had arrived for 2026-11-22 by the deadline, 2026-11-22T07:00:00Z; " +
			"nothing was started, since nothing is there: the window launches with the first files that come; to start the run all the same, release it, or discard it (amperity-runs held) [arrival/cg-1/2026-11-22/1, hold 1]"}},

		{"many entries that are not met", func(o *office) {
			entries := []window.Entry{one, four}
			for i := range 4 {
				entries = append(entries, window.Entry{Pattern: fmt.Sprint("e", i), Count: 1})
			}
			o.window = aWindow(window.Rerun, entries...)
			o.window.Rules.Deadline = o.now.Add(time.Hour)
			o.arrive(o.arrivals("orders/*", "orders/1"))
			o.wait(2 * time.Hour)
		}, []string{"Amperity Files Missing in tenant acme (files_missing): files of the route orders were missing for 2026-11-22 at the deadline, 2026-11-22T07:00:00Z: 4 files for lines/*, a file for e0, a file for e1, and those of 2 more entries; " +
			"nothing was started: the window launches automatically once the files are there; to start the run without them, release it, or discard it (amperity-runs held) [arrival/cg-1/2026-11-22/1, hold 1]"}},

		{"files of a window without a route", func(o *office) {
			o.window = aWindow(window.Rerun, one, four)
			o.window.Rules.Deadline = o.now.Add(time.Hour)
			o.arrive(o.arrivals("orders/*", "orders/1"))
			o.wait(2 * time.Hour)
			for range 2 { // said twice
				if _, err := o.Discard(o.t.Context(), held.Command{Key: "arrival/cg-1/2026-11-22/1", HoldNumber: 1, Reason: "the shop was closed"}); err != nil {
					o.t.Fatal(err)
				}
			}
			if list, _, err := o.List(o.t.Context()); err != nil || len(list) != 0 {
				o.t.Errorf("%v still waits, error %v", list, err)
			}
			o.wait(24 * time.Hour)
			o.mails = o.mails[1:]
		}, []string{"Amperity Workflow Run Discarded in tenant acme (files_missing): the shop was closed; " +
			"discarded by an operator: nothing more will be started [arrival/cg-1/2026-11-22/1, hold 1]"}},

		{"a route that is gone", func(o *office) {
			o.window = aWindow(window.Rerun, one)
			o.window.Rules.Settle = 10 * time.Minute
			o.arrive(o.arrivals("orders/*", "orders/1"))
			o.window = nil
			o.wait(2 * time.Hour)
		}, []string{"Amperity Window Abandoned in tenant acme (): ; " +
			"nothing was started for these files, and nothing will be: the routes file no longer has a route for this window; start the run by hand if it is wanted [arrival/cg-1/2026-11-22/1, hold ]"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			row.do(o)
			if diff := cmp.Diff(row.want, o.mails); diff != "" {
				t.Errorf("(-want +got)\n%s\n%s", diff, o.logged.String())
			}
		})
	}
}

// errThrottled is the error of a ledger that does not answer.
var errThrottled = errors.New("throttled")

// Each answer and each error describes the state of the launch.
func TestAnswersAndErrorsDescribeTheLaunch(t *testing.T) {
	t.Parallel()
	word := held.Command{Key: scheduleKey, HoldNumber: 1, RunID: "wf-7", Reason: "no"}
	// tooOld leaves a held launch.
	tooOld := func(o *office) {
		o.launch(func(l *launch.Launch) { l.NotAfter = o.now.Add(-time.Second) })
	}
	for _, row := range []struct {
		name string
		do   func(o *office) (record.Result, error)
		// The text of the answer or of the error.
		warning, message, err string
	}{
		{"a launch that another delivery works on", func(o *office) (record.Result, error) {
			// Its process dies before it can record anything.
			o.putErr = func(items []ledger.Item) error {
				if len(items) > 1 {
					return errThrottled
				}
				return nil
			}
			o.launch(nil)
			return o.Launch(o.t.Context(), request())
		}, "", "", "launch " + scheduleKey + " is being carried out by another delivery, until 2026-11-22T06:05:00Z at the latest: its outcome will be announced"},

		{"a ledger that does not answer at the beginning", func(o *office) (record.Result, error) {
			o.putErr = func([]ledger.Item) error { return errThrottled }
			return o.Launch(o.t.Context(), request())
		}, "", "", "this call has started nothing, because the ledger could not be read or written for " + scheduleKey + "; try again: throttled"},

		{"a ledger that does not answer when the request is to be sent", func(o *office) (record.Result, error) {
			o.putErr = func(items []ledger.Item) error {
				if len(items) > 1 {
					return errThrottled
				}
				return nil
			}
			return o.Launch(o.t.Context(), request())
		}, "", "nothing was sent, because the ledger could not be read or written; the launch resumes automatically: throttled", ""},

		{"a ledger that does not answer when the run is to be recorded", func(o *office) (record.Result, error) {
			writes := 0
			o.putErr = func([]ledger.Item) error {
				if writes++; writes > 2 {
					return errThrottled
				}
				return nil
			}
			return o.Launch(o.t.Context(), request())
		}, "do not start it again: its outcome could not be recorded yet, and the sweep looks it up: throttled", "", ""},

		{"a bus that does not answer", func(o *office) (record.Result, error) {
			o.busErr = errors.New("bus is gone")
			return o.Launch(o.t.Context(), request())
		}, "the outcome is recorded, but could not be announced yet: the sweep announces it within minutes", "", ""},

		{"an item of a later version", func(o *office) (record.Result, error) {
			o.put("launch/"+scheduleKey, `{"format":2}`)
			return o.Launch(o.t.Context(), request())
		}, "", "", "this call has started nothing, because the ledger could not be read or written for " + scheduleKey + "; try again: " +
			"the ledger's item launch/" + scheduleKey + " cannot be read: its format is 2, and this version knows 1: deploy the newer version again"},

		{"an item that is no JSON", func(o *office) (record.Result, error) {
			o.put("launch/"+scheduleKey, `{`)
			return o.Release(o.t.Context(), word)
		}, "", "", "this call has started nothing, because the ledger could not be read or written for " + scheduleKey + "; try again: " +
			"the ledger's item launch/" + scheduleKey + " cannot be read: unexpected end of JSON input"},

		{"a word for nothing", func(o *office) (record.Result, error) {
			return o.Discard(o.t.Context(), word)
		}, "", "", "there is no launch " + scheduleKey + " in this stack: give the launch_key of the event"},

		{"a run for a window whose files are missing", func(o *office) (record.Result, error) {
			o.window = aWindow(window.Rerun, window.Entry{Pattern: "orders/*", Count: 1}, window.Entry{Pattern: "lines/*", Count: 4})
			o.window.Rules.Deadline = o.now.Add(time.Hour)
			o.arrive(o.arrivals("lines/*", "lines/1"))
			o.wait(2 * time.Hour)
			return o.Adopt(o.t.Context(), held.Command{Key: "arrival/cg-1/2026-11-22/1", HoldNumber: 1, RunID: "wf-7"})
		}, "", "", "launch arrival/cg-1/2026-11-22/1 cannot adopt the run wf-7: nothing was sent to Amperity for this window: release it to start its run, or discard it"},

		{"a command that comes too late", func(o *office) (record.Result, error) {
			tooOld(o)
			if _, err := o.Discard(o.t.Context(), word); err != nil {
				return record.Result{}, err
			}
			return o.Release(o.t.Context(), word)
		}, "nothing was done: the launch does not wait for an answer to hold 1, or no longer does; this is its state", "no", ""},

		{"a release of a window's launch that was rejected, when the window has another", func(o *office) (record.Result, error) {
			o.window = aWindow(window.Rerun, window.Entry{Pattern: "orders/*", Count: 1})
			o.posts = []answer{{err: status(404, 0)}, started}
			o.arrive(o.arrivals("orders/*", "orders/1"))
			o.wait(time.Hour)
			o.arrive(o.arrivals("orders/*", "orders/2"))
			return o.Release(o.t.Context(), held.Command{Key: "arrival/cg-1/2026-11-22/1", HoldNumber: 1})
		}, "nothing was done: its window has moved on, and has another launch", "POST /workflow/runs: 404 Not Found: no (request id r-1)", ""},

		{"a run that cannot be read", func(o *office) (record.Result, error) {
			tooOld(o)
			return o.Adopt(o.t.Context(), word)
		}, "", "", "launch " + scheduleKey + " cannot adopt the run wf-7: it cannot be read: GET /workflow/runs/wf-7: 404 Not Found: no such run"},

		{"a run of another launch", func(o *office) (record.Result, error) {
			o.posts = []answer{{run: aRun("wf-7", "Orders", o.now)}}
			o.runs = []*amperity.Run{o.posts[0].run}
			o.launch(func(l *launch.Launch) { l.Key = "manual/cg-1/a" })
			tooOld(o)
			return o.Adopt(o.t.Context(), word)
		}, "", "", "launch " + scheduleKey + " cannot adopt the run wf-7: it is the run of manual/cg-1/a"},

		{"a run of another type", func(o *office) (record.Result, error) {
			o.posts = []answer{{run: aRun("wf-1", "Orders", o.now)}}
			o.launch(func(l *launch.Launch) { l.Key = "manual/cg-1/a" })
			tooOld(o)
			other := aRun("wf-7", "Orders", o.now)
			other.Type = "campaign/run"
			o.runs = []*amperity.Run{other}
			return o.Adopt(o.t.Context(), word)
		}, "", "", "launch " + scheduleKey + " cannot adopt the run wf-7: its type is campaign/run, and this config id's runs have the type courier.group/run"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			res, err := row.do(o)
			got := [3]string{res.Warning}
			if res.Error != nil {
				got[1] = res.Error.Message
			}
			if err != nil {
				got[2] = err.Error()
			}
			if diff := cmp.Diff([3]string{row.warning, row.message, row.err}, got); diff != "" {
				t.Errorf("warning, message, error (-want +got)\n%s\n%s", diff, o.logged.String())
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

// No other place has Amperity's answer, so one failed read must not lose it
// (found by the simulation).
func TestAnswerSurvivesAFailedRead(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	failed := 0
	o.getErr = func(key string) error {
		if o.sent == 1 && failed == 0 && key == "config/cg-1" {
			failed++
			return ledger.ErrThrottled
		}
		return nil
	}
	res := o.launch(func(l *launch.Launch) { l.Request.ConfigID = "cg-1" })
	if res.Outcome != record.Started || res.Warning != "" || failed != 1 {
		t.Errorf("%d reads failed, and the answer is %+v", failed, res)
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
	const key = "arrival/cg-1/implausible-day-2026-11-22T06:00:00Z/1"
	o.window = &record.WindowSpec{ConfigID: "cg-1", Period: "implausible-day-2026-11-22T06:00:00Z", Route: "orders", Rules: window.Rules{Hash: "1", HoldReason: announcement.ReasonImplausibleDate},
		Request: amperity.RunRequest{ConfigID: "cg-1"}}
	o.arrive(o.arrivals("orders/*", "orders/1"))
	res, err := o.Release(t.Context(), held.Command{Key: key, HoldNumber: 1})
	if want := "nothing was done: a run for these dates is never started; correct the names and upload the files again, or start the run you want by hand, then discard this"; err != nil || res.Warning != want || res.Outcome != record.Duplicate || res.Recorded != record.Held {
		t.Errorf("released: %+v, %v", res, err)
	}
	_, err = o.Adopt(t.Context(), held.Command{Key: key, HoldNumber: 1, RunID: "wf-1"})
	if want := "launch " + key + " cannot adopt the run wf-1: nothing was sent to Amperity for files with implausible dates: discard it"; err == nil || err.Error() != want {
		t.Errorf("adopted: %v", err)
	}
	if problem := "nothing was sent to Amperity for files with implausible dates: discard it"; !strings.HasSuffix(fmt.Sprint(err), problem) {
		t.Error(err)
	}
	if o.sent > 0 {
		t.Errorf("%d requests", o.sent)
	}
}
