package launch

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Window names a window, and says what its route says of it.
type Window struct {
	ConfigID string
	// Period is the day or the hour, as in launch keys.
	Period string
	// Route is the route's name.
	Route string
	Rules window.Rules
	// Request is what is sent to Amperity for it.
	Request   amperity.RunRequest
	IfUnknown IfUnknown
}

// Key is the key of the window's item.
func (w Window) Key() string { return windowPrefix + w.ConfigID + "/" + w.Period }

// arrivalNotAfter is how long after its decision a window's run is wanted
// without the operator's word: its dates are fixed, so it is not soon too late.
const arrivalNotAfter = 7 * 24 * time.Hour

// windowJob is a window as it was read or written last.
type windowJob struct {
	item  ledger.Item
	state *window.State
}

// windowDoc is the document of a window: its state, and what a person's word
// needs to launch it when nobody has the routes at hand.
type windowDoc struct {
	*window.State
	Request   amperity.RunRequest `json:"request"`
	IfUnknown IfUnknown           `json:"if_unknown"`
}

// decodeWindow reads a window's document. w, unless it is nil, is what its route
// says now.
func decodeWindow(item ledger.Item, w *Window) (*windowJob, *Window, error) {
	doc := windowDoc{State: &window.State{}}
	if err := decode(item, &doc, func() int { return doc.Format }); err != nil {
		return nil, nil, err
	}
	if w == nil {
		w = &Window{ConfigID: doc.ConfigID, Period: doc.Period, Route: doc.Route, Request: doc.Request, IfUnknown: doc.IfUnknown}
	} else {
		doc.Route = w.Route
	}
	return &windowJob{item, doc.State}, w, nil
}

// write gives the window's item as it is to be written, to be looked at at a
// time.
func (j *windowJob) write(w *Window, look, now time.Time) (ledger.Item, error) {
	doc, err := encode(windowDoc{j.state, w.Request, w.IfUnknown})
	item := ledger.Item{Key: w.Key(), Version: j.item.Version, Due: look, Doc: doc}
	if len(j.state.Notices) > 0 {
		item.Due = now
	}
	if j.state.Asks() {
		item.Held = j.state.Missing
	}
	if j.state.Idle() && item.Due.IsZero() {
		// One that was expected and to which nothing came at all is forgotten
		// too, and is in nobody's list any more.
		item.Expires = now.Add(keptWindow)
	}
	return item, err
}

// Arrived is what became of one window's files of a batch.
type Arrived struct {
	Counts window.Counts
	Result Result
	// claimed is a launch that the caller is to carry out.
	claimed *job
}

