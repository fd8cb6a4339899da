package sim

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
)

var (
	seedFlag = flag.Uint64("seed", 0, "replay this seed alone, and print what happens")
	fromFlag = flag.Uint64("from", 1, "the first seed")
	runsFlag = flag.Int("runs", 2000, "how many random histories to run")
)

func TestRandom(t *testing.T) {
	if *seedFlag != 0 {
		w := Random(*seedFlag, "", true)
		fmt.Println(strings.Join(w.trace, "\n"))
		violations, allowed := w.check()
		for _, v := range violations {
			t.Error(v)
		}
		t.Logf("allowed: %v; %d calls, %d faults", allowed, w.calls, len(w.faults))
		return
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := *fromFlag
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				mu.Lock()
				seed := next
				next++
				mu.Unlock()
				if seed >= *fromFlag+uint64(*runsFlag) || t.Failed() && seed > *fromFlag+100000 {
					return
				}
				w := Random(seed, "", false)
				if violations, _ := w.check(); len(violations) > 0 {
					t.Errorf("seed %d: %v", seed, violations[0])
				}
			}
		})
	}
	wg.Wait()
}
