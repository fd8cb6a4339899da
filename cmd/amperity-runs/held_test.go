package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/held"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/trigger"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// answering returns an account whose trigger answers v.
func answering(t *testing.T, v any) *fakeCloud {
	t.Helper()
	payload, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	f := newFakeCloud(t)
	f.answer = &lambda.InvokeOutput{StatusCode: 200, Payload: payload}
	return f
}

func TestEveryOutcomeIsASentence(t *testing.T) {
	t.Parallel()
	run := &amperity.Run{ID: "wf-1", State: "scheduled"}
	refused := &announcement.Error{Kind: announcement.ErrorRejected, Message: "404 No such configuration"}
	const because = "the launch does not wait for an answer to hold 1, or no longer does"
	const notAsked = "nothing was done: " + because
	rows := []struct {
		verb   string
		answer record.Result
		want   string
	}{
		{"release", record.Result{Outcome: record.Started, Run: run}, "started wf-1 (scheduled)"},
		{"release", record.Result{Outcome: record.Started, Run: &amperity.Run{ID: "wf-1"}, Warning: "it could not be announced"}, "started wf-1; it could not be announced"},
		{"release", record.Result{Outcome: record.Rejected, Reason: "refused", Error: refused, HoldNumber: 2},
			"rejected (refused): 404 No such configuration; nothing was started. Fix that, then release it with --hold 2"},
		{"release", record.Result{Outcome: record.Rejected, Reason: "invalid_input", Error: &announcement.Error{Message: "release: is not known here"}},
			"rejected (invalid_input): release: is not known here; nothing was done"},
		{"release", record.Result{Outcome: record.Blocked, Reason: "unauthorized", Error: &announcement.Error{Message: "401"}},
			"nothing was started yet, it is blocked (unauthorized): 401; it resumes automatically"},
		{"release", record.Result{Outcome: record.Held, Reason: "unknown_outcome", HoldNumber: 3}, "held again (unknown_outcome); it waits for an answer with --hold 3"},
		{"release", record.Result{Outcome: record.Unknown, Error: &announcement.Error{Message: "no answer came"}},
			"a request was sent, and its outcome is unknown: no answer came; the sweep looks for its run, so do not start it again"},
		{"adopt", record.Result{Outcome: record.Started, Run: run}, "it has the run wf-1 (scheduled) now"},
		{"discard", record.Result{Outcome: record.Discarded, Error: &announcement.Error{Kind: announcement.ErrorDiscarded, Message: "not wanted"}}, "discarded; nothing more is started for it"},

		// Nothing was done.
		{"release", record.Result{Outcome: record.Duplicate, Recorded: record.Started, Run: run, Warning: notAsked}, "nothing was done; it was started wf-1 (scheduled) (" + because + ")"},
		{"release", record.Result{Outcome: record.Duplicate, Recorded: record.Rejected, Reason: "refused", Error: refused, HoldNumber: 1, Warning: notAsked},
			"nothing was done; it was rejected (refused): 404 No such configuration, with --hold 1 (" + because + ")"},
		{"adopt", record.Result{Outcome: record.Duplicate, Recorded: record.Discarded, Error: &announcement.Error{Message: "not wanted"}, Warning: notAsked}, "nothing was done; it was discarded: not wanted (" + because + ")"},
		{"discard", record.Result{Outcome: record.Duplicate, Recorded: record.Blocked, Reason: "busy", Warning: notAsked}, "nothing was done; it is blocked and resumes automatically (busy) (" + because + ")"},
		{"release", record.Result{Outcome: record.Duplicate, Recorded: record.Unknown, Warning: notAsked}, "nothing was done; a request was sent, and the sweep looks for its run (" + because + ")"},
		{"release", record.Result{Outcome: record.Duplicate, Recorded: "parked"}, "nothing was done; it is parked (another call was faster)"},
		{"release", record.Result{Outcome: record.Duplicate, Recorded: record.Held, Reason: "implausible_date", HoldNumber: 1, Warning: "nothing was done: a release starts nothing"},
			"nothing was done; it is held (implausible_date), with --hold 1 (a release starts nothing)"},
		{"release", record.Result{Outcome: record.Duplicate, Recorded: record.Rejected, Reason: "refused", HoldNumber: 2, Warning: notAsked}, "nothing was done; it was rejected (refused), with --hold 2 (" + because + ")"},
		{"release", record.Result{Outcome: record.Waiting, HoldNumber: 1, Warning: notAsked}, "nothing was done; its window waits, with --hold 1 (" + because + ")"},
		{"release", record.Result{Outcome: record.Waiting, Warning: notAsked}, "nothing was done; its window continues automatically (" + because + ")"},

		// An outcome of a later version, and a text that would move the cursor.
		{"release", record.Result{Outcome: "postponed", Reason: "moon"}, "postponed (moon)"},
		{"release", record.Result{Outcome: record.Held, Error: &announcement.Error{Message: "\x1b[2J"}, HoldNumber: 1}, "held again: \uFFFD[2J; it waits for an answer with --hold 1"},
	}
	for _, row := range rows {
		t.Run(row.want, func(t *testing.T) {
			t.Parallel()
			line := "held " + row.verb + " manual/cg-1/k --hold 1" + map[string]string{"adopt": " --run wf-1", "discard": " --reason r"}[row.verb]
			f := answering(t, row.answer)
			stdout, stderr, code := f.shell(line)
			if want := "manual/cg-1/k: " + row.want + "\n"; code != 0 || stderr != "" || stdout != want {
				t.Errorf("exit code %d, got\n%s%swant\n%s", code, stdout, stderr, want)
			}
			if stdout, _, code := f.shell(line + " --json"); code != 0 || stdout != string(f.answer.Payload)+"\n" {
				t.Errorf("--json: exit code %d, %s", code, stdout)
			}
		})
	}
}

