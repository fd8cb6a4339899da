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
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/test/stack"
)

const usage = `Usage:
  make invoke EVENT=events/trigger-manual.json
  make local

"make invoke" runs the built function that the file's name begins with under
Lambda's emulator, and shows its log, its answer, the runs that it started in a
simulated Amperity and the events that it published.

"make local" starts the simulated Amperity and moto, which imitates AWS, and
shows how "sam local invoke" uses them (with Docker). It ends with Ctrl-C.
`

// The addresses of "make local", as events/env.json has them: containers reach
// this machine as host.docker.internal, which is not its loopback interface.
const (
	simulatorPort = "8089"
	motoPort      = "5555"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	var err error
	switch {
	case len(args) == 2 && args[0] == "invoke" && args[1] != "":
		err = invoke(ctx, args[1], getenv, stdout)
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

func invoke(ctx context.Context, sample string, getenv func(string) string, stdout io.Writer) error {
	f, err := stack.FunctionOf(sample)
	if err != nil {
		return err
	}
	event, err := os.ReadFile(sample)
	if err != nil {
		return err
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
	fmt.Fprintf(stdout, "The log of %s:\n", f.Name)
	e, err := w.Emulate(ctx, ".", f, nil, stdout)
	if err != nil {
		return err
	}
	defer e.Close()
	answer, failed := e.Invoke(ctx, event)

	if failed != nil {
		fmt.Fprintf(stdout, "\nIt failed; Lambda would deliver the event again:\n  %v\n", failed)
	} else {
		fmt.Fprintln(stdout, "\nIt answered:")
		show(stdout, answer)
	}
	runs := w.Simulator.Runs()
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
	return failed
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
	w, err := tools.NewWorld(ctx, stack.Config{
		Now:           time.Now,
		SimulatorAddr: net.JoinHostPort("0.0.0.0", simulatorPort),
		MotoAddr:      net.JoinHostPort("0.0.0.0", motoPort),
	})
	if err != nil {
		return err
	}
	defer w.Close()
	fmt.Fprint(stdout, serving())
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

// serving tells how to use what runs.
func serving() string {
	return fmt.Sprintf(`The simulated Amperity listens on port %s and moto on port %s, on all
interfaces, because containers do not reach the loopback one; their tokens are
public. In another terminal (sam local needs Docker):

  sam build --parameter-overrides Architecture=%s
  sam local invoke TriggerFunction --event events/trigger-manual.json \
    --env-vars events/env.json --add-host host.docker.internal:host-gateway \
    --parameter-overrides Architecture=%[3]s

For the events that begin with s3arrival- it is S3ArrivalFunction. What is
started and published shows up here. Ctrl-C ends it.

`, simulatorPort, motoPort, stack.Architecture())
}
