package arrival

import (
	"fmt"
	"strings"
	"time"
)

// match tells whether a key matches, and sets c to the values of its fields.
// near, if not nil, is told of each place where matching failed.
//
// It walks key and pattern together. On a mismatch it goes back to the last *
// and lets it take one character more, and where that would cross a /, or
// there is none, to the last ** instead. Going back further is never needed:
// what lies between two stars has a fixed width and is placed as early as it
// can be, which leaves the most for what follows, because whether it fits a
// place depends on that place alone (parsePattern refuses the patterns for
// which that would not be so). So a key of n bytes costs n steps where the
// stars are few, n*n at the very worst, and nothing is allocated.
func (p *pattern) match(key string, c *captured, near *nearMiss) bool {
	i, j := 0, 0
	starOp, starKey := -1, 0
	deepOp, deepKey := -1, 0
	for {
		if i == len(p.ops) {
			if j == len(key) {
				return true
			}
			if near != nil {
				near.miss(p, i, j, 0, keyGoesOn, c)
			}
		} else {
			switch o := &p.ops[i]; o.kind {
			case star:
				starOp, starKey = i, j
				i++
				continue
			case deep, folders:
				if i == len(p.ops)-1 {
					return true
				}
				deepOp, deepKey = i, j
				starOp = -1
				i++
				continue
			default:
				n, why := o.fit(key[j:], c)
				if why == fits {
					i, j = i+1, j+n
					continue
				}
				if near != nil {
					near.miss(p, i, j+n, n, why, c)
				}
			}
		}
		if starOp >= 0 && starKey < len(key) {
			if key[starKey] != '/' {
				starKey++
				i, j = starOp+1, starKey
				continue
			}
			if near != nil {
				near.miss(p, starOp, starKey, 0, starEnds, c)
			}
		}
		if deepOp < 0 {
			return false
		}
		if deepKey = p.ops[deepOp].longer(key, deepKey); deepKey < 0 {
			return false
		}
		i, j, starOp = deepOp+1, deepKey, -1
	}
}

// longer is where a ** or **/ that ended at j can end next; -1: nowhere.
func (o *op) longer(key string, j int) int {
	if o.kind == deep {
		if j == len(key) {
			return -1
		}
		return j + 1
	}
	n := strings.IndexByte(key[j:], '/')
	if n < 0 {
		return -1
	}
	return j + n + 1
}

// fit tells whether a literal or field fits at the start of s, and if not,
// after how many characters it fails, and why.
func (o *op) fit(s string, c *captured) (int, reason) {
	if o.kind == literal {
		if strings.HasPrefix(s, o.lit) {
			return len(o.lit), fits
		}
		n := 0
		for n < len(s) && s[n] == o.lit[n] {
			n++
		}
		return n, notLiteral
	}
	w := o.width()
	v := 0
	for n := range w {
		if n >= len(s) || s[n] < '0' || s[n] > '9' {
			return n, notDigits
		}
		v = v*10 + int(s[n]-'0')
	}
	if o.repeat {
		if c[o.kind] != v {
			return 0, otherValue
		}
		return w, fits
	}
	if l := limits[o.kind]; v < l.low || v > l.high {
		return 0, outOfRange
	}
	c[o.kind] = v
	if o.date && c[day] > daysIn(c[year], c[month]) {
		return 0, noSuchDate
	}
	return w, fits
}

var limits = [...]struct{ low, high int }{
	year:  {1970, 2999},
	month: {1, 12},
	day:   {1, 31},
	hour:  {0, 23},
}

func daysIn(y, m int) int {
	return time.Date(y, time.Month(m)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// reason is why a pattern fails at a place.
type reason uint8

const (
	fits reason = iota
	notLiteral
	notDigits
	outOfRange
	otherValue
	noSuchDate
	starEnds
	keyGoesOn
)

// nearMiss keeps the place where a pattern failed after fitting best: where
// most of its fixed characters had been matched, since a ** fits anything.
type nearMiss struct {
	pattern *pattern
	op      int
	at      int // byte of the key
	score   int
	why     reason
	values  captured
	set     bool
}

// miss keeps a failure at byte at of the key if it is the best so far. partial
// counts the characters of the op that did fit.
func (m *nearMiss) miss(p *pattern, i, at, partial int, why reason, c *captured) {
	score := partial
	if i < len(p.ops) {
		score += p.ops[i].fixed
	} else if i > 0 {
		score += p.ops[i-1].fixed + p.ops[i-1].width()
	}
	if m.set && (score < m.score || score == m.score && why != starEnds) {
		return
	}
	*m = nearMiss{pattern: p, op: i, at: at, score: score, why: why, values: *c, set: true}
}

// explain says in words why the key fails there.
func (m *nearMiss) explain(key string) string {
	if m.why == keyGoesOn {
		return "the key goes on where the pattern ends"
	}
	o := m.pattern.ops[m.op]
	switch rest := key[m.at:]; m.why {
	case notLiteral:
		want := o.lit[m.score-o.fixed:]
		if rest == "" {
			return fmt.Sprintf("the key ends where the pattern has %q", want)
		}
		return fmt.Sprintf("the pattern has %q here", want)
	case notDigits:
		return fmt.Sprintf("the pattern has %s here, which is %d digits", fieldNames[o.kind], o.width())
	case outOfRange:
		return fmt.Sprintf("%s is %s, which is not between %0*d and %d", fieldNames[o.kind], rest[:o.width()], o.width(), limits[o.kind].low, limits[o.kind].high)
	case otherValue:
		return fmt.Sprintf("%s is %s here but was %0*d before", fieldNames[o.kind], rest[:o.width()], o.width(), m.values[o.kind])
	case noSuchDate:
		return fmt.Sprintf("%04d-%02d-%02d is not a date", m.values[year], m.values[month], m.values[day])
	default: // starEnds
		return "* does not cross a /; write ** where folders may follow"
	}
}
