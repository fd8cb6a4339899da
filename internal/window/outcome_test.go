package window

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
)

// launched returns a window whose revision 1 was decided at 06:02 for a/1.
func launched(t *testing.T) *State {
	t.Helper()
	s := New("cg-1", "2026-11-22", "orders", at("06:00"))
	s.Fold([]Arrival{file("a/1", at("06:00"))}, day("a"), at("06:00"))
	if d := s.Evaluate(day("a"), at("06:02")); d.Do != Launch || s.Decide(day("a"), at("06:02"), false) != 1 {
		t.Fatalf("decided %+v", d)
	}
	return s
}

func file(key string, event time.Time) Arrival {
	entry := day("a", "b").EntryOf("b", key)
	return Arrival{Entry: entry, Bucket: "b", Key: key, Version: "1", EventTime: event}
}

// started returns the outcome of a launch whose request was sent at the given
// time.
func started(revision, turn int, posted time.Time) Outcome {
	return Outcome{Revision: revision, Turn: turn, Started: true, CoveredUntil: posted.Add(-Margin), LastPost: posted}
}

func TestOutcomeTakesEffectOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		// happened changes the window after the decision of revision 1.
		happened func(*State)
		told     Outcome
		heard    bool
	}{
		{"the first time", func(*State) {}, started(1, 0, at("06:02")), true},
		{"that there is no run", func(*State) {}, Outcome{Revision: 1}, true},
		{"a second time", func(s *State) { s.Outcome(started(1, 0, at("06:02"))) }, started(1, 0, at("06:02")), false},
		{"otherwise, a second time", func(s *State) { s.Outcome(Outcome{Revision: 1}) }, started(1, 0, at("06:02")), false},
		{"of a launch to come", func(*State) {}, started(2, 0, at("06:02")), false},
		{"of a turn to come", func(*State) {}, started(1, 1, at("06:02")), false},
		{"of a launch before", func(s *State) {
			s.Outcome(Outcome{Revision: 1})
			s.Fold([]Arrival{file("a/2", at("06:10"))}, day("a"), at("06:10"))
			s.Decide(day("a"), at("06:12"), false)
		}, started(1, 0, at("06:02")), false},
		{"of the former end, after a release", func(s *State) {
			s.Outcome(Outcome{Revision: 1})
			s.Reopen(1, 1, at("06:10"))
		}, Outcome{Revision: 1}, false},
		{"of its end in its new turn", func(s *State) {
			s.Outcome(Outcome{Revision: 1})
			s.Reopen(1, 1, at("06:10"))
		}, started(1, 1, at("06:10")), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := launched(t)
			tt.happened(s)
			before := text(t, s)
			if heard := s.Outcome(tt.told); heard != tt.heard {
				t.Errorf("heard: %v", heard)
			}
			if d := cmp.Diff(before, text(t, s)); (d != "") != tt.heard {
				t.Errorf("(-before +after):\n%s", d)
			}
		})
	}
}

// A launch that ends without a run answers the files that came since its
// decision. They count only for that launch and that turn.
func TestFilesSinceADecisionAreCountedForItsLaunch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		happened       func(*State)
		revision, turn int
		want           int
	}{
		{"the launch that was decided", func(*State) {}, 1, 0, 2},
		{"a launch to come", func(*State) {}, 2, 0, 0},
		{"a turn to come", func(*State) {}, 1, 1, 0},
		{"a launch that is over", func(s *State) { s.Outcome(Outcome{Revision: 1, Answered: 2}) }, 1, 0, 0},
		{"a turn that is over", func(s *State) {
			s.Outcome(Outcome{Revision: 1, Answered: 2})
			s.Reopen(1, 1, at("06:10"))
		}, 1, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := launched(t)
			s.Fold([]Arrival{file("a/2", at("06:03")), file("a/3", at("06:03"))}, day("a"), at("06:04"))
			tt.happened(s)
			if got := s.Since(tt.revision, tt.turn); got != tt.want {
				t.Errorf("%d files, want %d", got, tt.want)
			}
		})
	}
}

