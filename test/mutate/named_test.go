package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// TestNamedMutantsFitTheCode: a mutant whose code has moved says nothing.
func TestNamedMutantsFitTheCode(t *testing.T) {
	t.Parallel()
	abs, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := choose(abs, packages, options{named: true}, io.Discard); err != nil {
		t.Error(err)
	}
	names := map[string]bool{}
	for _, n := range namedMutants {
		if n.Name == "" || n.Why == "" || names[n.Name] {
			t.Errorf("%q needs a name of its own, and a sentence that says what goes wrong", n.Name)
		}
		names[n.Name] = true
	}
}

func TestANamedMutantThatDoesNotFit(t *testing.T) {
	t.Parallel()
	dir := fixture(t)
	n := namedMutant{Name: "x", File: "p/p.go", Old: "return a\n", New: "return b\n"}
	_, err := n.mutant(dir)
	want := "p/p.go has the old text 2 times, and must have it once; write the same mistake for the present code:\nreturn a\n"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestStagesNameTestsThatExist: a stage without tests catches nothing.
func TestStagesNameTestsThatExist(t *testing.T) {
	t.Parallel()
	for pattern, folder := range map[string]string{slow: "test/sim", model: "internal/window"} {
		files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
		for _, name := range regexp.MustCompile(`Test\w+`).FindAllString(pattern, -1) {
			if !strings.Contains(all.String(), "\nfunc "+name+"(") {
				t.Errorf("%s has no test %s: correct test/mutate/stages.go", folder, name)
			}
		}
	}
}
