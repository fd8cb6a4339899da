package e2e

import (
	"maps"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/settings"
)

func TestParametersAreDescribedBoundedAndGrouped(t *testing.T) {
	doc := load(t).Source
	grouped := map[string]int{}
	ui := doc.Metadata["AWS::CloudFormation::Interface"]
	for _, g := range ui.ParameterGroups {
		if g.Label["default"] == "" {
			t.Errorf("a group without a label: %v", g.Parameters)
		}
		for _, p := range g.Parameters {
			grouped[p]++
		}
	}
	var needed []string
	for name, p := range doc.Parameters {
		if p.Default == nil {
			needed = append(needed, name)
		}
		if len(p.Description) < 20 {
			t.Errorf("%s is described as %q", name, p.Description)
		}
		if p.AllowedPattern == "" && p.AllowedValues == nil {
			t.Errorf("%s may be anything", name)
		}
		if p.AllowedPattern != "" && p.ConstraintDescription == "" {
			t.Errorf("%s: a person who gets it wrong sees a regular expression alone", name)
		}
		if grouped[name] != 1 || ui.ParameterLabels[name]["default"] == "" {
			t.Errorf("%s is in %d groups and has the label %q", name, grouped[name], ui.ParameterLabels[name]["default"])
		}
		delete(grouped, name)
	}
	if len(grouped) > 0 {
		t.Errorf("groups of parameters that do not exist: %v", grouped)
	}
	slices.Sort(needed)
	if diff := cmp.Diff([]string{"AmperitySecretArn", "AmperityTenant", "Buckets"}, needed); diff != "" {
		t.Errorf("parameters without default (-want +got)\n%s", diff)
	}
	for id, o := range doc.Outputs {
		if o.Description == "" {
			t.Errorf("output %s has no description", id)
		}
	}
	for _, o := range []string{"TriggerArn", "SchedulesRoleArn", "ArrivalsQueueUrl", "ArrivalsQueueArn", "EventBus", "LedgerTable", "SweepArn", "SweepFailureQueueUrl"} {
		if _, ok := doc.Outputs[o]; !ok {
			t.Errorf("no output %s", o)
		}
	}
}

func TestDefaultsOfTheTemplateAreThoseOfTheFunctions(t *testing.T) {
	doc := load(t).Source
	for name, want := range map[string]any{
		"AmperityBaseUrl": settings.DefaultBaseURL,
		"EventBusName":    settings.DefaultEventBusName,
		"RoutesFile":      settings.DefaultRoutesFile,
		"LogLevel":        "info",
		"Paused":          "false",
		"Architecture":    "arm64",
	} {
		if got := doc.Parameters[name].Default; got == nil || *got != want {
			t.Errorf("%s is %v by default, want %v", name, got, want)
		}
	}
	if settings.DefaultLogLevel.String() != "INFO" {
		t.Errorf("the functions' default log level is %v", settings.DefaultLogLevel)
	}
}

