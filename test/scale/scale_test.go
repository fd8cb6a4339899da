package scale

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/s3arrival"
	"github.com/amperity-runs/amperity-runs/internal/sweep"
)

const routesFile = `version: 1
routes:
  - {name: orders, config_id: cg-1, run_mode: source, files: "orders/{yyyy}/{MM}/{dd}/**"}
  - {name: hours, config_id: cg-2, run_mode: source, files: "hours/{yyyy}/{MM}/{dd}/{HH}/*"}
`

func world(t *testing.T, routes string) *World {
	t.Helper()
	w, err := New(routes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Amperity.Close)
	return w
}

// sweepOnce lets one sweep happen.
func sweepOnce(t *testing.T, w *World, h *sweep.Handler) sweep.Summary {
	t.Helper()
	out, err := h.Invoke(w.Limit(t.Context(), 54*time.Second), nil)
	if err != nil {
		t.Fatal(err)
	}
	var s sweep.Summary
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestAStormIsOneRun sends the events of 100,000 files of one day in any order,
// a tenth of them twice, in batches of up to 1,000 to three concurrent
// instances.
func TestAStormIsOneRun(t *testing.T) {
	t.Parallel()
	const files = 100_000
	w := world(t, routesFile)
	rng := rand.New(rand.NewPCG(1, 1))
	var events []string
	for n := range files {
		e := Event(fmt.Sprintf("orders/2026/11/22/part-%05d.csv.gz", n), fmt.Sprintf("%016X", n), Begin)
		events = append(events, e)
		if n%10 == 0 {
			events = append(events, e)
		}
	}
	rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	batches := make(chan []byte)
	var wg sync.WaitGroup
	for range 3 {
		h, err := w.Arrivals()
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for b := range batches {
				out, err := h.Invoke(t.Context(), b)
				if err != nil || string(out) != `{"batchItemFailures":[]}` {
					t.Errorf("answered %.200s, %v", out, err)
				}
			}
		})
	}
	n := 0
	for rest := events; len(rest) > 0; n++ {
		size := min(len(rest), 200+rng.IntN(801))
		b, err := Batch(rest[:size])
		if err != nil {
			t.Fatal(err)
		}
		batches <- b
		rest = rest[size:]
	}
	close(batches)
	wg.Wait()
	s := w.Ledger.Stats()
	if s.Puts > n || s.Items != s.Puts {
		t.Errorf("%d batches of one window made %d writes of %d items", n, s.Puts, s.Items)
	}
	t.Logf("%d events in %d batches: %d writes, %d conflicts, %d reads", len(events), n, s.Puts, s.Conflicts, s.Gets)

	h, err := w.Sweep()
	if err != nil {
		t.Fatal(err)
	}
	settle(t, w, h, 1)
	item, err := w.Ledger.Get(t.Context(), "window/cg-1/2026-11-22")
	if err != nil || len(item.Doc) > 20<<10 {
		t.Errorf("the window's document has %d bytes (%v)", len(item.Doc), err)
	}

	// One late file is one more run.
	w.Clock.Advance(time.Hour)
	late, err := Batch([]string{Event("orders/2026/11/22/late.csv.gz", "FFFF", w.Clock.Now())})
	if err != nil {
		t.Fatal(err)
	}
	a, err := w.Arrivals()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Invoke(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	settle(t, w, h, 2)
}

// settle lets ten minutes pass, with a sweep in each, and counts runs.
func settle(t *testing.T, w *World, h *sweep.Handler, want int) {
	t.Helper()
	for range 10 {
		w.Clock.Advance(time.Minute)
		sweepOnce(t, w, h)
	}
	if runs, started := len(w.Amperity.Runs()), w.Bus.Count(announcement.RunStarted); runs != want || started != want {
		t.Fatalf("%d runs and %d announcements, want %d of each", runs, started, want)
	}
}

