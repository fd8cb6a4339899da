package amperity

import "strings"

// State is where a run or a task stands. The set is open: Amperity may add states, and writes the known ones
// differently in different places ("In progress", "in-progress"), so compare with Is, or switch on Canonical.
type State string

// The states of runs and of tasks that Amperity documents. Its pages disagree
// with one another, so this list is their union.
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

// Is reports whether two states are the same but for case, spaces, - and _.
func (s State) Is(other State) bool { return s.fold() == other.fold() }

// Canonical gives the constant of this package for a known state, however it is written; for another state its text in
// lower case without spaces, - and _.
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

// Terminal reports whether a run in this state is over: succeeded, failed, stopped or canceled.
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

// RunType is what a run does. The set is open; these are the two that the documentation names.
type RunType string

// The run types that the documentation names.
const (
	RunTypeCourierGroup RunType = "courier.group/run"
	RunTypeCampaign     RunType = "campaign.send"
)
