package runs_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/clock"
	"github.com/amperity-runs/amperity-runs/internal/runs"
)

// A request that cannot wait for its turn leaves the turn to the next request.
func TestLimiterReturnsTurnThatEndsTooLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := runs.NewLimiter(1, clock.System{})
		begin := time.Now()
		if err := p.Wait(t.Context()); err != nil || time.Since(begin) != 0 {
			t.Fatalf("the first waited %s, %v", time.Since(begin), err)
		}
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
			if err := p.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 0 {
				t.Errorf("it waited %s, %v", time.Since(begin), err)
			}
			cancel()
		}
		if err := p.Wait(t.Context()); err != nil || time.Since(begin) != time.Second {
			t.Errorf("the second waited %s, %v", time.Since(begin), err)
		}
	})
}
