package sim

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/window"
)

// The histories that broke earlier drafts of the protocol. The histories of the
// window function alone are in internal/window.

const (
	started   = announcement.RunStarted
	rejected  = announcement.RunRejected
	heldBack  = announcement.RunHeld
	blocked   = announcement.RunBlocked
	discarded = announcement.RunDiscarded
)

func at(minutes float64) time.Duration { return time.Duration(minutes * float64(time.Minute)) }

// lost is a request without an answer that is processed later.
func lost(after time.Duration) choice { return choice{status: 504, late: after} }

// never is a request without an answer that is never processed.
var never = choice{fault: slowBefore, status: 504}

// H1: POST at 250.1, 504 at 250.6; Amperity creates run 1 at 400; reconcile at
// 430 lists only up to the lease's end (350), sees none, POSTs again. Must
// hold: no second run (or, with if_unknown: retry, the one named exception).
func TestH1LateRunIsFoundByAListWithoutEnd(t *testing.T) {
	for _, mode := range []string{"full", "source"} {
		t.Run(mode, func(t *testing.T) {
			h := newHistory(t, map[string]choice{"post 1": lost(150 * time.Second)})
			h.earlier("cg-A", mode)
			h.starts(at(4), "cg-A", mode, Patterns[0])
			h.holds()
			h.runs(2, "cg-A", "")
			h.want(h.key(1), started)
		})
	}
}

func TestH1LateRunWithoutAKnownIdentityIsHeld(t *testing.T) {
	h := newHistory(t, map[string]choice{"post 1": lost(150 * time.Second)})
	h.starts(0, "cg-A", "source", Patterns[0])
	h.holds()
	h.runs(1, "cg-A", "")
	h.want(h.key(0), heldBack)
}

// H2: as H1, and the second POST answers 409 because run 1 is running. Must
// hold: never announced rejected while a run may exist.
func TestH2BusyWithItsOwnRunIsNotRejected(t *testing.T) {
	// Run 1 begins just before the second request, and the list does not show
	// it yet.
	h := newHistory(t, map[string]choice{"post 1": lost(at(16.2)), "post 2": {status: 409}})
	h.plan.all["list"] = choice{lag: 2 * time.Minute}
	h.runsTake(20 * time.Minute)
	h.earlier("cg-A", "source")
	h.starts(at(30), "cg-A", "source", Patterns[0])
	h.holds()
	h.runs(2, "cg-A", "")
	h.want(h.key(1), started)
}

// H3: claim, process frozen 300 s, the sweep takes over, the process wakes and
// POSTs. Must hold: the mark fails for the process that lost the lease.
func TestH3ProcessWithoutTheLeaseDoesNotSend(t *testing.T) {
	h := newHistory(t, map[string]choice{"s3arrival put 2": {freezeBefore: 300 * time.Second}})
	h.file(0, "a", 0, "x", Patterns[0])
	h.holds()
	h.runs(1, "cg-A", "")
	if len(h.posts) != 1 || h.posts[0].sent.After(Begin.Add(300*time.Second)) {
		t.Errorf("%d requests, the first %s", len(h.posts), sinceBegin(h.posts[0].sent))
	}
}

// H3 without a claim: trigger is frozen before its mark, the input is delivered
// again, the process wakes. Must hold: its mark fails.
func TestH3ProcessWithALateMarkDoesNotSend(t *testing.T) {
	h := newHistory(t, map[string]choice{"trigger put 1": {freezeBefore: 300 * time.Second}})
	h.starts(0, "cg-B", "full", Patterns[0])
	d := h.decisions[0]
	h.at(Begin.Add(at(1)), func() { h.schedule(d, "request-again") })
	h.holds()
	h.runs(1, "cg-B", "")
	h.want(h.key(0), started)
	if len(h.posts) != 1 || h.posts[0].sent.After(Begin.Add(300*time.Second)) {
		t.Errorf("%d requests, the first %s", len(h.posts), sinceBegin(h.posts[0].sent))
	}
}

// H4: the list endpoint answers a single Workflow object, or page 2 is lost.
// Must hold: decides nothing.
func TestH4IncompleteListDecidesNothing(t *testing.T) {
	for name, plan := range map[string]map[string]choice{
		"a single object": {"list 1": {body: `{"id":"wf-1","state":"succeeded"}`}, "list 2": {body: `{"id":"wf-1"}`}},
		"no page 2":       {"list 2": {fault: failBefore}, "list 4": {status: 500}},
		"no known run":    {"list 1": {body: `{"data":[]}`}, "list 2": {body: `{"data":[]}`}},
	} {
		t.Run(name, func(t *testing.T) {
			plan["post 1"] = choice{fault: dieAfter}
			h := newHistory(t, plan)
			h.earlier("cg-A", "source")
			h.starts(at(4), "cg-A", "source", Patterns[0])
			for range 4 { // so that the list has two pages
				h.at(Begin.Add(at(1)), func() { h.startForeign("cg-J", h.theirs) })
			}
			h.holds()
			h.runs(2, "cg-A", "")
			h.want(h.key(1), started)
		})
	}
}

