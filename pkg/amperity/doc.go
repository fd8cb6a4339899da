// Package amperity is a client of the Amperity workflow API: start, read, list and stop workflow runs.
package amperity
