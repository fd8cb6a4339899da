package launch

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
)

const (
	pausedText = "the stack is paused and sends nothing to Amperity: deploy it with Paused=false to go on"
	// unfinishedText warns a caller that others do not know yet.
	unfinishedText  = "it is recorded, but could not be announced yet: the sweep does so within minutes"
	noCandidateText = "the request was sent and no answer came; Amperity's list of runs has shown no run of it for 15 minutes, but one may still appear"
	overlapText     = "the run %s of the same config id has been in the way for 12 hours or longer: it is still running, or cannot be read (\"run not seen\" in the log)"
	queuedText      = "the launch waits in the queue of its config id, and is sent once nothing is in front of it"
)

// Why a request was not sent.
const (
	noTimeText = "too little of the function's time was left to send the request safely"
	noTurnText = "too little of the function's time was left to wait for this instance's turn within Amperity's rate limit"
)

// What answers a command that changes nothing.
const (
	movedOnText = "nothing was done: its window has gone on since, and has another launch"
	// implausibleText answers a release of files with implausible dates.
	implausibleText = "nothing was done: a run for these dates is never started; correct the names and upload the files again, " +
		"or start the run you want by hand, then discard this"
	implausibleAdoptText = "nothing was sent to Amperity for files with implausible dates: discard it"
	adoptText            = "nothing was sent to Amperity for this window: release it to start its run, or discard it"
)

// missingText is the message of a window whose files are missing, in the list of
// what is held.
const missingText = "files were missing at the deadline, and the window still waits for them"

// Hints tell the operator what to do about an announcement. The operator answers
// with the command amperity-runs held, and names the launch key and the hold of
// the event.
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
	hintRejected = "no run was started: mend what Amperity names, then release the launch to start it (amperity-runs held)"
	hintInvalid  = "no run was started: correct the request where it is written, a schedule, a rule, a call or a route, " +
		"then start the run by hand"
	hintDiscarded     = "a person has ended it; nothing more is started for it"
	hintDiscardedSent = "a person has ended it; nothing more is started for it, but a run that it may have started goes on"
	hintOther         = "nothing was started for this input: give it another idempotency_key, or another scheduled_time, if it is another run"

	hintGoesOn = "no run was started: it is tried again by itself, about every 15 minutes"
	hintToken  = "no run was started: renew the token, or mend the secret that holds it; it then goes on by itself within about 15 minutes"
	hintUntil  = "; if it still cannot be sent at %s, it is held for a person"
)

// Hints of a window's notices.
const (
	hintMissing = "nothing was started: the window launches by itself once the files are there; " +
		"to start the run without them, release it, or discard it (amperity-runs held)"
	hintWaived  = "the window launches with what is there, as its route says (then: run)"
	hintNothing = "nothing was started, since nothing is there: the window launches with the first files that come; " +
		"to start the run all the same, release it, or discard it (amperity-runs held)"
	hintComplete  = "all files are there now: what becomes of the window's launch is announced next"
	hintAbandoned = "nothing was started for these files, and nothing will be: the routes file has no route for this window any more; " +
		"start the run by hand if it is wanted"
)

// hint says what a person should do about how the launch stands.
func hint(r *record) string {
	unclear := r.Reason == announcement.ReasonUnknownOutcome || r.maySucceed()
	switch {
	case r.State == rejected && r.Error != nil && r.Error.Kind == announcement.ErrorInvalidInput:
		return hintInvalid
	case r.State == rejected:
		return hintRejected
	case r.State == discarded && unclear:
		return hintDiscardedSent
	case r.State == discarded:
		return hintDiscarded
	case surplus(r):
		return hintSurplus
	case unclear && len(r.Candidates) > 0:
		ids := make([]string, len(r.Candidates))
		for i, c := range r.Candidates {
			ids[i] = c.ID
		}
		return fmt.Sprintf(hintCandidates, strings.Join(ids, ", "))
	case unclear && r.Error != nil && (r.Error.Kind == announcement.ErrorRejected || r.Error.Kind == announcement.ErrorInvalidInput):
		return hintEarlier + hintHeld
	case unclear:
		return hintHeld
	}
	text := hintPolicy
	switch r.Reason {
	case announcement.ReasonOverlap:
		text = hintOverlap
	case announcement.ReasonImplausibleDate:
		text = hintImplausible
	}
	switch {
	case r.Cause.FirstFile != "" && r.Cause.Files == 1:
		text += fmt.Sprintf(hintFile, r.Cause.FirstFile)
	case r.Cause.FirstFile != "":
		text += fmt.Sprintf(hintFiles, r.Cause.Files, r.Cause.FirstFile)
	}
	return text
}

// surplus reports whether the record announces a further run that may be the
// launch's.
func surplus(r *record) bool {
	return slices.ContainsFunc(r.Others, func(o otherRun) bool { return o.Hold > 0 && o.Hold == r.Hold })
}

// blockedHint says what a person should do about a launch that is blocked.
func blockedHint(r *record) string {
	text := hintGoesOn
	if r.Reason == announcement.ReasonUnauthorized {
		text = hintToken
	}
	if !r.NotAfter.IsZero() {
		text += fmt.Sprintf(hintUntil, stamp(r.NotAfter))
	}
	return text
}

