// Package golden compares the texts that users read with files in testdata.
// The flag -update rewrites the files, so a changed text is reviewed as the
// diff of a file.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Update is set by -update: tests rewrite their golden files and pass.
var Update = flag.Bool("update", false, "rewrite the golden files in testdata")

// Check compares got with a file, such as testdata/faults.golden. With -update
// it writes the file.
func Check(t testing.TB, file, got string) {
	t.Helper()
	if *Update {
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; to write it, run: %s", err, command(t))
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs; to rewrite it, run: %s\n(-want +got)\n%s", file, command(t), diff)
	}
}

// command returns the command that rewrites the files of a test.
func command(t testing.TB) string {
	pkg := "."
	if info, ok := debug.ReadBuildInfo(); ok {
		pkg = strings.TrimSuffix(info.Path, ".test")
	}
	name, _, _ := strings.Cut(t.Name(), "/")
	return "go test " + pkg + " -run '^" + name + "$' -update"
}

// Read returns a file that the tests of another package rewrite.
func Read(t testing.TB, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Row returns the text of a case, headed by its name, for a file with a text
// for each case of a test.
func Row(name, text string) string {
	text = strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n\t")
	return "# " + name + "\n\t" + text + "\n\n"
}
