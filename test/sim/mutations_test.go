package sim

import (
	"flag"
	"fmt"
	"slices"
	"testing"
)

var searchFlag = flag.Int("search", 0, "look for so many histories that show each mutation, from the first seed on")

// seen are seeds whose histories show a mutation, so that it need not be looked
// for each time.
var seen = map[Mutation]uint64{
	PostBeforeClaim:      2,
	PostWithoutMark:      2,
	RetryServerErrors:    5,
	RetryWhatIsHeld:      59,
	BoundedList:          5,
	AdoptInDoubt:         342,
	CoveredFromClaim:     494,
	CoveredFromAnswer:    959,
	ShortMargin:          551,
	MarksForgotten:       1,
	RejectedCovers:       384,
	ConfirmBeforeSending: 14,
	ShortLease:           170,
	LateFileDropped:      6,
	OverlapNotDecided:    1215,
	UnknownAsClaimed:     13,
	ReconcileWaits:       4,
	RetryBusy:            71,
	PatienceForgotten:    252,
}

// TestTheCheckerSeesEachMutation: a checker that cannot fail proves nothing.
func TestTheCheckerSeesEachMutation(t *testing.T) {
	t.Parallel()
	const most = 40_000
	for _, m := range Mutations {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			if seed, ok := seen[m]; ok && *searchFlag == 0 {
				violations, _ := Random(seed, m, false).check()
				if len(violations) == 0 {
					t.Fatalf("not seen in seed %d any more: find another with -search 1", seed)
				}
				t.Logf("seed %d: %v", seed, violations[0])
				return
			}
			var needed []int
			first := ""
			last := uint64(0)
			for seed := uint64(1); seed <= most && len(needed) < max(1, *searchFlag); seed++ {
				violations, _ := Random(seed, m, false).check()
				if len(violations) == 0 {
					continue
				}
				if first == "" {
					first = fmt.Sprintf("seed %d: %v", seed, violations[0])
				}
				needed = append(needed, int(seed-last))
				last = seed
			}
			if len(needed) == 0 {
				t.Fatalf("not seen in %d histories", most)
			}
			slices.Sort(needed)
			t.Logf("seen after %d histories (the median of %d times); %s", needed[len(needed)/2], len(needed), first)
		})
	}
}

// TestTheLedgerRefusesAReusedToken: in this history two deliveries have one
// request id. With a token of it, each took the other's mark for its own and sent
// a request, until the ledger compared the content.
func TestTheLedgerRefusesAReusedToken(t *testing.T) {
	t.Parallel()
	if violations, _ := Random(846, TokenIsRequestID, false).check(); len(violations) > 0 {
		t.Error(violations[0])
	}
}

// TestWithoutAMutationTheSameSeedsAreClean: what is seen is the mutation.
func TestWithoutAMutationTheSameSeedsAreClean(t *testing.T) {
	t.Parallel()
	for m, seed := range seen {
		if violations, _ := Random(seed, "", false).check(); len(violations) > 0 {
			t.Errorf("seed %d, of %q: %v", seed, m, violations[0])
		}
	}
}
