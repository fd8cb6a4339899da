package runs

import (
	"errors"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Why a request was not sent.
const (
	NoTime = "too little of the function's time was left to send the request safely"
	NoTurn = "too little of the function's time was left to wait for this instance's turn within Amperity's rate limit"
)

// Verdict is what is known of a launch once its request was sent, or not sent.
type Verdict struct {
	Outcome record.Outcome
	Reason  string
	Run     *amperity.Run
	Detail  *announcement.Error
	// behind is the id of the run in front, with the reason overlap.
	InFront string
	// unannounced: nobody has to know; it is logged and delivered again.
	Unannounced bool
	// retryAfter is what Amperity asked for before the next request.
	RetryAfter time.Duration
}

// Judge says what the answer to a POST means for the launch. Only failures
// after which certainly nothing was processed are blocked or rejected; all
// others leave it unknown whether a run exists. A 409 is blocked although it
// proves nothing: the list is read before the next request.
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

// OutOfTime is the verdict on a launch whose turn did not come in this
// invocation, as in a batch of very many windows.
func OutOfTime(text string) Verdict {
	return Verdict{Outcome: record.Blocked, Reason: announcement.ReasonRateLimited, Unannounced: true,
		Detail: &announcement.Error{Kind: announcement.ErrorRateLimited, Message: text}}
}
