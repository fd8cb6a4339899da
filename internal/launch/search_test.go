package launch_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/held"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// knowing records a run of a config id, so that its identity is known.
func (o *office) knowing(configID, name string) {
	o.t.Helper()
	posts := o.posts
	known := aRun("wf-known-"+configID, name, o.now)
	known.State = amperity.StateSucceeded
	o.posts, o.sent = []answer{{run: known}}, 0
	o.launch(func(l *launch.Launch) { l.Key, l.Request.ConfigID = "manual/"+configID+"/known", configID })
	o.runs = append(o.runs, known)
	o.now = o.now.Add(time.Minute)
	o.posts, o.sent, o.mails, o.ids = posts, 0, nil, nil
}

// news returns the types, launch keys and holds of the announcements.
func (o *office) news() (lines []string) {
	for _, m := range o.mails {
		what, _, _ := strings.Cut(strings.TrimPrefix(m, "Amperity Workflow Run "), " in tenant")
		lines = append(lines, what+m[strings.LastIndex(m, " ["):])
	}
	return lines
}

func (o *office) wantNews(want ...string) {
	o.t.Helper()
	if d := cmp.Diff(want, o.news()); d != "" {
		o.t.Errorf("announced (-want +got):\n%s", d)
	}
}

const otherKey = "manual/cg-1/other"

// V1: while a launch reads the list, another launch of the config id is marked,
// and the list shows that launch's run.
func TestRunOfLaunchMarkedDuringListIsNotAdopted(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	o.posts = []answer{noAnswer}
	o.launch(nil) // A: never processed
	met := false
	o.queryErr = func(id string) error {
		if id == "" && !met {
			met = true
			o.launch(func(l *launch.Launch) { l.Key = otherKey }) // B: its answer is lost
			o.runs = append(o.runs, aRun("wf-B", "Orders", o.now))
		}
		return nil
	}
	o.wait(10 * time.Minute)
	o.wantNews()
	if want := "another launch of the config id may have started the run"; !strings.Contains(o.logged.String(), want) {
		t.Errorf("the log does not say %q", want)
	}
	o.wait(10 * time.Minute)
	o.wantNews("Held ["+scheduleKey+", hold 1]", "Held ["+otherKey+", hold 1]")
}

// V2: a hold does not end the search. Every sweep searches for two hours, then
// once an hour for seven days.
func TestRunIsFoundAfterTheHold(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		after time.Duration
		want  string
	}{
		"after an hour":   {time.Hour, "Started"},
		"after a day":     {23 * time.Hour, "Started"},
		"after six days":  {6 * 24 * time.Hour, "Started"},
		"after nine days": {9 * 24 * time.Hour, "Held"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.knowing("cg-1", "Orders")
			o.posts = []answer{noAnswer}
			sent := o.now
			o.launch(nil)
			o.wait(row.after)
			o.wantNews("Held [" + scheduleKey + ", hold 1]")
			// The list shows the run late; it was created in time.
			o.runs = append(o.runs, aRun("wf-late", "Orders", sent.Add(10*time.Minute)))
			o.wait(2 * time.Hour)
			if news := o.news(); !strings.HasPrefix(news[len(news)-1], row.want) {
				t.Errorf("the last of %q", news)
			}
			o.wait(10 * 24 * time.Hour)
			for row := range o.ledger.Due(t.Context(), o.now.Add(1000*time.Hour)) {
				t.Errorf("%s is still due", row.Key)
			}
		})
	}
}

// V2: a discard does not end the search. Amperity's list wins.
func TestRunIsFoundAfterADiscard(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	o.posts = []answer{noAnswer}
	o.launch(nil)
	o.wait(20 * time.Minute)
	if _, err := o.Discard(t.Context(), held.Command{Key: scheduleKey, HoldNumber: 1, Reason: "not wanted"}); err != nil {
		t.Fatal(err)
	}
	o.runs = append(o.runs, aRun("wf-late", "Orders", o.now.Add(-5*time.Minute)))
	o.wait(5 * time.Minute)
	o.wantNews("Held ["+scheduleKey+", hold 1]", "Discarded ["+scheduleKey+", hold 1]", "Started ["+scheduleKey+", hold ]")
}

