// Package commands reads the commands out of the documentation, so that tests
// can run them.
//
// A command stands in a fenced block with the word sh. A block that needs more
// than Go and make says so in its first line, in one of the forms of [Need].
package commands

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Need is what a block of commands needs.
type Need string

// The needs. Each but Nothing is the first line of a block.
const (
	Nothing Need = ""
	AWS     Need = "# needs an AWS account"
	Docker  Need = "# needs Docker"
)

// Fence is one fenced block.
type Fence struct {
	// File is relative to the project's folder.
	File string
	// Line is that of the fence.
	Line int
	// Word is what stands behind the fence, for example sh.
	Word string
	// Before is the last line that is not empty before the fence.
	Before string
	// Text is what is in the block, without the indentation of the fence.
	Text string
}

// Place is "README.md:52".
func (f Fence) Place() string { return fmt.Sprintf("%s:%d", f.File, f.Line) }

// Need tells what a block with the word sh needs. The error names a first line
// that is no need.
func (f Fence) Need() (Need, error) {
	first, _, _ := strings.Cut(f.Text, "\n")
	n := Need(strings.TrimSpace(first))
	switch {
	case n == AWS || n == Docker:
		return n, nil
	case strings.Contains(strings.ToLower(first), "# needs"):
		return "", fmt.Errorf("%s: %q is no need: write %q or %q", f.Place(), first, AWS, Docker)
	}
	return Nothing, nil
}

// Lines are the commands of a block that needs nothing, one for each line,
// without comments.
func (f Fence) Lines() []string {
	var lines []string
	for line := range strings.SplitSeq(strings.ReplaceAll(f.Text, "\\\n", ""), "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// Fences lists the fenced blocks of a file. The error names a block that is
// not closed.
func Fences(file string, text []byte) ([]Fence, error) {
	var fences []Fence
	var open *Fence
	indent, before := "", ""
	for i, line := range strings.Split(string(text), "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case open == nil && strings.HasPrefix(trimmed, "```"):
			indent, _, _ = strings.Cut(line, "`")
			open = &Fence{File: file, Line: i + 1, Word: strings.TrimPrefix(trimmed, "```"), Before: before}
		case open != nil && trimmed == "```":
			fences, open, before = append(fences, *open), nil, ""
		case open != nil:
			open.Text += strings.TrimPrefix(line, indent) + "\n"
		case trimmed != "":
			before = trimmed
		}
	}
	if open != nil {
		return nil, fmt.Errorf("%s: the block is not closed", open.Place())
	}
	return fences, nil
}

// Files lists the documents below root whose commands are held to these rules.
func Files(root string) ([]string, error) {
	files := []string{"README.md", "CONTRIBUTING.md", "events/README.md"}
	err := fs.WalkDir(os.DirFS(root), "docs", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".md") {
			files = append(files, path)
		}
		return err
	})
	return files, err
}

// All lists the fenced blocks of all documents.
func All(root string) ([]Fence, error) {
	files, err := Files(root)
	if err != nil {
		return nil, err
	}
	var all []Fence
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return nil, err
		}
		fences, err := Fences(file, text)
		if err != nil {
			return nil, err
		}
		all = append(all, fences...)
	}
	return all, nil
}

// Call is one call of a program that a [Shell] records.
type Call struct {
	// Place is the block's.
	Place string
	// Args are the program's name and its arguments.
	Args []string
}

// String is "README.md:52: sam build".
func (c Call) String() string { return c.Place + ": " + strings.Join(c.Args, " ") }

// Values are the arguments behind a flag, up to the next flag.
func (c Call) Values(flag string) []string {
	i := slices.Index(c.Args, flag)
	if i < 0 {
		return nil
	}
	values := c.Args[i+1:]
	if end := slices.IndexFunc(values, func(a string) bool { return strings.HasPrefix(a, "--") }); end >= 0 {
		values = values[:end]
	}
	return values
}

// Shell runs the blocks of one document as one script, with no programs but a
// few harmless ones, those given, and [Tool].
type Shell struct {
	// Folder is where the programs are kept.
	Folder string
	// Dir is the script's working directory.
	Dir string
	// Environ is the script's environment, without PATH.
	Environ []string
	// Stdin is what each command that asks for input gets.
	Stdin string
}

