package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The verdicts.
const (
	caught   = "caught"
	survived = "survived"
	timedOut = "caught by the timeout"
	broken   = "did not build"
)

// verdict is what the stages said of a mutant.
type verdict struct {
	Verdict string `json:"verdict"`
	// Stage is the one that failed, Test its first failed test.
	Stage string `json:"stage,omitempty"`
	Test  string `json:"test,omitempty"`
	// Output is the end of the failed stage's output.
	Output  string  `json:"output,omitempty"`
	Seconds float64 `json:"seconds"`
}

// judge runs the stages on a mutant, until one of them fails. A nil mutant is
// the source as it is.
type judge struct {
	root   string
	stages []stage
}

// memory is how much a test may take, in KiB of address space: a mutant may
// loop, and take more and more.
const memory = "6000000"

func (j judge) judge(ctx context.Context, m *mutant, pkg string) (verdict, error) {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return verdict{}, err
	}
	defer os.RemoveAll(dir) // a temporary folder
	replace := map[string]string{}
	if m != nil {
		changed := filepath.Join(dir, "mutant.go")
		if err := os.WriteFile(changed, m.text(), 0o600); err != nil {
			return verdict{}, err
		}
		replace[filepath.Join(j.root, filepath.FromSlash(m.File))] = changed
	}
	doc, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return verdict{}, err
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, doc, 0o600); err != nil {
		return verdict{}, err
	}
	v := verdict{Verdict: survived}
	begun := time.Now()
	for _, s := range j.stages {
		if s.Of != "" && s.Of != pkg {
			continue
		}
		out, err := j.run(ctx, s, overlay, pkg)
		if ctx.Err() != nil {
			return verdict{}, ctx.Err()
		}
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) && !errors.Is(err, errKilled) {
			return verdict{}, err
		}
		if err != nil {
			v = read(out)
			if errors.Is(err, errKilled) {
				v.Verdict = timedOut
			}
			v.Stage = s.Name
			break
		}
	}
	v.Seconds = time.Since(begun).Round(100 * time.Millisecond).Seconds()
	return v, nil
}

var errKilled = errors.New("killed after the timeout")

// run runs one stage, and returns go test's output.
func (j judge) run(ctx context.Context, s stage, overlay, pkg string) ([]byte, error) {
	args := []string{"-c", `ulimit -v ` + memory + `; exec "$@"`, "sh",
		"go", "test", "-overlay", overlay, "-vet=off", "-count=1", "-failfast", "-timeout", s.Timeout.String()}
	for _, a := range s.Args {
		if a == "{package}" {
			args = append(args, tested(pkg)...)
			continue
		}
		args = append(args, strings.ReplaceAll(a, "{seed}", firstSeed))
	}
	// The build takes its own time, and a test that never yields does not end
	// by go test's timeout.
	ctx, cancel := context.WithTimeoutCause(ctx, s.Timeout+5*time.Minute, errKilled)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", args...)
	cmd.Dir = j.root
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if errors.Is(context.Cause(ctx), errKilled) {
		return out, errKilled
	}
	return out, err
}

var (
	failed     = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	running    = regexp.MustCompile(`(?m)^\s*running tests:\n\s+(\S+)`)
	notBuilt   = regexp.MustCompile(`(?m)\[(build|setup) failed\]`)
	outOfTime  = regexp.MustCompile(`(?m)^panic: test timed out after`)
	fatalLines = regexp.MustCompile(`(?m)^(panic: .*|fatal error: .*)$`)
)

// read finds in the output of a failed go test what failed.
func read(out []byte) verdict {
	v := verdict{Verdict: caught, Output: tail(out)}
	all := failed.FindAllSubmatch(out, -1)
	switch {
	case notBuilt.Match(out):
		v.Verdict = broken
	case len(all) > 0:
		// A failed subtest stands after its test.
		v.Test = string(all[0][1])
		for _, m := range all[1:] {
			if !bytes.HasPrefix(m[1], []byte(v.Test+"/")) {
				break
			}
			v.Test = string(m[1])
		}
	case outOfTime.Match(out):
		v.Verdict = timedOut
		if m := running.FindSubmatch(out); m != nil {
			v.Test = string(m[1])
		}
	default:
		if m := fatalLines.FindSubmatch(out); m != nil {
			v.Test = string(m[1])
		}
	}
	return v
}

// tail is the end of an output.
func tail(out []byte) string {
	const most = 2000
	text := strings.ToValidUTF8(string(out), "?")
	if len(text) > most {
		text = "…" + text[len(text)-most:]
	}
	return text
}

// baseline runs the stages on the source as it is: a stage that fails anyway
// catches nothing.
func (j judge) baseline(ctx context.Context, folders []string) error {
	for _, pkg := range slices.Sorted(slices.Values(folders)) {
		v, err := j.judge(ctx, nil, pkg)
		if err != nil {
			return err
		}
		if v.Verdict != survived {
			return fmt.Errorf("the stage %s fails without a mutant, for %s: make it pass first\n%s", v.Stage, pkg, v.Output)
		}
	}
	return nil
}
