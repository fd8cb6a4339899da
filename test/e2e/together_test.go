package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/amperity-runs/amperity-runs/test/stack"
)

// together invokes several instances of a function at the same time, each with
// what input makes for it, and gives their answers and errors.
func together(t *testing.T, w *stack.World, name string, n int, input func(i int) []byte) ([][]byte, []error) {
	t.Helper()
	var instances []*stack.Emulator
	for range n {
		instances = append(instances, emulate(t, w, name, nil))
	}
	answers, errs := make([][]byte, n), make([]error, n)
	var wg sync.WaitGroup
	for i, e := range instances {
		wg.Go(func() { answers[i], errs[i] = e.Invoke(t.Context(), input(i)) })
	}
	wg.Wait()
	return answers, errs
}

// AWS delivers twice now and then, also at the same time, and runs an instance
// for each.
func TestInstancesAtTheSameTimeStartOneRun(t *testing.T) {
	w := world(t)
	t.Run("of a schedule", func(t *testing.T) {
		answers, errs := together(t, w, "trigger", 4, func(int) []byte { return read(t, "events", "trigger-manual.json") })
		outcomes := map[string]int{}
		for i, answer := range answers {
			// Another one is at it: Lambda calls again.
			if failed, ok := errors.AsType[*stack.FunctionError](errs[i]); ok {
				outcomes[failed.Type]++
				continue
			}
			var a struct{ Outcome string }
			if err := errors.Join(errs[i], json.Unmarshal(answer, &a)); err != nil {
				t.Fatal(err)
			}
			outcomes[a.Outcome]++
		}
		if outcomes["started"] != 1 || outcomes["LeasedError"]+outcomes["duplicate"] != 3 {
			t.Errorf("the instances answer %v", outcomes)
		}
		begun := w.Simulator.Runs()
		checkRuns(t, samples["trigger-manual.json"].runs, begun)
		checkPublished(t, samples["trigger-manual.json"].published, publishedNow(t, w), begun)
	})
	t.Run("of a window", func(t *testing.T) {
		const instances, files = 4, 25
		before := len(w.Simulator.Runs())
		answers, errs := together(t, w, "s3arrival", instances, func(i int) []byte {
			var bodies []string
			for j := range files {
				event := landed("acme-landing", fmt.Sprintf("orders/2026/11/22/orders_%d-%d.csv.gz", i, j))
				bodies = append(bodies, fmt.Sprintf(`{"detail-type":"Object Created","source":"aws.s3","time":%q,"detail":%s}`,
					time.Now().UTC().Format(time.RFC3339), aws.ToString(event.Detail)))
			}
			return batch(t, bodies)
		})
		for i, answer := range answers {
			if errs[i] != nil || string(answer) != nothingAgain {
				t.Errorf("instance %d answers %s, %v", i, answer, errs[i])
			}
		}
		later(t, w, stack.Table, 2*time.Minute)
		_, errs = together(t, w, "sweep", 3, func(int) []byte { return read(t, "events", "sweep.json") })
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
		begun, published := w.Simulator.Runs()[before:], publishedNow(t, w)
		checkRuns(t, samples["s3arrival-notification.json"].runs, begun)
		if len(published) != 1 || detailOf(t, published[0]).Cause.Files != instances*files {
			t.Errorf("published: %v", published)
		}
	})
}
