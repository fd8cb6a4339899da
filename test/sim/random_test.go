package sim

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
)

var (
	seedFlag   = flag.Uint64("seed", 0, "replay this seed alone, and print what happens")
	fromFlag   = flag.Uint64("from", 1, "the first seed")
	runsFlag   = flag.Uint64("runs", 250, "how many random histories to run; make simulation runs 20,000")
	denseFlag  = flag.Bool("dense", false, "TestRandom: dense histories, of several launches of one config id")
	mostFlag   = flag.Int("most", 20, "stop after so many histories with violations; 0: never")
	digestFlag = flag.Bool("digest", false, "TestRandom: print a digest of all that happens; a refactoring does not change it")
	forFlag    = flag.Duration("for", 0, "run random histories for so long instead")
)

// TestMain lets Go collect garbage less often: a history leaves much garbage
// and few live objects.
func TestMain(m *testing.M) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(1000)
	}
	os.Exit(m.Run())
}

// TestRandom runs random histories of everything that can happen, and checks
// each against the guarantees.
func TestRandom(t *testing.T) {
	t.Parallel()
	if *seedFlag != 0 {
		w := ofSeed(*seedFlag, true)
		fmt.Println(strings.Join(w.trace, "\n"))
		violations, allowed := w.check()
		for _, v := range violations {
			t.Error(v)
		}
		t.Logf("allowed: %v; surroundings: %v; %d calls, faults: %v", allowed, slices.Sorted(maps.Keys(w.around.has)), w.calls, w.faults)
		return
	}
	command := "TestRandom"
	if *denseFlag {
		command += " -dense"
	}
	s := newStatistics()
	end := time.Now().Add(*forFlag)
	var mu sync.Mutex
	next, failures := *fromFlag, 0
	take := func() (uint64, bool) {
		mu.Lock()
		defer mu.Unlock()
		seed := next
		next++
		more := *mostFlag == 0 || failures < *mostFlag
		if *forFlag > 0 {
			return seed, more && time.Now().Before(end)
		}
		return seed, more && seed < *fromFlag+*runsFlag
	}
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed, more := take(); more; seed, more = take() {
				w := ofSeed(seed, *digestFlag)
				violations, allowed := w.check()
				mu.Lock()
				s.add(w, allowed)
				if len(violations) > 0 {
					failures++
					if !s.news(seed, violations) {
						t.Fail()
						mu.Unlock()
						continue
					}
					t.Errorf("go test ./test/sim -run %s -seed %d: %v", command, seed, violations)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("seeds %d to %d: %d violations\n%s", *fromFlag, *fromFlag+uint64(s.histories)-1, failures, s)
}

// ofSeed returns the history of a seed in the mode of the flags.
func ofSeed(seed uint64, tracing bool) *World {
	if *denseFlag {
		return Dense(seed, "", tracing)
	}
	return Random(seed, "", tracing)
}

// statistics counts the kinds of histories, and those that end with a hold.
// Code that is safe only because it holds everything would show there.
type statistics struct {
	histories, calls, faults, runs, posts int
	// byFaults counts histories by how many calls failed: none, 1, 2, 3 or more.
	byFaults [4]int
	// held counts histories by why something is held at their end, and by
	// whether the route asks for that.
	held    map[string]int
	anyHeld int
	allowed Allowed
	// kinds has the seeds of each kind of violation.
	kinds  map[string][]uint64
	around map[string]int
	digest uint64
}

func newStatistics() *statistics {
	return &statistics{held: map[string]int{}, allowed: Allowed{}, kinds: map[string][]uint64{}, around: map[string]int{}}
}

// news records the kinds of violations of a history. It reports whether one of
// them is among the first few of its kind, which get a line.
func (s *statistics) news(seed uint64, violations []Violation) bool {
	news := false
	seen := map[string]bool{}
	for _, v := range violations {
		kind := v.Kind
		if kind == "" {
			kind = fmt.Sprintf("guarantee %d", v.Guarantee)
		}
		if !seen[kind] {
			seen[kind] = true
			s.kinds[kind] = append(s.kinds[kind], seed)
			news = news || len(s.kinds[kind]) <= 3
		}
	}
	return news
}

func (s *statistics) add(w *World, allowed Allowed) {
	s.histories++
	s.digest += w.hash
	s.calls += w.calls
	s.faults += len(w.faults)
	s.runs += len(w.amperity.Runs())
	s.posts += len(w.posts)
	s.byFaults[min(3, len(w.faults))]++
	last := map[string]announcement.Announcement{}
	for _, a := range w.announced {
		switch a.Type {
		case announcement.RunStarted, announcement.RunRejected, announcement.RunHeld, announcement.RunDiscarded:
			last[a.Detail.LaunchKey] = a.Announcement
		}
	}
	why := map[string]bool{}
	for _, a := range last {
		if a.Type == announcement.RunHeld {
			why[a.Detail.Reason] = true
		}
	}
	for reason := range why {
		s.held[reason]++
	}
	if len(why) > 0 {
		s.anyHeld++
	}
	for name, n := range allowed {
		s.allowed[name] += n
	}
	for name := range w.around.has {
		s.around[name]++
	}
}

func (s *statistics) String() string {
	var b strings.Builder
	share := func(n int) string { return fmt.Sprintf("%.1f%%", 100*float64(n)/float64(max(1, s.histories))) }
	fmt.Fprintf(&b, "%d histories, %d calls of backends, %d of them failed, %d requests, %d runs\n", s.histories, s.calls, s.faults, s.posts, s.runs)
	fmt.Fprintf(&b, "without a fault %s, with one %s, two %s, three or more %s\n", share(s.byFaults[0]), share(s.byFaults[1]), share(s.byFaults[2]), share(s.byFaults[3]))
	fmt.Fprintf(&b, "something is held at the end of %s", share(s.anyHeld))
	for _, reason := range slices.Sorted(maps.Keys(s.held)) {
		fmt.Fprintf(&b, ", for %s of %s", reason, share(s.held[reason]))
	}
	for _, kind := range slices.Sorted(maps.Keys(s.kinds)) {
		fmt.Fprintf(&b, "\n%d histories violate: %s, first in seeds %d", len(s.kinds[kind]), kind, s.kinds[kind][:min(3, len(s.kinds[kind]))])
	}
	for _, name := range slices.Sorted(maps.Keys(s.allowed)) {
		fmt.Fprintf(&b, "\nallowed %d times: %s", s.allowed[name], name)
	}
	for _, name := range slices.Sorted(maps.Keys(s.around)) {
		fmt.Fprintf(&b, "\n%d histories have %s", s.around[name], name)
	}
	if s.digest != 0 {
		fmt.Fprintf(&b, "\ndigest %016x", s.digest)
	}
	return b.String()
}

// TestASeedReplaysExactly compares two runs of a seed: a failure must be
// reproducible.
func TestASeedReplaysExactly(t *testing.T) {
	t.Parallel()
	for n := uint64(2); n <= 121; n++ {
		seed, mode := n/2, Random
		if n%2 == 1 {
			mode = Dense
		}
		a, b := mode(seed, "", true), mode(seed, "", true)
		if a.hash == b.hash && len(a.trace) == len(b.trace) {
			continue
		}
		for i := range a.trace {
			if i >= len(b.trace) || a.trace[i] != b.trace[i] {
				t.Fatalf("seed %d, line %d:\n%s\n%s", seed, i+1, a.trace[i], b.trace[min(i, len(b.trace)-1)])
			}
		}
		t.Fatalf("seed %d: the second time goes on", seed)
	}
}

// TestSeedsThatFoundMistakes runs the histories that found mistakes in the
// code.
func TestSeedsThatFoundMistakes(t *testing.T) {
	t.Parallel()
	for name, seed := range map[string]uint64{
		"windows did not wait for the second run of a launch that a person had released": 20013163,
		"a file that came late, after a discard that its window had not heard of yet":    50090120,
		"the same, where files were missing":                                             50054845,
		"a window did not wait for its files after a discard":                            71000772,
		"a file that was long on its way to the ledger when its window was discarded":    90365049,
		"the same, and its launch was held":                                              90436521,
		"runs could be listed and never read, and a launch was looked at for ever":       120005481,
		"a release that no list could be read for waited for ever":                       102845,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if violations, _ := Sequential(seed, "", false).check(); len(violations) > 0 {
				t.Error(violations[0])
			}
		})
	}
}
