package sim

import (
	"flag"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

var planFlag = flag.String("plan", "", "replay one history of TestTiming, as its failure names it, and print what happens")

// counts counts the histories of each kind.
type counts struct{ faults, pairs, histories, missed int }

// TestTiming brings each operation of a launch right before and right after
// each operation of another launch of its config id: without a fault, with a
// request of either lost, and with -pairs with each single fault of either and
// with each pair of faults of their requests.
func TestTiming(t *testing.T) {
	t.Parallel()
	if *planFlag != "" {
		p, err := readPlan(*planFlag)
		if err != nil {
			t.Fatal(err)
		}
		w, _, missed := Timed(p, "", true)
		fmt.Println(strings.Join(w.trace, "\n"))
		violations, _ := w.check()
		for _, v := range violations {
			t.Error(v)
		}
		t.Logf("the order was not possible: %v", missed)
		return
	}
	var mu sync.Mutex
	kinds := map[string][]string{}
	n := timings("", *pairsFlag, func(p Plan, violations []Violation) {
		mu.Lock()
		defer mu.Unlock()
		seen := map[string]bool{}
		for _, v := range violations {
			kind := v.Kind
			if kind == "" {
				kind = fmt.Sprintf("guarantee %d", v.Guarantee)
			}
			if seen[kind] {
				continue
			}
			seen[kind] = true
			if kinds[kind] = append(kinds[kind], p.String()); len(kinds[kind]) <= 3 {
				t.Errorf("go test ./test/sim -run TestTiming -plan '%s': %v", p, v)
			}
		}
	})
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.Logf("%d histories violate: %s", len(kinds[kind]), kind)
	}
	t.Logf("%d scenarios of two launches, %d single faults, %d pairs of faults, %d histories, %d orders that were not possible",
		len(TwoLaunches), n.faults, n.pairs, n.histories, n.missed)
}

// timings runs all plans, and calls broken for each that breaks a guarantee,
// from several goroutines.
func timings(m Mutation, all bool, broken func(Plan, []Violation)) (n counts) {
	jobs := make(chan Plan)
	var mu sync.Mutex
	var wg sync.WaitGroup
	try := func(p Plan) []done {
		w, steps, missed := Timed(p, m, false)
		mu.Lock()
		if missed {
			n.missed++
		} else {
			n.histories++
		}
		mu.Unlock()
		if violations, _ := w.check(); len(violations) > 0 {
			broken(p, violations)
		}
		return steps
	}
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for p := range jobs {
				try(p)
			}
		})
	}
	// orders tries all orders of a fault set, and gives the steps that it has
	// without one.
	orders := func(scenario int, sharedOnly bool, faults map[step]trouble) []done {
		p := Plan{Scenario: scenario, faults: faults}
		steps := try(p)
		for _, o := range ordersOf(steps, sharedOnly) {
			jobs <- Plan{scenario, faults, o}
		}
		return steps
	}
	for s := range TwoLaunches {
		base := Plan{Scenario: s, faults: map[step]trouble{}}
		if TwoLaunches[s].later {
			base.faults[firstPost(Plan{Scenario: s}, m, 'A')] = lostUnprocessed
		}
		with := func(more ...map[step]trouble) map[step]trouble {
			all := maps.Clone(base.faults)
			for _, f := range more {
				maps.Copy(all, f)
			}
			return all
		}
		steps := orders(s, !all, base.faults)
		postA, postB := firstPost(base, m, 'A'), firstPost(base, m, 'B')
		for _, d := range steps {
			if d.n > maxSteps {
				continue
			}
			for _, f := range troublesOf(d) {
				isPost := d.step == postA || d.step == postB
				if !all && !(isPost && slices.Contains(postTroubles, f)) {
					continue
				}
				n.faults++
				orders(s, !all || !isPost, with(map[step]trouble{d.step: f}))
			}
		}
		for _, f := range postTroubles {
			for _, g := range postTroubles {
				if !all && (f != lostUnprocessed && f != frozenBefore || g != limitedAll && g != lostProcessed) {
					continue
				}
				n.pairs++
				orders(s, !all, with(map[step]trouble{postA: f, postB: g}))
			}
		}
	}
	close(jobs)
	wg.Wait()
	return n
}

// firstPost returns the first request of a launch.
func firstPost(p Plan, m Mutation, who byte) step {
	_, steps, _ := Timed(p, m, false)
	for _, d := range steps {
		if d.who == who && d.kind == "post" {
			return d.step
		}
	}
	return step{}
}
