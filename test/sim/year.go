package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/route"
	"github.com/amperity-runs/amperity-runs/internal/sweep"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

// yearAssumes are the assumptions of [NewYear]. Every result shows them.
const yearAssumes = `20 config ids launch once a day: 10 by schedule, 6 of these in one second each night, and 10 by files (1 to 5 within minutes).
Half of each are "source"; the others are "full". Routes keep their default settle and late. Runs take 45 minutes.
3% of file days have a straggler, 1 minute to 2 hours after the day's last file.
1% of POSTs lose their answer: half of them at any time, half in bad minutes (one minute in 100, which loses every second answer).
A request whose answer is lost is processed in 70%, up to 20 minutes late in 15%, never in 15%.
0.01% of the calls of backends crash the process, before or after they take effect.
Two outages of 40 minutes answer every request with 503: one begins up to 30 minutes before the night's schedules, one at any time.
The tenant's other runs have other names and another principal. Amperity starts a second run of a config id while one is in progress.
An operator answers a hold after 2 hours: "adopt" if Amperity has a run of the launch, else "release".`

const (
	yearConfigs    = 20 // config ids that launch once a day
	yearNightly    = 6  // schedules that fire in one second
	yearSchedules  = 10 // the night's included; the others are routes
	yearDuration   = 45 * time.Minute
	yearOutage     = 40 * time.Minute
	yearAnswer     = 2 * time.Hour  // until an operator answers a hold
	yearRest       = 10 * time.Hour // after the last launch, without faults
	yearRemembered = 10 * 24 * time.Hour
	day            = 24 * time.Hour
)

// Year is a world with the usual faults only. It counts how often an operator
// is asked.
type Year struct {
	*World
	calls *yearly
	days  int
	// known are the config ids that have had a run.
	known map[string]bool
	holds []*yearHold
	seen  map[string]bool // ids of announcements
	// started has the run of each launch's last Run Started.
	started map[string]string
	named   map[string]bool // runs that an announcement named
}

// yearHold is one question to the operator.
type yearHold struct {
	key, config, reason string
	number              int
	// first: the config id had no run before.
	first bool
	// answered: the operator has answered. ended: a run was announced before
	// that.
	answered, ended bool
}

// NewYear returns a world of the given days. others is how many runs an hour
// other users of the tenant start.
func NewYear(seed uint64, days, others int) *Year {
	y := &Year{days: days, known: map[string]bool{}, seen: map[string]bool{}, started: map[string]string{}, named: map[string]bool{}}
	y.calls = &yearly{rng: rand.New(rand.NewPCG(seed, 4)), seed: seed, calls: map[string]int{}, quiet: Begin.Add(time.Duration(days) * day)}
	y.World = newWorld(seed, y.calls, false)
	y.amperity.Close()
	y.simulates(seed, false, 100)
	if err := y.amperity.Script("", amperitytest.Script{Duration: yearDuration}); err != nil {
		panic(err) // the script is fixed
	}
	routes, _, err := route.Parse("routes.yaml", []byte(yearRoutes()), route.Options{})
	if err != nil {
		panic(err) // the routes are fixed
	}
	before := Begin.Add(-time.Hour)
	y.routes = []routing{{routes, map[string]time.Time{"trigger": before, "s3arrival": before, "sweep": before}}}
	y.workers = sweep.Workers
	y.onAnnounced = y.hears
	y.outagesAre()
	for n := range days {
		y.at(Begin.Add(time.Duration(n)*day), func() { y.oneDay(n) })
	}
	if others > 0 {
		y.othersStart(time.Hour / time.Duration(others))
	}
	return y
}

// yearConfig returns the nth config id.
func yearConfig(n int) string { return fmt.Sprintf("cg-Y%d", n) }

// yearMode returns the run mode of the nth config id.
func yearMode(n int) string { return []string{"source", "full"}[n%2] }

func yearRoutes() string {
	var b strings.Builder
	b.WriteString("version: 1\ntimezone: UTC\nroutes:\n")
	for n := yearSchedules; n < yearConfigs; n++ {
		fmt.Fprintf(&b, "  - {name: y%d, config_id: %s, run_mode: %s, files: \"y%d/{yyyy}/{MM}/{dd}/*\"}\n", n, yearConfig(n), yearMode(n), n)
	}
	return b.String()
}

