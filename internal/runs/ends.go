package runs

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// minEndQuery is the least time left in which the end of a run is queried.
const minEndQuery = 15 * time.Second

// hasEnded reports whether a run has ended. It queries the run once for all
// windows that wait for it in one sweep. An unreadable run counts as still
// running, and as unread unless Amperity refuses to show it. since is when the
// run's request was sent.
func (cl *Client) hasEnded(ctx context.Context, runID string, since time.Time) (ended, unread bool) {
	if d, ok := ctx.Deadline(); ok && d.Sub(cl.Clock.Now()) < minEndQuery {
		return false, true // writing the files comes first
	}
	q, known := cl.memory.endQuery(runID, cl.Clock.Now())
	if known {
		return q.ended, q.unread
	}
	unread = true
	defer func() { cl.memory.setEnd(runID, ended, unread) }()
	run, err := cl.GetRun(ctx, runID, amperity.ViewOverview, 1)
	switch {
	case errors.Is(err, amperity.ErrNotFound):
		// A run that Amperity does not know is not running, unless it is so new
		// that Amperity may not show it everywhere yet.
		ended, unread = cl.Clock.Now().Sub(since) > time.Hour, false
	case err != nil:
		cl.logUnreadable(ctx, runID, err)
		unread = !errors.Is(err, amperity.ErrRejected)
	default:
		ended, unread = run.Ended(), false
	}
	return ended, unread
}

// endQuery returns the latest query of a run. If known is false, the caller
// queries the run and reports the result to setEnd. Until then the run counts
// as still running.
func (m *memory) endQuery(runID string, now time.Time) (q endQuery, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q := m.ends[runID]; q != nil && (q.pending || q.ended || now.Sub(q.at) < fresh) {
		return *q, true
	}
	if m.ends == nil || len(m.ends) >= maxRemembered {
		m.ends = map[string]*endQuery{}
	}
	m.ends[runID] = &endQuery{at: now, pending: true, unread: true}
	return endQuery{}, false
}

// setEnd stores the result of a query that endQuery left to the caller.
func (m *memory) setEnd(runID string, ended, unread bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q := m.ends[runID]; q != nil {
		q.pending, q.ended, q.unread = false, ended, unread
	}
}

// Front returns what is in front of a launch in the queue of its config id. An
// empty key stands for a window, which is behind everything. A launch in front
// may itself wait for its turn. Front drops runs that have ended from c.
func (cl *Client) Front(ctx context.Context, c *record.ConfigID, key string) (f window.Front) {
	own := slices.IndexFunc(c.Launches, func(e record.LaunchRef) bool { return key != "" && e.Key == key })
	var ahead []record.LaunchRef
	for i, e := range c.Launches {
		behind := own >= 0 && i > own && e.State == record.RefGoing && e.Last.IsZero()
		if i != own && !behind {
			ahead = append(ahead, e)
		}
	}
	// The newest run comes first: it is the likeliest to be still running.
	slices.SortStableFunc(ahead, func(a, b record.LaunchRef) int { return b.Last.Compare(a.Last) })
	for _, e := range ahead {
		switch {
		case e.State == record.RefGoing:
			f.Launch = true
		case e.State == record.RefStarted && f.IsZero():
			ended, unread := cl.hasEnded(ctx, e.RunID, e.Last)
			if ended {
				c.RunEnded(e)
			} else {
				f.RunID, f.Since, f.Unread = e.RunID, e.Last, unread
			}
		}
	}
	return f
}

// logUnreadable logs that a run cannot be read that a window waits for.
func (cl *Client) logUnreadable(ctx context.Context, runID string, err error) {
	cl.Logger.WarnContext(ctx, "run unreadable", slog.String(telemetry.RunID, runID), slog.String(telemetry.Error, err.Error()))
}