func TestWrongHoldNumberFailsWhileTheLaunchWaits(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name   string
		answer record.Result
		want   string
	}{
		{"a held launch", record.Result{Outcome: record.Duplicate, Recorded: record.Held, HoldNumber: 2}, "nothing was done; it is held"},
		{"a message that would move the cursor", record.Result{Outcome: record.Duplicate, Recorded: record.Held, HoldNumber: 2, Reason: "too_old", Error: &announcement.Error{Message: "\x1b[2J"}},
			"nothing was done; it is held (too_old): \uFFFD[2J"},
		{"a window", record.Result{Outcome: record.Waiting, HoldNumber: 2}, "nothing was done; its window waits"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := answering(t, row.answer)
			want := "amperity-runs: held: manual/cg-1/k: it waits for --hold 2, not for 1: " + row.want + "\n"
			if stdout, stderr, code := f.shell("held release manual/cg-1/k --hold 1"); code != 1 || stdout != "" || stderr != want {
				t.Errorf("exit code %d, got\n%s%swant\n%s", code, stdout, stderr, want)
			}
			if stdout, stderr, code := f.shell("held release manual/cg-1/k --hold 1 --json"); code != 1 || stdout != string(f.answer.Payload)+"\n" || stderr != want {
				t.Errorf("--json: exit code %d, %s%s", code, stdout, stderr)
			}
		})
	}
}

