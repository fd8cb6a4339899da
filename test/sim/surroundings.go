package sim

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

// surroundings are events of a tenant, an account or a year that happen in a
// random history besides its own few inputs. Their draws are separate, so that
// they change nothing in a history without surroundings.
type surroundings struct {
	rng *rand.Rand
	// has has the names of the history's surroundings.
	has map[string]bool
	// badMinutes lose the answers to POSTs. ledgerOutages have no ledger.
	badMinutes, ledgerOutages []span
	// delayed are the outages of the ledger, each until the operator has
	// redriven the dead-letter queues. Meanwhile nothing must be in time.
	delayed []span
	// oddAnswers: Amperity answers with statuses and bodies that prove nothing.
	// overlaps: the pages of its lists overlap. gaps: its lists may lack any
	// recent run, not only the newest.
	oddAnswers, overlaps, gaps bool
	// lastOn is the last run on the page that a process has read.
	lastOn map[*process]json.RawMessage
	// until is when the last input comes.
	until time.Time
	// sweeps is how many sweeps the history may take beyond maxSweeps.
	sweeps int
}

// surroundingsOf are the surroundings. One of in histories has each.
var surroundingsOf = []struct {
	name string
	in   int
	set  func(*World, time.Duration)
}{
	{"a backfill", 500, (*World).backfills},
	{"runs of others", 8, (*World).othersStart},
	{"several config ids fail in one minute", 15, (*World).failTogether},
	{"an outage of Amperity for hours or days", 25, (*World).longOutage},
	{"an outage of the ledger", 25, (*World).ledgerOutage},
	{"events weeks late, and items that expire", 50, (*World).weeks},
	{"two versions of one key", 12, (*World).versions},
	{"odd answers", 6, func(w *World, _ time.Duration) { w.around.oddAnswers = true }},
	{"pages that overlap", 10, func(w *World, _ time.Duration) { w.around.overlaps = true }},
	{"lists with gaps", 10, func(w *World, _ time.Duration) { w.around.gaps = true }},
}

// surround draws the surroundings of a history. active is the time of its
// inputs.
func (w *World) surround(seed uint64, active time.Duration) {
	w.around = surroundings{rng: rand.New(rand.NewPCG(seed, 3)), has: map[string]bool{}, lastOn: map[*process]json.RawMessage{}}
	for _, s := range surroundingsOf {
		if w.around.rng.IntN(s.in) == 0 {
			w.around.has[s.name] = true
			s.set(w, active)
		}
	}
}

// The draws of the surroundings.
func (s *surroundings) pick(n int) int        { return s.rng.IntN(n) }
func (s *surroundings) chance(p float64) bool { return s.rng.Float64() < p }
func (s *surroundings) between(a, b time.Duration) time.Duration {
	return a + time.Duration(s.rng.Int64N(int64(b-a)))
}

// comes schedules an input at a time.
func (w *World) comes(at time.Time, do func()) {
	if at.After(w.around.until) {
		w.around.until = at
	}
	w.at(at, do)
}

// failsUntil lets calls fail at least until a time.
func (w *World) failsUntil(t time.Time) {
	if t.After(w.quiet) {
		w.quiet = t
	}
}

// backfills lets files of up to 72 windows of one config id come within
// minutes.
func (w *World) backfills(active time.Duration) {
	s := &w.around
	letter := w.letters[:1]
	if strings.Contains("cde", letter) {
		letter = "a" // the others need more than one file
	}
	windows := 8 + s.pick(65)
	at := Begin.Add(s.between(0, active/2))
	for n := range windows {
		day, hour := -3-n, 0
		if letter == "g" {
			day, hour = 0, -3-n
		}
		for f := range 1 + s.pick(2) {
			w.comes(at.Add(s.between(0, 10*time.Minute)), func() {
				w.land(w.newFile(letter, day, hour, fmt.Sprintf("x%d", f), w.now), w.delivery()...)
			})
		}
	}
	// The runs of all of them take at most two days together.
	if most := 48 * time.Hour / time.Duration(windows); w.duration > most {
		w.duration = most
		if err := w.amperity.Script("", amperitytest.Script{Duration: most}); err != nil {
			panic(err) // the script is valid
		}
	}
	s.sweeps += windows * int(2*w.duration/time.Minute+15)
	// If every fourth call fails, most sweeps do not finish, and so many windows
	// delay everything else.
	if r, ok := w.chooser.(*random); ok {
		r.p = min(r.p, 0.03)
	}
}

// othersStart lets others start up to 30 runs an hour: of our config ids and of
// others, of a config id with the name of ours, and a few under our principal.
func (w *World) othersStart(active time.Duration) {
	s := &w.around
	script := amperitytest.Script{Name: nameOf(w.configOf(s.pick(len(w.letters)))), Duration: w.duration}
	if err := w.amperity.Script("cg-Twin", script); err != nil {
		panic(err) // the script is valid
	}
	every := time.Hour / time.Duration(1+s.pick(30))
	for at := s.between(0, 2*every); at < active; at += s.between(0, 2*every) {
		configID, tokens := fmt.Sprintf("cg-Other%d", s.pick(4)), w.theirs
		switch s.pick(10) {
		case 0, 1:
			configID = w.configOf(s.pick(len(w.letters)))
		case 2:
			configID = "cg-Twin"
		case 3:
			tokens = w.ours
		}
		w.comes(Begin.Add(at), func() { w.startForeign(configID, tokens) })
	}
}

