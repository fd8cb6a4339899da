package runs

import (
	"errors"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// The messages of a request that was not sent.
const (
	NoTime = "too little of the function's time was left to send the request safely"
	NoTurn = "too little of the function's time was left to wait for this instance's turn within Amperity's rate limit"
)

// Verdict is the result of an attempt to send a launch's request.
type Verdict struct {
	Outcome record.Outcome
	Reason  string
	Run     *amperity.Run
	Detail  *announcement.Error
	// InFront is the id of the run in front, with the reason overlap.
	InFront string
	// Unannounced: the launch is blocked by its turn or by the operator's
	// pause. A Run Blocked event would tell nothing new.
	Unannounced bool
	// RetryAfter is the wait before the next request that Amperity asks for.
	RetryAfter time.Duration
}

// Judge returns what the answer to a POST means for the launch. A failure is
// blocked or rejected only if the request was certainly not processed. After
// any other failure the outcome is unknown. A 409 is blocked although it proves
// nothing: the list is read before the next request.
func Judge(run *amperity.Run, err error) Verdict {
	if err == nil {
		return Verdict{Outcome: record.Started, Run: run}
	}
	d := &announcement.Error{Message: err.Error()}
	v := Verdict{Outcome: record.Blocked, Detail: d}
	var api *amperity.APIError
	if errors.As(err, &api) {
		d.Status, d.Message, d.RequestID, d.TraceID = api.Status, err.Error(), api.RequestID, api.TraceID
		v.RetryAfter = api.RetryAfter
	}
	var invalid *amperity.RequestError
	switch {
	case !amperity.NotProcessed(err) && !errors.Is(err, amperity.ErrConflict):
		v.Outcome, v.Reason, d.Kind = record.Held, announcement.ReasonUnknownOutcome, announcement.ErrorUnknown
	case errors.As(err, &invalid):
		v.Outcome, v.Reason, d.Kind = record.Rejected, announcement.ReasonInvalidInput, announcement.ErrorInvalidInput
	case errors.Is(err, amperity.ErrUnauthorized):
		v.Reason, d.Kind = announcement.ReasonUnauthorized, announcement.ErrorUnauthorized
	case errors.Is(err, amperity.ErrRateLimited):
		v.Reason, d.Kind = announcement.ReasonRateLimited, announcement.ErrorRateLimited
	case errors.Is(err, amperity.ErrConflict):
		v.Reason, d.Kind = announcement.ReasonBusy, announcement.ErrorBusy
	case errors.Is(err, amperity.ErrRejected):
		v.Outcome, v.Reason, d.Kind = record.Rejected, announcement.ReasonRefused, announcement.ErrorRejected
	default:
		v.Reason, d.Kind = announcement.ReasonUnreachable, announcement.ErrorUnreachable
	}
	return v
}

// OutOfTime returns the verdict on a launch whose turn did not come in this
// invocation, as in a batch of very many windows. text is the message.
func OutOfTime(text string) Verdict {
	return Verdict{Outcome: record.Blocked, Reason: announcement.ReasonRateLimited, Unannounced: true,
		Detail: &announcement.Error{Kind: announcement.ErrorRateLimited, Message: text}}
}
