package launch

import (
	"context"
	"errors"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// verdict is what is known of a launch once its request was sent, or not sent.
type verdict struct {
	outcome Outcome
	reason  string
	hint    string
	run     *amperity.Run
	detail  *announcement.Error
	// unannounced: nobody has to know; it is logged and delivered again.
	unannounced bool
	// retryAfter is what Amperity asked for before the next request.
	retryAfter time.Duration
}

func (v verdict) message() string {
	if v.detail == nil {
		return ""
	}
	return v.detail.Message
}

// judge says what the answer to a POST means for the launch. Only failures
// after which certainly nothing was processed are blocked or rejected; all
// others leave it unknown whether a run exists.
func judge(run *amperity.Run, err error) verdict {
	if err == nil {
		return verdict{outcome: Started, run: run}
	}
	d := &announcement.Error{Message: err.Error()}
	v := verdict{outcome: Blocked, hint: hintBlocked, detail: d}
	var api *amperity.APIError
	if errors.As(err, &api) {
		d.Status, d.Message, d.RequestID, d.TraceID = api.Status, err.Error(), api.RequestID, api.TraceID
		v.retryAfter = api.RetryAfter
	}
	var invalid *amperity.RequestError
	switch {
	case amperity.MayHaveBeenProcessed(err):
		v.outcome, v.reason, v.hint, d.Kind = Held, announcement.ReasonUnknownOutcome, hintUnknown, announcement.ErrorUnknown
	case errors.As(err, &invalid):
		v.outcome, v.reason, v.hint, d.Kind = Rejected, announcement.ReasonInvalidInput, hintInput, announcement.ErrorInvalidInput
	case errors.Is(err, amperity.ErrUnauthorized):
		v.reason, d.Kind = announcement.ReasonUnauthorized, announcement.ErrorUnauthorized
	case errors.Is(err, amperity.ErrRateLimited):
		v.reason, d.Kind = announcement.ReasonRateLimited, announcement.ErrorRateLimited
	case errors.Is(err, amperity.ErrBusy):
		v.reason, d.Kind = announcement.ReasonBusy, announcement.ErrorBusy
	case errors.Is(err, amperity.ErrRejected):
		v.outcome, v.reason, v.hint, d.Kind = Rejected, announcement.ReasonRefused, hintRefused, announcement.ErrorRejected
	default:
		v.reason, d.Kind = announcement.ReasonUnreachable, announcement.ErrorUnreachable
	}
	return v
}

const (
	// attempts bounds the requests of one launch in one invocation; what is
	// blocked longer than that is delivered again.
	attempts     = 4
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 8 * time.Second
)

// post sends the request, and sends it again where certainly nothing was
// processed and the time allows. An expired token is not worth a retry here:
// the client has tried a fresh one already.
func (l *Launcher) post(ctx context.Context, in Launch) verdict {
	backoff := firstBackoff
	var v verdict
	for n := 1; ; n++ {
		if !l.timeFor(ctx, minPost) {
			if n == 1 {
				return outOfTime(noTimeText)
			}
			return v
		}
		v = l.postOnce(ctx, in)
		if v.outcome != Blocked || v.reason == announcement.ReasonUnauthorized || n == attempts {
			return v
		}
		// Half of the delay is random, so that many schedules of the same
		// second do not come back in the same second.
		wait := backoff/2 + time.Duration(l.Rand()*float64(backoff/2))
		wait = max(wait, v.retryAfter)
		if !l.timeFor(ctx, wait+minPost) || l.Clock.Sleep(ctx, wait) != nil {
			return v
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

func (l *Launcher) postOnce(ctx context.Context, in Launch) verdict {
	limit := postTimeout
	if d, ok := ctx.Deadline(); ok {
		limit = min(limit, d.Sub(l.Clock.Now())-reserve)
	}
	pctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if l.Pacer != nil {
		if err := l.Pacer.Wait(pctx); err != nil {
			return outOfTime(noTurnText)
		}
	}
	return judge(l.API.StartRun(pctx, in.Request))
}

// outOfTime is the verdict on a launch whose turn did not come in this
// invocation, as in a batch of very many windows.
func outOfTime(text string) verdict {
	return verdict{outcome: Blocked, reason: announcement.ReasonRateLimited, unannounced: true,
		detail: &announcement.Error{Kind: announcement.ErrorRateLimited, Message: text}}
}

// timeFor reports whether d may pass before the time kept in reserve begins.
func (l *Launcher) timeFor(ctx context.Context, d time.Duration) bool {
	end, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || end.Sub(l.Clock.Now())-reserve >= d)
}
