// Trigger is the Lambda function that schedules, operators and state machines
// invoke to start a workflow run. See internal/trigger.
package main

import (
	"context"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/amperity-runs/amperity-runs/internal/held"
	"github.com/amperity-runs/amperity-runs/internal/intake"
	"github.com/amperity-runs/amperity-runs/internal/trigger"
	"github.com/amperity-runs/amperity-runs/internal/wire"
)

func main() {
	wire.TuneProcess(os.Getenv)
	lambda.Start(wire.Handler(os.Stderr, func() (lambda.Handler, error) {
		p, err := wire.Load(context.Background(), os.Getenv, os.Stderr, wire.TriggerRate)
		if err != nil {
			return nil, err
		}
		p.ConnectAll(context.Background())
		return &trigger.Handler{Launcher: p.Launcher, Held: held.New(p.Launcher, intake.New(p.Launcher, nil)), Now: p.Clock.Now}, nil
	}))
}
