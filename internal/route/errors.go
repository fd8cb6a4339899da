package route

import (
	"strings"

	"github.com/amperity-runs/amperity-runs/internal/route/source"
)

// RoutesError lists every fault of a routes file, in the order of the file.
type RoutesError struct {
	Faults []source.Fault
}

// Error returns the faults on one line, as it is in logs and in Lambda's
// errorMessage.
func (e *RoutesError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return strings.Join(lines, "; ")
}
