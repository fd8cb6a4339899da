// Package wire builds the parts that all functions share, from the environment.
package wire

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/amperity-runs/amperity-runs/internal/clock"
	"github.com/amperity-runs/amperity-runs/internal/eventbus"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/ledger/dynamo"
	"github.com/amperity-runs/amperity-runs/internal/runs"
	"github.com/amperity-runs/amperity-runs/internal/settings"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/internal/token"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Parts are the parts of which a function builds its handler.
type Parts struct {
	Settings  settings.Settings
	Logger    *slog.Logger
	Announcer *eventbus.Publisher
	Clock     clock.System
	Launcher  *launch.Launcher
	Ledger    *dynamo.Ledger

	tokens      *token.Source
	connections connections
}

// These are the requests a second that one instance of each function may send
// to Amperity. Amperity allows 10 in total (API reference, Rate limits). The
// template runs at most two concurrent instances of s3arrival, and one sweep
// ends before the next begins. Many schedules may invoke trigger in the same
// second. No number here bounds those requests: Amperity answers them with 429,
// and they are sent later.
const (
	TriggerRate   = 5
	S3ArrivalRate = 3
	SweepRate     = 4
)

// Load reads the settings and builds the parts. It sends nothing. Log lines go
// to log. perSecond is how many requests this instance may send to Amperity.
// The error is a [*settings.Error] with every wrong variable, or that of the
// AWS configuration.
func Load(ctx context.Context, getenv func(string) string, log io.Writer, perSecond float64) (*Parts, error) {
	s, err := settings.Load(getenv)
	if err != nil {
		return nil, err
	}
	var clock clock.System
	p := &Parts{Settings: s, Clock: clock, Logger: telemetry.NewLogger(log, s.LogLevel,
		slog.String(telemetry.Function, lambdacontext.FunctionName))}
	aws, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, &ConfigError{Err: err}
	}
	p.connections = newConnections(aws, s.BaseURL, clock.Now)
	p.Announcer = eventbus.New(p.connections.events, s.EventBusName, clock.Sleep)
	p.Announcer.Partition = eventbus.Partition(aws.Region)
	p.tokens = token.New(p.connections.secrets, token.Config{SecretID: s.SecretID, Tenant: s.Tenant, Now: clock.Now})
	client, err := amperity.New(s.Tenant, p.tokens,
		amperity.WithBaseURL(s.BaseURL),
		amperity.WithDialTLS(p.connections.amperity.dialer.DialTLSContext),
		amperity.WithDeprecationHook(func(d amperity.Deprecation) {
			p.Logger.Warn("amperity announces the end of an API version", slog.String("path", d.Path),
				slog.String("deprecation", d.Deprecation), slog.String("sunset", d.Sunset))
		}))
	if err != nil {
		return nil, &ConfigError{Err: err}
	}
	p.Ledger = dynamo.New(p.connections.ledger, s.LedgerTable, clock.Sleep)
	p.Launcher = launch.New(launch.Config{
		API: client, Ledger: p.Ledger, Announcer: p.Announcer, Clock: clock, Logger: p.Logger, Tenant: s.Tenant,
		Token: launch.NewToken, Paused: s.Paused, Pacer: runs.NewLimiter(perSecond, clock), Preconnect: func() { p.connections.openAmperity() },
	})
	level := slog.LevelInfo
	if s.Paused {
		level = slog.LevelWarn
	}
	p.Logger.Log(ctx, level, "ready", slog.String("tenant", s.Tenant), slog.Bool("paused", s.Paused), slog.String("ledger", s.LedgerTable))
	return p, nil
}

// answerTime is the part of each invocation that is reserved for its answer.
// Lambda kills the function at the deadline. A batch without an answer is
// delivered again as a whole, with the files whose runs were started. So a slow
// event bus must not use this time.
const answerTime = time.Second

// Handler returns the handler that build builds. Its context ends a second
// before Lambda's deadline. If build fails, the handler answers every
// invocation with the error. So the caller of a function with wrong settings
// sees the error, and no event is lost.
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

// ConfigError reports that the AWS SDK or the client refused its configuration.
type ConfigError struct {
	// Err is the refusal.
	Err error
}

func (e *ConfigError) Error() string {
	return "the function's configuration is not usable: " + e.Err.Error()
}

// Unwrap returns the refusal.
func (e *ConfigError) Unwrap() error { return e.Err }
