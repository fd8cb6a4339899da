//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// start has a command started by launch as a member of the group, from its first
// instruction on. The kernel may take 10 ms to move a thread into a group of
// version 1, so launch is called after that.
func (g *cgroup) start(cmd *exec.Cmd, launch func() error) error {
	if g.v2 {
		dir, err := os.Open(g.dirs()[0])
		if err != nil {
			return err
		}
		defer dir.Close()
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
		return launch()
	}
	result := make(chan error)
	go func() {
		// A child belongs to the groups of the thread that makes it. This
		// thread ends with the goroutine, because it stays locked.
		runtime.LockOSThread()
		for _, dir := range g.dirs() {
			if err := os.WriteFile(filepath.Join(dir, "tasks"), []byte(strconv.Itoa(unix.Gettid())), 0o644); err != nil {
				result <- err
				return
			}
		}
		result <- launch()
	}()
	return <-result
}

// processorTime returns what a process has used until now, to the nanosecond.
func processorTime(pid int) (time.Duration, error) {
	// The clock of another process: clock_getcpuclockid(3).
	const scheduled = 2
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &used); err != nil {
		return 0, fmt.Errorf("the processor time of process %d: %w", pid, err)
	}
	return time.Duration(used.Nano()), nil
}

// sleepUntil sleeps more exactly than the timers of Go's runtime, which may be
// late by a millisecond.
func sleepUntil(t time.Time) {
	for left := time.Until(t); left > 0; left = time.Until(t) {
		request := unix.NsecToTimespec(int64(left))
		if err := unix.Nanosleep(&request, nil); err != nil && !errors.Is(err, unix.EINTR) {
			panic(err) // only wrong arguments fail: nanosleep(2)
		}
	}
}

// separate makes a command start in a network and a mount namespace of its own.
func separate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS}
}

// furnish makes this process's namespaces those of a function on Amazon Linux
// 2023: the loopback interface, and an /etc that is filled in a folder first.
func furnish(scratch string, bundle, root []byte) error {
	if err := raiseLoopback(); err != nil {
		return fmt.Errorf("the loopback interface: %w", err)
	}
	etc := filepath.Join(scratch, "etc")
	if err := writeEtc(etc, bundle, root); err != nil {
		return err
	}
	if err := unix.Mount(etc, "/etc", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("the mount of /etc: %w", err)
	}
	return nil
}

func raiseLoopback() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request)
}
