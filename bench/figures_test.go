package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSpreadOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		in   []int64
		want spread[int64]
	}{
		{"one sample is all three", []int64{7}, spread[int64]{7, 7, 7}},
		{"an odd number has its middle", []int64{9, 1, 5}, spread[int64]{5, 1, 9}},
		{"an even number has the lower of its two middles", []int64{4, 3, 2, 1}, spread[int64]{2, 1, 4}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := append([]int64{}, tt.in...)
			if diff := cmp.Diff(tt.want, spreadOf(tt.in)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(in, tt.in); diff != "" {
				t.Errorf("the samples were reordered:\n%s", diff)
			}
		})
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	var xs []int64
	for i := range int64(100) {
		xs = append(xs, 99-i)
	}
	for q, want := range map[float64]int64{0: 0, 0.5: 49, 0.99: 98, 1: 99} {
		if got := quantile(xs, q); got != want {
			t.Errorf("quantile %v is %d, want %d", q, got, want)
		}
	}
}

func TestMedianRatioGoesRoundByRound(t *testing.T) {
	t.Parallel()
	if got := medianRatio([]int64{2, 20, 3}, []int64{1, 10, 1}); got != 2 {
		t.Errorf("got %v", got)
	}
}

func TestAimsAreReachedUpToTheirLimit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		got  aim
		want aim
	}{
		{"at the limit above", atMost("init", 2.2, 2.2, "x"), aim{"init: at most 2.2x", "2.20x", true}},
		{"over the limit above", atMost("init", 2.21, 2.2, "x"), aim{"init: at most 2.2x", "2.21x", false}},
		{"at the limit below", atLeast("job", 20, 20, "x"), aim{"job: at least 20x", "20.00x", true}},
		{"under the limit below", atLeast("job", 19.9, 20, "x"), aim{"job: at least 20x", "19.90x", false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, tt.got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTablesAreAligned(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	printAims(&out, []aim{atMost("memory", 12.5, 20, " MB"), atLeast("speed", 3, 20, "x")})
	want := `
Aims
  aim                    measured
  memory: at most 20 MB  12.50 MB  reached
  speed: at least 20x    3.00x     MISSED
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestNoAimsNoTable(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	printAims(&out, nil)
	if out.String() != "" {
		t.Errorf("printed %q", out.String())
	}
}

func TestFiguresHaveUnits(t *testing.T) {
	t.Parallel()
	got := []string{
		ms(1500 * time.Microsecond),
		micros(1500 * time.Microsecond),
		megabytes(12_340_000),
		kilobytes(343_400),
		spreadMS(spread[time.Duration]{2 * time.Millisecond, time.Millisecond, 3500 * time.Microsecond}),
	}
	want := []string{"1.50 ms", "1500 µs", "12.3 MB", "343 kB", "2.00 ms (1.00 to 3.50)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
