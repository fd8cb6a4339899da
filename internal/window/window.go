// Package window decides when a window gets a run: it takes in the files that
// arrive, the time and what became of a launch, and says what to do.
//
// A window is one config id and one period, a day or an hour. Its [State] is
// small and of constant size, however many files there are. [State.Fold] takes
// in arrivals, [State.Evaluate] decides, [State.Decide] and [State.Outcome]
// begin and end a launch. Nothing here does I/O or reads a clock, and each
// function may be called again with the same facts.
//
// # What is promised
//
//   - A window has at most one launch that is not over. While it has one,
//     arrivals are taken in and nothing is decided.
//   - Every arrival that no policy of the route holds or ignores is covered by
//     a launch whose request was sent after the file was there: it was taken in
//     before the launch was decided, or its event time is before CoveredUntil,
//     or the window opens again for it.
//   - A duplicate of an arrival changes nothing, as long as its hash is kept:
//     of the arrivals that have a version id or are not before CoveredUntil, the
//     [MaxMarks] latest.
//   - A window launches once per revision, and runs again at most [MaxReruns]
//     times by itself, at least [Spacing] after the last request that may have
//     started a run.
package window

import (
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
)

const (
	// Margin is what CoveredUntil is before the request of the launch: 2 s for
	// S3's clock, 2 s for ours, and 1 s because EventBridge cuts times to the
	// second.
	Margin = 5 * time.Second
	// Lead is the least time between the latest event time of a window's files and
	// its request. CoveredUntil is then after that event time, so the run covers
	// every file that is dated no later, even if its event arrives behind the
	// others.
	Lead = Margin + time.Second
	// MaxMarks is how many arrivals are told from their duplicates.
	MaxMarks = 256
	// MaxSamples is how many files are kept by name, if their names have
	// MaxSampleBytes together: a key may have 1,024 bytes, each of which may
	// take six in JSON, and the ledger takes documents of 400 KB.
	MaxSamples     = 20
	MaxSampleBytes = 4 << 10
	// MaxReruns is how often a window runs again by itself.
	MaxReruns = 3
	// Spacing is the least time between two requests that may start runs of a
	// window: 15 minutes, and half a minute more because it is counted from
	// when the first was about to be sent, by another instance's clock.
	Spacing = 15*time.Minute + 30*time.Second
	// MaxWait is how long one run may be in front of a window before the operator
	// is asked about that run.
	MaxWait = 12 * time.Hour
	// MaxUnread is the same for a run that cannot be read: it exceeds an outage
	// of days.
	MaxUnread = 72 * time.Hour
	// Memory is how long the ledger surely remembers what is over. An arrival
	// that is older than that may have had its run, so a person decides.
	Memory = 45 * 24 * time.Hour
	// Grace is how long an open window outlives its route: the functions are
	// not deployed in the same second.
	Grace = time.Hour
)

// Late is what a file does that comes after the launch of its window.
type Late string

// The values of Late.
const (
	Rerun  Late = "rerun"
	Hold   Late = "hold"
	Ignore Late = "ignore"
)

// Rules are what a route says of one window.
type Rules struct {
	// Hash tells two versions of the route apart.
	Hash string
	// Entries are the route's files; a window waits for each that is not
	// optional.
	Entries []Entry
	// Settle is how long no file may come before the window launches; 0: it
	// launches at once, and its request waits for [Lead].
	Settle time.Duration
	// Length is how long quiet is waited for at most, counted from the first
	// file: as long as the period.
	Length time.Duration
	// Late is what a file after the launch does.
	Late Late
	// Deadline is when the files are to be there; zero: no time is set.
	Deadline time.Time
	// ThenRun: at the deadline the window no longer waits for what is missing.
	ThenRun bool
	// Hold is the reason why the window is held for the operator as soon as a file
	// comes; empty: it is not.
	Hold string
	// EntryOf gives the pattern of the entry that a file counts for; empty for
	// none. It is asked for files of before a change of the route.
	EntryOf func(bucket, key string) string
}

// Entry is one entry of a route's files.
type Entry struct {
	// Pattern names it.
	Pattern string `json:"pattern"`
	// Count is how many distinct keys meet it.
	Count int `json:"count"`
	// Optional: no window waits for it.
	Optional bool `json:"optional,omitempty"`
}

