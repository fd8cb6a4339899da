package source

import "fmt"

// Fault is one mistake in a routes file, or one warning.
type Fault struct {
	// File is the name of the file, as the caller passed it.
	File string
	// Line and Column count from 1. A column is a character, not a byte.
	Line, Column int
	// Message describes the mistake and what to write instead.
	Message string
}

// String returns "routes.yaml:12:5: message".
func (f Fault) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
}

// Warnings are about valid values that their author probably did not mean.
type Warnings []Fault
