package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
)

func TestMisuseIsExplainedAndExitsWith2(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	rows := []struct {
		name   string
		ctx    context.Context
		args   []string
		code   int
		stderr string
	}{
		{"no command", t.Context(), nil, 2, usage},
		{"an unknown command", t.Context(), []string{"dmeo"}, 2, "amperity-runs: no command \"dmeo\"; \"amperity-runs -h\" lists them\n"},
		{"a demo of something", t.Context(), []string{"demo", "fast"}, 2,
			"amperity-runs: demo: unexpected argument \"fast\": it takes none; \"amperity-runs demo -h\" explains it\n"},
		{"a demo that is interrupted", cancelled, []string{"demo"}, 1,
			"amperity-runs: demo: A schedule, which AWS delivers twice: this call has started nothing, because the ledger could not be read or written " +
				"for schedule/cg-456DEf7GH/-/2026-11-22T03:40:00Z; try again: context canceled\n"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var stderr bytes.Buffer
			if code := run(row.ctx, row.args, io.Discard, &stderr); code != row.code || stderr.String() != row.stderr {
				t.Errorf("exit code %d, want %d\n%s", code, row.code, &stderr)
			}
		})
	}
}

func TestHelpIsPrintedToStandardOutput(t *testing.T) {
	t.Parallel()
	for name := range commands() {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), []string{name, "-h"}, &stdout, &stderr); code != 0 || stderr.Len() > 0 || !strings.HasPrefix(stdout.String(), "Usage:\n  amperity-runs "+name) {
			t.Errorf("%s -h: exit code %d, %s%s", name, code, &stdout, &stderr)
		}
		if !strings.Contains(usage, "\n  "+name+" ") {
			t.Errorf("the help does not list %s", name)
		}
	}
	var stdout bytes.Buffer
	if code := run(t.Context(), []string{"help"}, &stdout, io.Discard); code != 0 || stdout.String() != usage {
		t.Errorf("help: exit code %d", code)
	}
}

func TestDemoSucceeds(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"demo"}, &stdout, &stderr); code != 0 || stderr.Len() > 0 {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
}
