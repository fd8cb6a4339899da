// Progress runs a command of the Makefile. It prints a line whenever the
// command has been silent for 15 seconds. It fails if a test was skipped,
// because a test that CI skips shows nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const usage = `Usage: progress [-short] [-log FILE] COMMAND...

-short  COMMAND is "go test -v": print one line for each package that passes
-log    append the whole output to FILE
`

// stopTime is how long an interrupted command may take to end.
const stopTime = 10 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("progress", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	short := flags.Bool("short", false, "")
	logFile := flags.String("log", "", "")
	if flags.Parse(args) != nil {
		return 2
	}
	if flags.NArg() == 0 {
		flags.Usage()
		return 2
	}
	var log io.Writer
	if *logFile != "" {
		f, err := os.OpenFile(*logFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			fmt.Fprintf(stderr, "progress: %v\n", err)
			return 1
		}
		defer f.Close()
		log = f
	}
	r := &report{short: *short}
	err := command(ctx, flags.Args(), environ, stdout, log, r)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintf(stderr, "progress: %v\n", err)
		return 1
	}
	if len(r.skipped) > 0 {
		fmt.Fprintf(stderr, "progress: %s skipped %s: %s; the Makefile runs every test, so set up what the test needs (make test does)\n",
			title(flags.Args()), count(len(r.skipped)), strings.Join(r.skipped, ", "))
		return 1
	}
	return 0
}

// command runs a command and passes its output on.
func command(ctx context.Context, args, environ []string, stdout, log io.Writer, r *report) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTime
	read, write := io.Pipe()
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = environ, os.Stdin, write, write
	if err := cmd.Start(); err != nil {
		return err
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		copyLines(stdout, log, read, title(args), r)
	}()
	err := cmd.Wait()
	write.Close()
	<-copied
	return err
}

// title is the beginning of a command, whole words of it.
func title(args []string) string {
	const most = 60
	s := args[0]
	for _, a := range args[1:] {
		if len(s)+len(a) >= most {
			return s + " …"
		}
		s += " " + a
	}
	return s
}
