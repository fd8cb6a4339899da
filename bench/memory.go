package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// memory is what a process occupies, in bytes.
type memory struct {
	// Peak is the most that was resident since exec (VmHWM), Resident what
	// is now (VmRSS); File is the part of Resident that is mapped from
	// files, mostly the program itself (RssFile).
	Peak, Resident, File int64
}

// readMemory reads the memory of a running process from /proc.
func readMemory(pid int) (memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return memory{}, err
	}
	return parseMemory(string(text))
}

// parseMemory reads /proc/PID/status (proc_pid_status(5)), which says kB and
// means 1024 bytes.
func parseMemory(status string) (memory, error) {
	var m memory
	fields := map[string]*int64{"VmHWM": &m.Peak, "VmRSS": &m.Resident, "RssFile": &m.File}
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		into, ok := fields[name]
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return memory{}, fmt.Errorf("/proc/PID/status: %s is not a number of kB: %w", name, err)
		}
		*into = n * 1024
		delete(fields, name)
	}
	if len(fields) > 0 {
		return memory{}, fmt.Errorf("/proc/PID/status lacks VmHWM, VmRSS or RssFile: the process has ended, or this is not Linux")
	}
	return m, nil
}
