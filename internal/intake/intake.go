// Package intake folds files into windows, and turns due windows into launches.
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

// Windows folds files into windows, and launches due windows. It is safe for
// concurrent use, in any number of processes.
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

// Routes returns the spec of a window by the present routes, or false if no
// route has the window.
type Routes func(configID, period string) (record.WindowSpec, bool)

// New returns Windows whose launches l carries out. Only [Windows.Due] needs
// routes; without it they may be nil.
func New(l *launch.Launcher, routes Routes) *Windows {
	return &Windows{l, l.Store, l.Runs, l.Clock, l.Logger, l.Tenant, l.Paused, routes}
}

// MissingText is the message of a window with missing files in the list of held
// launches.
const MissingText = "files were missing at the deadline, and the window still waits for them"

// Expect ensures that a window exists and falls due at its deadline, whether or
// not a file arrives.
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
			look = now // the sweep launches it
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

// NotAfter is how long after its decision a window's run is wanted without a
// release by the operator. The run's dates are fixed, so it stays useful for
// days.
const NotAfter = 7 * 24 * time.Hour

// Arrived is the result of [Windows.Arrive].
type Arrived struct {
	Counts window.Counts
	Result record.Result
	// claimed is a launch for [Windows.Launch], or nil.
	claimed *record.Launch
}

// Arrive folds the files of one window into the ledger in one write, and
// decides about the window. If it decides on a launch, this invocation has
// claimed the launch: pass the result to [Windows.Launch]. After an error the
// files were not recorded, and must be delivered again.
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
			// Another process has updated the window: fold the files into its
			// present state.
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

// logFiles logs what the files of a batch have changed in a window.
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

// resultOf returns the answer for a window that is not launched now.
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

// Launch carries out the launch that Arrive has claimed. Without one it returns
// Arrive's answer.
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

// Due decides about a window that fell due. It reports whether there was
// anything to do. After an error the window stays due.
func (ws *Windows) Due(ctx context.Context, key string) (bool, error) {
	item, err := ws.store.Get(ctx, key)
	if err != nil {
		return false, err
	}
	now := ws.clock.Now()
	if !item.Exists() || item.Due.IsZero() || item.Due.After(now) {
		return false, nil // the list of due items lags behind
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
		return true, nil // another process has updated the window; it is still due
	}
	if err != nil {
		return false, err
	}
	ws.announceNotices(ctx, j, w)
	ws.Launch(ctx, Arrived{claimed: claimed})
	return true, nil
}

// applyAndLog applies a decision about a window, and logs it. If the window has
// a newer version, the error is a [*ledger.ConflictError].
func (ws *Windows) applyAndLog(ctx context.Context, j *record.Window, w *record.WindowSpec, d window.Decision) (*record.Launch, error) {
	claimed, err := ws.apply(ctx, j, w, d)
	if err == nil {
		ws.logDecision(ctx, w, d)
	}
	return claimed, err
}

// apply writes the window, with the launch that the decision creates. It
// returns the launch, or nil.
func (ws *Windows) apply(ctx context.Context, j *record.Window, w *record.WindowSpec, d window.Decision) (*record.Launch, error) {
	now := ws.clock.Now()
	if d.Do == window.Launch && ws.paused {
		d = window.Decision{At: now.Add(launch.PausedFor)}
		j.State.WaitsSince = time.Time{} // the window waits only for the end of the pause
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
			// The ledger has forgotten the window, but not its launch.
			if err := ws.restoreLaunch(j, conflict.Launch); err != nil {
				return nil, err
			}
			return nil, ws.store.PutWindow(ctx, j, w, now)
		}
		// Another process has updated the document of the config id: try again.
	}
}

// CreateLaunch writes the window's next launch, the window and the config id in
// one transaction, so that no other window of the config id is launched at the
// same time. If discard is not empty, the launch is created discarded, with
// discard as the operator's reason.
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
		Window:    w.Key(), Revision: revision, HoldNumber: j.State.HoldNumber,
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
		n.Reason, n.Error, n.HoldNumber = d.Reason, launch.HeldError(d.Reason, d.RunID), n.HoldNumber+1
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
	// A crash before this leaves the window ready, and due. A crash after it
	// leaves a claimed launch; the sweep sends its request.
	err := ws.store.CreateLaunch(ctx, n, due, j, w, c, at.Version)
	if err != nil {
		*j.State = before
		return nil, err
	}
	return n, nil
}

// restoreLaunch records an existing launch in a window that has forgotten it.
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

// announceNotices announces the notices of a window, and then removes them.
func (ws *Windows) announceNotices(ctx context.Context, j *record.Window, w *record.WindowSpec) {
	if len(j.State.Notices) == 0 {
		return
	}
	// A crash before the write leaves the window due; the sweep repeats the
	// announcements with the same ids.
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

// logNotice logs an announced notice of a window.
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

// logDecision logs the parts of a decision that no other line shows.
func (ws *Windows) logDecision(ctx context.Context, w *record.WindowSpec, d window.Decision) {
	a := []any{slog.String("window", w.Key()), slog.String(telemetry.ConfigID, w.ConfigID), slog.String(telemetry.Route, w.Route)}
	if d.RouteChanged {
		ws.logger.InfoContext(ctx, "route changed", a...)
	}
	if d.Ignored > 0 {
		ws.logger.WarnContext(ctx, "late files ignored", append(a, slog.Int("count", d.Ignored), telemetry.Gauge("Ignored", telemetry.Files, float64(d.Ignored)))...)
	}
}
