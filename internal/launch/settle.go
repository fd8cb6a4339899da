package launch

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// settle records what became of a request, or why none was sent, and tells
// whom it concerns. The verdict's own request is still among j.Posts, unless it
// certainly was not processed.
func (l *Launcher) settle(ctx context.Context, j *job, v verdict) Result {
	now := l.Clock.Now()
	j.Error, j.Reason = v.detail, v.reason
	var err error
	switch {
	case v.outcome == Started:
		err = l.recordRun(ctx, j, v.run)
	case v.outcome == Held && v.reason != announcement.ReasonUnknownOutcome:
		err = l.hold(ctx, j, v.reason, v.behind)
	case v.outcome == Held:
		j.to(unknown, now)
		// A crash before this leaves it posting, which is looked into alike.
		err = l.store.PutLaunch(ctx, j, now.Add(soon))
	case v.outcome == Rejected && len(j.Posts) > 1:
		// This request was refused. An earlier one may have started a run.
		j.unmark()
		err = l.hold(ctx, j, announcement.ReasonUnknownOutcome, "")
	case v.outcome == Rejected:
		j.unmark()
		j.Answered = l.answered(ctx, j)
		j.to(rejected, now)
		j.Hold++
		// A crash before this leaves it posting, although nothing was
		// processed: in the end it is held.
		err = l.store.Transact(ctx, j, now.Add(soon), func(c *config) { c.remove(j.Key) })
	default:
		err = l.block(ctx, j, v)
	}
	if err != nil {
		return l.unrecorded(ctx, j, v, err)
	}
	res := j.result()
	l.log(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, res)
	if !l.finish(ctx, j) && (j.State.over() || j.State == held) {
		res.Warning = unfinishedText
	}
	l.runs.NoteControl(ctx, v.run)
	return res
}

// recordRun records the run that Amperity answered with.
func (l *Launcher) recordRun(ctx context.Context, j *job, run *amperity.Run) error {
	posted := j.Posts[len(j.Posts)-1]
	j.begin(run, posted, l.Clock.Now())
	// A crash before this leaves it posting: the run is found by the list of
	// runs, and adopted.
	err := l.store.Transact(ctx, j, l.Clock.Now().Add(soon), func(c *config) { c.began(j) }, ownedBy(j.Key, run.ID, 0, l.Clock.Now()))
	var taken *takenError
	if errors.As(err, &taken) {
		return l.take(ctx, j, run.ID, taken.current)
	}
	return err
}

// begin makes the record that of a launch with a run, whose request was sent
// at a time.
func (r *record) begin(run *amperity.Run, posted, now time.Time) {
	r.to(started, now)
	r.keep(run)
	r.CoveredUntil = posted.Add(-window.Margin)
	r.Reason, r.Error, r.Candidates, r.Blocked, r.Looked = "", nil, nil, blocked{}, looked{}
}

// began notes the runs of a launch. If it has sent further requests, further
// runs of it may exist.
func (c *config) began(j *job) {
	c.set(entry{Key: j.Key, State: entryStarted, Last: j.lastPost(), RunID: j.Run.ID, Doubt: j.unaccounted() > 0})
	for _, o := range j.Others {
		if o.Run != nil && o.Hold == 0 { // found just now
			c.set(entry{Key: j.Key, State: entryStarted, Last: j.lastPost(), RunID: o.RunID})
		}
	}
	if !j.Adopted {
		c.saw(j.Run)
	}
}

func (r *record) lastPost() time.Time {
	if len(r.Posts) == 0 {
		return time.Time{}
	}
	return r.Posts[len(r.Posts)-1]
}

// hold leaves the launch to the operator. behind is the id of the run in front,
// with the reason overlap.
func (l *Launcher) hold(ctx context.Context, j *job, reason, behind string) error {
	now := l.Clock.Now()
	j.to(held, now)
	j.Reason = reason
	j.Hold++
	// A crash before this leaves it as it was, and due: it is held later.
	return l.store.Transact(ctx, j, now.Add(soon), func(c *config) {
		c.heldBack(j)
		if behind != "" {
			c.Overlap = overlap{behind, j.Key, now}
		}
	})
}

