package main

import (
	"context"
	"os"
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
	os.Exit(m.Run())
}

func TestParseOptions(t *testing.T) {
	t.Parallel()
	all := map[string]bool{"cold": true, "warm": true, "routing": true}
	for _, tt := range []struct {
		name string
		args []string
		want options
	}{
		{"nothing given means all parts of what was built", nil,
			options{"build/trigger/bootstrap", "", "bench/python", 21, 40, all}},
		{"each can be given", []string{"-trigger", "t", "-python", "p", "-handler", "h", "-runs", "3", "-warm", "4", "-parts", "cold,routing"},
			options{"t", "p", "h", 3, 4, map[string]bool{"cold": true, "routing": true}}},
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
		{"misuse is told with the usage", []string{"-runs", "0"}, 2, "", "bench: -runs and -warm must be at least 1\nusage: "},
		{"an argument is misuse", []string{"build"}, 2, "", `unexpected argument "build"`},
		{"an unknown part is misuse", []string{"-parts", "cold,hot"}, 2, "", `unknown part "hot": the parts are cold, warm and routing`},
		{"what does not work fails", []string{"-trigger", "none", "-parts", "cold"}, 1, "", "run \"make build\" first"},
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
