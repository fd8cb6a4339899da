package launch

import (
	"context"
	"errors"
	"log/slog"
	"slices"
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
		j.Lease = l.Lease(ctx)
		v, err := l.start(ctx, j)
		if err != nil {
			l.markFailed(ctx, j, err)
			return true, unlessLost(err)
		}
		l.recordOutcome(ctx, j, v)
	case record.StatePosting, record.StateUnknown:
		return true, l.reconcileUnknown(ctx, j)
	default:
		switch {
		case !j.Delivered():
			l.Deliver(ctx, j)
		case nextSearch(&j.LaunchDoc, now).IsZero():
			return true, unlessLost(l.Store.PutLaunch(ctx, j, time.Time{}))
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
	f, unread := l.Runs.Search(ctx, j, c, notBefore)
	if unread == nil && len(f.Runs) > 0 && f.Certain && !c.Doubts(j.Key, j.Posts[0]) {
		adopted, err := l.adopt(ctx, j, f.Runs)
		if adopted || err != nil {
			return err
		}
	}
	if j.State != record.StateUnknown {
		var crowded *runs.CrowdedError
		if unread != nil && !errors.As(unread, &crowded) {
			f.Runs = nil // they may be those of others
		}
		return l.searchOn(ctx, j, f.Runs)
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
	case j.Pending():
		return l.holdUnknown(ctx, j, doubtfulText(len(f.Runs)))
	}
	return l.inconclusive(ctx, j, doubtfulText(len(f.Runs)), errDoubtful)
}

// mayBeSent reports whether the next look may lead to a request.
func mayBeSent(r *record.LaunchDoc, now time.Time) bool {
	return r.Pending() || len(r.Busy) > 0 ||
		r.IfUnknown == record.Retry && !r.Looked.Empty.IsZero() && now.Sub(r.Looked.Empty) >= patience
}

// searchOn writes back a settled launch after a further search for its runs. It
// announces each run that may be the launch's and was not named before: by a new
// hold or discard, or, if the launch has a run, by a hold of that further run.
func (l *Launcher) searchOn(ctx context.Context, j *record.Launch, runs []*amperity.Run) error {
	now := l.Clock.Now()
	due := nextSearch(&j.LaunchDoc, now)
	for _, run := range runs {
		switch {
		case j.Names(run.ID): // the operator knows
		case j.Run != nil && len(j.Others) < maxCandidates:
			j.Hold++
			j.AddOther(run, j.Hold)
			due = now
		case j.Run == nil && addCandidate(j, run):
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
		return unlessLost(err)
	}
	l.Deliver(ctx, j)
	return nil
}

// addCandidate adds a run to the candidates of a launch that has no run. If there
// are as many as a hold names, the run takes the place of the least likely one, the
// one created the longest after a request, or is not added.
func addCandidate(j *record.Launch, run *amperity.Run) bool {
	if len(j.Candidates) < maxCandidates {
		j.Candidates = append(j.Candidates, candidateOf(run))
		return true
	}
	last, most := -1, runs.AfterPost(j.Posts, run.CreatedAt)
	for i, c := range j.Candidates {
		created, err := time.Parse(time.RFC3339, c.CreatedAt)
		if after := runs.AfterPost(j.Posts, created); err != nil || after > most {
			last, most = i, after
		}
	}
	if last < 0 {
		return false
	}
	j.Candidates = append(slices.Delete(slices.Clone(j.Candidates), last, last+1), candidateOf(run))
	return true
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
	if j.Pending() {
		next = PausedFor // an operator has decided already
	}
	var api *amperity.APIError
	if errors.As(cause, &api) {
		next = max(next, api.RetryAfter)
	}
	switch {
	case j.Pending() && j.TooLate(now):
		return l.holdUnknown(ctx, j, unsentText(j.Hold, cause.Error()))
	case j.Pending() || now.Sub(j.Looked.Undecided) < patience:
		return l.later(ctx, j, next)
	}
	return l.holdUnknown(ctx, j, why)
}

// noCandidate continues a launch after a list that shows no run of it. begun is
// when the list was requested.
func (l *Launcher) noCandidate(ctx context.Context, j *record.Launch, begun time.Time) error {
	now := l.Clock.Now()
	if len(j.Busy) > 0 {
		if wait := j.Busy[len(j.Busy)-1].Add(busyWait); begun.Before(wait) {
			return l.later(ctx, j, max(record.RevisitAfter, wait.Sub(now)))
		}
		if j.OnlyBusy() {
			return l.sendAgain(ctx, j)
		}
		j.ForgetBusy()
	}
	if j.Looked.Empty.IsZero() {
		j.Looked.Empty = begun
	}
	switch {
	case j.Pending() && j.TooLate(now):
		why := PausedText
		if j.Error != nil {
			why = j.Error.Message
		}
		return l.holdUnknown(ctx, j, unsentText(j.Hold, why))
	case j.Pending() && l.Paused:
		return l.later(ctx, j, PausedFor)
	case j.Pending():
		// An operator has released it, and the request could not be sent yet.
	case begun.Sub(j.Looked.Empty) < patience && (j.IfUnknown == record.Retry || now.Sub(j.Looked.Undecided) < patience):
		return l.later(ctx, j, record.RevisitAfter)
	case j.IfUnknown != record.Retry || len(j.Posts) >= maxUnresolved || j.TooLate(now):
		return l.holdUnknown(ctx, j, noCandidateText)
	case l.Paused:
		return l.later(ctx, j, PausedFor)
	}
	// The one place where two runs are possible without a person. The list was
	// read just now; marking takes the launch over.
	looked := j.Looked
	v, err := l.start(ctx, j)
	if err != nil {
		l.markFailed(ctx, j, err)
		return unlessLost(err)
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
func (l *Launcher) sendAgain(ctx context.Context, j *record.Launch) error {
	now := l.Clock.Now()
	j.ForgetBusy()
	j.To(record.StateClaimed, now)
	j.Lease, j.Looked = l.Lease(ctx), record.Lookup{}
	// A crash before this leaves it unknown, and due. A crash after it leaves a
	// claimed launch: the sweep starts it.
	if err := l.Store.Transact(ctx, j, j.Lease, func(c *record.ConfigID) { c.Unmarked(j) }); err != nil {
		return unlessLost(err)
	}
	l.tellBlocked(ctx, j)
	v, err := l.start(ctx, j)
	if err != nil {
		l.markFailed(ctx, j, err)
		return unlessLost(err)
	}
	l.recordOutcome(ctx, j, v)
	return nil
}

// later writes an unknown launch back, to be looked at again.
func (l *Launcher) later(ctx context.Context, j *record.Launch, after time.Duration) error {
	// A crash before this leaves it due: the look is repeated.
	return unlessLost(l.Store.PutLaunch(ctx, j, l.Clock.Now().Add(after)))
}

// holdUnknown leaves a launch to a person of which nobody knows whether it has
// a run, and says why.
func (l *Launcher) holdUnknown(ctx context.Context, j *record.Launch, why string) error {
	j.Error = &announcement.Error{Kind: announcement.ErrorUnknown, Message: why}
	if err := l.hold(ctx, j, announcement.ReasonUnknownOutcome, ""); err != nil {
		return unlessLost(err)
	}
	l.Log(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, j.Result())
	l.Deliver(ctx, j)
	return nil
}

// adopt records found runs as the launch's. The first run covers the files that
// the earliest request would. It reports false if another launch of the config id
// may have started them after all: the transaction checks that again, since a list
// takes seconds.
func (l *Launcher) adopt(ctx context.Context, j *record.Launch, runs []*amperity.Run) (bool, error) {
	was := j.LaunchDoc
	var owned []ledger.Item
	for _, run := range runs {
		free, version, err := l.Runs.Unowned(ctx, run)
		if !free || err != nil {
			return true, err // another launch was first; this one is still due
		}
		if j.Run == nil {
			j.SetRun(run, j.Posts[0], l.Clock.Now())
			j.Adopted = true
		} else {
			j.AddRun(run)
		}
		owned = append(owned, record.OwnedBy(j.Key, run.ID, version, l.Clock.Now()))
	}
	// A crash before this leaves it as it was: the runs are found again.
	err := l.Store.TransactIf(ctx, j, l.Clock.Now().Add(record.RevisitAfter), func(c *record.ConfigID) error {
		if c.Doubts(j.Key, j.Posts[0]) {
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
		return true, unlessLost(err)
	}
	l.Log(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, j.Result())
	l.Deliver(ctx, j)
	return true, nil
}

// errDoubtful says that another launch of the config id may have started a run.
var errDoubtful = errors.New("another launch of the config id may have started the run")

// unlessLost is the error, unless somebody else has gone on with the launch.
func unlessLost(err error) error {
	var lost *record.LostError
	if errors.As(err, &lost) {
		return nil
	}
	return err
}
