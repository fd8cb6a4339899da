// Package messages holds the source to a rule: every message that a person may
// meet stands, as it is shown, in a test.
package messages

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

// searched are the folders whose messages reach users.
var searched = []string{"cmd", "functions", "internal", "pkg"}

// constructors are the functions that make a message of their first string
// argument: of the standard library, and our own by their names.
var constructors = []string{"Errorf", "fault", "faultf", "Faultf", "problem", "problemf", "Problemf", "warn", "warnf", "Warnf"}

// message is one format string of the source.
type message struct {
	pos     token.Position
	text    string
	pattern *regexp.Regexp
}

// exercised are the packages that the tests of another package exercise too.
var exercised = map[string][]string{
	"internal/launch": {"internal/record", "internal/runs", "internal/intake", "internal/held"},
	"internal/route":  {"internal/route/pattern", "internal/route/source"},
}

func TestEveryMessageStandsInATest(t *testing.T) {
	t.Parallel()
	var messages []message
	shown := map[string][]string{} // by folder: the string literals of tests, the lines of test data
	for _, top := range searched {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			dir := filepath.Dir(path)
			switch {
			case strings.HasSuffix(path, "_test.go"):
				shown[dir] = append(shown[dir], literals(t, path)...)
			case strings.HasSuffix(path, ".go"):
				messages = append(messages, find(t, path)...)
			case strings.Contains(path, "/testdata/"):
				pkg, _, _ := strings.Cut(path, "/testdata/")
				shown[pkg] = append(shown[pkg], lines(t, path)...)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(messages) < 100 {
		t.Fatalf("found %d messages: the search is broken", len(messages))
	}
	for _, m := range messages {
		dir := filepath.Dir(m.pos.Filename)
		texts := shown[dir]
		for by, packages := range exercised {
			if slices.Contains(packages, strings.TrimPrefix(dir, root+"/")) {
				texts = slices.Concat(texts, shown[filepath.Join(root, by)])
			}
		}
		if !slices.ContainsFunc(texts, m.pattern.MatchString) {
			t.Errorf("%s:%d: no test of the package shows this message: %q", strings.TrimPrefix(m.pos.Filename, root+"/"), m.pos.Line, m.text)
		}
	}
	t.Logf("%d messages, each in a test", len(messages))
}

// find lists the messages of one file.
func find(t *testing.T, path string) []message {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []message
	add := func(e ast.Expr) {
		text, ok := fold(e)
		if !ok || !telling(text) {
			return
		}
		found = append(found, message{set.Position(e.Pos()), text, pattern(text)})
	}
	for _, decl := range file.Decls {
		inError := false
		if f, ok := decl.(*ast.FuncDecl); ok {
			inError = f.Name.Name == "Error" && f.Recv != nil
		}
		ast.Inspect(decl, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				name, pkg := callee(n)
				if pkg == "t" && name == "Errorf" {
					// A suite of tests that others run, such as ledgertest, is
					// no test file; what it tells of a failed test is no message.
					return true
				}
				printed := inError && pkg == "fmt" && strings.HasSuffix(name, "printf") ||
					pkg == "fmt" && name == "Fprintf" && len(n.Args) > 0 && named(n.Args[0], "stderr")
				if pkg == "errors" && name == "New" || slices.Contains(constructors, name) || printed {
					for _, a := range n.Args {
						if text, ok := fold(a); ok && telling(text) {
							add(a)
							break
						}
					}
				}
			case *ast.ReturnStmt:
				if inError && len(n.Results) == 1 {
					add(n.Results[0])
				}
			case *ast.ValueSpec:
				// Messages that have a name: pausedText, hintUnknown.
				for i, name := range n.Names {
					if i < len(n.Values) && (strings.HasSuffix(name.Name, "Text") || strings.HasPrefix(name.Name, "hint")) {
						add(n.Values[i])
					}
				}
			}
			return true
		})
	}
	return found
}

func callee(c *ast.CallExpr) (name, pkg string) {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name, ""
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			pkg = x.Name
		}
		return f.Sel.Name, pkg
	}
	return "", ""
}

func named(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// hole stands for what is only known at run time.
const hole = "\x00"

// fold gives the text of a literal, or of a sum that has one in it.
func fold(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return "", false
		}
		x, xok := fold(e.X)
		y, yok := fold(e.Y)
		if !xok {
			x = hole
		}
		if !yok {
			y = hole
		}
		return x + y, xok || yok
	case *ast.ParenExpr:
		return fold(e.X)
	}
	return "", false
}

var verb = regexp.MustCompile(`%[-+# 0]*[0-9]*(?:\.[0-9]+)?(?:\[[0-9]+\])?[a-zA-Z]|` + hole)

// telling tells a sentence from a separator or a field's name.
func telling(text string) bool {
	rest := verb.ReplaceAllString(text, "")
	return strings.Count(strings.TrimSpace(rest), " ") >= 1
}

// pattern matches what the format string prints.
func pattern(format string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString("(?s)")
	last := 0
	text := strings.TrimSpace(format)
	for _, loc := range verb.FindAllStringIndex(text, -1) {
		b.WriteString(regexp.QuoteMeta(strings.ReplaceAll(text[last:loc[0]], "%%", "%")))
		b.WriteString(".*")
		last = loc[1]
	}
	b.WriteString(regexp.QuoteMeta(strings.ReplaceAll(text[last:], "%%", "%")))
	return regexp.MustCompile(b.String())
}

// literals lists the strings of a test file.
func literals(t *testing.T, path string) []string {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	ast.Inspect(file, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		text, ok := fold(e)
		if ok {
			all = append(all, strings.ReplaceAll(text, hole, "?"))
		}
		return !ok
	})
	return all
}

// lines gives a file of test data whole, since a message may span lines, and
// with the spaces of a folded one made single.
func lines(t *testing.T, path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return []string{string(b)}
}
