package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// warmRun is one invocation of a process that has had its first.
type warmRun struct {
	// Total is from handing the event over to having its answer; Served is
	// the part of it in which the stand-in was answering requests.
	Total, Served time.Duration
}

// warmInterval is the time between two invocations of one process. Each of our
// instances sends at most 4 requests a second to Amperity, and waits otherwise.
const warmInterval = 300 * time.Millisecond

// warm measures warm invocations of all programs in turns.
func warm(ctx context.Context, ps programs, o options, out io.Writer) ([]aim, error) {
	list := ps.all()
	processes := make([]*process, len(list))
	for i, p := range list {
		pr, err := start(ctx, p, func(*process, time.Time) {})
		if err != nil {
			return nil, err
		}
		defer pr.Stop()
		if _, err := pr.Ready(ctx); err != nil {
			return nil, err
		}
		if _, _, err := pr.Invoke(ctx); err != nil {
			return nil, err
		}
		processes[i] = pr
	}
	runs := make(map[string][]warmRun)
	for range o.warm {
		for _, pr := range processes {
			if err := pause(ctx, warmInterval/time.Duration(len(processes))); err != nil {
				return nil, err
			}
			ans, calls, err := pr.Invoke(ctx)
			if err != nil {
				return nil, err
			}
			r := warmRun{Total: ans.Took()}
			for _, c := range calls {
				r.Served += c.Took
			}
			runs[pr.program.Name] = append(runs[pr.program.Name], r)
		}
	}

	t := newTable(out, fmt.Sprintf("Warm invocation: median (min to max) of %d, in turns, one each %v", o.warm, warmInterval),
		"program", "event given to answer", "the stand-in's part", "beyond it", "beyond the bare requests")
	for _, p := range list {
		rs := runs[p.Name]
		total := spreadOf(each(rs, func(r warmRun) time.Duration { return r.Total }))
		served := spreadOf(each(rs, func(r warmRun) time.Duration { return r.Served }))
		rest := spreadOf(each(rs, func(r warmRun) time.Duration { return r.Total - r.Served }))
		beyond := ""
		if p.Beside != "" {
			beyond = spreadMS(spreadOf(beyondBare(rs, runs[p.Beside])))
		}
		t.row(p.Name, spreadMS(total), ms(served.Median), spreadMS(rest), beyond)
	}
	t.end()
	if err := printConnections(ctx, out); err != nil {
		return nil, err
	}
	own := func(p program) float64 {
		return float64(spreadOf(beyondBare(runs[p.Name], runs[p.Beside])).Median) / 1e6
	}
	return []aim{
		atMost("trigger's own time per warm invocation, beyond the requests", own(ps.Trigger), 4, " ms"),
	}, nil
}

// beyondBare is what each run takes longer than the run of the bare program in
// the same round, which makes the same requests through the same Runtime API.
func beyondBare(runs, bare []warmRun) []time.Duration {
	ds := make([]time.Duration, len(runs))
	for i := range runs {
		ds[i] = runs[i].Total - bare[i].Total
	}
	return ds
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
