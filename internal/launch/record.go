package launch

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// The kinds of items, as their keys begin.
const (
	launchPrefix = "launch/"
	windowPrefix = "window/"
	configPrefix = "config/"
	runPrefix    = "run/"
)

// format is the version of the documents' form.
const format = 1

// maxRun bounds what is kept of Amperity's answer, in bytes: an item has at
// most 400 KB, and an event less.
const maxRun = 96 << 10

// state is where a launch stands.
type state string

const (
	claimed   state = "claimed"   // it will be carried out; no request is under way
	posting   state = "posting"   // a request may be under way
	unknown   state = "unknown"   // a request was sent, its outcome is not known
	started   state = "started"   // there is a run
	rejected  state = "rejected"  // Amperity refused, or the request is wrong
	held      state = "held"      // a person decides
	discarded state = "discarded" // a person has ended it
)

// over reports whether nothing more happens by itself, and a person has
// nothing to decide.
func (s state) over() bool { return s == started || s == rejected || s == discarded }

// record is the document of one launch; docs/ledger.md describes it.
type record struct {
	Format int    `json:"format"`
	Key    string `json:"key"`
	State  state  `json:"state"`
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
	Looked looked `json:"looked,omitzero"`
	// Blocked is why and since when it cannot be sent.
	Blocked blocked `json:"blocked,omitzero"`

	Run *amperity.Run `json:"run,omitempty"`
	// RunCut: Run lacks something for its size.
	RunCut bool `json:"run_cut,omitempty"`
	// Others are further runs of the launch, and runs that may be its own.
	Others []otherRun `json:"others,omitempty"`
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
	Told      bool `json:"told,omitempty"`
	Announced bool `json:"announced,omitempty"`
}

// looked is what lists of runs have told of an unknown launch.
type looked struct {
	// Empty is when a list first showed no candidate, Undecided when one first
	// decided nothing, since the last request.
	Empty     time.Time `json:"empty,omitzero"`
	Undecided time.Time `json:"undecided,omitzero"`
}

// blocked is why a launch cannot be sent.
type blocked struct {
	Since    time.Time `json:"since,omitzero"`
	Attempts int       `json:"attempts,omitempty"`
	// Told is the reason that was announced last, once it lasted.
	Told string `json:"told,omitempty"`
}

// otherRun is a further run of a launch.
type otherRun struct {
	RunID string `json:"run_id"`
	// Run is the run until it has been announced.
	Run *amperity.Run `json:"run,omitempty"`
	// Hold is set for a run that may be another launch's: it is the number of the
	// announcement that names it.
	Hold int `json:"hold,omitempty"`
}

// job is a launch as it was read or written last, on its way to the next write.
type job struct {
	item ledger.Item
	record
}

// maySucceed reports whether a run may exist that nobody knows of.
func (r *record) maySucceed() bool { return len(r.Posts) > 0 && r.Run == nil }