// H5: two windows (or schedules) of one config id: w1 claimed, dies before
// POST; w2 POSTs run 1, dies before the record; reconcile of w1 finds one
// matching run. Must hold: w1 does not adopt w2's run.
func TestH5LaunchDoesNotAdoptAnotherLaunchsRun(t *testing.T) {
	h := newHistory(t, map[string]choice{"post 1": {fault: dieBefore}, "post 2": {fault: dieAfter}})
	h.earlier("cg-B", "full")
	h.starts(at(4), "cg-B", "full", Patterns[0])
	h.starts(at(4.1), "cg-B", "full", Patterns[0])
	h.holds()
	h.runs(2, "cg-B", "")
	h.want(h.key(1), heldBack)
	h.want(h.key(2), heldBack)
}

// H6: w2's own late record arrives after w1 adopted its run. Must hold: one
// run, one launch.
func TestH6TheCertainAnswerWins(t *testing.T) {
	h := newHistory(t, map[string]choice{"post 1": {fault: dieBefore}, "post 2": {freezeAfter: 5 * time.Minute}})
	h.earlier("cg-B", "full")
	// With this mistake the first adopts the run of the second.
	h.mutant = AdoptInDoubt
	h.starts(at(4), "cg-B", "full", Patterns[0])
	h.starts(at(4.1), "cg-B", "full", Patterns[0])
	h.run()
	h.runs(2, "cg-B", "")
	h.want(h.key(2), started)
	last := map[string]announcement.DetailType{}
	for _, a := range h.announced {
		last[a.Detail.LaunchKey] = a.Type
	}
	if last[h.key(1)] != heldBack {
		t.Errorf("the one that had adopted the run ends as %s\n%s", last[h.key(1)], strings.Join(h.trace, "\n"))
	}
}

// H7: another user starts the same group in the UI while a launch is unknown.
// Must hold: the run is not adopted.
func TestH7RunOfAnotherUserIsNotAdopted(t *testing.T) {
	for mode, want := range map[string]struct {
		runs int
		said announcement.DetailType
	}{"full": {1, heldBack}, "source": {2, started}} { // with the earlier one
		t.Run(mode, func(t *testing.T) {
			h := newHistory(t, map[string]choice{"post 1": never})
			h.earlier("cg-A", mode)
			h.starts(at(4), "cg-A", mode, Patterns[0])
			h.at(Begin.Add(at(4.3)), func() { h.startForeign("cg-A", h.theirs) })
			h.holds()
			h.runs(want.runs, "cg-A", "")
			h.want(h.key(1), want.said)
			for _, a := range h.announced {
				if len(a.Detail.Candidates) > 0 {
					t.Errorf("the operator is asked about %+v", a.Detail.Candidates)
				}
			}
		})
	}
}

// H8: settle: 0s: file at 100.0, seen 100.3, claim 100.69; then a duplicate
// notification at 101.5. Must hold: one run.
func TestH8ADuplicateWithinTheMarginIsOneRun(t *testing.T) {
	h := newHistory(t, nil)
	f := h.newFile("a", 0, 0, "x", Begin.Add(100*time.Second))
	f.event = f.put
	h.at(f.put, func() { h.land(f, 300*time.Millisecond, 1500*time.Millisecond, 3*time.Second, 9*time.Second) })
	h.holds()
	h.runs(1, "cg-A", "2026-11-22")
}

// H9: settle: 0s: claim, POST, run 1 at 100.9, crash; file 2 at 101; at 250 the
// sweep claims again and adopts run 1. Must hold: file 2 gets a run.
func TestH9AFileAfterTheRequestOfAnAdoptedRunGetsARun(t *testing.T) {
	h := newHistory(t, map[string]choice{"post 1": {fault: dieAfter}})
	h.earlier("cg-A", "source")
	h.file(at(4), "a", 0, "x1", Patterns[0])
	h.file(at(4)+10*time.Second, "a", 0, "x2", Patterns[0])
	h.holds()
	h.runs(2, "cg-A", "2026-11-22")
	h.want("arrival/cg-A/2026-11-22/1", started)
	h.want("arrival/cg-A/2026-11-22/2", started)
	if put := h.files[1].put; !h.posts[1].sent.Before(put) {
		t.Errorf("the file was there before the request")
	}
}

// H10: run 1 is running; file 2 comes, and the answer to its request is 409.
// Must hold: file 2 gets a run later, automatically.
func TestH10BusyLaunchResumesAutomatically(t *testing.T) {
	h := newHistory(t, nil)
	for n := range 40 { // a run of others goes on for ten minutes
		h.plan.plan["post "+strconv.Itoa(n+2)] = choice{status: 409}
		if n == 19 {
			break
		}
	}
	h.file(0, "a", 0, "x1", Patterns[0])
	h.file(at(20), "a", 0, "x2", Patterns[0])
	h.holds()
	h.runs(2, "cg-A", "2026-11-22")
	h.want("arrival/cg-A/2026-11-22/2", blocked, started)
}

