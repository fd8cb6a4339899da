package s3arrival_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/announcement/announcementtest"
	"github.com/amperity-runs/amperity-runs/internal/arrival"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/s3arrival"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

// steps is a clock that only Sleep moves.
type steps struct {
	mu  sync.Mutex
	now time.Time
}

func (c *steps) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *steps) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

func (c *steps) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

// faultyBus loses some announcements.
type faultyBus struct {
	rng       *rand.Rand
	announced []announcement.Announcement
}

func (b *faultyBus) Announce(_ context.Context, as ...announcement.Announcement) error {
	if b.rng.IntN(5) == 0 {
		return context.DeadlineExceeded
	}
	b.announced = append(b.announced, as...)
	return nil
}

// everyFault is each way in which Amperity or the network can fail, before and
// after the request was processed.
func everyFault() []amperitytest.Fault {
	var fs []amperitytest.Fault
	for _, status := range []int{400, 401, 403, 404, 408, 409, 429, 499, 500, 502, 503, 504} {
		fs = append(fs, amperitytest.Fault{Kind: amperitytest.Status, Status: status})
	}
	for _, status := range []int{408, 499, 500, 502, 503, 504} {
		fs = append(fs, amperitytest.Fault{Kind: amperitytest.Status, Status: status, Applied: true})
	}
	for _, applied := range []bool{false, true} {
		fs = append(fs,
			amperitytest.Fault{Kind: amperitytest.Reset, Applied: applied},
			amperitytest.Fault{Kind: amperitytest.NotJSON, Applied: applied},
			amperitytest.Fault{Kind: amperitytest.Redirect, Applied: applied})
	}
	return append(fs, amperitytest.Fault{Kind: amperitytest.Truncate})
}

// TestNoFaultAndNoAnswerOfOursStartsAWindowTwice drives the real handler,
// launcher and client through random faults, and delivers again exactly what
// the handler asks for, as SQS does, 15 times at most.
func TestNoFaultAndNoAnswerOfOursStartsAWindowTwice(t *testing.T) {
	t.Parallel()
	outcomes := map[string]int{}
	for seed := range uint64(150) {
		w := newFaultyWorld(t, seed)
		waiting := map[string]string{}
		for i := range 12 {
			key := []string{"orders/2026/11/%02d/a.csv", "orders/2026/11/%02d/done.csv", "customers/%d", "nowhere/%d"}[w.rng.IntN(4)]
			waiting[fmt.Sprintf("m%d", i)] = event(fmt.Sprintf(key, 1+w.rng.IntN(3)))
		}
		for delivery := 0; delivery < 15 && len(waiting) > 0; delivery++ {
			waiting = w.deliver(t, waiting)
		}
		perWindow := map[string]int{}
		for _, r := range w.server.Runs() {
			perWindow[r.ConfigID+" "+r.RangeFrom]++
		}
		for window, n := range perWindow {
			// The campaign has no window of its own to be told by: it may
			// start once for each of the three days.
			if limit := map[bool]int{true: 3, false: 1}[window == "cc-4 "]; n > limit {
				t.Errorf("seed %d: %s was started %d times", seed, window, n)
			}
		}
		for _, a := range w.bus.announced {
			detail, err := a.Encode(announcement.DefaultLimit)
			if err == nil {
				err = announcementtest.Validate(string(a.Type), detail)
			}
			if err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			outcomes[string(a.Type)]++
		}
	}
	for _, want := range []announcement.DetailType{announcement.RunStarted, announcement.RunHeld, announcement.RunRejected, announcement.RunBlocked, announcement.FilesUnrouted} {
		if outcomes[string(want)] == 0 {
			t.Errorf("no %s in all histories: the faults do not reach it", want)
		}
	}
}

type faultyWorld struct {
	rng     *rand.Rand
	server  *amperitytest.Server
	bus     *faultyBus
	handler *s3arrival.Handler
	clock   *steps
}

func newFaultyWorld(t *testing.T, seed uint64) *faultyWorld {
	t.Helper()
	w := &faultyWorld{rng: rand.New(rand.NewPCG(seed, 1)), clock: &steps{now: received}}
	var err error
	w.server, err = amperitytest.New(amperitytest.Config{Now: w.clock.Now, Sleep: w.clock.Sleep, Seed: seed, RateLimit: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.server.Close)
	if err := w.server.FaultRandomly(0.5, everyFault()...); err != nil {
		t.Fatal(err)
	}
	client, err := amperity.New(amperitytest.DefaultTenant, amperity.StaticTokenSource(amperitytest.DefaultToken), amperity.WithBaseURL(w.server.URL()))
	if err != nil {
		t.Fatal(err)
	}
	routes, _, err := arrival.ParseRoutes("routes.yaml", []byte(routesFile), arrival.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.bus = &faultyBus{rng: w.rng}
	logger := telemetry.NewLogger(&bytes.Buffer{}, slog.LevelInfo)
	w.handler = &s3arrival.Handler{Routes: routes, Announcer: w.bus, Now: w.clock.Now, Logger: logger, Tenant: "acme",
		Launcher: launch.NewDirect(launch.DirectConfig{API: client, Announcer: w.bus, Clock: w.clock, Logger: logger, Tenant: "acme"})}
	return w
}

// deliver invokes the handler with one batch and gives what it asks for again.
func (w *faultyWorld) deliver(t *testing.T, waiting map[string]string) map[string]string {
	t.Helper()
	var records []map[string]any
	for _, id := range slices.Sorted(maps.Keys(waiting)) {
		records = append(records, map[string]any{"messageId": id, "eventSource": "aws:sqs", "body": waiting[id]})
	}
	payload, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.handler.Invoke(t.Context(), payload)
	if err != nil {
		t.Fatalf("an SQS batch was answered with an error: %v", err)
	}
	var answer s3arrival.Answer
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	again := map[string]string{}
	for _, f := range answer.BatchItemFailures {
		again[f.ItemIdentifier] = waiting[f.ItemIdentifier]
	}
	return again
}
