package launch

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Search finds the runs that j's requests may have started, in a list that is no
// older than notBefore. The error says why the list decides nothing. The result
// then has the runs found before the error.
//
// A run may be j's if it was created within three hours after one of j's
// requests, if no other launch has it, and if its name, type and principal can
// be those of the config id's runs.
func (cl *Client) Search(ctx context.Context, j *job, c *config, notBefore time.Time) (found, error) {
	f := found{certain: c.Identity != nil, begun: cl.Clock.Now()}
	var principals []string
	periods := searched(&j.record, cl.Clock.Now())
	if age := cl.Clock.Now().Sub(j.lastPost()); age >= searchOften && (j.State.over() || j.State == held) {
		periods = sliceOf(periods, int(age/time.Hour))
	}
	for _, r := range periods {
		list := cl.list(ctx, r, notBefore)
		if list.err != nil {
			return found{}, list.err
		}
		principals = c.principals(list.principal)
		if list.begun.Before(f.begun) {
			f.begun = list.begun
		}
		for _, run := range list.runs {
			if !r.holds(run.CreatedAt) || !c.Identity.fits(run) || has(f.runs, run.ID) || slices.Contains(j.Declined, run.ID) ||
				cl.isForeign(run.ID, principals) {
				continue
			}
			free, _, err := cl.Unowned(ctx, run)
			if err != nil {
				return f, err
			}
			if free {
				f.runs = append(f.runs, run)
			}
		}
	}
	// The earliest first: Amperity mostly starts a run within seconds.
	slices.SortStableFunc(f.runs, func(a, b *amperity.Run) int { return a.CreatedAt.Compare(b.CreatedAt) })
	err := cl.readPrincipals(ctx, &f, c, principals)
	f.certain = f.certain && err == nil && len(f.runs) <= j.unaccounted()
	return f, err
}

// readPrincipals reads the runs of f, since the list may lack principals, and
// drops the runs of other principals. After an error the rest stays unread.
func (cl *Client) readPrincipals(ctx context.Context, f *found, c *config, principals []string) error {
	runs := f.runs
	f.runs = nil
	for i, run := range runs {
		if i == maxRead {
			return &crowdedError{}
		}
		run, err := cl.Get(ctx, run.ID, amperity.ViewVerbose, questions)
		if err != nil {
			f.runs = append(f.runs, runs[i:]...)
			return err
		}
		if len(principals) > 0 && run.PrincipalID != "" && !slices.Contains(principals, run.PrincipalID) {
			cl.noteForeign(run.ID, run.PrincipalID)
			continue
		}
		f.runs = append(f.runs, run)
		f.certain = f.certain && c.Identity.matches(run, principals)
	}
	return nil
}

// Unowned reports whether a run belongs to no launch, and returns the version of
// the run's item.
func (cl *Client) Unowned(ctx context.Context, run *amperity.Run) (free bool, version int64, err error) {
	item, err := cl.Store.Get(ctx, runKey(run.ID))
	if err != nil || !item.Exists() {
		return err == nil, 0, err
	}
	owner, err := ownerOf(item)
	return err == nil && owner == "", item.Version, err
}

// isForeign reports whether this instance has read a run of another principal.
func (cl *Client) isForeign(runID string, principals []string) bool {
	cl.memory.mu.Lock()
	defer cl.memory.mu.Unlock()
	principal := cl.memory.foreign[runID]
	return principal != "" && !slices.Contains(principals, principal)
}

func (cl *Client) noteForeign(runID, principal string) {
	cl.memory.mu.Lock()
	defer cl.memory.mu.Unlock()
	if cl.memory.foreign == nil || len(cl.memory.foreign) >= maxRemembered {
		cl.memory.foreign = map[string]string{}
	}
	cl.memory.foreign[runID] = principal
}

// list returns a list of the runs that were created in a period, and perhaps
// others. It is asked for no earlier than notBefore. Looks of the same sweep
// share a list, a failed one too.
func (cl *Client) list(ctx context.Context, p period, notBefore time.Time) listing {
	for {
		cache := &cl.memory.recent
		if cl.Clock.Now().Sub(p.from) > recent {
			cache = &cl.memory.older
		}
		list, read := cl.memory.list(cache, p, notBefore, cl.Clock.Now())
		switch {
		case read:
			return cl.readShared(ctx, cache, list.from, list.to)
		case !list.begun.IsZero():
			return list
		}
		if err := cl.Clock.Sleep(ctx, waitForList); err != nil {
			return listing{err: err}
		}
	}
}

// readShared reads a list for all looks of the sweep.
func (cl *Client) readShared(ctx context.Context, cache *listCache, from, to time.Time) (list listing) {
	defer func() {
		cl.memory.mu.Lock()
		defer cl.memory.mu.Unlock()
		cache.busy = false
		if !list.begun.IsZero() { // it did not panic
			list.read = cl.Clock.Now()
			cache.last = list
		}
	}()
	return cl.readList(ctx, from, to)
}

