package s3arrival

import (
	"context"
	"strings"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/arrival"
	"github.com/amperity-runs/amperity-runs/internal/launch"
)

// Here is what is done without a ledger, for local use: each window of a batch
// is launched at once, and what cannot be launched must be delivered again.

// launch starts the run of each window, in the order in which their first
// files stand in the batch.
func (h *Handler) launch(ctx context.Context, w *work) {
	for _, win := range w.windows {
		win.result, win.err = h.Launcher.Launch(ctx, win.launch())
	}
}

// unrouted announces the files that no route matches, once for the batch.
func (h *Handler) unrouted(ctx context.Context, w *work) {
	if len(w.unrouted) == 0 {
		return
	}
	u := announcement.Unrouted{Count: len(w.unrouted)}
	parts := make([]string, 0, 3*len(w.unrouted))
	for _, a := range w.unrouted {
		parts = append(parts, a.Bucket, a.Key, version(a))
		if len(u.Files) < announcement.MaxFiles {
			u.Files = append(u.Files, announcement.File{Bucket: a.Bucket, Key: a.Key})
		}
	}
	for _, b := range w.buckets {
		h.logUnrouted(ctx, b)
	}
	err := h.Announcer.Announce(ctx, announcement.Announcement{
		Type:      announcement.FilesUnrouted,
		Resources: []string{objectARN(w.unrouted[0])},
		Detail: announcement.Detail{
			Version:  announcement.Version,
			ID:       announcement.ID(announcement.FilesUnrouted, parts...),
			Tenant:   h.Tenant,
			Unrouted: &u,
		},
	})
	for _, b := range w.buckets {
		b.err = err
	}
}

func (win *batchWindow) key() string {
	// Revisions count the runs of a window; without a ledger there is no
	// second one to tell from the first.
	return strings.Join([]string{"arrival", win.match.Route.ConfigID, win.match.Period.String(), "1"}, "/")
}

func (win *batchWindow) launch() launch.Launch {
	return launch.Launch{
		Key:       win.key(),
		Request:   win.match.Request(),
		IfUnknown: launch.IfUnknown(win.match.Route.IfUnknown),
		Resource:  objectARN(win.first),
		Hold:      win.match.Route.Rules(win.match.Period).Hold,
		Cause: announcement.Cause{
			Type:      announcement.CauseArrival,
			Route:     win.match.Route.Name,
			Period:    win.match.Period.String(),
			FirstFile: uri(win.first),
			Files:     win.files,
		},
	}
}

// abandoned lists the windows that no redelivery will launch.
func (w *work) abandoned(ledger bool) []*batchWindow {
	var given []*batchWindow
	for _, win := range w.windows {
		kept := win.err == nil
		for _, m := range win.messages {
			kept = kept || m.again(ledger)
		}
		if !kept {
			given = append(given, win)
		}
	}
	return given
}

const givenUp = "it is not tried again by itself, since another run of the same delivery was started: start it by hand"

func objectARN(a arrival.Arrival) string { return "arn:aws:s3:::" + a.Bucket + "/" + a.Key }
