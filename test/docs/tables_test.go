package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/route"
	"github.com/amperity-runs/amperity-runs/internal/s3event"
	"github.com/amperity-runs/amperity-runs/internal/schedule"
	"github.com/amperity-runs/amperity-runs/internal/settings"
	"github.com/amperity-runs/amperity-runs/internal/trigger"
)

// table reads the rows behind <!-- table: NAME --> of a document.
func table(t *testing.T, file, name string) [][]string {
	t.Helper()
	_, rest, ok := strings.Cut(read(t, file), "<!-- table: "+name+" -->\n")
	if !ok {
		t.Fatalf("%s has no table %q", file, name)
	}
	var rows [][]string
	for i, line := range strings.Split(rest, "\n") {
		if !strings.HasPrefix(line, "|") {
			break
		}
		if i < 2 { // the head
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i, c := range cells {
			cells[i] = strings.TrimSpace(c)
		}
		rows = append(rows, cells)
	}
	if len(rows) == 0 {
		t.Fatalf("%s: the table %q is empty", file, name)
	}
	return rows
}

// code are the words of a cell between backticks.
func code(cell string) []string {
	var words []string
	for _, m := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(cell, -1) {
		words = append(words, m[1])
	}
	return words
}

// first are the words of the first cells, sorted.
func first(rows [][]string) []string {
	var words []string
	for _, r := range rows {
		words = append(words, code(r[0])...)
	}
	slices.Sort(words)
	return words
}

// same fails unless both have the same entries.
func same(t *testing.T, what string, want, got []string) {
	t.Helper()
	want, got = slices.Clone(want), slices.Clone(got)
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-the code +the documentation)\n%s", what, diff)
	}
}

// listed are the words of a message behind a phrase.
func listed(t *testing.T, err error, phrase string) []string {
	t.Helper()
	if err == nil {
		t.Fatalf("no error about %q", phrase)
	}
	_, rest, ok := strings.Cut(err.Error(), phrase)
	if !ok {
		t.Fatalf("%q is not in %q", phrase, err)
	}
	rest, _, _ = strings.Cut(rest, "\n")
	rest, _, _ = strings.Cut(rest, ";")
	return strings.Split(rest, ", ")
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// defaultCell is how a table shows a default.
func defaultCell(v any) string {
	switch v {
	case nil:
		return "required"
	case "":
		return "empty"
	}
	return fmt.Sprintf("`%v`", v)
}

func TestTableOfParameters(t *testing.T) {
	t.Parallel()
	tpl := template(t)
	rows := table(t, "docs/reference.md", "parameters")
	same(t, "parameters", tpl.names("Parameters"), first(rows))
	for _, r := range rows {
		name := code(r[0])[0]
		if want := defaultCell(tpl.at("Parameters", name, "Default")); r[1] != want {
			t.Errorf("%s is %s by default, and the table says %s", name, want, r[1])
		}
	}
}

func TestTableOfSettings(t *testing.T) {
	t.Parallel()
	names := map[string]string{} // by the value of the constant
	for _, c := range constants(t, "internal/settings/settings.go") {
		if field, ok := strings.CutPrefix(c.name, "Env"); ok {
			names[c.value] = field
		}
	}
	var want []string
	for v := range names {
		want = append(want, v)
	}
	rows := table(t, "docs/reference.md", "settings")
	same(t, "settings", want, first(rows))
	_, missing := settings.Load(func(string) string { return "" })
	defaults := map[string]string{
		"BaseURL":      "`" + settings.DefaultBaseURL + "`",
		"EventBusName": "`" + settings.DefaultEventBusName + "`",
		"RoutesFile":   "`" + settings.DefaultRoutesFile + "`",
		"LogLevel":     "`" + strings.ToLower(settings.DefaultLogLevel.String()) + "`",
		"Buckets":      "any",
		"Paused":       "`false`",
	}
	for _, r := range rows {
		name := code(r[0])[0]
		want := defaults[names[name]]
		if strings.Contains(missing.Error(), name+": is not set") {
			want = "required"
		}
		if r[1] != want {
			t.Errorf("%s is %s by default, and the table says %s", name, want, r[1])
		}
	}
}

func TestTableOfTriggerInput(t *testing.T) {
	t.Parallel()
	_, err := trigger.ParseInput([]byte(`{"config_id":"cg-1","nonsense":"x"}`))
	same(t, "fields", listed(t, err, "the fields are "), first(table(t, "docs/reference.md", "trigger input")))
}

// Each key of a routes file has a paragraph that begins with it in bold.
func TestKeysOfRoutes(t *testing.T) {
	t.Parallel()
	const file = "docs/routes.md"
	key := regexp.MustCompile("(?m)^\\*\\*`(\\w+)`\\*\\*")
	for heading, src := range map[string]string{
		"The file":            "version: 1\nzzzzzzzz: 1\nroutes: []\n",
		"A route":             "version: 1\nroutes:\n  - {zzzzzzzz: 1}\n",
		"An entry of `files`": "version: 1\nroutes:\n  - {name: a, config_id: cg-1, files: [{zzzzzzzz: 1}]}\n",
	} {
		_, _, err := route.Parse("routes.yaml", []byte(src), route.Options{})
		_, part, ok := strings.Cut(read(t, file), "\n## "+heading+"\n")
		if !ok {
			t.Fatalf("%s has no heading %q", file, heading)
		}
		part, _, _ = strings.Cut(part, "\n## ")
		var described []string
		for _, m := range key.FindAllStringSubmatch(part, -1) {
			described = append(described, m[1])
		}
		same(t, heading, listed(t, err, "its keys are "), described)
	}
}

func TestTableOfRoles(t *testing.T) {
	t.Parallel()
	tpl := template(t)
	var want, got []string
	for _, id := range tpl.names("Resources") {
		if tpl.at("Resources", id, "Type") != "AWS::IAM::Role" {
			continue
		}
		each(tpl.at("Resources", id, "Properties", "Policies"), func(m map[string]any) {
			switch a := m["Action"].(type) {
			case string:
				want = append(want, id+" "+a)
			case []any:
				for _, x := range a {
					want = append(want, fmt.Sprint(id, " ", x))
				}
			}
		})
	}
	for _, r := range table(t, "docs/reference.md", "roles") {
		for _, a := range code(r[1]) {
			got = append(got, code(r[0])[0]+" "+a)
		}
	}
	same(t, "what the roles may do", want, got)
}

func TestTableOfAlarms(t *testing.T) {
	t.Parallel()
	tpl := template(t)
	var want []string
	for _, id := range tpl.names("Resources") {
		if tpl.at("Resources", id, "Type") == "AWS::CloudWatch::Alarm" {
			want = append(want, id)
		}
	}
	same(t, "alarms", want, first(table(t, "docs/operations.md", "alarms")))
}

func TestTableOfCommands(t *testing.T) {
	t.Parallel()
	var want []string
	_, list, _ := strings.Cut(output(t, "go", "run", "./cmd/amperity-runs", "-h"), "Commands:\n")
	for _, m := range regexp.MustCompile(`(?m)^  (\w+)  `).FindAllStringSubmatch(list, -1) {
		want = append(want, m[1])
	}
	same(t, "commands", want, first(table(t, "docs/reference.md", "commands")))
}

func TestTableOfEvents(t *testing.T) {
	t.Parallel()
	var want []string
	for _, c := range constants(t, "internal/announcement/announcement.go") {
		if c.kind == "DetailType" {
			want = append(want, c.value)
		}
	}
	same(t, "events", want, first(table(t, "docs/reference.md", "events")))
}

func TestTableOfRelativeRanges(t *testing.T) {
	t.Parallel()
	for _, r := range table(t, "docs/dates.md", "relative ranges") {
		offsets, zone, at, sent := code(r[0]), strings.Join(code(r[1]), ""), code(r[2])[0], code(r[3])
		relative, err := schedule.Parse(offsets[0], offsets[1], zone)
		if err != nil {
			t.Errorf("%v: %v", r, err)
			continue
		}
		anchor, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Errorf("%v: %v", r, err)
		}
		if from, to := relative.Resolve(anchor); from != sent[0] || to != sent[1] {
			t.Errorf("%v: it sends %s to %s", r, from, to)
		}
	}
}

