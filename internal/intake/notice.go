package intake

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/window"
)

// Hints of a window's notices.
const (
	hintMissing = "nothing was started: the window launches automatically once the files are there; " +
		"to start the run without them, release it, or discard it (amperity-runs held)"
	hintWaived  = "the window launches with what is there, as its route says (then: run)"
	hintNothing = "nothing was started, since nothing is there: the window launches with the first files that come; " +
		"to start the run all the same, release it, or discard it (amperity-runs held)"
	hintComplete  = "all files are there now: the outcome of the window's launch is announced next"
	hintAbandoned = "nothing was started for these files, and nothing will be: the routes file no longer has a route for this window; " +
		"start the run by hand if it is wanted"
)

// noticeOf returns the announcement of a window's notice.
func noticeOf(n window.Notice, w *record.WindowSpec, tenant string) announcement.Announcement {
	key := record.LaunchKey(w.ConfigID, w.Period, n.Revision)
	d := announcement.Detail{
		Version:   announcement.Version,
		ID:        announcement.ID(n.Type, key, n.At.UTC().Format(time.RFC3339Nano), fmt.Sprint(n.HoldNumber)),
		LaunchKey: key,
		Tenant:    tenant,
		Request:   &w.Request,
		Window: &announcement.Window{
			ConfigID: w.ConfigID, Period: w.Period, Route: w.Route, Deadline: launch.Stamp(n.Deadline),
			Files: n.Files.Count, FirstFile: launch.Stamp(n.Files.First), LastFile: launch.Stamp(n.Files.Last), Samples: n.Files.Samples,
		},
	}
	switch n.Type {
	case announcement.FilesMissing:
		d.Reason, d.HoldNumber = announcement.ReasonFilesMissing, n.HoldNumber
		d.Error = &announcement.Error{Kind: announcement.ErrorPolicy, Message: describeMissing(n, w)}
		switch {
		case n.Waived && n.Files.Count > 0:
			d.Hint = hintWaived
		case n.Waived:
			d.Hint = hintNothing
		default:
			d.Hint = hintMissing
		}
	case announcement.FilesComplete:
		d.Hint = hintComplete
	case announcement.WindowAbandoned:
		d.Hint = hintAbandoned
	}
	for _, u := range n.Unmet {
		d.Window.Unmet = append(d.Window.Unmet, announcement.Unmet{Pattern: u.Pattern, Have: u.Have, Want: u.Want})
	}
	for _, m := range n.Met {
		d.Window.Met = append(d.Window.Met, announcement.Met{Pattern: m.Pattern, Since: launch.Stamp(m.Since)})
	}
	a := announcement.Announcement{Type: n.Type, Detail: d}
	if len(n.Files.Samples) > 0 {
		a.Resources = []string{"arn:aws:s3:::" + strings.TrimPrefix(n.Files.Samples[0], "s3://")}
	}
	return a
}

// maxNamed is the most unmet entries that a message names.
const maxNamed = 3

// describeMissing returns a message that names the missing files.
func describeMissing(n window.Notice, w *record.WindowSpec) string {
	if len(n.Met) == 0 && !slices.ContainsFunc(n.Unmet, func(u window.Unmet) bool { return u.Have > 0 }) {
		return fmt.Sprintf("no file of the route %s had arrived for %s by the deadline, %s", w.Route, w.Period, launch.Stamp(n.Deadline))
	}
	entries := make([]string, 0, maxNamed)
	for _, u := range n.Unmet[:min(maxNamed, len(n.Unmet))] {
		switch {
		case u.Want == 1:
			entries = append(entries, "a file for "+u.Pattern)
		case u.Have == 0:
			entries = append(entries, fmt.Sprintf("%d files for %s", u.Want, u.Pattern))
		default:
			entries = append(entries, fmt.Sprintf("%d of the %d files for %s", u.Want-u.Have, u.Want, u.Pattern))
		}
	}
	text := fmt.Sprintf("files of the route %s were missing for %s at the deadline, %s: %s", w.Route, w.Period, launch.Stamp(n.Deadline), strings.Join(entries, ", "))
	if more := len(n.Unmet) - maxNamed; more > 0 {
		text += fmt.Sprintf(", and those of %d more entries", more)
	}
	return text
}
