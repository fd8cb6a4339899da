package launch_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/golden"
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
	var texts strings.Builder
	for _, row := range []struct {
		name string
		do   func(o *office)
	}{
		{"a request that Amperity refuses", func(o *office) {
			o.posts = []answer{{err: status(404, 0)}}
			o.launch(nil)
		}},

		{"a request that is wrong in itself", func(o *office) {
			o.posts = []answer{{err: &amperity.RequestError{Problems: []amperity.Problem{{Field: "config_id", Message: "is missing"}}}}}
			o.launch(nil)
		}},

		{"another input with the key of a launch", func(o *office) {
			o.launch(nil)
			o.launch(func(l *launch.Launch) { l.InputHash = "other" })
		}},

		{"no connection for more than five minutes", func(o *office) {
			o.posts = []answer{{err: refused()}}
			o.launch(nil)
			o.wait(15 * time.Minute)
		}},

		{"no connection, and then a token that is refused", func(o *office) {
			o.posts = []answer{{err: refused()}}
			o.launch(nil)
			o.wait(15 * time.Minute)
			o.posts = []answer{{err: status(401, 0)}}
			o.wait(time.Hour)
		}},

		{"a token that is refused, until it is too late", func(o *office) {
			o.posts = []answer{{err: status(401, 0)}}
			o.launch(func(l *launch.Launch) { l.NotAfter = o.now.Add(20 * time.Minute) })
			o.wait(40 * time.Minute)
		}},

		{"no answer, and no run in the list", func(o *office) {
			o.posts = []answer{noAnswer}
			o.launch(nil)
			o.wait(20 * time.Minute)
		}},

		{"no answer, and a run that may be its", func(o *office) {
			o.posts = []answer{noAnswer}
			o.launch(nil)
			o.runs = []*amperity.Run{aRun("wf-7", "Orders", o.now)}
			o.wait(17 * time.Minute)
		}},

		{"no answer, and several runs", func(o *office) {
			o.posts = []answer{noAnswer}
			o.launch(nil)
			o.runs = []*amperity.Run{aRun("wf-7", "Orders", o.now), aRun("wf-8", "Lines", o.now)}
			o.wait(17 * time.Minute)
		}},

		{"no answer, and more runs than a look reads", func(o *office) {
			o.posts = []answer{noAnswer}
			o.launch(nil)
			for i := range 25 {
				o.runs = append(o.runs, aRun(fmt.Sprint("wf-", i), "Orders", o.now))
			}
			o.wait(20 * time.Minute)
		}},

		{"no answer, and more runs than 15 minutes of lookups read", func(o *office) {
			o.posts = []answer{noAnswer}
			o.launch(nil)
			for i := range 500 {
				o.runs = append(o.runs, aRun(fmt.Sprint("wf-", i), "Orders", o.now))
			}
			o.wait(20 * time.Minute)
		}},

		{"no answer, and no list either", func(o *office) {
			o.posts = []answer{noAnswer}
			o.launch(nil)
			o.queryErr = func(string) error { return &amperity.APIError{Method: "GET", Path: "/workflow/runs", Status: 503} }
			o.wait(20 * time.Minute)
		}},

		{"an answer 409, and no list", func(o *office) {
			o.knowing("cg-1", "Orders")
			o.posts = []answer{{err: status(409, 0)}}
			o.launch(nil)
			o.queryErr = func(string) error { return &amperity.APIError{Method: "GET", Path: "/workflow/runs", Status: 503} }
			o.wait(40 * time.Minute)
		}},

		{"no answer, and a list that lacks a run", func(o *office) {
			o.posts = []answer{{run: aRun("wf-1", "Orders", o.now)}, noAnswer}
			o.launch(func(l *launch.Launch) { l.Key = "manual/cg-1/a" })
			o.launch(nil)
			o.wait(20 * time.Minute)
		}},

		{"no answer, and then a refusal", func(o *office) {
			o.posts = []answer{noAnswer, {err: status(400, 0)}}
			o.launch(func(l *launch.Launch) { l.IfUnknown = record.Retry })
			o.wait(20 * time.Minute)
		}},

		{"no answer, and then a request that is wrong", func(o *office) {
			o.posts = []answer{noAnswer, {err: &amperity.RequestError{Problems: []amperity.Problem{{Field: "config_id", Message: "is missing"}}}}}
			o.launch(func(l *launch.Launch) { l.IfUnknown = record.Retry })
			o.wait(20 * time.Minute)
		}},

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
		}},

		{"a discard of a held launch", func(o *office) {
			o.launch(func(l *launch.Launch) { l.NotAfter = o.now.Add(-time.Second) })
			_, _ = o.Discard(o.t.Context(), held.Command{Key: scheduleKey, HoldNumber: 1, Reason: "not wanted any more"})
		}},

		{"a discard of a launch that may have a run", func(o *office) {
			o.posts = []answer{noAnswer}
			o.launch(nil)
			o.wait(20 * time.Minute)
			_, _ = o.Discard(o.t.Context(), held.Command{Key: scheduleKey, HoldNumber: 1, Reason: "not wanted any more"})
		}},

		// Windows.
		{"late files", func(o *office) {
			o.window = aWindow(window.Hold, one)
			o.arrive(o.arrivals("orders/*", "orders/0"))
			o.wait(time.Hour)
			o.arrive(o.arrivals("orders/*", "orders/1", "orders/2"))
		}},

		{"a file of long ago", func(o *office) {
			o.window = aWindow(window.Rerun, one)
			files := o.arrivals("orders/*", "orders/1")
			files[0].EventTime = o.now.Add(-46 * 24 * time.Hour)
			o.arrive(files)
		}},

		{"files with implausible dates", func(o *office) {
			o.window = &record.WindowSpec{ConfigID: "cg-1", Period: "implausible-day-2026-11-22T06:00:00Z", Route: "orders", Rules: window.Rules{Hash: "1", HoldReason: announcement.ReasonImplausibleDate},
				Request: amperity.RunRequest{ConfigID: "cg-1"}}
			o.arrive(o.arrivals("orders/*", "orders/1", "orders/2"))
			o.wait(time.Hour)
		}},

		{"a window that was run again and again", func(o *office) {
			o.window = aWindow(window.Rerun, one)
			for i := range 5 {
				at := o.now
				o.posts = []answer{{run: aRun(fmt.Sprint("wf-", i), "Orders", at)}}
				o.sent = 0
				o.arrive(o.arrivals("orders/*", fmt.Sprint("orders/", i-3)))
				o.wait(2 * time.Hour)
			}
		}},

		{"another run that does not end", func(o *office) {
			o.posts = []answer{{run: aRun("wf-1", "Orders", o.now)}}
			o.runs = []*amperity.Run{o.posts[0].run}
			o.launch(nil)
			o.window = aWindow(window.Rerun, one)
			o.arrive(o.arrivals("orders/*", "orders/1"))
			o.wait(13 * time.Hour)
		}},

		{"files that are missing, and come after all", func(o *office) {
			o.window = aWindow(window.Rerun, one, four)
			o.window.Rules.Deadline = o.now.Add(time.Hour)
			o.arrive(o.arrivals("lines/*", "lines/1"))
			o.wait(2 * time.Hour)
			o.arrive(append(o.arrivals("lines/*", "lines/2", "lines/3", "lines/4"), o.arrivals("orders/*", "orders/1")...))
		}},

		{"a deadline with then: run", func(o *office) {
			o.window = aWindow(window.Rerun, one, four)
			o.window.Rules.Deadline, o.window.Rules.ThenRun = o.now.Add(time.Hour), true
			o.arrive(o.arrivals("orders/*", "orders/1"))
			o.wait(2 * time.Hour)
		}},

		{"a deadline at which it would run, with nothing there", func(o *office) {
			o.window = aWindow(window.Rerun, one, four)
			o.window.Rules.Deadline, o.window.Rules.ThenRun = o.now.Add(time.Hour), true
			if err := o.windows.Expect(o.t.Context(), *o.window); err != nil {
				o.t.Fatal(err)
			}
			o.wait(2 * time.Hour)
		}},

		{"many entries that are not met", func(o *office) {
			entries := []window.Entry{one, four}
			for i := range 4 {
				entries = append(entries, window.Entry{Pattern: fmt.Sprint("e", i), Count: 1})
			}
			o.window = aWindow(window.Rerun, entries...)
			o.window.Rules.Deadline = o.now.Add(time.Hour)
			o.arrive(o.arrivals("orders/*", "orders/1"))
			o.wait(2 * time.Hour)
		}},

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
		}},

		{"a route that is gone", func(o *office) {
			o.window = aWindow(window.Rerun, one)
			o.window.Rules.Settle = 10 * time.Minute
			o.arrive(o.arrivals("orders/*", "orders/1"))
			o.window = nil
			o.wait(2 * time.Hour)
		}},
	} {
		o := newOffice(t)
		row.do(o)
		texts.WriteString(golden.Row(row.name, strings.Join(o.mails, "\n")))
	}
	golden.Check(t, "testdata/mails.golden", texts.String())
}

