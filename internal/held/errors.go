package held

import "fmt"

// UnknownKeyError reports a command for a launch key that the ledger does not
// know.
type UnknownKeyError struct{ Key string }

func (e *UnknownKeyError) Error() string {
	return fmt.Sprintf("there is no launch %s in this stack: give the launch_key of the event", e.Key)
}

// AdoptError reports why a launch cannot adopt a run.
type AdoptError struct {
	Key, RunID string
	Problem    string
	Err        error
}

func (e *AdoptError) Error() string {
	return fmt.Sprintf("launch %s cannot adopt the run %s: %s", e.Key, e.RunID, e.Problem)
}

// Unwrap returns the client's error, if there is one.
func (e *AdoptError) Unwrap() error { return e.Err }

func otherTypeText(got, want string) string {
	return fmt.Sprintf("its type is %s, and this config id's runs have the type %s", got, want)
}

func notAskedText(hold int) string {
	return fmt.Sprintf("nothing was done: the launch does not wait for an answer to hold %d, or no longer does; this is its state", hold)
}

// The messages of commands that change nothing.
const (
	movedOnText = "nothing was done: its window has moved on, and has another launch"
	// implausibleText answers a release of files with implausible dates.
	implausibleText = "nothing was done: a run for these dates is never started; correct the names and upload the files again, " +
		"or start the run you want by hand, then discard this"
	implausibleAdoptText = "nothing was sent to Amperity for files with implausible dates: discard it"
	adoptText            = "nothing was sent to Amperity for this window: release it to start its run, or discard it"
)
