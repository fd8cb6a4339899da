package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// tests are the folders of the tests of the project, by their names.
func tests(t *testing.T) map[string][]string {
	t.Helper()
	named := map[string][]string{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		folder, _ := filepath.Rel(root, filepath.Dir(path))
		for _, m := range declared.FindAllSubmatch(text, -1) {
			named[string(m[1])] = append(named[string(m[1])], filepath.ToSlash(folder))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return named
}

// The documentation names only tests that exist.
func TestTestsThatTheDocumentationNamesExist(t *testing.T) {
	t.Parallel()
	named := tests(t)
	place := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`(?: \\(([a-z0-9/]+)\\))?")
	for _, file := range []string{"docs/guarantees.md", "docs/capacity.md", "docs/ledger.md", "docs/aws.md", "bench/README.md"} {
		for _, m := range place.FindAllStringSubmatch(read(t, file), -1) {
			name, folder := m[1], m[2]
			if file == "docs/guarantees.md" && folder == "" {
				folder = "test/sim"
			}
			found := false
			for _, f := range named[name] {
				found = found || folder == "" || f == folder
			}
			if !found {
				t.Errorf("%s names %s of %q, and there is none", file, name, folder)
			}
		}
	}
}

// Each row of what happens when names the test that shows it; one says why
// there is none.
func TestEachRowOfWhatHappensNamesATest(t *testing.T) {
	t.Parallel()
	without := 0
	for _, group := range []string{"Requests to Amperity", "Files and windows", "Inputs and operators", "AWS and the functions"} {
		if !strings.Contains(read(t, "docs/guarantees.md"), "\n### "+group+"\n") {
			t.Errorf("the table %q has no heading", group)
		}
		for _, r := range table(t, "docs/guarantees.md", "what happens when: "+group) {
			if len(code(r[len(r)-1])) == 0 {
				without++
				if !strings.Contains(r[0], "does not exist") {
					t.Errorf("no test is named for: %s", r[0])
				}
			}
		}
	}
	if without > 1 {
		t.Errorf("%d rows name no test", without)
	}
}

// The histories that broke earlier drafts, each a test by its number.
func TestEachHistoryIsATest(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	number := regexp.MustCompile(`^TestH(\d+)[A-Z]`)
	for name := range tests(t) {
		if m := number.FindStringSubmatch(name); m != nil {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			seen[n] = true
		}
	}
	const histories = 40
	for n := 1; n <= histories; n++ {
		if !seen[n] {
			t.Errorf("no test is named for history %d", n)
		}
	}
}
