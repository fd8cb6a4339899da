package telemetry

import (
	"log/slog"
)

// Namespace is the namespace of the metrics.
const Namespace = "AmperityRuns"

// counted is the value of the attribute that Count makes. The handler takes it
// out of the line and puts the embedded metric there.
type counted struct {
	name, outcome, unit string
	value               float64
}

// Count makes the line count one in the metric of that name (unit Count), at
// most one metric a line. Its dimensions are the function, where the logger has
// one, and the outcome, unless it is empty; and the same with the reason, where
// the line has one. The outcome is added to the line if it is not there.
func Count(name, outcome string) slog.Attr {
	return slog.Any("_aws", counted{name, outcome, "Count", 1})
}

// The units of a [Gauge]: of a time, and of how many files or events.
const (
	Seconds = "Seconds"
	Files   = "Count"
	Events  = "Count"
)

// Gauge makes the line a value of the metric of that name; otherwise it is as
// Count.
func Gauge(name, unit string, value float64) slog.Attr {
	return slog.Any("_aws", counted{name, "", unit, value})
}

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

// takeCount gives the record less what Count made, and what stands for it at
// the top of the line; the record itself and nothing where there is no Count.
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
		// An empty dimension would spoil the whole line as a metric, and what
		// is in a group is no member of the line.
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
