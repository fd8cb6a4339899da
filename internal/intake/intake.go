// Package intake turns files into windows, and windows that are due into
// launches.
package intake

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/runs"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/internal/window"
)

// Windows takes files into windows, and launches the windows that are due. It is
// safe for concurrent use, in any number of processes.
type Windows struct {
	launches *launch.Launcher
	store    *record.Store
	runs     *runs.Client
	clock    record.Clock
	logger   *slog.Logger
	tenant   string
	paused   bool
	routes   Routes
}

// Routes returns what the routes say now of a window; false: none has it.
type Routes func(configID, period string) (record.WindowSpec, bool)

// New returns Windows whose launches a Launcher carries out. [Windows.Due]
// needs routes; nil stands for none.
func New(l *launch.Launcher, routes Routes) *Windows {
	return &Windows{l, l.Store, l.Runs, l.Clock, l.Logger, l.Tenant, l.Paused, routes}
}

// MissingText is the message of a window whose files are missing, in the list of
// what is held.
const MissingText = "files were missing at the deadline, and the window still waits for them"

// Expect sees to it that a window exists, and is looked at when its deadline
// passes, whether or not a file comes.
func (ws *Windows) Expect(ctx context.Context, w record.WindowSpec) error {
	item, err := ws.store.Get(ctx, w.Key())
	for n := 1; err == nil; n++ {
		now := ws.clock.Now()
		j := &record.Window{Item: item, State: window.New(w.ConfigID, w.Period, w.Route, now)}
		if item.Exists() {
			if j, _, err = record.DecodeWindow(item, &w); err != nil {
				return err
			}
		}
		j.State.Expected = true
		d := j.State.Evaluate(w.Rules, now)
		look := d.At
		if d.Do != window.Nothing {
			look = now // whoever looks at it then launches it
		}
		err = ws.store.PutWindow(ctx, j, &w, look)
		var conflict *ledger.ConflictError
		if !errors.As(err, &conflict) || n == record.MaxFolds {
			return err
		}
		item, err = conflict.Current[0], ws.store.PauseAfterConflict(ctx, n)
	}
	return err
}

// NotAfter is how long after its decision a window's run is wanted
// without the operator's word: its dates are fixed, so it is not soon too late.
const NotAfter = 7 * 24 * time.Hour

// Arrived is what became of one window's files of a batch.
type Arrived struct {
	Counts window.Counts
	Result record.Result
	// claimed is a launch that the caller is to carry out.
	claimed *record.Launch
}

// Arrive takes the files of one window into the ledger, in one write, and
// decides for the window. A launch that is decided is claimed by this
// invocation: give what Arrive returns to [Launcher.Carry]. The error says that
// the files were not taken in; they must be delivered again.
func (ws *Windows) Arrive(ctx context.Context, w record.WindowSpec, files []window.Arrival, received time.Time) (Arrived, error) {
	item, err := ws.store.Get(ctx, w.Key())
	for n := 1; err == nil; n++ {
		j := &record.Window{Item: item, State: window.New(w.ConfigID, w.Period, w.Route, received)}
		if item.Exists() {
			if j, _, err = record.DecodeWindow(item, &w); err != nil {
				break
			}
		}
		counts := j.State.Fold(files, w.Rules, received)
		var claimed *record.Launch
		claimed, err = ws.applyAndLog(ctx, j, &w, j.State.Evaluate(w.Rules, ws.clock.Now()))
		var conflict *ledger.ConflictError
		if errors.As(err, &conflict) && n < record.MaxFolds {
			// Others write to the window too: fold the files into what it is now.
			item, err = conflict.Current[0], ws.store.PauseAfterConflict(ctx, n)
			continue
		}
		if err != nil {
			break
		}
		ws.announceNotices(ctx, j, &w)
		res := resultOf(j, counts)
		ws.logFiles(ctx, j, &w, counts, res)
		return Arrived{Counts: counts, claimed: claimed, Result: res}, nil
	}
	return Arrived{}, &record.LedgerError{LaunchKey: w.Key(), Err: err}
}

// logFiles writes the line that tells what files did to a window.
func (ws *Windows) logFiles(ctx context.Context, j *record.Window, w *record.WindowSpec, n window.Counts, res record.Result) {
	a := []any{
		slog.String("window", w.Key()), slog.String(telemetry.ConfigID, w.ConfigID), slog.String(telemetry.Route, w.Route),
		slog.String(telemetry.Outcome, string(res.Outcome)),
		slog.Int("new", n.New), slog.Int("duplicates", n.Duplicates), slog.Int("covered", n.Covered), slog.Int("files", j.State.Open.Count),
	}
	switch {
	case res.LaunchKey != "":
		a = append(a, slog.String(telemetry.LaunchKey, res.LaunchKey))
	case !j.Item.Due.IsZero():
		a = append(a, slog.String("looks_again", j.Item.Due.UTC().Format(time.RFC3339)))
	}
	ws.logger.InfoContext(ctx, "window", a...)
}