// Tool is how the documentation calls this project's own command line, which is
// all that go may do in a script. Its calls are recorded. Where the script's
// environment names an address that stands in for AWS (AWS_ENDPOINT_URL) they
// are carried out, too, but for those of the sub-command "held": it calls a
// deployed function, which nothing that stands in for AWS can run.
const Tool = "go run ./cmd/amperity-runs"

// toolPackage is what Tool runs.
const toolPackage = "github.com/amperity-runs/amperity-runs/cmd/amperity-runs"

// harmless are the programs that every script may use.
var harmless = []string{"cat", "cut", "mktemp", "rm", "tr"}

// Prepare makes the folder of programs. Those in programs are bash scripts by
// their names; all calls of them, and of the tool, are recorded before they
// run.
func (s *Shell) Prepare(programs map[string]string) error {
	for _, name := range harmless {
		path, err := exec.LookPath(name)
		if err != nil {
			return err
		}
		if err := os.Symlink(path, filepath.Join(s.Folder, name)); err != nil {
			return err
		}
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		return err
	}
	programs = maps.Clone(programs)
	programs["go"] = `case "go $1 $2" in "` + Tool + `") ;; *) echo "go $*: only ` + Tool + ` may be called" >&2; exit 1 ;; esac
tool="${CALLS%/*}/amperity-runs"
if test -e "$tool" -a "${3:-}" != held; then exec "$tool" "${@:3}"; fi`
	for name, script := range programs {
		text := "#!" + bash + "\nprintf '%s\\0' $(($# + 1)) \"$BLOCK\" " + name + " \"$@\" >> \"$CALLS\"\n" + script + "\n"
		if err := os.WriteFile(filepath.Join(s.Folder, name), []byte(text), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// ScriptError is how a script failed.
type ScriptError struct {
	// Output is what it wrote, with the place of the block that failed.
	Output string
	// Err is the exit status, or nil where a program was not found.
	Err error
}

func (e *ScriptError) Error() string {
	if e.Err == nil {
		return "a program is none that the documentation may use:\n" + e.Output
	}
	return e.Err.Error() + "\n" + e.Output
}

// Run runs the blocks in their order and returns the calls of the recorded
// programs. The error is a [*ScriptError] where the script fails.
func (s *Shell) Run(blocks []Fence) ([]Call, error) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		return nil, err
	}
	if err := s.buildTool(blocks); err != nil {
		return nil, err
	}
	calls := filepath.Join(s.Folder, "calls")
	if err := os.WriteFile(calls, nil, 0o600); err != nil {
		return nil, err
	}
	script := "set -euo pipefail\ntrap 'echo \"this failed in $BLOCK\" >&2' ERR\n"
	for _, b := range blocks {
		script += "export BLOCK='" + b.Place() + "'\n" + b.Text
	}
	cmd := exec.Command(bash, "-c", script)
	cmd.Dir = s.Dir
	cmd.Env = append(slices.Clone(s.Environ), "PATH="+s.Folder, "CALLS="+calls)
	cmd.Stdin = strings.NewReader(s.Stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	if err != nil || strings.Contains(out.String(), "command not found") {
		return nil, &ScriptError{Output: out.String(), Err: err}
	}
	text, err := os.ReadFile(calls)
	if err != nil {
		return nil, err
	}
	return parse(string(text))
}

// buildTool builds the tool where a block calls it and there is something that
// it can reach.
func (s *Shell) buildTool(blocks []Fence) error {
	called := slices.ContainsFunc(blocks, func(b Fence) bool { return strings.Contains(b.Text, Tool+" ") })
	reach := slices.ContainsFunc(s.Environ, func(v string) bool { return strings.HasPrefix(v, "AWS_ENDPOINT_URL=") })
	if !called || !reach {
		return nil
	}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(s.Folder, "amperity-runs"), toolPackage).CombinedOutput(); err != nil {
		return fmt.Errorf("%s is not built: %w\n%s", toolPackage, err, out)
	}
	return nil
}

// parse reads what the recorded programs wrote: the number of words, the
// block, and the words, each with a zero byte behind it.
func parse(text string) ([]Call, error) {
	var calls []Call
	words := strings.Split(strings.TrimSuffix(text, "\x00"), "\x00")
	for len(words) > 1 {
		n, err := strconv.Atoi(words[0])
		if err != nil || n < 1 || n+2 > len(words) {
			return nil, fmt.Errorf("the record of calls is broken at %q", words[0])
		}
		calls = append(calls, Call{Place: words[1], Args: words[2 : n+2]})
		words = words[n+2:]
	}
	return calls, nil
}
