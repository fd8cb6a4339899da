package route

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/s3event"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// landing is a routes file with a route of every kind.
const landing = `version: 1
timezone: America/New_York
ignore: ["logs/**", "**/*.tmp"]
routes:
  - name: customers
    config_id: cg-customers
    files: customers/**
  - name: clicks
    config_id: cg-clicks
    files: clicks/{yyyy}/{MM}/{dd}/{HH}/*.json
  - name: local clicks
    config_id: cg-local
    timezone: America/New_York
    files: local/{yyyy}/{MM}/{dd}/{HH}/*.json
  - name: sales
    config_id: cg-sales
    run_mode: source
    files:
      - orders/{yyyy}/{MM}/{dd}/orders_*.csv.gz
      - {key: "orders/{yyyy}/{MM}/{dd}/fixes/*.csv.gz", optional: true}
    bucket: acme-landing
    date_offset: -1d
  - name: send
    config_id: og-send
    files: orders/{yyyy}/{MM}/{dd}/**
  - name: tokyo
    config_id: cc-tokyo
    timezone: Asia/Tokyo
    date_offset: +1d
    files: tokyo/*
`

func mustParse(tb testing.TB, src string, buckets ...string) *Routes {
	tb.Helper()
	r, _, err := Parse("routes.yaml", []byte(src), Options{Buckets: buckets})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func instant(tb testing.TB, s string) time.Time {
	tb.Helper()
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func TestMatchReturnsRoutesOfFile(t *testing.T) {
	t.Parallel()
	routes := mustParse(t, landing)
	for _, tt := range []struct {
		name, bucket, key, time string
		// want has the requests, as "config id mode from to".
		want []string
	}{
		// By the date of arrival, in New York.
		{"before midnight in New York", "b", "customers/a.csv", "2026-11-22T04:59:59Z", []string{"cg-customers  2026-11-21 2026-11-22"}},
		{"at midnight in New York", "b", "customers/a.csv", "2026-11-22T05:00:00Z", []string{"cg-customers  2026-11-22 2026-11-23"}},
		{"before midnight in summer", "b", "customers/a.csv", "2026-07-04T03:59:59Z", []string{"cg-customers  2026-07-03 2026-07-04"}},
		{"at midnight in summer", "b", "customers/a.csv", "2026-07-04T04:00:00Z", []string{"cg-customers  2026-07-04 2026-07-05"}},
		{"the last second of a day of 23 hours", "b", "customers/a.csv", "2026-03-09T03:59:59Z", []string{"cg-customers  2026-03-08 2026-03-09"}},
		{"the last second of a day of 25 hours", "b", "customers/a.csv", "2026-11-02T04:59:59Z", []string{"cg-customers  2026-11-01 2026-11-02"}},
		{"the last day of a month", "b", "customers/a.csv", "2026-11-30T12:00:00Z", []string{"cg-customers  2026-11-30 2026-12-01"}},
		{"the last day of a year", "b", "customers/a.csv", "2027-01-01T04:59:59Z", []string{"cg-customers  2026-12-31 2027-01-01"}},
		{"the 29th of February", "b", "customers/a.csv", "2028-02-29T12:00:00Z", []string{"cg-customers  2028-02-29 2028-03-01"}},
		{"a campaign, which takes no range", "b", "tokyo/a.csv", "2026-11-22T14:59:59Z", []string{"cc-tokyo   "}},

		// By the date of the key, whenever it arrives.
		{"an hour", "b", "clicks/2026/11/22/05/a.json", "2026-12-24T00:00:00Z", []string{"cg-clicks  2026-11-22T05:00:00Z 2026-11-22T06:00:00Z"}},
		{"an hour of New York", "b", "local/2026/11/22/05/a.json", "2026-11-22T12:00:00Z", []string{"cg-local  2026-11-22T10:00:00Z 2026-11-22T11:00:00Z"}},
		{"an hour that comes twice", "b", "local/2026/11/01/01/a.json", "2026-11-01T12:00:00Z", []string{"cg-local  2026-11-01T05:00:00Z 2026-11-01T07:00:00Z"}},
		{"an hour that is skipped", "b", "local/2026/03/08/02/a.json", "2026-03-08T12:00:00Z", nil},
		{"a day with an offset, and a second route", "acme-landing", "orders/2026/03/01/orders_1.csv.gz", "2026-03-01T12:00:00Z",
			[]string{"cg-sales source 2026-02-28 2026-03-01", "og-send   "}},
		{"a route of another bucket", "b", "orders/2026/03/01/orders_1.csv.gz", "2026-03-01T12:00:00Z", []string{"og-send   "}},
		{"a route's second pattern", "acme-landing", "orders/2026/01/01/fixes/a.csv.gz", "2026-03-01T12:00:00Z",
			[]string{"cg-sales source 2025-12-31 2026-01-01", "og-send   "}},

		// Nothing.
		{"a date that is not", "b", "clicks/2026/02/30/05/a.json", "2026-12-24T00:00:00Z", nil},
		{"no such folder", "b", "customer/a.csv", "2026-11-22T04:59:59Z", nil},
		{"an empty key", "b", "", "2026-11-22T04:59:59Z", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := s3event.Arrival{Bucket: tt.bucket, Key: tt.key, EventTime: instant(t, tt.time)}
			var got []string
			for _, m := range routes.Match(a, instant(t, "2030-01-01T00:00:00Z")) {
				r := m.Request()
				got = append(got, fmt.Sprintf("%s %s %s %s", r.ConfigID, r.RunMode, r.RangeFrom, r.RangeTo))
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestLateEventTimeCountsAsReceipt(t *testing.T) {
	t.Parallel()
	routes := mustParse(t, landing)
	a := s3event.Arrival{Bucket: "b", Key: "customers/a.csv", EventTime: instant(t, "2026-11-25T12:00:00Z")}
	m := routes.Match(a, instant(t, "2026-11-22T12:00:00Z"))
	if len(m) != 1 || m[0].Period.String() != "2026-11-22" {
		t.Errorf("got %+v", m)
	}
}

func TestIgnoredReportsFolderMarkersAndPatterns(t *testing.T) {
	t.Parallel()
	routes := mustParse(t, landing)
	for key, want := range map[string]bool{
		"customers/": true, "/": true, "logs/a": true, "logs/a/b": true, "a.tmp": true, "customers/x/a.tmp": true,
		"customers/a.csv": false, "logs": false, "log/a": false, "a.tmp/b": false, "": false,
	} {
		if got := routes.Ignored(s3event.Arrival{Key: key, Size: 1}); got != want {
			t.Errorf("Ignored(%q) = %v", key, got)
		}
	}
	if none := mustParse(t, "version: 1\nroutes: []\n"); none.Ignored(s3event.Arrival{Key: "a"}) || !none.Ignored(s3event.Arrival{Key: "a/"}) {
		t.Error("without ignore, anything but folder markers is somebody's")
	}
}

func TestHadoopFolderMarkersAreIgnored(t *testing.T) {
	t.Parallel()
	routes := mustParse(t, landing)
	for _, tt := range []struct {
		key  string
		size int64
		want bool
	}{
		{"customers/2026_$folder$", 0, true},
		{"customers_$folder$", 0, true},
		{"customers/_$folder$", 0, true},
		{"unrouted/2026_$folder$", 0, true},
		{"customers/2026_$folder$", 1, false},
		{"customers/2026_$folder$", -1, false},
		{"customers/2026_$folder$.csv", 0, false},
		{"customers/2026_$Folder$", 0, false},
		{"customers/2026$folder$", 0, false},
		{"customers/empty.csv", 0, false},
		{"customers/", 1, true},
	} {
		a := s3event.Arrival{Bucket: "b", Key: tt.key, Size: tt.size}
		if got := routes.Ignored(a); got != tt.want {
			t.Errorf("%q of %d bytes: ignored is %v", tt.key, tt.size, got)
		}
		if e := routes.Explain(a, benchReceived); e.Ignored != tt.want || e.IgnoredBy != "" {
			t.Errorf("%q of %d bytes: explained as %+v", tt.key, tt.size, e)
		}
	}
}

func TestMatchSkipsOtherBuckets(t *testing.T) {
	t.Parallel()
	routes := mustParse(t, landing, "acme-landing", "acme-archive")
	for bucket, want := range map[string]int{"acme-landing": 2, "acme-archive": 1, "acme": 0, "": 0} {
		a := s3event.Arrival{Bucket: bucket, Key: "orders/2026/03/01/orders_1.csv.gz", EventTime: instant(t, "2026-03-01T12:00:00Z")}
		if got := routes.Match(a, a.EventTime); len(got) != want {
			t.Errorf("bucket %q: %d routes, want %d", bucket, len(got), want)
		}
	}
}

func TestRequestsOfMatchesAreValid(t *testing.T) {
	t.Parallel()
	routes := mustParse(t, landing)
	for _, key := range []string{"customers/a", "clicks/2026/11/22/05/a.json", "local/2026/11/01/01/a.json", "orders/2026/01/01/fixes/a.csv.gz", "tokyo/a"} {
		ms := routes.Match(s3event.Arrival{Bucket: "acme-landing", Key: key, EventTime: instant(t, "2026-03-01T12:00:00Z")}, instant(t, "2026-03-01T12:00:00Z"))
		if len(ms) == 0 {
			t.Errorf("%s starts nothing", key)
		}
		for _, m := range ms {
			if err := m.Request().Validate(); err != nil {
				t.Errorf("%s: %v", key, err)
			}
		}
	}
}

func TestParseSetsDefaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		extra  []string
		settle time.Duration
		late   window.Late
		held   record.IfUnknown
	}{
		{nil, 2 * time.Minute, window.Hold, record.Hold},
		{[]string{"run_mode: full"}, 2 * time.Minute, window.Hold, record.Hold},
		{[]string{"run_mode: source"}, 2 * time.Minute, window.Rerun, record.Retry},
		{[]string{"run_mode: refresh"}, 2 * time.Minute, window.Rerun, record.Retry},
		{[]string{"run_mode: source", "if_unknown: hold"}, 2 * time.Minute, window.Rerun, record.Hold},
		{[]string{"run_mode: full", "if_unknown: retry"}, 2 * time.Minute, window.Hold, record.Retry},
		{[]string{"run_mode: source", "late: hold"}, 2 * time.Minute, window.Hold, record.Retry},
		{[]string{"run_mode: source", "late: ignore"}, 2 * time.Minute, window.Ignore, record.Retry},
		{[]string{"run_mode: full", "late: rerun"}, 2 * time.Minute, window.Rerun, record.Hold},
		{[]string{"settle: 0s"}, 0, window.Hold, record.Hold},
		{[]string{"settle: 0h0m"}, 0, window.Hold, record.Hold},
		{[]string{"settle: 10m"}, 10 * time.Minute, window.Hold, record.Hold},
		{[]string{"settle: 24h"}, 24 * time.Hour, window.Hold, record.Hold},
	} {
		r := mustParse(t, oneRoute(tt.extra...)).Routes()[0]
		if r.Late != tt.late || r.IfUnknown != tt.held || r.Settle != tt.settle || r.Deadline != nil {
			t.Errorf("%v: %+v", tt.extra, r)
		}
	}
	r := mustParse(t, strings.Replace(oneRoute(), "cg-1", "og-1", 1)).Routes()[0]
	if r.Late != window.Hold || r.IfUnknown != record.Hold || r.RunMode != amperity.RunMode("") {
		t.Errorf("%+v", r)
	}
}

func TestFilesMayBePatternOrList(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, files string
		// want has the entries as "pattern count", with a ? where it is optional.
		want []string
	}{
		{"one pattern", `a/{yyyy}{MM}{dd}`, []string{"a/{yyyy}{MM}{dd} 1"}},
		{"several required ones", `["a/{yyyy}{MM}{dd}", "b/{yyyy}{MM}{dd}", "c/{yyyy}{MM}{dd}"]`, []string{"a/{yyyy}{MM}{dd} 1", "b/{yyyy}{MM}{dd} 1", "c/{yyyy}{MM}{dd} 1"}},
		{"a count", `[{key: "a/{yyyy}{MM}{dd}/*", count: 4}]`, []string{"a/{yyyy}{MM}{dd}/* 4"}},
		{"an optional one", `["a/{yyyy}{MM}{dd}", {key: "b/{yyyy}{MM}{dd}", optional: true}]`, []string{"a/{yyyy}{MM}{dd} 1", "b/{yyyy}{MM}{dd} 1?"}},
		{"an optional one with a count", `[{key: "b/{yyyy}{MM}{dd}/*", count: 2, optional: true}]`, []string{"b/{yyyy}{MM}{dd}/* 2?"}},
		{"one that is not optional", `[{key: "b/{yyyy}{MM}{dd}", optional: false}]`, []string{"b/{yyyy}{MM}{dd} 1"}},
		{"as many counted keys as there may be", `[{key: "a/{yyyy}{MM}{dd}/*", count: 10000}, {key: "b/{yyyy}{MM}{dd}", count: 1}, "c/{yyyy}{MM}{dd}"]`, []string{"a/{yyyy}{MM}{dd}/* 10000", "b/{yyyy}{MM}{dd} 1", "c/{yyyy}{MM}{dd} 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, f := range mustParse(t, filesRoute(tt.files)).Routes()[0].Files {
				s := fmt.Sprintf("%s %d", f.Pattern, f.Count)
				if f.Optional {
					s += "?"
				}
				got = append(got, s)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestConfigIDMayHave200Bytes(t *testing.T) {
	t.Parallel()
	id := "cg-" + strings.Repeat("1", 197)
	if got := mustParse(t, strings.Replace(oneRoute(), "cg-1", id, 1)).Routes()[0].ConfigID; got != id {
		t.Errorf("got %q", got)
	}
}

func TestParseReadsEveryFormOfDeadline(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		src      string
		at, days string
		except   []string
		run      bool
	}{
		{`"06:30 +1d"`, "06:30 +1d", "sun mon tue wed thu fri sat", nil, false},
		{`"23:59"`, "23:59 +0d", "sun mon tue wed thu fri sat", nil, false},
		{`{at: "06:30", days: "Mon, Sat-SUN"}`, "06:30 +0d", "sun mon sat", nil, false},
		{`{at: "06:30 +1d", days: mon-fri, except: [2026-12-25, "2027-01-01"], then: run}`, "06:30 +1d", "mon tue wed thu fri", []string{"2026-12-25", "2027-01-01"}, true},
		{`{at: "00:00 +31d", days: "fri-mon, wed", then: tell}`, "00:00 +31d", "sun mon wed fri sat", nil, false},
	} {
		d := mustParse(t, oneRoute("timezone: UTC", "deadline: "+tt.src)).Routes()[0].Deadline
		if d == nil {
			t.Errorf("%s: no deadline", tt.src)
			continue
		}
		var days []string
		for i, on := range d.Weekdays {
			if on {
				days = append(days, weekdayNames[i])
			}
		}
		if d.String() != tt.at || strings.Join(days, " ") != tt.days || !slices.Equal(d.Except, tt.except) || d.Run != tt.run {
			t.Errorf("%s: read as %+v", tt.src, d)
		}
	}
}

func TestRoutesAreImmutable(t *testing.T) {
	t.Parallel()
	buckets := []string{"acme-landing"}
	r, _, err := Parse("routes.yaml", []byte(landing), Options{Buckets: buckets})
	if err != nil {
		t.Fatal(err)
	}
	buckets[0] = "changed"
	clear(r.Routes())
	a := s3event.Arrival{Bucket: "acme-landing", Key: "customers/a", EventTime: instant(t, "2026-11-22T12:00:00Z")}
	if len(r.Match(a, a.EventTime)) != 1 {
		t.Error("changed from outside")
	}
}

// A file without a date in its key counts for the day of its event, which is the
// same when the event is repeated. A clock may be a little ahead.
func TestRepeatedEventCountsForTheSameDay(t *testing.T) {
	t.Parallel()
	routes := mustParse(t, "version: 1\nroutes:\n  - {name: a, config_id: cg-1, timezone: UTC, files: \"a/*\"}\n")
	for _, tt := range []struct{ event, received, want string }{
		{"2026-11-23T00:00:00.2Z", "2026-11-22T23:59:59.7Z", "2026-11-23"},
		{"2026-11-23T00:00:00.2Z", "2026-11-23T00:01:00Z", "2026-11-23"},
		{"2026-11-23T00:00:11Z", "2026-11-22T23:59:59Z", "2026-11-22"},
	} {
		a := s3event.Arrival{Bucket: "b", Key: "a/1", EventTime: instant(t, tt.event)}
		if ms := routes.Match(a, instant(t, tt.received)); len(ms) != 1 || ms[0].Period.String() != tt.want {
			t.Errorf("%s received at %s: %+v, want %s", tt.event, tt.received, ms, tt.want)
		}
	}
}
