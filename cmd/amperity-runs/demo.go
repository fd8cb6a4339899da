package main

import (
	"context"
	"fmt"
	"io"

	"github.com/amperity-runs/amperity-runs/internal/demo"
)

const demoUsage = `Usage:
  amperity-runs demo

Run the real handlers of the functions in one process, against a simulated
Amperity, with the ledger and an event bus in memory: a schedule that is
delivered twice, a file by the date in its key, a file by the day of its arrival,
a storm of files, a late file, a rejection, an expired token that is renewed, a
request without an answer, and a crash at the worst moment. Each step shows what
came in, what was sent to Amperity and what was announced. Nothing leaves this
machine.

Exit code 1 if a step has an unexpected result.
`

// runDemo runs the demo.
func runDemo(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	switch {
	case len(args) == 0:
	case args[0] == "-h" || args[0] == "-help" || args[0] == "--help":
		fmt.Fprint(stdout, demoUsage)
		return 0
	default:
		return misused(stderr, "demo", fmt.Errorf("unexpected argument %q: it takes none", args[0]))
	}
	if err := demo.Run(ctx, stdout); err != nil {
		fmt.Fprintf(stderr, "amperity-runs: demo: %v\n", err)
		return 1
	}
	return 0
}
