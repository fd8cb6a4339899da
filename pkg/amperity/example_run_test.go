package amperity_test

import (
	"encoding/json"
	"fmt"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// The prefix of a config id shows what it names.
func ExampleConfigKindOf() {
	for _, id := range []string{"cg-123ABc4DE", "og-234BCd5EF", "cc-345CDe6FG", "wf-1"} {
		kind, ok := amperity.ConfigKindOf(id)
		fmt.Println(kind, ok)
	}
	// Output:
	// courier group true
	// orchestration group true
	// campaign true
	//  false
}

// A courier group alone takes a range of dates and a run mode.
func ExampleConfigKind() {
	takesDates := func(kind amperity.ConfigKind) bool {
		switch kind {
		case amperity.ConfigKindCourierGroup:
			return true
		case amperity.ConfigKindOrchestrationGroup, amperity.ConfigKindCampaign:
			return false
		}
		return false
	}
	kind, _ := amperity.ConfigKindOf("og-234BCd5EF")
	fmt.Println(kind, takesDates(kind))
	// Output: orchestration group false
}

// Check a request without sending it.
func ExampleRunRequest_Validate() {
	for _, mode := range []amperity.RunMode{amperity.RunModeFull, amperity.RunModeRefresh, amperity.RunModeSource, "quick"} {
		fmt.Println(amperity.RunRequest{ConfigID: "cg-123ABc4DE", RunMode: mode}.Validate())
	}
	// Output:
	// <nil>
	// <nil>
	// <nil>
	// invalid request: run_mode is "quick": write full, refresh or source
}

// Amperity may add views: a view is a string.
func ExampleView() {
	fmt.Println(amperity.View(""), amperity.ViewOverview, amperity.ViewVerbose)
	// Output: overview verbose
}

// Amperity writes a state in several ways.
func ExampleState_Is() {
	fmt.Println(amperity.State("In progress").Is(amperity.StateInProgress), amperity.State("in-progress").Is(amperity.StateInProgress))
	// Output: true true
}

// Switch on Canonical, and expect states that are not in the list.
func ExampleState_Canonical() {
	describe := func(s amperity.State) string {
		switch s.Canonical() {
		case amperity.StateScheduled, amperity.StateStarted:
			return "about to run"
		case amperity.StateInProgress, amperity.StateRunning, amperity.StateFinalizing, amperity.StateUpForRetry:
			return "running"
		case amperity.StateRunningWithFailures:
			return "running, with failed tasks"
		case amperity.StatePaused:
			return "paused"
		case amperity.StateStopping, amperity.StateCanceling:
			return "about to end"
		case amperity.StateSucceeded:
			return "succeeded"
		case amperity.StateFailed, amperity.StateStopped, amperity.StateCanceled, amperity.StateSkipped:
			return "ended without success"
		}
		return "in a state that this program does not know"
	}
	for _, s := range []amperity.State{"In progress", "RUNNING_WITH_FAILURES", "Up for retry", "queued"} {
		fmt.Println(describe(s))
	}
	// Output:
	// running
	// running, with failed tasks
	// running
	// in a state that this program does not know
}

// A state that this package does not know is not an end. A run may have an end
// time all the same: ask Run.Ended.
func ExampleState_Terminal() {
	fmt.Println(amperity.State("Succeeded").Terminal(), amperity.State("Canceling").Terminal(), amperity.State("queued").Terminal())
	// Output: true false false
}

// A run has ended if its state is an end, or if it has an end time.
func ExampleRun_Ended() {
	for _, text := range []string{
		`{"id":"wf-1","state":"succeeded"}`,
		`{"id":"wf-2","state":"archived","ended_at":"2026-11-22T06:00:00Z"}`,
		`{"id":"wf-3","state":"paused"}`,
	} {
		var run amperity.Run
		if err := json.Unmarshal([]byte(text), &run); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(run.State, run.Ended())
	}
	// Output:
	// succeeded true
	// archived true
	// paused false
}

// A run keeps the fields that this package does not know.
func ExampleRun_Raw() {
	var run amperity.Run
	if err := json.Unmarshal([]byte(`{"id":"wf-1","state":"failed","cost":{"credits":12}}`), &run); err != nil {
		fmt.Println(err)
		return
	}
	var more struct{ Cost struct{ Credits int } }
	if err := json.Unmarshal(run.Raw(), &more); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(run.State, more.Cost.Credits)
	// Output: failed 12
}

// The verbose view has the tasks of a run, with the reason why one failed.
func ExampleTask() {
	var run amperity.Run
	if err := json.Unmarshal([]byte(`{"id":"wf-1","state":"failed","task_instances":[
		{"id":"wft-1","label":"Load","state":"succeeded"},
		{"id":"wft-2","label":"Stitch","state":"failed","error":{"attribution":"customer","type":"stitch/table","message":"No key."}}
	]}`), &run); err != nil {
		fmt.Println(err)
		return
	}
	failed := func(t amperity.Task) bool { return t.State.Is(amperity.StateFailed) }
	for _, task := range run.Tasks {
		if failed(task) {
			fmt.Println(task.Label, "failed:", task.Error)
		}
	}
	// Output: Stitch failed: customer: No key. (stitch/table)
}

// The attribution of an error suggests what to do about it.
func ExampleRunError() {
	advise := func(e *amperity.RunError) string {
		switch e.Attribution {
		case amperity.AttributionCustomer:
			return "change the configuration in Amperity"
		case amperity.AttributionPlatform:
			return "run it again"
		}
		return "read the message: " + e.Message
	}
	for _, whose := range []amperity.Attribution{"customer", "platform", "network"} {
		fmt.Println(advise(&amperity.RunError{Attribution: whose, Message: "No."}))
	}
	// Output:
	// change the configuration in Amperity
	// run it again
	// read the message: No.
}

// The set of types is open: compare, and expect others.
func ExampleRunType() {
	for _, kind := range []amperity.RunType{amperity.RunTypeCourierGroup, amperity.RunTypeCampaign, "stitch.run"} {
		fmt.Println(kind == amperity.RunTypeCourierGroup, kind)
	}
	// Output:
	// true courier.group/run
	// false campaign.send
	// false stitch.run
}
