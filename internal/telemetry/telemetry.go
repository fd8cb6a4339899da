// Package telemetry writes the log: one line of JSON per decision and per call
// to the outside, with fixed keys, and with the metrics in it.
//
// [NewLogger] gives an ordinary slog.Logger. The message is a constant, what
// varies goes into attributes under the keys of this package. Three things are
// done to every line:
//
//   - the Lambda request id of the context is added as "request_id";
//   - a line with a [Count] carries CloudWatch's embedded metric format, so
//     that Lambda's log makes a metric of it;
//   - values are bounded, and what must not be seen is redacted by its type:
//     secrets are of the type amperity.Token and print as "[redacted]"
//     wherever they stand; an attribute that is a body, a header or a whole
//     HTTP request is not written (see value.go).
//
// It does not search texts for secrets: a secret must not be turned into a
// plain string before it comes here.
package telemetry

import (
	"context"
	"io"
	"log/slog"
	"slices"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// The keys of a line, beside slog's own "time", "level" and "msg".
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

// NewLogger makes a logger that writes one JSON object per line to w, for lines
// of at least the level. The attributes are on every line; a "function" among
// them is a dimension of the metrics.
func NewLogger(w io.Writer, level slog.Leveler, attrs ...slog.Attr) *slog.Logger {
	var base slog.Handler = slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: replace})
	named := slices.ContainsFunc(attrs, func(a slog.Attr) bool {
		return a.Key == Function && a.Value.Kind() == slog.KindString && a.Value.String() != ""
	})
	return slog.New(&handler{base: base.WithAttrs(attrs), named: named})
}

// handler adds to each record what the package doc says.
type handler struct {
	base  slog.Handler
	named bool // every line has the function's name
	// grouped are the WithGroup and WithAttrs since the first open group. They
	// are applied to base only when a line is written, so that what is added to
	// the line stays outside the groups.
	grouped []func(slog.Handler) slog.Handler
}

// Enabled is true: a line below the level may carry a metric, which Handle
// writes all the same.
func (h *handler) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs gives a handler with more attributes on every line.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(h.grouped) == 0 {
		return &handler{base: h.base.WithAttrs(attrs), named: h.named}
	}
	return h.later(func(base slog.Handler) slog.Handler { return base.WithAttrs(attrs) })
}

// WithGroup gives a handler that puts the attributes to come into a group.
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
