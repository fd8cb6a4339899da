package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// coldRun is one cold start.
type coldRun struct {
	// Init is from exec to the first request for an invocation, Job from
	// exec to the first announced run, or to the first answer of a program
	// that announces nothing.
	Init, Job time.Duration
	// Memory is that at the first announced run, or after the first answer.
	Memory memory
	// CPU is the processor time of the process until after its first answer.
	CPU time.Duration
}

// coldStart runs p once from exec to its first answer.
func coldStart(ctx context.Context, p program) (r coldRun, err error) {
	var once sync.Once
	var seen error
	pr, err := start(ctx, p, func(pr *process, at time.Time) {
		once.Do(func() {
			r.Job = at.Sub(pr.started)
			r.Memory, seen = readMemory(pr.cmd.Process.Pid)
		})
	})
	if err != nil {
		return r, err
	}
	defer func() { r.CPU = pr.Stop() }()
	if r.Init, err = pr.Ready(ctx); err != nil {
		return r, err
	}
	ans, _, err := pr.Invoke(ctx)
	if err != nil {
		return r, err
	}
	if !p.Announces {
		r.Job = ans.At.Sub(pr.started)
		r.Memory, seen = readMemory(pr.cmd.Process.Pid)
	}
	return r, seen
}

// cold measures the cold starts of all programs in turns.
func cold(ctx context.Context, ps programs, o options, out io.Writer) ([]aim, error) {
	list := ps.all()
	runs := make([][]coldRun, len(list))
	// The first round is thrown away: it brings the files into memory.
	for round := range o.runs + 1 {
		for i, p := range list {
			r, err := coldStart(ctx, p)
			if err != nil {
				return nil, err
			}
			if round > 0 {
				runs[i] = append(runs[i], r)
			}
		}
	}
	t := newTable(out, fmt.Sprintf("Cold start: median (min to max) of %d, in turns", o.runs),
		"program", "exec to init done", "exec to first announced run", "CPU", "peak memory", "resident", "of it from files", "binary")
	inits, jobs, peaks := map[string][]time.Duration{}, map[string][]time.Duration{}, map[string]int64{}
	for i, p := range list {
		inits[p.Name] = each(runs[i], func(r coldRun) time.Duration { return r.Init })
		jobs[p.Name] = each(runs[i], func(r coldRun) time.Duration { return r.Job })
		cpu := spreadOf(each(runs[i], func(r coldRun) time.Duration { return r.CPU }))
		peak := spreadOf(each(runs[i], func(r coldRun) int64 { return r.Memory.Peak }))
		resident := spreadOf(each(runs[i], func(r coldRun) int64 { return r.Memory.Resident }))
		file := spreadOf(each(runs[i], func(r coldRun) int64 { return r.Memory.File }))
		peaks[p.Name] = peak.Max
		binary, first := "", spreadMS(spreadOf(jobs[p.Name]))
		if p.Go {
			size, err := fileSize(p.Path)
			if err != nil {
				return nil, err
			}
			binary = megabytes(size)
		}
		if !p.Announces {
			first += ", first answer"
		}
		t.row(p.Name, spreadMS(spreadOf(inits[p.Name])), first, ms(cpu.Median), megabytes(peak.Max)+" at most", megabytes(resident.Median), megabytes(file.Median), binary)
	}
	t.end()
	size, err := fileSize(ps.Trigger.Path)
	if err != nil {
		return nil, err
	}
	if err := printInitCosts(ctx, ps, out); err != nil {
		return nil, err
	}
	aims := []aim{atMost("init of trigger, of hello world's", medianRatio(inits["trigger"], inits["hello"]), 2.2, "x")}
	if ps.Python.Path != "" {
		aims = append(aims,
			atLeast("exec to first announced run, Python's without a ledger of trigger's", medianRatio(jobs["python"], jobs["trigger"]), 20, "x"))
	}
	return append(aims,
		atMost("peak memory of trigger", float64(peaks["trigger"])/1e6, 20, " MB"),
		atMost("binary of trigger", float64(size)/1e6, 12, " MB")), nil
}

func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
