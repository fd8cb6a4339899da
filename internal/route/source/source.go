// Package source reads the YAML of a routes file. Each fault names its line and
// its column.
//
// A routes file may use a part of YAML: one document of mappings, lists and
// plain or quoted values. Anchors, aliases, tags and merge keys are refused,
// because with them a value is not what is written in its place. A value that
// begins with * is far more often a pattern without quotes than an alias.
package source

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/amperity-runs/amperity-runs/internal/nearest"
)

// Position is a place in a routes file. Line and Column count from 1, Column in
// characters.
type Position struct{ Line, Column int }

// TextPosition is where a text begins. If it is exact, the file has the same
// characters as the text, so that each of them has a position too.
type TextPosition struct {
	Position
	exact bool
}

// Within returns the position of the byte at of the text. If the text is not
// exact, it returns the start of the text.
func (t TextPosition) Within(text string, at int) Position {
	p := t.Position
	if t.exact {
		p.Column += utf8.RuneCountInString(text[:at])
	}
	return p
}

// File is a routes file while it is read. It gathers the faults and the
// warnings.
type File struct {
	Name     string
	lines    []string
	Faults   []Fault
	Warnings Warnings
}

// Faultf adds a fault.
func (s *File) Faultf(at Position, format string, args ...any) {
	s.Faults = append(s.Faults, Fault{s.Name, at.Line, at.Column, fmt.Sprintf(format, args...)})
}

// Warnf adds a warning.
func (s *File) Warnf(at Position, format string, args ...any) {
	s.Warnings = append(s.Warnings, Fault{s.Name, at.Line, at.Column, fmt.Sprintf(format, args...)})
}

// ByPosition compares two faults by line and column.
func ByPosition(a, b Fault) int {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

// MaxSize is the most bytes of a routes file: about 600 routes. The time of the
// YAML parser grows with the square of some inputs.
const MaxSize = 128 << 10

// maxNesting is the most open brackets, for the same reason. A routes file
// needs five.
const maxNesting = 32

// Document parses the YAML and returns its body. If there is none, Document
// adds a fault and returns nil.
func (s *File) Document(src []byte) ast.Node {
	start := Position{1, 1}
	if len(src) > MaxSize {
		s.Faultf(start, "the file has %d bytes, and the limit is %d", len(src), MaxSize)
		return nil
	}
	// A byte order mark is not a part of the text. For the YAML parser a
	// carriage return ends a line, with or without a newline after it.
	text := strings.TrimPrefix(string(src), "\uFEFF")
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	s.lines = strings.Split(text, "\n")
	if !s.readable() {
		return nil
	}
	f, err := parser.ParseBytes([]byte(text), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		s.syntax(err)
		return nil
	}
	var body ast.Node
	for _, d := range f.Docs {
		switch {
		case d.Body == nil:
		case d.Body.Type() == ast.DirectiveType:
			s.Faultf(At(d.Body), "directives such as %%YAML are not used here; remove the line")
		case body != nil:
			s.Faultf(At(d.Body), "a second YAML document begins; a routes file is one, so remove the --- before it")
		default:
			body = d.Body
		}
	}
	if body == nil && len(s.Faults) == 0 {
		s.Faultf(start, "the file is empty; write \"version: 1\" and \"routes:\"")
	}
	return body
}

// readable checks the text for input that the YAML parser must not get.
func (s *File) readable() bool {
	depth := 0
	for n, line := range s.lines {
		if !utf8.ValidString(line) {
			column := 1 + utf8.RuneCountInString(line[:validPrefix(line)])
			s.Faultf(Position{n + 1, column}, "the file is not valid UTF-8 from here on; save it as UTF-8")
			return false
		}
		for i, c := range line {
			switch c {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(0, depth-1)
			}
			if depth > maxNesting {
				s.Faultf(Position{n + 1, 1 + utf8.RuneCountInString(line[:i])}, "more than %d brackets are open here; close them", maxNesting)
				return false
			}
		}
	}
	return true
}

func validPrefix(s string) int {
	for i, r := range s {
		if r == utf8.RuneError && !utf8.ValidString(s[i:min(len(s), i+3)]) {
			return i
		}
	}
	return len(s)
}

// syntax reports the error of the YAML parser, which stops at the first
// mistake.
func (s *File) syntax(err error) {
	where := Position{1, 1}
	message := err.Error()
	if e, ok := err.(interface {
		GetMessage() string
		GetToken() *token.Token
	}); ok {
		message = e.GetMessage()
		if t := e.GetToken(); t != nil && t.Position != nil {
			where = Position{t.Position.Line, t.Position.Column}
		}
	}
	if where.Line >= 1 && where.Line <= len(s.lines) {
		if column, ok := unquoted(s.lines[where.Line-1]); ok {
			s.Faultf(Position{where.Line, column}, "a value that begins with * or { must stand in quotes: \"**/a.csv\"")
			return
		}
		if column, ok := bare(s.lines[where.Line-1]); ok {
			s.Faultf(Position{where.Line, column}, "between [ ] or { } a pattern with a date must stand in quotes: \"a/{yyyy}-{MM}-{dd}.csv\"")
			return
		}
	}
	s.Faultf(where, "not valid YAML: %s%s", printable(message), hint(message))
}

// hint returns advice for errors of the YAML parser that name neither the cause
// nor a remedy.
func hint(message string) string {
	switch {
	case strings.Contains(message, "'\t'"):
		return "; this is a tab: indent with blanks"
	case strings.Contains(message, "not allowed in this context"), strings.Contains(message, "value is specified"):
		return "; compare the indentation of this line with the lines around it, and look for a missing blank after : or -"
	}
	return ""
}

// printable escapes characters that move the cursor, as in Go.
func printable(message string) string {
	return strings.NewReplacer("\t", `\t`, "\n", `\n`, "\r", `\r`).Replace(message)
}

// beginsWithField reports whether a text begins with a date field of a pattern.
func beginsWithField(s string) bool {
	return slices.ContainsFunc([]string{"{yyyy}", "{MM}", "{dd}", "{HH}"}, func(f string) bool { return strings.HasPrefix(s, f) })
}

// unquoted finds a pattern without quotes that begins with * or a date field.
// YAML takes it for an alias or a mapping.
func unquoted(line string) (column int, ok bool) {
	for i := range len(line) {
		before, rest := line[:i], strings.TrimLeft(line[i:], " ")
		blank := len(rest) < len(line)-i
		begins := strings.HasSuffix(before, "[") ||
			blank && (strings.HasSuffix(before, ":") || strings.HasSuffix(before, ",") || strings.TrimSpace(before) == "-")
		if !begins {
			continue
		}
		if strings.HasPrefix(rest, "*") || beginsWithField(rest) {
			return 1 + utf8.RuneCountInString(line[:len(line)-len(rest)]), true
		}
	}
	return 0, false
}

// bare finds a date field between brackets and without quotes. YAML takes it
// for a mapping.
func bare(line string) (column int, ok bool) {
	depth, quote := 0, rune(0)
	for i, c := range line {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '{' && beginsWithField(line[i:]):
			if depth > 0 {
				return 1 + utf8.RuneCountInString(line[:i]), true
			}
		case c == '[' || c == '{':
			depth++
		}
	}
	return 0, false
}

