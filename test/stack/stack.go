// Package stack puts the built functions to work on this machine, without an
// AWS account and without Docker: under Lambda's own Runtime Interface
// Emulator, against moto in the place of AWS and [amperitytest] in the place
// of Amperity. The end-to-end tests use it, and "make invoke" and "make local".
//
// Get [Tools] from the environment that the Makefile sets, make a [World], and
// let [World.Emulate] run a function in it. It imitates what the template
// builds around the functions only as far as they can tell: a secret, a
// ledger's table, an event bus, a queue behind a rule that shows what was
// published. Permissions, retries, dead-letter queues and the schedule of the
// sweep are not there.
package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// EnvTools is the environment variable with the folder of the virtual
// environment that has the programs of test/requirements.txt.
const EnvTools = "AMPERITY_RUNS_E2E"

// ErrNoTools says that no target of the Makefile has set [EnvTools].
var ErrNoTools = errors.New(EnvTools + " is not set: run make test, make invoke or make local, which set it")

// Tools are the programs of the virtual environment.
type Tools struct {
	venv string
}

// FromEnvironment finds the tools through getenv (os.Getenv). The error is
// [ErrNoTools].
func FromEnvironment(getenv func(string) string) (Tools, error) {
	venv := getenv(EnvTools)
	if venv == "" {
		return Tools{}, ErrNoTools
	}
	return Tools{venv: venv}, nil
}

// Program returns the path of a Python program, for example "sam".
func (t Tools) Program(name string) string { return filepath.Join(t.venv, "bin", name) }

// Architecture returns this machine's processor in the words of the template's
// parameter; empty for one that Lambda does not have.
func Architecture() string { return architecture(runtime.GOARCH) }

func architecture(goarch string) string {
	return map[string]string{"amd64": "x86_64", "arm64": "arm64"}[goarch]
}

// emulator finds the Runtime Interface Emulator for a machine.
func (t Tools) emulator(goos, goarch string) (string, error) {
	arch := architecture(goarch)
	if goos != "linux" || arch == "" {
		return "", fmt.Errorf("the emulator of Lambda runs on Linux, on x86_64 and arm64, not on %s/%s: use sam local there", goos, goarch)
	}
	pattern := filepath.Join(t.venv, "lib", "python*", "site-packages", "samcli", "local", "rapid", "aws-lambda-rie-"+arch)
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("no emulator of Lambda is at %s: remove the virtual environment, so that make test makes it anew", pattern)
	}
	return found[0], nil
}

// Function is one of the functions of the template.
type Function struct {
	// Name is its folder in functions/ and build/, and the beginning, up to a
	// hyphen, of the names of its samples in events/.
	Name string
	// LogicalID is its name in template.yaml and events/env.json.
	LogicalID string
	// Timeout is its time limit in the template.
	Timeout time.Duration
	// Build is the folder with the built functions; empty: the project's build/.
	Build string
}

// Memory is the memory of each function in the template, in MB.
const Memory = 256

// Functions returns the functions of the template.
func Functions() []Function {
	return []Function{
		{Name: "trigger", LogicalID: "TriggerFunction", Timeout: 30 * time.Second},
		{Name: "s3arrival", LogicalID: "S3ArrivalFunction", Timeout: 60 * time.Second},
		{Name: "sweep", LogicalID: "SweepFunction", Timeout: 55 * time.Second},
	}
}

// FunctionOf returns the function that a sample of events/ is for, by its file's
// name.
func FunctionOf(sample string) (Function, error) {
	base := filepath.Base(sample)
	name, _, _ := strings.Cut(strings.TrimSuffix(base, ".json"), "-")
	var names []string
	for _, f := range Functions() {
		if name == f.Name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Function{}, fmt.Errorf("%q is a sample of no function: its name begins with none of %s; give your own file such a name, as %s-%s", base, strings.Join(names, ", "), names[0], base)
}

// LocalSettings reads a function's environment from events/env.json, the file
// for "sam local --env-vars". The root is the project's folder.
func LocalSettings(root string, f Function) (map[string]string, error) {
	name := filepath.Join(root, "events", "env.json")
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var all map[string]map[string]string
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if all[f.LogicalID] == nil {
		return nil, fmt.Errorf("%s has no settings of %s", name, f.LogicalID)
	}
	return all[f.LogicalID], nil
}
