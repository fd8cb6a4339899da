// Package pattern matches the keys of files against the patterns of a routes
// file, and reads the date in a key.
package pattern

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/amperity-runs/amperity-runs/internal/s3event"
)

// A Pattern describes the keys of files:
//
//	{yyyy}        four digits
//	{MM}          two digits, 01 to 12
//	{dd}          two digits, 01 to the last of that month
//	{HH}          two digits, 00 to 23
//	*             any characters within a folder, or none; it does not cross a /
//	**            any characters, folders included, or none
//	**/           any number of whole folders, or none, at the start of a pattern
//	              or after a /: **/a.csv matches a.csv too
//	\* \{ \} \\   that character itself
//
// All other characters stand for themselves, ? and [ too. The whole key must
// match, and case matters. A field may occur twice: it then has the same value
// in both places.
//
// If a key can be read in several ways, these rules choose one, in this order:
//
//   - The year is from 2000 to 2999.
//   - The date, and then the hour, is a number of its own: no * takes a digit
//     right after it. A * never takes a digit right before it. The pattern
//     itself may have digits there, or repeat a field.
//   - Each * takes as few characters as it can, the first * first.
//
// A pattern's date is {yyyy}, {MM} and {dd}, with no * between them; {HH} may
// stand elsewhere. A field may be repeated after a * only if no * comes before
// its first place. So a match needs no memory, and goes back at most once for
// each * (see read).
type Pattern struct {
	text string
	ops  []op
	// fields has a bit for each field of the pattern.
	fields Fields
	// edges are the ends of the date or the hour that a * follows.
	edges edges
	// tight: a * stands between a field and a digit, or between two fields, and
	// may be empty there (see search).
	tight bool
}

// edges is a set of the end of a pattern's date and the end of its hour.
type edges uint8

const (
	dateEdge edges = 1 << iota
	hourEdge
	noEdge edges = 0
)

type op struct {
	kind opKind
	// lit is the text of a literal.
	lit string
	// repeat: the field has a value already. This place must have the same
	// value.
	repeat bool
	// date: this field makes the date complete.
	date bool
	// ends is the date or hour that ends right before a star. begins: a date or
	// an hour begins right after the star. A repeated field does not count.
	ends   edges
	begins bool
	// fixed is how many characters of a key the literals and fields before this
	// op stand for.
	fixed int
	// at is where the op begins in text, in bytes.
	at int
}

type opKind uint8

const (
	year opKind = iota // the fields come first: they index Values
	month
	day
	hour
	literal
	star    // *
	deep    // **
	folders // **/
)

var fieldNames = [...]string{year: "{yyyy}", month: "{MM}", day: "{dd}", hour: "{HH}"}

// Values are the values of the date fields of a key.
type Values [4]int

// Date returns the date of a key. It is zero if the pattern has no date.
func (c Values) Date() (y, m, d int) { return c[year], c[month], c[day] }

// Hour returns the hour of a key. It is 0 if the pattern has no hour.
func (c Values) Hour() int { return c[hour] }

// Fields is a set of date fields.
type Fields uint8

func (s Fields) has(k opKind) bool { return s&(1<<k) != 0 }

const (
	noFields   Fields = 0
	dateFields Fields = 1<<year | 1<<month | 1<<day
	hourFields Fields = dateFields | 1<<hour
)

// String returns the fields as "{yyyy}{MM}{dd}", or "none".
func (s Fields) String() string {
	if s == 0 {
		return "none"
	}
	var b strings.Builder
	for k, name := range fieldNames {
		if s.has(opKind(k)) {
			b.WriteString(name)
		}
	}
	return b.String()
}

// Fault is one mistake in a pattern. At is its byte in the pattern.
type Fault struct {
	At      int
	Message string
}

// parser reads one pattern.
type parser struct {
	Pattern
	lit    strings.Builder
	litAt  int
	faults []Fault
}

func (p *parser) faultf(at int, format string, args ...any) {
	p.faults = append(p.faults, Fault{at, fmt.Sprintf(format, args...)})
}