// heldBack notes a launch that nobody waits for any more.
func (c *config) heldBack(j *job) {
	if len(j.Posts) == 0 {
		c.remove(j.Key)
		return
	}
	c.set(entry{Key: j.Key, State: entryHeld, Last: j.lastPost(), Doubt: true})
}

// block writes a launch back that could not be sent. It goes on by itself.
func (l *Launcher) block(ctx context.Context, j *job, v verdict) error {
	now := l.Clock.Now()
	if j.Blocked.Since.IsZero() {
		j.Blocked.Since = now
	}
	j.Blocked.Attempts++
	delay := max(backoff(j.Blocked.Attempts, soon, 15*time.Minute), v.retryAfter)
	switch waits := now.Sub(j.Blocked.Since); {
	case v.reason == announcement.ReasonPaused, v.reason == announcement.ReasonOverlap && waits > patience:
		delay = pausedFor
	case v.reason == announcement.ReasonOverlap:
		delay = soon // its place in the queue is all that it waits for
	case v.reason == announcement.ReasonBusy:
		delay = max(delay, busyWait)
	case v.unannounced && v.reason == announcement.ReasonRateLimited:
		delay = 0 // its turn did not come in this invocation; the next one's will
	}
	j.Lease = time.Time{}
	if !v.unannounced && !j.onlyBusy() {
		l.tellBlocked(ctx, j)
	}
	if len(j.Posts) > 0 {
		// An earlier request may have started a run after all: the list of
		// runs is looked at before each further one.
		j.to(unknown, now)
		return l.store.PutLaunch(ctx, j, now.Add(delay))
	}
	wasPosting := j.State == posting
	j.to(claimed, now)
	if !wasPosting {
		return l.store.PutLaunch(ctx, j, now.Add(delay))
	}
	return l.store.Transact(ctx, j, now.Add(delay), func(c *config) { c.unmarked(j) })
}

// unmarked notes that no request of a launch is under way or has started a run. A
// window's launch keeps its place in the queue of the config id.
func (c *config) unmarked(j *job) {
	if j.Window == "" {
		c.remove(j.Key)
	} else {
		c.set(entry{Key: j.Key, State: entryGoing})
	}
}

// tellBlocked announces that a launch has been blocked for long. A launch that
// may have a run is counted, and not announced: blocked says that there is none.
func (l *Launcher) tellBlocked(ctx context.Context, j *job) {
	if j.Blocked.Told == j.Reason || l.Clock.Now().Sub(j.Blocked.Since) < blockedNews {
		return
	}
	// A crash after the announcement repeats it, with the same id.
	if len(j.Posts) > 0 || l.announce(ctx, l.blockedNews(j)) == nil {
		j.Blocked.Told = j.Reason
	}
	message := ""
	if j.Error != nil {
		message = j.Error.Message
	}
	l.Logger.WarnContext(ctx, "launch stays blocked", append(
		attrs(Launch{Key: j.Key, Request: j.Request, Cause: j.Cause}, Result{Outcome: Blocked, Reason: j.Reason}),
		slog.String(telemetry.Error, message), telemetry.Count("StaysBlocked", ""))...)
}

// backoff is the n-th delay of a series that doubles.
func backoff(n int, first, most time.Duration) time.Duration {
	return min(most, first<<min(n-1, 10))
}

// unrecorded answers where what became of a request could not be recorded.
func (l *Launcher) unrecorded(ctx context.Context, j *job, v verdict, err error) Result {
	res := Result{Outcome: v.outcome, Reason: v.reason, LaunchKey: j.Key, Run: v.run, Error: v.detail, Warning: unrecordedText(err)}
	if v.outcome == Held && v.reason == announcement.ReasonUnknownOutcome {
		res.Outcome = Unknown
	}
	var lost *lostError
	if !errors.As(err, &lost) {
		l.log(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, res)
		return res
	}
	// Somebody took the launch over, because this answer was so long in coming.
	if v.outcome == Started {
		return l.late(ctx, j, v.run, lost.current)
	}
	if now, err := decodeRecord(lost.current); err == nil {
		return now.duplicate()
	}
	return res
}

