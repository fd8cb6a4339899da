package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Emulator is a built function under Lambda's Runtime Interface Emulator. It
// takes one invocation at a time, and is cold at the first.
type Emulator struct {
	url     string
	process *process
}

// maxAnswer bounds an answer: Lambda's own limit is 6 MB (AWS Lambda quotas).
const maxAnswer = 6 << 20

// FunctionError is what a function answered instead of a result.
type FunctionError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

// Error returns "TYPE: MESSAGE".
func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// Emulate runs root/build/NAME/bootstrap, or the function's own Build in place
// of root/build, with the settings of events/env.json, its addresses replaced
// by those of the world, and with what is in change instead of that. The
// function's log is copied to log, unless that is nil.
func (w *World) Emulate(ctx context.Context, root string, f Function, change map[string]string, log io.Writer) (*Emulator, error) {
	rie, err := w.tools.emulator(runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	settings, err := LocalSettings(root, f)
	if err != nil {
		return nil, err
	}
	build := f.Build
	if build == "" {
		build = filepath.Join(root, "build")
	}
	bootstrap, err := filepath.Abs(filepath.Join(build, f.Name, "bootstrap"))
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(bootstrap); err != nil {
		return nil, fmt.Errorf("%s is not built, run make build: %w", f.Name, err)
	}
	settings["AMPERITY_BASE_URL"] = w.Simulator.URL()
	settings["AWS_ENDPOINT_URL"] = w.URL
	// What Lambda itself sets, as far as the emulator does not.
	settings["AWS_REGION"] = Region
	settings["AWS_ACCESS_KEY_ID"] = accessKey
	settings["AWS_SECRET_ACCESS_KEY"] = accessKey
	settings["AWS_LAMBDA_FUNCTION_NAME"] = f.Name
	settings["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = strconv.Itoa(Memory)
	settings["AWS_LAMBDA_FUNCTION_TIMEOUT"] = strconv.Itoa(int(f.Timeout.Seconds()))
	for k, v := range change {
		settings[k] = v
	}

	// Another process may take an address before the emulator listens on it.
	for n := 1; ; n++ {
		e, err := emulate(ctx, f, rie, bootstrap, settings, log)
		if err == nil || n == 5 || !strings.Contains(err.Error(), "address already in use") {
			return e, err
		}
	}
}

// emulate starts the emulator on two free addresses.
func emulate(ctx context.Context, f Function, rie, bootstrap string, settings map[string]string, log io.Writer) (*Emulator, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	api, err := freeAddress()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(rie, "--log-level", "error", "--runtime-interface-emulator-address", addr, "--runtime-api-address", api, bootstrap)
	cmd.Dir = filepath.Dir(bootstrap)
	for k, v := range settings {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	slices.Sort(cmd.Env)
	p, err := start(ctx, "the emulator of "+f.Name, cmd, log, func(ctx context.Context) bool { return listens(ctx, addr) })
	if err != nil {
		return nil, err
	}
	return &Emulator{url: "http://" + addr + "/2015-03-31/functions/function/invocations", process: p}, nil
}

// Invoke hands the function an event and returns its answer. The error is a
// [*FunctionError] where the function returned an error.
func (e *Emulator) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(event))
	if err != nil {
		return nil, err
	}
	res, err := plain().Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the emulator answers %s: %s", res.Status, answer)
	}
	// The emulator answers 200 also where the function failed.
	failed := &FunctionError{}
	if json.Unmarshal(answer, failed) == nil && failed.Type != "" {
		return nil, failed
	}
	return answer, nil
}

// Log is what the function and the emulator have written.
func (e *Emulator) Log() string { return e.process.output.String() }

// Close ends the emulator and the function.
func (e *Emulator) Close() { e.process.stop() }

// Kill ends the function at once, by SIGKILL, as Lambda does at the time limit
// and as kill -9 does; then the emulator. What the function has sent is under
// way all the same. It works on Linux, as the emulator does.
func (e *Emulator) Kill() {
	for _, pid := range e.Processes() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = e.process.cmd.Process.Kill() // fails only where it has ended already
	<-e.process.done
}

// Processes returns the function's own processes. There is one once the
// function was invoked (Linux only).
func (e *Emulator) Processes() []int {
	var pids []int
	// Each thread of the emulator has a list of those that it forked.
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", e.process.cmd.Process.Pid))
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended
		}
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
