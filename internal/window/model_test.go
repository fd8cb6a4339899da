package window

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
)

// model is a second implementation of a window. It keeps every event in one
// list, forgets nothing, and computes each answer from the whole list. Where
// the window forgets by design, the comments of the model say "by design" and
// define what it may forget.
type model struct {
	made     time.Time
	expected bool
	log      []happening
	// reading caches the result of a list of the given length.
	reading *reading
	length  int
}

// happening is one event in the life of the window.
type happening struct {
	what happened
	// at is the observer's clock. For a file it is the receipt.
	at    time.Time
	rules *Rules
	// file is an arrival, with its classification.
	file     Arrival
	found    finding
	doubtful bool
	// marked: the file is covered, has a version id, and was not known.
	marked bool
	// revision and turn identify the beginning launch. rerun: an earlier launch
	// may have a run, and no operator asked for this one.
	revision, turn int
	rerun          bool
	// end is how a launch ended.
	end Outcome
	// notice is a new announcement.
	notice *Notice
}

type happened int

const (
	came     happened = iota // a file
	looked                   // the window was looked at, by rules
	begun                    // a launch was decided, or reopened by the operator
	ended                    // a launch came to its end
	waited                   // another run of the config id went on
	queued                   // another launch of the config id went on
	ignored                  // what was open was ignored
	closed                   // what was open was abandoned
	missed                   // files were missing at the deadline
	complete                 // what was missing had come
	recalled                 // a launch from before the window was forgotten, that has no run
)

type finding int

const (
	isNew finding = iota
	isDuplicate
	isCovered
)

// taken is a file that counted as new.
type taken struct {
	*Arrival
	// own is the event's own time. event is the time that counts, no later than
	// the receipt.
	own, event time.Time
	received   time.Time
	doubtful   bool
	// old: older than the ledger's memory.
	old bool
	// covered: the file is covered, but came since the decision together with
	// an uncovered file.
	covered bool
	// period is the start of the period's length if this file is the first.
	period time.Time
}

func ms(t time.Time) time.Time { return t.Truncate(time.Millisecond) }

// reading is the result of a list.
type reading struct {
	revision int
	// flight is the launch in flight.
	flight *happening
	// taken are all files so far, open those that no launch answers, and after
	// those that came since the decision of the launch in flight. before are
	// the files that it was decided for.
	taken, open, after, before []*taken
	// marked are covered files that are still known by their version id.
	marked         []*taken
	more           int // is open too, as far as is known
	covered        time.Time
	lastPost       time.Time
	reruns         int
	declined       bool
	waitsSince     time.Time
	missed, waived bool
	complete       bool
	entries        map[string]*set
	// seen is when the route was last recorded as seen, at most every 15
	// minutes.
	seen time.Time
	hash string
	// changed: the route has changed since the previous look.
	changed bool
}

// set has the files of an entry.
type set struct {
	keys map[[2]string]bool
	// versions are the keys and version ids of the same files.
	versions map[[2]string]bool
	met      time.Time
	// last is the last counted key.
	last [2]string
}

// key is a file's bucket and key. id has its version too.
func key(a *Arrival) [2]string { return [2]string{a.Bucket, a.Key} }

func id(a *Arrival) [3]string {
	if a.Versioned {
		return [3]string{"", a.Key, a.Version} // and a replica has the same
	}
	return [3]string{a.Bucket, a.Key, a.Version}
}

