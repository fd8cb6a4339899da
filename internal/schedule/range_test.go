package schedule

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func TestResolve(t *testing.T) {
	t.Parallel()
	const ny = "America/New_York"
	for _, tt := range []struct{ anchor, from, to, zone, want string }{
		// Days are those of the zone's calendar, at the time of the schedule.
		{"2026-11-23T06:00:00Z", "-1d", "0d", "", "2026-11-22 to 2026-11-23"},
		{"2026-11-23T06:00:00Z", "-1d", "0d", "UTC", "2026-11-22 to 2026-11-23"},
		{"2026-11-23T06:00:00-05:00", "-1d", "0d", ny, "2026-11-22 to 2026-11-23"},
		{"2026-11-23T04:59:59Z", "-1d", "0d", ny, "2026-11-21 to 2026-11-22"},
		{"2026-11-23T05:00:00Z", "-1d", "0d", ny, "2026-11-22 to 2026-11-23"},
		{"2026-11-22T15:00:00Z", "-1d", "0d", "Asia/Tokyo", "2026-11-22 to 2026-11-23"},
		{"2026-11-22T14:59:59Z", "-1d", "0d", "Asia/Tokyo", "2026-11-21 to 2026-11-22"},
		{"2026-11-22T10:00:00Z", "0d", "1d", "Pacific/Kiritimati", "2026-11-23 to 2026-11-24"},

		// Other days than yesterday.
		{"2026-11-23T12:00:00Z", "0d", "+1d", "", "2026-11-23 to 2026-11-24"},
		{"2026-11-23T12:00:00Z", "-7d", "0d", "", "2026-11-16 to 2026-11-23"},
		{"2026-11-23T12:00:00Z", "-2d", "-1d", "", "2026-11-21 to 2026-11-22"},
		{"2026-11-23T12:00:00Z", "1d", "3d", "", "2026-11-24 to 2026-11-26"},
		{"2026-11-23T12:00:00Z", "-3660d", "3660d", "", "2016-11-15 to 2036-11-30"},

		// Ends of months and years, leap days.
		{"2026-12-01T12:00:00Z", "-1d", "0d", "", "2026-11-30 to 2026-12-01"},
		{"2027-01-01T12:00:00Z", "-1d", "0d", "", "2026-12-31 to 2027-01-01"},
		{"2026-03-01T12:00:00Z", "-1d", "0d", "", "2026-02-28 to 2026-03-01"},
		{"2028-03-01T12:00:00Z", "-1d", "0d", "", "2028-02-29 to 2028-03-01"},
		{"2028-02-29T12:00:00Z", "-1d", "+1d", "", "2028-02-28 to 2028-03-01"},
		{"2100-03-01T12:00:00Z", "-1d", "0d", "", "2100-02-28 to 2100-03-01"},

		// The day of 23 hours: at 02:00 -05:00 the clocks go to 03:00 -04:00.
		{"2026-03-08T00:00:00-05:00", "-1d", "0d", ny, "2026-03-07 to 2026-03-08"},
		{"2026-03-08T01:59:59-05:00", "-1d", "+1d", ny, "2026-03-07 to 2026-03-09"},
		{"2026-03-08T03:00:00-04:00", "-1d", "+1d", ny, "2026-03-07 to 2026-03-09"},
		{"2026-03-08T23:30:00-04:00", "-1d", "0d", ny, "2026-03-07 to 2026-03-08"},
		{"2026-03-09T00:00:00-04:00", "-1d", "0d", ny, "2026-03-08 to 2026-03-09"},
		// The day of 25 hours: at 02:00 -04:00 they go back to 01:00 -05:00.
		{"2026-11-01T00:00:00-04:00", "-1d", "0d", ny, "2026-10-31 to 2026-11-01"},
		{"2026-11-01T01:30:00-04:00", "-1d", "0d", ny, "2026-10-31 to 2026-11-01"},
		{"2026-11-01T01:30:00-05:00", "-1d", "0d", ny, "2026-10-31 to 2026-11-01"},
		{"2026-11-01T23:59:59-05:00", "-1d", "+1d", ny, "2026-10-31 to 2026-11-02"},
		{"2026-11-02T00:00:00-05:00", "-1d", "0d", ny, "2026-11-01 to 2026-11-02"},
		// A day that begins at 01:00, since midnight is skipped.
		{"2026-09-05T23:59:59-04:00", "-1d", "0d", "America/Santiago", "2026-09-04 to 2026-09-05"},
		{"2026-09-06T01:00:00-03:00", "-1d", "0d", "America/Santiago", "2026-09-05 to 2026-09-06"},
		// Samoa went without 30 December 2011; the calendar of dates has it.
		{"2011-12-31T12:00:00+14:00", "-1d", "0d", "Pacific/Apia", "2011-12-30 to 2011-12-31"},

		// Hours are whole hours of UTC, whatever the zone.
		{"2026-11-23T06:00:00Z", "-1h", "0h", "", "2026-11-23T05:00:00Z to 2026-11-23T06:00:00Z"},
		{"2026-11-23T06:05:59.999Z", "-1h", "0h", "", "2026-11-23T05:00:00Z to 2026-11-23T06:00:00Z"},
		{"2026-11-23T06:59:59Z", "-1h", "0h", ny, "2026-11-23T05:00:00Z to 2026-11-23T06:00:00Z"},
		{"2026-11-23T06:10:00+05:30", "-1h", "0h", "Asia/Kolkata", "2026-11-22T23:00:00Z to 2026-11-23T00:00:00Z"},
		{"2026-11-23T00:30:00Z", "-24h", "0h", "", "2026-11-22T00:00:00Z to 2026-11-23T00:00:00Z"},
		{"2026-11-23T00:30:00Z", "-6h", "-3h", "", "2026-11-22T18:00:00Z to 2026-11-22T21:00:00Z"},
		{"2026-12-31T23:30:00Z", "0h", "1h", "", "2026-12-31T23:00:00Z to 2027-01-01T00:00:00Z"},
		// An hour is an hour also when clocks change.
		{"2026-03-08T03:00:00-04:00", "-2h", "0h", ny, "2026-03-08T05:00:00Z to 2026-03-08T07:00:00Z"},
		{"2026-11-01T01:30:00-05:00", "-1h", "0h", ny, "2026-11-01T05:00:00Z to 2026-11-01T06:00:00Z"},
	} {
		t.Run(fmt.Sprintf("%s %s to %s %s", tt.anchor, tt.from, tt.to, tt.zone), func(t *testing.T) {
			t.Parallel()
			anchor, err := time.Parse(time.RFC3339, tt.anchor)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Parse(tt.from, tt.to, tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			from, to := r.Resolve(anchor)
			if got := from + " to " + to; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestOffsetsMayBeWrittenInSeveralWays(t *testing.T) {
	t.Parallel()
	for _, tt := range [][2]string{{"-0d", "+1d"}, {"+0d", "1d"}, {"0d", "01d"}} {
		r, err := Parse(tt[0], tt[1], "")
		if err != nil {
			t.Fatal(err)
		}
		if from, to := r.Resolve(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)); from != "2026-11-23" || to != "2026-11-24" {
			t.Errorf("%v: %s to %s", tt, from, to)
		}
	}
}

// slowResolve counts the days one by one, by the calendar at noon.
func slowResolve(anchor time.Time, days int) string {
	y, m, d := anchor.Date()
	noon := time.Date(y, m, d, 12, 0, 0, 0, time.UTC)
	for ; days > 0; days-- {
		noon = noon.Add(24 * time.Hour)
	}
	for ; days < 0; days++ {
		noon = noon.Add(-24 * time.Hour)
	}
	return noon.Format("2006-01-02")
}

func TestResolveByItsDefinition(t *testing.T) {
	t.Parallel()
	const seed = 11
	r := rand.New(rand.NewPCG(seed, seed))
	zones := []string{"", "UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "America/Santiago", "Pacific/Kiritimati", "Etc/GMT+12"}
	for range 5_000 {
		check(t, r.Int64N(6e9)-1e9, r.IntN(2*MaxDays)-MaxDays, 1+r.IntN(10), zones[r.IntN(len(zones))], r.IntN(2) == 0)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// check resolves a range of n days or hours that begins the given number of
// days or hours after the anchor. It checks the properties of every range.
func check(t *testing.T, unix int64, begin, n int, zone string, hourly bool) {
	t.Helper()
	unit := "d"
	if hourly {
		unit = "h"
	}
	end := begin + n
	r, err := Parse(fmt.Sprintf("%d%s", begin, unit), fmt.Sprintf("%d%s", end, unit), zone)
	if err != nil {
		if !hourly && end <= MaxDays && begin >= -MaxDays {
			t.Errorf("%d to %d %s: %v", begin, end, unit, err)
		}
		return
	}
	loc := time.UTC
	if zone != "" {
		loc, _ = Zone(zone)
	}
	anchor := time.Unix(unix, 0)
	from, to := r.Resolve(anchor)
	if from >= to {
		t.Errorf("%v: %s is not before %s", anchor, from, to)
	}
	if from2, to2 := r.Resolve(anchor.In(loc)); from2 != from || to2 != to {
		t.Errorf("%v: the range depends on how the anchor is written", anchor)
	}
	if !hourly {
		if want := slowResolve(anchor.In(loc), begin); from != want {
			t.Errorf("%v in %v, %d days: from %s, want %s", anchor, loc, begin, from, want)
		}
		if want := slowResolve(anchor.In(loc), end); to != want {
			t.Errorf("%v in %v, %d days: to %s, want %s", anchor, loc, end, to, want)
		}
		return
	}
	f, err1 := time.Parse("2006-01-02T15:04:05Z", from)
	g, err2 := time.Parse("2006-01-02T15:04:05Z", to)
	whole := time.Unix(unix-(unix%3600+3600)%3600, 0)
	if err1 != nil || err2 != nil || g.Sub(f) != time.Duration(n)*time.Hour || !f.Equal(whole.Add(time.Duration(begin)*time.Hour)) {
		t.Errorf("%v, %d to %d hours: %s to %s", anchor, begin, end, from, to)
	}
}

func FuzzRange(f *testing.F) {
	f.Add("-1d", "0d", "America/New_York", int64(1795413600))
	f.Add("-6h", "+6h", "", int64(-1))
	f.Add("0d", "0h", "Local", int64(0))
	f.Add("-1d", "0d", "posix/America/New_York", int64(0))
	f.Add("-1d", "0d", "america/new york", int64(0))
	f.Add("--1d", "1_0d", "../../etc/passwd", int64(0))
	f.Add("99999999999999999999d", "-d", "Europe/Berlin\x00", int64(0))
	f.Fuzz(func(t *testing.T, from, to, zone string, unix int64) {
		r, err := Parse(from, to, zone)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || len(e.Faults) == 0 || r != (Relative{}) {
				t.Fatalf("%#v with %+v", err, r)
			}
			seen := map[string]bool{}
			for _, f := range e.Faults {
				if f.Message == "" || seen[f.Field] || f.Field != "range.from" && f.Field != "range.to" && f.Field != "range.timezone" {
					t.Fatalf("fault %+v", f)
				}
				seen[f.Field] = true
			}
			return
		}
		if r.from >= r.to || r.to > 24*MaxDays || r.from < -24*MaxDays {
			t.Fatalf("%q to %q read as %+v", from, to, r)
		}
		// The range as text is the same range.
		again, err := Parse(fmt.Sprintf("%d%c", r.from, r.unit), fmt.Sprintf("%+d%c", r.to, r.unit), r.zone.String())
		if err != nil || again.from != r.from || again.to != r.to || again.unit != r.unit || again.zone.String() != r.zone.String() {
			t.Fatalf("%+v read as %+v, %v", r, again, err)
		}
		if unix < 0 || unix > 32e9 {
			return
		}
		a, b := r.Resolve(time.Unix(unix, 0))
		if a >= b || len(a) != len(b) || len(a) != len("2006-01-02") && len(a) != len("2006-01-02T15:04:05Z") {
			t.Fatalf("%s to %s", a, b)
		}
	})
}
