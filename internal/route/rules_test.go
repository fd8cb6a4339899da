package route

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/amperity-runs/amperity-runs/internal/s3event"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// dayOf is the period of a date.
func dayOf(tb testing.TB, date string) Period {
	tb.Helper()
	d, err := time.Parse(time.DateOnly, date)
	if err != nil {
		tb.Fatal(err)
	}
	return dayPeriod(d.Year(), int(d.Month()), d.Day())
}

func TestRulesDescribeRoute(t *testing.T) {
	t.Parallel()
	const day, hour = "2026-11-22", "2026-11-22T05:00:00Z"
	for _, tt := range []struct {
		name, src, period string
		want              window.Rules
	}{
		{"a route of the defaults", oneRoute(), day, window.Rules{
			Entries: []window.Entry{{Pattern: "a/{yyyy}{MM}{dd}", Count: 1}},
			Settle:  2 * time.Minute, Length: 24 * time.Hour, Late: window.Hold,
		}},
		{"a route whose runs do no harm twice", oneRoute("run_mode: source"), day, window.Rules{
			Entries: []window.Entry{{Pattern: "a/{yyyy}{MM}{dd}", Count: 1}},
			Settle:  2 * time.Minute, Length: 24 * time.Hour, Late: window.Rerun,
		}},
		{"a route by the hour", filesRoute("a/{yyyy}{MM}{dd}{HH}", "settle: 0s", "late: ignore"), hour, window.Rules{
			Entries: []window.Entry{{Pattern: "a/{yyyy}{MM}{dd}{HH}", Count: 1}},
			Length:  time.Hour, Late: window.Ignore,
		}},
		{"entries in the order of the file", filesRoute(`["b/{yyyy}{MM}{dd}", {key: "a/{yyyy}{MM}{dd}/*", count: 4}, {key: "c/{yyyy}{MM}{dd}", optional: true}]`), day, window.Rules{
			Entries: []window.Entry{{Pattern: "b/{yyyy}{MM}{dd}", Count: 1}, {Pattern: "a/{yyyy}{MM}{dd}/*", Count: 4}, {Pattern: "c/{yyyy}{MM}{dd}", Count: 1, Optional: true}},
			Settle:  2 * time.Minute, Length: 24 * time.Hour, Late: window.Hold,
		}},
		{"a deadline that tells", oneRoute("timezone: America/New_York", `deadline: "06:30 +1d"`), day, window.Rules{
			Entries: []window.Entry{{Pattern: "a/{yyyy}{MM}{dd}", Count: 1}},
			Settle:  2 * time.Minute, Length: 24 * time.Hour, Late: window.Hold,
			Deadline: instant(t, "2026-11-23T11:30:00Z"),
		}},
		{"a deadline that runs", oneRoute("timezone: UTC", `deadline: {at: "06:30", then: run}`), day, window.Rules{
			Entries: []window.Entry{{Pattern: "a/{yyyy}{MM}{dd}", Count: 1}},
			Settle:  2 * time.Minute, Length: 24 * time.Hour, Late: window.Hold,
			Deadline: instant(t, "2026-11-22T06:30:00Z"), ThenRun: true,
		}},
		// 22 November 2026 is a Sunday.
		{"a deadline on other days", oneRoute("timezone: UTC", `deadline: {at: "06:30", days: mon-fri, then: run}`), day, window.Rules{
			Entries: []window.Entry{{Pattern: "a/{yyyy}{MM}{dd}", Count: 1}},
			Settle:  2 * time.Minute, Length: 24 * time.Hour, Late: window.Hold,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			route, p := mustParse(t, tt.src).Find("cg-1", tt.period)
			if route == nil {
				t.Fatal("no such window")
			}
			got := route.Rules(p)
			if d := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(window.Rules{}, "EntryOf", "Hash")); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if got.Hash == "" {
				t.Error("no hash")
			}
		})
	}
}