// read computes the result from the whole list.
func (m *model) read() *reading {
	if m.reading != nil && m.length == len(m.log) {
		return m.reading
	}
	v := &reading{entries: map[string]*set{}}
	m.reading, m.length = v, len(m.log)
	for i := range m.log {
		h := &m.log[i]
		switch h.what {
		case came:
			switch {
			case h.found == isNew:
				v.came(h)
			case h.marked:
				v.marked = append(v.marked, &taken{Arrival: &h.file, own: ms(h.file.EventTime)})
			}
		case looked:
			v.looked(h)
		case begun:
			v.revision = h.revision
			v.flight = h
			v.before, v.open, v.after, v.waitsSince = v.open, nil, nil, time.Time{}
			v.more = 0
		case ended:
			v.ended(h)
		case recalled:
			v.revision = h.revision
			v.lastPost = latest(v.lastPost, h.end.LastPost)
			v.waived = true // the list does not have what it waited for
		case waited:
			if v.waitsSince.IsZero() {
				v.waitsSince = h.at
			}
		case queued:
			v.waitsSince = time.Time{}
		case ignored, closed:
			v.open, v.more, v.waitsSince = nil, 0, time.Time{}
		case missed:
			v.missed, v.waived = true, h.rules.ThenRun
		case complete:
			v.complete = true
		}
	}
	return v
}

// late reports whether the window has a run, or may have one.
func (v *reading) late() bool { return !v.lastPost.IsZero() || !v.covered.IsZero() }

func (v *reading) came(h *happening) {
	t := &taken{Arrival: &h.file, own: ms(h.file.EventTime), event: earliest(ms(h.file.EventTime), ms(h.at)), received: h.at, doubtful: h.doubtful, period: h.at}
	t.old = h.at.Sub(t.event) > 45*24*time.Hour
	v.taken = append(v.taken, t)
	if v.flight != nil {
		v.after = append(v.after, t)
	} else {
		v.open = append(v.open, t)
	}
	s := v.entries[t.Entry]
	if s == nil {
		s = &set{keys: map[[2]string]bool{}, versions: map[[2]string]bool{}}
		v.entries[t.Entry] = s
	}
	version := [2]string{t.Key, t.Version}
	counted := s.keys[key(t.Arrival)] || t.Versioned && s.versions[version]
	if want := wanted(h.rules, t.Entry); s.met.IsZero() && (want == 1 || !counted) {
		s.last = key(t.Arrival)
		s.keys[s.last] = true
		s.versions[version] = t.Versioned
		s.enough(want, h.at)
	}
}

// enough records that a set is met. It stays met.
func (s *set) enough(want int, now time.Time) {
	if s.met.IsZero() && len(s.keys) >= want {
		s.met = now
	}
}

func wanted(r *Rules, pattern string) int {
	for _, e := range r.Entries {
		if e.Pattern == pattern {
			return max(1, e.Count)
		}
	}
	return 1
}

// looked: after a change of the route, the files of a removed entry count for
// the entry that now matches its last file.
func (v *reading) looked(h *happening) {
	v.changed = v.hash != "" && v.hash != h.rules.Hash
	if v.hash != h.rules.Hash || h.at.Sub(v.seen) > 15*time.Minute {
		v.seen = h.at
	}
	v.hash = h.rules.Hash
	if len(v.open) == 0 {
		v.waitsSince = time.Time{}
	}
	if !v.changed {
		return
	}
	has := map[string]bool{}
	for _, e := range h.rules.Entries {
		has[e.Pattern] = true
	}
	for _, gone := range slices.Sorted(maps.Keys(v.entries)) {
		into := h.rules.EntryOf(v.entries[gone].last[0], v.entries[gone].last[1])
		if has[gone] || !has[into] {
			continue
		}
		from, to := v.entries[gone], v.entries[into]
		delete(v.entries, gone)
		switch {
		case to != nil && !to.met.IsZero():
			continue
		case len(from.keys) >= wanted(h.rules, into):
			v.entries[into] = from
			continue
		case !from.met.IsZero():
			// By design a met set keeps only its last file.
			from.keys, from.versions = map[[2]string]bool{from.last: true}, nil
		}
		if to == nil {
			to = &set{keys: map[[2]string]bool{}, versions: map[[2]string]bool{}}
			v.entries[into] = to
		}
		maps.Copy(to.keys, from.keys)
		maps.Copy(to.versions, from.versions)
		to.last = from.last
	}
	for _, e := range h.rules.Entries {
		if s := v.entries[e.Pattern]; s != nil {
			s.enough(max(1, e.Count), h.at)
		}
	}
}