// Parse reads a pattern. If the pattern is wrong, Parse returns nil and every
// fault.
func Parse(s string) (*Pattern, []Fault) {
	p := &parser{Pattern: Pattern{text: s}}
	switch {
	case s == "":
		p.faultf(0, "the pattern is empty; write one such as orders/{yyyy}/{MM}/{dd}/*.csv")
	case len(s) > s3event.MaxKey:
		p.faultf(0, "the pattern has %d bytes; S3's longest key has %d", len(s), s3event.MaxKey)
		return nil, p.faults
	case strings.HasPrefix(s, "s3://"):
		p.faultf(0, "a pattern is about the key alone; leave out s3:// and the bucket, which goes into \"bucket\"")
	case strings.HasSuffix(s, "/"):
		p.faultf(len(s)-1, "a pattern that ends in / matches folder markers alone, which are ignored; write %.100s** for all that is in the folder", s)
	case !utf8.ValidString(s):
		p.faultf(0, "the pattern is not valid UTF-8, which every key is")
	}
	if i := strings.IndexFunc(s, unicode.IsControl); i >= 0 {
		p.faultf(i, "the pattern has a control character; write * in its place")
	}
	p.scan(s)
	if len(p.faults) == 0 {
		p.check()
	}
	if len(p.faults) > 0 {
		return nil, p.faults
	}
	return &p.Pattern, nil
}

