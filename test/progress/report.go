package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// quiet is how long nothing is printed before a sign of life.
const quiet = 15 * time.Second

// copyLines copies the lines of in to log, and those that the report shows to
// out. It prints a sign of life whenever out has been quiet for too long.
func copyLines(out, log io.Writer, in io.Reader, title string, r *report) {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for b := bufio.NewReader(in); ; {
			line, err := b.ReadString('\n')
			if line != "" {
				lines <- strings.TrimSuffix(line, "\n")
			}
			if err != nil {
				return
			}
		}
	}()
	print := func(shown []string) {
		for _, s := range shown {
			fmt.Fprintln(out, s)
		}
	}
	start := time.Now()
	tick := time.NewTicker(quiet)
	defer tick.Stop()
	for {
		select {
		case line, more := <-lines:
			if !more {
				print(r.kept)
				return
			}
			if log != nil {
				fmt.Fprintln(log, line)
			}
			if shown := r.line(line); len(shown) > 0 {
				print(shown)
				tick.Reset(quiet)
			}
		case <-tick.C:
			fmt.Fprintf(out, "%s has run for %s%s\n", title, time.Since(start).Round(time.Second), r.status())
		}
	}
}

// report reads the output of a command. If short is set, the output is that of
// "go test -v", and the report replaces the output of a package that passes
// with one line. It shows the whole output of a package that fails, without the
// lines on success, and repeats at the end what the failed tests have printed.
type report struct {
	short bool
	// skipped are the tests that were skipped.
	skipped []string

	kept    []string            // the package's lines, until it passes or fails
	failed  []string            // the lines on failed tests
	says    map[string][]string // what each test has printed
	test    string              // the test that prints
	running map[string]bool
	done    int
}

var (
	verdictLine = regexp.MustCompile(`^( *)--- (PASS|FAIL|SKIP): (\S+) \(`)
	testLine    = regexp.MustCompile(`^=== (RUN|CONT|NAME|PAUSE) +([^/\s]*)(/?)`)
	packageLine = regexp.MustCompile(`^(ok|\?) .*\t`)
	printedLine = regexp.MustCompile(`^ +[a-z0-9_]+_test\.go:[0-9]+: `)
)

// longest bounds a repeated line.
const longest = 400

// line takes the next line, and returns the lines to print.
func (r *report) line(l string) []string {
	verdict := verdictLine.FindStringSubmatch(l)
	if verdict != nil && verdict[2] == "SKIP" {
		r.skipped = append(r.skipped, verdict[3])
	}
	if !r.short {
		return []string{l}
	}
	if packageLine.MatchString(l) {
		r.forget()
		return []string{l}
	}
	if strings.HasPrefix(l, "FAIL\t") {
		shown := slices.Concat(r.kept, []string{"", "Failed, in short:"}, r.failed, []string{l})
		r.forget()
		return shown
	}
	if test := testLine.FindStringSubmatch(l); test != nil {
		r.test = test[2]
		r.see(test[1], test[2], test[3] == "")
		return nil
	}
	if verdict != nil {
		r.judge(l, verdict)
		if verdict[2] == "PASS" {
			return nil
		}
	}
	if strings.HasPrefix(l, "panic: ") {
		r.failed = append(r.failed, l)
	}
	if printedLine.MatchString(l) && !strings.Contains(l, ": the log of ") {
		if r.says == nil {
			r.says = map[string][]string{}
		}
		r.says[r.test] = append(r.says[r.test], l[:min(longest, len(l))])
	}
	r.kept = append(r.kept, l)
	return nil
}

// see notes which tests are running. Subtests do not count.
func (r *report) see(what, test string, top bool) {
	if r.running == nil {
		r.running = map[string]bool{}
	}
	switch {
	case top && what == "PAUSE":
		delete(r.running, test)
	case what == "RUN" || what == "CONT":
		r.running[test] = true
	}
}

// judge notes that a test has ended.
func (r *report) judge(l string, verdict []string) {
	indent, how, test := verdict[1], verdict[2], verdict[3]
	if indent == "" {
		r.done++
		delete(r.running, test)
	}
	if how == "FAIL" {
		r.failed = append(r.failed, l)
		if indent == "" {
			r.failed = append(r.failed, r.says[test]...)
		}
	}
}

// forget prepares for the next package.
func (r *report) forget() {
	*r = report{short: r.short, skipped: r.skipped, done: r.done}
}

// status describes the tests, if the report hides their lines.
func (r *report) status() string {
	if !r.short || r.done+len(r.running) == 0 {
		return ""
	}
	const most = 3
	names := slices.Sorted(maps.Keys(r.running))
	s := fmt.Sprintf(": %s done", count(r.done))
	if len(names) > 0 {
		s += ", running " + strings.Join(names[:min(most, len(names))], ", ")
	}
	if len(names) > most {
		s += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return s
}

// count is "1 test" or "2 tests".
func count(n int) string {
	if n == 1 {
		return "1 test"
	}
	return fmt.Sprintf("%d tests", n)
}
