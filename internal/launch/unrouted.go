package launch

import (
	"context"
	"errors"
	"log/slog"
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
	err := l.announce(ctx, announcement.Announcement{
		Type:      announcement.FilesUnrouted,
		Resources: []string{"arn:aws:s3:::" + u.Files[0].Bucket + "/" + u.Files[0].Key},
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
	l.Logger.InfoContext(ctx, "unrouted files announced", slog.String("folder", "s3://"+u.Bucket+"/"+u.Folder), slog.Int("count", u.Count))
	before, count, shown := u.Announced, u.Count, min(len(u.Files), announcement.MaxFiles)
	for range maxFolds {
		due := u.told(count, shown, l.Clock.Now())
		// A crash before this repeats the announcement, with the same id.
		_, err := l.putUnrouted(ctx, item, u, due)
		var conflict *ledger.ConflictError
		if !errors.As(err, &conflict) {
			return nil // announced; at worst it is repeated
		}
		item = conflict.Current[0]
		u = unrouted{}
		if decode(item, &u, func() int { return u.Format }) != nil || !u.Announced.Equal(before) {
			return nil // somebody else has announced them too
		}
	}
	return nil
}

// told takes out the files that were announced: count of them, and the names
// that were shown. It returns when those that came meanwhile are due.
func (u *unrouted) told(count, shown int, now time.Time) (due time.Time) {
	u.Announced = now
	if u.Count -= count; u.Count == 0 {
		u.Since, u.Files = time.Time{}, nil
		return time.Time{}
	}
	u.Since, u.Files = now, u.Files[shown:]
	return now.Add(unroutedEvery)
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
