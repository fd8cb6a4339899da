package e2e

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/clock"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/runs"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/internal/wire"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
	"github.com/amperity-runs/amperity-runs/test/stack"
)

// writes is a ledger that keeps when each write makes the launch due.
type writes struct {
	*ledger.Memory
	due []time.Time
}

func (w *writes) Put(ctx context.Context, token string, items ...ledger.Item) error {
	w.due = append(w.due, items[0].Due)
	return w.Memory.Put(ctx, token, items...)
}

// slowest is an Amperity whose answer comes too late, in a world without
// events.
type slowest struct{ runs.API }

func (slowest) StartRun(context.Context, amperity.RunRequest) (*amperity.Run, error) {
	return nil, context.DeadlineExceeded
}

// The turn of its request comes later, so that a launch is claimed before its
// mark.
func (slowest) TakeTurn() bool { return false }

func (slowest) Wait(context.Context) error { return nil }

func (slowest) Announce(context.Context, ...announcement.Announcement) error { return nil }

// leases gives how long after its invocation a launch is left alone that a
// function has claimed, and one whose request may be under way.
func leases(t *testing.T, f stack.Function) (claimed, posting time.Duration) {
	t.Helper()
	now := time.Now()
	w := &writes{Memory: ledger.NewMemory()}
	l := launch.New(launch.Config{API: slowest{}, Pacer: slowest{}, Ledger: w, Announcer: slowest{}, Clock: clock.NewManual(now),
		Logger: slog.New(slog.DiscardHandler), Tenant: "acme", Token: launch.NewToken})
	h := wire.Handler(io.Discard, func() (lambda.Handler, error) {
		return handler(func(ctx context.Context) error {
			_, err := l.Launch(ctx, launch.Launch{Key: "manual/cg-1/a", Request: amperity.RunRequest{ConfigID: "cg-1"}})
			return err
		}), nil
	})
	ctx, cancel := context.WithDeadline(t.Context(), now.Add(f.Timeout))
	defer cancel()
	if _, err := h.Invoke(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if len(w.due) < 2 {
		t.Fatalf("%d writes", len(w.due))
	}
	return w.due[0].Sub(now), w.due[1].Sub(now)
}

type handler func(context.Context) error

func (h handler) Invoke(ctx context.Context, _ []byte) ([]byte, error) { return nil, h(ctx) }

// The time limits of functions, the visibility timeouts of messages and the
// leases of launches fit together. Conditional writes protect an item that two
// processes work on at the same time, but that should not happen.
func TestTimesFitTogether(t *testing.T) {
	made := variants(t)["everything on"]
	seconds := func(v any) time.Duration {
		n, ok := v.(float64)
		if !ok {
			t.Errorf("%v is no number of seconds", v)
		}
		return time.Duration(n) * time.Second
	}
	first := map[string]time.Duration{} // when an invocation that failed comes again
	for _, id := range ofType(made, "AWS::Lambda::EventSourceMapping") {
		p := made[id].Properties
		queue := made[logicalID(p["EventSourceArn"])].Properties
		first[logicalID(p["FunctionName"])] = seconds(queue["VisibilityTimeout"])
	}
	first["TriggerFunction"] = time.Minute // Lambda Developer Guide, "Asynchronous invocation"
	first["SweepFunction"] = time.Minute   // the next sweep

	for _, f := range stack.Functions() {
		claimed, posting := leases(t, f)
		t.Logf("%s: claimed %v, posting %v", f.Name, claimed, posting)
		// Lambda kills up to a second late, and clocks differ.
		if claimed < f.Timeout+5*time.Second {
			t.Errorf("%s may run for %v, and its launches are left alone for %v", f.Name, f.Timeout, claimed)
		}
		if posting < f.Timeout+5*time.Second {
			t.Errorf("%s may run for %v, and its requests are looked into after %v", f.Name, f.Timeout, posting)
		}
		if again := first[f.LogicalID]; f.Timeout >= again {
			t.Errorf("%s may run for %v, and comes again after %v", f.Name, f.Timeout, again)
		} else if f.Name != "sweep" && claimed >= again {
			t.Errorf("%s comes again after %v, when its launches are leased for %v yet", f.Name, again, claimed)
		}
	}

	sweep := made["SweepSchedule"].Properties
	if sweep["ScheduleExpression"] != "rate(1 minute)" || at(sweep, "FlexibleTimeWindow", "Mode") != "OFF" || at(sweep, "Target", "Input") != "{}" {
		t.Errorf("the sweep is scheduled as %v", sweep)
	}
	// A sweep that could not be called, or failed, is made up for by the next.
	retries := fmt.Sprint(at(sweep, "Target", "RetryPolicy", "MaximumRetryAttempts"), at(sweep, "Target", "RetryPolicy", "MaximumEventAgeInSeconds"))
	for _, id := range ofType(made, "AWS::Lambda::EventInvokeConfig") {
		if p := made[id].Properties; logicalID(p["FunctionName"]) == "SweepFunction" {
			retries += fmt.Sprint(", ", p["MaximumRetryAttempts"], " ", p["MaximumEventAgeInSeconds"])
		}
	}
	if retries != "0 60, 0 60" {
		t.Errorf("sweeps are tried again %s", retries)
	}

	// An event may spend a day with EventBridge, then as long as a queue keeps
	// it, then in its dead-letter queue, and once more after it was moved back.
	// Not even then may the ledger have forgotten the launch.
	longest := 24 * time.Hour
	for _, id := range ofType(made, "AWS::SQS::Queue") {
		if strings.HasPrefix(id, "Arrivals") || strings.HasPrefix(id, "Trigger") {
			longest = max(longest, 24*time.Hour+2*seconds(made[id].Properties["MessageRetentionPeriod"]))
		}
	}
	if longest >= window.Memory {
		t.Errorf("an event may come %v late, and the ledger remembers for %v", longest, window.Memory)
	}
}
