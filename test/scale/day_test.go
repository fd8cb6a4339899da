package scale

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/s3arrival"
)

var wholeDay = flag.Bool("day", false, "let the whole day happen, for docs/capacity.md, instead of two hours")

// TestADayOfAMillionFiles counts what 100 routes and a million files a day
// cost: where each feed drops its files within an hour, and where all of them
// come all day long.
func TestADayOfAMillionFiles(t *testing.T) {
	t.Parallel()
	const routes, files = 100, 1_000_000
	var b strings.Builder
	b.WriteString("version: 1\nroutes:\n")
	for n := range routes {
		fmt.Fprintf(&b, "  - {name: r%d, config_id: cg-%d, run_mode: source, files: \"feed%d/{yyyy}/{MM}/{dd}/**\"}\n", n, n, n)
	}
	for _, feed := range []struct {
		name string
		// at is when, after the day began, a file of a route comes.
		at func(rng *rand.Rand, route int) time.Duration
	}{
		{"drops of an hour", func(rng *rand.Rand, route int) time.Duration {
			return time.Duration(route)*23*time.Hour/routes + time.Duration(rng.Int64N(int64(time.Hour)))
		}},
		{"all day long", func(rng *rand.Rand, _ int) time.Duration { return time.Duration(rng.Int64N(int64(24 * time.Hour))) }},
	} {
		t.Run(feed.name, func(t *testing.T) {
			t.Parallel()
			w := world(t, b.String())
			rng := rand.New(rand.NewPCG(1, 1))
			length := 2 * time.Hour
			if *wholeDay {
				length = 24 * time.Hour
			}
			// What comes in each 20 seconds.
			slots := make([][]string, length/(20*time.Second))
			for n := range files {
				route := n % routes
				at := feed.at(rng, route)
				if i := int(at / (20 * time.Second)); i < len(slots) {
					key := fmt.Sprintf("feed%d/2026/11/22/some/folder/part-%07d.parquet", route, n)
					slots[i] = append(slots[i], Event(key, fmt.Sprintf("%016X", n), Begin.Add(at)))
				}
			}
			h, err := w.Sweep()
			if err != nil {
				t.Fatal(err)
			}
			var instances [2]*s3arrival.Handler // as many as the template lets read the queue
			for i := range instances {
				if instances[i], err = w.Arrivals(); err != nil {
					t.Fatal(err)
				}
			}
			taken, batches, sweeps := 0, 0, 0
			for i, events := range slots {
				if begin := Begin.Add(time.Duration(i+1) * 20 * time.Second); w.Clock.Now().Before(begin) {
					w.Clock.Advance(begin.Sub(w.Clock.Now()))
				}
				for j := range instances {
					part := events[j*len(events)/2 : (j+1)*len(events)/2]
					for len(part) > 0 {
						size := min(len(part), 1000)
						payload, err := Batch(part[:size])
						if err != nil {
							t.Fatal(err)
						}
						if out, err := instances[j].Invoke(t.Context(), payload); err != nil || string(out) != `{"batchItemFailures":[]}` {
							t.Fatalf("answered %.200s, %v", out, err)
						}
						taken, batches, part = taken+size, batches+1, part[size:]
					}
				}
				if i%3 == 2 {
					sweepOnce(t, w, h)
					sweeps++
				}
			}
			s, u := w.Ledger.Stats(), w.Ledger.Units()
			if s.Puts > taken {
				t.Errorf("%d writes for %d files", s.Puts, taken)
			}
			t.Logf("%d files in %d batches, %d sweeps: %d reads (%d units), %d writes (%d units), %d pages; %d requests to Amperity, %d runs started, %d announced",
				taken, batches, sweeps, s.Gets, u.Reads, s.Puts, u.Writes, s.Pages, len(w.Amperity.Requests()), len(w.Amperity.Runs()), w.Bus.Count(announcement.RunStarted))
			largest := 0
			for _, item := range w.Ledger.All() {
				largest = max(largest, len(item.Doc))
			}
			t.Logf("the largest document has %d bytes", largest)
		})
	}
}
