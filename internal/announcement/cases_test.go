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

// answer is Amperity's response to a POST, with an undocumented field.
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

// example is one published announcement. name is the name of its golden file,
// and at is when it was published.
type example struct {
	name, at     string
	announcement announcement.Announcement
}

// named is the announcement of an example.
func named(t testing.TB, name string) announcement.Announcement {
	t.Helper()
	for _, e := range examples(t) {
		if e.name == name {
			return e.announcement
		}
	}
	t.Fatalf("no example is named %s", name)
	return announcement.Announcement{}
}

// examples are announcements of each type, including those in
// docs/events/README.md.
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
	const salesKey, lateKey = "arrival/cg-789GHi0JK/2026-11-22/1", "arrival/cg-789GHi0JK/2026-11-22/2"
	arrived := announcement.Cause{
		Type: announcement.CauseArrival, Route: "sales", Period: "2026-11-22",
		FirstFile: "s3://acme-landing/orders/2026/11/22/orders_1.csv.gz", Files: 5, Revision: 1,
	}
	late := arrived
	late.FirstFile, late.Files, late.Revision = "s3://acme-landing/orders/2026/11/22/orders_2.csv.gz", 1, 2
	sales := &amperity.RunRequest{ConfigID: "cg-789GHi0JK", RangeFrom: "2026-11-22", RangeTo: "2026-11-23", RunMode: amperity.RunModeSource}
	customers := &amperity.RunRequest{ConfigID: "cg-123ABc4DE", RangeFrom: "2026-11-22", RangeTo: "2026-11-23", RunMode: amperity.RunModeFull}
	return []example{
		{"run-started", "2026-11-23T11:04:10Z", announcement.Announcement{
			Type:      announcement.RunStarted,
			Resources: []string{"arn:aws:s3:::acme-landing/orders/2026/11/22/orders_1.csv.gz"},
			Detail: announcement.Detail{
				ID:        id(announcement.RunStarted, salesKey, "wf-20261123-7Rk2"),
				LaunchKey: salesKey,
				Tenant:    "acme",
				Cause:     &arrived,
				Request:   sales,
				Run:       run(t, answer),
			},
		}},
		{"run-rejected", "2026-11-23T06:00:03Z", announcement.Announcement{
			Type:      announcement.RunRejected,
			Resources: []string{scheduled.ScheduleARN},
			Detail: announcement.Detail{
				ID:         id(announcement.RunRejected, scheduledKey, announcement.ReasonRefused, "1"),
				LaunchKey:  scheduledKey,
				Tenant:     "acme",
				Reason:     announcement.ReasonRefused,
				HoldNumber: 1,
				Hint:       "no run was started: fix what Amperity names, then release the launch to start it (amperity-runs held)",
				Cause:      scheduled,
				Request:    customers,
				Error: &announcement.Error{
					Kind: announcement.ErrorRejected, Status: 404,
					Message:   "POST /workflow/runs: 404 Not Found: no courier group with the id cg-123ABc4DE (request id 7f3a)",
					RequestID: "7f3a",
				},
			},
		}},
		{"run-rejected-input", "2026-11-23T11:04:10Z", announcement.Announcement{
			Type: announcement.RunRejected,
			Detail: announcement.Detail{
				ID:     id(announcement.RunRejected, "input", "9c2d"),
				Tenant: "acme",
				Reason: announcement.ReasonInvalidInput,
				Hint:   "no run was started: correct the input where it is written, a schedule, a rule or a call",
				Cause:  &announcement.Cause{Type: announcement.CauseManual, RequestID: "9c2d"},
				Error:  &announcement.Error{Kind: announcement.ErrorInvalidInput, Message: "config_id is missing"},
			},
		}},
		{"run-rejected-other", "2026-11-27T09:30:00Z", announcement.Announcement{
			Type: announcement.RunRejected,
			Detail: announcement.Detail{
				ID:      id(announcement.RunRejected, "input", "manual/og-5MNo6PQ/black-friday", "5f0c"),
				Tenant:  "acme",
				Reason:  announcement.ReasonInvalidInput,
				Hint:    "nothing was started for this input: give it another idempotency_key, or another scheduled_time, if it is another run",
				Cause:   &announcement.Cause{Type: announcement.CauseManual, RequestID: "9c2e"},
				Request: &amperity.RunRequest{ConfigID: "og-5MNo6PQ"},
				Error: &announcement.Error{
					Kind:    announcement.ErrorInvalidInput,
					Message: "launch manual/og-5MNo6PQ/black-friday already exists with a different input (outcome: held); this input was ignored",
				},
			},
		}},
		{"run-blocked", "2026-11-23T06:06:31Z", announcement.Announcement{
			Type:      announcement.RunBlocked,
			Resources: []string{scheduled.ScheduleARN},
			Detail: announcement.Detail{
				ID:        id(announcement.RunBlocked, scheduledKey, announcement.ReasonUnauthorized, "2026-11-23T06:00:02Z"),
				LaunchKey: scheduledKey,
				Tenant:    "acme",
				Reason:    announcement.ReasonUnauthorized,
				Hint: "no run was started: renew the token, or fix the secret that holds it; the launch then resumes automatically within about 15 minutes; " +
					"if it still cannot be sent at 2026-11-24T06:00:00Z, it is held for the operator",
				Cause:   scheduled,
				Request: customers,
				Error: &announcement.Error{
					Kind: announcement.ErrorUnauthorized, Status: 401,
					Message:   "POST /workflow/runs: 401 Unauthorized: token expired (request id 7f3b, trace id 90aa)",
					RequestID: "7f3b", TraceID: "90aa",
				},
			},
		}},
		{"run-held", "2026-11-27T05:16:20Z", announcement.Announcement{
			Type: announcement.RunHeld,
			Detail: announcement.Detail{
				ID:         id(announcement.RunHeld, "manual/og-5MNo6PQ/black-friday", announcement.ReasonUnknownOutcome, "1"),
				LaunchKey:  "manual/og-5MNo6PQ/black-friday",
				Tenant:     "acme",
				Reason:     announcement.ReasonUnknownOutcome,
				HoldNumber: 1,
				Hint: "look at wf-20261127-3Mx9 on the Workflows page in Amperity: adopt the run that is this launch's; if none is, " +
					"release the launch to start it now, or discard it (amperity-runs held)",
				Cause:   &announcement.Cause{Type: announcement.CauseManual, RequestID: "41aa"},
				Request: &amperity.RunRequest{ConfigID: "og-5MNo6PQ"},
				Error: &announcement.Error{
					Kind:    announcement.ErrorUnknown,
					Message: "the request was sent and no answer came; Amperity has one run that may be this launch's, but that is not certain (sent 2026-11-27T05:00:02Z)",
				},
				Candidates: []announcement.Candidate{{
					ID: "wf-20261127-3Mx9", Name: "Black Friday", Type: "orchestration.group/run", State: "running",
					CreatedAt: "2026-11-27T05:00:03Z", PrincipalID: "user-1", PrincipalName: "Robin Doe",
				}},
			},
		}},
		{"run-held-late", "2026-11-23T15:42:08Z", announcement.Announcement{
			Type:      announcement.RunHeld,
			Resources: []string{"arn:aws:s3:::acme-landing/orders/2026/11/22/orders_2.csv.gz"},
			Detail: announcement.Detail{
				ID:         id(announcement.RunHeld, lateKey, announcement.ReasonLateFile, "1"),
				LaunchKey:  lateKey,
				Tenant:     "acme",
				Reason:     announcement.ReasonLateFile,
				HoldNumber: 1,
				Hint: "nothing was sent to Amperity for this launch: release it to start it now, or discard it (amperity-runs held); " +
					"the file is s3://acme-landing/orders/2026/11/22/orders_2.csv.gz",
				Cause:   &late,
				Request: sales,
				Error: &announcement.Error{
					Kind:    announcement.ErrorPolicy,
					Message: "files came after a run of their window was started (late: hold), or they cannot be told from repeats of files whose launch was rejected or discarded",
				},
			},
		}},
		{"run-discarded", "2026-11-23T16:10:55Z", announcement.Announcement{
			Type:      announcement.RunDiscarded,
			Resources: []string{"arn:aws:s3:::acme-landing/orders/2026/11/22/orders_2.csv.gz"},
			Detail: announcement.Detail{
				ID:         id(announcement.RunDiscarded, lateKey, announcement.ReasonLateFile, "1"),
				LaunchKey:  lateKey,
				Tenant:     "acme",
				Reason:     announcement.ReasonLateFile,
				HoldNumber: 1,
				Hint:       "discarded by an operator: nothing more will be started",
				Cause:      &late,
				Request:    sales,
				Error:      &announcement.Error{Kind: announcement.ErrorDiscarded, Message: "the same orders again, put there by mistake"},
			},
		}},
		{"files-missing", "2026-11-23T11:30:13Z", announcement.Announcement{
			Type:      announcement.FilesMissing,
			Resources: []string{"arn:aws:s3:::acme-landing/orders/2026/11/22/orders_1.csv.gz"},
			Detail: announcement.Detail{
				ID:         id(announcement.FilesMissing, salesKey, "2026-11-23T11:30:12.4Z", "1"),
				LaunchKey:  salesKey,
				Tenant:     "acme",
				Reason:     announcement.ReasonFilesMissing,
				HoldNumber: 1,
				Hint: "nothing was started: the window launches automatically once the files are there; " +
					"to start the run without them, release it, or discard it (amperity-runs held)",
				Request: sales,
				Error: &announcement.Error{
					Kind: announcement.ErrorPolicy,
					Message: "files of the route sales were missing for 2026-11-22 at the deadline, 2026-11-23T11:30:00Z: " +
						"3 of the 4 files for lines/{yyyy}/{MM}/{dd}/*.csv.gz",
				},
				Window: &announcement.Window{
					ConfigID: "cg-789GHi0JK", Period: "2026-11-22", Route: "sales", Deadline: "2026-11-23T11:30:00Z",
					Files: 2, FirstFile: "2026-11-23T08:02:11Z", LastFile: "2026-11-23T08:02:15Z",
					Samples: []string{"s3://acme-landing/orders/2026/11/22/orders_1.csv.gz", "s3://acme-landing/lines/2026/11/22/a.csv.gz"},
					Unmet:   []announcement.Unmet{{Pattern: "lines/{yyyy}/{MM}/{dd}/*.csv.gz", Have: 1, Want: 4}},
					Met:     []announcement.Met{{Pattern: "orders/{yyyy}/{MM}/{dd}/orders_*.csv.gz", Since: "2026-11-23T08:02:11Z"}},
				},
			},
		}},
		{"files-complete", "2026-11-23T12:14:42Z", announcement.Announcement{
			Type:      announcement.FilesComplete,
			Resources: []string{"arn:aws:s3:::acme-landing/orders/2026/11/22/orders_1.csv.gz"},
			Detail: announcement.Detail{
				ID:        id(announcement.FilesComplete, salesKey, "2026-11-23T12:14:40.9Z", "1"),
				LaunchKey: salesKey,
				Tenant:    "acme",
				Hint:      "all files are there now: the outcome of the window's launch is announced next",
				Request:   sales,
				Window: &announcement.Window{
					ConfigID: "cg-789GHi0JK", Period: "2026-11-22", Route: "sales",
					Files: 5, FirstFile: "2026-11-23T08:02:11Z", LastFile: "2026-11-23T12:04:31Z",
					Samples: []string{
						"s3://acme-landing/orders/2026/11/22/orders_1.csv.gz", "s3://acme-landing/lines/2026/11/22/a.csv.gz",
						"s3://acme-landing/lines/2026/11/22/b.csv.gz", "s3://acme-landing/lines/2026/11/22/c.csv.gz",
						"s3://acme-landing/lines/2026/11/22/d.csv.gz",
					},
					Met: []announcement.Met{
						{Pattern: "orders/{yyyy}/{MM}/{dd}/orders_*.csv.gz", Since: "2026-11-23T08:02:11Z"},
						{Pattern: "lines/{yyyy}/{MM}/{dd}/*.csv.gz", Since: "2026-11-23T12:04:31Z"},
					},
				},
			},
		}},
		{"files-unrouted", "2026-11-23T08:02:12Z", announcement.Announcement{
			Type:      announcement.FilesUnrouted,
			Resources: []string{"arn:aws:s3:::acme-landing/odrers/2026/11/22/a+b c.csv"},
			Detail: announcement.Detail{
				ID:     id(announcement.FilesUnrouted, "acme-landing", "odrers", "2026-11-23T08:02:11.2Z"),
				Tenant: "acme",
				Unrouted: &announcement.Unrouted{Count: 2, Files: []announcement.File{
					{Bucket: "acme-landing", Key: "odrers/2026/11/22/a+b c.csv"},
					{Bucket: "acme-landing", Key: "odrers/2026/11/22/übersicht.csv"},
				}},
			},
		}},
		{"window-abandoned", "2026-11-22T07:20:01Z", announcement.Announcement{
			Type:      announcement.WindowAbandoned,
			Resources: []string{"arn:aws:s3:::acme-landing/clicks/2026/11/22/05/0001.json"},
			Detail: announcement.Detail{
				ID:        id(announcement.WindowAbandoned, "arrival/cg-456DEf7GH/2026-11-22T05:00:00Z/1", "2026-11-22T07:20:00Z", "0"),
				LaunchKey: "arrival/cg-456DEf7GH/2026-11-22T05:00:00Z/1",
				Tenant:    "acme",
				Hint: "nothing was started for these files, and nothing will be: the routes file no longer has a route for this window; " +
					"start the run by hand if it is wanted",
				Request: &amperity.RunRequest{
					ConfigID: "cg-456DEf7GH", RangeFrom: "2026-11-22T05:00:00Z", RangeTo: "2026-11-22T06:00:00Z", RunMode: amperity.RunModeSource,
				},
				Window: &announcement.Window{
					ConfigID: "cg-456DEf7GH", Period: "2026-11-22T05:00:00Z", Route: "clicks",
					Files: 1, FirstFile: "2026-11-22T06:01:02Z", LastFile: "2026-11-22T06:01:02Z",
					Samples: []string{"s3://acme-landing/clicks/2026/11/22/05/0001.json"},
				},
			},
		}},
	}
}

// large returns a started run whose response has tasks and an unknown field of
// the given sizes.
func large(t testing.TB, tasks, unknown int) announcement.Announcement {
	t.Helper()
	a := named(t, "run-started")
	a.Detail.Run = run(t, strings.Replace(answer, `"task_instances":[]`,
		`"task_instances":[{"id":"`+strings.Repeat("t", tasks)+`"}],"more":"`+strings.Repeat("m", unknown)+`"`, 1))
	return a
}
