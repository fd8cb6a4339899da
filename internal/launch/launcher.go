package launch

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	mathrand "math/rand/v2"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/runs"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Config configures a Launcher. All fields but Pacer, Paused, Preconnect and
// Rand are required.
type Config struct {
	API       runs.API
	Ledger    record.Ledger
	Announcer Announcer
	Clock     record.Clock
	Logger    *slog.Logger
	// Tenant is named in every announcement.
	Tenant string
	// Token returns a new token for each write, as [NewToken] does. The ledger
	// uses it to recognize the retry of a write that has taken effect.
	Token func(ctx context.Context) string
	// Paused stops every request that starts a run.
	Paused bool
	// Pacer delays requests; nil sends them immediately.
	Pacer runs.Pacer
	// Preconnect is called shortly before each request that starts a run, so
	// that the connection can be opened in the background; nil does nothing.
	Preconnect func()
	// Rand returns numbers in [0,1) for the jitter of retries; nil uses
	// math/rand/v2.
	Rand func() float64
}

// Launcher carries out launches, and records each step in the ledger. It is
// safe for concurrent use, in any number of processes.
type Launcher struct {
	Config
	Store *record.Store
	Runs  *runs.Client
}

// NewToken returns a random token.
func NewToken(context.Context) string { return rand.Text() }

// New returns a Launcher configured by c.
func New(c Config) *Launcher {
	if c.Rand == nil {
		c.Rand = mathrand.Float64
	}
	if c.Preconnect == nil {
		c.Preconnect = func() {}
	}
	store := &record.Store{Ledger: c.Ledger, Clock: c.Clock, Token: c.Token, Rand: c.Rand}
	return &Launcher{c, store, &runs.Client{API: c.API, Store: store, Clock: c.Clock, Pacer: c.Pacer, Rand: c.Rand, Logger: c.Logger}}
}

const (
	// leaseBeyond is how long a lease outlasts the invocation's deadline:
	// Lambda kills late, and clocks differ.
	leaseBeyond = 11 * time.Second
	// leaseWithout is the lease of an invocation without a deadline.
	leaseWithout = 5 * time.Minute
	// PausedFor is when the sweep revisits a launch or window that is paused.
	PausedFor = 5 * time.Minute
	// announceBlockedAfter is how long a launch must be blocked before that is
	// announced.
	announceBlockedAfter = 5 * time.Minute
	// countUndeliveredAfter is how long an outcome must be undelivered before
	// that is counted.
	countUndeliveredAfter = 15 * time.Minute
)

// Launch records a launch, starts the run and announces the outcome. The sweep
// does what cannot be done now, which is no error.
//
// If the launch exists already, the answer is Duplicate with its outcome. After
// an error the input should be delivered again. A [*LeasedError] means that
// another delivery of the launch is in progress. A [*record.LedgerError] means
// that nothing was sent. An [*AnnounceError] means that the delivery was
// refused, and that this could not be announced.
func (l *Launcher) Launch(ctx context.Context, in Launch) (record.Result, error) {
	now := l.Clock.Now()
	j := &record.Launch{Item: ledger.Item{Key: record.LaunchPrefix + in.Key}, LaunchDoc: record.LaunchDoc{
		Format: record.Format, Key: in.Key, State: record.StateClaimed, Since: now, Claimed: now, Lease: l.LeaseEnd(ctx), InputHash: in.InputHash,
		Cause: in.Cause, Request: in.Request, Resource: in.Resource, IfUnknown: in.IfUnknown, NotAfter: in.NotAfter, WindowUpdated: true,
	}}
	marked, err := l.create(ctx, j)
	var conflict *ledger.ConflictError
	if errors.As(err, &conflict) {
		return l.answerKnown(ctx, in, conflict.Current[0])
	}
	if err != nil {
		return record.Result{}, &record.LedgerError{LaunchKey: in.Key, Err: err}
	}
	if !marked {
		return l.Proceed(ctx, j), nil
	}
	v, err := l.sendRequest(ctx, j, maxAttempts, true)
	return l.finish(ctx, j, v, err), nil
}

