package pattern

import (
	"fmt"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/s3event"
)

// reading is one way to read a key.
type reading struct {
	// own are the edges that must end a number.
	own edges
	// anyYear: the year may be before 2000 or after 2999.
	anyYear bool
	// blocked: an edge of own prevented a match somewhere. refused: a year
	// prevented it.
	blocked, refused bool
}

// Match reports whether a key matches, and sets c to the values of its fields.
// If near is not nil, it keeps the best place at which a match failed.
//
// Match tries the ways to read a key, the preferred way first. It tries another
// way only if that can change the result, so it usually reads a key once.
func (p *Pattern) Match(key string, c *Values, near *Miss) bool {
	for _, anyYear := range [...]bool{false, true} {
		refused, last := false, ^noEdge
		for _, own := range [...]edges{dateEdge | hourEdge, dateEdge, hourEdge, noEdge} {
			if own &= p.edges; own == last {
				continue
			}
			last = own
			r := reading{own: own, anyYear: anyYear}
			if p.read(key, &r, c, near) {
				return true
			}
			refused = refused || r.refused
			if !r.blocked {
				break
			}
		}
		if !refused {
			return false
		}
	}
	return false
}

// read reports whether a key matches if it is read in one way.
//
// It walks key and pattern together. On a mismatch it goes back to the last *,
// which then takes one more character. If there is no *, or the * would cross a
// /, it goes back to the last ** instead. It never needs to go back further.
// The ops between two stars have a fixed width, and read places them as early
// as it can, which leaves the most characters to the ops after them. Whether
// the ops fit a place depends on that place alone: Parse refuses all other
// patterns. So a key of n bytes costs n steps if the stars are few, and n*n at
// worst. read allocates nothing.
func (p *Pattern) read(key string, r *reading, c *Values, near *Miss) bool {
	if p.tight {
		return p.search(key, 0, 0, r, c, near, make([]tried, len(p.ops)*(len(key)+1)))
	}
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
			switch o := &p.ops[i]; {
			case o.ends&r.own != noEdge && j < len(key) && isDigit(key[j]):
				r.blocked = true
			case o.kind == star:
				starOp, starKey = i, j
				i++
				continue
			case o.kind == deep || o.kind == folders:
				if i == len(p.ops)-1 {
					return true
				}
				deepOp, deepKey = i, j
				starOp = -1
				i++
				continue
			case i > 0 && p.ops[i-1].begins && j > 0 && isDigit(key[j-1]):
				near.within(p, i, j, key, r, c)
			default:
				n, why := o.fit(key[j:], r, c)
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

// tried records the failed attempts for a star at a byte of the key. begun: the
// star began there. ended: the star ended there and was not empty.
type tried struct{ begun, ended bool }

// search is read for a tight pattern, from op i and byte j. Whether a * that
// may be empty takes a digit beside a field depends on where the * begins. So
// the ops before the * may have to move although they fit. vain has the failed
// attempts for each star and byte.
func (p *Pattern) search(key string, i, j int, r *reading, c *Values, near *Miss, vain []tried) bool {
	for ; i < len(p.ops) && p.ops[i].kind < star; i++ {
		n, why := p.ops[i].fit(key[j:], r, c)
		if why != fits {
			if near != nil {
				near.miss(p, i, j+n, n, why, c)
			}
			return false
		}
		j += n
	}
	if i == len(p.ops) {
		if j < len(key) && near != nil {
			near.miss(p, i, j, 0, keyGoesOn, c)
		}
		return j == len(key)
	}
	o, from := &p.ops[i], j
	past := vain[i*(len(key)+1):]
	if past[from].begun {
		return false
	}
	past[from].begun = true
	for j >= 0 {
		switch {
		case j > from && o.ends&r.own != noEdge && isDigit(key[from]):
			r.blocked = true
			return false
		case j > from && past[j].ended:
		case j > from && o.begins && isDigit(key[j-1]):
			near.within(p, i+1, j, key, r, c)
		case p.search(key, i+1, j, r, c, near, vain):
			return true
		}
		past[j].ended = past[j].ended || j > from
		if o.kind != star {
			j = o.longer(key, j)
			continue
		}
		if j == len(key) {
			return false
		}
		if key[j] == '/' {
			if near != nil {
				near.miss(p, i, j, 0, starEnds, c)
			}
			return false
		}
		j++
	}
	return false
}

// longer returns the next place after j at which a ** or **/ can end, or -1.
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

// fit reports whether a literal or a field fits at the start of s. If not, it
// returns after how many characters it fails, and why.
func (o *op) fit(s string, r *reading, c *Values) (int, reason) {
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
		if n >= len(s) || !isDigit(s[n]) {
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
		if o.kind != year || !r.anyYear {
			r.refused = r.refused || o.kind == year
			return 0, outOfRange
		}
	}
	c[o.kind] = v
	if o.date && c[day] > daysIn(c[year], c[month]) {
		return 0, noSuchDate
	}
	return w, fits
}

// FirstYear is the first year of a plausible date. Programs write earlier dates
// for an unknown date.
const FirstYear = 2000

// limits are the lowest and highest values of the fields. A year outside of
// them is read only if the key matches in no other way. Such a date is
// implausible.
var limits = [...]struct{ low, high int }{
	year:  {FirstYear, s3event.LastYear},
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
	midNumber
	starEnds
	keyGoesOn
)

// Miss is the place at which a pattern failed after its best fit: the place
// before which most of its fixed characters matched, since a ** fits anything.
type Miss struct {
	pattern *Pattern
	op      int
	At      int // byte of the key
	Score   int
	why     reason
	values  Values
	set     bool
}

// miss keeps a failure at byte at of the key if it is the best so far. partial
// is how many characters of the op fit.
func (m *Miss) miss(p *Pattern, i, at, partial int, why reason, c *Values) {
	score := partial
	if i < len(p.ops) {
		score += p.ops[i].fixed
	} else if i > 0 {
		score += p.ops[i-1].fixed + p.ops[i-1].width()
	}
	if m.set && (score < m.Score || score == m.Score && why != starEnds) {
		return
	}
	*m = Miss{pattern: p, op: i, At: at, Score: score, why: why, values: *c, set: true}
}

// within keeps a failure at op i and byte j. There the fields would fit without
// the digit before them. m may be nil.
func (m *Miss) within(p *Pattern, i, j int, key string, r *reading, c *Values) {
	if m == nil {
		return
	}
	values, as, n := *c, *r, 0
	for at := i; at < len(p.ops) && p.ops[at].kind < literal; at++ {
		w, why := p.ops[at].fit(key[j+n:], &as, &values)
		if why != fits {
			n = 0
			break
		}
		n += w
	}
	m.miss(p, i, j, n, midNumber, c)
}

// Explain describes why the key fails there.
func (m *Miss) Explain(key string) string {
	if m.why == keyGoesOn {
		return "the key goes on where the pattern ends"
	}
	o := m.pattern.ops[m.op]
	switch rest := key[m.At:]; m.why {
	case notLiteral:
		want := o.lit[m.Score-o.fixed:]
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
	case midNumber:
		return fmt.Sprintf("%s begins within a number here; write what comes before it in the pattern, as v2%s", fieldNames[o.kind], fieldNames[o.kind])
	default: // starEnds
		return "* does not cross a /; write ** where folders may follow"
	}
}

// Show returns the values of a key's fields, as "{yyyy}=2026 {MM}=11 {dd}=22".
// It returns "" if the pattern has no fields.
func (p *Pattern) Show(c Values) string {
	var b strings.Builder
	for k, name := range fieldNames {
		if !p.fields.has(opKind(k)) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%02d", name, c[k])
	}
	return b.String()
}
