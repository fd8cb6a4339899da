// Package scale shows what storms and numbers cost: the real handlers over the
// ledger in memory, with reads and writes counted. It measures no time.
package scale

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/clock"
	"github.com/amperity-runs/amperity-runs/internal/inprocess"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/route"
	"github.com/amperity-runs/amperity-runs/internal/runs"
	"github.com/amperity-runs/amperity-runs/internal/s3arrival"
	"github.com/amperity-runs/amperity-runs/internal/sweep"
	"github.com/amperity-runs/amperity-runs/internal/trigger"
	"github.com/amperity-runs/amperity-runs/internal/wire"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

// Begin is when the clock starts.
var Begin = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// Bus counts what is announced.
type Bus struct {
	mu    sync.Mutex
	count map[announcement.DetailType]int
}

// Announce counts.
func (b *Bus) Announce(_ context.Context, as ...announcement.Announcement) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.count == nil {
		b.count = map[announcement.DetailType]int{}
	}
	for _, a := range as {
		b.count[a.Type]++
	}
	return nil
}

// Count returns how often something was announced.
func (b *Bus) Count(t announcement.DetailType) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count[t]
}

// Units are what DynamoDB would charge on demand: a write unit for each KB
// that is begun, two in a transaction and one more for each change of the
// index; a read unit for each 4 KB that is begun.
type Units struct{ Writes, Reads int }

// Meter is the ledger in memory, and counts Units.
type Meter struct {
	*ledger.Memory
	mu    sync.Mutex
	units Units
	// known are the items as they were last written.
	known map[string]ledger.Item
}

// attributes is what an item has beside its key and document, about.
const attributes = 110

func kilobytes(item ledger.Item, each int) int {
	return (len(item.Key) + len(item.Doc) + attributes + each<<10 - 1) / (each << 10)
}

// Get reads, consistently.
func (m *Meter) Get(ctx context.Context, key string) (ledger.Item, error) {
	item, err := m.Memory.Get(ctx, key)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.units.Reads += max(1, kilobytes(item, 4))
	return item, err
}

// Put writes.
func (m *Meter) Put(ctx context.Context, token string, items ...ledger.Item) error {
	err := m.Memory.Put(ctx, token, items...)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, item := range items {
		was := m.known[item.Key]
		n := max(kilobytes(item, 1), kilobytes(was, 1))
		if len(items) > 1 {
			n *= 2
		}
		if listed, now := place(was), place(item); listed != now {
			if !listed.IsZero() {
				n++
			}
			if !now.IsZero() {
				n++
			}
		}
		m.units.Writes += n
		if err == nil {
			m.known[item.Key] = item
		}
	}
	return err
}

// place is where an item is in the index.
func place(item ledger.Item) time.Time {
	if !item.Due.IsZero() {
		return item.Due
	}
	return item.Held
}

// Units tells what was asked for so far.
func (m *Meter) Units() Units {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.units
}

// World is the functions, and what is around them.
type World struct {
	Clock    *clock.Manual
	Ledger   *Meter
	Amperity *amperitytest.Server
	Bus      *Bus
	Routes   *route.Routes
	// Paused and Logger are of the functions that are made from now on; a
	// function's logger gets its name.
	Paused bool
	Logger func(function string) *slog.Logger
}

// New makes a world with a routes file.
func New(routesFile string) (*World, error) {
	w := &World{Clock: clock.NewManual(Begin), Ledger: &Meter{Memory: ledger.NewMemory(), known: map[string]ledger.Item{}}, Bus: &Bus{},
		Logger: func(string) *slog.Logger { return slog.New(slog.DiscardHandler) }}
	var err error
	if w.Routes, _, err = route.Parse("routes.yaml", []byte(routesFile), route.Options{}); err != nil {
		return nil, err
	}
	w.Amperity, err = amperitytest.New(amperitytest.Config{NoSocket: true, Now: w.Clock.Now, Sleep: w.Clock.Sleep})
	return w, err
}

// functions makes what one instance of a function has.
func (w *World) functions(logger *slog.Logger, rate float64, paced bool) (inprocess.Functions, error) {
	client, err := amperity.New(amperitytest.DefaultTenant, amperity.StaticTokenSource(amperitytest.DefaultToken),
		amperity.WithBaseURL(w.Amperity.URL()), amperity.WithTransport(w.Amperity.Transport()))
	if err != nil {
		return inprocess.Functions{}, err
	}
	c := launch.Config{API: client, Ledger: w.Ledger, Announcer: w.Bus, Clock: w.Clock, Logger: logger,
		Tenant: amperitytest.DefaultTenant, Token: launch.NewToken, Paused: w.Paused}
	if paced {
		c.Pacer = runs.NewLimiter(rate, w.Clock)
	}
	return inprocess.New(c, w.Routes), nil
}

// Arrivals makes an instance of s3arrival.
func (w *World) Arrivals() (*s3arrival.Handler, error) {
	f, err := w.functions(w.Logger("s3arrival"), wire.S3ArrivalRate, false)
	return f.S3Arrival, err
}

// Trigger makes an instance of trigger.
func (w *World) Trigger() (*trigger.Handler, error) {
	f, err := w.functions(w.Logger("trigger"), wire.TriggerRate, true)
	return f.Trigger, err
}

// Sweep makes an instance of sweep.
func (w *World) Sweep() (*sweep.Handler, error) {
	f, err := w.functions(w.Logger("sweep"), wire.SweepRate, true)
	return f.Sweep, err
}

// Limit is a context that ends as that of an invocation does.
func (w *World) Limit(ctx context.Context, d time.Duration) context.Context {
	limited, _ := w.Clock.WithTimeout(ctx, d) // nothing to release
	return limited
}

// Event is the EventBridge event of a file.
func Event(key, sequencer string, at time.Time) string {
	return fmt.Sprintf(`{"version":"0","id":%q,"detail-type":"Object Created","source":"aws.s3","account":"123456789012","time":%q,"region":"us-east-1",`+
		`"resources":["arn:aws:s3:::acme-landing"],"detail":{"version":"0","bucket":{"name":"acme-landing"},"object":{"key":%q,"size":1024,"etag":"d41d8cd98f00b204e9800998ecf8427e","sequencer":%q},"request-id":"C3D13FE58DE4C810","requester":"123456789012","reason":"PutObject"}}`,
		sequencer, at.UTC().Format(time.RFC3339), key, sequencer)
}

// Batch is an SQS batch of events.
func Batch(bodies []string) ([]byte, error) {
	type record struct {
		MessageID   string `json:"messageId"`
		EventSource string `json:"eventSource"`
		Body        string `json:"body"`
	}
	records := make([]record, len(bodies))
	for i, b := range bodies {
		records[i] = record{fmt.Sprintf("m%d", i), "aws:sqs", b}
	}
	return json.Marshal(map[string][]record{"Records": records})
}
