package sim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
)

// The checker reads Amperity's log, the published events and the world's record
// of its inputs. Of the ledger it reads only whether each launch is at rest.

// Violation is a guarantee that a history broke.
type Violation struct {
	// Guarantee is its number in docs/guarantees.md. 0 means that the world did
	// not come to rest.
	Guarantee int
	// Kind groups violations with one cause. It may be empty.
	Kind string
	What string
}

func (v Violation) String() string { return fmt.Sprintf("guarantee %d: %s", v.Guarantee, v.What) }

// Allowed counts the permitted exceptions in a history, by name.
type Allowed map[string]int

const (
	allowedRetry       = "two runs, because if_unknown is retry"
	allowedForeign     = "a run of others under our own principal was adopted"
	allowedPerson      = "a person started it again"
	allowedPersonErred = "a person gave a launch a run, and its own came later"
	allowedLie         = "an event had a time an hour before its file was there"
)

// listLag bounds the lag of a list of runs, plus the time from a list to the
// request that follows it.
const listLag = 3 * time.Minute

// skewSlack bounds the difference between two clocks of the world.
const skewSlack = 4 * time.Second

// check checks a finished history against the guarantees.
func (w *World) check() ([]Violation, Allowed) {
	c := &checking{w: w, allowed: Allowed{}, byLaunch: map[string][]*post{}, byWindow: map[string][]*post{}, said: map[string][]announced{}}
	for _, p := range w.posts {
		c.byLaunch[p.launchKey] = append(c.byLaunch[p.launchKey], p)
		if window, ok := windowOf(p.launchKey); ok {
			c.byWindow[window] = append(c.byWindow[window], p)
		}
	}
	for _, a := range w.announced {
		if k := a.Detail.LaunchKey; k != "" {
			c.said[k] = append(c.said[k], a)
		}
	}
	c.doubleStart()
	c.lostInput()
	c.words()
	c.mistaken()
	c.economy()
	c.overlap()
	c.announcements()
	c.everyRunIsTold()
	c.oneAtATime()
	c.noticed()
	c.inTime()
	c.noneForEver()
	c.holdsAreMeant()
	c.polite()
	c.rest()
	return c.violations, c.allowed
}

type checking struct {
	w          *World
	violations []Violation
	allowed    Allowed
	byLaunch   map[string][]*post
	byWindow   map[string][]*post
	said       map[string][]announced
}

func (c *checking) fail(guarantee int, format string, args ...any) {
	c.failAs("", guarantee, format, args...)
}

func (c *checking) failAs(kind string, guarantee int, format string, args ...any) {
	c.violations = append(c.violations, Violation{guarantee, kind, fmt.Sprintf(format, args...)})
}

// windowOf returns the key of the item of the window whose launch has the key.
func windowOf(launchKey string) (string, bool) {
	rest, ok := strings.CutPrefix(launchKey, "arrival/")
	i := strings.LastIndexByte(rest, '/')
	if !ok || i < 0 {
		return "", false
	}
	return "window/" + rest[:i], true
}

// retries reports whether one more request is allowed for a launch with an
// unknown outcome.
func (c *checking) retries(launchKey string) bool {
	if window, ok := windowOf(launchKey); ok {
		config, _, _ := strings.Cut(strings.TrimPrefix(window, "window/"), "/")
		return routesOf[config].retry
	}
	for _, d := range c.w.decisions {
		if d.key == launchKey {
			return d.retry
		}
	}
	return false
}

// releases returns the times at which an operator has released a launch.
func (c *checking) releases(launchKey string) []time.Time {
	// Each hold number counts once, however often the command was sent.
	first := map[int]time.Time{}
	for _, v := range c.w.words {
		if v.verb != "release" || v.key != launchKey || len(v.at) == 0 {
			continue
		}
		if was, ok := first[v.hold]; !ok || v.at[0].Before(was) {
			first[v.hold] = v.at[0]
		}
	}
	at := slices.Collect(maps.Values(first))
	slices.SortFunc(at, time.Time.Compare)
	return at
}

