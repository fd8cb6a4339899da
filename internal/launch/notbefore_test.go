package launch_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/window"
)

// ending is the context of an invocation with a deadline by the test's clock.
type ending struct {
	context.Context
	at time.Time
}

func (e ending) Deadline() (time.Time, bool) { return e.at, true }

// posted returns the times of a launch's requests from the ledger.
func (o *office) posted(key string) []time.Time {
	o.t.Helper()
	item, err := o.ledger.Get(o.t.Context(), "launch/"+key)
	if err != nil {
		o.t.Fatal(err)
	}
	var doc struct {
		Posts []time.Time `json:"posts"`
	}
	if err := json.Unmarshal(item.Doc, &doc); err != nil {
		o.t.Fatal(err)
	}
	return doc.Posts
}

const firstOfWindow = "arrival/cg-1/2026-11-22/1"

// The time of the mark decides what a run covers. The mark comes at least six
// seconds after the latest event time of the window's files.
func TestWindowRequestIsNotMarkedEarly(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		events []time.Duration // before the receipt
		want   time.Duration   // after the receipt
	}{
		"an event of now":                   {[]time.Duration{0}, 6 * time.Second},
		"an event of two seconds ago":       {[]time.Duration{2 * time.Second}, 4 * time.Second},
		"the latest event, whatever came":   {[]time.Duration{5 * time.Second, time.Second, 3 * time.Second}, 5 * time.Second},
		"an event of six seconds ago":       {[]time.Duration{6 * time.Second}, 0},
		"an event of an hour ago":           {[]time.Duration{time.Hour}, 0},
		"an event of the future is of now":  {[]time.Duration{-time.Hour}, 6 * time.Second},
		"an event of the future and an old": {[]time.Duration{-time.Hour, time.Hour}, 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.window = aWindow(window.Hold, window.Entry{Pattern: "a"})
			received := o.now
			var files []window.Arrival
			for i, before := range row.events {
				files = append(files, window.Arrival{Entry: "a", Bucket: "b", Key: string(rune('a' + i)), EventTime: received.Add(-before)})
			}
			if res := o.arrive(files); res.Outcome != record.Started {
				t.Fatalf("answered %+v", res)
			}
			if diff := cmp.Diff([]time.Time{received.Add(row.want)}, o.posted(firstOfWindow)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// The event of a part arrives two seconds after that of its marker. The run
// covers the part if its event time is not later than the marker's.
func TestPartBehindItsMarkerIsCovered(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]time.Duration{"a second before": time.Second, "of the same time": 0} {
		for _, late := range []window.Late{window.Hold, window.Rerun} {
			t.Run(name+", "+string(late), func(t *testing.T) {
				t.Parallel()
				o := newOffice(t)
				o.window = aWindow(late, window.Entry{Pattern: "part"}, window.Entry{Pattern: "marker"})
				o.arrive(o.arrivals("part", "part-0"))
				marker := o.now.Add(2 * time.Second)
				part := []window.Arrival{{Entry: "part", Bucket: "b", Key: "part-1", EventTime: marker.Add(-before)}}
				o.now = marker
				if res := o.arrive(o.arrivals("marker", "done")); res.Outcome != record.Started {
					t.Fatalf("answered %+v", res)
				}
				a, err := o.windows.Arrive(t.Context(), *o.window, part, o.now)
				if diff := cmp.Diff(window.Counts{Covered: 1}, a.Counts); diff != "" || err != nil {
					t.Errorf("%v (-want +got)\n%s", err, diff)
				}
				o.wait(time.Hour)
				if o.sent != 1 || len(o.mails) != 1 {
					t.Errorf("%d requests, announced %q", o.sent, o.mails)
				}
			})
		}
	}
}

// The run also covers a part whose event arrives while the request waits.
func TestPartDuringTheWaitIsCovered(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.window = aWindow(window.Hold, window.Entry{Pattern: "part"}, window.Entry{Pattern: "marker"})
	o.arrive(o.arrivals("part", "part-0"))
	o.now = o.now.Add(2 * time.Second)
	part := []window.Arrival{{Entry: "part", Bucket: "b", Key: "part-1", EventTime: o.now.Add(-time.Second)}}
	decided, err := o.windows.Arrive(t.Context(), *o.window, o.arrivals("marker", "done"), o.now)
	if err != nil {
		t.Fatal(err)
	}
	o.now = o.now.Add(2 * time.Second)
	o.arrive(part)
	if res := o.windows.Launch(t.Context(), decided); res.Outcome != record.Started {
		t.Fatalf("answered %+v", res)
	}
	o.wait(time.Hour)
	if o.sent != 1 || len(o.mails) != 1 {
		t.Errorf("%d requests, announced %q", o.sent, o.mails)
	}
}

// An invocation with too little time to wait sends nothing. The sweep sends the
// request, and not before the same time.
func TestSweepSendsARequestThatCannotWait(t *testing.T) {
	t.Parallel()
	for left, want := range map[time.Duration]record.Outcome{13 * time.Second: record.Blocked, 14 * time.Second: record.Started} {
		o := newOffice(t)
		o.window = aWindow(window.Hold, window.Entry{Pattern: "a"})
		began := o.now
		ctx := ending{t.Context(), began.Add(left)}
		a, err := o.windows.Arrive(ctx, *o.window, o.arrivals("a", "1"), o.now)
		if err != nil {
			t.Fatal(err)
		}
		if res := o.windows.Launch(ctx, a); res.Outcome != want {
			t.Errorf("%s left: answered %+v", left, res)
		}
		if want == record.Blocked && (o.sent != 0 || !o.now.Equal(began)) {
			t.Errorf("%s left: %d requests after %s", left, o.sent, o.now.Sub(began))
		}
		// The sweep starts immediately.
		if _, err := o.Reconcile(t.Context(), "launch/"+firstOfWindow); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]time.Time{began.Add(6 * time.Second)}, o.posted(firstOfWindow)); diff != "" || o.sent != 1 {
			t.Errorf("%s left: %d requests (-want +got)\n%s", left, o.sent, diff)
		}
	}
}

// The sweep also waits before the request of a window that got a file just now.
// It never waits for a window that was quiet for more than six seconds.
func TestSweepWaitsBeforeItsRequest(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		settle, length, second, want time.Duration
	}{
		"a feed that never pauses": {10 * time.Minute, time.Hour, time.Hour - time.Second, time.Hour + 5*time.Second},
		"quiet for ten minutes":    {10 * time.Minute, time.Hour, time.Minute, 11 * time.Minute},
		"quiet for seven seconds":  {7 * time.Second, time.Hour, time.Second, 8 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.window = aWindow(window.Hold, window.Entry{Pattern: "a"})
			o.window.Rules.Settle, o.window.Rules.Length = row.settle, row.length
			began := o.now
			o.arrive(o.arrivals("a", "1"))
			o.now = began.Add(row.second)
			o.arrive(o.arrivals("a", "2"))
			for listed := range o.ledger.Due(t.Context(), began.Add(2*time.Hour)) {
				o.now = listed.At
				if _, err := o.windows.Due(t.Context(), listed.Key); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff([]time.Time{began.Add(row.want)}, o.posted(firstOfWindow)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
