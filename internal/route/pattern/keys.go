package pattern

import (
	"fmt"
	"slices"
	"strings"
)

// Ambiguous returns a key with two dates or two hours that fit the pattern, and
// the date that the pattern reads. It reports false if there is no such key.
func (p *Pattern) Ambiguous() (key, read string, ok bool) {
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
		// The star could take this text before the fields.
		taken := plainKey(p.ops[i+1:end], other) + "_"
		if o.kind == star && strings.Contains(taken, "/") {
			continue
		}
		key := plainKey(p.ops[:i], meant) + taken + plainKey(p.ops[i+1:], meant)
		var c Values
		if !p.Match(key, &c, nil) || c[day] == 22 && (c[hour] == 5 || !p.fields.has(hour)) {
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

// plainKey returns a key that ops match, in which each star is empty.
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

// Manifold reports whether more than one key of the same date matches.
func (p *Pattern) Manifold() bool {
	return slices.ContainsFunc(p.ops, func(o op) bool { return o.kind == star || o.kind == deep || o.kind == folders })
}

// Witnesses returns two keys that stand for all keys that the pattern matches.
// The two keys have only the pattern's literals in common: the stars stand for
// a character that no pattern has, and the dates differ in every digit that can
// differ. So another pattern that matches both keys matches all of the keys.
func (p *Pattern) Witnesses() [2]string {
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
