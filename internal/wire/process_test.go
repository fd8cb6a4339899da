package wire

import (
	"math"
	"os"
	"runtime/debug"
	"testing"
)

func TestMemoryLimitIsAShareOfTheFunctionsMemory(t *testing.T) {
	t.Parallel()
	for size, want := range map[string]int64{
		"128": 53_687_091, "256": 107_374_182, "10240": 4_294_967_296,
		"": 0, "0": 0, "-1": 0, "much": 0, "99999999999": 0,
	} {
		if got := memoryLimit(size); got != want {
			t.Errorf("of %q MB: %d bytes, not %d", size, got, want)
		}
	}
}

// Not parallel: it changes this process.
func TestProcessIsTunedUnlessTheEnvironmentDoes(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		gc   int
		max  int64
	}{
		{"in Lambda", map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256"}, -1, 107_374_182},
		{"elsewhere", nil, 100, math.MaxInt64},
		{"GOGC is set", map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "GOGC": "100"}, 100, math.MaxInt64},
		{"GOMEMLIMIT is set", map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "GOMEMLIMIT": "9MiB"}, 100, math.MaxInt64},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			// Setenv restores both after the test.
			t.Setenv("SSL_CERT_FILE", "")
			t.Setenv("SSL_CERT_DIR", "")
			gc, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(math.MaxInt64)
			TuneProcess(func(name string) string { return test.env[name] })
			if got := debug.SetGCPercent(gc); got != test.gc {
				t.Errorf("garbage is collected at %d%%, not %d%%", got, test.gc)
			}
			if got := debug.SetMemoryLimit(limit); got != test.max {
				t.Errorf("the limit is %d bytes, not %d", got, test.max)
			}
		})
	}
}

// Not parallel: it sets variables of this process.
func TestRootsOfTheEnvironmentTakePrecedence(t *testing.T) {
	t.Setenv("SSL_CERT_FILE", "mine.pem")
	t.Setenv("SSL_CERT_DIR", "")
	TuneProcess(func(name string) string { return map[string]string{"SSL_CERT_FILE": "mine.pem"}[name] })
	if file, dir := os.Getenv("SSL_CERT_FILE"), os.Getenv("SSL_CERT_DIR"); file != "mine.pem" || dir != "" {
		t.Errorf("SSL_CERT_FILE is %q, and SSL_CERT_DIR %q", file, dir)
	}
}
