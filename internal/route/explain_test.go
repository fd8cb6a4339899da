package route

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/s3event"
)

func TestExplainNamesRouteOrNearest(t *testing.T) {
	t.Parallel()
	routes := mustParse(t, landing, "acme-landing", "acme-archive")
	for _, tt := range []struct {
		name, bucket, key string
		// want is the windows, or why there is none: who ignores it, or what
		// is said, the route, the byte of the key and the reason.
		want []string
	}{
		{"by the arrival", "acme-landing", "customers/a", []string{"customers: day 2026-11-21, by the arrival at 2026-11-21 23:30 -05:00 in America/New_York; "}},
		{"by the arrival, with an offset", "acme-landing", "tokyo/a", []string{"tokyo: day 2026-11-23, by the arrival at 2026-11-22 13:30 +09:00 in Asia/Tokyo, and date_offset 1d; "}},
		{"by the hour", "acme-landing", "clicks/2026/11/22/05/a.json", []string{"clicks: hour 2026-11-22T05:00:00Z, by hour 05 in UTC; {yyyy}=2026 {MM}=11 {dd}=22 {HH}=05"}},
		{"by an hour that comes twice", "acme-landing", "local/2026/11/01/01/a.json", []string{"local clicks: hour 2026-11-01T05:00:00Z, by hour 01 in America/New_York, which the clocks show twice; {yyyy}=2026 {MM}=11 {dd}=01 {HH}=01"}},
		{"by the date in the key", "acme-landing", "orders/2026/01/01/orders_1.csv.gz", []string{
			"sales: day 2025-12-31, by the date in the key, and date_offset -1d; {yyyy}=2026 {MM}=01 {dd}=01",
			"send: day 2026-01-01, by the date in the key; {yyyy}=2026 {MM}=01 {dd}=01",
		}},

		{"a date that is implausible", "acme-landing", "orders/1999/12/31/orders_1.csv.gz", []string{
			"sales: none, by the date in the key, and date_offset -1d: the date is before 2000 or more than 400 days after the arrival, so the file is held (implausible_date); {yyyy}=1999 {MM}=12 {dd}=31",
			"send: none, by the date in the key: the date is before 2000 or more than 400 days after the arrival, so the file is held (implausible_date); {yyyy}=1999 {MM}=12 {dd}=31",
		}},
		{"a folder marker", "acme-landing", "customers/", []string{`ignored by ""`}},
		{"an ignored file", "acme-landing", "customers/a.tmp", []string{`ignored by "**/*.tmp"`}},
		{"another stack's bucket", "elsewhere", "customers/a", []string{`the stack receives no events of the bucket "elsewhere", only of acme-landing, acme-archive`}},
		{"like nothing", "acme-landing", "x", []string{"no route's pattern has anything in common with this key"}},

		{"another text", "acme-landing", "customer/a", []string{"no route matches", `customers at 8: the pattern has "s/" here`}},
		{"a key that ends", "acme-landing", "click", []string{"no route matches", `clicks at 5: the key ends where the pattern has "s/"`}},
		{"a key that goes on", "acme-landing", "clicks/2026/11/22/05/a.json.gz", []string{"no route matches", "clicks at 27: the key goes on where the pattern ends"}},
		{"a letter for a digit", "acme-landing", "clicks/2026/Nov/22/05/a.json", []string{"no route matches", "clicks at 12: the pattern has {MM} here, which is 2 digits"}},
		{"month 13", "acme-landing", "clicks/2026/13/22/05/a.json", []string{"no route matches", "clicks at 12: {MM} is 13, which is not between 01 and 12"}},
		{"hour 24", "acme-landing", "clicks/2026/11/22/24/a.json", []string{"no route matches", "clicks at 18: {HH} is 24, which is not between 00 and 23"}},
		{"year 0026, and hour 24", "acme-landing", "clicks/0026/11/22/24/a.json", []string{"no route matches", "clicks at 18: {HH} is 24, which is not between 00 and 23"}},
		{"30 February", "acme-landing", "clicks/2026/02/30/05/a.json", []string{"no route matches", "clicks at 15: 2026-02-30 is not a date"}},
		{"a folder more", "acme-landing", "clicks/2026/11/22/05/b/a.json", []string{"no route matches", "clicks at 22: * does not cross a /; write ** where folders may follow"}},
		{"a skipped hour", "acme-landing", "local/2026/03/08/02/a.json", []string{"no route matches", "local clicks at -1: the key matches, but the clocks of America/New_York skip hour 02 of 2026-03-08"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := routes.Explain(s3event.Arrival{Bucket: tt.bucket, Key: tt.key, EventTime: instant(t, "2026-11-22T04:30:00Z")}, instant(t, "2026-11-22T05:30:00Z"))
			var got []string
			if e.Ignored {
				got = append(got, fmt.Sprintf("ignored by %q", e.IgnoredBy))
			}
			for _, m := range e.Matches {
				got = append(got, fmt.Sprintf("%s: %s; %s", m.Route.Name, m.Window, m.Fields))
			}
			if e.Unrouted != "" {
				got = append(got, e.Unrouted)
			}
			if n := e.Nearest; n != nil {
				got = append(got, fmt.Sprintf("%s at %d: %s", n.Route.Name, n.At, n.Reason))
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestExplainNamesOtherBucketsAndValues(t *testing.T) {
	t.Parallel()
	routes := mustParse(t, "version: 1\nroutes:\n  - {name: a, config_id: cg-1, bucket: acme-landing, files: [\"a/{yyyy}{MM}{dd}/{dd}\", \"b/*{yyyy}{MM}{dd}.csv\"]}\n")
	for _, tt := range []struct{ bucket, key, want string }{
		{"acme-archive", "a/20261122/22", `a at -1: the key matches, but the route is for the bucket "acme-landing"`},
		{"acme-landing", "b/120261122.csv", `a at 3: {yyyy} begins within a number here; write what comes before it in the pattern, as v2{yyyy}`},
		{"acme-landing", "a/20261122/23", `a at 11: {dd} is 23 here but was 22 before`},
	} {
		n := routes.Explain(s3event.Arrival{Bucket: tt.bucket, Key: tt.key}, benchReceived).Nearest
		if n == nil || fmt.Sprintf("%s at %d: %s", n.Route.Name, n.At, n.Reason) != tt.want {
			t.Errorf("%s/%s: got %+v, want %s", tt.bucket, tt.key, n, tt.want)
		}
	}
}
