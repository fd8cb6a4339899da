package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
	"github.com/amperity-runs/amperity-runs/test/stack"
)

// Where moto (5.2.5) is not AWS, as far as these tests go: it carries out an
// invocation in Docker alone, so that [invoking] stands in for Lambda; it sends
// nothing to a failure queue, and no schedule's call to its dead-letter queue,
// so that the tests put there what AWS's documentation shows.

// tool is the command-line tool, for an account that moto plays.
type tool struct {
	t       *testing.T
	program string
	environ []string
}

// commandLine builds the tool. What it asks of Lambda goes to an address of
// its own.
func commandLine(t *testing.T, w *stack.World, lambda string) tool {
	t.Helper()
	program := filepath.Join(t.TempDir(), "amperity-runs")
	build := exec.Command("go", "build", "-o", program, "./cmd/amperity-runs")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return tool{t, program, []string{
		"AWS_ENDPOINT_URL=" + w.URL, "AWS_ENDPOINT_URL_LAMBDA=" + lambda, "AWS_REGION=" + stack.Region, "AWS_CONFIG_FILE=/dev/null",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local", "AMPERITY_RUNS_STACK=cli",
	}}
}

// run runs a command, which must end with an exit code, and gives what it
// writes.
func (c tool) run(code int, args ...string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.program, args...)
	cmd.Env = c.environ
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
		c.t.Fatalf("amperity-runs %s: %v, want exit code %d\n%s%s", strings.Join(args, " "), err, code, &stdout, &stderr)
	}
	c.t.Logf("amperity-runs %s\n%s%s", strings.Join(args, " "), &stdout, &stderr)
	return stdout.String() + stderr.String()
}

// invoking stands in for Lambda's Invoke: it hands each payload to a function
// under the emulator at once, asynchronous or not.
type invoking struct {
	t        *testing.T
	function string // its ARN
	emulator *stack.Emulator

	mu sync.Mutex
	// events are the payloads of asynchronous calls, errors what the function
	// answered to them.
	events []string
	errors []error
}

