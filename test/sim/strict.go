package sim

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
)

// The rest of the checker: which announcements name each run, which runs overlap,
// what windows announce, how late launches and windows are, and why they are held.

const (
	// promptly is how late a launch or a window without a fault is at most: a few
	// sweeps, and the deliveries before them.
	promptly = 8 * time.Minute
	// aFault is the delay that one fault adds. A request that cannot be sent is
	// tried again within a quarter of an hour. The search for a run takes as long.
	aFault = 17 * time.Minute
	// spacing is how long a window waits between two requests.
	spacing = 16 * time.Minute
	// maxWait is how long a window waits for a run of its config id.
	maxWait = 12 * time.Hour
)

// settles are how long the routes wait for quiet.
var settles = map[string]time.Duration{
	"cg-C": 2 * time.Minute, "cg-D": 5 * time.Minute, "cg-E": 2 * time.Minute, "cg-G": time.Minute, "cg-H": time.Minute, "og-I": 2 * time.Minute,
}

// isEnd reports whether an announcement says how a launch ended, or that it is
// held.
func isEnd(t announcement.DetailType) bool {
	switch t {
	case announcement.RunStarted, announcement.RunRejected, announcement.RunHeld, announcement.RunDiscarded:
		return true
	}
	return false
}

// everyRunIsTold: guarantee 2. Every run that a request of the stack started is
// announced as started, or an announcement names it.
func (c *checking) everyRunIsTold() {
	told := map[string]bool{}
	for _, a := range c.w.announced {
		if a.Detail.Run != nil {
			told[a.Detail.Run.ID] = true
		}
		for _, r := range a.Detail.Candidates {
			told[r.ID] = true
		}
	}
	for _, p := range c.w.posts {
		if p.run == "" || p.launchKey == "" || told[p.run] || c.named(p.run) {
			continue
		}
		switch {
		case c.foreignRun(p.launchKey):
			c.allowed[allowedForeign]++
		case c.adoptedByPerson(p.launchKey):
			c.allowed[allowedPersonErred]++
		default:
			c.failAs("untold run, "+string(c.last(p.launchKey)), 2, "nobody was ever told of the run %s, which a request of %s started at %s; it is last announced as %q",
				p.run, p.launchKey, sinceBegin(p.started), c.last(p.launchKey))
		}
	}
}

// named reports whether any field of any announcement names a run.
func (c *checking) named(run string) bool {
	return slices.ContainsFunc(c.w.announced, func(a announced) bool {
		doc, err := json.Marshal(a.Detail)
		return err == nil && strings.Contains(string(doc), run)
	})
}

// oneAtATime: guarantee 1. No two runs of one config id go on at the same time
// because of windows, by Amperity's own log.
func (c *checking) oneAtATime() {
	for _, q := range c.w.posts {
		if !c.automatic(q) {
			continue
		}
		end := q.started.Add(c.w.duration)
		for _, p := range c.w.posts {
			if p == q || !c.automatic(p) || p.body.ConfigID != q.body.ConfigID || p.launchKey == q.launchKey || p.started.Before(q.started) || !p.started.Before(end) {
				continue
			}
			// p's run began while q's went on. That is no mistake where q's launch
			// was over before p's request, and nobody knew of this run of it, or
			// the other way round: one of them was processed late.
			if c.endedWithout(q, p.decided) || c.endedWithout(q, p.marked) || c.endedWithout(q, p.sent) || c.endedWithout(p, q.sent) || c.endedWithout(p, p.started) {
				continue
			}
			c.failAs("overlap", 1, "overlap: the run %s of %s began at %s while %s of %s went on until %s", p.run, p.launchKey, sinceBegin(p.started),
				q.run, q.launchKey, sinceBegin(end))
		}
	}
}

// automatic reports whether a request started a run for a window without a word
// of a person.
func (c *checking) automatic(p *post) bool {
	_, window := windowOf(p.launchKey)
	return window && p.run != "" && len(c.releases(p.launchKey)) == 0 && !c.adoptedByPerson(p.launchKey) && !c.adoptedFor(p.run, p.launchKey)
}

// endedWithout reports whether a launch had ended, or was held, by a time, and
// not with the run of this request.
func (c *checking) endedWithout(p *post, t time.Time) bool {
	run := ""
	for _, a := range c.said[p.launchKey] {
		if a.Type == announcement.RunStarted && !a.asked.After(t) {
			run = a.Detail.Run.ID
		}
	}
	return c.endedBefore(p.launchKey, t) && run != p.run
}

// --- What windows announce ----------------------------------------------------------

