package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// fixture is a module with one package. Its test knows what Bigger must return
// and nothing of Smaller. Count takes a loop's condition.
func fixture(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	write(t, root, "go.mod", "module fixture\n\ngo 1.26\n")
	write(t, root, "p/p.go", `package p

func Bigger(a, b int) int {
	if a > b {
		return a
	}
	return b
}

func Smaller(a, b int) int {
	if a < b {
		return a
	}
	return b
}

func Count(n int) (c int) {
	for n > 0 {
		n--
		c++
	}
	return c
}
`)
	write(t, root, "p/p_test.go", `package p

import "testing"

func TestBigger(t *testing.T) {
	t.Run("of two", func(t *testing.T) {
		if Bigger(1, 2) != 2 || Bigger(2, 1) != 2 {
			t.Error("not the bigger")
		}
	})
}

func TestCount(t *testing.T) {
	if Count(3) != 3 {
		t.Error("not three")
	}
}
`)
	return root
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

var own = stage{Name: "own", Args: []string{"{package}"}, Timeout: 5 * time.Second}

// at finds the mutants of the fixture by what they change.
func at(t *testing.T, root string, changes ...string) []mutant {
	t.Helper()
	c, err := newCompiler(root, []string{"p"})
	if err != nil {
		t.Fatal(err)
	}
	all, err := enumerate(root, "p", c.files["p"])
	if err != nil {
		t.Fatal(err)
	}
	var found []mutant
	for _, change := range changes {
		for _, m := range all {
			if m.Was+" -> "+m.Becomes == change {
				found = append(found, m)
			}
		}
	}
	if len(found) != len(changes) {
		t.Fatalf("%d mutants for %q", len(found), changes)
	}
	return found
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	root := fixture(t)
	for change, want := range map[string]verdict{
		"a > b -> a <= b": {Verdict: caught, Stage: "own", Test: "TestBigger/of_two"},
		"a > b -> a >= b": {Verdict: survived},
		"a < b -> a >= b": {Verdict: survived},
		"n > 0 -> n <= 0": {Verdict: caught, Stage: "own", Test: "TestCount"},
		"n-- -> ":         {Verdict: timedOut, Stage: "own", Test: "TestCount"},
		"0 -> (0 + 1)":    {Verdict: caught, Stage: "own", Test: "TestCount"},
		"c++ -> ":         {Verdict: caught, Stage: "own", Test: "TestCount"},
		"n > 0 -> n >= 0": {Verdict: caught, Stage: "own", Test: "TestCount"},
	} {
		t.Run(change, func(t *testing.T) {
			t.Parallel()
			m := at(t, root, change)[0]
			got, err := judge{root, []stage{own}}.judge(context.Background(), &m, "p")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(verdict{}, "Output", "Seconds")); diff != "" {
				t.Errorf("%s\n%s", diff, got.Output)
			}
		})
	}
}

