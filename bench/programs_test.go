package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHelloIsBuiltAsTheFunctionWas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := goBuild{
		Args: []string{"build", "-buildvcs=false", "-trimpath", "-tags=lambda.norpc", "-ldflags=-s -w -buildid="},
		Env:  []string{"CGO_ENABLED=0"},
	}
	if err := first.build(t.Context(), "./hello", filepath.Join(dir, "first")); err != nil {
		t.Fatal(err)
	}
	read, err := readBuild(filepath.Join(dir, "first"))
	if err != nil {
		t.Fatal(err)
	}
	if err := read.build(t.Context(), "./hello", filepath.Join(dir, "second")); err != nil {
		t.Fatal(err)
	}
	a, err := os.ReadFile(filepath.Join(dir, "first"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "second"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a, b) {
		t.Errorf("built by %v %v, the two differ: %d and %d bytes", read.Args, read.Env, len(a), len(b))
	}
}

func TestPayloadsAreJSON(t *testing.T) {
	t.Parallel()
	for _, payload := range []func(time.Time) []byte{empty, scheduled, dated} {
		if !json.Valid(payload(time.Unix(0, 0))) {
			t.Errorf("%s is not JSON", payload(time.Unix(0, 0)))
		}
	}
}

func TestPythonIsOptional(t *testing.T) {
	t.Parallel()
	if n := len(programs{}.all()); n != 4 {
		t.Errorf("%d programs without Python", n)
	}
	with := programs{Python: program{Name: "python", Path: "python3"}}.all()
	if len(with) != 5 || with[4].Name != "python" {
		t.Errorf("%d programs with Python", len(with))
	}
}

func TestRequirementsArePinned(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") && !strings.Contains(line, "==") {
			t.Errorf("%q names no version", line)
		}
	}
}
