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
	// patience is how long the sweep continues to read lists that show no
	// candidate, or decide nothing.
	patience = 15 * time.Minute
	// maxCandidates is the most runs that a hold names.
	maxCandidates = 20
	// maxUnresolved is how many POSTs with an unknown outcome a launch may have
	// before it is held.
	maxUnresolved = 2
	// busyWait is the least time between an answer 409 and the next request.
	// The list read before that request then shows the run of an earlier copy,
	// if a gateway has sent one.
	busyWait = 5 * time.Minute
	// searchFor is how long after a launch's last request the sweep searches
	// for its unknown runs.
	searchFor = 7 * 24 * time.Hour
)

// Reconcile continues a launch that fell due: its process died, it was blocked,
// its outcome is unknown, or its outcome is not delivered. It reports whether
// there was anything to do. After an error the launch stays due.
func (l *Launcher) Reconcile(ctx context.Context, key string) (bool, error) {
	item, err := l.Store.Get(ctx, key)
	if err != nil {
		return false, err
	}
	now := l.Clock.Now()
	if !item.Exists() || item.Due.IsZero() || item.Due.After(now) {
		return false, nil // the list of due items lags behind
	}
	j, err := record.DecodeLaunch(item)
	if err != nil {
		return false, err
	}
	switch j.State {
	case record.StateClaimed:
		if len(j.Posts) > 0 {
			// The process of a release died before its request. An earlier
			// request may have started a run meanwhile.
			j.State = record.StateUnknown
			return true, l.reconcileUnknown(ctx, j)
		}
		// Nothing was sent since the launch was last written. The mark takes it
		// over.
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

// reconcileUnknown searches for the runs of a launch whose requests have an
// unknown outcome.
//
// A list that is not whole or lacks the control run decides nothing. An empty
// list proves nothing either: Amperity may start the run later. A run is
// adopted only if it is certainly this launch's.
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
			f.Runs = nil // they may belong to other principals
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
		return l.inconclusive(ctx, j, undecidedText(&j.LaunchDoc, unread), unread)
	case len(f.Runs) == 0:
		return l.noCandidate(ctx, j, f.Begun)
	case j.ReleasePending():
		return l.holdUnknown(ctx, j, doubtfulText(&j.LaunchDoc, len(f.Runs)))
	}
	return l.inconclusive(ctx, j, doubtfulText(&j.LaunchDoc, len(f.Runs)), errDoubtful)
}

// mayBeSent reports whether the next lookup may lead to a request.
func mayBeSent(r *record.LaunchDoc, now time.Time) bool {
	return r.ReleasePending() || len(r.Busy) > 0 ||
		r.IfUnknown == record.Retry && !r.Looked.Empty.IsZero() && now.Sub(r.Looked.Empty) >= patience
}

// continueSearch writes an ended or held launch after a further search for its
// runs. It announces each run that may be the launch's and that no event has
// named. A launch without a run is announced again with the run as a candidate.
// If the launch has a run, the further run gets a hold.
func (l *Launcher) continueSearch(ctx context.Context, j *record.Launch, runs []*amperity.Run) error {
	now := l.Clock.Now()
	due := nextSearch(&j.LaunchDoc, now)
	for _, run := range runs {
		switch {
		case j.NamesRun(run.ID): // the operator knows the run
		case j.Run != nil && len(j.Others) < maxCandidates:
			j.HoldNumber++
			j.AddOther(run, j.HoldNumber)
			due = now
		case j.Run == nil && addCandidate(j, run):
			if j.State == record.StateHeld {
				j.Error = &announcement.Error{Kind: announcement.ErrorUnknown, Message: doubtfulText(&j.LaunchDoc, len(j.Candidates))}
			}
			if j.Announced {
				j.HoldNumber++
				j.Announced = false
			}
			due = now
		}
	}
	// A crash before this leaves the launch due; the sweep finds the runs
	// again.
	if err := l.Store.PutLaunch(ctx, j, due); err != nil {
		return ignoreLost(err)
	}
	l.DeliverOutcome(ctx, j)
	return nil
}

// addCandidate adds a run to the candidates of a launch that has no run. If
// there are maxCandidates already, the run replaces the candidate created the
// longest after a request. addCandidate returns false if that is the run
// itself.
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

// nextSearch returns when the sweep next searches for the runs of an ended or
// held launch. Zero means never.
func nextSearch(r *record.LaunchDoc, now time.Time) time.Time {
	switch age := now.Sub(r.LastPost()); {
	case r.Unaccounted() == 0 || age >= searchFor:
		return time.Time{}
	case age < runs.SearchOften:
		return now.Add(record.RevisitAfter)
	}
	return now.Add(time.Hour)
}

