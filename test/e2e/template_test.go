package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/settings"
	"github.com/amperity-runs/amperity-runs/internal/trigger"
	"github.com/amperity-runs/amperity-runs/test/stack"
)

// variants are the stacks that the tests of the template look at.
func variants(t *testing.T) map[string]map[string]resource {
	f := load(t)
	otherBus := everything()
	otherBus["EventBusName"] = "acme"
	return map[string]map[string]resource{
		"required parameters only": stackOf(t, f.Translated, required()),
		"everything on":            stackOf(t, f.Translated, everything()),
		"a bus by its name":        stackOf(t, f.Translated, otherBus),
	}
}

// ofType are the logical ids of one type, sorted.
func ofType(made map[string]resource, types ...string) []string {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(made)) {
		if slices.Contains(types, made[id].Type) {
			ids = append(ids, id)
		}
	}
	return ids
}

// at follows keys and list indexes into a value; nil where there is nothing.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

// list is v, or v alone in a list.
func list(v any) []any {
	if l, ok := v.([]any); ok || v == nil {
		return l
	}
	return []any{v}
}

func TestEveryRoleNamesItsResources(t *testing.T) {
	for name, made := range variants(t) {
		for _, id := range ofType(made, "AWS::IAM::Role") {
			p := made[id].Properties
			if len(list(p["ManagedPolicyArns"])) > 0 {
				t.Errorf("%s: %s has managed policies, which name no resources", name, id)
			}
			if len(list(p["Policies"])) == 0 {
				t.Errorf("%s: %s may do nothing", name, id)
			}
			for _, policy := range list(p["Policies"]) {
				for _, s := range list(at(policy, "PolicyDocument", "Statement")) {
					resources, actions := list(at(s, "Resource")), list(at(s, "Action"))
					if len(resources) == 0 || len(actions) == 0 || at(s, "NotAction") != nil || at(s, "NotResource") != nil || at(s, "Sid") == nil {
						t.Errorf("%s: %s: a statement without Sid, Action or Resource: %v", name, id, s)
					}
					for _, r := range resources {
						if strings.Contains(r.(string), "*") {
							t.Errorf("%s: %s may touch %s", name, id, r)
						}
					}
					for _, a := range actions {
						if strings.Contains(a.(string), "*") {
							t.Errorf("%s: %s may do %s", name, id, a)
						}
					}
				}
			}
		}
		for _, id := range ofType(made, "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy") {
			for _, s := range list(at(made[id].Properties, "PolicyDocument", "Statement")) {
				text, _ := json.Marshal(s)
				if strings.Contains(string(text), "*") || at(s, "Condition") == nil {
					t.Errorf("%s: %s lets in more than it names: %s", name, id, text)
				}
			}
		}
	}
}

// may gives the resources of each action that a role may do.
func may(made map[string]resource, role string) map[string][]any {
	m := map[string][]any{}
	for _, s := range list(at(made[role].Properties, "Policies", 0, "PolicyDocument", "Statement")) {
		for _, a := range list(at(s, "Action")) {
			m[a.(string)] = append(m[a.(string)], list(at(s, "Resource"))...)
		}
	}
	return m
}

