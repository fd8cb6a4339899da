package launch

import (
	"context"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/runs"
)

// isTurn reports whether the request of a queued launch may be sent now. If
// not, the verdict blocks or holds the launch.
func (l *Launcher) isTurn(ctx context.Context, j *record.Launch) (runs.Verdict, bool, error) {
	c, err := l.Store.ConfigID(ctx, j.Request.ConfigID)
	if err != nil {
		return runs.Verdict{}, false, err
	}
	front := l.Runs.Front(ctx, c, j.Key)
	if front.IsZero() {
		return runs.Verdict{}, true, nil
	}
	v := runs.Verdict{Outcome: record.Blocked, Reason: announcement.ReasonOverlap, Unannounced: true, InFront: front.RunID,
		Detail: &announcement.Error{Kind: announcement.ErrorPolicy, Message: queuedText}}
	since := j.Blocked.Since
	if now := l.Clock.Now(); !front.Launch && !since.IsZero() && !c.Overlap.Asked(front.RunID, now) && !now.Before(front.Limit(since)) {
		v.Outcome, v.Detail = record.Held, HeldError(announcement.ReasonOverlap, front.RunID)
	}
	return v, false, nil
}
