package launch

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
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
	item, err := l.store.Get(ctx, key)
	if err != nil {
		return false, err
	}
	now := l.Clock.Now()
	if !item.Exists() || item.Due.IsZero() || item.Due.After(now) {
		return false, nil // the list of what is due lags behind
	}
	j, err := decodeRecord(item)
	if err != nil {
		return false, err
	}
	switch j.State {
	case claimed:
		// Nothing was sent since it was claimed, or written back. Marking it
		// takes it over.
		j.Lease = l.lease(ctx)
		v, err := l.start(ctx, j)
		if err != nil {
			l.unwritten(ctx, j, err)
			return true, unlessLost(err)
		}
		l.settle(ctx, j, v)
	case posting, unknown:
		return true, l.look(ctx, j)
	default:
		switch {
		case !j.delivered():
			l.finish(ctx, j)
		case nextSearch(&j.record, now).IsZero():
			return true, unlessLost(l.store.PutLaunch(ctx, j, time.Time{}))
		default:
			return true, l.look(ctx, j)
		}
	}
	return true, nil
}

// look searches for the runs of a launch whose requests have an unknown outcome.
//
// Nothing is concluded from a list that is not whole, or does not show the
// control run. An empty list proves nothing either: Amperity may start the run
// later. Runs are adopted only if they are certainly this launch's.
func (l *Launcher) look(ctx context.Context, j *job) error {
	now := l.Clock.Now()
	c, err := l.store.ConfigID(ctx, j.Request.ConfigID)
	if err != nil {
		return err
	}
	if j.State == posting {
		j.State, j.Since = unknown, now
	}
	notBefore := j.lastPost()
	if mayBeSent(&j.record, now) {
		notBefore = now // the list is read right before a request
	}
	f, unread := l.runs.Search(ctx, j, c, notBefore)
	if unread == nil && len(f.runs) > 0 && f.certain && !c.doubts(j.Key, j.Posts[0]) {
		adopted, err := l.adopt(ctx, j, f.runs)
		if adopted || err != nil {
			return err
		}
	}
	if j.State != unknown {
		var crowded *crowdedError
		if unread != nil && !errors.As(unread, &crowded) {
			f.runs = nil // they may be those of others
		}
		return l.searchOn(ctx, j, f.runs)
	}
	if j.Candidates = candidatesOf(f.runs); len(f.runs) > 0 {
		j.Looked.Empty = time.Time{}
	}
	switch {
	case unread != nil:
		return l.inconclusive(ctx, j, undecidedText(unread), unread)
	case len(f.runs) == 0:
		j.Looked.Undecided = time.Time{}
		return l.noCandidate(ctx, j, f.begun)
	case j.pending():
		return l.holdUnknown(ctx, j, doubtfulText(len(f.runs)))
	}
	return l.inconclusive(ctx, j, doubtfulText(len(f.runs)), errDoubtful)
}

// mayBeSent reports whether the next look may lead to a request.
func mayBeSent(r *record, now time.Time) bool {
	return r.pending() || len(r.Busy) > 0 ||
		r.IfUnknown == Retry && !r.Looked.Empty.IsZero() && now.Sub(r.Looked.Empty) >= patience
}

