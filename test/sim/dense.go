package sim

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

// mood is the outcome that all requests of one thread share.
type mood int

const (
	undecided mood = iota
	fine
	losesAnswers
	rateLimited
	finds409
	refused
	repeats409 // by a gateway
)

// dense is the chooser of a dense history. Requests fail together, and all of
// one worker in the same way, so that several launches of a config id are due
// together.
type dense struct {
	random
	// moods are the probabilities of the moods.
	moods [repeats409 + 1]float64
}

func (d *dense) choose(w *World, p *process, o op) choice {
	c := d.random.choose(w, p, o)
	if o.kind != "post" || !w.now.Before(w.quiet) || c.fault != none || c.status != 0 || c.late > 0 {
		return c
	}
	t := p.current
	if t.mood == undecided {
		t.mood = fine
		x := w.rng.Float64()
		for m, share := range d.moods {
			if x -= share; share > 0 && x < 0 {
				t.mood = mood(m)
				break
			}
		}
	}
	switch t.mood {
	case losesAnswers:
		loseAnswer(w, &c)
	case rateLimited:
		c.status = http.StatusTooManyRequests
	case finds409:
		c.status = http.StatusConflict
	case refused:
		c.status = http.StatusNotFound
	case repeats409:
		c.fault = gatewayBusy
	}
	return c
}

// loseAnswer hides the outcome of a request.
func loseAnswer(w *World, c *choice) {
	switch w.pick(10) {
	case 8, 9: // it is sent and answered after another process took over the launch
		c.freezeBefore = w.between(2*time.Minute, 8*time.Minute)
		if w.chance(0.2) {
			c.freezeBefore, c.freezeAfter = 0, c.freezeBefore
		}
	case 0: // a proxy stops waiting, and it is not processed
		c.fault, c.status = slowBefore, http.StatusGatewayTimeout
	case 1:
		c.fault, c.status = failAfter, -1 // reset, and not processed
	case 2:
		c.fault = slowBefore // no answer, and it is not processed
	case 3:
		c.fault = slowAfter // the run begins immediately
	case 4:
		c.fault, c.after = failAfter, w.between(100*time.Millisecond, 8*time.Second)
	case 5:
		c.status = http.StatusBadGateway // and processed
	default:
		c.status, c.late = http.StatusGatewayTimeout, w.between(time.Second, 3*time.Minute)
		if w.chance(0.4) {
			c.late = w.between(time.Minute, 25*time.Minute)
		}
	}
}

// Dense runs a short history of one config id with several launches in flight
// at the same time.
func Dense(seed uint64, m Mutation, tracing bool) *World {
	d := &dense{}
	w := newWorld(seed^0xde45e<<40, d, seed%10 < 2)
	w.tracing, w.mutant, w.workers, d.slow = tracing, m, 8, true
	d.p = []float64{0, 0, 0.01, 0.03, 0.08}[w.pick(5)]
	d.freezes, d.lags = w.chance(0.4), w.chance(0.3)
	d.moods[losesAnswers] = w.rng.Float64() * 0.7
	d.moods[rateLimited] = w.rng.Float64() * 0.5
	d.moods[finds409] = w.rng.Float64() * 0.1
	d.moods[refused] = w.rng.Float64() * 0.15
	if w.chance(0.1) {
		d.moods[repeats409] = 0.2
	}
	if w.chance(0.03) {
		d.broken = []string{"read", "list"}[w.pick(2)]
		d.how.status = []int{401, 500, 503}[w.pick(3)]
		w.broken = d.broken
	}
	active := w.between(2*time.Minute, 20*time.Minute)
	w.quiet = Begin.Add(active)
	w.deployAtStart()
	w.letters = string("aabbffjcghe"[w.pick(11)])
	if w.chance(0.8) {
		w.knowsRunsOf(w.letters)
	}
	w.duration = w.between(time.Second, 5*time.Minute)
	if w.chance(0.2) {
		w.duration = w.between(5*time.Minute, time.Hour)
	}
	if err := w.amperity.Script("", amperitytest.Script{Duration: w.duration}); err != nil {
		panic(err)
	}
	w.crowd(active)
	if w.chance(0.4) {
		w.people()
	}
	w.run()
	w.amperity.Close()
	return w
}