func (v *reading) ended(h *happening) {
	if h.end.LastPost.After(v.lastPost) {
		v.lastPost = h.end.LastPost
		if v.flight.rerun {
			v.reruns++
		}
	}
	since := v.after
	older := h.end.Started && h.end.CoveredUntil.Add(15*time.Second).Before(v.flight.at)
	if older {
		since = append(slices.Clone(v.before), since...) // the run is older than the decision
	}
	v.flight, v.declined = nil, !h.end.Started
	v.before, v.after = nil, nil
	from := h.end.At.Add(-5 * time.Second)
	if h.end.Started {
		v.covered = latest(v.covered, ms(h.end.CoveredUntil))
		from = v.covered
	}
	// By design the window keeps the number and the first and last receipt of
	// the files since the decision, not each file. If one of them is uncovered,
	// all count for quiet and for the period, but not from before the covered
	// time. And if one of them is not old, none is.
	opens, young := false, false
	for i, t := range since {
		if t.covered = t.event.Before(from); !h.end.Started {
			t.covered = i < h.end.Answered
		}
		t.period = latest(t.period, from)
		opens = opens || !t.covered
		young = young || !t.old
	}
	if !opens {
		return
	}
	for _, t := range since {
		t.old = t.old && !young
		t.covered = t.covered && h.end.Started // of others the receipts are not kept
	}
	v.open, v.more = since, 0
	if older {
		// By design the window does not know which of the files were answered
		// before.
		n := 0
		for _, t := range v.taken {
			if !t.own.Before(v.covered) {
				n++
			}
		}
		v.more = max(0, min(len(since), n)-v.count())
	}
}

// remembered returns the files whose duplicates are known: those that may not
// be covered, by their own event time, and those with a version id, whose
// replicas come later. By design these are the 256 latest, and among equal ones
// those with the lower hash. It also returns the latest event time of the
// forgotten ones.
func (v *reading) remembered() (known map[[3]string]bool, forgotten time.Time) {
	var all []*taken
	for _, t := range slices.Concat(v.taken, v.marked) {
		if t.Versioned || !t.own.Before(v.covered) {
			all = append(all, t)
		}
	}
	if len(all) > 256 {
		hashes := map[*taken]uint64{}
		for _, t := range all {
			hashes[t] = t.identity()
		}
		slices.SortFunc(all, func(a, b *taken) int {
			return cmp.Or(b.own.Compare(a.own), cmp.Compare(hashes[a], hashes[b]))
		})
		// A forgotten file that came again counts once.
		all = slices.CompactFunc(all, func(a, b *taken) bool { return a.own.Equal(b.own) && hashes[a] == hashes[b] })
	}
	if len(all) > 256 {
		if !all[256].own.Before(v.covered) {
			forgotten = all[256].own
		}
		all = all[:256]
	}
	known = make(map[[3]string]bool, len(all))
	for _, t := range all {
		known[id(t.Arrival)] = true
	}
	return known, forgotten
}

func (m *model) fold(files []Arrival, r Rules, received time.Time) Counts {
	var n Counts
	v := m.read()
	known, forgotten := v.remembered()
	for _, a := range files {
		h := happening{what: came, at: received, rules: &r, file: a}
		switch event := earliest(ms(a.EventTime), ms(received)); {
		case event.Before(v.covered):
			h.found, h.marked = isCovered, a.Versioned && !known[id(&a)]
			known[id(&a)] = known[id(&a)] || h.marked
			n.Covered++
		case known[id(&a)]:
			h.found = isDuplicate
			n.Duplicates++
		default:
			n.New++
			known[id(&a)] = true
			// After a launch without a run, a file as old as a forgotten file
			// may be that file, which was answered.
			h.doubtful = v.flight == nil && v.declined && !forgotten.IsZero() && !ms(a.EventTime).After(forgotten)
		}
		m.log = append(m.log, h)
	}
	return n
}

