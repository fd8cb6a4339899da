package main

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOperators(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body string
		want []string
	}{
		"a condition": {"if a == b {\n\tf()\n}", []string{
			"drop: if a == b {\n\tf()\n} -> \n\n", "negate: a == b -> a != b", "drop: f() -> ",
		}},
		"a condition that is a call": {"for ok() {\n}", []string{"drop: for ok() {\n} -> \n", "negate: ok() -> !(ok())"}},
		"a condition with not":       {"for !ok {\n}", []string{"drop: for !ok {\n} -> \n", "negate: !ok -> ok"}},
		"a case":                     {"switch {\ncase ok:\n}", []string{"drop: switch {\ncase ok:\n} -> \n\n", "negate: ok -> !(ok)"}},
		"both conditions": {"x := a && !b", []string{
			"connective: a && !b -> (a || !b)", "negate: a -> !(a)", "negate: !b -> b",
		}},
		"a boundary":         {"x := a < b", []string{"negate: a < b -> a >= b", "boundary: a < b -> a <= b"}},
		"a boundary of time": {"x := a.Before(b)", []string{"boundary: a.Before(b) -> !a.After(b)"}},
		"numbers":            {"x := 3 + 0", []string{"constant: 3 -> (3 + 1)", "constant: 3 -> (3 - 1)", "constant: 0 -> (0 + 1)"}},
		"a truth value":      {"x := true", []string{"constant: true -> false"}},
		"durations": {"x := f(2*time.Hour, time.Second)", []string{
			"constant: 2*time.Hour -> (2 * (2*time.Hour))", "constant: 2*time.Hour -> (0 * (2*time.Hour))",
			"constant: time.Second -> (2 * (time.Second))", "constant: time.Second -> (0 * (time.Second))",
		}},
		"statements": {"a = b\na++\ndefer f()\nc <- a\nreturn", []string{
			"drop: a = b -> ", "drop: a++ -> ", "drop: defer f() -> ", "drop: c <- a -> ", "drop: return -> ",
		}},
		"a declaration stays":      {"x := a\nvar y int", nil},
		"a text stays":             {"x := \"launch/\"", nil},
		"a capacity stays":         {"x := make([]int, 0, 3*n)", nil},
		"a length stays":           {"var x [4]byte", nil},
		"a log line stays":         {"l.Logger.Warn(\"x\", slog.Int(\"n\", 3))\nl.log(ctx, 3)\na = append(a, slog.Int(\"n\", 4))", nil},
		"a condition of log lines": {"if a == b {\n\tl.Logger.Warn(\"x\")\n}", nil},
		"a call before a log line": {"if err := f(ctx); err != nil {\n\tl.Logger.Warn(\"x\")\n}", []string{
			"drop: if err := f(ctx); err != nil {\n\tl.Logger.Warn(\"x\")\n} -> \n\n",
		}},
		"a call in the condition of a log line": {"if h.push(ctx) {\n\tl.Logger.Warn(\"x\")\n}", []string{
			"drop: if h.push(ctx) {\n\tl.Logger.Warn(\"x\")\n} -> \n\n",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := mutantsOf("p/x.go", []byte("package p\n\nfunc g() {\n"+tt.body+"\n}\n"))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range found {
				got = append(got, fmt.Sprintf("%s: %s -> %s", m.Operator, m.Was, m.Becomes))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestFunctionsThatOnlyTell: nobody tests the wording of a log line by what the
// code does.
func TestFunctionsThatOnlyTell(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"log": true, "logWindow": true, "Error": true, "doubtfulText": true, "blockedHint": true,
		"logical": false, "look": false, "launch": false, "errors": false,
	} {
		if got := onlyTells.MatchString(name); got != want {
			t.Errorf("%s: %t, want %t", name, got, want)
		}
	}
}

func TestAMutantKeepsTheLinesAfterIt(t *testing.T) {
	t.Parallel()
	found, err := mutantsOf("p/x.go", []byte("package p\n\nfunc g() {\n\tif a {\n\t\tf()\n\t}\n\tb = c\n}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("package p\n\nfunc g() {\n\t\n\n\n\tb = c\n}\n", string(found[0].text())); diff != "" {
		t.Error(diff)
	}
	if got, want := found[0].place(), "p/x.go:4:2"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestASeedDrawsTheSameMutants(t *testing.T) {
	t.Parallel()
	var all []mutant
	for i := range 100 {
		all = append(all, mutant{File: "p/x.go", Line: i})
	}
	lines := func(seed uint64) (ls []int) {
		for _, m := range draw(all, 10, seed, func(m mutant) bool { return m.Line%2 == 0 }) {
			ls = append(ls, m.Line)
		}
		return ls
	}
	a, b := lines(1), lines(1)
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
	if cmp.Equal(a, lines(2)) {
		t.Error("another seed draws the same")
	}
	if len(a) != 10 {
		t.Errorf("%d drawn", len(a))
	}
	for _, line := range a {
		if line%2 != 0 {
			t.Errorf("%d does not compile", line)
		}
	}
	if got := len(draw(all, 200, 1, func(mutant) bool { return true })); got != 100 {
		t.Errorf("%d drawn of 100", got)
	}
}
