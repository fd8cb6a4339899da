package runs

import (
	"context"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// ControlRun is the document of a run that every list must show. There is one
// for the whole stack.
type ControlRun struct {
	Format      int       `json:"format"`
	RunID       string    `json:"run_id"`
	Created     time.Time `json:"created"`
	PrincipalID string    `json:"principal_id,omitempty"`
}

// controlKey is the key of the control run's item.
const controlKey = "control"

// Control reads the control run.
func (cl *Client) ReadControlRun(ctx context.Context) (ControlRun, error) {
	item, err := cl.Store.Get(ctx, controlKey)
	if err != nil || !item.Exists() {
		return ControlRun{}, err
	}
	var known ControlRun
	err = record.Decode(item, &known, func() int { return known.Format })
	return known, err
}

// NoteControl makes a run the control run, unless there is a recent one. It is
// best effort: without it, lists are checked by an older run or none.
func (cl *Client) NoteControlRun(ctx context.Context, run *amperity.Run) {
	if run == nil || run.CreatedAt.IsZero() {
		return
	}
	recentEnough := func(known ControlRun) bool {
		return known.RunID != "" && run.CreatedAt.Sub(known.Created) < controlEvery && known.PrincipalID == run.PrincipalID
	}
	if recentEnough(cl.memory.knownControl()) || !cl.memory.beginNoting() {
		return
	}
	defer cl.memory.endNoting()
	item, err := cl.Store.Get(ctx, controlKey)
	if err != nil {
		return
	}
	var known ControlRun
	if item.Exists() && record.Decode(item, &known, func() int { return known.Format }) != nil {
		return
	}
	if !recentEnough(known) {
		known = ControlRun{Format: record.Format, RunID: run.ID, Created: run.CreatedAt, PrincipalID: run.PrincipalID}
		doc, _ := record.Encode(known) // texts and a time
		if cl.Store.Put(ctx, cl.Store.Token(ctx), ledger.Item{Key: controlKey, Version: item.Version, Doc: doc}) != nil {
			return // another instance was first, or there is none
		}
	}
	cl.memory.setControl(known)
}

func (m *memory) knownControl() ControlRun {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.control
}

// noteOnce reports whether no other launch of the instance is noting the control
// run.
func (m *memory) beginNoting() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.noting
	m.noting = true
	return !was
}

func (m *memory) endNoting() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noting = false
}

func (m *memory) setControl(c ControlRun) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.control = c
}
