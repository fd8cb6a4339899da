// Sweep is the Lambda function that works on every due ledger item, once a
// minute. See internal/sweep.
package main

import (
	"context"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/amperity-runs/amperity-runs/internal/intake"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/route"
	"github.com/amperity-runs/amperity-runs/internal/sweep"
	"github.com/amperity-runs/amperity-runs/internal/unrouted"
	"github.com/amperity-runs/amperity-runs/internal/wire"
)

func main() {
	wire.TuneProcess(os.Getenv)
	lambda.Start(wire.Handler(os.Stderr, func() (lambda.Handler, error) {
		p, err := wire.Load(context.Background(), os.Getenv, os.Stderr, wire.SweepRate)
		if err != nil {
			return nil, err
		}
		defer p.ConnectLedger(context.Background())() // beside the routes
		routes, err := route.Load(p.Settings.RoutesFile, p.Settings.Buckets, p.Logger)
		if err != nil {
			return nil, err
		}
		windows := intake.New(p.Launcher, routes.Lookup)
		expected := &sweep.Expected{Ledger: p.Ledger, Windows: windows, Routes: routes, Clock: p.Clock, Token: launch.NewToken, Logger: p.Logger}
		tasks := map[string]sweep.Task{
			"launch":   p.Launcher.Reconcile,
			"window":   windows.Due,
			"unrouted": unrouted.New(p.Launcher).Due,
			"expect":   expected.Due,
		}
		return &sweep.Handler{Ledger: p.Ledger, Tasks: tasks, Expected: expected, Clock: p.Clock, Token: launch.NewToken,
			Logger: p.Logger, Workers: sweep.Workers}, nil
	}))
}
