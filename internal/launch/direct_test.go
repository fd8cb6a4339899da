package launch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// answer is what the API answers to one POST, after a while.
type answer struct {
	run   *amperity.Run
	err   error
	after time.Duration
}

// api answers the POSTs in turn; the last answer is repeated.
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

// bus keeps what was announced.
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

type clock struct{}

func (clock) Now() time.Time { return time.Now() }

func (clock) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

func (clock) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
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
	Outcome   launch.Outcome
	Reason    string
	Posts     int
	Announced []announcement.DetailType
	Error     string
	Elapsed   time.Duration
}

// run launches once with 30 seconds of time, as trigger has.
func run(t *testing.T, a *api, b *bus, edit func(*launch.DirectConfig, *launch.Launch)) (outcome, launch.Result, string) {
	t.Helper()
	var log bytes.Buffer
	c := launch.DirectConfig{API: a, Announcer: b, Clock: clock{}, Tenant: "acme",
		Logger: telemetry.NewLogger(&log, slog.LevelInfo), Rand: func() float64 { return 0 }}
	in := request()
	if edit != nil {
		edit(&c, &in)
	}
	begin := time.Now()
	ctx, cancel := context.WithDeadline(t.Context(), begin.Add(30*time.Second))
	defer cancel()
	res, err := launch.NewDirect(c).Launch(ctx, in)
	o := outcome{Outcome: res.Outcome, Reason: res.Reason, Posts: len(a.posts), Elapsed: time.Since(begin)}
	for _, x := range b.announced {
		o.Announced = append(o.Announced, x.Type)
	}
	if err != nil {
		o.Error = err.Error()
	}
	return o, res, log.String()
}

