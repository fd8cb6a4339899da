package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/clock"
)

// environment is where programs live: the world around them, and what bounds
// them.
type environment struct {
	world *world
	// cgroups is the root of the control groups. If it is empty, nothing limits
	// or freezes a process.
	cgroups string
	// trace gets the calls of each invocation. It may be nil.
	trace io.Writer
}

// place is where a program is measured.
type place struct {
	// Memory in MB decides the processor share. 0 means no limit.
	Memory int
	// Amperity is the distance to Amperity.
	Amperity time.Duration
}

// kind is what an invocation finds.
type kind string

const (
	// cold is the first invocation of a process.
	cold kind = "cold"
	// warm is a later one. The process was frozen before it.
	warm kind = "warm"
	// thawed is a warm one before which the servers closed all connections.
	thawed kind = "thawed"
)

// plan is how many invocations follow the cold one.
type plan struct{ Warm, Thawed int }

// kinds lists the invocations in their order.
func (p plan) kinds() []kind {
	all := []kind{cold}
	for range p.Warm {
		all = append(all, warm)
	}
	for range p.Thawed {
		all = append(all, thawed)
	}
	return all
}

// rest is the time between two invocations. Each of our instances sends at most
// five requests a second to Amperity, and waits otherwise.
const rest = 220 * time.Millisecond

// sample has the figures of one invocation. Those of a cold one include init.
type sample struct {
	Kind kind
	// Total is the time until the answer: from exec, or from the event of a
	// later invocation.
	Total time.Duration
	// Init is from exec until the function asks for its first invocation,
	// Invoke from its event to its answer.
	Init, Invoke time.Duration
	// InitUsed and InvokeUsed are the processor time of the two.
	InitUsed, InvokeUsed time.Duration
	// Calls are the connections and requests.
	Calls      []call
	Handshakes int
	Lookups    int
	// Peak is the most memory in bytes that was resident since exec.
	Peak int64

	given time.Time
}

// live runs one process from its start to its end: a cold invocation, and those
// of the plan.
func (e environment) live(ctx context.Context, p program, at place, next plan) (samples []sample, err error) {
	e.world.reset(p.Ledger, p.Unsigned)
	e.world.amperity.set(at.Amperity)
	e.world.handshakes.Store(0)
	e.world.names.lookups.Store(0)
	event := p.Payload(time.Now())
	pr, err := e.start(ctx, p, at)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.label(), err)
	}
	defer func() { err = errors.Join(err, pr.stop()) }()
	asked, err := pr.asked(ctx)
	if err != nil {
		return nil, err
	}
	for i, k := range next.kinds() {
		if i > 0 {
			event = p.Payload(time.Now())
			if asked, err = e.sleep(ctx, pr, k); err != nil {
				return samples, err
			}
		}
		s, err := e.invoke(ctx, pr, k, event, asked)
		if err != nil {
			return samples, err
		}
		if k == cold {
			s.Init, s.InitUsed = asked.At.Sub(pr.started), asked.Used
			s.Total = s.given.Add(s.Invoke).Sub(pr.started)
		}
		samples = append(samples, s)
		e.traceSample(p, at, s)
	}
	return samples, nil
}

// sleep freezes a process that has asked for its next invocation, and returns
// its moment when it is thawed.
func (e environment) sleep(ctx context.Context, pr *process, before kind) (moment, error) {
	if _, err := pr.asked(ctx); err != nil {
		return moment{}, err
	}
	if err := pr.freeze(true); err != nil {
		return moment{}, err
	}
	if before == thawed {
		e.world.closeConnections()
	}
	if err := (clock.System{}).Sleep(ctx, rest); err != nil {
		return moment{}, err
	}
	m := pr.now()
	return m, pr.freeze(false)
}

// invoke has one event handled, and checks that the function did its job.
func (e environment) invoke(ctx context.Context, pr *process, k kind, event []byte, before moment) (sample, error) {
	s := sample{Kind: k}
	ans, err := pr.invoke(ctx, event)
	calls, faults := e.world.take()
	if err := errors.Join(pr.failure(faults), err); err != nil {
		return s, err
	}
	runs := 0
	for _, c := range calls {
		if c.Service == amperity && c.Operation == "POST /workflow/runs" {
			runs++
		}
	}
	if runs != pr.program.Runs {
		return s, pr.failure(fmt.Errorf("a %s invocation started %d runs, not %d", k, runs, pr.program.Runs))
	}
	s.Calls, s.given = calls, ans.Given
	s.Invoke = ans.Answered.At.Sub(ans.Given)
	s.Total = s.Invoke
	s.InvokeUsed = ans.Answered.Used - before.Used
	s.Handshakes = int(e.world.handshakes.Swap(0))
	s.Lookups = int(e.world.names.lookups.Swap(0))
	s.Peak, err = peakMemory(pr.cmd.Process.Pid)
	return s, err
}

// traceSample prints when a server saw each call, in time since the event. What
// happened during init has negative times.
func (e environment) traceSample(p program, at place, s sample) {
	if e.trace == nil {
		return
	}
	fmt.Fprintf(e.trace, "\n%s, %s, %d MB, Amperity %v: init %s, invoke %s\n", p.label(), s.Kind, at.Memory, at.Amperity, ms(s.Init), ms(s.Invoke))
	for _, c := range s.Calls {
		fmt.Fprintf(e.trace, "  %9.2f  %s\n", float64(c.At.Sub(s.given))/1e6, c)
	}
}
