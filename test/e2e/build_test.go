package e2e

import (
	"debug/elf"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/test/stack"
)

func TestTemplateIsValid(t *testing.T) {
	t.Parallel()
	command(t, root, "sam", "validate", "--lint")
	if out := command(t, root, "cfn-lint", "-c", "I", "-t", "template.yaml"); len(out) > 0 {
		t.Errorf("cfn-lint says:\n%s", out)
	}
}

func TestSamBuildMakesTheRightBinaryTwiceTheSame(t *testing.T) {
	t.Parallel()
	routes, err := filepath.Glob(filepath.Join(root, "routes*.yaml"))
	if err != nil || len(routes) == 0 {
		t.Fatalf("no routes file: %v", err)
	}
	for architecture, machine := range map[string]elf.Machine{"arm64": elf.EM_AARCH64, "x86_64": elf.EM_X86_64} {
		first := samBuild(t, architecture)
		// Neither the folder nor the shell's settings of Go make a difference.
		second := samBuild(t, architecture, "GOFLAGS=-tags=other", "GOAMD64=v3", "GOARM64=v9.0", "GOARCH=386")

		for _, f := range stack.Functions() {
			want := []string{"bootstrap"}
			if f.Name != "trigger" {
				for _, r := range routes {
					want = append(want, filepath.Base(r))
				}
			}
			got := artifact(t, filepath.Join(first, f.LogicalID))
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
				t.Errorf("%s: %s holds (-want +got)\n%s", architecture, f.LogicalID, diff)
			}
			again := artifact(t, filepath.Join(second, f.LogicalID))
			for name, data := range got {
				if data != again[name] {
					t.Errorf("%s: %s/%s differs from build to build", architecture, f.LogicalID, name)
				}
			}
			binary(t, filepath.Join(first, f.LogicalID, "bootstrap"), machine)
		}
	}
}

// samBuild builds for an architecture, with more variables in the environment,
// and returns the folder.
func samBuild(t *testing.T, architecture string, environ ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "build")
	commandWith(t, environ, root, "sam", "build", "--build-dir", dir, "--parameter-overrides", "Architecture="+architecture)
	return dir
}

// artifact reads the files of a folder, by their names.
func artifact(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, path))
		files[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// binary checks that a file is a program for Lambda on a machine.
func binary(t *testing.T, name string, machine elf.Machine) {
	t.Helper()
	f, err := elf.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Machine != machine || f.Type != elf.ET_EXEC || f.Class != elf.ELFCLASS64 {
		t.Errorf("%s is %v %v %v, want an executable for %v", name, f.Type, f.Class, f.Machine, machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Errorf("%s needs a dynamic linker, which provided.al2023 may not have", name)
		}
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm()&0o111 == 0 {
		t.Errorf("%s has the mode %v", name, info.Mode())
	}
}

func TestBuildTargetsAreForSamAlone(t *testing.T) {
	tools(t)
	for _, f := range stack.Functions() {
		cmd := exec.Command("make", "--no-print-directory", "build-"+f.LogicalID, "ARTIFACTS_DIR="+t.TempDir())
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		const want = `is for sam build, which says where to build and for which architecture: run "sam build", or "make build" for this machine`
		if err == nil || !strings.Contains(string(out), "build-"+f.LogicalID+" "+want) {
			t.Errorf("%s: %v\n%s", f.LogicalID, err, out)
		}
	}
}
