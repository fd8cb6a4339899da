package launch

import (
	"context"
	"errors"
	"math/rand/v2"
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
	// behind is the id of the run in front, with the reason overlap.
	behind string
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
// others leave it unknown whether a run exists. A 409 is blocked although it
// proves nothing: the list is read before the next request.
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
	case !amperity.NotProcessed(err) && !errors.Is(err, amperity.ErrConflict):
		v.outcome, v.reason, v.hint, d.Kind = Held, announcement.ReasonUnknownOutcome, hintUnknown, announcement.ErrorUnknown
	case errors.As(err, &invalid):
		v.outcome, v.reason, v.hint, d.Kind = Rejected, announcement.ReasonInvalidInput, hintInput, announcement.ErrorInvalidInput
	case errors.Is(err, amperity.ErrUnauthorized):
		v.reason, d.Kind = announcement.ReasonUnauthorized, announcement.ErrorUnauthorized
	case errors.Is(err, amperity.ErrRateLimited):
		v.reason, d.Kind = announcement.ReasonRateLimited, announcement.ErrorRateLimited
	case errors.Is(err, amperity.ErrConflict):
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
	// blocked longer than that is tried again later.
	attempts     = 4
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 8 * time.Second
)

// poster sends the requests that start runs.
type poster struct {
	api   Starter
	clock Clock
	pacer Pacer
	rand  func() float64
}

func newPoster(api Starter, clock Clock, pacer Pacer, random func() float64) poster {
	if random == nil {
		random = rand.Float64
	}
	return poster{api, clock, pacer, random}
}

// post sends the request, and sends it again where certainly nothing was
// processed and the time allows. An expired token is not worth a retry here:
// the client has tried a fresh one already. It sends at most so many requests.
// Before each it calls mark, if there is one, and sends nothing after an error
// of it.
func (p poster) post(ctx context.Context, r amperity.RunRequest, most int, mark func(context.Context) error) (verdict, error) {
	backoff := firstBackoff
	var v verdict
	for n := 1; ; n++ {
		if !p.timeFor(ctx, minPost) {
			if n == 1 {
				return outOfTime(noTimeText), nil
			}
			return v, nil
		}
		if !p.turn(ctx) {
			if n == 1 {
				return outOfTime(noTurnText), nil
			}
			return v, nil
		}
		if mark != nil {
			if err := mark(ctx); err != nil {
				return verdict{}, err
			}
		}
		// A crash from here until the outcome is recorded leaves it unknown
		// whether there is a run.
		v = p.send(ctx, r)
		if v.outcome != Blocked || v.reason == announcement.ReasonUnauthorized || v.reason == announcement.ReasonBusy || n == most {
			return v, nil
		}
		if !p.rest(ctx, backoff, v.retryAfter) {
			return v, nil
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// rest waits before a request is sent again, for as long as Amperity asks at
// least. It reports whether there was time for that, and there is for the
// request. Half of the delay is random, so that many schedules of the same second
// do not come back in the same second.
func (p poster) rest(ctx context.Context, backoff, atLeast time.Duration) bool {
	wait := max(backoff/2+time.Duration(p.rand()*float64(backoff/2)), atLeast)
	return p.timeFor(ctx, wait+minPost) && p.clock.Sleep(ctx, wait) == nil
}

// turn waits for this instance's turn within the rate limit. It reports whether
// there is time left for the request after that.
func (p poster) turn(ctx context.Context) bool {
	if p.pacer == nil {
		return true
	}
	wait := postTimeout
	if d, ok := ctx.Deadline(); ok {
		wait = d.Sub(p.clock.Now()) - reserve - minPost
	}
	wctx, cancel := p.clock.WithTimeout(ctx, wait)
	defer cancel()
	return p.pacer.Wait(wctx) == nil && p.timeFor(ctx, minPost)
}

// send sends the request once.
func (p poster) send(ctx context.Context, r amperity.RunRequest) verdict {
	if !p.timeFor(ctx, minPost) {
		return outOfTime(noTimeText)
	}
	limit := postTimeout
	if d, ok := ctx.Deadline(); ok {
		limit = min(limit, d.Sub(p.clock.Now())-reserve) // what follows needs time too
	}
	pctx, cancel := p.clock.WithTimeout(ctx, limit)
	defer cancel()
	return judge(p.api.StartRun(pctx, r))
}

// outOfTime is the verdict on a launch whose turn did not come in this
// invocation, as in a batch of very many windows.
func outOfTime(text string) verdict {
	return verdict{outcome: Blocked, reason: announcement.ReasonRateLimited, unannounced: true,
		detail: &announcement.Error{Kind: announcement.ErrorRateLimited, Message: text}}
}

// timeFor reports whether d may pass before the time kept in reserve begins.
func (p poster) timeFor(ctx context.Context, d time.Duration) bool {
	end, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || end.Sub(p.clock.Now())-reserve >= d)
}
