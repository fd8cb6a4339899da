package launch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/clock"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// answer is the API's delayed answer to one POST.
type answer struct {
	run   *amperity.Run
	err   error
	after time.Duration
}

// api answers the POSTs in turn. The last answer repeats. It has no runs.
type api struct {
	answers []answer
	posts   []amperity.RunRequest
	at      []time.Time
}

func (a *api) StartRun(ctx context.Context, r amperity.RunRequest) (*amperity.Run, error) {
	next := a.answers[min(len(a.posts), len(a.answers)-1)]
	a.posts = append(a.posts, r)
	a.at = append(a.at, time.Now())
	select {
	case <-ctx.Done():
		return nil, &amperity.TransportError{Method: "POST", Path: "/workflow/runs", MayHaveBeenSent: true, Err: ctx.Err()}
	case <-time.After(next.after):
		return next.run, next.err
	}
}

func (a *api) GetRun(context.Context, string, amperity.View) (*amperity.Run, error) {
	return nil, status(404, 0)
}

func (a *api) ListRunPages(context.Context, amperity.ListOptions) iter.Seq2[*amperity.Page, error] {
	return func(func(*amperity.Page, error) bool) {}
}

// bus stores announcements.
type bus struct {
	announced []announcement.Announcement
	err       error
}

func (b *bus) Announce(_ context.Context, as ...announcement.Announcement) error {
	if b.err != nil {
		return b.err
	}
	b.announced = append(b.announced, as...)
	return nil
}

func status(code int, retryAfter time.Duration) error {
	return &amperity.APIError{Method: "POST", Path: "/workflow/runs", Status: code, Message: "no", RequestID: "r-1", RetryAfter: retryAfter}
}

func refused() error {
	return &amperity.TransportError{Method: "POST", Path: "/workflow/runs", Err: errors.New("connection refused")}
}

var started = answer{run: &amperity.Run{ID: "wf-1"}}

func request() launch.Launch {
	return launch.Launch{
		Key:      "schedule/cg-1/-/2026-11-22T06:00:00Z",
		Cause:    announcement.Cause{Type: announcement.CauseSchedule},
		Request:  amperity.RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-21", RangeTo: "2026-11-22"},
		Resource: "arn:aws:scheduler:us-east-1:123456789012:schedule/default/daily",
	}
}

type outcome struct {
	Outcome   record.Outcome
	Reason    string
	Posts     int
	Announced []announcement.DetailType
	Error     string // that the result has
	Elapsed   time.Duration
}

// run launches once with 30 seconds of time, as trigger has.
func run(t *testing.T, a *api, b launch.Announcer, edit func(*launch.Config, *launch.Launch)) (outcome, record.Result, string) {
	t.Helper()
	return runFor(t, 30*time.Second, a, b, edit)
}

