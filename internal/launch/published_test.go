package launch

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/golden"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/runs"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// TestExamplesMatchTheAnnouncements makes the announcements that the golden
// files of package announcement pin, and that docs/events/README.md shows, as
// this package makes them.
func TestExamplesMatchTheAnnouncements(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		t.Helper()
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	const order = "s3://acme-landing/orders/2026/11/22/orders_"
	sales := amperity.RunRequest{ConfigID: "cg-789GHi0JK", RangeFrom: "2026-11-22", RangeTo: "2026-11-23", RunMode: amperity.RunModeSource}
	arrived := record.LaunchDoc{
		Key: "arrival/cg-789GHi0JK/2026-11-22/1", State: record.StateStarted, Request: sales,
		Cause: announcement.Cause{
			Type: announcement.CauseArrival, Route: "sales", Period: "2026-11-22", FirstFile: order + "1.csv.gz", Files: 5, Revision: 1,
		},
		Resource: "arn:aws:s3:::" + strings.TrimPrefix(order, "s3://") + "1.csv.gz",
		Run:      published(t, "run-started").Run,
	}
	late := record.LaunchDoc{
		Key: "arrival/cg-789GHi0JK/2026-11-22/2", State: record.StateHeld, Request: sales, Cause: arrived.Cause,
		Resource: "arn:aws:s3:::" + strings.TrimPrefix(order, "s3://") + "2.csv.gz",
		Reason:   announcement.ReasonLateFile, Error: HeldError(announcement.ReasonLateFile, ""), HoldNumber: 1,
	}
	late.Cause.FirstFile, late.Cause.Files, late.Cause.Revision = order+"2.csv.gz", 1, 2
	ended := late
	ended.State, ended.Error = record.StateDiscarded, &announcement.Error{Kind: announcement.ErrorDiscarded, Message: "the same orders again, put there by mistake"}
	const arn = "arn:aws:scheduler:us-east-1:123456789012:schedule/default/nightly-customers"
	scheduled := record.LaunchDoc{
		Key: "schedule/cg-123ABc4DE/" + arn + "/2026-11-23T06:00:00Z", State: record.StateRejected,
		Request: amperity.RunRequest{ConfigID: "cg-123ABc4DE", RangeFrom: "2026-11-22", RangeTo: "2026-11-23", RunMode: amperity.RunModeFull},
		Cause: announcement.Cause{
			Type: announcement.CauseSchedule, ScheduleARN: arn, ScheduledTime: "2026-11-23T06:00:00Z", RequestID: "0b6f7a52-1d4c-4f3e-9a55-2f1c9d0e7b11",
		},
		Resource: arn, Reason: announcement.ReasonRefused, HoldNumber: 1,
		Error: runs.Judge(nil, &amperity.APIError{
			Method: "POST", Path: "/workflow/runs", Status: 404, Message: "no courier group with the id cg-123ABc4DE", RequestID: "7f3a"}).Detail,
	}
	stuck := &record.Launch{LaunchDoc: scheduled}
	stuck.State, stuck.NotAfter, stuck.Blocked = record.StateClaimed, at("2026-11-24T06:00:00Z"), record.Blockage{Since: at("2026-11-23T06:00:02Z")}
	stuck.Reason, stuck.Error = announcement.ReasonUnauthorized, runs.Judge(nil, &amperity.APIError{
		Method: "POST", Path: "/workflow/runs", Status: 401, Message: "token expired", RequestID: "7f3b", TraceID: "90aa"}).Detail
	doubtful := record.LaunchDoc{
		Key: "manual/og-5MNo6PQ/black-friday", State: record.StateHeld, Request: amperity.RunRequest{ConfigID: "og-5MNo6PQ"}, Posts: []time.Time{at("2026-11-27T05:00:02Z")},
		Cause:  announcement.Cause{Type: announcement.CauseManual, RequestID: "41aa"},
		Reason: announcement.ReasonUnknownOutcome, HoldNumber: 1,
		Error: &announcement.Error{Kind: announcement.ErrorUnknown, Message: doubtfulText(&record.LaunchDoc{}, 1)},
		Candidates: []announcement.Candidate{candidateOf(&amperity.Run{
			ID: "wf-20261127-3Mx9", Name: "Black Friday", Type: "orchestration.group/run", State: "running",
			CreatedAt: at("2026-11-27T05:00:03Z"), PrincipalID: "user-1", PrincipalName: "Robin Doe",
		})},
	}
	l := &Launcher{Config: Config{Tenant: "acme"}}
	for name, made := range map[string]announcement.Announcement{
		"run-started":   announcementOf(&arrived, "acme"),
		"run-rejected":  announcementOf(&scheduled, "acme"),
		"run-blocked":   l.blockedAnnouncement(stuck),
		"run-held":      announcementOf(&doubtful, "acme"),
		"run-held-late": announcementOf(&late, "acme"),
		"run-discarded": announcementOf(&ended, "acme"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := made.Encode(announcement.DefaultLimit)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(golden.Read(t, goldenFile(name)), string(got)+"\n"); diff != "" {
				t.Errorf("(-golden file +made)\n%s", diff)
			}
		})
	}
}

// goldenFile is the golden file of package announcement for an example.
func goldenFile(name string) string { return "../announcement/testdata/" + name + ".golden.json" }

// published returns the detail of a golden file.
func published(t *testing.T, name string) announcement.Detail {
	t.Helper()
	var d announcement.Detail
	if err := json.Unmarshal([]byte(golden.Read(t, goldenFile(name))), &d); err != nil {
		t.Fatal(err)
	}
	return d
}
