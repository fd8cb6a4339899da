package route

import (
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/amperity-runs/amperity-runs/internal/nearest"
	"github.com/amperity-runs/amperity-runs/internal/route/pattern"
	"github.com/amperity-runs/amperity-runs/internal/route/source"
	"github.com/amperity-runs/amperity-runs/internal/schedule"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Options describe the stack that the routes are for.
type Options struct {
	// Buckets are the buckets whose events the stack receives. If it is empty,
	// a route may name any bucket.
	Buckets []string
}

// The keys of a routes file, of a route and of an entry of its files.
var (
	fileKeys  = []string{"version", "timezone", "ignore", "routes"}
	routeKeys = []string{"name", "config_id", "run_mode", "files", "bucket", "timezone", "date_offset",
		"settle", "late", "if_unknown", "deadline"}
	entryKeys = []string{"key", "count", "optional"}
)

// routesParser reads a routes file.
type routesParser struct {
	*source.File
	buckets []string
	// zone is the file's time zone. zoneGiven: the file has a time zone, even
	// if it is wrong.
	zone      *time.Location
	zoneGiven bool
	routes    []*Route
	ignore    []File
	names     map[string]source.Position
	windows   map[windowKind]*Route
}

// windowKind is a kind of windows. No two routes may have the same.
type windowKind struct {
	configID string
	hourly   bool
}

// Parse reads and checks a routes file. file is its name, for messages. The
// error is a [*RoutesError] with every fault. The warnings are about valid
// routes that their author probably did not mean. Parse returns them with an
// error too.
func Parse(file string, src []byte, o Options) (*Routes, source.Warnings, error) {
	p := &routesParser{
		File:    &source.File{Name: file},
		buckets: slices.Clone(o.Buckets),
		names:   make(map[string]source.Position),
		windows: make(map[windowKind]*Route),
	}
	if body := p.Document(src); body != nil {
		p.whole(body)
	}
	slices.SortStableFunc(p.Faults, source.ByPosition)
	if len(p.Faults) > 0 {
		slices.SortStableFunc(p.Warnings, source.ByPosition)
		return nil, p.Warnings, &RoutesError{Faults: p.Faults}
	}
	r := p.build()
	p.warn(r)
	slices.SortStableFunc(p.Warnings, source.ByPosition)
	return r, p.Warnings, nil
}

func (p *routesParser) build() *Routes {
	r := &Routes{routes: p.routes, buckets: p.buckets}
	var files, ignore []entry
	for i, route := range p.routes {
		for place, f := range route.Files {
			files = append(files, entry{i, place, f.pattern})
		}
	}
	for place, f := range p.ignore {
		ignore = append(ignore, entry{0, place, f.pattern})
	}
	r.files, r.ignore = newIndex(files), newIndex(ignore)
	return r
}

func (p *routesParser) whole(body ast.Node) {
	m, ok := p.Members(body, "the routes file", fileKeys)
	if !ok {
		return
	}
	p.version(m, source.At(body))
	p.zone, p.zoneGiven = p.timezone(m)
	if v, ok := m["ignore"]; ok {
		p.ignored(v)
	}
	v, ok := m["routes"]
	if !ok {
		p.Faultf(source.At(body), "routes is missing; write \"routes:\" and under it a list of routes")
		return
	}
	list, ok := p.Items(v, true, "- name: customers, and so on")
	if !ok {
		return
	}
	if len(list) == 0 {
		p.Warnf(v.At, "there are no routes: every file will be announced as unrouted")
	}
	for _, n := range list {
		p.route(n)
	}
}

func (p *routesParser) version(m source.Mapping, where source.Position) {
	v, ok := m["version"]
	if !ok {
		p.Faultf(where, "version is missing; write \"version: 1\" in the first line")
		return
	}
	if !p.Plain(v.Value) {
		return
	}
	n, ok := v.Value.(*ast.IntegerNode)
	switch {
	case !ok:
		p.Faultf(v.At, "version is %s; write \"version: 1\"", source.Describe(v.Value))
	case n.Token.Value != "1":
		p.Faultf(source.At(n), "version %.20s is not known to this amperity-runs; write \"version: 1\"", n.Token.Value)
	}
}

// timezone reads the member timezone. The zone is nil if the member is missing
// or wrong. given reports whether the member is there.
func (p *routesParser) timezone(m source.Mapping) (zone *time.Location, given bool) {
	_, given = m["timezone"]
	name, where, ok := p.Member(m, "timezone", "an IANA name such as America/New_York")
	if !ok {
		return nil, given
	}
	zone, err := schedule.Zone(name)
	if err != nil {
		p.Faultf(where.Position, "timezone: %v", err)
	}
	if meant := map[string]string{"EST": "America/New_York", "MST": "America/Denver", "HST": "Pacific/Honolulu"}[name]; meant != "" {
		p.Warnf(where.Position, "%s has the same hours all year, without daylight saving time; write %s if you mean the clocks there", name, meant)
	}
	return zone, given
}

func (p *routesParser) ignored(v source.Member) {
	list, ok := p.Items(v, false, `["logs/**", "**/*.tmp"]`)
	if !ok {
		return
	}
	for _, n := range list {
		f, ok := p.pattern(n, "a pattern to ignore", v.At)
		if !ok {
			continue
		}
		if f.pattern.Dated() {
			p.Faultf(f.at.Within(f.Pattern, f.pattern.FieldAt()),
				"a date field says nothing where files are ignored; write * in its place")
		}
		p.ignore = append(p.ignore, f)
	}
}

func (p *routesParser) pattern(n ast.Node, name string, where source.Position) (File, bool) {
	text, at, ok := p.Text(n, name, where, "a pattern such as \"orders/{yyyy}/{MM}/{dd}/*.csv\"")
	if !ok {
		return File{}, false
	}
	pat, faults := pattern.Parse(text)
	for _, f := range faults {
		p.Faultf(at.Within(text, f.At), "%s", f.Message)
	}
	if pat == nil {
		return File{}, false
	}
	for _, l := range pat.Literals() {
		if l.At == 0 && strings.HasPrefix(l.Text, "/") {
			p.Warnf(at.Within(text, l.At), "keys in S3 do not begin with a / unless they were written so; %.60q matches no other", text)
		}
		if j := encoded(l.Text); j >= 0 {
			p.Warnf(at.Within(text, l.At+j), "%q stands for itself: keys are compared as S3 lists them, not URL-encoded, and dates are {yyyy}, {MM}, {dd} and {HH}", l.Text[j:min(len(l.Text), j+3)])
		}
		if j := strings.Index(l.Text, ", "); j >= 0 {
			p.Warnf(at.Within(text, l.At+j), "%.60q is one pattern, with a comma in it; for several write a list, [\"a/*\", \"b/*\"]", text)
		}
		if j := strings.IndexAny(l.Text, "?["); j >= 0 {
			p.Warnf(at.Within(text, l.At), "%q has no meaning in a pattern and stands for itself; only * and ** stand for others", l.Text[j:j+1])
		}
	}
	return File{Pattern: text, Count: 1, pattern: pat, at: at}, true
}

// encoded returns the index of a text that looks like a URL-encoded character
// or a field of strftime, or -1.
func encoded(s string) int {
	for i := range len(s) {
		if s[i] == '%' && i+1 < len(s) && (strings.IndexByte("YmdHMS", s[i+1]) >= 0 || i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])) {
			return i
		}
	}
	return -1
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }

