package launch

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// releasedFor is how long a release is good for: what the operator wants now is
// not wanted some other day.
const releasedFor = 24 * time.Hour

// Word is what a person says to a launch that is held or was rejected, or to a
// window that waits.
type Word struct {
	// Key is the launch key; of a window that waits, that of its next launch.
	Key string
	// Hold is the number in the announcement that it answers. A word that
	// answers an earlier one changes nothing, so that it may be repeated.
	Hold int
	// RunID is the run to adopt.
	RunID string
	// Reason is why it is discarded.
	Reason string
}

// Release starts what is held or was rejected, or launches a window that waits,
// now. Answers and errors are as of [Launcher.Launch]; where the word does not
// fit how things stand, the answer is Duplicate, with a warning.
func (r *Resolver) Release(ctx context.Context, w Word) (Result, error) {
	for {
		j, res, err := r.target(ctx, w, held, rejected)
		if err != nil {
			return Result{}, err
		}
		if res != nil {
			return *res, nil
		}
		if j == nil {
			return r.targetWindow(ctx, w, "")
		}
		if j.Reason == announcement.ReasonImplausibleDate {
			res := j.duplicate()
			res.Warning = implausibleText
			return res, nil
		}
		var more []ledger.Item
		if j.State == rejected && j.Window != "" {
			if !j.Told {
				// A crash left the window without the news; it is not over for it.
				if err := r.launches.tell(ctx, j); err != nil {
					return Result{}, &LedgerError{LaunchKey: w.Key, Err: err}
				}
				j.Told = true
			}
			j.Turn++
			if more, err = r.launches.reopen(ctx, j); err != nil {
				return Result{}, &LedgerError{LaunchKey: w.Key, Err: err}
			}
			if more == nil {
				res := j.duplicate()
				res.Warning = movedOnText
				return res, nil
			}
		}
		now := r.clock.Now()
		j.to(claimed, now)
		j.Released, j.ReleasedAfter, j.NotAfter, j.Lease = true, len(j.Posts), now.Add(releasedFor), r.launches.lease(ctx)
		if j.Queued = j.Reason == announcement.ReasonOverlap; j.Queued {
			j.NotAfter = now.Add(arrivalNotAfter) // the queue may take days
		}
		j.Busy = nil // the operator outranks them; Posts keeps them
		for _, candidate := range j.Candidates {
			j.Declined = append(j.Declined, candidate.ID)
		}
		j.Reason, j.Error, j.Candidates, j.Blocked, j.Looked = "", nil, nil, blocked{}, looked{}
		// A crash after this leaves a claimed launch: the sweep starts it.
		err = r.store.Transact(ctx, j, j.Lease, func(c *config) {
			c.set(entry{Key: j.Key, State: entryGoing, Last: j.lastPost(), Doubt: len(j.Posts) > 0})
			c.answered(j.Key, now)
		}, more...)
		if again, err := r.afterWrite(w, err); again {
			continue
		} else if err != nil {
			return Result{}, err
		}
		return r.launches.carry(ctx, j), nil
	}
}