func TestReopenTakesOnlyTheEndedLatestLaunch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		happened func(*State)
		want     bool
	}{
		{"rejected", func(s *State) { s.Outcome(Outcome{Revision: 1}) }, true},
		{"started, of a run that turned out to be another's", func(s *State) { s.Outcome(started(1, 0, at("06:02"))) }, true},
		{"going on", func(*State) {}, false},
		{"reopened already", func(s *State) {
			s.Outcome(Outcome{Revision: 1})
			s.Reopen(1, 1, at("06:05"))
		}, false},
		{"followed by another", func(s *State) {
			s.Outcome(Outcome{Revision: 1})
			s.Decide(day("a"), at("06:12"), false)
			s.Outcome(Outcome{Revision: 2})
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := launched(t)
			tt.happened(s)
			before := text(t, s)
			if got := s.Reopen(1, 2, at("06:10")); got != tt.want {
				t.Errorf("reopened: %v", got)
			}
			if d := cmp.Diff(before, text(t, s)); (d != "") != tt.want {
				t.Errorf("(-before +after):\n%s", d)
			}
		})
	}
}

// The operator may adopt a run for a launch that sent no request.
func TestFilesAfterAnAdoptedRunAreLate(t *testing.T) {
	t.Parallel()
	r := day("a").with(late(Hold))
	s := launched(t)
	s.Outcome(Outcome{Revision: 1, Started: true, CoveredUntil: at("06:02")})
	s.Fold([]Arrival{file("a/2", at("07:00"))}, r, at("07:00"))
	if d := s.Evaluate(r, at("07:02")); d.Do != HoldIt || d.Reason != announcement.ReasonLateFile {
		t.Errorf("decided %+v", d)
	}
}

func TestAReopenedLaunchGoesWithAllFilesSoFar(t *testing.T) {
	t.Parallel()
	s := launched(t)
	s.Outcome(Outcome{Revision: 1})
	s.Fold([]Arrival{file("a/2", at("06:10")), file("a/3", at("06:10"))}, day("a"), at("06:10"))
	s.Wait(at("06:12"), Front{RunID: "wf-1"})
	s.Reopen(1, 1, at("06:15"))
	want := &Flight{Revision: 1, Turn: 1, Decided: at("06:15"), Files: Files{
		Count: 2, First: at("06:10"), Last: at("06:10"), Latest: at("06:10"), Samples: []string{"s3://b/a/2", "s3://b/a/3"},
	}}
	if d := cmp.Diff(want, s.Launch); d != "" || s.Open.Count != 0 || !s.WaitsSince.IsZero() {
		t.Errorf("(-want +got):\n%s\nopen: %+v, waits since %v", d, s.Open, s.WaitsSince)
	}
	// Another rejection answers the files that belong to it.
	s.Outcome(Outcome{Revision: 1, Turn: 1})
	if n := s.Fold([]Arrival{file("a/2", at("06:10"))}, day("a"), at("06:20")); n.Duplicates != 1 {
		t.Errorf("counted %+v", n)
	}
}

