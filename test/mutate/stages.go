package main

import (
	"slices"
	"time"
)

// packages are the folders whose code is mutated.
var packages = []string{"internal/record", "internal/runs", "internal/launch", "internal/intake", "internal/held", "internal/unrouted",
	"internal/window", "internal/sweep", "internal/s3arrival"}

// protocol are the packages that the tests of internal/launch test too.
var protocol = []string{"internal/record", "internal/runs", "internal/intake", "internal/held"}

// tested returns the packages with the tests of a package.
func tested(pkg string) []string {
	if slices.Contains(protocol, pkg) {
		return []string{"./" + pkg, "./internal/launch"}
	}
	return []string{"./" + pkg}
}

// stage is a set of tests that may notice a mutant. The stages run from quick
// to slow, and a mutant ends with the first one that fails.
type stage struct {
	Name string
	// Of limits the stage to the mutants of one package.
	Of string
	// Args are go test's. {package} stands for the packages that tested returns,
	// and {seed} for the first of the seeds that no other run of the simulation
	// uses.
	Args    []string
	Timeout time.Duration
}

// slow matches the tests of the simulation that have a stage of their own, and
// the tests of the simulation itself.
const slow = `^(TestRandom|TestExhaustive|TestTiming|TestYear|TestTheCheckerSeesEachMutation|TestWithoutAMutationTheSameSeedsAreClean|TestASeedReplaysExactly|TestEveryAnnouncementKeepsToItsSchema)$`

// model is the slow test of internal/window.
const model = `^TestWindowsDoAsTheModelSays$`

// stages are all stages.
var stages = []stage{
	{Name: "own", Args: []string{"{package}", "-skip", model}, Timeout: 3 * time.Minute},
	{Name: "histories", Args: []string{"./test/sim", "-skip", slow}, Timeout: 3 * time.Minute},
	{Name: "model", Of: "internal/window", Args: []string{"{package}", "-run", model, "-runs", "20000"}, Timeout: 10 * time.Minute},
	{Name: "handlers", Args: []string{"./internal/trigger", "./internal/sweep", "./internal/s3arrival", "./internal/demo", "./functions/..."}, Timeout: 5 * time.Minute},
	{Name: "exhaustive", Args: []string{"./test/sim", "-run", "^TestExhaustive$"}, Timeout: 10 * time.Minute},
	{Name: "random", Args: []string{"./test/sim", "-run", "^TestRandom$", "-runs", "5000", "-from", "{seed}"}, Timeout: 20 * time.Minute},
	{Name: "timing", Args: []string{"./test/sim", "-run", "^TestTiming$"}, Timeout: 10 * time.Minute},
	{Name: "dense", Args: []string{"./test/sim", "-run", "^TestRandom$", "-dense", "-runs", "2000", "-from", "{seed}"}, Timeout: 20 * time.Minute},
}

// firstSeed is the first seed of the random histories. It was chosen once,
// before any mutant had run.
const firstSeed = "2026112700"