func TestLaunchEndsInOneOutcomeAndSaysSo(t *testing.T) {
	t.Parallel()
	const (
		started_ = announcement.RunStarted
		rejected = announcement.RunRejected
		blocked  = announcement.RunBlocked
		held     = announcement.RunHeld
	)
	key := request().Key
	rows := []struct {
		name    string
		answers []answer
		edit    func(*launch.DirectConfig, *launch.Launch)
		want    outcome
	}{
		{"a run is started", []answer{started}, nil,
			outcome{launch.Started, "", 1, []announcement.DetailType{started_}, "", 0}},

		// Certainly not processed: sent again while the time allows.
		{"a refused connection is tried again", []answer{{err: refused()}, {err: refused()}, started}, nil,
			outcome{launch.Started, "", 3, []announcement.DetailType{started_}, "", 750 * time.Millisecond}},
		{"429 waits as long as Amperity asks", []answer{{err: status(429, 3*time.Second)}, started}, nil,
			outcome{launch.Started, "", 2, []announcement.DetailType{started_}, "", 3 * time.Second}},
		{"429 that asks for more time than is left blocks at once", []answer{{err: status(429, time.Minute)}}, nil,
			outcome{launch.Blocked, "rate_limited", 1, []announcement.DetailType{blocked},
				"launch " + key + " is blocked (rate_limited), nothing was started: POST /workflow/runs: 429 Too Many Requests: no (request id r-1); retry after 1m0s", 0}},
		{"a busy group blocks at once: its own run may be in the way", []answer{{err: status(409, 0)}}, nil,
			outcome{launch.Blocked, "busy", 1, []announcement.DetailType{blocked},
				"launch " + key + " is blocked (busy), nothing was started: POST /workflow/runs: 409 Conflict: no (request id r-1)", 0}},
		{"an unreachable Amperity blocks after four tries", []answer{{err: refused()}}, nil,
			outcome{launch.Blocked, "unreachable", 4, []announcement.DetailType{blocked},
				"launch " + key + " is blocked (unreachable), nothing was started: POST /workflow/runs: not sent: connection refused", 1750 * time.Millisecond}},
		{"a refused token blocks at once: the client has tried a fresh one", []answer{{err: status(401, 0)}}, nil,
			outcome{launch.Blocked, "unauthorized", 1, []announcement.DetailType{blocked},
				"launch " + key + " is blocked (unauthorized), nothing was started: POST /workflow/runs: 401 Unauthorized: no (request id r-1)", 0}},
		{"a secret store that does not answer blocks", []answer{{err: &amperity.TokenError{Err: errors.New("no route")}}}, nil,
			outcome{launch.Blocked, "unreachable", 4, []announcement.DetailType{blocked},
				"launch " + key + " is blocked (unreachable), nothing was started: no access token: no route", 1750 * time.Millisecond}},

		// Final.
		{"400 is rejected", []answer{{err: status(400, 0)}}, nil,
			outcome{launch.Rejected, "refused", 1, []announcement.DetailType{rejected}, "", 0}},
		{"403 is rejected", []answer{{err: status(403, 0)}}, nil,
			outcome{launch.Rejected, "refused", 1, []announcement.DetailType{rejected}, "", 0}},
		{"404 is rejected", []answer{{err: status(404, 0)}}, nil,
			outcome{launch.Rejected, "refused", 1, []announcement.DetailType{rejected}, "", 0}},
		{"a request that is wrong in itself is rejected",
			[]answer{{err: &amperity.RequestError{Problems: []amperity.Problem{{Field: "config_id", Message: "is missing"}}}}}, nil,
			outcome{launch.Rejected, "invalid_input", 1, []announcement.DetailType{rejected}, "", 0}},

		// Unknown: never sent again.
		{"500 is held", []answer{{err: status(500, 0)}}, nil,
			outcome{launch.Held, "unknown_outcome", 1, []announcement.DetailType{held}, "", 0}},
		{"504 is held", []answer{{err: status(504, 0)}}, nil,
			outcome{launch.Held, "unknown_outcome", 1, []announcement.DetailType{held}, "", 0}},
		{"a redirect is held", []answer{{err: status(307, 0)}}, nil,
			outcome{launch.Held, "unknown_outcome", 1, []announcement.DetailType{held}, "", 0}},
		{"a POST that hangs is cut off after 20 s and held", []answer{{after: time.Hour}}, nil,
			outcome{launch.Held, "unknown_outcome", 1, []announcement.DetailType{held}, "", 20 * time.Second}},
		{"half an answer is held", []answer{{err: &amperity.ResponseError{Method: "POST", Path: "/workflow/runs", Status: 201, Problem: "half"}}}, nil,
			outcome{launch.Held, "unknown_outcome", 1, []announcement.DetailType{held}, "", 0}},
		{"unreachable first, unknown then: held", []answer{{err: refused()}, {err: status(502, 0)}}, nil,
			outcome{launch.Held, "unknown_outcome", 2, []announcement.DetailType{held}, "", 250 * time.Millisecond}},

		// Not sent.
		{"a paused stack sends and announces nothing", []answer{started},
			func(c *launch.DirectConfig, _ *launch.Launch) { c.Paused = true },
			outcome{launch.Blocked, "paused", 0, nil,
				"launch " + key + " is blocked (paused), nothing was started: the stack is paused and sends nothing to Amperity: deploy it with Paused=false to go on", 0}},
		{"a launch past its age is held", []answer{started},
			func(_ *launch.DirectConfig, l *launch.Launch) { l.NotAfter = time.Now().Add(-time.Second) },
			outcome{launch.Held, "too_old", 0, []announcement.DetailType{held}, "", 0}},
		{"a launch at its age goes", []answer{started},
			func(_ *launch.DirectConfig, l *launch.Launch) { l.NotAfter = time.Now() },
			outcome{launch.Started, "", 1, []announcement.DetailType{started_}, "", 0}},
		{"no turn within the rate limit before the time is over", []answer{started},
			func(c *launch.DirectConfig, _ *launch.Launch) { c.Pacer = never{} },
			outcome{launch.Blocked, "rate_limited", 0, nil,
				"launch " + key + " is blocked (rate_limited), nothing was started: too little of the function's time was left to wait for this instance's turn within Amperity's rate limit", 22 * time.Second}},
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

func (never) Wait(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func TestLittleTimeLeftSendsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		a := &api{answers: []answer{started}}
		var log bytes.Buffer
		_, err := launch.NewDirect(launch.DirectConfig{API: a, Announcer: &bus{}, Clock: clock{}, Logger: telemetry.NewLogger(&log, slog.LevelInfo)}).Launch(ctx, request())
		var blocked *launch.BlockedError
		if !errors.As(err, &blocked) || len(a.posts) != 0 {
			t.Fatalf("got %v after %d POSTs, want a BlockedError after none", err, len(a.posts))
		}
		want := "launch schedule/cg-1/-/2026-11-22T06:00:00Z is blocked (rate_limited), nothing was started: too little of the function's time was left to send the request safely"
		if err.Error() != want {
			t.Errorf("got  %s\nwant %s", err, want)
		}
	})
}

func TestPOSTLeavesTimeToAnnounce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		defer cancel()
		b := &bus{}
		begin := time.Now()
		var log bytes.Buffer
		_, err := launch.NewDirect(launch.DirectConfig{API: &api{answers: []answer{{after: time.Hour}}}, Announcer: b, Clock: clock{},
			Logger: telemetry.NewLogger(&log, slog.LevelInfo)}).Launch(ctx, request())
		if err != nil || len(b.announced) != 1 || time.Since(begin) != 7*time.Second {
			t.Errorf("error %v, %d announced, after %s; want one announced 5 s before the deadline", err, len(b.announced), time.Since(begin))
		}
	})
}

