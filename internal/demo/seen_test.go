package demo

import (
	"testing"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
)

func TestDemoFailsIfTheProductDoes(t *testing.T) {
	t.Parallel()
	want := seen{answer: `"outcome":"started"`, statuses: []int{201}, runs: []string{"cg-1"}, announced: []announcement.DetailType{announcement.RunStarted}}
	if err := want.compare(seen{answer: `{"outcome":"started"}`, statuses: want.statuses, runs: want.runs, announced: want.announced}); err != nil {
		t.Errorf("what is as it should be is reported: %v", err)
	}
	err := want.compare(seen{answer: "{}", statuses: []int{201, 201}, runs: []string{"cg-1", "cg-1"}})
	message := "answers of Amperity: [201 201] instead of [201]\n" +
		"runs started: [cg-1 cg-1] instead of [cg-1]\n" +
		"events announced: [] instead of [Amperity Workflow Run Started]\n" +
		`answer: {} lacks "outcome":"started"`
	if err == nil || err.Error() != message {
		t.Errorf("got %v", err)
	}
}
