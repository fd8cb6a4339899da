package runs

import (
	"context"
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
	item, err := cl.Store.Get(ctx, controlKey)
	if err != nil || !item.Exists() {
		return ControlRun{}, err
	}
	var known ControlRun
	err = record.Decode(item, &known, func() int { return known.Format })
	return known, err
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
			return // another instance was first, or the ledger failed
		}
	}
	cl.memory.setControl(known)
}

// knownControl returns the control run that this instance read or wrote last.
func (m *memory) knownControl() ControlRun {
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

// setControl remembers the control run.
func (m *memory) setControl(c ControlRun) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.control = c
}