// outagesAre sets when Amperity answers every request with 503.
func (y *Year) outagesAre() {
	night := Begin.Add(time.Duration(y.pick(y.days))*day + yearHour(0) - y.between(0, 30*time.Minute))
	other := Begin.Add(y.between(0, time.Duration(y.days)*day-yearOutage))
	y.calls.outages = []span{{night, night.Add(yearOutage)}, {other, other.Add(yearOutage)}}
}

// yearHour returns the time of day at which the nth config id launches.
func yearHour(n int) time.Duration {
	if n < yearNightly {
		return time.Hour
	}
	return time.Hour + time.Duration(n-yearNightly+1)*70*time.Minute
}

// oneDay lets the schedules of a day fire and its files land. It drops old data
// that nothing reads any longer.
func (y *Year) oneDay(n int) {
	for i := range yearConfigs {
		at := y.now.Add(yearHour(i))
		if i < yearSchedules {
			d := &decision{at: at, config: yearConfig(i), retry: yearMode(i) == "source"}
			arn := fmt.Sprintf("arn:aws:scheduler:us-east-1:123456789012:schedule/default/y%d", i)
			d.key = fmt.Sprintf("schedule/%s/%s/%s", d.config, arn, at.Format(time.RFC3339))
			d.payload = fmt.Sprintf(`{"config_id":%q,"run_mode":%q,"range_from":%q,"scheduled_time":%q,"schedule_arn":%q}`,
				d.config, yearMode(i), at.Format(time.DateOnly), at.Format(time.RFC3339), arn)
			y.decisions = append(y.decisions, d)
			y.at(at.Add(y.between(0, time.Second)), func() { y.schedule(d, fmt.Sprintf("day-%d-%d", n, i)) })
			continue
		}
		at = at.Add(y.between(0, 10*time.Minute))
		for f := range 1 + y.pick(5) {
			if f > 0 {
				at = at.Add(y.between(0, time.Minute))
			}
			y.lands(i, f, at)
		}
		if y.chance(0.03) {
			y.lands(i, 9, at.Add(y.between(time.Minute, 2*time.Hour)))
		}
	}
	for _, key := range y.ledger.Expired(y.now) {
		y.ledger.Expire(key)
	}
	y.amperity.Forget(y.now.Add(-yearRemembered))
	y.sqs.messages = slices.DeleteFunc(y.sqs.messages, func(m *message) bool { return m.gone })
	y.instances = slices.DeleteFunc(y.instances, func(in *instance) bool { return in.dead })
}

// lands lets the fth file of a route's day land.
func (y *Year) lands(route, f int, at time.Time) {
	date := y.now.Format("2006/01/02") // of the period, whenever the file comes
	y.at(at, func() {
		file := &file{n: len(y.files), bucket: "landing", put: y.now, event: y.now.Add(y.skew()), config: yearConfig(route),
			key: fmt.Sprintf("y%d/%s/f%d", route, date, f), period: strings.ReplaceAll(date, "/", "-")}
		file.window = "window/" + file.config + "/" + file.period
		y.land(file, y.between(50*time.Millisecond, 2*time.Second))
	})
}

// othersStart lets others start a run about once in every.
func (y *Year) othersStart(every time.Duration) {
	y.after(y.between(0, 2*every), func() {
		if y.now.After(y.calls.quiet) {
			return
		}
		y.otherStarts(fmt.Sprintf("cg-Other%d", y.pick(8)))
		y.othersStart(every)
	})
}

// otherStarts starts a run of another user. It uses no client, because a year
// has hundreds of thousands of such runs.
func (y *Year) otherStarts(configID string) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, y.amperity.URL()+"/workflow/runs", strings.NewReader(`{"config_id":"`+configID+`"}`))
	if err != nil {
		panic(err) // the address is fixed
	}
	req.Header = http.Header{"Authorization": {"Bearer theirs"}, "Amperity-Tenant": {amperitytest.DefaultTenant},
		"Api-Version": {amperity.DefaultAPIVersion}, "Content-Type": {"application/json"}}
	if answer, err := y.serve(req); err != nil || answer.StatusCode != http.StatusCreated {
		panic(fmt.Sprint("a run of others was not started: ", answer, err)) // nothing fails for them
	}
}

