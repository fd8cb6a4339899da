package launch

import (
	"fmt"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// A likelier run takes the place of the least likely candidate, wherever that
// stands in the list.
func TestLikelierRunReplacesTheLeastLikelyCandidate(t *testing.T) {
	t.Parallel()
	posted := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	run := func(id string, after time.Duration) *amperity.Run {
		return &amperity.Run{ID: id, CreatedAt: posted.Add(after)}
	}
	for _, place := range []int{0, 7, maxCandidates - 1} {
		t.Run(fmt.Sprint(place), func(t *testing.T) {
			t.Parallel()
			j := &record.Launch{LaunchDoc: record.LaunchDoc{Posts: []time.Time{posted}}}
			for i := range maxCandidates {
				id, after := fmt.Sprint("wf-", i), time.Minute
				if i == place {
					id, after = "wf-unlikely", time.Hour
				}
				if !addCandidate(j, run(id, after)) {
					t.Fatalf("%s is not added", id)
				}
			}
			if addCandidate(j, run("wf-unlikelier", 2*time.Hour)) {
				t.Error("an unlikelier run is added")
			}
			if !addCandidate(j, run("wf-likely", time.Second)) {
				t.Error("a likelier run is not added")
			}
			for _, c := range j.Candidates {
				if c.ID == "wf-unlikely" || c.ID == "wf-unlikelier" {
					t.Errorf("%s is still a candidate", c.ID)
				}
			}
			if len(j.Candidates) != maxCandidates {
				t.Errorf("%d candidates", len(j.Candidates))
			}
		})
	}
}
