package clock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/clock"
)

func TestSystemSleepEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c clock.System
		begin := c.Now()
		if err := c.Sleep(t.Context(), time.Second); err != nil || c.Now().Sub(begin) != time.Second {
			t.Errorf("slept %s, %v", c.Now().Sub(begin), err)
		}
		ctx, cancel := c.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Sleep(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) || c.Now().Sub(begin) != 2*time.Second {
			t.Errorf("slept %s in all, %v", c.Now().Sub(begin), err)
		}
	})
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestManualMovesOnRequestAlone(t *testing.T) {
	t.Parallel()
	c := clock.NewManual(noon)
	for _, step := range []struct {
		name string
		do   func()
		want time.Time
	}{
		{"nothing", func() {}, noon},
		{"advance", func() { c.Advance(time.Minute) }, noon.Add(time.Minute)},
		{"sleep", func() {
			if err := c.Sleep(t.Context(), time.Hour); err != nil {
				t.Error(err)
			}
		}, noon.Add(61 * time.Minute)},
		{"set", func() { c.Set(noon) }, noon},
	} {
		step.do()
		if got := c.Now(); !got.Equal(step.want) {
			t.Errorf("after %s: got %s, want %s", step.name, got, step.want)
		}
	}
}

func TestManualDeadlineEndsContext(t *testing.T) {
	t.Parallel()
	c := clock.NewManual(noon)
	outer, cancelOuter := c.WithTimeout(t.Context(), time.Minute)
	defer cancelOuter()
	inner, cancelInner := c.WithDeadline(outer, noon.Add(time.Hour))
	if end, ok := inner.Deadline(); !ok || !end.Equal(noon.Add(time.Minute)) {
		t.Errorf("the inner context ends at %s, and the outer one at 12:01", end)
	}
	c.Advance(time.Minute - 1)
	if outer.Err() != nil || inner.Err() != nil {
		t.Errorf("before the deadline: %v, %v", outer.Err(), inner.Err())
	}
	cancelInner()
	if !errors.Is(inner.Err(), context.Canceled) || outer.Err() != nil {
		t.Errorf("after the cancel: %v, %v", inner.Err(), outer.Err())
	}
	if err := c.Sleep(outer, 1); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(outer.Err(), context.DeadlineExceeded) {
		t.Errorf("at the deadline: %v, %v", err, outer.Err())
	}
}

func TestSystemSleepDoesNotBeginInACanceledContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (clock.System{}).Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := (clock.System{}).Sleep(t.Context(), 0); err != nil {
		t.Error(err)
	}
}