func runFor(t *testing.T, limit time.Duration, a *api, b launch.Announcer, edit func(*launch.Config, *launch.Launch)) (outcome, record.Result, string) {
	t.Helper()
	var log bytes.Buffer
	tokens := 0
	c := launch.Config{API: a, Ledger: ledger.NewMemory(), Announcer: b, Clock: clock.System{}, Tenant: "acme",
		Logger: telemetry.NewLogger(&log, slog.LevelInfo), Rand: func() float64 { return 0 },
		Token: func(context.Context) string { tokens++; return fmt.Sprint(tokens) }}
	in := request()
	if edit != nil {
		edit(&c, &in)
	}
	begin := time.Now()
	ctx, cancel := context.WithDeadline(t.Context(), begin.Add(limit))
	defer cancel()
	res, err := launch.New(c).Launch(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	o := outcome{Outcome: res.Outcome, Reason: res.Reason, Posts: len(a.posts), Elapsed: time.Since(begin)}
	if bus, ok := b.(*bus); ok {
		for _, x := range bus.announced {
			o.Announced = append(o.Announced, x.Type)
		}
	}
	if res.Error != nil {
		o.Error = res.Error.Message
	}
	return o, res, log.String()
}

// Each answer of Amperity to a POST has one outcome. A request that was
// certainly not processed is retried while time is left. A request that may
// have been processed is not.
func TestEachAnswerHasOneOutcome(t *testing.T) {
	t.Parallel()
	const (
		nothing  = ""
		startedT = announcement.RunStarted
		rejected = announcement.RunRejected
		held     = announcement.RunHeld
	)
	types := func(ts ...announcement.DetailType) []announcement.DetailType { return ts }
	rows := []struct {
		name    string
		answers []answer
		edit    func(*launch.Config, *launch.Launch)
		want    outcome
	}{
		{"a run is started", []answer{started}, nil,
			outcome{record.Started, "", 1, types(startedT), nothing, 0}},

		// Certainly not processed.
		{"a refused connection is tried again", []answer{{err: refused()}, {err: refused()}, started}, nil,
			outcome{record.Started, "", 3, types(startedT), nothing, 750 * time.Millisecond}},
		{"429 waits as long as Amperity asks", []answer{{err: status(429, 3*time.Second)}, started}, nil,
			outcome{record.Started, "", 2, types(startedT), nothing, 3 * time.Second}},
		{"429 that asks for more time than is left blocks immediately", []answer{{err: status(429, time.Minute)}}, nil,
			outcome{record.Blocked, "rate_limited", 1, nil, "POST /workflow/runs: 429 Too Many Requests: no (request id r-1); retry after 1m0s", 0}},
		{"a busy group blocks immediately: its own run may be in the way", []answer{{err: status(409, 0)}}, nil,
			outcome{record.Blocked, "busy", 1, nil, "POST /workflow/runs: 409 Conflict: no (request id r-1)", 0}},
		{"an unreachable Amperity blocks after four tries", []answer{{err: refused()}}, nil,
			outcome{record.Blocked, "unreachable", 4, nil, "POST /workflow/runs: not sent: connection refused", 1750 * time.Millisecond}},
		{"a refused token blocks immediately: the client has tried a fresh one", []answer{{err: status(401, 0)}}, nil,
			outcome{record.Blocked, "unauthorized", 1, nil, "POST /workflow/runs: 401 Unauthorized: no (request id r-1)", 0}},
		{"a secret store that does not answer blocks", []answer{{err: &amperity.TokenError{Err: errors.New("no route")}}}, nil,
			outcome{record.Blocked, "unreachable", 4, nil, "no access token: no route", 1750 * time.Millisecond}},

		// Final.
		{"400 is rejected", []answer{{err: status(400, 0)}}, nil,
			outcome{record.Rejected, "refused", 1, types(rejected), "POST /workflow/runs: 400 Bad Request: no (request id r-1)", 0}},
		{"403 is rejected", []answer{{err: status(403, 0)}}, nil,
			outcome{record.Rejected, "refused", 1, types(rejected), "POST /workflow/runs: 403 Forbidden: no (request id r-1)", 0}},
		{"404 is rejected", []answer{{err: status(404, 0)}}, nil,
			outcome{record.Rejected, "refused", 1, types(rejected), "POST /workflow/runs: 404 Not Found: no (request id r-1)", 0}},
		{"a request that is wrong in itself is rejected",
			[]answer{{err: &amperity.RequestError{Problems: []amperity.Problem{{Field: "config_id", Message: "is missing"}}}}}, nil,
			outcome{record.Rejected, "invalid_input", 1, types(rejected), "invalid request: config_id is missing", 0}},

		// Possibly processed.
		{"500 is unknown", []answer{{err: status(500, 0)}}, nil,
			outcome{record.Unknown, "unknown_outcome", 1, nil, "POST /workflow/runs: 500 Internal Server Error: no (request id r-1)", 0}},
		{"504 is unknown", []answer{{err: status(504, 0)}}, nil,
			outcome{record.Unknown, "unknown_outcome", 1, nil, "POST /workflow/runs: 504 Gateway Timeout: no (request id r-1)", 0}},
		{"a redirect is unknown", []answer{{err: status(307, 0)}}, nil,
			outcome{record.Unknown, "unknown_outcome", 1, nil, "POST /workflow/runs: 307 Temporary Redirect: no (request id r-1)", 0}},
		{"a POST that hangs is cut off after 20 s", []answer{{after: time.Hour}}, nil,
			outcome{record.Unknown, "unknown_outcome", 1, nil, "POST /workflow/runs: no answer, but it may have been processed: context deadline exceeded", 20 * time.Second}},
		{"half an answer is unknown", []answer{{err: &amperity.ResponseError{Method: "POST", Path: "/workflow/runs", Status: 201, Problem: "half"}}}, nil,
			outcome{record.Unknown, "unknown_outcome", 1, nil, "POST /workflow/runs: 201 Created, but half", 0}},
		{"unreachable first, then unknown", []answer{{err: refused()}, {err: status(502, 0)}}, nil,
			outcome{record.Unknown, "unknown_outcome", 2, nil, "POST /workflow/runs: 502 Bad Gateway: no (request id r-1)", 250 * time.Millisecond}},

		// Not sent.
		{"a paused stack sends and announces nothing", []answer{started},
			func(c *launch.Config, _ *launch.Launch) { c.Paused = true },
			outcome{record.Blocked, "paused", 0, nil, "the stack is paused and sends nothing to Amperity: deploy it with Paused=false to resume", 0}},
		{"a launch past its age is held", []answer{started},
			func(_ *launch.Config, l *launch.Launch) { l.NotAfter = time.Now().Add(-time.Hour) },
			// A synctest bubble begins at midnight UTC of 2000-01-01.
			outcome{record.Held, "too_old", 0, types(held), "the run was wanted until 1999-12-31T23:00:00Z, and it is 2000-01-01T00:00:00Z", 0}},
		{"a launch at its age goes", []answer{started},
			func(_ *launch.Config, l *launch.Launch) { l.NotAfter = time.Now() },
			outcome{record.Started, "", 1, types(startedT), nothing, 0}},
		{"no turn within the rate limit before the time is over", []answer{started},
			func(c *launch.Config, _ *launch.Launch) { c.Pacer = never{} },
			outcome{record.Blocked, "rate_limited", 0, nil,
				"too little of the function's time was left to wait for this instance's turn within Amperity's rate limit", 22 * time.Second}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				got, _, _ := run(t, &api{answers: row.answers}, &bus{}, row.edit)
				if diff := cmp.Diff(row.want, got); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			})
		})
	}
}