// searchOn writes back a settled launch after a further search for its runs. It
// announces each run that may be the launch's and was not named before: by a new
// hold or discard, or, if the launch has a run, by a hold of that further run.
func (l *Launcher) searchOn(ctx context.Context, j *job, runs []*amperity.Run) error {
	now := l.Clock.Now()
	due := nextSearch(&j.record, now)
	for _, run := range runs {
		switch {
		case j.names(run.ID): // the operator knows
		case j.Run != nil && len(j.Others) < maxCandidates:
			j.Hold++
			j.addOther(run, j.Hold)
			due = now
		case j.Run == nil && len(j.Candidates) < maxCandidates:
			j.Candidates = append(j.Candidates, candidateOf(run))
			if j.State == held {
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
	if err := l.store.PutLaunch(ctx, j, due); err != nil {
		return unlessLost(err)
	}
	l.finish(ctx, j)
	return nil
}

// nextSearch returns when the sweep next searches for the runs of a settled
// launch; zero: never.
func nextSearch(r *record, now time.Time) time.Time {
	switch age := now.Sub(r.lastPost()); {
	case r.unaccounted() == 0 || age >= searchFor:
		return time.Time{}
	case age < searchOften:
		return now.Add(soon)
	}
	return now.Add(time.Hour)
}

const (
	// getTimeout and listTimeout bound what is asked of Amperity, so that an
	// answer which does not come holds up nothing else.
	getTimeout  = 5 * time.Second
	listTimeout = 20 * time.Second
)

// inconclusive writes back a launch after a look that decided nothing. If that
// lasts for patience, the launch is held with the message why. cause is the error
// of the look.
func (l *Launcher) inconclusive(ctx context.Context, j *job, why string, cause error) error {
	now := l.Clock.Now()
	l.Logger.WarnContext(ctx, "run not found out", slog.String(telemetry.LaunchKey, j.Key), slog.String(telemetry.Error, cause.Error()))
	if j.Looked.Undecided.IsZero() {
		j.Looked.Undecided = now
	}
	next := soon
	if j.pending() {
		next = pausedFor // an operator has decided already
	}
	var api *amperity.APIError
	if errors.As(cause, &api) {
		next = max(next, api.RetryAfter)
	}
	switch {
	case j.pending() && j.tooLate(now):
		return l.holdUnknown(ctx, j, unsentText(j.Hold, cause.Error()))
	case j.pending() || now.Sub(j.Looked.Undecided) < patience:
		return l.later(ctx, j, next)
	}
	return l.holdUnknown(ctx, j, why)
}

// noCandidate continues a launch after a list that shows no run of it. begun is
// when the list was requested.
func (l *Launcher) noCandidate(ctx context.Context, j *job, begun time.Time) error {
	now := l.Clock.Now()
	if len(j.Busy) > 0 {
		if wait := j.Busy[len(j.Busy)-1].Add(busyWait); begun.Before(wait) {
			return l.later(ctx, j, max(soon, wait.Sub(now)))
		}
		if j.onlyBusy() {
			return l.sendAgain(ctx, j)
		}
		j.forgetBusy()
	}
	if j.Looked.Empty.IsZero() {
		j.Looked.Empty = begun
	}
	switch {
	case j.pending() && j.tooLate(now):
		why := pausedText
		if j.Error != nil {
			why = j.Error.Message
		}
		return l.holdUnknown(ctx, j, unsentText(j.Hold, why))
	case j.pending() && l.Paused:
		return l.later(ctx, j, pausedFor)
	case j.pending():
		// An operator has released it, and the request could not be sent yet.
	case begun.Sub(j.Looked.Empty) < patience:
		return l.later(ctx, j, soon)
	case j.IfUnknown != Retry || len(j.Posts) >= maxUnresolved || j.tooLate(now):
		return l.holdUnknown(ctx, j, noCandidateText)
	case l.Paused:
		return l.later(ctx, j, pausedFor)
	}
	// The one place where two runs are possible without a person. The list was
	// read just now; marking takes the launch over.
	empty := j.Looked.Empty
	v, err := l.start(ctx, j)
	if err != nil {
		l.unwritten(ctx, j, err)
		return unlessLost(err)
	}
	if v.outcome == Blocked && len(j.Busy) == 0 {
		// Nothing new is under way: what the lists said continues to count.
		j.Looked.Empty = empty
	}
	l.settle(ctx, j, v)
	return nil
}

// sendAgain sends the request of a launch once more. Amperity has answered each of
// its requests with 409, and a later list shows no run of it.
func (l *Launcher) sendAgain(ctx context.Context, j *job) error {
	now := l.Clock.Now()
	j.forgetBusy()
	j.to(claimed, now)
	j.Lease, j.Looked = l.lease(ctx), looked{}
	// A crash before this leaves it unknown, and due. A crash after it leaves a
	// claimed launch: the sweep starts it.
	if err := l.store.Transact(ctx, j, j.Lease, func(c *config) { c.unmarked(j) }); err != nil {
		return unlessLost(err)
	}
	l.tellBlocked(ctx, j)
	v, err := l.start(ctx, j)
	if err != nil {
		l.unwritten(ctx, j, err)
		return unlessLost(err)
	}
	l.settle(ctx, j, v)
	return nil
}

// later writes an unknown launch back, to be looked at again.
func (l *Launcher) later(ctx context.Context, j *job, after time.Duration) error {
	// A crash before this leaves it due: the look is repeated.
	return unlessLost(l.store.PutLaunch(ctx, j, l.Clock.Now().Add(after)))
}

// holdUnknown leaves a launch to a person of which nobody knows whether it has
// a run, and says why.
func (l *Launcher) holdUnknown(ctx context.Context, j *job, why string) error {
	j.Error = &announcement.Error{Kind: announcement.ErrorUnknown, Message: why}
	if err := l.hold(ctx, j, announcement.ReasonUnknownOutcome, ""); err != nil {
		return unlessLost(err)
	}
	l.log(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, j.result())
	l.finish(ctx, j)
	return nil
}

// adopt records found runs as the launch's. The first run covers the files that
// the earliest request would. It reports false if another launch of the config id
// may have started them after all: the transaction checks that again, since a list
// takes seconds.
func (l *Launcher) adopt(ctx context.Context, j *job, runs []*amperity.Run) (bool, error) {
	was := j.record
	var owned []ledger.Item
	for _, run := range runs {
		free, version, err := l.runs.Unowned(ctx, run)
		if !free || err != nil {
			return true, err // another launch was first; this one is still due
		}
		if j.Run == nil {
			j.begin(run, j.Posts[0], l.Clock.Now())
			j.Adopted = true
		} else {
			j.addRun(run)
		}
		owned = append(owned, ownedBy(j.Key, run.ID, version, l.Clock.Now()))
	}
	// A crash before this leaves it as it was: the runs are found again.
	err := l.store.TransactIf(ctx, j, l.Clock.Now().Add(soon), func(c *config) error {
		if c.doubts(j.Key, j.Posts[0]) {
			return errDoubtful
		}
		c.began(j)
		return nil
	}, owned...)
	var taken *takenError
	switch {
	case errors.Is(err, errDoubtful):
		j.record = was
		return false, nil
	case errors.As(err, &taken):
		return true, nil // another launch was first; this one is still due
	case err != nil:
		return true, unlessLost(err)
	}
	l.log(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, j.result())
	l.finish(ctx, j)
	return true, nil
}

// errDoubtful says that another launch of the config id may have started a run.
var errDoubtful = errors.New("another launch of the config id may have started the run")

// unlessLost is the error, unless somebody else has gone on with the launch.
func unlessLost(err error) error {
	var lost *lostError
	if errors.As(err, &lost) {
		return nil
	}
	return err
}

// candidatesOf describes the first of some runs to the operator.
func candidatesOf(runs []*amperity.Run) []announcement.Candidate {
	var cs []announcement.Candidate
	for _, run := range runs[:min(len(runs), maxCandidates)] {
		cs = append(cs, candidateOf(run))
	}
	return cs
}

// candidateOf describes a run to the operator.
func candidateOf(run *amperity.Run) announcement.Candidate {
	c := announcement.Candidate{ID: run.ID, Name: run.Name, Type: string(run.Type), State: string(run.State),
		PrincipalID: run.PrincipalID, PrincipalName: run.PrincipalName}
	if !run.CreatedAt.IsZero() {
		c.CreatedAt = run.CreatedAt.UTC().Format(time.RFC3339)
	}
	return c
}

// windowOf gives the key of the window's item for a launch key of an arrival,
// and the revision; false for any other launch key.
func windowOf(launchKey string) (key string, revision string, ok bool) {
	rest, ok := strings.CutPrefix(launchKey, "arrival/")
	i := strings.LastIndexByte(rest, '/')
	if !ok || i < 0 {
		return "", "", false
	}
	return windowPrefix + rest[:i], rest[i+1:], true
}