// scan splits the pattern into ops.
func (p *parser) scan(s string) {
	for i := 0; i < len(s); {
		switch c := s[i]; c {
		case '*':
			i += p.stars(s, i)
		case '{':
			i += p.field(s, i)
		case '}':
			p.faultf(i, "} closes nothing; write \\} for the character itself")
			i++
		case '\\':
			if i+1 == len(s) || !strings.ContainsRune(`*{}\`, rune(s[i+1])) {
				p.faultf(i, "a backslash stands only before *, {, } or another backslash; write \\\\ for the character itself")
				i++
				break
			}
			p.literal(s[i+1], i)
			i += 2
		default:
			p.literal(c, i)
			i++
		}
	}
	p.flush()
}

func (p *parser) literal(c byte, at int) {
	if p.lit.Len() == 0 {
		p.litAt = at
	}
	p.lit.WriteByte(c)
}

func (p *parser) flush() {
	if p.lit.Len() > 0 {
		p.add(op{kind: literal, lit: p.lit.String(), at: p.litAt})
		p.lit.Reset()
	}
}

func (p *parser) add(o op) {
	o.fixed = p.fixedWidth()
	p.ops = append(p.ops, o)
}

func (p *parser) fixedWidth() int {
	if len(p.ops) == 0 {
		return 0
	}
	last := p.ops[len(p.ops)-1]
	return last.fixed + last.width()
}

// width returns how many characters of a key a literal or a field stands for.
func (o op) width() int {
	switch o.kind {
	case literal:
		return len(o.lit)
	case year:
		return 4
	case month, day, hour:
		return 2
	}
	return 0
}

// stars reads *, ** or **/ at i and returns its length.
func (p *parser) stars(s string, i int) int {
	n := len(s[i:]) - len(strings.TrimLeft(s[i:], "*"))
	boundary := i == 0 || s[i-1] == '/'
	p.flush()
	switch {
	case n == 1:
		p.add(op{kind: star, at: i})
	case n > 2:
		p.faultf(i, "%d stars in a row; write * for within a folder, ** for across folders", n)
	case boundary && strings.HasPrefix(s[i+n:], "/"):
		p.add(op{kind: folders, at: i})
		return n + 1
	default:
		p.add(op{kind: deep, at: i})
	}
	return n
}

// field reads {…} at i and returns its length.
func (p *parser) field(s string, i int) int {
	end := strings.IndexAny(s[i+1:], "}{/")
	if end < 0 || s[i+1+end] != '}' {
		p.faultf(i, "{ is not closed; write one of {yyyy}, {MM}, {dd} and {HH}, or \\{ for the character itself")
		return 1
	}
	name := s[i : i+end+2]
	for k, known := range fieldNames {
		if name == known {
			p.flush()
			p.add(op{kind: opKind(k), at: i})
			return len(name)
		}
	}
	if meant, ok := meantField(name); ok {
		p.faultf(i, "%s is not a date field; did you mean %s?", name, meant)
	} else {
		p.faultf(i, "%.40s is not a date field; the fields are {yyyy}, {MM}, {dd} and {HH}", name)
	}
	return len(name)
}

// meantField guesses a field that is written as in another tool.
func meantField(name string) (string, bool) {
	switch strings.ToLower(strings.Trim(name, "{}")) {
	case "yyyy", "yy", "y", "year":
		return "{yyyy}", true
	case "m", "mm", "mon", "month":
		return "{MM}", true
	case "d", "dd", "day":
		return "{dd}", true
	case "h", "hh", "hh24", "hour":
		return "{HH}", true
	}
	return "", false
}

// check checks the rules about fields, and marks the ops.
func (p *parser) check() {
	var first [4]int // index of the op
	var piece [4]int // the stars before it
	stars := 0
	for i := range p.ops {
		o := &p.ops[i]
		if o.kind >= star {
			stars++
			continue
		}
		if o.kind == literal {
			continue
		}
		if !p.fields.has(o.kind) {
			p.fields |= 1 << o.kind
			first[o.kind], piece[o.kind] = i, stars
			continue
		}
		o.repeat = true
		if piece[o.kind] != stars && piece[o.kind] > 0 {
			p.faultf(o.at, "%s comes a second time, after a *, and its first place has a * before it too; write * in this place", fieldNames[o.kind])
		}
	}
	switch {
	case p.fields == noFields:
		return
	case p.fields&dateFields != dateFields:
		p.faultf(p.FieldAt(), "the pattern has %v; windows are days, which need {yyyy}, {MM} and {dd}, or hours, {HH} too: for another period write * in its place, and a file counts for the day on which it comes", p.fields)
		return
	}
	last := max(first[year], first[month], first[day])
	p.ops[last].date = true
	if piece[year] != piece[month] || piece[month] != piece[day] {
		p.faultf(p.ops[last].at, "a * stands between {yyyy}, {MM} and {dd}; write them with nothing but fixed characters between")
	}
	p.markEdges()
}

// markEdges marks each star that has a date or an hour beside it.
func (p *parser) markEdges() {
	for i := range p.ops {
		o := &p.ops[i]
		if o.kind != star && o.kind != deep {
			continue
		}
		var before, after Fields
		for n := i - 1; n >= 0 && p.ops[n].kind < literal; n-- {
			before |= p.ops[n].first()
		}
		for n := i + 1; n < len(p.ops) && p.ops[n].kind < literal; n++ {
			after |= p.ops[n].first()
		}
		switch {
		case before&dateFields != 0:
			o.ends = dateEdge
		case before != 0:
			o.ends = hourEdge
		}
		o.begins = after != 0
		p.edges |= o.ends
		digitBefore := i > 0 && p.ops[i-1].digitAt(-1)
		digitAfter := i+1 < len(p.ops) && p.ops[i+1].digitAt(0)
		if (o.begins || o.ends != noEdge) && digitBefore && digitAfter {
			p.tight = true
		}
	}
}

// first returns the field of an op, unless the op repeats it.
func (o op) first() Fields {
	if o.repeat {
		return noFields
	}
	return 1 << o.kind
}

// digitAt reports whether a field or a literal has a digit at its beginning (0)
// or its end (-1).
func (o op) digitAt(at int) bool {
	if o.kind != literal {
		return o.kind < literal
	}
	if at < 0 {
		at = len(o.lit) - 1
	}
	return isDigit(o.lit[at])
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// String returns the pattern as written.
func (p *Pattern) String() string { return p.text }

// Dated reports whether the pattern has a date.
func (p *Pattern) Dated() bool { return p.fields != noFields }

// Hourly reports whether the pattern has an hour.
func (p *Pattern) Hourly() bool { return p.fields.has(hour) }

// Fields returns the fields of the pattern.
func (p *Pattern) Fields() Fields { return p.fields }

// Literal is a text that stands for itself in a pattern.
type Literal struct {
	// At is the byte of the pattern at which the text begins.
	At int
	// Text is the text, without backslashes.
	Text string
}

// Literals returns the texts of a pattern that stand for themselves.
func (p *Pattern) Literals() []Literal {
	var all []Literal
	for _, o := range p.ops {
		if o.kind == literal {
			all = append(all, Literal{o.at, o.lit})
		}
	}
	return all
}

// FieldAt returns the byte of the pattern at which its first field begins. The
// pattern must have a field.
func (p *Pattern) FieldAt() int { return p.ops[p.firstField()].at }

// firstField returns the index of the first op that is a field.
func (p *Pattern) firstField() int {
	for i, o := range p.ops {
		if o.kind < literal {
			return i
		}
	}
	return 0
}

// Prefix returns the text with which every matching key begins.
func (p *Pattern) Prefix() string {
	if len(p.ops) > 0 && p.ops[0].kind == literal {
		return p.ops[0].lit
	}
	return ""
}
