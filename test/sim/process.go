package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// process is one invocation of a function, in a new instance or in that of an
// earlier invocation. Its threads run until their next call of a backend, and
// continue when the world resumes them.
type process struct {
	w        *World
	id       int
	name     string
	skew     time.Duration
	deadline time.Time // true time at which Lambda kills it
	// thaw is how late its timers are because it was frozen.
	thaw time.Duration

	threads []*thread // the first one is the handler's
	current *thread   // the running thread
	ended   func()
	over    bool
	dying   bool // none of its threads continues
	frozen  bool
	// frozenUntil is when it wakes up. freezer is the thread that wakes it.
	frozenUntil time.Time
	freezer     *thread

	// For the checker.
	requestID string
	messages  []*message
	// listed is when one of its threads last read the list of runs.
	listed time.Time
}

// thread is one thread of a process: the handler, or one worker of its pool.
type thread struct {
	p    *process
	on   *coroutine
	then func() // called once the thread has ended
	over bool

	// For the checker. launchKey, wroteLaunch and launchDoc are of the launch
	// that the thread wrote last.
	launchKey   string
	wroteLaunch time.Time
	launchDoc   []byte
	item        string // the launch or window that it read last
	// mood is the outcome of its requests in a dense history.
	mood mood
	// mutant is a mutation's state for this thread.
	mutant memory
}

// died is the panic that ends a killed process.
type died struct{}

// invoke begins an invocation. It calls end with the result, or dead if the
// process dies.
func (w *World) invoke(name string, in *instance, limit time.Duration, requestID string, payload []byte, end func(out []byte, err error), dead func()) *process {
	w.processes++
	p := &process{w: w, id: w.processes, name: name, skew: in.skew, deadline: w.now.Add(limit), requestID: requestID}
	handler := in.handler(p)
	w.living[p] = true
	finished := false
	main := p.thread(func() {
		ctx := lambdacontext.NewContext(&procContext{p: p, deadline: p.deadline, parent: context.Background()},
			&lambdacontext.LambdaContext{AwsRequestID: requestID})
		out, err := handler.Invoke(ctx, payload)
		finished = true
		w.note("%s ends: %s %v", p, out, err)
		end(out, err)
	})
	p.ended = func() {
		delete(w.living, p)
		in.busy = false
		if !finished {
			in.dead = true // Lambda makes a new instance
			w.note("%s is dead", p)
			dead()
		}
	}
	in.busy = true
	w.note("%s begins (skew %s): %.2000s", p, p.skew, payload)
	w.at(w.now, main.resume)
	// Lambda kills a little late.
	w.at(p.deadline.Add(w.between(0, 700*time.Millisecond)), func() {
		if !p.frozen && !p.over {
			for _, t := range p.threads {
				w.hit(t, "killed", 0)
			}
			p.kill()
		}
	})
	return p
}

func (p *process) String() string { return fmt.Sprintf("%s#%d", p.name, p.id) }

// thread adds a thread to the process that calls f.
func (p *process) thread(f func()) *thread {
	t := &thread{p: p, on: p.w.coroutine(f)}
	p.threads = append(p.threads, t)
	return t
}

// resume runs the thread until its next call.
func (t *thread) resume() {
	p := t.p
	if p.over || t.over {
		return
	}
	if p.w.now.Before(p.frozenUntil) && t != p.freezer {
		p.w.at(p.frozenUntil, t.resume)
		return
	}
	p.current = t
	if t.on.resume() {
		return
	}
	t.over = true
	killed := t.on.killed
	p.w.giveBack(t.on)
	if killed || t == p.threads[0] {
		p.kill()
		return
	}
	if t.then != nil {
		t.then()
	}
}

// kill ends the process with all its threads, also after its handler returned.
func (p *process) kill() {
	if p.over {
		return
	}
	p.over, p.dying = true, true
	for _, t := range p.threads {
		if !t.over {
			p.w.hit(t, "died with its process", 0)
			p.current, t.over = t, true
			t.on.kill()
			p.w.giveBack(t.on)
		}
	}
	p.ended()
}

// die ends the process in the middle of a call.
func (p *process) die() {
	p.dying = true
	panic(died{})
}

