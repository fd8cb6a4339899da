// S3arrival is the Lambda function that starts a workflow run when files
// arrive in S3. See internal/s3arrival for what it does.
package main

import (
	"context"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/amperity-runs/amperity-runs/internal/s3arrival"
	"github.com/amperity-runs/amperity-runs/internal/wire"
)

func main() {
	lambda.Start(wire.Handler(os.Stderr, func() (lambda.Handler, error) {
		p, err := wire.Load(context.Background(), os.Getenv, os.Stderr, time.Now)
		if err != nil {
			return nil, err
		}
		routes, err := s3arrival.LoadRoutes(p.Settings.RoutesFile, p.Settings.Buckets, p.Logger)
		if err != nil {
			return nil, err
		}
		return &s3arrival.Handler{
			Routes:    routes,
			Launcher:  p.Launcher,
			Announcer: p.Announcer,
			Now:       time.Now,
			Logger:    p.Logger,
			Tenant:    p.Settings.Tenant,
		}, nil
	}))
}
