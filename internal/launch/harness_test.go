package launch_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/held"
	"github.com/amperity-runs/amperity-runs/internal/intake"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/runs"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// office is a launcher with the world around it: a ledger, Amperity, an event
// bus and a clock that only the test moves.
type office struct {
	t   *testing.T
	now time.Time
	*launch.Launcher
	*held.Resolver
	windows *intake.Windows
	ledger  *ledger.Memory
	// putErr returns the ledger's error for a write. It may be nil.
	putErr func(items []ledger.Item) error
	// lists are the lists that were read.
	lists []amperity.ListOptions
	// getErr returns the ledger's error for a read. It may be nil.
	getErr func(key string) error
	// posts are the answers to POSTs in turn. The last answer repeats.
	// meanwhile is called during the next POST, once. It may be nil.
	posts     []answer
	sent      int
	meanwhile func()
	// runs are Amperity's runs. queryErr returns the error of a query for a
	// run, or for the list, which has no id. It may be nil.
	runs     []*amperity.Run
	queryErr func(id string) error
	// secondPageErr returns the error of the list's second page, which is
	// empty. Without it there is no second page.
	secondPageErr func() error
	// rounds is how much older than it is the list takes a run for.
	rounds time.Duration
	// window is the spec of every window. Without it no route has a window.
	window *record.WindowSpec
	busErr error
	ids    []string
	mails  []string
	// named are the candidates of the last announcement.
	named  []string
	logged strings.Builder
	tokens int
	// pacer delays requests. It may be nil.
	pacer runs.Pacer
}

// paced delays the requests of an office.
type paced struct{ o *office }

func (p paced) TakeTurn() bool { return p.o.pacer == nil || p.o.pacer.TakeTurn() }

func (p paced) Wait(ctx context.Context) error {
	if p.o.pacer == nil {
		return nil
	}
	return p.o.pacer.Wait(ctx)
}

// waiting is a Pacer whose turn never comes immediately, so that a launch is
// claimed before its mark.
type waiting struct{}

func (waiting) TakeTurn() bool { return false }

func (waiting) Wait(context.Context) error { return nil }

func newOffice(t *testing.T) *office {
	o := &office{t: t, now: time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC), ledger: ledger.NewMemory(), posts: []answer{started}}
	o.Launcher = launch.New(launch.Config{
		API: o, Ledger: o, Announcer: o, Clock: o, Tenant: "acme", Logger: telemetry.NewLogger(&o.logged, slog.LevelInfo),
		Token: func(context.Context) string { o.tokens++; return fmt.Sprint(o.tokens) }, Rand: func() float64 { return 0 }, Pacer: paced{o},
	})
	o.windows = intake.New(o.Launcher, func(configID, period string) (record.WindowSpec, bool) {
		if o.window == nil {
			return record.WindowSpec{}, false
		}
		w := *o.window
		w.ConfigID, w.Period = configID, period
		return w, true
	})
	o.Resolver = held.New(o.Launcher, o.windows)
	return o
}

func (o *office) Now() time.Time { return o.now }

func (o *office) Sleep(_ context.Context, d time.Duration) error {
	o.now = o.now.Add(d)
	return nil
}

