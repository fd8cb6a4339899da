package golden

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recorder is a test that keeps what it fails with.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Helper()      {}
func (r *recorder) Name() string { return "TestMails/a_row" }

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(r)
}

func failures(t *testing.T, file, got string) []string {
	r := &recorder{TB: t}
	func() {
		defer func() {
			if v := recover(); v != nil && v != any(r) {
				panic(v)
			}
		}()
		Check(r, file, got)
	}()
	return r.failures
}

// Not parallel: it sets the flag.
func TestCheckNamesTheDifferenceAndTheCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "testdata", "mails.golden")
	const command = "go test github.com/amperity-runs/amperity-runs/internal/golden -run '^TestMails$' -update"
	before := *Update
	t.Cleanup(func() { *Update = before })
	*Update = false

	if got := failures(t, file, "a\nb\n"); len(got) != 1 || !strings.HasSuffix(got[0], "no such file or directory; to write it, run: "+command) {
		t.Errorf("a missing file: %q", got)
	}
	*Update = true
	if got := failures(t, file, "a\nb\n"); got != nil || Read(t, file) != "a\nb\n" {
		t.Errorf("an update: %q", got)
	}
	*Update = false
	if got := failures(t, file, "a\nb\n"); got != nil {
		t.Errorf("the same text: %q", got)
	}
	if got := failures(t, file, "a\nc\n"); len(got) != 1 || !strings.HasPrefix(got[0], file+" differs; to rewrite it, run: "+command+"\n(-want +got)\n") {
		t.Errorf("another text: %q", got)
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "a\nb\n" {
		t.Errorf("a failure wrote %q, %v", data, err)
	}
}

func TestRowIndentsEachLine(t *testing.T) {
	t.Parallel()
	if got, want := Row("two lines", "a\nb\n"), "# two lines\n\ta\n\tb\n\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