// AnnounceError says that an input was refused, and that this could not be
// announced: deliver the input again. Unwrap gives the publisher's error.
type AnnounceError struct{ Err error }

func (e *AnnounceError) Error() string {
	return fmt.Sprintf("the input ended as rejected, nothing was started, but that could not be announced: %v", e.Err)
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
	return fmt.Sprintf("launch %s is being carried out by another delivery, until %s at the latest: its outcome will be announced", e.LaunchKey, e.Until.UTC().Format(time.RFC3339))
}

// LedgerError says that the ledger could not be read or written, so that this
// invocation has started nothing: deliver the input again. If the launch was
// claimed after all and only the answer was lost, the sweep goes on with it, and
// the input is known by its key.
type LedgerError struct {
	// LaunchKey is the launch, or the window's item; empty for all of them.
	LaunchKey string
	Err       error
}

func (e *LedgerError) Error() string {
	what := ""
	if e.LaunchKey != "" {
		what = " for " + e.LaunchKey
	}
	return fmt.Sprintf("this call has started nothing, because the ledger could not be read or written%s; try again: %v", what, e.Err)
}

// Unwrap returns the ledger's error.
func (e *LedgerError) Unwrap() error { return e.Err }

// UnknownKeyError says that a person's word is for nothing that is known.
type UnknownKeyError struct{ Key string }

func (e *UnknownKeyError) Error() string {
	return fmt.Sprintf("there is no launch %s in this stack: give the launch_key of the event", e.Key)
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

func tooOld(notAfter, now time.Time) *announcement.Error {
	return &announcement.Error{Kind: announcement.ErrorTooOld, Message: fmt.Sprintf(
		"the run was wanted until %s, and it is %s",
		notAfter.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))}
}

// tooOldAfter is tooOld for a launch that was blocked before; reason is empty if
// it was not.
func tooOldAfter(notAfter, now time.Time, reason string) *announcement.Error {
	e := tooOld(notAfter, now)
	if reason != "" {
		e.Message += fmt.Sprintf("; until then it was blocked (%s)", reason)
	}
	return e
}

func otherInput(key string, outcome Outcome) string {
	return fmt.Sprintf("the launch %s exists already, made of another input (its outcome: %s); this input was not carried out", key, outcome)
}

func unmarked(err error) string {
	return fmt.Sprintf("nothing was sent, because the ledger could not be read or written; it goes on by itself: %v", err)
}

func unrecordedText(err error) string {
	return fmt.Sprintf("do not start it again: what became of it could not be recorded yet, and the sweep finds it out: %v", err)
}

func doubtfulText(n int) string {
	if n == 1 {
		return "the request was sent and no answer came; Amperity has one run that may be this launch's, but that is not certain"
	}
	return fmt.Sprintf("the request was sent and no answer came; Amperity has %d runs that may be this launch's", n)
}

func undecidedText(why error) string {
	return fmt.Sprintf("the request was sent and no answer came, and for 15 minutes Amperity could not tell whether there is a run: %v", why)
}

// unsentText says that a release came to nothing; hold is the one that was
// released.
func unsentText(hold int, why string) string {
	return fmt.Sprintf("no answer came to the request, and the release of hold %d could not be carried out for a day, so that nothing was sent for it: %s", hold, why)
}

// errorTold is the error as a person is told it: where nobody knows whether
// there is a run, with when the requests were sent, to look for one by.
func errorTold(r *record) *announcement.Error {
	if r.State != held || r.Reason != announcement.ReasonUnknownOutcome || r.Error == nil || len(r.Posts) == 0 {
		return r.Error
	}
	told := *r.Error
	told.Message += " (sent " + r.Posts[0].UTC().Format(time.RFC3339)
	for _, p := range r.Posts[1:] {
		told.Message += " and " + p.UTC().Format(time.RFC3339)
	}
	told.Message += ")"
	return &told
}

func tookAwayText(runID, key string) string {
	return fmt.Sprintf("the run %s was taken for this launch's and is that of %s; whether this launch has started one is not known", runID, key)
}

// surplusText says that a launch with a run may have another one.
func surplusText(first, second string) string {
	return fmt.Sprintf("the launch has the run %s; the run %s is a further one of it, or of another launch of the same config id whose answer was lost", first, second)
}

func otherTypeText(got, want string) string {
	return fmt.Sprintf("it is of the type %s, and this config id's runs are of %s", got, want)
}

func notAskedText(hold int) string {
	return fmt.Sprintf("nothing was done: it does not wait for an answer to hold %d, or no longer does; this is how it stands", hold)
}

// heldBy says why a window's next run is left to the operator. runID is the run in
// front, with the reason overlap.
func heldBy(reason, runID string) *announcement.Error {
	text := map[string]string{
		announcement.ReasonLateFile:   "files came after a run of their window was started (late: hold), or they cannot be told from repeats of files whose launch was rejected or discarded",
		announcement.ReasonTooOld:     "the events of the files came more than 45 days late: the ledger may have forgotten a run that had these files",
		announcement.ReasonRerunLimit: "files came after the window had been run again three times, which is the most that it is by itself",
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
