package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/route"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
)

const expectPrefix = "expect/"

// format is the version of the document's form.
const format = 1

// maxDays bounds the days of one route for which one sweep creates windows.
const maxDays = 60

// expectation is the document of a route's expected windows. It has a window
// for each day with a deadline, from the first day that begins after the route
// was first seen.
type expectation struct {
	Format   int    `json:"format"`
	ConfigID string `json:"config_id"`
	// Seen is when the route was first seen with a deadline.
	Seen time.Time `json:"seen"`
	// Next is the date of the next day to create.
	Next string `json:"next,omitempty"`
	// Gone: the route no longer has a deadline.
	Gone bool `json:"gone,omitempty"`
}

// Windows creates expected windows. [intake.Windows] is one.
type Windows interface {
	Expect(ctx context.Context, w record.WindowSpec) error
}

// Expected creates the windows of routes with deadlines, even if no file
// arrives. It is safe for concurrent use.
type Expected struct {
	Ledger  Ledger
	Windows Windows
	Routes  *route.Routes
	Clock   record.Clock
	// Token returns a new token for each write.
	Token  func(context.Context) string
	Logger *slog.Logger

	mu sync.Mutex
	// registered has the config ids whose expectation is in the ledger.
	registered map[string]bool
}

// Register writes an item for each route with a deadline. It reads the ledger
// once per route and instance, because a change of the routes starts new
// instances. failed counts the routes that could not be registered. The next
// sweep tries them again.
func (x *Expected) Register(ctx context.Context) (failed int) {
	for _, route := range x.Routes.Routes() {
		if route.Deadline == nil || x.isRegistered(route.ConfigID) {
			continue
		}
		if err := x.register(ctx, route); err != nil {
			failed++
			a := []any{slog.String(telemetry.ConfigID, route.ConfigID), slog.String(telemetry.Route, route.Name), slog.String(telemetry.Error, err.Error())}
			var document *record.DocumentError
			if errors.As(err, &document) {
				a = append(a, telemetry.Count("StaysUndone", "")) // a retry does not help
			}
			x.Logger.ErrorContext(ctx, "deadline not registered", a...)
			continue
		}
		x.mu.Lock()
		if x.registered == nil {
			x.registered = map[string]bool{}
		}
		x.registered[route.ConfigID] = true
		x.mu.Unlock()
	}
	return failed
}

func (x *Expected) isRegistered(configID string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.registered[configID]
}

// register writes the expectation of a route's windows, unless the ledger has
// it already.
func (x *Expected) register(ctx context.Context, route *route.Route) error {
	item, err := x.Ledger.Get(ctx, expectPrefix+route.ConfigID)
	if err != nil {
		return err
	}
	if item.Exists() {
		e, err := readExpectation(item)
		if err != nil || !e.Gone {
			return err
		}
	}
	now := x.Clock.Now()
	first := route.FirstDay(now)
	err = x.write(ctx, item, expectation{Format: format, ConfigID: route.ConfigID, Seen: now, Next: first.String()}, route.Begins(first))
	return ignoreConflict(err) // another sweep was first
}

// Due creates the windows of the days that have begun. It is the [Task] of
// "expect".
func (x *Expected) Due(ctx context.Context, key string) (bool, error) {
	item, err := x.Ledger.Get(ctx, key)
	now := x.Clock.Now()
	if err != nil || !item.Exists() || item.Due.IsZero() || item.Due.After(now) {
		return false, err
	}
	e, err := readExpectation(item)
	if err != nil {
		return false, err
	}
	route, day := x.Routes.Find(e.ConfigID, e.Next)
	if route == nil || route.Deadline == nil {
		e.Gone, e.Next = true, ""
		return true, ignoreConflict(x.write(ctx, item, e, time.Time{}))
	}
	for range maxDays {
		if route.Begins(day).After(now) {
			break
		}
		if _, ok := route.DeadlineOf(day); ok {
			// A crash here leaves the item due; the sweep creates the windows
			// again, which changes nothing.
			err := x.Windows.Expect(ctx, route.Window(day))
			var document *record.DocumentError
			switch {
			case errors.As(err, &document):
				// The days after it have their deadlines all the same.
				x.Logger.ErrorContext(ctx, "window not expected", slog.String("item", document.Key), slog.String(telemetry.Error, err.Error()), telemetry.Count("StaysUndone", ""))
			case err != nil:
				return false, err
			}
		}
		day = route.NextDay(day)
	}
	e.Next = day.String()
	return true, ignoreConflict(x.write(ctx, item, e, route.Begins(day)))
}

func (x *Expected) write(ctx context.Context, item ledger.Item, e expectation, due time.Time) error {
	doc, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return x.Ledger.Put(ctx, x.Token(ctx), ledger.Item{Key: expectPrefix + e.ConfigID, Version: item.Version, Due: due, Doc: doc})
}

func readExpectation(item ledger.Item) (expectation, error) {
	var e expectation
	err := json.Unmarshal(item.Doc, &e)
	if err == nil && (e.Format != format || item.Key != expectPrefix+e.ConfigID) {
		err = errors.New("this version does not know its format")
	}
	if err != nil {
		return e, &record.DocumentError{Key: item.Key, Err: err}
	}
	return e, nil
}

// ignoreConflict returns err, or nil if another writer was first. The next
// sweep sees that writer's result.
func ignoreConflict(err error) error {
	var conflict *ledger.ConflictError
	if errors.As(err, &conflict) {
		return nil
	}
	return err
}
