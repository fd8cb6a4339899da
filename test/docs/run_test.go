package docs

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/amperity-runs/amperity-runs/internal/trigger"
	"github.com/amperity-runs/amperity-runs/test/docs/commands"
)

// root is the project's folder.
const root = "../.."

// notRun maps the first two words of commands that need nothing, and that this
// test does not run, to the reason. The test checks that make has them.
var notRun = map[string]string{
	"make test":       "runs this test",
	"make check":      "runs this test",
	"make golden":     "rewrites the files that other tests read meanwhile",
	"make local":      "serves until it is interrupted",
	"make invoke":     "needs the virtual environment of make test; test/e2e runs it",
	"make fuzz":       "takes minutes",
	"make bench":      "takes minutes",
	"make soak":       "takes as long as it is told to",
	"make crash":      "takes minutes; test/e2e does the same with fewer",
	"make mutants":    "takes hours",
	"make simulation": "takes minutes, and CI runs it",
	"make gosec":      "fetches gosec, and CI runs it",
	"make vulncheck":  "fetches a database, and CI runs it",
	"make actionlint": "fetches actionlint, and CI runs it",
	"make year":       "takes minutes; test/sim does the same for a month",
}

func blocks(t *testing.T) []commands.Fence {
	t.Helper()
	all, err := commands.All(root)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// sampleRoutes is the routes file that the README shows. The tests use it in
// place of routes.yaml, which users edit.
func sampleRoutes(t *testing.T) string {
	t.Helper()
	for _, b := range blocks(t) {
		if b.Before == "<!-- routes.yaml -->" {
			return b.Text
		}
	}
	t.Fatal("the README shows no routes.yaml")
	return ""
}

// workFolder is a folder with the built tool and the README's routes.yaml.
func workFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "routes.yaml"), []byte(sampleRoutes(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	output(t, "go", "build", "-o", filepath.Join(dir, "amperity-runs"), "./cmd/amperity-runs")
	return dir
}

// documented runs a command of the documentation. The project's own tool runs
// in a folder with the README's routes.yaml, everything else in the project's.
func documented(t *testing.T, work, command string) string {
	t.Helper()
	if args, ok := strings.CutPrefix(command, commands.Tool+" "); ok {
		return outputIn(t, work, append([]string{filepath.Join(work, "amperity-runs")}, strings.Fields(args)...)...)
	}
	return output(t, strings.Fields(command)...)
}

// output runs a command in the project's folder and returns what it writes to
// standard output. It skips the test on a machine without the program.
func output(t *testing.T, words ...string) string {
	t.Helper()
	return outputIn(t, root, words...)
}

// outputIn runs a command in a folder.
func outputIn(t *testing.T, dir string, words ...string) string {
	t.Helper()
	if _, err := exec.LookPath(words[0]); err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = dir
	// What make hands down, when it runs this test, changes what make says.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES"}, name)
	})
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Errorf("%s: %v\n%s%s", strings.Join(words, " "), err, out.String(), errs.String())
	}
	return out.String()
}

func TestCommandsThatNeedNothingWork(t *testing.T) {
	t.Parallel()
	targets, work := output(t, "make", "help"), workFolder(t)
	ran, checked := map[string]bool{}, map[string]bool{}
	for _, b := range blocks(t) {
		if b.Word != "sh" || strings.HasPrefix(strings.TrimSpace(b.Text), "# needs") {
			continue
		}
		for _, line := range b.Lines() {
			words := strings.Fields(line)
			if strings.ContainsAny(line, "|&;<>()$`'\"*") || len(words) < 2 {
				t.Errorf("%s: %q is not one plain command", b.Place(), line)
				continue
			}
			if _, listed := notRun[words[0]+" "+words[1]]; listed {
				checked[line] = true
				if !strings.Contains(targets, "  make "+words[1]+" ") {
					t.Errorf("%s: make has no target %s", b.Place(), words[1])
				}
				for _, w := range words[2:] {
					if _, file, _ := strings.Cut(w, "="); strings.Contains(file, "/") {
						exists(t, b.Place(), file)
					}
				}
				continue
			}
			if !ran[line] {
				ran[line] = true
				documented(t, work, line)
			}
		}
	}
	if len(ran) < 4 || len(checked) < 3 {
		t.Errorf("ran %d commands and checked %d: the search is broken", len(ran), len(checked))
	}
	t.Logf("%d commands run, %d only checked", len(ran), len(checked))
}

func exists(t *testing.T, place, file string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root, file)); err != nil {
		t.Errorf("%s: %v", place, err)
	}
}

func TestOutputInTheDocumentationIsTheRealOne(t *testing.T) {
	t.Parallel()
	found, work := 0, workFolder(t)
	for _, b := range blocks(t) {
		command, ok := strings.CutPrefix(b.Before, "<!-- output: ")
		if !ok {
			continue
		}
		command = strings.TrimSuffix(command, " -->")
		found++
		if got := documented(t, work, command); got != b.Text {
			t.Errorf("%s: %s writes\n%s\nand the documentation has\n%s", b.Place(), command, got, b.Text)
		}
	}
	if found < 2 {
		t.Errorf("found %d outputs: the search is broken", found)
	}
}

// marked are the blocks of a document that need an account or Docker.
func marked(t *testing.T) map[string][]commands.Fence {
	t.Helper()
	found := map[string][]commands.Fence{}
	for _, b := range blocks(t) {
		if b.Word != "sh" {
			continue
		}
		need, err := b.Need()
		if err != nil {
			t.Error(err)
		}
		if need != commands.Nothing {
			found[b.File] = append(found[b.File], b)
		}
	}
	return found
}

