package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/clock"
)

// program is a program on one of its paths.
type program struct {
	// Name is the path's name in the figures.
	Name string
	// Tree names the built functions that it is of, if there are several.
	Tree string
	Path string
	Args []string
	// Env are the variables that it needs besides those of Lambda and the
	// world.
	Env []string
	// Dir is its folder, as in LAMBDA_TASK_ROOT.
	Dir string
	// Payload makes an invocation's event; now is when it is made.
	Payload func(now time.Time) []byte
	// Runs is how many runs an invocation starts.
	Runs int
	// Unsigned: it does not sign its requests to AWS.
	Unsigned bool
	// Ledger is what the ledger's table has at first.
	Ledger table
}

// label is the program's name in the tables.
func (p program) label() string {
	if p.Tree == "" {
		return p.Name
	}
	return p.Name + "@" + p.Tree
}

// tree is a folder with the built functions. Without a name it is the only one.
type tree struct{ Name, Dir string }

// functions are the names of the built functions.
var functions = []string{"trigger", "s3arrival", "sweep"}

// bootstrap is the file of one built function.
func (t tree) bootstrap(function string) string {
	return filepath.Join(t.Dir, function, "bootstrap")
}

// The files of the scratch folder.
const (
	rootFile      = "root.pem"
	routesOne     = "routes-one.yaml"
	routesNow     = "routes-now.yaml"
	routesTwenty  = "routes-twenty.yaml"
	pythonDir     = "python"
	pythonHandler = "bench/python/handler.py"
)

// dueRoutes is how many windows the sweep finds due.
const dueRoutes = 20

// prepare writes what the programs need into the scratch folder. Ours and the
// functions have been built before.
func prepare(scratch string, trees []tree) error {
	links := map[string]string{}
	var needed []string
	for _, name := range []string{"hello", "floor"} {
		path, err := filepath.Abs(filepath.Join("build", "bench", name))
		if err != nil {
			return err
		}
		links[name] = path
		needed = append(needed, path)
	}
	for _, t := range trees {
		for _, function := range functions {
			needed = append(needed, t.bootstrap(function))
		}
	}
	for _, path := range needed {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("%w; \"make bench\" builds what it measures", err)
		}
	}
	handler, err := os.ReadFile(pythonHandler)
	if err != nil {
		return err
	}
	files := routesFiles()
	// Python writes its compiled form beside this copy.
	files[pythonDir+"/handler.py"] = handler
	return writeTree(scratch, files, links)
}

func routesFiles() map[string][]byte {
	return map[string][]byte{
		routesOne:    routesFile(1, "2m"),
		routesNow:    routesFile(1, "0s"),
		routesTwenty: routesFile(dueRoutes, "1s"),
	}
}

func hello(scratch string) program {
	return program{Name: "hello", Path: filepath.Join(scratch, "hello"), Dir: scratch, Payload: empty}
}

func python(scratch, interpreter string) program {
	return program{
		Name: "python", Path: interpreter, Args: []string{"-m", "awslambdaric", "handler.lambda_handler"},
		Env: []string{"AWS_CA_BUNDLE=" + bundleFile, "REQUESTS_CA_BUNDLE=" + bundleFile},
		Dir: filepath.Join(scratch, pythonDir), Payload: dated, Runs: 1,
	}
}

// floor is the program that makes the fewest round trips of a path.
func floor(scratch, path string, runs int) program {
	return program{
		Name: "floor of " + path, Path: filepath.Join(scratch, "floor"), Dir: scratch, Payload: empty, Runs: runs, Unsigned: true,
		Env: []string{"FLOOR=" + path, "FLOOR_ROOT=" + filepath.Join(scratch, rootFile)},
	}
}

func trigger(scratch string, t tree) program {
	return program{Name: "trigger", Tree: t.Name, Path: t.bootstrap("trigger"), Dir: scratch, Payload: scheduled, Runs: 1}
}

// s3arrival takes in batches of files of one window.
func s3arrival(scratch string, t tree, name string, payload func(time.Time) []byte) program {
	return program{
		Name: name, Tree: t.Name, Path: t.bootstrap("s3arrival"), Dir: scratch, Payload: payload,
		Env: []string{"ROUTES_FILE=" + filepath.Join(scratch, routesOne)},
	}
}

// arrivalNow takes in one file, and starts its run in the same invocation.
func arrivalNow(scratch string, t tree) program {
	p := s3arrival(scratch, t, "s3arrival, settle 0s", func(now time.Time) []byte { return sqsBatch(now, 1, 1, 0) })
	p.Runs, p.Env = 1, []string{"ROUTES_FILE=" + filepath.Join(scratch, routesNow)}
	return p
}

func tenFiles(now time.Time) []byte { return sqsBatch(now, 10, 1, 0) }

// thousandMessages is a batch of 3 MB.
func thousandMessages(now time.Time) []byte { return sqsBatch(now, 1000, 1, 3000) }

func sweep(scratch string, t tree) program {
	return program{
		Name: "sweep", Tree: t.Name, Path: t.bootstrap("sweep"), Dir: scratch, Payload: empty,
		Env: []string{"ROUTES_FILE=" + filepath.Join(scratch, routesTwenty)},
	}
}

// sweepDue is a sweep that finds windows due: those in the ledger.
func sweepDue(scratch string, t tree, due table) program {
	p := sweep(scratch, t)
	p.Name, p.Runs, p.Ledger = "sweep, 20 due", dueRoutes, due
	return p
}

// makeDue has s3arrival take in one file for each of the windows, and waits
// until they are due.
func makeDue(ctx context.Context, e environment, scratch string, t tree) (table, error) {
	p := s3arrival(scratch, t, "s3arrival", func(now time.Time) []byte { return sqsBatch(now, dueRoutes, dueRoutes, 0) })
	p.Env = []string{"ROUTES_FILE=" + filepath.Join(scratch, routesTwenty)}
	if _, err := e.live(ctx, p, place{}, plan{}); err != nil {
		return table{}, err
	}
	due := e.world.ledger()
	return due, (clock.System{}).Sleep(ctx, 2500*time.Millisecond)
}

func empty(time.Time) []byte { return []byte("{}") }

// scheduled is what the template's schedule sends to trigger: a courier group,
// and a range relative to the scheduled time in a time zone. Each event has a
// schedule of its own, because the ledger would recognize a repeat.
func scheduled(now time.Time) []byte {
	return mustJSON(map[string]any{
		"config_id":      configID,
		"range":          map[string]string{"from": "-1d", "to": "0d", "timezone": "America/New_York"},
		"scheduled_time": now.UTC().Format(time.RFC3339),
		"schedule_arn":   "arn:aws:scheduler:" + region + ":123456789012:schedule/default/daily-" + strconv.FormatInt(now.UnixNano(), 36),
	})
}

// dated is the same with absolute dates, since the Python handler knows no
// relative ranges.
func dated(time.Time) []byte {
	return mustJSON(map[string]string{"config_id": configID, "range_from": "2026-11-21", "range_to": "2026-11-22"})
}
