// Package docs tests the documentation: its commands are run, its tables are
// held against the code and the template, its samples are read by the parsers
// that they are for.
package docs
