package sim

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// process is one invocation of a function, in an instance of its own or of an
// earlier invocation's. It runs until its next call of a backend, and goes on
// when the world says so.
type process struct {
	w        *World
	id       int
	name     string
	skew     time.Duration
	deadline time.Time // true time at which it is killed
	// thaw is by how much its own timers are late, because it was frozen.
	thaw time.Duration

	yield  func(struct{}) bool
	next   func() (struct{}, bool)
	stop   func()
	over   bool
	frozen bool

	// What the checker wants to know of it.
	requestID   string
	messages    []*message
	launchKey   string // of the launch item it wrote last, and when
	wroteLaunch time.Time
	listed      bool // it has read the list of runs since its last request
}

// died is what ends a process that is killed.
type died struct{}

// invoke begins an invocation. end gets what it returned, unless it died; dead
// is called then.
func (w *World) invoke(name string, in *instance, limit time.Duration, requestID string, payload []byte, end func(out []byte, err error), dead func()) *process {
	w.processes++
	p := &process{w: w, id: w.processes, name: name, skew: in.skew, deadline: w.now.Add(limit), requestID: requestID}
	handler := in.handler(p)
	w.living[p] = true
	finished := false
	p.next, p.stop = iter.Pull(func(yield func(struct{}) bool) {
		p.yield = yield
		defer func() {
			if why := recover(); why != nil {
				if _, ok := why.(died); !ok {
					panic(why)
				}
			}
		}()
		ctx := lambdacontext.NewContext(&procContext{p: p, deadline: p.deadline, parent: context.Background()},
			&lambdacontext.LambdaContext{AwsRequestID: requestID})
		out, err := handler.Invoke(ctx, payload)
		finished = true
		w.note("%s ends: %s %v", p, out, err)
		end(out, err)
	})
	p.ended(func() {
		delete(w.living, p)
		in.busy = false
		if !finished {
			in.dead = true // Lambda makes a new instance
			w.note("%s is dead", p)
			dead()
		}
	})
	in.busy = true
	w.note("%s begins (skew %s): %.2000s", p, p.skew, payload)
	w.at(w.now, p.resume)
	// Lambda kills a little late.
	w.at(p.deadline.Add(w.between(0, 700*time.Millisecond)), func() {
		if !p.frozen {
			p.kill()
		}
	})
	return p
}

// onEnd is kept as the next function's wrapper.
func (p *process) ended(f func()) {
	next := p.next
	p.next = func() (struct{}, bool) {
		v, ok := next()
		if !ok && !p.over {
			p.over = true
			f()
		}
		return v, ok
	}
	stop := p.stop
	p.stop = func() {
		stop()
		if !p.over {
			p.over = true
			f()
		}
	}
}

func (p *process) String() string { return fmt.Sprintf("%s#%d", p.name, p.id) }

// resume lets the process go on until its next call.
func (p *process) resume() {
	if !p.over {
		p.next()
	}
}

// kill ends the process where it is.
func (p *process) kill() {
	if !p.over {
		p.stop()
	}
}

// wait lets time pass for the process.
func (p *process) wait(d time.Duration) {
	p.w.after(d, p.resume)
	if !p.yield(struct{}{}) {
		panic(died{})
	}
}

// freeze stops the process for a while. Its timers stand still meanwhile; the
// wall clock does not.
func (p *process) freeze(d time.Duration) {
	p.frozen = true
	p.thaw += d
	p.w.note("%s freezes for %s", p, d)
	p.wait(d)
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
func (c *procContext) Value(key any) any           { return c.parent.Value(key) }
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
	// made is what it was made for: the settings of its deployment.
	made deployment
	keep lambda.Handler
	give *backends
}

// deployment is what instances are made from.
type deployment struct {
	routing int
	paused  bool
}

// handler gives the instance's handler, to be used by a process.
func (in *instance) handler(p *process) lambda.Handler {
	in.give.p = p
	return in.keep
}

var errInjected = errors.New("injected")
