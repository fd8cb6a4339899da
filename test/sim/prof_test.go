package sim

import "testing"

func BenchmarkHistory(b *testing.B) {
	seed := uint64(0)
	calls := 0
	for b.Loop() {
		seed++
		w := Random(seed, "", false)
		w.check()
		calls += w.calls
	}
	b.ReportMetric(float64(calls)/float64(b.N), "calls/history")
}
