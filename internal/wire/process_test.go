package wire

import (
	"math"
	"os"
	"path/filepath"
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
func TestGarbageIsCollectedLateUnlessTheEnvironmentDecides(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		gc   int
		max  int64
	}{
		{"in Lambda", map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256"}, -1, 107_374_182},
		{"elsewhere", nil, 100, math.MaxInt64},
		{"GOGC is set", map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "GOGC": "100"}, 100, math.MaxInt64},
		{"GOMEMLIMIT is set", map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "GOMEMLIMIT": "9MiB"}, -1, math.MaxInt64},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			gc, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(math.MaxInt64)
			collectLate(func(name string) string { return test.env[name] })
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
func TestRootsAreReadFromTheBundleUnlessTheEnvironmentDecides(t *testing.T) {
	bundle := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(bundle, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name      string
		file, dir string // in the environment
		bundle    string
		wantFile  string
		wantDir   string
	}{
		{"on Amazon Linux", "", "", bundle, bundle, os.DevNull},
		{"elsewhere", "", "", bundle + ".missing", "", ""},
		{"SSL_CERT_FILE is set", "mine.pem", "", bundle, "mine.pem", ""},
		{"SSL_CERT_DIR is set", "", "mine", bundle, "", "mine"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			// Setenv restores both after the test.
			t.Setenv("SSL_CERT_FILE", test.file)
			t.Setenv("SSL_CERT_DIR", test.dir)
			readRoots(os.Getenv, test.bundle)
			if file, dir := os.Getenv("SSL_CERT_FILE"), os.Getenv("SSL_CERT_DIR"); file != test.wantFile || dir != test.wantDir {
				t.Errorf("SSL_CERT_FILE is %q, and SSL_CERT_DIR %q", file, dir)
			}
		})
	}
}