func TestWhatEachRoleMayDo(t *testing.T) {
	f := load(t)
	plain, all := stackOf(t, f.Translated, required()), stackOf(t, f.Translated, everything())
	const index = "${LedgerTable.Arn}/index/due"
	own := map[string]map[string][]any{
		"TriggerRole": {
			"logs:CreateLogStream": {"${TriggerLogGroup.Arn}"},
			"logs:PutLogEvents":    {"${TriggerLogGroup.Arn}"},
			"dynamodb:Query":       {index},
			"sqs:SendMessage":      {"${TriggerFailureQueue.Arn}"},
		},
		"S3ArrivalRole": {
			"logs:CreateLogStream":   {"${S3ArrivalLogGroup.Arn}"},
			"logs:PutLogEvents":      {"${S3ArrivalLogGroup.Arn}"},
			"sqs:ReceiveMessage":     {"${ArrivalsQueue.Arn}"},
			"sqs:DeleteMessage":      {"${ArrivalsQueue.Arn}"},
			"sqs:GetQueueAttributes": {"${ArrivalsQueue.Arn}"},
		},
		"SweepRole": {
			"logs:CreateLogStream": {"${SweepLogGroup.Arn}"},
			"logs:PutLogEvents":    {"${SweepLogGroup.Arn}"},
			"dynamodb:Query":       {index},
			"sqs:SendMessage":      {"${SweepFailureQueue.Arn}"},
		},
		"SchedulesRole": {
			"lambda:InvokeFunction": {"${TriggerFunction.Arn}"},
			"sqs:SendMessage":       {"${SchedulesDeadLetterQueue.Arn}"},
		},
		"SweepScheduleRole": {
			"lambda:InvokeFunction": {"${SweepFunction.Arn}"},
			"sqs:SendMessage":       {"${SweepScheduleDeadLetterQueue.Arn}"},
		},
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(own)), ofType(plain, "AWS::IAM::Role")); diff != "" {
		t.Errorf("roles (-want +got)\n%s", diff)
	}
	for role, want := range own {
		if strings.HasSuffix(role, "Role") && want["lambda:InvokeFunction"] == nil { // that of a function
			maps.Copy(want, map[string][]any{
				"secretsmanager:GetSecretValue": {required()["AmperitySecretArn"]},
				"events:PutEvents":              {"arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default"},
				// A transaction takes the actions of what is in it, and there
				// are only puts (DynamoDB developer guide, "Using IAM with
				// DynamoDB transactions").
				"dynamodb:GetItem": {"${LedgerTable.Arn}"},
				"dynamodb:PutItem": {"${LedgerTable.Arn}"},
			})
		}
		if diff := cmp.Diff(want, may(plain, role)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", role, diff)
		}
		if want["lambda:InvokeFunction"] == nil {
			want["kms:Decrypt"] = []any{everything()["SecretKmsKeyArn"], everything()["LedgerKmsKeyArn"]}
			want["events:PutEvents"] = []any{everything()["EventBusName"]}
		}
		if diff := cmp.Diff(want, may(all, role)); diff != "" {
			t.Errorf("%s with keys and a bus by its ARN (-want +got)\n%s", role, diff)
		}
	}
}

// A key may be used for what it is given for, and for nothing else.
func TestKeysAreUsedThroughTheirServiceAlone(t *testing.T) {
	made := stackOf(t, load(t).Translated, everything())
	want := map[any]any{
		everything()["SecretKmsKeyArn"]: map[string]any{
			"kms:ViaService":                  "secretsmanager.${AWS::Region}.${AWS::URLSuffix}",
			"kms:EncryptionContext:SecretARN": required()["AmperitySecretArn"],
		},
		everything()["LedgerKmsKeyArn"]: map[string]any{
			"kms:ViaService": "dynamodb.${AWS::Region}.${AWS::URLSuffix}",
			"kms:EncryptionContext:aws:dynamodb:tableName": "${LedgerTable}",
		},
	}
	found := 0
	for _, role := range ofType(made, "AWS::IAM::Role") {
		for _, s := range list(at(made[role].Properties, "Policies", 0, "PolicyDocument", "Statement")) {
			if at(s, "Action") != "kms:Decrypt" {
				continue
			}
			found++
			if diff := cmp.Diff(want[at(s, "Resource")], at(s, "Condition", "StringEquals")); diff != "" {
				t.Errorf("%s: %v (-want +got)\n%s", role, at(s, "Resource"), diff)
			}
		}
	}
	if found != 2*len(stack.Functions()) {
		t.Errorf("%d statements about keys", found)
	}
}

func TestEveryRoleHasTheBoundary(t *testing.T) {
	f := load(t)
	for id, r := range stackOf(t, f.Translated, everything()) {
		if r.Type == "AWS::IAM::Role" && r.Properties["PermissionsBoundary"] != everything()["PermissionsBoundaryArn"] {
			t.Errorf("%s has the boundary %v", id, r.Properties["PermissionsBoundary"])
		}
	}
	for id, r := range stackOf(t, f.Translated, required()) {
		if _, has := r.Properties["PermissionsBoundary"]; r.Type == "AWS::IAM::Role" && has {
			t.Errorf("%s has a boundary that nobody gave", id)
		}
	}
}

func TestLogsAreKeptAsLongAsTheParameterSays(t *testing.T) {
	made := variants(t)["everything on"]
	for _, id := range ofType(made, "AWS::Logs::LogGroup") {
		if made[id].Properties["RetentionInDays"] != 30.0 {
			t.Errorf("%s keeps for %v days", id, made[id].Properties["RetentionInDays"])
		}
	}
	for _, id := range ofType(made, "AWS::Lambda::Function") {
		group, _ := at(made[id].Properties, "LoggingConfig", "LogGroup").(string)
		if made[strings.Trim(group, "${}")].Type != "AWS::Logs::LogGroup" {
			t.Errorf("%s writes to %q, which is no log group of the stack", id, group)
		}
	}
}

