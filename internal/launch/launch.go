// Package launch turns the decision to start a workflow run into that run: it
// sends the request to Amperity, learns what became of it, and announces it.
//
// [Launcher] keeps the guarantees of docs/guarantees.md across crashes, repeats
// and lost answers: a launch key starts at most one run, and no launch is lost.
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
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// An Announcer publishes announcements. When it returns nil the event bus has
// accepted all of them; otherwise any number of them may have been published.
type Announcer interface {
	Announce(ctx context.Context, as ...announcement.Announcement) error
}

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
	IfUnknown record.IfUnknown
	// NotAfter is the instant from which on the run is no longer wanted
	// without a person's word; zero means that it always is.
	NotAfter time.Time
	// Resource is the ARN of the schedule or of the first file, or empty.
	Resource string
	// InputHash stands for the input as it was given. The same key with
	// another one is refused.
	InputHash string
}
