package docs

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

type api struct{}

func (api) StartRun(context.Context, amperity.RunRequest) (*amperity.Run, error) {
	return &amperity.Run{ID: "wf-20261122-02317-TktNFF"}, nil
}

type bus struct{}

func (bus) Announce(context.Context, ...announcement.Announcement) error { return nil }

type clock struct{}

func (clock) Now() time.Time                             { return time.Time{} }
func (clock) Sleep(context.Context, time.Duration) error { return nil }

func (clock) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

// The lines that the README tells to look for are those that are written.
func TestLogLinesInTheREADME(t *testing.T) {
	t.Parallel()
	found := 0
	times := regexp.MustCompile(`"time":"[^"]*"`)
	for _, b := range blocks(t) {
		state, ok := strings.CutPrefix(b.Before, "<!-- log: ")
		if !ok {
			continue
		}
		found++
		paused := state == "paused -->"
		var log bytes.Buffer
		_, err := launch.NewDirect(launch.DirectConfig{API: api{}, Announcer: bus{}, Clock: clock{}, Tenant: "acme", Paused: paused,
			Logger: telemetry.NewLogger(&log, slog.LevelInfo)}).Launch(t.Context(), launch.Launch{
			Key:     "arrival/cg-789GHi0JK/2026-11-22/1",
			Cause:   announcement.Cause{Type: announcement.CauseArrival, Route: "sales"},
			Request: amperity.RunRequest{ConfigID: "cg-789GHi0JK"},
		})
		if (err != nil) != paused {
			t.Fatal(err)
		}
		if !json.Valid(log.Bytes()) {
			t.Fatal(log.String())
		}
		want, _, ok := strings.Cut(strings.TrimSpace(b.Text), ", …")
		if !ok {
			t.Errorf("%s: the line does not end in …", b.Place())
		}
		got := log.String()
		got = got[:min(len(got), strings.Index(got, `,"_aws"`))]
		if diff := cmp.Diff(times.ReplaceAllString(want, "TIME"), times.ReplaceAllString(got, "TIME")); diff != "" {
			t.Errorf("%s: (-documentation +real)\n%s", b.Place(), diff)
		}
	}
	if found != 2 {
		t.Errorf("found %d lines of the log: the search is broken", found)
	}
}
