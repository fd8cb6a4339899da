package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cgroup is the control group of one function process: its share of a
// processor, and whether it is frozen. Version 1 has a folder for each
// controller, version 2 (cgroups(7)) a single one.
type cgroup struct {
	root, name string
	v2         bool
}

const (
	cgroupRoot = "/sys/fs/cgroup"
	// period is Lambda's, in microseconds: a function that has used its share
	// waits for the next period.
	period = 20_000
	// wholeProcessor is the memory in MB with which a function has one vCPU (AWS
	// Lambda developer guide, "Configure Lambda function memory").
	wholeProcessor = 1769
)

// newCgroup makes a group under the root of the hierarchies, in the version
// that is mounted there.
func newCgroup(root, name string) (*cgroup, error) {
	g := &cgroup{root: root, name: name}
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil {
		g.v2 = true
		if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+cpu"), 0o644); err != nil {
			return nil, err
		}
	}
	for _, dir := range g.dirs() {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, errors.Join(err, g.remove())
		}
	}
	if err := g.prefer(); err != nil {
		return nil, errors.Join(err, g.remove())
	}
	return g, nil
}

// prefer gives the group the largest weight, so that whatever else the machine
// does takes little time from it.
func (g *cgroup) prefer() error {
	if g.v2 {
		return g.write("cpu.weight", "10000")
	}
	return g.write("cpu.shares", "262144")
}

// dirs are the folders of the group: that of the processor first.
func (g *cgroup) dirs() []string {
	if g.v2 {
		return []string{filepath.Join(g.root, g.name)}
	}
	return []string{filepath.Join(g.root, "cpu", g.name), filepath.Join(g.root, "freezer", g.name)}
}

// limit gives the group the processor share of a memory size in MB.
func (g *cgroup) limit(memory int) error {
	quota := memory * period / wholeProcessor
	if g.v2 {
		return g.write("cpu.max", fmt.Sprintf("%d %d", quota, period))
	}
	return errors.Join(g.write("cpu.cfs_period_us", strconv.Itoa(period)), g.write("cpu.cfs_quota_us", strconv.Itoa(quota)))
}

// freeze stops the processes of the group, or lets them continue. It waits
// until they have stopped.
func (g *cgroup) freeze(frozen bool) error {
	file, state, text := "freezer.state", "THAWED", "THAWED"
	if frozen {
		state, text = "FROZEN", "FROZEN"
	}
	report := file
	if g.v2 {
		file, report, state, text = "cgroup.freeze", "cgroup.events", "0", "frozen 0"
		if frozen {
			state, text = "1", "frozen 1"
		}
	}
	if err := g.write(file, state); err != nil {
		return err
	}
	for range 1000 {
		now, err := os.ReadFile(g.path(report))
		if err != nil {
			return err
		}
		if strings.Contains(string(now), text) {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("%s did not become %s", g.path(report), text)
}

// remove removes the group, whose processes have ended. The kernel needs a
// moment to notice that.
func (g *cgroup) remove() error {
	var failed error
	for _, dir := range g.dirs() {
		err := os.Remove(dir)
		for try := 0; err != nil && !errors.Is(err, os.ErrNotExist) && try < 200; try++ {
			time.Sleep(2 * time.Millisecond)
			err = os.Remove(dir)
		}
		if !errors.Is(err, os.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// path returns the path of a file of the group. In version 1 the prefix of its
// name decides the folder.
func (g *cgroup) path(file string) string {
	dirs := g.dirs()
	if strings.HasPrefix(file, "freezer.") {
		return filepath.Join(dirs[1], file)
	}
	return filepath.Join(dirs[0], file)
}

func (g *cgroup) write(file, text string) error {
	return os.WriteFile(g.path(file), []byte(text), 0o644)
}
