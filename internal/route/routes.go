package route

import (
	"cmp"
	"slices"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/route/pattern"
	"github.com/amperity-runs/amperity-runs/internal/s3event"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Routes is a checked routes file. It is immutable and may be shared.
type Routes struct {
	routes  []*Route
	ignore  index
	files   index
	buckets []string
}

// Match is a route that an arrival matches.
type Match struct {
	Route *Route
	// Pattern is the first pattern of the route that the key matches.
	Pattern string
	// Period is the window that the file belongs to.
	Period Period

	fields pattern.Values
}

// Request is the run request of the match's window.
func (m Match) Request() amperity.RunRequest { return m.Route.Request(m.Period) }

func takesRange(configID string) bool {
	kind, _ := amperity.ConfigKindOf(configID)
	return kind == amperity.ConfigKindCourierGroup
}

// Routes returns the routes, in the order of the file.
func (r *Routes) Routes() []*Route { return slices.Clone(r.routes) }

// Ignored reports whether an arrival is ignored: it is a folder marker, or the
// routes file ignores its key. Call Ignored before [Routes.Match], which does
// not check this.
func (r *Routes) Ignored(a s3event.Arrival) bool {
	if a.IsFolder() {
		return true
	}
	_, ignored := r.ignoredBy(a.Key)
	return ignored
}

// ignoredBy returns the pattern that ignores a key.
func (r *Routes) ignoredBy(key string) (by string, ignored bool) {
	var c pattern.Values
	r.ignore.each(key, func(entries []entry) bool {
		for _, e := range entries {
			if e.pattern.Match(key, &c, nil) {
				by, ignored = e.pattern.String(), true
				return false
			}
		}
		return true
	})
	return by, ignored
}

// Match returns the routes that an arrival matches, in the order of the file.
// Without a match, the arrival is unrouted. received is when the event was
// received. A later event time counts as received.
func (r *Routes) Match(a s3event.Arrival, received time.Time) []Match {
	if !r.receives(a.Bucket) {
		return nil
	}
	var room [8]hit
	hits := r.hits(a, room[:0])
	if len(hits) == 0 {
		return nil
	}
	t := arrived(a, received)
	matches := make([]Match, 0, len(hits))
	for _, h := range hits {
		route := r.routes[h.route]
		if p, ok := route.period(h.fields, t); ok {
			matches = append(matches, Match{Route: route, Pattern: h.pattern.String(), Period: p, fields: h.fields})
		}
	}
	return matches
}

// arrived returns the event time of an arrival, so that a repeated event counts
// for the same day. It returns received for an event of the future.
func arrived(a s3event.Arrival, received time.Time) time.Time {
	if a.EventTime.After(received.Add(window.ClockErrorMax)) {
		return received
	}
	return a.EventTime
}

func (r *Routes) receives(bucket string) bool {
	return len(r.buckets) == 0 || slices.Contains(r.buckets, bucket)
}

// hit is an entry that a key matches.
type hit struct {
	entry
	fields pattern.Values
}

// hits appends the routes that the key and bucket of an arrival match, in the
// order of the file. Each route is there once, with its first matching pattern.
func (r *Routes) hits(a s3event.Arrival, hits []hit) []hit {
	r.files.each(a.Key, func(entries []entry) bool {
		for _, e := range entries {
			if b := r.routes[e.route].Bucket; b != "" && b != a.Bucket {
				continue
			}
			at := slices.IndexFunc(hits, func(h hit) bool { return h.route == e.route })
			if at >= 0 && hits[at].place < e.place {
				continue
			}
			h := hit{entry: e}
			if !e.pattern.Match(a.Key, &h.fields, nil) {
				continue
			}
			if at >= 0 {
				hits[at] = h
			} else {
				hits = append(hits, h)
			}
		}
		return true
	})
	if len(hits) > 1 {
		slices.SortFunc(hits, func(a, b hit) int { return cmp.Compare(a.route, b.route) })
	}
	return hits
}
