package e2e

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
	"github.com/amperity-runs/amperity-runs/test/stack"
)

var (
	crashes   = flag.Int("crashes", 20, "how many inputs TestKilledAtRandomMoments gives to functions that are killed")
	crashSeed = flag.Uint64("crash-seed", 0, "the seed of its moments; 0: one of the time")
)

// crashInstances is how many instances get each input at the same time.
const crashInstances = 3

// crashBlock is how many inputs share a ledger.
const crashBlock = 10

// TestKilledAtRandomMoments gives each input to three built functions at the
// same time, kills at least one of them by SIGKILL at a random moment, delivers
// it again as AWS would, and lets sweeps come, the first of which are killed,
// too. No input starts two runs, and each ends as started, or as held where
// nobody can know.
func TestKilledAtRandomMoments(t *testing.T) {
	seed := *crashSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("go test ./test/e2e -run TestKilledAtRandomMoments -crashes %d -crash-seed %d", *crashes, seed)
	c := &crashing{w: world(t), rng: rand.New(rand.NewPCG(seed, 1)), counts: map[string]int{}, routes: filepath.Join(t.TempDir(), "routes.yaml")}
	// A run is over at once, so that no window waits for the one before.
	if err := c.w.Simulator.Script("", amperitytest.Script{}); err != nil {
		t.Fatal(err)
	}
	routes := "version: 1\ntimezone: UTC\nroutes:\n"
	for i := range crashBlock {
		routes += fmt.Sprintf("  - {name: r%d, config_id: cg-%d, files: \"r%d/{yyyy}/{MM}/{dd}/*\", settle: 0s}\n", i, i, i)
	}
	if err := os.WriteFile(c.routes, []byte(routes), 0o600); err != nil {
		t.Fatal(err)
	}
	for done := 0; done < *crashes; done += crashBlock {
		if done > 0 {
			forget(t, c.w)
		}
		c.block(t, done, min(crashBlock, *crashes-done))
	}
	for _, what := range slices.Sorted(maps.Keys(c.counts)) {
		t.Logf("%4d %s", c.counts[what], what)
	}
	if c.counts["kills"] < *crashes {
		t.Errorf("%d kills", c.counts["kills"])
	}
}

// crashing is a world in which functions are killed.
type crashing struct {
	w      *stack.World
	rng    *rand.Rand
	routes string
	counts map[string]int
	begun  int             // runs so far
	logs   strings.Builder // of the block's functions
}

// blow is one input on its way.
type blow struct {
	function string
	event    []byte
	key      string // of its launch
	configID string
	from     string // range_from, which no other has
}

func (c *crashing) blow(t *testing.T, n, i int) blow {
	b := blow{configID: fmt.Sprintf("cg-%d", i), from: time.Date(2024, 1, 1+n+i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)}
	if i%2 == 0 {
		b.function = "trigger"
		b.event = fmt.Appendf(nil, `{"config_id":%q,"range_from":%q,"idempotency_key":"k%d"}`, b.configID, b.from, n+i)
		b.key = fmt.Sprintf("manual/%s/k%d", b.configID, n+i)
		return b
	}
	b.function = "s3arrival"
	folder := strings.ReplaceAll(b.from, "-", "/")
	var bodies []string
	for j := range 3 {
		event := landed("acme-landing", fmt.Sprintf("r%d/%s/%d.csv", i, folder, j))
		bodies = append(bodies, fmt.Sprintf(`{"detail-type":"Object Created","source":"aws.s3","time":%q,"detail":%s}`,
			time.Now().Add(-10*time.Second).UTC().Format(time.RFC3339), *event.Detail)) // so that no request waits
	}
	b.event = batch(t, bodies)
	b.key = fmt.Sprintf("arrival/%s/%s/1", b.configID, b.from)
	return b
}

