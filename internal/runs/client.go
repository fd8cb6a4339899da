// Package runs queries Amperity within one invocation: it starts runs, reads
// them, and finds the runs of launches whose requests have an unknown outcome.
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

// Client sends the requests of one instance of a function to Amperity. It paces
// them, ends them before the invocation's deadline, and remembers results that
// several launches of one sweep need. It is safe for concurrent use.
type Client struct {
	API   API
	Store *record.Store
	Clock record.Clock
	// Pacer delays requests; nil sends them immediately.
	Pacer  Pacer
	Rand   func() float64
	Logger *slog.Logger

	memory memory
}

// WaitForTurn waits for this instance's turn within the rate limit. It reports
// whether enough time is left for a request.
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

// TakeTurn takes this instance's turn within the rate limit if it has come, and
// reports whether it has.
func (cl *Client) TakeTurn() bool { return cl.Pacer == nil || cl.Pacer.TakeTurn() }

// StartRun sends a request once, and returns what the answer means.
func (cl *Client) StartRun(ctx context.Context, r amperity.RunRequest) Verdict {
	if !cl.HasTimeFor(ctx, MinPost) {
		return OutOfTime(NoTime)
	}
	limit := postTimeout
	if d, ok := ctx.Deadline(); ok {
		limit = min(limit, d.Sub(cl.Clock.Now())-reserve) // recording the outcome needs time too
	}
	pctx, cancel := cl.Clock.WithTimeout(ctx, limit)
	defer cancel()
	return Judge(cl.API.StartRun(pctx, r))
}

// HasTimeFor reports whether the invocation has time for d besides the reserve.
func (cl *Client) HasTimeFor(ctx context.Context, d time.Duration) bool {
	end, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || end.Sub(cl.Clock.Now())-reserve >= d)
}

// WaitForRetry waits before a retry, for at least as long as Amperity asks. It
// reports whether there was time to wait, and is time for the request. Half of
// the delay is random, so that schedules of the same second do not retry in the
// same second.
func (cl *Client) WaitForRetry(ctx context.Context, backoff, atLeast time.Duration) bool {
	wait := max(backoff/2+time.Duration(cl.Rand()*float64(backoff/2)), atLeast)
	return cl.HasTimeFor(ctx, wait+MinPost) && cl.Clock.Sleep(ctx, wait) == nil
}

// pace waits until the next query may be sent.
func (cl *Client) pace(ctx context.Context) error {
	if cl.Pacer == nil {
		return nil
	}
	return cl.Pacer.Wait(ctx)
}

// query sends one query to Amperity, paced and bounded by limit. A rate-limited
// query is retried in place, up to most times in total: starting the whole
// lookup over would hit the same limit.
func (cl *Client) query(ctx context.Context, limit time.Duration, most int, call func(context.Context) error) error {
	backoff := FirstBackoff
	for n := 1; ; n++ {
		if err := cl.pace(ctx); err != nil {
			return err
		}
		err := cl.queryOnce(ctx, limit, call)
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

// queryOnce sends one query to Amperity. It ends the query after limit, and
// early enough before the invocation's deadline.
func (cl *Client) queryOnce(ctx context.Context, limit time.Duration, call func(context.Context) error) error {
	if d, ok := ctx.Deadline(); ok {
		limit = min(limit, d.Sub(cl.Clock.Now())-reserve)
	}
	ctx, cancel := cl.Clock.WithTimeout(ctx, max(0, limit))
	defer cancel()
	return call(ctx)
}

// GetRun reads a run. It retries a rate-limited query, up to most times in
// total.
func (cl *Client) GetRun(ctx context.Context, id string, view amperity.View, most int) (run *amperity.Run, err error) {
	err = cl.query(ctx, getTimeout, most, func(ctx context.Context) error {
		run, err = cl.API.GetRun(ctx, id, view)
		return err
	})
	return run, err
}

// Starter starts workflow runs. Its errors are those of [amperity.Client]. Only
// [amperity.NotProcessed] and errors.Is decide what an error means for the run.
type Starter interface {
	StartRun(ctx context.Context, r amperity.RunRequest) (*amperity.Run, error)
}

// API starts and reads workflow runs. [amperity.Client] implements it.
type API interface {
	Starter
	GetRun(ctx context.Context, id string, view amperity.View) (*amperity.Run, error)
	// ListRunPages lists runs page by page. An error ends the list, and the
	// pages before it are not the whole list.
	ListRunPages(ctx context.Context, o amperity.ListOptions) iter.Seq2[*amperity.Page, error]
}

// A Pacer delays requests so that this instance stays within its share of
// Amperity's rate limit.
type Pacer interface {
	// TakeTurn takes the turn of the next request if it has come. It reports
	// whether the request may be sent now.
	TakeTurn() bool
	// Wait blocks until the next request may be sent. If the context ends
	// first, Wait returns an error, and nothing may be sent.
	Wait(ctx context.Context) error
}

const (
	// FirstBackoff and MaxBackoff bound the delay before a retry. It doubles
	// each time.
	FirstBackoff = 500 * time.Millisecond
	MaxBackoff   = 8 * time.Second
)

const (
	// reserve is the part of the invocation's time that no request may use.
	// Lambda kills the function at the deadline, and the outcome must be
	// recorded and announced before that.
	reserve = 5 * time.Second
	// postTimeout bounds one POST. The API reference says that "some requests
	// may take seconds".
	postTimeout = 20 * time.Second
	// MinPost is the least time to begin a POST with. A request that is cut off
	// early has an unknown outcome.
	MinPost = 3 * time.Second
)

const (
	// getTimeout and listTimeout bound queries, so that a missing answer delays
	// nothing else.
	getTimeout  = 5 * time.Second
	listTimeout = 20 * time.Second
)
