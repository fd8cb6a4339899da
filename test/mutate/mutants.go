package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// The operators.
const (
	negate     = "negate"     // a condition becomes its opposite
	drop       = "drop"       // a statement is left out
	constant   = "constant"   // a number, a duration or a truth value changes
	boundary   = "boundary"   // < becomes <=, Before becomes "not after"
	connective = "connective" // && becomes ||
	byHand     = "by hand"    // a named mutation
)

// mutant is one change of one file.
type mutant struct {
	// File is a path from the root, with slashes.
	File      string
	Line, Col int
	Operator  string
	// Was and Becomes are the text that changes.
	Was, Becomes string
	// Name and Why are those of a named mutation. Equivalent argues why no
	// test can notice it.
	Name, Why, Equivalent string

	source     []byte
	start, end int
}

// text returns the changed file.
func (m mutant) text() []byte {
	return slices.Concat(m.source[:m.start], []byte(m.Becomes), m.source[m.end:])
}

// place returns the name of the mutant in results.
func (m mutant) place() string {
	if m.Name != "" {
		return m.Name
	}
	return fmt.Sprintf("%s:%d:%d", m.File, m.Line, m.Col)
}

// pkg returns the folder of the mutant's package.
func (m mutant) pkg() string { return m.File[:strings.LastIndexByte(m.File, '/')] }

// enumerate returns every mutant of a package's files, in the order of the
// source.
func enumerate(root, dir string, files []string) ([]mutant, error) {
	var all []mutant
	for _, name := range slices.Sorted(slices.Values(files)) {
		if name == messageFile {
			continue
		}
		path := dir + "/" + name
		source, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return nil, err
		}
		found, err := mutantsOf(path, source)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// mutantsOf returns the mutants of one file.
func mutantsOf(path string, source []byte) ([]mutant, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := &finder{set: set, path: path, source: source, seen: map[string]bool{}}
	for _, decl := range file.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && onlyTells.MatchString(fn.Name.Name) {
			continue
		}
		ast.Inspect(decl, f.visit)
	}
	slices.SortStableFunc(f.found, func(a, b mutant) int { return cmp.Compare(a.start, b.start) })
	return f.found, nil
}

// messageFile is the file with the messages of a package.
const messageFile = "errors.go"

// onlyTells matches the functions that write logs, metrics or texts alone.
var onlyTells = regexp.MustCompile(`^(log|log[A-Z].*|attrs|report|tellDecision|missing|Error|.*Text|.*[hH]int)$`)

// finder collects the mutants of one file.
type finder struct {
	set    *token.FileSet
	path   string
	source []byte
	found  []mutant
	seen   map[string]bool
}

func (f *finder) offset(p token.Pos) int { return f.set.Position(p).Offset }

func (f *finder) src(n ast.Node) string { return string(f.source[f.offset(n.Pos()):f.offset(n.End())]) }

func (f *finder) add(operator string, n ast.Node, becomes string) {
	at := f.set.Position(n.Pos())
	m := mutant{File: f.path, Line: at.Line, Col: at.Column, Operator: operator, Was: f.src(n), Becomes: becomes,
		source: f.source, start: at.Offset, end: f.offset(n.End())}
	key := fmt.Sprintf("%d %d %s", m.start, m.end, becomes)
	if m.Was == becomes || f.seen[key] {
		return
	}
	f.seen[key] = true
	f.found = append(f.found, m)
}

func (f *finder) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GenDecl:
		return n.Tok == token.CONST || n.Tok == token.VAR
	case *ast.ArrayType:
		return false // its length
	case *ast.BlockStmt:
		f.drops(n.List)
	case *ast.CaseClause:
		f.drops(n.Body)
	case *ast.CommClause:
		f.drops(n.Body)
	case *ast.IfStmt:
		if logs(n) {
			if n.Init != nil {
				ast.Inspect(n.Init, f.visit)
			}
			return false
		}
		f.negate(n.Cond)
	case *ast.ForStmt:
		if n.Cond != nil {
			f.negate(n.Cond)
		}
	case *ast.SwitchStmt:
		if n.Tag == nil {
			for _, c := range n.Body.List {
				for _, e := range c.(*ast.CaseClause).List {
					f.negate(e)
				}
			}
		}
	case ast.Stmt:
		return !logs(n)
	case *ast.CallExpr:
		if logCall(n) || named(n.Fun, "make") { // a log line, or a capacity
			return false
		}
		f.times(n)
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			f.negate(n)
		}
	case *ast.BinaryExpr:
		return f.binary(n)
	case *ast.SelectorExpr:
		if unit(n) {
			f.duration(n)
		}
	case *ast.BasicLit:
		if n.Kind == token.INT {
			f.add(constant, n, "("+n.Value+" + 1)")
			if n.Value != "0" {
				f.add(constant, n, "("+n.Value+" - 1)")
			}
		}
	case *ast.Ident:
		switch n.Name {
		case "true":
			f.add(constant, n, "false")
		case "false":
			f.add(constant, n, "true")
		}
	}
	return true
}

// binary reports whether to visit the operands.
func (f *finder) binary(n *ast.BinaryExpr) bool {
	if n.Op == token.MUL && (unit(n.X) || unit(n.Y)) {
		f.duration(n)
		return false
	}
	if other, ok := opposite[n.Op]; ok {
		f.operator(negate, n, other)
	}
	if other, ok := neighbour[n.Op]; ok {
		f.operator(boundary, n, other)
	}
	if other, ok := map[token.Token]token.Token{token.LAND: token.LOR, token.LOR: token.LAND}[n.Op]; ok {
		f.operator(connective, n, other)
		f.negate(n.X)
		f.negate(n.Y)
	}
	return true
}

