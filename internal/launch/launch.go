// Package launch turns the decision to start a workflow run into that run: it
// sends the request to Amperity, learns what became of it, and announces it.
//
// [Launcher] does so with a ledger, and keeps the guarantees of
// docs/guarantees.md across crashes, repeats and lost answers: a launch key
// starts at most one run, and no launch is lost. [Direct] is for local use
// without a ledger: it remembers nothing.
//
// # The order of writes
//
//	claim     the launch exists, and will be carried out
//	mark      from here on a request may be under way
//	POST
//	record    what became of it, with the run
//	tell      the window takes in the outcome
//	announce
//	confirm
//
// Each step is one conditional write; at each a comment says what a crash right
// there leaves behind. Whatever is left is an item that falls due, and the
// sweep goes on from it with the same functions.
package launch

import (
	"context"
	"iter"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Starter starts workflow runs. Its errors are those of [amperity.Client]:
// [amperity.NotProcessed] and errors.Is alone read what a failure means for the
// run.
type Starter interface {
	StartRun(ctx context.Context, r amperity.RunRequest) (*amperity.Run, error)
}

// API starts workflow runs and looks at them; [amperity.Client] does.
type API interface {
	Starter
	GetRun(ctx context.Context, id string, view amperity.View) (*amperity.Run, error)
	// ListRunPages lists runs page by page; an error ends the list, and what came
	// before it is not the whole.
	ListRunPages(ctx context.Context, o amperity.ListOptions) iter.Seq2[*amperity.Page, error]
}

// Ledger keeps what must outlive a process; see package ledger for what it must
// promise. Its errors are [*ledger.ConflictError], where a write did not take
// effect, [*ledger.SizeError], and others, after which a write may or may not
// have taken effect.
type Ledger interface {
	Get(ctx context.Context, key string) (ledger.Item, error)
	Put(ctx context.Context, token string, items ...ledger.Item) error
	Held(ctx context.Context) iter.Seq2[ledger.Listed, error]
	Due(ctx context.Context, until time.Time) iter.Seq2[ledger.Listed, error]
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
	// WithTimeout is [context.WithTimeout] by this clock.
	WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)
}

// A Pacer delays requests so that this instance stays within its share of
// Amperity's rate limit.
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
	// for 15 minutes. It takes effect only with a ledger.
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
	// Hold is the reason why the launch is held; empty: it is sent. Only [Direct]
	// reads it.
	Hold string
	// InputHash stands for the input as it was given. The same key with
	// another one is refused.
	InputHash string
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
	// Discarded: a person has ended it; nothing more is started.
	Discarded Outcome = "discarded"
	// Unknown: a run may have been started. The sweep finds out, and what it
	// finds is announced.
	Unknown Outcome = "unknown"
	// Duplicate: the launch was known already; Recorded says what became of it.
	Duplicate Outcome = "duplicate"
	// Waiting: the window waits, for files, quiet or another run.
	Waiting Outcome = "waiting"
)

// Result is what became of a launch, as returned to a synchronous caller.
type Result struct {
	Outcome Outcome `json:"outcome"`
	// Recorded is the outcome of a launch that was known already.
	Recorded  Outcome `json:"recorded,omitempty"`
	Reason    string  `json:"reason,omitempty"`
	LaunchKey string  `json:"launch_key,omitempty"`
	// Hold is the number to name in a release, adopt or discard.
	Hold    int                 `json:"hold,omitempty"`
	Run     *amperity.Run       `json:"run,omitempty"`
	Error   *announcement.Error `json:"error,omitempty"`
	Warning string              `json:"warning,omitempty"`
}

// MayHaveStarted reports, of a result of [Direct], whether a run exists or may
// exist, so that delivering the same input again could start a second one.
func (r Result) MayHaveStarted() bool {
	return r.Outcome == Started || r.Outcome == Held && r.Reason == announcement.ReasonUnknownOutcome
}
