package telemetry

import (
	"log/slog"
)

// Namespace is the namespace of the metrics.
const Namespace = "AmperityRuns"

// counted is the value of the attribute of Count. The handler replaces it by
// the embedded metric.
type counted struct {
	name, outcome, unit string
	value               float64
}

// Count adds one to the metric of the given name (unit Count). A line has at
// most one metric. Its dimensions are the function, if the logger has one, and
// the outcome, unless it is empty. If the line has a reason, the metric has the
// same dimensions with the reason too. The handler adds the outcome to the line
// if it is missing.
func Count(name, outcome string) slog.Attr {
	return slog.Any("_aws", counted{name, outcome, "Count", 1})
}

// The units of a [Gauge], for times and for numbers of files or events.
const (
	Seconds = "Seconds"
	Files   = "Count"
	Events  = "Count"
)

// Gauge adds a value to the metric of the given name. Otherwise it is like
// Count.
func Gauge(name, unit string, value float64) slog.Attr {
	return slog.Any("_aws", counted{name, "", unit, value})
}

// embedded is the member "_aws" of a line in the embedded metric format.
//
// Source: Amazon CloudWatch User Guide, "Specification: Embedded metric
// format". Lambda passes such lines on without further setup.
type embedded struct {
	Timestamp         int64 // milliseconds since 1970
	CloudWatchMetrics []directive
}

type directive struct {
	Namespace  string
	Dimensions [][]string // names of members that the line must have
	Metrics    []metric
}

type metric struct{ Name, Unit string }

// takeCount returns the record without the attribute of Count, and the
// attributes that replace it at the top level of the line. Without a Count it
// returns the record unchanged and no attributes.
func (h *handler) takeCount(r slog.Record) (slog.Record, []slog.Attr) {
	var count *counted
	var kept []slog.Attr
	var outcome, reason bool
	r.Attrs(func(a slog.Attr) bool {
		if c, ok := a.Value.Any().(counted); ok {
			count = &c
			return true
		}
		kept = append(kept, a)
		// An empty dimension would invalidate the metrics of the whole line,
		// and an attribute in a group is not a member of the line.
		member := len(h.grouped) == 0 && a.Value.Kind() == slog.KindString && a.Value.String() != ""
		outcome = outcome || a.Key == Outcome && member
		reason = reason || a.Key == Reason && member
		return true
	})
	if count == nil {
		return r, nil
	}
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	out.AddAttrs(kept...)

	var added []slog.Attr
	by := []string{}
	if h.named {
		by = append(by, Function)
	}
	if count.outcome != "" {
		by = append(by, Outcome)
		if !outcome {
			added = append(added, slog.String(Outcome, count.outcome))
		}
	}
	dimensions := [][]string{by}
	if reason {
		dimensions = append(dimensions, append(by[:len(by):len(by)], Reason))
	}
	return out, append(added,
		slog.Any("_aws", embedded{
			Timestamp: r.Time.UnixMilli(),
			CloudWatchMetrics: []directive{{
				Namespace:  Namespace,
				Dimensions: dimensions,
				Metrics:    []metric{{Name: count.name, Unit: count.unit}},
			}},
		}),
		slog.Float64(count.name, count.value))
}
