package sweep_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/clock"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/route"
	"github.com/amperity-runs/amperity-runs/internal/sweep"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
)

var base = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// clockOf is a clock whose time a function returns.
type clockOf struct {
	clock.System
	now func() time.Time
}

func (c clockOf) Now() time.Time { return c.now() }

// launcher works on items and records their keys.
type launcher struct {
	mu       sync.Mutex
	ledger   *ledger.Memory
	did      []string
	expected []string
	fails    map[string]error
	each     func()
}

func (l *launcher) work(ctx context.Context, key string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.each != nil {
		l.each()
	}
	l.did = append(l.did, key)
	if err := l.fails[key]; err != nil {
		return false, err
	}
	item, err := l.ledger.Get(ctx, key)
	if err != nil {
		return false, err
	}
	item.Due, item.Tries = time.Time{}, 0
	return true, l.ledger.Put(ctx, "done "+key, item)
}

// tasks returns the tasks of each kind of item.
func (l *launcher) tasks(routes *route.Routes) map[string]sweep.Task {
	lookup := routes.Lookup
	return map[string]sweep.Task{"launch": l.work, "unrouted": l.work, "window": func(ctx context.Context, key string) (bool, error) {
		parts := strings.Split(key, "/")
		w, ok := lookup(parts[1], parts[2])
		l.mu.Lock()
		l.expected = append(l.expected, fmt.Sprintf("%s %t %s", key, ok, w.Route))
		l.mu.Unlock()
		return l.work(ctx, key)
	}}
}

// instance returns an instance of sweep.
func (w *world) instance(routes *route.Routes, token func(context.Context) string) *sweep.Handler {
	logger := telemetry.NewLogger(&w.log, slog.LevelInfo)
	expected := &sweep.Expected{Ledger: w.ledger, Windows: w.launcher, Routes: routes, Clock: w.clock, Token: token, Logger: logger}
	tasks := w.launcher.tasks(routes)
	tasks["expect"] = expected.Due
	return &sweep.Handler{Ledger: w.ledger, Tasks: tasks, Expected: expected, Clock: w.clock, Token: token, Logger: logger}
}

func (l *launcher) Expect(_ context.Context, w record.WindowSpec) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.fails[w.Key()]; err != nil {
		return err
	}
	l.expected = append(l.expected, fmt.Sprintf("%s until %s", w.Key(), w.Rules.Deadline.UTC().Format(time.RFC3339)))
	return nil
}

const routesFile = `version: 1
timezone: America/New_York
routes:
  - {name: orders, config_id: cg-1, files: "orders/{yyyy}/{MM}/{dd}/*", deadline: {at: "06:30 +1d", days: mon-fri}}
  - {name: clicks, config_id: cg-2, files: "clicks/{yyyy}/{MM}/{dd}/{HH}/*"}
`

type world struct {
	clock    *clock.Manual
	ledger   *ledger.Memory
	launcher *launcher
	log      strings.Builder
	handler  *sweep.Handler
}

func newWorld(t *testing.T, routes string) *world {
	t.Helper()
	parsed, _, err := route.Parse("routes.yaml", []byte(routes), route.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{clock: clock.NewManual(base), ledger: ledger.NewMemory()}
	w.launcher = &launcher{ledger: w.ledger, fails: map[string]error{}}
	n := 0
	w.handler = w.instance(parsed, func(context.Context) string { n++; return fmt.Sprint(n) })
	return w
}

// put writes a due item.
func (w *world) put(t *testing.T, key string, due time.Time) {
	t.Helper()
	if err := w.ledger.Put(t.Context(), "put "+key, ledger.Item{Key: key, Due: due, Doc: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) sweep(t *testing.T, left time.Duration) sweep.Summary {
	t.Helper()
	ctx, cancel := w.clock.WithTimeout(t.Context(), left)
	defer cancel()
	out, err := w.handler.Invoke(ctx, []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	var s sweep.Summary
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSweepWorksOnTheOldestItemFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "version: 1\nroutes: []\n")
	w.put(t, "launch/late", base.Add(-time.Minute))
	w.put(t, "launch/later", base.Add(time.Second))
	w.put(t, "unrouted/b/x", base.Add(-time.Second))
	w.put(t, "launch/early", base.Add(-time.Hour))
	got := w.sweep(t, time.Minute)
	if diff := cmp.Diff(sweep.Summary{Done: 3}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"launch/early", "launch/late", "unrouted/b/x"}, w.launcher.did); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, want := range []string{`"Sweeps":1`, `"OldestDue":3600`, `"done":3`} {
		if !strings.Contains(w.log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, &w.log)
		}
	}
}

func TestSweepWithNothingDueLogsThatItRan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "version: 1\nroutes: []\n")
	if got := w.sweep(t, time.Minute); got != (sweep.Summary{}) {
		t.Errorf("got %+v", got)
	}
	if !strings.Contains(w.log.String(), `"Sweeps":1`) || strings.Contains(w.log.String(), "OldestDue") {
		t.Errorf("got %s", &w.log)
	}
}

