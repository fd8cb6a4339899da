package main

import (
	"os"
	"strings"
	"testing"

	"github.com/amperity-runs/amperity-runs/internal/route"
	input "github.com/amperity-runs/amperity-runs/internal/trigger"
)

func TestTriggerTakesTheScheduledEvent(t *testing.T) {
	t.Parallel()
	if _, err := input.ParseInput(scheduled(batchTime)); err != nil {
		t.Error(err)
	}
}

func TestPreparedRoutesAreValid(t *testing.T) {
	t.Parallel()
	for settle, warnings := range map[string]int{"2m": 0, "1s": 0, "0s": dueRoutes} {
		_, got, err := route.Parse("routes.yaml", routesFile(dueRoutes, settle), route.Options{})
		if err != nil || len(got) != warnings {
			t.Errorf("settle %s: %v, %v", settle, got, err)
		}
	}
}

func TestRequirementsArePinned(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") && !strings.Contains(line, "==") {
			t.Errorf("%q names no version", line)
		}
	}
}