func TestStatefulResourcesOutliveTheStack(t *testing.T) {
	for name, made := range variants(t) {
		for _, id := range ofType(made, "AWS::SQS::Queue", "AWS::Logs::LogGroup", "AWS::DynamoDB::Table", "AWS::S3::Bucket") {
			if r := made[id]; r.DeletionPolicy != "RetainExceptOnCreate" || r.UpdateReplacePolicy != "Retain" {
				t.Errorf("%s: %s has the deletion policy %q and the replacement policy %q", name, id, r.DeletionPolicy, r.UpdateReplacePolicy)
			}
		}
	}
}

func TestTwoStacksLiveInOneAccount(t *testing.T) {
	names := map[string][]string{ // the property that fixes a name, by type
		"AWS::Lambda::Function": {"FunctionName"}, "AWS::IAM::Role": {"RoleName"}, "AWS::SQS::Queue": {"QueueName"},
		"AWS::SNS::Topic": {"TopicName"}, "AWS::Events::Rule": {"Name"}, "AWS::Scheduler::Schedule": {"Name"},
		"AWS::Logs::LogGroup": {"LogGroupName"}, "AWS::CloudWatch::Alarm": {"AlarmName"},
		"AWS::DynamoDB::Table":            {"TableName"},
		"AWS::Lambda::EventSourceMapping": {}, "AWS::Lambda::EventInvokeConfig": {}, "AWS::SQS::QueuePolicy": {},
		"AWS::SNS::TopicPolicy": {}, "AWS::SNS::Subscription": {},
	}
	for id, r := range variants(t)["everything on"] {
		properties, known := names[r.Type]
		if !known {
			t.Errorf("%s is of the type %s: say here which of its properties would fix a name", id, r.Type)
		}
		for _, p := range properties {
			if v, has := r.Properties[p]; has {
				t.Errorf("%s has the fixed name %v", id, v)
			}
		}
	}
}

func TestLocalSettingsAreDeclared(t *testing.T) {
	made := variants(t)["required parameters only"]
	for _, f := range stack.Functions() {
		local, err := stack.LocalSettings(root, f)
		if err != nil {
			t.Fatal(err)
		}
		declared, _ := at(made[f.LogicalID].Properties, "Environment", "Variables").(map[string]any)
		if diff := cmp.Diff(slices.Sorted(maps.Keys(declared)), slices.Sorted(maps.Keys(local))); diff != "" {
			t.Errorf("events/env.json for %s (-template +env.json)\n%s", f.LogicalID, diff)
		}
	}
}

func TestTheFunctionsAcceptTheSettingsOfTheTemplate(t *testing.T) {
	for name, made := range variants(t) {
		for _, f := range stack.Functions() {
			variables, _ := at(made[f.LogicalID].Properties, "Environment", "Variables").(map[string]any)
			if variables[settings.EnvLedgerTable] != "${LedgerTable}" {
				t.Errorf("%s: the ledger of %s is %v", name, f.LogicalID, variables[settings.EnvLedgerTable])
			}
			s, err := settings.Load(func(v string) string {
				text, _ := variables[v].(string)
				// A name as CloudFormation gives one.
				return strings.ReplaceAll(text, "${LedgerTable}", "amperity-runs-LedgerTable-1ABCDEFGHIJKL")
			})
			if err != nil {
				t.Errorf("%s: %s: %v", name, f.LogicalID, err)
			}
			if want := []string{"acme-landing", "acme-partners"}; f.Name != "trigger" && !cmp.Equal(want, s.Buckets) {
				t.Errorf("%s: the buckets of %s are %q", name, f.Name, s.Buckets)
			}
		}
	}
}

