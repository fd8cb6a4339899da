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

const (
	// patience is how long lists of runs are asked that show no run, or decide
	// nothing.
	patience = 15 * time.Minute
	// maxCandidates is how many runs a hold names.
	maxCandidates = 20
	// maxUnresolved is how many POSTs with an unknown outcome a launch may have
	// before it is held.
	maxUnresolved = 2
	// busyWait is the least time between an answer 409 and the next request: the
	// list read before that request shows the run of an earlier copy, if a
	// gateway has sent one.
	busyWait = 5 * time.Minute
	// searchFor is how long after a launch's last request the sweep searches for
	// its runs.
	searchFor = 7 * 24 * time.Hour
)

// Reconcile goes on with a launch that fell due: one whose process died, that
// was blocked, of which nobody knows whether a run was started, or that was
// not announced. It reports whether there was anything to do. An error says
// that the item could not be worked on; it stays due.
func (l *Launcher) Reconcile(ctx context.Context, key string) (bool, error) {
	item, err := l.Store.Get(ctx, key)
	if err != nil {
		return false, err
	}
	now := l.Clock.Now()
	if !item.Exists() || item.Due.IsZero() || item.Due.After(now) {
		return false, nil // the list of what is due lags behind
	}
	j, err := record.DecodeLaunch(item)
	if err != nil {
		return false, err
	}
	switch j.State {
	case record.StateClaimed:
		// Nothing was sent since it was claimed, or written back. Marking it
		// takes it over.
		j.Lease = l.LeaseEnd(ctx)
		v, err := l.sendIfReady(ctx, j)
		if err != nil {
			l.markFailed(ctx, j, err)
			return true, ignoreLost(err)
		}
		l.recordOutcome(ctx, j, v)
	case record.StatePosting, record.StateUnknown:
		return true, l.reconcileUnknown(ctx, j)
	default:
		switch {
		case !j.Delivered():
			l.DeliverOutcome(ctx, j)
		case nextSearch(&j.LaunchDoc, now).IsZero():
			return true, ignoreLost(l.Store.PutLaunch(ctx, j, time.Time{}))
		default:
			return true, l.reconcileUnknown(ctx, j)
		}
	}
	return true, nil
}

// reconcileUnknown searches for the runs of a launch whose requests have an unknown outcome.
//
// Nothing is concluded from a list that is not whole, or does not show the
// control run. An empty list proves nothing either: Amperity may start the run
// later. Runs are adopted only if they are certainly this launch's.
func (l *Launcher) reconcileUnknown(ctx context.Context, j *record.Launch) error {
	now := l.Clock.Now()
	c, err := l.Store.ConfigID(ctx, j.Request.ConfigID)
	if err != nil {
		return err
	}
	if j.State == record.StatePosting {
		j.State, j.Since = record.StateUnknown, now
	}
	notBefore := j.LastPost()
	if mayBeSent(&j.LaunchDoc, now) {
		notBefore = now // the list is read right before a request
	}
	f, unread := l.Runs.FindRuns(ctx, j, c, notBefore)
	if unread == nil && len(f.Runs) > 0 && f.Certain && !c.MayBeAnothers(j.Key, j.Posts[0]) {
		adopted, err := l.adoptRuns(ctx, j, f.Runs)
		if adopted || err != nil {
			return err
		}
	}
	if j.State != record.StateUnknown {
		var crowded *runs.CrowdedError
		if unread != nil && !errors.As(unread, &crowded) {
			f.Runs = nil // they may be those of others
		}
		return l.continueSearch(ctx, j, f.Runs)
	}
	if j.Looked.Undecided.IsZero() {
		j.Looked.Undecided = now
	}
	if j.Candidates = candidatesOf(f.Runs); len(f.Runs) > 0 {
		j.Looked.Empty = time.Time{}
	}
	switch {
	case unread != nil:
		return l.inconclusive(ctx, j, undecidedText(unread), unread)
	case len(f.Runs) == 0:
		return l.noCandidate(ctx, j, f.Begun)
	case j.ReleasePending():
		return l.holdUnknown(ctx, j, doubtfulText(len(f.Runs)))
	}
	return l.inconclusive(ctx, j, doubtfulText(len(f.Runs)), errDoubtful)
}

