// Amperity-runs is the command-line tool of the project; see amperity-runs -h.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Output rules: only results go to standard output. Everything else goes to
// standard error, with the prefix "amperity-runs: ", without a capital and a
// full stop. Exit code 0 is success, 1 a failure, 2 misuse.

const usage = `Usage:
  amperity-runs COMMAND [ARGUMENT ...]

Commands:
  demo        run the real handlers against a simulated Amperity, in one process
  simulator   serve the Amperity API locally
  check       check a routes file and show every error in it
  explain     explain what a file in S3 would start, and why
  held        list what waits for you, and answer it
  dlq         list the dead-letter queues, and redrive their messages

"amperity-runs COMMAND -h" explains a command.
`

// command is one sub-command. It returns the exit code of the process.
type command func(ctx context.Context, args []string, stdout, stderr io.Writer) int

func commands() map[string]command {
	return map[string]command{
		"check":     runCheck,
		"demo":      runDemo,
		"dlq":       runDLQ,
		"explain":   runExplain,
		"held":      runHeld,
		"simulator": runSimulator,
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	switch args[0] {
	case "-h", "-help", "--help", "help":
		fmt.Fprint(stdout, usage)
		return 0
	}
	c, ok := commands()[args[0]]
	if !ok {
		fmt.Fprintf(stderr, "amperity-runs: no command %q; \"amperity-runs -h\" lists them\n", args[0])
		return 2
	}
	return c(ctx, args[1:], stdout, stderr)
}

// misused reports a wrong command line, and returns the exit code.
func misused(stderr io.Writer, command string, err error) int {
	fmt.Fprintf(stderr, "amperity-runs: %s: %v; \"amperity-runs %s -h\" explains it\n", command, err, command)
	return 2
}