// resultOf answers for a window that is not launched now.
func resultOf(j *record.Window, n window.Counts) record.Result {
	res := record.Result{Outcome: record.Waiting}
	if n.New == 0 {
		res.Outcome = record.Duplicate
	}
	if f := j.State.Launch; f != nil {
		res.LaunchKey = record.LaunchKey(j.State.ConfigID, j.State.Period, f.Revision)
	}
	return res
}

// Launch carries out the launch that Arrive has claimed, and answers how far it
// came. Without one the answer is what Arrive has said.
func (ws *Windows) Launch(ctx context.Context, a Arrived) record.Result {
	if a.claimed == nil {
		return a.Result
	}
	if a.claimed.State == record.StateHeld {
		ws.launches.LogResult(ctx, a.claimed.Key, a.claimed.Request.ConfigID, a.claimed.Cause.Route, a.claimed.Result())
		ws.launches.DeliverOutcome(ctx, a.claimed)
		return a.claimed.Result()
	}
	return ws.launches.Proceed(ctx, a.claimed)
}

// Due decides for a window that fell due. It reports whether there was anything
// to do. An error says that the item could not be worked on; it stays due.
func (ws *Windows) Due(ctx context.Context, key string) (bool, error) {
	item, err := ws.store.Get(ctx, key)
	if err != nil {
		return false, err
	}
	now := ws.clock.Now()
	if !item.Exists() || item.Due.IsZero() || item.Due.After(now) {
		return false, nil // the list of what is due lags behind
	}
	j, w, err := record.DecodeWindow(item, nil)
	if err != nil {
		return false, err
	}
	var d window.Decision
	if by, ok := ws.routes(j.State.ConfigID, j.State.Period); ok {
		w = &by
		j.State.Route = by.Route
		d = j.State.Evaluate(by.Rules, now)
	} else {
		d = j.State.Abandon(now)
	}
	claimed, err := ws.applyAndLog(ctx, j, w, d)
	var conflict *ledger.ConflictError
	if errors.As(err, &conflict) {
		return true, nil // somebody else is at it; it is still due
	}
	if err != nil {
		return false, err
	}
	ws.announceNotices(ctx, j, w)
	ws.Launch(ctx, Arrived{claimed: claimed})
	return true, nil
}

// decide carries out a decision about a window, and logs what is worth knowing
// of it. It writes the window, and with it the launch that begins. The error is a
// [*ledger.ConflictError] where the window has a newer version.
func (ws *Windows) applyAndLog(ctx context.Context, j *record.Window, w *record.WindowSpec, d window.Decision) (*record.Launch, error) {
	claimed, err := ws.apply(ctx, j, w, d)
	if err == nil {
		ws.logDecision(ctx, w, d)
	}
	return claimed, err
}

func (ws *Windows) apply(ctx context.Context, j *record.Window, w *record.WindowSpec, d window.Decision) (*record.Launch, error) {
	now := ws.clock.Now()
	if d.Do == window.Launch && ws.paused {
		d = window.Decision{At: now.Add(launch.PausedFor)}
		j.State.WaitsSince = time.Time{} // it waits for nothing else now
		ws.launches.LogResult(ctx, record.LaunchKey(w.ConfigID, w.Period, j.State.Revision+1), w.ConfigID, w.Route, record.Result{Outcome: record.Blocked, Reason: announcement.ReasonPaused,
			Error: &announcement.Error{Kind: announcement.ErrorPaused, Message: launch.PausedText}})
	}
	if d.Do == window.Nothing {
		return nil, ws.store.PutWindow(ctx, j, w, d.At)
	}
	for {
		at, err := ws.store.Get(ctx, record.ConfigPrefix+w.ConfigID)
		if err != nil {
			return nil, err
		}
		c, err := record.DecodeConfigID(at, w.ConfigID)
		if err != nil {
			return nil, err
		}
		if d.Do == window.Launch {
			if front := ws.runs.Front(ctx, c, ""); !front.IsZero() {
				front.Asked = c.Overlap.Asked(front.RunID, now)
				d = j.State.Wait(now, front)
				if d.Do == window.Nothing {
					return nil, ws.store.PutWindow(ctx, j, w, d.At)
				}
			}
		}
		claimed, err := ws.CreateLaunch(ctx, j, w, d, "", at, c)
		var conflict *record.LaunchConflict
		switch {
		case !errors.As(err, &conflict):
			return claimed, err
		case conflict.WindowChanged:
			return nil, err
		case conflict.Launch.Exists():
			// The window was forgotten, and its launch was not.
			if err := ws.restoreLaunch(j, conflict.Launch); err != nil {
				return nil, err
			}
			return nil, ws.store.PutWindow(ctx, j, w, now)
		}
		// Another launch of the config id was written in between: look again.
	}
}

