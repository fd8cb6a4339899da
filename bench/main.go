// Bench measures the built functions. As root it measures them as in an
// account: with TLS, distances, a share of a processor, and freezing between
// invocations. Beside them it measures a floor, and plain Python. Without root
// it measures them over the loopback interface. It also measures the decoding
// and routing of batches of S3 events. README.md says how, and has the last
// figures.
//
// Programs take turns, so that ratios hold even on a busy machine. The bench
// exits non-zero when something did not work, never because of a figure.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

const usage = `usage: go run ./bench [options]

Measures the built functions and prints each goal as reached or missed. "make
bench" builds all that it needs. Without options it runs all parts. The parts
trigger, s3arrival and sweep measure as in an account, and need root.

  -functions DIR    the built functions (build)
  -functions NAME=DIR
                    the same with a name; repeat it to compare several
  -python FILE      a Python with the packages of bench/requirements.txt;
                    without it nothing is compared with Python
  -memory MB        the memory of the functions (256)
  -rounds N         how often each program is measured (11)
  -parts LIST       which of trigger,s3arrival,sweep,loopback,routing (all)
  -trace            print when the servers saw each request
  -update           write the figures into bench/README.md
`

// options are the bench's options.
type options struct {
	trees          []tree
	python         string
	memory, rounds int
	parts          map[string]bool
	trace, update  bool
}

// accountParts are the parts that measure as in an account.
var accountParts = []string{"trigger", "s3arrival", "sweep"}

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
	if scratch := os.Getenv(insideVariable); scratch != "" {
		err = measureAll(ctx, o, scratch, true, stdout)
	} else {
		var figures bytes.Buffer
		both := io.MultiWriter(stdout, &figures)
		fmt.Fprintln(both, machine())
		err = outside(ctx, o, args, both, stderr)
		if err == nil && o.update {
			err = updateReadme(figures.Bytes())
		}
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench: %v\n", err)
		return 1
	}
	return 0
}

func parseOptions(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Func("functions", "", func(text string) error {
		name, dir, named := strings.Cut(text, "=")
		if !named {
			name, dir = "", text
		}
		dir, err := filepath.Abs(dir)
		o.trees = append(o.trees, tree{name, dir})
		return err
	})
	f.StringVar(&o.python, "python", "", "")
	f.IntVar(&o.memory, "memory", 256, "")
	f.IntVar(&o.rounds, "rounds", 11, "")
	f.BoolVar(&o.trace, "trace", false, "")
	f.BoolVar(&o.update, "update", false, "")
	parts := f.String("parts", "trigger,s3arrival,sweep,loopback,routing", "")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: everything is an option", f.Arg(0))
	}
	return o, o.complete(*parts)
}

// complete checks the options and fills in the defaults.
func (o *options) complete(parts string) error {
	if o.rounds < 1 {
		return errors.New("-rounds must be at least 1")
	}
	if o.memory < 128 || o.memory > 10240 {
		return errors.New("-memory must be between 128 and 10240, as in Lambda")
	}
	o.parts = map[string]bool{}
	for p := range strings.SplitSeq(parts, ",") {
		switch p {
		case "trigger", "s3arrival", "sweep", "loopback", "routing":
			o.parts[p] = true
		default:
			return fmt.Errorf("unknown part %q: the parts are trigger, s3arrival, sweep, loopback and routing", p)
		}
	}
	if len(o.trees) == 0 {
		dir, err := filepath.Abs("build")
		if err != nil {
			return err
		}
		o.trees = []tree{{"", dir}}
	}
	if o.update && (len(o.parts) < 5 || len(o.trees) > 1) {
		return errors.New("-update needs all parts and one folder of functions: the README would lose the figures of the others")
	}
	names := map[string]bool{}
	for _, t := range o.trees {
		if names[t.Name] || t.Name == "" && len(o.trees) > 1 {
			return errors.New("several -functions need different names: -functions NAME=DIR")
		}
		names[t.Name] = true
	}
	if o.python == "" {
		return nil
	}
	python, err := exec.LookPath(o.python)
	if err != nil {
		return fmt.Errorf("-python: %w; make bench makes one with the packages that it needs", err)
	}
	o.python, err = filepath.Abs(python)
	return err
}

// inAccount reports whether any part measures as in an account.
func (o *options) inAccount() bool {
	for _, p := range accountParts {
		if o.parts[p] {
			return true
		}
	}
	return false
}

// measureAll runs the parts and prints the goals.
func measureAll(ctx context.Context, o options, scratch string, inside bool, out io.Writer) error {
	m := measured{memory: o.memory, binaries: map[tree]int64{}}
	for _, t := range o.trees {
		info, err := os.Stat(t.bootstrap("trigger"))
		if err != nil {
			return err
		}
		m.binaries[t] = info.Size()
	}
	var err error
	if inside && o.inAccount() {
		if m.account, err = measureAccount(ctx, o, scratch, out); err != nil {
			return err
		}
	}
	if o.parts["loopback"] {
		if err := measureLoopback(ctx, o, scratch, out); err != nil {
			return err
		}
	}
	if o.parts["routing"] {
		if m.routing, err = measureRouting(ctx, out); err != nil {
			return err
		}
	}
	printGoals(out, m, o.trees)
	return nil
}
