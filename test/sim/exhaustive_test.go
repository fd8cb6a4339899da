package sim

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

var pairsFlag = flag.Bool("pairs", false, "TestExhaustive: each pair of faults too, not only single ones")

var replayFlag = flag.String("replay", "", "replay one history of TestExhaustive, as its failure names it, and print what happens")

// TestExhaustive lets every call of every scenario fail in every way, alone and
// with -pairs together with every later call. It checks each history against
// the guarantees.
func TestExhaustive(t *testing.T) {
	t.Parallel()
	if *replayFlag != "" {
		replay(t)
		return
	}
	type work struct {
		s, p int
		i    int
		f    fault
	}
	jobs := make(chan work)
	var histories, pairs, calls atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	failures := 0
	check := func(wk work, second string, w *World) {
		histories.Add(1)
		violations, _ := w.check()
		if len(violations) == 0 {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if failures++; failures <= 20 {
			t.Errorf("go test ./test/sim -run TestExhaustive -replay '%d %d %d=%s%s': %s, %s: %v", wk.s, wk.p, wk.i, wk.f, second, Scenarios[wk.s].Name, Patterns[wk.p].Name, violations[0])
		}
	}
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for wk := range jobs {
				w, kinds := Scripted(Scenarios[wk.s], Patterns[wk.p], map[int]fault{wk.i: wk.f}, false)
				check(wk, "", w)
				calls.Add(1)
				for j := wk.i + 1; *pairsFlag && j < len(kinds); j++ {
					for _, g := range faultsOf(kinds[j]) {
						w, _ := Scripted(Scenarios[wk.s], Patterns[wk.p], map[int]fault{wk.i: wk.f, j: g}, false)
						check(wk, fmt.Sprintf(" %d=%s", j, g), w)
						pairs.Add(1)
					}
				}
			}
		})
	}
	for s := range Scenarios {
		for p := range Patterns {
			w, kinds := Scripted(Scenarios[s], Patterns[p], nil, false)
			check(work{s: s, p: p, i: -1}, "", w)
			for i, kind := range kinds {
				for _, f := range faultsOf(kind) {
					jobs <- work{s, p, i, f}
				}
			}
		}
	}
	close(jobs)
	wg.Wait()
	t.Logf("%d scenarios, %d ways of delivery, %d single faults, %d pairs, %d histories in all: %d violations",
		len(Scenarios), len(Patterns), calls.Load(), pairs.Load(), histories.Load(), failures)
}

// replay runs one history again.
func replay(t *testing.T) {
	var s, p int
	fields := strings.SplitN(*replayFlag, " ", 3)
	_, err := fmt.Sscan(fields[0]+" "+fields[1], &s, &p)
	if err != nil || len(fields) != 3 {
		t.Fatalf("-replay %q: %v", *replayFlag, err)
	}
	faults := map[int]fault{}
	rest := fields[2]
	for rest != "" {
		var n int
		if _, err := fmt.Sscan(rest, &n); err != nil {
			t.Fatal(err)
		}
		_, rest, _ = strings.Cut(rest, "=")
		f := rest
		for i := 1; i < len(rest); i++ {
			if rest[i-1] == ' ' && rest[i] >= '0' && rest[i] <= '9' {
				f = rest[:i-1]
				break
			}
		}
		faults[n] = fault(f)
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, f), " ")
	}
	w, _ := Scripted(Scenarios[s], Patterns[p], faults, true)
	fmt.Println(strings.Join(w.trace, "\n"))
	violations, _ := w.check()
	for _, v := range violations {
		t.Error(v)
	}
}
