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

// Config is what a Launcher is made of. All fields but Pacer, Paused and Rand
// are required.
type Config struct {
	API       runs.API
	Ledger    record.Ledger
	Announcer Announcer
	Clock     record.Clock
	Logger    *slog.Logger
	// Tenant is named in every announcement.
	Tenant string
	// Token makes the token of a write, which must be new each time: it tells
	// a write's own repeat from another's write, also within one invocation.
	// [NewToken] does.
	Token func(ctx context.Context) string
	// Paused stops every request that starts a run.
	Paused bool
	// Pacer delays requests; nil sends them at once.
	Pacer runs.Pacer
	// Rand gives numbers in [0,1) for the jitter of retries; nil uses
	// math/rand/v2.
	Rand func() float64
}

// Launcher carries out launches that the ledger remembers. It is safe for
// concurrent use, in any number of processes.
type Launcher struct {
	Config
	Store *record.Store
	Runs  *runs.Client
}

// NewToken makes a random token.
func NewToken(context.Context) string { return rand.Text() }

// New returns a Launcher made of c.
func New(c Config) *Launcher {
	if c.Rand == nil {
		c.Rand = mathrand.Float64
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
	// pausedFor is when something that is paused is looked at again.
	PausedFor = 5 * time.Minute
	// blockedNews is how long a launch is blocked until that is announced.
	announceBlockedAfter = 5 * time.Minute
	// untoldNews is how long the window or the event bus does not take in how a
	// launch ended until that is counted.
	countUndeliveredAfter = 15 * time.Minute
)

// Launch carries out a launch: it claims it, starts the run and announces the
// outcome. What cannot be done now is left to the sweep, and is no error.
//
// A launch that is known already is not carried out again: the answer is
// Duplicate, with what became of it. The errors are a [*LeasedError], where
// another delivery works on it just now, and a [*LedgerError], where nothing
// could be claimed; an [*AnnounceError], where a delivery was refused and that
// could not be announced. After each the input should be delivered again.
func (l *Launcher) Launch(ctx context.Context, in Launch) (record.Result, error) {
	now := l.Clock.Now()
	j := &record.Launch{Item: ledger.Item{Key: record.LaunchPrefix + in.Key}, LaunchDoc: record.LaunchDoc{
		Format: record.Format, Key: in.Key, State: record.StateClaimed, Since: now, Claimed: now, Lease: l.LeaseEnd(ctx), InputHash: in.InputHash,
		Cause: in.Cause, Request: in.Request, Resource: in.Resource, IfUnknown: in.IfUnknown, NotAfter: in.NotAfter, WindowUpdated: true,
	}}
	// A crash before this leaves nothing: the input is delivered again. A crash
	// after it leaves a claimed launch, which the sweep carries out.
	err := l.Store.PutLaunch(ctx, j, j.Lease)
	var conflict *ledger.ConflictError
	if errors.As(err, &conflict) {
		return l.answerKnown(ctx, in, conflict.Current[0])
	}
	if err != nil {
		return record.Result{}, &record.LedgerError{LaunchKey: in.Key, Err: err}
	}
	return l.Proceed(ctx, j), nil
}

// Lease is until when this invocation works on a launch.
func (l *Launcher) LeaseEnd(ctx context.Context) time.Time {
	if d, ok := ctx.Deadline(); ok {
		return d.Add(leaseBeyond)
	}
	return l.Clock.Now().Add(leaseWithout)
}

// answerKnown answers for a launch that is known already.
func (l *Launcher) answerKnown(ctx context.Context, in Launch, item ledger.Item) (record.Result, error) {
	j, err := record.DecodeLaunch(item)
	if err != nil {
		return record.Result{}, &record.LedgerError{LaunchKey: in.Key, Err: err}
	}
	if in.InputHash != j.InputHash {
		return l.refuseOtherInput(ctx, in, j)
	}
	if (j.State == record.StateClaimed || j.State == record.StatePosting) && l.Clock.Now().Before(j.Lease) {
		return record.Result{}, &LeasedError{LaunchKey: in.Key, Until: j.Lease}
	}
	if j.State.Final() || j.State == record.StateHeld {
		l.DeliverOutcome(ctx, j)
	}
	res := j.DuplicateResult()
	l.LogResult(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, res)
	return res, nil
}

// refuseOther refuses a delivery that has the key of a launch and asks for
// something else. It says nothing of the launch but how it stands.
func (l *Launcher) refuseOtherInput(ctx context.Context, in Launch, j *record.Launch) (record.Result, error) {
	res := record.Result{
		Outcome: record.Rejected, Reason: announcement.ReasonInvalidInput,
		Error: &announcement.Error{Kind: announcement.ErrorInvalidInput, Message: otherInputText(in.Key, j.Outcome())},
	}
	l.LogResult(ctx, in.Key, in.Request.ConfigID, in.Cause.Route, res)
	err := l.Announce(ctx, announcement.Announcement{
		Type: announcement.RunRejected,
		Detail: announcement.Detail{
			Version: announcement.Version,
			ID:      announcement.ID(announcement.RunRejected, "input", in.Key, in.InputHash),
			Tenant:  l.Tenant,
			Reason:  res.Reason,
			Hint:    hintOther,
			Cause:   &in.Cause,
			Request: &in.Request,
			Error:   res.Error,
		},
	})
	if err != nil {
		return record.Result{}, &AnnounceError{Err: err}
	}
	return res, nil
}

// Proceed goes on with a launch that this invocation has claimed, or that fell
// due as claimed, and answers how far it came. It leaves nothing that the
// ledger does not know of.
func (l *Launcher) Proceed(ctx context.Context, j *record.Launch) record.Result {
	v, err := l.sendIfReady(ctx, j)
	if err != nil {
		return l.markFailed(ctx, j, err)
	}
	return l.recordOutcome(ctx, j, v)
}

// start decides whether the request may be sent, and sends it.
func (l *Launcher) sendIfReady(ctx context.Context, j *record.Launch) (runs.Verdict, error) {
	now := l.Clock.Now()
	// One of which a run may exist is not too old to be sent: noCandidate asks.
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
	// A crash here leaves a claimed launch: the sweep waits until the same time.
	if wait := j.NotBefore.Sub(l.Clock.Now()); wait > 0 && (!l.Runs.HasTimeFor(ctx, wait+runs.MinPost) || l.Clock.Sleep(ctx, wait) != nil) {
		return runs.OutOfTime(runs.NoTime), nil
	}
	most := maxAttempts
	if len(j.Posts) > 0 {
		most = 1 // the list of runs is read before each further request
	}
	return l.sendRequest(ctx, j, most)
}

// post marks a launch and sends its request. Where certainly nothing was
// processed it does so again, up to most times, while the time allows. A refused
// token is not worth a retry here: the client has tried a fresh one.
func (l *Launcher) sendRequest(ctx context.Context, j *record.Launch, most int) (runs.Verdict, error) {
	v := runs.OutOfTime(runs.NoTime)
	backoff := runs.FirstBackoff
	for n := 1; l.Runs.HasTimeFor(ctx, runs.MinPost); n++ {
		if !l.Runs.WaitForTurn(ctx) {
			if n == 1 {
				v = runs.OutOfTime(runs.NoTurn)
			}
			return v, nil
		}
		if err := l.writeMark(ctx, j); err != nil {
			return runs.Verdict{}, err
		}
		// A crash from here until the outcome is recorded leaves it unknown
		// whether there is a run.
		v = l.Runs.StartRun(ctx, j.Request)
		switch {
		case v.Outcome != record.Blocked:
			return v, nil
		case v.Reason == announcement.ReasonBusy:
			// A gateway may have sent an earlier copy, whose run is in the way now.
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

// mark notes that a request is about to be sent, and when. It is the fence:
// whoever lost the launch to another finds a newer version here, and may not
// send. The time counts for what the run covers.
func (l *Launcher) writeMark(ctx context.Context, j *record.Launch) error {
	now := l.Clock.Now()
	was := j.LaunchDoc
	first := j.State != record.StatePosting
	j.SetState(record.StatePosting, now)
	j.Lease = l.LeaseEnd(ctx)
	j.Mark(now)
	var err error
	// A crash after this leaves a launch of which nobody knows whether its
	// request was sent: the sweep looks for its run.
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

// markFailed answers for a launch whose mark could not be written: nothing was
// sent.
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

// Log writes the one line that tells what was decided.
func (l *Launcher) LogResult(ctx context.Context, key, configID, route string, res record.Result) {
	logLaunch(ctx, l.Logger, Launch{Key: key, Request: request(configID), Cause: announcement.Cause{Route: route}}, res)
}

// Count names of metrics.
const metricLaunches = "Launches"

// logLaunch writes the line of a launch, with its metric.
func logLaunch(ctx context.Context, logger *slog.Logger, in Launch, res record.Result) {
	level := slog.LevelInfo
	if res.Outcome != record.Started && res.Outcome != record.Duplicate {
		level = slog.LevelWarn
	}
	a := attrs(in, res)
	if res.Error != nil {
		a = append(a, slog.String(telemetry.Error, res.Error.Message))
	}
	logger.Log(ctx, level, "launch", append(a, telemetry.Count(metricLaunches, string(res.Outcome)))...)
}

func attrs(in Launch, res record.Result) []any {
	a := []any{
		slog.String(telemetry.LaunchKey, in.Key),
		slog.String(telemetry.ConfigID, in.Request.ConfigID),
		slog.String(telemetry.Outcome, string(res.Outcome)),
	}
	if in.Cause.Route != "" {
		a = append(a, slog.String(telemetry.Route, in.Cause.Route))
	}
	if res.Reason != "" {
		a = append(a, slog.String(telemetry.Reason, res.Reason))
	}
	if res.Run != nil {
		a = append(a, slog.String(telemetry.RunID, res.Run.ID))
	}
	return a
}

const (
	// attempts bounds the requests of one launch in one invocation; what is
	// blocked longer than that is tried again later.
	maxAttempts = 4
)

func request(configID string) amperity.RunRequest { return amperity.RunRequest{ConfigID: configID} }