// mayBeSent reports whether the next look may lead to a request.
func mayBeSent(r *record.LaunchDoc, now time.Time) bool {
	return r.ReleasePending() || len(r.Busy) > 0 ||
		r.IfUnknown == record.Retry && !r.Looked.Empty.IsZero() && now.Sub(r.Looked.Empty) >= patience
}

// searchOn writes back a settled launch after a further search for its runs. It
// announces each run that may be the launch's and was not named before: by a new
// hold or discard, or, if the launch has a run, by a hold of that further run.
func (l *Launcher) continueSearch(ctx context.Context, j *record.Launch, runs []*amperity.Run) error {
	now := l.Clock.Now()
	due := nextSearch(&j.LaunchDoc, now)
	for _, run := range runs {
		switch {
		case j.NamesRun(run.ID): // the operator knows
		case j.Run != nil && len(j.Others) < maxCandidates:
			j.Hold++
			j.AddOther(run, j.Hold)
			due = now
		case j.Run == nil && len(j.Candidates) < maxCandidates:
			j.Candidates = append(j.Candidates, candidateOf(run))
			if j.State == record.StateHeld {
				j.Error = &announcement.Error{Kind: announcement.ErrorUnknown, Message: doubtfulText(len(j.Candidates))}
			}
			if j.Announced {
				j.Hold++
				j.Announced = false
			}
			due = now
		}
	}
	// A crash before this leaves the launch due: the runs are found again.
	if err := l.Store.PutLaunch(ctx, j, due); err != nil {
		return ignoreLost(err)
	}
	l.DeliverOutcome(ctx, j)
	return nil
}

// nextSearch returns when the sweep next searches for the runs of a settled
// launch; zero: never.
func nextSearch(r *record.LaunchDoc, now time.Time) time.Time {
	switch age := now.Sub(r.LastPost()); {
	case r.Unaccounted() == 0 || age >= searchFor:
		return time.Time{}
	case age < runs.SearchOften:
		return now.Add(record.RevisitAfter)
	}
	return now.Add(time.Hour)
}

// inconclusive writes back a launch after a look that decided nothing. If that
// lasts for patience, the launch is held with the message why. cause is the error
// of the look.
func (l *Launcher) inconclusive(ctx context.Context, j *record.Launch, why string, cause error) error {
	now := l.Clock.Now()
	l.Logger.WarnContext(ctx, "run not found out", slog.String(telemetry.LaunchKey, j.Key), slog.String(telemetry.Error, cause.Error()))
	next := record.RevisitAfter
	if j.ReleasePending() {
		next = PausedFor // an operator has decided already
	}
	var api *amperity.APIError
	if errors.As(cause, &api) {
		next = max(next, api.RetryAfter)
	}
	switch {
	case j.ReleasePending() && j.TooLate(now):
		return l.holdUnknown(ctx, j, unsentText(j.Hold, cause.Error()))
	case j.ReleasePending() || now.Sub(j.Looked.Undecided) < patience:
		return l.recheckLater(ctx, j, next)
	}
	return l.holdUnknown(ctx, j, why)
}

// noCandidate continues a launch after a list that shows no run of it. begun is
// when the list was requested.
func (l *Launcher) noCandidate(ctx context.Context, j *record.Launch, begun time.Time) error {
	now := l.Clock.Now()
	if len(j.Busy) > 0 {
		if wait := j.Busy[len(j.Busy)-1].Add(busyWait); begun.Before(wait) {
			return l.recheckLater(ctx, j, max(record.RevisitAfter, wait.Sub(now)))
		}
		if j.OnlyBusy() {
			return l.resend(ctx, j)
		}
		j.ForgetBusy()
	}
	if j.Looked.Empty.IsZero() {
		j.Looked.Empty = begun
	}
	switch {
	case j.ReleasePending() && j.TooLate(now):
		why := PausedText
		if j.Error != nil {
			why = j.Error.Message
		}
		return l.holdUnknown(ctx, j, unsentText(j.Hold, why))
	case j.ReleasePending() && l.Paused:
		return l.recheckLater(ctx, j, PausedFor)
	case j.ReleasePending():
		// An operator has released it, and the request could not be sent yet.
	case begun.Sub(j.Looked.Empty) < patience && (j.IfUnknown == record.Retry || now.Sub(j.Looked.Undecided) < patience):
		return l.recheckLater(ctx, j, record.RevisitAfter)
	case j.IfUnknown != record.Retry || len(j.Posts) >= maxUnresolved || j.TooLate(now):
		return l.holdUnknown(ctx, j, noCandidateText)
	case l.Paused:
		return l.recheckLater(ctx, j, PausedFor)
	}
	// The one place where two runs are possible without a person. The list was
	// read just now; marking takes the launch over.
	looked := j.Looked
	v, err := l.sendIfReady(ctx, j)
	if err != nil {
		l.markFailed(ctx, j, err)
		return ignoreLost(err)
	}
	if v.Outcome == record.Blocked && len(j.Busy) == 0 {
		// Nothing new is under way: what the lists said continues to count.
		j.Looked = looked
	}
	l.recordOutcome(ctx, j, v)
	return nil
}

