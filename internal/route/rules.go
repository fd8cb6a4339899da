package route

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/route/pattern"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Rules returns the rules of the window of a period.
func (r *Route) Rules(p Period) window.Rules {
	if p.Implausible() {
		return window.Rules{Hash: r.hash, HoldReason: announcement.ReasonImplausibleDate}
	}
	rules := window.Rules{
		Hash:    r.hash,
		Settle:  r.Settle,
		Length:  r.Longest(),
		Late:    r.Late,
		EntryOf: r.entryOf,
	}
	for _, f := range r.Files {
		rules.Entries = append(rules.Entries, window.Entry{Pattern: f.Pattern, Count: f.Count, Optional: f.Optional})
	}
	if at, ok := r.DeadlineOf(p); ok {
		rules.Deadline, rules.ThenRun = at, r.Deadline.Run
	}
	return rules
}

// Longest returns the longest time that a window waits for quiet, from its
// first file.
func (r *Route) Longest() time.Duration {
	if r.hourly {
		return time.Hour
	}
	return 24 * time.Hour
}

// entryOf returns the first pattern of the route that a file matches, or "".
func (r *Route) entryOf(bucket, key string) string {
	if r.Bucket != "" && r.Bucket != bucket {
		return ""
	}
	for _, f := range r.Files {
		var c pattern.Values
		if f.pattern.Match(key, &c, nil) {
			return f.Pattern
		}
	}
	return ""
}

// Request returns the run request of the window of a period. Only courier
// groups take a range and a run mode (API reference, POST /workflow/runs).
func (r *Route) Request(p Period) amperity.RunRequest {
	req := amperity.RunRequest{ConfigID: r.ConfigID, RunMode: r.RunMode}
	if takesRange(r.ConfigID) {
		req.RangeFrom, req.RangeTo = p.Range()
	}
	return req
}

// Of returns the route of a config id whose windows are days, or hours if
// hourly. It returns nil if there is none.
func (r *Routes) Of(configID string, hourly bool) *Route {
	for _, route := range r.routes {
		if route.ConfigID == configID && route.hourly == hourly {
			return route
		}
	}
	return nil
}

// Window returns the window of a period, and what the route says about it.
func (r *Route) Window(p Period) record.WindowSpec {
	return record.WindowSpec{
		ConfigID: r.ConfigID, Period: p.String(), Route: r.Name,
		Rules: r.Rules(p), Request: r.Request(p), IfUnknown: r.IfUnknown,
	}
}

// Lookup returns the window of a config id and a period; false if no route has
// that window.
func (r *Routes) Lookup(configID, period string) (record.WindowSpec, bool) {
	route, p := r.Find(configID, period)
	if route == nil {
		return record.WindowSpec{}, false
	}
	return route.Window(p), true
}

// Find returns the route and the period of a window. The route is nil if no
// route has that window.
func (r *Routes) Find(configID, period string) (*Route, Period) {
	for prefix, hourly := range map[string]bool{implausibleDayPrefix: false, implausibleHourPrefix: true} {
		if hour, ok := strings.CutPrefix(period, prefix); ok {
			t, err := time.Parse(time.RFC3339, hour)
			if p := implausiblePeriod(t, hourly); err == nil && p.String() == period {
				return r.Of(configID, hourly), p
			}
			return nil, Period{}
		}
	}
	if t, err := time.Parse(time.DateOnly, period); err == nil {
		return r.Of(configID, false), Period{start: t.Unix()}
	}
	t, err := time.Parse(time.RFC3339, period)
	route := r.Of(configID, true)
	if err != nil || route == nil {
		return nil, Period{}
	}
	zone := route.zone()
	local := t.In(zone)
	p, ok := hourPeriod(local.Year(), int(local.Month()), local.Day(), local.Hour(), zone)
	if !ok || p.String() != period {
		return nil, Period{}
	}
	return route, p
}

// zone returns the time zone of the route. The default is UTC.
func (r *Route) zone() *time.Location {
	if r.Zone == nil {
		return time.UTC
	}
	return r.Zone
}

// DeadlineOf returns the deadline of a day. It reports false if the day has
// none.
func (r *Route) DeadlineOf(p Period) (time.Time, bool) {
	d := r.Deadline
	if d == nil || p.length != 0 {
		return time.Time{}, false
	}
	date := time.Unix(p.start, 0).UTC()
	if !d.Weekdays[date.Weekday()] || slices.Contains(d.Except, p.String()) {
		return time.Time{}, false
	}
	return localInstant(date.Year(), int(date.Month()), date.Day()+d.Days, d.Hour, d.Minute, r.zone()), true
}

// FirstDay returns the first day that begins after a time, in the route's zone.
func (r *Route) FirstDay(after time.Time) Period {
	y, m, d := after.In(r.zone()).Date()
	p := dayPeriod(y, int(m), d+1)
	for !r.Begins(p).After(after) {
		p = r.NextDay(p) // clocks that are set back past midnight show a day twice
	}
	return p
}

// NextDay returns the day after p.
func (r *Route) NextDay(p Period) Period { return Period{start: p.start + secondsPerDay} }

// Begins returns when a day begins, in the route's zone.
func (r *Route) Begins(p Period) time.Time {
	date := time.Unix(p.start, 0).UTC()
	return localInstant(date.Year(), int(date.Month()), date.Day(), 0, 0, r.zone())
}

// localInstant returns when the clocks of a zone show a local time. If they
// show it twice, it returns the first time. If they skip it, it returns the
// next instant that they show.
func localInstant(y, m, d, hour, minute int, zone *time.Location) time.Time {
	wall := time.Date(y, time.Month(m), d, hour, minute, 0, 0, time.UTC)
	// No zone is further from UTC.
	const far = 24 * time.Hour
	for t := wall.Add(-far); ; {
		in := t.In(zone)
		_, until := stretch(in)
		_, offset := in.Zone()
		at := wall.Add(-time.Duration(offset) * time.Second)
		switch {
		case at.Before(t):
			return t // the clocks skip the time: this stretch begins after it
		case until.IsZero() || at.Before(until):
			return at
		}
		t = until
	}
}

// hashOf returns a hash of everything in a route that matters to windows. It
// changes if the meaning of the route changes. The name of the route and its
// place in the file do not count.
func hashOf(r *Route) string {
	type file struct {
		Pattern  string
		Count    int
		Optional bool
	}
	zone := ""
	if r.Zone != nil {
		zone = r.Zone.String()
	}
	about := struct {
		ConfigID, RunMode, Bucket, Zone string
		Files                           []file
		DateOffset                      int
		Settle                          time.Duration
		Late                            window.Late
		IfUnknown                       record.IfUnknown
		Deadline                        *Deadline
	}{r.ConfigID, string(r.RunMode), r.Bucket, zone, nil, r.DateOffset, r.Settle, r.Late, r.IfUnknown, r.Deadline}
	for _, f := range r.Files {
		about.Files = append(about.Files, file{f.Pattern, f.Count, f.Optional})
	}
	b, err := json.Marshal(about)
	if err != nil {
		panic(err) // texts and numbers
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}
