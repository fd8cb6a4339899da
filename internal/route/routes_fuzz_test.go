package route

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/route/source"
	"github.com/amperity-runs/amperity-runs/internal/s3event"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

func FuzzRoutes(f *testing.F) {
	f.Add([]byte(landing))
	f.Add([]byte(oneRoute("settle: 10m", "late: hold", "timezone: UTC", `deadline: {at: "06:30 +1d", days: mon-fri, except: [2026-12-25], then: run}`)))
	f.Add([]byte(filesRoute(`[{key: "a/{yyyy}{MM}{dd}", count: 4}, b/*, &x "c", *x, !!str d]`, "bucket: [1]", "date_offset: 1.5", "run_mode: |", "  x")))
	f.Add([]byte("version: 1\nversion: 2\n<<: {a: 1}\nroutes: [{}, x, ~]\nignore: '**'\n---\na: b\n"))
	f.Add([]byte(oneRoute("timezone: posix/america/new york", `deadline: "06:30"`)))
	f.Add([]byte("%YAML 1.1\n---\na: [\n"))
	f.Add([]byte("\uFEFFversion: 1\r\nroutes: []\r\n"))
	f.Add([]byte("ignore: [**/*.tmp]\n\t- x"))
	f.Fuzz(func(t *testing.T, src []byte) {
		// The YAML parser takes time quadratic in some inputs.
		if len(src) > 4096 {
			return
		}
		r, warnings, err := Parse("routes.yaml", src, Options{})
		lines := strings.Count(string(src), "\n") + strings.Count(string(src), "\r") + 1
		checkFaults(t, warnings, lines)
		if err != nil {
			var e *RoutesError
			if !errors.As(err, &e) || len(e.Faults) == 0 || r != nil {
				t.Fatalf("error %#v with %v", err, r)
			}
			checkFaults(t, e.Faults, lines)
			return
		}
		for i, route := range r.routes {
			checkRoute(t, r, i, route)
		}
		again, _, err := Parse("routes.yaml", []byte(written(r)), Options{})
		if err != nil {
			t.Fatalf("written as\n%s\n%v", written(r), err)
		}
		same := []cmp.Option{cmpopts.IgnoreUnexported(Route{}, File{}), cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })}
		if d := cmp.Diff(r.routes, again.routes, same...); d != "" {
			t.Fatalf("written as\n%s\n(-want +got):\n%s", written(r), d)
		}
		for i := range r.routes {
			if r.routes[i].hash != again.routes[i].hash {
				t.Fatalf("another route by its hash when written as\n%s", written(r))
			}
		}
	})
}

func checkFaults(t *testing.T, faults []source.Fault, lines int) {
	t.Helper()
	for _, f := range faults {
		if f.File != "routes.yaml" || f.Line < 1 || f.Line > lines+1 || f.Column < 1 || f.Message == "" {
			t.Fatalf("fault %+v in %d lines", f, lines)
		}
	}
	if !slices.IsSortedFunc(faults, source.ByPosition) {
		t.Fatalf("not in the order of the file: %v", faults)
	}
}

// checkRoute checks that a route is complete, and that keys made from its
// patterns start it.
func checkRoute(t *testing.T, r *Routes, i int, route *Route) {
	t.Helper()
	if route.Name == "" || len(route.Files) == 0 || route.Settle < 0 || route.Settle > maxSettle || route.Deadline != nil && (route.hourly || route.Zone == nil) || !route.dated && !route.hourly && route.Zone == nil {
		t.Fatalf("route %+v", route)
	}
	if err := (Match{Route: route, Period: dayPeriod(2026, 11, 22)}).Request().Validate(); err != nil {
		t.Fatalf("route %+v: %v", route, err)
	}
	rules := route.Rules(dayPeriod(2026, 11, 22))
	if len(rules.Entries) != len(route.Files) || rules.Hash == "" || rules.Late == "" || rules.Length <= 0 || !rules.Deadline.IsZero() && route.Deadline == nil {
		t.Fatalf("route %+v: rules %+v", route, rules)
	}
	for _, f := range route.Files {
		a := s3event.Arrival{Bucket: route.Bucket, Key: f.pattern.Witnesses()[0], EventTime: benchReceived}
		e := r.Explain(a, benchReceived)
		if e.Ignored {
			continue
		}
		if !slices.ContainsFunc(r.Match(a, benchReceived), func(m Match) bool { return m.Route == r.routes[i] }) {
			t.Fatalf("key %q does not start the route %q", a.Key, route.Name)
		}
		if len(e.Matches) == 0 || e.Unrouted != "" || e.Nearest != nil {
			t.Fatalf("explanation %+v", e)
		}
	}
}

