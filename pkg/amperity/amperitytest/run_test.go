package amperitytest

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

func TestRunMovesWithTheClock(t *testing.T) {
	t.Parallel()
	slow := Script{Name: "Nightly", Scheduled: time.Minute, Started: time.Minute, Duration: time.Hour}
	end := func(e End) Script { s := slow; s.End = e; return s }
	for _, row := range []struct {
		name   string
		script []Script
		states map[time.Duration]string
	}{
		{"by default a quick success", nil, map[time.Duration]string{
			0: "scheduled", time.Second: "started", 2 * time.Second: "in-progress",
			10*time.Second - 1: "in-progress", 10 * time.Second: "succeeded", time.Hour: "succeeded",
		}},
		{"ended as soon as it starts", []Script{{}}, map[time.Duration]string{0: "succeeded"}},
		{"succeeded", []Script{slow}, map[time.Duration]string{
			time.Minute - 1: "scheduled", time.Minute: "started", 2 * time.Minute: "in-progress", time.Hour: "succeeded",
		}},
		{"failed by the customer", []Script{end(FailedCustomer)}, map[time.Duration]string{time.Hour - 1: "in-progress", time.Hour: "failed"}},
		{"failed by the platform", []Script{end(FailedPlatform)}, map[time.Duration]string{time.Hour: "failed"}},
		{"stopped", []Script{end(Stopped)}, map[time.Duration]string{time.Hour: "stopped"}},
		{"canceled", []Script{end(Canceled)}, map[time.Duration]string{time.Hour: "canceled"}},
		{"never ending", []Script{end(Never)}, map[time.Duration]string{time.Hour: "in-progress", 1000 * time.Hour: "in-progress"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, clock := setup(t)
			if err := s.Script(courier, row.script...); err != nil {
				t.Fatal(err)
			}
			id := mustStart(t, s, courier)
			passed := time.Duration(0)
			for _, at := range slices.Sorted(maps.Keys(row.states)) {
				clock.Advance(at - passed)
				passed = at
				if got := stateOf(t, s, id); got != row.states[at] {
					t.Errorf("after %v: %s, want %s", at, got, row.states[at])
				}
			}
		})
	}
}

func TestServerDefaultsToTheMachineClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{NoSocket: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		client, err := amperity.New(DefaultTenant, amperity.StaticTokenSource(DefaultToken),
			amperity.WithBaseURL(s.URL()), amperity.WithTransport(s.Transport()))
		if err != nil {
			t.Fatal(err)
		}
		run, err := client.StartRun(t.Context(), amperity.RunRequest{ConfigID: courier})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []amperity.State{"scheduled", "in-progress", "succeeded"} {
			if run, err = client.GetRun(t.Context(), run.ID, ""); err != nil || run.State != want {
				t.Errorf("%v, %v; want %s", run, err, want)
			}
			time.Sleep(5 * time.Second)
		}
	})
}

