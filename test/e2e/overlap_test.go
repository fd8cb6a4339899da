package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

const (
	// overlapBlock is how many launches a block has, and overlapBunches among how
	// many config ids they are divided at most.
	overlapBlock   = 12
	overlapBunches = 4
	// slowList is how long Amperity takes to list runs.
	slowList = time.Second
	// slowLoss is how long Amperity takes to lose the answer of a request that it
	// has processed.
	slowLoss = 4 * time.Second
)

// TestOverlappingSweepsKeepLaunchesApart gives bunches of launches of one
// config id to three instances of trigger, and then to three sweeps at a time.
// Each has the workers that are deployed. Amperity lists runs slowly, and loses
// or refuses most requests of a bunch at the same time. No launch gets the run
// of another.
func TestOverlappingSweepsKeepLaunchesApart(t *testing.T) {
	seed := *crashSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("go test ./test/e2e -run TestOverlappingSweepsKeepLaunchesApart -crashes %d -crash-seed %d", *crashes, seed)
	c := newCrashing(t, seed, "  - {name: r, config_id: cg-none, files: \"none/{yyyy}/{MM}/{dd}/*\"}\n")
	c.refuses = true
	for done := 0; done < *crashes; done += overlapBlock {
		c.anew(t)
		c.overlap(t, done, min(overlapBlock, *crashes-done))
	}
}

func (c *crashing) overlap(t *testing.T, n, size int) {
	bunches := min(1+c.rng.IntN(overlapBunches), size)
	most := (size + bunches - 1) / bunches
	c.acquaint(t, n, bunches)
	var blows []blow
	for i := range size {
		b := blow{function: "trigger", configID: fmt.Sprintf("cg-%d", i%bunches), from: time.Date(2024, 1, 1+n+i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)}
		mode := []string{"source", "full"}[i/bunches%2] // retry and hold are their defaults
		b.event = fmt.Appendf(nil, `{"config_id":%q,"range_from":%q,"run_mode":%q,"idempotency_key":"k%d"}`, b.configID, b.from, mode, n+i)
		b.key = fmt.Sprintf("manual/%s/k%d", b.configID, n+i)
		blows = append(blows, b)
	}
	many := c.rng.IntN(3) == 0 // of each bunch, or one at a time
	first, second := []amperitytest.Fault{unprocessed}, []amperitytest.Fault{processed}
	if many {
		first = append(first, unprocessed, answered, processed)
		second = append(second, processed, unprocessed, refused)
	}
	// At first some requests are lost without a run, and others refused for a
	// minute.
	for i := range bunches {
		c.fates(t, i, most, refused, first...)
	}
	if many {
		c.killed(t, "trigger", time.Duration(size)*eachKilled, eventsOf(blows, "trigger")...)
	}
	c.again(t, blows)
	// Then these are processed, and some are lost while others wait for a list.
	c.w.Simulator.ClearFaults()
	c.fault(t, amperitytest.Fault{Method: http.MethodGet, PathSuffix: "/workflow/runs", Times: -1, Kind: amperitytest.Slow, Delay: slowList})
	unlucky := c.rng.IntN(bunches)
	for i := range bunches {
		if many || i == unlucky {
			c.fates(t, i, most, answered, second...)
		}
	}
	if many {
		c.sweepKilled(t, 2*slowList)
	}
	c.sweeps(t, 15)
	c.w.Simulator.ClearFaults()
	c.end(t, blows)
}

// The fates of a request that starts a run.
var (
	answered    = amperitytest.Fault{Kind: amperitytest.Slow, Delay: time.Millisecond}
	refused     = amperitytest.Fault{Kind: amperitytest.Status, Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": "60"}}
	unprocessed = amperitytest.Fault{Kind: amperitytest.Status, Status: http.StatusGatewayTimeout}
	processed   = amperitytest.Fault{Kind: amperitytest.Reset, Applied: true, Delay: slowLoss}
)

// fates gives the next requests of a config id a fate: these in any order, and
// the usual one for the others.
func (c *crashing) fates(t *testing.T, configID, requests int, usual amperitytest.Fault, others ...amperitytest.Fault) {
	t.Helper()
	of := slices.Clone(others)
	for len(of) < requests {
		of = append(of, usual)
	}
	c.rng.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
	for _, f := range of {
		f.Method, f.PathSuffix, f.ConfigID = http.MethodPost, "/workflow/runs", fmt.Sprintf("cg-%d", configID)
		c.fault(t, f)
	}
}

func (c *crashing) fault(t *testing.T, f amperitytest.Fault) {
	t.Helper()
	if err := c.w.Simulator.Fault(f); err != nil {
		t.Fatal(err)
	}
}
