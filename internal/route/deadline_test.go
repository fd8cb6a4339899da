package route

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/s3event"
	"github.com/amperity-runs/amperity-runs/internal/schedule"
)

func zoneOf(tb testing.TB, name string) *time.Location {
	tb.Helper()
	zone, err := schedule.Zone(name)
	if err != nil {
		tb.Fatal(err)
	}
	return zone
}

// changing are zones whose clocks were changed in every odd way.
var changing = []string{
	"America/New_York", "Europe/Berlin", "Europe/Dublin", "America/Sao_Paulo", "Asia/Beirut", "America/Havana", "America/Asuncion",
	"Africa/Cairo", "America/Santiago", "Asia/Tehran", "Atlantic/Azores", "America/Scoresbysund", "America/Nuuk", "Asia/Gaza",
	"America/St_Johns", "Pacific/Apia", "Pacific/Kwajalein", "Pacific/Kiritimati", "Australia/Lord_Howe", "Antarctica/Troll",
	"Africa/Casablanca", "America/Caracas", "Asia/Pyongyang", "Asia/Kathmandu", "Africa/Monrovia", "Etc/GMT+12", "UTC",
}

// aroundAChange is a time within two days of a change of a zone's clocks, if
// there are any in its year or later.
func aroundAChange(r *rand.Rand, zone *time.Location) time.Time {
	t := time.Date(1973+r.IntN(65), time.Month(1+r.IntN(12)), 1+r.IntN(28), 0, 0, 0, 0, time.UTC)
	if _, until := t.In(zone).ZoneBounds(); !until.IsZero() {
		t = until
	}
	return t.Add(time.Duration(r.IntN(4*24*60)-2*24*60) * time.Minute)
}

