package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
	"github.com/amperity-runs/amperity-runs/test/stack"
)

// root is the project's folder.
const root = "../.."

// fixtureToken is the token of these tests; make test looks for its mark in
// all output.
const fixtureToken = "tok-xSECRETx-e2e"

// tools returns the environment of make test. A plain go test has none, and
// skips the test. The Makefile sets the environment, and fails if a test is
// skipped.
func tools(t *testing.T) stack.Tools {
	t.Helper()
	tools, err := stack.FromEnvironment(os.Getenv)
	if errors.Is(err, stack.ErrNoTools) {
		t.Skip(err)
	}
	return tools
}

// world starts moto and the simulator for one test.
func world(t *testing.T) *stack.World {
	t.Helper()
	w, err := tools(t).NewWorld(t.Context(), stack.Config{Now: time.Now, Token: amperity.NewToken(fixtureToken)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// emulate runs a built function for one test. It fails the test if the token
// gets into the function's log.
func emulate(t *testing.T, w *stack.World, name string, change map[string]string) *stack.Emulator {
	t.Helper()
	f, err := stack.FunctionOf(name + "-")
	if err != nil {
		t.Fatal(err)
	}
	e, err := w.Emulate(t.Context(), root, f, change, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.Close()
		if bytes.Contains([]byte(e.Log()), []byte(fixtureToken)) {
			t.Errorf("the token is in the log of %s", name)
		} else {
			t.Logf("the log of %s:\n%s", name, e.Log())
		}
	})
	return e
}

// command runs a Python program of the environment in dir, with nothing of
// this machine's AWS settings, and returns its output; it fails the test if
// the program fails.
func command(t *testing.T, dir, name string, args ...string) []byte {
	t.Helper()
	return commandWith(t, nil, dir, name, args...)
}

// commandWith is command with more variables in the environment.
func commandWith(t *testing.T, environ []string, dir, name string, args ...string) []byte {
	t.Helper()
	out, err := tryWith(t, environ, dir, name, args...)
	if err != nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return out
}

// try is command, but for the failure. The output is kept with the test's.
func try(t *testing.T, dir, name string, args ...string) ([]byte, error) {
	t.Helper()
	return tryWith(t, nil, dir, name, args...)
}

// tryWith is try with more variables in the environment.
func tryWith(t *testing.T, environ []string, dir, name string, args ...string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, tools(t).Program(name), args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"AWS_DEFAULT_REGION=" + stack.Region, "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null",
		"AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local", "SAM_CLI_TELEMETRY=0",
	}
	for _, keep := range []string{"PATH", "HOME", "TMPDIR", "GOPATH", "GOCACHE", "GOMODCACHE", "GOPROXY", "GONOSUMDB", "GOFLAGS", "GOSUMDB", "GOARCH", "GOAMD64", "GOARM64"} {
		if v, set := os.LookupEnv(keep); set {
			cmd.Env = append(cmd.Env, keep+"="+v)
		}
	}
	cmd.Env = append(cmd.Env, environ...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	t.Logf("%s %v:\n%s", name, args, out.Bytes())
	return out.Bytes(), err
}

// read reads a file of the project.
func read(t *testing.T, elem ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{root}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
