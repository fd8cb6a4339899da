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
//
// The root certificates are read now, beside the rest of init: Lambda gives a
// function its whole processor until it asks for an invocation, and a share of
// it afterwards. They are read from one file: by default Go looks for them in all places of all distributions, and
// Amazon Linux 2023 has each root three times (golang/go#79018).
//
// The garbage is collected when much of the memory is in use, and not each time
// that the heap has doubled: a function of a few megabytes would collect twice
// within its first invocation.
//
// Variables of the environment that set the same take precedence: SSL_CERT_FILE
// and SSL_CERT_DIR, and GOGC or GOMEMLIMIT.
func TuneProcess(getenv func(string) string) {
	if getenv("SSL_CERT_FILE") == "" && getenv("SSL_CERT_DIR") == "" {
		if _, err := os.Stat(rootBundle); err == nil {
			// Go reads both at the first use of the roots. An error leaves its
			// defaults.
			_ = os.Setenv("SSL_CERT_FILE", rootBundle)
			_ = os.Setenv("SSL_CERT_DIR", os.DevNull)
		}
	}
	// The first handshake waits for this, and reports an error.
	go func() { _, _ = x509.SystemCertPool() }()

	if getenv("GOGC") == "" && getenv("GOMEMLIMIT") == "" {
		if limit := memoryLimit(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")); limit > 0 {
			debug.SetGCPercent(-1)
			debug.SetMemoryLimit(limit)
		}
	}
}

// memoryLimit returns how many bytes the Go runtime may use before it collects
// garbage: two fifths of a function's memory, given in megabytes as Lambda
// does. The binary and the operating system need some of the rest, and a heap
// that is in use whole may exceed the limit. The result is 0 if the size cannot
// be read.
func memoryLimit(megabytes string) int64 {
	n, err := strconv.ParseInt(megabytes, 10, 32)
	if err != nil || n <= 0 {
		return 0
	}
	return n << 20 * 2 / 5
}
