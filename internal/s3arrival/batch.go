package s3arrival

import (
	"slices"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/route"
	"github.com/amperity-runs/amperity-runs/internal/s3event"
	"github.com/amperity-runs/amperity-runs/internal/window"
)

// batch is the work on one batch: the messages, their windows and buckets, and
// the results.
type batch struct {
	received   time.Time
	messages   []*message
	windows    []*batchWindow
	unrouted   []s3event.Arrival
	buckets    []*bucket // of unrouted
	arrivals   int
	duplicates int
	ignored    int
	others     map[string]int // of ignored, by kind
}

// message is the unit of redelivery: one SQS message, or the whole of any other
// envelope.
type message struct {
	id      string
	err     error
	windows []*batchWindow
	buckets []*bucket
}

// maxBuckets is how many buckets of a batch have their own ledger item for
// files that no route matches. The files of all other buckets share one more
// item.
const maxBuckets = 10

// bucket has the unrouted files of one ledger item.
type bucket struct {
	name  string // empty for the item that all further buckets share
	files []window.Arrival
	err   error
}

// batchWindow is one config id and one period of the batch.
type batchWindow struct {
	match    route.Match
	messages []*message
	// arrivals has each file of the window once.
	arrivals []window.Arrival
	result   record.Result
	err      error
}

type windowKey struct {
	configID string
	period   route.Period
}

type fileKey struct {
	window  windowKey
	bucket  string
	key     string
	version string
}

// fold groups the files of a batch by window. It uses nothing of an unreadable
// message, which is delivered again as a whole.
func (h *Handler) fold(decoded s3event.Batch) *batch {
	received := h.Now()
	b := &batch{received: received, others: map[string]int{}}
	windows := make(map[windowKey]*batchWindow)
	seen := make(map[fileKey]bool)
	for _, bm := range decoded.Messages {
		m := &message{id: bm.ID, err: bm.Err}
		b.messages = append(b.messages, m)
		if bm.Err != nil {
			continue
		}
		b.ignored += bm.Ignored
		for kind, n := range bm.Others {
			b.others[kind] += n
		}
		for _, a := range bm.Arrivals {
			b.arrivals++
			if h.Routes.Ignored(a) {
				b.ignored++
				continue
			}
			matches := h.Routes.Match(a, received)
			if len(matches) == 0 {
				item := b.bucket(a.Bucket)
				if !slices.Contains(m.buckets, item) {
					m.buckets = append(m.buckets, item)
				}
				file := fileKey{bucket: a.Bucket, key: a.Key, version: version(a)}
				if !seen[file] {
					seen[file] = true
					b.unrouted = append(b.unrouted, a)
					item.files = append(item.files, window.Arrival{Bucket: a.Bucket, Key: a.Key, Version: version(a), EventTime: a.EventTime})
				}
			}
			for _, match := range matches {
				k := windowKey{match.Route.ConfigID, match.Period}
				win := windows[k]
				if win == nil {
					win = &batchWindow{match: match}
					windows[k] = win
					b.windows = append(b.windows, win)
				}
				file := fileKey{k, a.Bucket, a.Key, version(a)}
				if a.VersionID != "" {
					file.bucket = "" // a replica in another bucket is the same file
				}
				if win.count(m, file, seen, b) {
					win.arrivals = append(win.arrivals, window.Arrival{Entry: match.Pattern, Bucket: a.Bucket, Key: a.Key,
						Version: version(a), Versioned: a.VersionID != "", EventTime: a.EventTime})
				}
			}
		}
	}
	return b
}

// count counts one file for the window unless the window has it already. It
// reports whether it counted the file.
func (win *batchWindow) count(m *message, file fileKey, seen map[fileKey]bool, b *batch) bool {
	if n := len(win.messages); n == 0 || win.messages[n-1] != m {
		win.messages = append(win.messages, m)
		m.windows = append(m.windows, win)
	}
	if seen[file] {
		b.duplicates++
		return false
	}
	seen[file] = true
	return true
}

// bucket returns the ledger item for the unrouted files of a bucket.
func (b *batch) bucket(name string) *bucket {
	for _, item := range b.buckets {
		if item.name == name {
			return item
		}
	}
	if len(b.buckets) >= maxBuckets && name != "" {
		return b.bucket("")
	}
	item := &bucket{name: name}
	b.buckets = append(b.buckets, item)
	return item
}

// failures returns the messages to deliver again: unreadable ones, and those
// with files that were not recorded.
func (b *batch) failures() []*message {
	var again []*message
	for _, m := range b.messages {
		if m.again() {
			again = append(again, m)
		}
	}
	return again
}

func (m *message) again() bool { return m.reason() != nil }

// reason returns why the message is delivered again, or nil.
func (m *message) reason() error {
	if m.err != nil {
		return m.err
	}
	for _, win := range m.windows {
		if win.err != nil {
			return win.err
		}
	}
	for _, item := range m.buckets {
		if item.err != nil {
			return item.err
		}
	}
	return nil
}

func (b *batch) summary() Summary {
	s := Summary{Arrivals: b.arrivals, Ignored: b.ignored, Windows: []WindowResult{}, Unrouted: []string{}}
	for _, win := range b.windows {
		s.Windows = append(s.Windows, WindowResult{ConfigID: win.match.Route.ConfigID, Period: win.match.Period.String(), Result: win.result})
	}
	for _, a := range b.unrouted {
		s.Unrouted = append(s.Unrouted, uri(a))
	}
	return s
}

// version distinguishes two uploads under one key.
func version(a s3event.Arrival) string {
	if a.VersionID != "" {
		return a.VersionID
	}
	if a.Sequencer != "" {
		return a.Sequencer
	}
	return a.EventTime.Format(time.RFC3339Nano)
}

func uri(a s3event.Arrival) string { return "s3://" + a.Bucket + "/" + a.Key }
