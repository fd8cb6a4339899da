// S3arrival is the Lambda function that takes in files that arrive in S3, and
// starts workflow runs for them. See internal/s3arrival.
package main

import (
	"context"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/amperity-runs/amperity-runs/internal/intake"
	"github.com/amperity-runs/amperity-runs/internal/route"
	"github.com/amperity-runs/amperity-runs/internal/s3arrival"
	"github.com/amperity-runs/amperity-runs/internal/unrouted"
	"github.com/amperity-runs/amperity-runs/internal/wire"
)

func main() {
	wire.TuneProcess(os.Getenv)
	lambda.Start(wire.Handler(os.Stderr, func() (lambda.Handler, error) {
		p, err := wire.Load(context.Background(), os.Getenv, os.Stderr, wire.S3ArrivalRate)
		if err != nil {
			return nil, err
		}
		defer p.ConnectLedger(context.Background())() // beside the routes
		routes, err := route.Load(p.Settings.RoutesFile, p.Settings.Buckets, p.Logger)
		if err != nil {
			return nil, err
		}
		return &s3arrival.Handler{Routes: routes, Windows: intake.New(p.Launcher, nil), Unrouted: unrouted.New(p.Launcher), Now: p.Clock.Now, Logger: p.Logger}, nil
	}))
}
