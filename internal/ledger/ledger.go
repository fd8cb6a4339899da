// Package ledger is the durable record of windows and launches: items with a
// key, a version and a document, in one DynamoDB table (package dynamo) or in
// memory ([Memory]).
//
// It does not know the content of the documents. The contract test in
// ledgertest holds both implementations to these promises:
//
//   - A write names the version that it replaces, and takes effect only if that
//     is still the item's version. One call writes all its items or none.
//   - Each call of Put has a token, which stays on the items. If a write took
//     effect but its answer was lost, a repeat with the same token counts as
//     done. The AWS SDK or the caller may send the repeat. Each write needs a
//     new token: reusing a token with other content is [ErrTokenReused].
//   - Another writer may replace a write before the write is repeated. The
//     repeat then returns success or a [*ConflictError], and writes nothing. So
//     a conflict does not prove that the write never took effect.
//   - A write that meets a concurrent transaction is retried. If every retry
//     fails its error is [ErrBusy], which is not a conflict.
//   - An error of Due or Held ends the list, which is then incomplete.
//   - Get sees every write confirmed before it. Due and Held may lag: they may
//     list an item with an old time, or not at all. The lists are hints, and
//     the item itself decides.
//
// Only the table's time to live deletes items, some time after Item.Expires. It
// deletes them in any order.
package ledger

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Item is one entry of the ledger. An item with Version 0 does not exist.
type Item struct {
	// Key names the item: its kind and its name, separated by slashes, at most
	// [MaxKey] bytes.
	Key string
	// Version counts the writes, from 1.
	Version int64
	// Due is when the sweep must work on the item, to the millisecond; zero
	// means never.
	Due time.Time
	// Held is when the item began to wait for the operator; zero if it does not
	// wait. The list Held has the items whose Due is zero, in the order of this
	// time.
	Held time.Time
	// Tries counts the sweep's failures on the item since its last success.
	Tries int
	// Expires is when the item may be deleted, to the second; zero means never.
	Expires time.Time
	// Doc is the document, JSON, at most [MaxDoc] bytes.
	Doc []byte
}

// Exists reports whether the item existed when it was read.
func (i Item) Exists() bool { return i.Version > 0 }

// Bounds, in bytes.
const (
	// MaxKey is DynamoDB's bound on a partition key.
	MaxKey = 2048
	// MaxDoc keeps an item, with its key and attributes, below DynamoDB's 400
	// KB.
	MaxDoc = 380 << 10
	// MaxWrite bounds the bytes of one call of Put. DynamoDB's bound on a
	// transaction is 4 MB.
	MaxWrite = 4_000_000
	// MaxItems bounds the items of one call of Put. DynamoDB's own bound is
	// 100.
	MaxItems = 25
)

// Listed is an item's place in the list of due or held items.
type Listed struct {
	Key string
	// At is the item's Due or Held.
	At time.Time
}

// ConflictError reports that a write did not take effect, because at least one
// item no longer has the version that the write named.
type ConflictError struct {
	// Current are the current items, in the order of the write. An item that
	// does not exist has only its key.
	Current []Item
}

func (e *ConflictError) Error() string {
	keys := make([]string, len(e.Current))
	for i, c := range e.Current {
		keys[i] = fmt.Sprintf("%s (version %d)", c.Key, c.Version)
	}
	return "the ledger has newer versions: " + strings.Join(keys, ", ")
}

// ErrThrottled is in the error tree of a call that the table refused because of
// too many requests, after the SDK's own retries.
var ErrThrottled = errors.New("the ledger's table is throttled")

// ErrBusy is in the error tree of a write that met other transactions in every
// try, or that the table still has in progress. It is not a lost race: try
// again.
var ErrBusy = errors.New("other transactions have the same items: try again")

// ErrTokenReused is in the error tree of a write if an earlier write with other
// content has the same token. Nothing was written. It is a mistake of the
// caller.
var ErrTokenReused = errors.New("an earlier write has this token: make a new token for each write")

// SizeError reports that an item is too large for the ledger. Nothing was
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

// Refused returns the error of a write whose versions do not match the current
// items. now has the current items, in the order of items. The error is nil if
// the write repeats one that took effect, [ErrTokenReused] if another write has
// the token, and otherwise a [*ConflictError].
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
		return ErrTokenReused // the same write would have written every item
	case own == len(items):
		return nil
	}
	return conflict
}

// sameContent reports whether an item has the content of a write, in the
// precision that a ledger keeps.
func sameContent(asked, kept Item) bool {
	at := func(a, b time.Time) bool {
		return a.IsZero() == b.IsZero() && (a.IsZero() || a.UnixMilli() == b.UnixMilli())
	}
	return at(asked.Due, kept.Due) && at(asked.Held, kept.Held) && at(asked.Expires.Truncate(time.Second), kept.Expires) &&
		asked.Tries == kept.Tries && utf8Text(asked.Doc) == utf8Text(kept.Doc)
}

// utf8Text returns a document as DynamoDB keeps it.
func utf8Text(doc []byte) string { return strings.ToValidUTF8(string(doc), "\uFFFD") }

// Check returns an error for items that no ledger accepts. Implementations call
// it first in Put.
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
