package runs

import (
	"context"
	"errors"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// ControlRun is the document of the control run, which every list must show. A
// stack has one.
type ControlRun struct {
	Format      int       `json:"format"`
	RunID       string    `json:"run_id"`
	Created     time.Time `json:"created"`
	PrincipalID string    `json:"principal_id,omitempty"`
}

// controlKey is the key of the control run's item.
const controlKey = "control"

// ReadControlRun reads the control run. A stack without one has the zero
// ControlRun.
func (cl *Client) ReadControlRun(ctx context.Context) (ControlRun, error) {
	known, _, err := cl.readControlItem(ctx)
	return known, err
}

// readControlItem reads the control run and the version of its item.
func (cl *Client) readControlItem(ctx context.Context) (known ControlRun, version int64, err error) {
	item, err := cl.Store.Get(ctx, controlKey)
	if err != nil || !item.Exists() {
		return ControlRun{}, 0, err
	}
	err = record.Decode(item, &known, func() int { return known.Format })
	return known, item.Version, err
}

// PreloadControlRun reads the control run into memory, so that NoteControlRun
// need not. If it fails, NoteControlRun reads it.
func (cl *Client) PreloadControlRun(ctx context.Context) {
	if known, version, err := cl.readControlItem(ctx); err == nil {
		cl.memory.setControl(&controlItem{known, version})
	}
}

// NoteControlRun makes a run the control run, unless there is a recent one. If
// it fails, an older control run or none checks the lists.
func (cl *Client) NoteControlRun(ctx context.Context, run *amperity.Run) {
	if run == nil || run.CreatedAt.IsZero() {
		return
	}
	recentEnough := func(known ControlRun) bool {
		return known.RunID != "" && run.CreatedAt.Sub(known.Created) < controlEvery && known.PrincipalID == run.PrincipalID
	}
	last := cl.memory.lastControl()
	if last != nil && recentEnough(last.run) || !cl.memory.beginNoting() {
		return
	}
	defer cl.memory.endNoting()
	next := ControlRun{Format: record.Format, RunID: run.ID, Created: run.CreatedAt, PrincipalID: run.PrincipalID}
	doc, _ := record.Encode(next) // texts and a time
	for range 2 {                 // what this instance remembers may be stale
		if last == nil {
			cl.PreloadControlRun(ctx)
			if last = cl.memory.lastControl(); last == nil || recentEnough(last.run) {
				return
			}
		}
		err := cl.Store.Put(ctx, cl.Store.Token(ctx), ledger.Item{Key: controlKey, Version: last.version, Doc: doc})
		if err == nil {
			cl.memory.setControl(&controlItem{next, last.version + 1})
			return
		}
		last = nil
		cl.memory.setControl(nil)
		if _, conflict := errors.AsType[*ledger.ConflictError](err); !conflict {
			return
		}
	}
}

// controlItem is the control run with the version of its item. It is immutable.
type controlItem struct {
	run     ControlRun
	version int64
}

// lastControl returns the control run that this instance read or wrote last, or
// nil.
func (m *memory) lastControl() *controlItem {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.control
}

// beginNoting reports whether the caller may write the control run: no other
// launch of the instance is writing it.
func (m *memory) beginNoting() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.noting
	m.noting = true
	return !was
}

// endNoting ends what beginNoting began.
func (m *memory) endNoting() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noting = false
}

// setControl remembers a control run; nil forgets it.
func (m *memory) setControl(c *controlItem) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.control = c
}
