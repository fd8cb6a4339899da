package docs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/amperity-runs/amperity-runs/internal/route"
	"github.com/amperity-runs/amperity-runs/internal/trigger"
	"github.com/amperity-runs/amperity-runs/test/docs/commands"
)

// prose is a document without its fenced blocks.
func prose(t *testing.T, file string) string {
	t.Helper()
	return regexp.MustCompile("(?ms)^ *```.*?^ *```$").ReplaceAllString(read(t, file), "")
}

// placeholders writes what Scheduler writes in their place.
var placeholders = strings.NewReplacer("<aws.scheduler.scheduled-time>", "2026-11-22T11:00:00Z",
	"<aws.scheduler.schedule-arn>", "arn:aws:scheduler:us-east-1:123456789012:schedule/default/daily")

// wholeRoutes makes a routes file of a fragment that shows keys of a route.
func wholeRoutes(fragment string) string {
	if strings.HasPrefix(fragment, "version: 1\n") {
		return fragment
	}
	whole := "version: 1\ntimezone: America/New_York\nroutes:\n  - name: sample\n"
	for key, value := range map[string]string{"config_id": "cg-789GHi0JK", "files": "orders/{yyyy}/{MM}/{dd}/*.csv"} {
		if !regexp.MustCompile("(?m)^" + key + ":").MatchString(fragment) {
			whole += "    " + key + ": " + value + "\n"
		}
	}
	for line := range strings.Lines(fragment) {
		whole += "    " + line
	}
	return whole
}

func TestSamplesCanBeRead(t *testing.T) {
	t.Parallel()
	inputs, routes := 0, 0
	for _, b := range blocks(t) {
		text := []byte(b.Text)
		switch b.Word {
		case "json":
			var fields map[string]json.RawMessage
			if err := json.Unmarshal(text, &fields); err != nil {
				t.Errorf("%s: %v", b.Place(), err)
			}
			if _, ok := fields["config_id"]; ok {
				inputs++
				text = []byte(placeholders.Replace(b.Text))
				if _, err := trigger.ParseInput(text); err != nil {
					t.Errorf("%s: %v", b.Place(), err)
				}
			}
		case "yaml":
			if b.File == "docs/routes.md" {
				text = []byte(wholeRoutes(b.Text))
			}
			if strings.HasPrefix(string(text), "version: 1\n") {
				routes++
				_, warnings, err := route.Parse(b.Place(), text, route.Options{})
				if err != nil || len(warnings) > 0 {
					t.Errorf("%v %v", err, warnings)
				}
				continue
			}
			var v any
			if err := yaml.Unmarshal(text, &v); err != nil {
				t.Errorf("%s: %v", b.Place(), err)
			}
		case "sh", "go", "":
		default:
			t.Errorf("%s: no test knows blocks with the word %q", b.Place(), b.Word)
		}
	}
	if inputs == 0 || routes == 0 {
		t.Errorf("%d inputs of trigger and %d files of routes: the search is broken", inputs, routes)
	}
}

// A user may copy the input transformer of the documentation, or that of
// trigger's own message, so both must work.
func TestTheInputTransformerGivesAnInput(t *testing.T) {
	t.Parallel()
	for _, b := range blocks(t) {
		if !strings.Contains(b.Text, "<time>") {
			continue
		}
		text := strings.NewReplacer("<time>", `"2026-11-22T11:00:00Z"`, "<rule>", `"arn:aws:events:us-east-1:123456789012:rule/daily"`).Replace(b.Text)
		if _, err := trigger.ParseInput([]byte(text)); err != nil {
			t.Errorf("%s: %v", b.Place(), err)
		}
		return
	}
	t.Error("no transformer found")
}

func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	files, err := commands.Files(root)
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, file := range files {
		for _, m := range link.FindAllStringSubmatch(prose(t, file), -1) {
			if strings.HasPrefix(m[1], "https://") {
				continue
			}
			path, anchor, _ := strings.Cut(m[1], "#")
			target := file
			if path != "" {
				target = filepath.Join(filepath.Dir(file), path)
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s: %s: %v", file, m[1], err)
				continue
			}
			if anchor != "" && !anchors(prose(t, target))[anchor] {
				t.Errorf("%s: %s has no heading #%s", file, target, anchor)
			}
		}
	}
}

// anchors are the names of a document's headings, as GitHub makes them.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := strings.ToLower(strings.TrimSpace(m[1]))
		name = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(name, "")
		found[strings.ReplaceAll(name, " ", "-")] = true
	}
	return found
}
