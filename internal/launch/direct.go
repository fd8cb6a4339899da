package launch

import (
	"context"
	"log/slog"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
)

// DirectConfig is what a Direct is made of. All fields but Pacer, Paused and Rand
// are required.
type DirectConfig struct {
	API       Starter
	Announcer Announcer
	Clock     Clock
	Logger    *slog.Logger
	// Tenant is named in every announcement.
	Tenant string
	// Paused stops every request to Amperity.
	Paused bool
	// Pacer delays requests; nil sends them at once.
	Pacer Pacer
	// Rand gives numbers in [0,1) for the jitter of retries; nil uses
	// math/rand/v2.
	Rand func() float64
}

// Direct carries out launches without a ledger, each time that it is told to:
// a decision that is delivered twice is carried out twice. It is for local use,
// and safe for concurrent use.
type Direct struct {
	DirectConfig
	poster
}

// NewDirect returns a Direct made of c.
func NewDirect(c DirectConfig) *Direct {
	return &Direct{c, newPoster(c.API, c.Clock, c.Pacer, c.Rand)}
}

const (
	// reserve is kept of the invocation's time for what follows the POST:
	// Lambda kills at the deadline, and an outcome that nobody was told is
	// as good as lost.
	reserve = 5 * time.Second
	// postTimeout bounds one POST; the API reference says that "some
	// requests may take seconds".
	postTimeout = 20 * time.Second
	// minPost is the least time worth beginning a POST with: a request cut
	// off early is one whose outcome nobody knows.
	minPost = 3 * time.Second
	// announceTimeout bounds the publishing where the context does not.
	announceTimeout = 10 * time.Second
)

// Launch starts the run and announces the outcome.
//
// It returns a [*BlockedError] where certainly nothing was started and the
// same launch may succeed later, and a [*AnnounceError] where nothing was
// started and that could not be announced: in both cases the input should be
// delivered again. A run that was started, or may have been, is never an
// error, even where its announcement failed: Result.Warning says so then.
func (l *Direct) Launch(ctx context.Context, in Launch) (Result, error) {
	v := l.start(ctx, in)
	// A crash here leaves a run that nobody is told of; a second delivery of
	// the same input would start another.
	return l.announce(ctx, in, v)
}

// start decides whether the request may be sent, and sends it.
func (l *Direct) start(ctx context.Context, in Launch) verdict {
	switch now := l.Clock.Now(); {
	case in.Hold != "":
		return verdict{outcome: Held, reason: in.Hold, hint: hintNotSent, detail: heldBy(in.Hold, "")}
	case !in.NotAfter.IsZero() && now.After(in.NotAfter):
		return verdict{outcome: Held, reason: announcement.ReasonTooOld, hint: hintNotSent,
			detail: tooOld(in.NotAfter, now)}
	case l.Paused:
		// A paused stack is somebody's wish, not news.
		return verdict{outcome: Blocked, reason: announcement.ReasonPaused, unannounced: true,
			detail: &announcement.Error{Kind: announcement.ReasonPaused, Message: pausedText}}
	}
	v, _ := l.post(ctx, in.Request, attempts, nil) // an error is mark's alone
	return v
}

// announce publishes v and turns it into the caller's answer.
func (l *Direct) announce(ctx context.Context, in Launch, v verdict) (Result, error) {
	res := Result{Outcome: v.outcome, Reason: v.reason, LaunchKey: in.Key, Run: v.run, Error: v.detail}
	logLaunch(ctx, l.Logger, in, res)
	var err error
	if !v.unannounced {
		actx, cancel := l.Clock.WithTimeout(ctx, announceTimeout)
		err = l.Announcer.Announce(actx, l.announcement(in, v))
		cancel()
	}
	switch {
	case err != nil && res.MayHaveStarted():
		// Delivering the input again would start a second run, so the
		// failure must not look like one of the launch.
		res.Warning = unannounced(err)
		l.Logger.ErrorContext(ctx, "launch not announced", append(attrs(in, res), slog.String("error", err.Error()))...)
		return res, nil
	case v.outcome == Blocked:
		return res, &BlockedError{LaunchKey: in.Key, Reason: v.reason, Message: v.message()}
	case err != nil:
		return res, &AnnounceError{LaunchKey: in.Key, Outcome: v.outcome, Err: err}
	}
	return res, nil
}

func (l *Direct) announcement(in Launch, v verdict) announcement.Announcement {
	t := map[Outcome]announcement.DetailType{
		Started:  announcement.RunStarted,
		Rejected: announcement.RunRejected,
		Blocked:  announcement.RunBlocked,
		Held:     announcement.RunHeld,
	}[v.outcome]
	runID := ""
	if v.run != nil {
		runID = v.run.ID
	}
	a := announcement.Announcement{
		Type: t,
		Detail: announcement.Detail{
			Version:   announcement.Version,
			ID:        announcement.ID(t, in.Key, v.reason, runID),
			LaunchKey: in.Key,
			Tenant:    l.Tenant,
			Reason:    v.reason,
			Hint:      v.hint,
			Cause:     &in.Cause,
			Request:   &in.Request,
			Run:       v.run,
			Error:     v.detail,
		},
	}
	if in.Resource != "" {
		a.Resources = []string{in.Resource}
	}
	return a
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
