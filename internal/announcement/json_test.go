package announcement_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// asJSON returns a run in its published form.
func asJSON(t testing.TB, r *amperity.Run) string {
	t.Helper()
	raw, err := r.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestBoundedRunLosesAsLittleAsPossible(t *testing.T) {
	t.Parallel()
	nested := func(levels int) string { return strings.Repeat(`[`, levels) + strings.Repeat(`]`, levels) }
	const small = `{"task_instances":[{"id":"wft-1"}],"id":"wf-1","state":"failed","more":{"a":[1.50]},"error":{"type":"x","data":{"b":1}}}`
	for _, row := range []struct {
		promise, run string
		limit        int
		want         string
		cut          bool
	}{
		{"one that fits is as it came", small, len(small), small, false},
		{"a byte too long: its tasks go", small, len(small) - 1,
			`{"id":"wf-1","state":"failed","more":{"a":[1.50]},"error":{"type":"x","data":{"b":1}}}`, true},
		{"tasks go wherever they stand, and only those of the run itself", `{"a":1.50,"task_instances":[1],"id":"wf-1","b":{"task_instances":[]},"task_instances":2}`, 60,
			`{"a":1.50,"id":"wf-1","b":{"task_instances":[]}}`, true},
		{"too long without tasks: its well-known fields stay", small, 50, `{"id":"wf-1","state":"failed","error":{"type":"x"}}`, true},
		{"one without tasks goes to its well-known fields", `{"id":"wf-1","more":1}`, 21, `{"id":"wf-1"}`, true},
		{"a reduced one may be longer than was asked", `{"id":"wf-1","more":1}`, 1, `{"id":"wf-1"}`, true},

		{"what is written longer elsewhere counts as that", `{"id":"wf-1","more":"<&>"}`, 40, `{"id":"wf-1"}`, true},
		{"and fits if it fits so", `{"id":"wf-1","more":"<&>"}`, 41, `{"id":"wf-1","more":"<&>"}`, false},
		{"tasks that nest too deep go", `{"id":"wf-1","task_instances":` + nested(899) + `,"more":1}`, 10_000, `{"id":"wf-1","more":1}`, true},
		{"another field that does takes the unknown ones along", `{"id":"wf-1","task_instances":[],"deep":` + nested(899) + `,"more":1}`, 10_000, `{"id":"wf-1"}`, true},
		{"as deep as may be is kept", `{"id":"wf-1","deep":` + nested(898) + `}`, 10_000, `{"id":"wf-1","deep":` + nested(898) + `}`, false},

		{"a large integer among the tasks goes with them", `{"id":"wf-1","task_instances":[{"n":9223372036854775808}],"more":1}`, 10_000, `{"id":"wf-1","more":1}`, true},
		{"one in a well-known field goes alone", `{"id":"wf-1","state":"failed","warn_after_ms":9223372036854775808}`, 10_000, `{"id":"wf-1","state":"failed"}`, true},
		{"a text of digits is no integer", `{"id":"wf-1","more":"9223372036854775808"}`, 10_000, `{"id":"wf-1","more":"9223372036854775808"}`, false},

		{"an error that is no object is left empty", `{"id":"wf-1","error":"bad","more":1}`, 20, `{"id":"wf-1","error":{}}`, true},
		{"an id is kept up to 512 bytes", `{"id":"` + strings.Repeat("i", 513) + `"}`, 100, `{"id":"` + strings.Repeat("i", 509) + `…"}`, true},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			given := run(t, row.run)
			got, cut := announcement.BoundedRun(given, row.limit)
			check(t, "run", row.want, asJSON(t, got))
			check(t, "cut", row.cut, cut)
			check(t, "the run given is untouched", row.run, asJSON(t, given))
		})
	}
}

func TestABoundedRunThatCannotBeJSONKeepsItsID(t *testing.T) {
	t.Parallel()
	// This run is built by hand, because a decoded run is always JSON.
	for _, r := range []*amperity.Run{
		{ID: "wf-1", Name: "n", Error: &amperity.RunError{Data: json.RawMessage(`{"half":`)}},
		{ID: "wf-1", Tasks: []amperity.Task{{Error: &amperity.RunError{Data: json.RawMessage(`{`)}}}, Error: &amperity.RunError{Data: json.RawMessage(`]`)}},
	} {
		got, cut := announcement.BoundedRun(r, 10_000)
		check(t, "run", `{"id":"wf-1"}`, asJSON(t, got))
		check(t, "cut", true, cut)
	}
}

func TestBoundedRunWithoutRawJSONKeepsItsFields(t *testing.T) {
	t.Parallel()
	r := &amperity.Run{ID: "wf-1", Name: "<Returns> & more", State: amperity.StateFailed, Tasks: []amperity.Task{{ID: strings.Repeat("t", 1000)}}}
	whole, cut := announcement.BoundedRun(r, 10_000)
	check(t, "cut", false, cut)
	check(t, "the run given is the answer", true, whole == r)
	smaller, cut := announcement.BoundedRun(r, 500)
	check(t, "cut", true, cut)
	check(t, "name", r.Name, smaller.Name)
	check(t, "state", r.State, smaller.State)
	check(t, "tasks", 0, len(smaller.Tasks))
}

// FuzzBoundedRun: a bounded run is JSON that EventBridge processes, and has its
// id.
func FuzzBoundedRun(f *testing.F) {
	f.Add([]byte(answer), uint16(100))
	f.Add([]byte(`{"id":"wf-1","task_instances":[[[[]]]],"error":{"message":"x"},"x":1e999}`), uint16(30))
	f.Add([]byte("{\"id\":\"wf-1\",\"more\":\"a\xff\xfeb\"}"), uint16(5))
	f.Fuzz(func(t *testing.T, raw []byte, limit uint16) {
		r := new(amperity.Run)
		if json.Unmarshal(raw, r) != nil || r.ID == "" {
			return
		}
		got, cut := announcement.BoundedRun(r, int(limit))
		if got == nil {
			t.Fatal("no run is left")
		}
		if got.ID == "" {
			t.Errorf("the id is lost: %s", asJSON(t, got))
		}
		if !cut && got != r {
			t.Error("changed, and does not say so")
		}
		if n := len(asJSON(t, got)); n > int(limit) && n > 12_000 {
			t.Errorf("%d bytes are left of a run that may have %d", n, limit)
		}
		// An event does not cut the bounded run again.
		a := announcement.Announcement{Type: announcement.RunStarted, Detail: announcement.Detail{Run: got}}
		detail, err := a.Encode(announcement.DefaultLimit)
		if err != nil {
			t.Fatal(err)
		}
		if cut && strings.Contains(string(detail), `"truncated"`) {
			t.Errorf("cut again: %.300s", detail)
		}
	})
}
