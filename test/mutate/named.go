package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// namedMutant is a mistake that somebody thought of.
type namedMutant struct {
	Name string
	// File has Old exactly once; New takes its place.
	File, Old, New string
	// Why says what goes wrong.
	Why string
	// Equivalent argues why no test can notice it; empty if one can.
	Equivalent string
}

// mutant makes a mutant of the present source.
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

// afterClaim is what follows the claim in Launch.
const afterClaim = `	var conflict *ledger.ConflictError
	if errors.As(err, &conflict) {
		return l.again(ctx, in, conflict.Current[0])
	}
	if err != nil {
		return Result{}, &LedgerError{LaunchKey: in.Key, Err: err}
	}
`

// namedMutants are those that an attack on the protocol found unguarded, and the
// mistakes of the simulation (see test/sim) in the code itself.
var namedMutants = []namedMutant{
	// --- Windows ---
	{
		Name: "flush without a later look", File: "internal/launch/window.go",
		Old: "	if j.state.Launch == nil && j.state.Open.Count > 0 {\n		look = now\n	}\n	if err := l.putWindow",
		New: "	_ = now\n	if err := l.putWindow",
		Why: "A window that was not quiet at its deadline is never looked at again.",
	},
	{
		Name: "flush confirms what it could not announce", File: "internal/launch/window.go",
		Old: "			return // the window is due\n", New: "			continue\n",
		Why: "Files Missing is lost after one failure of the event bus.",
	},
	{
		Name: "a decision leaves the config id free", File: "internal/launch/window.go",
		Old: "	default:\n		c.set(entry{Key: n.Key, State: entryGoing})\n	}\n	c.prune(now)", New: "	}\n	c.prune(now)",
		Why: "Two windows of one config id are decided at the same time.",
	},
	{
		Name: "an unknown run counts as over at once", File: "internal/launch/window.go",
		Old: "return l.Clock.Now().Sub(e.Last) > time.Hour", New: "return true",
		Why: "A 404 for a run of a moment ago lets the next run begin beside it.",
	},
	{
		Name: "a conflict fails Look", File: "internal/launch/window.go",
		Old: "		return true, nil // somebody else is at it; it is still due\n", New: "		return true, err\n",
		Why: "The sweep postpones a window that another process writes.",
	},
	{
		Name: "a window that asks expires", File: "internal/launch/window.go",
		Old: "		item.Held = j.state.Missing\n", New: "		item.Held = j.state.Missing\n		item.Expires = now.Add(keptWindow)\n",
		Why: "A window with missing files is forgotten while it waits for the operator.",
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
		Old: "		s.remain(o.At.Add(-Margin), s.After.Count > o.Answered, s.After.Count)\n", New: "		s.cover(o.At)\n",
		Why: "Files before a rejection never get a run.",
	},

	// --- Coverage ---
	{
		Name: "adopt covers from the last request", File: "internal/launch/reconcile.go",
		Old: "	posted := j.Posts[0]\n	if made", New: "	posted := j.lastPost()\n	if made",
		Why: "A file between two requests is lost, if the first one's run is adopted.",
	},
	{
		Name: "adopt ignores when the run was created", File: "internal/launch/reconcile.go",
		Old: "!run.CreatedAt.IsZero() && made.Before(posted)", New: "false && made.Before(posted)",
		Why: "A run that is older than the first request covers files after it.",
	},
	{
		Name: "an operator's adoption covers until now", File: "internal/launch/person.go",
		Old: "		j.begin(run, posted, l.Clock.Now())\n		j.Adopted = true\n", New: "		j.begin(run, l.Clock.Now(), l.Clock.Now())\n		j.Adopted = true\n",
		Why: "Files after the adopted run never get one.",
	},
	{
		Name: "a discard does not count what it answers", File: "internal/launch/person.go",
		Old: "		j.Answered = l.answered(ctx, j)\n		j.to(discarded", New: "		j.to(discarded",
		Why: "Files that the operator discarded start a run.",
	},
	{
		Name: "covered from the claim", File: "internal/launch/settle.go",
		Old: "	r.CoveredUntil = posted.Add(-window.Margin)\n", New: "	r.CoveredUntil = r.Claimed.Add(0 * window.Margin)\n",
		Why: "Covered until is the claim, without the margin.",
	},
	{
		Name: "covered from the answer", File: "internal/launch/settle.go",
		Old: "	r.CoveredUntil = posted.Add(-window.Margin)\n", New: "	r.CoveredUntil = now.Add(0 * window.Margin)\n",
		Why: "A file during the request counts as covered.",
	},

	// --- Requests ---
	{
		Name: "the request is sent before the claim", File: "internal/launch/launcher.go",
		Old: "	err := l.put(ctx, j, j.Lease)\n" + afterClaim + "	return l.carry(ctx, j), nil\n",
		New: "	v, _ := l.post(ctx, in.Request, attempts, nil)\n	err := l.put(ctx, j, j.Lease)\n" + afterClaim + "	j.Posts = append(j.Posts, now)\n	return l.settle(ctx, j, v), nil\n",
		Why: "A crash after the request leaves a run that nobody knows.",
	},
	{
		Name: "the request is sent without the mark", File: "internal/launch/launcher.go",
		Old: "		marked = true\n		return l.mark(ctx, j)\n", New: "		marked = true\n		j.Posts = append(j.Posts, l.Clock.Now())\n		return nil\n",
		Why: "After a crash nobody knows that a request was sent.",
	},
	{
		Name: "a 5xx is sent again", File: "internal/launch/post.go",
		Old: "	case amperity.MayHaveBeenProcessed(err):\n", New: "	case amperity.MayHaveBeenProcessed(err) && d.Status < 500:\n",
		Why: "A request that may have started a run is repeated.",
	},
	{
		Name: "a 409 is sent again without a list", File: "internal/launch/launcher.go",
		Old: "		most = 1 // the list", New: "		most = attempts // the list",
		Why: "A further request is repeated although the run of an earlier one may have begun.",
	},
	{
		Name: "the mark may be old", File: "internal/launch/launcher.go",
		Old: "		if l.Clock.Now().Sub(now) <= markAge {\n", New: "		if true {\n",
		Why: "The request is sent long after the time that its mark has.",
	},
	{
		Name: "a lease without its margin", File: "internal/launch/launcher.go",
		Old: "	leaseBeyond = 11 * time.Second\n", New: "	leaseBeyond = 0 * time.Second\n",
		Why: "The sweep takes over in the second in which Lambda kills.",
	},
	{
		Name: "no grace after the lease", File: "internal/launch/launcher.go",
		Old: "	grace = time.Minute\n", New: "	grace = 0 * time.Minute\n",
		Why: "The sweep looks for a run at the lease's end.",
	},
	{
		Name: "a lease that ends at once", File: "internal/launch/launcher.go",
		Old: "		return d.Add(leaseBeyond)\n", New: "		_ = d\n		return l.Clock.Now()\n",
		Why: "The sweep takes over a launch that a function works on.",
	},
	{
		Name: "a claimed launch is due hours later", File: "internal/launch/launcher.go",
		Old: "err := l.put(ctx, j, j.Lease)\n", New: "err := l.put(ctx, j, j.Lease.Add(2*time.Hour))\n",
		Why: "After a crash the run starts two hours late.",
	},
	{
		Name: "a token that repeats", File: "internal/launch/launcher.go",
		Old: "{ return rand.Text() }", New: "{ _ = rand.Text; return \"token\" }",
		Why: "Another process's write counts as this one's.",
	},
	{
		Name: "a blocked launch gives its turn back", File: "internal/launch/settle.go",
		Old: "		c.set(entry{Key: j.Key, State: entryGoing})\n	})\n}", New: "		c.remove(j.Key)\n	})\n}",
		Why: "Two runs of one config id at the same time.",
	},
	{
		Name: "Retry-After is ignored", File: "internal/launch/settle.go",
		Old: "max(backoff(j.Blocked.Attempts, soon, 15*time.Minute), v.retryAfter)", New: "backoff(j.Blocked.Attempts, soon, 15*time.Minute)",
		Why: "A blocked launch is sent before Amperity allows it.",
	},
	{
		Name: "an unknown launch becomes claimed", File: "internal/launch/settle.go",
		Old: "		j.to(unknown, now)\n		return l.put(ctx, j, now.Add(delay))\n", New: "		j.to(claimed, now)\n		return l.put(ctx, j, now.Add(delay))\n",
		Why: "The next request is sent without a list.",
	},

	// --- Looking for runs ---
	{
		Name: "the list begins at the last request", File: "internal/launch/reconcile.go",
		Old: "since := j.Posts[0].Add(-skew)", New: "since := j.lastPost().Add(-skew)",
		Why: "The run of the first request is never seen.",
	},
	{
		Name: "the list ends with the lease", File: "internal/launch/reconcile.go",
		Old: "amperity.ListOptions{CreatedFrom: from}", New: "amperity.ListOptions{CreatedFrom: from, CreatedTo: j.Lease}",
		Why: "A run that begins late is never seen.",
	},
	{
		Name: "the list needs no known run", File: "internal/launch/reconcile.go",
		Old: "runs, shown = nil, known == \"\"", New: "runs, shown = nil, true",
		Why: "A list that lags behind counts as whole.",
	},
	{
		Name: "a run without a time is left out", File: "internal/launch/reconcile.go",
		Old: "run.CreatedAt.IsZero() || !run.CreatedAt.Before(since)", New: "!run.CreatedAt.Before(since)",
		Why: "A run without created_at cannot be a candidate.",
	},
	{
		Name: "adopted in doubt", File: "internal/launch/reconcile.go",
		Old: " && !c.doubts(j.Key, j.Posts[0]) {", New: " {",
		Why: "A launch adopts a run that another launch may have started.",
	},
	{
		Name: "retried where it must be held", File: "internal/launch/reconcile.go",
		Old: "case j.IfUnknown != Retry || len", New: "case len",
		Why: "A second request is sent although the route says hold.",
	},
	{
		Name: "patience is forgotten", File: "internal/launch/reconcile.go",
		Old: "	if j.Looked.Undecided.IsZero() {\n		j.Looked.Undecided = now\n	}\n", New: "	j.Looked.Undecided = now\n",
		Why: "A launch is looked for without end.",
	},
	{
		Name: "identity from an adopted run", File: "internal/launch/settle.go",
		Old: "	if !j.Adopted {\n		c.saw(j.Run)\n	}\n", New: "	c.saw(j.Run)\n",
		Why: "A wrong adoption decides what later runs look like.",
	},
	{
		Name: "a look waits for other launches", File: "internal/launch/reconcile.go",
		Old: "	if j.State == posting {\n		j.State, j.Since",
		New: "	for _, e := range c.Launches {\n		if e.Key != j.Key && e.State == entryGoing && e.Doubt {\n			return l.later(ctx, j, soon)\n		}\n	}\n	if j.State == posting {\n		j.State, j.Since",
		Why: "Two interrupted launches wait for each other.",
	},

	// --- Late answers and the operator ---
	{
		Name: "the second certain run is not announced", File: "internal/launch/settle.go",
		Old: "				_ = l.announce(ctx, second.announcement(l.Tenant)) // what failed is logged\n", New: "",
		Why: "A run that this launch started is known to the log alone.",
	},
	{
		Name: "a run that was given up keeps its owner", File: "internal/launch/settle.go",
		Old: "			freed = l.free(ctx, j)\n", New: "			_ = l.free\n",
		Why: "The run that a launch had adopted wrongly can be nobody else's.",
	},
	{
		Name: "the turn stays", File: "internal/launch/settle.go",
		Old: "	other.Turn++\n", New: "",
		Why: "The window hears the end of a launch that is its launch again.",
	},
	{
		Name: "a failed announcement is confirmed", File: "internal/launch/settle.go",
		Old: "	if !j.Announced && l.announce(ctx, j.announcement(l.Tenant)) == nil {\n", New: "	if !j.Announced {\n		_ = l.announce(ctx, j.announcement(l.Tenant))\n",
		Why: "An outcome is lost after one failure of the event bus.",
	},
	{
		Name: "a release without doubt", File: "internal/launch/person.go",
		Old: "Doubt: len(j.Posts) > 0})\n		}, more...)", New: "Doubt: false})\n		}, more...)",
		Why: "Another launch adopts the run of a released launch.",
	},
	{
		Name: "a held launch expires", File: "internal/launch/write.go",
		Old: "		item.Held = j.Since\n", New: "		item.Held, item.Expires = j.Since, j.Since.Add(keptFor)\n",
		Why: "A launch is forgotten while it waits for the operator.",
	},

	// --- Config ids and files without a route ---
	{
		Name: "no bound on started launches", File: "internal/launch/record.go",
		Old: "len(c.Launches) > maxEntries;", New: "false;",
		Why: "The document of a config id grows.",
	},
	{
		Name: "no bound on doubts", File: "internal/launch/record.go",
		Old: "	c.mergeDoubts()\n", New: "	_ = c.mergeDoubts\n",
		Why: "The document of a config id grows.",
	},
	{
		Name: "unrouted files are announced before they are kept", File: "internal/launch/unrouted.go",
		Old: "		item, err = l.putUnrouted(ctx, item, u, due)\n",
		New: "		if due.Equal(now) {\n			return l.announceUnrouted(ctx, item, u)\n		}\n		item, err = l.putUnrouted(ctx, item, u, due)\n",
		Why: "Files are lost if the event bus fails.",
	},
	{
		Name: "unrouted files that came meanwhile are dropped", File: "internal/launch/unrouted.go",
		Old: "	if u.Count -= count; u.Count == 0 {\n", New: "	if u.Count = 0; u.Count == 0 {\n",
		Why: "Files that came during an announcement are never announced.",
	},

	// --- s3arrival ---
	{
		Name: "s3arrival ignores the version id", File: "internal/s3arrival/work.go",
		Old: "	if a.VersionID != \"\" {\n		return a.VersionID\n	}\n", New: "",
		Why: "Two notifications of one version with different sequencers count as two files.",
	},
	{
		Name: "s3arrival ignores what tells uploads apart", File: "internal/s3arrival/work.go",
		Old: "	return a.EventTime.Format(time.RFC3339Nano)\n", New: "	_ = time.RFC3339Nano\n	return \"\"\n",
		Why: "A corrected file without version and sequencer counts as a duplicate.",
	},
}
