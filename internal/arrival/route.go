package arrival

import (
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Route says which files start a run of which configuration, and how.
type Route struct {
	// Name is the route's label, unique in its file.
	Name string
	// ConfigID is what to run.
	ConfigID string
	// RunMode is how much of it to run; empty: as the group is configured.
	RunMode amperity.RunMode
	// Bucket limits the route to one bucket; empty: any.
	Bucket string
	// IfUnknown is what to do when a run may or may not have been started.
	IfUnknown IfUnknown
}

// IfUnknown is what to do when the outcome of a POST cannot be known.
type IfUnknown string

// The values of if_unknown.
const (
	// Hold leaves the launch for a person.
	Hold IfUnknown = "hold"
	// Retry starts the run once more when no run has shown up for 15 minutes.
	Retry IfUnknown = "retry"
)

// Match is one route that an arrival counts for.
type Match struct {
	Route *Route
	// Period is the window that the file belongs to.
	Period Period
}

// Options are what ParseRoutes needs to know of the stack.
type Options struct {
	// Buckets are the buckets whose events the stack receives; empty: any.
	Buckets []string
}

// Routes is a routes file that was checked. It is immutable and may be shared.
type Routes struct{}

// ParseRoutes reads and checks a routes file. file is its name for messages.
// The error is a [*RoutesError] with every fault.
func ParseRoutes(file string, src []byte, o Options) (*Routes, Warnings, error) {
	return &Routes{}, nil, nil
}

// Match returns the routes that an arrival counts for; none: it is unrouted.
func (r *Routes) Match(a Arrival, received time.Time) []Match { return nil }

// Ignored tells whether a key is nobody's file.
func (r *Routes) Ignored(key string) bool { return false }
