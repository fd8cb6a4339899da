package launch

import (
	"fmt"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/record"
)

const (
	PausedText = "the stack is paused and sends nothing to Amperity: deploy it with Paused=false to resume"
	// UnfinishedText warns a caller that the outcome is not delivered yet.
	UnfinishedText  = "the outcome is recorded, but could not be announced yet: the sweep announces it within minutes"
	noCandidateText = "the request was sent and no answer came; Amperity's list of runs has shown no run of it for 15 minutes, but one may still appear"
	overlapText     = "the run %s of the same config id has been in front for 12 hours or longer: it is still running, or cannot be read (\"run unreadable\" in the log)"
	queuedText      = "the launch waits in the queue of its config id, and is sent once nothing is in front of it"
)

// Hints tell the operator what to do about an announcement. The operator
// answers with the command amperity-runs held, and names the launch key and the
// hold of the event.
const (
	hintHeld = "look on the Workflows page in Amperity: if the run is there, adopt it; once you are sure that it is not, " +
		"release the launch to start it now, or discard it (amperity-runs held)"
	hintCandidates = "look at %s on the Workflows page in Amperity: adopt the run that is this launch's; if none is, " +
		"release the launch to start it now, or discard it (amperity-runs held)"
	hintEarlier = "this answers a later request, and an earlier one without an answer may have started a run: "
	hintPolicy  = "nothing was sent to Amperity for this launch: release it to start it now, or discard it (amperity-runs held)"
	hintOverlap = "nothing was sent to Amperity for this launch, and other windows of the config id wait too: stop that run if it hangs, " +
		"then release the launch to put it back into the queue, or discard it (amperity-runs held)"
	hintSurplus     = "look at that run on the Workflows page in Amperity; this launch needs no answer, but another launch of the config id may wait for that run"
	hintFile        = "; the file is %s"
	hintFiles       = "; the first of its %d files is %s"
	hintImplausible = "nothing was started for these files, and a release starts nothing: correct their names and upload them again, " +
		"or start the run you want by hand; then discard this hold, which also ends the files that came since (amperity-runs held)"
	hintRejected = "no run was started: fix what Amperity names, then release the launch to start it (amperity-runs held)"
	hintInvalid  = "no run was started: correct the request where it is written, a schedule, a rule, a call or a route, " +
		"then start the run by hand"
	hintDiscarded     = "discarded by an operator: nothing more will be started"
	hintDiscardedSent = "discarded by an operator: nothing more will be started, but a run it may already have started continues"
	hintOther         = "nothing was started for this input: give it another idempotency_key, or another scheduled_time, if it is another run"

	hintBlocked = "no run was started: the launch is retried automatically, about every 15 minutes"
	hintToken   = "no run was started: renew the token, or fix the secret that holds it; the launch then resumes automatically within about 15 minutes"
	hintUntil   = "; if it still cannot be sent at %s, it is held for the operator"
)

// AnnounceError reports that an input was refused, and that this could not be
// announced. Deliver the input again.
type AnnounceError struct{ Err error }

func (e *AnnounceError) Error() string {
	return fmt.Sprintf("the input was rejected and nothing was started, but that could not be announced: %v", e.Err)
}

// Unwrap returns the publisher's error.
func (e *AnnounceError) Unwrap() error { return e.Err }

// LeasedError reports that another delivery of the same launch is in progress.
// Deliver the input again.
type LeasedError struct {
	LaunchKey string
	// Until is when that delivery has certainly ended.
	Until time.Time
}

func (e *LeasedError) Error() string {
	return fmt.Sprintf("launch %s is being carried out by another delivery, until %s at the latest: its outcome will be announced", e.LaunchKey, e.Until.UTC().Format(time.RFC3339))
}

func tooOldError(notAfter, now time.Time) *announcement.Error {
	return &announcement.Error{Kind: announcement.ErrorTooOld, Message: fmt.Sprintf(
		"the run was wanted until %s, and it is %s",
		notAfter.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))}
}

// tooOldAfterBlock returns the error of a launch that is too old. reason is why
// the launch was blocked before, or empty.
func tooOldAfterBlock(notAfter, now time.Time, reason string) *announcement.Error {
	e := tooOldError(notAfter, now)
	if reason != "" {
		e.Message += fmt.Sprintf("; until then it was blocked (%s)", reason)
	}
	return e
}

func otherInputText(key string, outcome record.Outcome) string {
	return fmt.Sprintf("launch %s already exists with a different input (outcome: %s); this input was ignored", key, outcome)
}

func unmarkedText(err error) string {
	return fmt.Sprintf("nothing was sent, because the ledger could not be read or written; the launch resumes automatically: %v", err)
}

func unrecordedText(err error) string {
	return fmt.Sprintf("do not start it again: its outcome could not be recorded yet, and the sweep looks it up: %v", err)
}

// answeredText says what came of the requests of a launch whose outcome is
// unknown.
func answeredText(r *record.LaunchDoc) string {
	if r.OnlyBusy() {
		return "Amperity answered 409, although an earlier copy of the request may have started a run"
	}
	return "the request was sent and no answer came"
}

func doubtfulText(r *record.LaunchDoc, n int) string {
	if n == 1 {
		return answeredText(r) + "; Amperity has one run that may be this launch's, but that is not certain"
	}
	return fmt.Sprintf("%s; Amperity has %d runs that may be this launch's", answeredText(r), n)
}

func undecidedText(r *record.LaunchDoc, why error) string {
	return fmt.Sprintf("%s, and for 15 minutes Amperity could not tell whether there is a run: %v", answeredText(r), why)
}

// unsentText is the message of a release that was never sent. hold is the
// number of the released hold.
func unsentText(hold int, why string) string {
	return fmt.Sprintf("no answer came to the request, and the release of hold %d could not be carried out for a day, so that nothing was sent for it: %s", hold, why)
}

func adoptionRevokedText(runID, key string) string {
	return fmt.Sprintf("this launch had adopted the run %s, which belongs to %s; whether this launch has started a run is unknown", runID, key)
}

// surplusText is the message of a launch with a run that may have another one.
func surplusText(first, second string) string {
	return fmt.Sprintf("the launch has the run %s; the run %s is a further one of it, or of another launch of the same config id whose answer was lost", first, second)
}

// HeldError returns the error of a launch that is held before its request.
// runID is the run in front, with the reason overlap.
func HeldError(reason, runID string) *announcement.Error {
	text := map[string]string{
		announcement.ReasonLateFile:   "files came after a run of their window was started (late: hold), or they cannot be told from repeats of files whose launch was rejected or discarded",
		announcement.ReasonTooOld:     "the events of the files came more than 45 days late: the ledger may have forgotten a run that had these files",
		announcement.ReasonRerunLimit: "files came after the window had been run again three times, which is the most that happens automatically",
		announcement.ReasonImplausibleDate: "the dates in the files' keys are before 2000 or more than 400 days after the files came; " +
			"amperity-runs held list counts the files of the same hour that come after this event",
		announcement.ReasonOverlap: fmt.Sprintf(overlapText, runID),
	}[reason]
	kind := announcement.ErrorPolicy
	if reason == announcement.ReasonTooOld {
		kind = announcement.ErrorTooOld
	}
	return &announcement.Error{Kind: kind, Message: text}
}