var opposite = map[token.Token]token.Token{
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LSS: token.GEQ, token.GEQ: token.LSS,
	token.GTR: token.LEQ, token.LEQ: token.GTR,
}

var neighbour = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS,
	token.GTR: token.GEQ, token.GEQ: token.GTR,
}

// operator replaces the operator between the operands. The parentheses keep the
// precedence of a replaced && or ||.
func (f *finder) operator(name string, n *ast.BinaryExpr, other token.Token) {
	text := f.src(n.X) + " " + other.String() + " " + f.src(n.Y)
	if name == connective {
		text = "(" + text + ")"
	}
	f.add(name, n, text)
}

// negate adds the opposite of a condition.
func (f *finder) negate(e ast.Expr) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		f.negate(e.X)
	case *ast.UnaryExpr:
		if e.Op == token.NOT {
			f.add(negate, e, f.src(e.X))
		}
	case *ast.BinaryExpr:
		if _, ok := opposite[e.Op]; ok {
			return // its own visit adds it
		}
		f.add(negate, e, "!("+f.src(e)+")")
	default:
		f.add(negate, e, "!("+f.src(e)+")")
	}
}

// times adds the boundary of a comparison of times.
func (f *finder) times(n *ast.CallExpr) {
	sel, ok := n.Fun.(*ast.SelectorExpr)
	if !ok || len(n.Args) != 1 {
		return
	}
	switch sel.Sel.Name {
	case "Before":
		f.add(boundary, n, "!"+f.src(sel.X)+".After("+f.src(n.Args[0])+")")
	case "After":
		f.add(boundary, n, "!"+f.src(sel.X)+".Before("+f.src(n.Args[0])+")")
	}
}

// duration adds the doubled and the zero duration.
func (f *finder) duration(e ast.Expr) {
	f.add(constant, e, "(2 * ("+f.src(e)+"))")
	f.add(constant, e, "(0 * ("+f.src(e)+"))")
}

// unit reports whether an expression is a unit of time.
func unit(e ast.Expr) bool {
	sel, ok := e.(*ast.SelectorExpr)
	return ok && named(sel.X, "time") && slices.Contains([]string{"Hour", "Minute", "Second", "Millisecond", "Microsecond", "Nanosecond"}, sel.Sel.Name)
}

func named(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// drops adds, for each statement of a list, the list without it.
func (f *finder) drops(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				continue
			}
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.SendStmt, *ast.GoStmt, *ast.DeferStmt, *ast.ReturnStmt, *ast.BranchStmt,
			*ast.ForStmt, *ast.RangeStmt, *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt:
		case *ast.IfStmt:
			if logs(s) && (s.Init != nil || doesIO(s.Cond)) {
				f.dropped(s)
			}
		default:
			continue // a declaration, a block or a label
		}
		if !logs(s) {
			f.dropped(s)
		}
	}
}

// dropped empties the statement's lines, so that the lines after it keep their
// numbers.
func (f *finder) dropped(s ast.Stmt) {
	f.add(drop, s, strings.Repeat("\n", strings.Count(f.src(s), "\n")))
}

// logs reports whether a statement only writes logs or metrics, or collects
// their content.
func logs(s ast.Stmt) bool {
	all := func(list []ast.Stmt) bool {
		return len(list) > 0 && !slices.ContainsFunc(list, func(s ast.Stmt) bool { return !logs(s) })
	}
	switch s := s.(type) {
	case *ast.ExprStmt:
		c, ok := s.X.(*ast.CallExpr)
		return ok && logCall(c)
	case *ast.AssignStmt, *ast.DeclStmt:
		return mentionsLog(s)
	case *ast.BlockStmt:
		return all(s.List)
	case *ast.RangeStmt:
		return all(s.Body.List)
	case *ast.IfStmt:
		return all(s.Body.List) && (s.Else == nil || logs(s.Else))
	}
	return false
}

// logCall reports whether a call writes a log, or makes a part of one.
func logCall(c *ast.CallExpr) bool {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return onlyTells.MatchString(f.Name)
	case *ast.SelectorExpr:
		if inner, ok := f.X.(*ast.SelectorExpr); ok && inner.Sel.Name == "Logger" {
			return true
		}
		return named(f.X, "slog") || named(f.X, "telemetry") || named(f.X, "logger") || onlyTells.MatchString(f.Sel.Name) && f.Sel.Name != "Error"
	}
	return false
}

// mentionsLog reports whether a node uses package slog or telemetry.
func mentionsLog(n ast.Node) bool {
	found := false
	ast.Inspect(n, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		found = found || ok && (named(sel.X, "slog") || named(sel.X, "telemetry"))
		return !found
	})
	return found
}

// doesIO reports whether an expression has a call with a context.
func doesIO(e ast.Expr) bool {
	found := false
	ast.Inspect(e, func(n ast.Node) bool {
		c, ok := n.(*ast.CallExpr)
		found = found || ok && len(c.Args) > 0 && named(c.Args[0], "ctx")
		return !found
	})
	return found
}

// draw draws n of the mutants that compile. The same seed draws the same
// mutants from the same source.
func draw(all []mutant, n int, seed uint64, compiles func(mutant) bool) []mutant {
	var drawn []mutant
	for _, i := range rand.New(rand.NewPCG(seed, 0)).Perm(len(all)) {
		if len(drawn) == n {
			break
		}
		if compiles(all[i]) {
			drawn = append(drawn, all[i])
		}
	}
	return drawn
}