// H11: token expired at 02:00, renewed at 08:00. Must hold: every window of the
// night is launched automatically.
func TestH11ANightWithoutATokenCostsNoWindow(t *testing.T) {
	h := newHistory(t, nil)
	h.expiries = []span{{Begin, Begin.Add(6 * time.Hour)}}
	for hour := range 5 {
		h.file(time.Duration(hour)*time.Hour, "g", 0, "x", Patterns[0])
		h.file(time.Duration(hour)*time.Hour, "a", -hour, "x", Patterns[0])
	}
	h.holds()
	h.runs(1, "cg-G", "")
	h.runs(5, "cg-A", "")
}

// H12: event time one hour in the future (a hand-made sample). Must hold: no
// repeated launches; quiet measured from receipt.
func TestH12AnEventOfTheFutureLaunchesOnce(t *testing.T) {
	h := newHistory(t, nil)
	f := h.newFile("g", 0, 0, "x", Begin)
	f.event = Begin.Add(time.Hour)
	h.at(Begin, func() { h.land(f, time.Second, at(20), at(50), at(90)) })
	h.holds()
	h.runs(1, "cg-G", "")
	// Quiet is measured from receipt: it does not wait for the hour to pass.
	if sent := h.posts[0].sent.Sub(Begin); sent > 3*time.Minute {
		t.Errorf("launched after %s", sent)
	}
}

// H13: overlap: both windows of a config id ripe; sweep decides w1, dies before
// its claim; next sweep decides w2; w1 continues without a new check. Must
// hold: never two runs at the same time.
func TestH13RipeWindowsRunOneAfterTheOther(t *testing.T) {
	// The sweep dies right after it has decided the first.
	h := newHistory(t, map[string]choice{"sweep put 1": {fault: dieAfter}})
	h.runsTake(10 * time.Minute)
	h.file(0, "c", 0, "x1", Patterns[0])
	h.file(0, "c", 0, "y1", Patterns[0])
	h.file(0, "c", -1, "x1", Patterns[0])
	h.file(0, "c", -1, "y1", Patterns[0])
	h.holds()
	h.runs(2, "cg-C", "")
	if gap := h.posts[1].sent.Sub(h.posts[0].sent); gap < 10*time.Minute {
		t.Errorf("the second followed the first after %s, which takes ten minutes", gap)
	}
}

// H14: owner token = request id; a duplicate asynchronous delivery carries the
// same one. Must hold: second delivery does not POST.
func TestH14TheSameRequestIDTwice(t *testing.T) {
	h := newHistory(t, nil)
	h.starts(0, "cg-B", "full", Patterns[0])
	d := h.decisions[0]
	h.at(d.at.Add(3*time.Millisecond), func() { h.schedule(d, "request-0-0") })
	h.holds()
	h.runs(1, "cg-B", "")
	if len(h.posts) != 1 {
		t.Errorf("%d requests", len(h.posts))
	}
}

// H15: the ledger write takes effect, its answer is lost, the SDK repeats it
// (claim, mark, record, window). Must hold: "my own attempt", no self-lock, no
// second revision.
func TestH15EveryWriteRepeatedByTheSDK(t *testing.T) {
	for name, f := range map[string]fault{"by the SDK": repeated, "by us": failAfter} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t, nil)
			n := 0
			h.plan.all["put"] = choice{fault: repeated}
			if f == failAfter { // every other one
				h.plan.all["put"] = choice{}
				for n = 1; n < 200; n += 2 {
					h.plan.plan["put "+strconv.Itoa(n)] = choice{fault: failAfter}
				}
			}
			h.starts(0, "cg-B", "full", Patterns[0])
			h.file(0, "a", 0, "x1", Patterns[0])
			h.file(at(3), "c", 0, "x1", Patterns[0])
			h.file(at(3), "c", 0, "y1", Patterns[0])
			h.holds()
			h.runs(1, "cg-B", "")
			h.runs(1, "cg-A", "")
			h.runs(1, "cg-C", "")
			for _, item := range h.ledger.All() {
				if strings.HasSuffix(item.Key, "/2") && strings.HasPrefix(item.Key, "launch/arrival") {
					t.Errorf("a second revision: %s", item.Key)
				}
			}
		})
	}
}

// H16: launch unknown, a new file arrives. Must hold: no revision 2 before the
// outcome of revision 1.
func TestH16NoNextRevisionWhileTheLastIsUnknown(t *testing.T) {
	h := newHistory(t, map[string]choice{"post 1": lost(at(10))})
	h.earlier("cg-A", "source")
	h.file(at(4), "a", 0, "x1", Patterns[0])
	h.file(at(6), "a", 0, "x2", Patterns[0])
	h.holds()
	h.runs(2, "cg-A", "2026-11-22")
	if gap := h.posts[2].sent.Sub(h.posts[1].sent); gap < 10*time.Minute {
		t.Errorf("the next revision was sent after %s", gap)
	}
}