// unaccounted returns how many of Posts may have started a run that is unknown.
func (r *record) unaccounted() int {
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

// mark adds a request that is about to be sent to Posts. What was known of the
// launch no longer counts.
func (r *record) mark(now time.Time) {
	r.Posts = append(slices.Clip(r.Posts), now)
	r.Looked, r.Error, r.Reason, r.Candidates, r.Queued = looked{}, nil, "", nil, false
}

// unmark takes the latest request out of Posts: it was certainly not processed.
func (r *record) unmark() { r.Posts = r.Posts[:len(r.Posts)-1] }

// addRun adds a run to those of a launch that has one.
func (r *record) addRun(run *amperity.Run) {
	r.Others = slices.DeleteFunc(slices.Clone(r.Others), func(o otherRun) bool { return o.RunID == run.ID })
	r.addOther(run, 0)
}

// addOther adds a run to Others. hold is as of [otherRun].
func (r *record) addOther(run *amperity.Run, hold int) {
	most := maxRun / 4
	if hold > 0 {
		most = maxRun / 48 // only its candidate is announced
	}
	bounded, _ := announcement.BoundedRun(run, most)
	r.Others = append(r.Others, otherRun{run.ID, bounded, hold})
}

// has reports whether a run is one of the launch's.
func (r *record) has(runID string) bool {
	return r.Run != nil && r.Run.ID == runID || slices.ContainsFunc(r.Others, func(o otherRun) bool { return o.RunID == runID && o.Hold == 0 })
}

// names reports whether an event has named a run to the operator, or will.
func (r *record) names(runID string) bool {
	return slices.ContainsFunc(r.Candidates, func(c announcement.Candidate) bool { return c.ID == runID }) ||
		slices.ContainsFunc(r.Others, func(o otherRun) bool { return o.RunID == runID })
}

// onlyBusy reports whether each request was answered with 409.
func (r *record) onlyBusy() bool { return len(r.Busy) > 0 && len(r.Busy) == len(r.Posts) }

// forgetBusy drops the requests that were answered with 409: they have certainly
// started no run.
func (r *record) forgetBusy() {
	r.Posts = slices.DeleteFunc(slices.Clone(r.Posts), func(t time.Time) bool { return slices.ContainsFunc(r.Busy, t.Equal) })
	r.Busy = nil
}

// delivered reports whether the window and the event bus know how the launch
// stands.
func (r *record) delivered() bool {
	return r.Told && r.Announced && !slices.ContainsFunc(r.Others, func(o otherRun) bool { return o.Run != nil })
}

// pending reports whether a person has said to send the request, and that could
// not be done yet.
func (r *record) pending() bool { return r.Released && len(r.Posts) <= r.ReleasedAfter }

// tooLate reports whether the run is no longer wanted without a person's word,
// or another one.
func (r *record) tooLate(now time.Time) bool { return !r.NotAfter.IsZero() && now.After(r.NotAfter) }

// to changes the state.
func (r *record) to(s state, now time.Time) {
	if r.State != s {
		r.Since = now
	}
	r.State = s
	r.Announced, r.Told = false, r.Window == "" || !s.over()
}

// keep stores Amperity's answer, as far as there is room for it.
func (r *record) keep(run *amperity.Run) {
	r.Run, r.RunCut = announcement.BoundedRun(run, maxRun)
}

// decodeRecord reads the document of a launch.
func decodeRecord(item ledger.Item) (*job, error) {
	j := &job{item: item}
	if err := decode(item, &j.record, func() int { return j.Format }); err != nil {
		return nil, err
	}
	return j, nil
}

// decode reads a document of this version's form.
func decode(item ledger.Item, doc any, version func() int) error {
	if err := json.Unmarshal(item.Doc, doc); err != nil {
		return &DocumentError{Key: item.Key, Err: err}
	}
	if v := version(); v != format {
		return &DocumentError{Key: item.Key, Err: fmt.Errorf("its format is %d, and this version knows %d: deploy the newer version again", v, format)}
	}
	return nil
}

// encode writes a document: texts, numbers and what Amperity answered, which
// was JSON when it came.
func encode(doc any) ([]byte, error) { return json.Marshal(doc) }

// config is the document of a config id: what is, or may be, running.
type config struct {
	Format   int    `json:"format"`
	ConfigID string `json:"config_id"`
	// Launches are those that go on, or may have started a run that nobody
	// knows of.
	Launches []entry `json:"launches,omitempty"`
	// Identity is what runs of this config id look like.
	Identity *identity `json:"identity,omitempty"`
	// Overlap is the latest run in front about which the operator was asked.
	Overlap overlap `json:"overlap,omitzero"`
}

// overlap is a run that the operator was asked about.
type overlap struct {
	RunID string `json:"run_id"`
	// Launch is the key of the launch that is held for it; empty once the operator
	// has answered.
	Launch string `json:"launch,omitempty"`
	// At is when the operator was asked, or has answered.
	At time.Time `json:"at"`
}

// asked reports whether the operator knows about a run: the question about it is
// open, or was answered less than [window.MaxWait] ago.
func (o overlap) asked(runID string, now time.Time) bool {
	return o.RunID == runID && (o.Launch != "" || now.Sub(o.At) < window.MaxWait)
}

// entry is one launch of a config id.
type entry struct {
	Key string `json:"key"`
	// State is going, started or held. The runs of others wait for a launch
	// that is going, and for a run that was started.
	State string `json:"state"`
	// Last is when the last request was sent that may have started a run.
	Last time.Time `json:"last,omitzero"`
	// RunID is the run that was started.
	RunID string `json:"run_id,omitempty"`
	// Doubt: there may be a run of it that nobody knows of.
	Doubt bool `json:"doubt,omitempty"`
}

// The states of an entry.
const (
	entryGoing   = "going"
	entryStarted = "started"
	entryHeld    = "held"
)

// identity is what tells the runs of a config id from others.
type identity struct {
	Name        string           `json:"name"`
	Type        amperity.RunType `json:"type"`
	PrincipalID string           `json:"principal_id"`
	// FormerPrincipalID is that of the runs before the API key was changed.
	FormerPrincipalID string `json:"former_principal_id,omitempty"`
}

func identityOf(run *amperity.Run) *identity {
	return &identity{Name: run.Name, Type: run.Type, PrincipalID: run.PrincipalID}
}

const (
	// doubtFor is how long a launch whose run is not known makes the runs of
	// its config id doubtful to others.
	doubtFor = 24 * time.Hour
	// doubtKept is how long the entry of such a launch is kept: as long as the
	// sweep searches for the run of a launch that it makes doubtful.
	doubtKept = 8 * 24 * time.Hour
	// maxEntries bounds the launches of a config id that have started: of those
	// without doubt, the oldest go.
	maxEntries = 50
)

// set adds or replaces the entry of a launch. A second run of the launch has an
// entry of its own.
func (c *config) set(e entry) {
	i := slices.IndexFunc(c.Launches, func(o entry) bool {
		return o.Key == e.Key && (o.State != entryStarted || o.RunID == e.RunID)
	})
	if i >= 0 {
		c.Launches[i] = e
	} else {
		c.Launches = append(c.Launches, e)
	}
}

// answered notes that the operator has answered for a launch.
func (c *config) answered(key string, now time.Time) {
	if c.Overlap.Launch == key {
		c.Overlap.Launch, c.Overlap.At = "", now
	}
}

// remove takes out the entry of a launch.
func (c *config) remove(key string) {
	c.Launches = slices.DeleteFunc(c.Launches, func(e entry) bool { return e.Key == key })
}

// prune drops what is of no use any more.
func (c *config) prune(now time.Time) {
	c.Launches = slices.DeleteFunc(c.Launches, func(e entry) bool {
		return e.State == entryHeld && now.Sub(e.Last) > doubtKept
	})
	for i := 0; i < len(c.Launches) && len(c.Launches) > maxEntries; {
		if e := c.Launches[i]; e.State == entryStarted && (!e.Doubt || now.Sub(e.Last) > doubtKept) {
			c.Launches = slices.Delete(c.Launches, i, i+1)
		} else {
			i++
		}
	}
}

// doubts reports whether a run found for a launch whose first request was sent
// at a time may be another launch's.
func (c *config) doubts(key string, first time.Time) bool {
	return slices.ContainsFunc(c.Launches, func(e entry) bool {
		return e.Key != key && e.Doubt && e.Last.Sub(first) >= -doubtFor
	})
}

// saw learns from a run that is certainly of this config id.
func (c *config) saw(run *amperity.Run) {
	if run.Name != "" && run.Type != "" && run.PrincipalID != "" {
		now := identityOf(run)
		if was := c.Identity; was != nil {
			now.FormerPrincipalID = was.FormerPrincipalID
			if was.PrincipalID != now.PrincipalID {
				now.FormerPrincipalID = was.PrincipalID
			}
		}
		c.Identity = now
	}
}

// belongs is the document of a run: whose it is.
type belongs struct {
	Format int    `json:"format"`
	Launch string `json:"launch"` // empty: no launch's, as earlier versions wrote
}

// ownerOf returns the key of the launch that a run's item names; empty: none.
func ownerOf(run ledger.Item) (string, error) {
	var of belongs
	err := decode(run, &of, func() int { return of.Format })
	return of.Launch, err
}

// DocumentError says that an item of the ledger cannot be read. Nothing is done
// about it until it can.
type DocumentError struct {
	Key string
	Err error
}

func (e *DocumentError) Error() string {
	return fmt.Sprintf("the ledger's item %s cannot be read: %v", e.Key, e.Err)
}

// Unwrap returns why.
func (e *DocumentError) Unwrap() error { return e.Err }

const (
	// soon is when the sweep revisits an item that its owner is about to write.
	soon = time.Minute
	// keptFor is how long a launch is remembered once it is over. Retries and
	// redrives reach less than 45 days.
	keptFor = 50 * 24 * time.Hour
	// keptWindow is how long a window is remembered after its launches.
	keptWindow = keptFor + 50*24*time.Hour
	// maxFolds bounds how often a batch is folded anew into an item that others
	// write too.
	maxFolds = 20
)
