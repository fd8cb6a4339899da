package main

import (
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/clock"
)

// Lambda may freeze a process between init and its first invocation. What init
// opened to AWS and the token are used after that. A connection to Amperity is
// not: a request over one that was closed meanwhile would have an unknown
// outcome.
func TestFreezeAfterInitCostsOnlyTheConnectionToAmperity(t *testing.T) {
	t.Parallel()
	ours, a := builtOverTLS(t)
	for _, tt := range []struct {
		name   string
		freeze time.Duration
		want   map[string]int // connections
	}{
		{"no freeze", 0, map[string]int{"amperity": 1, "events": 1, "secretsmanager": 1}},
		{"a freeze", time.Second, map[string]int{"amperity": 2, "events": 1, "secretsmanager": 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := testEnvironment(t, distances{}, a)
			p := trigger(scratchOf(t), ours)
			e.world.reset(p.Ledger, p.Unsigned)
			pr, err := e.start(t.Context(), p, place{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := pr.stop(); err != nil {
					t.Error(err)
				}
			}()
			asked, err := pr.asked(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if tt.freeze > 0 {
				sendSignal(t, pr, syscall.SIGSTOP)
				if err := (clock.System{}).Sleep(t.Context(), tt.freeze); err != nil {
					t.Fatal(err)
				}
				sendSignal(t, pr, syscall.SIGCONT)
			}
			s, err := e.invoke(t.Context(), pr, cold, p.Payload(time.Now()), asked)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]int{}
			for _, c := range s.Calls {
				// net/http may not have taken back yet the connection of
				// init's request to DynamoDB.
				if c.Operation == connected && c.Service != "dynamodb" {
					got[c.Service]++
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("connections (-want +got):\n%s", diff)
			}
		})
	}
}

func sendSignal(t *testing.T, pr *process, s syscall.Signal) {
	t.Helper()
	if err := pr.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}
