package runs

import (
	"context"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// sharedList returns a list of the runs that were created in a period, and
// perhaps of other runs. The list was requested no earlier than notBefore, or
// failed. Lookups of the same sweep share lists, failed ones included.
func (cl *Client) sharedList(ctx context.Context, p period, notBefore time.Time) listing {
	for {
		cache := &cl.memory.recent
		if cl.Clock.Now().Sub(p.from) > recentFor {
			cache = &cl.memory.older
		}
		list, read := cl.memory.latestList(cache, p, notBefore, cl.Clock.Now())
		switch {
		case read:
			return cl.readSharedList(ctx, cache, list.from, list.to)
		case !list.begun.IsZero():
			return list
		}
		if err := cl.Clock.Sleep(ctx, waitForList); err != nil {
			return listing{err: err}
		}
	}
}

// latestList returns the latest list if it serves the caller. If read is true,
// the caller reads a list with the bounds of serves. If neither, another lookup
// is reading one.
func (m *memory) latestList(cache *listCache, p period, notBefore, now time.Time) (serves listing, read bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	last := cache.last
	covers := !last.from.After(p.from) && (last.to.IsZero() || !last.to.Before(p.to)) && !last.begun.Before(notBefore)
	if !last.begun.IsZero() && now.Sub(last.read) < fresh && (covers || last.err != nil) {
		return last, false
	}
	if cache.wanted.IsZero() || p.from.Before(cache.wanted) {
		cache.wanted = p.from
	}
	if cache.busy {
		return listing{}, false
	}
	cache.busy = true
	from := cache.wanted
	cache.wanted = time.Time{}
	if cache == &m.older {
		return listing{from: p.from.Add(-widening), to: p.to.Add(widening)}, true
	}
	return listing{from: from}, true
}

// readSharedList reads a list for all lookups of the sweep.
func (cl *Client) readSharedList(ctx context.Context, cache *listCache, from, to time.Time) (list listing) {
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

// readList reads the list of runs between two times. A list decides nothing if
// it is not whole or lacks the control run.
func (cl *Client) readList(ctx context.Context, from, to time.Time) listing {
	list := listing{from: from, to: to, begun: cl.Clock.Now()}
	known, err := cl.ReadControlRun(ctx)
	if err != nil {
		list.err = err
		return list
	}
	list.principal = known.PrincipalID
	shown := false
	switch oldest := from.Add(-controlNear); {
	case known.RunID == "" || list.begun.Sub(known.Created) > listHorizon:
		shown = true // there is no control run
	case known.Created.Before(oldest), !to.IsZero() && !known.Created.Before(to):
		around, err := cl.readPages(ctx, amperity.ListOptions{CreatedFrom: known.Created.Add(-Skew), CreatedTo: known.Created.Add(Skew)})
		if err != nil {
			list.err = err
			return list
		}
		if shown = hasRun(around, known.RunID); !shown {
			list.err = &incompleteError{known.RunID}
			return list
		}
	case known.Created.Add(-Skew).Before(from):
		from = known.Created.Add(-Skew) // the API may round times
	}
	list.runs, list.err = cl.readPages(ctx, amperity.ListOptions{CreatedFrom: from, CreatedTo: to})
	if list.err == nil && !shown && !hasRun(list.runs, known.RunID) {
		list.err = &incompleteError{known.RunID}
	}
	return list
}

// readPages reads a list to its end. Two pages may show the same run.
func (cl *Client) readPages(ctx context.Context, o amperity.ListOptions) (runs []*amperity.Run, err error) {
	err = cl.query(ctx, listTimeout, MaxQueries, func(ctx context.Context) error {
		runs = nil
		for page, err := range cl.API.ListRunPages(ctx, o) {
			if err != nil {
				return err
			}
			runs = append(runs, page.Runs...)
			if err := cl.pace(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return runs, err
}
