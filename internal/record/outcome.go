package record

import (
	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// IfUnknown says what may be done where it cannot be known whether Amperity
// processed a request.
type IfUnknown string

const (
	// Hold leaves the launch to a person.
	Hold IfUnknown = "hold"
	// Retry permits one more request, once lists of runs have shown no run
	// for 15 minutes.
	Retry IfUnknown = "retry"
)

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