func TestSweepEndsInTimeAndTheNextContinues(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "version: 1\nroutes: []\n")
	for n := range 10 {
		w.put(t, fmt.Sprintf("launch/%d", n), base.Add(-time.Duration(10-n)*time.Second))
	}
	w.launcher.each = func() { w.clock.Advance(5 * time.Second) }
	got := w.sweep(t, 45*time.Second)
	if !got.More || got.Done != 5 {
		t.Fatalf("got %+v: with less than 25 s left nothing is begun", got)
	}
	if got = w.sweep(t, 55*time.Second); got.More || got.Done != 5 {
		t.Errorf("the next one: %+v", got)
	}
	if len(w.launcher.did) != 10 {
		t.Errorf("worked on %q", w.launcher.did)
	}
}

func TestFailingItemDelaysNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "version: 1\nroutes: []\n")
	w.launcher.fails["launch/bad"] = errors.New("broken")
	w.put(t, "launch/bad", base.Add(-time.Hour))
	w.put(t, "launch/good", base.Add(-time.Minute))
	w.put(t, "strange/x", base.Add(-time.Minute))
	if got := w.sweep(t, time.Minute); got.Done != 1 || got.Failed != 2 {
		t.Fatalf("got %+v", got)
	}
	// The sweep retries the item, each time later, up to an hour.
	var waits []time.Duration
	for range 9 {
		item, err := w.ledger.Get(t.Context(), "launch/bad")
		if err != nil {
			t.Fatal(err)
		}
		waits = append(waits, item.Due.Sub(w.clock.Now()))
		w.clock.Set(item.Due)
		w.sweep(t, time.Minute)
	}
	want := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60}
	for i := range want {
		want[i] *= time.Minute
	}
	if diff := cmp.Diff(want, waits); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// The metric counts the item once it has failed for about 15 minutes.
	if n := strings.Count(w.log.String(), `"StaysUndone":1`); n != 2*6 {
		t.Errorf("it was counted %d times: %s", n, &w.log)
	}
	for _, text := range []string{
		`"item":"launch/bad","error":"broken"`,
		"the ledger's item strange/x is of a kind that this version does not know: deploy the newer version again",
	} {
		if !strings.Contains(w.log.String(), text) {
			t.Errorf("the log lacks %s: %s", text, &w.log)
		}
	}
}

func TestWorkersProcessEachItemOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "version: 1\nroutes: []\n")
	w.handler.Workers = sweep.Workers
	for n := range 200 {
		w.put(t, fmt.Sprintf("launch/%03d", n), base.Add(-time.Hour))
	}
	if got := w.sweep(t, time.Minute); got.Done != 200 || len(w.launcher.did) != 200 {
		t.Errorf("got %+v after %d", got, len(w.launcher.did))
	}
}

// Time passes while items wait for a worker. The summary reports listed items
// that were not begun.
func TestWorkersReportItemsTheyDidNotBegin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "version: 1\nroutes: []\n")
	w.handler.Workers = 2
	var mu sync.Mutex
	asked := 0
	w.put(t, "launch/0", base.Add(-time.Hour))
	w.handler.Clock = clockOf{now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		if asked++; asked > 2 { // when the sweep began, and when the item was listed
			return base.Add(time.Hour)
		}
		return base
	}}
	ctx, cancel := w.clock.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := w.handler.Invoke(ctx, nil)
	var got sweep.Summary
	if err != nil || json.Unmarshal(out, &got) != nil || !got.More || got.Done != 0 {
		t.Errorf("got %s, %v", out, err)
	}
}

