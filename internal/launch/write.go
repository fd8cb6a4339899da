package launch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// lostError says that the launch has a newer version: somebody else has gone on
// with it.
type lostError struct{ current ledger.Item }

func (e *lostError) Error() string {
	return fmt.Sprintf("%s was taken over (version %d)", e.current.Key, e.current.Version)
}

// takenError says that the run belongs to somebody already.
type takenError struct{ current ledger.Item }

func (e *takenError) Error() string { return e.current.Key + " belongs to another launch" }

// write gives the launch's item as it is to be written, due at a time; zero:
// never.
func (j *job) write(due time.Time) (ledger.Item, error) {
	doc, err := encode(&j.record)
	if err != nil {
		return ledger.Item{}, err
	}
	item := ledger.Item{Key: j.item.Key, Version: j.item.Version, Due: due, Doc: doc}
	switch {
	case j.State == held:
		item.Held = j.Since
	case j.State.over() && due.IsZero():
		item.Expires = j.Since.Add(keptFor)
	}
	return item, nil
}

func (j *job) wrote(item ledger.Item) {
	item.Version++
	j.item = item
}

func decodeConfig(item ledger.Item, configID string) (*config, error) {
	c := &config{Format: format, ConfigID: configID}
	if !item.Exists() {
		return c, nil
	}
	if err := decode(item, c, func() int { return c.Format }); err != nil {
		return nil, err
	}
	return c, nil
}

// maxTries bounds the repeats of one call.
const maxTries = 4

// ownedBy is the item that names the launch that a run belongs to. version is the
// item's own; 0: it does not exist yet.
func ownedBy(launchKey, runID string, version int64, now time.Time) ledger.Item {
	doc, _ := encode(belongs{Format: format, Launch: launchKey}) // texts
	return ledger.Item{Key: runKey(runID), Version: version, Doc: doc, Expires: now.Add(keptFor)}
}

// runKey is the key of a run's item.
func runKey(id string) string {
	const longest = 512 // no id of Amperity's comes near it
	if len(id) > longest {
		sum := sha256.Sum256([]byte(id))
		id = hex.EncodeToString(sum[:])
	}
	return runPrefix + id
}

func request(configID string) amperity.RunRequest { return amperity.RunRequest{ConfigID: configID} }

// announcementOf tells how the launch stands: started, rejected, held or
// discarded.
func announcementOf(r *record, tenant string) announcement.Announcement {
	t := map[state]announcement.DetailType{
		started:   announcement.RunStarted,
		rejected:  announcement.RunRejected,
		held:      announcement.RunHeld,
		discarded: announcement.RunDiscarded,
	}[r.State]
	d := announcement.Detail{
		Version:    announcement.Version,
		LaunchKey:  r.Key,
		Tenant:     tenant,
		Reason:     r.Reason,
		Cause:      &r.Cause,
		Request:    &r.Request,
		Run:        r.Run,
		Truncated:  r.RunCut,
		Error:      errorTold(r),
		Candidates: r.Candidates,
	}
	switch r.State {
	case started:
		d.ID = announcement.ID(t, r.Key, r.Run.ID)
	default:
		d.Hold = r.Hold
		d.ID = announcement.ID(t, r.Key, r.Reason, fmt.Sprint(r.Hold))
		d.Hint = hint(r)
	}
	if len(r.Samples) > 0 {
		d.Window = &announcement.Window{ConfigID: r.Request.ConfigID, Period: r.Cause.Period, Route: r.Cause.Route, Files: r.Cause.Files, Samples: r.Samples}
	}
	a := announcement.Announcement{Type: t, Detail: d}
	if r.Resource != "" {
		a.Resources = []string{r.Resource}
	}
	return a
}

// blockedNews tells that a launch is blocked.
func (l *Launcher) blockedNews(j *job) announcement.Announcement {
	a := announcement.Announcement{Type: announcement.RunBlocked, Detail: announcement.Detail{
		Version:   announcement.Version,
		ID:        announcement.ID(announcement.RunBlocked, j.Key, j.Reason, j.Blocked.Since.UTC().Format(time.RFC3339Nano)),
		LaunchKey: j.Key,
		Tenant:    l.Tenant,
		Reason:    j.Reason,
		Hint:      blockedHint(&j.record),
		Cause:     &j.Cause,
		Request:   &j.Request,
		Error:     j.Error,
	}}
	if j.Resource != "" {
		a.Resources = []string{j.Resource}
	}
	return a
}
