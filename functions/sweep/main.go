// Sweep is the Lambda function that does, once a minute, whatever is due in the
// ledger. See internal/sweep for what it does.
package main

import (
	"context"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/routefile"
	"github.com/amperity-runs/amperity-runs/internal/sweep"
	"github.com/amperity-runs/amperity-runs/internal/wire"
)

func main() {
	lambda.Start(wire.Handler(os.Stderr, func() (lambda.Handler, error) {
		p, err := wire.Load(context.Background(), os.Getenv, os.Stderr, time.Now, wire.SweepRate)
		if err != nil {
			return nil, err
		}
		routes, err := routefile.Load(p.Settings.RoutesFile, p.Settings.Buckets, p.Logger)
		if err != nil {
			return nil, err
		}
		return &sweep.Handler{Ledger: p.Ledger, Launcher: p.Launcher, Routes: routes, Clock: p.Clock, Token: launch.NewToken,
			Logger: p.Logger, Workers: sweep.Workers}, nil
	}))
}
