package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
	"github.com/amperity-runs/amperity-runs/test/stack"
)

// TestUnroutedFloodOnDynamoDB sends 10,000 files that no route matches, each in
// a first folder of its own, to the built function, and one file of a route in
// each batch. A batch costs a few calls and little time.
func TestUnroutedFloodOnDynamoDB(t *testing.T) {
	const files, batchSize = 10_000, 1000
	w := world(t)
	if err := w.Simulator.Script("", amperitytest.Script{}); err != nil {
		t.Fatal(err)
	}
	arrivals, sweep := emulate(t, w, "s3arrival", nil), emulate(t, w, "sweep", nil)
	begun := time.Now()
	for n := 0; n < files; n += batchSize {
		var bodies []string
		at := begun.Add(time.Duration(n/batchSize-files/batchSize) * time.Second).UTC().Format(time.RFC3339)
		for i := range batchSize + 1 {
			key := fmt.Sprintf("%08x/file.csv", n+i)
			if i == batchSize {
				key = fmt.Sprintf("orders/2026/11/22/orders_%d.csv.gz", n)
			}
			event := landed("acme-landing", key)
			bodies = append(bodies, fmt.Sprintf(`{"detail-type":"Object Created","source":"aws.s3","time":%q,"detail":%s}`, at, aws.ToString(event.Detail)))
		}
		before := time.Now()
		if answer, err := arrivals.Invoke(t.Context(), batch(t, bodies)); err != nil || string(answer) != nothingAgain {
			t.Fatalf("answered %.300s, %v", answer, err)
		}
		if took := time.Since(before); took > 20*time.Second {
			t.Errorf("a batch took %s, and the function may take a minute", took)
		}
	}
	// One write for the window and one for the files without a route in each
	// batch, and one more that confirms the announcements of the first.
	asked := w.Asked()
	published := announcedUnrouted(t, w)
	t.Logf("%d files in %s: %d reads, %d writes, %d announcements", files, time.Since(begun).Round(time.Millisecond), asked["GetItem"], asked["PutItem"], len(published))
	if asked["GetItem"] != 20 || asked["PutItem"] != 21 || asked["TransactWriteItems"] != 0 {
		t.Errorf("asked for %v", asked)
	}
	if len(published) != 21 || slices.Max(published) != "980" {
		t.Errorf("announced as %v", published)
	}
	later(t, w, stack.Table, 70*time.Minute)
	swept(t, sweep)
	if diff := cmp.Diff([]string{"9000"}, announcedUnrouted(t, w)); diff != "" {
		t.Errorf("at the end of the hour (-want +got)\n%s", diff)
	}
	if runs := len(w.Simulator.Runs()); runs != 1 {
		t.Errorf("%d runs for the files of the route, want 1", runs)
	}
}

// announcedUnrouted are the counts in the events about files that no route
// matches.
func announcedUnrouted(t *testing.T, w *stack.World) (counts []string) {
	t.Helper()
	for _, p := range publishedNow(t, w) {
		if p.DetailType != unrouted {
			continue
		}
		var d announcement.Detail
		if err := json.Unmarshal(p.Detail, &d); err != nil {
			t.Fatal(err)
		}
		count := fmt.Sprint(d.Unrouted.Count)
		if d.Unrouted.AtLeast {
			count += " at least"
		}
		counts = append(counts, count)
	}
	return counts
}
