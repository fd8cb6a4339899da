package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHelpExamples runs the examples in the help of check and explain.
func TestHelpExamples(t *testing.T) {
	for _, tt := range []struct {
		usage   string
		command command
		// dir is the folder in which the example runs.
		dir  func(t *testing.T) string
		code int
	}{
		{explainUsage, runExplain, func(*testing.T) string { return filepath.Join("..", "..") }, 0},
		{checkUsage, runCheck, badRoutes, 1},
	} {
		_, example, _ := strings.Cut(tt.usage, "\n  $ amperity-runs ")
		line, rest, _ := strings.Cut(example, "\n")
		want, _, _ := strings.Cut(rest, "\n\n")
		t.Run(line, func(t *testing.T) {
			t.Chdir(tt.dir(t))
			var stdout, stderr bytes.Buffer
			code := tt.command(context.Background(), strings.Fields(line)[1:], &stdout, &stderr)
			got := "  " + strings.ReplaceAll(strings.TrimSuffix(stdout.String(), "\n"), "\n", "\n  ")
			if code != tt.code || got != strings.TrimSuffix(want, "\n") {
				t.Errorf("exit code %d, output\n%s\nwant\n%s\n%s", code, got, want, stderr.String())
			}
		})
	}
}

// badRoutes returns a folder with the routes file of check's example.
func badRoutes(t *testing.T) string {
	dir := t.TempDir()
	src := "version: 1\nroutes:\n  - name: orders\n    config_id: cg-123ABc4DE\n    files: orders/{yyyy}/{mm}/{dd}/*.csv\n"
	if err := os.WriteFile(filepath.Join(dir, "routes.yaml"), []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTheSampleRoutesHaveNeitherErrorsNorWarnings(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if code := runCheck(context.Background(), []string{"../../routes.yaml"}, &stdout, &stderr); code != 0 || stdout.String() != "../../routes.yaml: 3 routes, no errors\n" {
		t.Errorf("exit code %d\n%s%s", code, stdout.String(), stderr.String())
	}
}

func TestTheSampleRoutesWithAllTheirOptions(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../routes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// The commented options replace their alternatives.
	head, tail, found := strings.Cut(string(b), "    files: orders/")
	_, tail, _ = strings.Cut(tail, "\n")
	src := head + strings.TrimPrefix(strings.ReplaceAll("\n"+tail, "\n    # ", "\n    "), "\n")
	if !found || !strings.Contains(src, "\n    date_offset: -1d ") {
		t.Fatalf("no options in\n%s", src)
	}
	name := filepath.Join(t.TempDir(), "routes.yaml")
	if err := os.WriteFile(name, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if code := runCheck(context.Background(), []string{name}, &stdout, &stderr); code != 0 || strings.Contains(stdout.String(), "warning") {
		t.Errorf("exit code %d\n%s%s", code, stdout.String(), stderr.String())
	}
}

func TestExplainRefusesAnEventThatLambdaDoesNotTake(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	event, routes := filepath.Join(dir, "event.json"), filepath.Join(dir, "routes.yaml")
	if err := os.WriteFile(event, make([]byte, maxEvent+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(routes, []byte("version: 1\nroutes:\n  - {name: a, config_id: cg-1, files: \"a/{yyyy}{MM}{dd}{HH}\", settle: 3h}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := (&explainOptions{routes: routes, event: event}).explain(io.Discard)
	if want := event + ": has more than 6291456 bytes, which is more than Lambda accepts"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	// The window of an hour waits at most one hour.
	var out strings.Builder
	if err := (&explainOptions{routes: routes, bucket: "b", key: "a/2026112206"}).explain(&out); err != nil ||
		!strings.Contains(out.String(), "once no file of the window has come for 3h, or 1h after the first\n") {
		t.Errorf("%v\n%s", err, &out)
	}
}
