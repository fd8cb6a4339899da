package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
)

const readmeFile = "bench/README.md"

// replaceFigures returns the README with other figures in the block below its
// heading "Last figures".
func replaceFigures(readme, figures []byte) ([]byte, error) {
	const fence = "\n```\n"
	before, rest, found := bytes.Cut(readme, []byte("\n## Last figures\n"))
	between, rest, opens := bytes.Cut(rest, []byte(fence))
	_, after, closes := bytes.Cut(rest, []byte(fence))
	if !found || !opens || !closes {
		return nil, errors.New("the README has no block of figures below a heading \"Last figures\"")
	}
	return bytes.Join([][]byte{before, []byte("\n## Last figures\n"), between, []byte(fence),
		bytes.TrimSpace(figures), []byte(fence), after}, nil), nil
}

// updateReadme writes the figures into the README.
func updateReadme(figures []byte) error {
	readme, err := os.ReadFile(readmeFile)
	if err != nil {
		return err
	}
	if readme, err = replaceFigures(readme, figures); err != nil {
		return err
	}
	return os.WriteFile(readmeFile, readme, 0o644)
}

// machine describes where the figures come from.
func machine() string {
	model := runtime.GOARCH
	// Linux on arm64 names no model.
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%d x %s, Linux %s, %s", runtime.NumCPU(), model, strings.TrimSpace(string(kernel)), runtime.Version())
}
