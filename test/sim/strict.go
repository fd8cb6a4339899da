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
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// The rest of the checker: the announcements of each run, overlapping runs, the
// announcements of windows, late launches and windows, and the reasons of
// holds.

const (
	// promptly bounds the delay of a launch or a window without a fault: a few
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

// settles are the settle times of the routes.
var settles = map[string]time.Duration{
	"cg-C": 2 * time.Minute, "cg-D": 5 * time.Minute, "cg-E": 2 * time.Minute, "cg-G": time.Minute, "cg-H": time.Minute, "og-I": 2 * time.Minute,
}

// isEnd reports whether an announcement is of a launch's end or hold.
func isEnd(t announcement.DetailType) bool {
	switch t {
	case announcement.RunStarted, announcement.RunRejected, announcement.RunHeld, announcement.RunDiscarded:
		return true
	}
	return false
}

// everyRunIsTold checks guarantee 2. Every run that a request of the stack
// started is announced as started, or an announcement names it.
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

// oneAtATime checks guarantee 1. By Amperity's log, windows never have two runs
// of one config id running at the same time.
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
			// p's run began while q's was running. That is no mistake if q's launch
			// had ended before p's request without this run, or the other way
			// round: one of the requests was processed late.
			if c.endedWithout(q, p.decided) || c.endedWithout(q, p.marked) || c.endedWithout(q, p.sent) || c.endedWithout(p, q.sent) || c.endedWithout(p, p.started) {
				continue
			}
			c.failAs("overlap", 1, "overlap: the run %s of %s began at %s while %s of %s went on until %s", p.run, p.launchKey, sinceBegin(p.started),
				q.run, q.launchKey, sinceBegin(end))
		}
	}
}

// automatic reports whether a request started a run for a window without an
// operator's command.
func (c *checking) automatic(p *post) bool {
	_, window := windowOf(p.launchKey)
	return window && p.run != "" && len(c.releases(p.launchKey)) == 0 && !c.adoptedByPerson(p.launchKey) && !c.adoptedFor(p.run, p.launchKey)
}

// endedWithout reports whether a launch had ended or was held by a time,
// without the run of this request.
func (c *checking) endedWithout(p *post, t time.Time) bool {
	run := ""
	for _, a := range c.said[p.launchKey] {
		if a.Type == announcement.RunStarted && !a.asked.After(t) {
			run = a.Detail.Run.ID
		}
	}
	return c.endedBefore(p.launchKey, t) && run != p.run
}

// --- Announcements of windows ------------------------------------------------

// noticed checks guarantee 2 for the announcements of a route's deadline.
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
		// A window that was created after its deadline, by its process's clock,
		// has none.
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
		// last is the file that completed the window, after the deadline.
		var last *file
		for _, f := range fs {
			if last == nil || f.recorded.After(last.recorded) && c.waitsFor(window, config, f.recorded.Add(-1)) {
				last = f
			}
		}
		if last.lies {
			continue // by its event a run has it
		}
		posts := c.byWindow[window]
		if slices.ContainsFunc(posts, func(p *post) bool {
			return !p.sent.Before(last.put.Add(-10*time.Second)) && p.decided.Before(last.recorded)
		}) {
			continue // a run may have it
		}
		if c.heldBefore(window, last.recorded.Add(time.Minute)) || c.endsHeld(window, last.recorded) {
			continue // the operator decides
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

// heldBefore reports whether a launch of a window was held before a time.
func (c *checking) heldBefore(window string, t time.Time) bool {
	for key, said := range c.said {
		if w, ok := windowOf(key); ok && w == window && slices.ContainsFunc(said, func(a announced) bool { return a.Type == announcement.RunHeld && a.asked.Before(t) }) {
			return true
		}
	}
	return false
}

// endsHeld reports whether a launch of a window that had been decided by a time
// ends held. Its run would have covered the files that came meanwhile.
func (c *checking) endsHeld(window string, t time.Time) bool {
	for key := range c.said {
		if w, ok := windowOf(key); ok && w == window && c.w.decidedAt[key].Before(t) && c.last(key) == announcement.RunHeld {
			return true
		}
	}
	return false
}

// --- Delays ------------------------------------------------------------------

// allowance returns how much faults of an item, or of any item of its config
// id, between two times may delay it.
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
	if c.othersStarted(config, from, to) {
		sum += aFault
	}
	return sum
}

// othersStarted reports whether a run was started between two times that may
// have looked like one of a launch of a config id: by others, or by a request of
// another config id that was not answered. While it may be the launch's own, the
// launch waits. Once its owner is known, the search for the launch's own run
// begins.
func (c *checking) othersStarted(config string, from, to time.Time) bool {
	return slices.ContainsFunc(c.w.others, func(r *amperity.Run) bool {
		return c.w.hasRun(r.ID, config) && r.CreatedAt.After(from) && r.CreatedAt.Before(to)
	}) || slices.ContainsFunc(c.w.posts, func(p *post) bool {
		return p.body.ConfigID != config && p.run != "" && p.answered.IsZero() && p.started.After(from) && p.started.Before(to)
	})
}