func (p *routesParser) route(n ast.Node) {
	m, ok := p.Members(n, "a route", routeKeys)
	if !ok {
		return
	}
	r := &Route{at: source.At(n)}
	p.name(r, m)
	p.configID(r, m)
	p.runMode(r, m)
	p.files(r, m)
	p.bucket(r, m)
	p.dateOffset(r, m)
	p.settle(r, m)
	p.outcomes(r, m)
	zone, given := p.timezone(m)
	p.deadline(r, m)
	p.zoneOf(r, m, zone, given)
	r.hash = hashOf(r)
	p.routes = append(p.routes, r)
}

// missing reports a required key that is missing.
func (p *routesParser) missing(r *Route, m source.Mapping, name, example string) {
	if _, given := m[name]; !given {
		p.Faultf(r.at, "the route has no %s; write %s", name, example)
	}
}

// maxName is the most bytes of a route's name. The name is in every event and
// log line of the route's runs.
const maxName = 100

func (p *routesParser) name(r *Route, m source.Mapping) {
	p.missing(r, m, "name", "a label such as \"name: customers\"")
	name, where, ok := p.Member(m, "name", "a label such as customers")
	if !ok {
		return
	}
	if len(name) > maxName {
		p.Faultf(where.Position, "the name has %d bytes; write a label of at most %d", len(name), maxName)
	}
	if first, taken := p.names[name]; taken {
		p.Faultf(where.Position, "the route in line %d has the name %.60q too; give each its own", first.Line, name)
		return
	}
	p.names[name] = where.Position
	r.Name = name
}

