package main

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMedianIsASample(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		in   []int64
		want int64
	}{
		{"one sample", []int64{7}, 7},
		{"an odd number has its middle", []int64{9, 1, 5}, 5},
		{"an even number has the lower of its two middles", []int64{4, 3, 2, 1}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := slices.Clone(tt.in)
			if got := median(tt.in); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
			if diff := cmp.Diff(in, tt.in); diff != "" {
				t.Errorf("the samples were reordered:\n%s", diff)
			}
		})
	}
}

func TestMedianRatioGoesRoundByRound(t *testing.T) {
	t.Parallel()
	if got := medianRatio([]int64{2, 20, 3}, []int64{1, 10, 1}); got != 2 {
		t.Errorf("got %v", got)
	}
}

func TestFiguresHaveUnits(t *testing.T) {
	t.Parallel()
	got := []string{
		ms(1500 * time.Microsecond),
		megabytes(12_340_000),
	}
	want := []string{"1.50 ms", "12.3 MB"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
