package record

import (
	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// IfUnknown is what to do with a launch whose request has an unknown outcome.
type IfUnknown string

const (
	// Hold holds the launch for the operator.
	Hold IfUnknown = "hold"
	// Retry permits one more request after 15 minutes of lists without a
	// candidate.
	Retry IfUnknown = "retry"
)

// Outcome is how a launch ended, in the words of the functions' answers.
type Outcome string

const (
	// Started: the launch has a run.
	Started Outcome = "started"
	// Rejected: the request or Amperity's configuration is wrong. No run was
	// started, and sending the same request again does not help.
	Rejected Outcome = "rejected"
	// Blocked: no run was started yet, and the launch resumes automatically.
	Blocked Outcome = "blocked"
	// Held: the launch waits for the operator. Reason says why.
	Held Outcome = "held"
	// Discarded: the operator has ended the launch. Nothing more is started.
	Discarded Outcome = "discarded"
	// Unknown: a run may have been started. The sweep looks it up and announces
	// the outcome.
	Unknown Outcome = "unknown"
	// Duplicate: the launch existed already. Recorded is its outcome.
	Duplicate Outcome = "duplicate"
	// Waiting: the window waits for files, for quiet or for another run.
	Waiting Outcome = "waiting"
)

// Result is the answer about a launch.
type Result struct {
	Outcome Outcome `json:"outcome"`
	// Recorded is the outcome of a launch that existed already.
	Recorded  Outcome `json:"recorded,omitempty"`
	Reason    string  `json:"reason,omitempty"`
	LaunchKey string  `json:"launch_key,omitempty"`
	// HoldNumber is the number to name in a release, adopt or discard.
	HoldNumber int                 `json:"hold,omitempty"`
	Run        *amperity.Run       `json:"run,omitempty"`
	Error      *announcement.Error `json:"error,omitempty"`
	Warning    string              `json:"warning,omitempty"`
}