// hears records an announcement, and lets the operator answer a hold.
func (y *Year) hears(a announcement.Announcement) {
	d := a.Detail
	if d.Run != nil {
		y.named[d.Run.ID] = true
	}
	for _, c := range d.Candidates {
		y.named[c.ID] = true
	}
	if y.seen[d.ID] {
		return
	}
	y.seen[d.ID] = true
	switch a.Type {
	case announcement.RunStarted:
		y.known[d.Request.ConfigID] = true
		y.started[d.LaunchKey] = d.Run.ID
		for _, h := range y.holds {
			if h.key == d.LaunchKey && !h.answered {
				h.ended = true
			}
		}
	case announcement.RunHeld, announcement.RunRejected:
		h := &yearHold{key: d.LaunchKey, config: d.Request.ConfigID, reason: d.Reason, number: d.HoldNumber, first: !y.known[d.Request.ConfigID]}
		y.holds = append(y.holds, h)
		y.after(yearAnswer, func() { y.answer(h) })
	}
}

// answer lets the operator answer a hold, and check an hour later whether the
// answer was carried out.
func (y *Year) answer(h *yearHold) {
	item, _ := y.ledger.Get(context.Background(), "launch/"+h.key)
	if h.ended || !containsAny(string(item.Doc), `"state":"held"`, `"state":"rejected"`) || !strings.Contains(string(item.Doc), fmt.Sprintf(`"hold":%d`, h.number)) {
		return
	}
	h.answered = true
	v := &word{verb: "release", key: h.key, hold: h.number}
	for _, p := range y.posts {
		if p.launchKey == h.key && p.run != "" {
			v.verb, v.runID = "adopt", p.run
		}
	}
	y.words = append(y.words, v)
	y.say(v)
	y.after(time.Hour, func() { y.answer(h) })
}

// happens runs the year, and returns the counts.
func (y *Year) happens() YearFigures {
	end := y.calls.quiet.Add(yearRest)
	var tick func()
	tick = func() {
		if y.now.After(end) {
			y.stopped = true
			return
		}
		if y.isDue() {
			y.sweepOnce()
		}
		y.after(time.Minute, tick)
	}
	y.at(Begin.Add(y.between(0, time.Minute)), tick)
	for !y.stopped && y.step() {
	}
	y.amperity.Close()
	return y.figures()
}

// YearFigures are the result of a year.
type YearFigures struct {
	// Launches counts the launches. Posts, Reads and Lists count the requests to
	// Amperity.
	Launches, Posts, Reads, Lists int
	// Asked counts the holds that the operator had to answer, by reason. It
	// leaves out Unprocessed, the launches whose request was never processed,
	// and Firsts, the first runs of config ids, because no search can end
	// these. It also leaves out Policy, the holds that a route asks for (late:
	// hold).
	Asked                       map[string]int
	Unprocessed, Firsts, Policy int
	// Alone counts the holds that ended without the operator, by reason.
	Alone map[string]int
	// Double counts launches with two runs and without a release, by if_unknown.
	Double map[string]int
	// Wrong counts launches announced with another launch's run. Untold counts
	// runs of ours that no announcement names. Open counts launches without an
	// end, or held, when the year is over.
	Wrong, Untold, Open int
}

