// Package held lists the launches that wait for the operator, and carries out
// the operator's commands: release, adopt and discard.
package held

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/intake"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/runs"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Resolver carries out the operator's commands for held launches and windows
// with missing files.
type Resolver struct {
	launches *launch.Launcher
	windows  *intake.Windows
	store    *record.Store
	runs     *runs.Client
	clock    record.Clock
}

// New returns a Resolver for the launches of a Launcher and its Windows.
func New(l *launch.Launcher, w *intake.Windows) *Resolver {
	return &Resolver{l, w, l.Store, l.Runs, l.Clock}
}

// releaseLifetime is how long a release is valid: the operator wants the run
// now, not some other day.
const releaseLifetime = 24 * time.Hour

// Command is the operator's command for a held or rejected launch, or for a
// window with missing files.
type Command struct {
	// Key is the launch key. For a window it is the key of its next launch.
	Key string
	// HoldNumber is the number in the announcement that the command answers. A
	// command with an older number changes nothing, so that commands can be
	// repeated.
	HoldNumber int
	// RunID is the run to adopt.
	RunID string
	// Reason is why the launch is discarded.
	Reason string
}

// Release starts a held or rejected launch, or launches a window with missing
// files. If the command does not fit the state of the launch, the answer is
// Duplicate with a warning.
func (r *Resolver) Release(ctx context.Context, cmd Command) (record.Result, error) {
	for {
		j, res, err := r.target(ctx, cmd, record.StateHeld, record.StateRejected)
		if err != nil {
			return record.Result{}, err
		}
		if res != nil {
			return *res, nil
		}
		if j == nil {
			return r.resolveWindow(ctx, cmd, "")
		}
		if j.Reason == announcement.ReasonImplausibleDate {
			res := j.DuplicateResult()
			res.Warning = implausibleText
			return res, nil
		}
		var more []ledger.Item
		if j.State == record.StateRejected && j.Window != "" {
			if !j.WindowUpdated {
				// A crash left the window without the outcome; the release
				// updates it first.
				if err := r.launches.UpdateWindow(ctx, j); err != nil {
					return record.Result{}, &record.LedgerError{LaunchKey: cmd.Key, Err: err}
				}
				j.WindowUpdated = true
			}
			j.Turn++
			if more, err = r.launches.ReopenWindow(ctx, j); err != nil {
				return record.Result{}, &record.LedgerError{LaunchKey: cmd.Key, Err: err}
			}
			if more == nil {
				res := j.DuplicateResult()
				res.Warning = movedOnText
				return res, nil
			}
		}
		now := r.clock.Now()
		j.SetState(record.StateClaimed, now)
		j.Released, j.ReleasedAfter, j.NotAfter, j.Lease = true, len(j.Posts), now.Add(releaseLifetime), r.launches.LeaseEnd(ctx)
		// A launch that a release has put back into the queue stays there.
		if j.Queued = j.Queued || j.Reason == announcement.ReasonOverlap; j.Queued {
			j.NotAfter = now.Add(intake.NotAfter) // the wait in the queue may take days
		}
		j.Busy = nil // the release outranks the answers 409; Posts keeps the requests
		for _, candidate := range j.Candidates {
			j.Declined = append(j.Declined, candidate.ID)
		}
		j.Reason, j.Error, j.Candidates, j.Blocked, j.Looked = "", nil, nil, record.Blockage{}, record.Lookup{}
		// A crash after this leaves a claimed launch; the sweep sends its
		// request.
		err = r.store.Transact(ctx, j, j.Lease, func(c *record.ConfigID) {
			c.SetLaunch(record.LaunchRef{Key: j.Key, State: record.RefGoing, Last: j.LastPost(), Doubt: len(j.Posts) > 0})
			c.NoteAnswer(j.Key, now)
		}, more...)
		if again, err := r.afterWrite(cmd, err); again {
			continue
		} else if err != nil {
			return record.Result{}, err
		}
		return r.launches.Proceed(ctx, j), nil
	}
}