// crowd lets 2 to 7 launches of the config id meet.
func (w *World) crowd(active time.Duration) {
	config := "cg-" + string(w.letters[0]-'a'+'A')
	// Most come in the same second, or while a sweep works on those.
	first := w.between(0, active/2)
	when := func() time.Duration {
		switch {
		case w.chance(0.6):
			return first
		case w.chance(0.5):
			return first + w.between(0, 5*time.Second)
		}
		return first + w.between(0, active-first)
	}
	if strings.Contains("abfj", w.letters) && w.chance(0.3) {
		w.storm(first)
		return
	}
	files := w.rng.Float64()
	for i := range 2 + w.pick(6) {
		if w.rng.Float64() >= files {
			w.fires(when(), config)
			continue
		}
		hour := w.pick(3)
		var before time.Duration
		for n := range 1 + w.pick(4) {
			at := when()
			if n > 0 {
				at += w.between(0, 2*time.Minute)
				if w.chance(0.6) {
					at = before + w.between(0, 8*time.Second) // while the request is in flight
				}
			}
			before = at
			kinds := "xxy"
			if w.letters == "c" || w.letters == "e" {
				kinds = "xy"
			}
			name := fmt.Sprintf("%c%d", kinds[w.pick(len(kinds))], w.pick(3))
			w.at(Begin.Add(at), func() { w.land(w.newFile(w.letters, -(i%3), hour, name, w.now), w.delivery()...) })
		}
	}
	if w.chance(0.3) {
		tokens := w.theirs
		if w.chance(0.4) {
			tokens = w.ours
		}
		w.at(Begin.Add(when()+w.between(0, 2*time.Minute)), func() { w.startForeign(config, tokens) })
	}
}

// storm lets files of one window land in the very seconds of its request.
func (w *World) storm(at time.Duration) {
	// Often S3's clock is 2 s slow, and ours 2 s fast.
	w.fast = w.chance(0.5)
	for n := range 2 + w.pick(6) {
		w.at(Begin.Add(at), func() {
			f := w.newFile(w.letters, 0, 0, fmt.Sprintf("x%d", n), w.now)
			if w.fast {
				f.event = f.put.Add(-2 * time.Second)
			}
			w.land(f, w.delivery()...)
		})
		at += w.between(0, 1500*time.Millisecond)
		if w.chance(0.2) {
			at += w.between(0, 6*time.Second)
		}
	}
	if w.chance(0.3) {
		w.fires(at, "cg-"+string(w.letters[0]-'a'+'A'))
	}
}

// fires lets a schedule fire, or an operator start a run, perhaps twice.
func (w *World) fires(at time.Duration, config string) {
	n := len(w.decisions)
	mode := []string{"source", "full"}[w.pick(2)]
	w.starts(at, config, mode, Pattern{})
	d := w.decisions[n]
	if w.chance(0.3) {
		d.key = fmt.Sprintf("manual/%s/k%d", config, n)
		d.payload = fmt.Sprintf(`{"config_id":%q,"run_mode":%q,"range_from":%q,"idempotency_key":"k%d"}`, config, mode, d.from, n)
	}
	for w.chance(0.2) {
		// It is delivered twice, often simultaneously, and often with the same
		// request id.
		after, id := w.between(0, 100*time.Millisecond), fmt.Sprintf("request-%d-0", n)
		if w.chance(0.4) {
			after = w.between(0, 10*time.Second)
		}
		if w.chance(0.4) {
			id += "-again"
		}
		w.at(d.at.Add(after), func() { w.schedule(d, id) })
	}
}

// modes draws the modes of a random history. The draws are separate, so that
// they change nothing else in it.
func (w *World) modes(seed uint64, r *random) {
	rng := rand.New(rand.NewPCG(seed, 3))
	if rng.IntN(10) < 7 {
		w.workers = 8
	}
	r.slow = rng.IntN(2) == 0
}
