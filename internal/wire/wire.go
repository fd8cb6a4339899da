// Package wire builds, from the environment, what every function is made of.
package wire

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"golang.org/x/time/rate"

	"github.com/amperity-runs/amperity-runs/internal/announce"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/settings"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/internal/token"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Parts is what a function's handler is built from.
type Parts struct {
	Settings  settings.Settings
	Logger    *slog.Logger
	Announcer *announce.Publisher
	Launcher  *launch.Launcher
}

// RequestsPerSecond is one instance's share of the 10 requests a second that
// Amperity asks for (API reference, Rate limits): the template runs at most
// two instances of s3arrival at once, which leaves two requests for others.
const RequestsPerSecond = 4

// Load reads the settings and builds the parts. It sends nothing. now is the
// wall clock; log is where the log lines go. The error is a [*settings.Error]
// with every wrong variable, or that of the AWS configuration.
func Load(ctx context.Context, getenv func(string) string, log io.Writer, now func() time.Time) (*Parts, error) {
	s, err := settings.Load(getenv)
	if err != nil {
		return nil, err
	}
	p := &Parts{Settings: s, Logger: telemetry.NewLogger(log, s.LogLevel,
		slog.String(telemetry.Function, lambdacontext.FunctionName))}
	aws, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, &ConfigError{Err: err}
	}
	clock := Clock{NowFunc: now}
	p.Announcer = announce.New(eventbridge.NewFromConfig(aws), s.EventBusName, clock.Sleep)
	tokens := token.New(secretsmanager.NewFromConfig(aws), token.Config{SecretID: s.SecretID, Tenant: s.Tenant, Now: now})
	client, err := amperity.New(s.Tenant, tokens,
		amperity.WithBaseURL(s.BaseURL),
		amperity.WithClock(now),
		amperity.WithDeprecationHook(func(d amperity.Deprecation) {
			p.Logger.Warn("amperity announces the end of an API version", slog.String("path", d.Path),
				slog.String("deprecation", d.Deprecation), slog.String("sunset", d.Sunset))
		}))
	if err != nil {
		return nil, &ConfigError{Err: err}
	}
	p.Launcher = launch.New(launch.Config{
		API:       client,
		Announcer: p.Announcer,
		Clock:     clock,
		Logger:    p.Logger,
		Tenant:    s.Tenant,
		Paused:    s.Paused,
		Pacer:     rate.NewLimiter(RequestsPerSecond, 1),
	})
	p.Logger.WarnContext(ctx, "ready", slog.String("tenant", s.Tenant), slog.Bool("paused", s.Paused),
		slog.String("ledger", s.LedgerTable+": nothing is remembered, so what is delivered twice starts two runs"))
	return p, nil
}

// answerTime is kept of each invocation for its answer. Lambda kills at the
// deadline, and a batch that was not answered is delivered again whole, with
// the files whose runs were started: so a bus that hangs must not use it up.
const answerTime = time.Second

// Handler returns the handler that build makes, with a context that ends a
// second before Lambda's deadline, or one that answers every
// invocation with the error: a function whose settings are wrong says so to
// whoever invokes it, and loses no event.
func Handler(log io.Writer, build func() (lambda.Handler, error)) lambda.Handler {
	h, err := build()
	if err == nil {
		return early{h}
	}
	telemetry.NewLogger(log, slog.LevelInfo).Error("function not configured", slog.String("error", err.Error()))
	return failing{err}
}

type early struct{ handler lambda.Handler }

func (e early) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-answerTime))
		defer cancel()
	}
	return e.handler.Invoke(ctx, payload)
}

type failing struct{ err error }

func (f failing) Invoke(context.Context, []byte) ([]byte, error) { return nil, f.err }

// ConfigError says that the AWS SDK or the client refused its configuration.
type ConfigError struct {
	// Err is the refusal.
	Err error
}

func (e *ConfigError) Error() string {
	return "the function's configuration is not usable: " + e.Err.Error()
}

// Unwrap returns the refusal.
func (e *ConfigError) Unwrap() error { return e.Err }

// Clock is the machine's clock.
type Clock struct {
	// NowFunc tells the time; time.Now in a function.
	NowFunc func() time.Time
}

// Now tells the time.
func (c Clock) Now() time.Time { return c.NowFunc() }

// Sleep waits for d, or returns the context's error as soon as it ends.
func (c Clock) Sleep(ctx context.Context, d time.Duration) error { return announce.Sleep(ctx, d) }
