package arrival

import (
	"fmt"
	"slices"
	"strings"
)

// warn looks for what is allowed but probably not meant, in a file without
// faults.
func (p *routesParser) warn(r *Routes) {
	for i, route := range r.routes {
		if !takesRange(route.ConfigID) {
			p.warnf(route.at, "%.60s takes no date range: a file of any window starts the same run", route.ConfigID)
		}
		if route.Settle > route.Longest() {
			p.warnf(route.at, "an hour's window waits for quiet for an hour at most, from its first file: a longer settle changes nothing")
		}
		if d := route.Deadline; d != nil && !route.dated && d.Days+route.DateOffset > 0 && !d.Run {
			p.warnf(route.at, "the keys have no date, so that no file counts for a day that is over: what is missing at the deadline cannot come after it; "+
				"put the deadline on the day itself, as \"18:00\", add \"then: run\", or give the keys a date")
		}
		for place, f := range route.Files {
			if f.Count > 1 && !f.pattern.manifold() {
				p.warnf(f.at.position, "windows wait for %d files, and in each bucket one key matches the pattern in a window: give it a *, or leave out count", f.Count)
			}
			if route.Settle == 0 && len(route.Files) == 1 && f.Count == 1 && f.pattern.manifold() {
				p.warnf(f.at.position, "with \"settle: 0s\" and without a marker or a count, the first file of a window starts its run, and further files come late; fine if one file is all that comes")
			}
			if key, read, ok := f.pattern.ambiguous(); ok {
				p.warnf(f.at.position, "a key may hold two numbers that fit the fields, and the first one counts: %.200q is for %s; write more of the key in place of the * before them if that is wrong", key, read)
			}
			keys := f.pattern.witnesses()
			if by, hidden := r.ignoredBy(keys[0]); hidden && p.ignores(by, keys[1]) {
				p.warnf(f.at.position, "no file starts this: %.100q under \"ignore\" covers all that the pattern matches", by)
				continue
			}
			for _, h := range r.hits(Arrival{Bucket: route.Bucket, Key: keys[0]}, nil) {
				other := r.routes[h.route]
				var c captured
				switch {
				case !h.pattern.match(keys[1], &c, nil):
				case h.route == i && h.place < place && !f.Optional:
					p.warnf(f.at.position, "no file meets this entry, and windows wait for it: %.100q of the same route, which stands before it, takes all that it matches; write this one first", h.pattern.String())
				case h.route == i && h.place < place:
					p.warnf(f.at.position, "the pattern adds nothing: %.100q of the same route matches all that it does", h.pattern.String())
				case h.route > i && h.pattern.String() == f.Pattern:
					// Said at the other one.
				case h.route != i:
					p.warnf(f.at.position, "its files start the route %.60q too, by %.100q; fine if both runs are wanted", other.Name, h.pattern.String())
				}
			}
		}
	}
}

// ambiguous returns a key with two dates, or two hours, that fit the pattern, and
// the one that the pattern reads; false if there is no such key.
func (p *pattern) ambiguous() (key, read string, ok bool) {
	meant := [4]string{year: "2026", month: "11", day: "22", hour: "05"}
	other := [4]string{year: "2026", month: "11", day: "21", hour: "04"}
	for i, o := range p.ops {
		if !o.begins {
			continue
		}
		end := i + 1
		for end < len(p.ops) && p.ops[end].kind <= literal {
			end++
		}
		// What the star could take before the fields.
		taken := plainKey(p.ops[i+1:end], other) + "_"
		if o.kind == star && strings.Contains(taken, "/") {
			continue
		}
		key := plainKey(p.ops[:i], meant) + taken + plainKey(p.ops[i+1:], meant)
		var c captured
		if !p.match(key, &c, nil) || c[day] == 22 && (c[hour] == 5 || !p.fields.has(hour)) {
			continue
		}
		read = fmt.Sprintf("%04d-%02d-%02d", c[year], c[month], c[day])
		if p.fields.has(hour) {
			read += fmt.Sprintf(", hour %02d", c[hour])
		}
		return key, read, true
	}
	return "", "", false
}

// plainKey is a key that ops match, in which stars stand for nothing.
func plainKey(ops []op, values [4]string) string {
	var b strings.Builder
	for _, o := range ops {
		switch {
		case o.kind == literal:
			b.WriteString(o.lit)
		case o.kind < literal:
			b.WriteString(values[o.kind])
		}
	}
	return b.String()
}

// ignores tells whether the pattern under "ignore" matches a key.
func (p *routesParser) ignores(pattern, key string) bool {
	var c captured
	for _, f := range p.ignore {
		if f.Pattern == pattern {
			return f.pattern.match(key, &c, nil)
		}
	}
	return false
}

// manifold tells whether more than one key of the same date matches.
func (p *pattern) manifold() bool {
	return slices.ContainsFunc(p.ops, func(o op) bool { return o.kind == star || o.kind == deep || o.kind == folders })
}

// witnesses are two keys that stand for all that the pattern matches: another
// pattern that matches both matches all of those, since the two have nothing in
// common but the pattern's literals. What the stars stand for in them is
// written in a character that no pattern has, and their dates differ in every
// digit that can.
func (p *pattern) witnesses() [2]string {
	const some = "\x01"
	var keys [2]string
	for n, values := range [2][4]string{
		{year: "2026", month: "11", day: "22", hour: "22"},
		{year: "1987", month: "09", day: "30", hour: "05"},
	} {
		var b strings.Builder
		for _, o := range p.ops {
			switch o.kind {
			case literal:
				b.WriteString(o.lit)
			case star:
				b.WriteString(some)
			case deep:
				b.WriteString(some + "/" + some)
			case folders:
				b.WriteString(some + "/")
			default:
				b.WriteString(values[o.kind])
			}
		}
		keys[n] = b.String()
	}
	return keys
}