// H17: launch held or discarded, a duplicate notification of its file arrives.
// Must hold: nothing launched.
func TestH17DuplicatesOfHeldFilesLaunchNothing(t *testing.T) {
	for _, verb := range []string{"", "discard"} {
		t.Run("held "+verb, func(t *testing.T) {
			h := newHistory(t, nil)
			h.file(0, "b", 0, "x1", Patterns[0])
			late := h.newFile("b", 0, 0, "x2", Begin.Add(at(5)))
			h.at(late.put, func() { h.land(late, time.Second, at(10), at(30)) })
			if verb != "" {
				h.answers(verb, Patterns[0])
			}
			h.holds()
			h.runs(1, "cg-B", "")
		})
	}
}

// H18: launch recorded started, process dies before the window takes it in.
// Must hold: the sweep finishes it; the next arrival is judged by the right
// covered_until.
func TestH18TheSweepUpdatesTheWindow(t *testing.T) {
	// s3arrival dies after it has recorded the run: the fourth write is the
	// window's.
	h := newHistory(t, map[string]choice{"s3arrival put 4": {fault: dieBefore}})
	h.file(0, "a", 0, "x1", Patterns[0])
	h.file(at(5), "a", 0, "x2", Patterns[0])
	h.holds()
	h.runs(2, "cg-A", "2026-11-22")
	h.want("arrival/cg-A/2026-11-22/1", started)
	h.want("arrival/cg-A/2026-11-22/2", started)
}

// H19: routes.yaml edited (config id, mode, pattern, removed) between a
// decision and the retry; s3arrival deployed a minute before sweep. Must hold:
// the stored request is used; nothing lost.
func TestH19RoutesEditedInBetween(t *testing.T) {
	edit := func(h *history, after time.Duration) {
		at := Begin.Add(after)
		h.World.routes = append(h.World.routes, routing{parsed()[1], map[string]time.Time{
			"trigger": at, "s3arrival": at, "sweep": at.Add(time.Minute)}})
	}
	t.Run("the mode, between decision and request", func(t *testing.T) {
		h := newHistory(t, map[string]choice{"s3arrival put 1": {fault: dieAfter}})
		h.file(0, "a", 0, "x1", Patterns[0])
		edit(h, 30*time.Second)
		h.holds()
		if got := h.amperity.Runs(); len(got) != 1 || got[0].RunMode != "source" {
			t.Errorf("got %+v, want the request as it was decided", got)
		}
	})
	t.Run("an entry more, while the window waits", func(t *testing.T) {
		h := newHistory(t, nil)
		h.file(0, "c", 0, "x1", Patterns[0])
		edit(h, at(5))
		h.file(at(10), "c", 0, "y1", Patterns[0])
		h.file(at(20), "c", 0, "z1", Patterns[0])
		h.holds()
		h.runs(1, "cg-C", "")
	})
	t.Run("the route gone, while the window waits", func(t *testing.T) {
		h := newHistory(t, nil)
		h.file(0, "i", 0, "x1", Patterns[0])
		edit(h, 30*time.Second)
		h.holds()
		h.want("arrival/og-I/2026-11-22/1", announcement.WindowAbandoned)
	})
	t.Run("s3arrival has a new route a minute before the sweep", func(t *testing.T) {
		h := newHistory(t, nil)
		h.World.routes = nil
		early, late := Begin.Add(-time.Hour), Begin.Add(at(3))
		h.World.routes = append(h.World.routes,
			routing{parsed()[1], map[string]time.Time{"trigger": early, "s3arrival": early, "sweep": early}},
			routing{parsed()[0], map[string]time.Time{"trigger": early, "s3arrival": early, "sweep": late}})
		h.file(0, "i", 0, "x1", Patterns[0])
		h.holds()
		h.want("arrival/og-I/2026-11-22/1", started)
	})
}

// H20: deadline then: run went with 3 of 4 files; the 4th arrives; or one
// corrected file after a complete set. Must hold: revision 2 does not wait for
// files that are there.
func TestH20WaivedFilesDelayNoLaunch(t *testing.T) {
	h := newHistory(t, nil)
	h.file(0, "e", 0, "x1", Patterns[0])
	h.file(at(150), "e", 0, "y1", Patterns[0])
	h.file(at(200), "e", 0, "x2", Patterns[0]) // corrected
	h.holds()
	h.runs(3, "cg-E", "2026-11-22")
	h.want("arrival/cg-E/2026-11-22/1", announcement.FilesMissing, started)
}

// H21: a file every 60 s with settle: 2m for two days into one window; the same
// into hour windows. Must hold: launches after a period's length, and again
// only after quiet or another.
func TestH21AFeedThatNeverPauses(t *testing.T) {
	h := newHistory(t, nil)
	for minute := range 180 {
		h.file(time.Duration(minute)*50*time.Second, "g", 0, strconv.Itoa(minute), Patterns[0])
	}
	h.holds()
	// An hour after its first file it no longer waits for quiet.
	if n := len(h.posts); n < 2 || n > 4 {
		t.Errorf("%d requests for two and a half hours of files", n)
	}
	if first := h.posts[0].sent.Sub(Begin); first < time.Hour || first > time.Hour+3*time.Minute {
		t.Errorf("the first after %s", first)
	}
}