// The console refuses what the functions refuse, and nothing else.
func TestPatternsOfTheParameters(t *testing.T) {
	const account = "123456789012"
	arn := func(rest string) string { return "arn:aws:" + rest }
	rows := map[string]struct {
		variable   string // the setting that the parameter becomes
		good, bad  []string
		stricter   []string // refused here, though a function takes it
		mayBeEmpty bool
	}{
		"AmperityTenant": {
			variable: settings.EnvTenant,
			good:     []string{"acme", "acme-sb-12345", "a", "Acme_1"},
			bad:      []string{"https://acme.amperity.com", "acme.amperity.com", "-acme", "acme-", "a b"},
		},
		"AmperitySecretArn": {
			variable: settings.EnvSecretID,
			good: []string{arn("secretsmanager:us-east-1:" + account + ":secret:amperity-a1B2c3"),
				"arn:aws-cn:secretsmanager:cn-north-1:" + account + ":secret:team/amperity.token-a1B2c3"},
			bad:      []string{arn("ssm:us-east-1:" + account + ":parameter/x"), arn("secretsmanager:us-east-1::secret:amperity-a1B2c3"), "REPLACE-WITH-THE-ARN-OF-THE-SECRET*"},
			stricter: []string{"amperity", arn("secretsmanager:us-east-1:" + account + ":secret:amperity")},
		},
		"AmperityBaseUrl": {
			variable: settings.EnvBaseURL, mayBeEmpty: false,
			good: []string{"https://app.amperity.com/api", "https://acme.amperity.com/api", "https://app-aws-apse2.amperity.com/api",
				"http://host.docker.internal:8089/api", "http://127.0.0.1:8089/api", "http://localhost/api"},
			bad:      []string{"http://app.amperity.com/api", "app.amperity.com/api", "https://app.amperity.com/api?x=1", "https://user@app.amperity.com/api"},
			stricter: []string{"https://app.amperity.com/api/"},
		},
		"EventBusName": {
			variable: settings.EnvEventBusName,
			good:     []string{"default", "acme.bus/1", arn("events:us-east-1:" + account + ":event-bus/acme")},
			bad:      []string{arn("sns:us-east-1:" + account + ":acme"), arn("events:us-east-1:" + account + ":rule/acme"), "two words"},
		},
		"RoutesFile": {
			variable: settings.EnvRoutesFile,
			good:     []string{"routes.yaml", "routes-sandbox.yaml", "routes.eu.yaml"},
			bad:      []string{"routes/"},
			stricter: []string{"/etc/routes.yaml", "sub/routes.yaml", "other.yaml"},
		},
		"KeyPrefix":              {good: []string{"inbound/", "a b+c", "été/"}, bad: []string{"inbound/*", "a?"}, mayBeEmpty: true},
		"ArrivalsBusName":        {good: []string{"default", "landing", arn("events:us-east-1:" + account + ":event-bus/landing")}, bad: []string{"two words"}},
		"NotificationEmail":      {good: []string{"data-team@example.com"}, bad: []string{"data-team", "a@b", "a b@example.com"}, mayBeEmpty: true},
		"SecretKmsKeyArn":        {good: []string{arn("kms:us-east-1:" + account + ":key/1234abcd-12ab-34cd-56ef-1234567890ab"), arn("kms:us-east-1:" + account + ":key/mrk-1234")}, bad: []string{arn("kms:us-east-1:" + account + ":alias/x"), "key"}, mayBeEmpty: true},
		"LedgerKmsKeyArn":        {good: []string{arn("kms:us-east-1:" + account + ":key/1234abcd-12ab-34cd-56ef-1234567890ab")}, bad: []string{arn("kms:us-east-1:" + account + ":alias/x"), "key"}, mayBeEmpty: true},
		"PermissionsBoundaryArn": {good: []string{arn("iam::" + account + ":policy/team/boundary"), arn("iam::aws:policy/PowerUserAccess")}, bad: []string{arn("iam::" + account + ":role/x"), "boundary"}, mayBeEmpty: true},
		"EndpointUrl":            {good: []string{"http://host.docker.internal:5555", "https://localhost"}, bad: []string{"localhost:5555", "http://localhost:5555/x"}, mayBeEmpty: true},
		"Buckets":                {good: []string{"acme-landing", "acme.landing.1"}, bad: []string{"s3://acme-landing", "arn:aws:s3:::acme-landing", "-acme", "a"}},
	}
	doc := load(t).Source
	for name := range maps.Keys(doc.Parameters) {
		if _, row := rows[name]; !row && doc.Parameters[name].AllowedPattern != "" {
			t.Errorf("%s has a pattern and no row here", name)
		}
	}
	for name, row := range rows {
		pattern, err := regexp.Compile(doc.Parameters[name].AllowedPattern)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := pattern.MatchString(""); got != row.mayBeEmpty {
			t.Errorf("%s may be empty: %t", name, got)
		}
		for _, v := range row.good {
			if !pattern.MatchString(v) {
				t.Errorf("%s refuses %q", name, v)
			}
		}
		for _, v := range append(row.bad, row.stricter...) {
			if pattern.MatchString(v) {
				t.Errorf("%s takes %q", name, v)
			}
		}
		if row.variable == "" {
			continue
		}
		for _, v := range append(row.good, row.stricter...) {
			if err := set(row.variable, v); err != nil {
				t.Errorf("%s: the functions refuse %q: %v", name, v, err)
			}
		}
		for _, v := range row.bad {
			if set(row.variable, v) == nil {
				t.Errorf("%s: the functions take %q", name, v)
			}
		}
	}
}

// set loads settings that are right but for one variable.
func set(variable, value string) error {
	_, err := settings.Load(func(v string) string {
		if v == variable {
			return value
		}
		return map[string]string{
			settings.EnvTenant: "acme", settings.EnvSecretID: "amperity", settings.EnvLedgerTable: "ledger",
		}[v]
	})
	return err
}