func TestFileCountsForFirstMatchingEntry(t *testing.T) {
	t.Parallel()
	route := mustParse(t, filesRoute(`["a/{yyyy}{MM}{dd}/x*", "a/{yyyy}{MM}{dd}/*", {key: "**/{yyyy}{MM}{dd}/late/*", optional: true}]`, "bucket: acme-landing")).Routes()[0]
	entryOf := route.Rules(dayOf(t, "2026-11-22")).EntryOf
	for _, tt := range []struct{ bucket, key, want string }{
		{"acme-landing", "a/20261122/x.csv", "a/{yyyy}{MM}{dd}/x*"},
		{"acme-landing", "a/20261122/y.csv", "a/{yyyy}{MM}{dd}/*"},
		{"acme-landing", "b/20261122/late/y.csv", "**/{yyyy}{MM}{dd}/late/*"},
		// Which window it is of was settled before.
		{"acme-landing", "a/19990101/x.csv", "a/{yyyy}{MM}{dd}/x*"},

		{"acme-landing", "b/20261122/y.csv", ""},
		{"acme-landing", "a/20261322/y.csv", ""},
		{"acme-landing", "", ""},
		{"acme-archive", "a/20261122/x.csv", ""},
		{"", "a/20261122/x.csv", ""},
	} {
		if got := entryOf(tt.bucket, tt.key); got != tt.want {
			t.Errorf("%s/%s counts for %q, want %q", tt.bucket, tt.key, got, tt.want)
		}
	}
}

func TestEntryOfAgreesWithMatch(t *testing.T) {
	t.Parallel()
	routes := mustParse(t, landing)
	for _, key := range []string{"customers/a", "clicks/2026/11/22/05/a.json", "local/2026/11/01/01/a.json", "orders/2026/01/01/fixes/a.csv.gz", "orders/2026/01/01/orders_1.csv.gz", "tokyo/a"} {
		a := s3event.Arrival{Bucket: "acme-landing", Key: key, EventTime: instant(t, "2026-11-22T12:00:00Z")}
		ms := routes.Match(a, a.EventTime)
		if len(ms) == 0 {
			t.Errorf("%s starts nothing", key)
		}
		for _, m := range ms {
			if got := m.Route.Rules(m.Period).EntryOf(a.Bucket, a.Key); got != m.Pattern {
				t.Errorf("%s counts for %q in the route %s, and matches %q", key, got, m.Route.Name, m.Pattern)
			}
		}
	}
}

// hashed is the hash of the route named a.
func hashed(t *testing.T, src string) string {
	t.Helper()
	for _, r := range mustParse(t, src).Routes() {
		if r.ConfigID == "cg-1" || r.ConfigID == "cg-2" {
			return r.Rules(Period{}).Hash
		}
	}
	t.Fatalf("no route in\n%s", src)
	return ""
}

func TestHashIgnoresNotation(t *testing.T) {
	t.Parallel()
	deadline := func(d string) string { return oneRoute("timezone: UTC", "deadline: "+d) }
	for _, tt := range []struct{ name, a, b string }{
		{"renamed", oneRoute(), strings.Replace(oneRoute(), "name: a", "name: orders", 1)},
		{"moved", oneRoute(), strings.Replace(oneRoute(), "routes:\n", "# routes\n\nroutes:\n  - {name: first, config_id: og-9, files: \"z/{yyyy}{MM}{dd}\"}\n", 1)},
		{"in other quotes", oneRoute(), filesRoute(`"a/{yyyy}{MM}{dd}"`)},
		{"as a list", oneRoute(), filesRoute(`["a/{yyyy}{MM}{dd}"]`)},
		{"as an entry", oneRoute(), filesRoute(`[{key: "a/{yyyy}{MM}{dd}"}]`)},
		{"with what is so by default", oneRoute(), filesRoute(`[{key: "a/{yyyy}{MM}{dd}", count: 1, optional: false}]`, "settle: 2m", "late: hold", "if_unknown: hold", "date_offset: 0d")},
		{"with the defaults of its run mode", oneRoute("run_mode: source"), oneRoute("run_mode: source", "late: rerun", "if_unknown: retry")},
		{"in seconds", oneRoute("settle: 10m"), oneRoute("settle: 600s")},
		{"with the zone of the file", oneRoute("timezone: UTC"), "timezone: UTC\n" + oneRoute()},
		{"with something to ignore", oneRoute(), "ignore: [\"**/*.tmp\"]\n" + oneRoute()},
		{"with a deadline as a mapping", deadline(`"06:30 +0d"`), deadline(`{at: "06:30", days: mon-sun, except: [], then: tell}`)},
		{"with days one by one", deadline(`{at: "06:30", days: mon-wed}`), deadline(`{at: "06:30", days: "wed,mon, tue"}`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if a, b := hashed(t, tt.a), hashed(t, tt.b); a != b {
				t.Errorf("%s and %s", a, b)
			}
		})
	}
}

