package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/arrival"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/routefile"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
)

const expectPrefix = "expect/"

// format is the version of the document's form.
const format = 1

// maxDays bounds the days of one route that one look makes.
const maxDays = 60

// expectation is the document of a route's expected windows: those of each day
// with a deadline, from the first day that begins after the route was first
// seen.
type expectation struct {
	Format   int    `json:"format"`
	ConfigID string `json:"config_id"`
	// Seen is when the route, with a deadline, was first seen.
	Seen time.Time `json:"seen"`
	// Next is the next day to be made, a date.
	Next string `json:"next,omitempty"`
	// Gone: the route has no deadline any more.
	Gone bool `json:"gone,omitempty"`
}

// seeToExpected begins to expect windows of the routes that have deadlines. It
// asks the ledger once for each in the life of an instance: a change of the
// routes makes new instances. failed counts those that could not be seen to; the
// next sweep tries again.
func (h *Handler) seeToExpected(ctx context.Context) (failed int) {
	for _, route := range h.Routes.Routes() {
		if route.Deadline == nil || h.sees(route.ConfigID) {
			continue
		}
		if err := h.begin(ctx, route); err != nil {
			failed++
			a := []any{slog.String(telemetry.ConfigID, route.ConfigID), slog.String(telemetry.Route, route.Name), slog.String(telemetry.Error, err.Error())}
			var document *launch.DocumentError
			if errors.As(err, &document) {
				a = append(a, telemetry.Count("StaysUndone", "")) // it does not pass by itself
			}
			h.Logger.ErrorContext(ctx, "windows not expected", a...)
			continue
		}
		h.mu.Lock()
		if h.expects == nil {
			h.expects = map[string]bool{}
		}
		h.expects[route.ConfigID] = true
		h.mu.Unlock()
	}
	return failed
}

func (h *Handler) sees(configID string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.expects[configID]
}

// begin begins to expect a route's windows, unless they are expected already.
func (h *Handler) begin(ctx context.Context, route *arrival.Route) error {
	item, err := h.Ledger.Get(ctx, expectPrefix+route.ConfigID)
	if err != nil {
		return err
	}
	if item.Exists() {
		e, err := readExpectation(item)
		if err != nil || !e.Gone {
			return err
		}
	}
	now := h.Clock.Now()
	first := route.FirstDay(now)
	err = h.write(ctx, item, expectation{Format: format, ConfigID: route.ConfigID, Seen: now, Next: first.String()}, route.Begins(first))
	return unlessConflict(err) // another sweep was first
}

// expected makes the windows of the days that have begun.
func (h *Handler) expected(ctx context.Context, key string) (bool, error) {
	item, err := h.Ledger.Get(ctx, key)
	now := h.Clock.Now()
	if err != nil || !item.Exists() || item.Due.IsZero() || item.Due.After(now) {
		return false, err
	}
	e, err := readExpectation(item)
	if err != nil {
		return false, err
	}
	route, day := h.Routes.Window(e.ConfigID, e.Next)
	if route == nil || route.Deadline == nil {
		e.Gone, e.Next = true, ""
		return true, unlessConflict(h.write(ctx, item, e, time.Time{}))
	}
	for range maxDays {
		if route.Begins(day).After(now) {
			break
		}
		if _, ok := route.DeadlineOf(day); ok {
			// A crash between the windows and the write makes them again, which
			// changes nothing.
			if err := h.Launcher.Expect(ctx, routefile.Window(route, day)); err != nil {
				return false, err
			}
		}
		day = route.NextDay(day)
	}
	e.Next = day.String()
	return true, unlessConflict(h.write(ctx, item, e, route.Begins(day)))
}

func (h *Handler) write(ctx context.Context, item ledger.Item, e expectation, due time.Time) error {
	doc, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return h.Ledger.Put(ctx, h.Token(ctx), ledger.Item{Key: expectPrefix + e.ConfigID, Version: item.Version, Due: due, Doc: doc})
}

func readExpectation(item ledger.Item) (expectation, error) {
	var e expectation
	err := json.Unmarshal(item.Doc, &e)
	if err == nil && (e.Format != format || item.Key != expectPrefix+e.ConfigID) {
		err = errors.New("it is not of the form that this version knows")
	}
	if err != nil {
		return e, &launch.DocumentError{Key: item.Key, Err: err}
	}
	return e, nil
}

// unlessConflict is the error, unless somebody else has written: then there is
// nothing to do that the next look would not see.
func unlessConflict(err error) error {
	var conflict *ledger.ConflictError
	if errors.As(err, &conflict) {
		return nil
	}
	return err
}
