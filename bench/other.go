//go:build !linux

package main

import (
	"errors"
	"os/exec"
	"time"
)

// The bench measures on Linux only. Elsewhere it compiles, for go vet.

var errNotLinux = errors.New("the bench needs Linux")

func (g *cgroup) start(*exec.Cmd, func() error) error { return errNotLinux }

func processorTime(int) (time.Duration, error) { return 0, errNotLinux }

func sleepUntil(t time.Time) { time.Sleep(time.Until(t)) }

func separate(*exec.Cmd) {}

func furnish(string, []byte, []byte) error { return errNotLinux }
