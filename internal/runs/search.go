package runs

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

const (
	// Skew bounds the difference between Amperity's clock and ours.
	Skew = 5 * time.Second
	// MaxQueries is how often a rate-limited query is sent in a row. maxPause
	// is the longest wait in between that Amperity may ask for: other launches
	// wait too.
	MaxQueries = 3
	maxPause   = 2 * time.Second
	// SearchOften is how long after a launch's last request every sweep
	// searches for its runs. After that the sweep searches once an hour.
	SearchOften = 2*time.Hour + 15*time.Minute
	// fresh is how long the result of a query serves other launches and windows
	// of the same sweep.
	fresh = 30 * time.Second
	// waitForList is how often a lookup checks whether another lookup has read
	// the list.
	waitForList = 250 * time.Millisecond
	// listHorizon is the age up to which a list must show the control run.
	listHorizon = 7 * 24 * time.Hour
	// controlNear is how much further back a list reaches to include the
	// control run. An older control run gets a list of its own.
	controlNear = time.Hour
	// controlEvery is the least time between two control runs. It exceeds the
	// lag of Amperity's list.
	controlEvery = 10 * time.Minute
	// processedWithin is the longest time from a request to the creation of its
	// run.
	processedWithin = 3 * time.Hour
	// recentFor is the age up to which requests share a list without an end.
	// Older requests share lists that reach widening further than one request
	// needs.
	recentFor = processedWithin
	widening  = 10 * time.Minute
	// sliceLength is how much of the periods an hourly lookup searches, which
	// bounds its duration in a busy tenant.
	sliceLength = 30 * time.Minute
	// reach is the age up to which a run may be adopted. The ledger remembers
	// the owners of runs for longer than that.
	reach = record.KeptFor - 10*24*time.Hour
	// maxRead is how many runs one lookup reads to learn their principals. The
	// instance's next lookup remembers them, and reads further.
	maxRead = 20
	// maxRemembered bounds the runs that an instance remembers.
	maxRemembered = 10_000
)

// Found is the result of a search for the runs of a launch.
type Found struct {
	Runs []*amperity.Run
	// Certain: each run is the launch's, unless another launch of the config id
	// may have started it.
	Certain bool
	// Begun is when the list was requested.
	Begun time.Time
}

// AfterPost returns the time from the last request before a run's creation to
// its creation.
func AfterPost(posts []time.Time, created time.Time) time.Duration {
	after := time.Duration(math.MaxInt64)
	for _, post := range posts {
		if d := created.Sub(post.Add(-Skew)); d >= 0 {
			after = min(after, d)
		}
	}
	return after
}

// period is a period of time, both ends included.
type period struct{ from, to time.Time }

// contains reports whether a run may have been created within the period. A run
// without a time may belong to every period.
func (p period) contains(created time.Time) bool {
	return created.IsZero() || !created.Before(p.from) && !created.After(p.to)
}

