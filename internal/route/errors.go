package route

import (
	"strings"

	"github.com/amperity-runs/amperity-runs/internal/route/source"
)

// RoutesError lists every fault of a routes file, in the order of the file.
type RoutesError struct {
	Faults []source.Fault
}

// Error returns one line for each fault.
func (e *RoutesError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}