func (y *Year) figures() YearFigures {
	f := YearFigures{Asked: map[string]int{}, Alone: map[string]int{}, Double: map[string]int{},
		Posts: y.calls.calls["post"], Reads: y.calls.calls["read"], Lists: y.calls.calls["list"]}
	runs, owner := map[string]int{}, map[string]string{}
	source := map[string]bool{}
	for n := range yearConfigs {
		source[yearConfig(n)] = yearMode(n) == "source"
	}
	for _, p := range y.posts {
		if p.run == "" {
			continue
		}
		owner[p.run] = p.launchKey
		if runs[p.launchKey]++; runs[p.launchKey] == 2 && !y.released(p.launchKey) {
			mode := map[bool]string{true: "retry", false: "hold"}[source[p.body.ConfigID]]
			f.Double[mode]++
		}
		if !y.named[p.run] {
			f.Untold++
		}
	}
	for _, h := range y.holds {
		switch {
		case h.ended:
			f.Alone[h.reason]++
		case h.first:
			f.Firsts++
		case h.reason == announcement.ReasonLateFile:
			f.Policy++
		case h.reason == announcement.ReasonUnknownOutcome && !y.processed(h.key):
			f.Unprocessed++
		default:
			f.Asked[h.reason]++
		}
	}
	for key, run := range y.started {
		if owner[run] != key {
			f.Wrong++
		}
	}
	for _, item := range y.ledger.All() {
		if strings.HasPrefix(item.Key, "launch/") {
			if !containsAny(string(item.Doc), `"state":"started"`, `"state":"discarded"`) {
				f.Open++
			}
		}
	}
	f.Launches = len(y.decidedAt)
	return f
}

// released reports whether the operator has released a launch.
func (y *Year) released(key string) bool {
	return slices.ContainsFunc(y.words, func(v *word) bool { return v.verb == "release" && v.key == key })
}

// processed reports whether a request of a launch started a run before the
// operator released it.
func (y *Year) processed(key string) bool {
	var released time.Time
	for _, v := range y.words {
		if v.verb == "release" && v.key == key && released.IsZero() {
			released = v.at[0]
		}
	}
	return slices.ContainsFunc(y.posts, func(p *post) bool {
		return p.launchKey == key && p.run != "" && (released.IsZero() || p.sent.Before(released))
	})
}

// yearly lets calls fail as often as [yearAssumes] states.
type yearly struct {
	rng     *rand.Rand
	seed    uint64
	calls   map[string]int // by kind
	outages []span
	quiet   time.Time // when the faults end
}

func (y *yearly) lag(*World) time.Duration { return 0 }

// bad reports whether the minute is one that loses answers.
func (y *yearly) bad(t time.Time) bool {
	return rand.New(rand.NewPCG(y.seed, uint64(t.Unix()/60))).IntN(100) == 0
}

func (y *yearly) between(a, b time.Duration) time.Duration {
	return a + time.Duration(y.rng.Int64N(int64(b-a)))
}

func (y *yearly) choose(w *World, p *process, o op) choice {
	y.calls[o.kind]++
	c := choice{before: 5 * time.Millisecond, after: 2 * time.Millisecond}
	amperity := o.kind == "post" || o.kind == "read" || o.kind == "list"
	if amperity {
		c.before, c.after = y.between(100*time.Millisecond, 600*time.Millisecond), 5*time.Millisecond
	}
	switch {
	case !w.now.Before(y.quiet):
	case y.rng.IntN(10_000) == 0:
		c.fault = []fault{dieBefore, dieAfter}[y.rng.IntN(2)]
	case amperity && inAny(y.outages, w.now):
		c.fault, c.status = slowBefore, http.StatusServiceUnavailable
	case o.kind == "post" && y.loses(w.now):
		y.lost(&c)
	}
	return c
}

// loses reports whether the answer of a POST is lost.
func (y *yearly) loses(t time.Time) bool {
	if y.bad(t) {
		return y.rng.IntN(2) == 0
	}
	return y.rng.IntN(200) == 0
}

// lost chooses the fate of a POST whose answer is lost.
func (y *yearly) lost(c *choice) {
	reset := y.rng.IntN(2) == 0
	switch n := y.rng.IntN(100); {
	case n < 70 && reset:
		c.fault = failAfter
	case n < 70:
		c.status = http.StatusGatewayTimeout
	case n < 85:
		c.status, c.late = http.StatusGatewayTimeout, y.between(time.Second, 20*time.Minute)
	case reset:
		c.fault, c.status = failAfter, -1
	default:
		c.fault, c.status = slowBefore, http.StatusBadGateway
	}
}
