package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseInitTrace(t *testing.T) {
	t.Parallel()
	got := parseInitTrace(`init runtime @0.10 ms, 0.13 ms clock, 0 bytes, 0 allocs
{"time":"2026-11-22T06:00:00Z","level":"INFO","msg":"ready"}
init
init example.com/x @1 ms, many ms clock, 1 bytes, 1 allocs
init github.com/aws/aws-sdk-go-v2/service/eventbridge/schemas @1.9 ms, 0.51 ms clock, 391224 bytes, 4321 allocs
`)
	want := []initCost{
		{"runtime", 130 * time.Microsecond, 0},
		{"github.com/aws/aws-sdk-go-v2/service/eventbridge/schemas", 510 * time.Microsecond, 391224},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseInitTrace(f *testing.F) {
	f.Add("init runtime @0.10 ms, 0.13 ms clock, 0 bytes, 0 allocs\n")
	f.Add("init a b c d e f bytes, g h i\n")
	f.Fuzz(func(t *testing.T, s string) {
		for _, c := range parseInitTrace(s) {
			if c.Package == "" {
				t.Errorf("a cost of no package: %+v", c)
			}
		}
	})
}
