package route_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amperity-runs/amperity-runs/internal/route"
	"github.com/amperity-runs/amperity-runs/internal/route/source"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
)

func TestLoadReportsUnusableFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	logger := telemetry.NewLogger(&bytes.Buffer{}, slog.LevelInfo)

	missing := filepath.Join(dir, "none.yaml")
	_, err := route.Load(missing, nil, logger)
	want := "ROUTES_FILE: cannot read " + missing + ": open " + missing + ": no such file or directory; the build copies routes*.yaml from the project's folder beside the function"
	if err == nil || err.Error() != want || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got  %v\nwant %s", err, want)
	}

	var invalid *route.RoutesError
	if _, err := route.Load(write("bad.yaml", "version: 2\n"), nil, logger); !errors.As(err, &invalid) {
		t.Errorf("got %v", err)
	}
	if _, err := route.Load(write("big.yaml", "version: 1\nroutes: []\n"+strings.Repeat("#", source.MaxSize)), nil, logger); !errors.As(err, &invalid) {
		t.Errorf("got %v", err)
	}
	if routes, err := route.Load(write("good.yaml", "version: 1\nroutes:\n  - {name: a, config_id: cg-1, files: \"a/{yyyy}/{MM}/{dd}/*\"}\n"), nil, logger); err != nil || routes == nil {
		t.Errorf("got %v", err)
	}
}