func (o *office) WithTimeout(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

func (o *office) Get(ctx context.Context, key string) (ledger.Item, error) {
	if key == "" {
		o.t.Error("an item without a key is read: DynamoDB refuses that")
	}
	if o.getErr != nil {
		if err := o.getErr(key); err != nil {
			return ledger.Item{}, err
		}
	}
	return o.ledger.Get(ctx, key)
}

func (o *office) Put(ctx context.Context, token string, items ...ledger.Item) error {
	if o.putErr != nil {
		if err := o.putErr(items); err != nil {
			return err
		}
	}
	return o.ledger.Put(ctx, token, items...)
}

func (o *office) Held(ctx context.Context) iter.Seq2[ledger.Listed, error] { return o.ledger.Held(ctx) }

func (o *office) Due(ctx context.Context, until time.Time) iter.Seq2[ledger.Listed, error] {
	return o.ledger.Due(ctx, until)
}

func (o *office) StartRun(context.Context, amperity.RunRequest) (*amperity.Run, error) {
	a := o.posts[min(o.sent, len(o.posts)-1)]
	o.sent++
	if do := o.meanwhile; do != nil {
		o.meanwhile = nil
		do()
	}
	return a.run, a.err
}

func (o *office) GetRun(_ context.Context, id string, _ amperity.View) (*amperity.Run, error) {
	if o.queryErr != nil {
		if err := o.queryErr(id); err != nil {
			return nil, err
		}
	}
	for _, r := range o.runs {
		if r.ID == id {
			return r, nil
		}
	}
	return nil, &amperity.APIError{Method: "GET", Path: "/workflow/runs/" + id, Status: 404, Message: "no such run"}
}

func (o *office) ListRunPages(_ context.Context, opts amperity.ListOptions) iter.Seq2[*amperity.Page, error] {
	return func(yield func(*amperity.Page, error) bool) {
		o.lists = append(o.lists, opts)
		if o.queryErr != nil {
			if err := o.queryErr(""); err != nil {
				yield(nil, err)
				return
			}
		}
		runs := o.runs
		if o.rounds > 0 {
			runs = slices.DeleteFunc(slices.Clone(runs), func(r *amperity.Run) bool {
				at := r.CreatedAt.Add(-o.rounds)
				return at.Before(opts.CreatedFrom) || !opts.CreatedTo.IsZero() && !at.Before(opts.CreatedTo)
			})
		}
		if !yield(&amperity.Page{Runs: runs}, nil) || o.secondPageErr == nil {
			return
		}
		if err := o.secondPageErr(); err != nil {
			yield(nil, err)
			return
		}
		yield(&amperity.Page{}, nil)
	}
}

// Announce stores each announcement as the mail that the template's
// NotificationRule makes of it.
func (o *office) Announce(_ context.Context, as ...announcement.Announcement) error {
	if o.busErr != nil {
		return o.busErr
	}
	for _, a := range as {
		d := a.Detail
		message := ""
		if d.Error != nil {
			message = d.Error.Message
		}
		mail := fmt.Sprintf("%s in tenant %s (%s): %s; %s [%s, hold %d]", a.Type, d.Tenant, d.Reason, message, d.Hint, d.LaunchKey, d.HoldNumber)
		o.ids = append(o.ids, d.ID)
		o.named = nil
		for _, c := range d.Candidates {
			o.named = append(o.named, c.ID)
		}
		o.mails = append(o.mails, strings.ReplaceAll(mail, ", hold 0]", ", hold ]"))
	}
	return nil
}

// wait moves the clock, and sweeps each minute.
func (o *office) wait(d time.Duration) {
	o.t.Helper()
	for end := o.now.Add(d); o.now.Before(end); {
		o.now = o.now.Add(time.Minute)
		var due []string
		for row := range o.ledger.Due(o.t.Context(), o.now) {
			due = append(due, row.Key)
		}
		for _, key := range due {
			var err error
			switch kind, _, _ := strings.Cut(key, "/"); kind {
			case "launch":
				_, err = o.Reconcile(o.t.Context(), key)
			case "window":
				_, err = o.windows.Due(o.t.Context(), key)
			}
			if err != nil {
				o.t.Fatalf("%s: %v", key, err)
			}
		}
	}
}

// launch launches [request] after edit has changed it.
func (o *office) launch(edit func(*launch.Launch)) record.Result {
	o.t.Helper()
	in := request()
	if edit != nil {
		edit(&in)
	}
	res, err := o.Launch(o.t.Context(), in)
	if err != nil {
		o.t.Fatal(err)
	}
	return res
}

// noAnswer leaves the outcome unknown.
var noAnswer = answer{err: status(500, 0)}

// aRun returns a run of the stack's API key.
func aRun(id, name string, at time.Time) *amperity.Run {
	return &amperity.Run{ID: id, Name: name, Type: "courier.group/run", PrincipalID: "key-1", CreatedAt: at, State: amperity.StateRunning}
}

// arrivals returns files that arrive now.
func (o *office) arrivals(entry string, names ...string) []window.Arrival {
	var as []window.Arrival
	for _, n := range names {
		as = append(as, window.Arrival{Entry: entry, Bucket: "b", Key: n, EventTime: o.now})
	}
	return as
}

// arrive folds files into a window, and launches the window if it is ready.
func (o *office) arrive(files []window.Arrival) record.Result {
	o.t.Helper()
	a, err := o.windows.Arrive(o.t.Context(), *o.window, files, o.now)
	if err != nil {
		o.t.Fatal(err)
	}
	return o.windows.Launch(o.t.Context(), a)
}

// implausible holds a window for a file with an implausible date, and returns
// the key of its launch.
func (o *office) implausible() string {
	const period = "implausible-day-2026-11-22T06:00:00Z"
	o.window = &record.WindowSpec{ConfigID: "cg-1", Period: period, Route: "orders", Rules: window.Rules{Hash: "1", HoldReason: announcement.ReasonImplausibleDate},
		Request: amperity.RunRequest{ConfigID: "cg-1"}}
	o.arrive(o.arrivals("orders/*", "orders/1"))
	return "arrival/cg-1/" + period + "/1"
}

// aWindow returns the spec of a window that launches immediately once it has a
// file for each entry.
func aWindow(late window.Late, entries ...window.Entry) *record.WindowSpec {
	return &record.WindowSpec{
		ConfigID: "cg-1", Period: "2026-11-22", Route: "orders",
		Rules:     window.Rules{Hash: "h", Entries: entries, Length: 24 * time.Hour, Late: late},
		Request:   amperity.RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22", RangeTo: "2026-11-23"},
		IfUnknown: record.Hold,
	}
}

const scheduleKey = "schedule/cg-1/-/2026-11-22T06:00:00Z"

// errThrottled is the error of a ledger that does not answer.
var errThrottled = errors.New("throttled")

// put writes an item as another version of the functions may have.
func (o *office) put(key, doc string) {
	o.t.Helper()
	if err := o.ledger.Put(o.t.Context(), "other", ledger.Item{Key: key, Doc: []byte(doc)}); err != nil {
		o.t.Fatal(err)
	}
}