// inconclusive writes a launch after a lookup that decided nothing. After
// patience without a decision it holds the launch with the message why. cause
// is the error of the lookup.
func (l *Launcher) inconclusive(ctx context.Context, j *record.Launch, why string, cause error) error {
	now := l.Clock.Now()
	l.Logger.WarnContext(ctx, "run lookup inconclusive", slog.String(telemetry.LaunchKey, j.Key), slog.String(telemetry.Error, cause.Error()))
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
		return l.holdUnknown(ctx, j, unsentText(j.HoldNumber, cause.Error()))
	case j.ReleasePending() || now.Sub(j.Looked.Undecided) < patience:
		return l.recheckLater(ctx, j, next)
	}
	return l.holdUnknown(ctx, j, why)
}

// noCandidate continues a launch after a list that shows no candidate. begun is
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
		return l.holdUnknown(ctx, j, unsentText(j.HoldNumber, why))
	case j.ReleasePending() && l.Paused:
		return l.recheckLater(ctx, j, PausedFor)
	case j.ReleasePending():
		// The operator has released the launch, so it needs no patience.
	case begun.Sub(j.Looked.Empty) < patience && (j.IfUnknown == record.Retry || now.Sub(j.Looked.Undecided) < patience):
		return l.recheckLater(ctx, j, record.RevisitAfter)
	case j.IfUnknown != record.Retry || len(j.Posts) >= maxUnresolved || j.TooLate(now):
		return l.holdUnknown(ctx, j, noCandidateText)
	case l.Paused:
		return l.recheckLater(ctx, j, PausedFor)
	}
	// Without a release, this is the one place where two runs are possible. The
	// list was read just now. The mark takes the launch over.
	looked := j.Looked
	v, err := l.sendIfReady(ctx, j)
	if err != nil {
		l.markFailed(ctx, j, err)
		return ignoreLost(err)
	}
	if v.Outcome == record.Blocked && len(j.Busy) == 0 {
		// No new request is in flight, so the earlier lookups still count.
		j.Looked = looked
	}
	l.recordOutcome(ctx, j, v)
	return nil
}

// resend sends the request of a launch once more. Amperity has answered each of
// its requests with 409, and a later list shows no run of it.
func (l *Launcher) resend(ctx context.Context, j *record.Launch) error {
	now := l.Clock.Now()
	j.ForgetBusy()
	j.SetState(record.StateClaimed, now)
	j.Lease, j.Looked = l.LeaseEnd(ctx), record.Lookup{}
	// A crash before this leaves the launch unknown, and due. A crash after it
	// leaves a claimed launch; the sweep sends its request.
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

// recheckLater writes an unknown launch. The sweep looks its run up again after
// a delay.
func (l *Launcher) recheckLater(ctx context.Context, j *record.Launch, after time.Duration) error {
	// A crash before this leaves the launch due; the sweep repeats the lookup.
	return ignoreLost(l.Store.PutLaunch(ctx, j, l.Clock.Now().Add(after)))
}

// holdUnknown holds a launch whose outcome is unknown, and records the reason.
func (l *Launcher) holdUnknown(ctx context.Context, j *record.Launch, why string) error {
	j.Error = &announcement.Error{Kind: announcement.ErrorUnknown, Message: why}
	if err := l.holdLaunch(ctx, j, announcement.ReasonUnknownOutcome, ""); err != nil {
		return ignoreLost(err)
	}
	l.LogResult(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, j.Result())
	l.DeliverOutcome(ctx, j)
	return nil
}

// adoptRuns records found runs as the launch's. The first run covers the files
// that the earliest request would. It returns false if another launch of the
// config id may have started the runs after all. The transaction checks that
// again, since reading a list takes seconds.
func (l *Launcher) adoptRuns(ctx context.Context, j *record.Launch, runs []*amperity.Run) (bool, error) {
	was := j.LaunchDoc
	var owned []ledger.Item
	for _, run := range runs {
		free, version, err := l.Runs.IsUnowned(ctx, run)
		if !free || err != nil {
			return true, err // another launch was first; this launch is still due
		}
		if j.Run == nil {
			j.SetRun(run, j.Posts[0], l.Clock.Now())
			j.Adopted = true
		} else {
			j.AddRun(run)
		}
		owned = append(owned, record.RunItem(j.Key, run.ID, version, l.Clock.Now()))
	}
	// A crash before this leaves the launch as it was; the sweep finds the runs
	// again.
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
		return true, nil // another launch was first; this launch is still due
	case err != nil:
		return true, ignoreLost(err)
	}
	l.LogResult(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, j.Result())
	l.DeliverOutcome(ctx, j)
	return true, nil
}

// errDoubtful means that another launch of the config id may have started a
// run.
var errDoubtful = errors.New("another launch of the config id may have started the run")

// ignoreLost returns err, or nil if another process has taken over the launch.
func ignoreLost(err error) error {
	var lost *record.LostError
	if errors.As(err, &lost) {
		return nil
	}
	return err
}
