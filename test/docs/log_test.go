package docs

import (
	"bytes"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/test/scale"
)

// The documentation shows the lines that the functions write for a file which
// lands as the README describes, with the README's routes.
func TestLogLinesInTheDocumentation(t *testing.T) {
	t.Parallel()
	w, err := scale.New(sampleRoutes(t))
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	w.Logger = func(function string) *slog.Logger {
		return telemetry.NewLogger(&log, slog.LevelInfo, slog.String(telemetry.Function, function))
	}
	// line is the line with a message that has come since the last call.
	line := func(msg string) string {
		defer log.Reset()
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, `"msg":"`+msg+`"`) {
				return line
			}
		}
		t.Fatalf("no line %q in\n%s", msg, &log)
		return ""
	}
	lines := map[string]string{}

	w.Paused = true
	arrivals, err := w.Arrivals()
	if err != nil {
		t.Fatal(err)
	}
	batch, err := scale.Batch([]string{scale.Event("orders/2026/11/22/orders_1.csv.gz", "0055AED6DCD90281E5", w.Clock.Now())})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := arrivals.Invoke(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	lines["window"] = line("window")
	for _, state := range []string{"paused", "started"} {
		w.Paused = state == "paused"
		sweep, err := w.Sweep()
		if err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(6 * time.Minute)
		if _, err := sweep.Invoke(w.Limit(t.Context(), time.Minute), []byte("{}")); err != nil {
			t.Fatal(err)
		}
		lines[state] = line("launch")
	}

	varying := regexp.MustCompile(`"(time|looks_again|run_id)":"[^"]*"`)
	found := 0
	for _, b := range blocks(t) {
		state, ok := strings.CutPrefix(strings.TrimSuffix(b.Before, " -->"), "<!-- log: ")
		if !ok {
			continue
		}
		found++
		got, ok := lines[state]
		if !ok {
			t.Fatalf("%s: nobody makes the line %q", b.Place(), state)
		}
		if i := strings.Index(got, `,"_aws"`); i >= 0 {
			got = got[:i]
		}
		want, _, _ := strings.Cut(strings.TrimSpace(b.Text), ", …")
		if diff := cmp.Diff(varying.ReplaceAllString(want, `"$1":"…"`), varying.ReplaceAllString(strings.TrimSpace(got), `"$1":"…"`)); diff != "" {
			t.Errorf("%s: (-documentation +real)\n%s\n%s", b.Place(), diff, got)
		}
	}
	if found != len(lines) {
		t.Errorf("found %d lines of the log, not %d", found, len(lines))
	}
}