// Each answer and each error describes the state of the launch.
func TestAnswersAndErrorsDescribeTheLaunch(t *testing.T) {
	t.Parallel()
	word := held.Command{Key: scheduleKey, HoldNumber: 1, RunID: "wf-7", Reason: "no"}
	// tooOld leaves a held launch.
	tooOld := func(o *office) {
		o.launch(func(l *launch.Launch) { l.NotAfter = o.now.Add(-time.Second) })
	}
	var texts strings.Builder
	for _, row := range []struct {
		name string
		do   func(o *office) (record.Result, error)
	}{
		{"a launch that another delivery works on", func(o *office) (record.Result, error) {
			// Its process dies before it can record anything.
			o.pacer = waiting{}
			o.putErr = func(items []ledger.Item) error {
				if len(items) > 1 {
					return errThrottled
				}
				return nil
			}
			o.launch(nil)
			return o.Launch(o.t.Context(), request())
		}},

		{"a ledger that does not answer at the beginning", func(o *office) (record.Result, error) {
			o.putErr = func([]ledger.Item) error { return errThrottled }
			return o.Launch(o.t.Context(), request())
		}},

		{"a ledger that does not answer when the request is to be sent", func(o *office) (record.Result, error) {
			o.pacer = waiting{}
			o.putErr = func(items []ledger.Item) error {
				if len(items) > 1 {
					return errThrottled
				}
				return nil
			}
			return o.Launch(o.t.Context(), request())
		}},

		{"a ledger that does not answer when the run is to be recorded", func(o *office) (record.Result, error) {
			writes := 0
			o.putErr = func([]ledger.Item) error {
				if writes++; writes > 1 {
					return errThrottled
				}
				return nil
			}
			return o.Launch(o.t.Context(), request())
		}},

		{"a bus that does not answer", func(o *office) (record.Result, error) {
			o.busErr = errors.New("bus is gone")
			return o.Launch(o.t.Context(), request())
		}},

		{"an item of a later version", func(o *office) (record.Result, error) {
			o.put("launch/"+scheduleKey, `{"format":2}`)
			return o.Launch(o.t.Context(), request())
		}},

		{"an item that is no JSON", func(o *office) (record.Result, error) {
			o.put("launch/"+scheduleKey, `{`)
			return o.Release(o.t.Context(), word)
		}},

		{"a word for nothing", func(o *office) (record.Result, error) {
			return o.Discard(o.t.Context(), word)
		}},

		{"a run for a window whose files are missing", func(o *office) (record.Result, error) {
			o.window = aWindow(window.Rerun, window.Entry{Pattern: "orders/*", Count: 1}, window.Entry{Pattern: "lines/*", Count: 4})
			o.window.Rules.Deadline = o.now.Add(time.Hour)
			o.arrive(o.arrivals("lines/*", "lines/1"))
			o.wait(2 * time.Hour)
			return o.Adopt(o.t.Context(), held.Command{Key: "arrival/cg-1/2026-11-22/1", HoldNumber: 1, RunID: "wf-7"})
		}},

		{"a command that comes too late", func(o *office) (record.Result, error) {
			tooOld(o)
			if _, err := o.Discard(o.t.Context(), word); err != nil {
				return record.Result{}, err
			}
			return o.Release(o.t.Context(), word)
		}},

		{"a release of a window's launch that was rejected, when the window has another", func(o *office) (record.Result, error) {
			o.window = aWindow(window.Rerun, window.Entry{Pattern: "orders/*", Count: 1})
			o.posts = []answer{{err: status(404, 0)}, started}
			o.arrive(o.arrivals("orders/*", "orders/1"))
			o.wait(time.Hour)
			o.arrive(o.arrivals("orders/*", "orders/2"))
			return o.Release(o.t.Context(), held.Command{Key: "arrival/cg-1/2026-11-22/1", HoldNumber: 1})
		}},

		{"a run that cannot be read", func(o *office) (record.Result, error) {
			tooOld(o)
			return o.Adopt(o.t.Context(), word)
		}},

		{"a run of another launch", func(o *office) (record.Result, error) {
			o.posts = []answer{{run: aRun("wf-7", "Orders", o.now)}}
			o.runs = []*amperity.Run{o.posts[0].run}
			o.launch(func(l *launch.Launch) { l.Key = "manual/cg-1/a" })
			tooOld(o)
			return o.Adopt(o.t.Context(), word)
		}},

		{"a run of another type", func(o *office) (record.Result, error) {
			o.posts = []answer{{run: aRun("wf-1", "Orders", o.now)}}
			o.launch(func(l *launch.Launch) { l.Key = "manual/cg-1/a" })
			tooOld(o)
			other := aRun("wf-7", "Orders", o.now)
			other.Type = "campaign/run"
			o.runs = []*amperity.Run{other}
			return o.Adopt(o.t.Context(), word)
		}},

		{"a release of files with implausible dates", func(o *office) (record.Result, error) {
			return o.Release(o.t.Context(), held.Command{Key: o.implausible(), HoldNumber: 1})
		}},

		{"a run for files with implausible dates", func(o *office) (record.Result, error) {
			return o.Adopt(o.t.Context(), held.Command{Key: o.implausible(), HoldNumber: 1, RunID: "wf-1"})
		}},
	} {
		res, err := row.do(newOffice(t))
		var text []string
		if res.Warning != "" {
			text = append(text, "warning: "+res.Warning)
		}
		if res.Error != nil {
			text = append(text, "message: "+res.Error.Message)
		}
		if err != nil {
			text = append(text, "error: "+err.Error())
		}
		texts.WriteString(golden.Row(row.name, strings.Join(text, "\n")))
	}
	golden.Check(t, "testdata/answers.golden", texts.String())
}
