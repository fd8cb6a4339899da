package ledgertest

import (
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
)

// faults are the parts of the contract about the faults of DynamoDB.
var faults = []struct {
	name string
	test func(*testing.T, Table)
}{
	{"a write that meets other transactions is retried", contended},
	{"a write that keeps meeting other transactions fails without a conflict", contendedAlways},
	{"a throttled write fails as a whole, without a conflict", throttledWrite},
	{"a list throttled on its second page ends with the error", throttledPage},
	{"a lost answer is recognized", lostAnswer},
	{"a lost answer is recognized after another write", lostAnswerOvertaken},
	{"a token with other content is refused", tokenReused},
	{"lists may lag, items do not", lagging},
}

// writes returns a write of one item and a transaction, both of new items.
func writes() map[string][]ledger.Item {
	return map[string][]ledger.Item{
		"one item":      {{Key: "a", Due: Base, Doc: []byte(`{"n":1}`)}},
		"a transaction": {{Key: "b", Due: Base, Doc: []byte(`{"n":1}`)}, {Key: "c", Expires: Base, Doc: []byte(`{"n":1}`)}},
	}
}

// wrote fails the test unless each item has the version.
func wrote(t *testing.T, l Ledger, version int64, items []ledger.Item) {
	t.Helper()
	for _, item := range items {
		if got := get(t, l, item.Key); got.Version != version {
			t.Errorf("%s has version %d, want %d", item.Key, got.Version, version)
		}
	}
}

func isConflict(err error) bool {
	_, ok := errors.AsType[*ledger.ConflictError](err)
	return ok
}

func contended(t *testing.T, l Table) {
	for name, items := range writes() {
		for n := 1; n <= 2; n++ {
			l.Contend(n)
			if err := l.Put(t.Context(), token(), items...); err != nil {
				t.Errorf("%s, %d times: %v", name, n, err)
			}
			wrote(t, l, int64(n), items)
			for i := range items {
				items[i].Version++
			}
		}
	}
}

