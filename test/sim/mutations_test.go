package sim

import (
	"flag"
	"fmt"
	"testing"
)

var searchFlag = flag.Int("search", 0, "try each mutation in up to so many dense and so many random histories, from -from on")

// shown is a known history that shows a mutation.
type shown struct {
	mode string // dense, random, or a plan of TestTiming
	seed uint64
}

func (s shown) history(m Mutation) *World {
	switch s.mode {
	case "dense":
		return Dense(s.seed, m, false)
	case "random":
		return Random(s.seed, m, false)
	}
	p, err := readPlan(s.mode)
	if err != nil {
		panic(err) // the plan is fixed
	}
	w, _, _ := Timed(p, m, false)
	return w
}

var seen = map[Mutation]shown{
	PostBeforeClaim:      {"dense", 9500000},
	PostWithoutMark:      {"dense", 9500001},
	RetryServerErrors:    {"dense", 9600000},
	RetryWhatIsHeld:      {"dense", 9500012},
	BoundedList:          {"dense", 9600004},
	AdoptInDoubt:         {"dense", 9600000},
	CoveredFromClaim:     {"dense", 9500018},
	CoveredFromAnswer:    {"dense", 9500033},
	ShortMargin:          {"dense", 9500125},
	MarksForgotten:       {"dense", 9500127},
	RejectedCovers:       {"dense", 9600118},
	ConfirmBeforeSending: {"dense", 9600000},
	ShortLease:           {"random", 9600106},
	LateFileDropped:      {"random", 9600004},
	OverlapNotDecided:    {"dense", 9500003},
	ReconcileWaits:       {"dense", 9600000},
	RetryBusy:            {"dense", 9600000},
	PatienceForgotten:    {"dense", 9600004},
}

// seenIn returns the violations of a history that a mutation may have caused.
func seenIn(w *World) []Violation {
	violations, _ := w.check()
	return violations
}

// TestTheCheckerSeesEachMutation shows that the checker can fail.
func TestTheCheckerSeesEachMutation(t *testing.T) {
	t.Parallel()
	for _, m := range Mutations {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			if *searchFlag > 0 {
				search(t, m)
				return
			}
			s, ok := seen[m]
			if !ok {
				t.Fatal("no history shows it: find one with -search 1000")
			}
			violations := seenIn(s.history(m))
			if len(violations) == 0 {
				t.Fatalf("not seen in %v any more: find another with -search 1000", s)
			}
			t.Logf("%v: %v", s, violations[0])
		})
	}
}

// search searches for histories that show a mutation, until it has a few of
// each mode.
func search(t *testing.T, m Mutation) {
	for _, mode := range []string{"dense", "random"} {
		var found []string
		n := 0
		for ; n < *searchFlag && len(found) < 4; n++ {
			seed := *fromFlag + uint64(n)
			if v := seenIn(shown{mode, seed}.history(m)); len(v) > 0 && len(seenIn(shown{mode, seed}.history(""))) == 0 {
				found = append(found, fmt.Sprintf("%d: %.160v", seed, v[0]))
			}
		}
		t.Logf("%q: in %d of %d %s histories: %q", m, len(found), n, mode, found)
	}
}

// TestWithoutAMutationTheSameSeedsAreClean shows that the mutation causes the
// violations.
func TestWithoutAMutationTheSameSeedsAreClean(t *testing.T) {
	t.Parallel()
	for m, s := range seen {
		if violations := seenIn(s.history("")); len(violations) > 0 {
			t.Errorf("%v, of %q: %v", s, m, violations[0])
		}
	}
}

// TestTheLedgerRefusesAReusedToken runs a history in which two deliveries have
// one request id. With the request id as the token, each delivery mistook the
// other's mark for its own and sent a request, until the ledger compared the
// content.
func TestTheLedgerRefusesAReusedToken(t *testing.T) {
	t.Parallel()
	if violations, _ := Random(846, TokenIsRequestID, false).check(); len(violations) > 0 {
		t.Error(violations[0])
	}
}