// fill puts windows and launches into the ledger that are over, as a stack has
// them that has run for long.
func fill(t *testing.T, w *World, n int) {
	t.Helper()
	for i := range n {
		day := Begin.AddDate(0, 0, -i).Format(time.DateOnly)
		key := fmt.Sprintf("arrival/cg-9/%s/1", day)
		err := w.Ledger.Put(t.Context(), fmt.Sprint("fill", i),
			ledger.Item{Key: "window/cg-9/" + day, Expires: Begin.AddDate(1, 0, 0), Doc: []byte(`{"format":1,"config_id":"cg-9","period":"` + day + `","made":"2026-01-01T00:00:00Z","revision":1}`)},
			ledger.Item{Key: "launch/" + key, Expires: Begin.AddDate(1, 0, 0), Doc: []byte(`{"format":1,"key":"` + key + `","state":"started"}`)})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// cost is what the ledger was asked for since before.
func cost(w *World, before ledger.Stats) string {
	s := w.Ledger.Stats()
	return fmt.Sprintf("%d reads, %d writes of %d items, %d pages with %d rows",
		s.Gets-before.Gets, s.Puts-before.Puts, s.Items-before.Items, s.Pages-before.Pages, s.Rows-before.Rows)
}

// TestCostIsFlatInWhatIsNotDue: a sweep and a batch cost the same whether the
// ledger has 10 or 100,000 windows and launches beside.
func TestCostIsFlatInWhatIsNotDue(t *testing.T) {
	t.Parallel()
	var batchCosts, sweepCosts, idleCosts []string
	for _, n := range []int{10, 1_000, 100_000} {
		w := world(t, routesFile)
		fill(t, w, n)
		arrivals, err := w.Arrivals()
		if err != nil {
			t.Fatal(err)
		}
		h, err := w.Sweep()
		if err != nil {
			t.Fatal(err)
		}
		before := w.Ledger.Stats()
		sweepOnce(t, w, h)
		idleCosts = append(idleCosts, cost(w, before))

		before = w.Ledger.Stats()
		batch(t, arrivals, 20, 50)
		batchCosts = append(batchCosts, cost(w, before))

		w.Clock.Advance(3 * time.Minute)
		before = w.Ledger.Stats()
		if s := sweepOnce(t, w, h); s.Done != 20 {
			t.Errorf("the sweep did %+v, want 20 windows", s)
		}
		sweepCosts = append(sweepCosts, cost(w, before))
	}
	for what, costs := range map[string][]string{"an idle sweep": idleCosts, "a batch of 1,000 files of 20 windows": batchCosts, "a sweep that launches or defers them": sweepCosts} {
		t.Logf("%s: %s", what, costs[0])
		if costs[1] != costs[0] || costs[2] != costs[0] {
			t.Errorf("%s costs with 10, 1,000 and 100,000 windows: %s", what, strings.Join(costs, "; "))
		}
	}
}

// batch gives a batch of files of so many windows, so many each.
func batch(t *testing.T, h *s3arrival.Handler, windows, each int) {
	t.Helper()
	var events []string
	for i := range windows {
		for j := range each {
			events = append(events, Event(fmt.Sprintf("orders/2026/10/%02d/%d", 1+i, j), fmt.Sprintf("%d-%d", i, j), Begin))
		}
	}
	b, err := Batch(events)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := h.Invoke(t.Context(), b); err != nil || string(out) != `{"batchItemFailures":[]}` {
		t.Fatalf("answered %.200s, %v", out, err)
	}
}

// TestABacklogIsWorkedOffPolitely: 10,000 launches that fell due while the
// sweep was away are started, each once, at no more than 10 requests a second.
func TestABacklogIsWorkedOffPolitely(t *testing.T) {
	t.Parallel()
	const n = 10_000
	w := world(t, routesFile)
	for i := range n {
		key := fmt.Sprintf("manual/cg-%d/k", i)
		doc := fmt.Sprintf(`{"format":1,"key":%q,"state":"claimed","since":"2026-11-22T11:00:00Z","claimed":"2026-11-22T11:00:00Z","cause":{"type":"manual"},"request":{"config_id":"cg-%d"},"if_unknown":"hold","told":true}`, key, i)
		if err := w.Ledger.Put(t.Context(), fmt.Sprint(i), ledger.Item{Key: "launch/" + key, Due: Begin.Add(-time.Hour), Doc: []byte(doc)}); err != nil {
			t.Fatal(err)
		}
	}
	h, err := w.Sweep()
	if err != nil {
		t.Fatal(err)
	}
	sweeps := 0
	for begin := w.Clock.Now(); ; {
		sweeps++
		s := sweepOnce(t, w, h)
		if s.Failed > 0 {
			t.Fatalf("sweep %d: %+v", sweeps, s)
		}
		if !s.More {
			break
		}
		// The next one begins at the next minute.
		w.Clock.Advance(max(0, begin.Add(time.Duration(sweeps)*time.Minute).Sub(w.Clock.Now())))
	}
	runs := w.Amperity.Runs()
	seen := map[string]bool{}
	for _, r := range runs {
		seen[r.ConfigID] = true
	}
	if len(runs) != n || len(seen) != n {
		t.Errorf("%d runs of %d config ids, want one of each", len(runs), len(seen))
	}
	requests, most := w.Amperity.Requests(), 0
	for i, j := 0, 0; i < len(requests); i++ {
		for requests[i].At.Sub(requests[j].At) >= time.Second {
			j++
		}
		most = max(most, i-j+1)
		if requests[i].Status == 429 {
			t.Fatal("Amperity had to say 429")
		}
	}
	t.Logf("%d sweeps, at most %d requests in a second", sweeps, most)
}

// TestAFloodOfUnroutedFilesCostsLittle: 10,000 files that no route matches,
// each in a first folder of its own, in batches of 1,000, and in each batch a
// file of a route.
func TestAFloodOfUnroutedFilesCostsLittle(t *testing.T) {
	t.Parallel()
	w := world(t, routesFile)
	arrivals, err := w.Arrivals()
	if err != nil {
		t.Fatal(err)
	}
	h, err := w.Sweep()
	if err != nil {
		t.Fatal(err)
	}
	const batches, each = 10, 1000
	for b := range batches {
		bodies := []string{}
		for i := range each {
			n := b*each + i
			bodies = append(bodies, Event(fmt.Sprintf("%08x/file.csv", n), fmt.Sprintf("%016X", n), w.Clock.Now()))
		}
		bodies = append(bodies, Event(fmt.Sprintf("orders/2026/11/22/%d.csv", b), fmt.Sprintf("F%015X", b), w.Clock.Now()))
		payload, err := Batch(bodies)
		if err != nil {
			t.Fatal(err)
		}
		before := w.Ledger.Stats()
		if out, err := arrivals.Invoke(t.Context(), payload); err != nil || string(out) != `{"batchItemFailures":[]}` {
			t.Fatalf("answered %.200s, %v", out, err)
		}
		// A write for the window and one for the unrouted files; the first batch
		// confirms its announcements too.
		want := "2 reads, 2 writes of 2 items, 0 pages with 0 rows"
		if b == 0 {
			want = "2 reads, 3 writes of 3 items, 0 pages with 0 rows"
		}
		if got := cost(w, before); got != want {
			t.Errorf("batch %d cost %s, want %s", b, got, want)
		}
		w.Clock.Advance(10 * time.Second)
	}
	s := w.Ledger.Stats()
	t.Logf("%d files in %d batches: %d writes, %d reads, %d announcements", batches*each, batches, s.Puts, s.Gets, w.Bus.Count(announcement.FilesUnrouted))
	w.Clock.Advance(time.Hour)
	sweepOnce(t, w, h)
	if n := w.Bus.Count(announcement.FilesUnrouted); n != 22 {
		t.Errorf("%d announcements of two hours, want 21 and 1", n)
	}
	item, err := w.Ledger.Get(t.Context(), "unrouted/acme-landing")
	if err != nil || len(item.Doc) > 20<<10 || !item.Due.IsZero() {
		t.Errorf("the document has %d bytes and is due %s (%v)", len(item.Doc), item.Due, err)
	}
}

// docs/capacity.md names what a launch by schedule costs.
func TestALaunchByScheduleCosts59WriteUnits(t *testing.T) {
	t.Parallel()
	w := world(t, routesFile)
	function, err := w.Trigger()
	if err != nil {
		t.Fatal(err)
	}
	var before Units
	for range 100 { // a config id's document has its latest launches
		before = w.Ledger.Units()
		input := fmt.Sprintf(`{"config_id":"cg-123ABc4DE","range":{"from":"-1d","to":"0d"},"scheduled_time":%q,
			"schedule_arn":"arn:aws:scheduler:us-east-1:123456789012:schedule/default/acme-daily-ingest"}`, w.Clock.Now().UTC().Format(time.RFC3339))
		if _, err := function.Invoke(t.Context(), []byte(input)); err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(24 * time.Hour)
	}
	after := w.Ledger.Units()
	got := Units{Writes: after.Writes - before.Writes, Reads: after.Reads - before.Reads}
	if want := (Units{Writes: 59, Reads: 3}); got != want || w.Bus.Count(announcement.RunStarted) != 100 {
		t.Errorf("%+v units, not %+v", got, want)
	}
}
