package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/sweep"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

// steady answers every call within 40 ms and without a fault. It counts the
// calls by kind.
type steady struct{ calls map[string]int }

func (s *steady) lag(*World) time.Duration { return 0 }

func (s *steady) choose(_ *World, _ *process, o op) choice {
	s.calls[o.kind]++
	return choice{before: 20 * time.Millisecond, after: 20 * time.Millisecond}
}

// backfill is the outcome of the windows of a backfill, and of a window of
// another config id that became due meanwhile.
type backfill struct {
	started int
	// held counts launches by the reason.
	held map[string]int
	// together is the most runs of the config id that were in progress at the
	// same time.
	together int
	// requests counts requests to Amperity: those that start a run, and those
	// that read runs.
	posts, reads int
	// took is the time from the first file to the last Started or Held.
	took time.Duration
	// delay is how many sweeps ran between the due time of the neighbour's
	// window and the start of its run, or 0 if its run was not started.
	delay int
}

// fills lets one file land for each of many windows of one config id, and waits
// until each window is started or held. workers is how many items a sweep works
// on concurrently.
func fills(t *testing.T, letter string, windows int, duration time.Duration, workers int) backfill {
	t.Helper()
	calls := &steady{calls: map[string]int{}}
	w := newWorld(7, calls, false)
	defer w.amperity.Close()
	w.workers = workers
	w.deployAtStart()
	if err := w.amperity.Script("", amperitytest.Script{Duration: duration}); err != nil {
		t.Fatal(err)
	}
	for n := range windows {
		w.at(Begin.Add(time.Duration(n)*100*time.Millisecond), func() {
			day, hour := -n, 0
			if letter == "g" {
				day, hour = 0, -n
			}
			w.land(w.newFile(letter, day, hour, "x1", w.now), time.Second)
		})
	}
	// The neighbour's route waits a minute for quiet.
	const neighbour = "window/cg-H/2026-11-22"
	w.at(Begin.Add(30*time.Minute), func() { w.land(w.newFile("h", 0, 0, "x1", w.now), time.Second) })

	b := backfill{held: map[string]int{}}
	ended := map[string]bool{}
	w.onAnnounced = func(a announcement.Announcement) {
		key, _ := windowOf(a.Detail.LaunchKey)
		if ended[key] {
			return
		}
		switch {
		case key == neighbour:
		case a.Type == announcement.RunStarted:
			b.started++
		case a.Type == announcement.RunHeld:
			b.held[a.Detail.Reason]++
		default:
			return
		}
		ended[key], b.took = true, w.now.Sub(Begin)
	}
	end := Begin.Add(14 * 24 * time.Hour)
	var tick func()
	tick = func() {
		if len(ended) > windows || w.now.After(end) {
			w.stopped = true
			return
		}
		if item, _ := w.ledger.Get(t.Context(), neighbour); !ended[neighbour] && !item.Due.IsZero() && !item.Due.After(w.now) {
			b.delay++
		}
		if w.isDue() {
			w.sweepOnce()
		}
		w.after(time.Minute, tick)
	}
	w.at(Begin.Add(7*time.Second), tick)
	for !w.stopped && w.step() {
	}
	if !ended[neighbour] {
		b.delay = 0
	}
	b.posts, b.reads = calls.calls["post"], calls.calls["read"]+calls.calls["list"]
	b.together = most(w.amperity.Runs(), duration, "cg-"+strings.ToUpper(letter))
	return b
}

// most returns the most runs of a config id that were running at the same time.
func most(runs []amperitytest.Started, duration time.Duration, configID string) int {
	together := 0
	for _, r := range runs {
		n := 0
		for _, o := range runs {
			if r.ConfigID == configID && o.ConfigID == configID && !o.CreatedAt.After(r.CreatedAt) && o.CreatedAt.Add(duration).After(r.CreatedAt) {
				n++
			}
		}
		together = max(together, n)
	}
	return together
}

// TestBackfill lets files of many windows land simultaneously. The runs of a
// config id must start one after the other, without an operator, and without
// delay for other config ids.
func TestBackfill(t *testing.T) {
	t.Parallel()
	// mostDelay is how many sweeps the neighbour may need.
	const mostDelay = 2
	for _, tc := range []struct {
		name     string
		letter   string
		windows  int
		duration time.Duration
	}{
		{"30 days of runs of 1 h", "f", 30, time.Hour},
		{"14 days of runs of 2 h", "f", 14, 2 * time.Hour},
		{"72 hours of runs of 20 minutes", "g", 72, 20 * time.Minute},
		{"1000 hours of runs of 1 minute", "g", 1000, time.Minute},
	} {
		for _, workers := range []int{1, sweep.Workers} {
			t.Run(fmt.Sprintf("%s, %d workers", tc.name, workers), func(t *testing.T) {
				t.Parallel()
				b := fills(t, tc.letter, tc.windows, tc.duration, workers)
				t.Logf("%-31s %d workers, %4d started, held: %-13s %5d POSTs, %6d reads, at most %d at once, neighbour after %d sweeps, in %s",
					tc.name+":", workers, b.started, byName(b.held)+";", b.posts, b.reads, b.together, b.delay, b.took.Round(time.Minute))
				if diff := cmp.Diff(tc.windows, b.started); diff != "" {
					t.Errorf("windows started without an operator (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(map[string]int{}, b.held); diff != "" {
					t.Errorf("windows held (-want +got):\n%s", diff)
				}
				if b.together != 1 {
					t.Errorf("up to %d runs of the config id were in progress at once, want 1", b.together)
				}
				// One worker, which no deployed sweep has, needs more than a minute for
				// 1,000 windows.
				if most := mostDelay + max(0, 2-workers); b.delay < 1 || b.delay > most {
					t.Errorf("the neighbour started after %d sweeps, want 1 to %d", b.delay, most)
				}
				// Once a minute while a run is in progress, and a few times in between.
				if most := tc.windows * int(tc.duration/time.Minute+5); b.reads > most {
					t.Errorf("Amperity was asked %d times about runs, want at most %d", b.reads, most)
				}
			})
		}
	}
}

// byName formats numbers by name, in the order of the names.
func byName(n map[string]int) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(n)) {
		all = append(all, fmt.Sprintf("%d %s", n[name], name))
	}
	if all == nil {
		return "0"
	}
	return strings.Join(all, ", ")
}
