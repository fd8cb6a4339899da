package s3arrival

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/amperity-runs/amperity-runs/internal/arrival"
)

// LoadRoutes reads and checks the routes file. A relative name counts from the
// folder of the running binary, where the build puts it. Warnings are logged.
// The error is a [*RoutesFileError], or an [*arrival.RoutesError] with every
// fault of the file.
func LoadRoutes(name string, buckets []string, logger *slog.Logger) (*arrival.Routes, error) {
	path := name
	if !filepath.IsAbs(path) {
		exe, err := os.Executable()
		if err != nil {
			return nil, &RoutesFileError{Name: name, Err: err}
		}
		path = filepath.Join(filepath.Dir(exe), name)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, &RoutesFileError{Name: name, Err: err}
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, arrival.MaxRoutesFile+1))
	if err != nil {
		return nil, &RoutesFileError{Name: name, Err: err}
	}
	routes, warnings, err := arrival.ParseRoutes(name, src, arrival.Options{Buckets: buckets})
	for _, w := range warnings {
		logger.Warn("routes file", slog.String("warning", w.String()))
	}
	if err != nil {
		return nil, err
	}
	return routes, nil
}

// RoutesFileError says that the routes file could not be read.
type RoutesFileError struct {
	// Name is the file's name as the settings give it.
	Name string
	// Err is why.
	Err error
}

func (e *RoutesFileError) Error() string {
	return fmt.Sprintf("ROUTES_FILE: cannot read %s: %v; the build copies routes*.yaml from the project's folder beside the function", e.Name, e.Err)
}

// Unwrap returns why.
func (e *RoutesFileError) Unwrap() error { return e.Err }
