package amperity

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// verboseRun is a run as the API reference shows it, with fields that this
// package does not know.
const verboseRun = `{
  "id": "wf-20240619-14418-6UhqSe", "state": "Running with failures", "type": "courier.group/run",
  "name": "Daily <1>", "tenant": "bridge",
  "created_at": "2025-04-18T15:33:51.724Z", "ended_at": "2025-04-18T11:34:00-04:00",
  "principal_id": "google-apps|a@b.com", "principal_name": "Justin Scott", "principal_email": "justin@b.com",
  "launched_version": "etv-20240210-12345-6AbCDE", "current_version": "etv-20240210-12345-6AbCDF",
  "warn_after_ms": 86400000, "future": {"n": 12345678901234567890, "x": [1.50, null]},
  "task_instances": [
    {"id": "wft-1", "label": "Sending", "state": "failed", "tenant": "bridge",
     "created_at": "2026-06-19T04:02:54.433Z", "started_at": "2026-06-19T04:02:55Z", "ended_at": "2026-06-19T04:03:10.094Z",
     "state_changed_at": "2026-06-19T04:03:11Z", "execution_type": "spark-sql", "run_id": "orb-1", "workflow_id": "wf-1",
     "task_definition_id": "etv-1", "task_definition_type": "stitch/table", "timeout_ms": 3600000,
     "error": {"attribution": "platform", "type": "a.b/c", "message": "Found table in an invalid state.", "data": {"t": 1}, "more": 1}},
    {"task_instance_id": "wft-2", "state": "skipped"},
    "a task of another kind"
  ],
  "error": {"attribution": "customer", "type": "amperity.workflow", "message": "No.", "data": null}
}`

