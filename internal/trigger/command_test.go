package trigger_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/golden"
	"github.com/amperity-runs/amperity-runs/internal/held"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/trigger"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// resolver records each command with the name of the method.
type resolver struct {
	commands []call
	held     []held.Launch
	more     bool
	err      error
}

type call struct {
	Verb    string
	Command held.Command
}

func (r *resolver) say(verb string, w held.Command) (record.Result, error) {
	r.commands = append(r.commands, call{verb, w})
	return record.Result{Outcome: record.Started, LaunchKey: w.Key, Run: &amperity.Run{ID: "wf-1"}}, r.err
}

func (r *resolver) Release(_ context.Context, w held.Command) (record.Result, error) {
	return r.say("release", w)
}

func (r *resolver) Adopt(_ context.Context, w held.Command) (record.Result, error) {
	return r.say("adopt", w)
}

func (r *resolver) Discard(_ context.Context, w held.Command) (record.Result, error) {
	return r.say("discard", w)
}

func (r *resolver) List(context.Context) ([]held.Launch, bool, error) {
	r.commands = append(r.commands, call{Verb: "list"})
	return r.held, r.more, r.err
}

// outcome is the result of an input: the commands that reached the resolver,
// how many launches began, and the announcements.
type outcome struct {
	commands  []call
	launches  int
	announced []announcement.Announcement
	answer    []byte
	err       error
}

// handle invokes the function with an input.
func handle(t *testing.T, r *resolver, input string) outcome {
	t.Helper()
	b := &bus{}
	l := (&launcher{}).on(b)
	h := &trigger.Handler{Launcher: l, Held: r, Now: now.UTC}
	answer, err := h.Invoke(t.Context(), []byte(input))
	return outcome{commands: r.commands, launches: len(l.got), announced: b.announced, answer: answer, err: err}
}

func TestCommandReachesHeld(t *testing.T) {
	t.Parallel()
	const key = "schedule/cg-1/-/2026-11-22T06:00:00Z"
	rows := []struct {
		name, input string
		want        call
	}{
		{"release", `{"release":"` + key + `","hold":2}`, call{"release", held.Command{Key: key, HoldNumber: 2}}},
		{"adopt", `{"adopt":"` + key + `","run_id":"wf-1","hold":1}`, call{"adopt", held.Command{Key: key, HoldNumber: 1, RunID: "wf-1"}}},
		{"discard", `{"discard":"` + key + `","hold":3,"reason":"sent by hand"}`, call{"discard", held.Command{Key: key, HoldNumber: 3, Reason: "sent by hand"}}},
		{"with blanks around what is pasted", ` {"adopt":"` + key + ` ","run_id":" wf-1\n","hold": 1 } `, call{"adopt", held.Command{Key: key, HoldNumber: 1, RunID: "wf-1"}}},
		{"a reason as long as it may be", `{"discard":"` + key + `","hold":3,"reason":"` + strings.Repeat("r", 1000) + `"}`,
			call{"discard", held.Command{Key: key, HoldNumber: 3, Reason: strings.Repeat("r", 1000)}}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := handle(t, &resolver{}, row.input)
			if diff := cmp.Diff([]call{row.want}, got.commands); diff != "" || got.err != nil {
				t.Fatalf("%v (-want +got)\n%s", got.err, diff)
			}
			var res record.Result
			if err := json.Unmarshal(got.answer, &res); err != nil || res.LaunchKey != key || res.Outcome != record.Started || res.Run.ID != "wf-1" {
				t.Errorf("answered %s, %v", got.answer, err)
			}
			if got.launches > 0 || len(got.announced) > 0 {
				t.Errorf("%d launches, announced %+v: only the resolver does that", got.launches, got.announced)
			}
		})
	}
}

func TestListReturnsHeldLaunches(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name string
		k    resolver
		want string
	}{
		{"nothing", resolver{held: []held.Launch{}}, `{"held":[]}`},
		{"one of many", resolver{more: true, held: []held.Launch{{LaunchKey: "manual/cg-1/k", HoldNumber: 1, Reason: "too_old", Since: "2026-11-22T06:00:00Z",
			Request: amperity.RunRequest{ConfigID: "cg-1"}, Cause: announcement.Cause{Type: "manual"}}}},
			`{"held":[{"launch_key":"manual/cg-1/k","hold":1,"reason":"too_old","since":"2026-11-22T06:00:00Z","request":{"config_id":"cg-1"},"cause":{"type":"manual"}}],"more":true}`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := handle(t, &row.k, `{"list":"held"}`)
			if diff := cmp.Diff(row.want, string(got.answer)); diff != "" || got.err != nil {
				t.Errorf("%v (-want +got)\n%s", got.err, diff)
			}
		})
	}
}

