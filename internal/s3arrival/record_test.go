package s3arrival_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/intake"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/route"
	"github.com/amperity-runs/amperity-runs/internal/s3arrival"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/internal/unrouted"
	"github.com/amperity-runs/amperity-runs/internal/window"
)

// windows is a ledger that fails for the window keys and bucket names in down.
// did lists the calls in order.
type windows struct {
	down []string
	did  []string
	// asked and files are all windows and files passed to Arrive.
	asked []asked
	files []window.Arrival
	// answers are the results of Launch by config id; the default is waiting.
	answers map[string]record.Result
}

// asked is a window with its files.
type asked struct {
	record.WindowSpec
	files []window.Arrival
}

var errLedger = errors.New("the ledger is gone")

func (w *windows) do(what, name string) error {
	if slices.Contains(w.down, name) {
		return &record.LedgerError{LaunchKey: name, Err: errLedger}
	}
	w.did = append(w.did, what+" "+name)
	return nil
}

func (w *windows) Arrive(_ context.Context, win record.WindowSpec, files []window.Arrival, _ time.Time) (intake.Arrived, error) {
	w.files = append(w.files, files...)
	w.asked = append(w.asked, asked{win, files})
	names := []string{win.Key()}
	for _, f := range files {
		names = append(names, f.Key)
	}
	if err := w.do("arrive", win.Key()); err != nil {
		return intake.Arrived{}, err
	}
	w.did[len(w.did)-1] = "arrive " + strings.Join(names, " ")
	if res, ok := w.answers[win.ConfigID]; ok {
		return intake.Arrived{Result: res}, nil
	}
	return intake.Arrived{Result: record.Result{Outcome: record.Waiting, LaunchKey: win.Key()}}, nil
}

func (w *windows) Launch(_ context.Context, a intake.Arrived) record.Result {
	w.did = append(w.did, "carry "+a.Result.LaunchKey)
	return a.Result
}

func (w *windows) Record(_ context.Context, bucket string, files []window.Arrival) (unrouted.Unannounced, error) {
	if err := w.do("unrouted", bucket); err != nil {
		return unrouted.Unannounced{}, err
	}
	for _, f := range files {
		w.did[len(w.did)-1] += " " + f.Key
	}
	return unrouted.Unannounced{}, nil
}

func (w *windows) Announce(context.Context, unrouted.Unannounced) {
	w.did = append(w.did, "announce")
}

// Every file is recorded before any run starts. Only files that were not
// recorded are delivered again, and the log says why.
func TestUnrecordedFilesAreDeliveredAgain(t *testing.T) {
	t.Parallel()
	const (
		order, customer = "orders/2026/11/20/a.csv", "customers/x"
		orders          = "window/cg-2/2026-11-20"
		customers       = "window/cg-1/2026-11-21"
	)
	all := []string{"arrive " + orders + " " + order, "arrive " + customers + " " + customer, "unrouted b p/1 q/1", "unrouted c r", "carry " + orders, "carry " + customers, "announce", "announce"}
	but := func(names ...string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(did string) bool {
			return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(strings.Fields(did), name) })
		})
	}
	for name, row := range map[string]struct {
		down, did, again, logged []string
	}{
		"all is well":  {did: all},
		"one window":   {down: []string{orders}, did: but(orders), again: []string{"m1"}, logged: []string{orders}},
		"both windows": {down: []string{orders, customers}, did: but(orders, customers), again: []string{"m1", "m2"}, logged: []string{orders, customers}},
		"one bucket":   {down: []string{"b"}, did: but("b"), again: []string{"m3", "m4"}, logged: []string{"b"}},
		"the other":    {down: []string{"c"}, did: but("c"), again: []string{"m5"}, logged: []string{"c"}},
		"everything": {down: []string{orders, customers, "b", "c"}, did: []string{"announce", "announce"},
			again: []string{"m1", "m2", "m3", "m4", "m5"}, logged: []string{orders, customers, "b", "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			routes, _, err := route.Parse("routes.yaml", []byte(routesFile), route.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			w := &windows{down: row.down}
			h := &s3arrival.Handler{Routes: routes, Windows: w, Unrouted: w, Now: func() time.Time { return received }, Logger: telemetry.NewLogger(&log, slog.LevelInfo)}
			out, err := h.Invoke(t.Context(), []byte(batch(event(order), event(customer), event("p/1"), event("q/1"), strings.Replace(event("r"), `"name":"b"`, `"name":"c"`, 1))))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(again(row.again...), string(out)); diff != "" {
				t.Errorf("answer (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(row.did, w.did); diff != "" {
				t.Errorf("done (-want +got)\n%s", diff)
			}
			var logged []string
			unrouted := 0.0
			for line := range strings.Lines(log.String()) {
				var l struct {
					Level, Msg, Window, Bucket, Error string
					Unrouted                          float64
				}
				if err := json.Unmarshal([]byte(line), &l); err != nil {
					t.Fatal(err)
				}
				if l.Msg == "files unrouted" {
					unrouted += l.Unrouted
				}
				if l.Msg == "files not recorded" && l.Level == "ERROR" && strings.Contains(l.Error, errLedger.Error()) {
					logged = append(logged, l.Window+l.Bucket)
				}
			}
			if diff := cmp.Diff(row.logged, logged); diff != "" {
				t.Errorf("logged (-want +got)\n%s", diff)
			}
			taken := strings.Join(row.did, " ")
			if want := float64(2*strings.Count(taken, "unrouted b") + strings.Count(taken, "unrouted c")); unrouted != want {
				t.Errorf("counted %v unrouted files instead of %v", unrouted, want)
			}
		})
	}
}

