package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/amperity-runs/amperity-runs/internal/route"
	"github.com/amperity-runs/amperity-runs/internal/route/source"
	"github.com/amperity-runs/amperity-runs/internal/settings"
)

const checkUsage = `Usage:
  amperity-runs check [--buckets A,B] [FILE ...]

Check routes files (default routes.yaml). Show every error with what to write
instead, and warnings about settings that are valid but probably not meant.

  --buckets A,B   the buckets whose events the stack receives, as in the
                  template's parameter Buckets; a route that names another one
                  is an error. Default: any bucket

  $ amperity-runs check routes.yaml
  routes.yaml:5:26: error: {mm} is not a date field; did you mean {MM}?
          files: orders/{yyyy}/{mm}/{dd}/*.csv
                               ^

Exit code 1 if there is an error, 0 if there are warnings only.
`

// runCheck checks routes files.
func runCheck(_ context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("check", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	var o route.Options
	fs.Func("buckets", "", bucketList(&o))
	files, err := parseFlags(fs, args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, checkUsage)
		return 0
	}
	if err != nil {
		return misused(stderr, "check", err)
	}
	if len(files) == 0 {
		files = []string{"routes.yaml"}
	}
	code := 0
	for _, name := range files {
		if err := checkFile(name, o, stdout); err != nil {
			fmt.Fprintf(stderr, "amperity-runs: check: %v\n", err)
			code = 1
		}
	}
	return code
}

// parseFlags parses flags and arguments in any order. The error is misuse or
// flag.ErrHelp.
func parseFlags(fs *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		if fs.NArg() == 0 {
			return rest, nil
		}
		rest = append(rest, fs.Arg(0))
		args = fs.Args()[1:]
	}
}

// bucketList parses a list of buckets in the form of BUCKETS.
func bucketList(o *route.Options) func(string) error {
	return func(list string) error {
		names, faults := settings.ParseBuckets(list)
		if len(faults) > 0 {
			return errors.New(strings.Join(faults, "; "))
		}
		o.Buckets = append(o.Buckets, names...)
		return nil
	}
}

// checkFile prints the errors and warnings of a file. It returns an error if
// the file has errors or cannot be read.
func checkFile(name string, o route.Options, out io.Writer) error {
	src, err := readRoutes(name, "give the routes file as FILE")
	if err != nil {
		return err
	}
	routes, warnings, err := route.Parse(name, src, o)
	var faulty *route.RoutesError
	if err != nil && !errors.As(err, &faulty) {
		return err
	}
	if faulty != nil {
		for _, f := range faulty.Faults {
			printFault(out, "error", f, src)
		}
	}
	for _, f := range warnings {
		printFault(out, "warning", f, src)
	}
	if faulty != nil {
		return fmt.Errorf("%s has %s", name, counted(len(faulty.Faults), "error"))
	}
	fmt.Fprintf(out, "%s: %s, no errors\n", name, counted(len(routes.Routes()), "route"))
	return nil
}

// readRoutes reads a routes file. If there is no such file, the error ends with
// todo.
func readRoutes(name, todo string) ([]byte, error) {
	src, err := readBounded(name, source.MaxSize)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.EISDIR) {
		return nil, fmt.Errorf("%w; %s", err, todo)
	}
	return src, err
}

// readBounded reads a file up to one byte more than the limit. The caller
// reports a file that is too large.
func readBounded(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name) // #nosec G304,G703 -- the user names the file, and may read it
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// printFault prints a fault, its line of the file and a caret.
func printFault(out io.Writer, kind string, f source.Fault, src []byte) {
	fmt.Fprintf(out, "%s:%d:%d: %s: %s\n", f.File, f.Line, f.Column, kind, f.Message)
	lines := strings.Split(strings.TrimPrefix(string(src), "\uFEFF"), "\n")
	if f.Line > len(lines) {
		return
	}
	printCaret(out, "    ", lines[f.Line-1], f.Column-1, "")
}

// caretWidth is the longest line that printCaret shows as a whole.
const caretWidth = 100

// printCaret prints a line, and a caret with a note under the character at.
func printCaret(out io.Writer, margin, line string, at int, note string) {
	runes := []rune(strings.TrimRight(line, "\r"))
	at = min(at, len(runes))
	start, before, after := 0, "", ""
	if at > caretWidth*3/4 {
		start, before = at-caretWidth/2, "…"
	}
	end := len(runes)
	if end-start > caretWidth {
		end, after = start+caretWidth, "…"
	}
	shown := before + printable(string(runes[start:end])) + after
	fmt.Fprintf(out, "%s%s\n%s%s^", margin, shown, margin, strings.Repeat(" ", len([]rune(before))+at-start))
	if note != "" {
		fmt.Fprintf(out, " %s", note)
	}
	fmt.Fprintln(out)
}

// printable replaces each character that would move the cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, s)
}
