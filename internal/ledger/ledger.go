// Package ledger is the durable record of windows and launches: items with a
// key, a version and a document, in one DynamoDB table (package dynamo) or in
// memory ([Memory]).
//
// It knows nothing of what the documents say. What it promises, and what the
// contract test in ledgertest holds both implementations to:
//
//   - A write names the version that it was made from, and takes effect only
//     if that is still the item's version: all the items of one call, or none.
//   - Each call of Put is given a token, which stays on the items. A write that
//     took effect although its answer was lost, and is sent again with its
//     token, by the AWS SDK or by the caller, counts as done. So a token must be
//     new for each write: with other content it is [ErrTokenReused].
//   - Another writer may have gone on from a write before it is sent again. Then
//     the answer is success or a [*ConflictError]; nothing is written either way.
//     So a conflict does not prove that the write never took effect.
//   - A write that meets a concurrent transaction is tried again, and is no
//     conflict: its error is [ErrBusy] in the end.
//   - An error of Due or Held ends the list. What came before it is not all.
//   - Get sees every write that was confirmed before. Due and Held may lag
//     behind: they may list an item at a former time, or not at all. What they
//     list is a hint, and the item itself decides.
//
// Nothing is ever deleted but by the table's time to live, some time after
// Item.Expires. So an item that is gone was over for long, but items go in any
// order.
package ledger

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Item is one entry of the ledger. The zero Version is an item that does not
// exist.
type Item struct {
	// Key names the item: what kind it is, and which, parted by slashes; at
	// most [MaxKey] bytes.
	Key string
	// Version counts the writes, from 1.
	Version int64
	// Due is when somebody must look at the item, to the millisecond; zero:
	// never. The sweep finds items by it.
	Due time.Time
	// Held is since when the item waits for a person; zero: it does not. Held
	// lists by it, where Due is zero.
	Held time.Time
	// Tries counts how often nobody could work on the item since it was last
	// worked on.
	Tries int
	// Expires is when the item may be forgotten, to the second; zero: never.
	Expires time.Time
	// Doc is the document, JSON, at most [MaxDoc] bytes.
	Doc []byte
}

// Exists reports whether the item was there when it was read.
func (i Item) Exists() bool { return i.Version > 0 }

// Bounds, in bytes.
const (
	// MaxKey is DynamoDB's bound on a partition key.
	MaxKey = 2048
	// MaxDoc keeps an item below DynamoDB's 400 KB, its key and attributes
	// included.
	MaxDoc = 380 << 10
	// MaxWrite is how much one call of Put writes; DynamoDB's bound on a
	// transaction is 4 MB.
	MaxWrite = 4_000_000
	// MaxItems is how many items one call of Put writes. DynamoDB's own bound
	// is 100.
	MaxItems = 25
)

// Listed is an item's place in the list of what is due or held.
type Listed struct {
	Key string
	// At is the item's Due or Held.
	At time.Time
}

// ConflictError says that a write did not take effect, because at least one
// item is no longer of the version that was named.
type ConflictError struct {
	// Current are the items as they are now, in the order of the write; those
	// that do not exist have the key alone.
	Current []Item
}

func (e *ConflictError) Error() string {
	keys := make([]string, len(e.Current))
	for i, c := range e.Current {
		keys[i] = fmt.Sprintf("%s (version %d)", c.Key, c.Version)
	}
	return "the ledger has newer versions: " + strings.Join(keys, ", ")
}

// ErrThrottled is in the tree of errors of a call that the table refused
// because there were too many, also after the SDK's own retries.
var ErrThrottled = errors.New("the ledger's table is throttled")

// ErrBusy is in the tree of errors of a write that met other transactions on its
// items each time that it was tried, or that the table still has in progress.
// That is not a lost race: try again.
var ErrBusy = errors.New("other transactions have the same items: try again")

// ErrTokenReused is in the tree of errors of a write if an earlier write with
// other content has the same token. Nothing was written. It is a mistake of the
// caller.
var ErrTokenReused = errors.New("an earlier write has this token: make a new token for each write")

// SizeError says that an item is larger than the ledger takes. Nothing was
// written.
type SizeError struct {
	Key   string
	Size  int // bytes
	Limit int // bytes
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("the ledger's item %.200s has %d bytes, the limit is %d", e.Key, e.Size, e.Limit)
}

// Written is an item with the token of its last write.
type Written struct {
	Item
	Token string
}

// Refused returns the error of a write that the items' present versions, now,
// refuse; now is in the order of items. The error is nil if the write repeats one
// that took effect, [ErrTokenReused] if another write has the token, and otherwise
// a [*ConflictError].
func Refused(token string, items []Item, now []Written) error {
	own, fitting, same := 0, 0, true
	conflict := &ConflictError{}
	for i, item := range items {
		switch {
		case now[i].Version == item.Version+1 && now[i].Token == token:
			own++
			same = same && sameContent(item, now[i].Item)
		case now[i].Version == item.Version:
			fitting++
		}
		conflict.Current = append(conflict.Current, now[i].Item)
	}
	switch {
	case own > 0 && (!same || fitting > 0):
		return ErrTokenReused // the same write would have written all of it
	case own == len(items):
		return nil
	}
	return conflict
}

// sameContent reports whether an item holds what a write asked for, as far as a
// ledger keeps it.
func sameContent(asked, kept Item) bool {
	at := func(a, b time.Time) bool {
		return a.IsZero() == b.IsZero() && (a.IsZero() || a.UnixMilli() == b.UnixMilli())
	}
	return at(asked.Due, kept.Due) && at(asked.Held, kept.Held) && at(asked.Expires.Truncate(time.Second), kept.Expires) &&
		asked.Tries == kept.Tries && utf8Text(asked.Doc) == utf8Text(kept.Doc)
}

// utf8Text is a document as DynamoDB keeps it.
func utf8Text(doc []byte) string { return strings.ToValidUTF8(string(doc), "\uFFFD") }

// Check refuses what no ledger takes: implementations call it first in Put.
func Check(items []Item) error {
	if len(items) == 0 || len(items) > MaxItems {
		return fmt.Errorf("a write to the ledger has %d items; it may have 1 to %d", len(items), MaxItems)
	}
	size := 0
	for i, item := range items {
		if size += len(item.Key) + len(item.Doc); size > MaxWrite {
			return &SizeError{Key: item.Key, Size: size, Limit: MaxWrite}
		}
		if len(item.Key) == 0 || len(item.Key) > MaxKey {
			return &SizeError{Key: item.Key, Size: len(item.Key), Limit: MaxKey}
		}
		if len(item.Doc) > MaxDoc {
			return &SizeError{Key: item.Key, Size: len(item.Doc), Limit: MaxDoc}
		}
		for _, other := range items[:i] {
			if other.Key == item.Key {
				return fmt.Errorf("a write to the ledger has the item %.200s twice", item.Key)
			}
		}
	}
	return nil
}
