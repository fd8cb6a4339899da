// Package clock is the machine's clock, and a clock that a test moves.
package clock

import (
	"context"
	"sync"
	"time"
)

// System is the clock of the machine.
type System struct{}

// Now returns the time.
func (System) Now() time.Time { return time.Now() }

// Sleep waits for d. If ctx ends first, Sleep returns its error immediately.
func (System) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// WithTimeout is [context.WithTimeout].
func (System) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

// Manual is a clock that stands still until its owner moves it, or until
// a caller sleeps. It is safe for use by several goroutines.
type Manual struct {
	mu  sync.Mutex
	now time.Time
}

// NewManual returns a clock that stands at a time.
func NewManual(now time.Time) *Manual { return &Manual{now: now} }

// Now returns the time.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// Set moves the clock to a time.
func (m *Manual) Set(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = now
}

// Advance moves the clock by d.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
}

// Sleep moves the clock by d and returns immediately. The error is that of ctx.
func (m *Manual) Sleep(ctx context.Context, d time.Duration) error {
	m.Advance(d)
	return ctx.Err()
}

// WithTimeout returns a context whose deadline is by this clock. Err reports
// the deadline once the clock has reached it. Done is that of ctx: the clock
// does not wake what waits for it.
func (m *Manual) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return m.WithDeadline(ctx, m.Now().Add(d))
}

// WithDeadline is like WithTimeout, with the time at which the context ends.
func (m *Manual) WithDeadline(ctx context.Context, end time.Time) (context.Context, context.CancelFunc) {
	if outer, ok := ctx.Deadline(); ok && outer.Before(end) {
		end = outer
	}
	ctx, cancel := context.WithCancel(ctx)
	return &limited{ctx, m, end}, cancel
}

// limited is a context that ends by a manual clock.
type limited struct {
	context.Context
	clock *Manual
	end   time.Time
}

// Deadline returns when the context ends.
func (l *limited) Deadline() (time.Time, bool) { return l.end, true }

// Err returns an error once the context has ended.
func (l *limited) Err() error {
	if !l.clock.Now().Before(l.end) {
		return context.DeadlineExceeded
	}
	return l.Context.Err()
}