// The next file creates a forgotten window again. If the ledger still has its
// revision 1, the window takes in that launch (H24).
func TestRecall(t *testing.T) {
	t.Parallel()
	ended := func(o Outcome) *Outcome { return &o }
	for _, tt := range []struct {
		name string
		// came is the event time of two files that arrive at 06:00 on the
		// second day.
		came time.Time
		late Late
		end  *Outcome
		want string
	}{
		{"of a launch in flight: the window waits for its outcome", at("+1 05:59"), Rerun, nil, "nothing"},
		{"of a run that covers the file", at("06:00"), Rerun, ended(started(1, 0, at("06:02"))), "nothing"},
		{"of a run that does not cover the file", at("06:02"), Rerun, ended(started(1, 0, at("06:02"))), "launch 2"},
		{"of a run of a moment ago", at("+1 05:59"), Rerun, ended(started(1, 0, at("+1 05:58"))), "look at +1 06:13:30"},
		{"whose late files are held", at("06:02"), Hold, ended(started(1, 0, at("06:02"))), "hold 2: late_file"},
		{"whose late files are ignored", at("06:02"), Ignore, ended(started(1, 0, at("06:02"))), "2 ignored; nothing"},
		{"of a rejected launch: the file gets the next", at("06:00"), Hold, ended(Outcome{Revision: 1}), "launch 2"},
		{"of a discarded launch that may have a run", at("06:00"), Hold, ended(Outcome{Revision: 1, LastPost: at("06:02")}), "hold 2: late_file"},
		{"of an old run, and an old file after it", at("-46 06:00"), Rerun, ended(started(1, 0, at("-50 06:00"))), "hold 2: too_old"},
		{"of an old run, and an old file before it", at("-50 05:00"), Rerun, ended(started(1, 0, at("-50 06:00"))), "nothing"},
		{"of a run in a turn after its first", at("06:02"), Rerun, ended(started(1, 3, at("06:02"))), "launch 2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := day("a", "b").with(late(tt.late), settle(0))
			now := at("+1 06:00")
			s := New("cg-1", "2026-11-22", "orders", now)
			s.Fold([]Arrival{file("a/1", tt.came), file("a/2", tt.came)}, r, now)
			s.Wait(now, Front{RunID: "wf-1"})
			turn := 0
			if tt.end != nil {
				turn = tt.end.Turn
			}
			s.Recall(1, turn, at("06:00"), tt.end)
			if s.Launch != nil && !s.WaitsSince.IsZero() {
				t.Errorf("waits since %v", s.WaitsSince)
			}
			st := &stage{t: t, rules: r, state: s}
			if got := st.decided(s.Evaluate(r, now), now); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if tt.end != nil {
				return
			}
			// The outcome takes effect and decides about the files.
			if !s.Outcome(started(1, 0, at("06:02"))) || s.Open.Count != 2 {
				t.Errorf("%d open", s.Open.Count)
			}
		})
	}
}

func TestCoveredFilesAreNotKeptByName(t *testing.T) {
	t.Parallel()
	s := launched(t)
	s.Fold([]Arrival{file("a/2", at("06:02:03")), file("a/3", at("06:02:04"))}, day("a"), at("06:02:05"))
	if len(s.Marks) != 3 {
		t.Errorf("%d marks before", len(s.Marks))
	}
	s.Outcome(started(1, 0, at("06:02:08.999")))
	if len(s.Marks) != 1 {
		t.Errorf("%d marks, want that of the last file", len(s.Marks))
	}
}

func TestIdle(t *testing.T) {
	t.Parallel()
	s := New("cg-1", "2026-11-22", "orders", at("06:00"))
	idle := func(what string, want bool) {
		t.Helper()
		if s.Idle() != want {
			t.Errorf("%s: idle %v", what, s.Idle())
		}
	}
	idle("new", true)
	s.Fold([]Arrival{file("a/1", at("06:00"))}, day("a"), at("06:00"))
	idle("with a file", false)
	s.Decide(day("a"), at("06:02"), false)
	idle("while it launches", false)
	s.Outcome(started(1, 0, at("06:02")))
	idle("when its run has begun", true)
	s.Notices = []Notice{{}}
	idle("with something to tell", false)
}

