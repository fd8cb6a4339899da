package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/route"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

// routesFile has a route of each kind. Each route and its config id have one
// letter.
const routesFile = `version: 1
timezone: America/New_York
routes:
  - {name: a, config_id: cg-A, run_mode: source, files: "a/{yyyy}/{MM}/{dd}/*", settle: 0s}
  - {name: b, config_id: cg-B, files: "b/{yyyy}/{MM}/{dd}/*", settle: 0s}
  - {name: c, config_id: cg-C, run_mode: source, files: ["c/{yyyy}/{MM}/{dd}/x*", "c/{yyyy}/{MM}/{dd}/y*"]}
  - {name: d, config_id: cg-D, run_mode: refresh, settle: 5m, deadline: "02:30 +1d", files: ["d/{yyyy}/{MM}/{dd}/x*", {key: "d/{yyyy}/{MM}/{dd}/y*", count: 2}]}
  - {name: e, config_id: cg-E, run_mode: source, deadline: {at: "03:00 +0d", then: run}, files: ["e/{yyyy}/{MM}/{dd}/x*", "e/{yyyy}/{MM}/{dd}/y*", {key: "e/{yyyy}/{MM}/{dd}/z*", optional: true}]}
  - {name: f, config_id: cg-F, run_mode: full, files: "f/{yyyy}/{MM}/{dd}/*", settle: 0s, late: rerun}
  - {name: g, config_id: cg-G, run_mode: source, files: "g/{yyyy}/{MM}/{dd}/{HH}/*", settle: 1m}
  - {name: h, config_id: cg-H, run_mode: source, files: "h/{yyyy}/{MM}/{dd}/*", settle: 1m, late: ignore}
  - {name: i, config_id: og-I, files: "i/{yyyy}/{MM}/{dd}/*", settle: 2m}
  - {name: j, config_id: cg-J, run_mode: source, files: "j/{yyyy}/{MM}/{dd}/*", settle: 0s, if_unknown: hold, late: hold}
  - {name: k, config_id: cg-K, files: ["k/{yyyy}/{MM}/{dd}/p*", "k/{yyyy}/{MM}/{dd}/m*"], settle: 0s}
`

// edited is the same file after an edit: another mode, a wider pattern, one
// more entry, and two routes less.
var edited = strings.NewReplacer(
	`{name: a, config_id: cg-A, run_mode: source, files: "a/{yyyy}/{MM}/{dd}/*"`, `{name: a, config_id: cg-A, run_mode: refresh, files: "a/{yyyy}/{MM}/{dd}/**"`,
	`files: ["c/{yyyy}/{MM}/{dd}/x*", "c/{yyyy}/{MM}/{dd}/y*"]`, `files: ["c/{yyyy}/{MM}/{dd}/x*", "c/{yyyy}/{MM}/{dd}/y*", "c/{yyyy}/{MM}/{dd}/z*"]`,
	"  - {name: h, config_id: cg-H, run_mode: source, files: \"h/{yyyy}/{MM}/{dd}/*\", settle: 1m, late: ignore}\n", "",
	"  - {name: i, config_id: og-I, files: \"i/{yyyy}/{MM}/{dd}/*\", settle: 2m}\n", "",
).Replace(routesFile)

var parsed = sync.OnceValue(func() [2]*route.Routes {
	var all [2]*route.Routes
	for i, src := range []string{routesFile, edited} {
		routes, _, err := route.Parse("routes.yaml", []byte(src), route.Options{})
		if err != nil {
			panic(err)
		}
		all[i] = routes
	}
	return all
})

// deployAtStart gives every function the routes file from the beginning.
func (w *World) deployAtStart() {
	w.routes = []routing{{parsed()[0], map[string]time.Time{"trigger": Begin.Add(-time.Hour), "s3arrival": Begin.Add(-time.Hour), "sweep": Begin.Add(-time.Hour)}}}
}

// deployEdited deploys the edited file to the functions, not in the same
// second.
func (w *World) deployEdited(at time.Time) {
	w.routes = append(w.routes, routing{parsed()[1], map[string]time.Time{
		"trigger": at, "s3arrival": at.Add(w.between(-time.Minute, time.Minute)), "sweep": at.Add(w.between(-time.Minute, time.Minute))}})
}