// sendAgain sends the request of a launch once more. Amperity has answered each of
// its requests with 409, and a later list shows no run of it.
func (l *Launcher) resend(ctx context.Context, j *record.Launch) error {
	now := l.Clock.Now()
	j.ForgetBusy()
	j.SetState(record.StateClaimed, now)
	j.Lease, j.Looked = l.LeaseEnd(ctx), record.Lookup{}
	// A crash before this leaves it unknown, and due. A crash after it leaves a
	// claimed launch: the sweep starts it.
	if err := l.Store.Transact(ctx, j, j.Lease, func(c *record.ConfigID) { c.NoteUnmarked(j) }); err != nil {
		return ignoreLost(err)
	}
	l.announceBlocked(ctx, j)
	v, err := l.sendIfReady(ctx, j)
	if err != nil {
		l.markFailed(ctx, j, err)
		return ignoreLost(err)
	}
	l.recordOutcome(ctx, j, v)
	return nil
}

// later writes an unknown launch back, to be looked at again.
func (l *Launcher) recheckLater(ctx context.Context, j *record.Launch, after time.Duration) error {
	// A crash before this leaves it due: the look is repeated.
	return ignoreLost(l.Store.PutLaunch(ctx, j, l.Clock.Now().Add(after)))
}

// holdUnknown leaves a launch to a person of which nobody knows whether it has
// a run, and says why.
func (l *Launcher) holdUnknown(ctx context.Context, j *record.Launch, why string) error {
	j.Error = &announcement.Error{Kind: announcement.ErrorUnknown, Message: why}
	if err := l.holdLaunch(ctx, j, announcement.ReasonUnknownOutcome, ""); err != nil {
		return ignoreLost(err)
	}
	l.LogResult(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, j.Result())
	l.DeliverOutcome(ctx, j)
	return nil
}

// adopt records found runs as the launch's. The first run covers the files that
// the earliest request would. It reports false if another launch of the config id
// may have started them after all: the transaction checks that again, since a list
// takes seconds.
func (l *Launcher) adoptRuns(ctx context.Context, j *record.Launch, runs []*amperity.Run) (bool, error) {
	was := j.LaunchDoc
	var owned []ledger.Item
	for _, run := range runs {
		free, version, err := l.Runs.IsUnowned(ctx, run)
		if !free || err != nil {
			return true, err // another launch was first; this one is still due
		}
		if j.Run == nil {
			j.SetRun(run, j.Posts[0], l.Clock.Now())
			j.Adopted = true
		} else {
			j.AddRun(run)
		}
		owned = append(owned, record.RunItem(j.Key, run.ID, version, l.Clock.Now()))
	}
	// A crash before this leaves it as it was: the runs are found again.
	err := l.Store.TransactIf(ctx, j, l.Clock.Now().Add(record.RevisitAfter), func(c *record.ConfigID) error {
		if c.MayBeAnothers(j.Key, j.Posts[0]) {
			return errDoubtful
		}
		c.AddRuns(j)
		return nil
	}, owned...)
	var taken *record.RunOwnedError
	switch {
	case errors.Is(err, errDoubtful):
		j.LaunchDoc = was
		return false, nil
	case errors.As(err, &taken):
		return true, nil // another launch was first; this one is still due
	case err != nil:
		return true, ignoreLost(err)
	}
	l.LogResult(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, j.Result())
	l.DeliverOutcome(ctx, j)
	return true, nil
}

// errDoubtful says that another launch of the config id may have started a run.
var errDoubtful = errors.New("another launch of the config id may have started the run")

// unlessLost is the error, unless somebody else has gone on with the launch.
func ignoreLost(err error) error {
	var lost *record.LostError
	if errors.As(err, &lost) {
		return nil
	}
	return err
}