// start starts instances of a function.
func (c *crashing) start(t *testing.T, function string) []*stack.Emulator {
	t.Helper()
	f, err := stack.FunctionOf(function + ".json")
	if err != nil {
		t.Fatal(err)
	}
	es := make([]*stack.Emulator, crashInstances)
	errs := make([]error, crashInstances)
	var wg sync.WaitGroup
	for i := range es {
		wg.Go(func() {
			es[i], errs[i] = c.w.Emulate(t.Context(), root, f, map[string]string{"ROUTES_FILE": c.routes}, nil)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return es
}

// killed gives an input to new instances at the same time, and kills one, two
// or all of them.
func (c *crashing) killed(t *testing.T, function string, event []byte) {
	t.Helper()
	es := c.start(t, function)
	kill := 1 + c.rng.IntN(crashInstances)
	var moments []time.Duration
	for range kill {
		// A cold start with its first request takes about 30 ms here, all of it
		// about 200.
		moments = append(moments, time.Duration(c.rng.IntN(250))*time.Millisecond)
	}
	var wg sync.WaitGroup
	answered := make([]bool, crashInstances)
	for i, e := range es {
		wg.Go(func() {
			_, err := e.Invoke(t.Context(), event)
			answered[i] = err == nil
		})
	}
	var kills sync.WaitGroup
	for i, after := range moments {
		kills.Go(func() {
			time.Sleep(after) // the moment, by the clock of the world out there
			es[i].Kill()
		})
	}
	kills.Wait()
	wg.Wait()
	for i, e := range es {
		if i >= kill {
			e.Close()
		}
		fmt.Fprintf(&c.logs, "%s, killed %t, answered %t:\n%s", function, i < kill, answered[i], e.Log())
		if i >= kill {
			continue
		}
		c.counts["kills"]++
		if !answered[i] {
			c.counts["kills before the function had answered"]++
		}
	}
}

// whole gives an input to new instances at the same time, and lets them answer.
func (c *crashing) whole(t *testing.T, function string, events ...[]byte) {
	t.Helper()
	es := c.start(t, function)
	defer func() {
		for _, e := range es {
			e.Close()
			fmt.Fprintf(&c.logs, "%s:\n%s", function, e.Log())
		}
	}()
	for _, event := range events {
		var wg sync.WaitGroup
		for _, e := range es {
			wg.Go(func() {
				// Another may be at it: that is an error, and delivered again.
				_, _ = e.Invoke(t.Context(), event)
			})
		}
		wg.Wait()
	}
}

func (c *crashing) block(t *testing.T, n, size int) {
	c.logs.Reset()
	// What a run of each config id looks like is known, as it is but on the
	// first day.
	var first [][]byte
	for i := range size {
		first = append(first, fmt.Appendf(nil, `{"config_id":"cg-%d","idempotency_key":"first-%d"}`, i, n))
	}
	c.whole(t, "trigger", first...)
	if runs := c.w.Simulator.Runs()[c.begun:]; len(runs) != size {
		t.Fatalf("%d config ids had %d runs before", size, len(runs))
	}
	publishedNow(t, c.w)
	c.begun = len(c.w.Simulator.Runs())

	var blows []blow
	for i := range size {
		b := c.blow(t, n, i)
		blows = append(blows, b)
		c.killed(t, b.function, b.event)
	}
	// AWS delivers again what was not answered, and now and then what was.
	for _, function := range []string{"trigger", "s3arrival"} {
		var events [][]byte
		for _, b := range blows {
			if b.function == function {
				events = append(events, b.event)
			}
		}
		c.whole(t, function, events...)
	}
	sweep := read(t, "events", "sweep.json")
	c.later(t, 3*time.Minute)
	c.killed(t, "sweep", sweep)
	for range 8 {
		c.later(t, 10*time.Minute)
		c.whole(t, "sweep", sweep)
		if len(due(t, c.w, stack.Table)) == 0 {
			break
		}
	}
	for _, key := range due(t, c.w, stack.Table) {
		t.Errorf("%s is due still", key)
	}
	c.check(t, blows)
	if strings.Contains(c.logs.String(), fixtureToken) {
		t.Error("the token is in a log")
	} else if t.Failed() {
		t.Log(c.logs.String())
	}
	if t.Failed() {
		t.FailNow()
	}
}

func (c *crashing) later(t *testing.T, d time.Duration) {
	t.Helper()
	later(t, c.w, stack.Table, d)
}

// check holds what Amperity and the event bus have to the guarantees.
func (c *crashing) check(t *testing.T, blows []blow) {
	t.Helper()
	begun := c.w.Simulator.Runs()[c.begun:]
	c.begun += len(begun)
	runs := map[string][]string{}
	for _, r := range begun {
		at := r.ConfigID + " " + r.RangeFrom
		runs[at] = append(runs[at], r.ID)
	}
	type said struct{ started, held map[string]bool }
	told := map[string]said{}
	for _, p := range publishedNow(t, c.w) {
		var d struct {
			LaunchKey string `json:"launch_key"`
			Reason    string
			Run       struct{ ID string }
		}
		if err := json.Unmarshal(p.Detail, &d); err != nil {
			t.Fatal(err)
		}
		if told[d.LaunchKey].started == nil {
			told[d.LaunchKey] = said{map[string]bool{}, map[string]bool{}}
		}
		switch p.DetailType {
		case started:
			told[d.LaunchKey].started[d.Run.ID] = true
		case held:
			told[d.LaunchKey].held[d.Reason] = true
		default:
			t.Errorf("%s: %s", d.LaunchKey, p.DetailType)
		}
	}
	for _, b := range blows {
		at := b.configID + " " + b.from
		have := runs[at]
		delete(runs, at)
		s := told[b.key]
		switch {
		case len(have) > 1:
			t.Errorf("%s started %v", b.key, have)
		case len(s.started) == 1 && len(have) == 1 && s.started[have[0]]:
			c.counts["inputs that started their run"]++
		case len(s.started) > 0:
			t.Errorf("%s is said to have started %v, and has %v", b.key, s.started, have)
		case len(s.held) != 1 || !s.held["unknown_outcome"]:
			t.Errorf("%s, which has the runs %v, is nowhere: held as %v", b.key, have, s.held)
		case len(have) == 1:
			c.counts["inputs that are held, and have a run"]++
		default:
			c.counts["inputs that are held, and have none"]++
		}
	}
	for at := range runs {
		t.Errorf("a run of nobody's: %s", at)
	}
}