// routeOf is the checker's copy of a route's rules: the checker must not use
// the code under test.
type routeOf struct {
	retry    bool // if_unknown
	late     string
	required []string // first letters of the names of its required files
	counts   map[string]int
	deadline bool // with then: run
}

var routesOf = map[string]routeOf{
	"cg-A": {retry: true, late: "rerun"},
	"cg-B": {late: "hold"},
	"cg-C": {retry: true, late: "rerun", required: []string{"x", "y"}},
	"cg-D": {retry: true, late: "rerun", required: []string{"x", "y"}, counts: map[string]int{"y": 2}},
	"cg-E": {retry: true, late: "rerun", required: []string{"x", "y"}, deadline: true},
	"cg-F": {late: "rerun"},
	"cg-G": {retry: true, late: "rerun"},
	"cg-H": {retry: true, late: "ignore"},
	"og-I": {late: "hold"},
	"cg-J": {late: "hold"},
	"cg-K": {late: "hold", required: []string{"p", "m"}},
}

// newFile returns a file of a route, for a day or an hour counted from the
// first.
func (w *World) newFile(letter string, day, hour int, name string, put time.Time) *file {
	n := len(w.files)
	date := time.Date(2026, 11, 22+day, hour, 0, 0, 0, time.UTC)
	f := &file{n: n, bucket: "landing", put: put}
	f.config = "cg-" + strings.ToUpper(letter)
	if letter == "i" {
		f.config = "og-I"
	}
	switch letter {
	case "g":
		f.key = fmt.Sprintf("g/%s/%s", date.Format("2006/01/02/15"), name)
		f.period = date.Format(time.RFC3339)
	case "nobody":
		f.key, f.config = fmt.Sprintf("nobody/%d", n), ""
	default:
		f.key = fmt.Sprintf("%s/%s/%s", letter, date.Format("2006/01/02"), name)
		f.period = date.Format(time.DateOnly)
	}
	if f.config != "" {
		f.window = "window/" + f.config + "/" + f.period
		f.entry = name[:1]
	}
	// S3's clock differs by up to 2 s; EventBridge cuts to the second.
	f.event = put.Add(w.skew())
	return f
}

// mistime sets the time of a few events an hour off, as in samples made by
// hand. A time in the future counts as the time of receipt. The code under test
// cannot recognize a wrong time in the past.
func (w *World) mistime(f *file) {
	switch {
	case w.chance(0.02):
		f.event = f.put.Add(time.Hour)
	case w.chance(0.01):
		f.event, f.lies = f.put.Add(-time.Hour), true
	}
}

// skew returns how far a clock is off: often the maximum of 2 s.
func (w *World) skew() time.Duration {
	if w.fast {
		return 2 * time.Second
	}
	if w.chance(0.4) {
		return []time.Duration{-2 * time.Second, 2 * time.Second}[w.pick(2)]
	}
	return time.Duration(w.rng.IntN(4001)-2000) * time.Millisecond
}

// tick lets the sweep's schedule fire every minute. It stops the history once
// the world has come to rest, or after mostSweeps quiet minutes.
func (w *World) tick() {
	quiet := !w.now.Before(w.quiet)
	if quiet {
		if !w.now.Before(w.around.until) {
			w.quietSweeps++
		}
		if w.quietSweeps > w.mostSweeps() || w.atRest() {
			w.stopped = true
			return
		}
	}
	// Most sweeps that find nothing are left out.
	if !w.isDue() && (quiet || w.chance(0.9)) {
		w.after(w.idle(), w.tick)
		return
	}
	if quiet || w.chance(0.97) {
		w.sweepOnce()
	}
	if !quiet && w.chance(0.05) {
		w.after(w.between(0, 20*time.Second), w.sweepOnce) // the schedule fires twice
	}
	w.after(time.Minute, w.tick)
}

// maxSweeps is the most sweeps without faults until everything has come to
// rest. A window waits up to 12 hours for another run and up to a day for its
// deadline or for quiet, and then runs three times more. A release waits up to
// a day for a list of runs, and again if it is repeated. The sweep searches for
// runs for 7 days. A hold may lead to another one, which the operator answers
// days after the last fault. The search for its run begins then.
const maxSweeps = (38 + 11*24) * 60

