package route

import (
	"fmt"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/route/pattern"
	"github.com/amperity-runs/amperity-runs/internal/s3event"
)

// Explanation describes to a user what an arrival starts, and why.
type Explanation struct {
	// Ignored: the file is ignored. IgnoredBy is the pattern that ignores it,
	// or "" for a folder marker.
	Ignored   bool
	IgnoredBy string
	// Matches are the routes that the arrival matches.
	Matches []MatchExplanation
	// Unrouted is why no route matches. It is empty if a route matches or the
	// file is ignored.
	Unrouted string
	// Nearest is the route that nearly matches. It is nil if no pattern has
	// anything in common with the key, or if there is nothing to explain.
	Nearest *Nearest
}

// MatchExplanation explains one route that an arrival matches.
type MatchExplanation struct {
	Match
	// Fields are the date fields of the key, for example "{yyyy}=2026 {MM}=11
	// {dd}=22". It is empty if the pattern has no fields.
	Fields string
	// Window describes the window of the file, and why the file belongs to it.
	Window string
}

// Nearest is a pattern that nearly matches a key.
type Nearest struct {
	Route *Route
	// Pattern is the nearest pattern.
	Pattern string
	// At is the byte of the key at which the match fails. It is -1 if the key
	// matches and something else does not.
	At int
	// Reason is why the match fails.
	Reason string
}

// Line returns the line of the routes file in which the route begins.
func (r *Route) Line() int { return r.at.Line }

// Explain returns what an arrival starts. If it starts nothing, Explain returns
// the nearest route and where its pattern fails. received is as for
// [Routes.Match].
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

// nearest returns the pattern that comes nearest to a match of an arrival that
// matches no route.
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

// notCounted returns why a matching key is not a match of the route.
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
