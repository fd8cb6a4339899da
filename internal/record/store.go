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

// LedgerError reports that the ledger could not be read or written, so that
// this invocation has started nothing. Deliver the input again. If only the
// ledger's answer was lost, the launch exists: the sweep continues it, and the
// repeated input is a duplicate.
type LedgerError struct {
	// LaunchKey is the launch key, or the key of the item. It is empty if the
	// list of items could not be read.
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

// Ledger stores what must outlive a process. Package ledger lists the
// guarantees that it must give. A [*ledger.ConflictError] or a
// [*ledger.SizeError] means that a write did not take effect. After any other
// error it may have taken effect.
type Ledger interface {
	Get(ctx context.Context, key string) (ledger.Item, error)
	Put(ctx context.Context, token string, items ...ledger.Item) error
	Held(ctx context.Context) iter.Seq2[ledger.Listed, error]
	Due(ctx context.Context, until time.Time) iter.Seq2[ledger.Listed, error]
}

// A Clock returns the time and waits.
type Clock interface {
	Now() time.Time
	// Sleep waits for d, or returns the context's error as soon as it ends.
	Sleep(ctx context.Context, d time.Duration) error
	// WithTimeout is [context.WithTimeout] by this clock.
	WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)
}

// Backoff returns the n-th of a series of delays. The first delay is first;
// each further one is twice as long, up to most.
func Backoff(n int, first, most time.Duration) time.Duration {
	return min(most, first<<min(n-1, 10))
}

// Store reads and writes the ledger's documents.
type Store struct {
	Ledger
	Clock Clock
	// Token returns a new token for each write. The ledger uses it to recognize
	// the retry of a write that has taken effect.
	Token func(ctx context.Context) string
	// Rand returns numbers in [0,1) for the jitter of pauses.
	Rand func() float64
}

// PutLaunch writes the launch alone. If another process has updated the launch,
// the error is a [*LostError]. If a new launch exists already, the error is the
// [*ledger.ConflictError].
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

// Transact writes the launch, the item of its config id and the items of more
// in one transaction. change edits the document of the config id. Transact
// calls it again if another process has updated that document.
//
// If another process has updated the launch, the error is a [*LostError]. If
// one of more has another version, the error is a [*RunOwnedError].
func (s *Store) Transact(ctx context.Context, j *Launch, due time.Time, change func(*ConfigID), more ...ledger.Item) error {
	return s.TransactIf(ctx, j, due, func(c *ConfigID) error {
		change(c)
		return nil
	}, more...)
}

// TransactIf is [Store.Transact] with a change that may fail. Its error ends
// the transaction.
func (s *Store) TransactIf(ctx context.Context, j *Launch, due time.Time, change func(*ConfigID) error, more ...ledger.Item) error {
	item, err := j.NextItem(due)
	if err != nil {
		return err
	}
	if j.config == nil {
		err = s.ReadConfigID(ctx, j)
	}
	for err == nil {
		at := *j.config
		j.config = nil // only a write or a conflict tells its version
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
			j.setConfigWritten(at)
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
		// Another process has updated the document of the config id.
		j.config, err = &conflict.Current[1], nil
	}
	return err
}

// ReadConfigID reads the item of a launch's config id, so that the launch's next
// transaction need not.
func (s *Store) ReadConfigID(ctx context.Context, j *Launch) error {
	item, err := s.ReadItem(ctx, ConfigPrefix+j.Request.ConfigID)
	if err == nil {
		j.config = &item
	}
	return err
}

// LaunchConflict reports that another process was first while a window's launch
// was created.
type LaunchConflict struct {
	// WindowChanged: the window has a newer version.
	WindowChanged bool
	// Launch is the present item of the launch. It may exist already.
	Launch ledger.Item
	Err    *ledger.ConflictError
}

func (e *LaunchConflict) Error() string { return e.Err.Error() }