// mostSweeps returns maxSweeps, plus the sweeps for the windows of a backfill.
func (w *World) mostSweeps() int { return maxSweeps + w.around.sweeps }

// idle returns the time until the next sweep: a minute, or in a history of
// weeks the whole minutes until an item is due or an input comes.
func (w *World) idle() time.Duration {
	if w.now.Before(w.quiet) || !w.now.Before(w.around.until) {
		return time.Minute
	}
	next := w.around.until
	if len(w.events) > 0 && w.events[0].at.Before(next) {
		next = w.events[0].at
	}
	for row := range w.ledger.Due(context.Background(), next) {
		next = row.At
		break
	}
	return max(time.Minute, next.Sub(w.now).Truncate(time.Minute))
}

func (w *World) isDue() bool {
	until := w.now.Add(10 * time.Second)
	for range w.ledger.Due(context.Background(), until) {
		return true
	}
	return false
}

// atRest reports whether nothing more happens.
func (w *World) atRest() bool {
	if len(w.living) > 0 || len(w.events) > 0 {
		return false
	}
	searching := false
	for row := range w.ledger.Due(context.Background(), w.now.Add(1000*time.Hour)) {
		switch {
		case strings.HasPrefix(row.Key, "expect/"), w.waitsOnly(row), w.expectsOnly(row):
		case w.searchesOnly(row):
			searching = true
		default:
			return false
		}
	}
	return !searching || !w.untold()
}

// restless describes what keeps the world from rest.
func (w *World) restless() string {
	why := fmt.Sprintf("%d processes, %d events, untold %t, due:", len(w.living), len(w.events), w.untold())
	for row := range w.ledger.Due(context.Background(), w.now.Add(1000*time.Hour)) {
		if !strings.HasPrefix(row.Key, "expect/") && !w.waitsOnly(row) && !w.expectsOnly(row) {
			why += fmt.Sprintf(" %s (searched for: %t)", row.Key, w.searchesOnly(row))
		}
	}
	return why
}

// searchesOnly reports whether a launch is due only because the sweep still
// searches for its run.
func (w *World) searchesOnly(row ledger.Listed) bool {
	if !strings.HasPrefix(row.Key, "launch/") {
		return false
	}
	item, err := w.ledger.Get(context.Background(), row.Key)
	if err != nil {
		return false
	}
	known, ok := w.searches[row.Key]
	if !ok || known.version != item.Version {
		doc := string(item.Doc)
		known = searches{item.Version, strings.Contains(doc, `"announced":true`) && strings.Contains(doc, `"told":true`) &&
			!strings.Contains(doc, `"others":[{"run_id":"wf`) && over(item.Doc)}
		w.searches[row.Key] = known
	}
	return known.only
}

// searches caches the result of searchesOnly for one version of a launch.
type searches struct {
	version int64
	only    bool
}

// untold reports whether a request of ours has started a run that no
// announcement names.
func (w *World) untold() bool {
	named := map[string]bool{}
	for _, a := range w.announced {
		named[runOf(a.Announcement)] = true
		for _, c := range a.Detail.Candidates {
			named[c.ID] = true
		}
	}
	return slices.ContainsFunc(w.posts, func(p *post) bool { return p.run != "" && !named[p.run] })
}

// expectsOnly reports whether a window is due only because of its deadline, and
// has no file. Every day has such a window.
func (w *World) expectsOnly(row ledger.Listed) bool {
	if !strings.HasPrefix(row.Key, "window/") {
		return false
	}
	item, err := w.ledger.Get(context.Background(), row.Key)
	doc := string(item.Doc)
	return err == nil && strings.Contains(doc, `"expected":true`) && !strings.Contains(doc, `"open":`) &&
		strings.Contains(doc, `"revision":0`) && row.At.After(w.now)
}

