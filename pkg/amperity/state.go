package amperity

import "strings"

// State is the state of a run or of a task. The set is open: Amperity may add
// states. It also spells one state in several ways ("In progress",
// "in-progress"), so compare with [State.Is], or switch on [State.Canonical].
type State string

// The states that Amperity documents for both runs and tasks. Its pages
// disagree with one another, so these lists are their union.
const (
	StateScheduled  State = "scheduled"
	StateStarted    State = "started"
	StateInProgress State = "in progress"
	StateStopping   State = "stopping"
	StateStopped    State = "stopped"
	StateSucceeded  State = "succeeded"
	StateFailed     State = "failed"
	StateCanceled   State = "canceled"
)

// The states that Amperity documents for runs alone.
const (
	StateRunningWithFailures State = "running with failures"
	StatePaused              State = "paused"
	StateCanceling           State = "canceling"
)

// The states that Amperity documents for tasks alone.
const (
	StateRunning    State = "running"
	StateFinalizing State = "finalizing"
	StateSkipped    State = "skipped"
	StateUpForRetry State = "up for retry"
)

// Is reports whether two states are equal, ignoring case, spaces, "-" and "_".
func (s State) Is(other State) bool { return s.fold() == other.fold() }

// Canonical returns the constant of this package for a known state, in any
// spelling. It returns any other state in lower case, without spaces, "-" and
// "_".
func (s State) Canonical() State {
	folded := s.fold()
	for _, known := range [...]State{
		StateScheduled, StateStarted, StateInProgress, StateStopping, StateStopped, StateSucceeded, StateFailed, StateCanceled,
		StateRunningWithFailures, StatePaused, StateCanceling,
		StateRunning, StateFinalizing, StateSkipped, StateUpForRetry,
	} {
		if known.fold() == folded {
			return known
		}
	}
	return State(folded)
}

// Terminal reports whether the state is an end: succeeded, failed, stopped or
// canceled. [Run.Ended] also looks at the end time.
func (s State) Terminal() bool {
	switch s.Canonical() {
	case StateSucceeded, StateFailed, StateStopped, StateCanceled:
		return true
	}
	return false
}

func (s State) fold() string {
	return strings.NewReplacer(" ", "", "-", "", "_", "").Replace(strings.ToLower(string(s)))
}

// RunType is what a run does. The set is open.
type RunType string

// The run types that the documentation names.
const (
	RunTypeCourierGroup RunType = "courier.group/run"
	RunTypeCampaign     RunType = "campaign.send"
)
