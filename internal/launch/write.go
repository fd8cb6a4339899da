package launch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// lostError says that the launch has a newer version: somebody else has gone on
// with it.
type lostError struct{ current ledger.Item }

func (e *lostError) Error() string {
	return fmt.Sprintf("%s was taken over (version %d)", e.current.Key, e.current.Version)
}

// takenError says that the run belongs to somebody already.
type takenError struct{ current ledger.Item }

func (e *takenError) Error() string { return e.current.Key + " belongs to another launch" }

// write gives the launch's item as it is to be written, due at a time; zero:
// never.
func (j *job) write(due time.Time) (ledger.Item, error) {
	doc, err := encode(&j.record)
	if err != nil {
		return ledger.Item{}, err
	}
	item := ledger.Item{Key: j.item.Key, Version: j.item.Version, Due: due, Doc: doc}
	switch {
	case j.State == held:
		item.Held = j.Since
	case j.State.over() && due.IsZero():
		item.Expires = j.Since.Add(keptFor)
	}
	return item, nil
}

// put writes the launch alone. A lost race is a [*lostError], but for a launch
// that must not exist yet, where it is the [*ledger.ConflictError].
func (l *Launcher) put(ctx context.Context, j *job, due time.Time) error {
	item, err := j.write(due)
	if err != nil {
		return err
	}
	err = l.persist(ctx, item)
	var conflict *ledger.ConflictError
	if errors.As(err, &conflict) && item.Version > 0 {
		return &lostError{conflict.Current[0]}
	}
	if err == nil {
		j.wrote(item)
	}
	return err
}

func (j *job) wrote(item ledger.Item) {
	item.Version++
	j.item = item
}

// transact writes the launch together with its config id's item, as change
// makes it, and more. Errors are as of put; and a [*takenError] where the run
// that more begins with belongs to somebody.
//
// change is called again if another launch of the config id was written in
// between.
func (l *Launcher) transact(ctx context.Context, j *job, due time.Time, change func(*config), more ...ledger.Item) error {
	return l.transactIf(ctx, j, due, func(c *config) error {
		change(c)
		return nil
	}, more...)
}

// transactIf is transact with a change that may refuse: its error ends the
// transaction.
func (l *Launcher) transactIf(ctx context.Context, j *job, due time.Time, change func(*config) error, more ...ledger.Item) error {
	item, err := j.write(due)
	if err != nil {
		return err
	}
	at, err := l.read(ctx, configPrefix+j.Request.ConfigID)
	for err == nil {
		var c *config
		if c, err = decodeConfig(at, j.Request.ConfigID); err != nil {
			break
		}
		if err = change(c); err != nil {
			break
		}
		c.prune(l.Clock.Now())
		if at.Doc, err = encode(c); err != nil {
			break
		}
		items := append([]ledger.Item{item, at}, more...)
		err = l.persist(ctx, items...)
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

func decodeConfig(item ledger.Item, configID string) (*config, error) {
	c := &config{Format: format, ConfigID: configID}
	if !item.Exists() {
		return c, nil
	}
	if err := decode(item, c, func() int { return c.Format }); err != nil {
		return nil, err
	}
	return c, nil
}

// persist writes items, and again after a failure that says nothing, while there
// is time: what it writes is known nowhere else. One token stands for all the
// tries, so that one which took effect although it failed is known as our own.
func (l *Launcher) persist(ctx context.Context, items ...ledger.Item) error {
	token := l.Token(ctx)
	return l.insist(ctx, func() error { return l.Ledger.Put(ctx, token, items...) })
}

// read reads an item that is needed to record what is known nowhere else.
func (l *Launcher) read(ctx context.Context, key string) (item ledger.Item, err error) {
	err = l.insist(ctx, func() error {
		item, err = l.Ledger.Get(ctx, key)
		return err
	})
	return item, err
}

// insist repeats a call of the ledger after failures that say nothing.
func (l *Launcher) insist(ctx context.Context, call func() error) error {
	for n := 1; ; n++ {
		err := call()
		var conflict *ledger.ConflictError
		var size *ledger.SizeError
		if err == nil || n == maxTries || errors.As(err, &conflict) || errors.As(err, &size) || ctx.Err() != nil {
			return err
		}
		if l.Clock.Sleep(ctx, backoff(n, 100*time.Millisecond, time.Second)) != nil {
			return err
		}
	}
}

// maxTries bounds the repeats of one call.
const maxTries = 4

// ownedBy is the item that names the launch that a run belongs to. version is the
// item's own; 0: it does not exist yet.
func ownedBy(launchKey, runID string, version int64, now time.Time) ledger.Item {
	doc, _ := encode(belongs{Format: format, Launch: launchKey}) // texts
	return ledger.Item{Key: runKey(runID), Version: version, Doc: doc, Expires: now.Add(keptFor)}
}

// runKey is the key of a run's item.
func runKey(id string) string {
	const longest = 512 // no id of Amperity's comes near it
	if len(id) > longest {
		sum := sha256.Sum256([]byte(id))
		id = hex.EncodeToString(sum[:])
	}
	return runPrefix + id
}

func request(configID string) amperity.RunRequest { return amperity.RunRequest{ConfigID: configID} }

// announcement tells how the launch stands: started, rejected, held or
// discarded.
func (r *record) announcement(tenant string) announcement.Announcement {
	t := map[state]announcement.DetailType{
		started:   announcement.RunStarted,
		rejected:  announcement.RunRejected,
		held:      announcement.RunHeld,
		discarded: announcement.RunDiscarded,
	}[r.State]
	d := announcement.Detail{
		Version:    announcement.Version,
		LaunchKey:  r.Key,
		Tenant:     tenant,
		Reason:     r.Reason,
		Cause:      &r.Cause,
		Request:    &r.Request,
		Run:        r.Run,
		Truncated:  r.RunCut,
		Error:      r.errorTold(),
		Candidates: r.Candidates,
	}
	switch r.State {
	case started:
		d.ID = announcement.ID(t, r.Key, r.Run.ID)
	default:
		d.Hold = r.Hold
		d.ID = announcement.ID(t, r.Key, r.Reason, fmt.Sprint(r.Hold))
		d.Hint = r.hint()
	}
	if len(r.Samples) > 0 {
		d.Window = &announcement.Window{ConfigID: r.Request.ConfigID, Period: r.Cause.Period, Route: r.Cause.Route, Files: r.Cause.Files, Samples: r.Samples}
	}
	a := announcement.Announcement{Type: t, Detail: d}
	if r.Resource != "" {
		a.Resources = []string{r.Resource}
	}
	return a
}

// blockedNews tells that a launch is blocked.
func (l *Launcher) blockedNews(j *job) announcement.Announcement {
	a := announcement.Announcement{Type: announcement.RunBlocked, Detail: announcement.Detail{
		Version:   announcement.Version,
		ID:        announcement.ID(announcement.RunBlocked, j.Key, j.Reason, j.Blocked.Since.UTC().Format(time.RFC3339Nano)),
		LaunchKey: j.Key,
		Tenant:    l.Tenant,
		Reason:    j.Reason,
		Hint:      j.blockedHint(),
		Cause:     &j.Cause,
		Request:   &j.Request,
		Error:     j.Error,
	}}
	if j.Resource != "" {
		a.Resources = []string{j.Resource}
	}
	return a
}