func TestEachScriptServesOneRun(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	named := func(name string) Script { return Script{Name: name} }
	if err := s.Script("", named("any")); err != nil {
		t.Fatal(err)
	}
	if err := s.Script("cg-1", named("first"), named("second")); err != nil {
		t.Fatal(err)
	}
	var got []any
	start := func(configID string) { got = append(got, send(t, s, startOf(configID)).object(t)["name"]) }
	start("cg-1")
	start("cg-2")
	start("cg-1")
	start("cg-1")
	if err := s.Script("cg-1"); err != nil {
		t.Fatal(err)
	}
	start("cg-1")
	if diff := cmp.Diff([]any{"first", "any", "second", "second", "any"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestOverviewHasTheDocumentedKeysOnly(t *testing.T) {
	t.Parallel()
	s, clock := setup(t)
	id := mustStart(t, s, courier)
	going := map[string]any{
		"created_at": "2026-11-22T05:00:00.000Z", "id": id, "name": defaultName(courier),
		"state": "scheduled", "tenant": "acme", "type": "courier.group/run",
	}
	for _, query := range []string{"", "view=overview"} {
		if diff := cmp.Diff(going, send(t, s, get(runsPath+"/"+id, query)).object(t)); diff != "" {
			t.Error(diff)
		}
	}
	clock.Advance(time.Hour)
	over := maps.Clone(going)
	over["state"], over["ended_at"] = "succeeded", "2026-11-22T05:00:10.000Z"
	if diff := cmp.Diff(over, send(t, s, get(runsPath+"/"+id, "")).object(t)); diff != "" {
		t.Error(diff)
	}
}

func TestVerboseHasTasksAndError(t *testing.T) {
	t.Parallel()
	s, clock := setup(t)
	if err := s.Script(courier, Script{
		Name: "Nightly", Scheduled: time.Minute, Started: time.Minute, Duration: 62 * time.Minute, End: FailedPlatform,
		Tasks: []string{"Load", "Stitch", "Send"}, ErrorType: "amperity.task/lost", ErrorMessage: "A worker was lost.",
	}); err != nil {
		t.Fatal(err)
	}
	id := mustStart(t, s, courier)
	type step struct {
		Label, State, Ended string
		Failed              bool
	}
	look := func() (steps []step, err any) {
		v := send(t, s, get(runsPath+"/"+id, "view=verbose")).object(t)
		for _, each := range v["task_instances"].([]any) {
			task := each.(map[string]any)
			ended, _ := task["ended_at"].(string)
			steps = append(steps, step{task["label"].(string), task["state"].(string), ended, task["error"] != nil})
			if task["workflow_id"] != id || task["tenant"] != "acme" {
				t.Errorf("task %v", task)
			}
		}
		return steps, v["error"]
	}
	check := func(at string, want []step, wantErr any) {
		t.Helper()
		steps, err := look()
		if diff := cmp.Diff(want, steps); diff != "" {
			t.Errorf("%s: %s", at, diff)
		}
		if diff := cmp.Diff(wantErr, err); diff != "" {
			t.Errorf("%s: %s", at, diff)
		}
	}
	check("scheduled", nil, nil)
	clock.Advance(2 * time.Minute)
	check("begun", []step{{"Load", "running", "", false}}, nil)
	clock.Advance(30 * time.Minute)
	check("half", []step{{"Load", "succeeded", "2026-11-22T05:22:00.000Z", false}, {"Stitch", "running", "", false}}, nil)
	clock.Advance(30 * time.Minute)
	check("over", []step{
		{"Load", "succeeded", "2026-11-22T05:22:00.000Z", false},
		{"Stitch", "succeeded", "2026-11-22T05:42:00.000Z", false},
		{"Send", "failed", "2026-11-22T06:02:00.000Z", true},
	}, map[string]any{"type": "amperity.task/lost", "message": "A worker was lost.", "attribution": "platform"})
}

func TestDefaultErrorIsTheDocumentedExample(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	if err := s.Script(courier, Script{End: FailedCustomer}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{
		"type": "amperity.workflow.task.stitch/table", "message": "Found table in an invalid state.", "attribution": "customer",
	}, send(t, s, startOf(courier)).object(t)["error"]); diff != "" {
		t.Error(diff)
	}
}

func TestStopEndsARun(t *testing.T) {
	t.Parallel()
	s, clock := setup(t)
	if err := s.Script(courier, Script{Duration: time.Hour, Tasks: []string{"Load", "Send"}}); err != nil {
		t.Fatal(err)
	}
	id := mustStart(t, s, courier)
	stop := request{method: "POST", path: runsPath + "/" + id + "/stop"}
	clock.Advance(time.Minute)
	for range 2 { // a second request while the run stops changes nothing
		if got := send(t, s, stop); got.status != 200 || got.object(t)["state"] != "stopping" {
			t.Errorf("%d %s", got.status, got.body)
		}
		clock.Advance(stopping / 2)
	}
	got := send(t, s, get(runsPath+"/"+id, "view=verbose")).object(t)
	if got["state"] != "stopped" || got["ended_at"] != "2026-11-22T05:01:01.000Z" {
		t.Errorf("%v at %v", got["state"], got["ended_at"])
	}
	tasks := got["task_instances"].([]any)
	if len(tasks) != 1 || tasks[0].(map[string]any)["state"] != "stopped" {
		t.Errorf("tasks %v", tasks)
	}
	clock.Advance(2 * time.Hour)
	if got := stateOf(t, s, id); got != "stopped" {
		t.Error(got)
	}
}
