package launch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/runs"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// recordOutcome records what became of a request, or why none was sent, and tells
// whom it concerns. The verdict's own request is still among j.Posts, unless it
// certainly was not processed.
func (l *Launcher) recordOutcome(ctx context.Context, j *record.Launch, v runs.Verdict) record.Result {
	now := l.Clock.Now()
	j.Error, j.Reason = v.Detail, v.Reason
	var err error
	switch {
	case v.Outcome == record.Started:
		err = l.recordRun(ctx, j, v.Run)
	case v.Outcome == record.Held && v.Reason != announcement.ReasonUnknownOutcome:
		err = l.holdLaunch(ctx, j, v.Reason, v.InFront)
	case v.Outcome == record.Held:
		j.SetState(record.StateUnknown, now)
		// A crash before this leaves it posting, which is looked into alike.
		err = l.Store.PutLaunch(ctx, j, now.Add(record.RevisitAfter))
	case v.Outcome == record.Rejected && len(j.Posts) > 1:
		// This request was refused. An earlier one may have started a run.
		j.Unmark()
		err = l.holdLaunch(ctx, j, announcement.ReasonUnknownOutcome, "")
	case v.Outcome == record.Rejected:
		j.Unmark()
		j.Answered = l.CountAnswered(ctx, j)
		j.SetState(record.StateRejected, now)
		j.Hold++
		// A crash before this leaves it posting, although nothing was
		// processed: in the end it is held.
		err = l.Store.Transact(ctx, j, now.Add(record.RevisitAfter), func(c *record.ConfigID) { c.RemoveLaunch(j.Key) })
	default:
		err = l.blockLaunch(ctx, j, v)
	}
	if err != nil {
		return l.recordFailed(ctx, j, v, err)
	}
	res := j.Result()
	l.LogResult(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, res)
	if !l.DeliverOutcome(ctx, j) && (j.State.Final() || j.State == record.StateHeld) {
		res.Warning = UnfinishedText
	}
	l.Runs.NoteControlRun(ctx, v.Run)
	return res
}

// recordRun records the run that Amperity answered with.
func (l *Launcher) recordRun(ctx context.Context, j *record.Launch, run *amperity.Run) error {
	posted := j.Posts[len(j.Posts)-1]
	j.SetRun(run, posted, l.Clock.Now())
	// A crash before this leaves it posting: the run is found by the list of
	// runs, and adopted.
	err := l.Store.Transact(ctx, j, l.Clock.Now().Add(record.RevisitAfter), func(c *record.ConfigID) { c.AddRuns(j) }, record.RunItem(j.Key, run.ID, 0, l.Clock.Now()))
	var taken *record.RunOwnedError
	if errors.As(err, &taken) {
		return l.claimRun(ctx, j, run.ID, taken.Current)
	}
	return err
}

// hold leaves the launch to the operator. behind is the id of the run in front,
// with the reason overlap.
func (l *Launcher) holdLaunch(ctx context.Context, j *record.Launch, reason, behind string) error {
	now := l.Clock.Now()
	j.SetState(record.StateHeld, now)
	j.Reason = reason
	j.Hold++
	// A crash before this leaves it as it was, and due: it is held later.
	return l.Store.Transact(ctx, j, now.Add(record.RevisitAfter), func(c *record.ConfigID) {
		c.AddDoubt(j)
		if behind != "" {
			c.Overlap = record.AskedOverlap{RunID: behind, Launch: j.Key, At: now}
		}
	})
}

// block writes a launch back that could not be sent. It goes on by itself.
func (l *Launcher) blockLaunch(ctx context.Context, j *record.Launch, v runs.Verdict) error {
	now := l.Clock.Now()
	if j.Blocked.Since.IsZero() {
		j.Blocked.Since = now
	}
	j.Blocked.Attempts++
	delay := max(record.Backoff(j.Blocked.Attempts, record.RevisitAfter, 15*time.Minute), v.RetryAfter)
	switch waits := now.Sub(j.Blocked.Since); {
	case v.Reason == announcement.ReasonPaused, v.Reason == announcement.ReasonOverlap && waits > patience:
		delay = PausedFor
	case v.Reason == announcement.ReasonOverlap:
		delay = record.RevisitAfter // its place in the queue is all that it waits for
	case v.Reason == announcement.ReasonBusy:
		delay = max(delay, busyWait)
	case v.Unannounced && v.Reason == announcement.ReasonRateLimited:
		delay = 0 // its turn did not come in this invocation; the next one's will
	}
	j.Lease = time.Time{}
	if !v.Unannounced && !j.OnlyBusy() {
		l.announceBlocked(ctx, j)
	}
	if len(j.Posts) > 0 {
		// An earlier request may have started a run after all: the list of
		// runs is looked at before each further one.
		j.SetState(record.StateUnknown, now)
		return l.Store.PutLaunch(ctx, j, now.Add(delay))
	}
	wasPosting := j.State == record.StatePosting
	j.SetState(record.StateClaimed, now)
	if !wasPosting {
		return l.Store.PutLaunch(ctx, j, now.Add(delay))
	}
	return l.Store.Transact(ctx, j, now.Add(delay), func(c *record.ConfigID) { c.NoteUnmarked(j) })
}

