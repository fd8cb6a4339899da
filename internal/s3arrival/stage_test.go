package s3arrival_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/announcement/announcementtest"
	"github.com/amperity-runs/amperity-runs/internal/clock"
	"github.com/amperity-runs/amperity-runs/internal/held"
	"github.com/amperity-runs/amperity-runs/internal/intake"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/route"
	"github.com/amperity-runs/amperity-runs/internal/s3arrival"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/internal/unrouted"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// stage is the handler with a launcher and a ledger in memory. Amperity accepts
// every request, and its runs end immediately.
type stage struct {
	t       *testing.T
	clock   *clock.Manual
	routes  *route.Routes
	ledger  *ledger.Memory
	bus     bus
	sent    []amperity.RunRequest
	handler *s3arrival.Handler
	windows *intake.Windows
	*held.Resolver
	log bytes.Buffer
}

// bus records the announcements.
type bus struct{ announced []announcement.Announcement }

func (b *bus) Announce(_ context.Context, as ...announcement.Announcement) error {
	b.announced = append(b.announced, as...)
	return nil
}

func newStage(t *testing.T, routesFile string) *stage {
	t.Helper()
	routes, _, err := route.Parse("routes.yaml", []byte(routesFile), route.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, clock: clock.NewManual(received), routes: routes, ledger: ledger.NewMemory()}
	logger := telemetry.NewLogger(&s.log, slog.LevelInfo)
	tokens := 0
	l := launch.New(launch.Config{
		API: s, Ledger: s.ledger, Announcer: &s.bus, Clock: s.clock, Logger: logger, Tenant: "acme",
		Token: func(context.Context) string { tokens++; return fmt.Sprint(tokens) }, Rand: func() float64 { return 0 },
	})
	s.windows = intake.New(l, func(configID, period string) (record.WindowSpec, bool) {
		return s.routes.Lookup(configID, period)
	})
	s.Resolver = held.New(l, s.windows)
	s.handler = &s3arrival.Handler{Routes: routes, Windows: s.windows, Unrouted: unrouted.New(l), Now: s.clock.Now, Logger: logger}
	return s
}

func (s *stage) StartRun(_ context.Context, r amperity.RunRequest) (*amperity.Run, error) {
	s.sent = append(s.sent, r)
	return &amperity.Run{ID: fmt.Sprint("wf-", len(s.sent)), State: "succeeded", CreatedAt: s.clock.Now()}, nil
}

func (s *stage) GetRun(_ context.Context, id string, _ amperity.View) (*amperity.Run, error) {
	return &amperity.Run{ID: id, State: "succeeded", CreatedAt: s.clock.Now(), EndedAt: s.clock.Now()}, nil
}

func (s *stage) ListRunPages(context.Context, amperity.ListOptions) iter.Seq2[*amperity.Page, error] {
	return func(func(*amperity.Page, error) bool) {}
}

// come delivers events and returns the result of each window.
func (s *stage) come(events ...string) []s3arrival.WindowResult {
	s.t.Helper()
	var all []s3arrival.WindowResult
	for _, e := range events {
		out, err := s.handler.Invoke(s.t.Context(), []byte(e))
		if err != nil {
			s.t.Fatal(err)
		}
		var summary s3arrival.Summary
		if err := json.Unmarshal(out, &summary); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, summary.Windows...)
	}
	return all
}