func TestFailedAnnouncementNeverCausesASecondRun(t *testing.T) {
	t.Parallel()
	down := errors.New("bus is gone")
	key := request().Key
	rows := []struct {
		name    string
		answer  answer
		wantErr string
		warning string
	}{
		{"started: a warning, no error", started, "", "do not start it again: the outcome could not be announced: bus is gone"},
		{"unknown: a warning, no error", answer{err: status(500, 0)}, "", "do not start it again: the outcome could not be announced: bus is gone"},
		{"rejected: delivered again", answer{err: status(400, 0)},
			"launch " + key + " ended as rejected, nothing was started, but that could not be announced: bus is gone", ""},
		{"blocked: delivered again", answer{err: status(401, 0)},
			"launch " + key + " is blocked (unauthorized), nothing was started: POST /workflow/runs: 401 Unauthorized: no (request id r-1)", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				got, res, log := run(t, &api{answers: []answer{row.answer}}, &bus{err: down}, nil)
				if got.Error != row.wantErr || res.Warning != row.warning {
					t.Errorf("error %q, warning %q; want %q, %q", got.Error, res.Warning, row.wantErr, row.warning)
				}
				if row.warning != "" && !strings.Contains(log, "launch not announced") {
					t.Errorf("the log does not tell: %s", log)
				}
			})
		})
	}
}

func TestAnnouncementSaysWhatWasSentAndAnswered(t *testing.T) {
	t.Parallel()
	var runAnswer amperity.Run
	body := `{"id":"wf-1","state":"scheduled","type":"courier.group/run","name":"Daily","tenant":"acme","created_at":"2026-11-22T06:00:01.720Z","new_field":{"a":1}}`
	if err := json.Unmarshal([]byte(body), &runAnswer); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		b := &bus{}
		_, res, log := run(t, &api{answers: []answer{{run: &runAnswer}}}, b, nil)
		want := []announcement.Announcement{{
			Type:      announcement.RunStarted,
			Resources: []string{request().Resource},
			Detail: announcement.Detail{
				Version:   "1",
				ID:        announcement.ID(announcement.RunStarted, request().Key, "", "wf-1"),
				LaunchKey: request().Key,
				Tenant:    "acme",
				Cause:     &announcement.Cause{Type: "schedule"},
				Request:   &amperity.RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-21", RangeTo: "2026-11-22"},
				Run:       &runAnswer,
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

func TestAnnouncementsSayWhatToDo(t *testing.T) {
	t.Parallel()
	rows := []struct {
		answer answer
		edit   func(*launch.DirectConfig, *launch.Launch)
		want   string
	}{
		{answer{err: status(500, 0)}, nil,
			"a run may have been started: look on the Workflows page in Amperity before you start it again"},
		{started, func(_ *launch.DirectConfig, l *launch.Launch) { l.NotAfter = time.Now().Add(-time.Second) },
			"nothing was sent to Amperity: start the run by hand if it is still wanted"},
		{answer{err: status(404, 0)}, nil, "no run was started: mend what Amperity names, then start it by hand"},
		{answer{err: &amperity.RequestError{}}, nil, "no run was started: correct the request, then start it again"},
		{answer{err: status(401, 0)}, nil,
			"no run was started: it is tried again when its event is delivered again, and ends in a dead-letter queue if it stays so"},
	}
	for _, row := range rows {
		synctest.Test(t, func(t *testing.T) {
			b := &bus{}
			run(t, &api{answers: []answer{row.answer}}, b, row.edit)
			if got := b.announced[0].Detail.Hint; got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestRetriesOfManyAreSpreadOut(t *testing.T) {
	t.Parallel()
	// The jitter adds up to the same again: never sooner than the backoff's
	// half, never later than the whole.
	for _, r := range []float64{0, 0.5, 0.999} {
		synctest.Test(t, func(t *testing.T) {
			a := &api{answers: []answer{{err: status(429, 0)}, started}}
			run(t, a, &bus{}, func(c *launch.DirectConfig, _ *launch.Launch) { c.Rand = func() float64 { return r } })
			want := 250*time.Millisecond + time.Duration(r*float64(250*time.Millisecond))
			if got := a.at[1].Sub(a.at[0]); got != want {
				t.Errorf("waited %s, want %s", got, want)
			}
		})
	}
}

func TestTooOldSaysUntilWhenItWasWanted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, res, _ := run(t, &api{answers: []answer{started}}, &bus{}, func(_ *launch.DirectConfig, l *launch.Launch) { l.NotAfter = time.Now().Add(-time.Hour) })
		// A synctest bubble begins at midnight UTC of 2000-01-01.
		want := "the run was wanted until 1999-12-31T23:00:00Z, and it is 2000-01-01T00:00:00Z"
		if res.Error == nil || res.Error.Message != want {
			t.Errorf("got %+v, want %s", res.Error, want)
		}
	})
}

// slowBus answers nothing until its context ends.
type slowBus struct{}

func (slowBus) Announce(ctx context.Context, _ ...announcement.Announcement) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestABusThatHangsDoesNotMakeARunLookUnsettled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		begin := time.Now()
		var log bytes.Buffer
		res, err := launch.NewDirect(launch.DirectConfig{API: &api{answers: []answer{started}}, Announcer: slowBus{}, Clock: clock{},
			Logger: telemetry.NewLogger(&log, slog.LevelInfo)}).Launch(ctx, request())
		if err != nil || res.Outcome != launch.Started || res.Warning == "" || time.Since(begin) != 10*time.Second {
			t.Errorf("got %+v, %v after %s; want started with a warning after 10 s", res, err, time.Since(begin))
		}
	})
}
