package runs

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Client asks Amperity on behalf of one instance of a function. It paces what it
// sends, ends it before the invocation's deadline, and remembers answers that
// several launches of one sweep need. It is safe for concurrent use.
type Client struct {
	API   API
	Store *record.Store
	Clock record.Clock
	// Pacer delays requests; nil sends them at once.
	Pacer  Pacer
	Rand   func() float64
	Logger *slog.Logger

	memory memory
}

// Turn waits for this instance's turn within the rate limit. It reports whether
// there is time left for the request after that.
func (cl *Client) WaitForTurn(ctx context.Context) bool {
	if cl.Pacer == nil {
		return true
	}
	wait := postTimeout
	if d, ok := ctx.Deadline(); ok {
		wait = d.Sub(cl.Clock.Now()) - reserve - MinPost
	}
	wctx, cancel := cl.Clock.WithTimeout(ctx, wait)
	defer cancel()
	return cl.Pacer.Wait(wctx) == nil && cl.HasTimeFor(ctx, MinPost)
}

// Start sends a request once, and returns what the answer means.
func (cl *Client) StartRun(ctx context.Context, r amperity.RunRequest) Verdict {
	if !cl.HasTimeFor(ctx, MinPost) {
		return OutOfTime(NoTime)
	}
	limit := postTimeout
	if d, ok := ctx.Deadline(); ok {
		limit = min(limit, d.Sub(cl.Clock.Now())-reserve) // what follows needs time too
	}
	pctx, cancel := cl.Clock.WithTimeout(ctx, limit)
	defer cancel()
	return Judge(cl.API.StartRun(pctx, r))
}

// TimeFor reports whether d may pass before the time kept in reserve begins.
func (cl *Client) HasTimeFor(ctx context.Context, d time.Duration) bool {
	end, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || end.Sub(cl.Clock.Now())-reserve >= d)
}

// Rest waits before a request is sent again, for as long as Amperity asks at
// least. It reports whether there was time for that, and there is for the
// request. Half of the delay is random, so that many schedules of the same second
// do not come back in the same second.
func (cl *Client) WaitForRetry(ctx context.Context, backoff, atLeast time.Duration) bool {
	wait := max(backoff/2+time.Duration(cl.Rand()*float64(backoff/2)), atLeast)
	return cl.HasTimeFor(ctx, wait+MinPost) && cl.Clock.Sleep(ctx, wait) == nil
}

// paced waits until the next question may be asked.
func (cl *Client) pace(ctx context.Context) error {
	if cl.Pacer == nil {
		return nil
	}
	return cl.Pacer.Wait(ctx)
}

// query puts a question to Amperity when it is its turn, with so much time for an
// answer; and again, at most so many times in all, where too many have asked:
// whoever began anew with all that he has to ask would find as many there.
func (cl *Client) query(ctx context.Context, limit time.Duration, most int, question func(context.Context) error) error {
	backoff := FirstBackoff
	for n := 1; ; n++ {
		if err := cl.pace(ctx); err != nil {
			return err
		}
		err := cl.queryOnce(ctx, limit, question)
		var api *amperity.APIError
		if n == most || !errors.As(err, &api) || !errors.Is(err, amperity.ErrRateLimited) || api.RetryAfter > maxPause {
			return err
		}
		if !cl.WaitForRetry(ctx, backoff, api.RetryAfter) {
			return err
		}
		backoff = min(2*backoff, MaxBackoff)
	}
}

// within bounds a question to Amperity: what follows needs time too.
func (cl *Client) queryOnce(ctx context.Context, limit time.Duration, question func(context.Context) error) error {
	if d, ok := ctx.Deadline(); ok {
		limit = min(limit, d.Sub(cl.Clock.Now())-reserve)
	}
	ctx, cancel := cl.Clock.WithTimeout(ctx, max(0, limit))
	defer cancel()
	return question(ctx)
}

func (cl *Client) GetRun(ctx context.Context, id string, view amperity.View, most int) (run *amperity.Run, err error) {
	err = cl.query(ctx, getTimeout, most, func(ctx context.Context) error {
		run, err = cl.API.GetRun(ctx, id, view)
		return err
	})
	return run, err
}

// Starter starts workflow runs. Its errors are those of [amperity.Client]:
// [amperity.NotProcessed] and errors.Is alone read what a failure means for the
// run.
type Starter interface {
	StartRun(ctx context.Context, r amperity.RunRequest) (*amperity.Run, error)
}

// API starts workflow runs and looks at them; [amperity.Client] does.
type API interface {
	Starter
	GetRun(ctx context.Context, id string, view amperity.View) (*amperity.Run, error)
	// ListRunPages lists runs page by page; an error ends the list, and what came
	// before it is not the whole.
	ListRunPages(ctx context.Context, o amperity.ListOptions) iter.Seq2[*amperity.Page, error]
}

// A Pacer delays requests so that this instance stays within its share of
// Amperity's rate limit.
type Pacer interface {
	// Wait blocks until the next request may be sent. It returns an error,
	// and nothing may be sent, when the context ends before that.
	Wait(ctx context.Context) error
}

const (
	// firstBackoff and maxBackoff bound the delay before a request is repeated.
	// It doubles each time.
	FirstBackoff = 500 * time.Millisecond
	MaxBackoff   = 8 * time.Second
)

const (
	// reserve is kept of the invocation's time for what follows the POST:
	// Lambda kills at the deadline, and an outcome that nobody was told is
	// as good as lost.
	reserve = 5 * time.Second
	// postTimeout bounds one POST; the API reference says that "some
	// requests may take seconds".
	postTimeout = 20 * time.Second
	// minPost is the least time worth beginning a POST with: a request cut
	// off early is one whose outcome nobody knows.
	MinPost = 3 * time.Second
)

const (
	// getTimeout and listTimeout bound what is asked of Amperity, so that an
	// answer which does not come holds up nothing else.
	getTimeout  = 5 * time.Second
	listTimeout = 20 * time.Second
)