// Arrive takes the files of one window into the ledger, in one write, and
// decides for the window. A launch that is decided is claimed by this
// invocation: give what Arrive returns to [Launcher.Carry]. The error says that
// the files were not taken in; they must be delivered again.
func (ws *Windows) Arrive(ctx context.Context, w Window, files []window.Arrival, received time.Time) (Arrived, error) {
	item, err := ws.store.Get(ctx, w.Key())
	for n := 1; err == nil; n++ {
		j := &windowJob{item, window.New(w.ConfigID, w.Period, w.Route, received)}
		if item.Exists() {
			if j, _, err = decodeWindow(item, &w); err != nil {
				break
			}
		}
		counts := j.state.Fold(files, w.Rules, received)
		var claimed *job
		claimed, err = ws.decide(ctx, j, &w, j.state.Evaluate(w.Rules, ws.clock.Now()))
		var conflict *ledger.ConflictError
		if errors.As(err, &conflict) && n < maxFolds {
			// Others write to the window too: fold the files into what it is now.
			item, err = conflict.Current[0], ws.store.Pause(ctx, n)
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
	return Arrived{}, &LedgerError{LaunchKey: w.Key(), Err: err}
}

// logFiles writes the line that tells what files did to a window.
func (ws *Windows) logFiles(ctx context.Context, j *windowJob, w *Window, n window.Counts, res Result) {
	a := []any{
		slog.String("window", w.Key()), slog.String(telemetry.ConfigID, w.ConfigID), slog.String(telemetry.Route, w.Route),
		slog.String(telemetry.Outcome, string(res.Outcome)),
		slog.Int("new", n.New), slog.Int("duplicates", n.Duplicates), slog.Int("covered", n.Covered), slog.Int("files", j.state.Open.Count),
	}
	switch {
	case res.LaunchKey != "":
		a = append(a, slog.String(telemetry.LaunchKey, res.LaunchKey))
	case !j.item.Due.IsZero():
		a = append(a, slog.String("looks_again", j.item.Due.UTC().Format(time.RFC3339)))
	}
	ws.logger.InfoContext(ctx, "window", a...)
}

// resultOf answers for a window that is not launched now.
func resultOf(j *windowJob, n window.Counts) Result {
	res := Result{Outcome: Waiting}
	if n.New == 0 {
		res.Outcome = Duplicate
	}
	if f := j.state.Launch; f != nil {
		res.LaunchKey = launchKey(j.state.ConfigID, j.state.Period, f.Revision)
	}
	return res
}

// launchKey is the key of a window's launch.
func launchKey(configID, period string, revision int) string {
	return strings.Join([]string{"arrival", configID, period, strconv.Itoa(revision)}, "/")
}

// Launch carries out the launch that Arrive has claimed, and answers how far it
// came. Without one the answer is what Arrive has said.
func (ws *Windows) Launch(ctx context.Context, a Arrived) Result {
	if a.claimed == nil {
		return a.Result
	}
	if a.claimed.State == held {
		ws.launches.log(ctx, a.claimed.Key, a.claimed.Request.ConfigID, a.claimed.Cause.Route, a.claimed.result())
		ws.launches.finish(ctx, a.claimed)
		return a.claimed.result()
	}
	return ws.launches.carry(ctx, a.claimed)
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
	j, w, err := decodeWindow(item, nil)
	if err != nil {
		return false, err
	}
	var d window.Decision
	if by, ok := ws.routes(j.state.ConfigID, j.state.Period); ok {
		w = &by
		j.state.Route = by.Route
		d = j.state.Evaluate(by.Rules, now)
	} else {
		d = j.state.Abandon(now)
	}
	claimed, err := ws.decide(ctx, j, w, d)
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
func (ws *Windows) decide(ctx context.Context, j *windowJob, w *Window, d window.Decision) (*job, error) {
	claimed, err := ws.apply(ctx, j, w, d)
	if err == nil {
		ws.logDecision(ctx, w, d)
	}
	return claimed, err
}

func (ws *Windows) apply(ctx context.Context, j *windowJob, w *Window, d window.Decision) (*job, error) {
	now := ws.clock.Now()
	if d.Do == window.Launch && ws.paused {
		d = window.Decision{At: now.Add(pausedFor)}
		j.state.WaitsSince = time.Time{} // it waits for nothing else now
		ws.launches.log(ctx, launchKey(w.ConfigID, w.Period, j.state.Revision+1), w.ConfigID, w.Route, Result{Outcome: Blocked, Reason: announcement.ReasonPaused,
			Error: &announcement.Error{Kind: announcement.ErrorPaused, Message: pausedText}})
	}
	if d.Do == window.Nothing {
		return nil, ws.store.PutWindow(ctx, j, w, d.At)
	}
	for {
		at, err := ws.store.Get(ctx, configPrefix+w.ConfigID)
		if err != nil {
			return nil, err
		}
		c, err := decodeConfig(at, w.ConfigID)
		if err != nil {
			return nil, err
		}
		if d.Do == window.Launch {
			if front := ws.runs.Front(ctx, c, ""); !front.IsZero() {
				front.Asked = c.Overlap.asked(front.RunID, now)
				d = j.state.Wait(now, front)
				if d.Do == window.Nothing {
					return nil, ws.store.PutWindow(ctx, j, w, d.At)
				}
			}
		}
		claimed, err := ws.createLaunch(ctx, j, w, d, "", at, c)
		var conflict *ledger.ConflictError
		switch {
		case !errors.As(err, &conflict):
			return claimed, err
		case conflict.Current[0].Version != j.item.Version:
			return nil, err
		case conflict.Current[2].Exists():
			// The window was forgotten, and its launch was not.
			if err := ws.restoreLaunch(j, conflict.Current[2]); err != nil {
				return nil, err
			}
			return nil, ws.store.PutWindow(ctx, j, w, now)
		}
		// Another launch of the config id was written in between: look again.
	}
}

// createLaunch writes the window's next launch, with the window and the config id in
// one transaction: no other window of it can be decided at the same time. It is
// discarded at once where discard says why a person wants that.
func (ws *Windows) createLaunch(ctx context.Context, j *windowJob, w *Window, d window.Decision, discard string, at ledger.Item, c *config) (*job, error) {
	now := ws.clock.Now()
	before := *j.state
	revision := j.state.Decide(w.Rules, now, d.Do == window.HoldIt)
	files := j.state.Launch.Files
	n := &job{record: record{
		Format: format, State: claimed, Since: now, Claimed: now, Lease: ws.launches.lease(ctx),
		Key:      launchKey(w.ConfigID, w.Period, revision),
		Request:  w.Request,
		Cause:    announcement.Cause{Type: announcement.CauseArrival, Route: w.Route, Period: w.Period, Revision: revision, Files: files.Count},
		Resource: "", IfUnknown: w.IfUnknown, NotAfter: now.Add(arrivalNotAfter),
		NotBefore: files.NotBefore(),
		Window:    w.Key(), Revision: revision, Hold: j.state.Hold,
	}}
	if len(files.Samples) > 0 {
		n.Cause.FirstFile = files.Samples[0]
		n.Resource = "arn:aws:s3:::" + strings.TrimPrefix(files.Samples[0], "s3://")
	}
	n.item = ledger.Item{Key: launchPrefix + n.Key}
	due := n.Lease
	switch {
	case discard != "":
		n.to(discarded, now)
		n.Reason, n.Error = d.Reason, &announcement.Error{Kind: announcement.ErrorDiscarded, Message: discard}
		due = now.Add(soon)
	case d.Do == window.HoldIt:
		n.to(held, now)
		n.Reason, n.Error, n.Hold = d.Reason, heldBy(d.Reason, d.RunID), n.Hold+1
		if d.Reason == announcement.ReasonImplausibleDate {
			n.Samples = files.Samples
		}
		due = now.Add(soon)
		if d.Reason == announcement.ReasonOverlap {
			c.Overlap = overlap{d.RunID, n.Key, now}
		}
	default:
		c.set(entry{Key: n.Key, State: entryGoing})
	}
	c.prune(now)
	// A crash before this leaves the window ripe, and due. A crash after it
	// leaves a claimed launch.
	err := ws.writeLaunch(ctx, j, w, n, due, at, c)
	if err != nil {
		*j.state = before
		return nil, err
	}
	return n, nil
}

func (ws *Windows) writeLaunch(ctx context.Context, j *windowJob, w *Window, n *job, due time.Time, at ledger.Item, c *config) error {
	item, err := j.write(w, time.Time{}, ws.clock.Now())
	if err != nil {
		return err
	}
	launch, err := n.write(due)
	if err != nil {
		return err
	}
	if at.Doc, err = encode(c); err != nil {
		return err
	}
	if err := ws.store.Write(ctx, item, at, launch); err != nil {
		return err
	}
	n.wrote(launch)
	item.Version++
	j.item = item
	return nil
}

// restoreLaunch takes a launch into a window that has forgotten it.
func (ws *Windows) restoreLaunch(j *windowJob, item ledger.Item) error {
	n, err := decodeRecord(item)
	if err != nil {
		return err
	}
	var end *window.Outcome
	if n.State.over() {
		o := n.ended()
		end = &o
	}
	j.state.Recall(n.Revision, n.Turn, n.Claimed, end)
	return nil
}

// answered counts the files that have come for a launch's window since its
// decision: they are answered if it ends without a run. Where they cannot be
// counted none is, and the window opens again for them.
func (l *Launcher) answered(ctx context.Context, n *job) int {
	if n.Window == "" {
		return 0
	}
	item, err := l.store.Get(ctx, n.Window)
	if err == nil && item.Exists() {
		var j *windowJob
		if j, _, err = decodeWindow(item, nil); err == nil {
			return j.state.Since(n.Revision, n.Turn)
		}
	}
	if err != nil {
		l.Logger.WarnContext(ctx, "window not seen", slog.String(telemetry.LaunchKey, n.Key), slog.String(telemetry.Error, err.Error()))
	}
	return 0
}

// ended is how a launch ended, for its window.
func (r *record) ended() window.Outcome {
	return window.Outcome{Revision: r.Revision, Turn: r.Turn, Started: r.State == started, CoveredUntil: r.CoveredUntil, LastPost: r.lastPost(), Answered: r.Answered, At: r.Since}
}

// ended drops the entry of a run that has ended, unless the launch may have
// another one.
func (c *config) ended(e entry) {
	i := slices.Index(c.Launches, e)
	switch {
	case i < 0:
	case e.Doubt:
		c.Launches[i].State = entryHeld
	default:
		c.Launches = slices.Delete(c.Launches, i, i+1)
	}
}

// itsTurn reports whether a launch that an operator has put back into the queue
// may be sent now. If not, the verdict blocks or holds the launch.
func (l *Launcher) itsTurn(ctx context.Context, j *job) (verdict, bool, error) {
	c, err := l.store.ConfigID(ctx, j.Request.ConfigID)
	if err != nil {
		return verdict{}, false, err
	}
	front := l.runs.Front(ctx, c, j.Key)
	if front.IsZero() {
		return verdict{}, true, nil
	}
	v := verdict{outcome: Blocked, reason: announcement.ReasonOverlap, unannounced: true, behind: front.RunID,
		detail: &announcement.Error{Kind: announcement.ErrorPolicy, Message: queuedText}}
	since := j.Blocked.Since
	if now := l.Clock.Now(); !front.Launch && !since.IsZero() && !c.Overlap.asked(front.RunID, now) && !now.Before(front.Limit(since)) {
		v.outcome, v.detail = Held, heldBy(announcement.ReasonOverlap, front.RunID)
	}
	return v, false, nil
}

// askAbove is how much time must be left to ask whether a run has ended.
const askAbove = 15 * time.Second

// tell gives the outcome of a launch to its window.
func (l *Launcher) tell(ctx context.Context, n *job) error {
	item, err := l.store.Get(ctx, n.Window)
	for try := 1; err == nil; try++ {
		if !item.Exists() {
			return nil // forgotten; if it comes back, it finds the launch
		}
		var j *windowJob
		var w *Window
		if j, w, err = decodeWindow(item, nil); err != nil {
			break
		}
		if !j.state.Outcome(n.ended()) {
			return nil
		}
		look := time.Time{}
		if j.state.Open.Count > 0 {
			look = l.Clock.Now()
		}
		err = l.store.PutWindow(ctx, j, w, look)
		var conflict *ledger.ConflictError
		if !errors.As(err, &conflict) {
			return err
		}
		item, err = conflict.Current[0], l.store.Pause(ctx, try)
	}
	l.Logger.WarnContext(ctx, "window not told", slog.String(telemetry.LaunchKey, n.Key), slog.String(telemetry.Error, err.Error()))
	return err
}

// announceNotices announces what a window has to tell, and then takes it out.
func (ws *Windows) announceNotices(ctx context.Context, j *windowJob, w *Window) {
	if len(j.state.Notices) == 0 {
		return
	}
	// A crash before the write repeats the announcements, with the same ids.
	for _, n := range j.state.Notices {
		if ws.launches.announce(ctx, noticeOf(n, w, ws.tenant)) != nil {
			return // the window is due
		}
		ws.logNotice(ctx, n, w)
	}
	now := ws.clock.Now()
	j.state.Notices = nil
	look := time.Time{}
	if j.state.Launch == nil && j.state.Open.Count > 0 {
		look = now
	}
	if err := ws.store.PutWindow(ctx, j, w, look); err != nil {
		ws.logger.InfoContext(ctx, "window not confirmed", slog.String("window", w.Key()), slog.String(telemetry.Error, err.Error()))
	}
}

// logNotice writes the line of what a window has told.
func (ws *Windows) logNotice(ctx context.Context, n window.Notice, w *Window) {
	a := []any{slog.String("window", w.Key()), slog.String(telemetry.ConfigID, w.ConfigID), slog.String(telemetry.Route, w.Route),
		slog.String(telemetry.LaunchKey, launchKey(w.ConfigID, w.Period, n.Revision)), slog.Int("files", n.Files.Count)}
	switch n.Type {
	case announcement.FilesMissing:
		ws.logger.WarnContext(ctx, "files missing", append(a, slog.String(telemetry.Error, missing(n, w)))...)
	case announcement.FilesComplete:
		ws.logger.InfoContext(ctx, "files complete", a...)
	case announcement.WindowAbandoned:
		ws.logger.WarnContext(ctx, "window abandoned", a...)
	}
}

// logDecision logs what is worth knowing of a decision.
func (ws *Windows) logDecision(ctx context.Context, w *Window, d window.Decision) {
	a := []any{slog.String("window", w.Key()), slog.String(telemetry.ConfigID, w.ConfigID), slog.String(telemetry.Route, w.Route)}
	if d.RouteChanged {
		ws.logger.InfoContext(ctx, "route changed", a...)
	}
	if d.Ignored > 0 {
		ws.logger.WarnContext(ctx, "late files ignored", append(a, slog.Int("count", d.Ignored), telemetry.Gauge("Ignored", telemetry.Files, float64(d.Ignored)))...)
	}
}
