package window

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
)

// A story is the history of a window, line by line. A line is "time, event ->
// result":
//
//	06:00    a/1 a/2 come        -> look at 06:02
//	06:02    look                -> launch 1
//	06:02:03 started             -> closed
//	+1 06:00 a/1 comes           -> 1 duplicate; nothing
//
// Times are on the first day, or with +1 on the next. A file is a key whose
// first part names its entry. #2 means its second version. @05:59:58, @-3s or
// @+1h set its event time, which is otherwise the time of the line. a/1..300
// are 300 files, a millisecond apart. A file that comes again keeps its event
// time.
//
// The events:
//
//	come, comes       files are received, and the window is evaluated
//	look              the window is evaluated
//	busy, free        another run of the config id has been started, or none runs
//	queued            another launch of the config id is in flight
//	asked             the operator was asked about the run
//	unread            the run cannot be read
//	started           the launch ends with a run; posted 06:03 is when its
//	                  request was sent, else it is when it was decided
//	rejected          it ends without a run, and without a request that may have
//	                  started one; at 06:03 is when, if the window hears later
//	discarded         the operator ends it; with posted, after a request
//	reopened          the operator releases an ended launch
//	released          the operator launches a waiting window
//	expected          the sweep ensures that the window exists
//	edited, restored  the route becomes the other one, or the first one again
//	gone              the sweep finds no route
//	forgotten         the ledger loses the window
//
// Announcements come before the decision.
type story struct {
	name  string
	route Rules
	lines string
	// other is the route after edited.
	other Rules
	// looks also shows the next look of a window that waits for files.
	looks bool
}

// begin is the first midnight of every story.
var begin = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// at parses a time of a story.
func at(text string) time.Time {
	day, clock, ok := strings.Cut(text, " ")
	if !ok {
		day, clock = "+0", text
	}
	n, err := strconv.Atoi(day)
	if err != nil {
		panic(err)
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, clock); err == nil {
			return begin.AddDate(0, 0, n).Add(t.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)))
		}
	}
	panic("no time: " + text)
}

// clockText formats a time in the form of a story.
func clockText(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	days := int(t.Sub(begin).Hours() / 24)
	text := strings.TrimSuffix(t.UTC().Format("15:04:05.999"), ":00")
	if days != 0 {
		text = fmt.Sprintf("+%d %s", days, text)
	}
	return text
}

// day returns rules of a day. Each entry is a pattern, with a count as in b×4,
// and a ? if it is optional.
func day(entries ...string) Rules {
	r := Rules{Settle: 2 * time.Minute, Length: 24 * time.Hour, Late: Rerun}
	for _, text := range entries {
		e := Entry{Count: 1}
		text, e.Optional = strings.CutSuffix(text, "?")
		pattern, count, counted := strings.Cut(text, "×")
		if e.Pattern = pattern; counted {
			e.Count, _ = strconv.Atoi(count)
		}
		r.Entries = append(r.Entries, e)
	}
	return r.with()
}

// hour returns rules of an hour.
func hour(entries ...string) Rules {
	r := day(entries...)
	r.Length = time.Hour
	return r.with()
}

func settle(d time.Duration) func(*Rules) { return func(r *Rules) { r.Settle = d } }

func late(l Late) func(*Rules) { return func(r *Rules) { r.Late = l } }

func deadline(text string) func(*Rules) { return func(r *Rules) { r.Deadline = at(text) } }

func thenRun(r *Rules) { r.ThenRun = true }

// with returns changed rules with their hash and EntryOf.
func (r Rules) with(changes ...func(*Rules)) Rules {
	for _, change := range changes {
		change(&r)
	}
	entries := r.Entries
	r.EntryOf = func(_, key string) string {
		first, _, _ := strings.Cut(key, "/")
		for _, e := range entries {
			if ok, err := path.Match(e.Pattern, first); ok && err == nil {
				return e.Pattern
			}
		}
		return ""
	}
	r.Hash = fmt.Sprint(r.Entries, r.Settle, r.Length, r.Late, r.Deadline, r.ThenRun)
	return r
}

// stage is where a story is played.
type stage struct {
	t     *testing.T
	story story
	rules Rules
	state *State
	// events has the event time of each file.
	events map[string]time.Time
	busy   bool
	front  Front
	// ended is how the window's latest launch ended, as the ledger has it.
	ended *Outcome
	turn  int
	since time.Time
	// after are the receipts of the files that came since.
	after []time.Time
}