// doubleStart checks guarantee 1. A launch sends another request only if the
// previous one certainly started nothing, if an operator released the launch,
// or, with if_unknown: retry, once after 15 minutes.
func (c *checking) doubleStart() {
	for _, key := range slices.Sorted(maps.Keys(c.byLaunch)) {
		posts := c.byLaunch[key]
		if key == "" {
			c.fail(1, "a request was sent for no launch: %s %s", posts[0].body.ConfigID, posts[0].body.RangeFrom)
			continue
		}
		releases := c.releases(key)
		slices.SortStableFunc(posts, func(a, b *post) int { return a.marked.Compare(b.marked) })
		var retried []*post
		for i, p := range posts {
			open := 0
			var last time.Time
			for _, q := range posts[:i] {
				// An operator may have adopted its run for another launch.
				if !(q.refused && !q.answered.After(p.marked)) && !(q.run != "" && c.adoptedFor(q.run, key)) {
					open++
					last = q.marked
				}
			}
			// A release is for the one request that follows it.
			byPerson := slices.ContainsFunc(releases, func(r time.Time) bool {
				return !r.After(p.marked) && !slices.ContainsFunc(posts[:i], func(q *post) bool {
					return !q.marked.Before(r) && !(q.refused && !q.answered.After(p.marked))
				})
			})
			switch {
			case open == 0:
			case byPerson:
				c.allowed[allowedPerson]++
			case c.retries(key) && !slices.ContainsFunc(retried, func(q *post) bool { return !(q.refused && !q.answered.After(p.marked)) }):
				// One, and again only if that was refused.
				if retried = append(retried, p); len(retried) == 1 {
					c.allowed[allowedRetry]++
				}
				if p.marked.Sub(last) < 15*time.Minute-skewSlack {
					c.failAs(c.twice(posts[:i]), 1, "%s: a second request after %s", key, p.marked.Sub(last))
				}
				if !p.listed {
					c.failAs(c.twice(posts[:i]), 1, "%s: request %d was sent without reading the list of runs before it", key, i+1)
				}
				for _, q := range posts[:i] {
					if q.run != "" && p.marked.Sub(q.started) > listLag && !c.adoptedFor(q.run, key) {
						c.failAs(c.twice(posts[:i]), 1, "%s: a second request although the list of runs had shown the run of the first, %s, for long", key, q.run)
					}
				}
			default:
				c.failAs(c.twice(posts[:i]), 1, "%s: request %d, of %s, was sent although %d before may have started runs; releases %v", key, i+1, sinceBegin(p.marked), open, releases)
			}
		}
	}
	// A run belongs to one launch.
	owner := map[string]string{}
	for _, p := range c.w.posts {
		if p.run != "" {
			owner[p.run] = p.launchKey
		}
	}
	for _, a := range c.w.announced {
		if a.Type != announcement.RunStarted {
			continue
		}
		run := a.Detail.Run.ID
		switch key, ours := owner[run]; {
		case ours && key == a.Detail.LaunchKey, c.byPerson("adopt", a.Detail.LaunchKey, run):
		case !ours && c.w.foreign[run]:
			c.allowed[allowedForeign]++
		case ours && c.foreignRun(key):
			// The launch that started the run had adopted a run of others before,
			// so that no window waits for its own run.
			c.allowed[allowedForeign]++
		case ours && c.adoptedByPerson(key):
			// The same, by an operator's adopt.
			c.allowed[allowedPersonErred]++
		default:
			c.failAs("adopted another's run", 1, "%s adopted the run %s, which is that of %q", a.Detail.LaunchKey, run, key)
		}
	}
}

// twice returns the kind of violation of a request that was sent after others.
func (c *checking) twice(before []*post) string {
	if slices.ContainsFunc(before, func(p *post) bool { return p.gateway }) {
		return "sent again after a 409 of its own run"
	}
	return "sent again"
}

