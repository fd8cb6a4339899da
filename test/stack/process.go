package stack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	// startTime is how long a program may take until it answers: Python on a
	// busy machine is slow.
	startTime = 60 * time.Second
	// stopTime is how long it may take to end.
	stopTime = 5 * time.Second
	// kept bounds what is kept of a program's output.
	kept = 1 << 20
)

// process is a program that serves until it is stopped.
type process struct {
	name   string
	cmd    *exec.Cmd
	output *output
	done   chan struct{}
	err    error // why it ended, once done is closed
}

// output keeps the end of what a program writes, and copies it.
type output struct {
	mu   sync.Mutex
	kept bytes.Buffer
	copy io.Writer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept.Write(p)
	if over := o.kept.Len() - kept; over > 0 {
		o.kept.Next(over)
	}
	if o.copy != nil {
		return o.copy.Write(p)
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.kept.String()
}

// start runs a program with nothing but the given environment, and returns
// once ready says so. What it writes is copied to log, unless that is nil.
func start(ctx context.Context, name string, cmd *exec.Cmd, log io.Writer, ready func(context.Context) bool) (*process, error) {
	p := &process{name: name, cmd: cmd, output: &output{copy: log}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = p.output, p.output, stopTime
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s does not start: %w", name, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ready(ctx) {
		select {
		case <-p.done:
			return nil, fmt.Errorf("%s ended at once: %w; it wrote:\n%s", name, p.err, p.output)
		case <-ctx.Done():
			p.stop()
			return nil, fmt.Errorf("%s does not answer: %w; it wrote:\n%s", name, ctx.Err(), p.output)
		case <-tick.C:
		}
	}
	return p, nil
}

// stop ends the program and waits for it.
func (p *process) stop() {
	// Both fail only where it has ended already.
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return
	case <-time.After(stopTime):
	}
	_ = p.cmd.Process.Kill()
	<-p.done
}

// freeAddress returns an address of this machine that nothing listens on, at the
// moment.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// answers reports whether an HTTP server answers at url, no matter what.
func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := plain().Do(req)
	if err != nil {
		return false
	}
	res.Body.Close()
	return true
}

// listens reports whether something listens at an address.
func listens(ctx context.Context, addr string) bool {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// plain is a client that asks no proxy and keeps no connection.
func plain() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}