// A panic fails only its item, whatever code panicked.
func TestPanicFailsOnlyItsItem(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		value any
		said  string
	}{
		"the run time's": {nil, "runtime error: index out of range [0] with length 0"},
		"an error":       {errors.New("broken"), "broken"},
		"a text":         {"strings: negative Repeat count", "strings: negative Repeat count"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "version: 1\nroutes: []\n")
			w.put(t, "launch/bad", base.Add(-time.Hour))
			w.put(t, "launch/good", base.Add(-time.Minute))
			w.launcher.each = func() {
				w.launcher.each = nil
				if row.value == nil {
					_ = []int{}[len(w.launcher.did)]
				}
				panic(row.value)
			}
			if got := w.sweep(t, time.Minute); got.Done != 1 || got.Failed != 1 {
				t.Errorf("got %+v", got)
			}
			if want := "the ledger's item launch/bad caused a panic, which is a mistake in the code; please report it: " + row.said; !strings.Contains(w.log.String(), want) {
				t.Errorf("no line has %q: %s", want, &w.log)
			}
		})
	}
}

// An expectation that this version cannot read delays no item, and is not an
// error of the sweep.
func TestUnreadableExpectationDelaysNoItem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, routesFile)
	if err := w.ledger.Put(t.Context(), "1", ledger.Item{Key: "expect/cg-1", Doc: []byte(`{"format":2,"config_id":"cg-1"}`)}); err != nil {
		t.Fatal(err)
	}
	w.put(t, "launch/good", base.Add(-time.Minute))
	for range 2 {
		if got := w.sweep(t, time.Minute); got.Failed != 1 {
			t.Errorf("got %+v", got)
		}
	}
	if len(w.launcher.did) != 1 || !strings.Contains(w.log.String(), `"StaysUndone":1`) || !strings.Contains(w.log.String(), `"msg":"deadline not registered","config_id":"cg-1","route":"orders","error":"`) {
		t.Errorf("did %q, and the log says %s", w.launcher.did, &w.log)
	}
}

func TestWindowTaskFindsItsRoute(t *testing.T) {
	t.Parallel()
	w := newWorld(t, routesFile)
	w.put(t, "window/cg-1/2026-11-21", base)
	w.put(t, "window/cg-2/2026-11-21T05:00:00Z", base)
	w.put(t, "window/cg-9/2026-11-21", base)
	w.sweep(t, time.Minute)
	want := []string{"window/cg-1/2026-11-21 true orders", "window/cg-2/2026-11-21T05:00:00Z true clicks", "window/cg-9/2026-11-21 false "}
	if diff := cmp.Diff(want, w.launcher.expected); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// It is Sunday, 07:00 in New York.
func TestWindowsAreExpectedFromTheFirstWholeDayOfARoute(t *testing.T) {
	t.Parallel()
	w := newWorld(t, routesFile)
	w.sweep(t, time.Minute)
	item, err := w.ledger.Get(t.Context(), "expect/cg-1")
	if err != nil || string(item.Doc) != `{"format":1,"config_id":"cg-1","seen":"2026-11-22T12:00:00Z","next":"2026-11-23"}` ||
		!item.Due.Equal(time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC)) {
		t.Fatalf("got %s due %s, %v", item.Doc, item.Due, err)
	}
	if len(w.launcher.expected) != 0 {
		t.Errorf("expected too soon: %q", w.launcher.expected)
	}
	// The sweep did not run until Saturday noon. It creates the windows of
	// Monday to Friday; Saturday is not a day of the route. Another instance
	// finds the expectation in the ledger.
	w.handler = w.instance(w.handler.Expected.Routes, func(context.Context) string { return "again" })
	w.clock.Set(time.Date(2026, 11, 28, 17, 0, 0, 0, time.UTC))
	w.sweep(t, time.Minute)
	want := []string{
		"window/cg-1/2026-11-23 until 2026-11-24T11:30:00Z", "window/cg-1/2026-11-24 until 2026-11-25T11:30:00Z",
		"window/cg-1/2026-11-25 until 2026-11-26T11:30:00Z", "window/cg-1/2026-11-26 until 2026-11-27T11:30:00Z",
		"window/cg-1/2026-11-27 until 2026-11-28T11:30:00Z",
	}
	if diff := cmp.Diff(want, w.launcher.expected); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// The same instance does not read the expectation again, and another does
	// not create windows again.
	reads := w.ledger.Stats().Gets
	w.sweep(t, time.Minute)
	if got := w.ledger.Stats().Gets - reads; got != 0 {
		t.Errorf("%d reads without need", got)
	}
}

