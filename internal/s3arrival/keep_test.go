package s3arrival_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/arrival"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/s3arrival"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/internal/window"
)

// windows is a ledger that cannot be written where down says so: a window's
// key, or a folder's name. did is what was done, in turn.
type windows struct {
	down []string
	did  []string
}

var errLedger = errors.New("the ledger is gone")

func (w *windows) do(what, name string) error {
	if slices.Contains(w.down, name) {
		return &launch.LedgerError{LaunchKey: name, Err: errLedger}
	}
	w.did = append(w.did, what+" "+name)
	return nil
}

func (w *windows) Arrive(_ context.Context, win launch.Window, files []window.Arrival, _ time.Time) (launch.Arrived, error) {
	names := []string{win.Key()}
	for _, f := range files {
		names = append(names, f.Key)
	}
	if err := w.do("arrive", win.Key()); err != nil {
		return launch.Arrived{}, err
	}
	w.did[len(w.did)-1] = "arrive " + strings.Join(names, " ")
	return launch.Arrived{Result: launch.Result{Outcome: launch.Waiting, LaunchKey: win.Key()}}, nil
}

func (w *windows) Carry(_ context.Context, a launch.Arrived) launch.Result {
	w.did = append(w.did, "carry "+a.Result.LaunchKey)
	return a.Result
}

func (w *windows) Unrouted(_ context.Context, bucket, folder string, files []announcement.File) error {
	return w.do("unrouted", folder)
}

// With a ledger each file is taken in before any run is started. What was not
// taken in, and nothing else, is delivered again, and the log says why.
func TestWhatIsNotRecordedIsDeliveredAgain(t *testing.T) {
	t.Parallel()
	const (
		order, customer = "orders/2026/11/20/a.csv", "customers/x"
		orders          = "window/cg-2/2026-11-20"
		customers       = "window/cg-1/2026-11-21"
	)
	all := []string{"arrive " + orders + " " + order, "arrive " + customers + " " + customer, "unrouted p", "unrouted q", "carry " + orders, "carry " + customers}
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
		"one folder":   {down: []string{"q"}, did: but("q"), again: []string{"m4"}, logged: []string{"s3://b/q"}},
		"the other":    {down: []string{"p"}, did: but("p"), again: []string{"m3"}, logged: []string{"s3://b/p"}},
		"everything":   {down: []string{orders, customers, "p", "q"}, again: []string{"m1", "m2", "m3", "m4"}, logged: []string{orders, customers, "s3://b/p", "s3://b/q"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			routes, _, err := arrival.ParseRoutes("routes.yaml", []byte(routesFile), arrival.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			w := &windows{down: row.down}
			h := &s3arrival.Handler{Routes: routes, Windows: w, Now: func() time.Time { return received }, Logger: telemetry.NewLogger(&log, slog.LevelInfo)}
			out, err := h.Invoke(t.Context(), []byte(batch(event(order), event(customer), event("p/1"), event("q/1"))))
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
					Level, Msg, Window, Folder, Error string
					Unrouted                          float64
				}
				if err := json.Unmarshal([]byte(line), &l); err != nil {
					t.Fatal(err)
				}
				if l.Msg == "files unrouted" {
					unrouted += l.Unrouted
				}
				if l.Msg == "files not recorded" && l.Level == "ERROR" && strings.Contains(l.Error, errLedger.Error()) {
					logged = append(logged, l.Window+l.Folder)
				}
			}
			if diff := cmp.Diff(row.logged, logged); diff != "" {
				t.Errorf("logged (-want +got)\n%s", diff)
			}
			if want := float64(strings.Count(strings.Join(row.did, " "), "unrouted")); unrouted != want {
				t.Errorf("counted %v unrouted files instead of %v", unrouted, want)
			}
		})
	}
}

// Another envelope has nobody who delivers single files again: its error is the
// first reason.
func TestOtherEnvelopesAreAnErrorWhereSomethingIsNotRecorded(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ down, key string }{{"window/cg-1/2026-11-21", "customers/x"}, {"p", "p/1"}} {
		routes, _, err := arrival.ParseRoutes("routes.yaml", []byte(routesFile), arrival.Options{})
		if err != nil {
			t.Fatal(err)
		}
		h := &s3arrival.Handler{Routes: routes, Windows: &windows{down: []string{row.down}}, Now: func() time.Time { return received },
			Logger: slog.New(slog.DiscardHandler)}
		_, err = h.Invoke(t.Context(), []byte(event(row.key)))
		if _, ok := err.(*s3arrival.UnsettledError); !ok || !errors.Is(err, errLedger) {
			t.Errorf("%s: %T %v", row.key, err, err)
		}
	}
}
