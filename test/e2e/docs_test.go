package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/trigger"
	"github.com/amperity-runs/amperity-runs/test/docs/commands"
	"github.com/amperity-runs/amperity-runs/test/stack"
)

// awsProgram stands for aws in the documentation's scripts. With the variable
// alone, the AWS command line would go to the address of a queue.
func awsProgram(t *testing.T) string {
	t.Helper()
	return "exec '" + tools(t).Program("aws") + "' \"$@\" --endpoint-url \"$AWS_ENDPOINT_URL\""
}

// markedBlocks are the blocks of each document that need an account or Docker;
// README.md is the first, as for a reader.
func markedBlocks(t *testing.T) (files []string, marked map[string][]commands.Fence) {
	t.Helper()
	all, err := commands.All(root)
	if err != nil {
		t.Fatal(err)
	}
	marked = map[string][]commands.Fence{}
	for _, b := range all {
		if b.Word != "sh" {
			continue
		}
		need, err := b.Need()
		if err != nil {
			t.Fatal(err)
		}
		if need == commands.Nothing {
			continue
		}
		if marked[b.File] == nil {
			files = append(files, b.File)
		}
		marked[b.File] = append(marked[b.File], b)
	}
	return files, marked
}

func TestTheCommandsOfTheDocumentationWork(t *testing.T) {
	t.Parallel()
	w := world(t)
	a := account{t, w}
	a.aws(nil, "s3api", "create-bucket", "--bucket", "packages")
	a.aws(nil, "s3api", "put-object", "--bucket", "packages", "--key", "function.zip", "--body", zipped(t))
	made := a.deploy("amperity-runs")
	a.aws(nil, "s3api", "create-bucket", "--bucket", "acme-landing")

	// What the bucket has, and an event that did not reach the arrivals queue.
	const theirs = "arn:aws:sqs:us-east-1:123456789012:theirs"
	a.aws(nil, "sqs", "create-queue", "--queue-name", "theirs")
	a.aws(nil, "s3api", "put-bucket-notification-configuration", "--bucket", "acme-landing", "--notification-configuration",
		`{"QueueConfigurations":[{"Id":"theirs","QueueArn":"`+theirs+`","Events":["s3:ObjectRemoved:*"]}]}`)
	lost := s3Event("orders/2026/11/22/a b\tc.csv.gz")
	left(t, w, made["ArrivalsRuleDeadLetterQueue"], lost, nil)
	// And a call of the trigger that failed, for which the documentation's
	// commands call it again.
	l, lambda := triggerUnderEmulator(t, w, made["TriggerFunction"])
	left(t, w, made["TriggerFailureQueue"], `{"version":"1.0","timestamp":"2026-11-22T11:00:00Z","requestContext":{"requestId":"86162f4e-6b2c-492f-93de-5e1b9c5f8bd3",`+
		`"functionArn":"`+l.function+`:$LATEST","condition":"RetriesExhausted","approximateInvokeCount":3},"requestPayload":{"config_id":"og-234BCd5EF","idempotency_key":"monday"},`+
		`"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"responsePayload":{"errorMessage":"no","errorType":"LedgerError"}}`, nil)

	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "events"), os.DirFS(filepath.Join(root, "events"))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "orders_1.csv.gz"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := &commands.Shell{Folder: t.TempDir(), Dir: dir, Stdin: fixtureToken + "\n", Environ: []string{
		"TMPDIR=" + dir, "HOME=" + dir, "AWS_ENDPOINT_URL=" + w.URL, "AWS_ENDPOINT_URL_LAMBDA=" + lambda, "AWS_DEFAULT_REGION=" + stack.Region, "AWS_PAGER=",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local",
	}}
	if err := s.Prepare(map[string]string{"aws": awsProgram(t), "sam": ""}); err != nil {
		t.Fatal(err)
	}
	var sam []commands.Call
	files, marked := markedBlocks(t)
	if files[0] != "README.md" || len(files) < 4 {
		t.Fatalf("commands in %v: the search is broken", files)
	}
	for _, file := range files {
		calls, err := s.Run(marked[file])
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		ran := 0
		for _, c := range calls {
			if c.Args[0] == "sam" {
				sam = append(sam, c)
			} else {
				ran++
			}
		}
		t.Logf("%s: %d calls of aws and amperity-runs against moto", file, ran)
	}
	checkSamCalls(t, sam)

	t.Run("the secret holds the token", func(t *testing.T) {
		secret, err := secretsmanager.NewFromConfig(w.AWS()).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("amperity-runs-token")})
		if err != nil {
			t.Fatal(err)
		}
		if aws.ToString(secret.SecretString) != fixtureToken {
			t.Error("it holds something else")
		}
	})
	t.Run("the bucket keeps what it had", func(t *testing.T) {
		var n struct {
			QueueConfigurations      []struct{ QueueArn string }
			EventBridgeConfiguration *struct{}
		}
		// As it was written back: moto does not show the second.
		text, err := os.ReadFile(filepath.Join(dir, "notification.json"))
		if err != nil || json.Unmarshal(text, &n) != nil {
			t.Fatal(err, string(text))
		}
		if n.EventBridgeConfiguration == nil || len(n.QueueConfigurations) != 1 || n.QueueConfigurations[0].QueueArn != theirs {
			t.Errorf("%+v", n)
		}
	})
	t.Run("the file of the README and what was lost are in the arrivals queue", func(t *testing.T) {
		got, err := w.Receive(t.Context(), made["ArrivalsQueue"])
		if err != nil {
			t.Fatal(err)
		}
		landed := slices.ContainsFunc(got, func(m string) bool { return strings.Contains(m, `"orders/2026/11/22/orders_1.csv.gz"`) })
		if len(got) != 2 || !landed || !slices.Contains(got, lost) {
			t.Errorf("in the queue:\n%s", strings.Join(got, "\n"))
		}
		for _, queue := range []string{"ArrivalsRuleDeadLetterQueue", "TriggerFailureQueue"} {
			if left, err := w.Receive(t.Context(), made[queue]); err != nil || len(left) > 0 {
				t.Errorf("%s: %v %v", queue, left, err)
			}
		}
	})
	t.Run("the trigger was called again for what had failed", func(t *testing.T) {
		if len(l.events) != 1 || errors.Join(l.errors...) != nil {
			t.Errorf("called with %q, %v", l.events, l.errors)
		}
		checkRuns(t, []run{{"og-234BCd5EF", "", "", ""}}, w.Simulator.Runs())
	})
	t.Run("the schedule calls the trigger with an input that it takes", func(t *testing.T) {
		var schedule struct {
			Target struct{ Arn, RoleArn, Input string }
		}
		a.aws(&schedule, "scheduler", "get-schedule", "--name", "acme-daily")
		input := strings.NewReplacer("<aws.scheduler.scheduled-time>", "2026-11-22T11:00:00Z",
			"<aws.scheduler.schedule-arn>", "arn:aws:scheduler:us-east-1:123456789012:schedule/default/acme-daily").Replace(schedule.Target.Input)
		if _, err := trigger.ParseInput([]byte(input)); err != nil {
			t.Errorf("%s: %v", input, err)
		}
		if !strings.HasSuffix(schedule.Target.Arn, made["TriggerFunction"]) || !strings.HasSuffix(schedule.Target.RoleArn, made["SchedulesRole"]) {
			t.Errorf("%+v", schedule.Target)
		}
	})
	t.Run("the other account may put events on the bus, and does", func(t *testing.T) {
		var bus struct{ Policy string }
		a.aws(&bus, "events", "describe-event-bus", "--name", "amperity-arrivals")
		if !strings.Contains(bus.Policy, "111122223333") || !strings.Contains(bus.Policy, "events:PutEvents") {
			t.Error(bus.Policy)
		}
		var targets struct {
			Targets []struct{ Arn, RoleArn string }
		}
		a.aws(&targets, "events", "list-targets-by-rule", "--rule", "amperity-arrivals")
		if len(targets.Targets) != 1 || !strings.HasSuffix(targets.Targets[0].Arn, "event-bus/amperity-arrivals") || targets.Targets[0].RoleArn == "" {
			t.Errorf("%+v", targets)
		}
	})
}

