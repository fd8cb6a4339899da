package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// namedMutant is a mistake that a reviewer thought of.
type namedMutant struct {
	Name string
	// File has Old exactly once. New replaces it.
	File, Old, New string
	// Why is what goes wrong.
	Why string
	// Equivalent is why no test can notice it, or empty if a test can.
	Equivalent string
}

// mutant returns the mutant of the present source.
func (n namedMutant) mutant(root string) (mutant, error) {
	source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(n.File)))
	if err != nil {
		return mutant{}, err
	}
	if count := bytes.Count(source, []byte(n.Old)); count != 1 {
		return mutant{}, fmt.Errorf("%s has the old text %d times, and must have it once; write the same mistake for the present code:\n%s", n.File, count, n.Old)
	}
	start := bytes.Index(source, []byte(n.Old))
	return mutant{
		File: n.File, Line: 1 + bytes.Count(source[:start], []byte("\n")), Col: 1, Operator: byHand,
		Was: n.Old, Becomes: n.New, Name: n.Name, Why: n.Why, Equivalent: n.Equivalent,
		source: source, start: start, end: start + len(n.Old),
	}, nil
}

// namedMutants are mistakes that a review of the protocol found unguarded, and
// the mutations of the simulation (see test/sim) in the code itself.
var namedMutants = []namedMutant{
	// --- Windows ---
	{
		Name: "flush without a later look", File: "internal/intake/intake.go",
		Old: "	if j.State.Launch == nil && j.State.Open.Count > 0 {\n		look = now\n	}\n	if err := ws.store.PutWindow",
		New: "	_ = now\n	if err := ws.store.PutWindow",
		Why: "A window that was not quiet at its deadline is never looked at again.",
	},
	{
		Name: "flush confirms what it could not announce", File: "internal/intake/intake.go",
		Old: "			return // the window is due\n", New: "			continue\n",
		Why: "Files Missing is lost after one failure of the event bus.",
	},
	{
		Name: "a decision leaves the config id free", File: "internal/intake/intake.go",
		Old: "	default:\n		c.SetLaunch(record.LaunchRef{Key: n.Key, State: record.RefGoing})\n	}\n", New: "	}\n",
		Why: "Two windows of one config id are decided at the same time.",
	},
	{
		Name: "an unknown run counts as over at once", File: "internal/runs/ends.go",
		Old: "ended, unread = cl.Clock.Now().Sub(since) > time.Hour, false",
		New: "ended, unread = true, false",
		Why: "A 404 for a run of a moment ago lets the next run begin beside it.",
	},
	{
		Name: "a conflict fails Due", File: "internal/intake/intake.go",
		Old: "		return true, nil // another process has updated the window; it is still due\n", New: "		return true, err\n",
		Why: "The sweep postpones a window that another process writes.",
	},
	{
		Name: "a window that asks expires", File: "internal/record/window.go",
		Old: "		item.Held = j.State.Missing\n", New: "		item.Held = j.State.Missing\n		item.Expires = now.Add(keptWindow)\n",
		Why: "A window with missing files is forgotten while it waits for the operator.",
	},
	{
		Name: "a window is looked at before it is due", File: "internal/intake/intake.go",
		Old: "	if !item.Exists() || item.Due.IsZero() || item.Due.After(now) {\n",
		New: "	if !item.Exists() || item.Due.IsZero() {\n",
		Why: "A row of an index that lags behind is worked on again.",
	},
	{
		Name: "a launch is worked on before it is due", File: "internal/launch/reconcile.go",
		Old: "	if !item.Exists() || item.Due.IsZero() || item.Due.After(now) {\n",
		New: "	if !item.Exists() || item.Due.IsZero() {\n",
		Why: "A row of an index that lags behind takes over a launch that a function works on.",
	},
	{
		Name: "an overlap hold for each waiting window", File: "internal/intake/intake.go",
		Old: "front.Asked = c.Overlap.Asked(front.RunID, now)",
		New: "front.Asked = false",
		Why: "One run that hangs asks the operator about each window behind it.",
	},
	{
		Name: "the 12 hours count the queue", File: "internal/window/window.go",
		Old: "	limit := f.Limit(s.WaitsSince)\n",
		New: "	limit := s.WaitsSince.Add(MaxWait)\n",
		Why: "A backfill without any fault ends with the operator.",
	},
	{
		Name: "the 12 hours of a released launch count the queue", File: "internal/launch/queue.go",
		Old: " && !now.Before(front.Limit(since)) {",
		New: " && now.Sub(since).Hours() >= 12 {",
		Why: "A released launch is held again although each run in front is short.",
	},
	{
		Name: "an unread run counts as running", File: "internal/window/window.go",
		Old: "	if f.Unread {\n",
		New: "	if false {\n",
		Why: "An outage of 12 hours asks the operator about a run that may have ended.",
	},
	{
		Name: "a window's request is sent early", File: "internal/launch/launcher.go",
		Old: "; wait > 0 && (!l",
		New: "; false && wait > 0 && (!l",
		Why: "The run does not cover a file whose event comes right behind the others.",
	},
	{
		Name: "a late file is dropped", File: "internal/window/window.go",
		Old: "if late && r.Late == Ignore && s.Open.Count > 0 {", New: "if late && s.Open.Count > 0 {",
		Why: "A file after the launch starts nothing, whatever the route says.",
	},
	{
		Name: "the margin is 3 s", File: "internal/window/window.go",
		Old: "Margin = 5 * time.Second", New: "Margin = 3 * time.Second",
		Why: "A file that a clock dates too early counts as covered.",
	},
	{
		Name: "the marks of the margin are forgotten", File: "internal/window/window.go",
		Old: "	s.Marks.forget(s.CoveredUntil)\n", New: "	s.Marks = nil\n",
		Why: "A duplicate of a covered file starts a run.",
	},
	{
		Name: "a launch without a run covers", File: "internal/window/window.go",
		Old: "		s.reopenWindow(o.At.Add(-Margin), s.After.Count > o.Answered, s.After.Count)\n", New: "		s.cover(o.At)\n",
		Why: "Files before a rejection never get a run.",
	},

	// --- Coverage ---
	{
		Name: "adopt covers from the last request", File: "internal/launch/reconcile.go",
		Old: "j.SetRun(run, j.Posts[0], l.Clock.Now())",
		New: "j.SetRun(run, j.LastPost(), l.Clock.Now())",
		Why: "A file between two requests is lost, if the first one's run is adopted.",
	},
	{
		Name: "an operator's adoption covers until now", File: "internal/held/held.go",
		Old: "		j.SetRun(run, posted, r.clock.Now())\n", New: "		_ = posted\n		j.SetRun(run, r.clock.Now(), r.clock.Now())\n",
		Why: "Files after the adopted run never get one.",
	},
	{
		Name: "a late answer covers until now", File: "internal/launch/late.go",
		Old: "			j.SetRun(run, posted, l.Clock.Now())\n", New: "			j.SetRun(run, l.Clock.Now(), l.Clock.Now())\n",
		Why: "Files after the request never get a run.",
	},
	{
		Name: "a discard does not count what it answers", File: "internal/held/held.go",
		Old: "		j.Answered = r.launches.CountAnswered(ctx, j)\n		j.SetState(record.StateDiscarded", New: "		j.SetState(record.StateDiscarded",
		Why: "Files that the operator discarded start a run.",
	},
	{
		Name: "covered from the claim", File: "internal/record/launch.go",
		Old: "	r.CoveredUntil = posted.Add(-window.Margin)\n", New: "	r.CoveredUntil = r.Claimed.Add(0 * window.Margin)\n",
		Why: "Covered until is the claim, without the margin.",
	},
	{
		Name: "covered from the answer", File: "internal/record/launch.go",
		Old: "	r.CoveredUntil = posted.Add(-window.Margin)\n", New: "	r.CoveredUntil = now.Add(0 * window.Margin)\n",
		Why: "A file during the request counts as covered.",
	},

	// --- Requests ---
	{
		Name: "the request is sent before the claim", File: "internal/launch/launcher.go",
		Old: "	marked, err := l.create(ctx, j)\n",
		New: "	early := l.Runs.StartRun(ctx, in.Request)\n	marked, err := l.create(ctx, j)\n	if err == nil {\n		j.Posts = append(j.Posts, now)\n		return l.recordOutcome(ctx, j, early), nil\n	}\n",
		Why: "A crash after the request leaves a run that nobody knows.",
	},
	{
		Name: "the request is sent without the mark", File: "internal/launch/launcher.go",
		Old: "			if err := l.writeMark(ctx, j); err != nil {\n				return runs.Verdict{}, err\n			}\n", New: "			j.Mark(l.Clock.Now())\n",
		Why: "After a crash the ledger does not show that a request was sent.",
	},
	{
		Name: "a new launch is claimed, and its request is sent without the mark", File: "internal/launch/launcher.go",
		Old: "		err := l.writeMark(ctx, j)\n		if err == nil {\n			return true, nil\n",
		New: "		err := l.Store.PutLaunch(ctx, j, j.Lease)\n		j.Mark(l.Clock.Now())\n		if err == nil {\n			return true, nil\n",
		Why: "After a crash the ledger does not show that a request was sent.",
	},
	{
		Name: "the request of a new launch is sent although its mark failed", File: "internal/launch/launcher.go",
		Old: "		if err == nil {\n			return true, nil\n		}\n		var lost", New: "		if err == nil || err != nil {\n			return true, nil\n		}\n		var lost",
		Why: "Two deliveries of one input send two requests.",
	},
	{
		Name: "a new launch is marked while the stack is paused", File: "internal/launch/launcher.go",
		Old: "	if l.Paused || j.TooLate(l.Clock.Now())", New: "	if j.TooLate(l.Clock.Now())",
		Why: "A paused stack starts runs.",
	},
	{
		Name: "a new launch is marked without time to send", File: "internal/launch/launcher.go",
		Old: " && l.Runs.HasTimeFor(ctx, runs.MinPost) && l.Runs.TakeTurn()", New: " && l.Runs.TakeTurn()",
		Why: "The operator gets a hold although no request was sent.",
	},
	{
		Name: "a new launch is marked out of its turn", File: "internal/launch/launcher.go",
		Old: " && l.Runs.HasTimeFor(ctx, runs.MinPost) && l.Runs.TakeTurn()", New: " && l.Runs.HasTimeFor(ctx, runs.MinPost)",
		Why: "An instance exceeds its share of Amperity's rate limit.",
	},
	{
		Name: "the kept item of a config id keeps its old version after a write", File: "internal/record/launch.go",
		Old: "	item.Version++\n	j.config = &item\n", New: "	j.config = &item\n",
		Why: "The record of each run meets a conflict: one more round trip.",
	},
	{
		Name: "the kept item of a config id is kept after a conflict", File: "internal/record/store.go",
		Old: "		j.config, err = &conflict.Current[1], nil\n", New: "		j.config, err = &at, nil\n",
		Why: "A transaction is retried forever with the same stale item.",
	},
	{
		Name: "a 5xx is sent again", File: "internal/runs/verdict.go",
		Old: "	case !amperity.NotProcessed(err) && !errors.Is(err, amperity.ErrConflict):\n", New: "	case !amperity.NotProcessed(err) && !errors.Is(err, amperity.ErrConflict) && d.Status < 500:\n",
		Why: "A request that may have started a run is repeated.",
	},
	{
		Name: "a further request is repeated without a list", File: "internal/launch/launcher.go",
		Old: "		most = 1 // the list",
		New: "		most = maxAttempts // the list",
		Why: "A further request is repeated although the run of an earlier one may have begun.",
	},
	{
		Name: "a 409 is sent again at once", File: "internal/launch/launcher.go",
		Old: "		case v.Reason == announcement.ReasonBusy:\n			// A gateway may have sent an earlier copy, whose run is in the way.\n			j.Busy = append(j.Busy, j.LastPost())\n			return v, nil\n",
		New: "",
		Why: "The launch's own run may be in the way, and the next request starts a second one.",
	},
	{
		Name: "a 409 is taken for certain", File: "internal/launch/launcher.go",
		Old: "		j.Busy = append(j.Busy, j.LastPost())\n",
		New: "		j.Posts = j.Posts[:len(j.Posts)-1]\n",
		Why: "A gateway repeats the request: the launch's own run is in the way, and is started again.",
	},
	{
		Name: "the request after a 409 does not wait for the list", File: "internal/launch/reconcile.go",
		Old: "	busyWait = 5 * time.Minute\n",
		New: "	busyWait = 0 * time.Minute\n",
		Why: "The list that is read before the next request does not show the launch's own run yet.",
	},
	{
		Name: "the list may be asked for too early after a 409", File: "internal/launch/reconcile.go",
		Old:        "; begun.Before(wait) {",
		New:        "; false && begun.Before(wait) {",
		Why:        "The list that is read before the next request does not show the launch's own run yet.",
		Equivalent: "blockLaunch makes the launch due no earlier than that, and each look at a launch with an answer 409 reads the list anew.",
	},
	{
		Name: "a lease without its margin", File: "internal/launch/launcher.go",
		Old: "	leaseBeyond = 11 * time.Second\n", New: "	leaseBeyond = 0 * time.Second\n",
		Why: "The sweep takes over in the second in which Lambda kills.",
	},
	{
		Name: "a lease that ends at once", File: "internal/launch/launcher.go",
		Old: "		return d.Add(leaseBeyond)\n", New: "		_ = d\n		return l.Clock.Now()\n",
		Why: "The sweep takes over a launch that a function works on.",
	},
	{
		Name: "a claimed launch is due hours later", File: "internal/launch/launcher.go",
		Old: "	return false, l.Store.PutLaunch(ctx, j, j.Lease)\n", New: "	return false, l.Store.PutLaunch(ctx, j, j.Lease.Add(2*time.Hour))\n",
		Why: "After a crash the run starts two hours late.",
	},
	{
		Name: "a token that repeats", File: "internal/launch/launcher.go",
		Old: "{ return rand.Text() }", New: "{ _ = rand.Text; return \"token\" }",
		Why: "Another process's write counts as this one's.",
	},
	{
		Name: "a blocked launch gives its turn back", File: "internal/record/config.go",
		Old: "		c.SetLaunch(LaunchRef{Key: j.Key, State: RefGoing})\n	}\n}\n",
		New: "		c.RemoveLaunch(j.Key)\n	}\n}\n",
		Why: "Two runs of one config id at the same time.",
	},
	{
		Name: "Retry-After is ignored", File: "internal/launch/outcome.go",
		Old: "max(record.Backoff(j.Blocked.Attempts, record.RevisitAfter, 15*time.Minute), v.RetryAfter)", New: "record.Backoff(j.Blocked.Attempts, record.RevisitAfter, 15*time.Minute)",
		Why: "A blocked launch is sent before Amperity allows it.",
	},
	{
		Name: "an unknown launch becomes claimed", File: "internal/launch/outcome.go",
		Old: "		j.SetState(record.StateUnknown, now)\n		return l.Store.PutLaunch(ctx, j, now.Add(delay))\n", New: "		j.SetState(record.StateClaimed, now)\n		return l.Store.PutLaunch(ctx, j, now.Add(delay))\n",
		Why: "The next request is sent without a list.",
	},

	// --- Looking for runs ---
	{
		Name: "the list begins at the last request", File: "internal/runs/search.go",
		Old: "range r.Posts {\n		p := period",
		New: "range r.Posts[len(r.Posts)-1:] {\n		p := period",
		Why: "The run of the first request is never seen.",
	},
	{
		Name: "the list ends with the lease", File: "internal/runs/search.go",
		Old: "post.Add(processedWithin)}",
		New: "r.Lease}",
		Why: "A run that begins late is never seen.",
	},
	{
		Name: "the list needs no control run", File: "internal/runs/list.go",
		Old: "	case known.RunID == \"\" || list",
		New: "	case true || list",
		Why: "A list that lags behind counts as whole.",
	},
	{
		Name: "the list begins exactly at the control run", File: "internal/runs/list.go",
		Old: "		from = known.Created.Add(-Skew) //",
		New: "		from = known.Created //",
		Why: "The API rounds times, the list lacks the control run, and every unknown launch is held.",
	},
	{
		Name: "the control run's own list begins exactly at it", File: "internal/runs/list.go",
		Old: "CreatedFrom: known.Created.Add(-Skew), CreatedTo",
		New: "CreatedFrom: known.Created, CreatedTo",
		Why: "The API rounds times, the list lacks the control run, and every unknown launch is held.",
	},
	{
		Name: "a list of before the last request is used again", File: "internal/launch/reconcile.go",
		Old: "	notBefore := j.LastPost()\n",
		New: "	notBefore := time.Time{}\n",
		Why: "A list that another launch has read says nothing of a request after it.",
	},
	{
		Name: "a list is used again right before a request", File: "internal/launch/reconcile.go",
		Old: "		notBefore = now // the list",
		New: "		_ = now // the list",
		Why: "A run that was listed meanwhile is started again.",
	},
	{
		Name: "a list is used again whatever is asked", File: "internal/runs/list.go",
		Old: " && !last.begun.Before(notBefore)\n",
		New: "\n",
		Why: "A list of before the last request says nothing of it.",
	},
	{
		Name: "a run on two pages counts twice", File: "internal/runs/search.go",
		Old: " || hasRun(f.Runs, run.ID) ||",
		New: " ||",
		Why: "A launch with one run is held because of two.",
	},
	{
		Name: "candidates of another name count", File: "internal/record/config.go",
		Old: "(run.Name == \"\" || run.Name == i.Name) &&",
		New: "(true || run.Name == i.Name) &&",
		Why: "Each run that somebody starts meanwhile leaves the launch to the operator.",
	},
	{
		Name: "candidates of another principal count", File: "internal/runs/search.go",
		Old: "		if len(principals) > 0 && run",
		New: "		if false && run",
		Why: "A run that somebody starts by hand leaves the launch to the operator.",
	},
	{
		Name: "a run without a time is left out", File: "internal/runs/search.go",
		Old: "return created.IsZero() || !created",
		New: "return !created",
		Why: "A run without created_at cannot be a candidate.",
	},
	{
		Name: "adopted in doubt", File: "internal/record/config.go",
		Old: "e.Key != key && e.Doubt &&",
		New: "false && e.Doubt &&",
		Why: "A launch adopts a run that another launch may have started.",
	},
	{
		Name: "a look does not ask about doubts", File: "internal/launch/reconcile.go",
		Old:        " && !c.MayBeAnothers(j.Key, j.Posts[0]) {",
		New:        " {",
		Why:        "A launch adopts a run that another launch may have started.",
		Equivalent: "The adopting transaction asks again, and gives the launch back as it was.",
	},
	{
		Name: "the adopting transaction does not ask about doubts again", File: "internal/launch/reconcile.go",
		Old: "		if c.MayBeAnothers(j.Key, j.Posts[0]) {\n			return errDoubtful\n		}\n",
		New: "",
		Why: "A launch adopts the run of another one that was marked while the list was read.",
	},
	{
		Name: "a run's owner is not asked for again", File: "internal/launch/reconcile.go",
		Old: "		free, version, err := l.Runs.IsUnowned(ctx, run)\n		if !free || err != nil {\n",
		New: "		_, version, err := l.Runs.IsUnowned(ctx, run)\n		if err != nil {\n",
		Why: "A launch takes the run of another one that was recorded while the list was read.",
	},
	{
		Name: "the search ends with the hold", File: "internal/launch/reconcile.go",
		Old: "	case r.Unaccounted() == 0 || age",
		New: "	case r.Unaccounted() == 0 || r.State == record.StateHeld || age",
		Why: "The operator is never told of a run that the list shows late.",
	},
	{
		Name: "the search ends with a discard", File: "internal/launch/reconcile.go",
		Old: "	case r.Unaccounted() == 0 || age",
		New: "	case r.Unaccounted() == 0 || r.State == record.StateDiscarded || age",
		Why: "The operator is never told of a run that the list shows late.",
	},
	{
		Name: "the search ends with the first run", File: "internal/launch/reconcile.go",
		Old: "	case r.Unaccounted() == 0 || age",
		New: "	case r.Unaccounted() == 0 || r.State == record.StateStarted || age",
		Why: "The second run of a launch is never announced nor waited for.",
	},
	{
		Name: "retried where it must be held", File: "internal/launch/reconcile.go",
		Old: "case j.IfUnknown != record.Retry || len", New: "case len",
		Why: "A second request is sent although the route says hold.",
	},
	{
		Name: "patience is forgotten", File: "internal/launch/reconcile.go",
		Old: "	if j.Looked.Undecided.IsZero() {\n		j.Looked.Undecided = now\n	}\n", New: "	j.Looked.Undecided = now\n",
		Why: "A launch is looked for without end.",
	},
	{
		Name: "identity from an adopted run", File: "internal/record/config.go",
		Old: "	if !j.Adopted {\n		c.learnIdentity(j.Run)\n	}\n", New: "	c.learnIdentity(j.Run)\n",
		Why: "A wrong adoption decides what later runs look like.",
	},
	{
		Name: "a look waits for other launches", File: "internal/launch/reconcile.go",
		Old: "	if j.State == record.StatePosting {\n		j.State, j.Since",
		New: "	for _, e := range c.Launches {\n		if e.Key != j.Key && e.State == record.RefGoing && e.Doubt {\n			return l.recheckLater(ctx, j, record.RevisitAfter)\n		}\n	}\n	if j.State == record.StatePosting {\n		j.State, j.Since",
		Why: "Two interrupted launches wait for each other.",
	},

	// --- Late answers and the operator ---
	{
		Name: "the second certain run is not announced", File: "internal/launch/late.go",
		Old: "			j.AddRun(run)\n		} else {\n",
		New: "			j.AddRun(run)\n			j.Others[len(j.Others)-1].Run = nil\n		} else {\n",
		Why: "A run that this launch started is known to the log alone.",
	},
	{
		Name: "a further run is not announced", File: "internal/launch/outcome.go",
		Old: "		if l.Announce(ctx, announcementOf(furtherRunDoc(&j.LaunchDoc, o), l.Tenant)) == nil {\n",
		New: "		if true {\n",
		Why: "A run that this launch started is known to the ledger alone.",
	},
	{
		Name: "an announcement is confirmed before it is sent", File: "internal/launch/outcome.go",
		Old: "	// A crash here leaves the launch due; the sweep repeats both steps.\n",
		New: "	if !j.Announced {\n		sent := *j\n		sent.Announced, sent.WindowUpdated = true, true\n		if l.Store.PutLaunch(ctx, &sent, time.Time{}) == nil {\n			j.Item = sent.Item\n		}\n	}\n",
		Why: "A crash in between loses the outcome.",
	},
	{
		Name: "the turn stays", File: "internal/launch/late.go",
		Old: "	other.Turn++\n", New: "",
		Why: "The window hears the end of a launch that is its launch again.",
	},
	{
		Name: "a failed announcement is confirmed", File: "internal/launch/outcome.go",
		Old: "	if !j.Announced && l.Announce(ctx, announcementOf(&j.LaunchDoc, l.Tenant)) == nil {\n", New: "	if !j.Announced {\n		_ = l.Announce(ctx, announcementOf(&j.LaunchDoc, l.Tenant))\n",
		Why: "An outcome is lost after one failure of the event bus.",
	},
	{
		Name: "a release without doubt", File: "internal/held/held.go",
		Old: "Doubt: len(j.Posts) > 0})",
		New: "Doubt: false})",
		Why: "Another launch adopts the run of a released launch.",
	},
	{
		Name: "a release after an overlap is sent at once", File: "internal/held/held.go",
		Old: "if j.Queued = j.Queued || j.Reason == announcement.ReasonOverlap; j.Queued {",
		New: "if j.Queued = false; j.Queued {",
		Why: "It runs beside the run that was in its way.",
	},
	{
		Name: "a second release loses the turn", File: "internal/held/held.go",
		Old: "if j.Queued = j.Queued || j.Reason == announcement.ReasonOverlap; j.Queued {",
		New: "if j.Queued = j.Reason == announcement.ReasonOverlap; j.Queued {",
		Why: "The launch runs beside the run that it waits for.",
	},
	{
		Name: "a release without its request is sent without a look", File: "internal/launch/reconcile.go",
		Old: "		if len(j.Posts) > 0 {\n			// The process of a release", New: "		if len(j.Posts) > 1000 {\n			// The process of a release",
		Why: "The run of an earlier request may be in the list by then.",
	},
	{
		Name: "a command's failed write is no error", File: "internal/held/held.go",
		Old: "	if err != nil {\n		return false, &record.LedgerError{LaunchKey: cmd.Key, Err: err}\n	}\n	return false, nil\n",
		New: "	return false, nil\n",
		Why: "The operator reads that the command was recorded, and it was not.",
	},
	{
		Name: "a command for a window needs no hold number", File: "internal/held/held.go",
		Old: "|| j.State.HoldNumber != cmd.HoldNumber || cmd.HoldNumber == 0 {",
		New: "|| cmd.HoldNumber == 0 {",
		Why: "A command that answers an earlier announcement starts the run without its files.",
	},
	{
		Name: "a held launch expires", File: "internal/record/launch.go",
		Old: "		item.Held = j.Since\n", New: "		item.Held, item.Expires = j.Since, j.Since.Add(KeptFor)\n",
		Why: "A launch is forgotten while it waits for the operator.",
	},

	// --- Config ids and files without a route ---
	{
		Name: "no bound on started launches", File: "internal/record/config.go",
		Old: "if len(certain) <= maxEntries {", New: "if len(certain) <= 100*maxEntries {",
		Why: "The document of a config id grows.",
	},
	{
		Name: "an answer is recorded in one try", File: "internal/launch/outcome.go",
		Old: "	recordFor   = 20 * time.Second", New: "	recordFor   = 0 * time.Second",
		Why: "A ledger that is busy for seconds leaves a run that Amperity has named to the operator.",
	},
	{
		Name: "attempts to record an answer never end", File: "internal/launch/outcome.go",
		Old: "|| !l.Clock.Now().Before(end) ", New: "|| end.IsZero() ",
		Why: "A caller without a deadline waits forever.",
	},
	{
		Name: "an event of the future is the latest", File: "internal/unrouted/unrouted.go",
		Old: "		if at.After(now) { //", New: "		if false { //",
		Why: "All later files count as doubtful.",
	},
	{
		Name: "the newest run is dropped", File: "internal/record/config.go",
		Old: "return b.Last.Compare(a.Last) })\n	oldest", New: "return a.Last.Compare(b.Last) })\n	oldest",
		Why: "A window launches beside the run that is in front of it.",
	},
	{
		Name: "no bound on doubts", File: "internal/record/config.go",
		Old: "e.State == RefHeld && now",
		New: "false && now",
		Why: "The document of a config id grows.",
	},
	{
		Name: "unrouted files are announced before they are kept", File: "internal/unrouted/unrouted.go",
		Old: "		decided := u.decide(now)\n",
		New: "		decided := u.decide(now)\n		if decided {\n			fs.Announce(ctx, Unannounced{item, u, now})\n			return Unannounced{}, nil\n		}\n",
		Why: "Files are lost if the event bus fails.",
	},

	// --- s3arrival ---
	{
		Name: "s3arrival ignores the version id", File: "internal/s3arrival/batch.go",
		Old: "	if a.VersionID != \"\" {\n		return a.VersionID\n	}\n", New: "",
		Why: "Two notifications of one version with different sequencers count as two files.",
	},
	{
		Name: "s3arrival ignores what tells uploads apart", File: "internal/s3arrival/batch.go",
		Old: "	return a.EventTime.Format(time.RFC3339Nano)\n", New: "	_ = time.RFC3339Nano\n	return \"\"\n",
		Why: "A corrected file without version and sequencer counts as a duplicate.",
	},

	// --- Drawn mutants, some of which no test can notice ---
	{
		Name: "files without a count are ignored", File: "internal/window/window.go",
		Old:        "r.Late == Ignore && s.Open.Count > 0 {",
		New:        "r.Late == Ignore && s.Open.Count >= 0 {",
		Why:        "A window without open files ignores them.",
		Equivalent: "Nothing is counted then, and Open is empty already.",
	},
	{
		Name: "a dispossessed launch is in nobody's way", File: "internal/launch/late.go",
		Old: "					c.AddDoubt(other)\n", New: "					_ = other\n",
		Why: "A run of the launch that lost its run goes to another launch.",
	},
	{
		Name: "an adoption leaves the question open", File: "internal/held/held.go",
		Old: "			c.AddRuns(j)\n			c.NoteAnswer(j.Key, r.clock.Now())\n", New: "			c.AddRuns(j)\n",
		Why: "The operator is not asked about a run that is in front for another 12 hours.",
	},
	{
		Name: "a discard leaves the question open", File: "internal/held/held.go",
		Old: "			c.AddDoubt(j)\n			c.NoteAnswer(j.Key, r.clock.Now())\n", New: "			c.AddDoubt(j)\n",
		Why: "The operator is not asked about a run that is in front for another 12 hours.",
	},
	{
		Name: "a release keeps the answers 409", File: "internal/held/held.go",
		Old: "		j.Busy = nil // the release outranks the answers 409; Posts keeps the requests\n", New: "",
		Why: "A later list drops requests that the release answered for.",
	},
	{
		Name: "more runs than requests are certain", File: "internal/runs/search.go",
		Old: " && len(f.Runs) <= most", New: "",
		Why: "A launch takes runs that none of its requests started.",
	},
	{
		Name: "a remembered run is recorded as the list shows it", File: "internal/runs/search.go",
		Old: "	if f.Certain {\n		for", New: "	if false {\n		for",
		Why: "The announcement lacks what the list lacks.",
	},
	{
		Name: "a run is read again for each launch", File: "internal/runs/search.go",
		Old: "		if !known {\n			if reads", New: "		if true {\n			if reads",
		Why: "Many launches in doubt take the requests of all others.",
	},
	{
		Name: "runs of any age may be adopted", File: "internal/runs/search.go",
		Old: "		if p.from.Before(oldest) {\n			p.from = oldest\n		}\n", New: "		_ = oldest\n",
		Why: "A launch takes a run whose owner the ledger has forgotten.",
	},
	{
		Name: "the control run keeps a former key", File: "internal/runs/control.go",
		Old: " && known.PrincipalID == run.PrincipalID", New: "",
		Why: "After a change of the API key its runs are taken for those of others.",
	},
	{
		Name: "a panic while a list is read leaves it busy", File: "internal/runs/list.go",
		Old: "		cache.busy = false\n		if !list.begun.IsZero() {", New: "		if !list.begun.IsZero() {\n			cache.busy = false",
		Why: "Every later look of the instance waits for a list that nobody reads.",
	},
	{
		Name: "a run is kept up to 95 KB", File: "internal/record/launch.go",
		Old:        "maxRun = 96 << 10",
		New:        "maxRun = 95 << 10",
		Why:        "An answer of 96 KB is cut.",
		Equivalent: "No promise names the bound. It keeps the document and the event below theirs, and so does 95 KB.",
	},
	{
		Name: "a 409 is looked into after a minute", File: "internal/launch/outcome.go",
		Old:        "		delay = max(delay, busyWait)\n",
		New:        "",
		Why:        "The list that is read before the next request does not show the launch's own run yet.",
		Equivalent: "noCandidate waits for the same time before it sends. The look only comes earlier.",
	},
	{
		Name: "a run that is nobody's has an owner", File: "internal/launch/late.go",
		Old:        "	if err != nil || key == \"\" || key == j.Key {\n",
		New:        "	if err != nil {\n",
		Why:        "A launch takes the run from itself.",
		Equivalent: "The launch of an empty name does not exist, which ends alike. A launch that has the run already is seen as a newer version, or by recordLateAnswer.",
	},
	{
		Name: "files since a hold are counted for any key", File: "internal/held/list.go",
		Old:        "	key, _, ok := record.WindowOf(h.LaunchKey)\n	if !ok {\n		return nil\n	}\n",
		New:        "	key, _, _ := record.WindowOf(h.LaunchKey)\n",
		Why:        "The list of what is held reads an item that no window has.",
		Equivalent: "Only launches of windows have implausible dates, and their keys name the window.",
	},
	{
		Name: "unrouted files that cannot be encoded", File: "internal/unrouted/unrouted.go",
		Old:        "	if err != nil {\n		return item, err\n	}\n	next := ledger",
		New:        "	_ = err\n	next := ledger",
		Why:        "An empty document is written.",
		Equivalent: "The document has texts, numbers and times, which can always be encoded.",
	},
}