// never is a Pacer whose turn never comes.
type never struct{}

func (never) TakeTurn() bool { return false }

func (never) Wait(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func TestLittleTimeLeftSendsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		got, _, _ := runFor(t, 7*time.Second, &api{answers: []answer{started}}, &bus{}, nil)
		want := outcome{record.Blocked, "rate_limited", 0, nil, "too little of the function's time was left to send the request safely", 0}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

// A POST ends five seconds before the deadline: recording its outcome needs
// time.
func TestPOSTLeavesTimeToRecordItsOutcome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		got, _, _ := runFor(t, 12*time.Second, &api{answers: []answer{{after: time.Hour}}}, &bus{}, nil)
		if got.Outcome != record.Unknown || got.Elapsed != 7*time.Second {
			t.Errorf("got %+v; want unknown after 7 s", got)
		}
	})
}

func TestAnnouncementHasTheRequestAndTheAnswer(t *testing.T) {
	t.Parallel()
	var answered amperity.Run
	body := `{"id":"wf-1","state":"scheduled","type":"courier.group/run","name":"Daily","tenant":"acme","created_at":"2026-11-22T06:00:01.720Z","new_field":{"a":1}}`
	if err := json.Unmarshal([]byte(body), &answered); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		b := &bus{}
		_, res, log := run(t, &api{answers: []answer{{run: &answered}}}, b, nil)
		want := []announcement.Announcement{{
			Type:      announcement.RunStarted,
			Resources: []string{request().Resource},
			Detail: announcement.Detail{
				Version:   "1",
				ID:        announcement.ID(announcement.RunStarted, request().Key, "wf-1"),
				LaunchKey: request().Key,
				Tenant:    "acme",
				Cause:     &announcement.Cause{Type: "schedule"},
				Request:   &amperity.RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-21", RangeTo: "2026-11-22"},
				Run:       &answered,
			},
		}}
		asJSON := cmp.Transformer("json", func(r *amperity.Run) string { j, _ := json.Marshal(r); return string(j) })
		if diff := cmp.Diff(want, b.announced, asJSON); diff != "" {
			t.Errorf("announced (-want +got)\n%s", diff)
		}
		detail, err := b.announced[0].Encode(announcement.DefaultLimit)
		if err != nil || !bytes.Contains(detail, []byte(body)) {
			t.Errorf("the detail does not hold Amperity's answer as it came: %s, %v", detail, err)
		}
		if res.LaunchKey != request().Key || res.Run.ID != "wf-1" {
			t.Errorf("answered %+v", res)
		}
		for _, want := range []string{`"launch_key":"schedule/cg-1/-/2026-11-22T06:00:00Z"`, `"config_id":"cg-1"`, `"outcome":"started"`, `"run_id":"wf-1"`} {
			if !strings.Contains(log, want) {
				t.Errorf("the log line lacks %s: %s", want, log)
			}
		}
	})
}

