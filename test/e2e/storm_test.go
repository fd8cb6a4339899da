package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
	"github.com/amperity-runs/amperity-runs/test/stack"
)

// TestAStormOfFiles: 100,000 files of one day, a tenth of their events twice,
// in any order, in batches of 1,000 that three built functions have at the same
// time, against DynamoDB: one run, one announcement, one write for each batch,
// and little memory. Then one late file: one run more.
func TestAStormOfFiles(t *testing.T) {
	// Garbage is collected once two fifths of the memory are in use.
	const files, batchSize, mostMemory = 100_000, 1000, stack.Memory << 20 / 2
	w := world(t)
	// Runs are over at once, so that the late file waits for none.
	if err := w.Simulator.Script("", amperitytest.Script{}); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	var events []string
	now := time.Now().UTC().Format(time.RFC3339)
	for n := range files {
		event := landed("acme-landing", fmt.Sprintf("orders/2026/11/22/orders_%06d.csv.gz", n))
		body := fmt.Sprintf(`{"detail-type":"Object Created","source":"aws.s3","time":%q,"detail":%s}`, now, strings.Replace(*event.Detail, "0065A1B2C3D4E5F6A7", fmt.Sprintf("%018X", n), 1))
		events = append(events, body)
		if n%10 == 0 {
			events = append(events, body)
		}
	}
	rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	batches := make(chan []byte)
	var instances []*stack.Emulator
	var wg sync.WaitGroup
	for range 3 {
		e := emulate(t, w, "s3arrival", nil)
		instances = append(instances, e)
		wg.Go(func() {
			for b := range batches {
				// A batch that loses too many races is delivered again, as by SQS.
				for delivery := 1; ; delivery++ {
					answer, err := e.Invoke(t.Context(), b)
					if err == nil && string(answer) == nothingAgain {
						break
					}
					if err != nil || delivery == 3 {
						t.Errorf("answered %.300s, %v", answer, err)
						break
					}
				}
			}
		})
	}
	n := 0
	for ; len(events) > 0; n++ {
		size := min(batchSize, len(events))
		batches <- batch(t, events[:size])
		events = events[size:]
	}
	close(batches)
	wg.Wait()
	item, err := w.Ledger(stack.Table).Get(t.Context(), "window/cg-789GHi0JK/2026-11-22")
	if err != nil || item.Version > int64(n) {
		t.Errorf("%d batches made %d writes (%v)", n, item.Version, err)
	}
	for _, e := range instances {
		peak := peakMemory(t, e)
		t.Logf("%d batches, %d writes; s3arrival took %.1f MB", n, item.Version, float64(peak)/(1<<20))
		if peak > mostMemory {
			t.Errorf("s3arrival took %d bytes of memory, and may take %d", peak, mostMemory)
		}
	}

	sweep := emulate(t, w, "sweep", nil)
	settled := func(want int) {
		t.Helper()
		for range 2 {
			later(t, w, stack.Table, 20*time.Minute)
			swept(t, sweep)
		}
		if runs := len(w.Simulator.Runs()); runs != want {
			t.Errorf("%d runs, want %d", runs, want)
		}
	}
	settled(1)
	if published := publishedNow(t, w); len(published) != 1 || published[0].DetailType != started {
		t.Errorf("published: %v", published)
	}
	event := landed("acme-landing", "orders/2026/11/22/orders_late.csv.gz")
	if _, err := instances[0].Invoke(t.Context(), batch(t, []string{fmt.Sprintf(`{"detail-type":"Object Created","source":"aws.s3","time":%q,"detail":%s}`,
		time.Now().UTC().Format(time.RFC3339), *event.Detail)})); err != nil {
		t.Error(err)
	}
	settled(2)
}

// peakMemory is the most memory that the function had at any time, in bytes, as
// Linux counts it (proc_pid_status(5)).
func peakMemory(t *testing.T, e *stack.Emulator) int64 {
	t.Helper()
	pids := e.Processes()
	if len(pids) != 1 {
		t.Fatalf("the function has the processes %v", pids)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pids[0]))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^VmHWM:\s*(\d+) kB$`).FindSubmatch(status)
	if m == nil {
		t.Fatalf("no VmHWM: %s", status)
	}
	kb, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}