// H22: schedule's input edited while its delivery is retried. Must hold: the
// launch keeps its outcome, the delivery is rejected under its own id.
func TestH22AnInputEditedWhileItIsRetried(t *testing.T) {
	h := newHistory(t, map[string]choice{"post 1": {status: 409}})
	h.starts(0, "cg-B", "full", Patterns[0])
	d := *h.decisions[0]
	d.payload = strings.Replace(d.payload, "full", "source", 1)
	h.at(Begin.Add(at(2)), func() { h.attempt(&d, "request-other", 1) })
	h.holds()
	h.runs(1, "cg-B", "")
	h.want(d.key, blocked, started)
	other := 0
	for _, a := range h.announced {
		if a.Type == rejected && a.Detail.LaunchKey == "" {
			other++
			if !strings.Contains(a.Detail.Error.Message, d.key) {
				t.Errorf("the rejection does not say what it meets: %s", a.Detail.Error.Message)
			}
		}
	}
	if other != 1 {
		t.Errorf("%d rejections of the edited input", other)
	}
}

// H23: first delivery claimed and crashed; redelivered after max_age. Must
// hold: one truth announced, not rejected and then started.
func TestH23RedeliveredAfterMaxAge(t *testing.T) {
	h := newHistory(t, map[string]choice{"trigger put 1": {fault: dieAfter}})
	h.starts(0, "cg-B", "full", Patterns[0])
	d := h.decisions[0]
	d.payload = strings.Replace(d.payload, "}", `,"max_age":"1m"}`, 1)
	h.at(Begin.Add(at(3)), func() { h.schedule(d, "request-again") })
	h.holds()
	if n := len(h.said(d.key)); n != 1 {
		t.Errorf("%d different things were said of it: %v", n, h.said(d.key))
	}
}

// said returns the different announcements of a launch.
func (h *history) said(key string) map[string]announcement.DetailType {
	m := map[string]announcement.DetailType{}
	for _, a := range h.announced {
		if a.Detail.LaunchKey == key {
			m[a.Detail.ID] = a.Type
		}
	}
	return m
}

// H24: ledger items expire in any order: window gone, its launch still there;
// late file. Must hold: the file gets a run or is held.
func TestH24ItemsExpireInAnyOrder(t *testing.T) {
	t.Run("the window, its launch started", func(t *testing.T) {
		h := newHistory(t, nil)
		h.file(0, "a", 0, "x1", Patterns[0])
		h.at(Begin.Add(at(10)), func() { h.ledger.Expire("window/cg-A/2026-11-22") })
		h.file(at(20), "a", 0, "x2", Patterns[0])
		h.holds()
		h.runs(2, "cg-A", "2026-11-22")
	})
	t.Run("the window, its launch rejected", func(t *testing.T) {
		h := newHistory(t, map[string]choice{"post 1": {status: 404}})
		h.file(0, "a", 0, "x1", Patterns[0])
		h.at(Begin.Add(at(10)), func() { h.ledger.Expire("window/cg-A/2026-11-22") })
		h.file(at(20), "a", 0, "x2", Patterns[0])
		h.holds()
		h.runs(1, "cg-A", "2026-11-22")
		h.want("arrival/cg-A/2026-11-22/2", started)
	})
	t.Run("the launch and the run, then the window is read", func(t *testing.T) {
		h := newHistory(t, nil)
		h.file(0, "a", 0, "x1", Patterns[0])
		h.at(Begin.Add(at(10)), func() {
			h.ledger.Expire("launch/arrival/cg-A/2026-11-22/1")
			for _, item := range h.ledger.All() {
				if strings.HasPrefix(item.Key, "run/") {
					h.ledger.Expire(item.Key)
				}
			}
		})
		h.file(at(20), "a", 0, "x2", Patterns[0])
		h.holds()
		h.runs(2, "cg-A", "2026-11-22")
	})
}

// H25: release delivered twice, the first one's POST unknown and held again.
// Must hold: no second POST by the old release.
func TestH25AReleaseDeliveredTwice(t *testing.T) {
	h := newHistory(t, map[string]choice{"post 1": never, "post 2": never})
	h.starts(0, "cg-B", "full", Patterns[0])
	seen := false
	h.onAnnounced = func(a announcement.Announcement) {
		if a.Type != heldBack || seen {
			return
		}
		seen = true
		v := &word{verb: "release", key: a.Detail.LaunchKey, hold: a.Detail.HoldNumber}
		h.words = append(h.words, v)
		for _, after := range []time.Duration{0, at(5), at(40), at(60)} {
			h.after(time.Minute+after, func() { h.say(v) })
		}
	}
	h.holds()
	if len(h.posts) != 2 {
		t.Errorf("%d requests: the old release sent another", len(h.posts))
	}
	h.want(h.key(0), heldBack, heldBack)
}

// H26: spacing of reruns measured from a claim whose POST came 2 minutes later.
// Must hold: 15 minutes after the last POST that may have started a run.
func TestH26SpacingCountsFromTheRequest(t *testing.T) {
	h := newHistory(t, nil)
	h.outages = []span{{Begin, Begin.Add(at(2))}}
	h.file(0, "a", 0, "x1", Patterns[0])
	h.file(at(6), "a", 0, "x2", Patterns[0])
	h.holds()
	h.runs(2, "cg-A", "2026-11-22")
	if gap := h.posts[1].sent.Sub(h.posts[0].sent); gap < 15*time.Minute {
		t.Errorf("%s between the two", gap)
	}
}