// searched returns the periods in which the runs of a launch may have been
// created.
func searched(r *record.LaunchDoc, now time.Time) (ps []period) {
	oldest := now.Add(-reach) // the ledger has forgotten the owners of older runs
	for _, post := range r.Posts {
		p := period{post.Add(-Skew), post.Add(processedWithin)}
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

// sliceOf returns the slice of ps that the nth lookup searches. Every other
// lookup searches the first slice, since Amperity mostly starts a run within
// minutes. The others search all slices in turn.
func sliceOf(ps []period, n int) []period {
	var all []period
	for _, p := range ps {
		for from := p.from; from.Before(p.to); from = from.Add(sliceLength) {
			all = append(all, period{from, from.Add(sliceLength)})
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

// hasRun reports whether a run is among runs.
func hasRun(runs []*amperity.Run, id string) bool {
	return slices.ContainsFunc(runs, func(r *amperity.Run) bool { return r.ID == id })
}

// incompleteError reports that a list of runs lacks the control run.
type incompleteError struct{ runID string }

func (e *incompleteError) Error() string {
	return fmt.Sprintf("the list of runs does not show the run %s, which is known to be there", e.runID)
}

// CrowdedError reports that a lookup found more runs than it may read.
type CrowdedError struct{}

func (e *CrowdedError) Error() string {
	return "the list shows more runs of this name than one lookup reads; the next lookup reads further"
}

// FindRuns finds the runs that j's requests may have started, in a list that is
// no older than notBefore. An error means that the lookup decides nothing. The
// result then has the runs found before the error.
//
// A run may be j's if three conditions hold. It was created within three hours
// after one of j's requests. No other launch owns it. Its name, type and
// principal may be those of the config id's runs.
func (cl *Client) FindRuns(ctx context.Context, j *record.Launch, c *record.ConfigID, notBefore time.Time) (Found, error) {
	f := Found{Certain: c.Identity != nil, Begun: cl.Clock.Now()}
	var principals []string
	periods := searched(&j.LaunchDoc, cl.Clock.Now())
	if age := cl.Clock.Now().Sub(j.LastPost()); age >= SearchOften && (j.State.Final() || j.State == record.StateHeld) {
		periods = sliceOf(periods, int(age/time.Hour))
	}
	for _, r := range periods {
		list := cl.sharedList(ctx, r, notBefore)
		if list.err != nil {
			return Found{}, list.err
		}
		principals = c.Principals(list.principal)
		if list.begun.Before(f.Begun) {
			f.Begun = list.begun
		}
		for _, run := range list.runs {
			if !r.contains(run.CreatedAt) || !c.Identity.MayMatch(run) || hasRun(f.Runs, run.ID) || slices.Contains(j.Declined, run.ID) ||
				cl.isForeign(run.ID, principals) {
				continue
			}
			free, _, err := cl.IsUnowned(ctx, run)
			if err != nil {
				return f, err
			}
			if free {
				f.Runs = append(f.Runs, run)
			}
		}
	}
	// Amperity mostly starts a run within seconds, so the runs right after a
	// request come first.
	slices.SortStableFunc(f.Runs, func(a, b *amperity.Run) int {
		return cmp.Or(cmp.Compare(AfterPost(j.Posts, a.CreatedAt), AfterPost(j.Posts, b.CreatedAt)), a.CreatedAt.Compare(b.CreatedAt))
	})
	err := cl.readFacts(ctx, &f, c, principals, j.Unaccounted())
	return f, err
}

// readFacts completes the runs of f, since the list may lack their principals.
// It drops the runs of other principals, and says whether the rest is certain:
// at most as many runs as most, all of which match. A run that this instance has
// read before is read again only if the rest is certain. After an error the
// remaining runs stay in f, unread.
func (cl *Client) readFacts(ctx context.Context, f *Found, c *record.ConfigID, principals []string, most int) error {
	runs, reads := f.Runs, 0
	var remembered []int
	f.Runs = nil
	for i, listed := range runs {
		run, known := cl.withFacts(listed)
		if !known {
			if reads == maxRead {
				f.Certain = false
				return &CrowdedError{}
			}
			reads++
			var err error
			if run, err = cl.readRun(ctx, listed.ID); err != nil {
				f.Runs, f.Certain = append(f.Runs, runs[i:]...), false
				return err
			}
		}
		if len(principals) > 0 && run.PrincipalID != "" && !slices.Contains(principals, run.PrincipalID) {
			continue
		}
		if known {
			remembered = append(remembered, len(f.Runs))
		}
		f.Runs = append(f.Runs, run)
		f.Certain = f.Certain && c.Identity.Matches(run, principals)
	}
	f.Certain = f.Certain && len(f.Runs) <= most
	if f.Certain {
		for _, i := range remembered {
			run, err := cl.readRun(ctx, f.Runs[i].ID)
			if err != nil {
				f.Certain = false
				return err
			}
			f.Runs[i] = run
		}
	}
	return nil
}

// IsUnowned reports whether no launch owns a run, and returns the version of
// the run's item.
func (cl *Client) IsUnowned(ctx context.Context, run *amperity.Run) (free bool, version int64, err error) {
	item, err := cl.Store.Get(ctx, record.RunKey(run.ID))
	if err != nil || !item.Exists() {
		return err == nil, 0, err
	}
	owner, err := record.OwnerOf(item)
	return err == nil && owner == "", item.Version, err
}

// readRun reads a run, and remembers its facts.
func (cl *Client) readRun(ctx context.Context, runID string) (*amperity.Run, error) {
	run, err := cl.GetRun(ctx, runID, amperity.ViewVerbose, MaxQueries)
	if err != nil || run.PrincipalID == "" {
		return run, err
	}
	cl.memory.mu.Lock()
	defer cl.memory.mu.Unlock()
	if cl.memory.facts == nil || len(cl.memory.facts) >= maxRemembered {
		cl.memory.facts = map[string]runFacts{}
	}
	cl.memory.facts[runID] = runFacts{run.Name, run.Type, run.PrincipalID, run.PrincipalName}
	return run, nil
}

// withFacts returns a run of a list with its facts. It reports whether this
// instance knows them.
func (cl *Client) withFacts(run *amperity.Run) (*amperity.Run, bool) {
	cl.memory.mu.Lock()
	defer cl.memory.mu.Unlock()
	facts, known := cl.memory.facts[run.ID]
	if !known {
		return run, false
	}
	complete := *run
	complete.Name, complete.Type, complete.PrincipalID, complete.PrincipalName = facts.name, facts.runType, facts.principalID, facts.principalName
	return &complete, true
}

// isForeign reports whether this instance has read that another principal
// started a run.
func (cl *Client) isForeign(runID string, principals []string) bool {
	cl.memory.mu.Lock()
	defer cl.memory.mu.Unlock()
	facts, known := cl.memory.facts[runID]
	return known && len(principals) > 0 && !slices.Contains(principals, facts.principalID)
}