// create writes a new launch. The launch is marked if its request can be sent
// immediately, and claimed otherwise. If the launch exists already, the error is
// a [*ledger.ConflictError].
func (l *Launcher) create(ctx context.Context, j *record.Launch) (marked bool, err error) {
	// A crash before the write leaves nothing; AWS delivers the input again. A
	// crash after the mark leaves a launch whose request may have been sent; the
	// sweep looks its run up. A crash after the claim leaves a claimed launch;
	// the sweep sends its request.
	if l.prepare(ctx, j) {
		err := l.writeMark(ctx, j)
		if err == nil {
			return true, nil
		}
		var lost *record.LostError
		if errors.As(err, &lost) {
			return false, &ledger.ConflictError{Current: []ledger.Item{lost.Current}}
		}
		// If only the answer of the mark was lost, the claim fails.
	}
	return false, l.Store.PutLaunch(ctx, j, j.Lease)
}

// prepare reports whether the request of a new launch can be sent immediately
// after its mark, so that the launch needs no claim. If so, the request has
// taken its turn.
func (l *Launcher) prepare(ctx context.Context, j *record.Launch) (ready bool) {
	if l.Paused || j.TooLate(l.Clock.Now()) {
		return false
	}
	l.Preconnect()
	// The read may take long.
	return l.Store.ReadConfigID(ctx, j) == nil && l.Runs.HasTimeFor(ctx, runs.MinPost) && l.Runs.TakeTurn()
}

// LeaseEnd returns when the lease of this invocation ends.
func (l *Launcher) LeaseEnd(ctx context.Context) time.Time {
	if d, ok := ctx.Deadline(); ok {
		return d.Add(leaseBeyond)
	}
	return l.Clock.Now().Add(leaseWithout)
}

// answerKnown answers a delivery of a launch that exists already. item is the
// launch's item.
func (l *Launcher) answerKnown(ctx context.Context, in Launch, item ledger.Item) (record.Result, error) {
	j, err := record.DecodeLaunch(item)
	if err != nil {
		return record.Result{}, &record.LedgerError{LaunchKey: in.Key, Err: err}
	}
	if in.InputHash != j.InputHash {
		return l.refuseOtherInput(ctx, in, j)
	}
	leased := l.Clock.Now().Before(j.Lease)
	if (j.State == record.StateClaimed || j.State == record.StatePosting) && leased {
		return record.Result{}, &LeasedError{LaunchKey: in.Key, Until: j.Lease}
	}
	// The owner of a leased launch delivers its outcome, and the sweep if the
	// owner dies.
	if (j.State.Final() || j.State == record.StateHeld) && !leased {
		l.DeliverOutcome(ctx, j)
	}
	res := j.DuplicateResult()
	l.LogResult(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, res)
	return res, nil
}

// refuseOtherInput refuses a delivery that has the key of a launch but another
// input. Its answer reveals only the outcome of that launch.
func (l *Launcher) refuseOtherInput(ctx context.Context, in Launch, j *record.Launch) (record.Result, error) {
	return l.Reject(ctx, Rejection{Delivery: []string{in.Key, in.InputHash}, ConfigID: in.Request.ConfigID, Cause: in.Cause, Request: &in.Request,
		Problem: otherInputText(in.Key, j.Outcome()), Hint: hintOther})
}

// A Rejection is an input that cannot be carried out.
type Rejection struct {
	// Delivery names the input, so that a repeated delivery announces the same
	// event.
	Delivery []string
	// ConfigID and Cause have the fields of the input that could be read.
	ConfigID string
	Cause    announcement.Cause
	// Request is what the input asks for, or nil if it could not be read.
	Request *amperity.RunRequest
	// Resource is the ARN of the schedule, or empty.
	Resource string
	// Problem says what is wrong, and Hint what to do.
	Problem, Hint string
}

