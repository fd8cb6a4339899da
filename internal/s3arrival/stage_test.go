package s3arrival_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/arrival"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/routefile"
	"github.com/amperity-runs/amperity-runs/internal/s3arrival"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// stage is the handler with a launcher and a ledger in memory. Amperity starts
// what it is asked for; its runs are over at once.
type stage struct {
	t       *testing.T
	now     time.Time
	routes  *arrival.Routes
	ledger  *ledger.Memory
	bus     bus
	sent    []amperity.RunRequest
	handler *s3arrival.Handler
	*launch.Launcher
	log bytes.Buffer
}

func newStage(t *testing.T, routesFile string) *stage {
	t.Helper()
	routes, _, err := arrival.ParseRoutes("routes.yaml", []byte(routesFile), arrival.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, now: received, routes: routes, ledger: ledger.NewMemory()}
	logger := telemetry.NewLogger(&s.log, slog.LevelInfo)
	tokens := 0
	s.Launcher = launch.New(launch.Config{
		API: s, Ledger: s.ledger, Announcer: &s.bus, Clock: s, Logger: logger, Tenant: "acme",
		Token: func(context.Context) string { tokens++; return fmt.Sprint(tokens) }, Rand: func() float64 { return 0 },
	})
	s.handler = &s3arrival.Handler{Routes: routes, Windows: s.Launcher, Announcer: &s.bus, Now: s.Now, Logger: logger, Tenant: "acme"}
	return s
}

func (s *stage) Now() time.Time { return s.now }

func (s *stage) Sleep(_ context.Context, d time.Duration) error {
	s.now = s.now.Add(d)
	return nil
}

func (s *stage) WithTimeout(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

func (s *stage) StartRun(_ context.Context, r amperity.RunRequest) (*amperity.Run, error) {
	s.sent = append(s.sent, r)
	return &amperity.Run{ID: fmt.Sprint("wf-", len(s.sent)), State: "succeeded", CreatedAt: s.now}, nil
}

func (s *stage) GetRun(_ context.Context, id string, _ amperity.View) (*amperity.Run, error) {
	return &amperity.Run{ID: id, State: "succeeded", CreatedAt: s.now, EndedAt: s.now}, nil
}

func (s *stage) ListRuns(context.Context, amperity.ListOptions) iter.Seq2[*amperity.Page, error] {
	return func(func(*amperity.Page, error) bool) {}
}

// come delivers events, and answers what became of each window.
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

// sweep works on every window that is due.
func (s *stage) sweep() {
	s.t.Helper()
	var due []string
	for row, err := range s.ledger.Due(s.t.Context(), s.now) {
		if err != nil {
			s.t.Fatal(err)
		}
		due = append(due, row.Key)
	}
	for _, key := range due {
		if !strings.HasPrefix(key, "window/") {
			continue
		}
		_, err := s.Look(s.t.Context(), key, func(configID, period string) (launch.Window, bool) {
			route, p := s.routes.Window(configID, period)
			if route == nil {
				return launch.Window{}, false
			}
			return routefile.Window(route, p), true
		})
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

// versioned is an EventBridge event and an S3 notification of a file with a
// version id; empty: without one.
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

// Two versions of one key are two uploads; the same version in another bucket
// is a replica. Both forms of an event say so.
func TestVersionsAndReplicas(t *testing.T) {
	t.Parallel()
	const file = "orders/20261121/a"
	type put struct{ bucket, version, sequencer string }
	for _, tt := range []struct {
		name        string
		first, then put
		// files and keys are what the window counts before its run, runs how
		// many there are if then comes after it.
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
			// A file that is delivered again has the time that it had.
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
						s.now = s.now.Add(20 * time.Minute)
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
				s.now = s.now.Add(3 * time.Minute)
				s.sweep()
				if len(s.sent) != 1 {
					t.Fatalf("%d runs", len(s.sent))
				}
				s.now = received.Add(20 * time.Minute)
				s.come(events(tt.then, later))
				s.now = s.now.Add(3 * time.Minute)
				s.sweep()
				if len(s.sent) != tt.runs {
					t.Errorf("%d runs, want %d", len(s.sent), tt.runs)
				}
			})
		}
	}
}
