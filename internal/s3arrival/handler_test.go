package s3arrival_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/route"
	"github.com/amperity-runs/amperity-runs/internal/s3arrival"
	"github.com/amperity-runs/amperity-runs/internal/s3event"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

const routesFile = `version: 1
timezone: America/New_York
ignore: ["logs/**"]
routes:
  - name: customers
    config_id: cg-1
    files: customers/**
  - name: orders
    config_id: cg-2
    run_mode: source
    files: orders/{yyyy}/{MM}/{dd}/*.csv
  - name: clicks
    config_id: cg-3
    files: clicks/{yyyy}/{MM}/{dd}/{HH}/*.json
  - name: send
    config_id: cc-4
    files: orders/{yyyy}/{MM}/{dd}/done.csv
`

// received is 22:30 on the 21st in New York.
var received = time.Date(2026, 11, 22, 3, 30, 0, 0, time.UTC)

// world is the handler and its surroundings.
type world struct {
	windows windows
	log     bytes.Buffer
}

func (w *world) invoke(t *testing.T, payload string) (string, error) {
	t.Helper()
	routes, _, err := route.Parse("routes.yaml", []byte(routesFile), route.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := &s3arrival.Handler{Routes: routes, Windows: &w.windows, Unrouted: &w.windows, Now: func() time.Time { return received },
		Logger: telemetry.NewLogger(&w.log, slog.LevelInfo)}
	out, err := h.Invoke(t.Context(), []byte(payload))
	return string(out), err
}

// event is an EventBridge event of a file that has just arrived.
func event(key string) string {
	return eventOf(key, "1")
}

func eventOf(key, sequencer string) string {
	return fmt.Sprintf(`{"version":"0","detail-type":"Object Created","source":"aws.s3","time":"2026-11-22T03:29:59Z",`+
		`"detail":{"version":"0","bucket":{"name":"b"},"object":{"key":%q,"size":1,"etag":"e","sequencer":%q},"reason":"PutObject"}}`, key, sequencer)
}

// batch is an SQS batch; message n has the id m<n>.
func batch(bodies ...string) string {
	records := make([]map[string]any, len(bodies))
	for i, b := range bodies {
		records[i] = map[string]any{"messageId": fmt.Sprintf("m%d", i+1), "eventSource": "aws:sqs", "body": b}
	}
	out, _ := json.Marshal(map[string]any{"Records": records})
	return string(out)
}

// notification is an S3 notification with a record for each key.
func notification(keys ...string) string {
	records := make([]string, len(keys))
	for i, k := range keys {
		records[i] = fmt.Sprintf(`{"eventVersion":"2.1","eventSource":"aws:s3","eventTime":"2026-11-22T03:29:59.000Z","eventName":"ObjectCreated:Put",`+
			`"s3":{"bucket":{"name":"b"},"object":{"key":%q,"size":1,"eTag":"e","sequencer":"1"}}}`, k)
	}
	return `{"Records":[` + strings.Join(records, ",") + `]}`
}

func again(ids ...string) string {
	items := []map[string]string{}
	for _, id := range ids {
		items = append(items, map[string]string{"itemIdentifier": id})
	}
	out, _ := json.Marshal(map[string]any{"batchItemFailures": items})
	return string(out)
}

// A batch makes one write per window, with each file once.
func TestBatchIsRecordedOnceForEachWindow(t *testing.T) {
	t.Parallel()
	var w world
	out, err := w.invoke(t, batch(
		event("orders/2026/11/20/a.csv"),
		event("customers/x.parquet"),
		event("orders/2026/11/20/b.csv"),
		event("orders/2026/11/20/b.csv"), // delivered twice
		event("orders/2026/11/21/a.csv"),
		event("clicks/2026/11/22/02/a.json"),
		event("logs/x"),
		event("customers/"),
	))
	if err != nil || out != again() {
		t.Fatalf("answered %s, %v", out, err)
	}
	type asked struct {
		Key       string
		Route     string
		Request   amperity.RunRequest
		IfUnknown record.IfUnknown
		Files     []string
	}
	want := []asked{
		{"window/cg-2/2026-11-20", "orders", amperity.RunRequest{ConfigID: "cg-2", RunMode: "source", RangeFrom: "2026-11-20", RangeTo: "2026-11-21"},
			record.Retry, []string{"orders/2026/11/20/a.csv", "orders/2026/11/20/b.csv"}},
		// without a date in the key, the day of arrival in New York counts
		{"window/cg-1/2026-11-21", "customers", amperity.RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-21", RangeTo: "2026-11-22"},
			record.Hold, []string{"customers/x.parquet"}},
		{"window/cg-2/2026-11-21", "orders", amperity.RunRequest{ConfigID: "cg-2", RunMode: "source", RangeFrom: "2026-11-21", RangeTo: "2026-11-22"},
			record.Retry, []string{"orders/2026/11/21/a.csv"}},
		{"window/cg-3/2026-11-22T02:00:00Z", "clicks", amperity.RunRequest{ConfigID: "cg-3", RangeFrom: "2026-11-22T02:00:00Z", RangeTo: "2026-11-22T03:00:00Z"},
			record.Hold, []string{"clicks/2026/11/22/02/a.json"}},
	}
	var got []asked
	for _, a := range w.windows.asked {
		one := asked{Key: a.Key(), Route: a.Route, Request: a.Request, IfUnknown: a.IfUnknown}
		for _, f := range a.files {
			one.Files = append(one.Files, f.Key)
		}
		got = append(got, one)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if line := `"messages":8,"arrivals":`; !strings.Contains(w.log.String(), line) || !strings.Contains(w.log.String(), `"duplicates":1`) {
		t.Errorf("the log does not count the batch: %s", &w.log)
	}
}

func TestCampaignStartsWithoutARange(t *testing.T) {
	t.Parallel()
	var w world
	if _, err := w.invoke(t, event("orders/2026/11/20/done.csv")); err != nil {
		t.Fatal(err)
	}
	var got []amperity.RunRequest
	for _, a := range w.windows.asked {
		got = append(got, a.Request)
	}
	want := []amperity.RunRequest{{ConfigID: "cg-2", RunMode: "source", RangeFrom: "2026-11-20", RangeTo: "2026-11-21"}, {ConfigID: "cc-4"}}
	if diff := cmp.Diff(want, got, cmp.Transformer("sort", func(r []amperity.RunRequest) map[string]amperity.RunRequest {
		m := map[string]amperity.RunRequest{}
		for _, x := range r {
			m[x.ConfigID] = x
		}
		return m
	})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestSummaryListsWindowsAndUnroutedFiles(t *testing.T) {
	t.Parallel()
	w := world{windows: windows{answers: map[string]record.Result{
		"cg-1": {Outcome: record.Blocked, Reason: "busy", LaunchKey: "arrival/cg-1/2026-11-21/1"},
		"cg-2": {Outcome: record.Started, LaunchKey: "arrival/cg-2/2026-11-20/1", Run: &amperity.Run{ID: "wf-1"}},
	}}}
	out, err := w.invoke(t, notification("orders/2026/11/20/a.csv", "customers/x", "logs/y", "nowhere/a+b%2Bc.csv"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"arrivals":4,"ignored":1,"windows":[` +
		`{"config_id":"cg-2","period":"2026-11-20","outcome":"started","launch_key":"arrival/cg-2/2026-11-20/1","run":{"id":"wf-1","state":"","type":"","name":"","tenant":""}},` +
		`{"config_id":"cg-1","period":"2026-11-21","outcome":"blocked","reason":"busy","launch_key":"arrival/cg-1/2026-11-21/1"}],` +
		`"unrouted":["s3://b/nowhere/a b+c.csv"]}`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestUnreadableEnvelopeIsAnError(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{``, `{`, `{"Records":"x"}`, `{"hello":"world"}`} {
		var w world
		if _, err := w.invoke(t, payload); err == nil || len(w.windows.did) > 0 {
			t.Errorf("%q was taken", payload)
		}
	}
}

func TestStormOfOneDayIsOneWindowInAnyOrder(t *testing.T) {
	t.Parallel()
	var bodies []string
	for i := range 1000 {
		bodies = append(bodies, event(fmt.Sprintf("orders/2026/11/20/%d.csv", i)))
		if i%10 == 0 {
			bodies = append(bodies, bodies[len(bodies)-1])
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3 {
		rng.Shuffle(len(bodies), func(i, j int) { bodies[i], bodies[j] = bodies[j], bodies[i] })
		var w world
		if out, err := w.invoke(t, batch(bodies...)); err != nil || out != again() {
			t.Fatalf("answered %s, %v", out, err)
		}
		if len(w.windows.asked) != 1 || len(w.windows.files) != 1000 {
			t.Fatalf("%d windows and %d files; want one of 1000", len(w.windows.asked), len(w.windows.files))
		}
	}
}

func TestTwoUploadsOfOneKeyAreTwoFiles(t *testing.T) {
	t.Parallel()
	var w world
	const key = "orders/2026/11/20/a.csv"
	if _, err := w.invoke(t, batch(eventOf(key, "1"), eventOf(key, "2"), eventOf(key, "2"))); err != nil {
		t.Fatal(err)
	}
	if got := len(w.windows.files); got != 2 {
		t.Errorf("%d files, want 2", got)
	}
}

// Events that are not about a created object are acknowledged, with one log
// line per batch. Unreadable messages are delivered again.
func TestOtherEventsAreAcknowledged(t *testing.T) {
	t.Parallel()
	other := func(detailType, source string) string {
		return fmt.Sprintf(`{"version":"0","detail-type":%q,"source":%q,"time":"2026-11-22T03:29:59Z","detail":{"bucket":["x"]}}`, detailType, source)
	}
	const trail = "AWS API Call via CloudTrail"
	removed := strings.Replace(notification("customers/x"), "ObjectCreated:Put", "ObjectRemoved:Delete", 1)
	testEvent := `{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-11-22T05:00:00.000Z","Bucket":"b"}`
	var many []string
	for n := range 12 {
		many = append(many, slices.Repeat([]string{other(fmt.Sprintf("type %02d", n), "acme")}, 1+n/11)...)
	}
	type line struct {
		Level, Msg  string
		Count       int
		Kinds       map[string]int
		MoreKinds   int     `json:"more_kinds"`
		OtherEvents float64 // the metric
	}
	for name, row := range map[string]struct {
		bodies []string
		again  []string
		want   []line
	}{
		"none":            {bodies: []string{event("customers/x")}},
		"S3's test event": {bodies: []string{testEvent}},
		"CloudTrail and others": {bodies: []string{other(trail, "aws.s3"), event("customers/x"), other(trail, "aws.s3"), other("Scheduled Event", "aws.events"), removed, testEvent},
			want: []line{{"WARN", "other events", 4, map[string]int{trail + " of aws.s3": 2, "Scheduled Event of aws.events": 1, "ObjectRemoved:Delete": 1}, 0, 4}}},
		"beside what cannot be read": {bodies: []string{other(trail, "aws.s3"), "{", strings.Replace(event("customers/x"), `"name":"b"`, `"name":""`, 1), `{"hello":"world"}`},
			again: []string{"m2", "m3", "m4"}, want: []line{{"WARN", "other events", 1, map[string]int{trail + " of aws.s3": 1}, 0, 1}}},
		"of many kinds": {bodies: many, want: []line{{"WARN", "other events", 13, map[string]int{"type 11 of acme": 2, "type 00 of acme": 1, "type 01 of acme": 1, "type 02 of acme": 1,
			"type 03 of acme": 1, "type 04 of acme": 1, "type 05 of acme": 1, "type 06 of acme": 1, "type 07 of acme": 1, "type 08 of acme": 1}, 2, 13}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var w world
			out, err := w.invoke(t, batch(row.bodies...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(again(row.again...), out); diff != "" {
				t.Errorf("answer (-want +got)\n%s", diff)
			}
			var got []line
			for text := range strings.Lines(w.log.String()) {
				var l line
				if err := json.Unmarshal([]byte(text), &l); err != nil {
					t.Fatal(err)
				}
				if l.Msg == "other events" {
					got = append(got, l)
				}
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("logged (-want +got)\n%s", diff)
			}
		})
	}
}

// FuzzInvoke: no payload causes a panic, and an SQS batch whose messages were
// found never returns an error.
func FuzzInvoke(f *testing.F) {
	f.Add(batch(event("orders/2026/11/20/a.csv"), "{"))
	f.Add(notification("customers/x"))
	f.Add(event("nowhere/x"))
	f.Add(`{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"{}"}}]}`)
	f.Fuzz(func(t *testing.T, payload string) {
		var w world
		out, err := w.invoke(t, payload)
		if decoded, derr := s3event.Decode([]byte(payload)); derr == nil && decoded.Envelope == s3event.SQS && err != nil {
			t.Fatalf("an SQS batch was answered with an error: %v", err)
		}
		if err == nil && !json.Valid([]byte(out)) {
			t.Fatalf("answered no JSON: %s", out)
		}
	})
}
