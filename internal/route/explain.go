package route

import (
	"fmt"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/route/pattern"
	"github.com/amperity-runs/amperity-runs/internal/s3event"
)

// Explanation tells a person what an arrival starts, and why.
type Explanation struct {
	// Ignored: the file is nobody's. IgnoredBy is the pattern that says so,
	// empty for a folder marker.
	Ignored   bool
	IgnoredBy string
	// Matches are the routes that the arrival counts for.
	Matches []MatchExplanation
	// Unrouted says why there are none; empty if there are or the file is
	// ignored.
	Unrouted string
	// Nearest is the route that nearly matches; nil if none has anything in
	// common with the key, or there is nothing to explain.
	Nearest *Nearest
}

// MatchExplanation is one route that an arrival counts for.
type MatchExplanation struct {
	Match
	// Fields are the date fields read from the key, as "{yyyy}=2026 {MM}=11
	// {dd}=22"; empty if the pattern has none.
	Fields string
	// Window says in words which window the file belongs to and why.
	Window string
}

// Nearest is a pattern that nearly matches a key.
type Nearest struct {
	Route *Route
	// Pattern is the one that comes nearest.
	Pattern string
	// At is the byte of the key at which the match fails; -1 where the key does
	// match and something else does not.
	At int
	// Reason says why.
	Reason string
}

// Line is the line of the routes file in which the route begins.
func (r *Route) Line() int { return r.at.Line }

// Explain tells what an arrival starts, and if nothing, which route comes
// nearest and where it fails. received is as for [Routes.Match].
func (r *Routes) Explain(a s3event.Arrival, received time.Time) Explanation {
	var e Explanation
	if a.IsFolder() {
		e.Ignored = true
		return e
	}
	if e.IgnoredBy, e.Ignored = r.ignoredBy(a.Key); e.Ignored {
		return e
	}
	if !r.receives(a.Bucket) {
		e.Unrouted = fmt.Sprintf("the stack receives no events of the bucket %q, only of %s", a.Bucket, strings.Join(r.buckets, ", "))
		return e
	}
	t := arrived(a, received)
	for _, m := range r.Match(a, received) {
		e.Matches = append(e.Matches, MatchExplanation{Match: m, Fields: m.Route.Files[0].pattern.Show(m.fields), Window: m.windowText(t)})
	}
	if len(e.Matches) > 0 {
		return e
	}
	e.Nearest = r.nearest(a)
	e.Unrouted = "no route matches"
	if e.Nearest == nil {
		e.Unrouted = "no route's pattern has anything in common with this key"
	}
	return e
}

// nearest finds the pattern that comes nearest to matching. The arrival is one
// that counts for no route.
func (r *Routes) nearest(a s3event.Arrival) *Nearest {
	var best pattern.Miss
	var of *Route
	var text string
	for _, route := range r.routes {
		for _, f := range route.Files {
			var c pattern.Values
			var miss pattern.Miss
			if f.pattern.Match(a.Key, &c, &miss) {
				return &Nearest{Route: route, Pattern: f.Pattern, At: -1, Reason: route.notCounted(a, c)}
			}
			if miss.Score > best.Score {
				best, of, text = miss, route, f.Pattern
			}
		}
	}
	if of == nil {
		return nil
	}
	return &Nearest{Route: of, Pattern: text, At: best.At, Reason: best.Explain(a.Key)}
}

// notCounted says why a key that matches does not count for the route.
func (r *Route) notCounted(a s3event.Arrival, c pattern.Values) string {
	if r.Bucket != "" && r.Bucket != a.Bucket {
		return fmt.Sprintf("the key matches, but the route is for the bucket %q", r.Bucket)
	}
	y, m, d := c.Date()
	return fmt.Sprintf("the key matches, but the clocks of %v skip hour %02d of %v", r.Zone, c.Hour(), dayPeriod(y, m, d+r.DateOffset))
}

func (m Match) windowText(t time.Time) string {
	r := m.Route
	var from string
	switch {
	case r.hourly:
		from = fmt.Sprintf("hour %02d in %v", m.fields.Hour(), r.zone())
		if m.Period.length > 60*60 {
			from += ", which the clocks show twice"
		}
	case r.dated:
		from = "the date in the key"
	default:
		from = fmt.Sprintf("the arrival at %s in %v", t.In(r.Zone).Format("2006-01-02 15:04 -07:00"), r.Zone)
	}
	if r.DateOffset != 0 {
		from += fmt.Sprintf(", and date_offset %dd", r.DateOffset)
	}
	if m.Period.Implausible() {
		return fmt.Sprintf("none, by %s: the date is before %d or more than %d days after the arrival, so the file is held (implausible_date)", from, pattern.FirstYear, maxAhead/secondsPerDay)
	}
	return fmt.Sprintf("%s %v, by %s", m.Period.Unit(), m.Period, from)
}