// Adopt makes a run that a person has found the launch's. It is refused for a
// run of another launch, or of another type than the config id's.
func (r *Resolver) Adopt(ctx context.Context, w Word) (Result, error) {
	for {
		j, res, err := r.target(ctx, w, held)
		if err != nil {
			return Result{}, err
		}
		if res != nil {
			return *res, nil
		}
		if j == nil {
			return r.nothingToAdopt(ctx, w)
		}
		if j.Reason == announcement.ReasonImplausibleDate {
			return Result{}, &AdoptError{Key: w.Key, RunID: w.RunID, Problem: implausibleAdoptText}
		}
		run, err := r.runs.Get(ctx, w.RunID, amperity.ViewVerbose, questions)
		if err != nil {
			return Result{}, &AdoptError{Key: w.Key, RunID: w.RunID, Problem: "it cannot be read: " + err.Error(), Err: err}
		}
		c, err := r.store.ConfigID(ctx, j.Request.ConfigID)
		if err != nil {
			return Result{}, &LedgerError{LaunchKey: w.Key, Err: err}
		}
		if c.Identity != nil && run.Type != c.Identity.Type {
			return Result{}, &AdoptError{Key: w.Key, RunID: w.RunID, Problem: otherTypeText(string(run.Type), string(c.Identity.Type))}
		}
		posted := run.CreatedAt.Add(-skew)
		if len(j.Posts) > 0 && (run.CreatedAt.IsZero() || j.Posts[0].Before(posted)) {
			posted = j.Posts[0]
		}
		known, err := r.runs.Control(ctx)
		if err != nil {
			return Result{}, &LedgerError{LaunchKey: w.Key, Err: err}
		}
		principals := c.principals(known.PrincipalID)
		j.begin(run, posted, r.clock.Now())
		j.Adopted, j.ByHand = true, len(principals) > 0 && run.PrincipalID != "" && !slices.Contains(principals, run.PrincipalID)
		owned := ownedBy(j.Key, run.ID, 0, r.clock.Now())
		began := func(c *config) {
			c.began(j)
			c.answered(j.Key, r.clock.Now())
		}
		err = r.store.Transact(ctx, j, r.clock.Now().Add(soon), began, owned)
		var taken *takenError
		if errors.As(err, &taken) {
			if err := checkOwner(w, taken.current); err != nil {
				return Result{}, err
			}
			owned.Version = taken.current.Version
			err = r.store.Transact(ctx, j, r.clock.Now().Add(soon), began, owned)
		}
		if again, err := r.afterWrite(w, err); again {
			continue
		} else if err != nil {
			return Result{}, err
		}
		return r.deliver(ctx, j), nil
	}
}

// nothingToAdopt answers for a window that waits, which has no run, and for
// anything that is not known.
func (r *Resolver) nothingToAdopt(ctx context.Context, w Word) (Result, error) {
	if key, _, ok := windowOf(w.Key); ok {
		switch item, err := r.store.Get(ctx, key); {
		case err != nil:
			return Result{}, &LedgerError{LaunchKey: w.Key, Err: err}
		case item.Exists():
			return Result{}, &AdoptError{Key: w.Key, RunID: w.RunID, Problem: adoptText}
		}
	}
	return Result{}, &UnknownKeyError{Key: w.Key}
}

// checkOwner returns an error if a run belongs to another launch than the one that
// a command names. run is the run's item.
func checkOwner(w Word, run ledger.Item) error {
	owner, err := ownerOf(run)
	if err != nil {
		return err
	}
	if owner != "" && owner != w.Key {
		return &AdoptError{Key: w.Key, RunID: w.RunID, Problem: "it is the run of " + owner}
	}
	return nil
}

// Discard ends what is held, or a window whose files are missing. Nothing more is
// started for it.
func (r *Resolver) Discard(ctx context.Context, w Word) (Result, error) {
	for {
		j, res, err := r.target(ctx, w, held)
		if err != nil {
			return Result{}, err
		}
		if res != nil {
			return *res, nil
		}
		if j == nil {
			return r.targetWindow(ctx, w, w.Reason)
		}
		j.Answered = r.launches.answered(ctx, j)
		j.to(discarded, r.clock.Now())
		j.Error = &announcement.Error{Kind: announcement.ErrorDiscarded, Message: w.Reason}
		err = r.store.Transact(ctx, j, r.clock.Now().Add(soon), func(c *config) {
			c.heldBack(j)
			c.answered(j.Key, r.clock.Now())
		})
		if again, err := r.afterWrite(w, err); again {
			continue
		} else if err != nil {
			return Result{}, err
		}
		return r.deliver(ctx, j), nil
	}
}

// target gives the launch that a word is for, if the word fits; else how it
// stands. Neither: there is no such launch.
func (r *Resolver) target(ctx context.Context, w Word, fits ...state) (*job, *Result, error) {
	item, err := r.store.Get(ctx, launchPrefix+w.Key)
	if err != nil {
		return nil, nil, &LedgerError{LaunchKey: w.Key, Err: err}
	}
	if !item.Exists() {
		return nil, nil, nil
	}
	j, err := decodeRecord(item)
	if err != nil {
		return nil, nil, &LedgerError{LaunchKey: w.Key, Err: err}
	}
	for _, s := range fits {
		// A launch that a release has put back into the queue is as good as held.
		if (j.State == s || s == held && j.State == claimed && j.Queued) && j.Hold == w.Hold {
			return j, nil, nil
		}
	}
	res := j.duplicate()
	if j.State.over() || j.State == held {
		r.launches.finish(ctx, j)
	}
	res.Warning = notAskedText(w.Hold)
	return nil, &res, nil
}

