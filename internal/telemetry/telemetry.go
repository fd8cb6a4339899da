// Package telemetry writes the log: one line of JSON per decision and per
// outgoing call, with fixed keys and with metrics.
//
// [NewLogger] returns an ordinary slog.Logger. The message is a constant, and
// variable parts are attributes under the keys of this package. The logger does
// three things to every line:
//
//   - it adds the context's Lambda request id as "request_id";
//   - it adds CloudWatch's embedded metric format to a line with a [Count] or
//     [Gauge], from which CloudWatch creates a metric;
//   - it bounds values, and redacts some by their type. A secret has the type
//     amperity.Token and prints as "[redacted]" everywhere. Bodies, headers and
//     HTTP requests are not written (see value.go).
//
// It does not search text for secrets, so callers must not convert a secret to
// a plain string.
package telemetry

import (
	"context"
	"io"
	"log/slog"
	"slices"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// The keys of a line, besides slog's own "time", "level" and "msg".
const (
	LaunchKey = "launch_key"
	ConfigID  = "config_id"
	Route     = "route"
	RunID     = "run_id"
	RequestID = "request_id" // Lambda's; added from the context
	Outcome   = "outcome"    // started, rejected, blocked, held …
	Reason    = "reason"
	Function  = "function" // the function's name; give it to NewLogger
	Error     = "error"
)

// NewLogger returns a logger that writes one JSON object per line to w. It
// writes lines of at least the level, and lower ones that have a metric. The
// attributes are on every line. A "function" among them is a dimension of the
// metrics.
func NewLogger(w io.Writer, level slog.Leveler, attrs ...slog.Attr) *slog.Logger {
	var base slog.Handler = slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: replace})
	named := slices.ContainsFunc(attrs, func(a slog.Attr) bool {
		return a.Key == Function && a.Value.Kind() == slog.KindString && a.Value.String() != ""
	})
	return slog.New(&handler{base: base.WithAttrs(attrs), named: named})
}

// handler does what the package comment says.
type handler struct {
	base  slog.Handler
	named bool // every line has the function's name
	// grouped has the calls of WithGroup and WithAttrs since the first open
	// group. Handle applies them to base, so that the attributes it adds stay
	// outside the groups.
	grouped []func(slog.Handler) slog.Handler
}

// Enabled returns true, because Handle writes a line below the level if it has
// a metric.
func (h *handler) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs returns a handler with more attributes on every line.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(h.grouped) == 0 {
		return &handler{base: h.base.WithAttrs(attrs), named: h.named}
	}
	return h.later(func(base slog.Handler) slog.Handler { return base.WithAttrs(attrs) })
}

// WithGroup returns a handler that puts further attributes into a group.
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return h.later(func(base slog.Handler) slog.Handler { return base.WithGroup(name) })
}

func (h *handler) later(f func(slog.Handler) slog.Handler) slog.Handler {
	return &handler{base: h.base, named: h.named, grouped: append(slices.Clip(h.grouped), f)}
}

// Handle writes one line.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	var added []slog.Attr
	if lc, ok := lambdacontext.FromContext(ctx); ok && lc.AwsRequestID != "" {
		added = append(added, slog.String(RequestID, lc.AwsRequestID))
	}
	r, metric := h.takeCount(r)
	if metric == nil && !h.base.Enabled(ctx, r.Level) {
		return nil
	}
	added = append(added, metric...)
	if len(h.grouped) == 0 {
		r = r.Clone()
		r.AddAttrs(added...)
		return h.base.Handle(ctx, r)
	}
	out := h.base.WithAttrs(added)
	for _, f := range h.grouped {
		out = f(out)
	}
	return out.Handle(ctx, r)
}
