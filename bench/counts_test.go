package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// builtDir has the functions once built is called. TestMain removes it.
var builtDir string

// built builds the functions as the Makefile does, once for all tests.
var built = sync.OnceValues(func() (t tree, err error) {
	if builtDir, err = os.MkdirTemp("", "counts"); err != nil {
		return t, err
	}
	t.Dir = builtDir
	// The results of go test are cached. Opening the folders makes them inputs
	// of this test, which the command's own children do not.
	for _, source := range []string{"../functions", "../internal", "../pkg"} {
		if err := filepath.WalkDir(source, func(string, fs.DirEntry, error) error { return nil }); err != nil {
			return t, err
		}
	}
	for _, function := range functions {
		cmd := exec.Command("go", "build", "-trimpath", "-tags", "lambda.norpc,nethttpomithttp2", "-o", t.bootstrap(function), "../functions/"+function)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			return t, fmt.Errorf("%w\n%s", err, text)
		}
	}
	return t, nil
})

// builtOverTLS returns the built functions, and who certifies their servers.
func builtOverTLS(t *testing.T) (tree, *authority) {
	t.Helper()
	ours, err := built()
	if err != nil {
		t.Fatal(err)
	}
	a, err := newAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return ours, a
}

// scratchOf returns a folder with the routes that the programs need.
func scratchOf(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := writeTree(dir, routesFiles(), nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestRoundTripsOfEachPath fails if a change adds a request, a connection or a
// write of a ledger item to a path. Each line is one round trip: requests that
// are sent concurrently share a line.
func TestRoundTripsOfEachPath(t *testing.T) {
	t.Parallel()
	// At this distance concurrent requests overlap on a busy machine too. Init
	// does not wait for connections for longer than a second.
	const distance = 150 * time.Millisecond
	ours, a := builtOverTLS(t)
	for _, tt := range []struct {
		name    string
		program func(scratch string) program
		// want has the invocations of one process: the cold one, and perhaps a
		// warm one.
		want []string
	}{
		{"trigger", func(scratch string) program { return trigger(scratch, ours) }, []string{`
cold
  dynamodb GetItem control | secretsmanager GetSecretValue
  dynamodb GetItem config
  dynamodb TransactWriteItems launch config
  amperity POST /workflow/runs
  dynamodb TransactWriteItems launch config run
  events PutEvents
  dynamodb PutItem launch
  dynamodb PutItem control
  new connections: amperity 1, dynamodb 1, events 1, secretsmanager 1
  ledger writes: 7
`, `
warm
  dynamodb GetItem config
  dynamodb TransactWriteItems launch config
  amperity POST /workflow/runs
  dynamodb TransactWriteItems launch config run
  events PutEvents
  dynamodb PutItem launch
  new connections: amperity 1
  ledger writes: 6
`}},
		{"s3arrival, 10 files of one window", func(scratch string) program { return s3arrival(scratch, ours, "s3arrival", tenFiles) }, []string{`
cold
  dynamodb GetItem window
  dynamodb PutItem window
  new connections: dynamodb 1
  ledger writes: 1
`, `
warm
  dynamodb GetItem window
  dynamodb PutItem window
  new connections: none
  ledger writes: 1
`}},
		{"s3arrival, settle 0s", func(scratch string) program { return arrivalNow(scratch, ours) }, []string{`
cold
  dynamodb GetItem window
  dynamodb GetItem config
  dynamodb TransactWriteItems window config launch
  dynamodb TransactWriteItems launch config
  secretsmanager GetSecretValue
  amperity POST /workflow/runs
  dynamodb TransactWriteItems launch config run
  dynamodb GetItem window
  dynamodb PutItem window
  events PutEvents
  dynamodb PutItem launch
  dynamodb GetItem control
  dynamodb PutItem control
  new connections: amperity 1, dynamodb 1, events 1, secretsmanager 1
  ledger writes: 11
`}},
		{"sweep, nothing due", func(scratch string) program { return sweep(scratch, ours) }, []string{`
cold
  dynamodb Query
  new connections: dynamodb 1
  ledger writes: 0
`, `
warm
  dynamodb Query
  new connections: none
  ledger writes: 0
`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := testEnvironment(t, distances{AWS: distance, Amperity: distance}, a)
			samples, err := e.live(t.Context(), tt.program(scratchOf(t)), place{Amperity: distance}, plan{Warm: len(tt.want) - 1})
			if err != nil {
				t.Fatal(err)
			}
			lines := func(texts []string) []string { return strings.Split(strings.Join(texts, ""), "\n") }
			if diff := cmp.Diff(lines(tt.want), lines(each(samples, roundTrips))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestSweepOfDueWindowsMakesTheseRequests counts the requests by their kinds:
// a sweep works on several items concurrently, in no fixed order.
func TestSweepOfDueWindowsMakesTheseRequests(t *testing.T) {
	t.Parallel()
	ours, err := built()
	if err != nil {
		t.Fatal(err)
	}
	e, scratch := testEnvironment(t, distances{}, nil), scratchOf(t)
	due, err := makeDue(t.Context(), e, scratch, ours)
	if err != nil {
		t.Fatal(err)
	}
	samples, err := e.live(t.Context(), sweepDue(scratch, ours, due), place{}, plan{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, c := range samples[0].Calls {
		if c.Operation != connected {
			got[c.String()]++
		}
	}
	want := map[string]int{
		"amperity POST /workflow/runs":                     20,
		"dynamodb GetItem config":                          20,
		"dynamodb GetItem control":                         1,
		"dynamodb GetItem window":                          40,
		"dynamodb PutItem control":                         1,
		"dynamodb PutItem launch":                          20,
		"dynamodb PutItem window":                          20,
		"dynamodb Query":                                   1,
		"dynamodb TransactWriteItems launch config":        20,
		"dynamodb TransactWriteItems launch config run":    20,
		"dynamodb TransactWriteItems window config launch": 20,
		"events PutEvents":                                 20,
		"secretsmanager GetSecretValue":                    1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// roundTrips describes the calls of an invocation.
func roundTrips(s sample) string {
	connections, writes := map[string]int{}, 0
	var requests []call
	for _, c := range s.Calls {
		if c.Operation == connected {
			connections[c.Service]++
			continue
		}
		requests = append(requests, c)
		if c.Operation == "PutItem" || c.Operation == "TransactWriteItems" {
			writes += len(c.Keys)
		}
	}
	var opened []string
	for _, name := range slices.Sorted(maps.Keys(connections)) {
		opened = append(opened, fmt.Sprintf("%s %d", name, connections[name]))
	}
	if opened == nil {
		opened = []string{"none"}
	}
	text := fmt.Sprintf("\n%s\n", s.Kind)
	for _, step := range steps(requests) {
		text += "  " + strings.Join(slices.Sorted(slices.Values(each(step, call.String))), " | ") + "\n"
	}
	return text + fmt.Sprintf("  new connections: %s\n  ledger writes: %d\n", strings.Join(opened, ", "), writes)
}
