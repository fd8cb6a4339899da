package held

import (
	"context"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/intake"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Launch is one entry of the list of what waits for the operator.
type Launch struct {
	LaunchKey string `json:"launch_key"`
	// HoldNumber is the number to name in a release, adopt or discard.
	HoldNumber int    `json:"hold"`
	Reason     string `json:"reason"`
	// Since is RFC 3339.
	Since      string                   `json:"since"`
	Request    amperity.RunRequest      `json:"request"`
	Cause      announcement.Cause       `json:"cause"`
	Message    string                   `json:"message,omitempty"`
	Candidates []announcement.Candidate `json:"candidates,omitempty"`
	// Samples are some of the files, with the reason implausible_date. Like
	// Cause.Files they include files that arrived after the launch was held.
	Samples []string `json:"samples,omitempty"`
}

// maxHeld bounds the list of what waits for the operator.
const maxHeld = 200

// maxDueRows bounds the rows of the index that one list reads.
const maxDueRows = 20_000

// listReserve is how long before its deadline the list ends: the answer takes
// some time too.
const listReserve = 5 * time.Second

// List returns what waits for the operator: held launches, and then windows
// with missing files. Both begin with the longest wait. more reports that the
// list is cut.
func (r *Resolver) List(ctx context.Context) (list []Launch, more bool, err error) {
	var launches, windows []string
	for row, err := range r.store.Held(ctx) {
		switch {
		case err != nil:
			return nil, false, &record.LedgerError{LaunchKey: "", Err: err}
		case strings.HasPrefix(row.Key, record.WindowPrefix):
			// The many windows of a feed that has ended must not hide held
			// launches.
			if len(windows) <= maxHeld {
				windows = append(windows, row.Key)
			}
		default:
			launches = append(launches, row.Key)
		}
		if len(launches) > maxHeld {
			break
		}
	}
	// A held launch is due instead while the sweep searches for its runs, or
	// while its outcome is not delivered. A window with some of its files is
	// due within a day.
	due := 0
	for row, err := range r.store.Due(ctx, r.clock.Now().Add(25*time.Hour)) {
		if err != nil {
			return nil, false, &record.LedgerError{LaunchKey: "", Err: err}
		}
		if due++; due > maxDueRows {
			more = true
			break
		}
		switch {
		case strings.HasPrefix(row.Key, record.LaunchPrefix):
			launches = append(launches, row.Key)
		case strings.HasPrefix(row.Key, record.WindowPrefix) && len(windows) <= maxHeld:
			windows = append(windows, row.Key)
		}
	}
	list = []Launch{}
	for _, key := range append(launches, windows...) {
		if end, ok := ctx.Deadline(); len(list) == maxHeld || ok && end.Sub(r.clock.Now()) < listReserve {
			return list, true, nil
		}
		item, err := r.store.Get(ctx, key)
		if err != nil {
			return nil, false, &record.LedgerError{LaunchKey: key, Err: err}
		}
		h, ok := heldEntry(item)
		if !ok {
			continue
		}
		if h.Reason == announcement.ReasonImplausibleDate {
			if err := r.addFilesSince(ctx, &h); err != nil {
				return nil, false, err
			}
		}
		list = append(list, h)
	}
	return list, more, nil
}

// heldEntry returns the entry of an item, or false if the item does not wait
// for the operator any longer.
func heldEntry(item ledger.Item) (Launch, bool) {
	switch {
	case strings.HasPrefix(item.Key, record.LaunchPrefix):
		j, err := record.DecodeLaunch(item)
		if err != nil {
			return Launch{LaunchKey: strings.TrimPrefix(item.Key, record.LaunchPrefix), Reason: reasonUnreadable,
				Since: item.Held.UTC().Format(time.RFC3339), Message: err.Error()}, true
		}
		if j.State != record.StateHeld {
			return Launch{}, false
		}
		h := Launch{LaunchKey: j.Key, HoldNumber: j.HoldNumber, Reason: j.Reason, Since: j.Since.UTC().Format(time.RFC3339),
			Request: j.Request, Cause: j.Cause, Candidates: j.Candidates, Samples: j.Samples}
		if e := launch.ErrorWithTimes(&j.LaunchDoc); e != nil {
			h.Message = e.Message
		}
		return h, true
	case strings.HasPrefix(item.Key, record.WindowPrefix):
		j, w, err := record.DecodeWindow(item, nil)
		if err != nil || !j.State.Asks() {
			return Launch{}, false
		}
		return Launch{LaunchKey: record.LaunchKey(w.ConfigID, w.Period, j.State.Revision+1), HoldNumber: j.State.HoldNumber, Reason: announcement.ReasonFilesMissing,
			Since: j.State.Missing.UTC().Format(time.RFC3339), Request: w.Request,
			Cause:   announcement.Cause{Type: announcement.CauseArrival, Route: w.Route, Period: w.Period, Files: j.State.Open.Count},
			Message: intake.MissingText}, true
	}
	return Launch{}, false
}

// addFilesSince adds to h the files that arrived since its launch was held.
func (r *Resolver) addFilesSince(ctx context.Context, h *Launch) error {
	key, _, ok := record.WindowOf(h.LaunchKey)
	if !ok {
		return nil
	}
	item, err := r.store.Get(ctx, key)
	if err != nil {
		return &record.LedgerError{LaunchKey: h.LaunchKey, Err: err}
	}
	if !item.Exists() {
		return nil
	}
	j, _, err := record.DecodeWindow(item, nil)
	if err != nil {
		return &record.LedgerError{LaunchKey: h.LaunchKey, Err: err}
	}
	h.Cause.Files += j.State.After.Count
	h.Samples = append(h.Samples, j.State.After.Samples...)
	h.Samples = h.Samples[:min(window.MaxSamples, len(h.Samples))]
	return nil
}

// reasonUnreadable is the reason of a launch that this version cannot read.
const reasonUnreadable = "unreadable"
