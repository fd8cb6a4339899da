package route

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/route/source"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// maxDateOffset is the most days of date_offset. More is a typing mistake.
const maxDateOffset = 366

func (p *routesParser) dateOffset(r *Route, m source.Mapping) {
	const example = "whole days such as -1d"
	s, where, ok := p.Member(m, "date_offset", example)
	if !ok {
		return
	}
	n, ok := wholeDays(s)
	switch {
	case !ok:
		p.Faultf(where.Position, "date_offset %.40q is not a number of days; write %s", s, example)
	case n > maxDateOffset || n < -maxDateOffset:
		p.Faultf(where.Position, "date_offset %.40q is too far; the furthest is %dd", s, maxDateOffset)
	}
	r.DateOffset = n
}

// wholeDays reads "-1d", "0d", "+2d".
func wholeDays(s string) (int, bool) {
	number, isDays := strings.CutSuffix(s, "d")
	if !isDays || len(number) > 9 {
		return 0, false
	}
	n, err := strconv.Atoi(number)
	return n, err == nil
}

// defaultSettle is long enough for the files of one upload, and too short for a
// user to notice.
const defaultSettle = 2 * time.Minute

// maxSettle is the longest settle. A feed pauses for less than a day.
const maxSettle = 24 * time.Hour

func (p *routesParser) settle(r *Route, m source.Mapping) {
	const example = "a duration such as 10m, or 0s for at once"
	r.Settle = defaultSettle
	s, where, ok := p.Member(m, "settle", example)
	if !ok {
		return
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		p.Faultf(where.Position, "settle %.40q is not a duration; write %s", s, example)
	case d < 0 || d > maxSettle:
		p.Faultf(where.Position, "settle %.40q is not between 0s and 24h; write %s", s, example)
	}
	r.Settle = d
}

// outcomes reads late and if_unknown. Their defaults depend on the effect of a
// second run.
func (p *routesParser) outcomes(r *Route, m source.Mapping) {
	r.Late, r.IfUnknown = window.Hold, record.Hold
	if r.RunMode == amperity.RunModeSource || r.RunMode == amperity.RunModeRefresh {
		r.Late, r.IfUnknown = window.Rerun, record.Retry
	}
	if s, where, ok := p.Member(m, "late", "rerun, hold or ignore"); ok {
		switch l := window.Late(s); l {
		case window.Rerun, window.Hold, window.Ignore:
			r.Late = l
		default:
			p.word(where, "late", s, "rerun", "hold", "ignore")
		}
	}
	if s, where, ok := p.Member(m, "if_unknown", "hold or retry"); ok {
		switch u := record.IfUnknown(s); u {
		case record.Hold, record.Retry:
			r.IfUnknown = u
		default:
			p.word(where, "if_unknown", s, "hold", "retry")
		}
	}
}

var deadlineKeys = []string{"at", "days", "except", "then"}

// deadline reads "06:30 +1d" or {at: "06:30 +1d", days: mon-fri, except:
// [2026-12-25], then: run}.
func (p *routesParser) deadline(r *Route, m source.Mapping) {
	v, ok := m["deadline"]
	if !ok {
		return
	}
	if r.hourly {
		p.Faultf(v.At, "deadline is for routes by day, and the keys of this one have {HH}; leave it out")
	}
	d := &Deadline{Weekdays: [7]bool{true, true, true, true, true, true, true}}
	r.Deadline = d
	if _, ok := v.Value.(*ast.MappingNode); !ok {
		p.deadlineAt(d, v.Value, "deadline", v.At)
		return
	}
	fields, _ := p.Members(v.Value, "deadline", deadlineKeys)
	if at, given := fields["at"]; given {
		p.deadlineAt(d, at.Value, "at", at.At)
	} else {
		p.Faultf(v.At, "deadline has no at; write at: \"06:30 +1d\"")
	}
	p.weekdays(d, fields)
	p.except(d, fields)
	if s, where, ok := p.Member(fields, "then", "tell or run"); ok {
		switch s {
		case "tell", "run":
			d.Run = s == "run"
		default:
			p.word(where, "then", s, "tell", "run")
		}
	}
}

// maxDeadlineDays is the most days of a deadline.
const maxDeadlineDays = 31

func (p *routesParser) deadlineAt(d *Deadline, n ast.Node, name string, where source.Position) {
	const example = "a local time and the days after the file's date, such as \"06:30 +1d\""
	s, at, ok := p.Text(n, name, where, example)
	if !ok {
		return
	}
	clock, after, hasDays := strings.Cut(s, " ")
	t, err := time.Parse("15:04", clock)
	n2, ok := 0, true
	if hasDays {
		n2, ok = wholeDays(after)
		ok = ok && n2 >= 0 && n2 <= maxDeadlineDays
	}
	if err != nil || len(clock) != len("15:04") || !ok {
		p.Faultf(at.Position, "%s %.40q is not a deadline; write %s, from +0d to +%dd", name, s, example, maxDeadlineDays)
		return
	}
	d.Hour, d.Minute, d.Days = t.Hour(), t.Minute(), n2
}

var weekdayNames = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// weekdays reads "mon-fri" or "mon,wed,sat-sun".
func (p *routesParser) weekdays(d *Deadline, m source.Mapping) {
	const example = "days of the week such as mon-fri or mon,wed,sat-sun"
	s, where, ok := p.Member(m, "days", example)
	if !ok {
		return
	}
	d.Weekdays = [7]bool{}
	for part := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(strings.ToLower(strings.TrimSpace(part)), "-")
		if !isRange {
			last = first
		}
		from, ok := weekday(first)
		to, ok2 := weekday(last)
		if !ok || !ok2 {
			p.Faultf(where.Position, "days: %.40q is not a day of the week or a range of them; write %s", part, example)
			return
		}
		for i := from; ; i = (i + 1) % 7 {
			d.Weekdays[i] = true
			if i == to {
				break
			}
		}
	}
}

func weekday(s string) (int, bool) {
	for i, name := range weekdayNames {
		if s == name {
			return i, true
		}
	}
	return 0, false
}

func (p *routesParser) except(d *Deadline, m source.Mapping) {
	v, ok := m["except"]
	if !ok {
		return
	}
	list, ok := p.Items(v, false, "[2026-12-25, 2027-01-01]")
	if !ok {
		return
	}
	for _, n := range list {
		s, where, ok := p.Text(n, "a date", v.At, "it as 2026-12-25")
		if !ok {
			continue
		}
		if _, err := time.Parse(time.DateOnly, s); err != nil {
			p.Faultf(where.Position, "except: %.40q is not a date; write it as 2026-12-25", s)
			continue
		}
		d.Except = append(d.Except, s)
	}
}

// String returns the deadline as written in a routes file: "06:30 +1d".
func (d *Deadline) String() string { return fmt.Sprintf("%02d:%02d +%dd", d.Hour, d.Minute, d.Days) }
