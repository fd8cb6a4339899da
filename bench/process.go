package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// process is a program that runs, with a Runtime API and a stand-in of its own.
type process struct {
	program program
	api     *runtimeAPI
	in      *standIn
	// started is the instant just before the process was made.
	started time.Time
	cmd     *exec.Cmd
	log     *tail
	// exited is closed when the process has ended.
	exited chan struct{}
	// first: the next invocation is the first one.
	first bool
}

// startLimit bounds a cold start, and what Lambda calls init: there it is 10 s.
const startLimit = 30 * time.Second

// start makes the process; observe is called at each announcement, before it
// is answered. extra is added to the environment.
func start(ctx context.Context, p program, observe func(pr *process, at time.Time), extra ...string) (*process, error) {
	api, err := newRuntimeAPI()
	if err != nil {
		return nil, err
	}
	in, err := newStandIn()
	if err != nil {
		api.Close()
		return nil, err
	}
	pr := &process{program: p, api: api, in: in, log: &tail{}, exited: make(chan struct{}), first: true}
	in.onEvents = func(at time.Time) { observe(pr, at) }
	pr.cmd = exec.CommandContext(ctx, p.Path, p.Args...)
	pr.cmd.Dir = p.Dir
	pr.cmd.Env = append(append(environment(p, api.addr, in.url), p.Env...), extra...)
	pr.cmd.Stdout, pr.cmd.Stderr = pr.log, pr.log
	pr.started = time.Now()
	if err := pr.cmd.Start(); err != nil {
		api.Close()
		in.Close()
		return nil, err
	}
	go func() {
		defer close(pr.exited)
		// The error is of no interest, because the bench kills the process.
		_ = pr.cmd.Wait()
	}()
	return pr, nil
}

// environment is the whole of what a program sees: what Lambda sets (AWS Lambda
// developer guide, "Defined runtime environment variables"), its settings, and
// the stand-ins. AWS_CA_BUNDLE and the like are not among it.
func environment(p program, api, standIn string) []string {
	return []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=en_US.UTF-8", "TZ=:UTC", "HOME=" + p.Dir,
		"AWS_LAMBDA_RUNTIME_API=" + api, "AWS_LAMBDA_FUNCTION_NAME=bench", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256", "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/bench",
		"AWS_LAMBDA_LOG_STREAM_NAME=2026/11/22/[$LATEST]bench", "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"LAMBDA_TASK_ROOT=" + p.Dir, "LAMBDA_RUNTIME_DIR=" + p.Dir, "_HANDLER=handler.lambda_handler",
		"AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region,
		"AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=key-xSECRETx", "AWS_SESSION_TOKEN=session-xSECRETx",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_ENDPOINT_URL=" + standIn,
		"AMPERITY_TENANT=" + tenant, "AMPERITY_BASE_URL=" + standIn + apiPrefix, "AMPERITY_SECRET_ID=" + secretID,
		"EVENT_BUS_NAME=" + eventBus,
	}
}

// Ready waits until the function asks for its first invocation and tells how
// long after the start that was.
func (pr *process) Ready(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	select {
	case at := <-pr.api.ready:
		return at.Sub(pr.started), nil
	case err := <-pr.api.broken:
		return 0, pr.failure(err)
	case <-pr.exited:
		return 0, pr.failure(errors.New("the process ended before it asked for an invocation"))
	case <-ctx.Done():
		return 0, pr.failure(ctx.Err())
	}
}

// Invoke has one event handled and checks that the function did its whole job.
// It returns the calls that the function made.
func (pr *process) Invoke(ctx context.Context) (answer, []call, error) {
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	ans, err := pr.api.Invoke(ctx, pr.program.Payload(time.Now()))
	calls, wrong := pr.in.Take()
	if err = errors.Join(wrong, err); err != nil {
		return ans, calls, pr.failure(err)
	}
	if want := pr.program.calls(pr.first); !sameKinds(calls, want) {
		kinds := each(calls, func(c call) string { return string(c.Kind) })
		return ans, calls, pr.failure(fmt.Errorf("an invocation made the requests %q, not %q", kinds, want))
	}
	pr.first = false
	return ans, calls, nil
}

// calls lists the requests that an invocation of p has to make.
func (p program) calls(first bool) []callKind {
	var want []callKind
	if p.Ledger {
		want = append(want, putItem, getItem, transact)
	}
	if p.Secret && (first || !p.SecretOnce) {
		want = append(want, readSecret)
	}
	if !p.Announces {
		return want
	}
	want = append(want, startRun)
	if p.Ledger {
		want = append(want, getItem, transact)
	}
	want = append(want, putEvents)
	if p.Ledger {
		want = append(want, putItem)
	}
	if p.Ledger && p.SecretOnce && first {
		want = append(want, getItem, putItem) // the control run
	}
	return want
}

func sameKinds(calls []call, want []callKind) bool {
	if len(calls) != len(want) {
		return false
	}
	for i, c := range calls {
		if c.Kind != want[i] {
			return false
		}
	}
	return true
}

// Stop ends the process and tells the processor time that it used.
func (pr *process) Stop() time.Duration {
	pr.cmd.Process.Kill()
	<-pr.exited
	pr.api.Close()
	pr.in.Close()
	return pr.cmd.ProcessState.UserTime() + pr.cmd.ProcessState.SystemTime()
}

// failure adds to err which program it was and what that wrote last.
func (pr *process) failure(err error) error {
	return fmt.Errorf("%s did not work: %w\nits output ends with:\n%s", pr.program.Name, err,
		strings.ReplaceAll(pr.log.String(), bearer, "[redacted]"))
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
