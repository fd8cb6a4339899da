package announcement_test

import (
	"testing"
)

func TestTheSizeErrorSaysWhatToDo(t *testing.T) {
	t.Parallel()
	_, err := named(t, "files-unrouted").Encode(100)
	check(t, "message", "Amperity Files Unrouted: 340 bytes, the limit is 100; give a limit of 221184 or more, under which everything fits", err.Error())
}