// checkSamCalls holds the flags of sam against its help, and the values of the
// template's parameters against their patterns.
func checkSamCalls(t *testing.T, calls []commands.Call) {
	t.Helper()
	if len(calls) < 8 {
		t.Errorf("%d calls of sam: the search is broken", len(calls))
	}
	parameters := load(t).Source.Parameters
	helps := map[string]string{}
	for _, c := range calls {
		command := []string{c.Args[1]}
		if c.Args[1] == "local" || c.Args[1] == "remote" {
			command = append(command, c.Args[2])
		}
		name := strings.Join(command, " ")
		if helps[name] == "" {
			helps[name] = help(t, command)
		}
		for _, a := range c.Args {
			if strings.HasPrefix(a, "-") && !regexp.MustCompile(regexp.QuoteMeta(a)+`\b`).MatchString(helps[name]) {
				t.Errorf("%s: sam %s has no %s", c, name, a)
			}
		}
		for _, p := range c.Values("--parameter-overrides") {
			name, value, _ := strings.Cut(p, "=")
			if pattern := parameters[name].AllowedPattern; !regexp.MustCompile(pattern).MatchString(value) {
				t.Errorf("%s: %s is refused by %s", c, p, pattern)
			}
		}
	}
	t.Logf("the flags and parameters of %d calls of sam checked", len(calls))
}

