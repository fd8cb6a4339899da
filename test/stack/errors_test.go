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

	"github.com/amperity-runs/amperity-runs/internal/golden"
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

func TestErrorNamesTheRemedy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "broken/events/env.json", `{`)
	write(t, dir, "empty/events/env.json", `{}`)
	write(t, dir, "unbuilt/events/env.json", `{"TriggerFunction":{"PAUSED":"true"}}`)
	write(t, dir, "venv/lib/python3.12/site-packages/samcli/local/rapid/aws-lambda-rie-"+Architecture(), "")
	trigger := Functions()[0]
	never := func(context.Context) bool { return false }
	failed := func(_ any, err error) error { return err }
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no handler", http.StatusBadGateway)
	}))
	t.Cleanup(refusing.Close)
	taken := strings.TrimPrefix(refusing.URL, "http://")
	_, missing := BuildCommit(t.Context(), dir, "27c3704", filepath.Join(dir, "cache"))
	if history, ok := errors.AsType[*HistoryError](missing); ok {
		history.Err = errors.New("git's own words")
	}
	soon, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var texts strings.Builder
	for _, row := range []struct {
		name string
		err  error
	}{
		{"without the environment of make test", failed(FromEnvironment(func(string) string { return "" }))},
		{"an emulator for another system", failed(Tools{}.emulator("darwin", "arm64"))},
		{"an emulator for another processor", failed(Tools{}.emulator("linux", "386"))},
		{"an environment without the emulator", failed(Tools{venv: dir}.emulator("linux", "amd64"))},
		{"a sample of no function", failed(FunctionOf("events/sweeper.json"))},
		{"settings that are not JSON", failed(LocalSettings(filepath.Join(dir, "broken"), trigger))},
		{"settings of other functions", failed(LocalSettings(filepath.Join(dir, "empty"), trigger))},
		{"a program that is not there", failed(start(t.Context(), "moto", exec.Command(filepath.Join(dir, "none")), nil, never))},
		{"a program that ends", failed(start(t.Context(), "moto", exec.Command("sh", "-c", "echo no port; exit 3"), nil, never))},
		{"a program that never answers", failed(start(soon, "moto", exec.Command("sleep", "60"), nil, never))},
		{"an address that is taken", failed(newFront(taken, "127.0.0.1:1"))},
		{"an emulator that cannot run the function", failed((&Emulator{url: refusing.URL}).Invoke(t.Context(), nil))},
		{"a commit that is not in the clone", missing},
		{"a command that fails", command(t.Context(), dir, "sh", "-c", "echo no rule; exit 2")},
		{"a message that is no event", failed(decode([]string{"{"}))},
	} {
		if row.err == nil {
			t.Errorf("%s: no error", row.name)
			continue
		}
		texts.WriteString(golden.Row(row.name, strings.NewReplacer(dir, "DIR", taken, "ADDRESS").Replace(row.err.Error())))
	}
	golden.Check(t, "testdata/errors.golden", texts.String())

	// Lambda's emulator runs only on Linux.
	if runtime.GOOS == "linux" && Architecture() != "" {
		w := &World{tools: Tools{venv: filepath.Join(dir, "venv")}}
		_, err := w.Emulate(t.Context(), filepath.Join(dir, "unbuilt"), trigger, nil, nil)
		if err == nil || !strings.HasPrefix(err.Error(), "trigger is not built, run make build: ") {
			t.Errorf("a function that is not built: %v", err)
		}
	}
}