func TestTableOfNumbersAndDates(t *testing.T) {
	t.Parallel()
	src := "version: 1\nroutes: [{name: a, config_id: cg-1, files: \"exports/*{yyyy}{MM}{dd}*.csv\"}]\n"
	routes, warnings, err := route.Parse("routes.yaml", []byte(src), route.Options{})
	if err != nil || len(warnings) != 1 {
		t.Fatalf("%v, and the warnings %v", err, warnings)
	}
	for _, r := range table(t, "docs/dates.md", "numbers and dates") {
		at := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
		got := "none"
		for _, m := range routes.Match(s3event.Arrival{Bucket: "b", Key: code(r[0])[0], EventTime: at}, at) {
			got = m.Period.String()
		}
		if want, _, _ := strings.Cut(r[1], ":"); got != want {
			t.Errorf("%v: it is %s", r, got)
		}
	}
}

func TestTableOfLogLines(t *testing.T) {
	t.Parallel()
	call := regexp.MustCompile(`[lL]ogger\.(?:Debug|Info|Warn|Error|Log)(?:Context)?\((?:ctx, )?(?:level, )?"([^"]+)"`)
	other := regexp.MustCompile(`\)\.Error\("(function [^"]+)"`)
	var want []string
	for _, dir := range []string{"internal", "functions"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range append(call.FindAllSubmatch(text, -1), other.FindAllSubmatch(text, -1)...) {
				want = append(want, string(m[1]))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(want)
	same(t, "log lines", slices.Compact(want), first(table(t, "docs/operations.md", "log lines")))
}

// constant is a named constant with a text.
type constant struct{ name, kind, value string }

// constants are the text constants of a source file.
func constants(t *testing.T, file string) []constant {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []constant
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, v := range spec.Values {
			lit, ok := v.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				continue
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			c := constant{name: spec.Names[i].Name, value: text}
			if kind, ok := spec.Type.(*ast.Ident); ok {
				c.kind = kind.Name
			}
			found = append(found, c)
		}
		return true
	})
	if len(found) == 0 {
		t.Fatalf("%s has no constants", file)
	}
	return found
}
