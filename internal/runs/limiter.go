package runs

import (
	"context"

	"golang.org/x/time/rate"

	"github.com/amperity-runs/amperity-runs/internal/record"
)

// Limiter is a [Pacer] that lets requests go at a rate.
type Limiter struct {
	limiter *rate.Limiter
	clock   record.Clock
}

// NewLimiter returns a limiter that lets perSecond requests go each second, one
// at a time.
func NewLimiter(perSecond float64, clock record.Clock) *Limiter {
	return &Limiter{rate.NewLimiter(rate.Limit(perSecond), 1), clock}
}

// TakeTurn takes the next turn if it has come, and reports whether it has.
func (l *Limiter) TakeTurn() bool { return l.limiter.AllowN(l.clock.Now(), 1) }

// Wait blocks until the next request may be sent. If the context ends before
// that, Wait returns [context.DeadlineExceeded] immediately, and the turn goes
// to the next request.
func (l *Limiter) Wait(ctx context.Context) error {
	now := l.clock.Now()
	turn := l.limiter.ReserveN(now, 1)
	wait := turn.DelayFrom(now)
	if end, ok := ctx.Deadline(); ok && end.Sub(now) < wait {
		turn.CancelAt(now)
		return context.DeadlineExceeded
	}
	return l.clock.Sleep(ctx, wait)
}