// afterWrite tells whether to look again after a write, or what went wrong.
func (r *Resolver) afterWrite(w Word, err error) (again bool, failed error) {
	var lost *lostError
	var taken *takenError
	if errors.As(err, &lost) || errors.As(err, &taken) {
		return true, nil
	}
	if err != nil {
		return false, &LedgerError{LaunchKey: w.Key, Err: err}
	}
	return false, nil
}

// deliver tells the others what a person has decided.
func (r *Resolver) deliver(ctx context.Context, j *job) Result {
	res := j.result()
	r.launches.log(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, res)
	if !r.launches.finish(ctx, j) {
		res.Warning = unfinishedText
	}
	return res
}

// targetWindow carries out a word for a window that waits, whatever it waits
// for: it is launched, or, where discard says why, ended.
func (r *Resolver) targetWindow(ctx context.Context, word Word, discard string) (Result, error) {
	key, text, ok := windowOf(word.Key)
	revision, err := strconv.Atoi(text)
	if !ok || err != nil {
		return Result{}, &UnknownKeyError{Key: word.Key}
	}
	for {
		item, err := r.store.Get(ctx, key)
		if err != nil {
			return Result{}, &LedgerError{LaunchKey: word.Key, Err: err}
		}
		if !item.Exists() {
			return Result{}, &UnknownKeyError{Key: word.Key}
		}
		j, w, err := decodeWindow(item, nil)
		if err != nil {
			return Result{}, &LedgerError{LaunchKey: word.Key, Err: err}
		}
		if j.state.Launch != nil || j.state.Revision+1 != revision || j.state.Hold != word.Hold || word.Hold == 0 {
			return Result{Outcome: Waiting, LaunchKey: word.Key, Hold: j.state.Hold, Warning: notAskedText(word.Hold)}, nil
		}
		at, err := r.store.Get(ctx, configPrefix+w.ConfigID)
		if err != nil {
			return Result{}, &LedgerError{LaunchKey: word.Key, Err: err}
		}
		c, err := decodeConfig(at, w.ConfigID)
		if err != nil {
			return Result{}, &LedgerError{LaunchKey: word.Key, Err: err}
		}
		d := window.Decision{Do: window.Launch}
		if discard != "" {
			d = window.Decision{Do: window.HoldIt, Reason: announcement.ReasonFilesMissing}
		}
		n, err := r.windows.createLaunch(ctx, j, w, d, discard, at, c)
		var conflict *ledger.ConflictError
		if errors.As(err, &conflict) && !conflict.Current[2].Exists() {
			continue
		}
		if err != nil {
			return Result{}, &LedgerError{LaunchKey: word.Key, Err: err}
		}
		if discard != "" {
			return r.deliver(ctx, n), nil
		}
		return r.launches.carry(ctx, n), nil
	}
}

// HeldLaunch is one entry of the list of what waits for a person.
type HeldLaunch struct {
	LaunchKey string `json:"launch_key"`
	// Hold is the number to name in a release, adopt or discard.
	Hold   int    `json:"hold"`
	Reason string `json:"reason"`
	// Since is RFC 3339.
	Since      string                   `json:"since"`
	Request    amperity.RunRequest      `json:"request"`
	Cause      announcement.Cause       `json:"cause"`
	Message    string                   `json:"message,omitempty"`
	Candidates []announcement.Candidate `json:"candidates,omitempty"`
	// Samples are some of the files, with the reason implausible_date. Like
	// Cause.Files they include the files that came after the launch was held.
	Samples []string `json:"samples,omitempty"`
}

// maxHeld bounds the list of what waits for a person.
const maxHeld = 200

// maxDueRows and maxHeldReads bound what the list of held launches looks
// through: rows of the index, and items.
const (
	maxDueRows   = 20_000
	maxHeldReads = 1_000
)

