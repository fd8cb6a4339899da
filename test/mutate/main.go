// Command mutate shows what the tests do not guard. It changes the code in one
// place at a time, runs the tests on the changed code, and lists the changes
// that no test noticed.
//
// A mutant is drawn at random from all changes that the operators make (see
// mutants.go), or it is named: a mistake that a reviewer thought of (see
// named.go). The tree does not change: go's -overlay replaces the changed file.
// Run the command from the root of the repository: "make mutants".
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// options are the values of the flags.
type options struct {
	n              int
	seed           uint64
	drawn, named   bool
	list           bool
	only           *regexp.Regexp
	shard, shards  int
	stages         []stage
	results, table string
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.n, "n", 150, "how many mutants to draw")
	flags.Uint64Var(&o.seed, "seed", 20261127, "the seed of the draw")
	flags.BoolVar(&o.drawn, "drawn", true, "judge the drawn mutants")
	flags.BoolVar(&o.named, "named", true, "judge the named mutants")
	flags.BoolVar(&o.list, "list", false, "list the mutants and count them, without running a test")
	only := flags.String("only", "", "judge only mutants whose place or name matches this `expression`")
	shard := flags.String("shard", "1/1", "judge only part `i/n` of the mutants")
	names := flags.String("stages", "", "run only these stages, separated by commas: "+strings.Join(stageNames(stages), ", "))
	flags.StringVar(&o.results, "results", "build/mutants.jsonl", "the `file` of verdicts; a mutant that has one is not run again")
	flags.StringVar(&o.table, "table", "build/mutants.md", "the `file` for the table, which standard output shows too")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		return o, fmt.Errorf("-only %s: %w", *only, err)
	}
	if _, err := fmt.Sscanf(*shard, "%d/%d", &o.shard, &o.shards); err != nil || o.shard < 1 || o.shard > o.shards {
		return o, fmt.Errorf("-shard %s: give i/n, with i from 1 to n", *shard)
	}
	o.stages = stages
	if *names != "" {
		o.stages = nil
		for _, name := range strings.Split(*names, ",") {
			i := slices.Index(stageNames(stages), name)
			if i < 0 {
				return o, fmt.Errorf("-stages %s: there is no stage %s; the stages are %s", *names, name, strings.Join(stageNames(stages), ", "))
			}
			o.stages = append(o.stages, stages[i])
		}
	}
	return o, nil
}

func stageNames(stages []stage) []string {
	var names []string
	for _, s := range stages {
		names = append(names, s.Name)
	}
	return names
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	chosen, err := choose(root, packages, o, stderr)
	if err != nil {
		return err
	}
	var mine []mutant
	for i, m := range chosen {
		if i%o.shards == o.shard-1 && o.only.MatchString(m.place()) {
			mine = append(mine, m)
		}
	}
	if o.list {
		for _, m := range mine {
			fmt.Fprintf(stdout, "%s %s: %s -> %s\n", m.place(), m.Operator, oneLine(m.Was), oneLine(m.Becomes))
		}
		return nil
	}
	known, err := readResults(o.results, root, o.stages)
	if err != nil {
		return err
	}
	rows, failed := judgeAll(ctx, judge{root, o.stages}, mine, known, stderr)
	if len(rows) == 0 {
		return failed
	}
	if err := os.MkdirAll(filepath.Dir(o.table), 0o755); err != nil {
		return errors.Join(failed, err)
	}
	file, err := os.Create(o.table)
	if err != nil {
		return errors.Join(failed, err)
	}
	return errors.Join(failed, writeTable(io.MultiWriter(stdout, file), rows), file.Close())
}

// choose draws mutants, and adds the named ones.
func choose(root string, folders []string, o options, stderr io.Writer) ([]mutant, error) {
	c, err := newCompiler(root, folders)
	if err != nil {
		return nil, err
	}
	var chosen []mutant
	if o.drawn {
		var all []mutant
		counts := map[string]int{}
		for _, f := range folders {
			found, err := enumerate(root, f, c.files[f])
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
			for _, m := range found {
				counts[m.Operator]++
			}
			fmt.Fprintf(stderr, "%s: %d mutants\n", f, len(found))
		}
		chosen = draw(all, o.n, o.seed, func(m mutant) bool { return c.check(m) == nil })
		fmt.Fprintf(stderr, "%d drawn of %d: %v\n", len(chosen), len(all), counts)
	}
	if o.named {
		var wrong error
		for _, n := range namedMutants {
			m, err := n.mutant(root)
			if err == nil {
				err = c.check(m)
			}
			if err != nil {
				wrong = errors.Join(wrong, fmt.Errorf("named mutant %q: %w", n.Name, err))
			}
			chosen = append(chosen, m)
		}
		if wrong != nil {
			return nil, wrong
		}
	}
	return chosen, nil
}

// judgeAll judges the mutants that have no verdict yet. It runs the stages
// without a mutant first. With an error it returns the rows so far.
func judgeAll(ctx context.Context, j judge, mine []mutant, known *results, stderr io.Writer) ([]row, error) {
	var folders []string
	for _, m := range mine {
		_, ok := known.of(keyOf(m))
		before, clean := known.of("none " + m.pkg())
		if !ok && !(clean && before.Verdict == survived) && !slices.Contains(folders, m.pkg()) {
			folders = append(folders, m.pkg())
		}
	}
	if err := j.baseline(ctx, folders); err != nil {
		return nil, err
	}
	for _, f := range folders {
		if err := known.add("none "+f, "no mutant, "+f, verdict{Verdict: survived}); err != nil {
			return nil, err
		}
	}
	var rows []row
	for i, m := range mine {
		v, ok := known.of(keyOf(m))
		if !ok {
			var err error
			if v, err = j.judge(ctx, &m, m.pkg()); err != nil {
				return rows, err
			}
			if v.Verdict == broken {
				return rows, fmt.Errorf("%s: %s, although its types are right:\n%s", m.place(), broken, v.Output)
			}
			if err := known.add(keyOf(m), m.place(), v); err != nil {
				return rows, err
			}
		}
		fmt.Fprintf(stderr, "%d/%d %s: %s %s %s\n", i+1, len(mine), m.place(), v.Verdict, v.Stage, v.Test)
		rows = append(rows, row{m, v})
	}
	return rows, nil
}