// What needs an account or Docker is run too, but with programs in the place
// of aws and sam that do nothing, and then their arguments are looked at.
// test/e2e runs the same against moto.
func TestCommandsThatNeedAnAccountSayWhatTheTemplateKnows(t *testing.T) {
	t.Parallel()
	tpl := template(t)
	tool := filepath.Join(t.TempDir(), "amperity-runs")
	output(t, "go", "build", "-o", tool, "./cmd/amperity-runs")
	tools := 0
	for file, marked := range marked(t) {
		dir := t.TempDir()
		if err := os.CopyFS(filepath.Join(dir, "events"), os.DirFS(filepath.Join(root, "events"))); err != nil {
			t.Fatal(err)
		}
		s := &commands.Shell{Folder: t.TempDir(), Dir: dir, Environ: []string{"TMPDIR=" + dir}, Stdin: "tok-xSECRETx-docs\n"}
		// Like the AWS command line it reads a file:///dev/stdin to its end, or
		// the writer is killed, and it writes "None" for nothing.
		const standIn = `case "$*" in *file:///dev/stdin*) cat > /dev/null ;; esac; echo None`
		if err := s.Prepare(map[string]string{"aws": standIn, "sam": ""}); err != nil {
			t.Fatal(err)
		}
		calls, err := s.Run(marked)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for _, c := range calls {
			switch c.Args[0] {
			case "sam":
				checkSam(t, tpl, dir, c)
			case "go":
				checkTool(t, tool, c)
				tools++
			}
			for _, m := range regexp.MustCompile(`OutputKey=='(\w*)'`).FindAllStringSubmatch(c.String(), -1) {
				if !tpl.has("Outputs", m[1]) {
					t.Errorf("%s: the template has no output %q", c, m[1])
				}
			}
			if name := c.Values("--stack-name"); name != nil && name[0] != "amperity-runs" {
				t.Errorf("%s: samconfig.toml calls the stack amperity-runs", c)
			}
			if id := c.Values("--logical-resource-id"); id != nil && !tpl.has("Resources", id[0]) {
				t.Errorf("%s: the template has no resource %q", c, id[0])
			}
		}
		t.Logf("%s: %d calls of aws, sam and the tool checked", file, len(calls))
	}
	if tools == 0 {
		t.Error("no calls of the tool: the search is broken")
	}
}

// checkTool runs this project's command line where there is no AWS: arguments
// that it does not understand are told before that, with exit code 2.
func checkTool(t *testing.T, tool string, c commands.Call) {
	t.Helper()
	cmd := exec.Command(tool, c.Args[3:]...)
	cmd.Env = []string{"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=" + os.DevNull}
	out, _ := cmd.CombinedOutput()
	if !strings.Contains(string(out), "no AWS region is set") || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("%s: it ends with %v\n%s", c, cmd.ProcessState, out)
	}
}

// checkSam looks at the arguments of sam, as far as the template knows them.
func checkSam(t *testing.T, tpl section, dir string, c commands.Call) {
	t.Helper()
	known := map[string]bool{"build": true, "deploy": true, "logs": true, "delete": true, "local invoke": true, "remote invoke": true}
	command := c.Args[1]
	if (command == "local" || command == "remote") && len(c.Args) > 3 {
		command += " " + c.Args[2]
		if f := tpl.at("Resources", c.Args[3], "Type"); f != "AWS::Serverless::Function" {
			t.Errorf("%s: the template has no function %s", c, c.Args[3])
		}
	}
	if !known[command] {
		t.Errorf("%s: this test does not know sam %s", c, command)
	}
	for _, p := range c.Values("--parameter-overrides") {
		name, value, ok := strings.Cut(p, "=")
		if !ok || !tpl.has("Parameters", name) {
			t.Errorf("%s: the template has no parameter %q", c, p)
			continue
		}
		if allowed, ok := tpl.at("Parameters", name, "AllowedValues").([]any); ok && !slices.Contains(allowed, any(value)) {
			t.Errorf("%s: %s may be %v", c, p, allowed)
		}
	}
	if name := c.Values("--name"); name != nil && tpl.at("Resources", name[0], "Type") != "AWS::Serverless::Function" {
		t.Errorf("%s: the template has no function %q", c, name[0])
	}
	for _, flag := range []string{"--event", "--env-vars"} {
		value := c.Values(flag)
		if value == nil {
			continue
		}
		if strings.HasPrefix(value[0], "{") {
			if _, err := trigger.ParseInput([]byte(value[0])); err != nil {
				t.Errorf("%s: %v", c, err)
			}
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, value[0]))
		if err != nil || !json.Valid(text) {
			t.Errorf("%s: %s is not JSON: %v", c, value[0], err)
		}
	}
}

func TestCommandsStandInBlocks(t *testing.T) {
	t.Parallel()
	for _, b := range blocks(t) {
		if b.Word == "" && regexp.MustCompile(`(?m)^(\$|make|go|sam|aws) `).MatchString(b.Text) {
			t.Errorf("%s: a block with commands needs the word sh", b.Place())
		}
	}
	targets := output(t, "make", "help")
	files, err := commands.Files(root)
	if err != nil {
		t.Fatal(err)
	}
	span := regexp.MustCompile("`((?:make|go|sam|aws|amperity-runs) [^`]+)`")
	for _, file := range files {
		for _, m := range span.FindAllStringSubmatch(prose(t, file), -1) {
			words := strings.Fields(m[1])
			switch {
			case words[0] == "make" && !strings.Contains(targets, "  make "+words[1]+" "):
				t.Errorf("%s: %q: make has no such target", file, m[1])
			case words[0] != "make" && strings.Contains(m[1], " --"):
				t.Errorf("%s: %q is a command: put it into a block", file, m[1])
			}
		}
	}
}
