// Package sweep is the function that works on every due ledger item, once a
// minute.
//
// It is the only clock of the stack. The index is a hint: the sweep reads each
// item and changes it with conditional writes, so that concurrent sweeps do no
// harm. A sweep that ends early loses nothing, because the remaining items are
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

// Ledger holds the due items.
type Ledger interface {
	Get(ctx context.Context, key string) (ledger.Item, error)
	Put(ctx context.Context, token string, items ...ledger.Item) error
	Due(ctx context.Context, until time.Time) iter.Seq2[ledger.Listed, error]
}

// A Task works on one due item. It reports whether there was anything to do. It
// returns an error if it failed on the item.
type Task func(ctx context.Context, key string) (did bool, err error)

// Handler handles sweep's invocations.
type Handler struct {
	Ledger Ledger
	// Tasks maps the kind of an item to its task. The kind is the item's key up
	// to the first slash.
	Tasks map[string]Task
	// Expected registers the routes with deadlines before each sweep.
	Expected *Expected
	Clock    record.Clock
	// Token returns a new token for each write.
	Token  func(context.Context) string
	Logger *slog.Logger
	// Workers is how many items the sweep works on concurrently; below 2, one
	// after the other.
	Workers int
	// Pool creates the pool of workers; nil means [NewPool].
	Pool func(most int) Pool

	mu sync.Mutex // for the summary
}

// Workers is how many items an instance works on concurrently. It is enough to
// wait for several of Amperity's responses, and low enough for the memory of
// the function.
const Workers = 8

// Summary is the result of an invocation.
type Summary struct {
	// Done counts the items on which a task acted. Failed counts the items that
	// failed and are tried again later. More says that the time ended while
	// items were still due.
	Done   int  `json:"done"`
	Failed int  `json:"failed"`
	More   bool `json:"more"`
}

const (
	// itemTime is how long an item may take, including a request to Amperity.
	// With less time left the sweep begins no item.
	itemTime = 25 * time.Second
	// firstDelay is how long the sweep postpones an item after its first
	// failure. Each further failure doubles the delay, up to mostDelay.
	firstDelay = time.Minute
	mostDelay  = time.Hour
	// alarmingTries is the number of failures from which StaysUndone counts the
	// item: after about 15 minutes.
	alarmingTries = 5
)

// Invoke works on the due items, the oldest first, until none is left or the
// time is over. It returns a [Summary]. It returns an error if the ledger could
// not be read; the next sweep tries again.
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

// workers returns three functions: work processes an item, more records that an
// item is left, and wait waits until all work is done.
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
			// The time may have passed while the item waited for a worker.
			if h.timeFor(ctx, itemTime) {
				one(key)
			} else {
				more()
			}
		})
	}, more, pool.Wait
}

// process works on one item. It postpones an item that fails, so that other
// items are not affected.
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

// runTask runs the task of one item. A panic becomes the error of this item, so
// that one bad item cannot stop the sweep.
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

// postpone postpones a failing item, doubling the delay each time up to
// mostDelay, and returns how often it has failed.
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

// UnreadableError reports that the ledger could not be read.
type UnreadableError struct{ Err error }

func (e *UnreadableError) Error() string {
	return "the sweep could not read the ledger; due items stay due: " + e.Err.Error()
}

// Unwrap returns the ledger's errors.
func (e *UnreadableError) Unwrap() error { return e.Err }

// PanicError reports that the task of an item panicked.
type PanicError struct {
	Key string
	Err error
}

func (e *PanicError) Error() string {
	return "the ledger's item " + e.Key + " caused a panic, which is a mistake in the code; please report it: " + e.Err.Error()
}

// Unwrap returns the panic's error.
func (e *PanicError) Unwrap() error { return e.Err }

// UnknownItemError reports an item of a kind that this version does not know.
type UnknownItemError struct{ Key string }

func (e *UnknownItemError) Error() string {
	return "the ledger's item " + e.Key + " is of a kind that this version does not know: deploy the newer version again"
}
