package route

import (
	"time"

	"github.com/amperity-runs/amperity-runs/internal/route/pattern"
)

// Period is the day or hour of a window. It is comparable, and the zero value
// is no period: two files of a config id belong to the same window if their
// periods are equal.
//
// A file whose date is implausible has no window: its period then is one of
// implausible dates, which gathers such files of an hour of arrival to be held.
type Period struct {
	// start is where it begins, in Unix seconds: midnight of the date as if it
	// were in UTC for a day, the instant for an hour.
	start int64
	// length is that of an hour, in seconds; 0: a day, whose length depends on
	// a time zone that nobody asks for. implausibleDay and implausibleHour are for
	// implausible dates of days and of hours: start is the hour of arrival.
	length int64
}

const (
	implausibleDay  = -1
	implausibleHour = -2
)

// maxAhead is how far ahead of its arrival a file's date may be. It exceeds a
// leap year, and the most days by which date_offset moves a date.
const maxAhead = 400 * secondsPerDay

// plausible reports whether a file that arrived at a time can have a date. The
// time is zero if it is unknown.
func plausible(y, m, d int, arrived time.Time) bool {
	start := dayPeriod(y, m, d).start
	return start >= dayPeriod(pattern.FirstYear, 1, 1).start && (arrived.IsZero() || start-arrived.Unix() <= maxAhead)
}

// implausiblePeriod returns the period of files with implausible dates that
// arrived at a time.
func implausiblePeriod(arrived time.Time, hourly bool) Period {
	p := Period{start: arrived.UTC().Truncate(time.Hour).Unix(), length: implausibleDay}
	if hourly {
		p.length = implausibleHour
	}
	return p
}

// The names of periods of implausible dates: a prefix, then the hour of arrival.
const (
	implausibleDayPrefix  = "implausible-day-"
	implausibleHourPrefix = "implausible-hour-"
)

// Implausible reports whether it is a period of implausible dates.
func (p Period) Implausible() bool { return p.length < 0 }

const secondsPerDay = 24 * 60 * 60

// dayPeriod is the day of a date; day may be out of the month's range.
func dayPeriod(y, m, d int) Period {
	return Period{start: time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC).Unix()}
}

// hourPeriod is the hour that a zone's clocks call h o'clock on a date. An hour
// that they show twice has the range of both; for one that they skip ok is
// false.
func hourPeriod(y, m, d, h int, zone *time.Location) (p Period, ok bool) {
	// What the clocks would show is looked for in each stretch of one offset
	// near it, rather than asked of time.Date, which picks one answer of
	// several.
	wall := time.Date(y, time.Month(m), d, h, 0, 0, 0, time.UTC)
	if zone == time.UTC {
		return Period{start: wall.Unix(), length: 60 * 60}, true
	}
	// No zone is further than this from UTC.
	const far = 24 * time.Hour
	var first, last time.Time
	for t := wall.Add(-far); t.Before(wall.Add(far)); {
		in := t.In(zone)
		from, until := stretch(in)
		_, offset := in.Zone()
		start := wall.Add(-time.Duration(offset) * time.Second)
		end := start.Add(time.Hour)
		if !from.IsZero() && start.Before(from) {
			start = from
		}
		if !until.IsZero() && end.After(until) {
			end = until
		}
		if start.Before(end) {
			if first.IsZero() {
				first = start
			}
			last = end
		}
		if until.IsZero() {
			break
		}
		t = until
	}
	return Period{start: first.Unix(), length: last.Unix() - first.Unix()}, !first.IsZero()
}

// Unit is "day" or "hour".
func (p Period) Unit() string {
	if p.length == 0 || p.length == implausibleDay {
		return "day"
	}
	return "hour"
}

// String gives the period's name: "2026-11-22" for a day, and for an hour the
// UTC time at which it begins, "2026-11-22T05:00:00Z". Implausible dates of days
// that arrived in that hour are "implausible-day-2026-11-22T05:00:00Z".
func (p Period) String() string {
	t := time.Unix(p.start, 0).UTC()
	switch p.length {
	case 0:
		return t.Format(time.DateOnly)
	case implausibleDay:
		return implausibleDayPrefix + t.Format(time.RFC3339)
	case implausibleHour:
		return implausibleHourPrefix + t.Format(time.RFC3339)
	}
	return t.Format(time.RFC3339)
}

// Range gives the period in the form of Amperity's range_from and range_to (API
// reference, POST /workflow/runs), from inclusive, to exclusive: a day as its
// date and the next, an hour as UTC timestamps. Implausible dates have none.
func (p Period) Range() (from, to string) {
	if p.Implausible() {
		return "", ""
	}
	if p.length == 0 {
		return p.String(), Period{start: p.start + secondsPerDay}.String()
	}
	return p.String(), time.Unix(p.start+p.length, 0).UTC().Format(time.RFC3339)
}