// toldWrong returns the kind of violation of an announcement that a launch has
// no run.
func (c *checking) toldWrong(key string) string {
	if c.twice(c.byLaunch[key]) == "sent again" {
		return "announced without a run"
	}
	return "announced without a run after a 409 of its own run"
}

// adoptedFor reports whether an operator has adopted a run for a launch other
// than its own.
func (c *checking) adoptedFor(run, key string) bool {
	return slices.ContainsFunc(c.w.words, func(v *word) bool {
		return v.verb == "adopt" && v.key != key && v.runID == run && len(v.at) > 0
	})
}

func (c *checking) byPerson(verb, key, run string) bool {
	return slices.ContainsFunc(c.w.words, func(v *word) bool {
		return v.verb == verb && v.key == key && v.runID == run && len(v.at) > 0
	})
}

// last returns the type of the last announcement of a launch's end or hold.
func (c *checking) last(key string) announcement.DetailType {
	said := c.said[key]
	for i := len(said) - 1; i >= 0; i-- {
		switch t := said[i].Type; t {
		case announcement.RunStarted, announcement.RunRejected, announcement.RunHeld, announcement.RunDiscarded:
			return t
		}
	}
	return ""
}

// words checks guarantee 2. A command that was answered as done is done, and no
// event names an operator's decision that no operator made.
func (c *checking) words() {
	for _, v := range c.w.words {
		asks := func(a announced) bool { return a.Type == announcement.RunHeld && a.Detail.HoldNumber == v.hold }
		asked := slices.ContainsFunc(c.said[v.key], func(a announced) bool { return asks(a) && !a.at.After(v.at[0]) })
		// The hold may be announced again, and late.
		other := slices.ContainsFunc(c.said[v.key], func(a announced) bool { return !asks(a) && !a.asked.Before(v.at[0]) })
		before := slices.ContainsFunc(c.said[v.key], func(a announced) bool {
			return (a.Type == announcement.RunStarted || a.Type == announcement.RunDiscarded || a.Detail.HoldNumber > v.hold) && a.at.Before(v.at[0])
		})
		posted := slices.ContainsFunc(c.byLaunch[v.key], func(p *post) bool { return !p.marked.Before(v.at[0]) })
		if !v.answered.IsZero() && v.verb != "adopt" && asked && !other && !before && !posted {
			c.fail(2, "%s of %s, hold %d, was answered, and it still waits for an answer", v.verb, v.key, v.hold)
		}
		if v.obeyed.IsZero() {
			continue
		}
		said := slices.ContainsFunc(c.said[v.key], func(a announced) bool {
			return !a.at.Before(v.at[0]) && (v.verb != "discard" || a.Type == announcement.RunDiscarded || a.Type == announcement.RunStarted) // Amperity's own answer wins
		})
		sent := v.verb == "release" && slices.ContainsFunc(c.byLaunch[v.key], func(p *post) bool { return !p.marked.Before(v.at[0]) })
		if !said && !sent {
			c.fail(2, "%s of %s, hold %d, was answered as done, and nothing came of it", v.verb, v.key, v.hold)
		}
	}
	for _, a := range c.w.announced {
		if a.Type == announcement.RunDiscarded && !slices.ContainsFunc(c.w.words, func(v *word) bool {
			return v.verb == "discard" && v.key == a.Detail.LaunchKey && len(v.at) > 0
		}) {
			c.fail(5, "%s was announced as discarded, and no person has said so", a.Detail.LaunchKey)
		}
	}
}

