package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
)

// LedgerError says that the ledger could not be read or written, so that this
// invocation has started nothing: deliver the input again. If the launch was
// claimed after all and only the answer was lost, the sweep goes on with it, and
// the input is known by its key.
type LedgerError struct {
	// LaunchKey is the launch, or the window's item; empty for all of them.
	LaunchKey string
	Err       error
}

func (e *LedgerError) Error() string {
	what := ""
	if e.LaunchKey != "" {
		what = " for " + e.LaunchKey
	}
	return fmt.Sprintf("this call has started nothing, because the ledger could not be read or written%s; try again: %v", what, e.Err)
}

// Unwrap returns the ledger's error.
func (e *LedgerError) Unwrap() error { return e.Err }

// Ledger keeps what must outlive a process; see package ledger for what it must
// promise. Its errors are [*ledger.ConflictError], where a write did not take
// effect, [*ledger.SizeError], and others, after which a write may or may not
// have taken effect.
type Ledger interface {
	Get(ctx context.Context, key string) (ledger.Item, error)
	Put(ctx context.Context, token string, items ...ledger.Item) error
	Held(ctx context.Context) iter.Seq2[ledger.Listed, error]
	Due(ctx context.Context, until time.Time) iter.Seq2[ledger.Listed, error]
}

// A Clock tells the time and waits.
type Clock interface {
	Now() time.Time
	// Sleep waits for d, or returns the context's error as soon as it ends.
	Sleep(ctx context.Context, d time.Duration) error
	// WithTimeout is [context.WithTimeout] by this clock.
	WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)
}

// Backoff is the n-th delay of a series that doubles.
func Backoff(n int, first, most time.Duration) time.Duration {
	return min(most, first<<min(n-1, 10))
}

// Store reads and writes the ledger's documents.
type Store struct {
	Ledger
	Clock Clock
	// Token makes the token of a write, which must be new each time: it tells
	// a write's own repeat from another's write, also within one invocation.
	Token func(ctx context.Context) string
	// Rand returns numbers in [0,1) for the jitter of repeats.
	Rand func() float64
}

// PutLaunch writes the launch alone. A lost race is a [*lostError], but for a launch
// that must not exist yet, where it is the [*ledger.ConflictError].
func (s *Store) PutLaunch(ctx context.Context, j *Launch, due time.Time) error {
	item, err := j.NextItem(due)
	if err != nil {
		return err
	}
	err = s.WriteItems(ctx, item)
	var conflict *ledger.ConflictError
	if errors.As(err, &conflict) && item.Version > 0 {
		return &LostError{conflict.Current[0]}
	}
	if err == nil {
		j.setWritten(item)
	}
	return err
}

// Transact writes the launch together with its config id's item, as change
// makes it, and more. Errors are as of put; and a [*takenError] where the run
// that more begins with belongs to somebody.
//
// change is called again if another launch of the config id was written in
// between.
func (s *Store) Transact(ctx context.Context, j *Launch, due time.Time, change func(*ConfigID), more ...ledger.Item) error {
	return s.TransactIf(ctx, j, due, func(c *ConfigID) error {
		change(c)
		return nil
	}, more...)
}

// TransactIf is transact with a change that may refuse: its error ends the
// transaction.
func (s *Store) TransactIf(ctx context.Context, j *Launch, due time.Time, change func(*ConfigID) error, more ...ledger.Item) error {
	item, err := j.NextItem(due)
	if err != nil {
		return err
	}
	at, err := s.ReadItem(ctx, ConfigPrefix+j.Request.ConfigID)
	for err == nil {
		var c *ConfigID
		if c, err = DecodeConfigID(at, j.Request.ConfigID); err != nil {
			break
		}
		if err = change(c); err != nil {
			break
		}
		c.prune(s.Clock.Now())
		if at.Doc, err = Encode(c); err != nil {
			break
		}
		items := append([]ledger.Item{item, at}, more...)
		err = s.WriteItems(ctx, items...)
		var conflict *ledger.ConflictError
		if err == nil {
			j.setWritten(item)
			return nil
		}
		if !errors.As(err, &conflict) {
			break
		}
		if conflict.Current[0].Version != item.Version {
			return &LostError{conflict.Current[0]}
		}
		for i, m := range more {
			if conflict.Current[2+i].Version != m.Version {
				return &RunOwnedError{conflict.Current[2+i]}
			}
		}
		// Another launch of the config id was written in between.
		at, err = conflict.Current[1], nil
	}
	return err
}