func TestRetriesAreSpreadOut(t *testing.T) {
	t.Parallel()
	// The jitter keeps each delay between half of the backoff and the whole.
	for _, r := range []float64{0, 0.5, 0.999} {
		synctest.Test(t, func(t *testing.T) {
			a := &api{answers: []answer{{err: status(429, 0)}, started}}
			run(t, a, &bus{}, func(c *launch.Config, _ *launch.Launch) { c.Rand = func() float64 { return r } })
			want := 250*time.Millisecond + time.Duration(r*float64(250*time.Millisecond))
			if got := a.at[1].Sub(a.at[0]); got != want {
				t.Errorf("waited %s, want %s", got, want)
			}
		})
	}
}

// slowBus does not answer until its context ends.
type slowBus struct{}

func (slowBus) Announce(ctx context.Context, _ ...announcement.Announcement) error {
	<-ctx.Done()
	return ctx.Err()
}

// A started run is never answered as an error because its announcement fails or
// hangs: the caller would start another run.
func TestUnannouncedRunIsNoError(t *testing.T) {
	t.Parallel()
	const warning = "the outcome is recorded, but could not be announced yet: the sweep announces it within minutes"
	for name, row := range map[string]struct {
		bus     launch.Announcer
		elapsed time.Duration
	}{
		"the bus refuses": {&bus{err: errors.New("bus is gone")}, 0},
		"the bus hangs":   {slowBus{}, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				got, res, log := run(t, &api{answers: []answer{started}}, row.bus, nil)
				if got.Outcome != record.Started || res.Warning != warning || got.Elapsed != row.elapsed {
					t.Errorf("got %+v, %q", got, res.Warning)
				}
				if !strings.Contains(log, "not announced") {
					t.Errorf("the log lacks it: %s", log)
				}
			})
		})
	}
}

// A delivery with the key of another input is refused. If the refusal cannot be
// announced, the delivery is an error, so that it is repeated.
func TestUnannouncedRefusalIsAnError(t *testing.T) {
	t.Parallel()
	b := &bus{}
	l := launch.New(launch.Config{API: &api{answers: []answer{started}}, Ledger: ledger.NewMemory(), Announcer: b, Clock: clock.System{},
		Logger: slog.New(slog.DiscardHandler), Token: launch.NewToken})
	in := request()
	if _, err := l.Launch(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	in.InputHash = "another"
	b.err = errors.New("bus is gone")
	_, err := l.Launch(t.Context(), in)
	if _, ok := err.(*launch.AnnounceError); !ok || err.Error() != "the input was rejected and nothing was started, but that could not be announced: bus is gone" {
		t.Errorf("got %T: %v", err, err)
	}
}