// Adopt records the run that the operator names as the launch's. It refuses a
// run of another launch, and a run of another type than the config id's.
func (r *Resolver) Adopt(ctx context.Context, cmd Command) (record.Result, error) {
	for {
		j, res, err := r.target(ctx, cmd, record.StateHeld)
		if err != nil {
			return record.Result{}, err
		}
		if res != nil {
			return *res, nil
		}
		if j == nil {
			return r.nothingToAdopt(ctx, cmd)
		}
		if j.Reason == announcement.ReasonImplausibleDate {
			return record.Result{}, &AdoptError{Key: cmd.Key, RunID: cmd.RunID, Problem: implausibleAdoptText}
		}
		run, err := r.runs.GetRun(ctx, cmd.RunID, amperity.ViewVerbose, runs.MaxQueries)
		if err != nil {
			return record.Result{}, &AdoptError{Key: cmd.Key, RunID: cmd.RunID, Problem: "it cannot be read: " + err.Error(), Err: err}
		}
		c, err := r.store.ConfigID(ctx, j.Request.ConfigID)
		if err != nil {
			return record.Result{}, &record.LedgerError{LaunchKey: cmd.Key, Err: err}
		}
		if c.Identity != nil && run.Type != c.Identity.Type {
			return record.Result{}, &AdoptError{Key: cmd.Key, RunID: cmd.RunID, Problem: otherTypeText(string(run.Type), string(c.Identity.Type))}
		}
		posted := run.CreatedAt.Add(-runs.Skew)
		if len(j.Posts) > 0 && (run.CreatedAt.IsZero() || j.Posts[0].Before(posted)) {
			posted = j.Posts[0]
		}
		known, err := r.runs.ReadControlRun(ctx)
		if err != nil {
			return record.Result{}, &record.LedgerError{LaunchKey: cmd.Key, Err: err}
		}
		principals := c.Principals(known.PrincipalID)
		j.SetRun(run, posted, r.clock.Now())
		j.Adopted, j.ByHand = true, len(principals) > 0 && run.PrincipalID != "" && !slices.Contains(principals, run.PrincipalID)
		owned := record.RunItem(j.Key, run.ID, 0, r.clock.Now())
		began := func(c *record.ConfigID) {
			c.AddRuns(j)
			c.NoteAnswer(j.Key, r.clock.Now())
		}
		err = r.store.Transact(ctx, j, r.clock.Now().Add(record.RevisitAfter), began, owned)
		var taken *record.RunOwnedError
		if errors.As(err, &taken) {
			if err := checkOwner(cmd, taken.Current); err != nil {
				return record.Result{}, err
			}
			owned.Version = taken.Current.Version
			err = r.store.Transact(ctx, j, r.clock.Now().Add(record.RevisitAfter), began, owned)
		}
		if again, err := r.afterWrite(cmd, err); again {
			continue
		} else if err != nil {
			return record.Result{}, err
		}
		return r.deliverDecision(ctx, j), nil
	}
}

// nothingToAdopt returns the error of an adopt for a window with missing files,
// which has no run, or for an unknown key.
func (r *Resolver) nothingToAdopt(ctx context.Context, cmd Command) (record.Result, error) {
	if key, _, ok := record.WindowOf(cmd.Key); ok {
		switch item, err := r.store.Get(ctx, key); {
		case err != nil:
			return record.Result{}, &record.LedgerError{LaunchKey: cmd.Key, Err: err}
		case item.Exists():
			return record.Result{}, &AdoptError{Key: cmd.Key, RunID: cmd.RunID, Problem: adoptText}
		}
	}
	return record.Result{}, &UnknownKeyError{Key: cmd.Key}
}

// checkOwner returns an error if a run belongs to a launch that the command
// does not name. run is the run's item.
func checkOwner(cmd Command, run ledger.Item) error {
	owner, err := record.OwnerOf(run)
	if err != nil {
		return err
	}
	if owner != "" && owner != cmd.Key {
		return &AdoptError{Key: cmd.Key, RunID: cmd.RunID, Problem: "it is the run of " + owner}
	}
	return nil
}

// Discard ends a held launch, or the next launch of a window with missing
// files. Nothing more is started for it.
func (r *Resolver) Discard(ctx context.Context, cmd Command) (record.Result, error) {
	for {
		j, res, err := r.target(ctx, cmd, record.StateHeld)
		if err != nil {
			return record.Result{}, err
		}
		if res != nil {
			return *res, nil
		}
		if j == nil {
			return r.resolveWindow(ctx, cmd, cmd.Reason)
		}
		j.Answered = r.launches.CountAnswered(ctx, j)
		j.SetState(record.StateDiscarded, r.clock.Now())
		j.Error = &announcement.Error{Kind: announcement.ErrorDiscarded, Message: cmd.Reason}
		err = r.store.Transact(ctx, j, r.clock.Now().Add(record.RevisitAfter), func(c *record.ConfigID) {
			c.AddDoubt(j)
			c.NoteAnswer(j.Key, r.clock.Now())
		})
		if again, err := r.afterWrite(cmd, err); again {
			continue
		} else if err != nil {
			return record.Result{}, err
		}
		return r.deliverDecision(ctx, j), nil
	}
}

