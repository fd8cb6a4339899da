// Bench measures the built functions: the time and memory of a cold start
// beside the smallest Go function and beside plain Python, the time of a warm
// invocation beyond the requests it makes, and the decoding and routing of
// batches of S3 events. See README.md for how, and for the last figures.
//
// All of it happens in one run, in turns, so that the ratios hold even where
// the machine is busy. It needs Linux (memory is read from /proc) and the Go
// command. It exits non-zero when something did not work, never because of a
// figure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

const usage = `usage: go run ./bench [options]

Measures the built functions and prints each aim as reached or missed.
Without options it runs all parts on what "make build" has built.

  -trigger FILE   the function under measure (build/trigger/bootstrap)
  -python FILE    a Python with the packages of bench/requirements.txt;
                  without it nothing is compared with Python
  -handler DIR    where handler.py is (bench/python)
  -runs N         cold starts of each program (21)
  -warm N         warm invocations of each program (40)
  -parts LIST     which of cold,warm,routing (all three)
`

type options struct {
	trigger, python, handler string
	runs, warm               int
	parts                    map[string]bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench: %v\n%s", err, usage)
		return 2
	}
	aims, err := measure(ctx, o, stdout)
	if err != nil {
		fmt.Fprintf(stderr, "bench: %v\n", err)
		return 1
	}
	printAims(stdout, aims)
	return 0
}

func parseOptions(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.trigger, "trigger", "build/trigger/bootstrap", "")
	f.StringVar(&o.python, "python", "", "")
	f.StringVar(&o.handler, "handler", "bench/python", "")
	f.IntVar(&o.runs, "runs", 21, "")
	f.IntVar(&o.warm, "warm", 40, "")
	parts := f.String("parts", "cold,warm,routing", "")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: everything is an option", f.Arg(0))
	}
	if o.runs < 1 || o.warm < 1 {
		return o, errors.New("-runs and -warm must be at least 1")
	}
	o.parts = make(map[string]bool)
	for p := range strings.SplitSeq(*parts, ",") {
		if p != "cold" && p != "warm" && p != "routing" {
			return o, fmt.Errorf("unknown part %q: the parts are cold, warm and routing", p)
		}
		o.parts[p] = true
	}
	return o, nil
}

func measure(ctx context.Context, o options, out io.Writer) ([]aim, error) {
	var aims []aim
	if o.parts["cold"] || o.parts["warm"] {
		dir, err := os.MkdirTemp("", "bench")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		fs, err := prepare(ctx, o, dir)
		if err != nil {
			return nil, err
		}
		if err := printStandIn(ctx, out); err != nil {
			return nil, err
		}
		if o.parts["cold"] {
			more, err := cold(ctx, fs, o, out)
			if err != nil {
				return nil, err
			}
			aims = append(aims, more...)
		}
		if o.parts["warm"] {
			more, err := warm(ctx, fs, o, out)
			if err != nil {
				return nil, err
			}
			aims = append(aims, more...)
		}
	}
	if o.parts["routing"] {
		more, err := routing(ctx, out)
		if err != nil {
			return nil, err
		}
		aims = append(aims, more...)
	}
	return aims, nil
}
