package record

import (
	"testing"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
)

// Users see these errors only inside other errors.
func TestConflictErrorNamesItsItem(t *testing.T) {
	t.Parallel()
	item := ledger.Item{Key: "launch/manual/cg-1/a", Version: 7}
	for _, row := range []struct {
		err  error
		want string
	}{
		{&LostError{item}, "launch/manual/cg-1/a was taken over (version 7)"},
		{&RunOwnedError{ledger.Item{Key: "run/wf-1"}}, "run/wf-1 belongs to another launch"},
	} {
		if got := row.err.Error(); got != row.want {
			t.Errorf("got  %s\nwant %s", got, row.want)
		}
	}
}