// H28: clocks: S3 +2 s, ours −2 s, event time cut to the second. Must hold:
// margin 5 s covers, 4 s does not.
func TestH28TheMargin(t *testing.T) {
	// S3's clock is 2 s behind, and the event's time is cut to the second; ours
	// is 2 s ahead. The file comes just after the request, which waits for
	// nothing: the event of the first file takes 11 s.
	all, behind := 0, 0
	for skew := -2 * time.Second; skew <= 2*time.Second; skew += 500 * time.Millisecond {
		for after := time.Duration(0); after < 3*time.Second; after += 190 * time.Millisecond {
			h := newHistoryOf(t, nil)
			h.instances = append(h.instances, h.instanceWith("s3arrival", skew))
			first := h.newFile("a", 0, 0, "x1", Begin)
			h.at(Begin, func() { h.land(first, 11*time.Second) })
			late := h.newFile("a", 0, 0, "x2", Begin.Add(11100*time.Millisecond+after))
			late.event = late.put.Add(-2 * time.Second)
			h.at(late.put, func() { h.land(late, 3*time.Second) })
			h.run()
			if violations, _ := h.check(); len(violations) > 0 {
				t.Fatalf("our clock %s, the file %s after the request: %v", skew, after, violations)
			}
			all++
			if h.posts[0].sent.Before(late.put) {
				behind++
			}
		}
	}
	// The request goes within a second or so: most of the files come after it.
	if behind < all/2 {
		t.Errorf("%d of %d files come after the request", behind, all)
	}
	if window.Margin != 5*time.Second {
		t.Errorf("the margin is %s", window.Margin)
	}
}

// H29: one rule with two targets (two config ids), same scheduled time. Must
// hold: two runs.
func TestH29OneRuleWithTwoTargets(t *testing.T) {
	h := newHistory(t, nil)
	h.starts(0, "cg-A", "full", Patterns[0])
	h.starts(0, "cg-B", "full", Patterns[0])
	arn := "/default/s0"
	h.decisions[1].payload = strings.Replace(h.decisions[1].payload, "/default/s1", arn, 1)
	h.decisions[1].key = strings.Replace(h.decisions[1].key, "/default/s1", arn, 1)
	h.holds()
	h.runs(1, "cg-A", "")
	h.runs(1, "cg-B", "")
}

// H30: relative range resolved before and after midnight on a retry. Must hold:
// the range that the first write recorded.
func TestH30TheRangeOfTheFirstWriteIsKept(t *testing.T) {
	// Marked at 23:59:50 UTC; the sweep sends the request on the next day.
	h := newHistory(t, map[string]choice{"trigger put 1": {fault: dieAfter}})
	late := 17*time.Hour + 59*time.Minute + 50*time.Second
	d := &decision{at: Begin.Add(late), config: "cg-B", key: "manual/cg-B/k", from: "2026-11-21",
		payload: `{"config_id":"cg-B","run_mode":"full","range":{"from":"-1d","to":"0d"},"idempotency_key":"k","if_unknown":"retry"}`}
	h.decisions = append(h.decisions, d)
	h.quiet = Begin.Add(18 * time.Hour)
	h.at(d.at, func() { h.schedule(d, "request") })
	h.holds()
	h.runs(1, "cg-B", "2026-11-21")
}

// H31: reconcile's list begins at the POST, the newest run that the ledger
// knows of is yesterday's, so it is never in the list. Must hold: reconcile
// ends: adopted, posted again or held.
func TestH31TheKnownRunIsOfYesterday(t *testing.T) {
	h := newHistory(t, map[string]choice{"post 1": {fault: dieAfter}})
	h.quiet = Begin.Add(26 * time.Hour)
	h.earlier("cg-A", "source")
	h.starts(25*time.Hour, "cg-A", "source", Patterns[0])
	h.holds()
	h.runs(2, "cg-A", "")
	h.want(h.key(1), started)
}

// H32: POST 1 unknown and late; 15 minutes of empty lists; POST 2 answers 409
// or 429 because run 1 has begun; again and again. Must hold: the list is read
// before each further POST; run 1 is adopted.
func TestH32TheListIsReadBeforeEachFurtherRequest(t *testing.T) {
	h := newHistory(t, map[string]choice{"post 1": lost(at(17)), "post 2": {status: 409}, "post 3": {status: 409}, "post 4": {status: 409}, "post 5": {status: 409}})
	h.runsTake(time.Hour)
	h.earlier("cg-A", "source")
	h.starts(at(70), "cg-A", "source", Patterns[0])
	h.holds()
	h.runs(2, "cg-A", "")
	h.want(h.key(1), started)
}

