// Package s3arrival is the function that starts a workflow run when files
// arrive in S3.
package s3arrival

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/intake"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/route"
	"github.com/amperity-runs/amperity-runs/internal/s3event"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/internal/unrouted"
	"github.com/amperity-runs/amperity-runs/internal/window"
)

// Windows records files in windows and launches them. [intake.Windows]
// documents the methods.
type Windows interface {
	Arrive(ctx context.Context, w record.WindowSpec, files []window.Arrival, received time.Time) (intake.Arrived, error)
	Launch(ctx context.Context, a intake.Arrived) record.Result
}

// Unrouted records and announces files that no route matches. [unrouted.Files]
// documents the methods.
type Unrouted interface {
	Record(ctx context.Context, bucket string, files []window.Arrival) (unrouted.Unannounced, error)
	Announce(ctx context.Context, a unrouted.Unannounced)
}

// Handler handles s3arrival's invocations.
type Handler struct {
	Routes   *route.Routes
	Windows  Windows
	Unrouted Unrouted
	// Now returns when a batch was received. A later event time counts as that
	// time.
	Now    func() time.Time
	Logger *slog.Logger
}

// Answer is the response to an SQS batch: the messages to deliver again.
type Answer struct {
	BatchItemFailures []ItemFailure `json:"batchItemFailures"`
}

// ItemFailure names one message to deliver again.
type ItemFailure struct {
	ItemIdentifier string `json:"itemIdentifier"`
}

// Summary is the response to any other envelope, for the operator who invoked
// the function.
type Summary struct {
	// Arrivals counts the object-created events. Ignored counts folder markers,
	// ignored files and events that are not about a created object.
	Arrivals int `json:"arrivals"`
	Ignored  int `json:"ignored"`
	// Windows has one entry for each window that has files in the envelope.
	Windows []WindowResult `json:"windows"`
	// Unrouted names the files that no route matches, as s3://bucket/key.
	Unrouted []string `json:"unrouted"`
}

// WindowResult is the result of one window.
type WindowResult struct {
	ConfigID string `json:"config_id"`
	Period   string `json:"period"`
	record.Result
}

// UnsettledError reports that some files were not recorded, and that the
// envelope should be delivered again.
type UnsettledError struct {
	// Err is the first reason.
	Err error
}

func (e *UnsettledError) Error() string { return e.Err.Error() }

// Unwrap returns the first reason.
func (e *UnsettledError) Unwrap() error { return e.Err }

// Invoke handles one invocation. For an SQS batch it returns the messages to
// deliver again. It returns no error, because an error would deliver all
// messages again. For any other envelope it returns a [Summary], or an error if
// the whole envelope should be delivered again.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	decoded, err := s3event.Decode(payload)
	if err != nil {
		h.Logger.ErrorContext(ctx, "event not readable", slog.String("error", err.Error()))
		return nil, err
	}
	b := h.fold(decoded)
	h.record(ctx, b)
	again := b.failures()
	h.report(ctx, b, again)
	if decoded.Envelope == s3event.SQS {
		answer := Answer{BatchItemFailures: []ItemFailure{}}
		for _, m := range again {
			answer.BatchItemFailures = append(answer.BatchItemFailures, ItemFailure{m.id})
		}
		return json.Marshal(answer)
	}
	if len(again) > 0 {
		return nil, &UnsettledError{Err: again[0].reason()}
	}
	return json.Marshal(b.summary())
}

// record stores every file in its window before it starts anything. A request
// to Amperity can be slow, and no file may wait for it to be stored.
//
// The first request may wait until [window.Lead] after the receipt of the
// batch. The other requests are ready by then. Windows come first in each step,
// so that no number of unrouted files delays a routed file.
func (h *Handler) record(ctx context.Context, b *batch) {
	arrived := make([]intake.Arrived, len(b.windows))
	for i, win := range b.windows {
		asked := win.match.Route.Window(win.match.Period)
		arrived[i], win.err = h.Windows.Arrive(ctx, asked, win.arrivals, b.received)
		if win.err != nil {
			h.Logger.ErrorContext(ctx, "files not recorded", slog.String("window", asked.Key()), slog.String(telemetry.ConfigID, asked.ConfigID),
				slog.String(telemetry.Route, asked.Route), slog.Int("count", len(win.arrivals)), slog.String(telemetry.Error, win.err.Error()))
		}
		b.duplicates += arrived[i].Counts.Duplicates + arrived[i].Counts.Covered
	}
	announce := make([]unrouted.Unannounced, len(b.buckets))
	for i, item := range b.buckets {
		if announce[i], item.err = h.Unrouted.Record(ctx, item.name, item.files); item.err != nil {
			h.Logger.ErrorContext(ctx, "files not recorded", slog.String("bucket", item.files[0].Bucket), slog.Int("count", len(item.files)),
				slog.String(telemetry.Error, item.err.Error()))
			continue
		}
		h.logUnrouted(ctx, item)
	}
	for i, win := range b.windows {
		if win.err == nil {
			// A crash here leaves a claimed launch; the sweep continues it.
			win.result = h.Windows.Launch(ctx, arrived[i])
		}
	}
	for _, a := range announce {
		// A crash here leaves due items; the sweep announces the files.
		h.Unrouted.Announce(ctx, a)
	}
}

// logUnrouted warns of the unrouted files of one item.
func (h *Handler) logUnrouted(ctx context.Context, item *bucket) {
	h.Logger.WarnContext(ctx, "files unrouted", slog.String("bucket", item.files[0].Bucket), slog.Int("count", len(item.files)),
		slog.String("first_file", "s3://"+item.files[0].Bucket+"/"+item.files[0].Key), telemetry.Gauge("Unrouted", telemetry.Files, float64(len(item.files))))
}

// report logs what the launcher does not log: unreadable messages, other
// events, and the batch as a whole.
func (h *Handler) report(ctx context.Context, b *batch, again []*message) {
	for _, m := range b.messages {
		if m.err != nil {
			h.Logger.ErrorContext(ctx, "message not readable", slog.String("message_id", m.id), slog.String("error", m.err.Error()))
		}
	}
	h.reportOthers(ctx, b.others)
	h.Logger.InfoContext(ctx, "batch", slog.Int("messages", len(b.messages)), slog.Int("arrivals", b.arrivals),
		slog.Int("duplicates", b.duplicates), slog.Int("ignored", b.ignored), slog.Int("windows", len(b.windows)),
		slog.Int("unrouted", len(b.unrouted)), slog.Int("again", len(again)))
}

// maxKinds is how many kinds of other events a log line names.
const maxKinds = 10

// reportOthers warns of events that are not about a created object. A
// misconfigured rule or notification sends them.
func (h *Handler) reportOthers(ctx context.Context, others map[string]int) {
	if len(others) == 0 {
		return
	}
	kinds := slices.SortedFunc(maps.Keys(others), func(a, b string) int {
		return cmp.Or(cmp.Compare(others[b], others[a]), cmp.Compare(a, b))
	})
	count, named := 0, map[string]int{}
	for i, kind := range kinds {
		count += others[kind]
		if i < maxKinds {
			named[kind] = others[kind]
		}
	}
	h.Logger.WarnContext(ctx, "other events", slog.Int("count", count), slog.Any("kinds", named), slog.Int("more_kinds", len(kinds)-len(named)),
		telemetry.Gauge("OtherEvents", telemetry.Events, float64(count)))
}
