package launch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

const (
	// fresh is how long the answer to a query serves other launches and windows
	// of the same sweep.
	fresh = 30 * time.Second
	// waitForList is how often a look checks whether another look has read the
	// list.
	waitForList = 250 * time.Millisecond
	// control is the age up to which a list must show the control run.
	control = 7 * 24 * time.Hour
	// controlNear is how much further back a list reaches to include the control
	// run. An older control run gets a list of its own.
	controlNear = time.Hour
	// controlEvery is the least time between two control runs. It exceeds the
	// time by which a list lags behind.
	controlEvery = 10 * time.Minute
	// processedWithin is how long after its request a run is created at most.
	processedWithin = 3 * time.Hour
	// recent is the age up to which requests share a list without an end. Older
	// ones share lists that reach widened further than one of them needs.
	recent  = processedWithin
	widened = 10 * time.Minute
	// slice is how much of the periods an hourly look searches, so that it takes
	// no longer in a busy tenant.
	slice = 30 * time.Minute
	// reach is the age up to which a run may be adopted. The ledger remembers the
	// owners of runs for longer than that.
	reach = keptFor - 10*24*time.Hour
	// maxRead is how many runs one look reads to learn their principals. The next
	// look of the instance skips the runs of other principals, and so reads on.
	maxRead = 20
	// maxRemembered bounds the runs that an instance remembers.
	maxRemembered = 10_000
)

// memory is what an instance of a function remembers of Amperity, so that one
// query serves every launch and window of a sweep. It is a cache: nothing
// depends on it.
type memory struct {
	mu sync.Mutex
	// recent and older are the lists for recent and for older requests.
	recent, older listCache
	// foreign are runs that another principal started.
	foreign map[string]string
	// ends are the queries for the end of a run.
	ends map[string]*endQuery
	// control is the control run as this instance read or wrote it last.
	control controlRun
	// noting: a launch is noting the control run.
	noting bool
}

// endQuery is a query whether a run has ended.
type endQuery struct {
	at                     time.Time
	pending, ended, unread bool
}

// listCache is the latest list, and whether a look reads another one.
type listCache struct {
	busy bool
	last listing
	// wanted is the earliest start that looks have asked for since.
	wanted time.Time
}

// listing is a list of runs.
type listing struct {
	// from and to bound the list; without to it has no end. begun and read are when
	// it was asked for, and read to its end.
	from, to, begun, read time.Time
	runs                  []*amperity.Run
	// principal is that of the control run.
	principal string
	err       error
}

// controlRun is the document of a run that every list must show. There is one
// for the whole stack.
type controlRun struct {
	Format      int       `json:"format"`
	RunID       string    `json:"run_id"`
	Created     time.Time `json:"created"`
	PrincipalID string    `json:"principal_id,omitempty"`
}

// controlKey is the key of the control run's item.
const controlKey = "control"

// found are the runs that a search finds for a launch.
type found struct {
	runs []*amperity.Run
	// certain: each of them is the launch's, unless another launch of the config
	// id can have started it.
	certain bool
	// begun is when the list was requested.
	begun time.Time
}

