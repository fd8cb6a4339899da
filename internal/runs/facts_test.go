package runs

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/clock"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// reader is an Amperity whose runs can be read. It records the reads.
type reader struct {
	API
	runs  map[string]*amperity.Run
	reads []string
}

func (r *reader) GetRun(_ context.Context, id string, _ amperity.View) (*amperity.Run, error) {
	r.reads = append(r.reads, id)
	if run := r.runs[id]; run != nil {
		return run, nil
	}
	return nil, errors.New("no answer")
}

// The name, type and principal of a run never change, so they are read once. A
// run that is certain is read again, since it is recorded as it is read.
func TestFactsOfARunAreReadOnce(t *testing.T) {
	t.Parallel()
	c := &record.ConfigID{Identity: &record.Identity{Name: "Orders", Type: "courier.group/run", PrincipalID: "key-1"}}
	own := func(id string) *amperity.Run {
		return &amperity.Run{ID: id, Name: "Orders", Type: "courier.group/run", PrincipalID: "key-1", State: amperity.StateSucceeded}
	}
	theirs := own("wf-3")
	theirs.PrincipalID = "user-1"
	api := &reader{runs: map[string]*amperity.Run{"wf-1": own("wf-1"), "wf-2": own("wf-2"), "wf-3": theirs}}
	cl := &Client{API: api, Clock: clock.System{}}
	look := func(most int, ids ...string) (Found, error) {
		f := Found{Certain: true}
		for _, id := range ids {
			f.Runs = append(f.Runs, &amperity.Run{ID: id, State: amperity.StateRunning}) // as a list shows it
		}
		api.reads = nil
		err := cl.readFacts(t.Context(), &f, c, []string{"key-1"}, most)
		return f, err
	}
	for _, tt := range []struct {
		name    string
		most    int
		ids     []string
		reads   []string
		runs    []string
		certain bool
		state   amperity.State // of the first run
		fails   bool
	}{
		{"two for one request", 1, []string{"wf-1", "wf-2", "wf-3"}, []string{"wf-1", "wf-2", "wf-3"}, []string{"wf-1", "wf-2"}, false, amperity.StateSucceeded, false},
		{"the same again", 1, []string{"wf-1", "wf-2", "wf-3"}, nil, []string{"wf-1", "wf-2"}, false, amperity.StateRunning, false},
		{"one of them", 1, []string{"wf-2", "wf-3"}, []string{"wf-2"}, []string{"wf-2"}, true, amperity.StateSucceeded, false},
		{"one that cannot be read", 1, []string{"wf-4", "wf-1"}, []string{"wf-4"}, []string{"wf-4", "wf-1"}, false, amperity.StateRunning, true},
	} {
		f, err := look(tt.most, tt.ids...)
		var ids []string
		for _, run := range f.Runs {
			ids = append(ids, run.ID)
		}
		if d := cmp.Diff(tt.runs, ids); d != "" || (err != nil) != tt.fails || f.Certain != tt.certain || f.Runs[0].State != tt.state {
			t.Errorf("%s: certain %t, the first is %s, %v; the runs (-want +got):\n%s", tt.name, f.Certain, f.Runs[0].State, err, d)
		}
		if !slices.Equal(tt.reads, api.reads) {
			t.Errorf("%s: read %q, want %q", tt.name, api.reads, tt.reads)
		}
	}
	delete(api.runs, "wf-1")
	if f, err := look(1, "wf-1"); err == nil || f.Certain {
		t.Errorf("a certain run that cannot be read again: certain %t, %v", f.Certain, err)
	}
}

// A run that Amperity refuses to show may hang as long as any other. A run that
// could not be asked for may be asked for again.
func TestRefusedRunCountsAsRead(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]bool{403: false, 503: true} {
		api := &refusing{err: &amperity.APIError{Method: "GET", Path: "/workflow/runs/wf-1", Status: status}}
		cl := &Client{API: api, Clock: clock.System{}, Logger: slog.New(slog.DiscardHandler)}
		if ended, unread := cl.hasEnded(t.Context(), "wf-1", time.Now()); ended || unread != want {
			t.Errorf("%d: ended %t, unread %t", status, ended, unread)
		}
	}
}

// refusing is an Amperity that shows no run.
type refusing struct {
	API
	err error
}

func (r *refusing) GetRun(context.Context, string, amperity.View) (*amperity.Run, error) {
	return nil, r.err
}