func TestRemovedDeadlineEndsAnExpectationUntilItIsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, routesFile)
	w.sweep(t, time.Minute)
	edited, _, err := route.Parse("routes.yaml", []byte("version: 1\nroutes: []\n"), route.Options{})
	if err != nil {
		t.Fatal(err)
	}
	with := w.handler.Expected.Routes
	w.handler.Expected.Routes = edited
	w.clock.Set(base.AddDate(0, 0, 3))
	w.sweep(t, time.Minute)
	item, _ := w.ledger.Get(t.Context(), "expect/cg-1")
	if !strings.Contains(string(item.Doc), `"gone":true`) || !item.Due.IsZero() {
		t.Fatalf("got %s due %s", item.Doc, item.Due)
	}
	// A new instance has the deadline back. It does not go back in time.
	w.clock.Set(base.AddDate(0, 0, 10))
	w.handler = w.instance(with, func(context.Context) string { return "again" })
	w.sweep(t, time.Minute)
	if item, _ = w.ledger.Get(t.Context(), "expect/cg-1"); !strings.Contains(string(item.Doc), `"next":"2026-12-03"`) {
		t.Errorf("got %s", item.Doc)
	}
	if len(w.launcher.expected) != 0 {
		t.Errorf("expected backwards: %q", w.launcher.expected)
	}
}

// If creating the window of a day fails, the next sweep tries again. No day is
// skipped.
func TestFailedWindowIsExpectedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, routesFile)
	w.sweep(t, time.Minute)
	const second = "window/cg-1/2026-11-24"
	w.launcher.fails[second] = errors.New("throttled")
	w.clock.Set(time.Date(2026, 11, 25, 17, 0, 0, 0, time.UTC))
	if got := w.sweep(t, time.Minute); got.Done != 0 || got.Failed != 1 {
		t.Errorf("got %+v", got)
	}
	delete(w.launcher.fails, second)
	w.launcher.expected = nil
	w.clock.Advance(time.Minute)
	if got := w.sweep(t, time.Minute); got.Done != 1 || got.Failed != 0 {
		t.Errorf("the next one: %+v", got)
	}
	want := []string{
		"window/cg-1/2026-11-23 until 2026-11-24T11:30:00Z", "window/cg-1/2026-11-24 until 2026-11-25T11:30:00Z",
		"window/cg-1/2026-11-25 until 2026-11-26T11:30:00Z",
	}
	if diff := cmp.Diff(want, w.launcher.expected); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestUnreadableExpectationIsNotWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "version: 1\nroutes: []\n")
	if err := w.ledger.Put(t.Context(), "1", ledger.Item{Key: "expect/cg-1", Due: base, Doc: []byte(`{"format":2,"config_id":"cg-1"}`)}); err != nil {
		t.Fatal(err)
	}
	if got := w.sweep(t, time.Minute); got.Failed != 1 {
		t.Errorf("got %+v", got)
	}
	if want := "the ledger's item expect/cg-1 cannot be read: this version does not know its format"; !strings.Contains(w.log.String(), want) {
		t.Errorf("the log lacks %s: %s", want, &w.log)
	}
}

// unreadable is a ledger that cannot be read.
type unreadable struct{ *ledger.Memory }