// runsOf returns how long all runs of a config id take one after the other,
// with the given wait after each.
func (c *checking) runsOf(config string, between time.Duration) time.Duration {
	sum := time.Duration(0)
	for _, r := range c.w.amperity.Runs() {
		if r.ConfigID == config && !r.CreatedAt.Before(Begin) {
			sum += c.w.duration + between
		}
	}
	return sum
}

// startedWithoutRequest reports whether a launch of a window was decided after a
// file was there, died between its mark and its request, and took a run of
// others before the file was recorded.
func (c *checking) startedWithoutRequest(window string, put, recorded time.Time) bool {
	for key, said := range c.said {
		if w, ok := windowOf(key); ok && w == window && len(c.byLaunch[key]) == 0 && c.w.decidedAt[key].After(put) &&
			slices.ContainsFunc(said, func(a announced) bool { return a.Type == announcement.RunStarted && a.asked.Before(recorded) }) {
			return true
		}
	}
	return false
}

// inTime checks that no launch and no window is later than its route and the
// faults of its history explain.
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
		if c.startedWithoutRequest(f.window, f.put, f.recorded) {
			continue // by its mark the run has it
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

// ripe returns when a file's window has all required files, or its deadline has
// passed. Zero means that the window still waits.
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

// firstOf returns when the first file of a window was recorded.
func (c *checking) firstOf(window string) time.Time {
	var first time.Time
	for _, f := range c.w.files {
		if f.window == window && !f.recorded.IsZero() && (first.IsZero() || f.recorded.Before(first)) {
			first = f.recorded
		}
	}
	return first
}

// windowBound bounds the delay of a ripe window.
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

// noneForEver checks that the sweep works on no item each minute forever.
func (c *checking) noneForEver() {
	if c.w.endless != "" {
		c.failAs("due for ever", 0, "%s is looked at each minute, for hours, and nothing comes of it", c.w.endless)
	}
}

// --- Reasons of holds --------------------------------------------------------

// holdsAreMeant checks that the history explains the reason of each hold.
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
			if c.w.broken != "read" && !c.mayOverlap(a.Detail.Request.ConfigID, a.asked) {
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
			for other, said := range c.said { // also with a run of others, or with a mark alone
				w, ok := windowOf(other)
				if ok && w == window && other != key && slices.ContainsFunc(said, func(b announced) bool {
					return (b.Type == announcement.RunStarted || b.Detail.Reason == announcement.ReasonUnknownOutcome) && b.asked.Before(a.asked)
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

// reruns counts the launches of a window after its first one that sent a
// request, or were marked for one, before a release.
func (c *checking) reruns(launches map[string]bool) int {
	n := 0
	keys := slices.SortedFunc(maps.Keys(launches), func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	for i, key := range keys {
		released, posts := c.releases(key), c.byLaunch[key]
		if i > 0 && (len(released) == 0 || len(posts) > 0 && posts[0].marked.Before(released[0]) || c.inDoubtBefore(key, released[0])) {
			n++
		}
	}
	return n
}

// inDoubtBefore reports whether a launch was held before a time because a
// request of it may have been sent.
func (c *checking) inDoubtBefore(key string, t time.Time) bool {
	return slices.ContainsFunc(c.said[key], func(a announced) bool {
		return a.Type == announcement.RunHeld && a.Detail.Reason == announcement.ReasonUnknownOutcome && a.asked.Before(t)
	})
}

// mayBeUnknown reports whether a request of a launch had no certain answer, or
// a fault hit the launch or its window.
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

// mayOverlap reports whether a window may be held because of another run: for
// the 12 hours before a time a run of the config id was running, or Amperity
// could not be queried.
func (c *checking) mayOverlap(config string, t time.Time) bool {
	if slices.ContainsFunc(c.w.outages, func(s span) bool {
		return s.from.Before(t.Add(-maxWait+promptly)) && s.to.After(t.Add(-promptly))
	}) {
		return true
	}
	for _, r := range c.w.amperity.Runs() {
		if r.ConfigID == config && r.CreatedAt.Before(t.Add(-maxWait+promptly)) && r.CreatedAt.Add(c.w.duration).After(t.Add(-promptly)) {
			return true
		}
	}
	return false
}

// lateFile reports whether a file came for a window with late: hold after one
// of its launches was decided.
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
	return files > 256 // the window cannot distinguish them from repeats
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
			// Its event came so late that the ledger may have forgotten its run.
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
		most := 24 * time.Hour // the default of max_age
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