// lostInput checks guarantees 2 and 3.
func (c *checking) lostInput() {
	for _, d := range c.w.decisions {
		if d.delivered == 0 {
			continue
		}
		last := c.last(d.key)
		if last == "" && d.settled > 0 {
			c.fail(2, "%s was answered, and nothing was ever announced of it", d.key)
		}
		if last == "" && d.failed < d.delivered && d.settled == 0 {
			c.fail(2, "%s is nowhere", d.key)
		}
	}
	unrouted := 0
	for _, a := range c.w.announced {
		if a.Type == announcement.FilesUnrouted {
			unrouted++
		}
	}
	for _, f := range c.w.files {
		if f.lost == f.copies {
			continue // in the dead-letter queue
		}
		if c.replaced(f) {
			continue
		}
		if f.window == "" {
			if unrouted == 0 {
				c.fail(2, "%s matches no route, and nobody was told", f.key)
			}
			continue
		}
		if len(c.w.routes) > 1 && f.recorded.IsZero() && unrouted > 0 && (f.config == "cg-H" || f.config == "og-I") {
			continue // the edit took its route away
		}
		if why := c.settled(f); why != "" {
			c.failAs("uncovered file", 3, "%s, there since %s: %s", f.key, sinceBegin(f.put), why)
		}
	}
}

// replaced reports whether a later file has replaced a file, in a bucket whose
// versioning is suspended.
func (c *checking) replaced(f *file) bool {
	return f.version == "null" && slices.ContainsFunc(c.w.files, func(g *file) bool {
		return g.version == f.version && g.key == f.key && g.put.After(f.put)
	})
}

// settled returns why a file is not settled, or "" if it is.
func (c *checking) settled(f *file) string {
	for _, p := range c.byWindow[f.window] {
		if p.run != "" && !p.sent.Before(f.put) {
			return "" // covered by a run whose request began after it was there
		}
		if p.run != "" && f.lies && !p.sent.Before(f.event) {
			c.allowed[allowedLie]++
			return ""
		}
	}
	// For the stack, a run of others that was adopted for the window, by an
	// operator or by the named exception, covers the file.
	for key := range c.said {
		if window, ok := windowOf(key); ok && window == f.window && (c.foreignRun(key) || c.adoptedByPerson(key) || c.leftByPerson(key)) {
			return ""
		}
	}
	// An uncovered file waits in the window, a policy holds or ignores it, or an
	// operator has decided.
	if f.recorded.IsZero() {
		return "it was never taken in"
	}
	latest, revision := "", 0
	abandoned := false
	for key, said := range c.said {
		window, ok := windowOf(key)
		if !ok || window != f.window {
			continue
		}
		var n int
		_, _ = fmt.Sscan(key[strings.LastIndexByte(key, '/')+1:], &n)
		for _, a := range said {
			abandoned = abandoned || a.Type == announcement.WindowAbandoned
			if a.Type == announcement.RunDiscarded && a.at.After(f.recorded) {
				return "" // an operator discarded all files that were there
			}
		}
		if n > revision && c.last(key) != "" {
			latest, revision = key, n
		}
	}
	switch {
	case latest != "" && c.last(latest) == announcement.RunHeld:
		return ""
	case latest != "" && c.last(latest) != announcement.RunStarted && slices.ContainsFunc(c.said[latest], func(a announced) bool {
		return (a.Type == announcement.RunRejected || a.Type == announcement.RunDiscarded) && !f.recorded.After(a.asked)
	}):
		return "" // rejected or discarded, with all files that were there
	case abandoned && len(c.w.routes) > 1:
		return ""
	case latest != "" && routesOf[f.config].late == "ignore":
		return ""
	case (latest == "" || !slices.ContainsFunc(c.byWindow[f.window], func(p *post) bool { return !p.refused })) &&
		c.waits(f.window, f.config, c.w.now):
		return "" // it waits for other files; a launch discarded before its request changes nothing
	}
	return "no run covers it, and nothing holds it; the latest launch is " + latest
}

func (c *checking) adoptedByPerson(key string) bool {
	return slices.ContainsFunc(c.w.words, func(v *word) bool { return v.verb == "adopt" && v.key == key && len(v.at) > 0 })
}

