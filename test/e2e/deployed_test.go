package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
	"github.com/amperity-runs/amperity-runs/test/stack"
)

// account is moto, through the AWS command line.
type account struct {
	t *testing.T
	w *stack.World
}

// aws runs the AWS command line and reads its answer into to, unless nil.
func (a account) aws(to any, args ...string) {
	a.t.Helper()
	out := command(a.t, root, "aws", append(args, "--endpoint-url", a.w.URL, "--output", "json")...)
	if to == nil {
		return
	}
	if err := json.Unmarshal(out, to); err != nil {
		a.t.Fatalf("aws %v: %v\n%s", args, err, out)
	}
}

// deploy makes a stack of the translated template, with the world's addresses,
// and returns the physical id of each resource by its logical one.
func (a account) deploy(name string) map[string]string {
	a.t.Helper()
	f := load(a.t)
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(f.raw, &whole); err != nil {
		a.t.Fatal(err)
	}
	template := filepath.Join(a.t.TempDir(), "template.json")
	if err := os.WriteFile(template, whole["translated"], 0o600); err != nil {
		a.t.Fatal(err)
	}
	given := map[string]string{
		"AmperityTenant":    amperitytest.DefaultTenant,
		"AmperitySecretArn": a.w.SecretARN,
		"AmperityBaseUrl":   a.w.Simulator.URL(),
		"EndpointUrl":       a.w.URL,
		"Buckets":           "acme-landing,acme-partners",
		"NotificationEmail": "data-team@example.com",
		"SampleSchedules":   "on",
	}
	var parameters []map[string]string
	for k, v := range given {
		parameters = append(parameters, map[string]string{"ParameterKey": k, "ParameterValue": v})
	}
	text, err := json.Marshal(parameters)
	if err != nil {
		a.t.Fatal(err)
	}
	a.aws(nil, "cloudformation", "create-stack", "--stack-name", name, "--template-body", "file://"+template,
		"--capabilities", "CAPABILITY_IAM", "--parameters", string(text))
	var resources struct {
		StackResourceSummaries []struct{ ResourceStatus, LogicalResourceId, PhysicalResourceId string }
	}
	a.aws(&resources, "cloudformation", "list-stack-resources", "--stack-name", name)
	made := map[string]string{}
	for _, r := range resources.StackResourceSummaries {
		// moto lists without a name what it does not make: alarms, schedules and
		// the settings of asynchronous invocation.
		if r.LogicalResourceId != "" && r.ResourceStatus == "CREATE_COMPLETE" {
			made[r.LogicalResourceId] = r.PhysicalResourceId
		}
	}
	for id, r := range f.Translated.Resources {
		switch r.Type {
		case "AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping", "AWS::IAM::Role", "AWS::SQS::Queue", "AWS::Events::Rule", "AWS::SNS::Topic", "AWS::DynamoDB::Table":
			if made[id] == "" {
				a.t.Errorf("%s: %s was not made", name, id)
			}
		}
	}
	return made
}

// settings is the environment that a deployed function has.
func (a account) settings(function string) map[string]string {
	a.t.Helper()
	var f struct {
		Environment struct{ Variables map[string]string }
	}
	a.aws(&f, "lambda", "get-function-configuration", "--function-name", function)
	return f.Environment.Variables
}

