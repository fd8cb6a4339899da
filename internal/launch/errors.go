package launch

import (
	"fmt"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
)

const (
	pausedText = "the stack is paused and sends nothing to Amperity: deploy it with Paused=false to go on"
	noTimeText = "too little of the function's time was left to send the request safely"
	noTurnText = "too little of the function's time was left to wait for this instance's turn within Amperity's rate limit"
)

// BlockedError says that certainly no run was started, for a reason that may
// pass: deliver the input again.
type BlockedError struct {
	LaunchKey string
	// Reason is one of unreachable, rate_limited, unauthorized, busy, paused.
	Reason string
	// Message says what happened and what to do.
	Message string
}

func (e *BlockedError) Error() string {
	return fmt.Sprintf("launch %s is blocked (%s), nothing was started: %s", e.LaunchKey, e.Reason, e.Message)
}

// AnnounceError says that a launch ended without a run and that this could not
// be announced: deliver the input again. Unwrap gives the publisher's error.
type AnnounceError struct {
	// LaunchKey is empty for an input that could not be read.
	LaunchKey string
	Outcome   Outcome
	Err       error
}

func (e *AnnounceError) Error() string {
	what := "the input"
	if e.LaunchKey != "" {
		what = "launch " + e.LaunchKey
	}
	return fmt.Sprintf("%s ended as %s, nothing was started, but that could not be announced: %v", what, e.Outcome, e.Err)
}

// Unwrap returns the publisher's error.
func (e *AnnounceError) Unwrap() error { return e.Err }

func tooOld(notAfter, now time.Time) *announcement.Error {
	return &announcement.Error{Kind: announcement.ReasonTooOld, Message: fmt.Sprintf(
		"the run was wanted until %s and it is %s: max_age has passed",
		notAfter.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))}
}

func unannounced(err error) string {
	return fmt.Sprintf("do not start it again: the outcome could not be announced: %v", err)
}