// A window whose files were missing at its deadline is in the operator's list
// until it launches or the operator discards it.
func TestAWindowAsksWhileItsFilesAreMissing(t *testing.T) {
	t.Parallel()
	r := day("a", "b").with(deadline("06:30"))
	come := func(s *State, key, clock string) {
		s.Fold([]Arrival{file(key, at(clock))}, r, at(clock))
		s.Evaluate(r, at(clock))
	}
	passed := func(s *State) { s.Evaluate(r, at("06:30")) }
	ends := func(s *State, clock string, o Outcome) {
		o.Revision = s.Decide(r, at(clock), false)
		s.Outcome(o)
	}
	for _, tt := range []struct {
		name     string
		happened func(*State)
		want     bool
	}{
		{"before the deadline", func(s *State) { come(s, "a/1", "06:00") }, false},
		{"after it, with nothing there", passed, true},
		{"after it, with some files", func(s *State) { come(s, "a/1", "06:00"); passed(s) }, true},
		{"after it, with all files", func(s *State) { come(s, "a/1", "06:00"); come(s, "b/1", "06:00"); passed(s) }, false},
		{"after it, with nothing there, for then: run", func(s *State) { s.Evaluate(r.with(thenRun), at("06:30")) }, true},
		{"while a launch is in flight", func(s *State) { come(s, "a/1", "06:00"); passed(s); s.Decide(r, at("06:40"), false) }, false},
		{"after a run", func(s *State) {
			come(s, "a/1", "06:00")
			passed(s)
			ends(s, "06:40", Outcome{Started: true, CoveredUntil: at("06:39"), LastPost: at("06:40")})
			come(s, "a/2", "07:00")
		}, false},
		{"once the operator has ended it", func(s *State) {
			come(s, "a/1", "06:00")
			passed(s)
			ends(s, "06:40", Outcome{At: at("06:40")})
		}, false},
		{"with a further file after that", func(s *State) {
			come(s, "a/1", "06:00")
			passed(s)
			ends(s, "06:40", Outcome{At: at("06:40")})
			come(s, "a/2", "07:00")
		}, true},
		{"with a further file, once all had come and the launch was rejected", func(s *State) {
			passed(s)
			come(s, "a/1", "07:00")
			come(s, "b/1", "07:00")
			ends(s, "07:02", Outcome{At: at("07:03")})
			come(s, "a/2", "08:00")
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := New("cg-1", "2026-11-22", "orders", at("00:00"))
			s.Expected = true
			tt.happened(s)
			if got := s.Asks(); got != tt.want {
				t.Errorf("asks: %t, want %t\n%s", got, tt.want, text(t, s))
			}
		})
	}
}

// The limit of reruns counts automatic runs. Launches without a request and
// released launches do not count.
func TestWhatCountsAsARerun(t *testing.T) {
	t.Parallel()
	posted := started(1, 0, at("06:02"))
	adopted := Outcome{Revision: 1, Started: true, CoveredUntil: at("06:01")} // by the operator, of a launch that sent nothing
	for _, tt := range []struct {
		name  string
		first Outcome
		held  bool
		then  Outcome
		want  int
	}{
		{"a run after a run", posted, false, started(2, 0, at("07:02")), 1},
		{"a request that may have started a run", posted, false, Outcome{Revision: 2, LastPost: at("07:02")}, 1},
		{"no request, after a run", posted, false, Outcome{Revision: 2}, 0},
		{"no request, after an adopted run", adopted, false, Outcome{Revision: 2}, 0},
		{"a run that the operator has released", posted, true, started(2, 0, at("07:02")), 0},
		{"a run after a rejection", Outcome{Revision: 1}, false, started(2, 0, at("07:02")), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := launched(t)
			s.Outcome(tt.first)
			s.Fold([]Arrival{file("a/2", at("07:00"))}, day("a"), at("07:00"))
			s.Decide(day("a"), at("07:02"), tt.held)
			s.Outcome(tt.then)
			if s.Reruns != tt.want {
				t.Errorf("%d reruns, want %d", s.Reruns, tt.want)
			}
		})
	}
}

