package s3arrival_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/announcement/announcementtest"
	"github.com/amperity-runs/amperity-runs/internal/arrival"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/s3arrival"
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

// launcher answers by config id, and started where it knows none.
type launcher struct {
	by  map[string]launch.Result
	got []launch.Launch
}

func (l *launcher) Launch(_ context.Context, in launch.Launch) (launch.Result, error) {
	l.got = append(l.got, in)
	res, ok := l.by[in.Request.ConfigID]
	if !ok {
		res = launch.Result{Outcome: launch.Started, Run: &amperity.Run{ID: "wf-1"}}
	}
	res.LaunchKey = in.Key
	if res.Outcome == launch.Blocked {
		return res, &launch.BlockedError{LaunchKey: in.Key, Reason: res.Reason, Message: "no"}
	}
	return res, nil
}

type bus struct {
	announced []announcement.Announcement
	err       error
}

func (b *bus) Announce(_ context.Context, as ...announcement.Announcement) error {
	if b.err != nil {
		return b.err
	}
	b.announced = append(b.announced, as...)
	return nil
}

type world struct {
	launcher launcher
	bus      bus
	log      bytes.Buffer
}

func (w *world) invoke(t *testing.T, payload string) (string, error) {
	t.Helper()
	routes, _, err := arrival.ParseRoutes("routes.yaml", []byte(routesFile), arrival.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := &s3arrival.Handler{Routes: routes, Launcher: &w.launcher, Announcer: &w.bus, Now: func() time.Time { return received },
		Logger: telemetry.NewLogger(&w.log, slog.LevelInfo), Tenant: "acme"}
	out, err := h.Invoke(t.Context(), []byte(payload))
	return string(out), err
}

// event is an EventBridge event of a file that has just come.
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

func blocked(reason string) launch.Result {
	return launch.Result{Outcome: launch.Blocked, Reason: reason}
}

func TestFilesBecomeOneLaunchAWindow(t *testing.T) {
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
	want := []launch.Launch{
		{
			Key:      "arrival/cg-2/2026-11-20/1",
			Cause:    announcement.Cause{Type: "arrival", Route: "orders", Period: "2026-11-20", FirstFile: "s3://b/orders/2026/11/20/a.csv", Files: 2},
			Request:  amperity.RunRequest{ConfigID: "cg-2", RunMode: "source", RangeFrom: "2026-11-20", RangeTo: "2026-11-21"},
			Resource: "arn:aws:s3:::b/orders/2026/11/20/a.csv", IfUnknown: launch.Retry,
		},
		{ // no date in the key: the day of arrival in New York
			Key:      "arrival/cg-1/2026-11-21/1",
			Cause:    announcement.Cause{Type: "arrival", Route: "customers", Period: "2026-11-21", FirstFile: "s3://b/customers/x.parquet", Files: 1},
			Request:  amperity.RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-21", RangeTo: "2026-11-22"},
			Resource: "arn:aws:s3:::b/customers/x.parquet", IfUnknown: launch.Hold,
		},
		{
			Key:      "arrival/cg-2/2026-11-21/1",
			Cause:    announcement.Cause{Type: "arrival", Route: "orders", Period: "2026-11-21", FirstFile: "s3://b/orders/2026/11/21/a.csv", Files: 1},
			Request:  amperity.RunRequest{ConfigID: "cg-2", RunMode: "source", RangeFrom: "2026-11-21", RangeTo: "2026-11-22"},
			Resource: "arn:aws:s3:::b/orders/2026/11/21/a.csv", IfUnknown: launch.Retry,
		},
		{
			Key:      "arrival/cg-3/2026-11-22T02:00:00Z/1",
			Cause:    announcement.Cause{Type: "arrival", Route: "clicks", Period: "2026-11-22T02:00:00Z", FirstFile: "s3://b/clicks/2026/11/22/02/a.json", Files: 1},
			Request:  amperity.RunRequest{ConfigID: "cg-3", RangeFrom: "2026-11-22T02:00:00Z", RangeTo: "2026-11-22T03:00:00Z"},
			Resource: "arn:aws:s3:::b/clicks/2026/11/22/02/a.json", IfUnknown: launch.Hold,
		},
	}
	if diff := cmp.Diff(want, w.launcher.got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if line := `"messages":8,"arrivals":`; !strings.Contains(w.log.String(), line) || !strings.Contains(w.log.String(), `"duplicates":1`) {
		t.Errorf("the log does not count the batch: %s", &w.log)
	}
}

func TestACampaignIsStartedWithoutARange(t *testing.T) {
	t.Parallel()
	var w world
	if _, err := w.invoke(t, event("orders/2026/11/20/done.csv")); err != nil {
		t.Fatal(err)
	}
	var got []amperity.RunRequest
	for _, l := range w.launcher.got {
		got = append(got, l.Request)
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

func TestOnlyWhatIsSafeToRepeatIsDeliveredAgain(t *testing.T) {
	t.Parallel()
	const order, done, customer, bad, nowhere = "orders/2026/11/20/a.csv", "orders/2026/11/20/done.csv", "customers/x", "", "nowhere/x"
	rows := []struct {
		name     string
		outcomes map[string]launch.Result
		busDown  bool
		keys     []string // of the messages m1, m2, …; empty: not readable
		again    []string
		gaveUp   int
	}{
		{name: "all started", keys: []string{order, customer}},
		{name: "one message is not readable", keys: []string{order, bad, customer}, again: []string{"m2"}},
		{name: "one window is blocked: its messages", outcomes: map[string]launch.Result{"cg-2": blocked("busy")},
			keys: []string{order, customer, "orders/2026/11/20/b.csv"}, again: []string{"m1", "m3"}},
		{name: "rejected is settled", outcomes: map[string]launch.Result{"cg-2": {Outcome: launch.Rejected}}, keys: []string{order}},
		{name: "held is settled", outcomes: map[string]launch.Result{"cg-2": {Outcome: launch.Held, Reason: "unknown_outcome"}}, keys: []string{order}},
		{name: "too old is settled", outcomes: map[string]launch.Result{"cg-2": {Outcome: launch.Held, Reason: "too_old"}}, keys: []string{order}},
		{name: "unrouted files are settled once they are announced", keys: []string{nowhere}},
		{name: "unrouted files that could not be announced", busDown: true, keys: []string{nowhere, order}, again: []string{"m1"}},
		// One file, two routes: a redelivery would start the run of the one again.
		{name: "one of a file's two windows is blocked, the other started: given up",
			outcomes: map[string]launch.Result{"cc-4": blocked("busy")}, keys: []string{done}, gaveUp: 1},
		{name: "one of a file's two windows is blocked, the other may have started: given up",
			outcomes: map[string]launch.Result{"cc-4": blocked("busy"), "cg-2": {Outcome: launch.Held, Reason: "unknown_outcome"}}, keys: []string{done}, gaveUp: 1},
		{name: "one of a file's two windows is blocked, the other rejected: again",
			outcomes: map[string]launch.Result{"cc-4": blocked("busy"), "cg-2": {Outcome: launch.Rejected}}, keys: []string{done}, again: []string{"m1"}},
		{name: "both blocked: again",
			outcomes: map[string]launch.Result{"cc-4": blocked("busy"), "cg-2": blocked("busy")}, keys: []string{done}, again: []string{"m1"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := world{launcher: launcher{by: row.outcomes}}
			if row.busDown {
				w.bus.err = errors.New("bus is gone")
			}
			var bodies []string
			for _, k := range row.keys {
				if k == bad {
					bodies = append(bodies, "{")
				} else {
					bodies = append(bodies, event(k))
				}
			}
			out, err := w.invoke(t, batch(bodies...))
			if err != nil {
				t.Fatalf("an error would deliver the whole batch again: %v", err)
			}
			if diff := cmp.Diff(again(row.again...), out); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if got := strings.Count(w.log.String(), "launch given up"); got != row.gaveUp {
				t.Errorf("gave up %d launches, want %d", got, row.gaveUp)
			}
		})
	}
}

func TestSummaryForAPerson(t *testing.T) {
	t.Parallel()
	w := world{launcher: launcher{by: map[string]launch.Result{"cg-1": blocked("busy")}}}
	out, err := w.invoke(t, notification("orders/2026/11/20/a.csv", "customers/x", "logs/y", "nowhere/a+b%2Bc.csv"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"arrivals":4,"ignored":1,"windows":[` +
		`{"config_id":"cg-2","period":"2026-11-20","outcome":"started","launch_key":"arrival/cg-2/2026-11-20/1","run":{"id":"wf-1","state":"","type":"","name":"","tenant":""}},` +
		`{"config_id":"cg-1","period":"2026-11-21","outcome":"blocked","reason":"busy","launch_key":"arrival/cg-1/2026-11-21/1",` +
		`"warning":"it is not tried again by itself, since another run of the same delivery was started: start it by hand"}],` +
		`"unrouted":["s3://b/nowhere/a b+c.csv"]}`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestOtherEnvelopesReturnAnErrorWhereNothingWasStarted(t *testing.T) {
	t.Parallel()
	w := world{launcher: launcher{by: map[string]launch.Result{"cg-2": blocked("busy")}}}
	_, err := w.invoke(t, event("orders/2026/11/20/a.csv"))
	var unsettled *s3arrival.UnsettledError
	var cause *launch.BlockedError
	if !errors.As(err, &unsettled) || !errors.As(err, &cause) {
		t.Fatalf("got %T: %v", err, err)
	}
	if want := "launch arrival/cg-2/2026-11-20/1 is blocked (busy), nothing was started: no"; err.Error() != want {
		t.Errorf("got %s", err)
	}
	for _, payload := range []string{``, `{`, `{"Records":"x"}`, `{"hello":"world"}`} {
		if _, err := w.invoke(t, payload); err == nil {
			t.Errorf("%q was taken", payload)
		}
	}
}

func TestUnroutedFilesAreAnnouncedOnceForTheBatch(t *testing.T) {
	t.Parallel()
	var w world
	var bodies []string
	for i := range 30 {
		bodies = append(bodies, event(fmt.Sprintf("nowhere/%d", i)))
	}
	bodies = append(bodies, bodies[0]) // delivered twice
	for range 2 {
		if out, err := w.invoke(t, batch(bodies...)); err != nil || out != again() {
			t.Fatalf("answered %s, %v", out, err)
		}
	}
	if len(w.bus.announced) != 2 {
		t.Fatalf("%d announcements", len(w.bus.announced))
	}
	a, b := w.bus.announced[0], w.bus.announced[1]
	if a.Type != announcement.FilesUnrouted || a.Detail.Unrouted.Count != 30 || len(a.Detail.Unrouted.Files) != 20 {
		t.Errorf("announced %+v", a)
	}
	if a.Detail.ID != b.Detail.ID {
		t.Error("the same batch, delivered again, has another id")
	}
	if diff := cmp.Diff([]string{"arn:aws:s3:::b/nowhere/0"}, a.Resources); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	detail, err := a.Encode(announcement.DefaultLimit)
	if err == nil {
		err = announcementtest.Validate(string(a.Type), detail)
	}
	if err != nil {
		t.Error(err)
	}
}

func TestAStormOfOneDayIsOneLaunchInAnyOrder(t *testing.T) {
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
		if len(w.launcher.got) != 1 || w.launcher.got[0].Cause.Files != 1000 {
			t.Fatalf("%d launches, the first over %d files; want one over 1000", len(w.launcher.got), w.launcher.got[0].Cause.Files)
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
	if got := w.launcher.got[0].Cause.Files; got != 2 {
		t.Errorf("%d files, want 2", got)
	}
}

// Events that are not about a created object are acknowledged, with one line for
// the batch. What cannot be read comes again.
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

// FuzzInvoke: whatever comes in, nothing panics, and an SQS batch is never
// answered with an error once its messages were found.
func FuzzInvoke(f *testing.F) {
	f.Add(batch(event("orders/2026/11/20/a.csv"), "{"))
	f.Add(notification("customers/x"))
	f.Add(event("nowhere/x"))
	f.Add(`{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"{}"}}]}`)
	f.Fuzz(func(t *testing.T, payload string) {
		var w world
		out, err := w.invoke(t, payload)
		if decoded, derr := arrival.Decode([]byte(payload)); derr == nil && decoded.Envelope == arrival.SQS && err != nil {
			t.Fatalf("an SQS batch was answered with an error: %v", err)
		}
		if err == nil && !json.Valid([]byte(out)) {
			t.Fatalf("answered no JSON: %s", out)
		}
	})
}