// idRunes are the characters of config ids in Amperity's documentation, and two
// more.
const idRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// maxConfigID is the most bytes of a config id, which is a part of every key.
const maxConfigID = 200

func (p *routesParser) configID(r *Route, m source.Mapping) {
	const example = "the id of a courier group (cg-…), orchestration group (og-…) or campaign (cc-…)"
	p.missing(r, m, "config_id", example)
	id, where, ok := p.Member(m, "config_id", example)
	if !ok {
		return
	}
	if _, ok := amperity.ConfigKindOf(id); !ok || len(id) > maxConfigID {
		n := min(len(id), len("cg-"))
		meant := strings.ToLower(id[:n]) + id[n:]
		if _, ok := amperity.ConfigKindOf(meant); ok && len(id) <= maxConfigID {
			p.Faultf(where.Position, "%.60q is not a config id, since capitals count; did you mean %.60s?", id, meant)
			return
		}
		p.Faultf(where.Position, "%.60q is not a config id; write %s", id, example)
		return
	}
	// Amperity documents no characters of ids, so other ones are no error.
	if strings.Trim(id, idRunes) != "" {
		p.Warnf(where.Position, "%.60q looks like a placeholder, not like an id that Amperity shows, such as cg-123ABc4DE", id)
	}
	r.ConfigID = id
}

func (p *routesParser) runMode(r *Route, m source.Mapping) {
	mode, where, ok := p.Member(m, "run_mode", "full, refresh or source")
	if !ok {
		return
	}
	switch v := amperity.RunMode(mode); v {
	case amperity.RunModeFull, amperity.RunModeRefresh, amperity.RunModeSource:
		r.RunMode = v
	default:
		p.word(where, "run_mode", mode, "full", "refresh", "source")
	}
	if r.ConfigID != "" && !takesRange(r.ConfigID) {
		kind, _ := amperity.ConfigKindOf(r.ConfigID)
		p.Faultf(m["run_mode"].At, "run_mode is for courier groups (cg-…) only, not for the %s %.60s; leave it out", kind, r.ConfigID)
	}
}

// word reports a value that is not one of the allowed words.
func (p *routesParser) word(where source.TextPosition, name, value string, words ...string) {
	list := strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
	if meant, ok := nearest.Match(value, words); ok {
		p.Faultf(where.Position, "%s %.60q is not known; did you mean %s?", name, value, meant)
		return
	}
	p.Faultf(where.Position, "%s %.60q is not known; write %s", name, value, list)
}

// bucketRunes are the characters of a bucket's name. Names from before 2018 may
// have capitals and _ (S3 User Guide, General purpose bucket naming rules).
const bucketRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

func (p *routesParser) bucket(r *Route, m source.Mapping) {
	b, where, ok := p.Member(m, "bucket", "the name of a bucket, such as acme-landing")
	if !ok {
		return
	}
	if strings.Trim(b, bucketRunes) != "" || len(b) > 255 {
		p.Faultf(where.Position, "%.60q is not the name of a bucket; write the name alone, such as acme-landing", b)
		return
	}
	if len(p.buckets) > 0 && !slices.Contains(p.buckets, b) {
		p.Faultf(where.Position, "the stack receives no events of the bucket %q; write one of BUCKETS (%.200s), or add it there", b, strings.Join(p.buckets, ", "))
		return
	}
	r.Bucket = b
}

// zoneOf sets the time zone of a route.
func (p *routesParser) zoneOf(r *Route, m source.Mapping, zone *time.Location, given bool) {
	// The file's time zone is for dates. Hours are UTC unless the route has a
	// time zone of its own.
	if zone == nil && !given && !r.hourly {
		zone, given = p.zone, p.zoneGiven
	}
	r.Zone = zone
	if given {
		return
	}
	if len(r.Files) > 0 && !r.dated && !r.hourly {
		p.Faultf(r.at, "the route has no timezone, and its keys carry no date: whose calendar tells the day a file arrived? Write \"timezone: America/New_York\" or the like, in the route or at the top of the file")
	}
	if d, ok := m["deadline"]; ok && !r.hourly {
		p.Faultf(d.At, "a deadline is local time, and the route has no timezone; write \"timezone: America/New_York\" or the like, in the route or at the top of the file")
	}
}
