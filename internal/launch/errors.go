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
	// unfinishedText warns a caller that others do not know yet.
	unfinishedText  = "it is recorded, but could not be announced yet: the sweep does so within minutes"
	noCandidateText = "the request was sent and no answer came; Amperity's list of runs has shown no run of it for 15 minutes, but one may still appear"
	movedOnText     = "nothing was done: its window has gone on since, and has another launch"
	missingText     = "files were missing at the deadline, and the window still waits for them"
)

// Hints that go into an announcement for whoever has to act.
const (
	hintUnknown = "a run may have been started: look on the Workflows page in Amperity before you start it again"
	hintRefused = "no run was started: mend what Amperity names, then start it by hand"
	hintInput   = "no run was started: correct the request, then start it again"
	hintBlocked = "no run was started: it is tried again when its event is delivered again, and ends in a dead-letter queue if it stays so"
	hintTooOld  = "nothing was sent to Amperity: start the run by hand if it is still wanted"
	// With a ledger.
	hintGoesOn    = "no run was started: it goes on by itself as soon as it can"
	hintHeld      = "look on the Workflows page in Amperity: if the run is there, adopt it; if it is not, release the launch to start it now, or discard it"
	hintPolicy    = "nothing was sent to Amperity: release the launch to start it now, or discard it"
	hintRejected  = "no run was started: mend what Amperity names, then release the launch to start it"
	hintDiscarded = "a person has ended it; nothing more is started for it"
	hintOther     = "nothing was started for this input: give it another idempotency_key, or another scheduled_time, if it is another run"
	hintMissing   = "nothing was started: the window launches when the files are there; release it to launch with what is there"
	hintWaived    = "the window launches with what is there"
	hintComplete  = "the files are there now, and the window launches"
	hintAbandoned = "nothing was started for these files: their route is gone; start the run by hand if it is wanted"
)

// hint says what a person should do about how the launch stands.
func (r *record) hint() string {
	switch {
	case r.State == rejected && r.Error != nil && r.Error.Kind == announcement.ErrorInvalidInput:
		return hintInput
	case r.State == rejected:
		return hintRejected
	case r.State == discarded:
		return hintDiscarded
	case r.Reason == announcement.ReasonUnknownOutcome:
		return hintHeld
	}
	return hintPolicy
}

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

// AnnounceError says that a launch ended without a run, or an input was
// refused, and that this could not be announced: deliver the input again.
// Unwrap gives the publisher's error.
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

// LeasedError says that another delivery of the same launch is being carried
// out just now: deliver the input again.
type LeasedError struct {
	LaunchKey string
	// Until is when that delivery has surely ended.
	Until time.Time
}

func (e *LeasedError) Error() string {
	return fmt.Sprintf("launch %s is being carried out by another delivery until %s: its outcome will be announced", e.LaunchKey, e.Until.UTC().Format(time.RFC3339))
}

// LedgerError says that the ledger could not be read or written, so that
// nothing was begun: deliver the input again.
type LedgerError struct {
	// LaunchKey is the launch, or the window's item.
	LaunchKey string
	Err       error
}

func (e *LedgerError) Error() string {
	return fmt.Sprintf("%s: nothing was begun, because the ledger does not answer: %v", e.LaunchKey, e.Err)
}

// Unwrap returns the ledger's error.
func (e *LedgerError) Unwrap() error { return e.Err }

// UnknownKeyError says that a person's word is for nothing that is known.
type UnknownKeyError struct{ Key string }

func (e *UnknownKeyError) Error() string {
	return fmt.Sprintf("there is no launch %s: give the launch_key of the announcement, in this stack's own tenant", e.Key)
}

// AdoptError says why a run cannot be a launch's.
type AdoptError struct {
	Key, RunID string
	Problem    string
	Err        error
}

func (e *AdoptError) Error() string {
	return fmt.Sprintf("launch %s cannot adopt the run %s: %s", e.Key, e.RunID, e.Problem)
}

// Unwrap returns the client's error, if there is one.
func (e *AdoptError) Unwrap() error { return e.Err }

// incompleteError says that a list of runs lacks a run that is known.
type incompleteError struct{ runID string }

func (e *incompleteError) Error() string {
	return fmt.Sprintf("the list of runs does not show the run %s, which is known to be there", e.runID)
}

func tooOld(notAfter, now time.Time) *announcement.Error {
	return &announcement.Error{Kind: announcement.ErrorTooOld, Message: fmt.Sprintf(
		"the run was wanted until %s and it is %s: max_age has passed",
		notAfter.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))}
}

func unannounced(err error) string {
	return fmt.Sprintf("do not start it again: the outcome could not be announced: %v", err)
}

func otherInput(key string, outcome Outcome) string {
	return fmt.Sprintf("the launch %s was begun with another input (it is %s); this one was not carried out", key, outcome)
}

func unmarked(err error) string {
	return fmt.Sprintf("nothing was sent, because the ledger does not answer: %v", err)
}

func unrecordedText(err error) string {
	return fmt.Sprintf("it could not be recorded, and the sweep will find it out; do not start it again: %v", err)
}

func doubtfulText(n int) string {
	if n == 1 {
		return "the request was sent and no answer came; one run was found that may be its, but that is not certain"
	}
	return fmt.Sprintf("the request was sent and no answer came; %d runs were found that may be its", n)
}

func undecidedText(why error) string {
	return fmt.Sprintf("the request was sent and no answer came, and Amperity's list of runs could not tell for 15 minutes: %v", why)
}

func tookAwayText(runID, key string) string {
	return fmt.Sprintf("the run %s, which was taken for this launch's, is that of %s", runID, key)
}

func otherTypeText(got, want string) string {
	return fmt.Sprintf("it is of the type %s, and this config id's runs are of %s", got, want)
}

func notAskedText(hold int) string {
	return fmt.Sprintf("nothing was done: it does not wait for an answer to number %d (any more)", hold)
}

// heldBy says why a window's next run is left to a person.
func heldBy(reason string) *announcement.Error {
	text := map[string]string{
		announcement.ReasonLateFile:   "files came after the run of their window, or may be repeats of files that were dealt with",
		announcement.ReasonTooOld:     "the events of the files are older than what the ledger remembers, so they may have had their run",
		announcement.ReasonRerunLimit: "the window has been run again three times already",
		announcement.ReasonOverlap:    "another run of the config id has gone on for 12 hours",
	}[reason]
	kind := announcement.ErrorPolicy
	if reason == announcement.ReasonTooOld {
		kind = announcement.ErrorTooOld
	}
	return &announcement.Error{Kind: kind, Message: text}
}