// zipped is a package for moto, which does not look into it.
func zipped(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	_, err := z.Create("bootstrap")
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "function.zip")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestTheDeployedStackStartsRuns(t *testing.T) {
	t.Parallel()
	w := world(t)
	a := account{t, w}
	a.aws(nil, "s3api", "create-bucket", "--bucket", "packages")
	a.aws(nil, "s3api", "put-object", "--bucket", "packages", "--key", "function.zip", "--body", zipped(t))
	one, two := a.deploy("one"), a.deploy("two")
	for id := range maps.Keys(one) {
		if one[id] == two[id] {
			t.Errorf("%s is %s in both stacks", id, one[id])
		}
	}

	var tables [3]json.RawMessage
	for i, name := range []string{one["LedgerTable"], two["LedgerTable"], stack.Table} {
		a.aws(&tables[i], "dynamodb", "describe-table", "--table-name", name,
			"--query", "Table.[KeySchema, AttributeDefinitions, BillingModeSummary.BillingMode, GlobalSecondaryIndexes[].[IndexName, KeySchema, Projection]]")
	}
	if diff := cmp.Diff(string(tables[0]), string(tables[1])) + cmp.Diff(string(tables[0]), string(tables[2])); diff != "" {
		t.Errorf("the tables of the two stacks, and that of the other tests, differ:\n%s", diff)
	}

	putEvents(t, w,
		landed("acme-landing", "orders/2026/11/22/orders_1+1 = 2%.csv.gz"),
		landed("someone-elses", "orders/2026/11/22/orders_2.csv.gz"),
		landed("acme-partners", "orders/2026/11/22/orders_3.csv.gz"),
		types.PutEventsRequestEntry{Source: aws.String("aws.s3"), DetailType: aws.String("Object Deleted"),
			Detail: aws.String(`{"bucket":{"name":"acme-landing"},"object":{"key":"orders/2026/11/22/orders_1.csv.gz"}}`)},
	)
	for name, made := range map[string]map[string]string{"one": one, "two": two} {
		t.Run("files through the rule and the queue of "+name, func(t *testing.T) {
			bodies, err := w.Receive(t.Context(), made["ArrivalsQueue"])
			if err != nil {
				t.Fatal(err)
			}
			if len(bodies) != 2 {
				t.Fatalf("%d events came through the rule, want the two of the stack's buckets:\n%s", len(bodies), strings.Join(bodies, "\n"))
			}
			arrive := emulate(t, w, "s3arrival", a.settings(made["S3ArrivalFunction"]))
			sweep := emulate(t, w, "sweep", a.settings(made["SweepFunction"]))
			before := len(w.Simulator.Runs())
			for range 2 { // SQS delivers at least once
				answer, err := arrive.Invoke(t.Context(), batch(t, bodies))
				if err != nil {
					t.Fatal(err)
				}
				checkAnswer(t, nothingAgain, answer, nil)
				swept(t, sweep)
				if n := len(w.Simulator.Runs()) - before; n > 0 {
					t.Errorf("%d runs were started before the window was quiet", n)
				}
			}
			later(t, w, made["LedgerTable"], 2*time.Minute)
			swept(t, sweep)
			begun, published := w.Simulator.Runs()[before:], publishedNow(t, w)
			checkRuns(t, []run{{"cg-789GHi0JK", "2026-11-22", "2026-11-23", "source"}}, begun)
			checkPublished(t, []event{{started, salesKey, "", landing + "orders/2026/11/22/orders_1+1 = 2%.csv.gz"}}, published, begun)
			if n := detailOf(t, published[0]).Cause.Files; n != 2 {
				t.Errorf("the run is said to cover %d files, want 2", n)
			}
			later(t, w, made["LedgerTable"], time.Hour)
			swept(t, sweep)
			if begun, published := w.Simulator.Runs()[before+1:], publishedNow(t, w); len(begun)+len(published) > 0 {
				t.Errorf("later there were %d more runs and %d more events", len(begun), len(published))
			}
		})
	}

	t.Run("schedules", func(t *testing.T) {
		before := len(w.Simulator.Runs())
		e := emulate(t, w, "trigger", a.settings(one["TriggerFunction"]))
		resolved := stackOf(t, load(t).Translated, everything())
		for _, id := range ofType(resolved, "AWS::Scheduler::Schedule") {
			if id == "SweepSchedule" {
				continue
			}
			// Scheduler fills these two in.
			input := strings.NewReplacer(
				"<aws.scheduler.scheduled-time>", "2035-11-26T11:00:00Z",
				"<aws.scheduler.schedule-arn>", "arn:aws:scheduler:us-east-1:123456789012:schedule/default/"+id,
			).Replace(at(resolved[id].Properties["Target"], "Input").(string))
			for range 2 { // Scheduler calls at least once
				if _, err := e.Invoke(t.Context(), []byte(input)); err != nil {
					t.Errorf("%s: %v", id, err)
				}
			}
		}
		checkRuns(t, []run{{"cg-123ABc4DE", "2035-11-25", "2035-11-26", "full"}, {"og-234BCd5EF", "", "", ""}}, w.Simulator.Runs()[before:])
	})
}