// List lists what waits for a person, each the longest first: held launches,
// and then windows whose files are missing. more says that there are others.
func (r *Resolver) List(ctx context.Context) (list []HeldLaunch, more bool, err error) {
	var launches, windows []string
	for row, err := range r.store.Held(ctx) {
		switch {
		case err != nil:
			return nil, false, &LedgerError{LaunchKey: "", Err: err}
		case strings.HasPrefix(row.Key, windowPrefix):
			// A feed that has ended must not hide what is held.
			if len(windows) <= maxHeld {
				windows = append(windows, row.Key)
			}
		default:
			launches = append(launches, row.Key)
		}
		if len(launches) > maxHeld {
			break
		}
	}
	// A held launch whose run is searched for is due too, and one that could not be
	// announced yet. A window of which some files are there is due within a day.
	due := 0
	for row, err := range r.store.Due(ctx, r.clock.Now().Add(25*time.Hour)) {
		if err != nil {
			return nil, false, &LedgerError{LaunchKey: "", Err: err}
		}
		if due++; due > maxDueRows {
			more = true
			break
		}
		switch {
		case strings.HasPrefix(row.Key, launchPrefix):
			launches = append(launches, row.Key)
		case strings.HasPrefix(row.Key, windowPrefix) && len(windows) <= maxHeld:
			windows = append(windows, row.Key)
		}
	}
	list = []HeldLaunch{}
	for i, key := range append(launches, windows...) {
		if len(list) == maxHeld || i == maxHeldReads {
			return list, true, nil
		}
		item, err := r.store.Get(ctx, key)
		if err != nil {
			return nil, false, &LedgerError{LaunchKey: key, Err: err}
		}
		h, ok := heldOf(item)
		if !ok {
			continue
		}
		if h.Reason == announcement.ReasonImplausibleDate {
			if err := r.countSince(ctx, &h); err != nil {
				return nil, false, err
			}
		}
		list = append(list, h)
	}
	return list, more, nil
}

// heldOf tells of an item that waits for a person; false where it does not any
// more.
func heldOf(item ledger.Item) (HeldLaunch, bool) {
	switch {
	case strings.HasPrefix(item.Key, launchPrefix):
		j, err := decodeRecord(item)
		if err != nil {
			return HeldLaunch{LaunchKey: strings.TrimPrefix(item.Key, launchPrefix), Reason: reasonUnreadable,
				Since: item.Held.UTC().Format(time.RFC3339), Message: err.Error()}, true
		}
		if j.State != held {
			return HeldLaunch{}, false
		}
		h := HeldLaunch{LaunchKey: j.Key, Hold: j.Hold, Reason: j.Reason, Since: j.Since.UTC().Format(time.RFC3339),
			Request: j.Request, Cause: j.Cause, Candidates: j.Candidates, Samples: j.Samples}
		if e := errorTold(&j.record); e != nil {
			h.Message = e.Message
		}
		return h, true
	case strings.HasPrefix(item.Key, windowPrefix):
		j, w, err := decodeWindow(item, nil)
		if err != nil || !j.state.Asks() {
			return HeldLaunch{}, false
		}
		return HeldLaunch{LaunchKey: launchKey(w.ConfigID, w.Period, j.state.Revision+1), Hold: j.state.Hold, Reason: announcement.ReasonFilesMissing,
			Since: j.state.Missing.UTC().Format(time.RFC3339), Request: w.Request,
			Cause:   announcement.Cause{Type: announcement.CauseArrival, Route: w.Route, Period: w.Period, Files: j.state.Open.Count},
			Message: missingText}, true
	}
	return HeldLaunch{}, false
}

// countSince adds to h the files that came since its launch was held.
func (r *Resolver) countSince(ctx context.Context, h *HeldLaunch) error {
	key, _, ok := windowOf(h.LaunchKey)
	if !ok {
		return nil
	}
	item, err := r.store.Get(ctx, key)
	if err != nil {
		return &LedgerError{LaunchKey: h.LaunchKey, Err: err}
	}
	if !item.Exists() {
		return nil
	}
	j, _, err := decodeWindow(item, nil)
	if err != nil {
		return &LedgerError{LaunchKey: h.LaunchKey, Err: err}
	}
	h.Cause.Files += j.state.After.Count
	h.Samples = append(h.Samples, j.state.After.Samples...)
	h.Samples = h.Samples[:min(window.MaxSamples, len(h.Samples))]
	return nil
}

// reasonUnreadable is why a launch is listed that this version cannot read.
const reasonUnreadable = "unreadable"