func TestAMutantOfAnotherStageIsNotRun(t *testing.T) {
	t.Parallel()
	root := fixture(t)
	m := at(t, root, "a > b -> a <= b")[0]
	other := own
	other.Of = "q"
	got, err := judge{root, []stage{other}}.judge(context.Background(), &m, "p")
	if err != nil || got.Verdict != survived {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhatFailedInAnOutput(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		out  string
		want verdict
	}{
		"a test":                  {"--- FAIL: TestA (0.00s)\n    a_test.go:1: x\nFAIL\n", verdict{Verdict: caught, Test: "TestA"}},
		"a subtest":               {"--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/b (0.00s)\n        --- FAIL: TestA/b/c (0.00s)\n    --- FAIL: TestA/d (0.00s)\nFAIL\n", verdict{Verdict: caught, Test: "TestA/b/c"}},
		"a panic":                 {"panic: oops\n\ngoroutine 1 [running]:\n", verdict{Verdict: caught, Test: "panic: oops"}},
		"no memory":               {"fatal error: runtime: out of memory\n", verdict{Verdict: caught, Test: "fatal error: runtime: out of memory"}},
		"a timeout":               {"panic: test timed out after 1s\n\trunning tests:\n\t\tTestA (1s)\n", verdict{Verdict: timedOut, Test: "TestA"}},
		"a test before a timeout": {"--- FAIL: TestA (0.00s)\npanic: test timed out after 1s\n\trunning tests:\n\t\tTestB (1s)\n", verdict{Verdict: caught, Test: "TestA"}},
		"no build":                {"FAIL\tp [build failed]\n", verdict{Verdict: broken}},
		"no message":              {"exit status 1\n", verdict{Verdict: caught}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := read([]byte(tt.out))
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(verdict{}, "Output")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAResultHoldsAsLongAsItsSource(t *testing.T) {
	t.Parallel()
	root := fixture(t)
	mine := at(t, root, "a > b -> a <= b", "a < b -> a >= b")
	path := filepath.Join(root, "build", "results.jsonl")
	run := func(stages ...stage) (rows []row, judged int) {
		t.Helper()
		known, err := readResults(path, root, stages)
		if err != nil {
			t.Fatal(err)
		}
		before := lines(t, path)
		if rows, err = judgeAll(context.Background(), judge{root, stages}, mine, known, io.Discard); err != nil {
			t.Fatal(err)
		}
		return rows, lines(t, path) - before
	}
	rows, judged := run(own)
	if rows[0].Verdict != caught || rows[1].Verdict != survived || judged != 3 {
		t.Fatalf("%d lines, %+v", judged, rows)
	}
	again, judged := run(own)
	if diff := cmp.Diff(verdicts(rows), verdicts(again)); diff != "" || judged != 0 {
		t.Errorf("nothing changed, and %d lines were added: %s", judged, diff)
	}

	// A new test may catch what survived. What is caught stays so.
	write(t, root, "p/smaller_test.go", "package p\n\nimport \"testing\"\n\nfunc TestSmaller(t *testing.T) {\n\tif Smaller(1, 2) != 1 {\n\t\tt.Error(\"not the smaller\")\n\t}\n}\n")
	rows, judged = run(own)
	if rows[1].Verdict != caught || rows[1].Test != "TestSmaller" || judged != 2 {
		t.Errorf("%d lines, %+v", judged, rows[1].verdict)
	}

	// Other code is judged anew.
	write(t, root, "p/more.go", "package p\n")
	if _, judged = run(own); judged != 3 {
		t.Errorf("%d lines after a change of the code", judged)
	}
}

func verdicts(rows []row) (vs []verdict) {
	for _, r := range rows {
		vs = append(vs, r.verdict)
	}
	return vs
}

func lines(t *testing.T, path string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return bytes.Count(text, []byte("\n"))
}

func TestAStageThatFailsAnywayCatchesNothing(t *testing.T) {
	t.Parallel()
	root := fixture(t)
	write(t, root, "p/wrong_test.go", "package p\n\nimport \"testing\"\n\nfunc TestWrong(t *testing.T) { t.Error(\"wrong\") }\n")
	known, err := readResults(filepath.Join(root, "results.jsonl"), root, []stage{own})
	if err != nil {
		t.Fatal(err)
	}
	_, err = judgeAll(context.Background(), judge{root, []stage{own}}, at(t, root, "a > b -> a <= b"), known, io.Discard)
	if want := "the stage own fails without a mutant, for p: make it pass first\n"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestOnlyMutantsThatCompileAreDrawn(t *testing.T) {
	t.Parallel()
	root := fixture(t)
	o := options{drawn: true, n: 1000}
	chosen, err := choose(root, []string{"p"}, o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	dropped := map[string]bool{}
	for _, m := range chosen {
		if m.Operator == drop {
			dropped[m.Was] = true
		}
	}
	// Without its last return a function has no end.
	want := map[string]bool{"n--": true, "c++": true, "return a": true,
		"if a > b {\n\t\treturn a\n\t}": true, "if a < b {\n\t\treturn a\n\t}": true, "for n > 0 {\n\t\tn--\n\t\tc++\n\t}": true}
	if diff := cmp.Diff(want, dropped); diff != "" {
		t.Error(diff)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	err := writeTable(&b, []row{
		{mutant{File: "p/p.go", Line: 4, Col: 5, Operator: connective, Was: "a && b", Becomes: "(a || b)"}, verdict{Verdict: caught, Stage: "own", Test: "TestA"}},
		{mutant{File: "p/p.go", Line: 6, Col: 2, Operator: drop, Was: "f(`x`)"}, verdict{Verdict: survived}},
		{mutant{Name: "late", Operator: byHand, Why: "It is late."}, verdict{Verdict: timedOut, Stage: "random"}},
		{mutant{Name: "same", Operator: byHand, Why: "It is the same.", Equivalent: "Both are zero."}, verdict{Verdict: survived}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "| mutant | operator | change | verdict | by |\n|---|---|---|---|---|\n" +
		"| p/p.go:4:5 | connective | `a && b` → `(a \\|\\| b)` | caught | own: TestA |\n" +
		"| p/p.go:6:2 | drop | without `f('x')` | survived |  |\n" +
		"| late | by hand | It is late. | caught by the timeout | random |\n" +
		"| same | by hand | It is the same. | equivalent | Both are zero. |\n\n" +
		"caught: 1 of 4\ncaught by the timeout: 1 of 4\nequivalent: 1 of 4\nsurvived: 1 of 4\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestFlagsThatAreWrong(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"a shard of none": {[]string{"-shard", "3/2"}, "-shard 3/2: give i/n, with i from 1 to n"},
		"no shard":        {[]string{"-shard", "x"}, "-shard x: give i/n, with i from 1 to n"},
		"no stage":        {[]string{"-stages", "own,fast"}, "-stages own,fast: there is no stage fast; the stages are " + strings.Join(stageNames(stages), ", ")},
		"no expression":   {[]string{"-only", "("}, "-only (: error parsing regexp: missing closing ): `(`"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(tt.args, io.Discard)
			if err == nil || err.Error() != tt.want {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}
