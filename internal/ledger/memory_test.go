package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/ledger/ledgertest"
)

// tokens makes a different token for each call.
func tokens() func(context.Context) string {
	var n atomic.Int64
	return func(context.Context) string { return fmt.Sprint(n.Add(1)) }
}

func TestMemoryKeepsTheContract(t *testing.T) {
	ledgertest.Run(t, func(*testing.T) ledgertest.Ledger { return ledger.NewMemory(tokens()) })
}

func TestAWriteThatIsRepeatedCountsOnce(t *testing.T) {
	t.Parallel()
	m := ledger.NewMemory(tokens())
	write := []ledger.Item{{Key: "a", Doc: []byte(`{}`)}, {Key: "b", Doc: []byte(`{}`)}}
	for range 3 {
		if err := m.PutAs(t.Context(), "mine", write...); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := m.Get(t.Context(), "a"); got.Version != 1 {
		t.Errorf("version %d after one write and two repeats", got.Version)
	}
	// Another's write is not one's own, whatever it says.
	err := m.PutAs(t.Context(), "other", write...)
	var c *ledger.ConflictError
	if !errors.As(err, &c) {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff("the ledger has newer versions: a (version 1), b (version 1)", c.Error()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// Once somebody went on from it, it cannot be told from a lost race.
	if err := m.Put(t.Context(), ledger.Item{Key: "a", Version: 1, Doc: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	if err := m.PutAs(t.Context(), "mine", write...); !errors.As(err, &c) {
		t.Errorf("got %v", err)
	}
}

func TestStatsCountReadsAndWrites(t *testing.T) {
	t.Parallel()
	m := ledger.NewMemory(tokens())
	_ = m.Put(t.Context(), ledger.Item{Key: "a", Due: ledgertest.Base}, ledger.Item{Key: "b"})
	_ = m.Put(t.Context(), ledger.Item{Key: "a"})
	_, _ = m.Get(t.Context(), "a")
	for range m.Due(t.Context(), ledgertest.Base) {
		continue
	}
	want := ledger.Stats{Gets: 1, Puts: 1, Items: 2, Conflicts: 1, Pages: 1, Rows: 1}
	if diff := cmp.Diff(want, m.Stats()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	m.Expire("a")
	if all := m.All(); len(all) != 1 || all[0].Key != "b" {
		t.Errorf("left %v", all)
	}
}

func TestSizeErrorNamesTheItem(t *testing.T) {
	t.Parallel()
	err := &ledger.SizeError{Key: "window/cg-1/2026-11-22", Size: 400_000, Limit: ledger.MaxDoc}
	if want := "the ledger's item window/cg-1/2026-11-22 has 400000 bytes, the limit is 389120"; err.Error() != want {
		t.Errorf("got %s", err)
	}
	if want := "the ledger's table is throttled"; ledger.ErrThrottled.Error() != want {
		t.Errorf("got %s", ledger.ErrThrottled)
	}
}
