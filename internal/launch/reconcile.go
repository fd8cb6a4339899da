package launch

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

const (
	// skew is how far Amperity's clock may be from ours.
	skew = 5 * time.Second
	// patience is how long lists of runs are asked that show no run, or decide
	// nothing.
	patience = 15 * time.Minute
	// questions is how often a question is asked in a row, and maxPause how long
	// Amperity may ask to wait in between: others wait, too.
	questions = 3
	maxPause  = 2 * time.Second
	// control is how far back a list may reach to show a run that is known.
	control = 7 * 24 * time.Hour
	// reach is how old a run may be to be taken for a launch's: the ledger
	// remembers for longer whose it is.
	reach = keptFor - 10*24*time.Hour
	// maxCandidates is how many runs a person is told of.
	maxCandidates = 5
	// maxUnresolved is how many requests of a launch may end without anybody
	// knowing, without a person.
	maxUnresolved = 2
)

// Reconcile goes on with a launch that fell due: one whose process died, that
// was blocked, of which nobody knows whether a run was started, or that was
// not announced. It reports whether there was anything to do. An error says
// that the item could not be worked on; it stays due.
func (l *Launcher) Reconcile(ctx context.Context, key string) (bool, error) {
	item, err := l.Ledger.Get(ctx, key)
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
		l.finish(ctx, j)
	}
	return true, nil
}

// look asks Amperity what became of the requests of a launch.
//
// Nothing is concluded from a list that is not whole, or does not show a run
// that is known to be there. No candidate proves nothing either: Amperity may
// start the run later. One candidate is taken only if it looks like the runs
// of this config id and no other launch could have started it.
func (l *Launcher) look(ctx context.Context, j *job) error {
	c, err := l.config(ctx, j.Request.ConfigID)
	if err != nil {
		return err
	}
	if j.State == posting {
		j.State, j.Since = unknown, l.Clock.Now()
	}
	runs, err := l.list(ctx, j, c)
	if err != nil {
		return l.undecided(ctx, j, err)
	}
	j.Candidates = nil
	var candidates []*amperity.Run
	for _, run := range runs {
		mine, err := l.candidate(ctx, j, run)
		if err != nil {
			return l.undecided(ctx, j, err)
		}
		if mine {
			candidates = append(candidates, run)
		}
	}
	if len(candidates) == 0 {
		j.Looked.Undecided = time.Time{}
		return l.noCandidate(ctx, j)
	}
	j.Looked.Empty = time.Time{}
	// The list has no principals.
	named := candidates[:min(len(candidates), maxCandidates)]
	var unread error
	for i, run := range named {
		verbose, err := l.getRun(ctx, run.ID, amperity.ViewVerbose, questions)
		if err != nil {
			unread = err
			break
		}
		named[i] = verbose
	}
	if unread == nil && len(candidates) == 1 && c.Identity != nil && *identityOf(candidates[0]) == *c.Identity && !c.doubts(j.Key, j.Posts[0]) {
		return l.adopt(ctx, j, candidates[0])
	}
	for _, run := range named {
		j.Candidates = append(j.Candidates, candidateOf(run))
	}
	if unread != nil {
		return l.undecided(ctx, j, unread)
	}
	return l.holdUnknown(ctx, j, doubtfulText(len(candidates)))
}

