package commands

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFences(t *testing.T) {
	t.Parallel()
	const text = "Say\n\n```sh\n# needs Docker\nmake x   # why\n```\n\n1. in a list\n\n   ```json\n   {\n     1}\n   ```\n"
	got, err := Fences("a.md", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []Fence{
		{File: "a.md", Line: 3, Word: "sh", Before: "Say", Text: "# needs Docker\nmake x   # why\n"},
		{File: "a.md", Line: 10, Word: "json", Before: "1. in a list", Text: "{\n  1}\n"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if n, err := got[0].Need(); n != Docker || err != nil {
		t.Error(n, err)
	}
	if diff := cmp.Diff([]string{"make x"}, got[0].Lines()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	joined := Fence{Text: "make a \\\n  b\n\nmake c\n"}
	if diff := cmp.Diff([]string{"make a   b", "make c"}, joined.Lines()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// shell makes a shell with a program that is recorded and one that fails.
func shell(t *testing.T) *Shell {
	t.Helper()
	s := &Shell{Folder: t.TempDir(), Dir: t.TempDir(), Stdin: "typed\n"}
	if err := s.Prepare(map[string]string{"aws": "echo None", "sam": "exit 3"}); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestShellRecordsWhatTheBlocksCall(t *testing.T) {
	t.Parallel()
	s := shell(t)
	got, err := s.Run([]Fence{
		{File: "a.md", Line: 1, Text: "name=\"two words\"\ncat > typed\n"},
		{File: "a.md", Line: 7, Text: "aws s3 cp --key \"$name\" '' --flag\nif test \"$(aws sqs)\" = None; then aws 'x\ny'; fi\n"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Call{
		{"a.md:7", []string{"aws", "s3", "cp", "--key", "two words", "", "--flag"}},
		{"a.md:7", []string{"aws", "sqs"}},
		{"a.md:7", []string{"aws", "x\ny"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"two words", ""}, got[0].Values("--key")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got[0].Values("--flag") == nil || got[0].Values("--other") != nil {
		t.Error(got[0].Values("--flag"), got[0].Values("--other"))
	}
	if typed, err := os.ReadFile(filepath.Join(s.Dir, "typed")); string(typed) != "typed\n" {
		t.Errorf("%q %v", typed, err)
	}
	if got[1].String() != "a.md:7: aws sqs" {
		t.Error(got[1])
	}
}

// The project's own tool is recorded, and carried out where there is something
// that stands in for AWS.
func TestShellRunsTheTool(t *testing.T) {
	t.Parallel()
	block := []Fence{{File: "a.md", Line: 1, Text: "key=\"a b\"\ngo run ./cmd/amperity-runs held release \"$key\"\ngo run ./cmd/amperity-runs -h > help || true\n"}}
	want := []Call{{"a.md:1", []string{"go", "run", "./cmd/amperity-runs", "held", "release", "a b"}}, {"a.md:1", []string{"go", "run", "./cmd/amperity-runs", "-h"}}}
	for _, stands := range []bool{false, true} {
		s := shell(t)
		if stands {
			s.Environ = []string{"AWS_ENDPOINT_URL=http://127.0.0.1:1"}
		}
		got, err := s.Run(block)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		help, err := os.ReadFile(filepath.Join(s.Dir, "help"))
		if ran := strings.Contains(string(help), "Usage:"); ran != stands || err != nil {
			t.Errorf("with something that stands in for AWS %t: %q, %v", stands, help, err)
		}
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	run := func(text string) error {
		_, err := shell(t).Run([]Fence{{File: "a.md", Line: 4, Text: text}})
		return err
	}
	_, notClosed := Fences("a.md", []byte("x\n```sh\nmake\n"))
	_, noNeed := Fence{File: "a.md", Line: 2, Text: "# needs patience\nmake\n"}.Need()
	_, broken := parse("x\x00y\x00")
	rows := []struct {
		name string
		err  error
		want string
	}{
		{"a block that is not closed", notClosed, "a.md:2: the block is not closed"},
		{"a need that is none", noNeed, `a.md:2: "# needs patience" is no need: write "# needs an AWS account" or "# needs Docker"`},
		{"a record that is broken", broken, `the record of calls is broken at "x"`},
		{"a program that fails", run("sam build\n"), "exit status 3\nthis failed in a.md:4"},
		{"another go", run("go vet ./...\n"), "exit status 1\ngo vet ./...: only go run ./cmd/amperity-runs may be called\n"},
		{"a program that is not allowed", run("curl x || true\n"), "a program is none that the documentation may use:\n"},
	}
	for _, row := range rows {
		if row.err == nil || !strings.HasPrefix(row.err.Error(), row.want) {
			t.Errorf("%s:\ngot  %v\nwant %s", row.name, row.err, row.want)
		}
	}
}