// leftByPerson reports whether a launch was announced with the run of a launch
// that had adopted another one, by an operator or by the named exception.
func (c *checking) leftByPerson(key string) bool {
	run := c.announcedRun(key)
	return slices.ContainsFunc(c.w.posts, func(p *post) bool {
		return run != "" && p.run == run && p.launchKey != key && (c.adoptedByPerson(p.launchKey) || c.foreignRun(p.launchKey))
	})
}

// foreignRun reports whether a launch was announced with a run of others under
// our own principal, or with the run of such a launch.
func (c *checking) foreignRun(key string) bool { return c.foreignBehind(key, map[string]bool{}) }

func (c *checking) foreignBehind(key string, seen map[string]bool) bool {
	if seen[key] {
		return false
	}
	seen[key] = true
	return slices.ContainsFunc(c.said[key], func(a announced) bool {
		if a.Type != announcement.RunStarted {
			return false
		}
		return c.w.foreign[a.Detail.Run.ID] || slices.ContainsFunc(c.w.posts, func(p *post) bool {
			return p.run == a.Detail.Run.ID && p.launchKey != key && c.foreignBehind(p.launchKey, seen)
		})
	})
}

// waits reports whether a window waited for files at a time. A window of a
// route with then: run waits until its deadline, unless it was created after
// that.
func (c *checking) waits(window, config string, at time.Time) bool {
	if deadline := deadlineOf(window); routesOf[config].deadline && !at.Before(deadline) && c.firstOf(window).Before(deadline) {
		return false
	}
	return len(c.unmet(window, config, at)) > 0
}

// unmet returns the entries of a window that lacked files at a time.
func (c *checking) unmet(window, config string, at time.Time) []string {
	route := routesOf[config]
	required := route.required
	if len(c.w.routes) > 1 && config == "cg-C" {
		required = []string{"x", "y", "z"}
	}
	var unmet []string
	for _, entry := range required {
		keys := map[string]bool{}
		for _, other := range c.w.files {
			if other.window == window && other.entry == entry && !other.recorded.IsZero() && !other.recorded.After(at) {
				keys[other.key] = true
			}
		}
		if len(keys) < max(1, route.counts[entry]) {
			unmet = append(unmet, entry)
		}
	}
	return unmet
}

// economy checks guarantee 4.
func (c *checking) economy() {
	for window, posts := range c.byWindow {
		config, _, _ := strings.Cut(strings.TrimPrefix(window, "window/"), "/")
		slices.SortStableFunc(posts, func(a, b *post) int { return a.sent.Compare(b.sent) })
		keys := []string{}
		for _, p := range posts {
			if !slices.Contains(keys, p.launchKey) {
				keys = append(keys, p.launchKey)
			}
		}
		// The first automatic request waits for all files, unless their route has
		// then: run, or was edited.
		if first := posts[0]; !routesOf[config].deadline && len(c.w.routes) == 1 && len(c.releases(first.launchKey)) == 0 && c.waits(window, config, first.marked) {
			c.fail(4, "%s: %s sent a request before all its files were there", window, first.launchKey)
		}
		automatic := 0
		for i, key := range keys {
			if len(c.releases(key)) > 0 {
				continue
			}
			if slices.ContainsFunc(c.byLaunch[key], func(p *post) bool { return !p.refused }) {
				automatic++
			}
			if i == 0 {
				continue
			}
			first := c.byLaunch[key][0]
			before := c.lastBefore(posts, key, first.marked)
			if before == nil {
				continue
			}
			if gap := first.marked.Sub(before.marked); gap < 15*time.Minute-skewSlack {
				c.fail(4, "%s: %s sent a request %s after one of %s that may have started a run", window, key, gap, before.launchKey)
			}
			if why := c.reopened(window, before, first); why != "" {
				c.fail(4, "%s: %s", key, why)
			}
		}
		if automatic > 4 {
			c.fail(4, "%s was launched %d times by itself", window, automatic)
		}
		if routesOf[config].late == "hold" && automatic > 1 {
			started := 0
			for _, key := range keys {
				if len(c.releases(key)) == 0 && slices.ContainsFunc(c.byLaunch[key], func(p *post) bool { return !p.refused }) {
					started++
				}
			}
			if started > 1 {
				c.fail(4, "%s was launched %d times although late files are held", window, started)
			}
		}
	}
}