// Reject announces an input that cannot be carried out, and returns the result.
// That is final, because a repeated delivery would fail in the same way. The
// error is an [*AnnounceError].
func (l *Launcher) Reject(ctx context.Context, r Rejection) (record.Result, error) {
	res := record.Result{
		Outcome: record.Rejected, Reason: announcement.ReasonInvalidInput,
		Error: &announcement.Error{Kind: announcement.ErrorInvalidInput, Message: r.Problem},
	}
	l.Logger.WarnContext(ctx, "input rejected",
		slog.String(telemetry.Outcome, string(res.Outcome)),
		slog.String(telemetry.Reason, res.Reason),
		slog.String(telemetry.ConfigID, r.ConfigID),
		slog.String("schedule_arn", r.Cause.ScheduleARN),
		slog.String(telemetry.Error, r.Problem),
		telemetry.Count(metricLaunches, string(res.Outcome)))
	a := announcement.Announcement{
		Type: announcement.RunRejected,
		Detail: announcement.Detail{
			Version: announcement.Version,
			ID:      announcement.ID(announcement.RunRejected, append([]string{"input"}, r.Delivery...)...),
			Tenant:  l.Tenant,
			Reason:  res.Reason,
			Hint:    r.Hint,
			Cause:   &r.Cause,
			Request: r.Request,
			Error:   res.Error,
		},
	}
	if r.Resource != "" {
		a.Resources = []string{r.Resource}
	}
	if err := l.Announce(ctx, a); err != nil {
		return record.Result{}, &AnnounceError{Err: err}
	}
	return res, nil
}

// Proceed sends the request of a claimed launch, records the outcome and
// delivers it. The answer says how far it came.
func (l *Launcher) Proceed(ctx context.Context, j *record.Launch) record.Result {
	v, err := l.sendIfReady(ctx, j)
	return l.finish(ctx, j, v, err)
}

// finish records the outcome of a request. If err is set, the launch could not
// be marked, and nothing was sent.
func (l *Launcher) finish(ctx context.Context, j *record.Launch, v runs.Verdict, err error) record.Result {
	if err != nil {
		return l.markFailed(ctx, j, err)
	}
	return l.recordOutcome(ctx, j, v)
}

// sendIfReady sends the request, unless a rule or the launch's turn forbids
// that.
func (l *Launcher) sendIfReady(ctx context.Context, j *record.Launch) (runs.Verdict, error) {
	now := l.Clock.Now()
	// A launch that may already have a run is exempt: noCandidate applies
	// max_age to it.
	if len(j.Posts) == 0 && j.TooLate(now) {
		return runs.Verdict{Outcome: record.Held, Reason: announcement.ReasonTooOld, Detail: tooOldAfterBlock(j.NotAfter, now, j.Reason)}, nil
	}
	if j.Queued {
		if v, ready, err := l.isTurn(ctx, j); !ready || err != nil {
			return v, err
		}
	}
	if l.Paused {
		return runs.Verdict{Outcome: record.Blocked, Reason: announcement.ReasonPaused, Unannounced: true,
			Detail: &announcement.Error{Kind: announcement.ErrorPaused, Message: PausedText}}, nil
	}
	// A crash here leaves a claimed launch; the sweep waits until the same
	// time.
	if wait := j.NotBefore.Sub(l.Clock.Now()); wait > 0 && (!l.Runs.HasTimeFor(ctx, wait+runs.MinPost) || l.Clock.Sleep(ctx, wait) != nil) {
		return runs.OutOfTime(runs.NoTime), nil
	}
	most := maxAttempts
	if len(j.Posts) > 0 {
		most = 1 // the list of runs is read before each further request
	}
	return l.sendRequest(ctx, j, most, false)
}

