// Package window decides when a window gets a run. It takes in the files that
// arrive, the time and the outcome of each launch, and returns what to do.
//
// A window is one config id and one period, a day or an hour. Its [State] is
// small and of constant size, however many files there are. [State.Fold] takes
// in arrivals. [State.Evaluate] decides. [State.Decide] begins a launch, and
// [State.Outcome] ends it. Nothing here does I/O or reads a clock. Each
// function may be called again with the same facts.
//
// # What is promised
//
//   - A window has at most one launch in flight. Meanwhile it takes in arrivals
//     and decides nothing.
//   - Every arrival that no policy of the route holds or ignores is covered by
//     a launch whose request was sent after the file was there. Either the
//     window took it in before it decided the launch, or its event time is
//     before CoveredUntil, or the window opens again for it.
//   - A duplicate of an arrival changes nothing while the window keeps the
//     arrival's hash. It keeps the [MaxMarks] latest arrivals that have a
//     version id or are not before CoveredUntil.
//   - A window launches once per revision. It runs again automatically at most
//     [MaxReruns] times, at least [Spacing] after the last request that may
//     have started a run.
package window

import (
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
)

const (
	// Margin is how far CoveredUntil lies before the request of the launch. It
	// allows 2 s for S3's clock, 2 s for ours, and 1 s because EventBridge cuts
	// times to the second.
	Margin = 5 * time.Second
	// Lead is the least time between the latest event time of a window's files
	// and its request. CoveredUntil is then after that event time. So the run
	// covers every file dated no later, even if its event arrives after the
	// others.
	Lead = Margin + time.Second
	// MaxMarks is how many arrivals a window distinguishes from their
	// duplicates.
	MaxMarks = 256
	// MaxSamples is how many files a window keeps by name, within
	// MaxSampleBytes for all names together. A key may have 1,024 bytes, each
	// byte may take six in JSON, and the ledger takes documents of 400 KB.
	MaxSamples     = 20
	MaxSampleBytes = 4 << 10
	// MaxReruns is how often a window runs again automatically.
	MaxReruns = 3
	// Spacing is the least time between two requests that may start runs of a
	// window. It is 15 minutes, plus 30 seconds because the count starts
	// shortly before the first request, on another instance's clock.
	Spacing = 15*time.Minute + 30*time.Second
	// MaxWait is how long one run may be in front of a window before the operator
	// is asked about that run.
	MaxWait = 12 * time.Hour
	// MaxUnread is the same for a run that cannot be read. It is longer than an
	// outage of days.
	MaxUnread = 72 * time.Hour
	// Memory is the least time for which the ledger remembers ended launches
	// and windows. An older arrival may have had its run, so the operator
	// decides.
	Memory = 45 * 24 * time.Hour
	// Grace is how long an open window outlives its route, because the
	// functions are not deployed in the same second.
	Grace = time.Hour
)

// Late is the policy for files that arrive after the launch of their window.
type Late string

// The values of Late.
const (
	Rerun  Late = "rerun"
	Hold   Late = "hold"
	Ignore Late = "ignore"
)

// Rules are the rules of a route for one window.
type Rules struct {
	// Hash distinguishes versions of the route.
	Hash string
	// Entries are the entries of the route's files. A window waits for each
	// that is not optional.
	Entries []Entry
	// Settle is how long no file may arrive before the window launches. With 0
	// it launches immediately, and its request waits for [Lead].
	Settle time.Duration
	// Length is the longest wait for quiet, counted from the first file. It is
	// as long as the period.
	Length time.Duration
	// Late is the policy for files after the launch.
	Late Late
	// Deadline is when the files are due; zero if the route has no deadline.
	Deadline time.Time
	// ThenRun: after the deadline the window no longer waits for missing files.
	ThenRun bool
	// HoldReason is the reason to hold the window as soon as a file arrives.
	// It is empty if there is none.
	HoldReason string
	// EntryOf returns the pattern of the entry that a file counts toward, or
	// "". It is called for files received before the route changed.
	EntryOf func(bucket, key string) string
}

// Entry is one entry of a route's files.
type Entry struct {
	// Pattern names it.
	Pattern string `json:"pattern"`
	// Count is how many distinct keys meet the entry.
	Count int `json:"count"`
	// Optional: no window waits for the entry.
	Optional bool `json:"optional,omitempty"`
}

// Arrival is one file of the window.
type Arrival struct {
	// Entry is the pattern of the entry that the file counts toward.
	Entry string
	// Bucket and Key name the file. Version distinguishes two uploads of it.
	Bucket, Key, Version string
	// Versioned: Version is S3's version id. A file with the same key and
	// version id in another bucket is a replica, and counts as a duplicate.
	Versioned bool
	// EventTime is the event's own time.
	EventTime time.Time
}