// lastBefore returns the last request of another launch of the window that may
// have started a run.
func (c *checking) lastBefore(posts []*post, key string, t time.Time) *post {
	var last *post
	for _, p := range posts {
		if p.launchKey != key && p.marked.Before(t) && !p.refused {
			last = p
		}
	}
	return last
}

// reopened returns why no file needed another launch after one that may have
// started a run, or "" if a file did.
func (c *checking) reopened(window string, before, next *post) string {
	// If it is unknown which request started the run, the first one counts.
	covered := before.noted
	switch {
	case c.last(before.launchKey) != announcement.RunStarted, before.known && before.recorded.After(next.decided):
		// The stack knew no run of it, so it covered nothing: an operator had
		// discarded it, and Amperity's answer came later, or never.
		covered = time.Time{}
	case !before.certain || before.run != c.announcedRun(before.launchKey) || slices.ContainsFunc(c.byLaunch[before.launchKey], found):
		covered = before.decided
		// The request was sent before the run was created, by Amperity's clock,
		// which may be off.
		if made := before.started.Add(-5*time.Second - skewSlack); before.run != "" && made.Before(covered) {
			covered = made
		}
	}
	for _, f := range c.w.files {
		// The file's event may be too late for the previous run to cover it, and
		// the ledger did not have the file when that launch was decided.
		if f.window == window && f.event.After(covered.Add(-5*time.Second-time.Second-skewSlack)) &&
			f.recorded.After(before.decided) {
			return ""
		}
	}
	return fmt.Sprintf("no file called for it: %s, sent at %s, covers them all", before.launchKey, sinceBegin(covered))
}

// found reports whether a request's run was found in a list.
func found(p *post) bool { return p.known && !p.certain }

// announcedRun returns the run of a launch's last Run Started.
func (c *checking) announcedRun(key string) string {
	run := ""
	for _, a := range c.said[key] {
		if a.Type == announcement.RunStarted {
			run = a.Detail.Run.ID
		}
	}
	return run
}

// overlap checks that windows never start a run of a config id while another
// run of it is running, if the stack can know that.
func (c *checking) overlap() {
	for _, p := range c.w.posts {
		if _, ok := windowOf(p.launchKey); !ok || len(c.releases(p.launchKey)) > 0 {
			continue
		}
		for _, q := range c.w.posts {
			if q.body.ConfigID != p.body.ConfigID || q.launchKey == p.launchKey || !q.sent.Before(p.sent) || q.run == "" {
				continue
			}
			// The stack knows a run whose answer was recorded before the decision.
			if q.answered.IsZero() || q.refused || !q.known || q.recorded.After(p.decided) || c.adoptedFor(q.run, q.launchKey) {
				continue // an operator adopted it for a launch, perhaps of another config id
			}
			if end := c.w.endOf(q.run); end.IsZero() || end.Add(-skewSlack).After(p.decided) {
				c.failAs("overlap", 1, "overlap: %s was decided at %s while %s of %s went on (until %s)", p.launchKey, sinceBegin(p.decided), q.run, q.launchKey, sinceBegin(end))
			}
		}
		// Two launches of windows, both with a request in flight.
		for _, q := range c.w.posts {
			_, window := windowOf(q.launchKey)
			if window && q != p && q.body.ConfigID == p.body.ConfigID && q.launchKey != p.launchKey && q.sent.Before(p.sent) &&
				!q.answered.IsZero() && q.answered.After(p.sent) && len(c.releases(q.launchKey)) == 0 && !c.endedBefore(q.launchKey, p.sent) && !c.endedBefore(p.launchKey, q.sent) && !(q.known && !q.recorded.After(p.sent)) {
				c.failAs("overlap", 1, "overlap: %s sent its request while that of %s was under way", p.launchKey, q.launchKey)
			}
		}
	}
}