// everyKind returns a list whose entries have every field.
func everyKind() trigger.HeldList {
	return trigger.HeldList{Held: []held.Launch{
		{LaunchKey: "arrival/og-1/2026-11-22/2", HoldNumber: 2, Reason: "unknown_outcome", Since: "2026-11-22T13:04:30Z",
			Request:    amperity.RunRequest{ConfigID: "og-1"},
			Cause:      announcement.Cause{Type: "arrival", Route: "sales", Files: 3, FirstFile: "s3://acme-landing/a b.csv"},
			Message:    "no answer came",
			Candidates: []announcement.Candidate{{ID: "wf-1", State: "running", CreatedAt: "2026-11-22T12:00:01Z", Name: "Daily", PrincipalName: "runs"}, {ID: "wf-2"}}},
		{LaunchKey: "manual/cg-1/it's$5", HoldNumber: 1, Reason: "unknown_outcome", Since: "2026-11-22T12:00:00Z",
			Request: amperity.RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-21"}, Cause: announcement.Cause{Type: "manual"}},
		{LaunchKey: "arrival/cg-1/2026-11-21/1", HoldNumber: 1, Reason: "files_missing", Since: "2026-11-22T03:00:00Z",
			Request: amperity.RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-21", RangeTo: "2026-11-22", RunMode: "source"},
			Cause:   announcement.Cause{Type: "arrival", Route: "sales", Files: 1}},
		{LaunchKey: "schedule/cg-1/arn:aws:scheduler:us-east-1:123456789012:schedule/default/daily/2026-11-01T00:00:00Z", HoldNumber: 4, Reason: "too_old", Since: "long ago",
			Request: amperity.RunRequest{ConfigID: "cg-1"}, Cause: announcement.Cause{Type: "schedule", ScheduleARN: "arn:aws:scheduler:us-east-1:123456789012:schedule/default/daily"}},
		{LaunchKey: "arrival/cg-2/2026-11-21/1", HoldNumber: 1, Reason: "overlap", Since: "2026-11-22T12:00:00Z",
			Request: amperity.RunRequest{ConfigID: "cg-2"}, Cause: announcement.Cause{Type: "arrival", Route: "sales", Files: 1}},
	}, More: true}
}

func TestListShowsHeldLaunchesWithTheirCommands(t *testing.T) {
	t.Parallel()
	const want = `arrival/og-1/2026-11-22/2
  reason       unknown_outcome
  since        2026-11-22T13:04:30Z, just now
  hold         2
  cause        arrival, route sales, 3 files, first s3://acme-landing/a b.csv
  config id    og-1
  range        none
  message      no answer came
  candidate    wf-1, running, created 2026-11-22T12:00:01Z, Daily, by runs
  candidate    wf-2
  look first   on the Workflows page in Amperity: a run may have been started, and a release starts another
  to adopt it  amperity-runs held adopt arrival/og-1/2026-11-22/2 --hold 2 --run wf-1 --stack other
  to adopt it  amperity-runs held adopt arrival/og-1/2026-11-22/2 --hold 2 --run wf-2 --stack other
  to start it  amperity-runs held release arrival/og-1/2026-11-22/2 --hold 2 --stack other
  to end it    amperity-runs held discard arrival/og-1/2026-11-22/2 --hold 2 --reason 'THE REASON' --stack other
manual/cg-1/it's$5
  reason       unknown_outcome
  since        2026-11-22T12:00:00Z, 65 minutes ago
  hold         1
  cause        manual
  config id    cg-1
  range        2026-11-21
  look first   on the Workflows page in Amperity: a run may have been started, and a release starts another
  to adopt it  amperity-runs held adopt 'manual/cg-1/it'\''s$5' --hold 1 --run ID --stack other
  to start it  amperity-runs held release 'manual/cg-1/it'\''s$5' --hold 1 --stack other
  to end it    amperity-runs held discard 'manual/cg-1/it'\''s$5' --hold 1 --reason 'THE REASON' --stack other
arrival/cg-1/2026-11-21/1
  reason       files_missing
  since        2026-11-22T03:00:00Z, 10 hours ago
  hold         1
  cause        arrival, route sales, 1 file
  config id    cg-1
  range        2026-11-21 to 2026-11-22
  run mode     source
  to start it  amperity-runs held release arrival/cg-1/2026-11-21/1 --hold 1 --stack other
  to end it    amperity-runs held discard arrival/cg-1/2026-11-21/1 --hold 1 --reason 'THE REASON' --stack other
schedule/cg-1/arn:aws:scheduler:us-east-1:123456789012:schedule/default/daily/2026-11-01T00:00:00Z
  reason       too_old
  since        long ago
  hold         4
  cause        schedule, arn:aws:scheduler:us-east-1:123456789012:schedule/default/daily
  config id    cg-1
  range        none
  to start it  amperity-runs held release schedule/cg-1/arn:aws:scheduler:us-east-1:123456789012:schedule/default/daily/2026-11-01T00:00:00Z --hold 4 --stack other
  to end it    amperity-runs held discard schedule/cg-1/arn:aws:scheduler:us-east-1:123456789012:schedule/default/daily/2026-11-01T00:00:00Z --hold 4 --reason 'THE REASON' --stack other
arrival/cg-2/2026-11-21/1
  reason       overlap
  since        2026-11-22T12:00:00Z, 65 minutes ago
  hold         1
  cause        arrival, route sales, 1 file
  config id    cg-2
  range        none
  to queue it  amperity-runs held release arrival/cg-2/2026-11-21/1 --hold 1 --stack other
  to end it    amperity-runs held discard arrival/cg-2/2026-11-21/1 --hold 1 --reason 'THE REASON' --stack other
5 wait for you, and others that are not listed: answer these, then list again
`
	got, stderr, code := answering(t, everyKind()).shell("held list --stack other")
	if diff := cmp.Diff(want, got); diff != "" || code != 0 || stderr != "" {
		t.Errorf("exit code %d, %s (-want +got)\n%s", code, stderr, diff)
	}
	two := everyKind()
	two.Held, two.More = two.Held[:2], false
	if got, _, _ := answering(t, two).shell("held list"); !strings.HasSuffix(got, "\n2 wait for you\n") {
		t.Errorf("two: %s", got)
	}
	newer := trigger.HeldList{Held: []held.Launch{{LaunchKey: "manual/cg-1/k", Reason: "unreadable", Since: "2026-11-22T12:00:00Z", Message: "its format is 2"}}}
	if got, _, _ := answering(t, newer).shell("held list"); got != "manual/cg-1/k\n  reason       unreadable\n  since        2026-11-22T12:00:00Z, 65 minutes ago\n  message      its format is 2\n1 waits for you\n" {
		t.Errorf("of a newer version: %s", got)
	}
	if got, _, code := answering(t, trigger.HeldList{Held: []held.Launch{}}).shell("held list"); got != "nothing waits for you\n" || code != 0 {
		t.Errorf("nothing: exit code %d, %s", code, got)
	}
	const cut = "nothing was found that waits for you, but there was no time to look at all: list again once the launches that are blocked have started\n"
	if got, _, code := answering(t, trigger.HeldList{Held: []held.Launch{}, More: true}).shell("held list"); got != cut || code != 0 {
		t.Errorf("nothing of a part: exit code %d, %s", code, got)
	}
}

// The tool accepts the commands of the list, whatever characters a key has.
func TestTheCommandsOfTheListAreCommands(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	list := everyKind()
	got, _, _ := answering(t, list).shell("held list --function arn:aws:lambda:us-east-1:123456789012:function:t")
	commands := 0
	for line := range strings.SplitSeq(got, "\n") {
		_, command, ok := strings.Cut(line, "  amperity-runs ")
		if !ok {
			continue
		}
		commands++
		words, err := exec.Command(bash, "-c", `printf '%s\0' `+strings.ReplaceAll(command, "--run ID", "--run wf-3")).Output()
		if err != nil {
			t.Fatal(err)
		}
		args := strings.Split(strings.TrimSuffix(string(words), "\x00"), "\x00")
		o, err := parseHeld(args[1:], func(string) string { return "" })
		if err != nil {
			t.Errorf("%s: %v", command, err)
			continue
		}
		known := false
		for _, h := range list.Held {
			known = known || o.key == h.LaunchKey && o.hold == h.HoldNumber
		}
		if !known || o.function == "" {
			t.Errorf("%s is read as %+v", command, o)
		}
	}
	if commands != 13 {
		t.Errorf("%d commands: the search is broken", commands)
	}
}

func TestTriggerIsFoundByStackOrFunction(t *testing.T) {
	t.Parallel()
	for line, region := range map[string]string{
		"held list": "", "held list --stack s": "", "held list --function f": "",
		"held list --function arn:aws:lambda:eu-west-1:123456789012:function:t":         "eu-west-1",
		"dlq list --stack arn:aws:cloudformation:eu-west-2:123456789012:stack/runs/1-2": "eu-west-2",
	} {
		f := answering(t, trigger.HeldList{Held: []held.Launch{}})
		f.outputs = nil // --function does not read the stack
		f.shell(line)
		if diff := cmp.Diff([]string{region}, f.regions); diff != "" {
			t.Errorf("%s (-want +got)\n%s", line, diff)
		}
	}
}

func TestFailedCallIsExplained(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	rows := []struct {
		name, payload string
		failed        bool
		want          string
	}{
		{"an error of its own", `{"errorType":"CommandError","errorMessage":"hold: must be the number"}`, true, "the trigger answers with an error: CommandError: hold: must be the number"},
		{"a time-out", `{"errorType":"Sandbox.Timedout","errorMessage":"Task timed out after 30.00 seconds"}`, true,
			"the trigger failed: Sandbox.Timedout: Task timed out after 30.00 seconds; it may have been done: run \"amperity-runs held list\" before you repeat it, and read the trigger's log"},
		{"its end", `{"errorType":"Runtime.ExitError","errorMessage":"exit status 1"}`, true,
			"the trigger failed: Runtime.ExitError: exit status 1; it may have been done: run \"amperity-runs held list\" before you repeat it, and read the trigger's log"},
		{"an error that cannot be read", long, true,
			"the trigger failed: no errorType: " + long[:200] + "…; it may have been done: run \"amperity-runs held list\" before you repeat it, and read the trigger's log"},
		{"nothing", "", false, "the answer is not one of this version's trigger: (empty); is it the trigger, and deployed from this version?"},
		{"no list", `{"outcome":"rejected","error":{"message":"list: is not known here"}}`, false,
			`the answer is not one of this version's trigger: {"outcome":"rejected","error":{"message":"list: is not known here"}}; is it the trigger, and deployed from this version?`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFakeCloud(t)
			f.answer = &lambda.InvokeOutput{StatusCode: 200, Payload: []byte(row.payload)}
			if row.failed {
				f.answer.FunctionError = aws.String("Unhandled")
			}
			stdout, stderr, code := f.shell("held list --json")
			if code != 1 || stdout != "" || stderr != "amperity-runs: held: "+row.want+"\n" {
				t.Errorf("exit code %d, got\n%s%swant\n%s", code, stdout, stderr, row.want)
			}
		})
	}
}

