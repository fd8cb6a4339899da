// Package unrouted counts and announces files that no route matches.
package unrouted

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/window"
)

// Files counts and announces files that no route matches.
type Files struct {
	launches *launch.Launcher
	store    *record.Store
	clock    record.Clock
	logger   *slog.Logger
	tenant   string
}

// New returns Files that announces through l.
func New(l *launch.Launcher) *Files {
	return &Files{l, l.Store, l.Clock, l.Logger, l.Tenant}
}

const prefix = "unrouted/"

const (
	// every is the least time between two announcements of one group.
	every = time.Hour
	// keptFor is how long a bucket's item is kept after its last announcement.
	keptFor = 48 * time.Hour
	// maxFolders is how many folders of a bucket have a group of their own.
	maxFolders = 20
	// maxFolderName is the longest name of such a folder, in bytes.
	maxFolderName = 256
	// maxBucketName is the longest name of a bucket, in bytes.
	maxBucketName = 255
	// maxMarks is how many files of a bucket are recognized when their events
	// are delivered again.
	maxMarks = 1000
	// maxNames bounds the names that a group keeps of its files, in bytes of
	// JSON. A single name may be longer, 6 KB at most. A document of 21 groups
	// with two lists each then stays below 320 KB, whatever the names.
	maxNames = 2 << 10
)

// document is the document of one bucket's files that no route matches.
type document struct {
	Format int    `json:"format"`
	Bucket string `json:"bucket,omitempty"`
	// Groups are the files that share announcements: one group for each of at
	// most maxFolders folders, and one for all other files of the bucket.
	Groups []*group `json:"groups"`
	// Marks are hashes of the files that were counted last, in that order.
	// Latest is the latest event time of all counted files. Fallen bounds the
	// event times of the files whose marks were dropped.
	Marks  window.Hashes `json:"marks,omitempty"`
	Latest time.Time     `json:"latest,omitzero"`
	Fallen time.Time     `json:"fallen,omitzero"`
}

// group is what one announcement covers.
type group struct {
	// Folder is the first folder of its files. It is empty for the group that
	// the root and all other folders share.
	Folder string `json:"folder,omitempty"`
	// Announced is when the last announcement was decided.
	Announced time.Time `json:"announced,omitzero"`
	// Notice is that announcement, until it is confirmed.
	Notice sample `json:"notice,omitzero"`
	// Open are the files since then.
	Open sample `json:"open,omitzero"`
}

// sample are some files of a group.
type sample struct {
	// Count is the number of files. With AtLeast there may be more.
	Count   int  `json:"count"`
	AtLeast bool `json:"at_least,omitempty"`
	// Files are the first of them.
	Files []announcement.File `json:"files,omitempty"`
}

// Unannounced are recorded files that [Files.Announce] is to announce now.
type Unannounced struct {
	item ledger.Item
	doc  *document
	// since is when the first of these announcements was decided.
	since time.Time
}

// Record counts files of one bucket that no route matches in the ledger, in one
// write. Pass its result to [Files.Announce]. An empty bucket stands for
// buckets without an item of their own. After an error the files were not
// recorded.
func (fs *Files) Record(ctx context.Context, bucket string, files []window.Arrival) (Unannounced, error) {
	if strings.Contains(bucket, "/") || len(bucket) > maxBucketName {
		bucket = "" // not the name of a bucket
	}
	key := prefix + bucket
	item, err := fs.store.Get(ctx, key)
	for n := 1; err == nil; n++ {
		u := &document{Format: record.Format, Bucket: bucket}
		if item.Exists() {
			if err = record.Decode(item, u, func() int { return u.Format }); err != nil {
				break
			}
		}
		now := fs.clock.Now()
		if !u.fold(files, now) {
			return Unannounced{}, nil // all files were counted before
		}
		decided := u.decide(now)
		item, err = fs.write(ctx, item, u)
		var conflict *ledger.ConflictError
		switch {
		case err == nil && decided:
			// A crash here leaves an item that is due in a minute; the sweep
			// announces the files.
			return Unannounced{item, u, now}, nil
		case err == nil:
			return Unannounced{}, nil
		case errors.As(err, &conflict) && n < record.MaxFolds:
			item, err = conflict.Current[0], fs.store.PauseAfterConflict(ctx, n)
		}
	}
	return Unannounced{}, &record.LedgerError{LaunchKey: key, Err: err}
}

// Due announces the unrouted files of an item that fell due. It reports whether
// there was anything to do. After an error the item stays due.
func (fs *Files) Due(ctx context.Context, key string) (bool, error) {
	item, err := fs.store.Get(ctx, key)
	if err != nil || item.Due.IsZero() || item.Due.After(fs.clock.Now()) {
		return false, err
	}
	if strings.Contains(strings.TrimPrefix(key, prefix), "/") {
		return fs.announceFolder(ctx, item)
	}
	u := &document{}
	if err := record.Decode(item, u, func() int { return u.Format }); err != nil {
		return false, err
	}
	if u.decide(fs.clock.Now()) {
		var conflict *ledger.ConflictError
		item, err = fs.write(ctx, item, u)
		if errors.As(err, &conflict) {
			return false, nil // s3arrival was first; the item is still due
		}
		if err != nil {
			return false, err
		}
	}
	fs.Announce(ctx, Unannounced{item: item, doc: u})
	return true, nil
}

