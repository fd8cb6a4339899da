package launch

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// recordLateAnswer records the run of an answer that arrived after another
// process had taken over the launch. The answer is certain, and outranks what
// the other process has concluded. If the launch has another run by now, it has
// two.
func (l *Launcher) recordLateAnswer(ctx context.Context, mine *record.Launch, run *amperity.Run, current ledger.Item) record.Result {
	posted := mine.LastPost()
	for range maxTakeovers {
		j, err := record.DecodeLaunch(current)
		if err != nil {
			return record.Result{Outcome: record.Started, LaunchKey: mine.Key, Run: run, Warning: unrecordedText(err)}
		}
		if j.HasRun(run.ID) {
			return j.DuplicateResult()
		}
		if !slices.ContainsFunc(j.Posts, posted.Equal) {
			j.Posts = append(j.Posts, posted)
		}
		if j.State == record.StateStarted {
			l.Logger.ErrorContext(ctx, "second run", slog.String(telemetry.LaunchKey, j.Key),
				slog.String(telemetry.RunID, run.ID), slog.String("first_run_id", j.Run.ID))
			j.AddRun(run)
		} else {
			j.SetRun(run, posted, l.Clock.Now())
			j.Lease = l.LeaseEnd(ctx)
		}
		err = l.Store.Transact(ctx, j, l.Clock.Now().Add(record.RevisitAfter), func(c *record.ConfigID) { c.AddRuns(j) }, record.RunItem(j.Key, run.ID, 0, l.Clock.Now()))
		var taken *record.RunOwnedError
		if errors.As(err, &taken) {
			err = l.claimRun(ctx, j, run.ID, taken.Current)
		}
		var lost *record.LostError
		if errors.As(err, &lost) {
			current = lost.Current
			continue
		}
		res := j.Result()
		if err != nil {
			res.Warning = unrecordedText(err)
			return res
		}
		l.LogResult(ctx, j.Key, j.Request.ConfigID, j.Cause.Route, res)
		l.DeliverOutcome(ctx, j)
		return res
	}
	return record.Result{Outcome: record.Started, LaunchKey: mine.Key, Run: run, Warning: unrecordedText(&record.LostError{Current: current})}
}

// maxTakeovers bounds the attempts to record a late answer.
const maxTakeovers = 10

// claimRun records j's run although another launch has adopted it. Amperity's
// answer outranks an adoption, so the other launch is held: its own outcome is
// unknown again.
func (l *Launcher) claimRun(ctx context.Context, j *record.Launch, runID string, run ledger.Item) error {
	for {
		due := l.Clock.Now().Add(record.RevisitAfter)
		other, err := l.adoptedBy(ctx, j, runID, run)
		if err != nil {
			return err
		}
		mine := record.RunItem(j.Key, runID, run.Version, l.Clock.Now())
		if other == nil {
			err = l.Store.Transact(ctx, j, due, func(c *record.ConfigID) { c.AddRuns(j) }, mine)
		} else {
			var items []ledger.Item
			if items, err = l.revokeAdoption(ctx, other, j.Key, runID); err != nil {
				return err
			}
			err = l.Store.Transact(ctx, j, due, func(c *record.ConfigID) {
				if other.Request.ConfigID == j.Request.ConfigID { // else an operator has mixed them up
					c.AddDoubt(other)
				}
				c.AddRuns(j)
			}, append([]ledger.Item{mine}, items...)...)
		}
		if err == nil && other != nil {
			l.LogResult(ctx, other.Key, other.Request.ConfigID, other.Cause.Route, other.Result())
		}
		var taken *record.RunOwnedError
		if !errors.As(err, &taken) {
			return err
		}
		if run, err = l.Store.Get(ctx, run.Key); err != nil {
			return err
		}
	}
}

// adoptedBy returns the launch that has adopted j's run, or nil. run is the
// run's item.
func (l *Launcher) adoptedBy(ctx context.Context, j *record.Launch, runID string, run ledger.Item) (*record.Launch, error) {
	key, err := record.OwnerOf(run)
	if err != nil || key == "" || key == j.Key {
		return nil, err
	}
	item, err := l.Store.Get(ctx, record.LaunchPrefix+key)
	if err != nil || !item.Exists() {
		return nil, err
	}
	other, err := record.DecodeLaunch(item)
	if err != nil || !other.Adopted || other.Run == nil || other.Run.ID != runID {
		return nil, err // its run is another one, or is Amperity's answer to it
	}
	return other, nil
}

// revokeAdoption takes a run away from the launch that had adopted it, and
// holds that launch. It returns the items to write. owner is the key of the
// run's launch.
func (l *Launcher) revokeAdoption(ctx context.Context, other *record.Launch, owner, runID string) ([]ledger.Item, error) {
	now := l.Clock.Now()
	other.SetState(record.StateHeld, now)
	other.Reason, other.Run, other.Adopted, other.CoveredUntil = announcement.ReasonUnknownOutcome, nil, false, time.Time{}
	other.Error = &announcement.Error{Kind: announcement.ErrorUnknown, Message: adoptionRevokedText(runID, owner)}
	other.HoldNumber++
	other.Turn++
	// The launch has no run now, so a run that may be its own is a candidate.
	other.Others = slices.DeleteFunc(slices.Clone(other.Others), func(o record.OtherRun) bool {
		if o.HoldNumber > 0 && o.Run != nil {
			other.Candidates = append(other.Candidates, candidateOf(o.Run))
		}
		return o.HoldNumber > 0
	})
	items, err := l.ReopenWindow(ctx, other)
	if err != nil {
		return nil, err
	}
	item, err := other.NextItem(now.Add(record.RevisitAfter))
	return append([]ledger.Item{item}, items...), err
}

// ReopenWindow makes a launch the current launch of its window again, if it is
// the window's latest. It returns the window's item to write, or nothing.
func (l *Launcher) ReopenWindow(ctx context.Context, n *record.Launch) ([]ledger.Item, error) {
	if n.Window == "" {
		return nil, nil
	}
	item, err := l.Store.Get(ctx, n.Window)
	if err != nil || !item.Exists() {
		return nil, err
	}
	w, by, err := record.DecodeWindow(item, nil)
	if err != nil || !w.State.Reopen(n.Revision, n.Turn, l.Clock.Now()) {
		return nil, err
	}
	item, err = w.NextItem(by, time.Time{}, l.Clock.Now())
	return []ledger.Item{item}, err
}