func TestRunDecodesEveryDocumentedField(t *testing.T) {
	t.Parallel()
	var got Run
	if err := json.Unmarshal([]byte(verboseRun), &got); err != nil {
		t.Fatal(err)
	}
	at := func(s string) time.Time {
		parsed, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	want := Run{
		ID: "wf-20240619-14418-6UhqSe", State: "Running with failures", Type: RunTypeCourierGroup, Name: "Daily <1>", Tenant: "bridge",
		CreatedAt: at("2025-04-18T15:33:51.724Z"), EndedAt: at("2025-04-18T15:34:00Z"),
		PrincipalID: "google-apps|a@b.com", PrincipalName: "Justin Scott", PrincipalEmail: "justin@b.com",
		LaunchedVersion: "etv-20240210-12345-6AbCDE", CurrentVersion: "etv-20240210-12345-6AbCDF", WarnAfter: 24 * time.Hour,
		Tasks: []Task{
			{
				ID: "wft-1", Label: "Sending", State: StateFailed, Tenant: "bridge",
				CreatedAt: at("2026-06-19T04:02:54.433Z"), StartedAt: at("2026-06-19T04:02:55Z"),
				EndedAt: at("2026-06-19T04:03:10.094Z"), StateChangedAt: at("2026-06-19T04:03:11Z"),
				ExecutionType: "spark-sql", RunID: "orb-1", WorkflowID: "wf-1",
				TaskDefinitionID: "etv-1", TaskDefinitionType: "stitch/table", Timeout: time.Hour,
				Error: &RunError{Attribution: AttributionPlatform, Type: "a.b/c", Message: "Found table in an invalid state.", Data: json.RawMessage(`{"t": 1}`)},
			},
			{ID: "wft-2", State: StateSkipped},
		},
		Error: &RunError{Attribution: AttributionCustomer, Type: "amperity.workflow", Message: "No."},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Run{}, Task{}, RunError{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDecodedRunIsEncodedUnchanged(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		verboseRun, aRun, `{}`, ` {"id" : "a" } `, `{"id":"a","id":"b"}`, `{"ID":"a"}`,
		`{"id":7,"state":[],"created_at":"yesterday","ended_at":3,"warn_after_ms":"long","task_instances":{},"error":"no"}`,
	} {
		var run Run
		if err := json.Unmarshal([]byte(text), &run); err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		encoder := json.NewEncoder(&got)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(run); err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		if err := json.Compact(&want, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.String(), strings.TrimSuffix(got.String(), "\n")); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if raw := run.Raw(); !bytes.Equal(raw, bytes.TrimSpace([]byte(text))) {
			t.Errorf("Raw is %s for %s", raw, text)
		}
		raw := run.Raw()
		raw[0] = 'x'
		if run.Raw()[0] == 'x' {
			t.Error("Raw returns the run's own bytes, and not a copy")
		}
	}
}

func TestDecodedTasksAndErrorsAreEncodedUnchanged(t *testing.T) {
	t.Parallel()
	var run Run
	if err := json.Unmarshal([]byte(verboseRun), &run); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal([]any{run.Tasks[1], run.Tasks[0].Error, run.Error})
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"task_instance_id":"wft-2","state":"skipped"},` +
		`{"attribution":"platform","type":"a.b/c","message":"Found table in an invalid state.","data":{"t":1},"more":1},` +
		`{"attribution":"customer","type":"amperity.workflow","message":"No.","data":null}]`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestHandmadeRunIsEncodedFromItsFields(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	got, err := json.Marshal(&Run{
		ID: "wf-1", State: StateFailed, Type: RunTypeCampaign, Name: "n", Tenant: "acme", CreatedAt: at, WarnAfter: time.Second,
		Tasks: []Task{{ID: "wft-1", State: StateFailed, StartedAt: at, Timeout: time.Minute}},
		Error: &RunError{Type: "t", Message: "m", Data: json.RawMessage(`[1]`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"wf-1","state":"failed","type":"campaign.send","name":"n","tenant":"acme","created_at":"2026-11-22T05:00:00Z",` +
		`"task_instances":[{"id":"wft-1","state":"failed","started_at":"2026-11-22T05:00:00Z","timeout_ms":60000}],` +
		`"error":{"type":"t","message":"m","data":[1]},"warn_after_ms":1000}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestInvalidMillisecondsAreZero(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		`86400000`: 24 * time.Hour, `1500.7`: 1500 * time.Millisecond, `8.64e7`: 24 * time.Hour, `0`: 0,
		`-1`: 0, `-1.5`: 0, `9223372036854775807`: 0, `1e300`: 0, `9223372036855`: 0, `9223372036854`: 9223372036854 * time.Millisecond,
		`"5"`: 0, `null`: 0, `true`: 0, `{}`: 0,
	} {
		var run Run
		if err := json.Unmarshal([]byte(`{"warn_after_ms": `+text+` }`), &run); err != nil {
			t.Fatal(err)
		}
		if run.WarnAfter != want {
			t.Errorf("%s is %s, want %s", text, run.WarnAfter, want)
		}
	}
}

func TestNullChangesNoField(t *testing.T) {
	t.Parallel()
	run, task, failure := Run{ID: "r"}, Task{ID: "t"}, RunError{Message: "m"}
	for _, v := range []any{&run, &task, &failure} {
		if err := v.(json.Unmarshaler).UnmarshalJSON([]byte(" null ")); err != nil {
			t.Fatal(err)
		}
	}
	if run.ID != "r" || task.ID != "t" || failure.Message != "m" {
		t.Errorf("%+v %+v %+v", run, task, failure)
	}
}

func TestRunEndsByStateOrByEndTime(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		run   Run
		ended bool
	}{
		{Run{State: "Succeeded"}, true},
		{Run{State: "FAILED"}, true},
		{Run{State: "stopped"}, true},
		{Run{State: "canceled"}, true},
		{Run{State: "In progress"}, false},
		{Run{State: "running-with-failures"}, false},
		{Run{State: "Stopping"}, false},
		{Run{State: "Paused"}, false},
		{Run{State: "Canceling"}, false},
		{Run{State: "Up for retry"}, false},
		{Run{State: "a new state"}, false},
		{Run{}, false},
		{Run{State: "a new state", EndedAt: time.Unix(1, 0)}, true},
		{Run{State: "running", EndedAt: time.Unix(1, 0)}, true},
	} {
		if got := row.run.Ended(); got != row.ended {
			t.Errorf("%q, end time %v: ended %t", row.run.State, row.run.EndedAt, got)
		}
	}
}

func TestStatesIgnoreCaseSpaceDashAndUnderscore(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ state, canonical State }{
		{"In progress", StateInProgress}, {"in-progress", StateInProgress}, {"IN_PROGRESS", StateInProgress}, {"inProgress", StateInProgress},
		{"Running With Failures", StateRunningWithFailures}, {"succeeded", StateSucceeded}, {"Scheduled", StateScheduled},
		{"Paused", StatePaused}, {"Canceling", StateCanceling},
		{"Up for retry", StateUpForRetry}, {"up-for-retry", StateUpForRetry}, {"UP_FOR_RETRY", StateUpForRetry},
		{"Paused by-a_User", "pausedbyauser"}, {"", ""},
	} {
		if got := row.state.Canonical(); got != row.canonical || got.Canonical() != got {
			t.Errorf("%q becomes %q, then %q", row.state, got, got.Canonical())
		}
		if !row.state.Is(row.canonical) || !row.canonical.Is(row.state) || row.state.Is("stopped") {
			t.Errorf("%q is %q: %t", row.state, row.canonical, row.state.Is(row.canonical))
		}
	}
}
