package ledger

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"
	"time"
)

// Memory is a ledger in the memory of the process, for simulation, tests and
// local use. It is safe for concurrent use.
type Memory struct {
	mu    sync.Mutex
	items map[string]Written
	due   []Listed // sorted
	held  []Listed // sorted
	stats Stats
}

// Stats counts the calls of a ledger.
type Stats struct {
	// Gets counts items read. Puts counts calls of Put that took effect, and
	// Items the items that they wrote. Conflicts counts calls of Put that did
	// not take effect.
	Gets, Puts, Items, Conflicts int
	// Pages counts pages of Due and Held, and Rows their entries.
	Pages, Rows int
}

// NewMemory returns an empty ledger.
func NewMemory() *Memory { return &Memory{items: map[string]Written{}} }

// Get reads an item.
func (m *Memory) Get(ctx context.Context, key string) (Item, error) {
	if err := ctx.Err(); err != nil {
		return Item{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Gets++
	return m.get(key), nil
}

func (m *Memory) get(key string) Item {
	w, ok := m.items[key]
	if !ok {
		return Item{Key: key}
	}
	item := w.Item
	item.Doc = bytes.Clone(item.Doc)
	return item
}

// Put writes all the items or none. Each item's Version is the version that it
// replaces, or 0 if the item must not exist. A repeat with the same token
// counts as done if the first call took effect. The error is a
// [*ConflictError], [ErrTokenReused], a [*SizeError], or the context's.
func (m *Memory) Put(ctx context.Context, token string, items ...Item) error {
	if err := Check(items); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	fits := true
	for _, item := range items {
		fits = fits && m.items[item.Key].Version == item.Version
	}
	if !fits {
		now := make([]Written, len(items))
		for i, item := range items {
			now[i] = Written{m.get(item.Key), m.items[item.Key].Token}
		}
		err := Refused(token, items, now)
		if err != nil {
			m.stats.Conflicts++
		}
		return err
	}
	m.stats.Puts++
	m.stats.Items += len(items)
	for _, item := range items {
		m.delist(m.items[item.Key].Item)
		item.Version++
		item.Due = item.Due.Truncate(time.Millisecond).UTC()
		item.Held = item.Held.Truncate(time.Millisecond).UTC()
		item.Expires = item.Expires.Truncate(time.Second).UTC()
		item.Doc = bytes.Clone(item.Doc)
		m.items[item.Key] = Written{item, token}
		m.enlist(item)
	}
	return nil
}

// page is how many rows one page of a list has.
const page = 100

// Due lists the items due at or before a time, the oldest first, page by page.
// An error ends the list.
func (m *Memory) Due(ctx context.Context, until time.Time) iter.Seq2[Listed, error] {
	return m.rows(ctx, &m.due, until)
}

// Held lists the items that wait for the operator, the oldest first, page by
// page. An error ends the list.
func (m *Memory) Held(ctx context.Context) iter.Seq2[Listed, error] {
	return m.rows(ctx, &m.held, time.Time{})
}

func (m *Memory) rows(ctx context.Context, list *[]Listed, until time.Time) iter.Seq2[Listed, error] {
	return func(yield func(Listed, error) bool) {
		var after Listed
		for {
			if err := ctx.Err(); err != nil {
				yield(Listed{}, err)
				return
			}
			rows := m.page(list, after, until)
			for _, r := range rows {
				if !yield(r, nil) {
					return
				}
			}
			if len(rows) < page {
				return
			}
			after = rows[len(rows)-1]
		}
	}
}

func (m *Memory) page(list *[]Listed, after Listed, until time.Time) []Listed {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Pages++
	i, found := slices.BinarySearchFunc(*list, after, compare)
	if found {
		i++
	}
	rows := (*list)[i:]
	if !until.IsZero() {
		n, _ := slices.BinarySearchFunc(rows, until, func(l Listed, t time.Time) int {
			if l.At.After(t) {
				return 1
			}
			return -1
		})
		rows = rows[:n]
	}
	rows = slices.Clone(rows[:min(page, len(rows))])
	m.stats.Rows += len(rows)
	return rows
}

// Stats returns the counts so far.
func (m *Memory) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stats
}

// All returns every item, sorted by key.
func (m *Memory) All() []Item {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]Item, 0, len(m.items))
	for key := range m.items {
		all = append(all, m.get(key))
	}
	slices.SortFunc(all, func(a, b Item) int { return cmp.Compare(a.Key, b.Key) })
	return all
}

// Expired returns the keys of the items whose time to live is over, sorted. The
// table deletes such items some time later, in any order; see [Memory.Expire].
func (m *Memory) Expired(now time.Time) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for key, item := range m.items {
		if !item.Expires.IsZero() && !item.Expires.After(now) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Expire deletes an item, as the table's time to live does.
func (m *Memory) Expire(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.delist(m.items[key].Item)
	delete(m.items, key)
}

func compare(a, b Listed) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Key, b.Key)) }

// list returns the list that has the item and its place there, or nil.
func (m *Memory) list(item Item) (*[]Listed, Listed) {
	switch {
	case !item.Due.IsZero():
		return &m.due, Listed{item.Key, item.Due}
	case !item.Held.IsZero():
		return &m.held, Listed{item.Key, item.Held}
	}
	return nil, Listed{}
}

func (m *Memory) enlist(item Item) {
	if list, row := m.list(item); list != nil {
		i, _ := slices.BinarySearchFunc(*list, row, compare)
		*list = slices.Insert(*list, i, row)
	}
}

func (m *Memory) delist(item Item) {
	if list, row := m.list(item); list != nil {
		if i, found := slices.BinarySearchFunc(*list, row, compare); found {
			*list = slices.Delete(*list, i, i+1)
		}
	}
}