// Arrival is one file of the window.
type Arrival struct {
	// Entry is the pattern of the entry that it counts for.
	Entry string
	// Bucket and Key name the file, Version tells two uploads of it apart.
	Bucket, Key, Version string
	// Versioned: Version is S3's version id. A file with the same key and
	// version id in another bucket is a replica, and counts as a duplicate.
	Versioned bool
	// EventTime is the event's own time.
	EventTime time.Time
}

// Action is what is to be done about a window.
type Action int

const (
	// Nothing is to be done until Decision.At.
	Nothing Action = iota
	// Launch its next revision.
	Launch
	// HoldIt: make its next revision a launch that is held for a person.
	HoldIt
)

// Decision says what is to be done about a window.
type Decision struct {
	Do Action
	// At is when to look again where nothing is to be done; zero: when
	// something comes.
	At time.Time
	// Reason is why it is held, one of announcement's reasons. RunID is the run in
	// front, with the reason overlap.
	Reason, RunID string
	// Ignored counts the files that the route's policy has just ignored.
	Ignored int
	// RouteChanged: the route was another when the window was looked at last.
	RouteChanged bool
}

// Evaluate decides by the route's rules and the time. It notes in the state
// what cannot be worked out again: a deadline that has passed, files that were
// ignored. The caller stores the state, and if a launch is to be made, asks
// whether the config id is free and calls [State.Wait] or [State.Decide].
func (s *State) Evaluate(r Rules, now time.Time) Decision {
	var d Decision
	d.RouteChanged = s.see(r, now)
	if s.Launch != nil {
		return d
	}
	if r.Hold != "" {
		if s.Open.Count > 0 {
			d.Do, d.Reason = HoldIt, r.Hold
		}
		return d
	}
	look := s.deadline(r, now)
	late := s.launched()
	if late && r.Late == Ignore && s.Open.Count > 0 {
		d.Ignored = s.Open.Count
		s.Ignored += s.Open.Count
		s.Open = Files{}
	}
	if s.Open.Count == 0 {
		s.WaitsSince = time.Time{}
	}
	if s.Open.Count == 0 {
		d.At = look
		return d
	}
	if s.waits(r) {
		// A route that is edited or gone by then is seen, seldom for what waits
		// for long.
		d.At = earliest(look, now.Add(min(max(now.Sub(s.Open.First), Grace), 24*time.Hour)))
		return d
	}
	if ripe := earliest(s.Open.Last.Add(r.Settle), s.quietSince(r).Add(r.Length)); now.Before(ripe) {
		d.At = earliest(look, ripe)
		return d
	}
	switch certain := s.Open.Count - s.Open.Old - s.Open.Doubtful; {
	case late && r.Late == Hold, certain <= 0 && s.Open.Old == 0:
		d.Do, d.Reason = HoldIt, announcement.ReasonLateFile
	case certain <= 0:
		d.Do, d.Reason = HoldIt, announcement.ReasonTooOld
	case late && s.Reruns >= MaxReruns:
		d.Do, d.Reason = HoldIt, announcement.ReasonRerunLimit
	case late && now.Before(s.LastPost.Add(Spacing)):
		d.At = s.LastPost.Add(Spacing)
	default:
		d.Do = Launch
	}
	return d
}

// see notes that a route was there, and tells whether it is another than
// before.
func (s *State) see(r Rules, now time.Time) bool {
	changed := s.RouteHash != "" && s.RouteHash != r.Hash
	// Written only now and then: it is good for an hour.
	if s.RouteHash != r.Hash || now.Sub(s.RouteSeen) > Grace/4 {
		s.RouteSeen = now
	}
	s.RouteHash = r.Hash
	if changed {
		s.migrateEntries(r, now)
	}
	return changed
}

// waits reports whether the window waits for files before its first run: a launch
// that a person has discarded was none. Where all that came was for
// entries that the route no longer has, there is nothing to wait for: it goes
// with what is there.
func (s *State) waits(r Rules) bool {
	return !s.launched() && !s.Waived && len(s.unmet(r)) > 0 && !s.empty(r)
}

// quietSince is from when on quiet is waited for: since the first file that is not
// covered, and all are there that the first launch waits for.
func (s *State) quietSince(r Rules) time.Time {
	t := s.Open.First
	if !s.launched() && !s.Waived {
		for _, e := range r.Entries {
			if !e.Optional {
				t = latest(t, s.Entries[e.Pattern].Met)
			}
		}
	}
	return t
}

