package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSimulatorMisuse(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"again"}, `unexpected argument "again": it takes flags only`},
		{[]string{"--addr", "8089"}, `--addr "8089" is not HOST:PORT, for example 127.0.0.1:8089`},
		{[]string{"--addr", "0.0.0.0:8089"}, "--addr 0.0.0.0:8089 can be reached from other machines, and the token may be public: add --listen-anywhere if that is what you want"},
		{[]string{"--rate-limit", "-1"}, "--rate-limit -1 is negative: 0 means no limit"},
		{[]string{"--run-time", "-1s"}, "--run-time -1s is negative"},
		{[]string{"--fault-probability", "NaN", "--fault", `{"kind":"reset"}`}, "--fault-probability NaN is not between 0 and 1"},
		{[]string{"--fault-probability", "0.5"}, "--fault-probability needs a --fault"},
	} {
		if _, err := parseSimulator(row.args); err == nil || err.Error() != row.want {
			t.Errorf("%q: %v, want %s", row.args, err, row.want)
		}
	}
	if o, err := parseSimulator([]string{"--addr", "0.0.0.0:8089", "--listen-anywhere"}); err != nil || o.addr != "0.0.0.0:8089" {
		t.Errorf("all interfaces, as asked for: %v", err)
	}
}

func TestTakenPortIsExplained(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	var stderr strings.Builder
	code := runSimulator(t.Context(), []string{"--addr", taken.Addr().String()}, io.Discard, &stderr)
	const want = "; another program has this port: choose another with --addr, or a free one with --addr 127.0.0.1:0\n"
	if code != 1 || !strings.HasSuffix(stderr.String(), want) {
		t.Errorf("exit code %d, %s", code, &stderr)
	}
}

func TestReadTokenFile(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, content, want, wantErr string
	}{
		{name: "a token alone", content: "tok-xSECRETx-1", want: "tok-xSECRETx-1"},
		{name: "a token and the end of its line", content: "tok-xSECRETx-1\r\n", want: "tok-xSECRETx-1"},
		{name: "only blanks", content: " \n", wantErr: "FILE is empty: put the access token into it"},
		{name: "two words", content: "a b", wantErr: "FILE has more than one word: put only the access token into it"},
		{name: "too large", content: strings.Repeat("x", maxTokenFile+1), wantErr: "FILE is larger than 65536 bytes, so it is not an access token"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			name := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(name, []byte(row.content), 0o600); err != nil {
				t.Fatal(err)
			}
			token, err := readTokenFile(name)
			got := ""
			if err != nil {
				got = strings.ReplaceAll(err.Error(), name, "FILE")
			}
			if got != row.wantErr {
				t.Errorf("error %q, want %q", got, row.wantErr)
			}
			if token.Reveal() != row.want {
				t.Error("not the token that is in the file")
			}
		})
	}
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.1.2.3": true, "::1": true, "localhost": true,
		"": false, "0.0.0.0": false, "::": false, "192.0.2.1": false, "example.com": false,
	} {
		if got := isLoopback(host); got != want {
			t.Errorf("isLoopback(%q) = %v", host, got)
		}
	}
}