// V2: a launch that sent two requests may have two runs. The second run is
// announced too, and windows wait for both.
func TestWindowsWaitForTheSecondRun(t *testing.T) {
	t.Parallel()
	for name, crash := range map[string]bool{"at once": false, "after the bus has failed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.knowing("cg-1", "Orders")
			second := aRun("wf-2", "Orders", o.now.Add(16*time.Minute))
			o.posts = []answer{noAnswer, {run: second}, {run: aRun("wf-3", "Orders", o.now.Add(30*time.Minute))}}
			o.launch(func(l *launch.Launch) { l.IfUnknown = record.Retry })
			o.wait(20 * time.Minute)
			o.wantNews("Started [" + scheduleKey + ", hold ]")
			ended := *second
			ended.State = amperity.StateSucceeded
			first := aRun("wf-1", "Orders", o.now.Add(-2*time.Minute))
			o.runs = append(o.runs, &ended, first)
			if crash {
				o.busErr = fmt.Errorf("down")
			}
			o.wait(3 * time.Minute)
			o.busErr = nil
			o.wait(3 * time.Minute)
			o.wantNews("Started ["+scheduleKey+", hold ]", "Started ["+scheduleKey+", hold ]")
			// The first run is still running.
			o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
			o.window.Rules.Settle = time.Minute
			o.arrive(o.arrivals("a", "a/1"))
			o.wait(time.Hour)
			if o.sent != 2 {
				t.Errorf("%d requests beside a run that is still running", o.sent)
			}
			first.State = amperity.StateSucceeded
			o.wait(10 * time.Minute)
			if o.sent != 3 {
				t.Errorf("%d requests after it has ended", o.sent)
			}
		})
	}
}

// A new hold names each run that appears later and is not certainly the held
// launch's.
func TestNewHoldNamesLaterRuns(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.posts = []answer{noAnswer}
	o.launch(nil) // the config id has no identity
	o.wait(20 * time.Minute)
	o.runs = append(o.runs, aRun("wf-1", "Orders", o.now.Add(-3*time.Minute)))
	o.wait(30 * time.Minute)
	o.wantNews("Held ["+scheduleKey+", hold 1]", "Held ["+scheduleKey+", hold 2]")
	if !slices.Equal(o.named, []string{"wf-1"}) {
		t.Errorf("named %q", o.named)
	}
}

// V4: a gateway repeats a request. Amperity answers the repeat with 409,
// because the run of the first copy is in the way.
func TestListIsReadAfterA409(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]bool{"its own run": true, "another run": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.knowing("cg-1", "Orders")
			o.posts = []answer{{err: status(409, 0)}, {run: aRun("wf-2", "Orders", o.now.Add(5*time.Minute))}}
			if res := o.launch(nil); res.Outcome != record.Blocked || res.Reason != "busy" {
				t.Errorf("answered %+v", res)
			}
			if own {
				o.runs = append(o.runs, aRun("wf-1", "Orders", o.now))
			} else {
				theirs := aRun("wf-1", "Orders", o.now)
				theirs.PrincipalID = "user-1"
				o.runs = append(o.runs, theirs)
			}
			o.wait(4 * time.Minute)
			if o.sent != 1 {
				t.Errorf("%d requests within four minutes", o.sent)
			}
			o.wait(20 * time.Minute)
			if want := map[bool]int{true: 1, false: 2}[own]; o.sent != want {
				t.Errorf("%d requests, want %d", o.sent, want)
			}
			if news := o.news(); !strings.HasPrefix(news[len(news)-1], "Started") {
				t.Errorf("announced %q", news)
			}
		})
	}
}

