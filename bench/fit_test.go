package main

import (
	"strings"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/trigger"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// What the stand-ins send and answer fits what is measured.

func TestTriggerTakesTheScheduledEvent(t *testing.T) {
	t.Parallel()
	if _, err := trigger.ParseInput(scheduled(time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC))); err != nil {
		t.Error(err)
	}
}

func TestStandInServesTheClient(t *testing.T) {
	t.Parallel()
	in := newTestStandIn(t)
	client, err := amperity.New(tenant, amperity.StaticTokenSource(bearer), amperity.WithBaseURL(in.url+apiPrefix))
	if err != nil {
		t.Fatal(err)
	}
	r, err := client.StartRun(t.Context(), amperity.RunRequest{ConfigID: configID, RangeFrom: "2026-11-21", RangeTo: "2026-11-22"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(r.ID, runID) || r.Tenant != tenant {
		t.Errorf("got the run %q of %q", r.ID, r.Tenant)
	}
	if _, err := in.Take(); err != nil {
		t.Error(err)
	}
}
