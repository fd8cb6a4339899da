package amperity

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"
)

// Run is one workflow run as Amperity returned it (Amperity API reference,
// "Workflow"). A field is zero if the response lacks it, or has it with another
// type than documented.
//
// Encoding a decoded Run returns the whole response, unknown fields included.
// Only insignificant space may differ. So a field that is set after decoding
// does not change the JSON. A Run that was not decoded is encoded from its
// fields.
type Run struct {
	// ID names the run: wf-….
	ID string `json:"id"`
	// State is the state of the run. Compare it with Is, or switch on
	// Canonical.
	State State `json:"state"`
	// Type is what the run does.
	Type RunType `json:"type"`
	// Name is the name of the configuration. Amperity does not return the
	// config id.
	Name string `json:"name"`
	// Tenant is the tenant id.
	Tenant string `json:"tenant"`
	// CreatedAt and EndedAt are when the run was created and when it ended.
	// EndedAt is zero while the run continues.
	CreatedAt time.Time `json:"created_at,omitzero"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	// PrincipalID, PrincipalName and PrincipalEmail name who started the
	// run: a user, or the API key of the token.
	PrincipalID    string `json:"principal_id,omitempty"`
	PrincipalName  string `json:"principal_name,omitempty"`
	PrincipalEmail string `json:"principal_email,omitempty"`
	// LaunchedVersion and CurrentVersion are versions of the tenant's
	// configuration: at the start of the run, and now.
	LaunchedVersion string `json:"launched_version,omitempty"`
	CurrentVersion  string `json:"current_version,omitempty"`
	// WarnAfter is how long the run may take before Amperity warns its
	// users (warn_after_ms). It is zero if it is not set.
	WarnAfter time.Duration `json:"-"`
	// Tasks are the run's tasks. The verbose view alone has them.
	Tasks []Task `json:"task_instances,omitempty"`
	// Error is why the run failed, or nil.
	Error *RunError `json:"error,omitempty"`

	raw json.RawMessage
}

// Ended reports whether the run has ended: its state is terminal, or it has an
// end time.
func (r *Run) Ended() bool { return r.State.Terminal() || !r.EndedAt.IsZero() }

// String returns a line for humans, such as "wf-…: failed: Orders: customer:
// …". Programs should not parse it.
func (r *Run) String() string {
	s := r.ID + ": " + string(r.State)
	if r.Name != "" {
		s += ": " + r.Name
	}
	if r.Error != nil {
		s += ": " + r.Error.String()
	}
	return s
}

// Raw returns the JSON object of the response, or nil for a Run that was not
// decoded.
func (r *Run) Raw() json.RawMessage { return slices.Clone(r.raw) }

// UnmarshalJSON decodes any JSON object. Unknown fields, unknown states and
// fields of an unexpected type are not errors. As is usual in encoding/json,
// null changes nothing.
func (r *Run) UnmarshalJSON(data []byte) error {
	o, err := decodeObject("a run", data)
	if o == nil {
		return err
	}
	*r = Run{
		ID:              o.text("id"),
		State:           State(o.text("state")),
		Type:            RunType(o.text("type")),
		Name:            o.text("name"),
		Tenant:          o.text("tenant"),
		CreatedAt:       o.time("created_at"),
		EndedAt:         o.time("ended_at"),
		PrincipalID:     o.text("principal_id"),
		PrincipalName:   o.text("principal_name"),
		PrincipalEmail:  o.text("principal_email"),
		LaunchedVersion: o.text("launched_version"),
		CurrentVersion:  o.text("current_version"),
		WarnAfter:       o.milliseconds("warn_after_ms"),
		Error:           o.runError("error"),
		raw:             slices.Clone(data),
	}
	for _, element := range o.array("task_instances") {
		var t Task
		if isObject(element) && t.UnmarshalJSON(element) == nil {
			r.Tasks = append(r.Tasks, t)
		}
	}
	return nil
}

// MarshalJSON returns the JSON of the response, or encodes the fields of a Run
// that was not decoded.
func (r Run) MarshalJSON() ([]byte, error) {
	if r.raw != nil {
		return slices.Clone(r.raw), nil
	}
	type plain Run
	return json.Marshal(struct {
		plain
		WarnAfterMS int64 `json:"warn_after_ms,omitempty"`
	}{plain(r), r.WarnAfter.Milliseconds()})
}

// Task is one task of a run (Amperity API reference, "Workflow",
// task_instances). It is decoded and encoded by the rules of Run.
type Task struct {
	// ID names the task: wft-…. Older responses call it task_instance_id.
	ID string `json:"id"`
	// Label is the task's name.
	Label string `json:"label,omitempty"`
	// State is the state of the task. Compare it with Is, or switch on
	// Canonical.
	State State `json:"state"`
	// Tenant is the tenant id.
	Tenant string `json:"tenant,omitempty"`
	// CreatedAt, StartedAt, EndedAt and StateChangedAt are zero until they
	// have happened.
	CreatedAt      time.Time `json:"created_at,omitzero"`
	StartedAt      time.Time `json:"started_at,omitzero"`
	EndedAt        time.Time `json:"ended_at,omitzero"`
	StateChangedAt time.Time `json:"state_changed_at,omitzero"`
	// ExecutionType is the service that runs the task, such as spark-sql or
	// databricks. The set is open.
	ExecutionType string `json:"execution_type,omitempty"`
	// RunID is the task's id at that service. WorkflowID is the id of the
	// Run.
	RunID      string `json:"run_id,omitempty"`
	WorkflowID string `json:"workflow_id,omitempty"`
	// TaskDefinitionID and TaskDefinitionType describe what the task does.
	TaskDefinitionID   string `json:"task_definition_id,omitempty"`
	TaskDefinitionType string `json:"task_definition_type,omitempty"`
	// Timeout is how long the task may take (timeout_ms). It is zero if it
	// is not set.
	Timeout time.Duration `json:"-"`
	// Error is why the task failed, or nil.
	Error *RunError `json:"error,omitempty"`

	raw json.RawMessage
}

// UnmarshalJSON decodes any JSON object, as that of Run does.
func (t *Task) UnmarshalJSON(data []byte) error {
	o, err := decodeObject("a task", data)
	if o == nil {
		return err
	}
	*t = Task{
		ID:                 o.text("id"),
		Label:              o.text("label"),
		State:              State(o.text("state")),
		Tenant:             o.text("tenant"),
		CreatedAt:          o.time("created_at"),
		StartedAt:          o.time("started_at"),
		EndedAt:            o.time("ended_at"),
		StateChangedAt:     o.time("state_changed_at"),
		ExecutionType:      o.text("execution_type"),
		RunID:              o.text("run_id"),
		WorkflowID:         o.text("workflow_id"),
		TaskDefinitionID:   o.text("task_definition_id"),
		TaskDefinitionType: o.text("task_definition_type"),
		Timeout:            o.milliseconds("timeout_ms"),
		Error:              o.runError("error"),
		raw:                slices.Clone(data),
	}
	if t.ID == "" {
		t.ID = o.text("task_instance_id")
	}
	return nil
}

// MarshalJSON returns the JSON of the response, or encodes the fields of a Task
// that was not decoded.
func (t Task) MarshalJSON() ([]byte, error) {
	if t.raw != nil {
		return slices.Clone(t.raw), nil
	}
	type plain Task
	return json.Marshal(struct {
		plain
		TimeoutMS int64 `json:"timeout_ms,omitempty"`
	}{plain(t), t.Timeout.Milliseconds()})
}

// RunError is why a run or a task failed. It is decoded and encoded by the
// rules of Run.
type RunError struct {
	// Attribution is the party at fault. It may be empty.
	Attribution Attribution `json:"attribution,omitempty"`
	// Type is where the error occurred, in words separated by periods and
	// slashes: "amperity.workflow.task.stitch/table".
	Type string `json:"type"`
	// Message describes the error for humans.
	Message string `json:"message"`
	// Data is anything else that Amperity returned with the error, or nil.
	Data json.RawMessage `json:"data,omitempty"`

	raw json.RawMessage
}

// String returns a line for humans, such as "customer: Found table in an
// invalid state. (amperity.workflow.task.stitch/table)".
func (e *RunError) String() string {
	s := e.Message
	if e.Attribution != "" {
		s = string(e.Attribution) + ": " + s
	}
	if e.Type != "" {
		s += " (" + e.Type + ")"
	}
	return s
}

// Attribution is the party at fault for an error. The set is open.
type Attribution string

// The documented attributions.
const (
	// AttributionCustomer needs a change of the configuration in Amperity.
	AttributionCustomer Attribution = "customer"
	// AttributionPlatform is often transient: another run helps.
	AttributionPlatform Attribution = "platform"
)

// UnmarshalJSON decodes any JSON object, as that of Run does.
func (e *RunError) UnmarshalJSON(data []byte) error {
	o, err := decodeObject("an error of a run", data)
	if o == nil {
		return err
	}
	*e = RunError{
		Attribution: Attribution(o.text("attribution")),
		Type:        o.text("type"),
		Message:     o.text("message"),
		raw:         slices.Clone(data),
	}
	if value := o["data"]; !bytes.Equal(value, []byte("null")) {
		e.Data = slices.Clone(value)
	}
	return nil
}

// MarshalJSON returns the JSON of the response, or encodes the fields of a
// RunError that was not decoded.
func (e RunError) MarshalJSON() ([]byte, error) {
	if e.raw != nil {
		return slices.Clone(e.raw), nil
	}
	type plain RunError
	return json.Marshal(plain(e))
}
