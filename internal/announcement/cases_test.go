package announcement_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

func check(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// answer is Amperity's answer to a POST, with a field that nobody documents.
const answer = `{"task_instances":[],"id":"wf-20261123-7Rk2","name":"Sales & <Returns>","principal_name":"AWS runs","principal_id":"key-8Qf",` +
	`"type":"courier.group/run","launched_version":"v-1180","state":"scheduled","created_at":"2026-11-23T11:04:09.724Z",` +
	`"tenant":"acme","current_version":"v-1180","queue":{"name":"large","position":2}}`

func run(t testing.TB, raw string) *amperity.Run {
	t.Helper()
	r := new(amperity.Run)
	if err := json.Unmarshal([]byte(raw), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// example is one published announcement; its name is that of its golden file.
type example struct {
	name         string
	announcement announcement.Announcement
}

// examples are one announcement of each type, those that docs/events/README.md
// shows first.
func examples(t testing.TB) []example {
	t.Helper()
	id := announcement.ID
	scheduled := &announcement.Cause{
		Type:          announcement.CauseSchedule,
		ScheduleARN:   "arn:aws:scheduler:us-east-1:123456789012:schedule/default/nightly-customers",
		ScheduledTime: "2026-11-23T06:00:00Z",
		RequestID:     "0b6f7a52-1d4c-4f3e-9a55-2f1c9d0e7b11",
	}
	const scheduledKey = "schedule/cg-123ABc4DE/arn:aws:scheduler:us-east-1:123456789012:schedule/default/nightly-customers/2026-11-23T06:00:00Z"
	customers := &amperity.RunRequest{ConfigID: "cg-123ABc4DE", RangeFrom: "2026-11-22", RangeTo: "2026-11-23", RunMode: amperity.RunModeFull}
	return []example{
		{"run-started", announcement.Announcement{
			Type:      announcement.RunStarted,
			Resources: []string{"arn:aws:s3:::acme-landing/orders/2026/11/22/orders_1.csv.gz"},
			Detail: announcement.Detail{
				ID:        id(announcement.RunStarted, "arrival/cg-789GHi0JK/2026-11-22/1", "", "wf-20261123-7Rk2"),
				LaunchKey: "arrival/cg-789GHi0JK/2026-11-22/1",
				Tenant:    "acme",
				Cause: &announcement.Cause{
					Type: announcement.CauseArrival, Route: "sales", Period: "2026-11-22",
					FirstFile: "s3://acme-landing/orders/2026/11/22/orders_1.csv.gz", Files: 4,
				},
				Request: &amperity.RunRequest{ConfigID: "cg-789GHi0JK", RangeFrom: "2026-11-22", RangeTo: "2026-11-23", RunMode: amperity.RunModeSource},
				Run:     run(t, answer),
			},
		}},
		{"run-rejected", announcement.Announcement{
			Type:      announcement.RunRejected,
			Resources: []string{scheduled.ScheduleARN},
			Detail: announcement.Detail{
				ID:        id(announcement.RunRejected, scheduledKey, announcement.ReasonRefused, ""),
				LaunchKey: scheduledKey,
				Tenant:    "acme",
				Reason:    announcement.ReasonRefused,
				Cause:     scheduled,
				Request:   customers,
				Error: &announcement.Error{
					Kind: announcement.ErrorRejected, Status: 404,
					Message:   "POST /workflow/runs: 404 Not Found: no courier group with the id cg-123ABc4DE (request id 7f3a)",
					RequestID: "7f3a",
				},
			},
		}},
		{"run-rejected-input", announcement.Announcement{
			Type: announcement.RunRejected,
			Detail: announcement.Detail{
				ID:     id(announcement.RunRejected, "input", "9c2d"),
				Tenant: "acme",
				Reason: announcement.ReasonInvalidInput,
				Cause:  &announcement.Cause{Type: announcement.CauseManual, RequestID: "9c2d"},
				Error:  &announcement.Error{Kind: announcement.ErrorInvalidInput, Message: "config_id is missing"},
			},
		}},
		{"run-blocked", announcement.Announcement{
			Type:      announcement.RunBlocked,
			Resources: []string{scheduled.ScheduleARN},
			Detail: announcement.Detail{
				ID:        id(announcement.RunBlocked, scheduledKey, announcement.ReasonUnauthorized, ""),
				LaunchKey: scheduledKey,
				Tenant:    "acme",
				Reason:    announcement.ReasonUnauthorized,
				Cause:     scheduled,
				Request:   customers,
				Error: &announcement.Error{
					Kind: announcement.ErrorUnauthorized, Status: 401,
					Message:   "POST /workflow/runs: 401 Unauthorized: token expired (request id 7f3b, trace id 90aa)",
					RequestID: "7f3b", TraceID: "90aa",
				},
			},
		}},
		{"run-held", announcement.Announcement{
			Type: announcement.RunHeld,
			Detail: announcement.Detail{
				ID:        id(announcement.RunHeld, "manual/og-5MNo6PQ/black-friday", announcement.ReasonUnknownOutcome, ""),
				LaunchKey: "manual/og-5MNo6PQ/black-friday",
				Tenant:    "acme",
				Reason:    announcement.ReasonUnknownOutcome,
				Hint:      "a run may have been started: look on the Workflows page in Amperity before you start it again",
				Cause:     &announcement.Cause{Type: announcement.CauseManual, RequestID: "41aa"},
				Request:   &amperity.RunRequest{ConfigID: "og-5MNo6PQ"},
				Error: &announcement.Error{
					Kind:    announcement.ErrorUnknown,
					Message: "POST /workflow/runs: no answer, but it may have been processed: context deadline exceeded",
				},
			},
		}},
		{"files-unrouted", announcement.Announcement{
			Type:      announcement.FilesUnrouted,
			Resources: []string{"arn:aws:s3:::acme-landing/odrers/2026/11/22/a+b c.csv"},
			Detail: announcement.Detail{
				ID:     id(announcement.FilesUnrouted, "acme-landing", "odrers/2026/11/22/a+b c.csv"),
				Tenant: "acme",
				Unrouted: &announcement.Unrouted{Count: 2, Files: []announcement.File{
					{Bucket: "acme-landing", Key: "odrers/2026/11/22/a+b c.csv"},
					{Bucket: "acme-landing", Key: "odrers/2026/11/22/übersicht.csv"},
				}},
			},
		}},
	}
}

// large is a started run whose answer has tasks and an unknown field of the
// given sizes.
func large(t testing.TB, tasks, unknown int) announcement.Announcement {
	t.Helper()
	a := examples(t)[0].announcement
	a.Detail.Run = run(t, strings.Replace(answer, `"task_instances":[]`,
		`"task_instances":[{"id":"`+strings.Repeat("t", tasks)+`"}],"more":"`+strings.Repeat("m", unknown)+`"`, 1))
	return a
}