// Announce publishes the announcements that Record has decided on, and then
// confirms them. A failed announcement stays due.
func (fs *Files) Announce(ctx context.Context, a Unannounced) {
	if a.doc == nil {
		return
	}
	confirmed := map[string]time.Time{} // by folder
	failed := 0
	for _, g := range a.doc.Groups {
		if g.Notice.Count == 0 || g.Announced.Before(a.since) {
			continue
		}
		if fs.launches.Announce(ctx, fs.announcementOf(a.doc.Bucket, g)) == nil {
			fs.logger.InfoContext(ctx, "unrouted files announced", slog.String("bucket", a.doc.Bucket), slog.String("folder", g.Folder),
				slog.Int("count", g.Notice.Count), slog.Bool("at_least", g.Notice.AtLeast))
			confirmed[g.Folder] = g.Announced
		} else if failed++; failed == 2 {
			break // The event bus fails, not one event, and each attempt takes seconds.
		}
	}
	if len(confirmed) > 0 {
		fs.confirm(ctx, a.item, a.doc, confirmed)
	}
}

// confirm records that notices were announced. announced maps folders to when
// their notice was decided.
func (fs *Files) confirm(ctx context.Context, item ledger.Item, u *document, announced map[string]time.Time) {
	for n := 1; ; n++ {
		u.confirm(announced)
		// A crash before this leaves the item due; the sweep repeats the
		// announcements with the same ids.
		_, err := fs.write(ctx, item, u)
		var conflict *ledger.ConflictError
		if !errors.As(err, &conflict) || n == record.MaxFolds {
			return // at worst the sweep repeats the announcements
		}
		item, u = conflict.Current[0], &document{}
		if record.Decode(item, u, func() int { return u.Format }) != nil || fs.store.PauseAfterConflict(ctx, n) != nil {
			return
		}
	}
}

// announcementOf returns the announcement of a group's notice.
func (fs *Files) announcementOf(bucket string, g *group) announcement.Announcement {
	return fs.filesUnrouted(g.Notice, announcement.ID(announcement.FilesUnrouted, bucket, g.Folder, g.Announced.UTC().Format(time.RFC3339Nano)))
}

// filesUnrouted returns the announcement of some files.
func (fs *Files) filesUnrouted(f sample, id string) announcement.Announcement {
	return announcement.Announcement{
		Type:      announcement.FilesUnrouted,
		Resources: []string{"arn:aws:s3:::" + f.Files[0].Bucket + "/" + f.Files[0].Key},
		Detail: announcement.Detail{
			Version:  announcement.Version,
			ID:       id,
			Tenant:   fs.tenant,
			Unrouted: &announcement.Unrouted{Count: f.Count, AtLeast: f.AtLeast, Files: f.Files},
		},
	}
}

// fold counts files without a mark. It reports whether there were any.
//
// A file without a mark is certainly new if its event is later than the events
// of all dropped marks. Another file without a mark may have been counted
// before. The files of one call differ, so the count is at least the number of
// such files.
func (u *document) fold(files []window.Arrival, now time.Time) bool {
	u.Groups = slices.DeleteFunc(u.Groups, func(g *group) bool {
		return g.Open.Count == 0 && g.Notice.Count == 0 && !now.Before(g.Announced.Add(every))
	})
	known := make(map[uint64]bool, len(u.Marks)+len(files))
	for _, m := range u.Marks {
		known[m] = true
	}
	certain, doubtful := map[*group]int{}, map[*group]int{}
	before, latest := len(u.Marks), u.Latest
	for _, f := range files {
		mark := window.Hash(f)
		if known[mark] {
			continue
		}
		known[mark] = true
		u.Marks = append(u.Marks, mark)
		g := u.group(f.Key)
		g.Open.addFile(announcement.File{Bucket: f.Bucket, Key: f.Key})
		at := f.EventTime
		if at.After(now) { // by a wrong clock, or one that is ahead
			at = now
		}
		if at.After(u.Fallen) {
			certain[g]++
		} else {
			doubtful[g]++
		}
		if at.After(u.Latest) {
			u.Latest = at
		}
	}
	for _, g := range u.Groups {
		g.Open.AtLeast = g.Open.AtLeast || doubtful[g] > 0
		g.Open.Count = max(g.Open.Count, doubtful[g]) + certain[g]
	}
	if len(u.Marks) == before {
		return false
	}
	if drop := len(u.Marks) - maxMarks; drop > 0 {
		if drop > before {
			latest = u.Latest // files of this call are among the dropped ones
		}
		u.Fallen = latest
		u.Marks = u.Marks[drop:]
	}
	return true
}

