package sim

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/runs"
	"github.com/amperity-runs/amperity-runs/internal/trigger"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Mutation is a mistake that the code could make. The layer between the code
// and the world makes it, not the code. The empty Mutation is no mistake.
type Mutation string

// Mutations are the mistakes that the checker must see. TokenIsRequestID is not
// among them, because the ledger refuses a token with other content.
var Mutations = []Mutation{
	PostBeforeClaim, PostWithoutMark, RetryServerErrors, RetryWhatIsHeld, BoundedList, AdoptInDoubt,
	CoveredFromClaim, CoveredFromAnswer, ShortMargin, MarksForgotten, RejectedCovers,
	ConfirmBeforeSending, ShortLease, LateFileDropped, OverlapNotDecided, ReconcileWaits,
	RetryBusy, PatienceForgotten,
}

// The mistakes.
const (
	PostBeforeClaim      Mutation = "the request is sent before the launch is claimed"
	PostWithoutMark      Mutation = "the request is sent without the mark"
	RetryServerErrors    Mutation = "a 5xx is sent again at once"
	RetryWhatIsHeld      Mutation = "an empty list leads to a second request where it must be held"
	BoundedList          Mutation = "the list of runs ends with the lease"
	AdoptInDoubt         Mutation = "a run is adopted although another launch may have started it"
	CoveredFromClaim     Mutation = "covered_until counts from the claim"
	CoveredFromAnswer    Mutation = "covered_until counts from the answer"
	ShortMargin          Mutation = "the margin is 3 s"
	MarksForgotten       Mutation = "the hashes of the margin are forgotten"
	RejectedCovers       Mutation = "a rejected launch covers"
	TokenIsRequestID     Mutation = "a write's token is the request id"
	ConfirmBeforeSending Mutation = "an announcement is confirmed before it is sent"
	ShortLease           Mutation = "the lease is shorter than the function's limit"
	LateFileDropped      Mutation = "a late file is dropped"
	OverlapNotDecided    Mutation = "the decision does not write down that the config id is taken"
	ReconcileWaits       Mutation = "reconciling waits while another launch is in flight"
	RetryBusy            Mutation = "a 409 is sent again without reading the list"
	PatienceForgotten    Mutation = "since when looks decide nothing is forgotten"
)

// fullLedger has all methods of the ledger that the functions use.
type fullLedger interface {
	Get(ctx context.Context, key string) (ledger.Item, error)
	Put(ctx context.Context, token string, items ...ledger.Item) error
	Due(ctx context.Context, until time.Time) iter.Seq2[ledger.Listed, error]
	Held(ctx context.Context) iter.Seq2[ledger.Listed, error]
}

// parts are the parts of a handler.
type parts struct {
	api      runs.API
	ledger   fullLedger
	bus      launch.Announcer
	token    func(context.Context) string
	launcher func(trigger.Launcher) trigger.Launcher
}

// mutate returns the parts of a handler, with the world's mutation.
func (w *World) mutate(b *backends, client *amperity.Client) parts {
	n := 0
	p := parts{
		api: client, ledger: simLedger{b}, bus: simBus{b},
		token: func(context.Context) string {
			n++
			return b.p.String() + "-" + strconv.Itoa(n)
		},
		launcher: func(l trigger.Launcher) trigger.Launcher { return l },
	}
	if w.mutant == "" {
		return p
	}
	m := &mutant{backends: b, ledger: simLedger{b}, bus: simBus{b}, api: client}
	p.api, p.ledger, p.bus = mutantAPI{m}, mutantLedger{m}, mutantBus{m}
	switch w.mutant {
	case TokenIsRequestID:
		p.token = func(context.Context) string { return b.p.requestID }
	case PostBeforeClaim:
		p.launcher = func(l trigger.Launcher) trigger.Launcher { return early{m, l} }
	}
	return p
}

// mutant makes one mistake for one instance.
type mutant struct {
	*backends
	ledger simLedger
	bus    simBus
	api    *amperity.Client
}

// memory is a mutation's state for one thread.
type memory struct {
	// ahead is how much newer the code believes an item to be.
	ahead map[string]int64
	// dies: its process dies after the next write, because its memory does not
	// have the mutation. Another process reads the mutated item.
	dies bool
	// pending are unsent announcements.
	pending []announcement.Announcement
	// reading is the launch that the thread read last.
	reading struct {
		key, state string
		lease      time.Time
	}
}