// At returns where a node begins.
func At(n ast.Node) Position {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return At(m.Values[0].Key)
	}
	p := n.GetToken().Position
	return Position{p.Line, p.Column}
}

// Plain reports whether a node is an allowed part of YAML. If not, it adds a
// fault.
func (s *File) Plain(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.AliasNode:
		s.Faultf(At(n), "a value that begins with * or { must stand in quotes: \"**/a.csv\"")
	case *ast.AnchorNode:
		s.Faultf(At(n), "anchors (&) are not used here; write the value out in each place, or in quotes if it begins with &")
	case *ast.TagNode:
		s.Faultf(At(n), "tags (!) are not used here; write the value alone, in quotes if it is to be text")
	default:
		return true
	}
	return false
}

// Member is one key of a mapping, with its value.
type Member struct {
	Name  string
	At    Position
	Value ast.Node
}

// Mapping is the members of a mapping by name, without the members that have a
// fault.
type Mapping map[string]Member

// Members reads a mapping with known keys, each at most once. what names the
// mapping in faults, for example "a route". Members reports false if the node
// is not a mapping.
func (s *File) Members(n ast.Node, what string, known []string) (Mapping, bool) {
	if !s.Plain(n) {
		return nil, false
	}
	node, ok := n.(*ast.MappingNode)
	if !ok {
		s.Faultf(At(n), "%s is %s; write it as \"key: value\" lines, with the keys %s", what, Describe(n), strings.Join(known, ", "))
		return nil, false
	}
	m := make(Mapping)
	for _, v := range node.Values {
		name, where := v.Key.GetToken().Value, At(v.Key)
		switch v.Key.(type) {
		case *ast.MergeKeyNode:
			s.Faultf(where, "merge keys (<<) are not used here; write the keys out")
			continue
		case *ast.StringNode, *ast.IntegerNode, *ast.BoolNode, *ast.NullNode:
		default:
			s.Faultf(where, "a key must be a plain word; the keys of %s are %s", what, strings.Join(known, ", "))
			continue
		}
		if !slices.Contains(known, name) {
			s.unknown(where, name, what, known)
			continue
		}
		if first, twice := m[name]; twice {
			s.Faultf(where, "%s is given twice, first in line %d; remove one", name, first.At.Line)
			continue
		}
		m[name] = Member{name, where, v.Value}
	}
	return m, true
}