func TestFunctionsAreAsTheTestsTakeThem(t *testing.T) {
	f := load(t)
	for _, architecture := range []string{"arm64", "x86_64"} {
		given := required()
		given["Architecture"] = architecture
		made := stackOf(t, f.Translated, given)
		ids := ofType(made, "AWS::Lambda::Function")
		var want []string
		for _, fn := range stack.Functions() {
			want = append(want, fn.LogicalID)
			r := made[fn.LogicalID]
			if r.Properties["MemorySize"] != float64(stack.Memory) {
				t.Errorf("%s has %v MB of memory", fn.LogicalID, r.Properties["MemorySize"])
			}
			if r.Properties["Timeout"] != fn.Timeout.Seconds() {
				t.Errorf("%s has the time limit %v", fn.LogicalID, r.Properties["Timeout"])
			}
			if r.Properties["Runtime"] != "provided.al2023" || r.Properties["Handler"] != "bootstrap" {
				t.Errorf("%s runs %v on %v", fn.LogicalID, r.Properties["Handler"], r.Properties["Runtime"])
			}
			// One parameter says what Lambda runs and what the Makefile builds.
			if !cmp.Equal([]any{architecture}, r.Properties["Architectures"]) || r.Metadata["WorkingDirectory"] != "./arch/"+architecture {
				t.Errorf("%s runs on %v and is built in %v", fn.LogicalID, r.Properties["Architectures"], r.Metadata["WorkingDirectory"])
			}
			// In a new account reserved concurrency fails the deployment.
			if _, has := r.Properties["ReservedConcurrentExecutions"]; has {
				t.Errorf("%s reserves concurrency", fn.LogicalID)
			}
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, ids); diff != "" {
			t.Errorf("functions (-want +got)\n%s", diff)
		}
		// An alias would keep the parameters of an earlier deployment.
		if ids := ofType(made, "AWS::Lambda::Alias", "AWS::Lambda::Version"); len(ids) > 0 {
			t.Errorf("there are %v", ids)
		}
	}
}

func TestSchedulesBlock(t *testing.T) {
	f := load(t)
	if ids := ofType(stackOf(t, f.Translated, required()), "AWS::Scheduler::Schedule"); !cmp.Equal([]string{"SweepSchedule"}, ids) {
		t.Errorf("%v exist without SampleSchedules=on", ids)
	}
	block := regexp.MustCompile(`(?s)\n  # your schedules\n.*\n  # end of your schedules\n`).Find(read(t, "template.yaml"))
	made := stackOf(t, f.Translated, everything())
	ids := ofType(made, "AWS::Scheduler::Schedule")
	kinds := map[string]bool{}
	for _, id := range ids {
		if id == "SweepSchedule" {
			continue
		}
		if !strings.Contains(string(block), "\n  "+id+":\n") {
			t.Errorf("%s is not in the block \"your schedules\"", id)
		}
		target := made[id].Properties["Target"]
		if at(target, "Arn") != "${TriggerFunction.Arn}" || at(target, "RoleArn") != "${SchedulesRole.Arn}" {
			t.Errorf("%s calls %v as %v", id, at(target, "Arn"), at(target, "RoleArn"))
		}
		// Scheduler fills these two in.
		input := strings.NewReplacer(
			"<aws.scheduler.scheduled-time>", "2026-11-23T11:00:00Z",
			"<aws.scheduler.schedule-arn>", "arn:aws:scheduler:us-east-1:123456789012:schedule/default/acme",
		).Replace(at(target, "Input").(string))
		in, err := trigger.ParseInput([]byte(input))
		if err != nil {
			t.Errorf("%s: the trigger refuses its input: %v", id, err)
		}
		if in.ScheduledTime.IsZero() || in.ScheduleARN == "" {
			t.Errorf("%s does not say when and which schedule, so its retries could start twice", id)
		}
		kinds[in.ConfigID[:2]] = true
	}
	if want := map[string]bool{"cg": true, "og": true}; !cmp.Equal(want, kinds) {
		t.Errorf("the samples are for %v", kinds)
	}
}

func TestEnvironmentsOfSamConfig(t *testing.T) {
	f := load(t)
	var names []string
	for name, commands := range f.SamConfig {
		names = append(names, name)
		if commands["global"]["parameters"]["stack_name"] == nil {
			t.Errorf("%s has no stack_name for all commands", name)
		}
		for command, c := range commands {
			overrides := list(c["parameters"]["parameter_overrides"])
			if len(overrides) > 0 && command != "global" {
				t.Errorf("%s.%s: parameters of one command alone: build and deploy must agree on Architecture", name, command)
			}
			given := map[string]bool{}
			for _, o := range overrides {
				key, _, _ := strings.Cut(o.(string), "=")
				given[key] = true
				if _, ok := f.Source.Parameters[key]; !ok {
					t.Errorf("%s: %q is no parameter of the template", name, key)
				}
			}
			for p, d := range f.Source.Parameters {
				if len(overrides) > 0 && d.Default == nil && !given[p] {
					t.Errorf("%s: no value of %s", name, p)
				}
			}
			text := fmt.Sprint(c)
			if regexp.MustCompile(`\b[0-9]{12}\b`).MatchString(text) {
				t.Errorf("%s: an account id", name)
			}
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"default", "production", "sandbox"}, names); diff != "" {
		t.Errorf("environments (-want +got)\n%s", diff)
	}
}
