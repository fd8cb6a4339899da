package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMain lets the test binary play the functions under measure: what it
// plays is named in its environment.
func TestMain(m *testing.M) {
	if role := os.Getenv("BENCH_TEST_ROLE"); role != "" {
		os.Exit(play(role))
	}
	code := m.Run()
	os.RemoveAll(builtDir)
	os.Exit(code)
}

func TestParseOptions(t *testing.T) {
	t.Parallel()
	abs := func(path string) string {
		path, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	all := map[string]bool{"trigger": true, "s3arrival": true, "sweep": true, "loopback": true, "routing": true}
	for _, tt := range []struct {
		name string
		args []string
		want options
	}{
		{"nothing given means all parts of what was built", nil,
			options{trees: []tree{{"", abs("build")}}, memory: 256, rounds: 11, parts: all}},
		{"each can be given", []string{"-functions", "old=x", "-functions", "new=y", "-python", "/bin/sh", "-memory", "512", "-rounds", "3", "-parts", "sweep,routing", "-trace"},
			options{[]tree{{"old", abs("x")}, {"new", abs("y")}}, "/bin/sh", 512, 3, map[string]bool{"sweep": true, "routing": true}, true, false}},
		{"the README gets the figures of all parts", []string{"-update"},
			options{trees: []tree{{"", abs("build")}}, memory: 256, rounds: 11, parts: all, update: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseOptions(tt.args)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(options{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string
	}{
		{"help is no error", []string{"-h"}, 0, "usage: go run ./bench", ""},
		{"misuse prints the usage", []string{"-rounds", "0"}, 2, "", "bench: -rounds must be at least 1\nusage: "},
		{"a memory that Lambda lacks is misuse", []string{"-memory", "64"}, 2, "", "-memory must be between 128 and 10240"},
		{"an argument is misuse", []string{"build"}, 2, "", `unexpected argument "build"`},
		{"an unknown part is misuse", []string{"-parts", "sweep,hot"}, 2, "", `unknown part "hot": the parts are`},
		{"trees without names are misuse", []string{"-functions", "x", "-functions", "y"}, 2, "", "need different names"},
		{"an update of some figures is misuse", []string{"-update", "-parts", "trigger"}, 2, "", "the README would lose the figures of the others"},
		{"a missing Python is misuse", []string{"-python", "none/python"}, 2, "", "make bench makes one"},
		{"missing functions fail", []string{"-functions", "none", "-parts", "loopback"}, 1, "", "\"make bench\" builds what it measures"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out, errs strings.Builder
			if code := run(context.Background(), tt.args, &out, &errs); code != tt.code {
				t.Errorf("exit code %d, want %d; stderr: %s", code, tt.code, errs.String())
			}
			if !strings.Contains(out.String(), tt.stdout) || !strings.Contains(errs.String(), tt.stderr) {
				t.Errorf("stdout %q and stderr %q, want %q and %q in them", out.String(), errs.String(), tt.stdout, tt.stderr)
			}
		})
	}
}

func TestUpdateReplacesTheFigures(t *testing.T) {
	t.Parallel()
	const before, after = "# Measurements\n\n```\nmake bench\n```\n\n## Last figures\n\nOf a run.\n\n```\n", "```\n\n## More\n\n```\nx\n```\n"
	got, err := replaceFigures([]byte(before+"old\nfigures\n"+after), []byte("\nnew figures\n\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before+"new figures\n"+after, string(got)); diff != "" {
		t.Error(diff)
	}
	if _, err := replaceFigures([]byte("# Measurements\n"), nil); err == nil {
		t.Error("a README without the block is accepted")
	}
}
