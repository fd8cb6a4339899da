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
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
)

// Config is what a Launcher is made of. All fields but Pacer, Paused and Rand
// are required.
type Config struct {
	API       API
	Ledger    Ledger
	Announcer Announcer
	Clock     Clock
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
	Pacer Pacer
	// Rand gives numbers in [0,1) for the jitter of retries; nil uses
	// math/rand/v2.
	Rand func() float64
}

// Launcher carries out launches that the ledger remembers. It is safe for
// concurrent use, in any number of processes.
type Launcher struct {
	Config
	store *Store
	runs  *Client
}

// NewToken makes a random token.
func NewToken(context.Context) string { return rand.Text() }

// New returns a Launcher made of c.
func New(c Config) *Launcher {
	if c.Rand == nil {
		c.Rand = mathrand.Float64
	}
	store := &Store{c.Ledger, c.Clock, c.Token, c.Rand}
	return &Launcher{c, store, &Client{API: c.API, Store: store, Clock: c.Clock, Pacer: c.Pacer, Rand: c.Rand, Logger: c.Logger}}
}

const (
	// leaseBeyond is how long a lease outlasts the invocation's deadline:
	// Lambda kills late, and clocks differ.
	leaseBeyond = 11 * time.Second
	// leaseWithout is the lease of an invocation without a deadline.
	leaseWithout = 5 * time.Minute
	// pausedFor is when something that is paused is looked at again.
	pausedFor = 5 * time.Minute
	// blockedNews is how long a launch is blocked until that is announced.
	blockedNews = 5 * time.Minute
	// untoldNews is how long the window or the event bus does not take in how a
	// launch ended until that is counted.
	untoldNews = 15 * time.Minute
)

// Launch carries out a launch: it claims it, starts the run and announces the
// outcome. What cannot be done now is left to the sweep, and is no error.
//
// A launch that is known already is not carried out again: the answer is
// Duplicate, with what became of it. The errors are a [*LeasedError], where
// another delivery works on it just now, and a [*LedgerError], where nothing
// could be claimed; an [*AnnounceError], where a delivery was refused and that
// could not be announced. After each the input should be delivered again.
func (l *Launcher) Launch(ctx context.Context, in Launch) (Result, error) {
	now := l.Clock.Now()
	j := &job{item: ledger.Item{Key: launchPrefix + in.Key}, record: record{
		Format: format, Key: in.Key, State: claimed, Since: now, Claimed: now, Lease: l.lease(ctx), InputHash: in.InputHash,
		Cause: in.Cause, Request: in.Request, Resource: in.Resource, IfUnknown: in.IfUnknown, NotAfter: in.NotAfter, Told: true,
	}}
	// A crash before this leaves nothing: the input is delivered again. A crash
	// after it leaves a claimed launch, which the sweep carries out.
	err := l.store.PutLaunch(ctx, j, j.Lease)
	var conflict *ledger.ConflictError
	if errors.As(err, &conflict) {
		return l.again(ctx, in, conflict.Current[0])
	}
	if err != nil {
		return Result{}, &LedgerError{LaunchKey: in.Key, Err: err}
	}
	return l.carry(ctx, j), nil
}

// lease is until when this invocation works on a launch.
func (l *Launcher) lease(ctx context.Context) time.Time {
	if d, ok := ctx.Deadline(); ok {
		return d.Add(leaseBeyond)
	}
	return l.Clock.Now().Add(leaseWithout)
}

// again answers for a launch that is known already.
func (l *Launcher) again(ctx context.Context, in Launch, item ledger.Item) (Result, error) {
	j, err := decodeRecord(item)
	if err != nil {
		return Result{}, &LedgerError{LaunchKey: in.Key, Err: err}
	}
	if in.InputHash != j.InputHash {
		return l.refuseOther(ctx, in, j)
	}
	if (j.State == claimed || j.State == posting) && l.Clock.Now().Before(j.Lease) {
		return Result{}, &LeasedError{LaunchKey: in.Key, Until: j.Lease}
	}
	if j.State.over() || j.State == held {
		l.finish(ctx, j)
	}
	res := j.duplicate()
	l.log(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, res)
	return res, nil
}