// A run may be the launch's if its name, type and principal match.
func TestCandidatesMatchNameTypeAndPrincipal(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change func(r *amperity.Run)
		twice  bool
		want   string
	}{
		"its own":                 {func(*amperity.Run) {}, false, "Started"},
		"its own, on two pages":   {func(*amperity.Run) {}, true, "Started"},
		"of another name":         {func(r *amperity.Run) { r.Name = "Lines" }, false, "Held"},
		"of another type":         {func(r *amperity.Run) { r.Type = "campaign/run" }, false, "Held"},
		"of another principal":    {func(r *amperity.Run) { r.PrincipalID = "user-1" }, false, "Held"},
		"of before the request":   {func(r *amperity.Run) { r.CreatedAt = r.CreatedAt.Add(-10 * time.Second) }, false, "Held"},
		"of four hours after":     {func(r *amperity.Run) { r.CreatedAt = r.CreatedAt.Add(4 * time.Hour) }, false, "Held"},
		"its own, without a time": {func(r *amperity.Run) { r.CreatedAt = time.Time{} }, false, "Started"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.knowing("cg-1", "Orders")
			o.posts = []answer{noAnswer}
			run := aRun("wf-1", "Orders", o.now)
			row.change(run)
			o.launch(nil)
			o.runs = append(o.runs, run)
			if row.twice {
				o.runs = append(o.runs, run)
			}
			o.wait(20 * time.Minute)
			if news := o.news(); len(news) != 1 || !strings.HasPrefix(news[0], row.want) || len(o.named) > 0 {
				t.Errorf("announced %q, of %q", news, o.named)
			}
		})
	}
}

// Several config ids that lose their answers in one minute do not doubt each
// other's runs, and their lookups share one list.
func TestConfigIDsDoNotDoubtEachOther(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ids := []string{"cg-1", "cg-2", "cg-3", "cg-4"}
	for _, id := range ids {
		o.knowing(id, "Group "+id)
	}
	o.posts = []answer{noAnswer}
	for _, id := range ids {
		o.launch(func(l *launch.Launch) { l.Key, l.Request.ConfigID = "manual/"+id+"/a", id })
		o.runs = append(o.runs, aRun("wf-"+id, "Group "+id, o.now))
	}
	lists := 0
	o.queryErr = func(id string) error {
		if id == "" {
			lists++
		}
		return nil
	}
	o.wait(2 * time.Minute)
	for _, line := range o.news() {
		if !strings.HasPrefix(line, "Started") {
			t.Errorf("announced %s", line)
		}
	}
	if len(o.mails) != len(ids) || lists != 1 {
		t.Errorf("%d announcements after %d lists", len(o.mails), lists)
	}
}

