package runs

import (
	"sync"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
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
	control ControlRun
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