// Action is what to do about a window.
type Action int

const (
	// Nothing: do nothing until Decision.At.
	Nothing Action = iota
	// Launch: launch the window's next revision.
	Launch
	// HoldIt: create the window's next revision as a held launch.
	HoldIt
)

// Decision is what to do about a window.
type Decision struct {
	Do Action
	// At is when to look again if Do is Nothing; zero means when a file
	// arrives.
	At time.Time
	// Reason is why the window is held, one of the reasons of package
	// announcement. With the reason overlap, RunID is the run in front.
	Reason, RunID string
	// Ignored counts the files that the route's policy has just ignored.
	Ignored int
	// RouteChanged: the route has changed since the last Evaluate.
	RouteChanged bool
}

// Evaluate decides by the route's rules and the time. It records in the state
// what it cannot derive again: a passed deadline and ignored files. The caller
// stores the state. Before a launch the caller checks whether the config id is
// idle, and calls [State.Wait] or [State.Decide].
func (s *State) Evaluate(r Rules, now time.Time) Decision {
	var d Decision
	d.RouteChanged = s.see(r, now)
	if s.Launch != nil {
		return d
	}
	if r.HoldReason != "" {
		if s.Open.Count > 0 {
			d.Do, d.Reason = HoldIt, r.HoldReason
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
		// The next look notices a route that was edited or removed. The longer
		// a window has waited, the rarer the looks are.
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

// see records that the route exists, and reports whether it has changed.
func (s *State) see(r Rules, now time.Time) bool {
	changed := s.RouteHash != "" && s.RouteHash != r.Hash
	// RouteSeen is good for an hour, so it need not be written each time.
	if s.RouteHash != r.Hash || now.Sub(s.RouteSeen) > Grace/4 {
		s.RouteSeen = now
	}
	s.RouteHash = r.Hash
	if changed {
		s.migrateEntries(r, now)
	}
	return changed
}

// waits reports whether the window waits for files before its first run. A
// discarded launch does not count as a run. If all files came for entries that
// the route no longer has, the window does not wait and launches with these
// files.
func (s *State) waits(r Rules) bool {
	return !s.launched() && !s.Waived && len(s.unmet(r)) > 0 && !s.empty(r)
}

// quietSince returns when the quiet period starts: at the first uncovered file,
// or when the last required entry was met, whichever is later.
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

// launched reports whether the window has a run, or may have one. Uncovered
// files are late then.
func (s *State) launched() bool { return !s.LastPost.IsZero() || !s.CoveredUntil.IsZero() }

// deadline returns when to look at the deadline, or zero if no longer. Once the
// deadline has passed it records that files are missing.
func (s *State) deadline(r Rules, now time.Time) time.Time {
	if s.launched() || !s.Missing.IsZero() || r.Deadline.IsZero() || !s.Expected && s.Made.After(r.Deadline) {
		return time.Time{}
	}
	if now.Before(r.Deadline) {
		return r.Deadline
	}
	unmet := s.unmet(r)
	if len(unmet) == 0 {
		return time.Time{} // every file is there; the window waits for quiet
	}
	s.Missing = now
	s.Waived = r.ThenRun
	s.HoldNumber++
	s.notify(Notice{Type: announcement.FilesMissing, At: now, Deadline: r.Deadline, Unmet: unmet, Met: s.met(r), Waived: r.ThenRun})
	return time.Time{}
}

// Front is the launch or run in front of a window in the queue of its config
// id.
type Front struct {
	// Launch: a launch is in flight, and may be blocked. It ends automatically.
	Launch bool
	// RunID is a run that has not ended. Since is when its request was sent.
	RunID string
	Since time.Time
	// Unread: the run could not be read, for a temporary reason. It may have
	// ended.
	Unread bool
	// Asked: the operator has already been asked about this run.
	Asked bool
}

// IsZero reports whether nothing is in front.
func (f Front) IsZero() bool { return f == Front{} }

// Limit returns when to ask the operator about the run, if a window or launch
// has waited for it since the given time.
func (f Front) Limit(since time.Time) time.Time {
	if f.Unread {
		return latest(since, f.Since).Add(MaxUnread)
	}
	return latest(since, f.Since).Add(MaxWait)
}

// Wait decides for a window that would launch while its config id is busy. It
// looks again later, however long the queue takes. If one run is in front until
// its [Front.Limit], the window is held, which asks the operator once about
// that run.
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

// Decide begins the window's next revision and returns its number. held reports
// whether the operator must release it.
func (s *State) Decide(r Rules, now time.Time, held bool) int {
	s.Revision++
	s.Launch = &Flight{Revision: s.Revision, Decided: now, Rerun: s.launched() && !held, Files: s.Open}
	s.Open, s.WaitsSince = Files{}, time.Time{}
	// The operator may launch the window without its route. Whether its files
	// are complete is unknown then.
	if !s.Missing.IsZero() && !s.Complete && len(r.Entries) > 0 && len(s.unmet(r)) == 0 {
		s.Complete = true
		s.notify(Notice{Type: announcement.FilesComplete, At: now, Revision: s.Revision, Met: s.met(r)})
	}
	return s.Revision
}

// Outcome is how a launch ended.
type Outcome struct {
	// Revision and Turn identify the launch.
	Revision, Turn int
	// Started: the launch has a run.
	Started bool
	// CoveredUntil is the instant before which the run covers every file. Only
	// a started launch has it.
	CoveredUntil time.Time
	// LastPost is when the last request that may have started a run was sent;
	// zero if there was none.
	LastPost time.Time
	// Answered is how many files had arrived between the decision and the end
	// of a launch that ended without a run. They need no launch of their own.
	// At is when the launch ended.
	Answered int
	At       time.Time
}

// Outcome takes in how the launch ended. It reports whether that was news,
// because it may be called twice.
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
		if o.CoveredUntil.Add(Margin + ClockErrorMax).Before(f.Decided) {
			// The run is older than the decision: the operator adopted it, or
			// it replaces a run that was not the launch's. The decision does
			// not show which files it covers. Its files count by their times,
			// like those after it.
			s.After = f.Files.and(s.After)
			for i := range s.Marks {
				s.Marks[i].after = true
			}
		}
		s.cover(o.CoveredUntil)
	} else {
		// Files that came later are not answered, whatever their age and
		// however long they took to reach the ledger.
		s.reopenWindow(o.At.Add(-Margin), s.After.Count > o.Answered, s.After.Count)
	}
	s.Marks.clearAfter()
	s.Launch, s.After = nil, Files{}
	return true
}

// Since counts the files that arrived since the decision of a launch that the
// window still has in flight.
func (s *State) Since(revision, turn int) int {
	if f := s.Launch; f == nil || f.Revision != revision || f.Turn != turn {
		return 0
	}
	return s.After.Count
}

// ClockErrorMax bounds the error of times reported by other systems.
const ClockErrorMax = 10 * time.Second

// cover moves CoveredUntil forward.
func (s *State) cover(until time.Time) {
	// Event times have a precision of one millisecond.
	s.CoveredUntil = latest(s.CoveredUntil, until.Truncate(time.Millisecond))
	s.reopenWindow(s.CoveredUntil, !s.After.Latest.Before(s.CoveredUntil), s.Marks.after(s.CoveredUntil))
	s.Marks.forget(s.CoveredUntil)
	if s.Fallen.Before(s.CoveredUntil) {
		s.Fallen = time.Time{}
	}
}

// reopenWindow reopens the window with the files received since the decision,
// at most count of them, if open says that some are uncovered. No file left
// open arrived before from.
func (s *State) reopenWindow(from time.Time, open bool, count int) {
	if s.After.Count == 0 || !open {
		return
	}
	s.Open = s.After
	s.Open.First = latest(s.After.First, from) // no open file arrived before
	s.Open.Count = max(1, min(s.After.Count, count))
	s.Open.Old = min(s.Open.Old, s.Open.Count)
	if s.After.Old < s.After.Count {
		s.Open.Old = min(s.Open.Old, s.Open.Count-1) // at least one is new
	}
}

// Reopen makes the window's latest launch, which has ended, its launch in
// flight again. All files so far belong to it then. The turn is a new one, so
// that a late report of the former end has no effect. Reopen reports whether it
// was possible.
func (s *State) Reopen(revision, turn int, now time.Time) bool {
	if s.Launch != nil || s.Revision != revision {
		return false
	}
	s.Launch = &Flight{Revision: revision, Turn: turn, Decided: now, Files: s.Open}
	s.Open, s.WaitsSince = Files{}, time.Time{}
	return true
}

// Recall takes in the window's latest launch, if the ledger has forgotten the
// window but still has the launch. It assumes that the open files came after
// the launch. end is how the launch ended, or nil if it is in flight.
func (s *State) Recall(revision, turn int, decided time.Time, end *Outcome) {
	s.Revision = revision
	if end != nil && !end.Started {
		s.LastPost = latest(s.LastPost, end.LastPost)
		s.Waived = true // the ledger has forgotten which files it had waited for
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

// Abandon decides for a window whose route is gone. [Grace] after the route was
// last seen it closes an open window and announces that. A launch in flight
// continues.
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

// earliest returns the earlier of two times. Zero counts as no time.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