// unmet returns the entries that the window waits for.
func (v *reading) unmet(r Rules) []Unmet {
	var us, all []Unmet
	came := 0
	for _, e := range r.Entries {
		u := Unmet{Pattern: e.Pattern, Want: max(1, e.Count)}
		met := false
		if s := v.entries[e.Pattern]; s != nil {
			u.Have = len(s.keys)
			came += u.Have
			met = !s.met.IsZero() || u.Have >= u.Want
		}
		if !met && !e.Optional {
			us = append(us, u)
		}
		all = append(all, u)
	}
	if len(us) == 0 && came == 0 {
		return all
	}
	return us
}

func (v *reading) nothingFor(r Rules) bool {
	return !slices.ContainsFunc(r.Entries, func(e Entry) bool { return v.entries[e.Pattern] != nil })
}

func (m *model) evaluate(r Rules, now time.Time) Decision {
	var d Decision
	m.log = append(m.log, happening{what: looked, at: now, rules: &r})
	v := m.read()
	d.RouteChanged = v.changed
	if v.flight != nil {
		return d
	}

	var look time.Time
	if !v.late() && !v.missed && !r.Deadline.IsZero() && (m.expected || !m.made.After(r.Deadline)) {
		unmet := v.unmet(r)
		switch {
		case now.Before(r.Deadline):
			look = r.Deadline
		case len(unmet) > 0:
			m.log = append(m.log, happening{what: missed, at: now, rules: &r, notice: &Notice{
				Type: announcement.FilesMissing, At: now, Revision: v.revision + 1, HoldNumber: 1, Deadline: r.Deadline, Unmet: unmet, Waived: r.ThenRun,
			}})
		}
	}

	v = m.read()
	late := v.late()
	if late && r.Late == Ignore && len(v.open) > 0 {
		d.Ignored = v.count()
		m.log = append(m.log, happening{what: ignored, at: now})
		v = m.read()
	}
	if len(v.open) == 0 {
		d.At = look
		return d
	}
	first, last := v.open[0].period, v.open[0].received
	for _, t := range v.open {
		first = earliest(first, t.period)
	}
	if !late && !v.waived && len(v.unmet(r)) > 0 && !v.nothingFor(r) {
		// Every hour, and after a day of waiting every day.
		again := now.Add(now.Sub(first))
		if again.Before(now.Add(time.Hour)) {
			again = now.Add(time.Hour)
		}
		d.At = earliest(look, earliest(again, now.Add(24*time.Hour)))
		return d
	}
	if !late && !v.waived {
		for _, e := range r.Entries {
			if s := v.entries[e.Pattern]; s != nil && !e.Optional {
				first = latest(first, s.met)
			}
		}
	}
	certain, old := 0, 0
	for _, t := range v.open {
		last = latest(last, t.received)
		switch {
		case t.covered:
		case t.old:
			old++
		case !t.doubtful:
			certain++
		}
	}
	quiet := earliest(last.Add(r.Settle), first.Add(r.Length))
	spaced := v.lastPost.Add(15*time.Minute + 30*time.Second)
	switch {
	case now.Before(quiet):
		d.At = earliest(look, quiet)
	case late && r.Late == Hold:
		d.Do, d.Reason = HoldIt, announcement.ReasonLateFile
	case certain == 0 && old > 0:
		d.Do, d.Reason = HoldIt, announcement.ReasonTooOld
	case certain == 0:
		d.Do, d.Reason = HoldIt, announcement.ReasonLateFile
	case late && v.reruns >= 3:
		d.Do, d.Reason = HoldIt, announcement.ReasonRerunLimit
	case late && now.Before(spaced):
		d.At = spaced
	default:
		d.Do = Launch
	}
	return d
}

