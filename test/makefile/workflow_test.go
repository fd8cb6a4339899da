package makefile

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// step is a step of a workflow.
type step struct {
	Uses string            `yaml:"uses"`
	Run  string            `yaml:"run"`
	With map[string]string `yaml:"with"`
}

// decode reads a YAML file of .github/.
func decode(t *testing.T, v any, elem ...string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{root, ".github"}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

// CI and a developer run the same commands with the same Go.
func TestWorkflowRunsTargetsOfTheMakefile(t *testing.T) {
	t.Parallel()
	var workflow struct {
		Permissions map[string]string `yaml:"permissions"`
		Jobs        map[string]struct {
			Steps []step `yaml:"steps"`
		} `yaml:"jobs"`
	}
	decode(t, &workflow, "workflows", "ci.yml")
	if len(workflow.Permissions) != 1 || workflow.Permissions["contents"] != "read" {
		t.Errorf("permissions are %v, want to read contents only", workflow.Permissions)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	goVersion := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(mod))
	if goVersion == nil {
		t.Fatal("go.mod names no version of Go")
	}
	// The owners of these actions are GitHub's own. Any other action needs the
	// hash of a commit.
	actions := []string{"actions/checkout@v6", "actions/setup-go@v6", "actions/setup-python@v6"}
	var ran []string
	for name, job := range workflow.Jobs {
		for _, s := range job.Steps {
			switch {
			case s.Uses != "":
				if !slices.Contains(actions, s.Uses) {
					t.Errorf("job %s uses %s, want one of %v", name, s.Uses, actions)
				}
				if v, ok := s.With["go-version"]; ok && v != goVersion[1] {
					t.Errorf("job %s runs Go %s, and go.mod names %s", name, v, goVersion[1])
				}
			default:
				target, ok := strings.CutPrefix(s.Run, "make ")
				if !ok || !regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(target)+`:`).Match(makefile) {
					t.Errorf("job %s runs %q, want make with one target of the Makefile", name, s.Run)
				}
				ran = append(ran, target)
			}
		}
	}
	slices.Sort(ran)
	if want := []string{"actionlint", "check", "gosec", "simulation", "test", "vulncheck"}; !slices.Equal(ran, want) {
		t.Errorf("the workflow runs %v, want %v", ran, want)
	}
}

func TestBugFormAsksForWhatAnAnswerNeeds(t *testing.T) {
	t.Parallel()
	var form struct {
		Body []struct {
			ID          string          `yaml:"id"`
			Validations map[string]bool `yaml:"validations"`
		} `yaml:"body"`
	}
	decode(t, &form, "ISSUE_TEMPLATE", "bug.yml")
	required := map[string]bool{}
	for _, field := range form.Body {
		required[field.ID] = field.Validations["required"]
	}
	for _, id := range []string{"version", "launch-key", "log"} {
		if !required[id] {
			t.Errorf("the form does not require the field %s", id)
		}
	}
}
