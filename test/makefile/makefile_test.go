// Package makefile tests the Makefile.
package makefile

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the project's folder.
const root = "../.."

// run runs make in dir with the Makefile and more rules, and returns the
// output.
func run(t *testing.T, dir, rules string, environ []string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("no make")
	}
	more := filepath.Join(t.TempDir(), "more.mk")
	if err := os.WriteFile(more, []byte(rules), 0o644); err != nil {
		t.Fatal(err)
	}
	makefile, err := filepath.Abs(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("make", append([]string{"-s", "-f", makefile, "-f", more}, args...)...)
	cmd.Dir = dir
	// The make that runs this test hands its own settings down.
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "GOWORK", "VENV"}, name)
	}), environ...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}

// A checkout may lie below a go.work that does not list this module.
func TestRecipesIgnoreAForeignWorkspace(t *testing.T) {
	t.Parallel()
	work := filepath.Join(t.TempDir(), "go.work")
	if err := os.WriteFile(work, []byte("go 1.26.0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	const rules = "gowork: ; @$(GO) env GOWORK\n"
	for name, row := range map[string]struct {
		dir, target, want string
	}{
		"every recipe":          {root, "gowork", "off\n"},
		"a recipe of sam build": {filepath.Join(root, "arch", "arm64"), "gowork", "off\n"},
		"make demo":             {root, "demo", "1. A schedule, which AWS delivers twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := run(t, row.dir, rules, []string{"GOWORK=" + work}, row.target)
			if err != nil || !strings.Contains(out, row.want) {
				t.Errorf("%v, output does not have %q:\n%s", err, row.want, out)
			}
		})
	}
}

// Without its environment an end-to-end test is skipped. A target of the
// Makefile then fails.
func TestSkippedTestFailsTheTarget(t *testing.T) {
	t.Parallel()
	const rules = `end-to-end: ; @AMPERITY_RUNS_E2E="$(VENV)" $(call go_test,-count=1 ./test/e2e -run '^TestEveryRoleNamesItsResources$$')` + "\n"
	out, err := run(t, root, rules, nil, "end-to-end", "VENV=")
	const want = "skipped 1 test: TestEveryRoleNamesItsResources;"
	if err == nil || !strings.Contains(out, want) {
		t.Errorf("error %v, want one; output without %q:\n%s", err, want, out)
	}
}
