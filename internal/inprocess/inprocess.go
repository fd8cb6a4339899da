// Package inprocess builds the three functions in one process, for the demo and
// for tests.
package inprocess

import (
	"github.com/amperity-runs/amperity-runs/internal/held"
	"github.com/amperity-runs/amperity-runs/internal/intake"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/route"
	"github.com/amperity-runs/amperity-runs/internal/s3arrival"
	"github.com/amperity-runs/amperity-runs/internal/sweep"
	"github.com/amperity-runs/amperity-runs/internal/trigger"
	"github.com/amperity-runs/amperity-runs/internal/unrouted"
)

// Functions are the handlers of the three functions.
type Functions struct {
	Trigger   *trigger.Handler
	S3Arrival *s3arrival.Handler
	Sweep     *sweep.Handler
}

// New builds the functions with one launcher. The sweep handles one item at a
// time; its Workers changes that.
func New(c launch.Config, routes *route.Routes) Functions {
	l := launch.New(c)
	windows := intake.New(l, routes.Lookup)
	unrouted := unrouted.New(l)
	expected := &sweep.Expected{Ledger: c.Ledger, Windows: windows, Routes: routes, Clock: c.Clock, Token: c.Token, Logger: c.Logger}
	return Functions{
		Trigger:   &trigger.Handler{Launcher: l, Held: held.New(l, windows), Now: c.Clock.Now},
		S3Arrival: &s3arrival.Handler{Routes: routes, Windows: windows, Unrouted: unrouted, Now: c.Clock.Now, Logger: c.Logger},
		Sweep: &sweep.Handler{Ledger: c.Ledger, Expected: expected, Clock: c.Clock, Token: c.Token, Logger: c.Logger,
			Tasks: map[string]sweep.Task{"launch": l.Reconcile, "window": windows.Due, "unrouted": unrouted.Due, "expect": expected.Due}},
	}
}
