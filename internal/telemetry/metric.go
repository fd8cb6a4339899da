package telemetry

import (
	"log/slog"
)

// The metric that lines with an outcome make: how many there were of each
// outcome, and of each outcome and reason, per function.
const (
	// MetricNamespace is the metric's namespace.
	MetricNamespace = "AmperityRuns"
	// MetricName is its name; the unit is Count, one per line. The dimensions
	// are "outcome", with "function" where the logger has one, and the same
	// with "reason" where the line has one.
	MetricName = "Outcomes"
)

// embedded is the member "_aws" of a line in the embedded metric format.
//
// Source: Amazon CloudWatch User Guide, "Specification: Embedded metric
// format". Lambda hands such lines on without more ado.
type embedded struct {
	Timestamp         int64 // milliseconds since 1970
	CloudWatchMetrics []directive
}

type directive struct {
	Namespace  string
	Dimensions [][]string // names of members of the line, which must be there
	Metrics    []metric
}

type metric struct{ Name, Unit string }

// metric gives the attributes that make a metric of a line with an outcome; nil
// for any other.
func (h *handler) metric(r slog.Record) []slog.Attr {
	var outcome, reason bool
	r.Attrs(func(a slog.Attr) bool {
		// An empty dimension would spoil the whole line as a metric.
		filled := a.Value.Kind() == slog.KindString && a.Value.String() != ""
		outcome = outcome || a.Key == Outcome && filled
		reason = reason || a.Key == Reason && filled
		return true
	})
	if !outcome || r.Time.IsZero() {
		return nil
	}
	var by []string
	if h.named {
		by = append(by, Function)
	}
	by = append(by, Outcome)
	dimensions := [][]string{by}
	if reason {
		dimensions = append(dimensions, append(by[:len(by):len(by)], Reason))
	}
	return []slog.Attr{
		slog.Any("_aws", embedded{
			Timestamp: r.Time.UnixMilli(),
			CloudWatchMetrics: []directive{{
				Namespace:  MetricNamespace,
				Dimensions: dimensions,
				Metrics:    []metric{{Name: MetricName, Unit: "Count"}},
			}},
		}),
		slog.Int(MetricName, 1),
	}
}
