package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/goccy/go-yaml"
)

// section is a part of template.yaml.
type section map[string]any

// template reads template.yaml. CloudFormation's short forms are read as the
// text behind them: enough to look names and defaults up.
func template(t *testing.T) section {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`!(Ref|GetAtt) ([\w.:]+)`).ReplaceAll(text, []byte(`"$2"`))
	text = regexp.MustCompile(`!Sub (\S+)`).ReplaceAll(text, []byte(`"$1"`))
	text = regexp.MustCompile(`!(If|Not|Equals|Select|Split|Join)\b`).ReplaceAll(text, nil)
	var whole section
	if err := yaml.Unmarshal(text, &whole); err != nil {
		t.Fatal(err)
	}
	return whole
}

// at follows names; nil where there is nothing.
func (s section) at(names ...string) any {
	var v any = map[string]any(s)
	for _, n := range names {
		m, _ := v.(map[string]any)
		v = m[n]
	}
	return v
}

// has tells whether a section has an entry.
func (s section) has(name, entry string) bool { return s.at(name, entry) != nil }

// names are the entries of a section.
func (s section) names(name string) []string {
	m, _ := s.at(name).(map[string]any)
	var names []string
	for n := range m {
		names = append(names, n)
	}
	return names
}

// each calls f with each mapping below v.
func each(v any, f func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		f(v)
		for _, x := range v {
			each(x, f)
		}
	case []any:
		for _, x := range v {
			each(x, f)
		}
	}
}