// memory returns the memory of the running thread.
func (m *mutant) memory() *memory {
	t := m.p.current
	if t.mutant.ahead == nil {
		t.mutant.ahead = map[string]int64{}
	}
	return &t.mutant
}

func (m *mutant) is(mutation Mutation) bool { return m.w.mutant == mutation }

// --- Amperity ----------------------------------------------------------------

type mutantAPI struct{ *mutant }

func (a mutantAPI) StartRun(ctx context.Context, r amperity.RunRequest) (*amperity.Run, error) {
	run, err := a.api.StartRun(ctx, r)
	var failed *amperity.APIError
	if a.is(RetryServerErrors) && errors.As(err, &failed) && failed.Status >= 500 {
		return a.api.StartRun(ctx, r)
	}
	if a.is(RetryBusy) && errors.Is(err, amperity.ErrConflict) {
		return a.api.StartRun(ctx, r)
	}
	return run, err
}

func (a mutantAPI) GetRun(ctx context.Context, id string, view amperity.View) (*amperity.Run, error) {
	return a.api.GetRun(ctx, id, view)
}

func (a mutantAPI) ListRunPages(ctx context.Context, o amperity.ListOptions) iter.Seq2[*amperity.Page, error] {
	if a.is(BoundedList) {
		o.CreatedTo = a.memory().reading.lease
	}
	return a.api.ListRunPages(ctx, o)
}

// early sends the request before anything else.
type early struct {
	*mutant
	trigger.Launcher
}

// Launch sends the request, and then launches with its answer.
func (e early) Launch(ctx context.Context, in launch.Launch) (record.Result, error) {
	e.p.current.launchKey, e.p.current.wroteLaunch = in.Key, e.w.now
	run, err := e.api.StartRun(ctx, in.Request)
	c := e.Launcher.(*launch.Launcher).Config
	c.API = answered{mutantAPI{e.mutant}, run, err}
	return launch.New(c).Launch(ctx, in)
}

// answered is an API that has the answer already.
type answered struct {
	mutantAPI
	run *amperity.Run
	err error
}

func (a answered) StartRun(context.Context, amperity.RunRequest) (*amperity.Run, error) {
	return a.run, a.err
}

// --- The event bus -----------------------------------------------------------

type mutantBus struct{ *mutant }

func (b mutantBus) Announce(ctx context.Context, as ...announcement.Announcement) error {
	if b.is(ConfirmBeforeSending) {
		b.memory().pending = append(b.memory().pending, as...)
		return nil
	}
	return b.bus.Announce(ctx, as...)
}

// --- The ledger --------------------------------------------------------------

type mutantLedger struct{ *mutant }

func (l mutantLedger) Due(ctx context.Context, until time.Time) iter.Seq2[ledger.Listed, error] {
	return l.ledger.Due(ctx, until)
}

func (l mutantLedger) Held(ctx context.Context) iter.Seq2[ledger.Listed, error] {
	return l.ledger.Held(ctx)
}

func (l mutantLedger) Get(ctx context.Context, key string) (ledger.Item, error) {
	item, err := l.ledger.Get(ctx, key)
	delete(l.memory().ahead, key)
	switch {
	case err != nil || !item.Exists():
	case strings.HasPrefix(key, "launch/"):
		d := parse(item.Doc)
		reading := &l.memory().reading
		reading.key, reading.state = text(d["key"]), text(d["state"])
		reading.lease, _ = time.Parse(time.RFC3339Nano, text(d["lease"]))
	case strings.HasPrefix(key, "config/"):
		switch d := parse(item.Doc); {
		case l.is(AdoptInDoubt):
			for _, e := range entries(d) {
				delete(e, "doubt")
			}
			item.Doc = write(d)
		case l.is(ReconcileWaits) && (l.memory().reading.state == "posting" || l.memory().reading.state == "unknown"):
			for _, e := range entries(d) {
				if text(e["key"]) != l.memory().reading.key && text(e["state"]) == "going" && e["doubt"] == true {
					return ledger.Item{}, errInjected
				}
			}
		}
	}
	return item, err
}