func (c *checking) endedBefore(key string, t time.Time) bool {
	end, ok := c.w.endedAt[key]
	return ok && !end.After(t)
}

// announcements checks guarantee 5.
func (c *checking) announcements() {
	type content struct {
		t        announcement.DetailType
		key, run string
		hold     int
	}
	ids := map[string]content{}
	for _, a := range c.w.announced {
		d := a.Detail
		now := content{a.Type, d.LaunchKey, runOf(a.Announcement), d.HoldNumber}
		if was, seen := ids[d.ID]; seen && was != now {
			c.fail(5, "two announcements have the id %s: %v and %v", d.ID, was, now)
		}
		ids[d.ID] = now
		switch a.Type {
		case announcement.RunStarted:
			if !c.w.hasRun(d.Run.ID, d.Request.ConfigID) && !c.byPerson("adopt", d.LaunchKey, d.Run.ID) {
				c.fail(5, "%s was announced to have the run %s, which Amperity does not have for %s", d.LaunchKey, d.Run.ID, d.Request.ConfigID)
			}
		case announcement.RunHeld:
			for _, p := range c.byLaunch[d.LaunchKey] {
				if d.Reason == announcement.ReasonTooOld && p.marked.Before(a.asked) && !p.refused {
					c.failAs(c.toldWrong(d.LaunchKey), 5, "%s was announced as too old to be sent, and may have a run", d.LaunchKey)
				}
			}
		case announcement.RunRejected:
			for _, p := range c.byLaunch[d.LaunchKey] {
				if d.LaunchKey != "" && p.marked.Before(a.asked) && !p.refused {
					c.failAs(c.toldWrong(d.LaunchKey), 5, "%s was announced as rejected, and may have a run", d.LaunchKey)
				}
			}
		case announcement.RunBlocked:
			for _, p := range c.byLaunch[d.LaunchKey] {
				// The event describes the time of the publisher's call, which
				// may take long.
				if p.marked.Before(a.asked) && !(p.refused && !p.answered.After(a.asked)) && !(p.run != "" && c.adoptedFor(p.run, d.LaunchKey)) {
					c.failAs(c.toldWrong(d.LaunchKey), 5, "%s was announced as blocked, and may have a run", d.LaunchKey)
				}
			}
		}
	}
	// A run that was answered in time is announced, unless another end of its
	// launch is announced.
	for _, p := range c.w.posts {
		if p.run == "" || p.answered.IsZero() || p.refused || p.launchKey == "" || !p.known {
			continue
		}
		if c.last(p.launchKey) == "" {
			c.fail(5, "%s of %s was started and never announced", p.run, p.launchKey)
		}
	}
}

// polite checks the part of guarantee 6 that shows here: no query without need.
func (c *checking) polite() {
	// A 409 leads to a list too: the launch's own run may be in the way.
	busy := slices.ContainsFunc(c.w.posts, func(p *post) bool { return p.status == http.StatusConflict })
	if len(c.w.hits) == 0 && len(c.w.outages)+len(c.w.expiries)+len(c.w.paused) == 0 && c.w.lists > 0 && !busy {
		c.fail(6, "lists of runs were asked for, although nothing was interrupted")
	}
}

// rest checks that everything has come to rest.
func (c *checking) rest() {
	if c.w.endless != "" {
		return
	}
	if !c.w.stopped || c.w.quietSweeps > c.w.mostSweeps() {
		c.failAs("not at rest", 0, "not at rest after %d sweeps without faults: %s", c.w.quietSweeps, c.w.restless())
	}
	for _, item := range c.w.ledger.All() {
		if strings.HasPrefix(item.Key, "launch/") && !over(item.Doc) {
			c.fail(0, "%s is left as it is: %.300s", item.Key, item.Doc)
		}
	}
}

func containsAny(s string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(s, p) })
}
