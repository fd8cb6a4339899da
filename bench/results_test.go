package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFiguresAreMediansOfTheRounds(t *testing.T) {
	t.Parallel()
	at := func(ms int, operation string) call {
		return call{Service: "x", Operation: operation, At: time.Unix(0, 0).Add(time.Duration(ms) * time.Millisecond), Distance: 2 * time.Millisecond}
	}
	calls := []call{at(0, connected), at(3, "a"), at(3, "b"), at(6, "c")}
	round := func(factor time.Duration) sample {
		return sample{Kind: cold, Init: factor * time.Millisecond, Invoke: 2 * factor * time.Millisecond, Total: 3 * factor * time.Millisecond,
			InitUsed: time.Millisecond, InvokeUsed: factor * time.Millisecond, Calls: calls, Handshakes: 1, Lookups: 2, Peak: int64(factor) * 1e6}
	}
	here, there := place{256, far}, place{}
	all := results{
		{"trigger", here, cold}:  {round(5), round(1), round(3)},
		{"trigger", here, warm}:  {{Kind: warm, Total: time.Millisecond, Invoke: time.Millisecond}},
		{"hello@a", there, cold}: {round(1)},
	}
	cells := []cell{{program: program{Name: "trigger"}, place: here}, {program: program{Name: "hello", Tree: "a"}, place: there}}
	var out strings.Builder
	all.print(&out, "As in an account", cells)
	want := `
As in an account: medians of 3; (n) of the requests or connections followed each other
  program  MB   Amperity        until answer  init     invoke   CPU init  CPU invoke  requests  connections  handshakes  look-ups  peak memory
  trigger  256  40ms      cold  9.00 ms       3.00 ms  6.00 ms  1.00 ms   3.00 ms     3 (2)     1            1           2         3.0 MB
  trigger  256  40ms      warm  1.00 ms                1.00 ms            0.00 ms     0         0            0           0         0.0 MB
  hello@a  -    0s        cold  3.00 ms       1.00 ms  2.00 ms  1.00 ms   1.00 ms     3 (2)     1            1           2         1.0 MB
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
