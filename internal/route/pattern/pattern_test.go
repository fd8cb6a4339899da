package pattern

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/golden"
	"github.com/amperity-runs/amperity-runs/internal/s3event"
)

func TestMatchReadsDateOfKey(t *testing.T) {
	t.Parallel()
	// want is the date fields read from the key, "yes" where the pattern has
	// none, "no" where the key does not match.
	for _, tt := range []struct{ pattern, key, want string }{
		// Literals stand for themselves, the whole key must match, case counts.
		{`customers.csv`, `customers.csv`, `yes`},
		{`customers.csv`, `customers.csv.gz`, `no`},
		{`customers.csv`, `old/customers.csv`, `no`},
		{`customers.csv`, `Customers.csv`, `no`},
		{`a+b c%2F.csv`, `a+b c%2F.csv`, `yes`},
		{`a?[b].csv`, `a?[b].csv`, `yes`},
		{`a?[b].csv`, `axb.csv`, `no`},
		{`straße/日本.csv`, `straße/日本.csv`, `yes`},
		// A backslash takes a sign's meaning away.
		{`a\*b`, `a*b`, `yes`},
		{`a\*b`, `axb`, `no`},
		{`\{yyyy\}.csv`, `{yyyy}.csv`, `yes`},
		{`\{yyyy\}.csv`, `2026.csv`, `no`},
		{`a\\b`, `a\b`, `yes`},

		// * stays within a folder.
		{`orders/*.csv`, `orders/a.csv`, `yes`},
		{`orders/*.csv`, `orders/.csv`, `yes`},
		{`orders/*.csv`, `orders/2026/a.csv`, `no`},
		{`*`, `a.csv`, `yes`},
		{`*`, `a/b.csv`, `no`},
		{`*/b.csv`, `a/b.csv`, `yes`},
		{`*/b.csv`, `b.csv`, `no`},
		{`*/b.csv`, `/b.csv`, `yes`},
		{`a*b*c`, `aXbXbc`, `yes`},
		{`a*b*c`, `aXcXb`, `no`},
		{`part-*-of-*.csv`, `part-1-of-2-of-3.csv`, `yes`},

		// ** crosses folders.
		{`customers/**`, `customers/a.csv`, `yes`},
		{`customers/**`, `customers/2026/11/a.csv`, `yes`},
		{`customers/**`, `customers`, `no`},
		{`customers/**`, `customers2/a.csv`, `no`},
		{`**`, `a/b/c`, `yes`},
		{`a**z`, `a/b/z`, `yes`},
		{`a**z`, `az`, `yes`},
		{`a**z`, `a/b/zy`, `no`},

		// **/ is any number of whole folders, none included.
		{`**/*.tmp`, `a.tmp`, `yes`},
		{`**/*.tmp`, `a/b/c.tmp`, `yes`},
		{`**/*.tmp`, `a.tmp/b`, `no`},
		{`a/**/b.csv`, `a/b.csv`, `yes`},
		{`a/**/b.csv`, `a/x/y/b.csv`, `yes`},
		{`a/**/b.csv`, `a/xb.csv`, `no`},
		{`**/a*b/**/c`, `x/a/ab/y/c`, `yes`},
		{`a**/b`, `ab`, `no`},
		{`a**/b`, `a/b`, `yes`},

		// Date fields are digits, of a date that there is.
		{`{yyyy}/{MM}/{dd}/a`, `2026/11/22/a`, `2026-11-22`},
		{`{yyyy}{MM}{dd}`, `20261122`, `2026-11-22`},
		{`{dd}.{MM}.{yyyy}`, `22.11.2026`, `2026-11-22`},
		{`{yyyy}/{MM}/{dd}/a`, `2026/1/22/a`, `no`},
		{`{yyyy}/{MM}/{dd}/a`, `2026/13/01/a`, `no`},
		{`{yyyy}/{MM}/{dd}/a`, `2026/00/01/a`, `no`},
		{`{yyyy}/{MM}/{dd}/a`, `2026/11/00/a`, `no`},
		{`{yyyy}/{MM}/{dd}/a`, `2026/11/31/a`, `no`},
		{`{yyyy}/{MM}/{dd}/a`, `2026/02/30/a`, `no`},
		{`{yyyy}/{MM}/{dd}/a`, `2026/02/29/a`, `no`},
		{`{yyyy}/{MM}/{dd}/a`, `2028/02/29/a`, `2028-02-29`},
		{`{yyyy}/{MM}/{dd}/a`, `2100/02/29/a`, `no`},
		{`{yyyy}/{MM}/{dd}/a`, `2000/02/29/a`, `2000-02-29`},
		{`{yyyy}/{MM}/{dd}/a`, `0000/01/01/a`, `0000-01-01`},
		{`{yyyy}/{MM}/{dd}/a`, `1969/12/31/a`, `1969-12-31`},
		{`{yyyy}/{MM}/{dd}/a`, `1970/01/01/a`, `1970-01-01`},
		{`{yyyy}/{MM}/{dd}/a`, `2999/12/31/a`, `2999-12-31`},
		{`{yyyy}/{MM}/{dd}/a`, `3000/01/01/a`, `3000-01-01`},
		{`{yyyy}/{MM}/{dd}/a`, `9999/12/31/a`, `9999-12-31`},
		{`{yyyy}/{MM}/{dd}/a`, `２０２６/11/22/a`, `no`},
		{`{yyyy}/{MM}/{dd}/{HH}`, `2026/11/22/00`, `2026-11-22 00h`},
		{`{yyyy}/{MM}/{dd}/{HH}`, `2026/11/22/23`, `2026-11-22 23h`},
		{`{yyyy}/{MM}/{dd}/{HH}`, `2026/11/22/24`, `no`},
		{`{yyyy}/{MM}/{dd}/host-*/{HH}.json`, `2026/11/22/host-a/05.json`, `2026-11-22 05h`},

		// A field that comes twice has one value.
		{`{yyyy}/{MM}/{dd}/orders_{yyyy}{MM}{dd}.csv`, `2026/11/22/orders_20261122.csv`, `2026-11-22`},
		{`{yyyy}/{MM}/{dd}/orders_{yyyy}{MM}{dd}.csv`, `2026/11/22/orders_20261123.csv`, `no`},
		{`{yyyy}/{MM}/{dd}/*_{yyyy}{MM}{dd}_*.csv`, `2026/11/22/a_20261121_20261122_1.csv`, `2026-11-22`},
		{`**/{yyyy}{MM}{dd}/{MM}-{dd}`, `a/20261122/11-22`, `2026-11-22`},
		{`**/{yyyy}{MM}{dd}/{MM}-{dd}`, `20261121/11-22/20261122/11-22`, `2026-11-22`},

		// Of several readings, the one in which the first * is shortest.
		{`*{yyyy}{MM}{dd}*`, `a20261122_20261123`, `2026-11-22`},
		{`orders_*_{yyyy}{MM}{dd}_*.csv`, `orders_1_20261122_20261123_x.csv`, `2026-11-22`},
		{`*{yyyy}{MM}{dd}.csv`, `20261122_20261123.csv`, `2026-11-23`},
		{`*{yyyy}{MM}{dd}.csv`, `120261122.csv`, `no`},
		{`**{yyyy}/{MM}/{dd}/*`, `x/2026/13/01/2026/11/22/a`, `2026-11-22`},

		// A date is a number of its own, if there is one.
		{`exports/*{yyyy}{MM}{dd}*.csv`, `exports/store_2012010145_20261122.csv`, `2026-11-22`},
		{`exports/*{yyyy}{MM}{dd}*.csv`, `exports/20261122_2012010145.csv`, `2026-11-22`},
		{`exports/*{yyyy}{MM}{dd}*.csv`, `exports/2012010145_x_20261122_20261123.csv`, `2026-11-22`},
		{`exports/*{yyyy}{MM}{dd}*.csv`, `exports/20121301_20261122.csv`, `2026-11-22`},
		{`exports/**{yyyy}{MM}{dd}**`, `exports/2012010145/x/20261122/y`, `2026-11-22`},
		{`exports/**/*{yyyy}{MM}{dd}*.csv`, `exports/20120101/store_2012010145_20261122.csv`, `2026-11-22`},
		{`*{yyyy}{MM}{dd}*`, `ä20261122ä`, `2026-11-22`},
		// Else it begins a number, and the first such counts.
		{`exports/*{yyyy}{MM}{dd}*.csv`, `exports/orders_20261122143000.csv`, `2026-11-22`},
		{`orders_{yyyy}{MM}{dd}*.csv`, `orders_20261122143000.csv`, `2026-11-22`},
		{`exports/*{yyyy}{MM}{dd}*.csv`, `exports/2026112214_2026112315.csv`, `2026-11-22`},
		{`exports/*{yyyy}{MM}{dd}{HH}*.csv`, `exports/20120101234_2026112214.csv`, `2026-11-22 14h`},
		{`exports/*{yyyy}{MM}{dd}{HH}*.csv`, `exports/20261122143000.csv`, `2026-11-22 14h`},
		// Else there is none.
		{`exports/*{yyyy}{MM}{dd}*.csv`, `exports/120261122.csv`, `no`},
		{`exports/*{yyyy}{MM}{dd}.csv`, `exports/orders_1420261122.csv`, `no`},
		{`exports/**{yyyy}{MM}{dd}/*`, `exports/x120261122/a`, `no`},
		// Separators make three numbers, of which the stars touch the outer two.
		{`*{yyyy}-{MM}-{dd}*`, `x12026-11-22_2026-11-23`, `2026-11-23`},
		{`*{yyyy}-{MM}-{dd}*`, `2026-11-223_2026-11-24`, `2026-11-24`},
		{`*{yyyy}-{MM}-{dd}*`, `2026-11-2245`, `2026-11-22`},
		{`*{dd}.{MM}.{yyyy}*`, `122.11.2026`, `no`},
		{`*{dd}.{MM}.{yyyy}*`, `22.11.20261`, `2026-11-22`},
		// Digits of the pattern's own are no obstacle.
		{`exports/v2{yyyy}{MM}{dd}.csv`, `exports/v220261122.csv`, `2026-11-22`},
		{`part1{yyyy}{MM}{dd}*.csv`, `part120261122_3.csv`, `2026-11-22`},
		{`*v2{yyyy}{MM}{dd}7*`, `a1v2202611227x`, `2026-11-22`},
		{`*1{yyyy}{MM}{dd}`, `99120261122`, `2026-11-22`},
		{`*{yyyy}{MM}{dd}00*`, `202611220015`, `2026-11-22`},
		// A star that takes nothing takes no digits.
		{`v2*{yyyy}{MM}{dd}.csv`, `v220261122.csv`, `2026-11-22`},
		{`v2*{yyyy}{MM}{dd}.csv`, `v2320261122.csv`, `no`},
		{`v2*{yyyy}{MM}{dd}.csv`, `v2_20261122.csv`, `2026-11-22`},
		{`*1*{yyyy}{MM}{dd}`, `1120261122`, `2026-11-22`},
		{`{yyyy}{MM}{dd}*1.csv`, `202611221.csv`, `2026-11-22`},
		{`orders_{yyyy}{MM}{dd}*{HH}*.csv`, `orders_2026112205.csv`, `2026-11-22 05h`},
		{`orders_{yyyy}{MM}{dd}*{HH}*.csv`, `orders_20261122_0530_07.csv`, `2026-11-22 07h`},
		{`orders_{yyyy}{MM}{dd}*{HH}*.csv`, `orders_20261122_0530.csv`, `2026-11-22 05h`},
		// The date comes before the hour.
		{`*{yyyy}{MM}{dd}*_{HH}*`, `2012010145_20261122_0530`, `2026-11-22 05h`},
		{`{yyyy}/{MM}/{dd}/*{HH}*.json`, `2026/11/22/host-123_05.json`, `2026-11-22 05h`},
		{`{yyyy}/{MM}/{dd}/*{HH}*.json`, `2026/11/22/host_123.json`, `2026-11-22 12h`},
		{`{yyyy}/{MM}/{dd}/*{HH}.json`, `2026/11/22/host_123.json`, `no`},
		// A field that comes again is known, and need not be one.
		{`{yyyy}/{MM}/{dd}/*{yyyy}{MM}{dd}*.csv`, `2026/11/22/120261122000000.csv`, `2026-11-22`},
		// A year of this millennium comes first.
		{`*{yyyy}{MM}{dd}*.csv`, `10010101_20261122.csv`, `2026-11-22`},
		{`*{yyyy}{MM}{dd}*.csv`, `10010101_20261122143000.csv`, `2026-11-22`},
		{`*{yyyy}{MM}{dd}*.csv`, `10010101_19991231.csv`, `1001-01-01`},
		{`*{yyyy}{MM}{dd}*.csv`, `00010101000000.csv`, `0001-01-01`},
	} {
		t.Run(tt.pattern+" "+tt.key, func(t *testing.T) {
			t.Parallel()
			p, faults := Parse(tt.pattern)
			if p == nil {
				t.Fatalf("not a pattern: %v", faults)
			}
			var c Values
			if got := result(p, p.Match(tt.key, &c, nil), c); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			checkAgainstSlow(t, p, tt.key)
		})
	}
}

