package main

import (
	"context"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// program is one measured program.
type program struct {
	Name string
	// Go: the program is one of ours, built by the Go compiler.
	Go   bool
	Path string
	Args []string
	// Env has the variables that it needs besides those of Lambda and the
	// stand-ins.
	Env []string
	// Dir is its folder, as in LAMBDA_TASK_ROOT.
	Dir string
	// Payload makes an invocation's event; now is when it is made.
	Payload func(now time.Time) []byte
	// Announces: an invocation starts a run and announces it.
	Announces bool
	// SecretOnce: only the first invocation reads the secret.
	SecretOnce bool
	// Secret: the program reads the secret.
	Secret bool
	// Ledger: it claims, marks, records and confirms each launch.
	Ledger bool
	// Beside is the program whose requests are the same, if there is one: what
	// this one takes beyond them is its own time.
	Beside string
}

// programs are the measured programs. BareLedger is Bare with the requests to a
// ledger. Python.Path is empty if there is no Python to compare with.
type programs struct{ Trigger, Hello, Bare, BareLedger, Python program }

const functionARN = "arn:aws:lambda:" + region + ":123456789012:function:bench"

// prepare builds what trigger is compared with, in the same way as trigger
// itself was built.
func prepare(ctx context.Context, o options, dir string) (programs, error) {
	var ps programs
	how, err := readBuild(o.trigger)
	if err != nil {
		return ps, fmt.Errorf("cannot read how %s was built: %w; run \"make build\" first", o.trigger, err)
	}
	trigger, err := filepath.Abs(o.trigger)
	if err != nil {
		return ps, err
	}
	ps.Trigger = program{Name: "trigger", Go: true, Path: trigger, Dir: dir, Payload: scheduled, Announces: true, Secret: true, SecretOnce: true,
		Ledger: true, Env: []string{"LEDGER_TABLE=" + ledgerTable}, Beside: "bare+ledger"}
	ps.Hello = program{Name: "hello", Go: true, Dir: dir, Payload: empty}
	ps.Bare = program{Name: "bare", Go: true, Dir: dir, Payload: empty, Announces: true, Env: bareEnv()}
	for _, p := range []*program{&ps.Hello, &ps.Bare} {
		p.Path = filepath.Join(dir, p.Name, "bootstrap")
		if err := how.build(ctx, "./bench/"+p.Name, p.Path); err != nil {
			return ps, err
		}
	}
	ps.BareLedger = ps.Bare
	ps.BareLedger.Name, ps.BareLedger.Ledger, ps.BareLedger.Env = "bare+ledger", true, append(bareEnv(), bareLedgerEnv())
	if o.python == "" {
		return ps, nil
	}
	python, err := filepath.Abs(o.python)
	if err != nil {
		return ps, err
	}
	handler, err := os.ReadFile(filepath.Join(o.handler, "handler.py"))
	if err != nil {
		return ps, err
	}
	// A copy, because Python writes its compiled form beside it.
	task := filepath.Join(dir, "python")
	if err := os.Mkdir(task, 0o755); err != nil {
		return ps, err
	}
	if err := os.WriteFile(filepath.Join(task, "handler.py"), handler, 0o644); err != nil {
		return ps, err
	}
	ps.Python = program{
		Name: "python", Path: python, Args: []string{"-m", "awslambdaric", "handler.lambda_handler"},
		Dir: task, Payload: dated, Announces: true, Secret: true, Beside: "bare",
	}
	return ps, nil
}

// all lists the programs in the order of the tables.
func (ps programs) all() []program {
	l := []program{ps.Hello, ps.Bare, ps.BareLedger, ps.Trigger}
	if ps.Python.Path != "" {
		l = append(l, ps.Python)
	}
	return l
}

// goBuild has the build settings of a binary that change its size or speed.
type goBuild struct{ Args, Env []string }

// readBuild reads from a binary how it was built. The linker's flags are not
// recorded under -trimpath; that the symbols were stripped can be seen.
func readBuild(path string) (goBuild, error) {
	var b goBuild
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return b, err
	}
	b.Args = []string{"build", "-buildvcs=false"}
	b.Env = []string{"GOFLAGS="}
	for _, s := range info.Settings {
		switch {
		case s.Key == "-tags" || s.Key == "-trimpath":
			b.Args = append(b.Args, s.Key+"="+s.Value)
		case s.Key == "CGO_ENABLED" || s.Key == "GOOS" || strings.HasPrefix(s.Key, "GOARCH") || s.Key == "GOAMD64" || s.Key == "GOARM64":
			b.Env = append(b.Env, s.Key+"="+s.Value)
		}
	}
	f, err := elf.Open(path)
	if err != nil {
		return b, err
	}
	defer f.Close()
	if f.Section(".symtab") == nil {
		b.Args = append(b.Args, "-ldflags=-s -w -buildid=")
	}
	return b, nil
}