// play plays stories, each as a test.
func play(t *testing.T, stories []story) {
	t.Helper()
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.play(t)
		})
	}
}

func (s story) play(t *testing.T) {
	t.Helper()
	st := &stage{t: t, story: s, rules: s.route, events: map[string]time.Time{}}
	var want, got []string
	for line := range strings.Lines(s.lines) {
		what, comes, ok := strings.Cut(strings.TrimSpace(line), "->")
		if what == "" {
			continue
		}
		fields := strings.Fields(what)
		n := 1
		if strings.HasPrefix(fields[0], "+") {
			n = 2
		}
		now := at(strings.Join(fields[:n], " "))
		if st.state == nil {
			st.state = New("cg-1", "2026-11-22", "orders", now)
		}
		answer := st.happens(fields[n:], now)
		line := fmt.Sprintf("%-9s%-40s", strings.Join(fields[:n], " "), strings.Join(fields[n:], " "))
		if ok || answer != "" {
			got = append(got, line+" -> "+answer)
		} else {
			got = append(got, line)
		}
		if ok {
			line += " -> " + strings.TrimSpace(comes)
		}
		want = append(want, line)
		st.repeat()
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// repeat sends the state through its JSON form, as the ledger does.
func (st *stage) repeat() {
	b, err := json.Marshal(st.state)
	if err != nil {
		st.t.Fatal(err)
	}
	st.state = &State{}
	if err := json.Unmarshal(b, st.state); err != nil {
		st.t.Fatal(err)
	}
}

// happens plays one line and returns its result.
func (st *stage) happens(words []string, now time.Time) string {
	posted, ended := time.Time{}, now
	if n := slices.Index(words, "at"); n >= 0 {
		ended, words = at(strings.Join(words[n+1:], " ")), words[:n]
	}
	if n := slices.Index(words, "posted"); n >= 0 {
		posted, words = at(strings.Join(words[n+1:], " ")), words[:n]
	}
	switch verb := words[len(words)-1]; verb {
	case "come", "comes":
		return st.come(words[:len(words)-1], now)
	case "look":
		return st.decided(st.state.Evaluate(st.rules, now), now)
	case "expected":
		st.state.Expected = true
		return st.decided(st.state.Evaluate(st.rules, now), now)
	case "busy", "queued", "free":
		st.busy, st.front = verb != "free", Front{Launch: verb == "queued", RunID: "wf-" + words[0], Since: now}
		return ""
	case "asked":
		st.front.Asked = true
		return ""
	case "unread":
		st.front.Unread = true
		return ""
	case "edited":
		st.rules = st.story.other
		return ""
	case "restored":
		st.rules = st.story.route
		return ""
	case "gone":
		defer func(was bool) { st.story.looks = was }(st.story.looks)
		st.story.looks = true
		return st.decided(st.state.Abandon(now), now)
	case "forgotten":
		st.state = New("cg-1", "2026-11-22", "orders", now)
		return ""
	case "released":
		// A release does not know the route.
		return strings.Join(append([]string{fmt.Sprint("launch ", st.begin(Rules{}, now, false))}, st.announced()...), "; ")
	case "started", "rejected", "discarded":
		return st.ends(verb, posted, ended)
	case "reopened":
		st.turn++
		if !st.state.Reopen(st.state.Revision, st.turn, now) {
			return "refused"
		}
		st.since, st.after = now, nil
		return fmt.Sprintf("launch %d again", st.state.Revision)
	default:
		st.t.Fatalf("no such thing as %q", verb)
		return ""
	}
}

func (st *stage) come(names []string, now time.Time) string {
	var files []Arrival
	for _, name := range names {
		files = append(files, st.files(name, now)...)
	}
	n := st.state.Fold(files, st.rules, now)
	if st.state.Launch != nil {
		st.after = append(st.after, slices.Repeat([]time.Time{now}, n.New)...)
	}
	var said []string
	if n.Duplicates > 0 {
		said = append(said, plural(n.Duplicates, "duplicate"))
	}
	if n.Covered > 0 {
		said = append(said, fmt.Sprint(n.Covered, " covered"))
	}
	return strings.Join(append(said, st.decided(st.state.Evaluate(st.rules, now), now)), "; ")
}

func (st *stage) files(name string, now time.Time) []Arrival {
	name, event, given := strings.Cut(name, "@")
	name, version, _ := strings.Cut(name, "#")
	keys := []string{name}
	if from, to, ok := strings.Cut(name, ".."); ok {
		dir, first := path.Split(from)
		low, _ := strconv.Atoi(first)
		high, _ := strconv.Atoi(to)
		keys = nil
		for i := low; i <= high; i++ {
			keys = append(keys, fmt.Sprint(dir, i))
		}
	}
	t := now
	switch {
	case !given:
	case strings.HasSuffix(event, "d"):
		days, _ := strconv.Atoi(strings.TrimSuffix(event, "d"))
		t = now.AddDate(0, 0, days)
	case strings.ContainsAny(event[:1], "+-"):
		d, err := time.ParseDuration(event)
		if err != nil {
			st.t.Fatal(err)
		}
		t = now.Add(d)
	default:
		t = at(event)
	}
	var files []Arrival
	for i, key := range keys {
		a := Arrival{Entry: st.rules.EntryOf("b", key), Bucket: "b", Key: key, Version: version, EventTime: t.Add(time.Duration(i) * time.Millisecond)}
		id := key + "#" + version
		if was, again := st.events[id]; again && !given {
			a.EventTime = was
		}
		st.events[id] = a.EventTime
		files = append(files, a)
	}
	return files
}

// decided carries out a decision and describes it.
func (st *stage) decided(d Decision, now time.Time) string {
	said := st.announced()
	if d.RouteChanged {
		said = append([]string{"route changed"}, said...)
	}
	if d.Ignored > 0 {
		said = append(said, fmt.Sprint(d.Ignored, " ignored"))
	}
	if d.Do == Launch && st.busy {
		d = st.state.Wait(now, st.front)
	}
	what := "nothing"
	switch {
	case d.Do == Launch:
		what = fmt.Sprint("launch ", st.begin(st.rules, now, false))
	case d.Do == HoldIt:
		what = fmt.Sprintf("hold %d: %s", st.begin(st.rules, now, true), d.Reason)
	case !d.At.IsZero() && (!st.state.waits(st.rules) || d.At.Equal(st.rules.Deadline) || st.story.looks):
		what = "look at " + clockText(d.At)
	}
	return strings.Join(append(append(said, st.announced()...), what), "; ")
}

// begin begins a launch.
func (st *stage) begin(r Rules, now time.Time, held bool) int {
	revision := st.state.Decide(r, now, held)
	st.since, st.turn, st.ended, st.after = now, 0, nil, nil
	return revision
}

func (st *stage) ends(how string, posted, ended time.Time) string {
	f := st.state.Launch
	if f == nil {
		return "nothing to end"
	}
	o := Outcome{Revision: f.Revision, Turn: f.Turn, LastPost: posted, Started: how == "started", At: ended}
	for _, received := range st.after {
		if !received.After(ended) {
			o.Answered++
		}
	}
	if o.Started {
		if posted.IsZero() {
			o.LastPost = st.since
		}
		o.CoveredUntil = o.LastPost.Add(-Margin)
	}
	st.ended = &o
	if !st.state.Outcome(o) {
		return "not heard"
	}
	if n := st.state.Open.Count; n > 0 {
		return fmt.Sprint(n, " open")
	}
	return "closed"
}

// announced describes the pending announcements and confirms them.
func (st *stage) announced() []string {
	var said []string
	for _, n := range st.state.Notices {
		var parts []string
		for _, u := range n.Unmet {
			parts = append(parts, fmt.Sprintf("%s %d of %d", u.Pattern, u.Have, u.Want))
		}
		for _, m := range n.Met {
			parts = append(parts, fmt.Sprintf("%s since %s", m.Pattern, clockText(m.Since)))
		}
		text := strings.Join(parts, ", ")
		switch n.Type {
		case announcement.FilesMissing:
			text = fmt.Sprintf("missing (hold %d): %s", n.HoldNumber, text)
		case announcement.FilesComplete:
			text = fmt.Sprintf("complete (launch %d): %s", n.Revision, text)
		case announcement.WindowAbandoned:
			text = fmt.Sprintf("abandoned with %s", plural(n.Files.Count, "file"))
		}
		said = append(said, text)
	}
	st.state.Notices = nil
	return said
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
