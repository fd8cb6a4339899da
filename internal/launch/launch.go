// Package launch turns the decision to start a workflow run into that run: it
// sends the request to Amperity once, tells what became of it, and announces
// it.
//
// Call [New] once and [Launcher.Launch] for each decision. A launch ends in
// one of the outcomes of [Outcome]. Where it returns an error, nothing was
// started and the same input should be delivered again; in every other case
// the input is settled, and a second delivery could start a second run.
//
// Nothing is remembered between two calls: this version keeps no ledger, so a
// decision that is delivered twice is carried out twice. The steps of Launch
// (check, start, announce) are the places where the ledger's claim, mark and
// record belong.
package launch

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// An API starts workflow runs. Its errors are those of [amperity.Client]: what
// a failure means for the run is read from them by
// [amperity.MayHaveBeenProcessed] and nothing else.
type API interface {
	StartRun(ctx context.Context, r amperity.RunRequest) (*amperity.Run, error)
}

// An Announcer publishes announcements. When it returns nil the event bus has
// accepted all of them; otherwise any number of them may have been published.
type Announcer interface {
	Announce(ctx context.Context, as ...announcement.Announcement) error
}

// A Clock tells the time and waits.
type Clock interface {
	Now() time.Time
	// Sleep waits for d, or returns the context's error as soon as it ends.
	Sleep(ctx context.Context, d time.Duration) error
}

// A Pacer delays requests so that this instance stays within its share of
// Amperity's rate limit. [golang.org/x/time/rate.Limiter] is one.
type Pacer interface {
	// Wait blocks until the next request may be sent. It returns an error,
	// and nothing may be sent, when the context ends before that.
	Wait(ctx context.Context) error
}

// IfUnknown says what may be done where it cannot be known whether Amperity
// processed a request.
type IfUnknown string

const (
	// Hold leaves the launch to a person.
	Hold IfUnknown = "hold"
	// Retry permits one more request, once lists of runs have shown no run
	// for 15 minutes. It takes effect only where launches are remembered.
	Retry IfUnknown = "retry"
)

// A Launch is one decision to start one run.
type Launch struct {
	// Key names the decision: the same decision, delivered twice, has the
	// same key.
	Key string
	// Cause is what led to it, as announced.
	Cause announcement.Cause
	// Request is what is sent to Amperity.
	Request amperity.RunRequest
	// IfUnknown is what the route or the input asks for.
	IfUnknown IfUnknown
	// NotAfter is the instant from which on the run is no longer wanted
	// without a person's word; zero means that it always is.
	NotAfter time.Time
	// Resource is the ARN of the schedule or of the first file, or empty.
	Resource string
}

// Outcome is how a launch ended, in the words of the functions' answers.
type Outcome string

const (
	// Started: Amperity answered with a run.
	Started Outcome = "started"
	// Rejected: the request or Amperity's configuration is wrong; no run
	// was started and sending the same again will not help.
	Rejected Outcome = "rejected"
	// Blocked: certainly nothing was started, for a reason that may pass.
	Blocked Outcome = "blocked"
	// Held: left to a person; see the reason.
	Held Outcome = "held"
)

// Hints that go into the announcement for whoever has to act.
const (
	hintUnknown = "a run may have been started: look on the Workflows page in Amperity before you start it again"
	hintRefused = "no run was started: mend what Amperity names, then start it by hand"
	hintInput   = "no run was started: correct the request, then start it again"
	hintBlocked = "no run was started: it is tried again when its event is delivered again, and ends in a dead-letter queue if it stays so"
	hintTooOld  = "nothing was sent to Amperity: start the run by hand if it is still wanted"
)

// Result is what became of a launch, as returned to a synchronous caller.
type Result struct {
	Outcome   Outcome             `json:"outcome"`
	Reason    string              `json:"reason,omitempty"`
	LaunchKey string              `json:"launch_key,omitempty"`
	Run       *amperity.Run       `json:"run,omitempty"`
	Error     *announcement.Error `json:"error,omitempty"`
	Warning   string              `json:"warning,omitempty"`
}

// MayHaveStarted reports whether a run exists or may exist, so that delivering
// the same input again could start a second one.
func (r Result) MayHaveStarted() bool {
	return r.Outcome == Started || r.Outcome == Held && r.Reason == announcement.ReasonUnknownOutcome
}

// Config is what a Launcher is made of. All fields but Pacer, Paused and Rand
// are required.
type Config struct {
	API       API
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

// Launcher carries out launches. It is safe for concurrent use.
type Launcher struct {
	Config
}

// New returns a Launcher made of c.
func New(c Config) *Launcher {
	if c.Rand == nil {
		c.Rand = rand.Float64
	}
	return &Launcher{Config: c}
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
func (l *Launcher) Launch(ctx context.Context, in Launch) (Result, error) {
	v := l.start(ctx, in)
	// A crash here leaves a run that nobody is told of; a second delivery of
	// the same input would start another.
	return l.announce(ctx, in, v)
}

// start decides whether the request may be sent, and sends it.
func (l *Launcher) start(ctx context.Context, in Launch) verdict {
	switch now := l.Clock.Now(); {
	case !in.NotAfter.IsZero() && now.After(in.NotAfter):
		return verdict{outcome: Held, reason: announcement.ReasonTooOld, hint: hintTooOld,
			detail: tooOld(in.NotAfter, now)}
	case l.Paused:
		// A paused stack is somebody's wish, not news.
		return verdict{outcome: Blocked, reason: announcement.ReasonPaused, unannounced: true,
			detail: &announcement.Error{Kind: announcement.ReasonPaused, Message: pausedText}}
	}
	return l.post(ctx, in)
}

// announce publishes v and turns it into the caller's answer.
func (l *Launcher) announce(ctx context.Context, in Launch, v verdict) (Result, error) {
	res := Result{Outcome: v.outcome, Reason: v.reason, LaunchKey: in.Key, Run: v.run, Error: v.detail}
	l.log(ctx, in, res)
	var err error
	if !v.unannounced {
		actx, cancel := context.WithTimeout(ctx, announceTimeout)
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

func (l *Launcher) announcement(in Launch, v verdict) announcement.Announcement {
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

// log writes the one line that tells what was decided.
func (l *Launcher) log(ctx context.Context, in Launch, res Result) {
	level := slog.LevelInfo
	if res.Outcome != Started {
		level = slog.LevelWarn
	}
	a := attrs(in, res)
	if res.Error != nil {
		a = append(a, slog.String("error", res.Error.Message))
	}
	l.Logger.Log(ctx, level, "launch", append(a, telemetry.Count("Launches", string(res.Outcome)))...)
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