// waitsOnly reports whether a window is due only because it waits for missing
// files, without a deadline in the future. The sweep reads it every hour or
// day.
func (w *World) waitsOnly(row ledger.Listed) bool {
	if !containsAny(row.Key, "window/cg-C/", "window/cg-D/", "window/cg-E/") {
		return false
	}
	item, err := w.ledger.Get(context.Background(), row.Key)
	doc := string(item.Doc)
	return err == nil && strings.Contains(doc, `"open":`) && !strings.Contains(doc, `"launch":`) &&
		row.At.Sub(w.now) > 50*time.Minute && w.now.After(deadlineOf(row.Key))
}

// deadlineOf returns the deadline of a window by the routes file, in winter, or
// zero if there is none.
func deadlineOf(window string) time.Time {
	config, period, _ := strings.Cut(strings.TrimPrefix(window, "window/"), "/")
	day, err := time.Parse(time.DateOnly, period)
	switch {
	case err == nil && config == "cg-D":
		return day.Add(24*time.Hour + 7*time.Hour + 30*time.Minute)
	case err == nil && config == "cg-E":
		return day.Add(8 * time.Hour)
	}
	return time.Time{}
}

// run runs the world until it is at rest.
func (w *World) run() {
	w.at(Begin.Add(time.Duration(w.pick(60))*time.Second), w.tick)
	for !w.stopped && w.step() {
	}
	for p := range w.living {
		p.kill()
	}
	for _, c := range w.coroutines {
		c.stop()
	}
}

// outage reports whether Amperity cannot be reached.
func (w *World) outage() bool { return inAny(w.outages, w.now) }

// expired reports whether the token has expired.
func (w *World) expired() bool { return inAny(w.expiries, w.now) }

func inAny(spans []span, t time.Time) bool {
	for _, s := range spans {
		if s.has(t) {
			return true
		}
	}
	return false
}

// Random runs a history of everything that can happen. A history with a
// mutation has no surroundings.
func Random(seed uint64, m Mutation, tracing bool) *World { return ofChance(seed, m, tracing, true) }

// Sequential runs the same history with a sweep that works on one item after
// the other, fast lists, and no surroundings.
func Sequential(seed uint64, m Mutation, tracing bool) *World {
	return ofChance(seed, m, tracing, false)
}

func ofChance(seed uint64, m Mutation, tracing, overlapping bool) *World {
	r := &random{}
	w := newWorld(seed, r, seed%10 < 3)
	w.tracing, w.mutant = tracing, m
	r.p = []float64{0, 0.01, 0.03, 0.06, 0.12, 0.25}[w.pick(6)]
	r.freezes, r.lags = w.chance(0.5), w.chance(0.5)
	// These draws are separate, so that they change no other history.
	if rng := rand.New(rand.NewPCG(seed, 2)); rng.IntN(40) == 0 {
		r.broken = []string{"read", "list", "post"}[rng.IntN(3)]
		w.broken, r.healed = r.broken, Begin.Add(30*time.Minute+time.Duration(rng.Int64N(int64(72*time.Hour))))
		r.how.status = []int{401, 429, 500, 503}[rng.IntN(4)]
		if r.broken == "post" { // processed or not, and the client cannot know
			r.how = []choice{{status: 500}, {fault: failAfter, status: -1}}[rng.IntN(2)]
		}
	}
	if overlapping {
		w.modes(seed, r)
	}
	active := w.between(20*time.Minute, 4*time.Hour)
	w.quiet = Begin.Add(active)
	w.deployAtStart()
	if w.chance(0.15) {
		w.deployEdited(Begin.Add(w.between(0, active)))
	}
	for range w.pick(2) {
		w.outages = append(w.outages, w.some(active, time.Hour))
	}
	if w.chance(0.15) {
		w.expiries = append(w.expiries, w.some(active, 2*time.Hour))
	}
	if w.chance(0.1) {
		w.paused = append(w.paused, w.some(active, 2*time.Hour))
	}
	if w.chance(0.7) {
		w.knowsRuns()
	}
	w.scripts()
	w.inputs(active)
	// This draw is separate too.
	if rng := rand.New(rand.NewPCG(seed, 3)); rng.IntN(8) == 0 {
		w.besideRequest(rng, active)
	}
	w.mistakes(active)
	w.people()
	if overlapping && m == "" {
		w.surround(seed, active)
	}
	w.run()
	w.amperity.Close()
	return w
}