// result formats a match as in the tables.
func result(p *Pattern, ok bool, c Values) string {
	switch {
	case !ok:
		return "no"
	case p.fields == noFields:
		return "yes"
	case p.fields.has(hour):
		return fmt.Sprintf("%04d-%02d-%02d %02dh", c[year], c[month], c[day], c[hour])
	}
	return fmt.Sprintf("%04d-%02d-%02d", c[year], c[month], c[day])
}

// slowMatch is the definition of a match and nothing else: every star tries
// every length, shortest first. Of all ways to divide the key up, the first of
// the best rank counts.
func slowMatch(p *Pattern, key string) (c Values, ok bool) {
	best := 1 << 8
	divide(p.ops, key, nil, func(parts []string) bool {
		date, rank := slowDate(p.ops, parts)
		if rank < best {
			c, best = date, rank
		}
		return best > 0
	})
	return c, best < 1<<8
}

// divide calls f with each division of a key among the ops, until f returns
// false.
func divide(ops []op, key string, parts []string, f func([]string) bool) bool {
	if len(ops) == 0 {
		return key != "" || f(parts)
	}
	switch o := ops[0]; o.kind {
	case literal:
		rest, ok := strings.CutPrefix(key, o.lit)
		return !ok || divide(ops[1:], rest, append(parts, o.lit), f)
	case star, deep, folders:
		for n := 0; n <= len(key); n++ {
			taken := key[:n]
			if o.kind == star && strings.Contains(taken, "/") {
				break
			}
			if o.kind == folders && taken != "" && !strings.HasSuffix(taken, "/") {
				continue
			}
			if !divide(ops[1:], key[n:], append(parts, taken), f) {
				return false
			}
		}
		return true
	default:
		w := map[opKind]int{year: 4, month: 2, day: 2, hour: 2}[o.kind]
		if len(key) < w || strings.Trim(key[:w], "0123456789") != "" {
			return true
		}
		return divide(ops[1:], key[w:], append(parts, key[:w]), f)
	}
}

