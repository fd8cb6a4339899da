package route

import (
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/s3event"
)

// On the last day of a leap year the search for an hour, or for a deadline, did
// not end.
func TestRouteWorksOnLastDayOfLeapYear(t *testing.T) {
	t.Parallel()
	hours := mustParse(t, filesRoute("a/{yyyy}{MM}{dd}{HH}", "timezone: America/New_York"))
	days := mustParse(t, oneRoute("timezone: America/New_York", `deadline: "06:30 +1d"`)).Routes()[0]
	for _, tt := range []struct{ hour, window, day, deadline string }{
		{"2028123023", "2028-12-31T04:00:00Z to 2028-12-31T05:00:00Z", "2028-12-29", "2028-12-30T11:30:00Z"},
		{"2028123105", "2028-12-31T10:00:00Z to 2028-12-31T11:00:00Z", "2028-12-30", "2028-12-31T11:30:00Z"},
		{"2028123119", "2029-01-01T00:00:00Z to 2029-01-01T01:00:00Z", "2028-12-31", "2029-01-01T11:30:00Z"},
		{"2029010100", "2029-01-01T05:00:00Z to 2029-01-01T06:00:00Z", "2029-01-01", "2029-01-02T11:30:00Z"},
		{"2027123123", "2028-01-01T04:00:00Z to 2028-01-01T05:00:00Z", "2027-12-31", "2028-01-01T11:30:00Z"},
	} {
		t.Run(tt.hour, func(t *testing.T) {
			t.Parallel()
			got := "unrouted"
			for _, m := range hours.Match(s3event.Arrival{Bucket: "b", Key: "a/" + tt.hour}, time.Time{}) {
				from, to := m.Period.Range()
				got = from + " to " + to
			}
			if got != tt.window {
				t.Errorf("the window is %s, want %s", got, tt.window)
			}
			if at, ok := days.DeadlineOf(dayOf(t, tt.day)); !ok || !at.Equal(instant(t, tt.deadline)) {
				t.Errorf("the deadline of %s is %s, want %s", tt.day, at.UTC(), tt.deadline)
			}
		})
	}
}

// A stretch has one offset, holds its time, and ends after it: the last is what
// makes every walk from stretch to stretch end.
func TestStretchContainsItsTime(t *testing.T) {
	t.Parallel()
	for _, name := range changing {
		zone := zoneOf(t, name)
		for at := time.Date(1969, 12, 20, 0, 0, 0, 0, time.UTC); at.Year() < 2060; at = at.Add(11 * time.Hour) {
			in := at.In(zone)
			from, until := stretch(in)
			if !from.IsZero() && from.After(at) || !until.IsZero() && !until.After(at) {
				t.Fatalf("%s at %v: from %v until %v", name, at, from, until)
			}
			_, want := in.Zone()
			for _, other := range []time.Time{from, until.Add(-time.Second)} {
				if _, got := other.In(zone).Zone(); got != want && !from.IsZero() && !until.IsZero() {
					t.Fatalf("%s at %v: from %v until %v the offset is %d, and %d", name, at, from, until, want, got)
				}
			}
		}
	}
}
