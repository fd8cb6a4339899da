package route

import (
	"time"

	"github.com/amperity-runs/amperity-runs/internal/route/pattern"
)

// Period is the day or hour of a window. It is comparable: two files of a
// config id belong to the same window if their periods are equal. The zero
// value is not a period.
//
// A file with an implausible date has no window. All such files that arrive in
// the same hour share a period of implausible dates, in which they are held.
type Period struct {
	// start is when the period begins, in Unix seconds. A day begins at
	// midnight UTC, whatever the zone. Implausible dates begin at the hour of
	// arrival.
	start int64
	// length is the length of an hour in seconds, or one of these: 0 for a day,
	// whose length depends on its time zone; implausibleDay and implausibleHour
	// for implausible dates of days and of hours.
	length int64
}

const (
	implausibleDay  = -1
	implausibleHour = -2
)

// maxAhead is how far after its arrival the date of a file may be, in seconds.
// It exceeds a leap year, and the most days by which date_offset moves a date.
const maxAhead = 400 * secondsPerDay

// plausible reports whether a file may have a date. arrived is zero if the time
// of arrival is unknown.
func plausible(y, m, d int, arrived time.Time) bool {
	start := dayPeriod(y, m, d).start
	return start >= dayPeriod(pattern.FirstYear, 1, 1).start && (arrived.IsZero() || start-arrived.Unix() <= maxAhead)
}

// implausiblePeriod returns the period of the files with implausible dates that
// arrive in the hour of arrived.
func implausiblePeriod(arrived time.Time, hourly bool) Period {
	p := Period{start: arrived.UTC().Truncate(time.Hour).Unix(), length: implausibleDay}
	if hourly {
		p.length = implausibleHour
	}
	return p
}

// The name of a period of implausible dates is a prefix and the hour of
// arrival.
const (
	implausibleDayPrefix  = "implausible-day-"
	implausibleHourPrefix = "implausible-hour-"
)

// Implausible reports whether p is a period of implausible dates.
func (p Period) Implausible() bool { return p.length < 0 }

const secondsPerDay = 24 * 60 * 60

// dayPeriod returns the day of a date. d may be outside of the month, as for
// [time.Date].
func dayPeriod(y, m, d int) Period {
	return Period{start: time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC).Unix()}
}

// hourPeriod returns the hour that begins at h o'clock on a date, by the clocks
// of a zone. If the clocks show the hour twice, the period spans both. If they
// skip the hour, ok is false.
func hourPeriod(y, m, d, h int, zone *time.Location) (p Period, ok bool) {
	// time.Date picks one of several answers. So the hour is looked up in each
	// stretch of one offset near the date.
	wall := time.Date(y, time.Month(m), d, h, 0, 0, 0, time.UTC)
	if zone == time.UTC {
		return Period{start: wall.Unix(), length: 60 * 60}, true
	}
	// No zone is further from UTC.
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

// Unit returns "day" or "hour".
func (p Period) Unit() string {
	if p.length == 0 || p.length == implausibleDay {
		return "day"
	}
	return "hour"
}

// String returns the name of a period. A day is "2026-11-22". An hour is the
// UTC time at which it begins, "2026-11-22T05:00:00Z". Implausible dates of
// days that arrived in that hour are "implausible-day-2026-11-22T05:00:00Z".
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

// Range returns a period as Amperity's range_from and range_to (API reference,
// POST /workflow/runs): from is inclusive, to is exclusive. A day has its date
// and the next date, an hour has UTC timestamps. Implausible dates have no
// range.
func (p Period) Range() (from, to string) {
	if p.Implausible() {
		return "", ""
	}
	if p.length == 0 {
		return p.String(), Period{start: p.start + secondsPerDay}.String()
	}
	return p.String(), time.Unix(p.start+p.length, 0).UTC().Format(time.RFC3339)
}