// readList reads the list of runs between two times. Nothing may be concluded
// from a list that is not whole, or does not show the control run.
func (cl *Client) readList(ctx context.Context, from, to time.Time) listing {
	list := listing{from: from, to: to, begun: cl.Clock.Now()}
	known, err := cl.Control(ctx)
	if err != nil {
		list.err = err
		return list
	}
	list.principal = known.PrincipalID
	shown := false
	switch oldest := from.Add(-controlNear); {
	case known.RunID == "" || list.begun.Sub(known.Created) > control:
		shown = true // there is no control run
	case known.Created.Before(oldest), !to.IsZero() && !known.Created.Before(to):
		around, err := cl.readPages(ctx, amperity.ListOptions{CreatedFrom: known.Created.Add(-skew), CreatedTo: known.Created.Add(skew)})
		if err != nil {
			list.err = err
			return list
		}
		if shown = has(around, known.RunID); !shown {
			list.err = &incompleteError{known.RunID}
			return list
		}
	case known.Created.Add(-skew).Before(from):
		from = known.Created.Add(-skew) // the API may round times
	}
	list.runs, list.err = cl.readPages(ctx, amperity.ListOptions{CreatedFrom: from, CreatedTo: to})
	if list.err == nil && !shown && !has(list.runs, known.RunID) {
		list.err = &incompleteError{known.RunID}
	}
	return list
}

// readPages reads a list to its end. A run that two pages show counts once.
func (cl *Client) readPages(ctx context.Context, o amperity.ListOptions) (runs []*amperity.Run, err error) {
	err = cl.query(ctx, listTimeout, questions, func(ctx context.Context) error {
		runs = nil
		seen := map[string]bool{}
		for page, err := range cl.API.ListRuns(ctx, o) {
			if err != nil {
				return err
			}
			for _, run := range page.Runs {
				if !seen[run.ID] {
					seen[run.ID] = true
					runs = append(runs, run)
				}
			}
			if err := cl.paced(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return runs, err
}

// Control reads the control run.
func (cl *Client) Control(ctx context.Context) (controlRun, error) {
	item, err := cl.Store.Get(ctx, controlKey)
	if err != nil || !item.Exists() {
		return controlRun{}, err
	}
	var known controlRun
	err = decode(item, &known, func() int { return known.Format })
	return known, err
}

// NoteControl makes a run the control run, unless there is a recent one. It is
// best effort: without it, lists are checked by an older run or none.
func (cl *Client) NoteControl(ctx context.Context, run *amperity.Run) {
	if run == nil || run.CreatedAt.IsZero() {
		return
	}
	recentEnough := func(known controlRun) bool {
		return known.RunID != "" && run.CreatedAt.Sub(known.Created) < controlEvery && known.PrincipalID == run.PrincipalID
	}
	if recentEnough(cl.memory.knownControl()) || !cl.memory.noteOnce() {
		return
	}
	defer cl.memory.noted()
	item, err := cl.Store.Get(ctx, controlKey)
	if err != nil {
		return
	}
	var known controlRun
	if item.Exists() && decode(item, &known, func() int { return known.Format }) != nil {
		return
	}
	if !recentEnough(known) {
		known = controlRun{Format: format, RunID: run.ID, Created: run.CreatedAt, PrincipalID: run.PrincipalID}
		doc, _ := encode(known) // texts and a time
		if cl.Store.Put(ctx, cl.Store.Token(ctx), ledger.Item{Key: controlKey, Version: item.Version, Doc: doc}) != nil {
			return // another instance was first, or there is none
		}
	}
	cl.memory.setControl(known)
}

// hasEnded reports whether a run has ended. It queries the run once for all
// windows that wait for it in one sweep. A run that cannot be read counts as still
// running, and as unread unless Amperity refuses to show it. since is when the
// run's request was sent.
func (cl *Client) hasEnded(ctx context.Context, runID string, since time.Time) (ended, unread bool) {
	if d, ok := ctx.Deadline(); ok && d.Sub(cl.Clock.Now()) < askAbove {
		return false, true // the files that are to be written come first
	}
	q, known := cl.memory.endQuery(runID, cl.Clock.Now())
	if known {
		return q.ended, q.unread
	}
	unread = true
	defer func() { cl.memory.answer(runID, ended, unread) }()
	run, err := cl.Get(ctx, runID, amperity.ViewOverview, 1)
	switch {
	case errors.Is(err, amperity.ErrNotFound):
		// A run that Amperity does not know does not run. A new one may not be
		// known everywhere yet.
		ended, unread = cl.Clock.Now().Sub(since) > time.Hour, false
	case err != nil:
		cl.unreadable(ctx, runID, err)
		unread = !errors.Is(err, amperity.ErrRejected)
	default:
		ended, unread = run.Over(), false
	}
	return ended, unread
}

// Front returns what is in front of the launch with a key, or of a window, whose
// key is empty. A launch in front may itself wait for its turn. queue drops the
// runs that have ended from c.
func (cl *Client) Front(ctx context.Context, c *config, key string) (f window.Front) {
	own := slices.IndexFunc(c.Launches, func(e entry) bool { return key != "" && e.Key == key })
	var ahead []entry
	for i, e := range c.Launches {
		behind := own >= 0 && i > own && e.State == entryGoing && e.Last.IsZero()
		if i != own && !behind {
			ahead = append(ahead, e)
		}
	}
	// The newest first: one that is still running is most likely among them.
	slices.SortStableFunc(ahead, func(a, b entry) int { return b.Last.Compare(a.Last) })
	for _, e := range ahead {
		switch {
		case e.State == entryGoing:
			f.Launch = true
		case e.State == entryStarted && f.IsZero():
			ended, unread := cl.hasEnded(ctx, e.RunID, e.Last)
			if ended {
				c.ended(e)
			} else {
				f.RunID, f.Since, f.Unread = e.RunID, e.Last, unread
			}
		}
	}
	return f
}

// unreadable logs that a run which a window waits for cannot be read.
func (cl *Client) unreadable(ctx context.Context, runID string, err error) {
	cl.Logger.WarnContext(ctx, "run not seen", slog.String(telemetry.RunID, runID), slog.String(telemetry.Error, err.Error()))
}
