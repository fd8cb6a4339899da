package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/ledger/ledgertest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	ledgertest.Run(t, func(*testing.T) ledgertest.Table { return ledgertest.NewFaulty(ledger.NewMemory()) })
}

func TestConflictNamesTheCurrentVersions(t *testing.T) {
	t.Parallel()
	m := ledger.NewMemory()
	write := []ledger.Item{{Key: "a", Doc: []byte(`{}`)}, {Key: "b", Doc: []byte(`{}`)}}
	if err := m.Put(t.Context(), "mine", write...); err != nil {
		t.Fatal(err)
	}
	err := m.Put(t.Context(), "other", write...)
	if want := "the ledger has newer versions: a (version 1), b (version 1)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestStatsCountReadsAndWrites(t *testing.T) {
	t.Parallel()
	m := ledger.NewMemory()
	_ = m.Put(t.Context(), "1", ledger.Item{Key: "a", Due: ledgertest.Base}, ledger.Item{Key: "b"})
	_ = m.Put(t.Context(), "2", ledger.Item{Key: "a"})
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

func TestExpiredListsItemsWhoseTimeIsOver(t *testing.T) {
	t.Parallel()
	m := ledger.NewMemory()
	_ = m.Put(t.Context(), "1", ledger.Item{Key: "b", Expires: ledgertest.Base}, ledger.Item{Key: "a", Expires: ledgertest.Base},
		ledger.Item{Key: "later", Expires: ledgertest.Base.Add(time.Second)}, ledger.Item{Key: "never"})
	if diff := cmp.Diff([]string{"a", "b"}, m.Expired(ledgertest.Base)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestInvalidWritesAreRefused(t *testing.T) {
	t.Parallel()
	many := make([]ledger.Item, ledger.MaxItems+1)
	for i := range many {
		many[i] = ledger.Item{Key: fmt.Sprint(i)}
	}
	for want, items := range map[string][]ledger.Item{
		"a write to the ledger has 0 items; it may have 1 to 25":    nil,
		"a write to the ledger has 26 items; it may have 1 to 25":   many,
		"a write to the ledger has the item a twice":                {{Key: "a"}, {Key: "b"}, {Key: "a"}},
		"the ledger's item a has 389121 bytes, the limit is 389120": {{Key: "a", Doc: make([]byte, ledger.MaxDoc+1)}},
	} {
		if err := ledger.Check(items); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
