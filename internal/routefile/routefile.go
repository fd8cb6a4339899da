// Package routefile reads the routes file that the build packages with a
// function, and names the windows of its routes for package launch.
package routefile

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/amperity-runs/amperity-runs/internal/arrival"
	"github.com/amperity-runs/amperity-runs/internal/record"
)

// Load reads and checks the routes file. A relative name counts from the
// folder of the running binary, where the build puts it. Warnings are logged.
// The error is a [*Error], or an [*arrival.RoutesError] with every
// fault of the file.
func Load(name string, buckets []string, logger *slog.Logger) (*arrival.Routes, error) {
	path := name
	if !filepath.IsAbs(path) {
		exe, err := os.Executable()
		if err != nil {
			return nil, &Error{Name: name, Err: err}
		}
		path = filepath.Join(filepath.Dir(exe), name)
	}
	f, err := os.Open(path) // #nosec G304 -- the deployment names the file
	if err != nil {
		return nil, &Error{Name: name, Err: err}
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, arrival.MaxRoutesFile+1))
	if err != nil {
		return nil, &Error{Name: name, Err: err}
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

// Window names the window of a route and a period, and says what the route says
// of it.
func Window(r *arrival.Route, p arrival.Period) record.WindowSpec {
	return record.WindowSpec{
		ConfigID: r.ConfigID, Period: p.String(), Route: r.Name,
		Rules: r.Rules(p), Request: r.Request(p), IfUnknown: record.IfUnknown(r.IfUnknown),
	}
}

// Error says that the routes file could not be read.
type Error struct {
	// Name is the file's name as the settings give it.
	Name string
	// Err is why.
	Err error
}

func (e *Error) Error() string {
	return fmt.Sprintf("ROUTES_FILE: cannot read %s: %v; the build copies routes*.yaml from the project's folder beside the function", e.Name, e.Err)
}

// Unwrap returns why.
func (e *Error) Unwrap() error { return e.Err }

// Lookup returns what finds the window of a config id and a period in the routes;
// false: they have none.
func Lookup(routes *arrival.Routes) func(configID, period string) (record.WindowSpec, bool) {
	return func(configID, period string) (record.WindowSpec, bool) {
		route, p := routes.Window(configID, period)
		if route == nil {
			return record.WindowSpec{}, false
		}
		return Window(route, p), true
	}
}
