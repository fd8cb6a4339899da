package stack

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// write makes a file below dir.
func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "broken/events/env.json", `{`)
	write(t, dir, "empty/events/env.json", `{}`)
	write(t, dir, "unbuilt/events/env.json", `{"TriggerFunction":{"PAUSED":"true"}}`)
	write(t, dir, "venv/lib/python3.12/site-packages/samcli/local/rapid/aws-lambda-rie-"+Architecture(), "")
	trigger := Functions()[0]
	never := func(context.Context) bool { return false }
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no handler", http.StatusBadGateway)
	}))
	t.Cleanup(refusing.Close)

	rows := []struct {
		name string
		err  func() error
		want string // DIR is the test's folder
	}{
		{"without the environment of make test", func() error {
			_, err := FromEnvironment(func(string) string { return "" })
			return err
		}, "AMPERITY_RUNS_E2E is not set: run make test, make invoke or make local, which set it"},
		{"an emulator for another system", func() error {
			_, err := Tools{}.emulator("darwin", "arm64")
			return err
		}, "the emulator of Lambda runs on Linux, on x86_64 and arm64, not on darwin/arm64: use sam local there"},
		{"an emulator for another processor", func() error {
			_, err := Tools{}.emulator("linux", "386")
			return err
		}, "the emulator of Lambda runs on Linux, on x86_64 and arm64, not on linux/386: use sam local there"},
		{"an environment without the emulator", func() error {
			_, err := Tools{venv: dir}.emulator("linux", "amd64")
			return err
		}, "no emulator of Lambda is at DIR/lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-x86_64: remove the virtual environment, so that make test makes it anew"},
		{"a sample of no function", func() error {
			_, err := FunctionOf("events/sweeper.json")
			return err
		}, `"sweeper.json" is a sample of no function: its name begins with none of trigger, s3arrival, sweep; give your own file such a name, as trigger-sweeper.json`},
		{"settings that are not JSON", func() error {
			_, err := LocalSettings(filepath.Join(dir, "broken"), trigger)
			return err
		}, "DIR/broken/events/env.json: unexpected end of JSON input"},
		{"settings of other functions", func() error {
			_, err := LocalSettings(filepath.Join(dir, "empty"), trigger)
			return err
		}, "DIR/empty/events/env.json has no settings of TriggerFunction"},
		{"an address that is taken", func() error {
			_, err := newFront(strings.TrimPrefix(refusing.URL, "http://"), "127.0.0.1:1")
			return err
		}, "nothing can stand before moto: listen tcp " + strings.TrimPrefix(refusing.URL, "http://") + ": bind: address already in use"},
		{"a program that is not there", func() error {
			_, err := start(t.Context(), "moto", exec.Command(filepath.Join(dir, "none")), nil, never)
			return err
		}, "moto does not start: fork/exec DIR/none: no such file or directory"},
		{"a program that ends", func() error {
			_, err := start(t.Context(), "moto", exec.Command("sh", "-c", "echo no port; exit 3"), nil, never)
			return err
		}, "moto ended at once: exit status 3; it wrote:\nno port\n"},
		{"a program that never answers", func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err := start(ctx, "moto", exec.Command("sleep", "60"), nil, never)
			return err
		}, "moto does not answer: context deadline exceeded; it wrote:\n"},
		{"an emulator that cannot run the function", func() error {
			_, err := (&Emulator{url: refusing.URL}).Invoke(t.Context(), nil)
			return err
		}, "the emulator answers 502 Bad Gateway: no handler\n"},
		{"a commit that is not in the clone", func() error {
			_, err := BuildCommit(t.Context(), dir, "27c3704", filepath.Join(dir, "cache"))
			history, ok := errors.AsType[*HistoryError](err)
			if !ok {
				return err
			}
			history.Err = errors.New("not a valid object") // git's own words
			return history
		}, "commit 27c3704 is not in this clone, so its functions cannot be built: run git fetch --unshallow (not a valid object)"},
		{"a command that fails", func() error {
			return command(t.Context(), dir, "sh", "-c", "echo no rule; exit 2")
		}, "sh -c: exit status 2: no rule"},
		{"a function's own error", func() error { return &FunctionError{Type: "BlockedError", Message: "busy"} }, "BlockedError: busy"},
		{"a message that is no event", func() error {
			_, err := decode([]string{"{"})
			return err
		}, "what EventBridge put into the queue is not an event: unexpected end of JSON input"},
	}
	if runtime.GOOS == "linux" && Architecture() != "" {
		rows = append(rows, struct {
			name string
			err  func() error
			want string
		}{"a function that is not built", func() error {
			w := &World{tools: Tools{venv: filepath.Join(dir, "venv")}}
			_, err := w.Emulate(t.Context(), filepath.Join(dir, "unbuilt"), trigger, nil, nil)
			return err
		}, "trigger is not built, run make build: stat DIR/unbuilt/build/trigger/bootstrap: no such file or directory"})
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			err := row.err()
			if err == nil || strings.ReplaceAll(err.Error(), dir, "DIR") != row.want {
				t.Errorf("got  %v\nwant %s", err, row.want)
			}
		})
	}
}