// help is what sam says of a command.
func help(t *testing.T, command []string) string {
	t.Helper()
	out, err := try(t, root, "sam", append(command, "--help")...)
	if err != nil {
		t.Fatalf("%v: %v", command, err)
	}
	return string(out)
}

func TestMakeInvokeOfTheDocumentationWorks(t *testing.T) {
	all, err := commands.All(root)
	if err != nil {
		t.Fatal(err)
	}
	venv := filepath.Dir(filepath.Dir(tools(t).Program("sam")))
	ran := map[string]bool{}
	for _, b := range all {
		if b.Word != "sh" {
			continue
		}
		for _, line := range b.Lines() {
			if !strings.HasPrefix(line, "make invoke ") || ran[line] {
				continue
			}
			ran[line] = true
			cmd := exec.Command("bash", "-c", line+` VENV="$0"`, venv)
			cmd.Dir = root
			out, err := cmd.CombinedOutput()
			want := "Amperity Workflow Run Started"
			if strings.Contains(line, "/s3arrival-") && !strings.Contains(line, "/sweep.json") {
				want = "Waits in the ledger for the sweep (add events/sweep.json to EVENT): 1"
			}
			if err != nil || !strings.Contains(string(out), want) {
				t.Errorf("%s: %s: %v\n%s", b.Place(), line, err, out)
			}
		}
	}
	if len(ran) == 0 {
		t.Error("no make invoke in the documentation")
	}
}

// Several events share one ledger.
func TestMakeInvokeTakesSeveralEvents(t *testing.T) {
	venv := filepath.Dir(filepath.Dir(tools(t).Program("sam")))
	cmd := exec.Command("make", "invoke", "EVENT=events/trigger-manual.json events/trigger-manual.json events/sweep.json", "VENV="+venv)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := regexp.MustCompile(`"outcome": "\w+"|"done": \d+|(Runs started|Events published|Waits).*: \d+`).FindAllString(string(out), -1)
	const runs, events = "Runs started in the simulated Amperity: ", "Events published with the source amperity.workflow: "
	want := []string{`"outcome": "started"`, runs + "1", events + "1", `"outcome": "duplicate"`, runs + "0", events + "0", `"done": 0`, runs + "0", events + "0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s\n%s", diff, out)
	}
}

// Of a bucket without notifications the first command writes only the new
// entry, because the AWS command line prints nothing. The second command
// accepts it.
func TestABucketWithoutNotificationsGetsTheOne(t *testing.T) {
	t.Parallel()
	w := world(t)
	a := account{t, w}
	a.aws(nil, "s3api", "create-bucket", "--bucket", "acme-landing")
	_, marked := markedBlocks(t)
	blocks := slices.DeleteFunc(marked["README.md"], func(b commands.Fence) bool {
		return !strings.Contains(b.Text, "bucket-notification-configuration")
	})
	if len(blocks) == 0 {
		t.Fatal("the README does not switch EventBridge on")
	}
	dir := t.TempDir()
	s := &commands.Shell{Folder: t.TempDir(), Dir: dir, Environ: []string{"HOME=" + dir, "AWS_ENDPOINT_URL=" + w.URL,
		"AWS_DEFAULT_REGION=" + stack.Region, "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local"}}
	if err := s.Prepare(map[string]string{"aws": awsProgram(t)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(blocks); err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	text, err := os.ReadFile(filepath.Join(dir, "notification.json"))
	if err != nil || json.Unmarshal(text, &got) != nil {
		t.Fatal(err, string(text))
	}
	if diff := cmp.Diff(map[string]json.RawMessage{"EventBridgeConfiguration": json.RawMessage("{}")}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
