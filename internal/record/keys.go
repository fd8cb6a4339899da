package record

import (
	"strconv"
	"strings"
)

// WindowOf returns the key of the window's item and the revision for the launch
// key of a window. It returns false for any other launch key.
func WindowOf(launchKey string) (key string, revision string, ok bool) {
	rest, ok := strings.CutPrefix(launchKey, "arrival/")
	i := strings.LastIndexByte(rest, '/')
	if !ok || i < 0 {
		return "", "", false
	}
	return WindowPrefix + rest[:i], rest[i+1:], true
}

// The prefixes of the keys of items, by kind.
const (
	LaunchPrefix = "launch/"
	WindowPrefix = "window/"
	ConfigPrefix = "config/"
	runPrefix    = "run/"
)

// LaunchKey returns the launch key of a window's launch.
func LaunchKey(configID, period string, revision int) string {
	return strings.Join([]string{"arrival", configID, period, strconv.Itoa(revision)}, "/")
}
