package sim

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

var (
	daysFlag  = flag.Int("days", 30, "how many days a simulated year has")
	yearsFlag = flag.Int("years", 1, "how many years to simulate, each with its own seed from -from on")
)

// mostAsked bounds how often an operator is asked in a year, without the holds
// that no search can end and those that routes ask for.
const mostAsked = 3

// TestYear counts how often an operator is asked in a year, or in a month
// unless -days says otherwise: in a tenant without other runs and in one with
// 30 an hour.
func TestYear(t *testing.T) {
	t.Parallel()
	var table strings.Builder
	rows := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(rows, "others/h\tseed\tlaunches\tasked\tby reason\tnot processed\tfirst runs\tlate: hold\tended alone\tdouble starts\twrong runs\tuntold runs\tPOSTs\treads\tlist pages\ttime")
	for _, others := range []int{0, 30} {
		for n := range *yearsFlag {
			seed := *fromFlag + uint64(n)
			t.Run(fmt.Sprintf("%d others an hour, seed %d", others, seed), func(t *testing.T) {
				began := time.Now()
				f := NewYear(seed, *daysFlag, others).happens()
				fmt.Fprintf(rows, "%d\t%d\t%d\t%d\t%s\t%d\t%d\t%d\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\n", others, seed, f.Launches, total(f.Asked), byName(f.Asked),
					f.Unprocessed, f.Firsts, f.Policy, byName(f.Alone), byName(f.Double), f.Wrong, f.Untold, f.Posts, f.Reads, f.Lists, time.Since(began).Round(time.Second/10))
				if f.Launches < yearConfigs**daysFlag {
					t.Errorf("%d launches in %d days, want at least %d a day", f.Launches, *daysFlag, yearConfigs)
				}
				if n := f.Double["hold"]; n > 0 {
					t.Errorf("%d launches have two runs although their if_unknown is hold", n)
				}
				if n := total(f.Asked); n > mostAsked {
					t.Errorf("the operator was asked %d times, want at most %d: %s", n, mostAsked, byName(f.Asked))
				}
				if f.Untold > 0 {
					t.Errorf("nobody was told of %d runs", f.Untold)
				}
				if f.Wrong > 0 {
					t.Errorf("%d launches were announced with the run of another", f.Wrong)
				}
				if f.Open > 0 {
					t.Errorf("%d launches have no end", f.Open)
				}
			})
		}
	}
	if err := rows.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d days. Assumptions:\n%s\n\nasked counts the holds that the operator answered. Apart from these are the holds of launches whose request was\nnever processed, those of first runs, and those that routes ask for (late: hold). A hold ended alone if a run was announced before the operator answered.\n\n%s", *daysFlag, yearAssumes, &table)
}

func total(n map[string]int) int {
	sum := 0
	for _, m := range n {
		sum += m
	}
	return sum
}