// LaunchConflict says that another writer was first while a window's launch was
// created.
type LaunchConflict struct {
	// WindowChanged: the window has a newer version.
	WindowChanged bool
	// Launch is the launch's item as it is now. It may exist already.
	Launch ledger.Item
	Err    *ledger.ConflictError
}

func (e *LaunchConflict) Error() string { return e.Err.Error() }

// Unwrap returns the ledger's error.
func (e *LaunchConflict) Unwrap() error { return e.Err }

// CreateLaunch writes a window's new launch together with the window and its
// config id's document, which was read with a version. A lost race is a
// [*LaunchConflict].
func (s *Store) CreateLaunch(ctx context.Context, j *Launch, due time.Time, w *Window, spec *WindowSpec, c *ConfigID, version int64) error {
	now := s.Clock.Now()
	window, err := w.NextItem(spec, time.Time{}, now)
	if err != nil {
		return err
	}
	launch, err := j.NextItem(due)
	if err != nil {
		return err
	}
	c.prune(now)
	doc, err := Encode(c)
	if err != nil {
		return err
	}
	err = s.WriteItems(ctx, window, ledger.Item{Key: ConfigPrefix + c.ConfigID, Version: version, Doc: doc}, launch)
	var conflict *ledger.ConflictError
	if errors.As(err, &conflict) {
		return &LaunchConflict{WindowChanged: conflict.Current[0].Version != window.Version, Launch: conflict.Current[2], Err: conflict}
	}
	if err != nil {
		return err
	}
	j.setWritten(launch)
	window.Version++
	w.Item = window
	return nil
}

// PutWindow writes a window alone, unless that would change nothing.
func (s *Store) PutWindow(ctx context.Context, j *Window, w *WindowSpec, look time.Time) error {
	item, err := j.NextItem(w, look, s.Clock.Now())
	if err != nil {
		return err
	}
	if item.Version > 0 && bytes.Equal(item.Doc, j.Item.Doc) && item.Due.Truncate(time.Millisecond).Equal(j.Item.Due) {
		return nil
	}
	if err := s.WriteItems(ctx, item); err != nil {
		return err
	}
	item.Version++
	j.Item = item
	return nil
}

// ConfigID reads what is known of a config id.
func (s *Store) ConfigID(ctx context.Context, configID string) (*ConfigID, error) {
	item, err := s.Ledger.Get(ctx, ConfigPrefix+configID)
	if err != nil {
		return nil, err
	}
	return DecodeConfigID(item, configID)
}

// Write writes items, and again after a failure that says nothing, while there
// is time: what it writes is known nowhere else. One token stands for all the
// tries, so that one which took effect although it failed is known as our own.
func (s *Store) WriteItems(ctx context.Context, items ...ledger.Item) error {
	token := s.Token(ctx)
	return s.retry(ctx, func() error { return s.Ledger.Put(ctx, token, items...) })
}

// Read reads an item that is needed to record what is known nowhere else.
func (s *Store) ReadItem(ctx context.Context, key string) (item ledger.Item, err error) {
	err = s.retry(ctx, func() error {
		item, err = s.Ledger.Get(ctx, key)
		return err
	})
	return item, err
}

// retry repeats a call of the ledger after failures that say nothing.
func (s *Store) retry(ctx context.Context, call func() error) error {
	for n := 1; ; n++ {
		err := call()
		var conflict *ledger.ConflictError
		var size *ledger.SizeError
		if err == nil || n == maxTries || errors.As(err, &conflict) || errors.As(err, &size) || ctx.Err() != nil {
			return err
		}
		if s.Clock.Sleep(ctx, Backoff(n, 100*time.Millisecond, time.Second)) != nil {
			return err
		}
	}
}

// Pause lets others go first after a lost race, the longer the more there were.
func (s *Store) PauseAfterConflict(ctx context.Context, n int) error {
	if n == 1 {
		return nil
	}
	return s.Clock.Sleep(ctx, time.Duration(s.Rand()*float64(Backoff(n, 10*time.Millisecond, 500*time.Millisecond))))
}

// LostError says that the launch has a newer version: somebody else has gone on
// with it.
type LostError struct{ Current ledger.Item }

func (e *LostError) Error() string {
	return fmt.Sprintf("%s was taken over (version %d)", e.Current.Key, e.Current.Version)
}

// RunOwnedError says that the run belongs to somebody already.
type RunOwnedError struct{ Current ledger.Item }

func (e *RunOwnedError) Error() string { return e.Current.Key + " belongs to another launch" }

// maxTries bounds the repeats of one call.
const maxTries = 4
