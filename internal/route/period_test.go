package route

import (
	"strings"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/s3event"
	"github.com/amperity-runs/amperity-runs/internal/schedule"
)

func TestHourPeriodFollowsZone(t *testing.T) {
	t.Parallel()
	// The hour as it stands in the key, and the UTC hours it is; "skipped"
	// where the zone's clocks never show it.
	for _, tt := range []struct{ zone, hour, want string }{
		{"UTC", "2026-11-22 05", "2026-11-22T05:00:00Z to 2026-11-22T06:00:00Z"},
		{"UTC", "2026-12-31 23", "2026-12-31T23:00:00Z to 2027-01-01T00:00:00Z"},
		{"UTC", "2028-02-29 23", "2028-02-29T23:00:00Z to 2028-03-01T00:00:00Z"},
		{"Etc/UTC", "2026-11-22 05", "2026-11-22T05:00:00Z to 2026-11-22T06:00:00Z"},

		// New York: -05:00 in winter, -04:00 from 8 March to 1 November 2026.
		{"America/New_York", "2026-11-22 00", "2026-11-22T05:00:00Z to 2026-11-22T06:00:00Z"},
		{"America/New_York", "2026-07-04 23", "2026-07-05T03:00:00Z to 2026-07-05T04:00:00Z"},
		// At 02:00 -05:00 the clocks go to 03:00 -04:00.
		{"America/New_York", "2026-03-08 01", "2026-03-08T06:00:00Z to 2026-03-08T07:00:00Z"},
		{"America/New_York", "2026-03-08 02", "skipped"},
		{"America/New_York", "2026-03-08 03", "2026-03-08T07:00:00Z to 2026-03-08T08:00:00Z"},
		// At 02:00 -04:00 they go back to 01:00 -05:00.
		{"America/New_York", "2026-11-01 00", "2026-11-01T04:00:00Z to 2026-11-01T05:00:00Z"},
		{"America/New_York", "2026-11-01 01", "2026-11-01T05:00:00Z to 2026-11-01T07:00:00Z"},
		{"America/New_York", "2026-11-01 02", "2026-11-01T07:00:00Z to 2026-11-01T08:00:00Z"},

		// Berlin: at 02:00 +01:00 to 03:00, at 03:00 +02:00 back to 02:00.
		{"Europe/Berlin", "2026-03-29 02", "skipped"},
		{"Europe/Berlin", "2026-10-25 02", "2026-10-25T00:00:00Z to 2026-10-25T02:00:00Z"},

		// Zones between the hours: India +05:30, Nepal +05:45.
		{"Asia/Kolkata", "2026-11-22 05", "2026-11-21T23:30:00Z to 2026-11-22T00:30:00Z"},
		{"Asia/Kathmandu", "2026-11-22 00", "2026-11-21T18:15:00Z to 2026-11-21T19:15:00Z"},
		// Lord Howe's clocks change by half an hour: at 02:00 +10:30 to 02:30
		// +11:00, which leaves half of an hour, and at 02:00 +11:00 back to 01:30.
		{"Australia/Lord_Howe", "2026-10-04 02", "2026-10-03T15:30:00Z to 2026-10-03T16:00:00Z"},
		{"Australia/Lord_Howe", "2026-04-05 01", "2026-04-04T14:00:00Z to 2026-04-04T15:30:00Z"},
		// Troll station's change by two hours, at 01:00 UTC: 01 and 02 are
		// skipped in spring; each comes twice, not at once, in autumn.
		{"Antarctica/Troll", "2026-03-29 01", "skipped"},
		{"Antarctica/Troll", "2026-03-29 02", "skipped"},
		{"Antarctica/Troll", "2026-10-25 01", "2026-10-24T23:00:00Z to 2026-10-25T02:00:00Z"},
		{"Antarctica/Troll", "2026-10-25 02", "2026-10-25T00:00:00Z to 2026-10-25T03:00:00Z"},
		// Samoa went without 30 December 2011.
		{"Pacific/Apia", "2011-12-30 12", "skipped"},
		{"Pacific/Apia", "2011-12-31 00", "2011-12-30T10:00:00Z to 2011-12-30T11:00:00Z"},
		// The furthest zones there are.
		{"Pacific/Kiritimati", "2026-11-22 00", "2026-11-21T10:00:00Z to 2026-11-21T11:00:00Z"},
		{"Etc/GMT+12", "2026-11-22 23", "2026-11-23T11:00:00Z to 2026-11-23T12:00:00Z"},
	} {
		t.Run(tt.zone+" "+tt.hour, func(t *testing.T) {
			t.Parallel()
			zone, err := schedule.Zone(tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse("2006-01-02 15", tt.hour)
			if err != nil {
				t.Fatal(err)
			}
			got := "skipped"
			p, ok := hourPeriod(at.Year(), int(at.Month()), at.Day(), at.Hour(), zone)
			if ok {
				from, to := p.Range()
				got = from + " to " + to
				if p.String() != from || p.Unit() != "hour" {
					t.Errorf("an hour called %q, of the unit %s", p, p.Unit())
				}
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestHourPeriodSpansEveryInstantOfHour(t *testing.T) {
	t.Parallel()
	// Every quarter of an hour of the two weeks about a change of clocks is in
	// the hour that the clocks show, and each hour begins and ends with such a
	// quarter.
	for _, tt := range []struct{ zone, around string }{
		{"America/New_York", "2026-03-08"}, {"America/New_York", "2026-11-01"}, {"Australia/Lord_Howe", "2026-04-05"},
		{"Australia/Lord_Howe", "2026-10-04"}, {"Antarctica/Troll", "2026-03-29"}, {"Antarctica/Troll", "2026-10-25"},
		{"Pacific/Apia", "2011-12-30"}, {"America/St_Johns", "2006-10-29"}, {"Africa/Casablanca", "2026-02-15"},
		{"Asia/Kathmandu", "1986-01-01"}, {"America/Caracas", "2016-05-01"}, {"Asia/Pyongyang", "2018-05-05"},
	} {
		t.Run(tt.zone+" "+tt.around, func(t *testing.T) {
			t.Parallel()
			zone, err := schedule.Zone(tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			mid, err := time.Parse(time.DateOnly, tt.around)
			if err != nil {
				t.Fatal(err)
			}
			shown := func(u int64) string { return time.Unix(u, 0).In(zone).Format("2006-01-02 15") }
			for at := mid.AddDate(0, 0, -7); at.Before(mid.AddDate(0, 0, 7)); at = at.Add(15 * time.Minute) {
				local := at.In(zone)
				p, ok := hourPeriod(local.Year(), int(local.Month()), local.Day(), local.Hour(), zone)
				if !ok || at.Unix() < p.start || at.Unix() >= p.start+p.length {
					t.Fatalf("%v is not in its hour %v (%v)", local, p, ok)
				}
				if shown(p.start) != shown(at.Unix()) || shown(p.start+p.length-1) != shown(at.Unix()) ||
					shown(p.start-1) == shown(at.Unix()) || shown(p.start+p.length) == shown(at.Unix()) {
					t.Fatalf("the hour of %v is not %v for %d s", local, p, p.length)
				}
			}
		})
	}
}

func TestDayPeriodHasRangeOfDate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		y, m, d int
		want    string
	}{
		{2026, 11, 22, "2026-11-22 to 2026-11-23"},
		{2026, 11, 30, "2026-11-30 to 2026-12-01"},
		{2026, 12, 31, "2026-12-31 to 2027-01-01"},
		{2026, 2, 28, "2026-02-28 to 2026-03-01"},
		{2028, 2, 28, "2028-02-28 to 2028-02-29"},
		{2028, 2, 29, "2028-02-29 to 2028-03-01"},
		// Days of 23 and 25 hours in many zones are days like any other.
		{2026, 3, 8, "2026-03-08 to 2026-03-09"},
		{2026, 11, 1, "2026-11-01 to 2026-11-02"},
		// With a date_offset, the day is not always one of the month.
		{2026, 3, 0, "2026-02-28 to 2026-03-01"},
		{2026, 1, 0, "2025-12-31 to 2026-01-01"},
		{2026, 12, 32, "2027-01-01 to 2027-01-02"},
		{2026, 1, 1 - 366, "2024-12-31 to 2025-01-01"},
	} {
		p := dayPeriod(tt.y, tt.m, tt.d)
		from, to := p.Range()
		if got := from + " to " + to; got != tt.want || p.String() != from || p.Unit() != "day" {
			t.Errorf("%d-%d-%d: got %s called %q, want %s", tt.y, tt.m, tt.d, got, p, tt.want)
		}
	}
}

func TestDayAndHourAreDifferentPeriods(t *testing.T) {
	t.Parallel()
	h, _ := hourPeriod(2026, 11, 22, 0, time.UTC)
	d := dayPeriod(2026, 11, 22)
	if h == d || h.String() == d.String() {
		t.Errorf("%v and %v", h, d)
	}
	if !strings.HasPrefix(h.String(), d.String()) {
		t.Errorf("%v does not begin %v", d, h)
	}
}

func TestImplausibleDatesHavePeriodOfArrival(t *testing.T) {
	t.Parallel()
	src := "version: 1\nroutes:\n" +
		"  - {name: days, config_id: cg-1, files: \"d/{yyyy}{MM}{dd}\"}\n" +
		"  - {name: hours, config_id: cg-1, files: \"h/{yyyy}{MM}{dd}{HH}\", timezone: Asia/Tokyo}\n" +
		"  - {name: moved, config_id: cg-2, files: \"m/{yyyy}{MM}{dd}\", date_offset: -1d}\n" +
		"  - {name: ahead, config_id: cg-3, files: \"a/**\", date_offset: 366d, timezone: Pacific/Kiritimati}\n"
	routes := mustParse(t, src)
	received := instant(t, "2026-11-22T06:30:00Z")
	for _, tt := range []struct{ name, key, event, want string }{
		{"today", "d/20261122", "2026-11-22T05:30:00Z", "2026-11-22"},
		{"400 days ahead, less half an hour", "d/20271227", "2026-11-22T05:30:00Z", "2027-12-27"},
		{"400 days ahead", "d/20271227", "2026-11-22T00:00:00Z", "2027-12-27"},
		{"400 days ahead and a second", "d/20271227", "2026-11-21T23:59:59Z", "implausible-day-2026-11-21T23:00:00Z"},
		{"401 days ahead", "d/20271228", "2026-11-22T05:30:00Z", "implausible-day-2026-11-22T05:00:00Z"},
		{"a date that means for ever", "d/99991231", "2026-11-22T05:30:00Z", "implausible-day-2026-11-22T05:00:00Z"},
		{"the first plausible day", "d/20000101", "2026-11-22T05:30:00Z", "2000-01-01"},
		{"the day before", "d/19991231", "2026-11-22T05:59:59Z", "implausible-day-2026-11-22T05:00:00Z"},
		{"the epoch", "d/19700101", "2026-11-22T06:00:00Z", "implausible-day-2026-11-22T06:00:00Z"},
		{"a date that means none", "d/00010101", "2026-11-22T05:30:00Z", "implausible-day-2026-11-22T05:00:00Z"},
		{"the first plausible hour", "h/2000010100", "2026-11-22T05:30:00Z", "1999-12-31T15:00:00Z"},
		{"the hour before", "h/1999123123", "2026-11-22T05:30:00Z", "implausible-hour-2026-11-22T05:00:00Z"},
		{"moved before the first day", "m/20000101", "2026-11-22T05:30:00Z", "implausible-day-2026-11-22T05:00:00Z"},
		{"moved to the first day", "m/20000102", "2026-11-22T05:30:00Z", "2000-01-01"},
		{"moved to 400 days ahead", "m/20271228", "2026-11-22T05:30:00Z", "2027-12-27"},
		{"by the arrival, moved as far as can be", "a/x", "2026-11-22T05:30:00Z", "2027-11-23"},
		{"an event of the future counts as received", "d/20271228", "2030-01-01T00:00:00Z", "implausible-day-2026-11-22T06:00:00Z"},
	} {
		a := s3event.Arrival{Bucket: "b", Key: tt.key, EventTime: instant(t, tt.event)}
		m := routes.Match(a, received)
		if len(m) != 1 || m[0].Period.String() != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, m, tt.want)
			continue
		}
		if from, to := m[0].Period.Range(); m[0].Period.Implausible() && (from != "" || to != "") {
			t.Errorf("%s: from %s to %s", tt.name, from, to)
		}
		route, p := routes.Find(m[0].Route.ConfigID, tt.want)
		if route != m[0].Route || p != m[0].Period {
			t.Errorf("%s: by its name it is %v of %v", tt.name, p, route)
		}
		if hold := route.Rules(p).HoldReason; (hold == "implausible_date") != p.Implausible() {
			t.Errorf("%s: held for %q", tt.name, hold)
		}
	}
	for _, period := range []string{"implausible-day-", "implausible-day-2026-11-22", "implausible-day-2026-11-22T05:30:00Z", "implausible-2026-11-22T05:00:00Z", "implausible-hour-2026-11-22T05:00:00+01:00"} {
		if route, p := routes.Find("cg-1", period); route != nil {
			t.Errorf("%s is %v of %v", period, p, route)
		}
	}
	if route, _ := routes.Find("cg-2", "implausible-hour-2026-11-22T05:00:00Z"); route != nil {
		t.Errorf("a route of days has hours: %v", route)
	}
}
