// Package sweep is the function that does, once a minute, whatever is due in
// the ledger.
//
// It is the only clock of the stack. What the index lists is a hint: each item
// is read, and worked on with conditional writes, so that two sweeps at once do
// no harm. A sweep that ends early loses nothing, since what it did not do is
// still due.
package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
)

// Ledger is where the due items are.
type Ledger interface {
	Get(ctx context.Context, key string) (ledger.Item, error)
	Put(ctx context.Context, token string, items ...ledger.Item) error
	Due(ctx context.Context, until time.Time) iter.Seq2[ledger.Listed, error]
}

// A Task works on one item that is due. It reports whether there was anything to
// do. An error says that the item could not be worked on.
type Task func(ctx context.Context, key string) (did bool, err error)

// Handler answers sweep's invocations.
type Handler struct {
	Ledger Ledger
	// Tasks has the task of each kind of item: what its key begins with, up to
	// the slash.
	Tasks map[string]Task
	// Expected registers the routes whose windows are expected, before each
	// sweep.
	Expected *Expected
	Clock    record.Clock
	// Token makes the token of a write, new each time.
	Token  func(context.Context) string
	Logger *slog.Logger
	// Workers is how many items are worked on at once; below 2, one after the
	// other.
	Workers int
	// Pool makes the pool of workers; nil: [NewPool].
	Pool func(most int) Pool

	mu sync.Mutex // for the summary
}

// Workers is how many items an instance works on at once: enough to wait for
// several answers of Amperity, and few enough for the memory it has.
const Workers = 8

// Summary is the answer to an invocation.
type Summary struct {
	// Done counts the items that were worked on, Failed those that could not
	// be, and are tried again later. More says that the time was over before
	// all was done that is due.
	Done   int  `json:"done"`
	Failed int  `json:"failed"`
	More   bool `json:"more"`
}

const (
	// itemTime is what an item may take, a request to Amperity included: with
	// less time left than this none is begun.
	itemTime = 25 * time.Second
	// firstDelay and mostDelay are how long an item is left alone that could not
	// be worked on, the first time and at most.
	firstDelay = time.Minute
	mostDelay  = time.Hour
	// alarmingTries is from how many on they are counted: after a quarter of
	// an hour.
	alarmingTries = 5
)

// Invoke does what is due, the oldest first, until nothing is left or the time
// is over. It answers with a [Summary]. The error says that the ledger could
// not be read: the next sweep tries again.
func (h *Handler) Invoke(ctx context.Context, _ []byte) ([]byte, error) {
	s, err := h.sweep(ctx)
	level := slog.LevelInfo
	attrs := []any{slog.Int("done", s.Done), slog.Int("failed", s.Failed), slog.Bool("more", s.More), telemetry.Count("Sweeps", "")}
	if err != nil {
		level, attrs = slog.LevelError, append(attrs, slog.String(telemetry.Error, err.Error()))
	}
	h.Logger.Log(ctx, level, "sweep", attrs...)
	if err != nil {
		return nil, &UnreadableError{Err: err}
	}
	return json.Marshal(s)
}

func (h *Handler) sweep(ctx context.Context) (s Summary, err error) {
	s.Failed = h.Expected.Register(ctx)
	work, more, wait := h.workers(ctx, &s)
	defer wait()
	now := h.Clock.Now()
	first := true
	for row, err := range h.Ledger.Due(ctx, now) {
		if err != nil {
			return s, err
		}
		if first {
			h.Logger.InfoContext(ctx, "oldest due", slog.String("item", row.Key),
				telemetry.Gauge("OldestDue", telemetry.Seconds, max(0, now.Sub(row.At).Seconds())))
			first = false
		}
		if !h.timeFor(ctx, itemTime) {
			more()
			break
		}
		work(row.Key)
	}
	return s, nil
}

func (h *Handler) timeFor(ctx context.Context, d time.Duration) bool {
	end, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || end.Sub(h.Clock.Now()) >= d)
}

// workers gives what works on an item, what notes that one is left, and what
// waits until all are done.
func (h *Handler) workers(ctx context.Context, s *Summary) (work func(key string), more, wait func()) {
	more = func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		s.More = true
	}
	one := func(key string) {
		did, err := h.process(ctx, key)
		h.mu.Lock()
		defer h.mu.Unlock()
		if did {
			s.Done++
		}
		if err != nil {
			s.Failed++
		}
	}
	if h.Workers < 2 {
		return one, more, func() {}
	}
	newPool := h.Pool
	if newPool == nil {
		newPool = NewPool
	}
	pool := newPool(h.Workers)
	return func(key string) {
		pool.Go(func() {
			// The time may have passed while it waited for a worker.
			if h.timeFor(ctx, itemTime) {
				one(key)
			} else {
				more()
			}
		})
	}, more, pool.Wait
}

// process works on one item. One that cannot be worked on is pushed back, so that
// it is in nobody's way.
func (h *Handler) process(ctx context.Context, key string) (did bool, err error) {
	did, err = h.runTask(ctx, key)
	if err != nil {
		a := []any{slog.String("item", key), slog.String(telemetry.Error, err.Error())}
		if h.postpone(ctx, key) >= alarmingTries {
			a = append(a, telemetry.Count("StaysUndone", ""))
		}
		h.Logger.ErrorContext(ctx, "item failed", a...)
	}
	return did, err
}

// runTask works on one item. A mistake of the code's own is an error of this item
// alone: the sweep is the only clock there is.
func (h *Handler) runTask(ctx context.Context, key string) (did bool, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case error:
			err = &PanicError{Key: key, Err: r}
		case string:
			err = &PanicError{Key: key, Err: errors.New(r)}
		default:
			panic(r)
		}
	}()
	kind, _, _ := strings.Cut(key, "/")
	task, known := h.Tasks[kind]
	if !known {
		return false, &UnknownItemError{Key: key}
	}
	return task(ctx, key)
}

// postpone makes an item due later, the later the more often it failed, which it
// tells.
func (h *Handler) postpone(ctx context.Context, key string) (tries int) {
	item, err := h.Ledger.Get(ctx, key)
	now := h.Clock.Now()
	if err == nil && (!item.Exists() || item.Due.IsZero() || item.Due.After(now)) {
		return item.Tries
	}
	if err == nil {
		item.Due = now.Add(min(mostDelay, firstDelay<<min(item.Tries, 10)))
		item.Tries++
		err = h.Ledger.Put(ctx, h.Token(ctx), item)
	}
	var conflict *ledger.ConflictError
	if err != nil && !errors.As(err, &conflict) {
		h.Logger.WarnContext(ctx, "item not postponed", slog.String("item", key), slog.String(telemetry.Error, err.Error()))
	}
	return item.Tries
}

// UnreadableError says that the ledger could not be read.
type UnreadableError struct{ Err error }

func (e *UnreadableError) Error() string {
	return "the ledger could not be swept; what is due stays so: " + e.Err.Error()
}

// Unwrap returns the ledger's errors.
func (e *UnreadableError) Unwrap() error { return e.Err }

// PanicError says that working on an item met a mistake in the code.
type PanicError struct {
	Key string
	Err error
}

func (e *PanicError) Error() string {
	return "the ledger's item " + e.Key + " met a mistake in the code, please report it: " + e.Err.Error()
}

// Unwrap returns the mistake.
func (e *PanicError) Unwrap() error { return e.Err }

// UnknownItemError says that an item is of a kind that this version does not
// know.
type UnknownItemError struct{ Key string }

func (e *UnknownItemError) Error() string {
	return "the ledger's item " + e.Key + " is of a kind that this version does not know: deploy the newer version again"
}
