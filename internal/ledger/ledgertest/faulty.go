package ledgertest

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
)

// Faulty is a [Table] with DynamoDB's faults on demand, over a ledger without
// faults such as [ledger.Memory].
type Faulty struct {
	Ledger

	mu        sync.Mutex
	contend   int
	throttled bool
	page      int
	between   func()
	lag       *lists
}

// lists has both lists at one time.
type lists struct{ due, held []ledger.Listed }

const (
	// requests is how often a write that meets other transactions is sent.
	requests = 5
	// pageRows is how many rows a page has.
	pageRows = 100
)

// NewFaulty returns a Faulty over l.
func NewFaulty(l Ledger) *Faulty { return &Faulty{Ledger: l} }

// Contend implements [Table].
func (f *Faulty) Contend(n int) { f.set(func() { f.contend = n }) }

// ThrottleWrites implements [Table].
func (f *Faulty) ThrottleWrites(on bool) { f.set(func() { f.throttled = on }) }

// ThrottlePage implements [Table].
func (f *Faulty) ThrottlePage(n int) { f.set(func() { f.page = n }) }

// LoseAnswer implements [Table].
func (f *Faulty) LoseAnswer(between func()) { f.set(func() { f.between = between }) }

// TenMinutesLater has no effect, because Faulty remembers only the tokens on
// the items.
func (f *Faulty) TenMinutesLater() {}

// Lag implements [Table].
func (f *Faulty) Lag(on bool) {
	var now *lists
	if on {
		now = &lists{}
		far := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
		for row := range f.Ledger.Due(context.Background(), far) {
			now.due = append(now.due, row)
		}
		for row := range f.Ledger.Held(context.Background()) {
			now.held = append(now.held, row)
		}
	}
	f.set(func() { f.lag = now })
}

func (f *Faulty) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// Put writes like the ledger, with the faults.
func (f *Faulty) Put(ctx context.Context, token string, items ...ledger.Item) error {
	for n := 1; ; n++ {
		busy, throttled := false, false
		f.set(func() {
			if busy = f.contend > 0; busy {
				f.contend--
			}
			throttled = f.throttled
		})
		switch {
		case throttled:
			return ledger.ErrThrottled
		case !busy:
			return f.put(ctx, token, items)
		case n == requests:
			return ledger.ErrBusy
		}
	}
}

func (f *Faulty) put(ctx context.Context, token string, items []ledger.Item) error {
	err := f.Ledger.Put(ctx, token, items...)
	var between func()
	if err == nil {
		f.set(func() { between, f.between = f.between, nil })
	}
	if between == nil {
		return err
	}
	between()
	return f.Ledger.Put(ctx, token, items...)
}

// Due lists like the ledger, with the faults.
func (f *Faulty) Due(ctx context.Context, until time.Time) iter.Seq2[ledger.Listed, error] {
	return f.rows(f.Ledger.Due(ctx, until), func(l *lists) []ledger.Listed {
		return slices.DeleteFunc(slices.Clone(l.due), func(row ledger.Listed) bool { return row.At.After(until) })
	})
}

// Held lists like the ledger, with the faults.
func (f *Faulty) Held(ctx context.Context) iter.Seq2[ledger.Listed, error] {
	return f.rows(f.Ledger.Held(ctx), func(l *lists) []ledger.Listed { return l.held })
}

func (f *Faulty) rows(now iter.Seq2[ledger.Listed, error], former func(*lists) []ledger.Listed) iter.Seq2[ledger.Listed, error] {
	var page int
	var lag *lists
	f.set(func() { page, lag = f.page, f.lag })
	return func(yield func(ledger.Listed, error) bool) {
		if lag != nil {
			for _, row := range former(lag) {
				if !yield(row, nil) {
					return
				}
			}
			return
		}
		n := 0
		for row, err := range now {
			if n++; page > 0 && n > (page-1)*pageRows {
				yield(ledger.Listed{}, ledger.ErrThrottled)
				return
			}
			if !yield(row, err) {
				return
			}
		}
	}
}