// noticed: guarantee 2, for what a route's deadline asks for.
func (c *checking) noticed() {
	files := map[string][]*file{}
	for _, f := range c.w.files {
		if (f.config == "cg-D" || f.config == "cg-E") && !f.recorded.IsZero() {
			files[f.window] = append(files[f.window], f)
		}
	}
	for window, fs := range files {
		deadline := deadlineOf(window)
		first := slices.MinFunc(fs, func(a, b *file) int { return a.recorded.Compare(b.recorded) })
		// A window that was made after its deadline, by its process's clock, has none.
		if !first.recorded.Before(deadline.Add(-skewSlack)) || slices.ContainsFunc(c.byWindow[window], func(p *post) bool { return p.decided.Before(deadline) }) {
			continue
		}
		config := first.config
		var missing, complete []announced
		spoken := false
		for key, said := range c.said {
			if w, ok := windowOf(key); !ok || w != window {
				continue
			}
			spoken = spoken || slices.ContainsFunc(c.w.words, func(v *word) bool { return v.key == key && len(v.at) > 0 })
			for _, a := range said {
				switch a.Type {
				case announcement.FilesMissing:
					missing = append(missing, a)
				case announcement.FilesComplete:
					complete = append(complete, a)
				}
			}
		}
		by := deadline.Add(c.allowance(window, config, deadline, c.w.now) + promptly)
		switch {
		case c.waitsFor(window, config, by) && by.Before(c.w.now) && len(missing) == 0:
			c.failAs("files missing untold", 2, "%s: files were missing at its deadline, %s, and nobody was told", window, sinceBegin(deadline))
		case !c.waitsFor(window, config, deadline.Add(-time.Minute)) && len(missing) > 0:
			c.failAs("files missing, and were there", 5, "%s: all files were there at its deadline, %s, and were announced as missing", window, sinceBegin(deadline))
		}
		if len(missing) == 0 || spoken || c.waitsFor(window, config, c.w.now) || len(complete) > 0 {
			continue
		}
		// All came after the deadline, the last of them at:
		var last *file
		for _, f := range fs {
			if last == nil || f.recorded.After(last.recorded) && c.waitsFor(window, config, f.recorded.Add(-1)) {
				last = f
			}
		}
		posts := c.byWindow[window]
		if slices.ContainsFunc(posts, func(p *post) bool {
			return !p.sent.Before(last.put.Add(-10*time.Second)) && p.decided.Before(last.recorded)
		}) {
			continue // a run may have it
		}
		if c.heldBefore(window, last.recorded.Add(time.Minute)) || c.endsHeld(window, last.recorded) {
			continue // a person decides
		}
		if by := last.recorded.Add(c.windowBound(window, config, last.recorded)); by.Before(c.w.now) {
			c.failAs("files complete untold", 2, "%s: the missing files had come by %s, and nobody was told", window, sinceBegin(last.recorded))
		}
	}
}

// waitsFor reports whether files of a window were missing at a time, whatever
// its deadline.
func (c *checking) waitsFor(window, config string, at time.Time) bool {
	return len(c.unmet(window, config, at)) > 0
}

// heldBefore reports whether a launch of a window was held at some time before.
func (c *checking) heldBefore(window string, t time.Time) bool {
	for key, said := range c.said {
		if w, ok := windowOf(key); ok && w == window && slices.ContainsFunc(said, func(a announced) bool { return a.Type == announcement.RunHeld && a.asked.Before(t) }) {
			return true
		}
	}
	return false
}

// endsHeld reports whether a launch of a window that had been decided by a time
// ends held: its run would have had what came meanwhile.
func (c *checking) endsHeld(window string, t time.Time) bool {
	for key := range c.said {
		if w, ok := windowOf(key); ok && w == window && c.w.decidedAt[key].Before(t) && c.last(key) == announcement.RunHeld {
			return true
		}
	}
	return false
}

// --- How late things are ------------------------------------------------------------

// allowance is how much later an item may be dealt with because of what hits it,
// or any item of its config id, between two times.
func (c *checking) allowance(item, config string, from, to time.Time) time.Duration {
	sum := time.Duration(0)
	swept := map[time.Time]bool{}
	for _, h := range c.w.hits {
		switch {
		case h.at.Before(from.Add(-time.Hour)) || h.at.After(to):
		case h.touched(item) || h.ofConfig(config):
			sum += aFault + h.lasts
		case h.sweep && !swept[h.at]:
			swept[h.at] = true
			sum += 2*time.Minute + h.lasts
		}
	}
	for _, spans := range [][]span{c.w.outages, c.w.expiries, c.w.paused, c.w.around.delayed} {
		for _, s := range spans {
			if s.to.After(from) && s.from.Before(to) {
				sum += s.to.Sub(s.from) + aFault
			}
		}
	}
	return sum
}

