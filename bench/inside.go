package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// insideVariable is set in the process that runs in namespaces of its own. It
// names the scratch folder.
const insideVariable = "BENCH_INSIDE"

// outside prepares the programs, and has this program measure them in
// namespaces of its own. Where that is not possible, it measures what needs
// none.
func outside(ctx context.Context, o options, args []string, stdout, stderr io.Writer) error {
	scratch, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if err := prepare(scratch, o.trees); err != nil {
		return err
	}
	if o.inAccount() {
		err := inside(ctx, args, scratch, stdout, stderr)
		var impossible *impossibleError
		if !errors.As(err, &impossible) {
			return err
		}
		if o.update || !o.parts["loopback"] && !o.parts["routing"] {
			return fmt.Errorf("cannot measure as in an account: %w; run it as root, where namespaces and control groups are allowed", impossible)
		}
		fmt.Fprintf(stderr, "bench: cannot measure as in an account: %v; the parts trigger, s3arrival and sweep are left out, run it as root for them\n", impossible)
	}
	return measureAll(ctx, o, scratch, false, stdout)
}

// impossibleError reports that this process may not make namespaces or control
// groups.
type impossibleError struct{ Err error }

func (e *impossibleError) Error() string { return e.Err.Error() }

// inside runs this program in namespaces of its own.
func inside(ctx context.Context, args []string, scratch string, stdout, stderr io.Writer) error {
	if os.Geteuid() != 0 {
		return &impossibleError{errors.New("not root")}
	}
	probe, err := newCgroup(cgroupRoot, fmt.Sprintf("bench-%d", os.Getpid()))
	if err != nil {
		return &impossibleError{err}
	}
	if err := probe.remove(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), insideVariable+"="+scratch)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	// It must end its frozen processes, which nothing else would do.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	separate(cmd)
	if err := cmd.Start(); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return &impossibleError{err}
		}
		return err
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("the measurement failed: %w", err)
	}
	return nil
}

// furnishAccount makes the namespaces of this process look like those of a
// function, which trusts an authority.
func furnishAccount(scratch string, a *authority) error {
	bundle, err := readBundle()
	if err != nil {
		return err
	}
	return furnish(scratch, bundle, a.rootPEM())
}