// refuseOther refuses a delivery that has the key of a launch and asks for
// something else. It says nothing of the launch but how it stands.
func (l *Launcher) refuseOther(ctx context.Context, in Launch, j *job) (Result, error) {
	res := Result{
		Outcome: Rejected, Reason: announcement.ReasonInvalidInput,
		Error: &announcement.Error{Kind: announcement.ErrorInvalidInput, Message: otherInput(in.Key, j.outcome())},
	}
	l.log(ctx, in.Key, in.Request.ConfigID, in.Cause.Route, res)
	err := l.announce(ctx, announcement.Announcement{
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
		return Result{}, &AnnounceError{Err: err}
	}
	return res, nil
}

// carry goes on with a launch that this invocation has claimed, or that fell
// due as claimed, and answers how far it came. It leaves nothing that the
// ledger does not know of.
func (l *Launcher) carry(ctx context.Context, j *job) Result {
	v, err := l.start(ctx, j)
	if err != nil {
		return l.unwritten(ctx, j, err)
	}
	return l.settle(ctx, j, v)
}

// start decides whether the request may be sent, and sends it.
func (l *Launcher) start(ctx context.Context, j *job) (verdict, error) {
	now := l.Clock.Now()
	// One of which a run may exist is not too old to be sent: noCandidate asks.
	if len(j.Posts) == 0 && j.tooLate(now) {
		return verdict{outcome: Held, reason: announcement.ReasonTooOld, detail: tooOldAfter(j.NotAfter, now, j.Reason)}, nil
	}
	if j.Queued {
		if v, ready, err := l.itsTurn(ctx, j); !ready || err != nil {
			return v, err
		}
	}
	if l.Paused {
		return verdict{outcome: Blocked, reason: announcement.ReasonPaused, unannounced: true,
			detail: &announcement.Error{Kind: announcement.ErrorPaused, Message: pausedText}}, nil
	}
	// A crash here leaves a claimed launch: the sweep waits until the same time.
	if wait := j.NotBefore.Sub(l.Clock.Now()); wait > 0 && (!l.runs.TimeFor(ctx, wait+minPost) || l.Clock.Sleep(ctx, wait) != nil) {
		return outOfTime(noTimeText), nil
	}
	most := attempts
	if len(j.Posts) > 0 {
		most = 1 // the list of runs is read before each further request
	}
	return l.post(ctx, j, most)
}

// post marks a launch and sends its request. Where certainly nothing was
// processed it does so again, up to most times, while the time allows. A refused
// token is not worth a retry here: the client has tried a fresh one.
func (l *Launcher) post(ctx context.Context, j *job, most int) (verdict, error) {
	v := outOfTime(noTimeText)
	backoff := firstBackoff
	for n := 1; l.runs.TimeFor(ctx, minPost); n++ {
		if !l.runs.Turn(ctx) {
			if n == 1 {
				v = outOfTime(noTurnText)
			}
			return v, nil
		}
		if err := l.mark(ctx, j); err != nil {
			return verdict{}, err
		}
		// A crash from here until the outcome is recorded leaves it unknown
		// whether there is a run.
		v = l.runs.Start(ctx, j.Request)
		switch {
		case v.outcome != Blocked:
			return v, nil
		case v.reason == announcement.ReasonBusy:
			// A gateway may have sent an earlier copy, whose run is in the way now.
			j.Busy = append(j.Busy, j.lastPost())
			return v, nil
		}
		j.unmark()
		if v.reason == announcement.ReasonUnauthorized || n == most || !l.runs.Rest(ctx, backoff, v.retryAfter) {
			return v, nil
		}
		backoff = min(2*backoff, maxBackoff)
	}
	return v, nil
}

// mark notes that a request is about to be sent, and when. It is the fence:
// whoever lost the launch to another finds a newer version here, and may not
// send. The time counts for what the run covers.
func (l *Launcher) mark(ctx context.Context, j *job) error {
	now := l.Clock.Now()
	was := j.record
	first := j.State != posting
	j.to(posting, now)
	j.Lease = l.lease(ctx)
	j.mark(now)
	var err error
	// A crash after this leaves a launch of which nobody knows whether its
	// request was sent: the sweep looks for its run.
	if first {
		err = l.store.Transact(ctx, j, j.Lease, func(c *config) {
			c.set(entry{Key: j.Key, State: entryGoing, Last: now, Doubt: true})
		})
	} else {
		err = l.store.PutLaunch(ctx, j, j.Lease)
	}
	if err != nil {
		j.record = was
	}
	return err
}

// unwritten answers for a launch whose mark could not be written: nothing was
// sent.
func (l *Launcher) unwritten(ctx context.Context, j *job, err error) Result {
	var lost *lostError
	if errors.As(err, &lost) {
		if now, err := decodeRecord(lost.current); err == nil {
			return now.duplicate()
		}
	}
	res := Result{Outcome: Blocked, Reason: announcement.ReasonUnreachable, LaunchKey: j.Key,
		Error: &announcement.Error{Kind: announcement.ErrorUnreachable, Message: unmarked(err)}}
	l.log(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, res)
	return res
}

// result answers how a launch stands.
func (r *record) result() Result {
	res := Result{Outcome: r.outcome(), Reason: r.Reason, LaunchKey: r.Key, Run: r.Run, Error: r.Error}
	if r.State == held || r.State == rejected {
		res.Hold = r.Hold
	}
	return res
}

// duplicate answers for a launch that was known already.
func (r *record) duplicate() Result {
	res := r.result()
	res.Recorded, res.Outcome = res.Outcome, Duplicate
	return res
}

func (r *record) outcome() Outcome {
	switch r.State {
	case claimed:
		return Blocked
	case posting, unknown:
		if r.onlyBusy() {
			return Blocked
		}
		return Unknown
	}
	return Outcome(r.State)
}

// log writes the one line that tells what was decided.
func (l *Launcher) log(ctx context.Context, key, configID, route string, res Result) {
	logLaunch(ctx, l.Logger, Launch{Key: key, Request: request(configID), Cause: announcement.Cause{Route: route}}, res)
}

// Count names of metrics.
const metricLaunches = "Launches"

// logLaunch writes the line of a launch, with its metric.
func logLaunch(ctx context.Context, logger *slog.Logger, in Launch, res Result) {
	level := slog.LevelInfo
	if res.Outcome != Started && res.Outcome != Duplicate {
		level = slog.LevelWarn
	}
	a := attrs(in, res)
	if res.Error != nil {
		a = append(a, slog.String(telemetry.Error, res.Error.Message))
	}
	logger.Log(ctx, level, "launch", append(a, telemetry.Count(metricLaunches, string(res.Outcome)))...)
}

func attrs(in Launch, res Result) []any {
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
