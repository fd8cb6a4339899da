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
	// skew is how far Amperity's clock may be from ours.
	Skew = 5 * time.Second
	// questions is how often a query is sent in a row, and maxPause how long
	// Amperity may ask to wait in between: others wait, too.
	MaxQueries = 3
	maxPause   = 2 * time.Second
	// searchOften is how long after a launch's last request every sweep searches
	// for its runs. Then the sweep searches once an hour.
	SearchOften = 2*time.Hour + 15*time.Minute
	// fresh is how long the answer to a query serves other launches and windows
	// of the same sweep.
	fresh = 30 * time.Second
	// waitForList is how often a look checks whether another look has read the
	// list.
	waitForList = 250 * time.Millisecond
	// control is the age up to which a list must show the control run.
	listHorizon = 7 * 24 * time.Hour
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
	recentFor = processedWithin
	widening  = 10 * time.Minute
	// slice is how much of the periods an hourly look searches, so that it takes
	// no longer in a busy tenant.
	sliceLength = 30 * time.Minute
	// reach is the age up to which a run may be adopted. The ledger remembers the
	// owners of runs for longer than that.
	reach = record.KeptFor - 10*24*time.Hour
	// maxRead is how many runs one look reads to learn their principals. The next
	// look of the instance skips the runs of other principals, and so reads on.
	maxRead = 20
	// maxRemembered bounds the runs that an instance remembers.
	maxRemembered = 10_000
)

// Found are the runs that a search finds for a launch.
type Found struct {
	Runs []*amperity.Run
	// certain: each of them is the launch's, unless another launch of the config
	// id can have started it.
	Certain bool
	// begun is when the list was requested.
	Begun time.Time
}

// afterPost returns how long after the latest request before it a run was created.
func afterPost(posts []time.Time, created time.Time) time.Duration {
	after := time.Duration(math.MaxInt64)
	for _, post := range posts {
		if d := created.Sub(post.Add(-Skew)); d >= 0 {
			after = min(after, d)
		}
	}
	return after
}

// period is a stretch of time, both ends included.
type period struct{ from, to time.Time }

// holds reports whether a run that was created at a time is of the period. A run
// without a time may be of any.
func (p period) contains(created time.Time) bool {
	return created.IsZero() || !created.Before(p.from) && !created.After(p.to)
}

// searched returns the periods in which the runs of a launch were created.
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

// sliceOf returns the slice of some periods that the nth look searches: the first
// one every other time, since Amperity mostly starts a run within minutes, and
// the others in turn.
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

func hasRun(runs []*amperity.Run, id string) bool {
	return slices.ContainsFunc(runs, func(r *amperity.Run) bool { return r.ID == id })
}

// incompleteError says that a list of runs lacks the control run.
type incompleteError struct{ runID string }

func (e *incompleteError) Error() string {
	return fmt.Sprintf("the list of runs does not show the run %s, which is known to be there", e.runID)
}

// CrowdedError says that a look met more runs than it may read.
type CrowdedError struct{}

func (e *CrowdedError) Error() string {
	return "the list shows more runs of this name than one look reads; the next look skips those of other API keys"
}

// Search finds the runs that j's requests may have started, in a list that is no
// older than notBefore. The error says why the list decides nothing. The result
// then has the runs found before the error.
//
// A run may be j's if it was created within three hours after one of j's
// requests, if no other launch has it, and if its name, type and principal can
// be those of the config id's runs.
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
	// Amperity mostly starts a run within seconds: the runs right after a request
	// come first.
	slices.SortStableFunc(f.Runs, func(a, b *amperity.Run) int {
		return cmp.Or(cmp.Compare(afterPost(j.Posts, a.CreatedAt), afterPost(j.Posts, b.CreatedAt)), a.CreatedAt.Compare(b.CreatedAt))
	})
	err := cl.readPrincipals(ctx, &f, c, principals)
	f.Certain = f.Certain && err == nil && len(f.Runs) <= j.Unaccounted()
	return f, err
}

// readPrincipals reads the runs of f, since the list may lack principals, and
// drops the runs of other principals. After an error the rest stays unread.
func (cl *Client) readPrincipals(ctx context.Context, f *Found, c *record.ConfigID, principals []string) error {
	runs := f.Runs
	f.Runs = nil
	for i, run := range runs {
		if i == maxRead {
			return &CrowdedError{}
		}
		run, err := cl.GetRun(ctx, run.ID, amperity.ViewVerbose, MaxQueries)
		if err != nil {
			f.Runs = append(f.Runs, runs[i:]...)
			return err
		}
		if len(principals) > 0 && run.PrincipalID != "" && !slices.Contains(principals, run.PrincipalID) {
			cl.noteForeign(run.ID, run.PrincipalID)
			continue
		}
		f.Runs = append(f.Runs, run)
		f.Certain = f.Certain && c.Identity.Matches(run, principals)
	}
	return nil
}

// Unowned reports whether a run belongs to no launch, and returns the version of
// the run's item.
func (cl *Client) IsUnowned(ctx context.Context, run *amperity.Run) (free bool, version int64, err error) {
	item, err := cl.Store.Get(ctx, record.RunKey(run.ID))
	if err != nil || !item.Exists() {
		return err == nil, 0, err
	}
	owner, err := record.OwnerOf(item)
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