// written returns routes as a routes file, in JSON, which is YAML.
func written(r *Routes) string {
	type file struct {
		Key      string `json:"key"`
		Count    int    `json:"count"`
		Optional bool   `json:"optional"`
	}
	type deadline struct {
		At     string   `json:"at"`
		Days   string   `json:"days"`
		Except []string `json:"except"`
		Then   string   `json:"then"`
	}
	type route struct {
		Name       string           `json:"name"`
		ConfigID   string           `json:"config_id"`
		RunMode    amperity.RunMode `json:"run_mode,omitempty"`
		Bucket     string           `json:"bucket,omitempty"`
		Timezone   string           `json:"timezone,omitempty"`
		DateOffset string           `json:"date_offset"`
		Late       window.Late      `json:"late"`
		IfUnknown  record.IfUnknown `json:"if_unknown"`
		Deadline   *deadline        `json:"deadline,omitempty"`
		Settle     string           `json:"settle"`
		Files      []file           `json:"files"`
	}
	doc := struct {
		Version int     `json:"version"`
		Routes  []route `json:"routes"`
	}{Version: 1, Routes: []route{}}
	for _, from := range r.routes {
		to := route{
			Name: from.Name, ConfigID: from.ConfigID, RunMode: from.RunMode, Bucket: from.Bucket,
			DateOffset: fmt.Sprintf("%dd", from.DateOffset), Late: from.Late, IfUnknown: from.IfUnknown, Settle: from.Settle.String(),
		}
		if from.Zone != nil {
			to.Timezone = from.Zone.String()
		}
		if d := from.Deadline; d != nil {
			var days []string
			for i, on := range d.Weekdays {
				if on {
					days = append(days, weekdayNames[i])
				}
			}
			to.Deadline = &deadline{At: d.String(), Days: strings.Join(days, ","), Except: append([]string{}, d.Except...), Then: "tell"}
			if d.Run {
				to.Deadline.Then = "run"
			}
		}
		for _, f := range from.Files {
			to.Files = append(to.Files, file{f.Pattern, f.Count, f.Optional})
		}
		doc.Routes = append(doc.Routes, to)
	}
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// FuzzKey routes any key by a file with a route of every kind: what matches is
// explained, what does not has a place where it fails.
func FuzzKey(f *testing.F) {
	routes := mustParse(f, landing)
	for _, key := range []string{
		"customers/a.csv", "clicks/2026/11/22/05/a.json", "clicks/2026/13/22/05/a.json", "local/2026/03/08/02/a.json", "orders/2026/03/01/orders_1.csv.gz",
		"tokyo/a/b", "logs/x", "a/", "", "x",
	} {
		f.Add("acme-landing", key, int64(1795320000))
	}
	f.Fuzz(func(t *testing.T, bucket, key string, unix int64) {
		if unix < 0 || unix > 32e9 {
			return
		}
		a := s3event.Arrival{Bucket: bucket, Key: key, EventTime: time.Unix(unix, 0).UTC()}
		matches := routes.Match(a, a.EventTime)
		for _, m := range matches {
			if err := m.Request().Validate(); err != nil {
				t.Fatalf("key %q: %v", key, err)
			}
		}
		e := routes.Explain(a, a.EventTime)
		switch {
		case e.Ignored != routes.Ignored(a):
			t.Fatalf("key %q: %+v", key, e)
		case e.Ignored:
		case len(e.Matches) != len(matches) || (e.Unrouted == "") != (len(matches) > 0):
			t.Fatalf("key %q: %+v with %d matches", key, e, len(matches))
		case e.Nearest != nil && (e.Nearest.At < -1 || e.Nearest.At > len(key) || e.Nearest.Reason == ""):
			t.Fatalf("key %q: nearest %+v", key, e.Nearest)
		}
	})
}
