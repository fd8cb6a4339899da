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

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
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

// TestKilledAtRandomMoments sends each input to three built functions at the
// same time, kills at least one of them with SIGKILL at a random moment, and
// delivers the input again as AWS would. It kills the first sweeps too. No
// input starts two runs. Each ends as started, or as held if its outcome is
// unknown.
func TestKilledAtRandomMoments(t *testing.T) {
	seed := *crashSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("go test ./test/e2e -run TestKilledAtRandomMoments -crashes %d -crash-seed %d", *crashes, seed)
	routes := ""
	for i := range crashBlock {
		routes += fmt.Sprintf("  - {name: r%d, config_id: cg-%d, files: \"r%d/{yyyy}/{MM}/{dd}/*\", settle: 0s}\n", i, i, i)
	}
	c := newCrashing(t, seed, routes)
	for done := 0; done < *crashes; done += crashBlock {
		c.anew(t)
		c.block(t, done, min(crashBlock, *crashes-done))
	}
	if c.counts["kills"] < *crashes {
		t.Errorf("%d kills", c.counts["kills"])
	}
}

// newCrashing makes a world with these routes. It logs the counts at the end.
func newCrashing(t *testing.T, seed uint64, routes string) *crashing {
	t.Helper()
	c := &crashing{w: world(t), rng: rand.New(rand.NewPCG(seed, 1)), counts: map[string]int{double: 0, lost: 0, misattributed: 0, untold: 0},
		routes: filepath.Join(t.TempDir(), "routes.yaml")}
	if err := os.WriteFile(c.routes, []byte("version: 1\ntimezone: UTC\nroutes:\n"+routes), 0o600); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	t.Cleanup(func() {
		for _, what := range slices.Sorted(maps.Keys(c.counts)) {
			t.Logf("%4d %s", c.counts[what], what)
		}
		t.Logf("%4.0f seconds", time.Since(begun).Seconds())
	})
	return c
}

// anew gives the next block an empty ledger, and an Amperity without runs: as
// the ledger's times move and Amperity's do not, any run of an earlier block
// could be a launch's.
func (c *crashing) anew(t *testing.T) {
	t.Helper()
	forget(t, c.w)
	c.w.Simulator.Close()
	simulator, err := amperitytest.New(amperitytest.Config{Now: time.Now, Tokens: []amperitytest.Token{{Value: amperity.NewToken(fixtureToken)}}})
	if err != nil {
		t.Fatal(err)
	}
	c.w.Simulator, c.begun = simulator, 0
	// A run is over at once, so that no window waits for the one before.
	if err := c.w.Simulator.Script("", amperitytest.Script{}); err != nil {
		t.Fatal(err)
	}
}

// What the checks count beside kills and ends.
const (
	double        = "launches with two runs"
	lost          = "inputs that ended nowhere"
	misattributed = "launches announced with the run of another"
	untold        = "runs that no event names"
)

// crashing is a world in which functions are killed.
type crashing struct {
	w      *stack.World
	rng    *rand.Rand
	routes string
	counts map[string]int
	begun  int             // runs so far
	logs   strings.Builder // of the block's functions
	// build returns the folder of the functions that an instance runs; nil: the
	// project's build/.
	build func(instance int) string
	// most is how many runs a hold names at most; 0: it must name its own.
	most int
	// refuses: Amperity answers requests with 429, so that launches are blocked.
	refuses bool
}

// blow is one input on its way.
type blow struct {
	function string
	event    []byte
	key      string // of its launch
	configID string
	from     string // range_from, which no other has
	// late: one more file of its window came at lateAt, after the first launch. It
	// gets a launch of its own.
	late   bool
	lateAt time.Time
}

// keys are the launch keys that the input may get.
func (b blow) keys() []string {
	if !b.late {
		return []string{b.key}
	}
	return []string{b.key, strings.TrimSuffix(b.key, "1") + "2"}
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
	b.event = arrived(t, i, b.from, "0.csv", "1.csv", "2.csv")
	b.key = fmt.Sprintf("arrival/%s/%s/1", b.configID, b.from)
	return b
}