// H33: POST 1 unknown, POST 2 answers 400. Must hold: held, not rejected: run 1
// may exist.
func TestH33ARefusalAfterAnUnknownRequestIsHeld(t *testing.T) {
	h := newHistory(t, map[string]choice{"post 1": never, "post 2": {status: 400}})
	h.earlier("cg-A", "source")
	h.starts(at(4), "cg-A", "source", Patterns[0])
	h.holds()
	h.runs(1, "cg-A", "")
	h.want(h.key(1), heldBack)
}

// H34: launch A: POST 1 unknown, POST 2 started run 2, run 1 appears 20 minutes
// late; launch B of the same config id is unknown and was not processed. Must
// hold: B does not adopt run 1.
func TestH34LaunchDoesNotAdoptALateSecondRun(t *testing.T) {
	h := newHistory(t, map[string]choice{"post 1": lost(at(40)), "post 3": never})
	h.earlier("cg-A", "source")
	h.starts(at(4), "cg-A", "source", Patterns[0])
	h.starts(at(30), "cg-A", "full", Patterns[0])
	allowed := h.holds()
	h.want(h.key(1), started, heldBack) // of a further run, which may be its own
	h.want(h.key(2), heldBack)
	if allowed[allowedRetry] != 1 {
		t.Errorf("allowed: %v", allowed)
	}
}

// H35: one launch held as unknown and forgotten for a week; another launch of
// that config id becomes unknown. Must hold: it can be adopted.
func TestH35UnansweredHoldBlocksNoLaterLaunch(t *testing.T) {
	h := newHistory(t, map[string]choice{"post 1": never, "post 3": {fault: dieAfter}})
	h.quiet = Begin.Add(7*24*time.Hour + time.Hour)
	h.earlier("cg-B", "full")
	h.starts(at(4), "cg-B", "full", Patterns[0])
	h.starts(6*24*time.Hour, "cg-B", "full", Patterns[0])
	h.starts(7*24*time.Hour, "cg-B", "full", Patterns[0])
	h.holds()
	h.want(h.key(1), heldBack)
	h.want(h.key(2), started)
	h.want(h.key(3), started)
}

// H36: launch ends rejected, held or discarded, or the sweep dies after the
// run's end. Must hold: the next window of the config id does not wait for it.
func TestH36NextWindowDoesNotWaitForAnEndedLaunch(t *testing.T) {
	for name, plan := range map[string]map[string]choice{
		"rejected":                           {"post 1": {status: 404}},
		"held":                               {"post 1": never},
		"the sweep dies after the run's end": {"read 1": {fault: dieAfter}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t, plan)
			h.file(0, "f", 0, "x1", Patterns[0])
			h.file(at(40), "f", -1, "x1", Patterns[0])
			h.holds()
			h.want("arrival/cg-F/2026-11-21/1", started)
			if sent := h.posts[len(h.posts)-1].sent.Sub(Begin); sent > at(50) {
				t.Errorf("it waited until %s", sent)
			}
		})
	}
}

// H37: a rejected launch is released twice (duplicate delivery), the first POST
// unknown. Must hold: one POST by the release.
func TestH37ARejectedLaunchReleasedTwice(t *testing.T) {
	h := newHistory(t, map[string]choice{"post 1": {status: 404}, "post 2": never})
	h.file(0, "f", 0, "x1", Patterns[0])
	h.answers("release", Pattern{again: []time.Duration{2 * time.Millisecond, time.Minute}})
	h.onAnnounced = onlyFirst(h.onAnnounced)
	h.holds()
	if len(h.posts) != 2 {
		t.Errorf("%d requests", len(h.posts))
	}
	h.want("arrival/cg-F/2026-11-22/1", rejected, heldBack)
}

// onlyFirst lets people act on the first announcement alone.
func onlyFirst(act func(announcement.Announcement)) func(announcement.Announcement) {
	done := false
	return func(a announcement.Announcement) {
		if !done && (a.Type == rejected || a.Type == heldBack) {
			done = true
			act(a)
		}
	}
}

// H38: a storm of 1,000 files before the first launch, then duplicates of the
// last ones. Must hold: nothing reopened.
func TestH38DuplicatesOfAStormReopenNothing(t *testing.T) {
	h := newHistory(t, nil)
	h.batch = 1000
	for n := range 1000 {
		f := h.newFile("a", 0, 0, strconv.Itoa(n), Begin.Add(time.Duration(n)*10*time.Millisecond))
		delays := []time.Duration{30*time.Second - time.Duration(n)*10*time.Millisecond}
		if n > 800 {
			delays = append(delays, at(5))
		}
		h.at(f.put, func() { h.land(f, delays...) })
	}
	h.holds()
	h.runs(1, "cg-A", "2026-11-22")
}

// H40: two interrupted launches of one config id, both reconciled by the same
// sweep. Must hold: both come to rest.
func TestH40TwoInterruptedLaunchesComeToRest(t *testing.T) {
	h := newHistory(t, map[string]choice{"post 1": never, "post 2": never})
	h.earlier("cg-B", "full")
	h.starts(at(4), "cg-B", "full", Patterns[0])
	h.starts(at(4), "cg-B", "full", Patterns[0])
	h.holds()
	h.want(h.key(1), heldBack)
	h.want(h.key(2), heldBack)
}

