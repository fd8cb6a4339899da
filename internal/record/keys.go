package record

import (
	"strconv"
	"strings"
)

// WindowOf gives the key of the window's item for a launch key of an arrival,
// and the revision; false for any other launch key.
func WindowOf(launchKey string) (key string, revision string, ok bool) {
	rest, ok := strings.CutPrefix(launchKey, "arrival/")
	i := strings.LastIndexByte(rest, '/')
	if !ok || i < 0 {
		return "", "", false
	}
	return WindowPrefix + rest[:i], rest[i+1:], true
}

// The kinds of items, as their keys begin.
const (
	LaunchPrefix = "launch/"
	WindowPrefix = "window/"
	ConfigPrefix = "config/"
	runPrefix    = "run/"
)

// LaunchKey is the key of a window's launch.
func LaunchKey(configID, period string, revision int) string {
	return strings.Join([]string{"arrival", configID, period, strconv.Itoa(revision)}, "/")
}
