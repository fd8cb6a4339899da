package amperity

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// called are the methods that fmt, errors, encoding/json and log/slog call. An
// example shows their effect, and not their names.
var called = []string{"Error", "Unwrap", "String", "GoString", "Format", "MarshalJSON", "MarshalText", "UnmarshalJSON", "LogValue"}

// TestEveryExportedIdentifierIsInAnExample holds for constants, variables,
// functions, types and methods; a field is part of its type.
func TestEveryExportedIdentifierIsInAnExample(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var exported []string
	used := map[string]bool{}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case strings.HasPrefix(path, "example_"):
			ast.Inspect(file, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok {
					used[id.Name] = true
				}
				return true
			})
		case !strings.HasSuffix(path, "_test.go"):
			exported = append(exported, declared(file)...)
		}
	}
	if len(exported) < 100 {
		t.Fatalf("found %d exported identifiers: the search is broken", len(exported))
	}
	for _, name := range exported {
		if !used[name] && !slices.Contains(called, name) {
			t.Errorf("%s is in no example: show it in one", name)
		}
	}
}

// declared lists the exported identifiers that a file declares.
func declared(file *ast.File) (names []string) {
	add := func(ids ...*ast.Ident) {
		for _, id := range ids {
			if id.IsExported() {
				names = append(names, id.Name)
			}
		}
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || exportedReceiver(d.Recv.List[0].Type) {
				add(d.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					add(spec.Name)
				case *ast.ValueSpec:
					add(spec.Names...)
				}
			}
		}
	}
	return names
}

func exportedReceiver(e ast.Expr) bool {
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	id, ok := e.(*ast.Ident)
	return ok && id.IsExported()
}