// slowDate reads a key that is divided up, and ranks that: 0 is best, and what
// has 256 is none.
func slowDate(ops []op, parts []string) (c Values, rank int) {
	const none = 1 << 8
	values := map[opKind]string{}
	for i := 0; i < len(ops); i++ {
		if ops[i].kind >= literal {
			continue
		}
		// A group of fields, and what is new in it.
		group, fresh := i, map[opKind]bool{}
		for ; i < len(ops) && ops[i].kind < literal; i++ {
			k := ops[i].kind
			if was, again := values[k]; again && was != parts[i] {
				return c, none
			} else if !again {
				values[k], fresh[k] = parts[i], true
			}
			fmt.Sscanf(parts[i], "%d", &c[k])
		}
		wild := func(n int, digit func(s string) string) bool {
			return len(fresh) > 0 && n >= 0 && n < len(ops) && ops[n].kind > literal && parts[n] != "" && strings.Contains("0123456789", digit(parts[n]))
		}
		if wild(group-1, func(s string) string { return s[len(s)-1:] }) {
			return c, none
		}
		if wild(i, func(s string) string { return s[:1] }) {
			if fresh[year] || fresh[month] || fresh[day] {
				rank |= 2
			} else {
				rank |= 1
			}
		}
	}
	if c[hour] > 23 {
		return c, none
	}
	if values[year] == "" {
		return c, rank
	}
	if _, err := time.Parse("2006-01-02", fmt.Sprintf("%04d-%02d-%02d", c[year], c[month], c[day])); err != nil {
		return c, none
	}
	if c[year] < 2000 || c[year] > 2999 {
		rank |= 4
	}
	return c, rank
}

