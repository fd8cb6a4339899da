package wire

import (
	"crypto/x509"
	"os"
	"runtime/debug"
	"strconv"
)

// rootBundle has the root certificates of Amazon Linux 2023, on which the
// functions run, in one file.
const rootBundle = "/etc/pki/tls/certs/ca-bundle.crt"

// TuneProcess sets up this process for Lambda. Main calls it first.
func TuneProcess(getenv func(string) string) {
	readRoots(getenv, rootBundle)
	collectLate(getenv)
}

// readRoots reads the root certificates from bundle, if it exists, unless
// SSL_CERT_FILE or SSL_CERT_DIR is set.
//
// It reads them in the background, during init, when Lambda grants a function
// its whole processor. By default Go reads a bundle and every file of two
// directories, and on Amazon Linux 2023 these have each root three times
// (golang/go#79018).
func readRoots(getenv func(string) string, bundle string) {
	if getenv("SSL_CERT_FILE") == "" && getenv("SSL_CERT_DIR") == "" {
		if _, err := os.Stat(bundle); err == nil {
			// Go reads both variables when it first uses the roots. If they
			// cannot be set, its defaults apply.
			_ = os.Setenv("SSL_CERT_FILE", bundle)
			_ = os.Setenv("SSL_CERT_DIR", os.DevNull)
		}
	}
	// The first handshake waits for this, and reports the error.
	go func() { _, _ = x509.SystemCertPool() }()
}

// collectLate makes Go collect garbage only once much of the function's memory
// is in use, unless GOGC is set. GOMEMLIMIT, if it is set, says how much. By
// default Go collects garbage each time the heap has doubled. A function of a
// few megabytes would then collect twice within its first invocation.
func collectLate(getenv func(string) string) {
	if getenv("GOGC") != "" {
		return
	}
	if getenv("GOMEMLIMIT") == "" {
		limit := memoryLimit(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
		if limit == 0 {
			return // not in Lambda
		}
		debug.SetMemoryLimit(limit)
	}
	debug.SetGCPercent(-1)
}

// memoryLimit returns how many bytes the Go runtime may use before it collects
// garbage: two fifths of the function's memory, whose size Lambda states in
// megabytes. The binary and the operating system need part of the rest. The
// heap may also exceed the limit, if all of it is in use. The result is 0 if the
// size cannot be parsed.
func memoryLimit(megabytes string) int64 {
	n, err := strconv.ParseInt(megabytes, 10, 32)
	if err != nil || n <= 0 {
		return 0
	}
	return n << 20 * 2 / 5
}
