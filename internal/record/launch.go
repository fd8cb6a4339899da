package record

import (
	"slices"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Result answers how a launch stands.
func (r *LaunchDoc) Result() Result {
	res := Result{Outcome: r.Outcome(), Reason: r.Reason, LaunchKey: r.Key, Run: r.Run, Error: r.Error}
	if r.State == StateHeld || r.State == StateRejected {
		res.Hold = r.Hold
	}
	return res
}

// Duplicate answers for a launch that was known already.
func (r *LaunchDoc) DuplicateResult() Result {
	res := r.Result()
	res.Recorded, res.Outcome = res.Outcome, Duplicate
	return res
}

func (r *LaunchDoc) Outcome() Outcome {
	switch r.State {
	case StateClaimed:
		return Blocked
	case StatePosting, StateUnknown:
		if r.OnlyBusy() {
			return Blocked
		}
		return Unknown
	}
	return Outcome(r.State)
}

// maxRun bounds what is kept of Amperity's answer, in bytes: an item has at
// most 400 KB, and an event less.
const maxRun = 96 << 10

// State is where a launch stands.
type State string

const (
	StateClaimed   State = "claimed"   // it will be carried out; no request is under way
	StatePosting   State = "posting"   // a request may be under way
	StateUnknown   State = "unknown"   // a request was sent, its outcome is not known
	StateStarted   State = "started"   // there is a run
	StateRejected  State = "rejected"  // Amperity refused, or the request is wrong
	StateHeld      State = "held"      // a person decides
	StateDiscarded State = "discarded" // a person has ended it
)

// Final reports whether nothing more happens by itself, and a person has
// nothing to decide.
func (s State) Final() bool { return s == StateStarted || s == StateRejected || s == StateDiscarded }

// LaunchDoc is the document of one launch; docs/ledger.md describes it.
type LaunchDoc struct {
	Format int    `json:"format"`
	Key    string `json:"key"`
	State  State  `json:"state"`
	// Since is when it came into the state.
	Since time.Time `json:"since"`
	// Claimed is when it came to be.
	Claimed time.Time `json:"claimed"`
	// Lease is until when the one who works on it may do so undisturbed.
	Lease time.Time `json:"lease,omitzero"`

	InputHash string              `json:"input_hash,omitempty"`
	Cause     announcement.Cause  `json:"cause"`
	Request   amperity.RunRequest `json:"request"`
	Resource  string              `json:"resource,omitempty"`
	// Samples are some of the files, as s3://bucket/key, of a launch for files
	// with implausible dates.
	Samples   []string  `json:"samples,omitempty"`
	IfUnknown IfUnknown `json:"if_unknown"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	// NotBefore is the earliest time for the request, of a window's launch.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Window is the key of the window's item, Revision the window's.
	Window   string `json:"window,omitempty"`
	Revision int    `json:"revision,omitempty"`
	// Turn counts how often the launch became the window's again.
	Turn int `json:"turn,omitempty"`

	// Posts are the times of the requests that may have started a run; each is
	// noted before it is sent, and taken out if it certainly was not processed.
	Posts []time.Time `json:"posts,omitempty"`
	// Busy are those of Posts that were answered with 409. A gateway may have sent
	// an earlier copy of the request, so that the launch's own run is in the way.
	Busy []time.Time `json:"busy,omitempty"`
	// Looked is what the lists of runs have told so far, of an unknown launch.
	Looked Lookup `json:"looked,omitzero"`
	// Blocked is why and since when it cannot be sent.
	Blocked Blockage `json:"blocked,omitzero"`

	Run *amperity.Run `json:"run,omitempty"`
	// RunCut: Run lacks something for its size.
	RunCut bool `json:"run_cut,omitempty"`
	// Others are further runs of the launch, and runs that may be its own.
	Others []OtherRun `json:"others,omitempty"`
	// Adopted: the run was found, not answered.
	Adopted bool `json:"adopted,omitempty"`
	// CoveredUntil is the instant before which the run has every file.
	CoveredUntil time.Time `json:"covered_until,omitzero"`

	Reason     string                   `json:"reason,omitempty"`
	Error      *announcement.Error      `json:"error,omitempty"`
	Candidates []announcement.Candidate `json:"candidates,omitempty"`
	// Answered counts the files that had come for the window since the decision
	// when the launch ended without a run.
	Answered int `json:"answered,omitempty"`
	// Hold counts how often a person was asked.
	Hold int `json:"hold,omitempty"`
	// Declined are runs that the operator has ruled out by a release.
	Declined []string `json:"declined,omitempty"`
	// ByHand: the operator has given the launch a run that the stack's API key has
	// not started, so that each of Posts may have started another one.
	ByHand bool `json:"by_hand,omitempty"`
	// Released: a person said to start it, after so many of Posts.
	Released      bool `json:"released,omitempty"`
	ReleasedAfter int  `json:"released_after,omitempty"`
	// Queued: an operator released it while another run was in the way. It is
	// sent once the config id is free.
	Queued bool `json:"queued,omitempty"`

	// Told: the window has taken in the state. Announced: the event bus has.
	WindowUpdated bool `json:"told,omitempty"`
	Announced     bool `json:"announced,omitempty"`
}

// Lookup is what lists of runs have told of an unknown launch.
type Lookup struct {
	// Undecided is when a list first decided nothing since the last request. Empty
	// is when the lists began to show no candidate.
	Empty     time.Time `json:"empty,omitzero"`
	Undecided time.Time `json:"undecided,omitzero"`
}

// Blockage is why a launch cannot be sent.
type Blockage struct {
	Since    time.Time `json:"since,omitzero"`
	Attempts int       `json:"attempts,omitempty"`
	// Told is the reason that was announced last, once it lasted.
	Announced string `json:"told,omitempty"`
}

// OtherRun is a further run of a launch.
type OtherRun struct {
	RunID string `json:"run_id"`
	// Run is the run until it has been announced.
	Run *amperity.Run `json:"run,omitempty"`
	// Hold is set for a run that may be another launch's: it is the number of the
	// announcement that names it.
	Hold int `json:"hold,omitempty"`
}

// Launch is a launch as it was read or written last, on its way to the next write.
type Launch struct {
	Item ledger.Item
	LaunchDoc
}

// MaySucceed reports whether a run may exist that nobody knows of.
func (r *LaunchDoc) MayHaveRun() bool { return len(r.Posts) > 0 && r.Run == nil }

// Unaccounted returns how many of Posts may have started a run that is unknown.
func (r *LaunchDoc) Unaccounted() int {
	known := 0
	if r.Run != nil && !r.ByHand {
		known++
	}
	for _, o := range r.Others {
		if o.Hold == 0 {
			known++
		}
	}
	return max(0, len(r.Posts)-known)
}

// Mark adds a request that is about to be sent to Posts. What was known of the
// launch no longer counts.
func (r *LaunchDoc) Mark(now time.Time) {
	r.Posts = append(slices.Clip(r.Posts), now)
	r.Looked, r.Error, r.Reason, r.Candidates, r.Queued = Lookup{}, nil, "", nil, false
}

// Unmark takes the latest request out of Posts: it was certainly not processed.
func (r *LaunchDoc) Unmark() { r.Posts = r.Posts[:len(r.Posts)-1] }

// AddRun adds a run to those of a launch that has one.
func (r *LaunchDoc) AddRun(run *amperity.Run) {
	r.Others = slices.DeleteFunc(slices.Clone(r.Others), func(o OtherRun) bool { return o.RunID == run.ID })
	r.AddOther(run, 0)
}

// AddOther adds a run to Others. hold is as of [otherRun].
func (r *LaunchDoc) AddOther(run *amperity.Run, hold int) {
	most := maxRun / 4
	if hold > 0 {
		most = maxRun / 48 // only its candidate is announced
	}
	bounded, _ := announcement.BoundedRun(run, most)
	r.Others = append(r.Others, OtherRun{run.ID, bounded, hold})
}

// Has reports whether a run is one of the launch's.
func (r *LaunchDoc) HasRun(runID string) bool {
	return r.Run != nil && r.Run.ID == runID || slices.ContainsFunc(r.Others, func(o OtherRun) bool { return o.RunID == runID && o.Hold == 0 })
}

// Names reports whether an event has named a run to the operator, or will.
func (r *LaunchDoc) NamesRun(runID string) bool {
	return slices.ContainsFunc(r.Candidates, func(c announcement.Candidate) bool { return c.ID == runID }) ||
		slices.ContainsFunc(r.Others, func(o OtherRun) bool { return o.RunID == runID })
}

// OnlyBusy reports whether each request was answered with 409.
func (r *LaunchDoc) OnlyBusy() bool { return len(r.Busy) > 0 && len(r.Busy) == len(r.Posts) }

// ForgetBusy drops the requests that were answered with 409: they have certainly
// started no run.
func (r *LaunchDoc) ForgetBusy() {
	r.Posts = slices.DeleteFunc(slices.Clone(r.Posts), func(t time.Time) bool { return slices.ContainsFunc(r.Busy, t.Equal) })
	r.Busy = nil
}

// Delivered reports whether the window and the event bus know how the launch
// stands.
func (r *LaunchDoc) Delivered() bool {
	return r.WindowUpdated && r.Announced && !slices.ContainsFunc(r.Others, func(o OtherRun) bool { return o.Run != nil })
}

// Pending reports whether a person has said to send the request, and that could
// not be done yet.
func (r *LaunchDoc) ReleasePending() bool { return r.Released && len(r.Posts) <= r.ReleasedAfter }

// TooLate reports whether the run is no longer wanted without a person's word,
// or another one.
func (r *LaunchDoc) TooLate(now time.Time) bool { return !r.NotAfter.IsZero() && now.After(r.NotAfter) }

// To changes the state.
func (r *LaunchDoc) SetState(s State, now time.Time) {
	if r.State != s {
		r.Since = now
	}
	r.State = s
	r.Announced, r.WindowUpdated = false, r.Window == "" || !s.Final()
}

// Keep stores Amperity's answer, as far as there is room for it.
func (r *LaunchDoc) KeepRun(run *amperity.Run) {
	r.Run, r.RunCut = announcement.BoundedRun(run, maxRun)
}

// DecodeLaunch reads the document of a launch.
func DecodeLaunch(item ledger.Item) (*Launch, error) {
	j := &Launch{Item: item}
	if err := Decode(item, &j.LaunchDoc, func() int { return j.Format }); err != nil {
		return nil, err
	}
	return j, nil
}

// SetRun makes the record that of a launch with a run, whose request was sent
// at a time.
func (r *LaunchDoc) SetRun(run *amperity.Run, posted, now time.Time) {
	r.SetState(StateStarted, now)
	r.KeepRun(run)
	r.CoveredUntil = posted.Add(-window.Margin)
	r.Reason, r.Error, r.Candidates, r.Blocked, r.Looked = "", nil, nil, Blockage{}, Lookup{}
}

func (r *LaunchDoc) LastPost() time.Time {
	if len(r.Posts) == 0 {
		return time.Time{}
	}
	return r.Posts[len(r.Posts)-1]
}

// WindowOutcome is how a launch ended, for its window.
func (r *LaunchDoc) WindowOutcome() window.Outcome {
	return window.Outcome{Revision: r.Revision, Turn: r.Turn, Started: r.State == StateStarted, CoveredUntil: r.CoveredUntil, LastPost: r.LastPost(), Answered: r.Answered, At: r.Since}
}

// Write gives the launch's item as it is to be written, due at a time; zero:
// never.
func (j *Launch) NextItem(due time.Time) (ledger.Item, error) {
	doc, err := Encode(&j.LaunchDoc)
	if err != nil {
		return ledger.Item{}, err
	}
	item := ledger.Item{Key: j.Item.Key, Version: j.Item.Version, Due: due, Doc: doc}
	switch {
	case j.State == StateHeld:
		item.Held = j.Since
	case j.State.Final() && due.IsZero():
		item.Expires = j.Since.Add(KeptFor)
	}
	return item, nil
}

func (j *Launch) setWritten(item ledger.Item) {
	item.Version++
	j.Item = item
}
