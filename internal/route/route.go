package route

import (
	"time"

	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/route/pattern"
	"github.com/amperity-runs/amperity-runs/internal/route/source"
	"github.com/amperity-runs/amperity-runs/internal/window"
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
	// Bucket limits the route to one bucket; empty: any that the stack
	// receives events of.
	Bucket string
	// Files are the patterns of the route's files, at least one.
	Files []File
	// Zone is the time zone of the route's days or hours; nil where no part of
	// the route asks for one.
	Zone *time.Location
	// DateOffset is added to a key's or an arrival's date, in days.
	DateOffset int
	// Settle is how long it must be quiet before a window launches; 0: at
	// once.
	Settle time.Duration
	// Late is what a file after the launch does.
	Late window.Late
	// IfUnknown is what to do when a run may or may not have been started.
	IfUnknown record.IfUnknown
	// Deadline is when a day's files are to be there; nil: no time is set.
	Deadline *Deadline

	// hourly: each {HH} is a window of its own.
	hourly bool
	// dated: the date is in the key.
	dated bool
	// at is where the route begins in its file.
	at source.Position
	// hash is of what the route says.
	hash string
}

// File is one entry of a route's files.
type File struct {
	// Pattern is the pattern of its keys, as written.
	Pattern string
	// Count is how many keys complete the entry; 1 unless given.
	Count int
	// Optional: no window waits for it.
	Optional bool

	pattern *pattern.Pattern
	at      source.TextPosition
}

// Deadline is when the files of a day are to be there.
type Deadline struct {
	// Hour and Minute are local time in the route's zone, Days after the
	// period's date.
	Hour, Minute, Days int
	// Weekdays tells the days of the week of the periods that are expected.
	Weekdays [7]bool
	// Except are dates, YYYY-MM-DD, of periods that are not expected.
	Except []string
	// Run: launch with what is there; otherwise tell a person.
	Run bool
}

// period finds the window of a file: fields are the values of its key, t is
// when it arrived. False: the clocks skip that hour.
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
