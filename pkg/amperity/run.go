package amperity

import (
	"encoding/json"
	"time"
)

// Run is one workflow run, as Amperity answered it. Fields that the answer does not have, or has with an unexpected
// type, are zero; Raw and MarshalJSON still have them as they came.
type Run struct {
	ID                              string
	State                           State
	Type                            RunType
	Name, Tenant                    string
	CreatedAt, EndedAt              time.Time
	PrincipalID, PrincipalName      string
	PrincipalEmail                  string
	LaunchedVersion, CurrentVersion string
	// WarnAfter is warn_after_ms.
	WarnAfter time.Duration
	Tasks     []Task
	Error     *RunError

	raw json.RawMessage
}

// Over reports whether the run has ended: a terminal state, or an end time.
func (r *Run) Over() bool { return r.State.Terminal() || !r.EndedAt.IsZero() }

// Raw gives the JSON object as it came; nil for a Run that was not decoded.
func (r *Run) Raw() json.RawMessage { return r.raw }

// Without gives a copy of the run that lacks the named JSON fields, such as "task_instances".
func (r *Run) Without(fields ...string) *Run { c := *r; return &c }

// Task is one task of a run.
type Task struct {
	ID                                            string
	Label                                         string
	State                                         State
	CreatedAt, StartedAt, EndedAt, StateChangedAt time.Time
	ExecutionType                                 string
	RunID, WorkflowID, Tenant                     string
	TaskDefinitionID, TaskDefinitionType          string
	Timeout                                       time.Duration
	Error                                         *RunError

	raw json.RawMessage
}

// RunError is why a run or a task failed.
type RunError struct {
	Attribution Attribution
	Type        string
	Message     string
	Data        json.RawMessage

	raw json.RawMessage
}

// Attribution is whose fault an error is. The set is open.
type Attribution string

// The documented attributions.
const (
	// AttributionCustomer needs a change of configuration in Amperity.
	AttributionCustomer Attribution = "customer"
	// AttributionPlatform is often transient: running again helps.
	AttributionPlatform Attribution = "platform"
)
