package runs

import (
	"sync"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// memory holds the results of an instance's queries, so that one query serves
// every launch and window of a sweep. It is a cache: nothing depends on it.
type memory struct {
	mu sync.Mutex
	// recent and older are the lists for recent and for older requests.
	recent, older listCache
	// facts maps the ids of runs that were read to their facts.
	facts map[string]runFacts
	// ends are the queries for the end of a run.
	ends map[string]*endQuery
	// control is the control run that this instance read or wrote last, or nil.
	control *controlItem
	// noting: a launch is writing the control run.
	noting bool
}

// runFacts are the fields of a run that never change and that a list may lack.
type runFacts struct {
	name                       string
	runType                    amperity.RunType
	principalID, principalName string
}

// endQuery is a query for the end of a run.
type endQuery struct {
	at                     time.Time
	pending, ended, unread bool
}

// listCache is the latest list.
type listCache struct {
	// busy: a lookup is reading the next list.
	busy bool
	last listing
	// wanted is the earliest start that lookups without a list want.
	wanted time.Time
}

// listing is a list of runs.
type listing struct {
	// from and to bound the list. Without to it has no end. begun is when the
	// list was requested, and read when its last page was read.
	from, to, begun, read time.Time
	runs                  []*amperity.Run
	// principal is the control run's.
	principal string
	err       error
}
