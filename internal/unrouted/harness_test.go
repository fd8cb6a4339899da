package unrouted_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/clock"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/unrouted"
	"github.com/amperity-runs/amperity-runs/internal/window"
)

var (
	errThrottled = errors.New("the ledger is throttled")
	errBus       = errors.New("the bus is gone")
)

// fixture is Files with their ledger, event bus and clock.
type fixture struct {
	t *testing.T
	*unrouted.Files
	ledger *flakyLedger
	bus    *recordingBus
	clock  *clock.Manual
}

func newFixture(t *testing.T) *fixture {
	return newInstance(t, ledger.NewMemory(), &recordingBus{})
}

// newInstance returns a fixture that shares a ledger and a bus with others.
func newInstance(t *testing.T, memory *ledger.Memory, bus *recordingBus) *fixture {
	f := &fixture{t: t, ledger: &flakyLedger{Memory: memory}, bus: bus, clock: clock.NewManual(time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC))}
	f.Files = unrouted.New(launch.New(launch.Config{
		Ledger: f.ledger, Announcer: bus, Clock: f.clock, Logger: slog.New(slog.DiscardHandler), Tenant: "acme", Token: launch.NewToken,
	}))
	return f
}

// flakyLedger calls getErr before each read and putErr before each write, and
// fails with their errors. Either may be nil.
type flakyLedger struct {
	*ledger.Memory
	getErr, putErr func() error
}

func (l *flakyLedger) Get(ctx context.Context, key string) (ledger.Item, error) {
	if l.getErr != nil {
		if err := l.getErr(); err != nil {
			return ledger.Item{}, err
		}
	}
	return l.Memory.Get(ctx, key)
}

func (l *flakyLedger) Put(ctx context.Context, token string, items ...ledger.Item) error {
	if l.putErr != nil {
		if err := l.putErr(); err != nil {
			return err
		}
	}
	return l.Memory.Put(ctx, token, items...)
}

// recordingBus stores announcements. It fails with its errors in turn.
type recordingBus struct {
	mu        sync.Mutex
	errs      []error
	tries     int
	announced []announcement.Announcement
}

func (b *recordingBus) Announce(_ context.Context, as ...announcement.Announcement) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tries++
	if len(b.errs) > 0 {
		err := b.errs[0]
		b.errs = b.errs[1:]
		if err != nil {
			return err
		}
	}
	b.announced = append(b.announced, as...)
	return nil
}

// counts returns the first file and the number of files of each announcement.
func (b *recordingBus) counts() (out []string) {
	for _, a := range b.announced {
		n := fmt.Sprint(a.Detail.Unrouted.Count)
		if a.Detail.Unrouted.AtLeast {
			n += "+"
		}
		out = append(out, a.Detail.Unrouted.Files[0].Key+" "+n)
	}
	return out
}

// lost returns files of the bucket b that no route matches.
func lost(at time.Time, keys ...string) (files []window.Arrival) {
	for _, k := range keys {
		files = append(files, window.Arrival{Bucket: "b", Key: k, Version: "1", EventTime: at})
	}
	return files
}

// keys formats n keys with the numbers from from on.
func keys(form string, from, n int) (ks []string) {
	for i := range n {
		ks = append(ks, fmt.Sprintf(form, from+i))
	}
	return ks
}

// take records and announces the files of one batch, as s3arrival does.
func (f *fixture) take(files ...window.Arrival) {
	f.t.Helper()
	a, err := f.Record(f.t.Context(), "b", files)
	if err != nil {
		f.t.Fatal(err)
	}
	f.Announce(f.t.Context(), a)
}

// takeNew takes files of the bucket b that arrive now.
func (f *fixture) takeNew(keys ...string) {
	f.t.Helper()
	f.take(lost(f.clock.Now(), keys...)...)
}

// sweep moves the clock, and works on due items.
func (f *fixture) sweep(d time.Duration) {
	f.t.Helper()
	f.clock.Advance(d)
	var due []string
	for row := range f.ledger.Memory.Due(f.t.Context(), f.clock.Now()) {
		due = append(due, row.Key)
	}
	for _, key := range due {
		if _, err := f.Due(f.t.Context(), key); err != nil {
			f.t.Fatalf("%s: %v", key, err)
		}
	}
}

// checkAnnounced checks all announcements so far, as counts returns them.
func (f *fixture) checkAnnounced(want ...string) {
	f.t.Helper()
	if diff := cmp.Diff(want, f.bus.counts()); diff != "" {
		f.t.Fatalf("announced (-want +got)\n%s", diff)
	}
}

// checkSettled checks that an item is not due, and expires in a day or later:
// a repeated event of today counts once.
func (f *fixture) checkSettled(key string) {
	f.t.Helper()
	item, err := f.ledger.Get(f.t.Context(), key)
	if err != nil || !item.Due.IsZero() || item.Expires.Sub(f.clock.Now()) < 24*time.Hour {
		f.t.Errorf("%s is due %s and expires %s (%v)", key, item.Due, item.Expires, err)
	}
}

// put writes an item that is due now.
func (f *fixture) put(key, doc string) {
	f.t.Helper()
	if err := f.ledger.Put(f.t.Context(), "doc "+key, ledger.Item{Key: key, Due: f.clock.Now(), Doc: []byte(doc)}); err != nil {
		f.t.Fatal(err)
	}
}