// The examples in the help of held and dlq match the output.
func TestHelpExamplesWithAnAccount(t *testing.T) {
	t.Parallel()
	late := answering(t, trigger.HeldList{Held: []held.Launch{{
		LaunchKey: "schedule/cg-123ABc4DE/-/2026-11-21T11:00:00Z", HoldNumber: 1, Reason: "too_old", Since: "2026-11-22T11:04:30Z",
		Request: amperity.RunRequest{ConfigID: "cg-123ABc4DE", RangeFrom: "2026-11-20", RangeTo: "2026-11-21"}, Cause: announcement.Cause{Type: "schedule"},
		Message: "the run was wanted until 2026-11-22T11:00:00Z, and it is 2026-11-22T11:04:30Z",
	}}})
	files := newFakeCloud(t)
	for i := range 2 {
		body := landed(fmt.Sprintf("orders/2026/11/22/orders_%d.csv.gz", i+1))
		files.put("arrivals", body, body, nil)
	}
	for usage, f := range map[string]*fakeCloud{heldUsage: late, dlqUsage: files} {
		_, example, _ := strings.Cut(usage, "\n  $ amperity-runs ")
		line, rest, _ := strings.Cut(example, "\n")
		want, _, _ := strings.Cut(rest, "\n\n")
		stdout, stderr, code := f.shell(line)
		got := "  " + strings.ReplaceAll(strings.TrimSuffix(stdout, "\n"), "\n", "\n  ")
		if diff := cmp.Diff(want, got); diff != "" || code != 0 {
			t.Errorf("%s: exit code %d, %s (-help +real)\n%s", line, code, stderr, diff)
		}
	}
}