func TestDeadlineIsLocalTime(t *testing.T) {
	t.Parallel()
	const ny = "America/New_York"
	for _, tt := range []struct{ name, zone, deadline, day, want string }{
		{"on the day", "UTC", `"06:30"`, "2026-11-22", "2026-11-22T06:30:00Z"},
		{"the day after", ny, `"06:30 +1d"`, "2026-11-22", "2026-11-23T11:30:00Z"},
		{"after the end of the month", ny, `"06:30 +31d"`, "2026-12-31", "2027-01-31T11:30:00Z"},
		{"at the first minute", ny, `"00:00"`, "2026-11-22", "2026-11-22T05:00:00Z"},
		{"at the last minute", ny, `"23:59"`, "2026-11-22", "2026-11-23T04:59:00Z"},

		// 22 November 2026 is a Sunday. The days are those of the period, not
		// those of the deadline.
		{"on a working day", "UTC", `{at: "06:30 +1d", days: mon-fri}`, "2026-11-20", "2026-11-21T06:30:00Z"},
		{"on a Saturday", "UTC", `{at: "06:30 +1d", days: mon-fri}`, "2026-11-21", "none"},
		{"on a Sunday", "UTC", `{at: "06:30 +1d", days: mon-fri}`, "2026-11-22", "none"},
		{"on a Monday", "UTC", `{at: "06:30 +1d", days: mon-fri}`, "2026-11-23", "2026-11-24T06:30:00Z"},
		{"across the week's end", "UTC", `{at: "06:30", days: sat-mon}`, "2026-11-22", "2026-11-22T06:30:00Z"},
		{"an exception", "UTC", `{at: "06:30 +1d", except: [2026-12-25]}`, "2026-12-25", "none"},
		{"the day before an exception, whose deadline is on it", "UTC", `{at: "06:30 +1d", except: [2026-12-25]}`, "2026-12-24", "2026-12-25T06:30:00Z"},
		{"an exception of another year", "UTC", `{at: "06:30", except: [2026-12-25]}`, "2027-12-25", "2027-12-25T06:30:00Z"},
		{"an exception on a day that is not expected anyway", "UTC", `{at: "06:30", days: mon, except: [2026-11-22]}`, "2026-11-22", "none"},

		// New York, a day of 23 hours: at 02:00 -05:00 the clocks go to 03:00
		// -04:00.
		{"before the skipped hour", ny, `"01:59"`, "2026-03-08", "2026-03-08T06:59:00Z"},
		{"at its beginning", ny, `"02:00"`, "2026-03-08", "2026-03-08T07:00:00Z"},
		{"within it", ny, `"02:30"`, "2026-03-08", "2026-03-08T07:00:00Z"},
		{"at its last minute", ny, `"02:59"`, "2026-03-08", "2026-03-08T07:00:00Z"},
		{"after it", ny, `"03:00"`, "2026-03-08", "2026-03-08T07:00:00Z"},
		{"a minute later", ny, `"03:01"`, "2026-03-08", "2026-03-08T07:01:00Z"},
		{"at its end of the day", ny, `"23:59"`, "2026-03-08", "2026-03-09T03:59:00Z"},
		// A day of 25 hours: at 02:00 -04:00 they go back to 01:00 -05:00.
		{"before the repeated hour", ny, `"00:59"`, "2026-11-01", "2026-11-01T04:59:00Z"},
		{"at its beginning, the first time", ny, `"01:00"`, "2026-11-01", "2026-11-01T05:00:00Z"},
		{"within it, the first time", ny, `"01:30"`, "2026-11-01", "2026-11-01T05:30:00Z"},
		{"after the second time", ny, `"02:00"`, "2026-11-01", "2026-11-01T07:00:00Z"},
		{"half past two in autumn, which comes once", ny, `"02:30"`, "2026-11-01", "2026-11-01T07:30:00Z"},

		// Lord Howe Island changes by half an hour: at 02:00 +10:30 to 02:30
		// +11:00, and at 02:00 +11:00 back to 01:30.
		{"in a skipped half hour", "Australia/Lord_Howe", `"02:15"`, "2026-10-04", "2026-10-03T15:30:00Z"},
		{"after it", "Australia/Lord_Howe", `"02:30"`, "2026-10-04", "2026-10-03T15:30:00Z"},
		{"in a repeated half hour, the first time", "Australia/Lord_Howe", `"01:45"`, "2026-04-05", "2026-04-04T14:45:00Z"},
		{"after its second time", "Australia/Lord_Howe", `"02:00"`, "2026-04-05", "2026-04-04T15:30:00Z"},
		// Midnight is skipped: the clocks go from 23:59 to 01:00.
		{"at a skipped midnight", "America/Sao_Paulo", `"00:00"`, "2018-11-04", "2018-11-04T03:00:00Z"},
		{"half past a skipped midnight", "America/Sao_Paulo", `"00:30"`, "2018-11-04", "2018-11-04T03:00:00Z"},
		{"at one o'clock after it", "America/Sao_Paulo", `"01:00"`, "2018-11-04", "2018-11-04T03:00:00Z"},
		{"at a skipped midnight of Beirut", "Asia/Beirut", `"00:00 +1d"`, "2026-03-28", "2026-03-28T22:00:00Z"},
		// Samoa went without 30 December 2011, from -10:00 to +14:00.
		{"on a skipped date", "Pacific/Apia", `"06:30"`, "2011-12-30", "2011-12-30T10:00:00Z"},
		{"on the day before, past midnight", "Pacific/Apia", `"06:30 +1d"`, "2011-12-29", "2011-12-30T10:00:00Z"},
		{"on the date after it", "Pacific/Apia", `"06:30"`, "2011-12-31", "2011-12-30T16:30:00Z"},
	} {
		t.Run(tt.zone+" "+tt.name, func(t *testing.T) {
			t.Parallel()
			route := mustParse(t, oneRoute("timezone: "+tt.zone, "deadline: "+tt.deadline)).Routes()[0]
			got := "none"
			if at, ok := route.DeadlineOf(dayOf(t, tt.day)); ok {
				got = at.UTC().Format(time.RFC3339)
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// H27: in autumn the clocks show the local hour 01 twice, in spring they skip
// the hour 02. A deadline of 02:30 falls on both days.
func TestH27HoursAndDeadlinesFollowClockChanges(t *testing.T) {
	t.Parallel()
	hours := mustParse(t, filesRoute("a/{yyyy}{MM}{dd}{HH}", "timezone: America/New_York"))
	days := mustParse(t, oneRoute("timezone: America/New_York", `deadline: "02:30"`)).Routes()[0]
	for _, tt := range []struct{ name, hour, window, day, deadline string }{
		{"in autumn the hour 01 comes twice", "2026110101", "2026-11-01T05:00:00Z to 2026-11-01T07:00:00Z", "2026-11-01", "2026-11-01T07:30:00Z"},
		{"in spring the hour 02 is missing", "2026030802", "unrouted", "2026-03-08", "2026-03-08T07:00:00Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := "unrouted"
			for _, m := range hours.Match(s3event.Arrival{Bucket: "b", Key: "a/" + tt.hour}, time.Time{}) {
				from, to := m.Period.Range()
				got = from + " to " + to
			}
			if got != tt.window {
				t.Errorf("the window is %s, not %s", got, tt.window)
			}
			at, ok := days.DeadlineOf(dayOf(t, tt.day))
			if want := instant(t, tt.deadline); !ok || !at.Equal(want) {
				t.Errorf("the deadline is %s, not %s", at.UTC(), want)
			}
		})
	}
}

func TestDeadlineOfReportsMissingDeadline(t *testing.T) {
	t.Parallel()
	if _, ok := mustParse(t, oneRoute()).Routes()[0].DeadlineOf(dayOf(t, "2026-11-22")); ok {
		t.Error("a route without a deadline has one")
	}
	// A window of hours that an edit has made one of days.
	route := mustParse(t, oneRoute("timezone: UTC", `deadline: "06:30"`)).Routes()[0]
	hour, _ := hourPeriod(2026, 11, 22, 5, time.UTC)
	if _, ok := route.DeadlineOf(hour); ok {
		t.Error("an hour has a deadline")
	}
}

func TestDeadlineFollowsDateOffset(t *testing.T) {
	t.Parallel()
	// The file of the 23rd is for the 22nd, and is to be there on the 23rd.
	routes := mustParse(t, oneRoute("timezone: America/New_York", "date_offset: -1d", `deadline: "06:30 +1d"`))
	a := s3event.Arrival{Bucket: "b", Key: "a/20261123", EventTime: instant(t, "2026-11-23T08:00:00Z")}
	m := routes.Match(a, a.EventTime)[0]
	if got := m.Route.Rules(m.Period).Deadline; m.Period.String() != "2026-11-22" || !got.Equal(instant(t, "2026-11-23T11:30:00Z")) {
		t.Errorf("the period %v has the deadline %v", m.Period, got)
	}
}

func TestBeginsReturnsFirstInstantOfDay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, zone, after, first, begins, next, nextBegins string }{
		{"in UTC", "UTC", "2026-11-22T12:00:00Z", "2026-11-23", "2026-11-23T00:00:00Z", "2026-11-24", "2026-11-24T00:00:00Z"},
		{"at the last second of a day", "UTC", "2026-12-31T23:59:59Z", "2027-01-01", "2027-01-01T00:00:00Z", "2027-01-02", "2027-01-02T00:00:00Z"},
		{"at the first second of a day, which has begun", "UTC", "2026-11-22T00:00:00Z", "2026-11-23", "2026-11-23T00:00:00Z", "2026-11-24", "2026-11-24T00:00:00Z"},
		{"by the calendar of a zone ahead", "Asia/Tokyo", "2026-11-22T15:00:00Z", "2026-11-24", "2026-11-23T15:00:00Z", "2026-11-25", "2026-11-24T15:00:00Z"},
		{"by the calendar of a zone behind", "America/New_York", "2026-11-23T04:59:59Z", "2026-11-23", "2026-11-23T05:00:00Z", "2026-11-24", "2026-11-24T05:00:00Z"},
		{"a day of 23 hours", "America/New_York", "2026-03-07T12:00:00Z", "2026-03-08", "2026-03-08T05:00:00Z", "2026-03-09", "2026-03-09T04:00:00Z"},
		{"a day of 25 hours", "America/New_York", "2026-10-31T12:00:00Z", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02", "2026-11-02T05:00:00Z"},
		// The days begin at 01:00, since midnight is skipped.
		{"a skipped midnight", "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-04", "2018-11-04T03:00:00Z", "2018-11-05", "2018-11-05T02:00:00Z"},
		{"a skipped midnight of Beirut", "Asia/Beirut", "2026-03-28T12:00:00Z", "2026-03-29", "2026-03-28T22:00:00Z", "2026-03-30", "2026-03-29T21:00:00Z"},
		// At 01:00 the clocks of Havana go back to 00:00: the day begins at the
		// first of the two.
		{"a repeated midnight", "America/Havana", "2026-10-31T12:00:00Z", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02", "2026-11-02T05:00:00Z"},
		// At 24:00 those of São Paulo went back to 23:00.
		{"a repeated last hour", "America/Sao_Paulo", "2018-02-17T12:00:00Z", "2018-02-18", "2018-02-18T03:00:00Z", "2018-02-19", "2018-02-19T03:00:00Z"},
		{"in the second of a repeated last hour", "America/Sao_Paulo", "2018-02-18T02:30:00Z", "2018-02-18", "2018-02-18T03:00:00Z", "2018-02-19", "2018-02-19T03:00:00Z"},
		// At 00:01 those of St. John's went back to 23:01 of the day before.
		{"a day that begins twice", "America/St_Johns", "2010-11-06T12:00:00Z", "2010-11-07", "2010-11-07T02:30:00Z", "2010-11-08", "2010-11-08T03:30:00Z"},
		{"between its beginnings", "America/St_Johns", "2010-11-07T03:00:00Z", "2010-11-08", "2010-11-08T03:30:00Z", "2010-11-09", "2010-11-09T03:30:00Z"},
		// Samoa went from the 29th to the 31st: the 30th began and ended at once.
		{"a date that is skipped", "Pacific/Apia", "2011-12-29T22:00:00Z", "2011-12-30", "2011-12-30T10:00:00Z", "2011-12-31", "2011-12-30T10:00:00Z"},
		{"half an hour of change", "Australia/Lord_Howe", "2026-04-04T01:00:00Z", "2026-04-05", "2026-04-04T13:00:00Z", "2026-04-06", "2026-04-05T13:30:00Z"},
	} {
		t.Run(tt.zone+" "+tt.name, func(t *testing.T) {
			t.Parallel()
			route := mustParse(t, oneRoute("timezone: "+tt.zone)).Routes()[0]
			first := route.FirstDay(instant(t, tt.after))
			next := route.NextDay(first)
			want := []string{tt.first, tt.begins, tt.next, tt.nextBegins}
			got := []string{first.String(), route.Begins(first).UTC().Format(time.RFC3339), next.String(), route.Begins(next).UTC().Format(time.RFC3339)}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestFirstDayIsFirstDayAfterTime(t *testing.T) {
	t.Parallel()
	const seed = 7
	r := rand.New(rand.NewPCG(seed, 0))
	for _, name := range changing {
		route := mustParse(t, oneRoute("timezone: "+name)).Routes()[0]
		for range 1000 {
			after := aroundAChange(r, route.Zone)
			first := route.FirstDay(after)
			before := Period{start: first.start - secondsPerDay}
			if !route.Begins(first).After(after) || route.Begins(before).After(after) {
				t.Fatalf("seed %d: %s: the first day after %v is %v, which begins at %v; the one before at %v",
					seed, name, after, first, route.Begins(first), route.Begins(before))
			}
		}
	}
}

// slowInstant reads a zone's clock minute by minute.
func slowInstant(wall time.Time, zone *time.Location) time.Time {
	shown := func(t time.Time) time.Time {
		l := t.In(zone)
		return time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), 0, 0, time.UTC)
	}
	from, to := wall.Add(-26*time.Hour), wall.Add(26*time.Hour)
	for t := from; t.Before(to); t = t.Add(time.Minute) {
		if shown(t).Equal(wall) {
			return t
		}
	}
	for t := from; ; t = t.Add(time.Minute) {
		if shown(t).After(wall) {
			return t
		}
	}
}

func TestLocalInstantIsFirstOrNextShown(t *testing.T) {
	t.Parallel()
	for i, name := range changing {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := uint64(100 + i)
			r := rand.New(rand.NewPCG(seed, 0))
			zone := zoneOf(t, name)
			for range 40 {
				// Within three hours of a change, or of what it skips or repeats.
				at := aroundAChange(r, zone)
				if from, _ := at.In(zone).ZoneBounds(); from.Year() >= 1973 && r.IntN(4) > 0 {
					at = from.Add(time.Duration(r.IntN(6*60)-3*60) * time.Minute)
				}
				l := at.In(zone)
				minutes := l.Hour()*60 + l.Minute() + r.IntN(2*60+1) - 60
				wall := time.Date(l.Year(), l.Month(), l.Day(), 0, minutes, 0, 0, time.UTC)
				got := localInstant(wall.Year(), int(wall.Month()), wall.Day(), wall.Hour(), wall.Minute(), zone)
				if want := slowInstant(wall, zone); !got.Equal(want) {
					t.Fatalf("seed %d: %s in %s is at %v, want %v", seed, wall.Format("2006-01-02 15:04"), name, got.UTC(), want.UTC())
				}
			}
		})
	}
}
