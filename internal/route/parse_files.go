package route

import (
	"strconv"

	"github.com/goccy/go-yaml/ast"

	"github.com/amperity-runs/amperity-runs/internal/route/source"
)

// files reads the member files of a route: one pattern, or a list of patterns
// and entries.
func (p *routesParser) files(r *Route, m source.Mapping) {
	const example = "a pattern such as \"orders/{yyyy}/{MM}/{dd}/*.csv\", or a list of them"
	p.missing(r, m, "files", example)
	v, ok := m["files"]
	if !ok {
		return
	}
	switch n := v.Value.(type) {
	case *ast.SequenceNode:
		if len(n.Values) == 0 {
			p.Faultf(v.At, "files is empty; write %s", example)
		}
		for _, item := range n.Values {
			p.entry(r, item, v.At)
		}
	case *ast.MappingNode:
		p.Faultf(source.At(v.Value), "files is a mapping; write - before it, or a pattern alone")
	default:
		if f, ok := p.pattern(n, "files", v.At); ok {
			r.Files = append(r.Files, f)
		}
	}
	p.sameFields(r)
	p.onlyRoute(r)
	p.fewKeys(r)
	p.fewEntries(r)
}

func (p *routesParser) entry(r *Route, n ast.Node, where source.Position) {
	var f File
	var ok bool
	if m, isMapping := n.(*ast.MappingNode); isMapping {
		f, ok = p.fileMapping(m)
	} else {
		f, ok = p.pattern(n, "an entry of files", where)
	}
	if !ok {
		return
	}
	for _, other := range r.Files {
		if other.Pattern == f.Pattern {
			p.Faultf(f.at.Position, "this pattern stands in line %d already; remove one", other.at.Line)
			return
		}
	}
	r.Files = append(r.Files, f)
}

func (p *routesParser) fileMapping(n *ast.MappingNode) (f File, ok bool) {
	m, _ := p.Members(n, "an entry of files", entryKeys)
	if v, given := m["key"]; given {
		f, ok = p.pattern(v.Value, "key", v.At)
	} else {
		p.Faultf(source.At(n), "the entry has no key; write {key: \"lines/{yyyy}/{MM}/{dd}/*.csv\"}")
		ok = false
	}
	if v, given := m["count"]; given && p.Plain(v.Value) {
		f.Count = p.count(v)
	}
	if v, given := m["optional"]; given && p.Plain(v.Value) {
		if b, isBool := v.Value.(*ast.BoolNode); isBool {
			f.Optional = b.Value
		} else {
			p.Faultf(v.At, "optional is %s; write true or false without quotes", source.Shown(v.Value))
		}
	}
	return f, ok
}

// maxCount is the highest count. The ledger records each counted key.
const maxCount = 10000

func (p *routesParser) count(v source.Member) int {
	if n, ok := v.Value.(*ast.IntegerNode); ok {
		if c, err := strconv.Atoi(n.Token.Value); err == nil && c >= 1 && c <= maxCount {
			return c
		}
	}
	p.Faultf(v.At, "count is %s; write a whole number from 1 to %d without quotes", source.Shown(v.Value), maxCount)
	return 1
}

// sameFields checks that the patterns of a route have the same date fields,
// because their files belong to the same windows.
func (p *routesParser) sameFields(r *Route) {
	for i, f := range r.Files {
		if i == 0 {
			r.dated = f.pattern.Dated()
			r.hourly = f.pattern.Hourly()
			continue
		}
		if want := r.Files[0].pattern.Fields(); f.pattern.Fields() != want {
			p.Faultf(f.at.Position, "the date fields of this pattern are %v, those of the route's first are %v; all patterns of a route must have the same", f.pattern.Fields(), want)
		}
	}
}

// onlyRoute checks that no other route has the same windows.
func (p *routesParser) onlyRoute(r *Route) {
	if r.ConfigID == "" || len(r.Files) == 0 {
		return
	}
	kind := windowKind{r.ConfigID, r.hourly}
	if first, taken := p.windows[kind]; taken {
		unit := "days"
		if r.hourly {
			unit = "hours"
		}
		p.Faultf(r.at, "the route in line %d starts %.60s for %s already; list the patterns of both in the \"files\" of one", first.at.Line, r.ConfigID, unit)
		return
	}
	p.windows[kind] = r
}

// maxEntries bounds the bytes that the entries of a route take in the item of a
// window, which may have 380 KB in all. An entry has its pattern, also once more
// where its file is missing, and the bucket and the key of one file.
const (
	maxEntries  = 200_000
	entryBeside = 1_200
)

// fewEntries checks that the entries of a route fit into the window's item.
func (p *routesParser) fewEntries(r *Route) {
	sum := 0
	for _, f := range r.Files {
		sum += entryBeside + 2*len(f.Pattern)
	}
	if sum > maxEntries {
		p.Faultf(r.at, "the route's %d entries of files take up to %d KB in the ledger, and may take %d; use fewer entries, each for several files with a count, or wait for a marker such as _SUCCESS instead",
			len(r.Files), sum/1000, maxEntries/1000)
	}
}

// fewKeys checks that the counts of a route fit into the window's item, whose
// size is limited. Each counted key takes 11 bytes.
func (p *routesParser) fewKeys(r *Route) {
	sum := 0
	for _, f := range r.Files {
		if f.Count > 1 {
			sum += f.Count
		}
	}
	if sum > maxCount {
		p.Faultf(r.at, "the counts of the route's files are %d together, and may be %d; wait for a marker such as _SUCCESS instead", sum, maxCount)
	}
}