// CreateLaunch writes the window's next launch, with the window and the config id in
// one transaction: no other window of it can be decided at the same time. It is
// discarded at once where discard says why a person wants that.
func (ws *Windows) CreateLaunch(ctx context.Context, j *record.Window, w *record.WindowSpec, d window.Decision, discard string, at ledger.Item, c *record.ConfigID) (*record.Launch, error) {
	now := ws.clock.Now()
	before := *j.State
	revision := j.State.Decide(w.Rules, now, d.Do == window.HoldIt)
	files := j.State.Launch.Files
	n := &record.Launch{LaunchDoc: record.LaunchDoc{
		Format: record.Format, State: record.StateClaimed, Since: now, Claimed: now, Lease: ws.launches.LeaseEnd(ctx),
		Key:      record.LaunchKey(w.ConfigID, w.Period, revision),
		Request:  w.Request,
		Cause:    announcement.Cause{Type: announcement.CauseArrival, Route: w.Route, Period: w.Period, Revision: revision, Files: files.Count},
		Resource: "", IfUnknown: w.IfUnknown, NotAfter: now.Add(NotAfter),
		NotBefore: files.NotBefore(),
		Window:    w.Key(), Revision: revision, Hold: j.State.Hold,
	}}
	if len(files.Samples) > 0 {
		n.Cause.FirstFile = files.Samples[0]
		n.Resource = "arn:aws:s3:::" + strings.TrimPrefix(files.Samples[0], "s3://")
	}
	n.Item = ledger.Item{Key: record.LaunchPrefix + n.Key}
	due := n.Lease
	switch {
	case discard != "":
		n.SetState(record.StateDiscarded, now)
		n.Reason, n.Error = d.Reason, &announcement.Error{Kind: announcement.ErrorDiscarded, Message: discard}
		due = now.Add(record.RevisitAfter)
	case d.Do == window.HoldIt:
		n.SetState(record.StateHeld, now)
		n.Reason, n.Error, n.Hold = d.Reason, launch.HeldError(d.Reason, d.RunID), n.Hold+1
		if d.Reason == announcement.ReasonImplausibleDate {
			n.Samples = files.Samples
		}
		due = now.Add(record.RevisitAfter)
		if d.Reason == announcement.ReasonOverlap {
			c.Overlap = record.AskedOverlap{RunID: d.RunID, Launch: n.Key, At: now}
		}
	default:
		c.SetLaunch(record.LaunchRef{Key: n.Key, State: record.RefGoing})
	}
	// A crash before this leaves the window ripe, and due. A crash after it
	// leaves a claimed launch.
	err := ws.store.CreateLaunch(ctx, n, due, j, w, c, at.Version)
	if err != nil {
		*j.State = before
		return nil, err
	}
	return n, nil
}

// restoreLaunch takes a launch into a window that has forgotten it.
func (ws *Windows) restoreLaunch(j *record.Window, item ledger.Item) error {
	n, err := record.DecodeLaunch(item)
	if err != nil {
		return err
	}
	var end *window.Outcome
	if n.State.Final() {
		o := n.WindowOutcome()
		end = &o
	}
	j.State.Recall(n.Revision, n.Turn, n.Claimed, end)
	return nil
}

// announceNotices announces what a window has to tell, and then takes it out.
func (ws *Windows) announceNotices(ctx context.Context, j *record.Window, w *record.WindowSpec) {
	if len(j.State.Notices) == 0 {
		return
	}
	// A crash before the write repeats the announcements, with the same ids.
	for _, n := range j.State.Notices {
		if ws.launches.Announce(ctx, noticeOf(n, w, ws.tenant)) != nil {
			return // the window is due
		}
		ws.logNotice(ctx, n, w)
	}
	now := ws.clock.Now()
	j.State.Notices = nil
	look := time.Time{}
	if j.State.Launch == nil && j.State.Open.Count > 0 {
		look = now
	}
	if err := ws.store.PutWindow(ctx, j, w, look); err != nil {
		ws.logger.InfoContext(ctx, "window not confirmed", slog.String("window", w.Key()), slog.String(telemetry.Error, err.Error()))
	}
}

// logNotice writes the line of what a window has told.
func (ws *Windows) logNotice(ctx context.Context, n window.Notice, w *record.WindowSpec) {
	a := []any{slog.String("window", w.Key()), slog.String(telemetry.ConfigID, w.ConfigID), slog.String(telemetry.Route, w.Route),
		slog.String(telemetry.LaunchKey, record.LaunchKey(w.ConfigID, w.Period, n.Revision)), slog.Int("files", n.Files.Count)}
	switch n.Type {
	case announcement.FilesMissing:
		ws.logger.WarnContext(ctx, "files missing", append(a, slog.String(telemetry.Error, describeMissing(n, w)))...)
	case announcement.FilesComplete:
		ws.logger.InfoContext(ctx, "files complete", a...)
	case announcement.WindowAbandoned:
		ws.logger.WarnContext(ctx, "window abandoned", a...)
	}
}

// logDecision logs what is worth knowing of a decision.
func (ws *Windows) logDecision(ctx context.Context, w *record.WindowSpec, d window.Decision) {
	a := []any{slog.String("window", w.Key()), slog.String(telemetry.ConfigID, w.ConfigID), slog.String(telemetry.Route, w.Route)}
	if d.RouteChanged {
		ws.logger.InfoContext(ctx, "route changed", a...)
	}
	if d.Ignored > 0 {
		ws.logger.WarnContext(ctx, "late files ignored", append(a, slog.Int("count", d.Ignored), telemetry.Gauge("Ignored", telemetry.Files, float64(d.Ignored)))...)
	}
}