// some returns a span within the time of the faults.
func (w *World) some(active, longest time.Duration) span {
	from := Begin.Add(w.between(0, active))
	to := from.Add(w.between(time.Second, longest))
	if to.After(w.quiet) {
		to = w.quiet
	}
	return span{from, to}
}

// knowsRuns lets the stack have had a run of each config id before, as always
// after its first days.
func (w *World) knowsRuns() {
	w.knowsRunsOf(letters)
}

// knowsRunsOf does that for the config ids of some routes.
func (w *World) knowsRunsOf(letters string) {
	if err := w.amperity.Script("", amperitytest.Script{}); err != nil { // each is over at once
		panic(err)
	}
	for _, letter := range letters {
		config := "cg-" + string(letter-'a'+'A')
		run := w.startOwn(config)
		doc := fmt.Sprintf(`{"format":1,"config_id":%q,"identity":{"name":%q,"type":%q,"principal_id":%q},"newest":{"run_id":%q,"created":%q}}`,
			config, run.Name, run.Type, run.PrincipalID, run.ID, run.CreatedAt.Format(time.RFC3339Nano))
		if err := w.ledger.Put(context.Background(), "before", ledger.Item{Key: "config/" + config, Doc: []byte(doc)},
			ledger.Item{Key: "run/" + run.ID, Doc: []byte(`{"format":1,"launch":"before"}`)}); err != nil {
			panic(err)
		}
	}
	w.foreign = map[string]bool{}
}

// scripts sets the duration of runs.
func (w *World) scripts() {
	s := amperitytest.Script{Duration: w.between(time.Second, 20*time.Minute)}
	if w.chance(0.2) {
		s.Duration = w.between(time.Minute, 4*time.Hour)
	}
	if w.chance(0.1) {
		s.End = amperitytest.FailedPlatform
	}
	w.duration = s.Duration
	if err := w.amperity.Script("", s); err != nil {
		panic(err)
	}
}

const letters = "abcdefghij"

// inputs lets files land and schedules fire. It uses few config ids, so that
// the inputs affect each other.
func (w *World) inputs(active time.Duration) {
	for range 1 + w.pick(2) {
		w.letters += string(letters[w.pick(len(letters))])
	}
	for _, letter := range w.letters {
		for day := range 1 + w.pick(2) {
			w.filesOf(string(letter), -day, active)
		}
	}
	if w.chance(0.1) {
		w.at(Begin.Add(w.between(0, active)), func() { w.land(w.newFile("nobody", 0, 0, "x", w.now), w.delivery()...) })
	}
	for range w.pick(3) {
		w.decision(active)
	}
	for range w.pick(2) {
		id := "cg-" + string(w.letters[w.pick(len(w.letters))]-'a'+'A')
		tokens := w.theirs
		if w.chance(0.3) {
			tokens = w.ours
		}
		w.at(Begin.Add(w.between(0, active)), func() { w.startForeign(id, tokens) })
	}
}

// filesOf lets files of one window land, close together or far apart.
func (w *World) filesOf(letter string, day int, active time.Duration) {
	at := Begin.Add(w.between(0, active/2))
	hour := w.pick(2)
	for i := range 1 + w.pick(6) {
		if i > 0 {
			gap := w.between(0, 5*time.Second)
			if w.chance(0.4) {
				gap = w.between(0, 1500*time.Millisecond)
			}
			if w.chance(0.5) {
				gap = w.between(0, active/3)
			}
			at = at.Add(gap)
		}
		if at.After(w.quiet) {
			break
		}
		kinds := "xyz"
		if letter == "c" || letter == "d" {
			kinds = "xy" // all that their routes take
		}
		name := fmt.Sprintf("%c%d", kinds[w.pick(len(kinds))], w.pick(3))
		byHand := w.chance(0.05)
		w.at(at, func() {
			f := w.newFile(letter, day, hour, name, w.now)
			f.byHand = byHand
			w.mistime(f)
			w.land(f, w.delivery()...)
		})
	}
}