// Unwrap returns the ledger's error.
func (e *LaunchConflict) Unwrap() error { return e.Err }

// CreateLaunch writes a window's new launch, the window and the document of its
// config id in one transaction. version is the version of the config id's item
// as it was read. If another process has updated one of the three, the error is
// a [*LaunchConflict].
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
	config := ledger.Item{Key: ConfigPrefix + c.ConfigID, Version: version, Doc: doc}
	err = s.WriteItems(ctx, window, config, launch)
	var conflict *ledger.ConflictError
	if errors.As(err, &conflict) {
		return &LaunchConflict{WindowChanged: conflict.Current[0].Version != window.Version, Launch: conflict.Current[2], Err: conflict}
	}
	if err != nil {
		return err
	}
	j.setWritten(launch)
	j.setConfigWritten(config)
	w.setWritten(window)
	return nil
}

// PutWindow writes a window alone, unless nothing has changed. The window falls
// due at look.
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
	j.setWritten(item)
	return nil
}

// ConfigID reads the document of a config id.
func (s *Store) ConfigID(ctx context.Context, configID string) (*ConfigID, error) {
	item, err := s.Ledger.Get(ctx, ConfigPrefix+configID)
	if err != nil {
		return nil, err
	}
	return DecodeConfigID(item, configID)
}

// WriteItems writes items, and retries after an error that leaves the effect
// unknown: no other place has what is written. All attempts share one token, so
// that the ledger recognizes an earlier attempt that has taken effect.
func (s *Store) WriteItems(ctx context.Context, items ...ledger.Item) error {
	token := s.Token(ctx)
	return s.retry(ctx, func() error { return s.Ledger.Put(ctx, token, items...) })
}

// ReadItem reads an item, and retries after an error. It serves writes of what
// no other place has.
func (s *Store) ReadItem(ctx context.Context, key string) (item ledger.Item, err error) {
	err = s.retry(ctx, func() error {
		item, err = s.Ledger.Get(ctx, key)
		return err
	})
	return item, err
}

// IsFinal reports whether the same write would fail again: another process was
// first, or an item is too large or cannot be decoded.
func IsFinal(err error) bool {
	var conflict *ledger.ConflictError
	var size *ledger.SizeError
	var lost *LostError
	var taken *RunOwnedError
	var document *DocumentError
	return errors.As(err, &conflict) || errors.As(err, &size) || errors.As(err, &lost) || errors.As(err, &taken) || errors.As(err, &document)
}

// retry calls the ledger up to maxTries times. A final error and the end of the
// context end it.
func (s *Store) retry(ctx context.Context, call func() error) error {
	for n := 1; ; n++ {
		err := call()
		if err == nil || n == maxTries || IsFinal(err) || ctx.Err() != nil {
			return err
		}
		if s.Clock.Sleep(ctx, Backoff(n, 100*time.Millisecond, time.Second)) != nil {
			return err
		}
	}
}

// PauseAfterConflict waits for a random time after the nth conflict in a row,
// so that concurrent processes do not collide again. It does not wait after the
// first. The limit doubles with each conflict.
func (s *Store) PauseAfterConflict(ctx context.Context, n int) error {
	if n == 1 {
		return nil
	}
	return s.Clock.Sleep(ctx, time.Duration(s.Rand()*float64(Backoff(n, 10*time.Millisecond, 500*time.Millisecond))))
}

// LostError reports that the launch has a newer version: another process has
// taken it over.
type LostError struct{ Current ledger.Item }

func (e *LostError) Error() string {
	return fmt.Sprintf("%s was taken over (version %d)", e.Current.Key, e.Current.Version)
}

// RunOwnedError reports that a run's item has another version: the run may
// belong to another launch.
type RunOwnedError struct{ Current ledger.Item }

func (e *RunOwnedError) Error() string { return e.Current.Key + " belongs to another launch" }

// maxTries bounds the attempts of one call.
const maxTries = 4
