package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// helperCommand makes this test binary a command for the tests of run.
const helperCommand = "AMPERITY_RUNS_PROGRESS_COMMAND"

func TestMain(m *testing.M) {
	switch os.Getenv(helperCommand) {
	case "":
		os.Exit(m.Run())
	case "ok":
		os.Stdout.WriteString("to stdout\n")
		os.Stderr.WriteString("to stderr\n")
	case "fails":
		os.Stdout.WriteString("no end of line")
		os.Exit(3)
	case "skips":
		os.Stdout.WriteString("=== RUN   TestA\n    a_test.go:3: run make test\n--- SKIP: TestA (0.00s)\nPASS\nok  \texample.com/a\t0.1s\n")
	}
}

func TestCopyShowsASignOfLife(t *testing.T) {
	t.Parallel()
	type step struct {
		after time.Duration
		line  string
	}
	for name, row := range map[string]struct {
		short bool
		steps []step
		want  string
	}{
		"a command that writes often": {steps: []step{{10 * time.Second, "a"}, {14 * time.Second, "b"}, {14 * time.Second, "c"}}, want: "a\nb\nc\n"},
		"a silent command": {steps: []step{{40 * time.Second, "a"}}, want: `go vet has run for 15s
go vet has run for 30s
a
`},
		"a command that falls silent": {steps: []step{{0, "a"}, {16 * time.Second, "b"}}, want: `a
go vet has run for 15s
b
`},
		"tests whose lines are hidden": {short: true, steps: []step{
			{0, "=== RUN   TestA"}, {0, "=== RUN   TestB"}, {0, "=== RUN   TestB/one"}, {0, "=== RUN   TestC"}, {0, "=== PAUSE TestC"},
			{10 * time.Second, "--- PASS: TestA (10.00s)"}, {6 * time.Second, "    --- PASS: TestB/one (16.00s)"},
			{15 * time.Second, "ok  \texample.com/a\t31.000s"},
		}, want: `go vet has run for 15s: 1 test done, running TestB
go vet has run for 30s: 1 test done, running TestB
ok  	example.com/a	31.000s
`},
		"many tests at the same time": {short: true, steps: []step{
			{0, "=== RUN   TestA"}, {0, "--- FAIL: TestA (0.00s)"}, {0, "=== RUN   TestD"}, {0, "=== RUN   TestB"}, {0, "=== CONT  TestE"}, {0, "=== RUN   TestC"}, {0, "--- SKIP: TestF (0.00s)"},
			{16 * time.Second, "FAIL\texample.com/a\t16.000s"},
		}, want: `go vet has run for 15s: 2 tests done, running TestB, TestC, TestD and 1 more
--- FAIL: TestA (0.00s)
--- SKIP: TestF (0.00s)

Failed, in short:
--- FAIL: TestA (0.00s)
FAIL	example.com/a	16.000s
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, w := io.Pipe()
				go func() {
					for _, s := range row.steps {
						time.Sleep(s.after) // the bubble's clock, not the machine's
						io.WriteString(w, s.line+"\n")
					}
					w.Close()
				}()
				var out bytes.Buffer
				copyLines(&out, nil, r, "go vet", &report{short: row.short})
				if diff := cmp.Diff(row.want, out.String()); diff != "" {
					t.Errorf("output (-want +got)\n%s", diff)
				}
			})
		})
	}
}

func TestReportOfGoTest(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		output, want string
		skipped      []string
	}{
		"packages that pass": {
			output: "=== RUN   TestA\n    a_test.go:3: a figure\n--- PASS: TestA (0.00s)\nPASS\nok  \texample.com/a\t0.1s\n?   \texample.com/b\t[no test files]\n",
			want:   "ok  \texample.com/a\t0.1s\n?   \texample.com/b\t[no test files]\n",
		},
		"a package that fails": {
			output: "=== RUN   TestA\n--- PASS: TestA (0.00s)\n=== RUN   TestB\n=== RUN   TestB/one\n    b_test.go:7: got 1\n    b_test.go:8: the log of trigger:\n--- FAIL: TestB (0.00s)\n    --- FAIL: TestB/one (0.00s)\nFAIL\nFAIL\texample.com/a\t0.1s\nFAIL\n",
			want: `    b_test.go:7: got 1
    b_test.go:8: the log of trigger:
--- FAIL: TestB (0.00s)
    --- FAIL: TestB/one (0.00s)
FAIL

Failed, in short:
--- FAIL: TestB (0.00s)
    b_test.go:7: got 1
    --- FAIL: TestB/one (0.00s)
FAIL	example.com/a	0.1s
FAIL
`,
		},
		"a package that does not build": {
			output: "# example.com/a\na.go:3:1: syntax error\nFAIL\texample.com/a [build failed]\n",
			want:   "# example.com/a\na.go:3:1: syntax error\n\nFailed, in short:\nFAIL\texample.com/a [build failed]\n",
		},
		"a panic": {
			output: "=== RUN   TestA\npanic: no map\n\ngoroutine 1\nFAIL\texample.com/a\t0.1s\n",
			want:   "panic: no map\n\ngoroutine 1\n\nFailed, in short:\npanic: no map\nFAIL\texample.com/a\t0.1s\n",
		},
		"output behind the last package": {output: "ok  \texample.com/a\t0.1s\nmake: Error 1\n", want: "ok  \texample.com/a\t0.1s\nmake: Error 1\n"},
		"skipped tests": {
			output:  "=== RUN   TestA\n    a_test.go:3: run make test\n--- SKIP: TestA (0.00s)\n=== RUN   TestB\n=== RUN   TestB/one\n    b_test.go:4: no bash\n--- PASS: TestB (0.00s)\n    --- SKIP: TestB/one (0.00s)\nok  \texample.com/a\t0.1s\n",
			want:    "ok  \texample.com/a\t0.1s\n",
			skipped: []string{"TestA", "TestB/one"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &report{short: true}
			var out bytes.Buffer
			copyLines(&out, nil, strings.NewReader(row.output), "go test", r)
			if diff := cmp.Diff(row.want, out.String()); diff != "" {
				t.Errorf("output (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(row.skipped, r.skipped); diff != "" {
				t.Errorf("skipped (-want +got)\n%s", diff)
			}
		})
	}
}

func TestTitle(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"go", "vet", "./..."}, "go vet ./..."},
		{[]string{"go", "test", "-v", "example.com/the/first/package", "example.com/the/second/package"}, "go test -v example.com/the/first/package …"},
		{[]string{strings.Repeat("x", 100)}, strings.Repeat("x", 100)},
	} {
		if got := title(row.args); got != row.want {
			t.Errorf("title(%q) is %q, want %q", row.args, got, row.want)
		}
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	if err := os.WriteFile(log, []byte("before\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		args    []string
		command string
		code    int
		// stdout and stderr are the whole output. SELF is the command.
		stdout, stderr, log string
	}{
		"a command that succeeds": {args: []string{self}, command: "ok", stdout: "to stdout\nto stderr\n"},
		"a command that fails":    {args: []string{self, "-x"}, command: "fails", code: 3, stdout: "no end of line\n"},
		"no command":              {code: 2, stderr: usage},
		"an unknown flag":         {args: []string{"-long", "x"}, code: 2, stderr: "flag provided but not defined: -long\n" + usage},
		"a program that is not there": {args: []string{filepath.Join(dir, "none")}, code: 1,
			stderr: "progress: fork/exec DIR/none: no such file or directory\n"},
		"a log that cannot be written": {args: []string{"-log", filepath.Join(dir, "none", "log"), self}, code: 1,
			stderr: "progress: open DIR/none/log: no such file or directory\n"},
		"a skipped test": {args: []string{"-short", "-log", log, self}, command: "skips", code: 1,
			stdout: "ok  \texample.com/a\t0.1s\n",
			stderr: "progress: SELF skipped 1 test: TestA; the Makefile runs every test, so set up what the test needs (make test does)\n",
			log:    "before\n=== RUN   TestA\n    a_test.go:3: run make test\n--- SKIP: TestA (0.00s)\nPASS\nok  \texample.com/a\t0.1s\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			environ := append(os.Environ(), helperCommand+"="+row.command)
			code := run(t.Context(), row.args, environ, &stdout, &stderr)
			if code != row.code {
				t.Errorf("exit code %d, want %d", code, row.code)
			}
			plain := strings.NewReplacer(self, "SELF", dir, "DIR")
			if diff := cmp.Diff(row.stdout, stdout.String()); diff != "" {
				t.Errorf("stdout (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(row.stderr, plain.Replace(stderr.String())); diff != "" {
				t.Errorf("stderr (-want +got)\n%s", diff)
			}
			if row.log == "" {
				return
			}
			got, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.log, string(got)); diff != "" {
				t.Errorf("log (-want +got)\n%s", diff)
			}
		})
	}
}