// sweep works on every due window.
func (s *stage) sweep() {
	s.t.Helper()
	var due []string
	for row, err := range s.ledger.Due(s.t.Context(), s.clock.Now()) {
		if err != nil {
			s.t.Fatal(err)
		}
		due = append(due, row.Key)
	}
	for _, key := range due {
		if !strings.HasPrefix(key, "window/") {
			continue
		}
		_, err := s.windows.Due(s.t.Context(), key)
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// document reads an item's document.
func (s *stage) document(key string, doc any) {
	s.t.Helper()
	item, err := s.ledger.Get(s.t.Context(), key)
	if err != nil || !item.Exists() {
		s.t.Fatalf("%s: %v", key, err)
	}
	if err := json.Unmarshal(item.Doc, doc); err != nil {
		s.t.Fatal(err)
	}
}

// versioned returns an EventBridge event and an S3 notification of a file. An
// empty version means no version id.
func versioned(bucket, key, version, sequencer string, at time.Time) [2]string {
	v := [2]string{}
	if version != "" {
		v = [2]string{fmt.Sprintf(`"version-id":%q,`, version), fmt.Sprintf(`"versionId":%q,`, version)}
	}
	stamp := at.UTC().Format(time.RFC3339)
	return [2]string{fmt.Sprintf(`{"version":"0","detail-type":"Object Created","source":"aws.s3","time":%q,`+
		`"detail":{"version":"0","bucket":{"name":%q},"object":{"key":%q,"size":1,"etag":"e",%s"sequencer":%q},"reason":"PutObject"}}`, stamp, bucket, key, v[0], sequencer),
		fmt.Sprintf(`{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","eventTime":%q,"eventName":"ObjectCreated:Put",`+
			`"s3":{"bucket":{"name":%q},"object":{"key":%q,"size":1,"eTag":"e",%s"sequencer":%q}}}]}`, stamp, bucket, key, v[1], sequencer)}
}

// Two versions of one key are two uploads. The same version in another bucket
// is a replica. Both forms of an event show that.
func TestVersionsAndReplicas(t *testing.T) {
	t.Parallel()
	const file = "orders/20261121/a"
	type put struct{ bucket, version, sequencer string }
	for _, tt := range []struct {
		name        string
		first, then put
		// files and keys are the window's counts before its run. runs is the
		// number of runs if then comes after it.
		files, keys, runs int
	}{
		{"the same event", put{"b", "v1", "01"}, put{"b", "v1", "01"}, 1, 1, 1},
		{"a second version", put{"b", "v1", "01"}, put{"b", "v2", "02"}, 2, 1, 2},
		{"a replica", put{"b", "v1", "01"}, put{"copy", "v1", "F7"}, 1, 1, 1},
		{"another file in another bucket", put{"b", "v1", "01"}, put{"copy", "v9", "F7"}, 2, 2, 2},
		{"without versions, the same event", put{"b", "", "01"}, put{"b", "", "01"}, 1, 1, 1},
		{"without versions, another upload", put{"b", "", "01"}, put{"b", "", "02"}, 2, 1, 2},
		{"without versions, in another bucket", put{"b", "", "01"}, put{"copy", "", "01"}, 2, 2, 2},
		{"version null, the same event", put{"b", "null", "01"}, put{"b", "null", "01"}, 1, 1, 1},
		{"version null, a corrected file", put{"b", "null", "01"}, put{"b", "null", "02"}, 2, 1, 2},
		{"version null, in another bucket", put{"b", "null", "01"}, put{"copy", "null", "01"}, 2, 2, 2},
	} {
		for form, name := range []string{"EventBridge", "S3"} {
			events := func(p put, at time.Time) string {
				return versioned(p.bucket, file, p.version, p.sequencer, at)[form]
			}
			// A redelivered file keeps its event time.
			later := received.Add(20 * time.Minute)
			if tt.then == tt.first {
				later = received
			}
			t.Run(tt.name+", before the run, by "+name, func(t *testing.T) {
				t.Parallel()
				for _, together := range []bool{false, true} {
					s := newStage(t, "version: 1\nroutes: [{name: orders, config_id: cg-2, run_mode: source, files: [{key: \"orders/{yyyy}{MM}{dd}/*\", count: 3}]}]\n")
					if first, then := events(tt.first, received), events(tt.then, later); together {
						if out, err := s.handler.Invoke(t.Context(), []byte(batch(first, then))); err != nil || string(out) != again() {
							t.Fatal(string(out), err)
						}
					} else {
						s.come(first)
						s.clock.Advance(20 * time.Minute)
						s.come(then)
					}
					var w window.State
					s.document("window/cg-2/2026-11-21", &w)
					var keys int
					for _, p := range w.Entries {
						keys += p.Count
					}
					if w.Open.Count != tt.files || keys != tt.keys {
						t.Errorf("together %v: %d files and %d keys, want %d and %d", together, w.Open.Count, keys, tt.files, tt.keys)
					}
				}
			})
			t.Run(tt.name+", after the run, by "+name, func(t *testing.T) {
				t.Parallel()
				s := newStage(t, "version: 1\nroutes: [{name: orders, config_id: cg-2, run_mode: source, files: \"orders/{yyyy}{MM}{dd}/*\"}]\n")
				s.come(events(tt.first, received))
				s.clock.Advance(3 * time.Minute)
				s.sweep()
				if len(s.sent) != 1 {
					t.Fatalf("%d runs", len(s.sent))
				}
				s.clock.Set(received.Add(20 * time.Minute))
				s.come(events(tt.then, later))
				s.clock.Advance(3 * time.Minute)
				s.sweep()
				if len(s.sent) != tt.runs {
					t.Errorf("%d runs, want %d", len(s.sent), tt.runs)
				}
			})
		}
	}
}

// held describes the held launches.
func (s *stage) held() []string {
	s.t.Helper()
	list, more, err := s.List(s.t.Context())
	if err != nil || more {
		s.t.Fatal(more, err)
	}
	words := []string{}
	for _, h := range list {
		words = append(words, fmt.Sprintf("%s hold %d %s: %d files, %d named", h.LaunchKey, h.HoldNumber, h.Reason, h.Cause.Files, len(h.Samples)))
	}
	return words
}

// told describes the published events.
func (s *stage) told() []string {
	s.t.Helper()
	words := []string{}
	for _, a := range s.bus.announced {
		word := fmt.Sprintf("%s %s hold %d %s", a.Type, a.Detail.LaunchKey, a.Detail.HoldNumber, a.Detail.Reason)
		if w := a.Detail.Window; w != nil {
			word += fmt.Sprintf(": %d files, %d named", w.Files, len(w.Samples))
		}
		words = append(words, word)
		detail, err := a.Encode(announcement.DefaultLimit)
		if err == nil {
			err = announcementtest.Validate(string(a.Type), detail)
		}
		if err != nil {
			s.t.Errorf("%s: %v", word, err)
		}
	}
	return words
}

const implausibleRoutes = `version: 1
routes:
  - {name: days, config_id: cg-1, files: "days/{yyyy}{MM}{dd}/*", settle: 0s}
  - {name: hours, config_id: cg-1, files: "hours/{yyyy}{MM}{dd}{HH}/*", settle: 0s}
`

// Files with implausible dates cause one hold per route and hour, and never a
// run.
func TestFilesWithImplausibleDatesAreHeldTogether(t *testing.T) {
	t.Parallel()
	s := newStage(t, implausibleRoutes)
	const (
		days  = "arrival/cg-1/implausible-day-2026-11-22T03:00:00Z/1"
		hours = "arrival/cg-1/implausible-hour-2026-11-22T03:00:00Z/1"
	)
	file := func(n int, at time.Time) string {
		return versioned("b", fmt.Sprintf("days/99991231/%d", n), fmt.Sprint("v", n), fmt.Sprint(n), at)[0]
	}
	got := s.come(file(1, received))
	if len(got) != 1 || got[0].Outcome != record.Held || got[0].Reason != "implausible_date" || got[0].HoldNumber != 1 || got[0].LaunchKey != days {
		t.Fatalf("%+v", got)
	}
	var batches []string
	for n := range 300 {
		batches = append(batches, file(n, received))
	}
	for range 2 { // delivered twice
		if out, err := s.handler.Invoke(t.Context(), []byte(batch(batches[100:300]...))); err != nil || string(out) != again() {
			t.Fatal(string(out), err)
		}
	}
	s.come(versioned("b", "hours/0001010100/x", "v", "1", received)[0])
	want := []string{days + " hold 1 implausible_date: 201 files, 20 named", hours + " hold 1 implausible_date: 1 files, 1 named"}
	if d := cmp.Diff(want, s.held()); d != "" {
		t.Errorf("held (-want +got)\n%s", d)
	}
	told := []string{
		"Amperity Workflow Run Held " + days + " hold 1 implausible_date: 1 files, 1 named",
		"Amperity Workflow Run Held " + hours + " hold 1 implausible_date: 1 files, 1 named",
	}
	if d := cmp.Diff(told, s.told()); d != "" {
		t.Errorf("told (-want +got)\n%s", d)
	}

	// The next hour has another hold. A release starts nothing, and a run
	// cannot be adopted.
	s.clock.Advance(time.Hour)
	s.come(file(400, s.clock.Now()))
	next := strings.Replace(days, "T03", "T04", 1)
	told = append(told, "Amperity Workflow Run Held "+next+" hold 1 implausible_date: 1 files, 1 named")
	res, err := s.Release(t.Context(), held.Command{Key: days, HoldNumber: 1})
	if err != nil || res.Outcome != record.Duplicate || res.Recorded != record.Held || res.HoldNumber != 1 ||
		res.Warning != "nothing was done: a run for these dates is never started; correct the names and upload the files again, or start the run you want by hand, then discard this" {
		t.Errorf("released: %+v, %v", res, err)
	}
	if _, err := s.Adopt(t.Context(), held.Command{Key: days, HoldNumber: 1, RunID: "wf-1"}); err == nil ||
		err.Error() != "launch "+days+" cannot adopt the run wf-1: nothing was sent to Amperity for files with implausible dates: discard it" {
		t.Errorf("adopted: %v", err)
	}

	// A discard ends the hold with all files so far. A redelivered file is a
	// duplicate, and a new file causes another hold.
	if res, err := s.Discard(t.Context(), held.Command{Key: days, HoldNumber: 1, Reason: "renamed"}); err != nil || res.Outcome != record.Discarded {
		t.Errorf("discarded: %+v, %v", res, err)
	}
	told = append(told, "Amperity Workflow Run Discarded "+days+" hold 1 implausible_date: 1 files, 1 named")
	s.come(file(299, received))
	s.clock.Advance(time.Hour)
	s.sweep()
	if d := cmp.Diff(told, s.told()); d != "" {
		t.Errorf("told (-want +got)\n%s", d)
	}
	s.come(file(500, received))
	again := strings.TrimSuffix(days, "1") + "2"
	told = append(told, "Amperity Workflow Run Held "+again+" hold 1 implausible_date: 1 files, 1 named")
	if d := cmp.Diff(told, s.told()); d != "" {
		t.Errorf("told (-want +got)\n%s", d)
	}
	want = []string{again, hours, next}
	for i := range want {
		want[i] += " hold 1 implausible_date: 1 files, 1 named"
	}
	held := s.held()
	slices.Sort(held)
	slices.Sort(want)
	if d := cmp.Diff(want, held); d != "" {
		t.Errorf("held (-want +got)\n%s", d)
	}
	if len(s.sent) > 0 {
		t.Errorf("started %v", s.sent)
	}
}

// An edit may remove the route while its launch is held. A discard still ends
// the launch, and nothing starts.
func TestDiscardEndsAnImplausibleHoldOfARemovedRoute(t *testing.T) {
	t.Parallel()
	s := newStage(t, implausibleRoutes)
	const key = "arrival/cg-1/implausible-day-2026-11-22T03:00:00Z/1"
	s.come(versioned("b", "days/19991231/1", "v1", "1", received)[0])
	s.come(versioned("b", "days/19991231/2", "v2", "2", received)[0])
	s.routes, _, _ = route.Parse("routes.yaml", []byte("version: 1\nroutes: []\n"), route.Options{})
	if res, err := s.Discard(t.Context(), held.Command{Key: key, HoldNumber: 1, Reason: "renamed"}); err != nil || res.Outcome != record.Discarded {
		t.Errorf("discarded: %+v, %v", res, err)
	}
	s.clock.Advance(24 * time.Hour)
	s.sweep()
	if held := s.held(); len(held) > 0 || len(s.sent) > 0 {
		t.Errorf("held %v, started %v", held, s.sent)
	}
}

// A file and its replica in one batch are one file of its launch.
func TestAReplicaInTheSameBatchIsADuplicate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		version    string
		files      int
		duplicates string
	}{{"v1", 1, `"duplicates":1`}, {"", 2, `"duplicates":0`}} {
		var w world
		file := versioned("b", "orders/2026/11/20/a.csv", tt.version, "1", received)[0]
		replica := versioned("copy", "orders/2026/11/20/a.csv", tt.version, "1", received)[0]
		if out, err := w.invoke(t, batch(file, replica)); err != nil || out != again() {
			t.Fatal(out, err)
		}
		if len(w.windows.asked) != 1 || len(w.windows.files) != tt.files || !strings.Contains(w.log.String(), tt.duplicates) {
			t.Errorf("version %q: %+v\n%s", tt.version, w.windows.asked, &w.log)
		}
	}
}