func TestHashChangesWithMeaning(t *testing.T) {
	t.Parallel()
	entries := func(list string) string { return filesRoute(list) }
	deadline := func(d string) string { return oneRoute("timezone: UTC", "deadline: "+d) }
	seen := map[string]string{}
	for _, tt := range []struct{ name, src string }{
		{"one", oneRoute()},
		{"another config id", strings.Replace(oneRoute(), "cg-1", "cg-2", 1)},
		{"a run mode", oneRoute("run_mode: full")},
		{"another run mode", oneRoute("run_mode: refresh")},
		{"a bucket", oneRoute("bucket: acme-landing")},
		{"another bucket", oneRoute("bucket: acme-archive")},
		{"a zone", oneRoute("timezone: UTC")},
		{"another zone", oneRoute("timezone: Asia/Tokyo")},
		{"another pattern", filesRoute("b/{yyyy}{MM}{dd}")},
		{"a pattern by the hour", filesRoute("a/{yyyy}{MM}{dd}{HH}")},
		{"an offset", oneRoute("date_offset: -1d")},
		{"another offset", oneRoute("date_offset: +1d")},
		{"no settle", oneRoute("settle: 0s")},
		{"a longer settle", oneRoute("settle: 10m")},
		{"late that reruns", oneRoute("late: rerun")},
		{"late that is ignored", oneRoute("late: ignore")},
		{"another if_unknown", oneRoute("if_unknown: retry")},

		{"two entries", entries(`["a/{yyyy}{MM}{dd}", "b/{yyyy}{MM}{dd}"]`)},
		{"the other way round", entries(`["b/{yyyy}{MM}{dd}", "a/{yyyy}{MM}{dd}"]`)},
		{"one of them optional", entries(`["a/{yyyy}{MM}{dd}", {key: "b/{yyyy}{MM}{dd}", optional: true}]`)},
		{"the other one", entries(`[{key: "a/{yyyy}{MM}{dd}", optional: true}, "b/{yyyy}{MM}{dd}"]`)},
		{"one of them counted", entries(`["a/{yyyy}{MM}{dd}", {key: "b/{yyyy}{MM}{dd}", count: 2}]`)},
		{"counted further", entries(`["a/{yyyy}{MM}{dd}", {key: "b/{yyyy}{MM}{dd}", count: 3}]`)},

		{"a deadline", deadline(`"06:30"`)},
		{"a minute later", deadline(`"06:31"`)},
		{"an hour later", deadline(`"07:30"`)},
		{"a day later", deadline(`"06:30 +1d"`)},
		{"on some days", deadline(`{at: "06:30", days: mon-fri}`)},
		{"on others", deadline(`{at: "06:30", days: sat-sun}`)},
		{"with an exception", deadline(`{at: "06:30", except: [2026-12-25]}`)},
		{"with another", deadline(`{at: "06:30", except: [2026-12-26]}`)},
		{"then run", deadline(`{at: "06:30", then: run}`)},
	} {
		h := hashed(t, tt.src)
		if other, taken := seen[h]; taken {
			t.Errorf("%s: the same as %s", tt.name, other)
		}
		seen[h] = tt.name
	}
}

