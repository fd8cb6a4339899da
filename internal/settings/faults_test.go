package settings_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/golden"
	"github.com/amperity-runs/amperity-runs/internal/settings"
)

// environment returns a complete environment with some variables changed.
func environment(changes map[string]string) func(string) string {
	env := map[string]string{
		"AMPERITY_TENANT":    "acme",
		"AMPERITY_SECRET_ID": "amperity/token",
		"LEDGER_TABLE":       "acme-ledger",
	}
	for k, v := range changes {
		env[k] = v
	}
	return func(name string) string { return env[name] }
}

func TestEachWrongValueHasItsOwnMessage(t *testing.T) {
	t.Parallel()
	var texts strings.Builder
	for _, row := range []struct{ promise, variable, value string }{
		{"a tenant is required", "AMPERITY_TENANT", ""},
		{"a tenant is no address", "AMPERITY_TENANT", "https://acme.amperity.com"},
		{"a tenant is no host", "AMPERITY_TENANT", "acme.amperity.com"},
		{"a tenant has no space", "AMPERITY_TENANT", "acme "},
		{"a tenant has no line break", "AMPERITY_TENANT", "acme\r\nx: y"},
		{"a tenant does not end in a hyphen", "AMPERITY_TENANT", "acme-"},
		{"a tenant does not begin with a hyphen", "AMPERITY_TENANT", "-acme"},
		{"a tenant has at most 63 characters", "AMPERITY_TENANT", strings.Repeat("a", 64)},

		{"a base URL has a scheme", "AMPERITY_BASE_URL", "app.amperity.com/api"},
		{"a base URL has a known scheme", "AMPERITY_BASE_URL", "ftp://app.amperity.com/api"},
		{"a base URL has a host", "AMPERITY_BASE_URL", "https:///api"},
		{"a base URL can be read", "AMPERITY_BASE_URL", "https://[::1/api"},
		{"a base URL has no space", "AMPERITY_BASE_URL", "https://app.amperity.com/api "},
		{"a base URL has no user", "AMPERITY_BASE_URL", "https://me:pw-xSECRETx@app.amperity.com/api"},
		{"a base URL has no query", "AMPERITY_BASE_URL", "https://app.amperity.com/api?token=xSECRETx"},
		{"a base URL has no empty query", "AMPERITY_BASE_URL", "https://app.amperity.com/api?"},
		{"a base URL has no fragment", "AMPERITY_BASE_URL", "https://app.amperity.com/api#runs"},
		{"a base URL has no empty fragment", "AMPERITY_BASE_URL", "https://app.amperity.com/api#"},
		{"a base URL is https", "AMPERITY_BASE_URL", "http://app.amperity.com/api"},
		{"a host that begins like this machine is another one", "AMPERITY_BASE_URL", "http://localhost.example.com/api"},
		{"a private address is not this machine", "AMPERITY_BASE_URL", "http://10.0.0.1/api"},

		{"a secret is required", "AMPERITY_SECRET_ID", ""},
		{"an ARN of a parameter is no secret", "AMPERITY_SECRET_ID", "arn:aws:ssm:us-east-1:123456789012:parameter/amperity"},
		{"an ARN of something else of Secrets Manager is no secret", "AMPERITY_SECRET_ID", "arn:aws:secretsmanager:us-east-1:123456789012:rotation:x"},
		{"a secret's ARN has an account", "AMPERITY_SECRET_ID", "arn:aws:secretsmanager:us-east-1:12345:secret:amperity-AbCdEf"},
		{"a secret's ARN has a region", "AMPERITY_SECRET_ID", "arn:aws:secretsmanager::123456789012:secret:amperity-AbCdEf"},
		{"a secret's ARN has a name", "AMPERITY_SECRET_ID", "arn:aws:secretsmanager:us-east-1:123456789012:secret:"},
		{"a secret's ARN has all its parts", "AMPERITY_SECRET_ID", "arn:aws:secretsmanager"},
		{"the token itself is no secret id", "AMPERITY_SECRET_ID", "eyJhbGciOiJub25lIn0.eyJleHAiOjF9.xSECRETx"},
		{"a secret's name has no space", "AMPERITY_SECRET_ID", "amperity token xSECRETx"},
		{"a secret's name has at most 512 characters", "AMPERITY_SECRET_ID", strings.Repeat("s", 513)},

		{"an ARN of a topic is no bus", "EVENT_BUS_NAME", "arn:aws:sns:us-east-1:123456789012:runs"},
		{"an ARN of a rule is no bus", "EVENT_BUS_NAME", "arn:aws:events:us-east-1:123456789012:rule/runs"},
		{"a bus's ARN has all its parts", "EVENT_BUS_NAME", "arn:aws:events:us-east-1"},
		{"a bus's name has no space", "EVENT_BUS_NAME", "the bus"},
		{"a bus's name has at most 256 characters", "EVENT_BUS_NAME", strings.Repeat("b", 257)},

		{"a ledger is required", "LEDGER_TABLE", ""},
		{"the word for no ledger", "LEDGER_TABLE", "memory"},
		{"a table with blanks", "LEDGER_TABLE", "amperity runs"},
		{"a table of two letters", "LEDGER_TABLE", "ab"},
		{"half an ARN of a table", "LEDGER_TABLE", "arn:aws:dynamodb:us-east-1:table/runs"},
		{"an ARN of an index", "LEDGER_TABLE", "arn:aws:dynamodb:us-east-1:123456789012:table/runs/index/due"},
		{"an ARN of a queue", "LEDGER_TABLE", "arn:aws:sqs:us-east-1:123456789012:runs"},

		{"a routes file is no folder", "ROUTES_FILE", "config/"},
		{"a routes file is one line", "ROUTES_FILE", "routes.yaml\n"},
		{"a routes file has a path that exists somewhere", "ROUTES_FILE", strings.Repeat("r", 1025)},

		{"a bucket is not given twice the comma", "BUCKETS", "acme-landing,,acme-archive"},
		{"a bucket's name has at least three characters", "BUCKETS", "acme-landing,ab"},
		{"a bucket's name has at most 63 characters", "BUCKETS", "acme-landing," + strings.Repeat("a", 64)},
		{"a bucket's name is no IP address", "BUCKETS", "acme-landing,10.0.0.1"},
		{"a bucket's name has no two dots", "BUCKETS", "acme-landing,acme..archive"},
		{"a bucket's name ends in a letter or digit", "BUCKETS", "acme-landing,acme-"},
		{"a bucket's name has no space", "BUCKETS", "acme-landing,acme archive"},
		{"an s3 address is no bucket's name", "BUCKETS", "s3://acme-landing,acme"},
		{"an ARN is no bucket's name", "BUCKETS", "arn:aws:s3:::acme-landing"},

		{"paused is true or false", "PAUSED", "yes"},
		{"paused is in small letters", "PAUSED", "True"},

		{"a log level is one of four", "LOG_LEVEL", "verbose"},
		{"a log level is no number", "LOG_LEVEL", "INFO+2"},
	} {
		got, err := settings.Load(environment(map[string]string{row.variable: row.value}))
		if err == nil || !cmp.Equal(got, settings.Settings{}) || strings.Contains(err.Error(), "xSECRETx") {
			t.Errorf("%s: no error, settings beside an error, or the message shows a secret", row.promise)
			continue
		}
		texts.WriteString(golden.Row(row.promise, err.Error()))
	}
	golden.Check(t, "testdata/faults.golden", texts.String())
}

func TestAllFaultsAreNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := settings.Load(environment(map[string]string{
		"AMPERITY_TENANT":    "",
		"AMPERITY_BASE_URL":  "http://app.amperity.com/api",
		"AMPERITY_SECRET_ID": "arn:aws:ssm:us-east-1:123456789012:parameter/amperity",
		"EVENT_BUS_NAME":     "the bus",
		"LEDGER_TABLE":       "the runs",
		"ROUTES_FILE":        "config/",
		"BUCKETS":            "ab,s3://x,",
		"PAUSED":             "no",
		"LOG_LEVEL":          "loud",
	}))
	var got *settings.Error
	if !errors.As(err, &got) {
		t.Fatalf("error is a %T", err)
	}
	var variables []string
	for _, f := range got.Faults {
		variables = append(variables, f.Variable)
	}
	want := []string{
		"AMPERITY_TENANT", "AMPERITY_BASE_URL", "AMPERITY_SECRET_ID", "EVENT_BUS_NAME", "LEDGER_TABLE",
		"ROUTES_FILE", "BUCKETS", "BUCKETS", "BUCKETS", "PAUSED", "LOG_LEVEL",
	}
	if diff := cmp.Diff(want, variables); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	if text := err.Error(); strings.Contains(text, "\n") || !strings.Contains(text, "; BUCKETS: ") {
		t.Errorf("more than one line, or no semicolon between faults:\n%s", text)
	}
}
