package launch

import (
	"errors"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// verdict is what is known of a launch once its request was sent, or not sent.
type verdict struct {
	outcome Outcome
	reason  string
	run     *amperity.Run
	detail  *announcement.Error
	// behind is the id of the run in front, with the reason overlap.
	behind string
	// unannounced: nobody has to know; it is logged and delivered again.
	unannounced bool
	// retryAfter is what Amperity asked for before the next request.
	retryAfter time.Duration
}

// judge says what the answer to a POST means for the launch. Only failures
// after which certainly nothing was processed are blocked or rejected; all
// others leave it unknown whether a run exists.
func judge(run *amperity.Run, err error) verdict {
	if err == nil {
		return verdict{outcome: Started, run: run}
	}
	d := &announcement.Error{Message: err.Error()}
	v := verdict{outcome: Blocked, detail: d}
	var api *amperity.APIError
	if errors.As(err, &api) {
		d.Status, d.Message, d.RequestID, d.TraceID = api.Status, err.Error(), api.RequestID, api.TraceID
		v.retryAfter = api.RetryAfter
	}
	var invalid *amperity.RequestError
	switch {
	case amperity.MayHaveBeenProcessed(err):
		v.outcome, v.reason, d.Kind = Held, announcement.ReasonUnknownOutcome, announcement.ErrorUnknown
	case errors.As(err, &invalid):
		v.outcome, v.reason, d.Kind = Rejected, announcement.ReasonInvalidInput, announcement.ErrorInvalidInput
	case errors.Is(err, amperity.ErrUnauthorized):
		v.reason, d.Kind = announcement.ReasonUnauthorized, announcement.ErrorUnauthorized
	case errors.Is(err, amperity.ErrRateLimited):
		v.reason, d.Kind = announcement.ReasonRateLimited, announcement.ErrorRateLimited
	case errors.Is(err, amperity.ErrBusy):
		v.reason, d.Kind = announcement.ReasonBusy, announcement.ErrorBusy
	case errors.Is(err, amperity.ErrRejected):
		v.outcome, v.reason, d.Kind = Rejected, announcement.ReasonRefused, announcement.ErrorRejected
	default:
		v.reason, d.Kind = announcement.ReasonUnreachable, announcement.ErrorUnreachable
	}
	return v
}

const (
	// attempts bounds the requests of one launch in one invocation; what is
	// blocked longer than that is tried again later.
	attempts = 4
)

const (
	// firstBackoff and maxBackoff bound the delay before a request is repeated.
	// It doubles each time.
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 8 * time.Second
)

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
)

// outOfTime is the verdict on a launch whose turn did not come in this
// invocation, as in a batch of very many windows.
func outOfTime(text string) verdict {
	return verdict{outcome: Blocked, reason: announcement.ReasonRateLimited, unannounced: true,
		detail: &announcement.Error{Kind: announcement.ErrorRateLimited, Message: text}}
}