// The windows of a config id launch one after the other, however long that
// takes. Each sweep queries the run in front once.
func TestQueueHasNoLimit(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	const windows = 30
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
	o.window.Rules.Settle = time.Minute
	for i := range windows {
		o.window.Period = time.Date(2026, 10, 1+i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		o.arrive(o.arrivals("a", fmt.Sprint("a/", i)))
	}
	asked, minutes := 0, 0
	o.queryErr = func(string) error { asked++; return nil }
	for ; len(o.runs) < windows && minutes < 40*60; minutes++ {
		o.posts = []answer{{run: aRun(fmt.Sprint("wf-", len(o.runs)), "Orders", o.now.Add(time.Minute))}}
		before := o.sent
		o.wait(time.Minute)
		if o.sent > before+1 {
			t.Fatalf("%d requests at once", o.sent-before)
		}
		if o.sent > before {
			o.runs = append(o.runs, o.posts[0].run)
		}
		for _, run := range o.runs {
			if o.now.Sub(run.CreatedAt) >= time.Hour {
				run.State = amperity.StateSucceeded
			}
		}
	}
	if n := o.sent; n != windows || slices.ContainsFunc(o.news(), func(s string) bool { return !strings.HasPrefix(s, "Started") }) {
		t.Errorf("%d of %d started after %d minutes: %q", n, windows, minutes, o.news())
	}
	if asked > minutes+windows {
		t.Errorf("asked %d times in %d sweeps", asked, minutes)
	}
}

// One run in front for twelve hours makes one hold, which names it. A release
// puts the launch back into the queue, in front of the other windows.
func TestLongRunInFrontMakesOneHold(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Rerun, window.Entry{Pattern: "a"})
	o.window.Rules.Settle = time.Minute
	hanging := aRun("wf-1", "Orders", o.now)
	o.posts = []answer{{run: hanging}, {run: aRun("wf-2", "Orders", o.now.Add(49*time.Hour))}, {run: aRun("wf-3", "Orders", o.now.Add(50*time.Hour))}}
	o.runs = []*amperity.Run{hanging, o.posts[1].run}
	for i := range 3 {
		o.window.Period = fmt.Sprint("2026-11-2", i)
		o.arrive(o.arrivals("a", fmt.Sprint("a/", i)))
		o.wait(2 * time.Minute)
	}
	o.wait(40 * time.Hour)
	o.wantNews("Started [arrival/cg-1/2026-11-20/1, hold ]", "Held [arrival/cg-1/2026-11-21/1, hold 1]")
	if !strings.Contains(o.mails[1], "wf-1") {
		t.Errorf("it does not name the run: %s", o.mails[1])
	}
	res, err := o.Release(t.Context(), held.Command{Key: "arrival/cg-1/2026-11-21/1", HoldNumber: 1})
	if err != nil || res.Outcome != record.Blocked || res.Reason != "overlap" {
		t.Fatalf("answered %+v, %v", res, err)
	}
	if want := "the launch waits in the queue of its config id, and is sent once nothing is in front of it"; res.Error == nil || res.Error.Message != want {
		t.Errorf("got the error %+v, want %s", res.Error, want)
	}
	o.wait(8 * time.Hour)
	if o.sent != 1 {
		t.Fatalf("%d requests beside a run that is still running", o.sent)
	}
	hanging.State = amperity.StateStopped
	o.wait(10 * time.Minute)
	o.wantNews("Started [arrival/cg-1/2026-11-20/1, hold ]", "Held [arrival/cg-1/2026-11-21/1, hold 1]", "Started [arrival/cg-1/2026-11-21/1, hold ]")
	o.posts[1].run.State = amperity.StateSucceeded
	o.wait(10 * time.Minute)
	if o.sent != 3 {
		t.Errorf("%d requests", o.sent)
	}
}

// Two launches of a config id have a run each, and one of their first requests
// has started a third run. A hold of each launch names that run, and nothing
// waits.
func TestDoubtfulFurtherRunIsNamed(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.knowing("cg-1", "Orders")
	for i, key := range []string{scheduleKey, otherKey} {
		o.sent, o.posts = 0, []answer{noAnswer}
		o.launch(func(l *launch.Launch) { l.Key, l.IfUnknown = key, record.Retry })
		o.wait(10 * time.Minute)
		o.sent, o.posts = 0, []answer{{run: aRun(fmt.Sprint("wf-", i), "Orders", o.now.Add(7*time.Minute))}}
		o.wait(8 * time.Minute)
		o.runs = append(o.runs, o.posts[0].run)
	}
	o.wantNews("Started ["+scheduleKey+", hold ]", "Started ["+otherKey+", hold ]")
	o.runs = append(o.runs, aRun("wf-9", "Orders", o.now))
	o.mails = nil
	o.wait(30 * time.Minute)
	slices.Sort(o.mails)
	o.wantNews("Held ["+scheduleKey+", hold 1]", "Held ["+otherKey+", hold 1]")
	const want = "Amperity Workflow Run Held in tenant acme (unknown_outcome): the launch has the run wf-0; " +
		"the run wf-9 is a further one of it, or of another launch of the same config id whose answer was lost (sent 2026-11-22T06:01:00Z and 2026-11-22T06:17:00Z); " +
		"look at that run on the Workflows page in Amperity; this launch needs no answer, but another launch of the config id may wait for that run [" + scheduleKey + ", hold 1]"
	if len(o.mails) == 0 || o.mails[0] != want {
		t.Errorf("announced %q", o.mails)
	}
	if list, _, err := o.List(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("listed %+v, %v", list, err)
	}
}
