package route

import (
	"strings"

	"github.com/amperity-runs/amperity-runs/internal/route/pattern"
	"github.com/amperity-runs/amperity-runs/internal/s3event"
)

// warn adds the warnings of a file without faults: its author probably means
// something else.
func (p *routesParser) warn(r *Routes) {
	for i, route := range r.routes {
		if !takesRange(route.ConfigID) {
			p.Warnf(route.at, "%.60s takes no date range: a file of any window starts the same run", route.ConfigID)
		}
		if route.hourly && route.Zone == nil && p.zone != nil && strings.TrimPrefix(p.zone.String(), "Etc/") != "UTC" {
			p.Warnf(route.at, "the hours of this route are in UTC: the file's timezone, %v, is for routes without {HH}; "+
				"write \"timezone: UTC\" in the route, or the zone that its keys are in", p.zone)
		}
		if route.Settle > route.Longest() {
			p.Warnf(route.at, "an hour's window waits for quiet for an hour at most, from its first file: a longer settle changes nothing")
		}
		if d := route.Deadline; d != nil && !route.dated && d.Days+route.DateOffset > 0 && !d.Run {
			p.Warnf(route.at, "the keys have no date, so that no file counts for a day that is over: what is missing at the deadline cannot come after it; "+
				"put the deadline on the day itself, as \"18:00\", add \"then: run\", or give the keys a date")
		}
		for place, f := range route.Files {
			if f.Count > 1 && !f.pattern.Manifold() {
				p.Warnf(f.at.Position, "windows wait for %d files, and in each bucket one key matches the pattern in a window: give it a *, or leave out count", f.Count)
			}
			if route.Settle == 0 && len(route.Files) == 1 && f.Count == 1 && f.pattern.Manifold() {
				p.Warnf(f.at.Position, "with \"settle: 0s\" and without a marker or a count, the first file of a window starts its run, and further files come late; fine if one file is all that comes")
			}
			if key, read, ok := f.pattern.Ambiguous(); ok {
				p.Warnf(f.at.Position, "a key may hold two numbers that fit the fields, and the first one counts: %.200q is for %s; write more of the key in place of the * before them if that is wrong", key, read)
			}
			keys := f.pattern.Witnesses()
			if by, hidden := r.ignoredBy(keys[0]); hidden && p.ignores(by, keys[1]) {
				p.Warnf(f.at.Position, "no file starts this: %.100q under \"ignore\" covers all that the pattern matches", by)
				continue
			}
			for _, h := range r.hits(s3event.Arrival{Bucket: route.Bucket, Key: keys[0]}, nil) {
				other := r.routes[h.route]
				var c pattern.Values
				switch {
				case !h.pattern.Match(keys[1], &c, nil):
				case h.route == i && h.place < place && !f.Optional:
					p.Warnf(f.at.Position, "no file meets this entry, and windows wait for it: %.100q of the same route, which stands before it, takes all that it matches; write this one first", h.pattern.String())
				case h.route == i && h.place < place:
					p.Warnf(f.at.Position, "the pattern adds nothing: %.100q of the same route matches all that it does", h.pattern.String())
				case h.route > i && h.pattern.String() == f.Pattern:
					// The warning stands at the other pattern.
				case h.route != i:
					p.Warnf(f.at.Position, "its files start the route %.60q too, by %.100q; fine if both runs are wanted", other.Name, h.pattern.String())
				}
			}
		}
	}
}

// ignores reports whether a pattern under "ignore" matches a key.
func (p *routesParser) ignores(text, key string) bool {
	var c pattern.Values
	for _, f := range p.ignore {
		if f.Pattern == text {
			return f.pattern.Match(key, &c, nil)
		}
	}
	return false
}