// launched reports whether the window has a run, or may have one: files that are
// not covered then come late.
func (s *State) launched() bool { return !s.LastPost.IsZero() || !s.CoveredUntil.IsZero() }

// deadline tells when the deadline is to be looked at, zero if no more, and
// notes that files are missing once it has passed.
func (s *State) deadline(r Rules, now time.Time) time.Time {
	if s.launched() || !s.Missing.IsZero() || r.Deadline.IsZero() || !s.Expected && s.Made.After(r.Deadline) {
		return time.Time{}
	}
	if now.Before(r.Deadline) {
		return r.Deadline
	}
	unmet := s.unmet(r)
	if len(unmet) == 0 {
		return time.Time{} // all is there, it is only not quiet
	}
	s.Missing = now
	s.Waived = r.ThenRun
	s.Hold++
	s.notify(Notice{Type: announcement.FilesMissing, At: now, Deadline: r.Deadline, Unmet: unmet, Met: s.met(r), Waived: r.ThenRun})
	return time.Time{}
}

// Front is what is in front of a window in the queue of its config id.
type Front struct {
	// Launch: a launch is under way, which may be blocked. It ends automatically.
	Launch bool
	// RunID is a run that has not ended, Since when its request was sent.
	RunID string
	Since time.Time
	// Unread: the run could not be read, for a reason that passes. It may have
	// ended.
	Unread bool
	// Asked: the operator was asked about this run already.
	Asked bool
}

// IsZero reports whether nothing is in front.
func (f Front) IsZero() bool { return f == Front{} }

// Limit returns when the operator is asked about the run, if it is in front of a
// window or launch that waits since a time.
func (f Front) Limit(since time.Time) time.Time {
	if f.Unread {
		return latest(since, f.Since).Add(MaxUnread)
	}
	return latest(since, f.Since).Add(MaxWait)
}

// Wait decides for a window that would launch while its config id is busy. It
// looks again later, however long the queue takes. If one run is in front for
// [MaxWait], the window is held, which asks the operator once about that run.
func (s *State) Wait(now time.Time, f Front) Decision {
	if f.Launch {
		s.WaitsSince = time.Time{}
		if now.Sub(s.Open.Last) > 30*time.Minute {
			return Decision{At: now.Add(5 * time.Minute)}
		}
		return Decision{At: now.Add(time.Minute)}
	}
	if s.WaitsSince.IsZero() {
		s.WaitsSince = now
	}
	limit := f.Limit(s.WaitsSince)
	if f.Asked {
		limit = time.Time{}
	} else if !now.Before(limit) {
		return Decision{Do: HoldIt, Reason: announcement.ReasonOverlap, RunID: f.RunID}
	}
	again := time.Minute
	if now.Sub(s.WaitsSince) > 30*time.Minute {
		again = 5 * time.Minute
	}
	return Decision{At: earliest(now.Add(again), limit)}
}

// Decide begins the window's next revision, and gives its number. held says
// that a person must let it go.
func (s *State) Decide(r Rules, now time.Time, held bool) int {
	s.Revision++
	s.Launch = &Flight{Revision: s.Revision, Decided: now, Rerun: s.launched() && !held, Files: s.Open}
	s.Open, s.WaitsSince = Files{}, time.Time{}
	// A person may launch it without its route: then nobody knows.
	if !s.Missing.IsZero() && !s.Complete && len(r.Entries) > 0 && len(s.unmet(r)) == 0 {
		s.Complete = true
		s.notify(Notice{Type: announcement.FilesComplete, At: now, Revision: s.Revision, Met: s.met(r)})
	}
	return s.Revision
}

// Outcome is how a launch ended.
type Outcome struct {
	// Revision and Turn are those of the launch.
	Revision, Turn int
	// Started: there is a run.
	Started bool
	// CoveredUntil is, of a launch that started, the instant before which every
	// file is covered.
	CoveredUntil time.Time
	// LastPost is when the last request was sent that may have started a run;
	// zero: there was none.
	LastPost time.Time
	// Answered is, of a launch that ended without a run, how many of the files
	// since its decision were there when it did: these are answered. At is when.
	Answered int
	At       time.Time
}