func (unreadable) Due(context.Context, time.Time) iter.Seq2[ledger.Listed, error] {
	return func(yield func(ledger.Listed, error) bool) { yield(ledger.Listed{}, errors.New("throttled")) }
}

func TestUnreachableLedgerIsAnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "version: 1\nroutes: []\n")
	w.handler.Ledger = unreadable{w.ledger}
	_, err := w.handler.Invoke(t.Context(), nil)
	var e *sweep.UnreadableError
	if !errors.As(err, &e) || err.Error() != "the sweep could not read the ledger; due items stay due: throttled" {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(w.log.String(), `"Sweeps":1`) {
		t.Errorf("it ran, and does not say so: %s", &w.log)
	}
}

// lagging is a ledger whose index lists an item with an old time.
type lagging struct {
	*ledger.Memory
	key string
}

func (l lagging) Due(context.Context, time.Time) iter.Seq2[ledger.Listed, error] {
	return func(yield func(ledger.Listed, error) bool) { yield(ledger.Listed{Key: l.key, At: base}, nil) }
}

func TestExpectationThatIsNotDueIsNotWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, routesFile)
	w.sweep(t, time.Minute)
	w.handler.Ledger = lagging{w.ledger, "expect/cg-1"}
	if got := w.sweep(t, time.Minute); got.Done != 0 || got.Failed != 0 {
		t.Errorf("got %+v", got)
	}
}

// inline runs each function in its caller.
type inline struct{}

func (inline) Go(f func()) { f() }
func (inline) Wait()       {}

// Only a panic with an error or a text is that of one item. Any other ends the
// sweep.
func TestPanicOfAnotherKindEndsTheSweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "version: 1\nroutes: []\n")
	w.handler.Pool = func(int) sweep.Pool { return inline{} }
	w.put(t, "launch/bad", base.Add(-time.Hour))
	type kind struct{}
	w.launcher.each = func() { panic(kind{}) }
	defer func() {
		if r := recover(); r != (kind{}) {
			t.Errorf("recovered %v", r)
		}
	}()
	t.Errorf("the sweep ended with %+v", w.sweep(t, time.Minute))
}

// The ledger has a window that this version cannot read. The days after it have
// their deadlines all the same.
func TestUnreadableWindowHidesNoLaterDeadline(t *testing.T) {
	t.Parallel()
	w := newWorld(t, routesFile)
	w.sweep(t, time.Minute)
	const second = "window/cg-1/2026-11-24"
	w.launcher.fails[second] = &record.DocumentError{Key: second, Err: errors.New("its format is 2")}
	w.launcher.expected = nil
	w.clock.Set(time.Date(2026, 11, 25, 17, 0, 0, 0, time.UTC))
	if got := w.sweep(t, time.Minute); got.Done != 1 || got.Failed != 0 {
		t.Errorf("got %+v", got)
	}
	want := []string{"window/cg-1/2026-11-23 until 2026-11-24T11:30:00Z", "window/cg-1/2026-11-25 until 2026-11-26T11:30:00Z"}
	if diff := cmp.Diff(want, w.launcher.expected); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !strings.Contains(w.log.String(), `"msg":"window not expected","item":"`+second) {
		t.Errorf("the log lacks it: %s", &w.log)
	}
}

// The list of due items may lag behind. An expectation that is not due any more
// is left alone.
func TestExpectationThatIsNotDueIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, routesFile)
	const doc = `{"format":1,"config_id":"cg-1","seen":"2026-11-01T00:00:00Z","next":"2026-11-02"}`
	if err := w.ledger.Put(t.Context(), "1", ledger.Item{Key: "expect/cg-1", Doc: []byte(doc)}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"expect/cg-1", "expect/cg-none"} {
		if did, err := w.handler.Tasks["expect"](t.Context(), key); did || err != nil {
			t.Errorf("%s: %t, %v", key, did, err)
		}
	}
	if item, err := w.ledger.Get(t.Context(), "expect/cg-1"); err != nil || string(item.Doc) != doc || len(w.launcher.expected) > 0 {
		t.Errorf("%s, %v, expected %q", item.Doc, err, w.launcher.expected)
	}
}