// runsOf returns how long the runs of a config id take together, and the longest
// wait after each.
func (c *checking) runsOf(config string, between time.Duration) time.Duration {
	sum := time.Duration(0)
	for _, r := range c.w.amperity.Runs() {
		if r.ConfigID == config && !r.CreatedAt.Before(Begin) {
			sum += c.w.duration + between
		}
	}
	return sum
}

// inTime: no launch and no window is later than its route and the faults of its
// history explain.
func (c *checking) inTime() {
	if c.w.broken != "" {
		return
	}
	for _, d := range c.w.decisions {
		if d.delivered == 0 || d.settled == 0 {
			continue
		}
		item := "launch/" + d.key
		bound := promptly + c.allowance(item, d.config, d.at, c.w.now)
		if c.w.busy {
			bound += c.runsOf(d.config, aFault)
		}
		by := d.at.Add(bound)
		if by.Before(c.w.now) && !c.endsBy(d.key, d.at, by) {
			c.failAs("late launch", 2, "%s, of %s, had not ended by %s", d.key, sinceBegin(d.at), sinceBegin(by))
		}
	}
	for _, f := range c.w.files {
		if f.window == "" || f.recorded.IsZero() || routesOf[f.config].late == "ignore" || c.heldBefore(f.window, f.recorded.Add(time.Minute)) ||
			len(c.w.routes) > 1 || f.lies {
			continue
		}
		ripe := c.ripe(f)
		if ripe.IsZero() || slices.ContainsFunc(c.byWindow[f.window], func(p *post) bool { return !p.refused && !p.sent.Before(f.put) && !p.marked.After(f.recorded) }) {
			continue // a run may have it
		}
		by := ripe.Add(c.windowBound(f.window, f.config, ripe))
		if !by.Before(c.w.now) {
			continue
		}
		dealt := false
		for key := range c.said {
			if w, ok := windowOf(key); ok && w == f.window && c.endsBy(key, f.recorded, by) {
				dealt = true
			}
		}
		if !dealt {
			c.failAs("late window", 3, "%s: its file %s, recorded at %s, was in no launch that had ended by %s", f.window, f.key, sinceBegin(f.recorded), sinceBegin(by))
		}
	}
}

// ripe returns when a file's window has all that it waits for, or its deadline has
// passed; zero: the window still waits.
func (c *checking) ripe(f *file) time.Time {
	at := f.recorded
	if !c.waitsFor(f.window, f.config, at) {
		return at
	}
	var ripe time.Time
	for _, g := range c.w.files {
		if g.window == f.window && g.recorded.After(at) && !c.waitsFor(f.window, f.config, g.recorded) && (ripe.IsZero() || g.recorded.Before(ripe)) {
			ripe = g.recorded
		}
	}
	if deadline := deadlineOf(f.window); routesOf[f.config].deadline && c.firstOf(f.window).Before(deadline) {
		if at.After(deadline) {
			deadline = at
		}
		if ripe.IsZero() || deadline.Before(ripe) {
			ripe = deadline
		}
	}
	return ripe
}

// firstOf is when the first file of a window was recorded.
func (c *checking) firstOf(window string) time.Time {
	var first time.Time
	for _, f := range c.w.files {
		if f.window == window && !f.recorded.IsZero() && (first.IsZero() || f.recorded.Before(first)) {
			first = f.recorded
		}
	}
	return first
}

// windowBound is how late a ripe window may be.
func (c *checking) windowBound(window, config string, from time.Time) time.Duration {
	files := 1
	for _, f := range c.w.files {
		if f.window == window {
			files++
		}
	}
	bound := promptly + settles[config]*time.Duration(files) + c.runsOf(config, promptly) + c.allowance(window, config, from, c.w.now)
	if len(c.byWindow[window]) > 0 {
		bound += spacing
	}
	if c.w.busy {
		bound += c.runsOf(config, aFault)
	}
	return bound
}

// endsBy reports whether a launch was announced as ended, or held, between two
// times.
func (c *checking) endsBy(key string, from, by time.Time) bool {
	return slices.ContainsFunc(c.said[key], func(a announced) bool {
		return isEnd(a.Type) && !a.at.Before(from) && !a.asked.After(by)
	})
}

// noneForEver: the sweep works on no item each minute without end.
func (c *checking) noneForEver() {
	if c.w.endless != "" {
		c.failAs("due for ever", 0, "%s is looked at each minute, for hours, and nothing comes of it", c.w.endless)
	}
}

// --- Why things are held --------------------------------------------------------------

