package launch

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
)

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
func (s *Store) PutLaunch(ctx context.Context, j *job, due time.Time) error {
	item, err := j.write(due)
	if err != nil {
		return err
	}
	err = s.Write(ctx, item)
	var conflict *ledger.ConflictError
	if errors.As(err, &conflict) && item.Version > 0 {
		return &lostError{conflict.Current[0]}
	}
	if err == nil {
		j.wrote(item)
	}
	return err
}

// Transact writes the launch together with its config id's item, as change
// makes it, and more. Errors are as of put; and a [*takenError] where the run
// that more begins with belongs to somebody.
//
// change is called again if another launch of the config id was written in
// between.
func (s *Store) Transact(ctx context.Context, j *job, due time.Time, change func(*config), more ...ledger.Item) error {
	return s.TransactIf(ctx, j, due, func(c *config) error {
		change(c)
		return nil
	}, more...)
}

// TransactIf is transact with a change that may refuse: its error ends the
// transaction.
func (s *Store) TransactIf(ctx context.Context, j *job, due time.Time, change func(*config) error, more ...ledger.Item) error {
	item, err := j.write(due)
	if err != nil {
		return err
	}
	at, err := s.Read(ctx, configPrefix+j.Request.ConfigID)
	for err == nil {
		var c *config
		if c, err = decodeConfig(at, j.Request.ConfigID); err != nil {
			break
		}
		if err = change(c); err != nil {
			break
		}
		c.prune(s.Clock.Now())
		if at.Doc, err = encode(c); err != nil {
			break
		}
		items := append([]ledger.Item{item, at}, more...)
		err = s.Write(ctx, items...)
		var conflict *ledger.ConflictError
		if err == nil {
			j.wrote(item)
			return nil
		}
		if !errors.As(err, &conflict) {
			break
		}
		if conflict.Current[0].Version != item.Version {
			return &lostError{conflict.Current[0]}
		}
		for i, m := range more {
			if conflict.Current[2+i].Version != m.Version {
				return &takenError{conflict.Current[2+i]}
			}
		}
		// Another launch of the config id was written in between.
		at, err = conflict.Current[1], nil
	}
	return err
}

// PutWindow writes a window alone, unless that would change nothing.
func (s *Store) PutWindow(ctx context.Context, j *windowJob, w *Window, look time.Time) error {
	item, err := j.write(w, look, s.Clock.Now())
	if err != nil {
		return err
	}
	if item.Version > 0 && bytes.Equal(item.Doc, j.item.Doc) && item.Due.Truncate(time.Millisecond).Equal(j.item.Due) {
		return nil
	}
	if err := s.Write(ctx, item); err != nil {
		return err
	}
	item.Version++
	j.item = item
	return nil
}

// ConfigID reads what is known of a config id.
func (s *Store) ConfigID(ctx context.Context, configID string) (*config, error) {
	item, err := s.Ledger.Get(ctx, configPrefix+configID)
	if err != nil {
		return nil, err
	}
	return decodeConfig(item, configID)
}

// Write writes items, and again after a failure that says nothing, while there
// is time: what it writes is known nowhere else. One token stands for all the
// tries, so that one which took effect although it failed is known as our own.
func (s *Store) Write(ctx context.Context, items ...ledger.Item) error {
	token := s.Token(ctx)
	return s.retry(ctx, func() error { return s.Ledger.Put(ctx, token, items...) })
}

// Read reads an item that is needed to record what is known nowhere else.
func (s *Store) Read(ctx context.Context, key string) (item ledger.Item, err error) {
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
		if s.Clock.Sleep(ctx, backoff(n, 100*time.Millisecond, time.Second)) != nil {
			return err
		}
	}
}

// Pause lets others go first after a lost race, the longer the more there were.
func (s *Store) Pause(ctx context.Context, n int) error {
	if n == 1 {
		return nil
	}
	return s.Clock.Sleep(ctx, time.Duration(s.Rand()*float64(backoff(n, 10*time.Millisecond, 500*time.Millisecond))))
}
