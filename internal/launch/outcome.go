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

// recordOutcome records the outcome of a request, or why none was sent, and
// passes it on to the window and the event bus. j.Posts still has the verdict's
// own request, unless that was certainly not processed.
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
		// A crash before this leaves the launch posting; the sweep looks its
		// run up all the same.
		err = l.Store.PutLaunch(ctx, j, now.Add(record.RevisitAfter))
	case v.Outcome == record.Rejected && len(j.Posts) > 1:
		// Amperity refused this request. An earlier one may have started a run.
		j.Unmark()
		err = l.holdLaunch(ctx, j, announcement.ReasonUnknownOutcome, "")
	case v.Outcome == record.Rejected:
		j.Unmark()
		j.Answered = l.CountAnswered(ctx, j)
		j.SetState(record.StateRejected, now)
		j.HoldNumber++
		// A crash before this leaves the launch posting although nothing was
		// processed; the sweep finds no run and holds or resends it.
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

const (
	// recordFor is how long a process tries to record the run in Amperity's
	// answer, which no other place has, and recordPause how long it waits
	// between two tries. Each of them has the store's own retries.
	recordFor   = 20 * time.Second
	recordPause = time.Second
)

// recordRun records the run in Amperity's answer.
func (l *Launcher) recordRun(ctx context.Context, j *record.Launch, run *amperity.Run) error {
	posted := j.Posts[len(j.Posts)-1]
	j.SetRun(run, posted, l.Clock.Now())
	for end := l.Clock.Now().Add(recordFor); ; {
		// A crash before this leaves the launch posting; the sweep finds the
		// run in the list and adopts it.
		err := l.Store.Transact(ctx, j, l.Clock.Now().Add(record.RevisitAfter), func(c *record.ConfigID) { c.AddRuns(j) }, record.RunItem(j.Key, run.ID, 0, l.Clock.Now()))
		var taken *record.RunOwnedError
		if errors.As(err, &taken) {
			return l.claimRun(ctx, j, run.ID, taken.Current)
		}
		if err == nil || record.IsFinal(err) || !l.Clock.Now().Before(end) || !l.Runs.HasTimeFor(ctx, recordPause) || l.Clock.Sleep(ctx, recordPause) != nil {
			return err
		}
	}
}

// holdLaunch holds the launch for the operator. inFront is the id of the run in
// front, with the reason overlap.
func (l *Launcher) holdLaunch(ctx context.Context, j *record.Launch, reason, inFront string) error {
	now := l.Clock.Now()
	j.SetState(record.StateHeld, now)
	j.Reason = reason
	j.HoldNumber++
	// A crash before this leaves the launch as it was, and due; the sweep holds
	// it.
	return l.Store.Transact(ctx, j, now.Add(record.RevisitAfter), func(c *record.ConfigID) {
		c.AddDoubt(j)
		if inFront != "" {
			c.Overlap = record.AskedOverlap{RunID: inFront, Launch: j.Key, At: now}
		}
	})
}

// blockLaunch records that the request could not be sent. The sweep retries it.
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
		delay = record.RevisitAfter // the launch waits only for its turn in the queue
	case v.Reason == announcement.ReasonBusy:
		delay = max(delay, busyWait)
	case v.Unannounced && v.Reason == announcement.ReasonRateLimited:
		delay = 0 // its turn comes in the next invocation
	}
	j.Lease = time.Time{}
	if !v.Unannounced && !j.OnlyBusy() {
		l.announceBlocked(ctx, j)
	}
	if len(j.Posts) > 0 {
		// An earlier request may have started a run: the sweep reads the list
		// of runs before each further request.
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

// CountAnswered returns how many files have arrived in a launch's window since
// the launch was decided. If the launch ends without a run, they need no launch
// of their own. If they cannot be counted, it returns 0, and they reopen the
// window.
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
		l.Logger.WarnContext(ctx, "window unreadable", slog.String(telemetry.LaunchKey, n.Key), slog.String(telemetry.Error, err.Error()))
	}
	return 0
}

// UpdateWindow records the outcome of a launch in its window.
func (l *Launcher) UpdateWindow(ctx context.Context, n *record.Launch) error {
	item, err := l.Store.Get(ctx, n.Window)
	for try := 1; err == nil; try++ {
		if !item.Exists() {
			return nil // the window has expired; a new one finds the launch
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
	l.Logger.WarnContext(ctx, "window not updated", slog.String(telemetry.LaunchKey, n.Key), slog.String(telemetry.Error, err.Error()))
	return err
}

// announceBlocked announces and counts a launch that stays blocked. It only
// counts a launch that may have a run: Run Blocked says that none was started.
func (l *Launcher) announceBlocked(ctx context.Context, j *record.Launch) {
	if j.Blocked.Announced == j.Reason || l.Clock.Now().Sub(j.Blocked.Since) < announceBlockedAfter {
		return
	}
	// A crash after the announcement leaves it unrecorded; the sweep repeats it
	// with the same id.
	if len(j.Posts) > 0 || l.Announce(ctx, l.blockedAnnouncement(j)) == nil {
		j.Blocked.Announced = j.Reason
	}
	message := ""
	if j.Error != nil {
		message = j.Error.Message
	}
	l.Logger.WarnContext(ctx, "launch stays blocked", append(
		resultAttrs(j.Key, j.Request.ConfigID, j.Cause.Route, record.Result{Outcome: record.Blocked, Reason: j.Reason}),
		slog.String(telemetry.Error, message), telemetry.Count("StaysBlocked", ""))...)
}

// recordFailed answers for a launch whose outcome could not be recorded.
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
	// The answer took so long that another process has taken over the launch.
	if v.Outcome == record.Started {
		return l.recordLateAnswer(ctx, j, v.Run, lost.Current)
	}
	if now, err := record.DecodeLaunch(lost.Current); err == nil {
		return now.DuplicateResult()
	}
	return res
}

// DeliverOutcome delivers the outcome of a launch to its window and the event
// bus, unless they have it already. It reports whether both have it.
func (l *Launcher) DeliverOutcome(ctx context.Context, j *record.Launch) bool {
	if !j.State.Final() && j.State != record.StateHeld || j.Delivered() {
		return true
	}
	// A crash here leaves the launch due; the sweep repeats both steps.
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
			l.Logger.ErrorContext(ctx, "outcome not delivered", slog.String(telemetry.LaunchKey, j.Key), telemetry.Count("StaysUndone", ""))
		}
	}
	err := l.Store.PutLaunch(ctx, j, due)
	var lost *record.LostError
	if err != nil && !errors.As(err, &lost) {
		l.Logger.WarnContext(ctx, "launch not confirmed", slog.String(telemetry.LaunchKey, j.Key), slog.String(telemetry.Error, err.Error()))
	}
	return err == nil && delivered
}
