// Package ledgertest is the contract of a ledger: a test that every
// implementation must pass.
package ledgertest

import (
	cmp2 "cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
)

// Ledger has the methods of a ledger.
type Ledger interface {
	Get(ctx context.Context, key string) (ledger.Item, error)
	Put(ctx context.Context, token string, items ...ledger.Item) error
	Due(ctx context.Context, until time.Time) iter.Seq2[ledger.Listed, error]
	Held(ctx context.Context) iter.Seq2[ledger.Listed, error]
}

// Table is a ledger under test, with the faults of DynamoDB on demand.
type Table interface {
	Ledger
	// Contend makes the next n write requests meet other transactions. [Always]
	// means all of them, until the next call.
	Contend(n int)
	// ThrottleWrites refuses every write request while on. In a transaction it
	// refuses one item.
	ThrottleWrites(on bool)
	// ThrottlePage refuses the n-th page of each list; 0 refuses none.
	ThrottlePage(n int)
	// LoseAnswer loses the answer to the next write that takes effect. It then
	// calls between, and the request is repeated.
	LoseAnswer(between func())
	// Lag freezes the lists while on.
	Lag(on bool)
	// TenMinutesLater makes DynamoDB forget the tokens of requests.
	TenMinutesLater()
}

// Always makes Contend affect every request.
const Always = 1 << 30

// Base is the time from which the tests count.
var Base = time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)

// Run tests an implementation against the contract. make returns an empty
// ledger for each part.
func Run(t *testing.T, make func(*testing.T) Table) {
	t.Parallel()
	for _, part := range faults {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			part.test(t, make(t))
		})
	}
	for _, part := range []struct {
		name string
		test func(*testing.T, Ledger)
	}{
		{"an item that does not exist has the key alone", absent},
		{"what was written is read back", roundTrip},
		{"a write from another version is refused with the current one", conflict},
		{"an item that must not exist is written once", claim},
		{"several items are written all or none", transaction},
		{"one of several concurrent writers wins", race},
		{"due items are listed by time up to the given time", due},
		{"more due items than a page are all listed", pages},
		{"an item that is no longer due is not listed", delisted},
		{"held items are listed apart from due items", held},
		{"an item that is too large is refused", size},
		{"a document may have its greatest size", largest},
		{"a write repeated with its token takes effect once", repeated},
		{"an item keeps its tries until the next write", tries},
		{"a done context ends every call", done},
		{"strange keys and documents are kept", strange},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			part.test(t, make(t))
		})
	}
}

// token returns a new token for a write.
func token() string { return rand.Text() }

func get(t *testing.T, l Ledger, key string) ledger.Item {
	t.Helper()
	item, err := l.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get(%q): %v", key, err)
	}
	return item
}

func put(t *testing.T, l Ledger, items ...ledger.Item) {
	t.Helper()
	if err := l.Put(t.Context(), token(), items...); err != nil {
		t.Fatalf("Put: %v", err)
	}
}