func TestInvalidCommandChangesNothingAndNamesEveryFault(t *testing.T) {
	t.Parallel()
	var texts strings.Builder
	for _, row := range []struct{ name, input string }{
		// The number.
		{"no number", `{"release":"k"}`},
		{"null as the number", `{"release":"k","hold":null}`},
		{"empty text as the number", `{"release":"k","hold":""}`},
		{"0", `{"release":"k","hold":0}`},
		{"below 0", `{"release":"k","hold":-1}`},
		{"a fraction", `{"release":"k","hold":1.5}`},
		{"an exponent", `{"release":"k","hold":1e0}`},
		{"text", `{"release":"k","hold":"2"}`},
		{"more than a number holds", `{"release":"k","hold":99999999999999999999}`},
		{"a list", `{"release":"k","hold":[2]}`},

		// The rest.
		{"no key", `{"release":"","hold":1}`},
		{"null as the key", `{"discard":null,"hold":1,"reason":"r"}`},
		{"a key of blanks", `{"release":" ","hold":1}`},
		{"a key of another type", `{"release":7,"hold":1}`},
		{"no run", `{"adopt":"k","hold":1}`},
		{"an empty run", `{"adopt":"k","hold":1,"run_id":""}`},
		{"null as the run", `{"adopt":"k","hold":1,"run_id":null}`},
		{"a run of blanks", `{"adopt":"k","hold":1,"run_id":" "}`},
		{"a run of another type", `{"adopt":"k","hold":1,"run_id":{}}`},
		{"no reason", `{"discard":"k","hold":1}`},
		{"an empty reason", `{"discard":"k","hold":1,"reason":""}`},
		{"null as the reason", `{"discard":"k","hold":1,"reason":null}`},
		{"a reason of blanks", `{"discard":"k","hold":1,"reason":"  "}`},
		{"a reason of another type", `{"discard":"k","hold":1,"reason":1}`},
		{"a novel", `{"discard":"k","hold":1,"reason":"` + strings.Repeat("r", 1001) + `"}`},
		{"a list of something else", `{"list":"runs"}`},
		{"a list of nothing", `{"list":null}`},
		{"a list of empty text", `{"list":""}`},
		{"a list of another type", `{"list":true}`},
		{"all at once", `{"adopt":"","hold":0}`},

		// Two things in one.
		{"two verbs", `{"release":"k","adopt":"k","hold":1,"run_id":"wf-1"}`},
		{"three verbs", `{"list":"held","release":"k","discard":"k"}`},
		{"a verb twice", `{"release":"k","release":"l","hold":1}`},
		{"a release that is a start, too", `{"config_id":"cg-1","release":"k","hold":1}`},
		{"a start that is a discard, too", `{"config_id":"cg-1","run_mode":"full","range":{"from":"-1d","to":"0d"},"discard":null}`},
		{"a release with a config id of null", `{"config_id":null,"release":"k","hold":1}`},
		{"a release with an empty verb beside it", `{"release":"k","hold":1,"discard":""}`},
		{"a start with an empty verb beside it", `{"config_id":"cg-1","release":""}`},
		{"a list with a start", `{"list":"held","config_id":""}`},

		// Fields of something else.
		{"a release with a run", `{"release":"k","hold":1,"run_id":"wf-1"}`},
		{"an adoption with a reason", `{"adopt":"k","hold":1,"run_id":"wf-1","reason":"r","Hold":1}`},
		{"a discard with a range", `{"discard":"k","hold":1,"reason":"r","range_from":"2026-11-22"}`},
		{"a list with a number", `{"list":"held","hold":1}`},
	} {
		got := handle(t, &resolver{}, row.input)
		if _, ok := got.err.(*trigger.CommandError); !ok {
			t.Errorf("%s: got %T %v and %s", row.name, got.err, got.err, got.answer)
			continue
		}
		if len(got.commands) > 0 || got.launches > 0 || len(got.announced) > 0 {
			t.Errorf("%s: commands %+v, %d launches, announced %+v", row.name, got.commands, got.launches, got.announced)
		}
		texts.WriteString(golden.Row(row.name, got.err.Error()))
	}
	golden.Check(t, "testdata/commands.golden", texts.String())
}

// An input that is nearly a command has unknown fields. It is rejected and
// announced, and the error names the field.
func TestNearlyACommandIsARejectedInput(t *testing.T) {
	t.Parallel()
	for input, field := range map[string]string{
		`{"Release":"k","hold":1}`:                                 "Release",
		`{"releases":"k","hold":1}`:                                "releases",
		`{"hold":1,"reason":"r"}`:                                  "hold",
		`{"config_id":"cg-1","Discard":"k"}`:                       "Discard",
		`{"config_id":"cg-1","hold":1}`:                            "hold",
		`{"input":{"release":"k","hold":1}}`:                       "input",
		`{"detail":{"list":"held"}}`:                               "detail",
		`[{"list":"held"}]`:                                        "",
		`"{\"list\":\"held\"}"`:                                    "",
		`{"list":"held"} {"list":"held"}`:                          "",
		`{"release":"` + strings.Repeat("k", 64<<10) + `"}`:        "",
		`{"config_id":"cg-1"` + strings.Repeat(" ", 64<<10) + `}`:  "",
		`{"release":"k","hold":1`:                                  "",
		`{"config_id":"cg-1","idempotency_key":"release","x":"y"}`: "x",
	} {
		got := handle(t, &resolver{}, input)
		var res record.Result
		if got.err != nil || json.Unmarshal(got.answer, &res) != nil || res.Outcome != record.Rejected || !strings.Contains(res.Error.Message, field) {
			t.Errorf("%.60s: %v, %s", input, got.err, got.answer)
		}
		if len(got.commands) > 0 || got.launches > 0 || len(got.announced) != 1 || got.announced[0].Type != announcement.RunRejected {
			t.Errorf("%.60s: commands %+v, %d launches, announced %+v", input, got.commands, got.launches, got.announced)
		}
	}
}

// Callers such as Step Functions match errors by their type.
func TestInvokeReturnsTheErrorsOfHeldByType(t *testing.T) {
	t.Parallel()
	for _, input := range []string{`{"list":"held"}`, `{"release":"k","hold":1}`, `{"adopt":"k","run_id":"wf-1","hold":1}`, `{"discard":"k","hold":1,"reason":"r"}`} {
		got := handle(t, &resolver{err: &record.LedgerError{LaunchKey: "k", Err: errors.New("gone")}}, input)
		if _, ok := got.err.(*record.LedgerError); !ok || got.answer != nil || len(got.announced) > 0 {
			t.Errorf("%s: %T %v, %s", input, got.err, got.err, got.answer)
		}
	}
}
