package launch

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
)

const unroutedPrefix = "unrouted/"

// unroutedEvery is how often at most files of one folder are announced that no
// route matches.
const unroutedEvery = time.Hour

// maxFolder bounds the folder in an item's key, in bytes.
const maxFolder = 1200

// unrouted is the document of the files of one bucket and first folder that no
// route matches.
type unrouted struct {
	Format int    `json:"format"`
	Bucket string `json:"bucket"`
	Folder string `json:"folder"`
	// Announced is when such files were last announced.
	Announced time.Time `json:"announced,omitzero"`
	// Since is when the first came that are not announced yet; Count counts
	// them, Files are some of them.
	Since time.Time           `json:"since,omitzero"`
	Count int                 `json:"count"`
	Files []announcement.File `json:"files,omitempty"`
}

// Unrouted takes in files of one bucket and first folder that no route matches,
// and announces them, at most once an hour. An error says that they were not
// taken in.
func (l *Launcher) Unrouted(ctx context.Context, bucket, folder string, files []announcement.File) error {
	key := unroutedPrefix + bucket + "/" + folder[:min(maxFolder, len(folder))]
	item, err := l.Ledger.Get(ctx, key)
	for n := 1; err == nil; n++ {
		u := unrouted{Format: format, Bucket: bucket, Folder: folder}
		if item.Exists() {
			if err = decode(item, &u, func() int { return u.Format }); err != nil {
				break
			}
		}
		now := l.Clock.Now()
		if u.Count == 0 {
			u.Since = now
		}
		u.Count += len(files)
		// More than are announced at once: these may be announced just now.
		u.Files = append(u.Files, files[:min(len(files), 2*announcement.MaxFiles-min(len(u.Files), 2*announcement.MaxFiles))]...)
		due := u.Announced.Add(unroutedEvery)
		if due.Before(now) {
			due = now
		}
		item, err = l.putUnrouted(ctx, item, u, due)
		var conflict *ledger.ConflictError
		switch {
		case err == nil && due.Equal(now):
			return l.announceUnrouted(ctx, item, u)
		case err == nil:
			return nil
		case errors.As(err, &conflict) && n < maxFolds:
			item, err = conflict.Current[0], l.pause(ctx, n)
		}
	}
	return &LedgerError{LaunchKey: key, Err: err}
}

// LookUnrouted announces files that no route matches, once that is due.
func (l *Launcher) LookUnrouted(ctx context.Context, key string) (bool, error) {
	item, err := l.Ledger.Get(ctx, key)
	if err != nil || item.Due.IsZero() || item.Due.After(l.Clock.Now()) {
		return false, err
	}
	var u unrouted
	if err := decode(item, &u, func() int { return u.Format }); err != nil {
		return false, err
	}
	return true, l.announceUnrouted(ctx, item, u)
}

// announceUnrouted announces, and then notes it. What could not be announced
// stays due, and is no error.
func (l *Launcher) announceUnrouted(ctx context.Context, item ledger.Item, u unrouted) error {
	var resources []string
	if len(u.Files) > 0 { // their names fell out where very many came at once
		resources = []string{"arn:aws:s3:::" + u.Files[0].Bucket + "/" + u.Files[0].Key}
	}
	err := l.announce(ctx, announcement.Announcement{
		Type:      announcement.FilesUnrouted,
		Resources: resources,
		Detail: announcement.Detail{
			Version:  announcement.Version,
			ID:       announcement.ID(announcement.FilesUnrouted, u.Bucket, u.Folder, u.Since.UTC().Format(time.RFC3339Nano), strconv.Itoa(u.Count)),
			Tenant:   l.Tenant,
			Unrouted: &announcement.Unrouted{Count: u.Count, Files: u.Files},
		},
	})
	if err != nil {
		return nil
	}
	count, shown := u.Count, min(len(u.Files), announcement.MaxFiles)
	for range maxFolds {
		now := l.Clock.Now()
		u.Announced, u.Since = now, time.Time{}
		due := time.Time{}
		if u.Count -= count; u.Count > 0 {
			u.Since, due = now, now.Add(unroutedEvery)
		}
		rest := u.Files[shown:]
		if u.Count > 0 && len(rest) == 0 {
			rest = u.Files[max(0, shown-1):shown] // for a sample
		}
		u.Files = rest
		if u.Count == 0 {
			u.Files = nil
		}
		// A crash before this repeats the announcement, with the same id.
		_, err := l.putUnrouted(ctx, item, u, due)
		var conflict *ledger.ConflictError
		if !errors.As(err, &conflict) {
			return nil // announced; at worst it is repeated
		}
		item = conflict.Current[0]
		u = unrouted{}
		if decode(item, &u, func() int { return u.Format }) != nil || u.Count < count || len(u.Files) < shown {
			return nil // somebody else has announced them too
		}
	}
	return nil
}

func (l *Launcher) putUnrouted(ctx context.Context, item ledger.Item, u unrouted, due time.Time) (ledger.Item, error) {
	doc, err := encode(u)
	if err != nil {
		return item, err
	}
	next := ledger.Item{Key: item.Key, Version: item.Version, Due: due, Doc: doc}
	if due.IsZero() {
		next.Expires = u.Announced.Add(48 * time.Hour)
	}
	if err := l.persist(ctx, next); err != nil {
		return item, err
	}
	next.Version++
	return next, nil
}