func TestRequestHasRangeOfPeriod(t *testing.T) {
	t.Parallel()
	const day, hour = "a/{yyyy}{MM}{dd}", "a/{yyyy}{MM}{dd}{HH}"
	for _, tt := range []struct {
		name, configID, files, period string
		extra                         []string
		want                          amperity.RunRequest
	}{
		{"a day of a courier group", "cg-1", day, "2026-12-31", nil, amperity.RunRequest{ConfigID: "cg-1", RangeFrom: "2026-12-31", RangeTo: "2027-01-01"}},
		{"with a run mode", "cg-1", day, "2026-11-22", []string{"run_mode: source"}, amperity.RunRequest{ConfigID: "cg-1", RunMode: amperity.RunModeSource, RangeFrom: "2026-11-22", RangeTo: "2026-11-23"}},
		{"an hour", "cg-1", hour, "2026-12-31T23:00:00Z", nil, amperity.RunRequest{ConfigID: "cg-1", RangeFrom: "2026-12-31T23:00:00Z", RangeTo: "2027-01-01T00:00:00Z"}},
		{"an hour that comes twice", "cg-1", hour, "2026-11-01T05:00:00Z", []string{"timezone: America/New_York"}, amperity.RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-01T05:00:00Z", RangeTo: "2026-11-01T07:00:00Z"}},
		// The offset was taken into the period already.
		{"with an offset", "cg-1", day, "2026-11-22", []string{"date_offset: -1d"}, amperity.RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22", RangeTo: "2026-11-23"}},
		{"an orchestration group, which takes no range", "og-1", day, "2026-11-22", nil, amperity.RunRequest{ConfigID: "og-1"}},
		{"a campaign, which takes no range", "cc-1", hour, "2026-12-31T23:00:00Z", nil, amperity.RunRequest{ConfigID: "cc-1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			route, p := mustParse(t, strings.Replace(filesRoute(tt.files, tt.extra...), "cg-1", tt.configID, 1)).Find(tt.configID, tt.period)
			if route == nil {
				t.Fatal("no such window")
			}
			got := route.Request(p)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if err := got.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

// bothUnits has two routes of one config id, by the day and by the hour.
const bothUnits = `version: 1
routes:
  - {name: hours, config_id: cg-1, timezone: America/New_York, files: "h/{yyyy}{MM}{dd}{HH}"}
  - {name: days, config_id: cg-1, files: "d/{yyyy}{MM}{dd}"}
  - {name: others, config_id: cg-2, files: "o/{yyyy}{MM}{dd}"}
  - {name: half hours, config_id: cg-3, timezone: Australia/Lord_Howe, files: "l/{yyyy}{MM}{dd}{HH}"}
  - {name: UTC hours, config_id: cg-4, files: "u/{yyyy}{MM}{dd}{HH}"}
`

func TestOfReturnsRouteOfConfigID(t *testing.T) {
	t.Parallel()
	routes := mustParse(t, bothUnits)
	for _, tt := range []struct {
		configID string
		hourly   bool
		want     string
	}{
		{"cg-1", false, "days"}, {"cg-1", true, "hours"}, {"cg-2", false, "others"},
		{"cg-2", true, ""}, {"cg-9", false, ""}, {"", false, ""},
	} {
		got := ""
		if r := routes.Of(tt.configID, tt.hourly); r != nil {
			got = r.Name
		}
		if got != tt.want {
			t.Errorf("%s, hourly %v: the route %q, want %q", tt.configID, tt.hourly, got, tt.want)
		}
	}
}

func TestFindReturnsWindowByName(t *testing.T) {
	t.Parallel()
	routes := mustParse(t, bothUnits)
	for _, tt := range []struct {
		name, configID, period string
		// want is the route and the period's range; empty: there is none.
		want string
	}{
		// Days.
		{"a day", "cg-2", "2026-11-22", "others 2026-11-22 to 2026-11-23"},
		{"a day of a config id that has hours too", "cg-1", "2026-11-22", "days 2026-11-22 to 2026-11-23"},
		{"a leap day", "cg-2", "2028-02-29", "others 2028-02-29 to 2028-03-01"},

		// Hours of New York, by the UTC time at which they begin.
		{"an hour", "cg-1", "2026-11-22T05:00:00Z", "hours 2026-11-22T05:00:00Z to 2026-11-22T06:00:00Z"},
		{"the hour that comes twice", "cg-1", "2026-11-01T05:00:00Z", "hours 2026-11-01T05:00:00Z to 2026-11-01T07:00:00Z"},
		{"its second coming, which is no window", "cg-1", "2026-11-01T06:00:00Z", ""},
		{"the hour before it", "cg-1", "2026-11-01T04:00:00Z", "hours 2026-11-01T04:00:00Z to 2026-11-01T05:00:00Z"},
		{"the hour before the one that is skipped", "cg-1", "2026-03-08T06:00:00Z", "hours 2026-03-08T06:00:00Z to 2026-03-08T07:00:00Z"},
		{"the hour after the one that is skipped", "cg-1", "2026-03-08T07:00:00Z", "hours 2026-03-08T07:00:00Z to 2026-03-08T08:00:00Z"},
		{"an hour of UTC", "cg-4", "2026-11-01T06:00:00Z", "UTC hours 2026-11-01T06:00:00Z to 2026-11-01T07:00:00Z"},
		// Lord Howe Island is at +10:30 in winter and at +11:00 in summer.
		{"an hour that begins at half past", "cg-3", "2026-06-30T15:30:00Z", "half hours 2026-06-30T15:30:00Z to 2026-06-30T16:30:00Z"},
		{"half of an hour, the rest of which is skipped", "cg-3", "2026-10-03T15:30:00Z", "half hours 2026-10-03T15:30:00Z to 2026-10-03T16:00:00Z"},
		{"an hour and a half", "cg-3", "2026-04-04T14:00:00Z", "half hours 2026-04-04T14:00:00Z to 2026-04-04T15:30:00Z"},

		// A route that was edited.
		{"a config id that is gone", "cg-9", "2026-11-22", ""},
		{"an hour of a route that became daily", "cg-2", "2026-11-22T05:00:00Z", ""},
		{"a day of a route that became hourly", "cg-3", "2026-11-22", ""},
		{"an hour of a route whose zone was another", "cg-3", "2026-06-30T15:00:00Z", ""},

		// What is no window's name.
		{"nothing", "cg-1", "", ""},
		{"a word", "cg-1", "today", ""},
		{"a date that is not", "cg-1", "2026-02-30", ""},
		{"a date in short", "cg-1", "2026-2-3", ""},
		{"an hour that is not", "cg-1", "2026-11-22T24:00:00Z", ""},
		{"a time within an hour", "cg-1", "2026-11-22T05:00:01Z", ""},
		{"a part of a second", "cg-1", "2026-11-22T05:00:00.5Z", ""},
		{"an hour by another clock", "cg-1", "2026-11-22T00:00:00-05:00", ""},
		{"a day and more", "cg-1", "2026-11-22 ", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if route, p := routes.Find(tt.configID, tt.period); route != nil {
				from, to := p.Range()
				got = fmt.Sprintf("%s %s to %s", route.Name, from, to)
				if p.String() != tt.period {
					t.Errorf("%q is called %q", tt.period, p)
				}
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFindReturnsEveryMatchedWindow(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for _, name := range changing {
		zone := zoneOf(t, name)
		routes := mustParse(t, filesRoute("a/{yyyy}{MM}{dd}{HH}", "timezone: "+name))
		for range 500 {
			at := aroundAChange(r, zone)
			key := at.In(zone).Format("a/2006010215")
			ms := routes.Match(s3event.Arrival{Bucket: "b", Key: key, EventTime: at}, at)
			if len(ms) != 1 {
				t.Fatalf("%s in %s: %d windows", key, name, len(ms))
			}
			if route, p := routes.Find("cg-1", ms[0].Period.String()); route != ms[0].Route || p != ms[0].Period {
				t.Fatalf("%s in %s: the window %v is found as %v", key, name, ms[0].Period, p)
			}
		}
	}
}
