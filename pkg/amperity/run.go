package amperity

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"
)

// Run is one workflow run as Amperity answered it (Amperity API reference, "Workflow"). A field that the answer lacks,
// or has with a type other than the documented one, is zero here; encoding the Run gives back the whole answer, with
// the fields that this package does not know, byte for byte but for insignificant space. A field set after decoding
// therefore does not show in the JSON; a Run that was not decoded is encoded from its fields.
type Run struct {
	// ID names the run: wf-….
	ID string `json:"id"`
	// State is where it stands; compare with Is or switch on Canonical.
	State State `json:"state"`
	// Type is what the run does.
	Type RunType `json:"type"`
	// Name is the name of what is run; the config id is not in the answer.
	Name string `json:"name"`
	// Tenant is the tenant id.
	Tenant string `json:"tenant"`
	// CreatedAt and EndedAt are when it started and ended; EndedAt is zero while it goes on.
	CreatedAt time.Time `json:"created_at,omitzero"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	// PrincipalID, PrincipalName and PrincipalEmail say who started it: a person, or the API key of the token.
	PrincipalID    string `json:"principal_id,omitempty"`
	PrincipalName  string `json:"principal_name,omitempty"`
	PrincipalEmail string `json:"principal_email,omitempty"`
	// LaunchedVersion and CurrentVersion name the state of the tenant's configuration, at the start and now.
	LaunchedVersion string `json:"launched_version,omitempty"`
	CurrentVersion  string `json:"current_version,omitempty"`
	// WarnAfter is how long the run may take before its users are warned (warn_after_ms); zero if not set.
	WarnAfter time.Duration `json:"-"`
	// Tasks are the run's tasks, in the verbose view only.
	Tasks []Task `json:"task_instances,omitempty"`
	// Error is why the run failed; nil if it did not.
	Error *RunError `json:"error,omitempty"`

	raw json.RawMessage
}

// Ended reports whether the run has ended: its state is terminal, or it has an end time.
func (r *Run) Ended() bool { return r.State.Terminal() || !r.EndedAt.IsZero() }

// String gives a line for people: "wf-…: failed: Orders: customer: …". It is not for programs.
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

// Raw gives the JSON object as it came; nil for a Run that was not decoded.
func (r *Run) Raw() json.RawMessage { return slices.Clone(r.raw) }

// UnmarshalJSON takes any JSON object: unknown fields and states, and known fields of an unexpected type, are no error.
// As is usual in encoding/json, null changes nothing.
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

// MarshalJSON gives the answer back as it came, or the fields of a Run that was not decoded.
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

// Task is one task of a run (Amperity API reference, "Workflow", task_instances). It is decoded and encoded by the same
// rules as Run.
type Task struct {
	// ID names the task: wft-…. Older answers call it task_instance_id.
	ID string `json:"id"`
	// Label is the task's name.
	Label string `json:"label,omitempty"`
	// State is where it stands; compare with Is or switch on Canonical.
	State State `json:"state"`
	// Tenant is the tenant id.
	Tenant string `json:"tenant,omitempty"`
	// CreatedAt, StartedAt, EndedAt and StateChangedAt are zero where they have not come yet.
	CreatedAt      time.Time `json:"created_at,omitzero"`
	StartedAt      time.Time `json:"started_at,omitzero"`
	EndedAt        time.Time `json:"ended_at,omitzero"`
	StateChangedAt time.Time `json:"state_changed_at,omitzero"`
	// ExecutionType is the service that runs the task: spark-sql, databricks and others; the set is open.
	ExecutionType string `json:"execution_type,omitempty"`
	// RunID is the id the execution service knows the task by; WorkflowID is the id of the Run.
	RunID      string `json:"run_id,omitempty"`
	WorkflowID string `json:"workflow_id,omitempty"`
	// TaskDefinitionID and TaskDefinitionType say what the task does.
	TaskDefinitionID   string `json:"task_definition_id,omitempty"`
	TaskDefinitionType string `json:"task_definition_type,omitempty"`
	// Timeout is how long the task may take (timeout_ms); zero if not set.
	Timeout time.Duration `json:"-"`
	// Error is why the task failed; nil if it did not.
	Error *RunError `json:"error,omitempty"`

	raw json.RawMessage
}

// UnmarshalJSON takes any JSON object, as Run does.
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

// MarshalJSON gives the task back as it came, or the fields of a Task that was not decoded.
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

// RunError is why a run or a task failed. It is decoded and encoded by the same rules as Run.
type RunError struct {
	// Attribution is whose fault it is; may be empty.
	Attribution Attribution `json:"attribution,omitempty"`
	// Type says where it occurred, in words parted by full stops: "amperity.workflow.task.stitch/table".
	Type string `json:"type"`
	// Message is for a person.
	Message string `json:"message"`
	// Data is whatever else Amperity gives with the error; nil if nothing.
	Data json.RawMessage `json:"data,omitempty"`

	raw json.RawMessage
}

// String gives a line for people: "customer: Found table in an invalid state. (amperity.workflow.task.stitch/table)".
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

// Attribution is whose fault an error is. The set is open.
type Attribution string

// The documented attributions.
const (
	// AttributionCustomer is mended by a change of the configuration in Amperity.
	AttributionCustomer Attribution = "customer"
	// AttributionPlatform is often transient: running again helps.
	AttributionPlatform Attribution = "platform"
)

// UnmarshalJSON takes any JSON object, as Run does.
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

// MarshalJSON gives the error back as it came, or the fields of a RunError that was not decoded.
func (e RunError) MarshalJSON() ([]byte, error) {
	if e.raw != nil {
		return slices.Clone(e.raw), nil
	}
	type plain RunError
	return json.Marshal(plain(e))
}
