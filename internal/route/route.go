package route

import (
	"time"

	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/route/pattern"
	"github.com/amperity-runs/amperity-runs/internal/route/source"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Route describes which files start a run of which configuration, and how.
type Route struct {
	// Name is the route's label, unique in its file.
	Name string
	// ConfigID is what to run.
	ConfigID string
	// RunMode is how much of the group to run. If it is empty, the
	// configuration of the group decides.
	RunMode amperity.RunMode
	// Bucket limits the route to one bucket. If it is empty, the route is for
	// all buckets whose events the stack receives.
	Bucket string
	// Files are the patterns of the route's files. There is at least one.
	Files []File
	// Zone is the time zone of the route's days or hours. It is nil if the
	// route needs none.
	Zone *time.Location
	// DateOffset is added to a key's or an arrival's date, in days.
	DateOffset int
	// Settle is the quiet period before a window launches. With 0 it launches
	// immediately.
	Settle time.Duration
	// Late is what happens to a file that arrives after the launch.
	Late window.Late
	// IfUnknown is what happens to a launch with an unknown outcome.
	IfUnknown record.IfUnknown
	// Deadline is when all files of a day must have arrived; nil if the route
	// has no deadline.
	Deadline *Deadline

	// hourly: each hour has a window of its own.
	hourly bool
	// dated: the date is in the key.
	dated bool
	// at is where the route begins in the routes file.
	at source.Position
	// hash is the hash of everything that matters to windows. See hashOf.
	hash string
}

// File is one entry of the files of a route.
type File struct {
	// Pattern is the pattern of the keys, as written in the routes file.
	Pattern string
	// Count is how many keys meet the entry. The default is 1.
	Count int
	// Optional: windows do not wait for the entry.
	Optional bool

	pattern *pattern.Pattern
	at      source.TextPosition
}

// Deadline is when all files of a day must have arrived.
type Deadline struct {
	// Hour and Minute are local time in the route's zone, Days days after the
	// date of the period.
	Hour, Minute, Days int
	// Weekdays are the days of the week on which a period is expected.
	Weekdays [7]bool
	// Except are dates, YYYY-MM-DD, of periods that are not expected.
	Except []string
	// Run: at the deadline the window launches with the files that it has.
	// Otherwise an event announces what is missing.
	Run bool
}

// period returns the window of a file that arrived at t. fields are the values
// in its key. It reports false if the clocks skip the hour.
func (r *Route) period(fields pattern.Values, t time.Time) (Period, bool) {
	y, m, d := fields.Date()
	if !r.dated {
		var name time.Month
		y, name, d = t.In(r.Zone).Date()
		m = int(name)
	}
	d += r.DateOffset
	if !plausible(y, m, d, t) {
		return implausiblePeriod(t, r.hourly), true
	}
	if r.hourly {
		return hourPeriod(y, m, d, fields.Hour(), r.zone())
	}
	return dayPeriod(y, m, d), true
}
