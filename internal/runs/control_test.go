package runs

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/clock"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// An instance that remembers an older control run notes the new principal of
// its first answered request all the same (docs/guarantees.md, assumption 3).
func TestInstanceWithAStaleMemoryNotesTheNewPrincipal(t *testing.T) {
	t.Parallel()
	store := &record.Store{Ledger: ledger.NewMemory(), Clock: clock.System{}, Token: func(context.Context) string { return rand.Text() }}
	first, second := &Client{Store: store}, &Client{Store: store}
	second.PreloadControlRun(t.Context()) // in init
	at := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	first.NoteControlRun(t.Context(), &amperity.Run{ID: "wf-1", CreatedAt: at, PrincipalID: "old-key"})
	second.NoteControlRun(t.Context(), &amperity.Run{ID: "wf-2", CreatedAt: at.Add(time.Hour), PrincipalID: "new-key"})
	got, err := first.ReadControlRun(t.Context())
	if err != nil || got.RunID != "wf-2" || got.PrincipalID != "new-key" {
		t.Errorf("the control run is %+v, %v", got, err)
	}
}
