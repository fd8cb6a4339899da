package launch

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

const (
	// skew is how far Amperity's clock may be from ours.
	skew = 5 * time.Second
	// questions is how often a query is sent in a row, and maxPause how long
	// Amperity may ask to wait in between: others wait, too.
	questions = 3
	maxPause  = 2 * time.Second
	// searchOften is how long after a launch's last request every sweep searches
	// for its runs. Then the sweep searches once an hour.
	searchOften = 2*time.Hour + 15*time.Minute
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

// period is a stretch of time, both ends included.
type period struct{ from, to time.Time }

// holds reports whether a run that was created at a time is of the period. A run
// without a time may be of any.
func (p period) holds(created time.Time) bool {
	return created.IsZero() || !created.Before(p.from) && !created.After(p.to)
}

// searched returns the periods in which the runs of a launch were created.
func searched(r *record, now time.Time) (ps []period) {
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

func has(runs []*amperity.Run, id string) bool {
	return slices.ContainsFunc(runs, func(r *amperity.Run) bool { return r.ID == id })
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