func (b goBuild) build(ctx context.Context, pkg, out string) error {
	cmd := exec.CommandContext(ctx, "go", append(append([]string{}, b.Args...), "-o", out, pkg)...)
	cmd.Env = append(os.Environ(), b.Env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(cmd.Args[1:], " "), err, text)
	}
	return nil
}

func empty(time.Time) []byte { return []byte("{}") }

// scheduled is what the template's schedule sends to trigger: a courier group,
// a range relative to the scheduled time in a time zone. Each has a schedule of
// its own, or the ledger would know it.
func scheduled(now time.Time) []byte {
	return mustJSON(map[string]any{
		"config_id":      configID,
		"range":          map[string]string{"from": "-1d", "to": "0d", "timezone": "America/New_York"},
		"scheduled_time": now.UTC().Format(time.RFC3339),
		"schedule_arn":   "arn:aws:scheduler:" + region + ":123456789012:schedule/default/daily-" + strconv.FormatInt(now.UnixNano(), 36),
	})
}

// dated is the same with the dates worked out already, since the Python
// handler knows no relative ranges.
func dated(time.Time) []byte {
	return mustJSON(map[string]string{"config_id": configID, "range_from": "2026-11-21", "range_to": "2026-11-22"})
}

// bareEnv has the bodies that the bare program sends: as long as trigger's.
func bareEnv() []string {
	run := map[string]any{"id": runID, "name": "Daily", "state": "scheduled", "type": "courier.group/run", "tenant": tenant,
		"created_at": "2026-11-22T06:00:01.724Z", "launched_version": "20261119.1", "current_version": "20261119.1"}
	detail := mustJSON(map[string]any{"version": "1", "id": strings.Repeat("0", 32), "tenant": tenant, "run": run,
		"cause":   map[string]string{"type": "schedule", "request_id": strings.Repeat("0", 36)},
		"request": map[string]string{"config_id": configID, "range_from": "2026-11-21", "range_to": "2026-11-22"}})
	events := mustJSON(map[string]any{"Entries": []any{map[string]string{
		"Source": source, "DetailType": started, "Detail": string(detail), "EventBusName": eventBus}}})
	return []string{"BARE_RUN=" + string(dated(time.Time{})), "BARE_EVENTS=" + string(events), "BARE_TOKEN=" + bearer}
}

// bareLedgerEnv has the bodies of the requests to the ledger that the bare
// program sends: about as long as trigger's, in their order.
func bareLedgerEnv() string {
	item := map[string]any{"pk": map[string]string{"S": "launch/bare"}, "v": map[string]string{"N": "1"}, "w": map[string]string{"S": strings.Repeat("W", 26)},
		"s": map[string]string{"S": "due"}, "d": map[string]string{"N": "1795305600000"}, "doc": map[string]string{"S": strings.Repeat("x", 600)}}
	named := func(key string) map[string]any {
		named := maps.Clone(item)
		named["pk"] = map[string]string{"S": key}
		return map[string]any{"TableName": ledgerTable, "Item": named, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
	}
	var puts []any
	for _, key := range []string{"launch/bare", "config/bare", "run/bare"} {
		puts = append(puts, map[string]any{"Put": named(key)})
	}
	body := map[callKind]any{
		putItem:  named("launch/bare"),
		getItem:  map[string]any{"TableName": ledgerTable, "Key": map[string]any{"pk": map[string]string{"S": "config/bare"}}, "ConsistentRead": true},
		transact: map[string]any{"ClientRequestToken": strings.Repeat("0", 32), "TransactItems": puts},
	}
	// Those before the run, and those after it: the last follows the event.
	var requests [][2]string
	for _, kind := range []callKind{putItem, getItem, transact, getItem, transact, putItem} {
		requests = append(requests, [2]string{dynamoPrefix + string(kind), string(mustJSON(body[kind]))})
	}
	return "BARE_LEDGER=" + string(mustJSON(requests))
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only maps of strings come here
	}
	return b
}
