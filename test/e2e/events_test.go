package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement/announcementtest"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
	"github.com/amperity-runs/amperity-runs/test/stack"
)

// run is a run as Amperity was asked for it.
type run struct{ ConfigID, From, To, Mode string }

// event is a published event, but for what differs from time to time.
type event struct{ Type, LaunchKey, Reason, Resource string }

const (
	started  = "Amperity Workflow Run Started"
	rejected = "Amperity Workflow Run Rejected"
	held     = "Amperity Workflow Run Held"
	unrouted = "Amperity Files Unrouted"

	dailySchedule  = "arn:aws:scheduler:us-east-1:123456789012:schedule/default/acme-daily"
	hourlySchedule = "arn:aws:scheduler:us-east-1:123456789012:schedule/default/acme-hourly"
	weeklyRule     = "arn:aws:events:us-east-1:123456789012:rule/acme-weekly"
	landing        = "arn:aws:s3:::acme-landing/"
	nothingAgain   = `{"batchItemFailures":[]}`
)

// samples is what each file of events/ must lead to. In the answers, every
// run, error and warning is written as true, and REQUEST is the request id.
var samples = map[string]struct {
	answer    string
	runs      []run
	published []event
}{
	"trigger-schedule.json": {
		answer:    `{"outcome":"started","launch_key":"schedule/cg-123ABc4DE/` + dailySchedule + `/2035-11-23T11:00:00Z","run":true}`,
		runs:      []run{{"cg-123ABc4DE", "2035-11-22", "2035-11-23", "full"}},
		published: []event{{started, "schedule/cg-123ABc4DE/" + dailySchedule + "/2035-11-23T11:00:00Z", "", dailySchedule}},
	},
	"trigger-schedule-hours.json": {
		answer:    `{"outcome":"started","launch_key":"schedule/cg-456DEf7GH/` + hourlySchedule + `/2035-11-23T11:05:00Z","run":true}`,
		runs:      []run{{"cg-456DEf7GH", "2035-11-23T09:00:00Z", "2035-11-23T11:00:00Z", "source"}},
		published: []event{{started, "schedule/cg-456DEf7GH/" + hourlySchedule + "/2035-11-23T11:05:00Z", "", hourlySchedule}},
	},
	"trigger-rule.json": {
		answer:    `{"outcome":"started","launch_key":"schedule/og-234BCd5EF/` + weeklyRule + `/2035-11-26T14:30:00Z","run":true}`,
		runs:      []run{{"og-234BCd5EF", "", "", ""}},
		published: []event{{started, "schedule/og-234BCd5EF/" + weeklyRule + "/2035-11-26T14:30:00Z", "", weeklyRule}},
	},
	"trigger-manual.json": {
		answer:    `{"outcome":"started","launch_key":"manual/cg-123ABc4DE/backfill-2026-11-22","run":true}`,
		runs:      []run{{"cg-123ABc4DE", "2026-11-22", "2026-11-23", "full"}},
		published: []event{{started, "manual/cg-123ABc4DE/backfill-2026-11-22", "", ""}},
	},
	"trigger-campaign.json": {
		answer:    `{"outcome":"started","launch_key":"manual/cc-345CDe6FG/winter-sale-2026","run":true}`,
		runs:      []run{{"cc-345CDe6FG", "", "", ""}},
		published: []event{{started, "manual/cc-345CDe6FG/winter-sale-2026", "", ""}},
	},
	"trigger-unnamed.json": {
		answer:    `{"outcome":"started","launch_key":"manual/og-234BCd5EF/REQUEST","run":true,"warning":true}`,
		runs:      []run{{"og-234BCd5EF", "", "", ""}},
		published: []event{{started, "manual/og-234BCd5EF/REQUEST", "", ""}},
	},
	"trigger-too-old.json": {
		answer:    `{"outcome":"held","reason":"too_old","launch_key":"schedule/cg-123ABc4DE/` + dailySchedule + `/2026-01-05T11:00:00Z","error":true}`,
		published: []event{{held, "schedule/cg-123ABc4DE/" + dailySchedule + "/2026-01-05T11:00:00Z", "too_old", dailySchedule}},
	},
	"trigger-raw-rule.json": {
		answer:    `{"outcome":"rejected","reason":"invalid_input","error":true}`,
		published: []event{{rejected, "", "invalid_input", ""}},
	},

	"s3arrival-sqs-eventbridge.json": {
		answer:    nothingAgain,
		runs:      []run{{"cg-789GHi0JK", "2026-11-22", "2026-11-23", "source"}},
		published: []event{{started, "arrival/cg-789GHi0JK/2026-11-22/1", "", landing + "orders/2026/11/22/orders_1 of 2.csv.gz"}},
	},
	"s3arrival-sqs-notification.json": {
		answer: nothingAgain,
		runs: []run{
			{"cg-456DEf7GH", "2026-11-22T05:00:00Z", "2026-11-22T06:00:00Z", ""},
			{"cg-456DEf7GH", "2026-11-22T06:00:00Z", "2026-11-22T07:00:00Z", ""},
		},
		published: []event{
			{started, "arrival/cg-456DEf7GH/2026-11-22T05:00:00Z/1", "", landing + "clicks/2026/11/22/05/part-0001.json"},
			{started, "arrival/cg-456DEf7GH/2026-11-22T06:00:00Z/1", "", landing + "clicks/2026/11/22/06/part-0001.json"},
		},
	},
	"s3arrival-sqs-sns.json": {
		answer:    nothingAgain,
		runs:      []run{{"cg-789GHi0JK", "2026-11-22", "2026-11-23", "source"}},
		published: []event{{started, "arrival/cg-789GHi0JK/2026-11-22/1", "", landing + "orders/2026/11/22/orders_été.csv.gz"}},
	},
	"s3arrival-sqs-one-malformed.json": {
		answer:    `{"batchItemFailures":[{"itemIdentifier":"059f36b4-87a3-44ab-83d2-661970005001"}]}`,
		runs:      []run{{"cg-789GHi0JK", "2026-11-22", "2026-11-23", "source"}},
		published: []event{{started, "arrival/cg-789GHi0JK/2026-11-22/1", "", landing + "orders/2026/11/22/orders_1.csv.gz"}},
	},
	"s3arrival-eventbridge.json": {
		answer: `{"arrivals":1,"ignored":0,"windows":[{"config_id":"cg-123ABc4DE","period":"2026-11-23","outcome":"started",` +
			`"launch_key":"arrival/cg-123ABc4DE/2026-11-23/1","run":true}],"unrouted":[]}`,
		runs:      []run{{"cg-123ABc4DE", "2026-11-23", "2026-11-24", ""}},
		published: []event{{started, "arrival/cg-123ABc4DE/2026-11-23/1", "", landing + "customers/export 2026+11.csv"}},
	},
	"s3arrival-notification.json": {
		answer: `{"arrivals":1,"ignored":0,"windows":[{"config_id":"cg-789GHi0JK","period":"2026-11-22","outcome":"started",` +
			`"launch_key":"arrival/cg-789GHi0JK/2026-11-22/1","run":true}],"unrouted":[]}`,
		runs:      []run{{"cg-789GHi0JK", "2026-11-22", "2026-11-23", "source"}},
		published: []event{{started, "arrival/cg-789GHi0JK/2026-11-22/1", "", landing + "orders/2026/11/22/orders_a+b c.csv.gz"}},
	},
	"s3arrival-sns.json": {
		answer: `{"arrivals":1,"ignored":0,"windows":[{"config_id":"cg-123ABc4DE","period":"2026-11-23","outcome":"started",` +
			`"launch_key":"arrival/cg-123ABc4DE/2026-11-23/1","run":true}],"unrouted":[]}`,
		runs:      []run{{"cg-123ABc4DE", "2026-11-23", "2026-11-24", ""}},
		published: []event{{started, "arrival/cg-123ABc4DE/2026-11-23/1", "", landing + "customers/new customers.csv"}},
	},
	"s3arrival-test-event.json": {answer: `{"arrivals":0,"ignored":1,"windows":[],"unrouted":[]}`},
	"s3arrival-removed.json":    {answer: `{"arrivals":0,"ignored":1,"windows":[],"unrouted":[]}`},
	"s3arrival-unrouted.json": {
		answer:    `{"arrivals":1,"ignored":0,"windows":[],"unrouted":["s3://acme-landing/unknown/2026/11/22/file.csv"]}`,
		published: []event{{unrouted, "", "", landing + "unknown/2026/11/22/file.csv"}},
	},
}