// A marker is written last, and its event may come before that of a part.
func TestAPartBehindItsMarkerIsCovered(t *testing.T) {
	for _, skew := range []time.Duration{-2 * time.Second, 0, 2 * time.Second} {
		for _, plan := range []map[string]choice{
			nil,
			{"s3arrival put 2": {fault: dieAfter}}, // the claim: the sweep sends the request
		} {
			h := newHistoryOf(t, plan)
			h.instances = append(h.instances, h.instanceWith("s3arrival", skew), h.instanceWith("s3arrival", skew))
			h.earlier("cg-K", "full")
			land := func(name string, put, arrives time.Duration) {
				f := h.newFile("k", 0, 0, name, Begin.Add(at(4)+put))
				f.event = f.put
				h.at(f.put, func() { h.land(f, arrives-put) })
			}
			land("part-0", 0, time.Second)
			land("part-1", 1200*time.Millisecond, 5*time.Second)
			land("marker", 1900*time.Millisecond, 3*time.Second)
			h.run()
			if violations, _ := h.check(); len(violations) > 0 {
				t.Errorf("our clock %s, %v: %v", skew, plan, violations)
			}
			h.runs(1, "cg-K", "2026-11-22")
			h.want("arrival/cg-K/2026-11-22/1", started)
			h.want("arrival/cg-K/2026-11-22/2")
		}
	}
}

// The latest event time decides when the request may go, and one of the future
// counts as received.
func TestARequestWaitsSixSecondsAtMost(t *testing.T) {
	for name, event := range map[string]time.Duration{"of the future": time.Hour, "of now": 0, "a while old": -4 * time.Second, "of long ago": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t, nil)
			h.instances = append(h.instances, h.instanceWith("s3arrival", 0))
			f := h.newFile("a", 0, 0, "x", Begin)
			f.event = Begin.Add(event)
			h.at(Begin, func() { h.land(f, time.Second) })
			h.run()
			h.runs(1, "cg-A", "")
			earliest, latest := f.event.Add(6*time.Second), Begin.Add(8500*time.Millisecond)
			if event > 0 {
				earliest = Begin.Add(7 * time.Second)
			}
			if sent := h.posts[0].sent; sent.Before(earliest) || sent.After(latest) {
				t.Errorf("sent after %s, want from %s to %s", sent.Sub(Begin), earliest.Sub(Begin), latest.Sub(Begin))
			}
		})
	}
}

func TestTheWindowsOfABatchWaitTogether(t *testing.T) {
	h := newHistory(t, nil)
	h.batch = 10
	h.instances = append(h.instances, h.instanceWith("s3arrival", 0))
	for _, letter := range []string{"a", "b", "f", "j"} {
		f := h.newFile(letter, 0, 0, "x", Begin)
		f.event = f.put
		h.at(Begin, func() {
			h.files = append(h.files, f)
			f.copies++
			h.sqs.messages = append(h.sqs.messages, &message{id: letter, file: f, visible: Begin})
		})
	}
	h.at(Begin.Add(time.Second), h.poll)
	h.holds()
	if len(h.posts) != 4 {
		t.Fatalf("%d requests, want 4", len(h.posts))
	}
	first, last := h.posts[0].sent.Sub(Begin), h.posts[3].sent.Sub(Begin)
	if first < 6*time.Second || last > 8*time.Second {
		t.Errorf("sent after %s to %s", first, last)
	}
}

func TestAnHourWithoutTheLedgerSendsNoFileToADeadLetterQueue(t *testing.T) {
	h := newHistory(t, nil)
	for _, kind := range []string{"get", "put", "due"} {
		h.plan.all[kind] = choice{fault: failBefore}
	}
	h.at(Begin.Add(time.Hour), func() { clear(h.plan.all) })
	h.file(0, "a", 0, "x1", Patterns[0])
	h.file(at(20), "a", -1, "x1", Patterns[0])
	h.file(at(59), "c", 0, "x1", Patterns[0])
	h.file(at(59), "c", 0, "y1", Patterns[0])
	h.holds()
	for _, f := range h.files {
		if f.lost > 0 {
			t.Errorf("the event of %s is in the dead-letter queue", f.key)
		}
	}
	h.runs(2, "cg-A", "")
	h.runs(1, "cg-C", "")
}

// newHistoryOf is newHistory within a test that makes many.
func newHistoryOf(t *testing.T, plan map[string]choice) *history {
	c := &planned{plan: plan, all: map[string]choice{}, count: map[string]int{}}
	w := newWorld(7, c, false)
	t.Cleanup(w.amperity.Close)
	w.batch, w.quiet = 1, Begin
	w.deployAtStart()
	h := &history{w, t, c}
	h.runsTake(90 * time.Second)
	return h
}

// instanceWith makes an instance of a function whose clock is off by so much.
func (w *World) instanceWith(name string, skew time.Duration) *instance {
	in := &instance{name: name, made: w.deployed(name), give: &backends{w: w}, skew: skew}
	in.keep = w.build(in)
	return in
}
