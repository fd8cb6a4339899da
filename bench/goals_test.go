package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestGoalsAreReachedUpToTheirLimit(t *testing.T) {
	t.Parallel()
	most, least := goal{Claim: "init", Limit: 2.2, Unit: "x"}, goal{Claim: "speed", Limit: 20, Unit: "x", Least: true}
	for _, tt := range []struct {
		name         string
		goal         goal
		figure       float64
		text, judged string
	}{
		{"at the most", most, 2.2, "2.20x", "reached"},
		{"over the most", most, 2.21, "2.21x", "MISSED"},
		{"at the least", least, 20, "20.00x", "reached"},
		{"under the least", least, 19.9, "19.90x", "MISSED"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text, judged := tt.goal.verdict(tt.figure)
			if diff := cmp.Diff([]string{tt.text, tt.judged}, []string{text, judged}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestGoalsTakeRatiosWithinARound(t *testing.T) {
	t.Parallel()
	samples := func(totals ...time.Duration) (s []sample) {
		for _, total := range totals {
			s = append(s, sample{Total: total})
		}
		return s
	}
	at := place{256, far}
	m := measured{memory: 256, account: results{
		{"floor of trigger", at, cold}: samples(10, 100, 10),
		{"trigger@a", at, cold}:        samples(11, 110, 30),
		{"trigger@b", at, cold}:        samples(12, 120, 12),
	}, binaries: map[tree]int64{{Name: "a"}: 12_500_000}}
	var out strings.Builder
	printGoals(&out, m, []tree{{Name: "a"}, {Name: "b"}})
	want := `
Goals at 256 MB
  goal                                                       a                  b
  trigger cold, Amperity at 40 ms, over floor: at most 1.1x  1.10x     reached  1.20x    MISSED
  processor time in invoke, trigger cold: at most 7 ms       0.00 ms   reached  0.00 ms  reached
  binary of trigger: at most 12 MB                           12.50 MB  MISSED
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestNothingMeasuredPrintsNoGoals(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	printGoals(&out, measured{}, []tree{{}})
	if out.String() != "" {
		t.Errorf("printed %q", out.String())
	}
}