func TestEverySampleLeadsToWhatItSays(t *testing.T) {
	w := world(t)
	emulators := map[string]*stack.Emulator{}
	readme := string(read(t, "events", "README.md"))
	files, err := filepath.Glob(filepath.Join(root, "events", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	unused := len(samples)
	for _, file := range files {
		name := filepath.Base(file)
		if name == "env.json" {
			continue
		}
		want, ok := samples[name]
		if !ok {
			t.Errorf("events/%s: say here what it leads to", name)
			continue
		}
		unused--
		if !strings.Contains(readme, "`"+name+"`") {
			t.Errorf("events/README.md does not name %s", name)
		}
		f, err := stack.FunctionOf(name)
		if err != nil {
			t.Fatal(err)
		}
		if emulators[f.Name] == nil {
			emulators[f.Name] = emulate(t, w, f.Name, nil)
		}
		t.Run(name, func(t *testing.T) {
			payload, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			before := len(w.Simulator.Runs())
			answer, err := emulators[f.Name].Invoke(t.Context(), payload)
			if err != nil {
				t.Fatal(err)
			}
			begun := w.Simulator.Runs()[before:]
			published := publishedNow(t, w)
			checkAnswer(t, want.answer, answer, published)
			checkRuns(t, want.runs, begun)
			checkPublished(t, want.published, published, begun)
		})
	}
	if unused != 0 {
		t.Errorf("%d rows here are for files that are not in events/", unused)
	}
}

// checkAnswer compares an answer with what is wanted, each run, error and
// warning being true.
func checkAnswer(t *testing.T, want string, got []byte, published []stack.Published) {
	t.Helper()
	if id := requestID(published); id != "" {
		want = strings.ReplaceAll(want, "REQUEST", id)
	}
	var w, g any
	if err := errors.Join(json.Unmarshal([]byte(want), &w), json.Unmarshal(got, &g)); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	if diff := cmp.Diff(w, present(g)); diff != "" {
		t.Errorf("answer (-want +got)\n%s", diff)
	}
}

// present replaces all runs, errors and warnings by true.
func present(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = present(v[i])
		}
	case map[string]any:
		for k, e := range v {
			if k == "run" || k == "error" || k == "warning" {
				v[k] = true
			} else {
				v[k] = present(e)
			}
		}
	}
	return v
}