// list gives the runs created since the launch's first request. The error says
// why the list decides nothing.
func (l *Launcher) list(ctx context.Context, j *job, c *config) ([]*amperity.Run, error) {
	since := j.Posts[0].Add(-skew)
	if oldest := l.Clock.Now().Add(-reach); since.Before(oldest) {
		since = oldest // whose older runs are is forgotten
	}
	from := since
	known := c.Newest.RunID
	if known != "" {
		switch {
		case l.Clock.Now().Sub(c.Newest.Created) > control:
			known = "" // there is no such control
		case c.Newest.Created.Before(from):
			from = c.Newest.Created
		}
	}
	var runs []*amperity.Run
	var shown bool
	err := l.ask(ctx, listTimeout, questions, func(ctx context.Context) error {
		runs, shown = nil, known == ""
		for page, err := range l.API.ListRuns(ctx, amperity.ListOptions{CreatedFrom: from}) {
			if err != nil {
				return err
			}
			for _, run := range page.Runs {
				shown = shown || run.ID == known
				// A run without a time may be any.
				if run.CreatedAt.IsZero() || !run.CreatedAt.Before(since) {
					runs = append(runs, run)
				}
			}
			if err := l.paced(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case !shown:
		return nil, &incompleteError{known}
	}
	return runs, nil
}

const (
	// getTimeout and listTimeout bound what is asked of Amperity, so that an
	// answer which does not come holds up nothing else.
	getTimeout  = 5 * time.Second
	listTimeout = 20 * time.Second
)

// paced waits until the next question may be asked.
func (l *Launcher) paced(ctx context.Context) error {
	if l.Pacer == nil {
		return nil
	}
	return l.Pacer.Wait(ctx)
}

// ask puts a question to Amperity when it is its turn, with so much time for an
// answer; and again, at most so many times in all, where too many have asked:
// whoever began anew with all that he has to ask would find as many there.
func (l *Launcher) ask(ctx context.Context, limit time.Duration, most int, question func(context.Context) error) error {
	backoff := firstBackoff
	for n := 1; ; n++ {
		if err := l.paced(ctx); err != nil {
			return err
		}
		err := l.within(ctx, limit, question)
		var api *amperity.APIError
		if n == most || !errors.As(err, &api) || !errors.Is(err, amperity.ErrRateLimited) || api.RetryAfter > maxPause {
			return err
		}
		if !l.rest(ctx, backoff, api.RetryAfter) {
			return err
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// within bounds a question to Amperity: what follows needs time too.
func (l *Launcher) within(ctx context.Context, limit time.Duration, question func(context.Context) error) error {
	if d, ok := ctx.Deadline(); ok {
		limit = min(limit, d.Sub(l.Clock.Now())-reserve)
	}
	ctx, cancel := l.Clock.WithTimeout(ctx, max(0, limit))
	defer cancel()
	return question(ctx)
}

func (l *Launcher) getRun(ctx context.Context, id string, view amperity.View, most int) (run *amperity.Run, err error) {
	err = l.ask(ctx, getTimeout, most, func(ctx context.Context) error {
		run, err = l.API.GetRun(ctx, id, view)
		return err
	})
	return run, err
}

// candidate reports whether a run may be the launch's: whether it is nobody
// else's.
func (l *Launcher) candidate(ctx context.Context, j *job, run *amperity.Run) (bool, error) {
	item, err := l.Ledger.Get(ctx, runKey(run.ID))
	if err != nil || !item.Exists() {
		return err == nil, err
	}
	var of belongs
	if err := decode(item, &of, func() int { return of.Format }); err != nil {
		return false, err
	}
	return of.Launch == "" || of.Launch == j.Key, nil
}

// undecided keeps a launch of which nothing could be learned, for a while.
func (l *Launcher) undecided(ctx context.Context, j *job, why error) error {
	now := l.Clock.Now()
	l.Logger.WarnContext(ctx, "run not found out", slog.String(telemetry.LaunchKey, j.Key), slog.String(telemetry.Error, why.Error()))
	if j.Looked.Undecided.IsZero() {
		j.Looked.Undecided = now
	}
	next := soon
	if j.pending() {
		next = pausedFor // a person has decided already
	}
	var api *amperity.APIError
	if errors.As(why, &api) {
		next = max(next, api.RetryAfter)
	}
	switch {
	case j.pending() && j.tooLate(now):
		return l.holdUnknown(ctx, j, unsentText(j.Hold, why.Error()))
	case j.pending() || now.Sub(j.Looked.Undecided) < patience:
		return l.later(ctx, j, next)
	}
	return l.holdUnknown(ctx, j, undecidedText(why))
}

// noCandidate goes on with a launch that no run in the list can be of.
func (l *Launcher) noCandidate(ctx context.Context, j *job) error {
	now := l.Clock.Now()
	if j.Looked.Empty.IsZero() {
		j.Looked.Empty = now
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
		// A person has said so; it could not be sent yet.
	case now.Sub(j.Looked.Empty) < patience:
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
	if v.outcome == Blocked {
		// Nothing new is under way: what the lists said goes on to count.
		j.Looked.Empty = empty
	}
	l.settle(ctx, j, v)
	return nil
}

// later writes an unknown launch back, to be looked at again.
func (l *Launcher) later(ctx context.Context, j *job, after time.Duration) error {
	// A crash before this leaves it due: the look is repeated.
	return l.put(ctx, j, l.Clock.Now().Add(after))
}

// holdUnknown leaves a launch to a person of which nobody knows whether it has
// a run, and says why.
func (l *Launcher) holdUnknown(ctx context.Context, j *job, why string) error {
	j.Error = &announcement.Error{Kind: announcement.ErrorUnknown, Message: why}
	if err := l.hold(ctx, j, announcement.ReasonUnknownOutcome); err != nil {
		return unlessLost(err)
	}
	l.log(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, j.result())
	l.finish(ctx, j)
	return nil
}

// adopt makes a run that was found the launch's. It covers what the earliest
// request that can have made it would.
func (l *Launcher) adopt(ctx context.Context, j *job, run *amperity.Run) error {
	posted := j.Posts[0]
	if made := run.CreatedAt.Add(-skew); !run.CreatedAt.IsZero() && made.Before(posted) {
		posted = made
	}
	j.begin(run, posted, l.Clock.Now())
	j.Adopted = true
	// A crash before this leaves it unknown: it is found again.
	err := l.transact(ctx, j, l.Clock.Now().Add(soon), func(c *config) { c.began(j) }, ownedBy(j))
	if err != nil {
		// Taken by another in between, or this launch by its own answer.
		var taken *takenError
		if errors.As(err, &taken) {
			return nil // it is still due, and will be looked into again
		}
		return unlessLost(err)
	}
	l.log(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, j.result())
	l.finish(ctx, j)
	return nil
}

// unlessLost is the error, unless somebody else has gone on with the launch.
func unlessLost(err error) error {
	var lost *lostError
	if errors.As(err, &lost) {
		return nil
	}
	return err
}

// config reads what is known of a config id.
func (l *Launcher) config(ctx context.Context, configID string) (*config, error) {
	item, err := l.Ledger.Get(ctx, configPrefix+configID)
	if err != nil {
		return nil, err
	}
	return decodeConfig(item, configID)
}

// candidateOf is what a person is told of a run.
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