func (s *File) unknown(where Position, name, what string, known []string) {
	if meant, ok := nearest.Match(name, known); ok {
		s.Faultf(where, "%s has no key %.60q; did you mean %s?", what, name, meant)
		return
	}
	s.Faultf(where, "%s has no key %.60q; its keys are %s", what, name, strings.Join(known, ", "))
}

// Items reads a list. If the member is empty and not required, the fault says
// that it may be left out.
func (s *File) Items(m Member, required bool, example string) ([]ast.Node, bool) {
	if !s.Plain(m.Value) {
		return nil, false
	}
	list, ok := m.Value.(*ast.SequenceNode)
	if !ok {
		_, empty := m.Value.(*ast.NullNode)
		switch {
		case empty && required:
			s.Faultf(m.At, "%s is empty; write %s", m.Name, example)
		case empty:
			s.Faultf(m.At, "%s is empty; write %s, or leave it out", m.Name, example)
		default:
			s.Faultf(At(m.Value), "%s is %s; write a list: %s", m.Name, Describe(m.Value), example)
		}
		return nil, false
	}
	return list.Values, true
}

// Text reads a text on one line. name and where are for the fault of a value
// that is missing.
func (s *File) Text(n ast.Node, name string, where Position, example string) (string, TextPosition, bool) {
	if !s.Plain(n) {
		return "", TextPosition{}, false
	}
	switch n := n.(type) {
	case *ast.StringNode:
		if n.Value == "" {
			s.Faultf(At(n), "%s is empty; write %s", name, example)
			return "", TextPosition{}, false
		}
		if strings.ContainsAny(n.Value, "\n\r") {
			s.Faultf(At(n), "%s must be on one line; write %s", name, example)
			return "", TextPosition{}, false
		}
		if first, _, folded := strings.Cut(strings.TrimSpace(n.Token.Origin), "\n"); folded {
			s.Faultf(s.lineOf(first, At(n)), "this and the next line are read as one text, %.100q; indent the next line as those beside it, or write the text on one line", n.Value)
			return "", TextPosition{}, false
		}
		return n.Value, s.textPosition(n), true
	case *ast.NullNode:
		s.Faultf(where, "%s is empty; write %s", name, example)
	case *ast.LiteralNode:
		s.Faultf(At(n), "%s must be on one line; write %s", name, example)
	case *ast.SequenceNode, *ast.MappingNode:
		s.Faultf(At(n), "%s is %s; write %s", name, Describe(n), example)
	default:
		quotes := ""
		if mayBeAnyText(name) {
			quotes = "put it in quotes if that is what you mean, or "
		}
		s.Faultf(At(n), "%s is %s; %swrite %s", name, Describe(n), quotes, example)
	}
	return "", TextPosition{}, false
}

// mayBeAnyText reports whether a number or a truth value may be meant as the
// text of a member.
func mayBeAnyText(name string) bool {
	return name == "name" || name == "bucket" || name == "key" || strings.Contains(name, "pattern")
}

// lineOf returns where a text of several lines begins. The YAML parser returns
// sometimes the position of its first line, sometimes of its last. last is that
// position.
func (s *File) lineOf(first string, last Position) Position {
	for line := min(last.Line, len(s.lines)); line > 0; line-- {
		if i := strings.LastIndex(s.lines[line-1], first); i >= 0 {
			return Position{line, 1 + utf8.RuneCountInString(s.lines[line-1][:i])}
		}
	}
	return last
}

func (s *File) textPosition(n *ast.StringNode) TextPosition {
	t := TextPosition{Position: At(n)}
	open := ""
	switch n.Token.Type {
	case token.SingleQuoteType:
		open = "'"
	case token.DoubleQuoteType:
		open = `"`
	}
	if t.Line < 1 || t.Line > len(s.lines) {
		return t
	}
	// A text with escapes, or one folded from several lines, is not exact.
	runes := []rune(s.lines[t.Line-1])
	if t.Column-1 > len(runes) || !strings.HasPrefix(string(runes[t.Column-1:]), open+n.Value) {
		return t
	}
	t.Column += len(open)
	t.exact = true
	return t
}

// Member reads a member whose value is a text.
func (s *File) Member(m Mapping, name, example string) (string, TextPosition, bool) {
	v, ok := m[name]
	if !ok {
		return "", TextPosition{}, false
	}
	return s.Text(v.Value, name, v.At, example)
}

// Shown returns a value as messages show it.
func Shown(n ast.Node) string {
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode, *ast.BoolNode:
		return fmt.Sprintf("%.60s", n.GetToken().Value)
	}
	return Describe(n)
}

// Describe returns the kind of a value, for messages.
func Describe(n ast.Node) string {
	switch n := n.(type) {
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode:
		return "a mapping"
	case *ast.NullNode:
		return "empty"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.StringNode:
		return fmt.Sprintf("the text %.60q", n.Value)
	default:
		return "not of the right kind"
	}
}
