package source

import "fmt"

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

// Warnings lists what is allowed but probably not meant.
type Warnings []Fault