// nameOf returns the name of a config id's runs in the simulated Amperity.
func nameOf(configID string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(configID))
	return fmt.Sprintf("Simulated workflow %04x", h.Sum32()&0xffff)
}

// configOf returns the config id of the nth route of the history.
func (w *World) configOf(n int) string {
	if w.letters[n] == 'i' {
		return "og-I"
	}
	return "cg-" + strings.ToUpper(w.letters[n:n+1])
}

// failTogether lets schedules of several config ids fire in one second, in a
// minute that loses answers.
func (w *World) failTogether(active time.Duration) {
	s := &w.around
	at := Begin.Add(s.between(0, active))
	w.around.badMinutes = append(w.around.badMinutes, span{at.Add(-5 * time.Second), at.Add(s.between(30*time.Second, 3*time.Minute))})
	w.failsUntil(at.Add(3 * time.Minute))
	for _, n := range s.rng.Perm(len(letters))[:2+s.pick(5)] {
		if letters[n] == 'i' {
			continue // takes no range
		}
		d := w.decides("cg-"+strings.ToUpper(letters[n:n+1]), []string{"source", "full"}[s.pick(2)], at)
		w.comes(at.Add(s.between(0, time.Second)), func() { w.schedule(d, "together-"+d.from) })
	}
}

// decides adds a decision of a new schedule.
func (w *World) decides(config, mode string, at time.Time) *decision {
	n := len(w.decisions)
	from := time.Date(2025, 1, 1+n, 0, 0, 0, 0, time.UTC)
	arn := fmt.Sprintf("arn:aws:scheduler:us-east-1:123456789012:schedule/default/s%d", n)
	d := &decision{at: at, config: config, from: from.Format(time.DateOnly), retry: mode == "source"}
	d.key = fmt.Sprintf("schedule/%s/%s/%s", config, arn, at.UTC().Format(time.RFC3339))
	d.payload = fmt.Sprintf(`{"config_id":%q,"run_mode":%q,"range_from":%q,"range_to":%q,"scheduled_time":%q,"schedule_arn":%q}`,
		config, mode, d.from, from.AddDate(0, 0, 1).Format(time.DateOnly), at.UTC().Format(time.RFC3339), arn)
	w.decisions = append(w.decisions, d)
	return d
}

// long returns a span that begins while inputs come.
func (w *World) long(active, shortest, longest time.Duration) span {
	from := Begin.Add(w.around.between(0, active))
	return span{from, from.Add(w.around.between(shortest, longest))}
}

// longOutage lets Amperity refuse connections for hours, or for days.
func (w *World) longOutage(active time.Duration) {
	longest := 8 * time.Hour
	if w.around.chance(0.3) {
		longest = 3 * 24 * time.Hour
	}
	out := w.long(active, time.Hour, longest)
	w.outages = append(w.outages, out)
	w.failsUntil(out.to)
}

// ledgerOutage lets the ledger fail for minutes to days. Afterwards the
// operator redrives the dead-letter queues.
func (w *World) ledgerOutage(active time.Duration) {
	longest := 3 * time.Hour
	if w.around.chance(0.2) {
		longest = 2 * 24 * time.Hour
	}
	out := w.long(active, 10*time.Minute, longest)
	w.around.ledgerOutages = append(w.around.ledgerOutages, out)
	w.failsUntil(out.to)
	delayed := out
	if w.around.chance(0.7) {
		delayed.to = out.to.Add(w.around.between(time.Minute, 3*time.Hour))
		w.comes(delayed.to, w.redrive)
	}
	w.around.delayed = append(w.around.delayed, delayed)
}

// redrive redrives the dead-letter queues.
func (w *World) redrive() {
	for _, m := range w.sqs.messages {
		if m.gone && m.receives >= maxReceive && m.file.lost > 0 && !m.raw {
			m.gone, m.receives, m.visible = false, 0, w.now
			m.file.lost--
			w.note("message %s is sent back", m.id)
			w.after(w.around.between(0, time.Second), w.poll)
		}
	}
	for _, d := range w.decisions {
		if d.failed > 0 && d.settled == 0 {
			w.schedule(d, "redriven-"+d.from)
		}
	}
}

