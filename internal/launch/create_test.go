package launch_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
)

// A launch whose request can be sent immediately is created with its mark. Any
// other launch is claimed, so that the sweep sends its request after a crash.
func TestLaunchIsClaimedUnlessItsRequestCanBeSent(t *testing.T) {
	t.Parallel()
	const marked, claimed = "launch config", "launch"
	tests := []struct {
		name   string
		change func(o *office)
		want   string // the first write
		sent   int
		result record.Outcome
	}{
		{"a request that can be sent", func(*office) {}, marked, 1, record.Started},
		{"the stack is paused", func(o *office) { o.Paused = true }, claimed, 0, record.Blocked},
		{"another request has the turn", func(o *office) { o.pacer = waiting{} }, claimed, 1, record.Started},
		{"the config id's document cannot be read", func(o *office) {
			o.getErr = func(key string) error {
				if key == "config/cg-1" {
					return errThrottled
				}
				return nil
			}
		}, claimed, 0, record.Blocked},
		{"the config id's document is of a later version", func(o *office) {
			o.put("config/cg-1", `{"format":2}`)
		}, claimed, 0, record.Blocked},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			test.change(o)
			var writes []string
			o.putErr = func(items []ledger.Item) error {
				var kinds []string
				for _, item := range items {
					kind, _, _ := strings.Cut(item.Key, "/")
					kinds = append(kinds, kind)
				}
				writes = append(writes, strings.Join(kinds, " "))
				return nil
			}
			res, err := o.Launch(t.Context(), request())
			if err != nil || res.Outcome != test.result || o.sent != test.sent || len(writes) == 0 || writes[0] != test.want {
				t.Errorf("%+v, %v, %d requests, written %q", res, err, o.sent, writes)
			}
		})
	}
}

// A launch takes three writes: the mark, the record of the run, and the
// confirmation of the announcement.
func TestLaunchTakesThreeWrites(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var got [][]string
	o.putErr = func(items []ledger.Item) error {
		var keys []string
		for _, item := range items {
			keys = append(keys, item.Key)
		}
		got = append(got, keys)
		return nil
	}
	reads := 0
	o.getErr = func(key string) error {
		if strings.HasPrefix(key, "config/") {
			reads++
		}
		return nil
	}
	o.launch(nil)
	key := "launch/" + scheduleKey
	want := [][]string{{key, "config/cg-1"}, {key, "config/cg-1", "run/wf-1"}, {key}}
	if diff := cmp.Diff(want, got); diff != "" || reads != 1 {
		t.Errorf("%d reads of the config id; written (-want +got)\n%s", reads, diff)
	}
}

// If it is unknown whether the mark was written, nothing is sent, and the error
// asks for another delivery of the input. A launch that was written keeps its
// lease; after that the sweep looks up its run.
func TestMarkOfUnknownEffectSendsNothing(t *testing.T) {
	t.Parallel()
	for _, written := range []bool{false, true} {
		o := newOffice(t)
		o.putErr = func(items []ledger.Item) error {
			if written {
				if err := o.ledger.Put(t.Context(), "lost", items...); err != nil {
					t.Error(err)
				}
				o.putErr = func([]ledger.Item) error { return errThrottled }
			}
			return errThrottled
		}
		_, err := o.Launch(t.Context(), request())
		var lost *record.LedgerError
		if !errors.As(err, &lost) || o.sent > 0 {
			t.Fatalf("written %t: %v, %d requests", written, err, o.sent)
		}
		o.putErr = nil
		_, err = o.Launch(t.Context(), request())
		if leased := (*launch.LeasedError)(nil); errors.As(err, &leased) != written || o.sent > 0 == written {
			t.Errorf("written %t, delivered again: %v, %d requests", written, err, o.sent)
		}
		o.wait(40 * time.Minute)
		if o.sent != 1 && !written || o.sent > 1 {
			t.Errorf("written %t: %d requests in the end", written, o.sent)
		}
	}
}

// A launch for whose request the read of the config id left no time is claimed:
// nothing was sent, and the sweep must know that.
func TestLaunchWithoutTimeAfterTheReadIsClaimed(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ctx := ending{t.Context(), o.now.Add(30 * time.Second)}
	o.getErr = func(key string) error {
		if strings.HasPrefix(key, "config/") {
			o.now = o.now.Add(24 * time.Second) // the ledger is slow
		}
		return nil
	}
	writes := 0
	o.putErr = func([]ledger.Item) error {
		if writes++; writes > 1 {
			return errThrottled // Lambda kills the function after the first write
		}
		return nil
	}
	_, _ = o.Launch(ctx, request())
	o.putErr, o.getErr = nil, nil
	o.wait(40 * time.Minute)
	if o.sent != 1 {
		t.Errorf("%d requests; announced %q", o.sent, o.mails)
	}
}