// arrived is the batch of events of files of a day for the route ri.
func arrived(t *testing.T, i int, day string, names ...string) []byte {
	t.Helper()
	var bodies []string
	for _, name := range names {
		event := landed("acme-landing", fmt.Sprintf("r%d/%s/%s", i, strings.ReplaceAll(day, "-", "/"), name))
		bodies = append(bodies, fmt.Sprintf(`{"detail-type":"Object Created","source":"aws.s3","time":%q,"detail":%s}`,
			time.Now().Add(-dated).UTC().Format(time.RFC3339), *event.Detail)) // so that no request waits
	}
	return batch(t, bodies)
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
		if c.build != nil {
			f.Build = c.build(i)
			fmt.Fprintf(&c.logs, "%s, instance %d, from %s\n", function, i, f.Build)
		}
		f := f
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

// eachKilled bounds the moments at which killed kills, for each input. A cold
// start with its first request takes about 30 ms here, all of it about 200.
const eachKilled = 250 * time.Millisecond

// killed gives inputs to new instances at the same time, and kills one, two or
// all of them within a time.
func (c *crashing) killed(t *testing.T, function string, within time.Duration, events ...[]byte) {
	t.Helper()
	es := c.start(t, function)
	kill := 1 + c.rng.IntN(crashInstances)
	var moments []time.Duration
	for range kill {
		moments = append(moments, time.Duration(c.rng.Int64N(int64(within))))
	}
	var wg sync.WaitGroup
	answered := make([]bool, crashInstances)
	for i, e := range es {
		wg.Go(func() {
			answered[i] = true
			for j := range events {
				// Each instance begins with another input.
				_, err := e.Invoke(t.Context(), events[(i+j)%len(events)])
				answered[i] = answered[i] && err == nil
			}
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
	c.acquaint(t, n, size)
	var blows []blow
	for i := range size {
		b := c.blow(t, n, i)
		blows = append(blows, b)
		c.killed(t, b.function, eachKilled, b.event)
	}
	c.again(t, blows)
	c.sweepKilled(t, eachKilled)
	c.sweeps(t, 8)
	c.end(t, blows)
}

// acquaint begins a block: it gives each config id its first run. What a run of
// each config id looks like is known, as it is but on the first day.
func (c *crashing) acquaint(t *testing.T, n, size int) {
	t.Helper()
	c.logs.Reset()
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
}

// again delivers inputs again, as AWS does with what was not answered, and now
// and then with what was.
func (c *crashing) again(t *testing.T, blows []blow) {
	t.Helper()
	for _, function := range []string{"trigger", "s3arrival"} {
		if events := eventsOf(blows, function); len(events) > 0 {
			c.whole(t, function, events...)
		}
	}
}

// eventsOf are the inputs of a function.
func eventsOf(blows []blow, function string) [][]byte {
	var events [][]byte
	for _, b := range blows {
		if b.function == function {
			events = append(events, b.event)
		}
	}
	return events
}

// sweepKilled lets a sweep come that is killed within a time.
func (c *crashing) sweepKilled(t *testing.T, within time.Duration) {
	t.Helper()
	c.later(t, 3*time.Minute)
	c.killed(t, "sweep", within, read(t, "events", "sweep.json"))
}

// sweeps lets sweeps come until nothing is due, at most so many times three at
// once.
func (c *crashing) sweeps(t *testing.T, most int) {
	t.Helper()
	for range most {
		c.later(t, 10*time.Minute)
		c.whole(t, "sweep", read(t, "events", "sweep.json"))
		if len(due(t, c.w, stack.Table)) == 0 {
			break
		}
	}
}

// end checks a block.
func (c *crashing) end(t *testing.T, blows []blow) {
	t.Helper()
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

// said is what the events say of one launch.
type said struct {
	started map[string]bool // runs
	held    map[string]bool // reasons
	named   map[string]bool // runs that a hold names
}

// heard reads the events of a block, by launch key.
func (c *crashing) heard(t *testing.T) map[string]said {
	t.Helper()
	told := map[string]said{}
	for _, p := range publishedNow(t, c.w) {
		var d struct {
			LaunchKey  string `json:"launch_key"`
			Reason     string
			Run        struct{ ID string }
			Candidates []struct{ ID string }
		}
		if err := json.Unmarshal(p.Detail, &d); err != nil {
			t.Fatal(err)
		}
		if told[d.LaunchKey].started == nil {
			told[d.LaunchKey] = said{map[string]bool{}, map[string]bool{}, map[string]bool{}}
		}
		switch p.DetailType {
		case started:
			told[d.LaunchKey].started[d.Run.ID] = true
		case held:
			told[d.LaunchKey].held[d.Reason] = true
			for _, candidate := range d.Candidates {
				told[d.LaunchKey].named[candidate.ID] = true
			}
		default:
			if p.DetailType != blocked || !c.refuses {
				t.Errorf("%s: %s", d.LaunchKey, p.DetailType)
			}
		}
	}
	return told
}

// dated is how long before its arrival a file's event is dated.
const dated = 10 * time.Second

// check holds what Amperity and the event bus have to the guarantees. A run is
// of the input whose config id and range its request has. No run here is late,
// so that if_unknown: retry has no excuse for a second run of a launch.
func (c *crashing) check(t *testing.T, blows []blow) {
	t.Helper()
	wrong := func(what, format string, args ...any) {
		t.Helper()
		c.counts[what]++
		t.Errorf(format, args...)
	}
	begun := c.w.Simulator.Runs()[c.begun:]
	c.begun += len(begun)
	runs := map[string][]amperitytest.Started{}
	of := map[string]string{} // the request of a run
	for _, r := range begun {
		at := r.ConfigID + " " + r.RangeFrom
		runs[at] = append(runs[at], r)
		of[r.ID] = at
	}
	told := c.heard(t)
	for _, b := range blows {
		at := b.configID + " " + b.from
		have := runs[at]
		delete(runs, at)
		names, full := map[string]bool{}, false
		launches := 0
		for i, key := range b.keys() {
			s := told[key]
			if len(s.started) > 1 {
				wrong(double, "%s is said to have started %v", key, slices.Sorted(maps.Keys(s.started)))
			}
			for id := range s.started {
				switch {
				case of[id] != at:
					wrong(misattributed, "%s, of which the request is %q, is said to have started %s, of which the request is %q", key, at, id, of[id])
				case names[id]:
					wrong(misattributed, "%s is said to have started %s, as its window's first launch is", key, id)
				}
				names[id] = true
			}
			switch {
			case len(s.started) > 0:
				launches++
				c.counts["launches that started their run"]++
			case len(s.held) == 1 && s.held["unknown_outcome"] && len(have) > launches:
				launches++
				c.counts["launches that are held, and have a run"]++
			case len(s.held) == 1 && s.held["unknown_outcome"]:
				c.counts["launches that are held, and have none"]++
			case i > 0 && len(told[b.key].started) == 0:
				// The late file waits with the window's first launch.
			case i > 0 && slices.ContainsFunc(have, func(r amperitytest.Started) bool { return r.At.After(b.lateAt.Add(-dated)) }):
				// The run of the first launch has it: its event is dated before the
				// request.
			default:
				wrong(lost, "%s, whose input has the runs %v, is nowhere: held as %v", key, have, s.held)
			}
			maps.Copy(names, s.named)
			full = full || c.most > 0 && len(s.named) == c.most
			if i > 0 && len(s.started) > 0 && !slices.ContainsFunc(have, func(r amperitytest.Started) bool { return r.At.After(b.lateAt) }) {
				wrong(lost, "%s covers a file of %s, and has %v", key, b.lateAt, have)
			}
		}
		if len(have) > launches {
			wrong(double, "%s started %v", b.key, have)
		}
		for _, r := range have {
			if !names[r.ID] && !full {
				wrong(untold, "no event of %s names its run %s", b.key, r.ID)
			}
		}
	}
	for at := range runs {
		t.Errorf("a run of nobody's: %s", at)
	}
}
