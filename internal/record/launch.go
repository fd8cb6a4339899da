package record

import (
	"slices"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Result returns the state of the launch as an answer.
func (r *LaunchDoc) Result() Result {
	res := Result{Outcome: r.Outcome(), Reason: r.Reason, LaunchKey: r.Key, Run: r.Run, Error: r.Error}
	if r.State == StateHeld || r.State == StateRejected {
		res.HoldNumber = r.HoldNumber
	}
	return res
}

// DuplicateResult returns the answer to a repeated delivery of the launch.
func (r *LaunchDoc) DuplicateResult() Result {
	res := r.Result()
	res.Recorded, res.Outcome = res.Outcome, Duplicate
	return res
}

// Outcome returns the state of the launch in the words of the functions'
// answers.
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

// maxRun bounds the stored run, in bytes: an item has at most 400 KB, and an
// event less.
const maxRun = 96 << 10

// State is the state of a launch.
type State string

const (
	StateClaimed   State = "claimed"   // the request will be sent; none is in flight
	StatePosting   State = "posting"   // a request may be in flight
	StateUnknown   State = "unknown"   // a request was sent, and its outcome is unknown
	StateStarted   State = "started"   // the launch has a run
	StateRejected  State = "rejected"  // Amperity refused the request, or the request is wrong
	StateHeld      State = "held"      // the operator decides
	StateDiscarded State = "discarded" // the operator has ended the launch
)

// Final reports whether the launch has ended: it does not wait for the sweep or
// for the operator.
func (s State) Final() bool { return s == StateStarted || s == StateRejected || s == StateDiscarded }

// LaunchDoc is the document of one launch; docs/ledger.md describes it.
type LaunchDoc struct {
	Format int    `json:"format"`
	Key    string `json:"key"`
	State  State  `json:"state"`
	// Since is when the launch entered its state.
	Since time.Time `json:"since"`
	// Claimed is when the launch was created.
	Claimed time.Time `json:"claimed"`
	// Lease is until when the sweep leaves the launch to its owner.
	Lease time.Time `json:"lease,omitzero"`

	InputHash string              `json:"input_hash,omitempty"`
	Cause     announcement.Cause  `json:"cause"`
	Request   amperity.RunRequest `json:"request"`
	Resource  string              `json:"resource,omitempty"`
	// Samples are some of the files, as s3://bucket/key. Only a launch for
	// files with implausible dates has them.
	Samples   []string  `json:"samples,omitempty"`
	IfUnknown IfUnknown `json:"if_unknown"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	// NotBefore is the earliest time for the request of a window's launch.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Window is the key of the window's item. Revision is the launch's number
	// within the window.
	Window   string `json:"window,omitempty"`
	Revision int    `json:"revision,omitempty"`
	// Turn counts how often the launch became the window's current launch
	// again.
	Turn int `json:"turn,omitempty"`

	// Posts are the times of the requests that may have started a run. Each
	// time is recorded before the request is sent, and removed if the request
	// was certainly not processed.
	Posts []time.Time `json:"posts,omitempty"`
	// Busy are the times in Posts whose requests were answered with 409. A
	// gateway may have sent an earlier copy of such a request, so that the
	// launch's own run is in the way.
	Busy []time.Time `json:"busy,omitempty"`
	// Looked is the result of the lookups of an unknown launch so far.
	Looked Lookup `json:"looked,omitzero"`
	// Blocked is why and since when the request cannot be sent.
	Blocked Blockage `json:"blocked,omitzero"`

	Run *amperity.Run `json:"run,omitempty"`
	// RunCut: fields of Run were dropped because of its size.
	RunCut bool `json:"run_cut,omitempty"`
	// Others are further runs of the launch, and runs that may be further runs
	// of it.
	Others []OtherRun `json:"others,omitempty"`
	// Adopted: the run was found in a list, or named by the operator. It is not
	// Amperity's answer to the launch's request.
	Adopted bool `json:"adopted,omitempty"`
	// CoveredUntil: the run covers every file that arrived before this instant.
	CoveredUntil time.Time `json:"covered_until,omitzero"`

	Reason     string                   `json:"reason,omitempty"`
	Error      *announcement.Error      `json:"error,omitempty"`
	Candidates []announcement.Candidate `json:"candidates,omitempty"`
	// Answered is how many files had arrived between the decision and the end
	// of a launch that ended without a run. They need no launch of their own.
	Answered int `json:"answered,omitempty"`
	// HoldNumber counts how often the operator was asked.
	HoldNumber int `json:"hold,omitempty"`
	// Declined are runs that the operator has ruled out by a release.
	Declined []string `json:"declined,omitempty"`
	// ByHand: the operator has named a run that the stack's API key has not
	// started. Each of Posts may have started another run.
	ByHand bool `json:"by_hand,omitempty"`
	// Released: the operator has released the launch. ReleasedAfter is the
	// number of Posts at that time.
	Released      bool `json:"released,omitempty"`
	ReleasedAfter int  `json:"released_after,omitempty"`
	// Queued: the operator released the launch from a hold for overlap. Its
	// request is sent once nothing is in front of it.
	Queued bool `json:"queued,omitempty"`

	// WindowUpdated: the window has taken in the state. Announced: the event
	// bus has accepted its announcement.
	WindowUpdated bool `json:"told,omitempty"`
	Announced     bool `json:"announced,omitempty"`
}

// Lookup is the result of the lookups of an unknown launch since its last
// request.
type Lookup struct {
	// Empty is when the lists began to show no candidate. Undecided is when a
	// lookup first decided nothing.
	Empty     time.Time `json:"empty,omitzero"`
	Undecided time.Time `json:"undecided,omitzero"`
}

// Blockage is why and since when the request of a launch cannot be sent.
type Blockage struct {
	Since    time.Time `json:"since,omitzero"`
	Attempts int       `json:"attempts,omitempty"`
	// Announced is the reason that was last announced or, for a launch that may
	// have a run, logged.
	Announced string `json:"told,omitempty"`
}

// OtherRun is a further run of a launch, or a run that may be one.
type OtherRun struct {
	RunID string `json:"run_id"`
	// Run is the run until it has been announced.
	Run *amperity.Run `json:"run,omitempty"`
	// HoldNumber is the number of the announcement that names a run that may
	// belong to another launch. It is 0 for a run that is certainly the
	// launch's.
	HoldNumber int `json:"hold,omitempty"`
}

// Launch is the document of a launch, with its item as last read or written.
type Launch struct {
	Item ledger.Item
	LaunchDoc
	// config is the item of the config id as this process last read or wrote
	// it, or nil. It may be stale. A write then meets a conflict, which has the
	// current item.
	config *ledger.Item
}

// MayHaveRun reports whether the launch has no known run but may have started
// one.
func (r *LaunchDoc) MayHaveRun() bool { return len(r.Posts) > 0 && r.Run == nil }

// Unaccounted returns how many of Posts may have started an unknown run.
func (r *LaunchDoc) Unaccounted() int {
	known := 0
	if r.Run != nil && !r.ByHand {
		known++
	}
	for _, o := range r.Others {
		if o.HoldNumber == 0 {
			known++
		}
	}
	return max(0, len(r.Posts)-known)
}

// Mark adds a request that is about to be sent to Posts. It clears what earlier
// requests and lookups have left.
func (r *LaunchDoc) Mark(now time.Time) {
	r.Posts = append(slices.Clip(r.Posts), now)
	r.Looked, r.Error, r.Reason, r.Candidates, r.Queued = Lookup{}, nil, "", nil, false
}

// Unmark removes the latest request from Posts: it was certainly not processed.
func (r *LaunchDoc) Unmark() { r.Posts = r.Posts[:len(r.Posts)-1] }

// AddRun adds a further run to a launch that has a run.
func (r *LaunchDoc) AddRun(run *amperity.Run) {
	r.Others = slices.DeleteFunc(slices.Clone(r.Others), func(o OtherRun) bool { return o.RunID == run.ID })
	r.AddOther(run, 0)
}

// AddOther adds a run to Others. hold is [OtherRun.HoldNumber].
func (r *LaunchDoc) AddOther(run *amperity.Run, hold int) {
	most := maxRun / 4
	if hold > 0 {
		most = maxRun / 48 // only its candidate is announced
	}
	bounded, _ := announcement.BoundedRun(run, most)
	r.Others = append(r.Others, OtherRun{run.ID, bounded, hold})
}

// HasRun reports whether a run is certainly the launch's.
func (r *LaunchDoc) HasRun(runID string) bool {
	return r.Run != nil && r.Run.ID == runID || slices.ContainsFunc(r.Others, func(o OtherRun) bool { return o.RunID == runID && o.HoldNumber == 0 })
}

// NamesRun reports whether an event names a run to the operator, or will.
func (r *LaunchDoc) NamesRun(runID string) bool {
	return slices.ContainsFunc(r.Candidates, func(c announcement.Candidate) bool { return c.ID == runID }) ||
		slices.ContainsFunc(r.Others, func(o OtherRun) bool { return o.RunID == runID })
}

// OnlyBusy reports whether every request in Posts was answered with 409.
func (r *LaunchDoc) OnlyBusy() bool { return len(r.Busy) > 0 && len(r.Busy) == len(r.Posts) }

// ForgetBusy removes the requests that were answered with 409 from Posts. The
// caller knows that they have started no run.
func (r *LaunchDoc) ForgetBusy() {
	r.Posts = slices.DeleteFunc(slices.Clone(r.Posts), func(t time.Time) bool { return slices.ContainsFunc(r.Busy, t.Equal) })
	r.Busy = nil
}

// Delivered reports whether the window has taken in the state, and every
// announcement was accepted.
func (r *LaunchDoc) Delivered() bool {
	return r.WindowUpdated && r.Announced && !slices.ContainsFunc(r.Others, func(o OtherRun) bool { return o.Run != nil })
}

// ReleasePending reports whether the operator has released the launch, and its
// request could not be sent yet.
func (r *LaunchDoc) ReleasePending() bool { return r.Released && len(r.Posts) <= r.ReleasedAfter }

// TooLate reports whether NotAfter has passed: the run then needs a release by
// the operator, or another one.
func (r *LaunchDoc) TooLate(now time.Time) bool { return !r.NotAfter.IsZero() && now.After(r.NotAfter) }

// SetState changes the state. The new state is to be announced, and the window
// of an ended launch is to be updated.
func (r *LaunchDoc) SetState(s State, now time.Time) {
	if r.State != s {
		r.Since = now
	}
	r.State = s
	r.Announced, r.WindowUpdated = false, r.Window == "" || !s.Final()
}

// KeepRun stores a run, cut to maxRun.
func (r *LaunchDoc) KeepRun(run *amperity.Run) {
	r.Run, r.RunCut = announcement.BoundedRun(run, maxRun)
}

// DecodeLaunch decodes the document of a launch.
func DecodeLaunch(item ledger.Item) (*Launch, error) {
	j := &Launch{Item: item}
	if err := Decode(item, &j.LaunchDoc, func() int { return j.Format }); err != nil {
		return nil, err
	}
	return j, nil
}

// SetRun makes the launch started with a run. posted is when its request was
// sent.
func (r *LaunchDoc) SetRun(run *amperity.Run, posted, now time.Time) {
	r.SetState(StateStarted, now)
	r.KeepRun(run)
	r.CoveredUntil = posted.Add(-window.Margin)
	r.Reason, r.Error, r.Candidates, r.Blocked, r.Looked = "", nil, nil, Blockage{}, Lookup{}
}

// LastPost returns the last of Posts, or the zero time.
func (r *LaunchDoc) LastPost() time.Time {
	if len(r.Posts) == 0 {
		return time.Time{}
	}
	return r.Posts[len(r.Posts)-1]
}

// WindowOutcome returns how the launch ended, for its window.
func (r *LaunchDoc) WindowOutcome() window.Outcome {
	return window.Outcome{Revision: r.Revision, Turn: r.Turn, Started: r.State == StateStarted, CoveredUntil: r.CoveredUntil, LastPost: r.LastPost(), Answered: r.Answered, At: r.Since}
}

// NextItem returns the item to write for the launch. The item falls due at due;
// zero means never.
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

// setWritten takes in that item was written.
func (j *Launch) setWritten(item ledger.Item) {
	item.Version++
	j.Item = item
}

// setConfigWritten keeps the item of the config id after it was written.
func (j *Launch) setConfigWritten(item ledger.Item) {
	item.Version++
	j.config = &item
}