// The ledger identifies a file by its key and version. A corrected file is new,
// and a repeated notification is not.
func TestUploadsOfOneKeyAreDistinct(t *testing.T) {
	t.Parallel()
	upload := func(time, object string) string {
		return `{"version":"0","detail-type":"Object Created","source":"aws.s3","time":"` + time + `",` +
			`"detail":{"version":"0","bucket":{"name":"b"},"object":{"key":"customers/x","size":1` + object + `},"reason":"PutObject"}}`
	}
	const first, second = "2026-11-22T03:29:58Z", "2026-11-22T03:29:59Z"
	for name, row := range map[string]struct {
		bodies []string
		want   int
	}{
		"two versions": {[]string{
			upload(first, `,"version-id":"v1","sequencer":"1"`), upload(first, `,"version-id":"v2","sequencer":"1"`)}, 2},
		"one version, of which two notifications tell": {[]string{
			upload(first, `,"version-id":"v1","sequencer":"1"`), upload(second, `,"version-id":"v1","sequencer":"2"`)}, 1},
		"two uploads without versions": {[]string{
			upload(first, `,"sequencer":"1"`), upload(first, `,"sequencer":"2"`)}, 2},
		"one upload without a version": {[]string{
			upload(first, `,"sequencer":"1"`), upload(second, `,"sequencer":"1"`)}, 1},
		"two uploads that differ in time alone": {[]string{upload(first, ""), upload(second, "")}, 2},
		"one upload that only its time names":   {[]string{upload(first, ""), upload(first, "")}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			routes, _, err := route.Parse("routes.yaml", []byte(routesFile), route.Options{})
			if err != nil {
				t.Fatal(err)
			}
			w := &windows{}
			h := &s3arrival.Handler{Routes: routes, Windows: w, Unrouted: w, Now: func() time.Time { return received }, Logger: slog.New(slog.DiscardHandler)}
			if _, err := h.Invoke(t.Context(), []byte(batch(row.bodies...))); err != nil {
				t.Fatal(err)
			}
			versions := map[string]bool{}
			for _, f := range w.files {
				versions[f.Version] = true
			}
			if len(w.files) != row.want || len(versions) != row.want {
				t.Errorf("%d files of %d versions, want %d: %+v", len(w.files), len(versions), row.want, w.files)
			}
		})
	}
}

// Single files of other envelopes cannot be delivered again, so the error is
// the first reason.
func TestOtherEnvelopesFailIfAFileIsNotRecorded(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ down, key string }{{"window/cg-1/2026-11-21", "customers/x"}, {"b", "p/1"}} {
		routes, _, err := route.Parse("routes.yaml", []byte(routesFile), route.Options{})
		if err != nil {
			t.Fatal(err)
		}
		h := &s3arrival.Handler{Routes: routes, Windows: &windows{down: []string{row.down}}, Unrouted: &windows{down: []string{row.down}}, Now: func() time.Time { return received },
			Logger: slog.New(slog.DiscardHandler)}
		_, err = h.Invoke(t.Context(), []byte(event(row.key)))
		if _, ok := err.(*s3arrival.UnsettledError); !ok || !errors.Is(err, errLedger) {
			t.Errorf("%s: %T %v", row.key, err, err)
		}
	}
}

// Files of many buckets make eleven writes at most, and each file is recorded
// once.
func TestUnroutedFilesOfManyBucketsMakeElevenWrites(t *testing.T) {
	t.Parallel()
	routes, _, err := route.Parse("routes.yaml", []byte(routesFile), route.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var bodies, want []string
	for n := range 14 {
		body := strings.Replace(event(fmt.Sprintf("%02d/x", n)), `"name":"b"`, fmt.Sprintf(`"name":"b%02d"`, n), 1)
		bodies = append(bodies, body, body) // delivered twice
		if n < 10 {
			want = append(want, fmt.Sprintf("unrouted b%02d %02d/x", n, n))
		}
	}
	want = append(want, "unrouted  10/x 11/x 12/x 13/x")
	want = append(want, slices.Repeat([]string{"announce"}, 11)...)
	w := &windows{}
	h := &s3arrival.Handler{Routes: routes, Windows: w, Unrouted: w, Now: func() time.Time { return received }, Logger: slog.New(slog.DiscardHandler)}
	if out, err := h.Invoke(t.Context(), []byte(batch(bodies...))); err != nil || string(out) != again() {
		t.Fatalf("answered %s, %v", out, err)
	}
	if diff := cmp.Diff(want, w.did); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