func TestAgesAreReadable(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Minute: "just now", 119 * time.Second: "just now", 2 * time.Minute: "2 minutes ago", 119 * time.Minute: "119 minutes ago",
		2 * time.Hour: "2 hours ago", 47 * time.Hour: "47 hours ago", 48 * time.Hour: "2 days ago", 300 * time.Hour: "12 days ago",
	} {
		if got := ago(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestAnErrorIsOneLine(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	f.fault = func(string) (refused, lost error) { return errors.New("broken\npipe"), nil }
	if _, stderr, code := f.shell("held list"); code != 1 || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit code %d, more than a line: %s", code, stderr)
	}
}

// The list offers no release that would start nothing.
func TestImplausibleDatesInTheList(t *testing.T) {
	t.Parallel()
	list := trigger.HeldList{Held: []held.Launch{{
		LaunchKey: "arrival/cg-1/implausible-day-2026-11-22T12:00:00Z/1", HoldNumber: 1, Reason: "implausible_date", Since: "2026-11-22T12:00:00Z",
		Request: amperity.RunRequest{ConfigID: "cg-1"}, Cause: announcement.Cause{Type: "arrival", Route: "sales", Files: 2000, FirstFile: "s3://b/99991231"},
		Samples: []string{"s3://b/99991231", "s3://b/19000101"},
	}}}
	got, _, code := answering(t, list).shell("held list")
	for _, line := range []string{
		"  cause        arrival, route sales, 2000 files, first s3://b/99991231\n  config id    cg-1\n  range        none\n",
		"  file         s3://b/99991231\n  file         s3://b/19000101\n  to end it    amperity-runs held discard arrival/cg-1/implausible-day-2026-11-22T12:00:00Z/1 --hold 1 --reason 'THE REASON'",
	} {
		if !strings.Contains(got, line) || code != 0 {
			t.Errorf("exit code %d, and the list has no %q:\n%s", code, line, got)
		}
	}
	if strings.Contains(got, "release") {
		t.Errorf("a release is offered:\n%s", got)
	}
}
