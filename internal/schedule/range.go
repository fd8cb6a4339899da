package schedule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// MaxDays is how far a range may reach from its anchor, in days: ten years. A
// longer distance is a typing mistake.
const MaxDays = 3660

// maxOffset exceeds the length of every offset within MaxDays ("+87840h").
const maxOffset = 16

// Relative is a checked relative range. Only [Parse] returns one; the zero
// value is not a range. It is immutable and may be shared.
type Relative struct {
	from, to int
	unit     unit
	zone     *time.Location
}

type unit byte

const (
	days  unit = 'd'
	hours unit = 'h'
)

func (u unit) String() string {
	if u == hours {
		return "hours"
	}
	return "days"
}

// Error lists everything that is wrong with a range.
type Error struct {
	Faults []Fault
}

// A Fault is one thing wrong with a range.
type Fault struct {
	// Field is range.from, range.to or range.timezone, as in trigger's input.
	Field string
	// Message states what is wrong and what to write instead.
	Message string
}

func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.Field + ": " + f.Message
	}
	return strings.Join(lines, "; ")
}

type faults []Fault

func (fs *faults) faultf(field, format string, args ...any) {
	*fs = append(*fs, Fault{Field: field, Message: fmt.Sprintf(format, args...)})
}

// Parse parses a relative range. from is its inclusive start: a whole number of
// days or hours before or after the anchor, such as "-1d", "0d", "+2d" or
// "-6h". to is its exclusive end, in the same form and unit, and after from.
//
// timezone is the IANA name of the zone whose calendar counts the days. The
// default is UTC, as for Amperity's own schedules and file dates. Hours always
// count in UTC. The error is an [*Error] with every fault.
func Parse(from, to, timezone string) (Relative, error) {
	var fs faults
	r := Relative{zone: time.UTC}
	var fromUnit, toUnit unit
	var fromOK, toOK bool
	r.from, fromUnit, fromOK = offset("range.from", from, &fs)
	r.to, toUnit, toOK = offset("range.to", to, &fs)
	r.unit = fromUnit
	switch {
	case !fromOK || !toOK:
	case fromUnit != toUnit:
		fs.faultf("range.to", "%q counts %v but range.from %q counts %v: write both with d or both with h", to, toUnit, from, fromUnit)
	case r.from >= r.to:
		fs.faultf("range.to", "%q is not after range.from %q: the range ends before range.to, so a single day is -1d to 0d, and a single hour -1h to 0h", to, from)
	}
	if timezone != "" {
		zone, err := Zone(timezone)
		if err != nil {
			fs = append(fs, Fault{Field: "range.timezone", Message: err.Error()})
		}
		r.zone = zone
	}
	if len(fs) > 0 {
		return Relative{}, &Error{Faults: fs}
	}
	return r, nil
}

// offset parses "-1d", "0d" or "+2h".
func offset(field, s string, fs *faults) (n int, u unit, ok bool) {
	if s == "" {
		fs.faultf(field, "is missing: write days or hours from the scheduled time, such as -1d, 0d or -6h")
		return 0, 0, false
	}
	digits := strings.TrimLeft(s[:len(s)-1], "+-")
	u = unit(s[len(s)-1])
	n, err := strconv.Atoi(s[:len(s)-1])
	if (u != days && u != hours) || digits == "" || strings.Trim(digits, "0123456789") != "" ||
		len(s)-1-len(digits) > 1 || (err != nil && len(s) <= maxOffset) {
		fs.faultf(field, "%.40q is not an offset: write a whole number of days or hours, such as -1d, 0d or -6h", s)
		return 0, 0, false
	}
	limit := MaxDays
	if u == hours {
		limit *= 24
	}
	if err != nil || n > limit || n < -limit {
		fs.faultf(field, "%.40q is too far away: the furthest is %d%c", s, limit, u)
		return 0, 0, false
	}
	return n, u, true
}

// Resolve returns the range around anchor in the form of Amperity's range_from
// and range_to (API reference, POST /workflow/runs). from is inclusive, to is
// exclusive.
//
// Days count in the calendar of the range's time zone, and the result has
// dates, YYYY-MM-DD. So a file named for the 22nd is in the range of the 22nd,
// whatever the zone, and a day of 23 or 25 hours is one day. Hours count from
// the hour of anchor, and the result has UTC timestamps. The anchor's year must
// be between 11 and 9988, so that the years of the result have four digits.
func (r Relative) Resolve(anchor time.Time) (from, to string) {
	if r.unit == hours {
		hour := anchor.UTC().Truncate(time.Hour)
		return hour.Add(time.Duration(r.from) * time.Hour).Format(time.RFC3339),
			hour.Add(time.Duration(r.to) * time.Hour).Format(time.RFC3339)
	}
	y, m, d := anchor.In(r.zone).Date()
	// In UTC no clock change affects the count of the dates.
	day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	return day.AddDate(0, 0, r.from).Format(time.DateOnly), day.AddDate(0, 0, r.to).Format(time.DateOnly)
}

// String returns the range as "-1d to 0d in America/New_York".
func (r Relative) String() string {
	return fmt.Sprintf("%d%c to %d%c in %v", r.from, r.unit, r.to, r.unit, r.zone)
}
