package arrival

import (
	"fmt"
	"strings"
)

// Fault is one thing wrong with a routes file, or worth a warning.
type Fault struct {
	// File is the file's name as the caller gave it.
	File string
	// Line and Column count from 1; a column is a character, not a byte.
	Line, Column int
	// Message says what is wrong and what to write instead.
	Message string
}

// String gives "routes.yaml:12:5: message".
func (f Fault) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
}

// RoutesError lists everything that is wrong with a routes file, in the order
// of the file.
type RoutesError struct {
	Faults []Fault
}

// Error gives one line for each fault.
func (e *RoutesError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Warnings lists what is allowed but probably not meant.
type Warnings []Fault
