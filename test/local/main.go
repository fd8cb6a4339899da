// Local tries the built functions out on this machine, for "make invoke" and
// "make local".
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/clock"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
	"github.com/amperity-runs/amperity-runs/test/stack"
)

const usage = `Usage:
  make invoke EVENT=events/trigger-manual.json
  make invoke EVENT="events/s3arrival-notification.json events/sweep.json"
  make local
  make local SIMULATOR_PORT=8090 MOTO_PORT=5556

"make invoke" runs the built function that the file's name begins with under
Lambda's emulator, and shows its log, its answer, the runs that it started in a
simulated Amperity and the events that it published. Several files go one after
the other, with one ledger; before the sweep it waits until something is due.

"make local" starts the simulated Amperity and moto, which imitates AWS, and
shows how "sam local invoke" uses them (with Docker). It ends with Ctrl-C.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	var err error
	switch {
	case len(args) >= 2 && args[0] == "invoke":
		err = invoke(ctx, args[1:], getenv, stdout)
	case len(args) == 1 && args[0] == "serve":
		err = serve(ctx, getenv, stdout)
	default:
		fmt.Fprint(stderr, usage)
		return 2
	}
	// A function that answers with an error has been invoked all the same.
	var failed *stack.FunctionError
	if err != nil && !errors.As(err, &failed) {
		fmt.Fprintln(stderr, err)
	}
	if err != nil {
		return 1
	}
	return 0
}

// sample is one file of events/ and the function that it is for.
type sample struct {
	file     string
	function stack.Function
	event    []byte
}

func invoke(ctx context.Context, files []string, getenv func(string) string, stdout io.Writer) error {
	var samples []sample
	for _, file := range files {
		event, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		f, err := stack.FunctionOf(file)
		if err != nil {
			return err
		}
		samples = append(samples, sample{file, f, event})
	}
	tools, err := stack.FromEnvironment(getenv)
	if err != nil {
		return err
	}
	w, err := tools.NewWorld(ctx, stack.Config{Now: time.Now})
	if err != nil {
		return err
	}
	defer w.Close()
	running := map[string]*stack.Emulator{}
	var failed error
	seen := 0
	for i, s := range samples {
		if i > 0 {
			fmt.Fprintln(stdout)
		}
		if s.function.Name == "sweep" {
			if err := waitForWork(ctx, w, stdout); err != nil {
				return err
			}
		}
		fmt.Fprintf(stdout, "%s: the log of %s:\n", s.file, s.function.Name)
		if running[s.function.Name] == nil {
			e, err := w.Emulate(ctx, ".", s.function, nil, stdout)
			if err != nil {
				return err
			}
			defer e.Close()
			running[s.function.Name] = e
		}
		answer, err := running[s.function.Name].Invoke(ctx, s.event)
		if err != nil {
			fmt.Fprintf(stdout, "\nIt failed; what AWS calls without waiting for the answer, Lambda would call again:\n  %v\n", err)
			failed = err
		} else {
			fmt.Fprintln(stdout, "\nIt answered:")
			show(stdout, answer)
		}
		runs := w.Simulator.Runs()
		if err := tell(ctx, w, runs[seen:], stdout); err != nil {
			return err
		}
		seen = len(runs)
	}
	if err := showLedger(ctx, w, stdout); err != nil {
		return err
	}
	return failed
}

// tell shows what came of an event: runs, and what was published.
func tell(ctx context.Context, w *stack.World, runs []amperitytest.Started, stdout io.Writer) error {
	fmt.Fprintf(stdout, "\nRuns started in the simulated Amperity: %d\n", len(runs))
	for _, r := range runs {
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		show(stdout, text)
	}
	published, err := w.Published(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\nEvents published with the source %s: %d\n", announcement.Source, len(published))
	for _, p := range published {
		fmt.Fprintf(stdout, "  %s\n", p.DetailType)
		show(stdout, p.Detail)
	}
	return nil
}

// longest is how long "make invoke" waits at most until something is due: a
// window waits for two minutes of quiet, unless its route says otherwise.
const longest = 5 * time.Minute

// waitForWork waits until something in the ledger is due, unless nothing soon
// is.
func waitForWork(ctx context.Context, w *stack.World, stdout io.Writer) error {
	for row, err := range w.Ledger(stack.Table).Due(ctx, time.Now().Add(longest)) {
		if err != nil {
			return err
		}
		wait := time.Until(row.At)
		if wait <= 0 {
			return nil
		}
		fmt.Fprintf(stdout, "Waiting until %s, when %s is due.\n\n", row.At.Local().Format(time.TimeOnly), row.Key)
		return clock.System{}.Sleep(ctx, wait)
	}
	return nil
}

// showLedger shows what the sweep still has to do.
func showLedger(ctx context.Context, w *stack.World, stdout io.Writer) error {
	var waits []string
	for row, err := range w.Ledger(stack.Table).Due(ctx, time.Now().Add(365*24*time.Hour)) {
		if err != nil {
			return err
		}
		waits = append(waits, fmt.Sprintf("  %s, due at %s\n", row.Key, row.At.Local().Format(time.TimeOnly)))
	}
	if len(waits) > 0 {
		fmt.Fprintf(stdout, "\nWaits in the ledger for the sweep (add events/sweep.json to EVENT): %d\n%s", len(waits), strings.Join(waits, ""))
	}
	return nil
}

// show prints JSON, indented; anything else as it is.
func show(w io.Writer, text []byte) {
	var b bytes.Buffer
	if json.Indent(&b, text, "  ", "  ") != nil {
		b.Reset()
		b.Write(text)
	}
	fmt.Fprintf(w, "  %s\n", bytes.TrimSpace(b.Bytes()))
}

func serve(ctx context.Context, getenv func(string) string, stdout io.Writer) error {
	tools, err := stack.FromEnvironment(getenv)
	if err != nil {
		return err
	}
	p, err := portsFrom(getenv)
	if err != nil {
		return err
	}
	w, err := tools.NewWorld(ctx, stack.Config{
		Now:           time.Now,
		SimulatorAddr: address(p.simulator),
		MotoAddr:      address(p.moto),
	})
	if err != nil {
		return p.explain(err)
	}
	defer w.Close()
	settings, err := p.settingsFile(".")
	if err != nil {
		return err
	}
	fmt.Fprint(stdout, serving(p, settings))
	seen := 0
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for ; seen < len(w.Simulator.Runs()); seen++ {
			r := w.Simulator.Runs()[seen]
			fmt.Fprintf(stdout, "started %s: %s %s %s\n", r.ID, r.ConfigID, r.RangeFrom, r.RangeTo)
		}
		published, err := w.Published(ctx)
		if err != nil {
			return err
		}
		for _, p := range published {
			fmt.Fprintf(stdout, "published %s\n", p.DetailType)
			show(stdout, p.Detail)
		}
	}
}

// serving tells how to use what runs. The settings are the file for sam local.
func serving(p ports, settings string) string {
	return fmt.Sprintf(`The simulated Amperity listens on port %d and moto on port %d, on all
interfaces, because containers do not reach the loopback one; their tokens are
public. In another terminal (sam local needs Docker):

  sam build --parameter-overrides Architecture=%s
  sam local invoke TriggerFunction --event events/trigger-manual.json \
    --env-vars %[4]s --add-host host.docker.internal:host-gateway \
    --parameter-overrides Architecture=%[3]s

For the events that begin with s3arrival- it is S3ArrivalFunction: it takes the
files into the ledger, where their windows wait for quiet. In an account the
sweep comes every minute; here you call it, when they have waited long enough:
SweepFunction, with events/sweep.json. What is started and published shows up
here. Ctrl-C ends it, and nothing is kept.

`, p.simulator, p.moto, stack.Architecture(), settings)
}
