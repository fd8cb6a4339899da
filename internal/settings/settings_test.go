package settings_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/settings"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

func TestOnlyThreeVariablesAreNeeded(t *testing.T) {
	t.Parallel()
	got, err := settings.Load(environment(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := settings.Settings{
		Tenant:       "acme",
		BaseURL:      "https://app.amperity.com/api",
		SecretID:     "amperity/token",
		EventBusName: "default",
		LedgerTable:  "acme-ledger",
		RoutesFile:   "routes.yaml",
		LogLevel:     slog.LevelInfo,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestEveryVariableIsRead(t *testing.T) {
	t.Parallel()
	got, err := settings.Load(environment(map[string]string{
		"AMPERITY_TENANT":    "socktown-sb-12345",
		"AMPERITY_BASE_URL":  "https://app-aws-apse2.amperity.com/api/",
		"AMPERITY_SECRET_ID": "arn:aws:secretsmanager:ap-southeast-2:123456789012:secret:amperity/token-AbCdEf",
		"EVENT_BUS_NAME":     "arn:aws-us-gov:events:us-gov-west-1:123456789012:event-bus/shared.bus",
		"LEDGER_TABLE":       "acme-ledger",
		"ROUTES_FILE":        "/opt/routes-sandbox.yaml",
		"BUCKETS":            "acme-landing, acme.archive,acme-landing",
		"PAUSED":             "true",
		"LOG_LEVEL":          "Debug",
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := settings.Settings{
		Tenant:       "socktown-sb-12345",
		BaseURL:      "https://app-aws-apse2.amperity.com/api",
		SecretID:     "arn:aws:secretsmanager:ap-southeast-2:123456789012:secret:amperity/token-AbCdEf",
		EventBusName: "arn:aws-us-gov:events:us-gov-west-1:123456789012:event-bus/shared.bus",
		LedgerTable:  "acme-ledger",
		RoutesFile:   "/opt/routes-sandbox.yaml",
		Buckets:      []string{"acme-landing", "acme.archive"},
		Paused:       true,
		LogLevel:     slog.LevelDebug,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestUnusualValuesAreAccepted(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ promise, variable, value string }{
		{"the simulator on this machine", "AMPERITY_BASE_URL", "http://127.0.0.1:8089/api"},
		{"the simulator by name", "AMPERITY_BASE_URL", "http://localhost:8089/api"},
		{"the simulator by IPv6", "AMPERITY_BASE_URL", "http://[::1]:8089/api"},
		{"the simulator from a container", "AMPERITY_BASE_URL", "http://host.docker.internal:8089/api"},
		{"a tenant on Azure", "AMPERITY_BASE_URL", "https://acme.amperity.com/api"},
		{"a secret's name with every character", "AMPERITY_SECRET_ID", "prod/amperity_token+1=2.3@eu-1"},
		{"a secret's ARN in China", "AMPERITY_SECRET_ID", "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:amperity-AbCdEf"},
		{"a partner's bus", "EVENT_BUS_NAME", "aws.partner/example.com/bus-1"},
		{"a bucket of before 2018", "BUCKETS", "Acme_Landing"},
		{"the longest name of a bucket", "BUCKETS", strings.Repeat("a", 63)},
		{"not paused", "PAUSED", "false"},
		{"a log level in capitals", "LOG_LEVEL", "WARN"},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			s, err := settings.Load(environment(map[string]string{row.variable: row.value}))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := amperity.New(s.Tenant, amperity.StaticTokenSource("tok-xSECRETx-1"), amperity.WithBaseURL(s.BaseURL)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNoFaultShowsASecret(t *testing.T) {
	t.Parallel()
	names := []string{
		settings.EnvTenant, settings.EnvBaseURL, settings.EnvSecretID, settings.EnvEventBusName, settings.EnvLedgerTable,
		settings.EnvRoutesFile, settings.EnvBuckets, settings.EnvPaused, settings.EnvLogLevel,
	}
	for _, form := range []string{
		"tok-xSECRETx-1", "tok xSECRETx", "xSECRETx\n", "https://u:xSECRETx@h/", "https://h/?t=xSECRETx", "http://xSECRETx/",
		"arn:aws:secretsmanager:xSECRETx", "arn:xSECRETx", "a,xSECRETx!", "s3://xSECRETx", "eyJhbGciOiJub25lIn0.eyJleHAiOjF9.xSECRETx",
	} {
		env := map[string]string{}
		for _, name := range names {
			env[name] = form
		}
		_, err := settings.Load(environment(env))
		if err == nil {
			t.Error("no error")
		} else if strings.Contains(err.Error(), "xSECRETx") {
			t.Error("the error shows what was set")
		}
	}
}

func FuzzLoadAcceptsOrNamesEveryFault(f *testing.F) {
	f.Add("acme", "https://app.amperity.com/api", "amperity/token", "default", "acme-ledger", "a-b,c.d", "true")
	f.Add("", "http://localhost", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x", "arn:aws:events:eu-west-1:123456789012:event-bus/x", "t", ",", "")
	f.Add("-", "https://u:p@h?q#f", "arn:aws:ssm:::", "arn:aws", "", "10.0.0.1,s3://x", "no")
	f.Fuzz(func(t *testing.T, tenant, base, secret, bus, ledger, buckets, paused string) {
		env := map[string]string{
			"AMPERITY_TENANT": tenant, "AMPERITY_BASE_URL": base, "AMPERITY_SECRET_ID": secret,
			"EVENT_BUS_NAME": bus, "LEDGER_TABLE": ledger, "BUCKETS": buckets, "PAUSED": paused,
		}
		s, err := settings.Load(func(name string) string { return env[name] })
		if err != nil {
			var faulty *settings.Error
			if !errors.As(err, &faulty) || len(faulty.Faults) == 0 {
				t.Fatalf("no fault is named: %v", err)
			}
			for _, f := range faulty.Faults {
				if _, known := env[f.Variable]; !known || f.Message == "" {
					t.Errorf("a fault of no variable: %q", f)
				}
			}
			return
		}
		// The client accepts every accepted setting.
		if _, err := amperity.New(s.Tenant, amperity.StaticTokenSource("tok-xSECRETx-1"), amperity.WithBaseURL(s.BaseURL)); err != nil {
			t.Errorf("the client refuses what was taken: %v", err)
		}
		// Load accepts the values again, unchanged.
		env = map[string]string{
			"AMPERITY_TENANT": s.Tenant, "AMPERITY_BASE_URL": s.BaseURL, "AMPERITY_SECRET_ID": s.SecretID,
			"EVENT_BUS_NAME": s.EventBusName, "LEDGER_TABLE": s.LedgerTable, "BUCKETS": strings.Join(s.Buckets, ","), "PAUSED": paused,
		}
		again, err := settings.Load(func(name string) string { return env[name] })
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, again); diff != "" {
			t.Errorf("taken differently the second time (-first +second):\n%s", diff)
		}
	})
}