// weeks delivers events again, or for the first time, after up to nine weeks.
// Meanwhile the ledger's items expire in any order.
func (w *World) weeks(active time.Duration) {
	s := &w.around
	const week = 7 * 24 * time.Hour
	letter := w.letters[:1]
	for n := range 1 + s.pick(3) {
		put, first := Begin.Add(s.between(0, active)), s.between(time.Second, time.Minute)
		if s.chance(0.3) {
			first = s.between(week, 9*week)
		}
		delays := []time.Duration{first}
		for s.chance(0.6) {
			delays = append(delays, s.between(24*time.Hour, 9*week))
		}
		w.comes(put, func() { w.land(w.newFile(letter, -s.pick(2), 0, fmt.Sprintf("x%d", n), w.now), delays...) })
		w.comes(put.Add(slices.Max(delays)), func() {})
	}
	if s.chance(0.5) { // a file that is late itself
		w.comes(Begin.Add(s.between(week, 8*week)), func() { w.land(w.newFile(letter, 0, 0, "x9", w.now), time.Second) })
	}
	var expire func()
	expire = func() {
		for _, key := range w.ledger.Expired(w.now) {
			if s.chance(0.4) {
				w.note("%s expires", key)
				w.ledger.Expire(key)
			}
		}
		if w.now.Before(s.until) {
			w.after(s.between(12*time.Hour, 36*time.Hour), expire)
		}
	}
	w.after(24*time.Hour, expire)
}

// versions uploads a second version of a key, to a bucket with versions or to
// one whose versioning is suspended.
func (w *World) versions(active time.Duration) {
	s := &w.around
	letter := w.letters[:1]
	versions := []string{"v1", "v2"}
	if s.chance(0.3) {
		versions = []string{"null", "null"}
	}
	at := Begin.Add(s.between(0, active/2))
	for _, version := range versions {
		w.comes(at, func() {
			f := w.newFile(letter, 0, 0, "x7", w.now)
			f.version = version
			w.land(f, w.delivery()...)
		})
		if at = at.Add(s.between(0, active/2)); s.chance(0.6) {
			at = at.Add(s.between(0, 10*time.Second))
		}
	}
}

// befalls lets a call fail because of the surroundings. It reports whether the
// call fails.
func (w *World) befalls(o op, c *choice) bool {
	s := &w.around
	switch o.kind {
	case "get", "put", "due", "held":
		if inAny(s.ledgerOutages, w.now) {
			c.fault = failBefore
			return true
		}
	case "post":
		if inAny(s.badMinutes, w.now) && s.chance(0.8) {
			switch s.pick(5) {
			case 0:
				c.fault, c.status = slowBefore, http.StatusServiceUnavailable
			case 1:
				c.status, c.late = http.StatusGatewayTimeout, s.between(time.Second, 20*time.Minute)
			case 2:
				c.fault = failAfter
			default:
				c.status = http.StatusBadGateway
			}
			return true
		}
	}
	return false
}

// brokenBodies are bodies that answer no request.
var brokenBodies = []string{``, `null`, `{}`, `[]`, `{"data":`, `{"data":null}`, `{"data":{}}`, `{"id":""}`, `{"id":7}`, `<html>busy</html>`, `"wf-1"`}

// odd lets Amperity answer with a response that proves nothing: the request may
// have been processed. It reports whether the answer is such a response.
func (w *World) odd(o op, c *choice) bool {
	s := &w.around
	if !s.oddAnswers || o.kind != "post" && o.kind != "read" && o.kind != "list" || s.chance(0.6) {
		return false
	}
	if s.chance(0.5) {
		c.body = brokenBodies[s.pick(len(brokenBodies))]
		if c.body == "" {
			c.body = "\n"
		}
		return true
	}
	c.status = []int{http.StatusRequestTimeout, 499, http.StatusFound, http.StatusTemporaryRedirect}[s.pick(4)]
	if s.chance(0.4) {
		c.fault = slowBefore // it was not processed
	}
	return true
}

// unclear reports whether a status leaves unknown whether the request was
// processed.
func unclear(status int) bool {
	return status >= 500 || status == http.StatusRequestTimeout || status == 499 || status >= 300 && status < 400
}

// paged lets the pages of a list overlap: each begins with the last run of the
// page before.
func (w *World) paged(p *process, req *http.Request, answer *http.Response) *http.Response {
	if !w.around.overlaps || answer.StatusCode != http.StatusOK {
		return answer
	}
	var page struct {
		Data      []json.RawMessage `json:"data"`
		NextToken string            `json:"next_token,omitempty"`
	}
	raw, _ := io.ReadAll(answer.Body)
	if json.Unmarshal(raw, &page) == nil && page.Data != nil {
		if before := w.around.lastOn[p]; before != nil && req.URL.Query().Has("next_token") {
			page.Data = append([]json.RawMessage{before}, page.Data...)
		}
		delete(w.around.lastOn, p)
		if n := len(page.Data); n > 0 && page.NextToken != "" {
			w.around.lastOn[p] = page.Data[n-1]
		}
		raw, _ = json.Marshal(page)
	}
	answer.Body, answer.ContentLength = io.NopCloser(strings.NewReader(string(raw))), int64(len(raw))
	return answer
}

// hides reports whether a lagging list lacks a run that is more recent than the
// lag: each such run, or about half of them if lists have gaps.
func (w *World) hides(id string) bool {
	if !w.around.gaps {
		return true
	}
	h := fnv.New32a()
	_, _ = fmt.Fprint(h, id, w.lists)
	return h.Sum32()%2 == 0
}