func contendedAlways(t *testing.T, l Table) {
	for name, items := range writes() {
		mine := token()
		l.Contend(Always)
		if err := l.Put(t.Context(), mine, items...); !errors.Is(err, ledger.ErrBusy) || isConflict(err) {
			t.Errorf("%s: got %v", name, err)
		}
		wrote(t, l, 0, items)
		l.Contend(0)
		if err := l.Put(t.Context(), mine, items...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wrote(t, l, 1, items)
	}
}

func throttledWrite(t *testing.T, l Table) {
	for name, items := range writes() {
		mine := token()
		l.ThrottleWrites(true)
		if err := l.Put(t.Context(), mine, items...); !errors.Is(err, ledger.ErrThrottled) || isConflict(err) {
			t.Errorf("%s: got %v", name, err)
		}
		wrote(t, l, 0, items)
		l.ThrottleWrites(false)
		if err := l.Put(t.Context(), mine, items...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wrote(t, l, 1, items)
	}
}

func throttledPage(t *testing.T, l Table) {
	const n = 150
	for i := range n {
		put(t, l, ledger.Item{Key: fmt.Sprintf("due%03d", i), Due: Base, Doc: []byte(`{}`)})
		put(t, l, ledger.Item{Key: fmt.Sprintf("held%03d", i), Held: Base, Doc: []byte(`{}`)})
	}
	lists := map[string]func() iter.Seq2[ledger.Listed, error]{
		"Due":  func() iter.Seq2[ledger.Listed, error] { return l.Due(t.Context(), Base) },
		"Held": func() iter.Seq2[ledger.Listed, error] { return l.Held(t.Context()) },
	}
	for name, list := range lists {
		l.ThrottlePage(2)
		listed, failed := 0, 0
		for _, err := range list() {
			if err != nil {
				if failed++; !errors.Is(err, ledger.ErrThrottled) {
					t.Errorf("%s: got %v", name, err)
				}
				continue
			}
			if listed++; failed > 0 {
				t.Fatalf("%s: a row after the error", name)
			}
		}
		if failed != 1 || listed == 0 || listed >= n {
			t.Errorf("%s: %d of %d rows, and %d errors", name, listed, n, failed)
		}
		l.ThrottlePage(0)
		if all := rows(t, list()); len(all) != n {
			t.Errorf("%s: then %d of %d rows", name, len(all), n)
		}
	}
}

func lostAnswer(t *testing.T, l Table) {
	for name, items := range writes() {
		mine := token()
		l.LoseAnswer(func() {})
		// The SDK repeats the write, then the caller does, twice.
		for range 3 {
			if err := l.Put(t.Context(), mine, items...); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		l.TenMinutesLater()
		if err := l.Put(t.Context(), mine, items...); err != nil {
			t.Errorf("%s, ten minutes later: %v", name, err)
		}
		wrote(t, l, 1, items)
	}
}

// lostAnswerOvertaken: a repeat returns success or a conflict. Callers must
// handle both, and neither overwrites the other writer's item.
func lostAnswerOvertaken(t *testing.T, l Table) {
	for name, items := range writes() {
		other := ledger.Item{Key: items[0].Key, Version: 1, Doc: []byte(`{"by":"another"}`)}
		l.LoseAnswer(func() { put(t, l, other) })
		mine, now := token(), other
		now.Version = 2
		check := func(when string) {
			t.Helper()
			err := l.Put(t.Context(), mine, items...)
			conflict, lost := errors.AsType[*ledger.ConflictError](err)
			if err != nil && !lost {
				t.Fatalf("%s, %s: %v", name, when, err)
			}
			if lost {
				same(t, now, conflict.Current[0])
			}
			if len(items) == 1 && !lost {
				t.Errorf("%s, %s: a write of one item cannot be recognized, got success", name, when)
			}
			same(t, now, get(t, l, now.Key))
			wrote(t, l, 1, items[1:])
		}
		check("sent again by the SDK")
		check("sent again by the caller")
		l.TenMinutesLater()
		check("ten minutes later")
	}
}

func tokenReused(t *testing.T, l Table) {
	for name, items := range writes() {
		mine := token()
		if err := l.Put(t.Context(), mine, items...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		changed := func(change func(*ledger.Item)) []ledger.Item {
			others := append([]ledger.Item{}, items...)
			change(&others[len(others)-1])
			return others
		}
		for what, others := range map[string][]ledger.Item{
			"another document": changed(func(i *ledger.Item) { i.Doc = []byte(`{"n":2}`) }),
			"due later":        changed(func(i *ledger.Item) { i.Due = Base.Add(time.Hour) }),
			"held":             changed(func(i *ledger.Item) { i.Held = Base }),
			"kept for longer":  changed(func(i *ledger.Item) { i.Expires = Base.Add(time.Hour) }),
			"a failed try":     changed(func(i *ledger.Item) { i.Tries = 1 }),
			"one item more":    append(changed(func(*ledger.Item) {}), ledger.Item{Key: "more", Doc: []byte(`{}`)}),
		} {
			for range 2 {
				if err := l.Put(t.Context(), mine, others...); !errors.Is(err, ledger.ErrTokenReused) || isConflict(err) {
					t.Errorf("%s, %s: got %v", name, what, err)
				}
				l.TenMinutesLater()
			}
		}
		for _, item := range items {
			item.Version = 1
			same(t, item, get(t, l, item.Key))
		}
		wrote(t, l, 0, []ledger.Item{{Key: "more"}})
	}
}

// lagging: the lists are hints. A caller reads the item, and writes from the
// version that it read.
func lagging(t *testing.T, l Table) {
	put(t, l, ledger.Item{Key: "later", Due: Base, Doc: []byte(`{}`)})
	put(t, l, ledger.Item{Key: "over", Due: Base, Doc: []byte(`{}`)})
	put(t, l, ledger.Item{Key: "decided", Held: Base, Doc: []byte(`{}`)})
	l.Lag(true)
	put(t, l, ledger.Item{Key: "later", Version: 1, Due: Base.Add(time.Hour), Doc: []byte(`{}`)})
	put(t, l, ledger.Item{Key: "over", Version: 1, Doc: []byte(`{}`)})
	put(t, l, ledger.Item{Key: "decided", Version: 1, Due: Base.Add(time.Second), Doc: []byte(`{}`)})
	put(t, l, ledger.Item{Key: "new", Due: Base, Doc: []byte(`{}`)})
	put(t, l, ledger.Item{Key: "asks", Held: Base, Doc: []byte(`{}`)})
	type lists struct{ Due, Held []string }
	now := func() lists {
		return lists{rows(t, l.Due(t.Context(), Base.Add(time.Minute))), rows(t, l.Held(t.Context()))}
	}
	if diff := cmp.Diff(lists{[]string{"later 0s", "over 0s"}, []string{"decided 0s"}}, now()); diff != "" {
		t.Errorf("while the lists lag (-want +got)\n%s", diff)
	}
	for _, want := range []ledger.Item{
		{Key: "later", Version: 2, Due: Base.Add(time.Hour), Doc: []byte(`{}`)},
		{Key: "over", Version: 2, Doc: []byte(`{}`)},
		{Key: "decided", Version: 2, Due: Base.Add(time.Second), Doc: []byte(`{}`)},
		{Key: "new", Version: 1, Due: Base, Doc: []byte(`{}`)},
		{Key: "asks", Version: 1, Held: Base, Doc: []byte(`{}`)},
	} {
		same(t, want, get(t, l, want.Key))
	}
	if err := l.Put(t.Context(), token(), ledger.Item{Key: "later", Version: 1, Doc: []byte(`{}`)}); !isConflict(err) {
		t.Errorf("a write from the version that the list still shows: %v", err)
	}
	l.Lag(false)
	if diff := cmp.Diff(lists{[]string{"new 0s", "decided 1s"}, []string{"asks 0s"}}, now()); diff != "" {
		t.Errorf("afterwards (-want +got)\n%s", diff)
	}
}