func checkAgainstSlow(t *testing.T, p *Pattern, key string) {
	t.Helper()
	var c Values
	got := result(p, p.Match(key, &c, nil), c)
	slow, ok := slowMatch(p, key)
	if want := result(p, ok, slow); got != want {
		t.Errorf("pattern %q, key %q: got %s, by the definition %s", p.text, key, got, want)
	}
	var c2 Values
	var near Miss
	if again := result(p, p.Match(key, &c2, &near), c2); again != got {
		t.Errorf("pattern %q, key %q: got %s, and %s when asked why", p.text, key, got, again)
	}
	if got == "no" {
		if !near.set || near.At < 0 || near.At > len(key) || near.Explain(key) == "" {
			t.Errorf("pattern %q, key %q: no place where it fails: %+v", p.text, key, near)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, s := range [][2]string{
		{"customers/**", "customers/a/b.csv"},
		{"clicks/{yyyy}/{MM}/{dd}/{HH}/*.json", "clicks/2026/11/22/05/a.json"},
		{"**/*.tmp", "a/b.tmp"},
		{"a/**/b*c/**d", "a/bc/x/bxc/d"},
		{"*{yyyy}{MM}{dd}*_{HH}*", "a2026112220261123_05_06"},
		{"*{yyyy}{MM}{dd}*", "x2012010145_20261122"},
		{"v1*{yyyy}{MM}{dd}*2*", "v1220261122_22"},
		{"*{yyyy}-{MM}-{dd}*{HH}*", "11001-01-01_051_06"},
		{"{yyyy}/{MM}/{dd}/*_{yyyy}{MM}{dd}_*", "2026/11/22/a_20261122_"},
		{`\*\{\}\\`, `*{}\`},
		{"**a*b", "aaaa/aab"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, text, key string) {
		p, faults := Parse(text)
		if (p == nil) != (len(faults) > 0) {
			t.Fatalf("pattern %q: %v with faults %v", text, p, faults)
		}
		for _, at := range faults {
			if at.At < 0 || at.At > len(text) || at.Message == "" {
				t.Fatalf("pattern %q: fault %+v", text, at)
			}
		}
		if p == nil {
			return
		}
		if got := unparse(p); got != text {
			t.Fatalf("pattern %q read as %q", text, got)
		}
		if !strings.HasPrefix(p.Witnesses()[0], p.Prefix()) {
			t.Fatalf("pattern %q: its own key %q does not begin with %q", text, p.Witnesses()[0], p.Prefix())
		}
		var c Values
		if !p.Match(p.Witnesses()[0], &c, nil) {
			t.Fatalf("pattern %q does not match the key made from it, %q", text, p.Witnesses()[0])
		}
		// The definition takes time exponential in the stars.
		if strings.Count(text, "*") > 5 || len(key) > 24 {
			return
		}
		checkAgainstSlow(t, p, key)
		// Keys at random hardly ever match; ones made from the pattern do.
		for _, k := range []string{p.Witnesses()[0], p.Witnesses()[0] + key, key + p.Witnesses()[0], strings.ReplaceAll(p.Witnesses()[0], "\x01", key)} {
			if len(k) <= 24 {
				checkAgainstSlow(t, p, k)
			}
		}
	})
}

// unparse writes a pattern's ops as a pattern.
func unparse(p *Pattern) string {
	var b strings.Builder
	for _, o := range p.ops {
		switch o.kind {
		case literal:
			b.WriteString(strings.NewReplacer(`*`, `\*`, `{`, `\{`, `}`, `\}`, `\`, `\\`).Replace(o.lit))
		case star:
			b.WriteString("*")
		case deep:
			b.WriteString("**")
		case folders:
			b.WriteString("**/")
		default:
			b.WriteString(fieldNames[o.kind])
		}
	}
	return b.String()
}

func TestMatchAgreesWithDefinition(t *testing.T) {
	t.Parallel()
	// Random patterns of few different parts, and keys made of what they match.
	parts := []string{"a", "b", "/", "a", "/", "*", "**", "**/", "/**/", "{yyyy}{MM}{dd}", "{dd}{MM}{yyyy}", "{HH}", "{yyyy}", "{MM}", "{dd}", "_", "2", "*{yyyy}{MM}{dd}*"}
	bits := []string{"a", "b", "/", "ab", "aa", "_", "20261122", "20261123", "20261322", "22112026", "05", "22", "2026", "1", "31", "02", "2012010145", "10010101"}
	const seed = 7
	r := rand.New(rand.NewPCG(seed, seed))
	pick := func(from []string, most int) string {
		var b strings.Builder
		for range 1 + r.IntN(most) {
			b.WriteString(from[r.IntN(len(from))])
		}
		return b.String()
	}
	patterns, matches := 0, 0
	for range 60_000 {
		p, _ := Parse(pick(parts, 7))
		if p == nil {
			continue
		}
		patterns++
		keys := []string{pick(bits, 6)}
		// What the pattern matches, with something else where a star is.
		key := p.Witnesses()[0]
		for strings.Contains(key, "\x01") {
			key = strings.Replace(key, "\x01", pick(bits, 2), 1)
		}
		keys = append(keys, key, strings.Replace(key, "2026", pick(bits, 1), 1), strings.Replace(key, "a", pick(bits, 1), 1))
		for _, key := range keys {
			checkAgainstSlow(t, p, key)
			var c Values
			if p.Match(key, &c, nil) {
				matches++
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if patterns < 10_000 || matches < 10_000 {
		t.Errorf("only %d patterns and %d matches were tried", patterns, matches)
	}
}

func TestMatchIsBoundedAtWorst(t *testing.T) {
	t.Parallel()
	// A key of the longest kind that fails at its very end, in every way.
	key := strings.Repeat("a", s3event.MaxKey-1) + "c"
	digits := strings.Repeat("20261122", s3event.MaxKey/8-1) + "c"
	years := strings.Repeat("10010101_", s3event.MaxKey/9-1) + "c"
	for _, text := range []string{
		"**a*a*a*a*b", "**a**a**a**b", "*a*a*a*a*a*a*a*b", "**/**/**/*a*a*ab", "**{yyyy}*{HH}*b{MM}{dd}", "*{yyyy}{MM}{dd}*{HH}*b",
		"**{yyyy}{MM}{dd}**{HH}**b", "*2*{yyyy}{MM}{dd}*2*{HH}*2*2*2*b", "**2**{yyyy}{MM}{dd}**2**2**b",
	} {
		p, _ := Parse(text)
		if p == nil {
			continue
		}
		for _, key := range []string{key, digits, years} {
			start := time.Now()
			var c Values
			if p.Match(key, &c, nil) {
				t.Errorf("%q matches", text)
			}
			if d := time.Since(start); d > 20*time.Second { // an exponential match takes for ever
				t.Errorf("%q took %v for a key of %d bytes", text, d, len(key))
			} else {
				t.Logf("%q took %v", text, d)
			}
		}
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	p, _ := Parse("clicks/**/{yyyy}/{MM}/{dd}/*_*.json")
	var c Values
	if n := testing.AllocsPerRun(100, func() { p.Match("clicks/a/b/2026/11/22/x_y.json", &c, nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestParseNamesEachMistake(t *testing.T) {
	t.Parallel()
	var texts strings.Builder
	for _, pattern := range []string{
		``,
		strings.Repeat("k", 1025),
		`s3://acme/orders/*.csv`,
		`orders/`,
		"a\xff",
		"a\nb",
		`a}`,
		`a{`,
		`{yyyy/{MM}`,
		`a\b`,
		`a\`,
		`a/***/b`,
		`{YYYY}/{MM}/{dd}`,
		`{yyyy}/{mm}/{dd}`,
		`{yyyy}/{month}/{dd}`,
		`{yyyy}/{MM}/{DD}`,
		`{yyyy}{MM}{dd}{hh}`,
		`{week}.csv`,
		`a/{yyyy}/{MM}.csv`,
		`{HH}.csv`,
		`{yyyy}/*/{MM}{dd}`,
		`**/{yyyy}/{MM}/{dd}/*_{yyyy}.csv`,
	} {
		p, faults := Parse(pattern)
		if p != nil || len(faults) != 1 {
			t.Errorf("%.40q: got %+v", pattern, faults)
			continue
		}
		texts.WriteString(golden.Row(fmt.Sprintf("%.40q", pattern), fmt.Sprintf("at %d: %s", faults[0].At, faults[0].Message)))
	}
	golden.Check(t, "testdata/faults.golden", texts.String())
}