// count returns the number of open files.
func (v *reading) count() int {
	n := v.more
	for _, t := range v.open {
		if !t.covered {
			n++
		}
	}
	return n
}

func (m *model) wait(now time.Time, f Front) Decision {
	if f.Launch {
		v := m.read()
		last := v.open[0].received
		for _, t := range v.open {
			last = latest(last, t.received)
		}
		m.log = append(m.log, happening{what: queued, at: now})
		if now.After(last.Add(30 * time.Minute)) {
			return Decision{At: now.Add(5 * time.Minute)}
		}
		return Decision{At: now.Add(time.Minute)}
	}
	m.log = append(m.log, happening{what: waited, at: now})
	since := m.read().waitsSince
	waits := min(now.Sub(since), now.Sub(f.Since)) // for this run
	again := now.Add(time.Minute)
	if now.Sub(since) > 30*time.Minute {
		again = now.Add(5 * time.Minute)
	}
	switch {
	case f.Asked:
		return Decision{At: again}
	case f.Unread && waits < 72*time.Hour:
		return Decision{At: earliest(again, now.Add(72*time.Hour-waits))}
	case waits >= 12*time.Hour:
		return Decision{Do: HoldIt, Reason: announcement.ReasonOverlap, RunID: f.RunID}
	default:
		return Decision{At: earliest(again, now.Add(12*time.Hour-waits))}
	}
}

func (m *model) decide(r Rules, now time.Time, held bool) int {
	v := m.read()
	m.log = append(m.log, happening{what: begun, at: now, revision: v.revision + 1, rerun: v.late() && !held})
	if v.missed && !v.complete && len(r.Entries) > 0 && len(v.unmet(r)) == 0 {
		m.log = append(m.log, happening{what: complete, at: now, notice: &Notice{Type: announcement.FilesComplete, At: now, Revision: v.revision + 1, HoldNumber: 1}})
	}
	return v.revision + 1
}

func (m *model) outcome(o Outcome) bool {
	f := m.read().flight
	if f == nil || f.revision != o.Revision || f.turn != o.Turn {
		return false
	}
	m.log = append(m.log, happening{what: ended, end: o})
	return true
}

func (m *model) reopen(revision, turn int, now time.Time) bool {
	if v := m.read(); v.flight != nil || v.revision != revision {
		return false
	}
	m.log = append(m.log, happening{what: begun, at: now, revision: revision, turn: turn})
	return true
}

// recall inserts the launch before all files.
func (m *model) recall(revision, turn int, decided time.Time, end *Outcome) {
	if end != nil && !end.Started {
		m.log = append(m.log, happening{what: recalled, revision: revision, end: *end})
		return
	}
	m.reading = nil
	m.log = slices.DeleteFunc(m.log, func(h happening) bool { return h.what == waited })
	m.log = append([]happening{{what: begun, at: decided, revision: revision, turn: turn}}, m.log...)
	if end != nil {
		m.log = append(m.log, happening{what: ended, end: *end})
	}
}

// notices returns all announcements so far.
func (m *model) notices() []Notice {
	var ns []Notice
	for _, h := range m.log {
		if h.notice != nil {
			ns = append(ns, *h.notice)
		}
	}
	return ns
}

func (m *model) abandon(now time.Time) Decision {
	v := m.read()
	if v.flight != nil {
		return Decision{}
	}
	if end := v.seen.Add(time.Hour); now.Before(end) {
		return Decision{At: end}
	}
	h := happening{what: closed, at: now}
	if len(v.open) > 0 {
		h.notice = &Notice{Type: announcement.WindowAbandoned, At: now, Revision: v.revision + 1}
		if v.missed {
			h.notice.HoldNumber = 1
		}
	}
	m.log = append(m.log, h)
	return Decision{}
}