// sendRequest marks a launch, unless it is marked, and sends its request. If
// the request was certainly not processed, it retries both while time is left,
// up to most times in total. It does not retry after a refused token: the
// client has tried a fresh one.
func (l *Launcher) sendRequest(ctx context.Context, j *record.Launch, most int, marked bool) (runs.Verdict, error) {
	v := runs.OutOfTime(runs.NoTime)
	backoff := runs.FirstBackoff
	for n := 1; marked || l.Runs.HasTimeFor(ctx, runs.MinPost); n++ {
		if !marked {
			if !l.Runs.WaitForTurn(ctx) {
				if n == 1 {
					v = runs.OutOfTime(runs.NoTurn)
				}
				return v, nil
			}
			if err := l.writeMark(ctx, j); err != nil {
				return runs.Verdict{}, err
			}
		}
		marked = false
		// A crash from here until the outcome is recorded leaves a launch that
		// may have a run; the sweep looks the run up.
		v = l.Runs.StartRun(ctx, j.Request)
		switch {
		case v.Outcome != record.Blocked:
			return v, nil
		case v.Reason == announcement.ReasonBusy:
			// A gateway may have sent an earlier copy, whose run is in the way.
			j.Busy = append(j.Busy, j.LastPost())
			return v, nil
		}
		j.Unmark()
		if v.Reason == announcement.ReasonUnauthorized || n == most || !l.Runs.WaitForRetry(ctx, backoff, v.RetryAfter) {
			return v, nil
		}
		backoff = min(2*backoff, runs.MaxBackoff)
	}
	return v, nil
}

// writeMark records that a request is about to be sent, and when. It is the
// fence: a process that has lost the launch finds a newer version here, and may
// not send. The time decides which files the run covers.
func (l *Launcher) writeMark(ctx context.Context, j *record.Launch) error {
	l.Preconnect()
	now := l.Clock.Now()
	was := j.LaunchDoc
	first := j.State != record.StatePosting
	j.SetState(record.StatePosting, now)
	j.Lease = l.LeaseEnd(ctx)
	j.Mark(now)
	var err error
	// A crash after this leaves a launch whose request may have been sent; the
	// sweep looks its run up.
	if first {
		err = l.Store.Transact(ctx, j, j.Lease, func(c *record.ConfigID) {
			c.SetLaunch(record.LaunchRef{Key: j.Key, State: record.RefGoing, Last: now, Doubt: true})
		})
	} else {
		err = l.Store.PutLaunch(ctx, j, j.Lease)
	}
	if err != nil {
		j.LaunchDoc = was
	}
	return err
}

// markFailed answers for a launch whose mark could not be written. Its request
// was not sent.
func (l *Launcher) markFailed(ctx context.Context, j *record.Launch, err error) record.Result {
	var lost *record.LostError
	if errors.As(err, &lost) {
		if now, err := record.DecodeLaunch(lost.Current); err == nil {
			return now.DuplicateResult()
		}
	}
	res := record.Result{Outcome: record.Blocked, Reason: announcement.ReasonUnreachable, LaunchKey: j.Key,
		Error: &announcement.Error{Kind: announcement.ErrorUnreachable, Message: unmarkedText(err)}}
	l.LogResult(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, res)
	return res
}

// LogResult logs the result of a launch, and counts it.
func (l *Launcher) LogResult(ctx context.Context, key, configID, route string, res record.Result) {
	level := slog.LevelInfo
	if res.Outcome != record.Started && res.Outcome != record.Duplicate {
		level = slog.LevelWarn
	}
	a := resultAttrs(key, configID, route, res)
	if res.Error != nil {
		a = append(a, slog.String(telemetry.Error, res.Error.Message))
	}
	l.Logger.Log(ctx, level, "launch", append(a, telemetry.Count(metricLaunches, string(res.Outcome)))...)
}

// metricLaunches counts results by outcome.
const metricLaunches = "Launches"

// resultAttrs returns the attributes of a log line about a launch.
func resultAttrs(key, configID, route string, res record.Result) []any {
	a := []any{
		slog.String(telemetry.LaunchKey, key),
		slog.String(telemetry.ConfigID, configID),
		slog.String(telemetry.Outcome, string(res.Outcome)),
	}
	if route != "" {
		a = append(a, slog.String(telemetry.Route, route))
	}
	if res.Reason != "" {
		a = append(a, slog.String(telemetry.Reason, res.Reason))
	}
	if res.Run != nil {
		a = append(a, slog.String(telemetry.RunID, res.Run.ID))
	}
	return a
}

// maxAttempts bounds the requests of one launch in one invocation. The sweep
// retries a launch that is blocked for longer.
const maxAttempts = 4
