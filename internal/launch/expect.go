package launch

import (
	"context"
	"errors"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/window"
)

// Expect sees to it that a window exists, and is looked at when its deadline
// passes, whether or not a file comes.
func (ws *Windows) Expect(ctx context.Context, w Window) error {
	item, err := ws.store.Get(ctx, w.Key())
	for n := 1; err == nil; n++ {
		now := ws.clock.Now()
		j := &windowJob{item, window.New(w.ConfigID, w.Period, w.Route, now)}
		if item.Exists() {
			if j, _, err = decodeWindow(item, &w); err != nil {
				return err
			}
		}
		j.state.Expected = true
		d := j.state.Evaluate(w.Rules, now)
		look := d.At
		if d.Do != window.Nothing {
			look = now // whoever looks at it then launches it
		}
		err = ws.store.PutWindow(ctx, j, &w, look)
		var conflict *ledger.ConflictError
		if !errors.As(err, &conflict) || n == maxFolds {
			return err
		}
		item, err = conflict.Current[0], ws.store.Pause(ctx, n)
	}
	return err
}