// holdsAreMeant: each hold has a reason that the history explains.
func (c *checking) holdsAreMeant() {
	for _, a := range c.w.announced {
		if a.Type != announcement.RunHeld {
			continue
		}
		key := a.Detail.LaunchKey
		window, ofWindow := windowOf(key)
		why := ""
		switch a.Detail.Reason {
		case announcement.ReasonUnknownOutcome:
			if !c.mayBeUnknown(key, window, a.asked) {
				why = "each of its requests was answered"
			}
		case announcement.ReasonOverlap:
			if c.w.broken != "read" && !c.longRun(a.Detail.Request.ConfigID, a.asked) {
				why = "no run of its config id went on for 12 hours"
			}
		case announcement.ReasonLateFile:
			if !ofWindow || !c.lateFile(window, key, a.asked) {
				why = "no file came after a request of its window"
			}
		case announcement.ReasonRerunLimit:
			others := map[string]bool{}
			for _, p := range c.byWindow[window] {
				if p.launchKey != key && (!p.refused || p.run != "") && p.marked.Before(a.asked) {
					others[p.launchKey] = true
				}
			}
			for other, said := range c.said { // also with a run of others
				w, ok := windowOf(other)
				if ok && w == window && other != key && slices.ContainsFunc(said, func(b announced) bool {
					return b.Type == announcement.RunStarted && b.asked.Before(a.asked)
				}) {
					others[other] = true
				}
			}
			if c.reruns(others) < 3 {
				why = "its window was launched again less than three times"
			}
		case announcement.ReasonTooOld:
			if !c.tooOld(key, ofWindow, a.asked) {
				why = "it was not too old"
			}
		default:
			why = "that is no reason"
		}
		if why != "" {
			c.failAs("held without cause, "+a.Detail.Reason, 2, "%s was held at %s as %s, but %s", key, sinceBegin(a.asked), a.Detail.Reason, why)
		}
	}
}

// reruns counts the launches of a window after its first one that sent a request
// without a release.
func (c *checking) reruns(launches map[string]bool) int {
	n := 0
	keys := slices.SortedFunc(maps.Keys(launches), func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	for i, key := range keys {
		released, posts := c.releases(key), c.byLaunch[key]
		if i > 0 && (len(released) == 0 || len(posts) > 0 && posts[0].marked.Before(released[0])) {
			n++
		}
	}
	return n
}

// mayBeUnknown reports whether a request of a launch had no certain answer, or
// its process met a fault after it had noted that it would send one.
func (c *checking) mayBeUnknown(key, window string, t time.Time) bool {
	if slices.ContainsFunc(c.byLaunch[key], func(p *post) bool {
		return p.marked.Before(t) && (p.answered.IsZero() || p.answered.After(t) || p.status == http.StatusConflict)
	}) {
		return true
	}
	return slices.ContainsFunc(c.w.hits, func(h hit) bool {
		return h.at.Before(t) && (h.touched("launch/"+key) || window != "" && h.touched(window))
	})
}

// longRun reports whether one run of a config id went on for the 12 hours before
// a time.
func (c *checking) longRun(config string, t time.Time) bool {
	for _, r := range c.w.amperity.Runs() {
		if r.ConfigID == config && r.CreatedAt.Before(t.Add(-maxWait+promptly)) && r.CreatedAt.Add(c.w.duration).After(t.Add(-promptly)) {
			return true
		}
	}
	return false
}

// lateFile reports whether a file came for a window after a launch of it was
// decided, whose route holds late files.
func (c *checking) lateFile(window, key string, t time.Time) bool {
	files := 0
	for _, f := range c.w.files {
		if f.window != window || f.recorded.IsZero() || f.recorded.After(t) {
			continue
		}
		files++
		for other, decided := range c.w.decidedAt {
			if of, ok := windowOf(other); ok && of == window && other != key && routesOf[f.config].late == "hold" && f.recorded.After(decided) {
				return true
			}
		}
	}
	return files > 256 // they cannot be told apart any more
}

func (c *checking) tooOld(key string, ofWindow bool, t time.Time) bool {
	for _, r := range c.releases(key) {
		if t.Sub(r) > 24*time.Hour-skewSlack {
			return true
		}
	}
	if ofWindow {
		window, _ := windowOf(key)
		if slices.ContainsFunc(c.w.files, func(f *file) bool {
			// Its event came so late that its run may be forgotten.
			return f.window == window && t.Sub(f.event) > 45*24*time.Hour-skewSlack
		}) {
			return true
		}
		decided, ok := c.w.decidedAt[key]
		return ok && t.Sub(decided) > 7*24*time.Hour-skewSlack
	}
	for _, d := range c.w.decisions {
		if d.key != key {
			continue
		}
		most := 24 * time.Hour // unless the input says otherwise
		if _, after, ok := strings.Cut(d.payload, `"max_age":"`); ok {
			age, _, _ := strings.Cut(after, `"`)
			var err error
			if most, err = time.ParseDuration(age); err != nil {
				return false
			}
		}
		return t.Sub(d.at) > most-skewSlack
	}
	return false
}