// Outcome takes in how the launch ended. It reports whether there was anything
// to take in: it may be told twice.
func (s *State) Outcome(o Outcome) bool {
	f := s.Launch
	if f == nil || f.Revision != o.Revision || f.Turn != o.Turn {
		return false
	}
	if o.LastPost.After(s.LastPost) {
		s.LastPost = o.LastPost
		if f.Rerun {
			s.Reruns++
		}
	}
	s.Declined = !o.Started
	if o.Started {
		if o.CoveredUntil.Add(Margin + clockErrorMax).Before(f.Decided) {
			// The run is older than the decision, which then says nothing of what
			// it has: a person has named it, or it was not the launch's after all
			// and another is. Its files count by their times, as those after do.
			s.After = f.Files.and(s.After)
			for i := range s.Marks {
				s.Marks[i].after = true
			}
		}
		s.cover(o.CoveredUntil)
	} else {
		// What came later is not answered, however old it is, and however long
		// it was on its way to the ledger.
		s.reopenWindow(o.At.Add(-Margin), s.After.Count > o.Answered, s.After.Count)
	}
	s.Marks.clearAfter()
	s.Launch, s.After = nil, Files{}
	return true
}

// Since counts the files that came since a launch was decided, which is not
// over for the window.
func (s *State) Since(revision, turn int) int {
	if f := s.Launch; f == nil || f.Revision != revision || f.Turn != turn {
		return 0
	}
	return s.After.Count
}

// clockErrorMax is by how much a time that others have told is surely off, at most.
const clockErrorMax = 10 * time.Second

// cover moves CoveredUntil.
func (s *State) cover(until time.Time) {
	// To the millisecond, as event times are kept.
	s.CoveredUntil = latest(s.CoveredUntil, until.Truncate(time.Millisecond))
	s.reopenWindow(s.CoveredUntil, !s.After.Latest.Before(s.CoveredUntil), s.Marks.after(s.CoveredUntil))
	s.Marks.forget(s.CoveredUntil)
	if s.Fallen.Before(s.CoveredUntil) {
		s.Fallen = time.Time{}
	}
}

// reopenWindow opens the window again for what came since the decision, at most so
// many of it, if any of it remains: none that does came before a time.
func (s *State) reopenWindow(from time.Time, open bool, count int) {
	if s.After.Count == 0 || !open {
		return
	}
	s.Open = s.After
	s.Open.First = latest(s.After.First, from) // none that is open came before
	s.Open.Count = max(1, min(s.After.Count, count))
	s.Open.Old = min(s.Open.Old, s.Open.Count)
	if s.After.Old < s.After.Count {
		s.Open.Old = min(s.Open.Old, s.Open.Count-1) // one at least is new
	}
}

// Reopen makes an ended launch, the window's latest, its launch again. All
// files so far then go with it. The turn is one that the launch never had, so
// that whoever still tells of the former end is not heard. It reports whether
// that can be.
func (s *State) Reopen(revision, turn int, now time.Time) bool {
	if s.Launch != nil || s.Revision != revision {
		return false
	}
	s.Launch = &Flight{Revision: revision, Turn: turn, Decided: now, Files: s.Open}
	s.Open, s.WaitsSince = Files{}, time.Time{}
	return true
}

// Recall takes in the window's latest launch, which the ledger remembers
// although it had forgotten the window. What is open came after it, as far as
// anybody knows. end is how it ended; nil: it goes on.
func (s *State) Recall(revision, turn int, decided time.Time, end *Outcome) {
	s.Revision = revision
	if end != nil && !end.Started {
		s.LastPost = latest(s.LastPost, end.LastPost)
		s.Waived = true // what it had waited for is forgotten
		return
	}
	s.Launch = &Flight{Revision: revision, Turn: turn, Decided: decided}
	s.After, s.Open, s.WaitsSince = s.Open, Files{}, time.Time{}
	for i := range s.Marks {
		s.Marks[i].after = true
	}
	if end != nil {
		s.Outcome(*end)
	}
}

// Abandon decides for a window whose route is gone. An open one is closed,
// some time after the route was last seen, and that is announced; a launch
// that was decided goes on.
func (s *State) Abandon(now time.Time) Decision {
	if s.Launch != nil {
		return Decision{}
	}
	if end := s.RouteSeen.Add(Grace); now.Before(end) {
		return Decision{At: end}
	}
	if s.Open.Count > 0 {
		s.notify(Notice{Type: announcement.WindowAbandoned, At: now, Files: s.Open})
	}
	s.Open, s.WaitsSince = Files{}, time.Time{}
	return Decision{}
}

// earliest is the earlier of two times, of which zero is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
