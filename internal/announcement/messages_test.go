package announcement_test

import (
	"testing"
)

func TestTheSizeErrorSaysWhatToDo(t *testing.T) {
	t.Parallel()
	_, err := examples(t)[5].announcement.Encode(100)
	check(t, "message", "Amperity Files Unrouted: 340 bytes, the limit is 100; give a limit of 131072 or more, under which everything fits", err.Error())
}