func checkRuns(t *testing.T, want []run, begun []amperitytest.Started) {
	t.Helper()
	var got []run
	for _, r := range begun {
		got = append(got, run{r.ConfigID, r.RangeFrom, r.RangeTo, r.RunMode})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("runs started in Amperity (-want +got)\n%s", diff)
	}
}

// checkPublished compares the events, holds each against its schema, and
// checks that each started one tells of a run that Amperity has.
func checkPublished(t *testing.T, want []event, published []stack.Published, begun []amperitytest.Started) {
	t.Helper()
	var got []event
	ids := map[string]bool{}
	var told []string
	for _, p := range published {
		if err := announcementtest.Validate(p.DetailType, p.Detail); err != nil {
			t.Error(err)
		}
		d := detailOf(t, p)
		e := event{Type: p.DetailType, LaunchKey: d.LaunchKey, Reason: d.Reason}
		if id := requestID(published); id != "" {
			e.LaunchKey = strings.ReplaceAll(e.LaunchKey, id, "REQUEST")
		}
		if len(p.Resources) > 0 {
			e.Resource = p.Resources[0]
		}
		got = append(got, e)
		if ids[d.ID] || p.Source != "amperity.workflow" || d.Tenant != amperitytest.DefaultTenant {
			t.Errorf("%s: id %s, source %s, tenant %s", p.DetailType, d.ID, p.Source, d.Tenant)
		}
		ids[d.ID] = true
		if d.Run.ID != "" {
			told = append(told, d.Run.ID)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("published (-want +got)\n%s", diff)
	}
	var has []string
	for _, r := range begun {
		has = append(has, r.ID)
	}
	slices.Sort(told)
	slices.Sort(has)
	if diff := cmp.Diff(has, told); diff != "" {
		t.Errorf("run ids (-Amperity's +published)\n%s", diff)
	}
}

// detail is what the tests look at of an event's detail.
type detail struct {
	ID        string `json:"id"`
	LaunchKey string `json:"launch_key"`
	Tenant    string `json:"tenant"`
	Reason    string `json:"reason"`
	Cause     struct {
		RequestID string `json:"request_id"`
		Files     int    `json:"files"`
	} `json:"cause"`
	Run struct {
		ID string `json:"id"`
	} `json:"run"`
	Error struct {
		Kind    string `json:"kind"`
		Message string `json:"message"`
	} `json:"error"`
}

func detailOf(t *testing.T, p stack.Published) detail {
	t.Helper()
	var d detail
	if err := json.Unmarshal(p.Detail, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// requestID is the Lambda request id of the first event's cause.
func requestID(published []stack.Published) string {
	for _, p := range published {
		var d detail
		if json.Unmarshal(p.Detail, &d) == nil && d.Cause.RequestID != "" {
			return d.Cause.RequestID
		}
	}
	return ""
}

// publishedNow takes what was published since the last call.
func publishedNow(t *testing.T, w *stack.World) []stack.Published {
	t.Helper()
	published, err := w.Published(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return published
}
