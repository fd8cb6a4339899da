package settings_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
	const (
		tenantForm  = "AMPERITY_TENANT: is not a tenant id; give at most 63 letters, digits, hyphens and underscores, for example acme or acme-sb-12345"
		tenantURL   = "AMPERITY_TENANT: is an address; give the tenant id alone, for example acme of https://acme.amperity.com"
		baseForm    = "AMPERITY_BASE_URL: is not an address of the API; give https://…/api, for example https://app.amperity.com/api"
		baseUser    = "AMPERITY_BASE_URL: has a user name or password in it; take it out, the token comes from the secret"
		baseQuery   = "AMPERITY_BASE_URL: has a query or a fragment; end it with the path, for example https://app.amperity.com/api"
		basePlain   = "AMPERITY_BASE_URL: would send the token unencrypted; write https instead of http, which is for this machine and host.docker.internal only"
		secretARN   = "AMPERITY_SECRET_ID: is not a whole ARN of a secret; give arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME, or the secret's name"
		secretToken = "AMPERITY_SECRET_ID: looks like a token; put the token into a secret in Secrets Manager and give the secret's name or ARN"
		secretForm  = "AMPERITY_SECRET_ID: is not a secret's name; give at most 512 letters, digits and characters of /_+=.@-, or the secret's ARN"
		busARN      = "EVENT_BUS_NAME: is not a whole ARN of an event bus; give arn:aws:events:REGION:ACCOUNT:event-bus/NAME, or the event bus's name"
		busForm     = "EVENT_BUS_NAME: is not an event bus's name; give at most 256 letters, digits and characters of /._-, or the event bus's ARN"
		routesForm  = "ROUTES_FILE: is not the path of a file; give one beside the function's binary, for example routes-sandbox.yaml, or leave it empty for routes.yaml"
		bucketForm  = "BUCKETS: has something in place 2 that is not a bucket's name; a name has 3 to 63 lowercase letters, digits, hyphens and dots"
		bucketURL   = "BUCKETS: has an address or ARN in place 1; give the bucket's name alone, for example acme-landing"
		pausedForm  = "PAUSED: is neither true nor false; give true to start nothing in Amperity, or leave it empty"
		levelForm   = "LOG_LEVEL: is not a log level; give debug, info, warn or error"
	)
	for _, row := range []struct{ promise, variable, value, message string }{
		{"a tenant is required", "AMPERITY_TENANT", "", "AMPERITY_TENANT: is not set; give the Amperity tenant id, for example acme or acme-sb-12345"},
		{"a tenant is no address", "AMPERITY_TENANT", "https://acme.amperity.com", tenantURL},
		{"a tenant is no host", "AMPERITY_TENANT", "acme.amperity.com", tenantURL},
		{"a tenant has no space", "AMPERITY_TENANT", "acme ", tenantForm},
		{"a tenant has no line break", "AMPERITY_TENANT", "acme\r\nx: y", tenantForm},
		{"a tenant does not end in a hyphen", "AMPERITY_TENANT", "acme-", tenantForm},
		{"a tenant does not begin with a hyphen", "AMPERITY_TENANT", "-acme", tenantForm},
		{"a tenant has at most 63 characters", "AMPERITY_TENANT", strings.Repeat("a", 64), tenantForm},

		{"a base URL has a scheme", "AMPERITY_BASE_URL", "app.amperity.com/api", baseForm},
		{"a base URL has a known scheme", "AMPERITY_BASE_URL", "ftp://app.amperity.com/api", baseForm},
		{"a base URL has a host", "AMPERITY_BASE_URL", "https:///api", baseForm},
		{"a base URL can be read", "AMPERITY_BASE_URL", "https://[::1/api", baseForm},
		{"a base URL has no space", "AMPERITY_BASE_URL", "https://app.amperity.com/api ", baseForm},
		{"a base URL has no user", "AMPERITY_BASE_URL", "https://me:pw-xSECRETx@app.amperity.com/api", baseUser},
		{"a base URL has no query", "AMPERITY_BASE_URL", "https://app.amperity.com/api?token=xSECRETx", baseQuery},
		{"a base URL has no empty query", "AMPERITY_BASE_URL", "https://app.amperity.com/api?", baseQuery},
		{"a base URL has no fragment", "AMPERITY_BASE_URL", "https://app.amperity.com/api#runs", baseQuery},
		{"a base URL is https", "AMPERITY_BASE_URL", "http://app.amperity.com/api", basePlain},
		{"a host that begins like this machine is another one", "AMPERITY_BASE_URL", "http://localhost.example.com/api", basePlain},
		{"a private address is not this machine", "AMPERITY_BASE_URL", "http://10.0.0.1/api", basePlain},

		{"a secret is required", "AMPERITY_SECRET_ID", "", "AMPERITY_SECRET_ID: is not set; give the name or ARN of the secret in Secrets Manager that holds the Amperity token"},
		{"an ARN of a parameter is no secret", "AMPERITY_SECRET_ID", "arn:aws:ssm:us-east-1:123456789012:parameter/amperity", `AMPERITY_SECRET_ID: is an ARN of the service "ssm"; give one of secretsmanager, or the secret's name`},
		{"an ARN of something else of Secrets Manager is no secret", "AMPERITY_SECRET_ID", "arn:aws:secretsmanager:us-east-1:123456789012:rotation:x", secretARN},
		{"a secret's ARN has an account", "AMPERITY_SECRET_ID", "arn:aws:secretsmanager:us-east-1:12345:secret:amperity-AbCdEf", secretARN},
		{"a secret's ARN has a region", "AMPERITY_SECRET_ID", "arn:aws:secretsmanager::123456789012:secret:amperity-AbCdEf", secretARN},
		{"a secret's ARN has a name", "AMPERITY_SECRET_ID", "arn:aws:secretsmanager:us-east-1:123456789012:secret:", secretARN},
		{"a secret's ARN has all its parts", "AMPERITY_SECRET_ID", "arn:aws:secretsmanager", secretARN},
		{"the token itself is no secret id", "AMPERITY_SECRET_ID", "eyJhbGciOiJub25lIn0.eyJleHAiOjF9.xSECRETx", secretToken},
		{"a secret's name has no space", "AMPERITY_SECRET_ID", "amperity token xSECRETx", secretForm},
		{"a secret's name has at most 512 characters", "AMPERITY_SECRET_ID", strings.Repeat("s", 513), secretForm},

		{"an ARN of a topic is no bus", "EVENT_BUS_NAME", "arn:aws:sns:us-east-1:123456789012:runs", `EVENT_BUS_NAME: is an ARN of the service "sns"; give one of events, or the event bus's name`},
		{"an ARN of a rule is no bus", "EVENT_BUS_NAME", "arn:aws:events:us-east-1:123456789012:rule/runs", busARN},
		{"a bus's ARN has all its parts", "EVENT_BUS_NAME", "arn:aws:events:us-east-1", busARN},
		{"a bus's name has no space", "EVENT_BUS_NAME", "the bus", busForm},
		{"a bus's name has at most 256 characters", "EVENT_BUS_NAME", strings.Repeat("b", 257), busForm},

		{"a ledger is required", "LEDGER_TABLE", "", "LEDGER_TABLE: is not set; give the name or ARN of the stack's DynamoDB table"},
		{"the word for no ledger", "LEDGER_TABLE", "memory", "LEDGER_TABLE: is memory, which this version does not have; give the name or ARN of the stack's DynamoDB table, or run make local for one on this machine"},
		{"a table with blanks", "LEDGER_TABLE", "amperity runs", "LEDGER_TABLE: is not a table's name; give 3 to 255 letters, digits and characters of -._, or the table's ARN"},
		{"a table of two letters", "LEDGER_TABLE", "ab", "LEDGER_TABLE: is not a table's name; give 3 to 255 letters, digits and characters of -._, or the table's ARN"},
		{"half an ARN of a table", "LEDGER_TABLE", "arn:aws:dynamodb:us-east-1:table/runs", "LEDGER_TABLE: is not a whole ARN of a table; give arn:aws:dynamodb:REGION:ACCOUNT:table/NAME, or the table's name"},
		{"an ARN of an index", "LEDGER_TABLE", "arn:aws:dynamodb:us-east-1:123456789012:table/runs/index/due", "LEDGER_TABLE: is not a whole ARN of a table; give arn:aws:dynamodb:REGION:ACCOUNT:table/NAME, or the table's name"},
		{"an ARN of a queue", "LEDGER_TABLE", "arn:aws:sqs:us-east-1:123456789012:runs", "LEDGER_TABLE: is an ARN of the service \"sqs\"; give one of dynamodb, or the table's name"},

		{"a routes file is no folder", "ROUTES_FILE", "config/", routesForm},
		{"a routes file is one line", "ROUTES_FILE", "routes.yaml\n", routesForm},
		{"a routes file has a path that exists somewhere", "ROUTES_FILE", strings.Repeat("r", 1025), routesForm},

		{"a bucket is not given twice the comma", "BUCKETS", "acme-landing,,acme-archive", "BUCKETS: has no name in place 2; write the names of the buckets separated by single commas"},
		{"a bucket's name has at least three characters", "BUCKETS", "acme-landing,ab", bucketForm},
		{"a bucket's name has at most 63 characters", "BUCKETS", "acme-landing," + strings.Repeat("a", 64), bucketForm},
		{"a bucket's name is no IP address", "BUCKETS", "acme-landing,10.0.0.1", bucketForm},
		{"a bucket's name has no two dots", "BUCKETS", "acme-landing,acme..archive", bucketForm},
		{"a bucket's name ends in a letter or digit", "BUCKETS", "acme-landing,acme-", bucketForm},
		{"a bucket's name has no space", "BUCKETS", "acme-landing,acme archive", bucketForm},
		{"an s3 address is no bucket's name", "BUCKETS", "s3://acme-landing,acme", bucketURL},
		{"an ARN is no bucket's name", "BUCKETS", "arn:aws:s3:::acme-landing", bucketURL},

		{"paused is true or false", "PAUSED", "yes", pausedForm},
		{"paused is in small letters", "PAUSED", "True", pausedForm},

		{"a log level is one of four", "LOG_LEVEL", "verbose", levelForm},
		{"a log level is no number", "LOG_LEVEL", "INFO+2", levelForm},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			got, err := settings.Load(environment(map[string]string{row.variable: row.value}))
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(row.message, err.Error()); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(settings.Settings{}, got); diff != "" {
				t.Errorf("settings beside an error (-want +got):\n%s", diff)
			}
		})
	}
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
	if n := strings.Count(err.Error(), "\n"); n != len(want)-1 {
		t.Errorf("%d line breaks for %d faults", n, len(want))
	}
}
