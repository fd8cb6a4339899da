package route

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/amperity-runs/amperity-runs/internal/route/source"
)

// Load reads and checks the routes file that the build packages with a
// function. A relative name counts from the folder of the running binary, where
// the build puts the file. Load logs the warnings. The error is a [*ReadError],
// or a [*RoutesError] with every fault of the file.
func Load(name string, buckets []string, logger *slog.Logger) (*Routes, error) {
	path := name
	if !filepath.IsAbs(path) {
		exe, err := os.Executable()
		if err != nil {
			return nil, &ReadError{Name: name, Err: err}
		}
		path = filepath.Join(filepath.Dir(exe), name)
	}
	f, err := os.Open(path) // #nosec G304 -- the deployment names the file
	if err != nil {
		return nil, &ReadError{Name: name, Err: err}
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, source.MaxSize+1))
	if err != nil {
		return nil, &ReadError{Name: name, Err: err}
	}
	routes, warnings, err := Parse(name, src, Options{Buckets: buckets})
	for _, w := range warnings {
		logger.Warn("routes file", slog.String("warning", w.String()))
	}
	if err != nil {
		return nil, err
	}
	return routes, nil
}

// ReadError reports that the routes file could not be read.
type ReadError struct {
	// Name is the file's name in the settings.
	Name string
	// Err is the cause.
	Err error
}

func (e *ReadError) Error() string {
	return fmt.Sprintf("ROUTES_FILE: cannot read %s: %v; the build copies routes*.yaml from the project's folder beside the function", e.Name, e.Err)
}

// Unwrap returns the cause.
func (e *ReadError) Unwrap() error { return e.Err }