// late records a run that Amperity has answered with to a launch that was taken
// over meanwhile. The answer is certain; what others have concluded without it
// is not. A launch that has another run by now has two.
func (l *Launcher) late(ctx context.Context, mine *job, run *amperity.Run, current ledger.Item) Result {
	posted := mine.lastPost()
	for range maxTakeovers {
		j, err := decodeRecord(current)
		if err != nil {
			return Result{Outcome: Started, LaunchKey: mine.Key, Run: run, Warning: unrecordedText(err)}
		}
		if j.has(run.ID) {
			return j.duplicate()
		}
		if !slices.ContainsFunc(j.Posts, posted.Equal) {
			j.Posts = append(j.Posts, posted)
		}
		if j.State == started {
			l.Logger.ErrorContext(ctx, "second run", slog.String(telemetry.LaunchKey, j.Key),
				slog.String(telemetry.RunID, run.ID), slog.String("first_run_id", j.Run.ID))
			j.addRun(run)
		} else {
			j.begin(run, posted, l.Clock.Now())
			j.Adopted, j.Lease = false, l.lease(ctx)
		}
		err = l.store.Transact(ctx, j, l.Clock.Now().Add(soon), func(c *config) { c.began(j) }, ownedBy(j.Key, run.ID, 0, l.Clock.Now()))
		var taken *takenError
		if errors.As(err, &taken) {
			err = l.take(ctx, j, run.ID, taken.current)
		}
		var lost *lostError
		if errors.As(err, &lost) {
			current = lost.current
			continue
		}
		res := j.result()
		if err != nil {
			res.Warning = unrecordedText(err)
			return res
		}
		l.log(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, res)
		l.finish(ctx, j)
		return res
	}
	return Result{Outcome: Started, LaunchKey: mine.Key, Run: run, Warning: unrecordedText(&lostError{current})}
}

// maxTakeovers bounds how often a late answer is recorded anew.
const maxTakeovers = 10

// take records a run of j although another launch has adopted it. Amperity's
// answer outranks an adoption, so the other launch is held: its own outcome is
// unknown again.
func (l *Launcher) take(ctx context.Context, j *job, runID string, run ledger.Item) error {
	for {
		due := l.Clock.Now().Add(soon)
		other, err := l.owner(ctx, j, runID, run)
		if err != nil {
			return err
		}
		mine := ownedBy(j.Key, runID, run.Version, l.Clock.Now())
		if other == nil {
			err = l.store.Transact(ctx, j, due, func(c *config) { c.began(j) }, mine)
		} else {
			var items []ledger.Item
			if items, err = l.dispossess(ctx, other, j.Key, runID); err != nil {
				return err
			}
			err = l.store.Transact(ctx, j, due, func(c *config) {
				if other.Request.ConfigID == j.Request.ConfigID { // else an operator has mixed them up
					c.heldBack(other)
				}
				c.began(j)
			}, append([]ledger.Item{mine}, items...)...)
		}
		if err == nil && other != nil {
			l.log(ctx, other.Key, other.Request.ConfigID, other.Cause.Route, other.result())
		}
		var taken *takenError
		if !errors.As(err, &taken) {
			return err
		}
		if run, err = l.store.Get(ctx, run.Key); err != nil {
			return err
		}
	}
}

// owner returns the launch that has adopted a run of j's; nil if none has.
func (l *Launcher) owner(ctx context.Context, j *job, runID string, run ledger.Item) (*job, error) {
	key, err := ownerOf(run)
	if err != nil || key == "" || key == j.Key {
		return nil, err
	}
	item, err := l.store.Get(ctx, launchPrefix+key)
	if err != nil || !item.Exists() {
		return nil, err
	}
	other, err := decodeRecord(item)
	if err != nil || !other.Adopted || other.Run == nil || other.Run.ID != runID {
		return nil, err // it has another, or an answer of its own with this one
	}
	return other, nil
}

