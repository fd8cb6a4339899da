package schedule

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/amperity-runs/amperity-runs/internal/golden"
)

func TestErrorNamesEveryFault(t *testing.T) {
	t.Parallel()
	var texts strings.Builder
	for _, row := range []struct{ from, to, zone string }{
		{"", "0d", ""},
		{"-1d", "", ""},
		{"yesterday", "0d", ""},
		{"-1", "0d", ""},
		{"d", "0d", ""},
		{"-d", "0d", ""},
		{"--1d", "0d", ""},
		{"-1.5d", "0d", ""},
		{"-1_0d", "0d", ""},
		{"-1 d", "0d", ""},
		{"-1D", "0d", ""},
		{"-1w", "0d", ""},
		{"2026-11-22", "0d", ""},
		{"-1d", "+0xd", ""},
		{"−1d", "0d", ""},
		{"-3661d", "0d", ""},
		{"-1h", "87841h", ""},
		{"-1d", strings.Repeat("9", 30) + "d", ""},
		{"-1d", "0h", ""},
		{"-24h", "0d", ""},
		{"0d", "0d", ""},
		{"0h", "-1h", ""},

		// Time zones.
		{"-1d", "0d", "America/Gotham"},
		{"-1d", "0d", "america/new_york"},
		{"-1d", "0d", "Local"},
		{"-1d", "0d", "+05:00"},
		{"-1d", "0d", "../../etc/passwd"},
		{"-1d", "0d", strings.Repeat("A", 70)},

		// All at once.
		{"", "1", "Mars"},
	} {
		_, err := Parse(row.from, row.to, row.zone)
		if _, ok := errors.AsType[*Error](err); !ok {
			t.Errorf("%+v: got %v", row, err)
			continue
		}
		texts.WriteString(golden.Row(fmt.Sprintf("from %q to %q in %q", row.from, row.to, row.zone), err.Error()))
	}
	golden.Check(t, "testdata/faults.golden", texts.String())
}