func (l *invoking) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if name := path.Base(path.Dir(r.URL.Path)); name != l.function || r.Method != http.MethodPost || path.Base(r.URL.Path) != "invocations" {
		l.t.Errorf("%s %s was asked of Lambda, want an invocation of %s", r.Method, r.URL.Path, l.function)
		http.NotFound(w, r)
		return
	}
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		l.t.Error(err)
	}
	answer, err := l.emulator.Invoke(r.Context(), payload)
	var failed *stack.FunctionError
	if err != nil && !errors.As(err, &failed) {
		l.t.Error(err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if r.Header.Get("X-Amz-Invocation-Type") == "Event" {
		l.events = append(l.events, string(payload))
		l.errors = append(l.errors, err)
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if failed != nil {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		answer, _ = json.Marshal(failed) // two texts
	}
	_, _ = w.Write(answer)
}

// triggerUnderEmulator is the trigger with a ledger in moto, and Lambda's
// address.
func triggerUnderEmulator(t *testing.T, w *stack.World, name string) (l *invoking, address string) {
	t.Helper()
	l = &invoking{t: t, emulator: emulate(t, w, "trigger", map[string]string{"LEDGER_TABLE": table(t, w)}),
		function: "arn:aws:lambda:" + stack.Region + ":123456789012:function:" + name}
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	return l, server.URL
}

// makeStack makes the stack "cli" of a template.
func makeStack(t *testing.T, w *stack.World, template string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "stack.json")
	if err := os.WriteFile(name, []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	account{t, w}.aws(nil, "cloudformation", "create-stack", "--stack-name", "cli", "--template-body", "file://"+name)
}

// lateSchedule is a schedule's input whose max_age has passed.
func lateSchedule(configID string) string {
	return `{"config_id":"` + configID + `","range":{"from":"-1d","to":"0d"},"scheduled_time":"2026-01-05T11:00:00Z"}`
}

func TestCLIAnswersWhatIsHeld(t *testing.T) {
	t.Parallel()
	w := world(t)
	l, address := triggerUnderEmulator(t, w, "trigger")
	// Not the whole template: moto (5.2.5) answers 500 to an event for the
	// template's e-mails, and then it is not announced.
	makeStack(t, w, `{"Resources":{"Queue":{"Type":"AWS::SQS::Queue"}},"Outputs":{"TriggerArn":{"Value":"`+l.function+`"}}}`)
	cli := commandLine(t, w, address)
	if got := cli.run(0, "held", "list"); got != "nothing waits for you\n" {
		t.Errorf("got %s", got)
	}
	for _, id := range []string{"cg-1", "cg-2", "cg-3"} {
		answer, err := l.emulator.Invoke(t.Context(), []byte(lateSchedule(id)))
		if err != nil || !strings.Contains(string(answer), `"outcome":"held"`) {
			t.Fatalf("%s, %v", answer, err)
		}
	}
	const one, two, three = "schedule/cg-1/-/2026-01-05T11:00:00Z", "schedule/cg-2/-/2026-01-05T11:00:00Z", "schedule/cg-3/-/2026-01-05T11:00:00Z"
	list := cli.run(0, "held", "list")
	entry := regexp.MustCompile(`(?m)^` + one + `\n  reason       too_old\n  since        \S+, just now\n  hold         1\n  cause        schedule\n` +
		`  config id    cg-1\n  range        2026-01-04 to 2026-01-05\n  message      .+\n` +
		`  to start it  amperity-runs held release ` + one + ` --hold 1\n  to end it    amperity-runs held discard ` + one + ` --hold 1 --reason 'THE REASON'\n`)
	if !entry.MatchString(list) || !strings.HasSuffix(list, "\n3 wait for you\n") {
		t.Errorf("got\n%s\nwant\n%s", list, entry)
	}

	t.Run("release", func(t *testing.T) {
		// The command of the list, as it stands there.
		_, command, _ := strings.Cut(list, "  to start it  amperity-runs ")
		command, _, _ = strings.Cut(command, "\n")
		got := cli.run(0, strings.Fields(command)...)
		if runs := w.Simulator.Runs(); len(runs) != 1 || got != one+": started "+runs[0].ID+" (scheduled)\n" {
			t.Errorf("%d runs: %s", len(runs), got)
		}
		checkRuns(t, []run{{"cg-1", "2026-01-04", "2026-01-05", ""}}, w.Simulator.Runs())
	})
	t.Run("release again", func(t *testing.T) {
		got := cli.run(0, "held", "release", one, "--hold", "1")
		want := one + ": nothing was done; it was started " + w.Simulator.Runs()[0].ID + " (scheduled) (the launch does not wait for an answer to hold 1"
		if !strings.HasPrefix(got, want) {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		if n := len(w.Simulator.Runs()); n != 1 {
			t.Errorf("%d runs", n)
		}
	})
	t.Run("discard", func(t *testing.T) {
		var answer struct {
			Outcome string
			Error   struct{ Message string }
		}
		got := cli.run(0, "held", "discard", two, "--hold", "1", "--reason", "it went out by hand", "--json")
		if err := json.Unmarshal([]byte(got), &answer); err != nil || answer.Outcome != "discarded" || answer.Error.Message != "it went out by hand" {
			t.Errorf("%s, %v", got, err)
		}
	})
	t.Run("adopt", func(t *testing.T) {
		client, err := amperity.New(amperitytest.DefaultTenant, amperity.StaticTokenSource(fixtureToken), amperity.WithBaseURL(w.Simulator.URL()))
		if err != nil {
			t.Fatal(err)
		}
		byHand, err := client.StartRun(t.Context(), amperity.RunRequest{ConfigID: "cg-3", RangeFrom: "2026-01-04"})
		if err != nil {
			t.Fatal(err)
		}
		if got := cli.run(1, "held", "adopt", three, "--hold", "1", "--run", w.Simulator.Runs()[0].ID); !strings.Contains(got, "the trigger answers with an error: AdoptError: ") || !strings.Contains(got, one) {
			t.Errorf("the run of another launch: %s", got)
		}
		if got := cli.run(0, "held", "adopt", three, "--hold", "1", "--run", byHand.ID); got != three+": it has the run "+byHand.ID+" (scheduled) now\n" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("nothing is left, and nothing was begun", func(t *testing.T) {
		if got := cli.run(0, "held", "list", "--json"); got != `{"held":[]}`+"\n" {
			t.Errorf("got %s", got)
		}
		if got := cli.run(1, "held", "release", "manual/cg-9/k", "--hold", "1"); !strings.HasPrefix(got, "amperity-runs: held: the trigger answers with an error: UnknownKeyError: there is no launch manual/cg-9/k") {
			t.Errorf("got %s", got)
		}
		if n := len(w.Simulator.Runs()); n != 2 {
			t.Errorf("%d runs", n)
		}
	})
	var published []string
	for _, e := range publishedNow(t, w) {
		published = append(published, strings.TrimPrefix(e.DetailType, "Amperity Workflow Run ")+" "+detailOf(t, e).LaunchKey)
	}
	slices.Sort(published)
	want := []string{"Discarded " + two, "Held " + one, "Held " + two, "Held " + three, "Started " + one, "Started " + three}
	if diff := cmp.Diff(want, published); diff != "" {
		t.Errorf("announced (-want +got)\n%s", diff)
	}
}

// left puts a message into a dead-letter queue.
func left(t *testing.T, w *stack.World, queue, body string, attributes map[string]string) {
	t.Helper()
	in := &sqs.SendMessageInput{QueueUrl: &queue, MessageBody: &body, MessageAttributes: map[string]types.MessageAttributeValue{}}
	for k, v := range attributes {
		in.MessageAttributes[k] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(v)}
	}
	if _, err := sqs.NewFromConfig(w.AWS()).SendMessage(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

// s3Event is an event of a file, as EventBridge has it.
func s3Event(key string) string {
	entry := landed("acme-landing", key)
	return fmt.Sprintf(`{"version":"0","source":%q,"detail-type":%q,"time":%q,"detail":%s}`, *entry.Source, *entry.DetailType,
		time.Now().UTC().Format(time.RFC3339), *entry.Detail)
}

func TestCLIRedrivesTheDeadLetterQueues(t *testing.T) {
	t.Parallel()
	w := world(t)
	a := account{t, w}
	a.aws(nil, "s3api", "create-bucket", "--bucket", "packages")
	a.aws(nil, "s3api", "put-object", "--bucket", "packages", "--key", "function.zip", "--body", zipped(t))
	made := a.deploy("cli")
	l, address := triggerUnderEmulator(t, w, made["TriggerFunction"])
	cli := commandLine(t, w, address)
	empty := func(queues ...string) {
		t.Helper()
		for _, q := range queues {
			if bodies, err := w.Receive(t.Context(), made[q]); err != nil || len(bodies) > 0 {
				t.Errorf("%s has %q, %v", q, bodies, err)
			}
		}
	}

	events := []string{s3Event("orders/2026/11/22/orders_1+ =%.csv.gz"), s3Event("orders/2026/11/22/orders_2.csv.gz")}
	now := time.Now().UTC().Truncate(time.Second).Format(time.RFC3339)
	record := func(payload string) string {
		return `{"version":"1.0","timestamp":"` + now + `","requestContext":{"requestId":"86162f4e-6b2c-492f-93de-5e1b9c5f8bd3","functionArn":"` + l.function + `:$LATEST",` +
			`"condition":"RetriesExhausted","approximateInvokeCount":3},"requestPayload":` + payload + `,"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},` +
			`"responsePayload":{"errorMessage":"the ledger is gone","errorType":"LedgerError"}}`
	}
	scheduled := `{"config_id":"cg-1","run_mode":"full","range_from":"2026-11-22","scheduled_time":"` + now + `"}`
	byHand := `{"config_id":"og-1"}`
	left(t, w, made["ArrivalsDeadLetterQueue"], events[0], nil)
	left(t, w, made["ArrivalsDeadLetterQueue"], "not an event", nil)
	left(t, w, made["ArrivalsRuleDeadLetterQueue"], events[1], map[string]string{"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "no policy"})
	left(t, w, made["TriggerFailureQueue"], record(scheduled), nil)
	left(t, w, made["TriggerFailureQueue"], record(byHand), nil)
	left(t, w, made["SchedulesDeadLetterQueue"], scheduled, map[string]string{"ERROR_CODE": "ThrottlingException", "ERROR_MESSAGE": "Rate exceeded", "SCHEDULED_TIME": now})

	t.Run("list", func(t *testing.T) {
		list := cli.run(0, "dlq", "list")
		for _, want := range []string{"arrivals: 2 messages\n", "  s3://acme-landing/orders/2026/11/22/orders_1+ =%.csv.gz\n", "\n    stays  it cannot be read: is not JSON, at byte 2; an S3 event was expected\n",
			"\narrivals-rule: 1 message\n", "  s3://acme-landing/orders/2026/11/22/orders_2.csv.gz\n    why    NO_PERMISSIONS: no policy\n",
			"\ntrigger: 2 messages\n", "  " + scheduled + "\n    why    RetriesExhausted after 3 calls: LedgerError: the ledger is gone\n",
			"\nschedules: 1 message\n", "\n    why    ThrottlingException: Rate exceeded\n"} {
			if !strings.Contains(list, want) {
				t.Errorf("got\n%s\nwithout %q", list, want)
			}
		}
		time.Sleep(5 * time.Second) // for which it is hidden now
	})
	t.Run("arrivals", func(t *testing.T) {
		if got := cli.run(1, "dlq", "redrive", "arrivals", "--dry-run"); !strings.Contains(got, "\narrivals: 1 would be sent to the arrivals queue, 1 left\n") {
			t.Errorf("got %s", got)
		}
		// What the dry run has read shows again at once.
		if got := cli.run(1, "dlq", "redrive", "arrivals"); !strings.Contains(got, "\narrivals: 1 sent to the arrivals queue, 1 left\n") {
			t.Errorf("got %s", got)
		}
		if got := cli.run(0, "dlq", "redrive", "arrivals-rule"); !strings.Contains(got, "\narrivals-rule: 1 sent to the arrivals queue, 0 left\n") {
			t.Errorf("got %s", got)
		}
		bodies, err := w.Receive(t.Context(), made["ArrivalsQueue"])
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(bodies)
		slices.Sort(events)
		if diff := cmp.Diff(events, bodies); diff != "" {
			t.Errorf("in the arrivals queue (-want +got)\n%s", diff)
		}
		if bodies, err := w.Receive(t.Context(), made["ArrivalsDeadLetterQueue"]); err != nil || !cmp.Equal([]string{"not an event"}, bodies) {
			t.Errorf("it stays: %q, %v", bodies, err)
		}
		empty("ArrivalsRuleDeadLetterQueue")
	})
	t.Run("calls of the trigger", func(t *testing.T) {
		if got := cli.run(0, "dlq", "redrive", "trigger"); !strings.Contains(got, "\ntrigger: 2 handed to the trigger, 0 left\n") {
			t.Errorf("got %s", got)
		}
		// The same by another way: a duplicate.
		if got := cli.run(0, "dlq", "redrive", "schedules"); !strings.HasPrefix(got, "called  "+scheduled+"\nschedules: 1 handed to the trigger, 0 left\n") {
			t.Errorf("got %s", got)
		}
		// As if the first had been broken off before it deleted.
		left(t, w, made["TriggerFailureQueue"], record(byHand), nil)
		left(t, w, made["TriggerFailureQueue"], record(scheduled), nil)
		cli.run(0, "dlq", "redrive", "trigger")
		if len(l.events) != 5 || errors.Join(l.errors...) != nil {
			t.Errorf("called with %q, %v", l.events, l.errors)
		}
		var begun []string
		for _, r := range w.Simulator.Runs() {
			begun = append(begun, r.ConfigID)
		}
		slices.Sort(begun)
		if diff := cmp.Diff([]string{"cg-1", "og-1"}, begun); diff != "" {
			t.Errorf("runs (-want +got)\n%s", diff)
		}
		empty("TriggerFailureQueue", "SchedulesDeadLetterQueue")
	})
	t.Run("sweeps", func(t *testing.T) {
		left(t, w, made["SweepFailureQueue"], record(`{}`), nil)
		left(t, w, made["SweepScheduleDeadLetterQueue"], `{}`, map[string]string{"ERROR_CODE": "ThrottlingException"})
		for _, queue := range []string{"sweep", "sweep-schedule"} {
			if got := cli.run(0, "dlq", "redrive", queue, "--json"); !strings.Contains(got, `"action": "deleted"`) {
				t.Errorf("got %s", got)
			}
		}
		empty("SweepFailureQueue", "SweepScheduleDeadLetterQueue")
	})
}

func TestCLISaysWhatTheStackIs(t *testing.T) {
	t.Parallel()
	w := world(t)
	cli := commandLine(t, w, w.URL)
	const none = "there is no stack cli in this account and region: name it with --stack or AMPERITY_RUNS_STACK, and look at AWS_PROFILE and AWS_REGION\n"
	for _, args := range [][]string{{"held", "list"}, {"dlq", "list"}, {"dlq", "redrive", "arrivals"}} {
		if got := cli.run(1, args...); got != "amperity-runs: "+args[0]+": "+none {
			t.Errorf("%v: %s", args, got)
		}
	}
	// Another stack is not taken for an empty one of ours.
	makeStack(t, w, `{"Resources":{"Queue":{"Type":"AWS::SQS::Queue"}}}`)
	for _, args := range [][]string{{"held", "list"}, {"dlq", "list"}} {
		want := "amperity-runs: " + args[0] + ": the stack cli (CREATE_COMPLETE) has no output TriggerArn: give the stack that amperity-runs was deployed as with --stack or AMPERITY_RUNS_STACK\n"
		if got := cli.run(1, args...); got != want {
			t.Errorf("%v: %s", args, got)
		}
	}
}