func same(t *testing.T, want, got ledger.Item) {
	t.Helper()
	text := cmp.Transformer("text", func(b []byte) string { return string(b) })
	if diff := cmp.Diff(want, got, text); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func absent(t *testing.T, l Ledger) {
	same(t, ledger.Item{Key: "launch/none"}, get(t, l, "launch/none"))
}

func roundTrip(t *testing.T, l Ledger) {
	in := ledger.Item{Key: "launch/a", Due: Base.Add(123 * time.Millisecond), Held: Base, Expires: Base.Add(time.Hour), Doc: []byte(`{"a":"ü <&>"}`)}
	put(t, l, in)
	in.Version = 1
	same(t, in, get(t, l, in.Key))

	// Due and Held keep milliseconds, Expires keeps seconds.
	in.Due, in.Expires = Base.Add(1999*time.Microsecond), Base.Add(1999*time.Millisecond)
	put(t, l, in)
	in.Version, in.Due, in.Expires = 2, Base.Add(time.Millisecond), Base.Add(time.Second)
	same(t, in, get(t, l, in.Key))

	// A field that is left out is cleared.
	put(t, l, ledger.Item{Key: in.Key, Version: 2, Doc: []byte(`{}`)})
	same(t, ledger.Item{Key: in.Key, Version: 3, Doc: []byte(`{}`)}, get(t, l, in.Key))
}

func conflict(t *testing.T, l Ledger) {
	put(t, l, ledger.Item{Key: "a", Doc: []byte(`{"n":1}`), Due: Base})
	put(t, l, ledger.Item{Key: "a", Version: 1, Doc: []byte(`{"n":2}`), Due: Base})
	for _, version := range []int64{0, 1, 3} {
		err := l.Put(t.Context(), token(), ledger.Item{Key: "a", Version: version, Doc: []byte(`{"n":3}`)})
		var c *ledger.ConflictError
		if !errors.As(err, &c) || len(c.Current) != 1 {
			t.Fatalf("version %d: got %v", version, err)
		}
		same(t, ledger.Item{Key: "a", Version: 2, Doc: []byte(`{"n":2}`), Due: Base}, c.Current[0])
	}
	err := l.Put(t.Context(), token(), ledger.Item{Key: "b", Version: 4, Doc: []byte(`{}`)})
	var c *ledger.ConflictError
	if !errors.As(err, &c) || len(c.Current) != 1 {
		t.Fatalf("got %v", err)
	}
	same(t, ledger.Item{Key: "b"}, c.Current[0])
}

func claim(t *testing.T, l Ledger) {
	put(t, l, ledger.Item{Key: "a", Doc: []byte(`{"n":1}`)})
	err := l.Put(t.Context(), token(), ledger.Item{Key: "a", Doc: []byte(`{"n":2}`)})
	var c *ledger.ConflictError
	if !errors.As(err, &c) {
		t.Fatalf("got %v", err)
	}
	same(t, ledger.Item{Key: "a", Version: 1, Doc: []byte(`{"n":1}`)}, c.Current[0])
}

func transaction(t *testing.T, l Ledger) {
	put(t, l, ledger.Item{Key: "a", Doc: []byte(`{"n":1}`)}, ledger.Item{Key: "b", Doc: []byte(`{"n":1}`), Due: Base})
	err := l.Put(t.Context(), token(),
		ledger.Item{Key: "a", Version: 1, Doc: []byte(`{"n":2}`)},
		ledger.Item{Key: "b", Doc: []byte(`{"n":2}`)},
		ledger.Item{Key: "c", Doc: []byte(`{"n":2}`)})
	var c *ledger.ConflictError
	if !errors.As(err, &c) || len(c.Current) != 3 {
		t.Fatalf("got %v", err)
	}
	want := []ledger.Item{{Key: "a", Version: 1, Doc: []byte(`{"n":1}`)}, {Key: "b", Version: 1, Doc: []byte(`{"n":1}`), Due: Base}, {Key: "c"}}
	for i, w := range want {
		same(t, w, c.Current[i])
		same(t, w, get(t, l, w.Key))
	}
	put(t, l, ledger.Item{Key: "a", Version: 1, Doc: []byte(`{"n":2}`)}, ledger.Item{Key: "c", Doc: []byte(`{"n":2}`)})
	same(t, ledger.Item{Key: "a", Version: 2, Doc: []byte(`{"n":2}`)}, get(t, l, "a"))
	same(t, ledger.Item{Key: "c", Version: 1, Doc: []byte(`{"n":2}`)}, get(t, l, "c"))
}

func race(t *testing.T, l Ledger) {
	const writers = 8
	for round := range 3 {
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for n := range writers {
			wg.Go(func() {
				doc := []byte(fmt.Sprintf(`{"n":%d}`, n))
				items := []ledger.Item{{Key: "a", Version: int64(round), Doc: doc}}
				if n%2 == 0 { // half of the writers write another item too
					items = append(items, ledger.Item{Key: fmt.Sprintf("b%d-%d", round, n), Doc: doc})
				}
				err := l.Put(context.WithoutCancel(t.Context()), token(), items...)
				var c *ledger.ConflictError
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won++
				case !errors.As(err, &c):
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Fatalf("round %d: %d writers won", round, won)
		}
	}
}

func rows(t *testing.T, seq iter.Seq2[ledger.Listed, error]) []string {
	t.Helper()
	var got []string
	for row, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %s", row.Key, row.At.Sub(Base)))
	}
	return got
}

func due(t *testing.T, l Ledger) {
	put(t, l, ledger.Item{Key: "third", Due: Base.Add(3 * time.Second), Doc: []byte(`{}`)})
	put(t, l, ledger.Item{Key: "first", Due: Base.Add(time.Second), Held: Base, Doc: []byte(`{}`)})
	put(t, l, ledger.Item{Key: "never", Doc: []byte(`{}`)})
	put(t, l, ledger.Item{Key: "second", Due: Base.Add(2 * time.Second), Doc: []byte(`{}`)})
	put(t, l, ledger.Item{Key: "late", Due: Base.Add(3*time.Second + time.Millisecond), Doc: []byte(`{}`)})
	want := []string{"first 1s", "second 2s", "third 3s"}
	if diff := cmp.Diff(want, rows(t, l.Due(t.Context(), Base.Add(3*time.Second)))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for range l.Due(t.Context(), Base.Add(time.Hour)) {
		break // a caller may stop early
	}
	if got := rows(t, l.Due(t.Context(), Base)); len(got) != 0 {
		t.Errorf("listed %q before any is due", got)
	}
}

func pages(t *testing.T, l Ledger) {
	const n = 230
	var want []string
	for i := range n {
		put(t, l, ledger.Item{Key: fmt.Sprintf("k%03d", i), Due: Base.Add(time.Duration(i/100) * time.Second), Doc: []byte(`{}`)})
		want = append(want, fmt.Sprintf("k%03d %s", i, time.Duration(i/100)*time.Second))
	}
	// Items due at the same time may come in any order.
	got := rows(t, l.Due(t.Context(), Base.Add(time.Minute)))
	if !slices.IsSortedFunc(got, func(a, b string) int { return cmp2.Compare(at(a), at(b)) }) {
		t.Errorf("not in the order of time: %q", got)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// at returns the time of a row, in the form of rows.
func at(row string) string { return row[strings.IndexByte(row, ' '):] }

func delisted(t *testing.T, l Ledger) {
	put(t, l, ledger.Item{Key: "a", Due: Base, Doc: []byte(`{}`)})
	put(t, l, ledger.Item{Key: "a", Version: 1, Due: Base.Add(time.Hour), Doc: []byte(`{}`)})
	if got := rows(t, l.Due(t.Context(), Base.Add(time.Minute))); len(got) != 0 {
		t.Errorf("listed %q", got)
	}
	put(t, l, ledger.Item{Key: "a", Version: 2, Doc: []byte(`{}`)})
	if got := rows(t, l.Due(t.Context(), Base.Add(2*time.Hour))); len(got) != 0 {
		t.Errorf("listed %q", got)
	}
}

func held(t *testing.T, l Ledger) {
	put(t, l, ledger.Item{Key: "b", Held: Base.Add(2 * time.Second), Doc: []byte(`{}`)})
	put(t, l, ledger.Item{Key: "a", Held: Base.Add(time.Second), Doc: []byte(`{}`)})
	put(t, l, ledger.Item{Key: "c", Held: Base, Due: Base, Doc: []byte(`{}`)})
	if diff := cmp.Diff([]string{"a 1s", "b 2s"}, rows(t, l.Held(t.Context()))); diff != "" {
		t.Errorf("held (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"c 0s"}, rows(t, l.Due(t.Context(), Base.Add(time.Hour)))); diff != "" {
		t.Errorf("due (-want +got)\n%s", diff)
	}
	put(t, l, ledger.Item{Key: "a", Version: 1, Doc: []byte(`{}`)})
	put(t, l, ledger.Item{Key: "c", Version: 1, Held: Base, Doc: []byte(`{}`)})
	if diff := cmp.Diff([]string{"c 0s", "b 2s"}, rows(t, l.Held(t.Context()))); diff != "" {
		t.Errorf("held (-want +got)\n%s", diff)
	}
}

func size(t *testing.T, l Ledger) {
	big := []byte(`"` + strings.Repeat("x", ledger.MaxDoc) + `"`)
	for _, items := range [][]ledger.Item{
		{{Key: "big", Doc: big}},
		{{Key: "small", Doc: []byte(`{}`)}, {Key: "big", Doc: big}},
		{{Key: strings.Repeat("k", ledger.MaxKey+1), Doc: []byte(`{}`)}},
		{{Key: "", Doc: []byte(`{}`)}},
	} {
		err := l.Put(t.Context(), token(), items...)
		var e *ledger.SizeError
		if !errors.As(err, &e) {
			t.Errorf("got %v", err)
		}
	}
	if get(t, l, "small").Exists() {
		t.Error("a part of a refused write took effect")
	}
	if err := l.Put(t.Context(), token()); err == nil || err.Error() != "a write to the ledger has 0 items; it may have 1 to 25" {
		t.Errorf("got %v", err)
	}
	var many []ledger.Item
	for i := range 12 {
		many = append(many, ledger.Item{Key: fmt.Sprint(i), Doc: []byte(`"` + strings.Repeat("x", 370<<10) + `"`)})
	}
	var e *ledger.SizeError
	if err := l.Put(t.Context(), token(), many...); !errors.As(err, &e) || e.Limit != ledger.MaxWrite {
		t.Errorf("got %v", err)
	}
	twice := []ledger.Item{{Key: "a", Doc: []byte(`{}`)}, {Key: "a", Doc: []byte(`{}`)}}
	if err := l.Put(t.Context(), token(), twice...); err == nil || err.Error() != "a write to the ledger has the item a twice" {
		t.Errorf("got %v", err)
	}
}

func largest(t *testing.T, l Ledger) {
	doc := []byte(`"` + strings.Repeat("x", ledger.MaxDoc-2) + `"`)
	key := strings.Repeat("k", ledger.MaxKey)
	put(t, l, ledger.Item{Key: key, Doc: doc, Due: Base, Expires: Base})
	put(t, l, ledger.Item{Key: key, Version: 1, Doc: doc}, ledger.Item{Key: "other", Doc: doc})
	if got := get(t, l, key); len(got.Doc) != len(doc) || got.Version != 2 {
		t.Errorf("read %d bytes of version %d", len(got.Doc), got.Version)
	}
}

func repeated(t *testing.T, l Ledger) {
	for _, write := range [][]ledger.Item{
		{{Key: "one", Doc: []byte(`{}`)}},
		{{Key: "a", Doc: []byte(`{}`)}, {Key: "b", Doc: []byte(`{}`)}},
	} {
		mine := token()
		for range 3 {
			if err := l.Put(t.Context(), mine, write...); err != nil {
				t.Fatalf("%s: %v", write[0].Key, err)
			}
		}
		if got := get(t, l, write[0].Key); got.Version != 1 {
			t.Errorf("%s: version %d after one write and two repeats", write[0].Key, got.Version)
		}
		// A write with another token is a conflict, even with the same content.
		var c *ledger.ConflictError
		if err := l.Put(t.Context(), token(), write...); !errors.As(err, &c) {
			t.Errorf("%s: got %v", write[0].Key, err)
		}
	}
}

func tries(t *testing.T, l Ledger) {
	put(t, l, ledger.Item{Key: "a", Due: Base, Tries: 3, Doc: []byte(`{}`)})
	same(t, ledger.Item{Key: "a", Version: 1, Due: Base, Tries: 3, Doc: []byte(`{}`)}, get(t, l, "a"))
	put(t, l, ledger.Item{Key: "a", Version: 1, Doc: []byte(`{}`)})
	same(t, ledger.Item{Key: "a", Version: 2, Doc: []byte(`{}`)}, get(t, l, "a"))
}

func done(t *testing.T, l Ledger) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Get(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Get: %v", err)
	}
	if err := l.Put(ctx, token(), ledger.Item{Key: "a", Doc: []byte(`{}`)}); !errors.Is(err, context.Canceled) {
		t.Errorf("Put: %v", err)
	}
	n := 0
	for _, err := range l.Due(ctx, Base) {
		if n++; !errors.Is(err, context.Canceled) {
			t.Errorf("Due: %v", err)
		}
	}
	if n != 1 {
		t.Errorf("Due gave %d rows", n)
	}
	if get(t, l, "a").Exists() {
		t.Error("the write took effect")
	}
}

func strange(t *testing.T, l Ledger) {
	for _, key := range []string{"launch/schedule/cg-1/arn:aws:scheduler:us-east-1:1:schedule/default/ä b/2026-11-22T06:00:00Z", "window/cg-1/2026-11-22", "unrouted/b/..", "#", "due"} {
		in := ledger.Item{Key: key, Due: Base, Doc: []byte(`{"key":"\u2028 \"quoted\" \\ 😀"}`)}
		put(t, l, in)
		in.Version = 1
		same(t, in, get(t, l, key))
	}
}