// besideRequest lets a file land within seconds of the request for another
// file, which is sent six seconds after that file's event.
func (w *World) besideRequest(rng *rand.Rand, active time.Duration) {
	letter := string("abfj"[rng.IntN(4)])
	at := Begin.Add(time.Duration(rng.Int64N(int64(active))))
	gap := 4*time.Second + time.Duration(rng.Int64N(int64(5*time.Second)))
	for i, put := range []time.Time{at, at.Add(gap)} {
		w.at(put, func() { w.land(w.newFile(letter, -5, 0, fmt.Sprintf("x%d", i), w.now), w.delivery()...) })
	}
}

// delivery returns the delays of a file's events: at least one.
func (w *World) delivery() []time.Duration {
	delays := []time.Duration{w.between(50*time.Millisecond, 2*time.Second)}
	if w.chance(0.1) {
		delays[0] = w.between(time.Second, 30*time.Minute)
	}
	for w.chance(0.2) {
		d := w.between(100*time.Millisecond, 3*time.Second)
		if w.chance(0.3) {
			d = w.between(time.Second, 3*time.Hour)
		}
		delays = append(delays, d)
	}
	return delays
}

// decision lets a schedule fire, or an operator start a run by hand.
func (w *World) decision(active time.Duration) {
	n := len(w.decisions)
	config := "cg-" + string(w.letters[w.pick(len(w.letters))]-'a'+'A')
	at := Begin.Add(w.between(0, active))
	if n > 0 && w.chance(0.3) {
		at = w.decisions[n-1].at.Add(w.between(0, 3*time.Second)) // many fire at the full hour
	}
	// A unique range identifies the runs of this decision.
	from := time.Date(2025, 1, 1+n, 0, 0, 0, 0, time.UTC)
	mode := []string{"source", "full"}[w.pick(2)]
	d := &decision{at: at, config: config, from: from.Format(time.DateOnly), retry: mode == "source"}
	body := fmt.Sprintf(`"config_id":%q,"run_mode":%q,"range_from":%q,"range_to":%q`, config, mode, d.from, from.AddDate(0, 0, 1).Format(time.DateOnly))
	if w.chance(0.5) {
		arn := fmt.Sprintf("arn:aws:scheduler:us-east-1:123456789012:schedule/default/s%d", n)
		scheduled := at.UTC().Format(time.RFC3339)
		d.key = fmt.Sprintf("schedule/%s/%s/%s", config, arn, scheduled)
		body += fmt.Sprintf(`,"scheduled_time":%q,"schedule_arn":%q`, scheduled, arn)
		if w.chance(0.2) {
			body += `,"max_age":"20m"`
		}
	} else {
		d.key = fmt.Sprintf("manual/%s/k%d", config, n)
		body += fmt.Sprintf(`,"idempotency_key":"k%d"`, n)
	}
	d.payload = "{" + body + "}"
	w.decisions = append(w.decisions, d)
	id := fmt.Sprintf("async-%d", n)
	w.at(at, func() { w.schedule(d, id) })
	for w.chance(0.25) {
		again := id
		if w.chance(0.5) {
			again += "-again"
		}
		w.at(at.Add(w.between(0, 10*time.Second)), func() { w.schedule(d, again) })
	}
}

// people lets operators answer some holds later, and some of them twice.
func (w *World) people() {
	w.onAnnounced = func(a announcement.Announcement) {
		switch a.Type {
		case announcement.RunHeld, announcement.RunRejected, announcement.FilesMissing:
		default:
			return
		}
		if a.Detail.HoldNumber == 0 || !w.chance(0.35) {
			return
		}
		v := &word{verb: "release", key: a.Detail.LaunchKey, hold: a.Detail.HoldNumber}
		if a.Type != announcement.RunRejected {
			switch {
			case w.chance(0.3):
				v.verb = "discard"
			case len(a.Detail.Candidates) > 0 && w.chance(0.5):
				v.verb, v.runID = "adopt", a.Detail.Candidates[w.pick(len(a.Detail.Candidates))].ID
			}
		}
		w.words = append(w.words, v)
		if w.chance(0.3) {
			w.after(w.between(0, 10*time.Minute), w.asks)
		}
		when := w.between(time.Minute, 2*time.Hour)
		w.after(when, func() { w.say(v) })
		for w.chance(0.3) {
			again := w.between(0, time.Minute)
			if again%2 == 0 { // at the same time
				again /= 500
			}
			w.after(when+again, func() { w.say(v) })
		}
	}
}