// search finds the runs that j's requests may have started, in a list that is no
// older than notBefore. The error says why the list decides nothing. The result
// then has the runs found before the error.
//
// A run may be j's if it was created within three hours after one of j's
// requests, if no other launch has it, and if its name, type and principal can
// be those of the config id's runs.
func (l *Launcher) search(ctx context.Context, j *job, c *config, notBefore time.Time) (found, error) {
	f := found{certain: c.Identity != nil, begun: l.Clock.Now()}
	var principals []string
	periods := j.searched(l.Clock.Now())
	if age := l.Clock.Now().Sub(j.lastPost()); age >= searchOften && (j.State.over() || j.State == held) {
		periods = sliceOf(periods, int(age/time.Hour))
	}
	for _, r := range periods {
		list := l.list(ctx, r, notBefore)
		if list.err != nil {
			return found{}, list.err
		}
		principals = c.principals(list.principal)
		if list.begun.Before(f.begun) {
			f.begun = list.begun
		}
		for _, run := range list.runs {
			if !r.holds(run.CreatedAt) || !c.Identity.fits(run) || has(f.runs, run.ID) || slices.Contains(j.Declined, run.ID) ||
				l.isForeign(run.ID, principals) {
				continue
			}
			free, _, err := l.unowned(ctx, run)
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
	err := l.readPrincipals(ctx, &f, c, principals)
	f.certain = f.certain && err == nil && len(f.runs) <= j.unaccounted()
	return f, err
}

// readPrincipals reads the runs of f, since the list may lack principals, and
// drops the runs of other principals. After an error the rest stays unread.
func (l *Launcher) readPrincipals(ctx context.Context, f *found, c *config, principals []string) error {
	runs := f.runs
	f.runs = nil
	for i, run := range runs {
		if i == maxRead {
			return &crowdedError{}
		}
		run, err := l.getRun(ctx, run.ID, amperity.ViewVerbose, questions)
		if err != nil {
			f.runs = append(f.runs, runs[i:]...)
			return err
		}
		if len(principals) > 0 && run.PrincipalID != "" && !slices.Contains(principals, run.PrincipalID) {
			l.noteForeign(run.ID, run.PrincipalID)
			continue
		}
		f.runs = append(f.runs, run)
		f.certain = f.certain && c.Identity.matches(run, principals)
	}
	return nil
}

// period is a stretch of time, both ends included.
type period struct{ from, to time.Time }

// holds reports whether a run that was created at a time is of the period. A run
// without a time may be of any.
func (p period) holds(created time.Time) bool {
	return created.IsZero() || !created.Before(p.from) && !created.After(p.to)
}

// searched returns the periods in which the runs of a launch were created.
func (r *record) searched(now time.Time) (ps []period) {
	oldest := now.Add(-reach) // the ledger has forgotten the owners of older runs
	for _, post := range r.Posts {
		p := period{post.Add(-skew), post.Add(processedWithin)}
		if p.from.Before(oldest) {
			p.from = oldest
		}
		if n := len(ps); n > 0 && !p.from.After(ps[n-1].to) {
			ps[n-1].to = p.to
		} else if p.to.After(p.from) {
			ps = append(ps, p)
		}
	}
	return ps
}

// sliceOf returns the slice of some periods that the nth look searches: the first
// one every other time, since Amperity mostly starts a run within minutes, and
// the others in turn.
func sliceOf(ps []period, n int) []period {
	var all []period
	for _, p := range ps {
		for from := p.from; from.Before(p.to); from = from.Add(slice) {
			all = append(all, period{from, from.Add(slice)})
		}
	}
	if len(all) == 0 {
		return nil
	}
	if n%2 == 0 {
		return all[:1]
	}
	return all[n/2%len(all):][:1]
}

// principals returns the principals that this stack's runs may have: those of the
// config id's runs and that of the control run, which differ after a change of
// the API key.
func (c *config) principals(control string) []string {
	var ps []string
	if c.Identity != nil {
		ps = append(ps, c.Identity.PrincipalID)
		if former := c.Identity.FormerPrincipalID; former != "" {
			ps = append(ps, former)
		}
	}
	if control != "" {
		ps = append(ps, control)
	}
	return ps
}

// fits reports whether a run can be one of the config id's, by its name and
// type. Without an identity any run can.
func (i *identity) fits(run *amperity.Run) bool {
	return i == nil || (run.Name == "" || run.Name == i.Name) && (run.Type == "" || run.Type == i.Type)
}

// matches reports whether a run is one of the config id's.
func (i *identity) matches(run *amperity.Run, principals []string) bool {
	return run.Name == i.Name && run.Type == i.Type && slices.Contains(principals, run.PrincipalID)
}

// unowned reports whether a run belongs to no launch, and returns the version of
// the run's item.
func (l *Launcher) unowned(ctx context.Context, run *amperity.Run) (free bool, version int64, err error) {
	item, err := l.Ledger.Get(ctx, runKey(run.ID))
	if err != nil || !item.Exists() {
		return err == nil, 0, err
	}
	owner, err := ownerOf(item)
	return err == nil && owner == "", item.Version, err
}

// isForeign reports whether this instance has read a run of another principal.
func (l *Launcher) isForeign(runID string, principals []string) bool {
	l.memory.mu.Lock()
	defer l.memory.mu.Unlock()
	principal := l.memory.foreign[runID]
	return principal != "" && !slices.Contains(principals, principal)
}

func (l *Launcher) noteForeign(runID, principal string) {
	l.memory.mu.Lock()
	defer l.memory.mu.Unlock()
	if l.memory.foreign == nil || len(l.memory.foreign) >= maxRemembered {
		l.memory.foreign = map[string]string{}
	}
	l.memory.foreign[runID] = principal
}

// list returns a list of the runs that were created in a period, and perhaps
// others. It is asked for no earlier than notBefore. Looks of the same sweep
// share a list, a failed one too.
func (l *Launcher) list(ctx context.Context, p period, notBefore time.Time) listing {
	for {
		cache := &l.memory.recent
		if l.Clock.Now().Sub(p.from) > recent {
			cache = &l.memory.older
		}
		list, read := l.memory.list(cache, p, notBefore, l.Clock.Now())
		switch {
		case read:
			return l.readShared(ctx, cache, list.from, list.to)
		case !list.begun.IsZero():
			return list
		}
		if err := l.Clock.Sleep(ctx, waitForList); err != nil {
			return listing{err: err}
		}
	}
}

// list returns the latest list if it serves, or reports that the caller is to
// read one with the bounds returned. Neither: another look reads one.
func (m *memory) list(cache *listCache, p period, notBefore, now time.Time) (serves listing, read bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if cache.wanted.IsZero() || p.from.Before(cache.wanted) {
		cache.wanted = p.from
	}
	last := cache.last
	covers := !last.from.After(p.from) && (last.to.IsZero() || !last.to.Before(p.to)) && !last.begun.Before(notBefore)
	if !last.begun.IsZero() && now.Sub(last.read) < fresh && (covers || last.err != nil) {
		return last, false
	}
	if cache.busy {
		return listing{}, false
	}
	cache.busy = true
	from := cache.wanted
	cache.wanted = time.Time{}
	if cache == &m.older {
		return listing{from: p.from.Add(-widened), to: p.to.Add(widened)}, true
	}
	if oldest := now.Add(-recent); from.Before(oldest) && oldest.Before(p.from) {
		from = oldest
	}
	return listing{from: from}, true
}

// readShared reads a list for all looks of the sweep.
func (l *Launcher) readShared(ctx context.Context, cache *listCache, from, to time.Time) (list listing) {
	defer func() {
		l.memory.mu.Lock()
		defer l.memory.mu.Unlock()
		cache.busy = false
		if !list.begun.IsZero() { // it did not panic
			list.read = l.Clock.Now()
			cache.last = list
		}
	}()
	return l.readList(ctx, from, to)
}

// readList reads the list of runs between two times. Nothing may be concluded
// from a list that is not whole, or does not show the control run.
func (l *Launcher) readList(ctx context.Context, from, to time.Time) listing {
	list := listing{from: from, to: to, begun: l.Clock.Now()}
	known, err := l.readControl(ctx)
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
		around, err := l.readPages(ctx, amperity.ListOptions{CreatedFrom: known.Created.Add(-skew), CreatedTo: known.Created.Add(skew)})
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
	list.runs, list.err = l.readPages(ctx, amperity.ListOptions{CreatedFrom: from, CreatedTo: to})
	if list.err == nil && !shown && !has(list.runs, known.RunID) {
		list.err = &incompleteError{known.RunID}
	}
	return list
}

func has(runs []*amperity.Run, id string) bool {
	return slices.ContainsFunc(runs, func(r *amperity.Run) bool { return r.ID == id })
}

// readPages reads a list to its end. A run that two pages show counts once.
func (l *Launcher) readPages(ctx context.Context, o amperity.ListOptions) (runs []*amperity.Run, err error) {
	err = l.ask(ctx, listTimeout, questions, func(ctx context.Context) error {
		runs = nil
		seen := map[string]bool{}
		for page, err := range l.API.ListRunPages(ctx, o) {
			if err != nil {
				return err
			}
			for _, run := range page.Runs {
				if !seen[run.ID] {
					seen[run.ID] = true
					runs = append(runs, run)
				}
			}
			if err := l.paced(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return runs, err
}

// readControl reads the control run.
func (l *Launcher) readControl(ctx context.Context) (controlRun, error) {
	item, err := l.Ledger.Get(ctx, controlKey)
	if err != nil || !item.Exists() {
		return controlRun{}, err
	}
	var known controlRun
	err = decode(item, &known, func() int { return known.Format })
	return known, err
}

// noteControl makes a run the control run, unless there is a recent one. It is
// best effort: without it, lists are checked by an older run or none.
func (l *Launcher) noteControl(ctx context.Context, run *amperity.Run) {
	if run == nil || run.CreatedAt.IsZero() {
		return
	}
	recentEnough := func(known controlRun) bool {
		return known.RunID != "" && run.CreatedAt.Sub(known.Created) < controlEvery && known.PrincipalID == run.PrincipalID
	}
	if recentEnough(l.memory.knownControl()) || !l.memory.noteOnce() {
		return
	}
	defer l.memory.noted()
	item, err := l.Ledger.Get(ctx, controlKey)
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
		if l.Ledger.Put(ctx, l.Token(ctx), ledger.Item{Key: controlKey, Version: item.Version, Doc: doc}) != nil {
			return // another instance was first, or there is none
		}
	}
	l.memory.setControl(known)
}

func (m *memory) knownControl() controlRun {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.control
}

// noteOnce reports whether no other launch of the instance is noting the control
// run.
func (m *memory) noteOnce() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.noting
	m.noting = true
	return !was
}

func (m *memory) noted() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noting = false
}

func (m *memory) setControl(c controlRun) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.control = c
}

// hasEnded reports whether a run has ended. It queries the run once for all
// windows that wait for it in one sweep. A run that cannot be read counts as still
// running, and as unread unless Amperity refuses to show it. since is when the
// run's request was sent.
func (l *Launcher) hasEnded(ctx context.Context, runID string, since time.Time) (ended, unread bool) {
	if d, ok := ctx.Deadline(); ok && d.Sub(l.Clock.Now()) < askAbove {
		return false, true // the files that are to be written come first
	}
	q, known := l.memory.endQuery(runID, l.Clock.Now())
	if known {
		return q.ended, q.unread
	}
	unread = true
	defer func() { l.memory.answer(runID, ended, unread) }()
	run, err := l.getRun(ctx, runID, amperity.ViewOverview, 1)
	switch {
	case errors.Is(err, amperity.ErrNotFound):
		// A run that Amperity does not know does not run. A new one may not be
		// known everywhere yet.
		ended, unread = l.Clock.Now().Sub(since) > time.Hour, false
	case err != nil:
		l.unreadable(ctx, runID, err)
		unread = !errors.Is(err, amperity.ErrRejected)
	default:
		ended, unread = run.Ended(), false
	}
	return ended, unread
}

// endQuery returns the latest query of a run, or leaves a new one to the caller,
// who reports it to answer. A run that is being queried counts as still running.
func (m *memory) endQuery(runID string, now time.Time) (q endQuery, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q := m.ends[runID]; q != nil && (q.pending || q.ended || now.Sub(q.at) < fresh) {
		return *q, true
	}
	if m.ends == nil || len(m.ends) >= maxRemembered {
		m.ends = map[string]*endQuery{}
	}
	m.ends[runID] = &endQuery{at: now, pending: true, unread: true}
	return endQuery{}, false
}

// answer takes in the result of a query that endQuery left to the caller.
func (m *memory) answer(runID string, ended, unread bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q := m.ends[runID]; q != nil {
		q.pending, q.ended, q.unread = false, ended, unread
	}
}

// incompleteError says that a list of runs lacks the control run.
type incompleteError struct{ runID string }

func (e *incompleteError) Error() string {
	return fmt.Sprintf("the list of runs does not show the run %s, which is known to be there", e.runID)
}

// crowdedError says that a look met more runs than it may read.
type crowdedError struct{}

func (e *crowdedError) Error() string {
	return "the list shows more runs of this name than one look reads; the next look skips those of other API keys"
}