func (l mutantLedger) Put(ctx context.Context, token string, items ...ledger.Item) error {
	var kept []ledger.Item
	for _, item := range items {
		item.Version -= l.memory().ahead[item.Key]
		if l.change(ctx, &item, len(items)) {
			kept = append(kept, item)
		} else {
			l.memory().ahead[item.Key]++
		}
	}
	if len(kept) == 0 {
		return nil
	}
	err := l.ledger.Put(ctx, token, kept...)
	var conflict *ledger.ConflictError
	if errors.As(err, &conflict) {
		clear(l.memory().ahead)
		// The items that were left out have their places for the code.
		for i, item := range items {
			if i >= len(conflict.Current) || conflict.Current[i].Key != item.Key {
				conflict.Current = append(conflict.Current[:i:i], append([]ledger.Item{item}, conflict.Current[i:]...)...)
			}
		}
	}
	if dies := l.memory().dies; dies {
		l.memory().dies = false
		if err == nil {
			l.w.hit(l.p.current, "died after the mutation's write", 0)
			l.p.die()
		}
	}
	if err == nil && len(l.memory().pending) > 0 {
		pending := l.memory().pending
		l.memory().pending = nil
		_ = l.bus.Announce(ctx, pending...)
	}
	return err
}

// change mutates an item before its write. It returns false if the item must
// not be written, although the code believes that it was.
func (l mutantLedger) change(ctx context.Context, item *ledger.Item, together int) bool {
	now := clock{l.p}.Now()
	d := parse(item.Doc)
	kind, _, _ := strings.Cut(item.Key, "/")
	switch {
	case l.is(OverlapNotDecided) && kind == "config" && together == 3 && !marking(d):
		return false
	case kind == "launch":
		switch state := text(d["state"]); {
		case l.is(PostWithoutMark) && state == "posting":
			l.p.current.launchKey, l.p.current.wroteLaunch = text(d["key"]), l.w.now
			return false
		case l.is(RetryWhatIsHeld):
			d["if_unknown"] = "retry"
		case l.is(PatienceForgotten) && state == "unknown" && d["looked"] != nil:
			looked, _ := d["looked"].(map[string]any)
			delete(looked, "undecided")
		case l.is(ShortLease) && (state == "posting" || state == "claimed") && d["lease"] != nil:
			d["lease"] = now.Format(time.RFC3339Nano)
			item.Due = now
		case l.is(CoveredFromClaim) && state == "started":
			l.memory().dies = d["covered_until"] != d["claimed"]
			d["covered_until"] = d["claimed"]
		case l.is(CoveredFromAnswer) && state == "started":
			l.memory().dies = d["covered_until"] != d["since"]
			d["covered_until"] = d["since"]
		case l.is(ShortMargin) && state == "started" && d["covered_until"] != nil:
			was, _ := l.w.ledger.Get(context.Background(), item.Key)
			if t, err := time.Parse(time.RFC3339Nano, text(d["covered_until"])); err == nil && text(parse(was.Doc)["state"]) != "started" {
				d["covered_until"] = t.Add(2 * time.Second).Format(time.RFC3339Nano)
				l.memory().dies = true
			}
		default:
			return true
		}
		item.Doc = write(d)
	case kind == "window":
		switch {
		case l.is(MarksForgotten) && d["covered_until"] != nil:
			delete(d, "marks")
		case l.is(RejectedCovers) && d["declined"] == true && d["launch"] == nil:
			d["covered_until"] = now.Format(time.RFC3339Nano)
		case l.is(LateFileDropped) && together == 1 && d["last_post"] != nil && d["launch"] == nil && d["open"] != nil:
			return false
		default:
			return true
		}
		item.Doc = write(d)
	}
	return true
}

// marking reports whether a config id's document has a launch with a request.
// Such a document is not written by the decision.
func marking(d map[string]any) bool {
	for _, e := range entries(d) {
		if e["last"] != nil {
			return true
		}
	}
	return false
}

func entries(d map[string]any) []map[string]any {
	var es []map[string]any
	list, _ := d["launches"].([]any)
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			es = append(es, m)
		}
	}
	return es
}

func parse(doc []byte) map[string]any {
	d := map[string]any{}
	_ = json.Unmarshal(doc, &d) // our own documents
	return d
}

func write(d map[string]any) []byte {
	doc, err := json.Marshal(d)
	if err != nil {
		panic(err) // it was JSON before
	}
	return doc
}

func text(v any) string {
	s, _ := v.(string)
	return s
}
