package e2e

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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
	blocked  = "Amperity Workflow Run Blocked"
	held     = "Amperity Workflow Run Held"
	unrouted = "Amperity Files Unrouted"

	dailySchedule  = "arn:aws:scheduler:us-east-1:123456789012:schedule/default/acme-daily"
	hourlySchedule = "arn:aws:scheduler:us-east-1:123456789012:schedule/default/acme-hourly"
	weeklyRule     = "arn:aws:events:us-east-1:123456789012:rule/acme-weekly"
	landing        = "arn:aws:s3:::acme-landing/"
	nothingAgain   = `{"batchItemFailures":[]}`
)

// given is the first of the answers that is not empty.
func given(answers ...string) string {
	return answers[slices.IndexFunc(answers, func(a string) bool { return a != "" })]
}

// eachSample calls f for each file of events/.
func eachSample(t *testing.T, f func(*testing.T, stack.Function, sample, []byte)) {
	t.Helper()
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
		s, ok := samples[name]
		if !ok {
			t.Errorf("events/%s: say here what it leads to", name)
			continue
		}
		unused--
		if !strings.Contains(readme, "`"+name+"`") {
			t.Errorf("events/README.md does not name %s", name)
		}
		function, err := stack.FunctionOf(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { f(t, function, s.dated(t), read(t, "events", name)) })
	}
	if unused != 0 {
		t.Errorf("%d rows here are for files that are not in events/", unused)
	}
}

// Windows wait for quiet, and an event that comes twice starts nothing twice.
func TestEverySampleLeadsToWhatItSays(t *testing.T) {
	w := world(t)
	// A window waits while a run of its config id is in progress.
	if err := w.Simulator.Script("", amperitytest.Script{}); err != nil {
		t.Fatal(err)
	}
	emulators := map[string]*stack.Emulator{}
	for _, f := range stack.Functions() {
		emulators[f.Name] = emulate(t, w, f.Name, nil)
	}
	eachSample(t, func(t *testing.T, f stack.Function, want sample, payload []byte) {
		forget(t, w)
		before := len(w.Simulator.Runs())
		answer, err := emulators[f.Name].Invoke(t.Context(), payload)
		if err != nil {
			t.Fatal(err)
		}
		published := publishedNow(t, w)
		checkAnswer(t, given(want.kept, want.answer), answer, published)
		if n := len(w.Simulator.Runs()) - before; want.waits > 0 && n > 0 {
			t.Errorf("%d runs were started at once", n)
		}
		if waiting := due(t, w, stack.Table); len(waiting) != want.waits {
			t.Errorf("%q are due some day, want %d windows", waiting, want.waits)
		}
		// One sweep for each window, since they have one config id.
		for range want.waits {
			if n := swept(t, emulators["sweep"]); n != 0 {
				t.Errorf("%d items were due at once", n)
			}
			later(t, w, stack.Table, 2*time.Minute)
			swept(t, emulators["sweep"])
			published = append(published, publishedNow(t, w)...)
		}
		begun := slices.Clone(w.Simulator.Runs()[before:])
		slices.SortFunc(begun, func(a, b amperitytest.Started) int { return strings.Compare(a.RangeFrom, b.RangeFrom) })
		checkRuns(t, want.runs, begun)
		checkPublished(t, want.published, sorted(t, published), begun)
		if left := due(t, w, stack.Table); len(left) > 0 {
			t.Errorf("%q are still due", left)
		}

		before = len(w.Simulator.Runs())
		if answer, err = emulators[f.Name].Invoke(t.Context(), payload); err != nil {
			t.Fatal(err)
		}
		later(t, w, stack.Table, 2*time.Minute)
		swept(t, emulators["sweep"])
		published = publishedNow(t, w)
		checkAnswer(t, given(want.again, want.kept, want.answer), answer, published)
		if begun := w.Simulator.Runs()[before:]; want.repeats {
			checkRuns(t, want.runs, begun)
			checkPublished(t, want.published, published, begun)
		} else if len(begun) > 0 || len(published) > 0 {
			t.Errorf("the second time there were %d runs and %d events", len(begun), len(published))
		}
	})
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

// sorted gives events by their launch keys.
func sorted(t *testing.T, published []stack.Published) []stack.Published {
	t.Helper()
	return slices.SortedFunc(slices.Values(published), func(a, b stack.Published) int {
		return strings.Compare(detailOf(t, a).LaunchKey, detailOf(t, b).LaunchKey)
	})
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