// target returns the launch of a command if the launch is in one of the states
// and waits for the command's hold. Otherwise it returns the answer. If there
// is no such launch, it returns neither.
func (r *Resolver) target(ctx context.Context, cmd Command, states ...record.State) (*record.Launch, *record.Result, error) {
	item, err := r.store.Get(ctx, record.LaunchPrefix+cmd.Key)
	if err != nil {
		return nil, nil, &record.LedgerError{LaunchKey: cmd.Key, Err: err}
	}
	if !item.Exists() {
		return nil, nil, nil
	}
	j, err := record.DecodeLaunch(item)
	if err != nil {
		return nil, nil, &record.LedgerError{LaunchKey: cmd.Key, Err: err}
	}
	for _, s := range states {
		// A launch that a release has put back into the queue counts as held.
		if (j.State == s || s == record.StateHeld && j.State == record.StateClaimed && j.Queued) && j.HoldNumber == cmd.HoldNumber {
			return j, nil, nil
		}
	}
	res := j.DuplicateResult()
	if j.State.Final() || j.State == record.StateHeld {
		r.launches.DeliverOutcome(ctx, j)
	}
	res.Warning = notAskedText(cmd.HoldNumber)
	return nil, &res, nil
}

// afterWrite reports whether another process was first, so that the command
// must be tried again. Any other error of a write becomes a
// [*record.LedgerError].
func (r *Resolver) afterWrite(cmd Command, err error) (again bool, failed error) {
	var lost *record.LostError
	var taken *record.RunOwnedError
	if errors.As(err, &lost) || errors.As(err, &taken) {
		return true, nil
	}
	if err != nil {
		return false, &record.LedgerError{LaunchKey: cmd.Key, Err: err}
	}
	return false, nil
}

// deliverDecision delivers what the operator has decided, and returns the
// answer.
func (r *Resolver) deliverDecision(ctx context.Context, j *record.Launch) record.Result {
	res := j.Result()
	r.launches.LogResult(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, res)
	if !r.launches.DeliverOutcome(ctx, j) {
		res.Warning = launch.UnfinishedText
	}
	return res
}

// resolveWindow carries out a command for a window with missing files. It
// launches the window, or discards its next launch if discard is not empty.
func (r *Resolver) resolveWindow(ctx context.Context, cmd Command, discard string) (record.Result, error) {
	key, text, ok := record.WindowOf(cmd.Key)
	revision, err := strconv.Atoi(text)
	if !ok || err != nil {
		return record.Result{}, &UnknownKeyError{Key: cmd.Key}
	}
	for {
		item, err := r.store.Get(ctx, key)
		if err != nil {
			return record.Result{}, &record.LedgerError{LaunchKey: cmd.Key, Err: err}
		}
		if !item.Exists() {
			return record.Result{}, &UnknownKeyError{Key: cmd.Key}
		}
		j, w, err := record.DecodeWindow(item, nil)
		if err != nil {
			return record.Result{}, &record.LedgerError{LaunchKey: cmd.Key, Err: err}
		}
		if j.State.Launch != nil || j.State.Revision+1 != revision || j.State.HoldNumber != cmd.HoldNumber || cmd.HoldNumber == 0 {
			return record.Result{Outcome: record.Waiting, LaunchKey: cmd.Key, HoldNumber: j.State.HoldNumber, Warning: notAskedText(cmd.HoldNumber)}, nil
		}
		at, err := r.store.Get(ctx, record.ConfigPrefix+w.ConfigID)
		if err != nil {
			return record.Result{}, &record.LedgerError{LaunchKey: cmd.Key, Err: err}
		}
		c, err := record.DecodeConfigID(at, w.ConfigID)
		if err != nil {
			return record.Result{}, &record.LedgerError{LaunchKey: cmd.Key, Err: err}
		}
		d := window.Decision{Do: window.Launch}
		if discard != "" {
			d = window.Decision{Do: window.HoldIt, Reason: announcement.ReasonFilesMissing}
		}
		n, err := r.windows.CreateLaunch(ctx, j, w, d, discard, at, c)
		var conflict *record.LaunchConflict
		if errors.As(err, &conflict) {
			if !conflict.Launch.Exists() {
				continue
			}
			if j, err := record.DecodeLaunch(conflict.Launch); err == nil { // another command was first
				res := j.DuplicateResult()
				res.Warning = notAskedText(cmd.HoldNumber)
				return res, nil
			}
		}
		if err != nil {
			return record.Result{}, &record.LedgerError{LaunchKey: cmd.Key, Err: err}
		}
		if discard != "" {
			return r.deliverDecision(ctx, n), nil
		}
		return r.launches.Proceed(ctx, n), nil
	}
}