// Answered counts the files that have come for a launch's window since its
// decision: they are answered if it ends without a run. Where they cannot be
// counted none is, and the window opens again for them.
func (l *Launcher) CountAnswered(ctx context.Context, n *record.Launch) int {
	if n.Window == "" {
		return 0
	}
	item, err := l.Store.Get(ctx, n.Window)
	if err == nil && item.Exists() {
		var j *record.Window
		if j, _, err = record.DecodeWindow(item, nil); err == nil {
			return j.State.Since(n.Revision, n.Turn)
		}
	}
	if err != nil {
		l.Logger.WarnContext(ctx, "window not seen", slog.String(telemetry.LaunchKey, n.Key), slog.String(telemetry.Error, err.Error()))
	}
	return 0
}

// UpdateWindow gives the outcome of a launch to its window.
func (l *Launcher) UpdateWindow(ctx context.Context, n *record.Launch) error {
	item, err := l.Store.Get(ctx, n.Window)
	for try := 1; err == nil; try++ {
		if !item.Exists() {
			return nil // forgotten; if it comes back, it finds the launch
		}
		var j *record.Window
		var w *record.WindowSpec
		if j, w, err = record.DecodeWindow(item, nil); err != nil {
			break
		}
		if !j.State.Outcome(n.WindowOutcome()) {
			return nil
		}
		look := time.Time{}
		if j.State.Open.Count > 0 {
			look = l.Clock.Now()
		}
		err = l.Store.PutWindow(ctx, j, w, look)
		var conflict *ledger.ConflictError
		if !errors.As(err, &conflict) {
			return err
		}
		item, err = conflict.Current[0], l.Store.PauseAfterConflict(ctx, try)
	}
	l.Logger.WarnContext(ctx, "window not told", slog.String(telemetry.LaunchKey, n.Key), slog.String(telemetry.Error, err.Error()))
	return err
}

// tellBlocked announces that a launch has been blocked for long. A launch that
// may have a run is counted, and not announced: blocked says that there is none.
func (l *Launcher) announceBlocked(ctx context.Context, j *record.Launch) {
	if j.Blocked.Announced == j.Reason || l.Clock.Now().Sub(j.Blocked.Since) < announceBlockedAfter {
		return
	}
	// A crash after the announcement repeats it, with the same id.
	if len(j.Posts) > 0 || l.Announce(ctx, l.blockedAnnouncement(j)) == nil {
		j.Blocked.Announced = j.Reason
	}
	message := ""
	if j.Error != nil {
		message = j.Error.Message
	}
	l.Logger.WarnContext(ctx, "launch stays blocked", append(
		attrs(Launch{Key: j.Key, Request: j.Request, Cause: j.Cause}, record.Result{Outcome: record.Blocked, Reason: j.Reason}),
		slog.String(telemetry.Error, message), telemetry.Count("StaysBlocked", ""))...)
}

// recordFailed answers where what became of a request could not be recorded.
func (l *Launcher) recordFailed(ctx context.Context, j *record.Launch, v runs.Verdict, err error) record.Result {
	res := record.Result{Outcome: v.Outcome, Reason: v.Reason, LaunchKey: j.Key, Run: v.Run, Error: v.Detail, Warning: unrecordedText(err)}
	if v.Outcome == record.Held && v.Reason == announcement.ReasonUnknownOutcome {
		res.Outcome = record.Unknown
	}
	var lost *record.LostError
	if !errors.As(err, &lost) {
		l.LogResult(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, res)
		return res
	}
	// Somebody took the launch over, because this answer was so long in coming.
	if v.Outcome == record.Started {
		return l.recordLateAnswer(ctx, j, v.Run, lost.Current)
	}
	if now, err := record.DecodeLaunch(lost.Current); err == nil {
		return now.DuplicateResult()
	}
	return res
}

// Deliver tells the window and the event bus how the launch stands, as far as
// they do not know. It reports whether both are done with.
func (l *Launcher) DeliverOutcome(ctx context.Context, j *record.Launch) bool {
	if !j.State.Final() && j.State != record.StateHeld || j.Delivered() {
		return true
	}
	// A crash here leaves the record as it is, and due. Both steps can be
	// repeated.
	if !j.WindowUpdated && l.UpdateWindow(ctx, j) == nil {
		j.WindowUpdated = true
	}
	if !j.Announced && l.Announce(ctx, announcementOf(&j.LaunchDoc, l.Tenant)) == nil {
		j.Announced = true
	}
	for i, o := range j.Others {
		if o.Run == nil {
			continue
		}
		if l.Announce(ctx, announcementOf(furtherRunDoc(&j.LaunchDoc, o), l.Tenant)) == nil {
			j.Others[i].Run = nil
		}
	}
	now := l.Clock.Now()
	due := nextSearch(&j.LaunchDoc, now)
	delivered := j.Delivered()
	if !delivered {
		due = now.Add(record.RevisitAfter)
		if now.Sub(j.Since) >= countUndeliveredAfter {
			l.Logger.ErrorContext(ctx, "launch stays untold", slog.String(telemetry.LaunchKey, j.Key), telemetry.Count("StaysUndone", ""))
		}
	}
	err := l.Store.PutLaunch(ctx, j, due)
	var lost *record.LostError
	if err != nil && !errors.As(err, &lost) {
		l.Logger.WarnContext(ctx, "launch not confirmed", slog.String(telemetry.LaunchKey, j.Key), slog.String(telemetry.Error, err.Error()))
	}
	return err == nil && delivered
}