// dispossess makes a launch held that had adopted the run of another one, and
// returns the items to write.
func (l *Launcher) dispossess(ctx context.Context, other *job, owner, runID string) ([]ledger.Item, error) {
	now := l.Clock.Now()
	other.to(held, now)
	other.Reason, other.Run, other.Adopted, other.CoveredUntil = announcement.ReasonUnknownOutcome, nil, false, time.Time{}
	other.Error = &announcement.Error{Kind: announcement.ErrorUnknown, Message: tookAwayText(runID, owner)}
	other.Hold++
	other.Turn++
	// The launch has no run now: a run that may be its own is a candidate.
	other.Others = slices.DeleteFunc(slices.Clone(other.Others), func(o otherRun) bool {
		if o.Hold > 0 && o.Run != nil {
			other.Candidates = append(other.Candidates, candidateOf(o.Run))
		}
		return o.Hold > 0
	})
	items, err := l.reopen(ctx, other)
	if err != nil {
		return nil, err
	}
	item, err := other.write(now.Add(soon))
	return append([]ledger.Item{item}, items...), err
}

// reopen makes a launch its window's again, if it is the window's latest: it
// gives the window's item as it is to be written, or nothing.
func (l *Launcher) reopen(ctx context.Context, n *job) ([]ledger.Item, error) {
	if n.Window == "" {
		return nil, nil
	}
	item, err := l.store.Get(ctx, n.Window)
	if err != nil || !item.Exists() {
		return nil, err
	}
	w, by, err := decodeWindow(item, nil)
	if err != nil || !w.state.Reopen(n.Revision, n.Turn, l.Clock.Now()) {
		return nil, err
	}
	item, err = w.write(by, time.Time{}, l.Clock.Now())
	return []ledger.Item{item}, err
}

// finish tells the window and the event bus how the launch stands, as far as
// they do not know. It reports whether both are done with.
func (l *Launcher) finish(ctx context.Context, j *job) bool {
	if !j.State.over() && j.State != held || j.delivered() {
		return true
	}
	// A crash here leaves the record as it is, and due. Both steps can be
	// repeated.
	if !j.Told && l.tell(ctx, j) == nil {
		j.Told = true
	}
	if !j.Announced && l.announce(ctx, announcementOf(&j.record, l.Tenant)) == nil {
		j.Announced = true
	}
	for i, o := range j.Others {
		if o.Run == nil {
			continue
		}
		if l.announce(ctx, announcementOf(further(&j.record, o), l.Tenant)) == nil {
			j.Others[i].Run = nil
		}
	}
	now := l.Clock.Now()
	due := nextSearch(&j.record, now)
	delivered := j.delivered()
	if !delivered {
		due = now.Add(soon)
		if now.Sub(j.Since) >= untoldNews {
			l.Logger.ErrorContext(ctx, "launch stays untold", slog.String(telemetry.LaunchKey, j.Key), telemetry.Count("StaysUndone", ""))
		}
	}
	err := l.store.PutLaunch(ctx, j, due)
	var lost *lostError
	if err != nil && !errors.As(err, &lost) {
		l.Logger.WarnContext(ctx, "launch not confirmed", slog.String(telemetry.LaunchKey, j.Key), slog.String(telemetry.Error, err.Error()))
	}
	return err == nil && delivered
}

// further returns a copy of the record that announces a further run.
func further(r *record, o otherRun) *record {
	f := *r
	if o.Hold == 0 {
		f.keep(o.Run)
		return &f
	}
	f.State, f.Reason, f.Hold, f.Run, f.Candidates = held, announcement.ReasonUnknownOutcome, o.Hold, nil, []announcement.Candidate{candidateOf(o.Run)}
	f.Error = &announcement.Error{Kind: announcement.ErrorUnknown, Message: surplusText(r.Run.ID, o.RunID)}
	return &f
}

// announceTimeout bounds the publishing where the context does not.
const announceTimeout = 10 * time.Second

// announce publishes within the time that there is.
func (l *Launcher) announce(ctx context.Context, a announcement.Announcement) error {
	actx, cancel := l.Clock.WithTimeout(ctx, announceTimeout)
	defer cancel()
	err := l.Announcer.Announce(actx, a)
	if err != nil {
		l.Logger.ErrorContext(ctx, "not announced", slog.String("type", string(a.Type)),
			slog.String(telemetry.LaunchKey, a.Detail.LaunchKey), slog.String(telemetry.Error, err.Error()))
	}
	return err
}
