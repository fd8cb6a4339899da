// Package launch turns the decision to start a workflow run into that run. It
// sends the request to Amperity, records the outcome, and announces it.
//
// [Launcher] keeps the guarantees of docs/guarantees.md across crashes, repeats
// and lost answers. A launch key starts at most one run, and no launch is lost.
//
// # The order of writes
//
//	claim     the launch exists
//	mark      from here on a request may be in flight
//	POST
//	record    the outcome, with the run
//	update    the window takes in the outcome
//	announce
//	confirm
//
// A launch outside a window has no claim if its request can be sent immediately:
// the mark creates it.
//
// Each step but the POST and the announcement is one conditional write. A
// comment at each step says what a crash there leaves. That is always an item
// that falls due, and the sweep continues it with the same functions.
package launch

import (
	"context"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// An Announcer publishes announcements. If it returns nil, the event bus has
// accepted all of them. After an error any number of them may be published.
type Announcer interface {
	Announce(ctx context.Context, as ...announcement.Announcement) error
}

// A Launch is one decision to start one run.
type Launch struct {
	// Key names the decision. The same decision, delivered twice, has the same
	// key.
	Key string
	// Cause is the cause that announcements name.
	Cause announcement.Cause
	// Request is the request to Amperity.
	Request amperity.RunRequest
	// IfUnknown is the choice of the route or the input.
	IfUnknown record.IfUnknown
	// NotAfter is when the run is no longer wanted without a release by the
	// operator. Zero means never.
	NotAfter time.Time
	// Resource is the ARN of the schedule or of the first file, or empty.
	Resource string
	// InputHash is a hash of the input. A delivery with the same key and
	// another hash is refused.
	InputHash string
}
