package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// process is a program that runs in an execution environment, with a Runtime
// API of its own.
type process struct {
	program program
	api     *runtimeAPI
	group   *cgroup // nil: its processor is not limited, and it is never frozen
	// started is the instant just before the process was made.
	started time.Time
	cmd     *exec.Cmd
	log     *tail
	// running is closed when the process has started, exited when it has ended.
	running, exited chan struct{}
	// limited is the error of the limit on the processor.
	limited error
}

// initLimit bounds init: in Lambda it is 10 s.
const initLimit = 30 * time.Second

// groups counts the control groups of this process.
var groups atomic.Int64

// start starts the program. From its first request for an invocation on, it has
// the processor share of its memory.
func (e environment) start(ctx context.Context, p program, at place) (*process, error) {
	pr := &process{program: p, log: &tail{}, running: make(chan struct{}), exited: make(chan struct{})}
	api, err := newRuntimeAPI(func(first bool) moment {
		<-pr.running
		m := pr.now()
		if first && pr.group != nil {
			pr.limited = pr.group.limit(at.Memory)
		}
		return m
	})
	if err != nil {
		return nil, err
	}
	pr.api = api
	pr.cmd = exec.CommandContext(ctx, p.Path, p.Args...)
	pr.cmd.Dir = p.Dir
	pr.cmd.Env = append(append(lambdaVariables(p.Dir, api.addr, at.Memory), e.world.Environ...), p.Env...)
	pr.cmd.Stdout, pr.cmd.Stderr = pr.log, pr.log
	launch := func() error {
		pr.started = time.Now()
		return pr.cmd.Start()
	}
	start := launch
	if e.cgroups != "" && at.Memory > 0 {
		if pr.group, err = newCgroup(e.cgroups, fmt.Sprintf("bench-%d-%d", os.Getpid(), groups.Add(1))); err != nil {
			api.Close()
			return nil, err
		}
		start = func() error { return pr.group.start(pr.cmd, launch) }
	}
	if err := start(); err != nil {
		api.Close()
		if pr.group != nil {
			err = errors.Join(err, pr.group.remove())
		}
		return nil, err
	}
	close(pr.running)
	go func() {
		defer close(pr.exited)
		// The error is of no interest, because the bench kills the process.
		_ = pr.cmd.Wait()
	}()
	return pr, nil
}

// now returns the present moment of the process.
func (pr *process) now() moment {
	// An error means that the process has ended, which its owner notices.
	used, _ := processorTime(pr.cmd.Process.Pid)
	return moment{time.Now(), used}
}

// lambdaVariables are what Lambda sets (AWS Lambda developer guide, "Defined
// runtime environment variables"), and the function's settings. AWS_CA_BUNDLE
// and the like are not among them.
func lambdaVariables(dir, api string, memory int) []string {
	return []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=en_US.UTF-8", "TZ=:UTC", "HOME=" + dir,
		"AWS_LAMBDA_RUNTIME_API=" + api, "AWS_LAMBDA_FUNCTION_NAME=bench", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(memory), "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/bench",
		"AWS_LAMBDA_LOG_STREAM_NAME=2026/11/22/[$LATEST]bench", "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"LAMBDA_TASK_ROOT=" + dir, "LAMBDA_RUNTIME_DIR=" + dir, "_HANDLER=handler.lambda_handler",
		"AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region,
		"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=key-xSECRETx",
		// Lambda's session tokens have about this length.
		"AWS_SESSION_TOKEN=session-xSECRETx" + strings.Repeat("x", 900),
		"AMPERITY_TENANT=" + tenant, "AMPERITY_SECRET_ID=" + secretID,
		"EVENT_BUS_NAME=" + eventBus, "LEDGER_TABLE=" + ledgerTable, "BUCKETS=" + bucket, "PAUSED=false", "LOG_LEVEL=info",
	}
}

// asked waits until the function asks for an invocation.
func (pr *process) asked(ctx context.Context) (moment, error) {
	ctx, cancel := context.WithTimeout(ctx, initLimit)
	defer cancel()
	select {
	case m := <-pr.api.asked:
		return m, pr.failure(pr.limited)
	case err := <-pr.api.broken:
		return moment{}, pr.failure(err)
	case <-pr.exited:
		return moment{}, pr.failure(errors.New("the process ended before it asked for an invocation"))
	case <-ctx.Done():
		return moment{}, pr.failure(ctx.Err())
	}
}

// invoke has one event handled.
func (pr *process) invoke(ctx context.Context, payload []byte) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	ans, err := pr.api.exchange(ctx, payload)
	return ans, pr.failure(err)
}

// freeze stops the process between invocations, or lets it continue.
func (pr *process) freeze(frozen bool) error {
	if pr.group == nil {
		return nil
	}
	return pr.group.freeze(frozen)
}

// stop ends the process. A frozen one would not end.
func (pr *process) stop() error {
	thawed := pr.freeze(false)
	_ = pr.cmd.Process.Kill() // it may have ended
	<-pr.exited
	pr.api.Close()
	if pr.group == nil {
		return nil
	}
	return errors.Join(thawed, pr.group.remove())
}

// failure adds to an error which program it was and what that wrote last.
func (pr *process) failure(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s did not work: %w\nits output ends with:\n%s", pr.program.label(), err,
		strings.ReplaceAll(pr.log.String(), bearer, "[redacted]"))
}

// peakMemory returns the most memory in bytes that a process has had resident.
func peakMemory(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return parsePeak(string(status))
}

// parsePeak reads VmHWM of /proc/PID/status, which says kB and means 1024 bytes
// (proc_pid_status(5)).
func parsePeak(status string) (int64, error) {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return n * 1024, err
		}
	}
	return 0, errors.New("/proc/PID/status lacks VmHWM: the process has ended, or this is not Linux")
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailSize = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - tailSize; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
