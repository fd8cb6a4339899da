package launch

import (
	"fmt"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/window"
)

// noticeOf is what a window announces.
func noticeOf(n window.Notice, w *Window, tenant string) announcement.Announcement {
	key := launchKey(w.ConfigID, w.Period, n.Revision)
	d := announcement.Detail{
		Version:   announcement.Version,
		ID:        announcement.ID(n.Type, key, n.At.UTC().Format(time.RFC3339Nano), fmt.Sprint(n.Hold)),
		LaunchKey: key,
		Tenant:    tenant,
		Request:   &w.Request,
		Window: &announcement.Window{
			ConfigID: w.ConfigID, Period: w.Period, Route: w.Route, Deadline: stamp(n.Deadline),
			Files: n.Files.Count, FirstFile: stamp(n.Files.First), LastFile: stamp(n.Files.Last), Samples: n.Files.Samples,
		},
	}
	switch n.Type {
	case announcement.FilesMissing:
		d.Hold, d.Hint = n.Hold, hintMissing
		if n.Waived {
			d.Hint = hintWaived
		}
		d.Error = &announcement.Error{Kind: announcement.ErrorPolicy, Message: missing(n)}
	case announcement.FilesComplete:
		d.Hint = hintComplete
	case announcement.WindowAbandoned:
		d.Hint = hintAbandoned
	}
	for _, u := range n.Unmet {
		d.Window.Unmet = append(d.Window.Unmet, announcement.Unmet{Pattern: u.Pattern, Have: u.Have, Want: u.Want})
	}
	for _, m := range n.Met {
		d.Window.Met = append(d.Window.Met, announcement.Met{Pattern: m.Pattern, Since: stamp(m.Since)})
	}
	a := announcement.Announcement{Type: n.Type, Detail: d}
	return a
}

// missing says in a sentence what is not there.
func missing(n window.Notice) string {
	if n.Files.Count == 0 {
		return fmt.Sprintf("nothing came until %s", stamp(n.Deadline))
	}
	u := n.Unmet[0]
	text := fmt.Sprintf("at %s there were %d of %d files of %s", stamp(n.Deadline), u.Have, u.Want, u.Pattern)
	if len(n.Unmet) > 1 {
		text += fmt.Sprintf(", and %d more entries were not met", len(n.Unmet)-1)
	}
	return text
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