// S3's clock and ours are wrong by at most 2 s, and EventBridge cuts times to
// the second (H28). A file put after the request must never count as covered.
func TestWrongClockCoversNoUncoveredFile(t *testing.T) {
	t.Parallel()
	sent := at("06:02:00") // by the true clock
	wrong := map[time.Duration]int{}
	step := 250 * time.Millisecond
	for s3 := -2 * time.Second; s3 <= 2*time.Second; s3 += step {
		for ours := -2 * time.Second; ours <= 2*time.Second; ours += step {
			for fraction := range time.Second / time.Millisecond {
				// At least a millisecond after the request.
				put := sent.Add(fraction * time.Millisecond).Add(time.Millisecond)
				sent := sent.Add(fraction * time.Millisecond)
				event := put.Add(s3).Truncate(time.Second)
				for margin := 3 * time.Second; margin <= 6*time.Second; margin += time.Second {
					if event.Before(sent.Add(ours).Add(-margin)) {
						wrong[margin]++
					}
				}
			}
		}
	}
	if wrong[Margin] > 0 || wrong[4*time.Second] == 0 || Margin != 5*time.Second {
		t.Errorf("counted as covered by margin: %v; the margin is %v", wrong, Margin)
	}
	// The window itself with the worst clocks.
	for _, tt := range []struct {
		margin  time.Duration
		covered int
	}{{5 * time.Second, 0}, {4 * time.Second, 1}} {
		s := launched(t)
		put := sent.Add(998 * time.Millisecond)
		posted := put.Add(-time.Millisecond).Add(2 * time.Second)
		s.Outcome(Outcome{Revision: 1, Started: true, CoveredUntil: posted.Add(-tt.margin), LastPost: posted})
		n := s.Fold([]Arrival{file("a/2", put.Add(-2*time.Second).Truncate(time.Second))}, day("a"), at("06:03"))
		if n.Covered != tt.covered {
			t.Errorf("with %v: counted %+v", tt.margin, n)
		}
	}
}

// With a file every minute for two days (H21) there is one run per period's
// length, up to the limit of reruns.
func TestAFeedThatNeverPausesLaunchesByThePeriod(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		r    Rules
		want []string
	}{
		{"a day", day("a").with(settle(2 * time.Minute)), []string{
			"launch 1 at +1 00:00", "launch 2 at +2 00:01", "launch 3 at +3 00:02",
		}},
		{"an hour", hour("a").with(settle(2 * time.Minute)), []string{
			"launch 1 at 01:00", "launch 2 at 02:01", "launch 3 at 03:02", "launch 4 at 04:03", "hold 5: rerun_limit at 05:04",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := New("cg-1", "2026-11-22", "orders", begin)
			st := &stage{t: t, rules: tt.r, state: s}
			var got []string
			for now := begin; now.Before(begin.AddDate(0, 0, 4)); now = now.Add(time.Minute) {
				s.Fold([]Arrival{file(fmt.Sprint("a/", now.Unix()), now)}, tt.r, now)
				if d := s.Evaluate(tt.r, now); d.Do != Nothing {
					got = append(got, st.decided(d, now)+" at "+clockText(now))
					if d.Do == Launch {
						s.Outcome(started(s.Revision, 0, now.Add(6*time.Second)))
					}
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// A run covers an unknown part of the files that came since its decision. One
// of the files left open is new if not all that came were old.
func TestOneOfTheFilesLeftOpenIsNew(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		after     Files
		count     int // of the files that the run may not cover
		open, old int
	}{
		{"all of them are old", Files{Count: 3, Old: 3}, 2, 2, 2},
		{"one of them is new", Files{Count: 3, Old: 2}, 2, 2, 1},
		{"one is left", Files{Count: 3, Old: 2}, 1, 1, 0},
		{"none is counted, and one is open", Files{Count: 3, Old: 3}, 0, 1, 1},
		{"all are left", Files{Count: 3, Old: 1}, 5, 3, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := State{After: tt.after}
			s.reopenWindow(at("06:00"), true, tt.count)
			if s.Open.Count != tt.open || s.Open.Old != tt.old {
				t.Errorf("%d open, %d of them old, want %d and %d", s.Open.Count, s.Open.Old, tt.open, tt.old)
			}
		})
	}
}