// wait lets time pass for the running thread.
func (p *process) wait(d time.Duration) {
	p.w.after(d, p.current.resume)
	p.park()
}

// park stops the running thread until another resumes it.
func (p *process) park() {
	if p.dying {
		panic(died{})
	}
	p.current.on.park()
}

// freeze stops the process for d. Its timers stop meanwhile, and its wall clock
// continues.
func (p *process) freeze(d time.Duration) {
	p.frozen = true
	p.thaw += d
	p.w.note("%s freezes for %s", p, d)
	for _, t := range p.threads {
		if t != p.current && !t.over {
			p.w.hit(t, "frozen with its process", d)
		}
	}
	if until := p.w.now.Add(d); until.After(p.frozenUntil) {
		p.frozenUntil, p.freezer = until, p.current
	}
	p.wait(d)
}

// pool runs the workers of a process as threads of it.
type pool struct {
	p          *process
	most, busy int
	waiting    *thread // waits until a worker is free, or all have ended
}

// Go runs f in a thread of its own.
func (g *pool) Go(f func()) {
	g.until(g.most - 1)
	g.busy++
	t := g.p.thread(f)
	t.then = func() {
		g.busy--
		if waiting := g.waiting; waiting != nil {
			g.waiting = nil
			g.p.w.at(g.p.w.now, waiting.resume)
		}
	}
	g.p.w.at(g.p.w.now, t.resume)
}

// Wait waits for all workers.
func (g *pool) Wait() { g.until(0) }

func (g *pool) until(busy int) {
	for g.busy > busy {
		g.waiting = g.p.current
		g.p.park()
	}
}

// clock is the process's own clock.
type clock struct{ p *process }

func (c clock) Now() time.Time { return c.p.w.now.Add(c.p.skew) }

func (c clock) Sleep(ctx context.Context, d time.Duration) error {
	if end, ok := ctx.Deadline(); ok {
		if left := end.Sub(c.Now()); left < d {
			c.p.wait(max(0, left))
			return context.DeadlineExceeded
		}
	}
	c.p.wait(d)
	return ctx.Err()
}

func (c clock) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	deadline := c.p.w.now.Add(d)
	if end, ok := ctx.Deadline(); ok && end.Add(-c.p.skew).Before(deadline) {
		deadline = end.Add(-c.p.skew)
	}
	child := &procContext{p: c.p, deadline: deadline, parent: ctx, begun: c.p.thaw}
	return child, func() { child.cancelled = true }
}

// procContext is a context by the world's clock.
type procContext struct {
	p         *process
	parent    context.Context
	deadline  time.Time // true time
	begun     time.Duration
	cancelled bool
}

func (c *procContext) Deadline() (time.Time, bool) { return c.deadline.Add(c.p.skew), true }
func (c *procContext) Done() <-chan struct{}       { return nil }
func (c *procContext) Value(key any) any {
	if _, ok := key.(timerKey); ok {
		return c
	}
	return c.parent.Value(key)
}

// timerKey is the key of the value that is the context of the world's clock.
type timerKey struct{}

// leftOf returns the time until a context's timer ends it. The timer stops
// while its process is frozen.
func leftOf(ctx context.Context, now time.Time) time.Duration {
	c, ok := ctx.Value(timerKey{}).(*procContext)
	if !ok {
		return 1<<62 - 1
	}
	return max(0, c.deadline.Add(c.p.thaw-c.begun).Sub(now))
}
func (c *procContext) Err() error {
	switch {
	case c.cancelled:
		return context.Canceled
	case !c.p.w.now.Before(c.deadline.Add(c.p.thaw - c.begun)):
		return context.DeadlineExceeded
	}
	return nil
}

// instance is one execution environment of a function: it serves one
// invocation at a time, and keeps its handler.
type instance struct {
	name string
	skew time.Duration
	busy bool
	dead bool
	// made is the deployment that it was made from.
	made deployment
	keep lambda.Handler
	give *backends
}

// deployment has the settings of instances.
type deployment struct {
	routing int
	paused  bool
}

// handler returns the instance's handler for a process.
func (in *instance) handler(p *process) lambda.Handler {
	in.give.p = p
	return in.keep
}

var errInjected = errors.New("injected")