// group returns the group of a key, and creates it if needed.
func (u *document) group(key string) *group {
	folder, _, ok := strings.Cut(key, "/")
	if !ok || len(folder) > maxFolderName || u.Bucket == "" {
		folder = ""
	}
	var shared *group
	own := 0
	for _, g := range u.Groups {
		switch {
		case g.Folder == folder:
			return g
		case g.Folder == "":
			shared = g
		default:
			own++
		}
	}
	if own == maxFolders && folder != "" {
		if shared != nil {
			return shared
		}
		folder = ""
	}
	g := &group{Folder: folder}
	u.Groups = append(u.Groups, g)
	return g
}

// addFile adds the name of a file if there is room for it.
func (f *sample) addFile(file announcement.File) {
	if len(f.Files) == announcement.MaxFiles || slices.Contains(f.Files, file) {
		return
	}
	names, err := json.Marshal(append(f.Files[:len(f.Files):len(f.Files)], file))
	if err == nil && (len(f.Files) == 0 || len(names) <= maxNames) {
		f.Files = append(f.Files, file)
	}
}

// decide moves the files of each group that may be announced again to its
// notice. It reports whether there are any.
func (u *document) decide(now time.Time) bool {
	decided := false
	for _, g := range u.Groups {
		if g.Open.Count > 0 && g.Notice.Count == 0 && !now.Before(g.Announced.Add(every)) {
			g.Notice, g.Open, g.Announced = g.Open, sample{}, now
			decided = true
		}
	}
	return decided
}

// confirm removes the notices that were announced.
func (u *document) confirm(announced map[string]time.Time) {
	for _, g := range u.Groups {
		if at, ok := announced[g.Folder]; ok && g.Announced.Equal(at) {
			g.Notice = sample{}
		}
	}
}

// dueTime returns when the next announcement is to be published or retried.
// Zero means never.
func (u *document) dueTime() (due time.Time) {
	for _, g := range u.Groups {
		at := time.Time{}
		switch {
		case g.Notice.Count > 0:
			at = g.Announced.Add(record.RevisitAfter)
		case g.Open.Count > 0:
			at = g.Announced.Add(every)
		}
		if due.IsZero() || !at.IsZero() && at.Before(due) {
			due = at
		}
	}
	return due
}

// write writes the document, and returns the written item.
func (fs *Files) write(ctx context.Context, item ledger.Item, u *document) (ledger.Item, error) {
	doc, err := record.Encode(u)
	if err != nil {
		return item, err
	}
	next := ledger.Item{Key: item.Key, Version: item.Version, Due: u.dueTime(), Doc: doc}
	if next.Due.IsZero() {
		next.Expires = fs.clock.Now().Add(keptFor)
	}
	if err := fs.store.WriteItems(ctx, next); err != nil {
		return item, err
	}
	next.Version++
	return next, nil
}

// folder is the document of unrouted/<bucket>/<folder>. Earlier versions wrote
// such an item for each first folder. This version only announces them.
type folder struct {
	Format    int       `json:"format"`
	Bucket    string    `json:"bucket"`
	Folder    string    `json:"folder"`
	Announced time.Time `json:"announced,omitzero"`
	// Since is when the first unannounced file arrived. Count is the number of
	// unannounced files, and Files are some of them.
	Since time.Time           `json:"since,omitzero"`
	Count int                 `json:"count"`
	Files []announcement.File `json:"files,omitempty"`
}

// announceFolder announces the files of an earlier version's item.
func (fs *Files) announceFolder(ctx context.Context, item ledger.Item) (bool, error) {
	var f folder
	if err := record.Decode(item, &f, func() int { return f.Format }); err != nil {
		return false, err
	}
	if len(f.Files) > 0 {
		id := announcement.ID(announcement.FilesUnrouted, f.Bucket, f.Folder, f.Since.UTC().Format(time.RFC3339Nano), strconv.Itoa(f.Count))
		if fs.launches.Announce(ctx, fs.filesUnrouted(sample{Count: f.Count, Files: f.Files}, id)) != nil {
			return true, nil // it stays due
		}
	}
	f = folder{Format: f.Format, Bucket: f.Bucket, Folder: f.Folder, Announced: fs.clock.Now()}
	doc, err := record.Encode(f)
	if err != nil {
		return false, err
	}
	// A crash before this leaves the item due; the sweep repeats the
	// announcement with the same id. An earlier version that has added files
	// does the same.
	err = fs.store.WriteItems(ctx, ledger.Item{Key: item.Key, Version: item.Version, Expires: f.Announced.Add(keptFor), Doc: doc})
	var conflict *ledger.ConflictError
	if errors.As(err, &conflict) {
		err = nil
	}
	return true, err
}
