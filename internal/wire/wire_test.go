package wire_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/amperity-runs/amperity-runs/internal/settings"
	"github.com/amperity-runs/amperity-runs/internal/wire"
)

func environment(change map[string]string) func(string) string {
	env := map[string]string{
		"AMPERITY_TENANT": "acme", "AMPERITY_SECRET_ID": "amperity", "LEDGER_TABLE": "acme-ledger",
	}
	for k, v := range change {
		env[k] = v
	}
	return func(name string) string { return env[name] }
}

func TestLoadSendsNothing(t *testing.T) {
	t.Setenv("AWS_REGION", "cn-north-1")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	// Nothing listens there: a request would fail.
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
	var log bytes.Buffer
	p, err := wire.Load(t.Context(), environment(map[string]string{"PAUSED": "true"}), &log, 5)
	if err != nil {
		t.Fatal(err)
	}
	if p.Launcher == nil || p.Ledger == nil || p.Announcer == nil || !p.Launcher.Paused || p.Settings.Tenant != "acme" {
		t.Errorf("got %+v", p)
	}
	if p.Announcer.Partition != "aws-cn" {
		t.Errorf("the partition is %q", p.Announcer.Partition)
	}
	if !strings.Contains(log.String(), `"paused":true`) || !strings.Contains(log.String(), `"ledger":"acme-ledger"`) {
		t.Errorf("the log does not tell how the function runs: %s", &log)
	}
}

func TestWrongSettingsAnswerEveryInvocation(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := wire.Handler(&log, func() (lambda.Handler, error) {
		_, err := wire.Load(context.Background(), environment(map[string]string{"AMPERITY_TENANT": "", "LEDGER_TABLE": ""}), &log, 5)
		return nil, err
	})
	_, err := h.Invoke(t.Context(), []byte("{}"))
	if _, ok := err.(*settings.Error); !ok {
		t.Fatalf("got %T: %v", err, err)
	}
	for _, name := range []string{"AMPERITY_TENANT", "LEDGER_TABLE"} {
		if !strings.Contains(err.Error(), name) || !strings.Contains(log.String(), name) {
			t.Errorf("%s is not named in the error, or not in the log: %v", name, err)
		}
	}
}

// hanging is a handler whose last call hangs until its context ends, as a bus
// that does not answer does.
type hanging struct{}

func (hanging) Invoke(ctx context.Context, _ []byte) ([]byte, error) {
	<-ctx.Done()
	return []byte(`{"batchItemFailures":[]}`), nil
}

func TestInvocationIsAnsweredBeforeDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := wire.Handler(&bytes.Buffer{}, func() (lambda.Handler, error) { return hanging{}, nil })
		deadline := time.Now().Add(time.Minute)
		ctx, cancel := context.WithDeadline(t.Context(), deadline)
		defer cancel()
		out, err := h.Invoke(ctx, nil)
		if err != nil || len(out) == 0 || time.Until(deadline) < time.Second {
			t.Errorf("answered %q, %v, %s before the deadline", out, err, time.Until(deadline))
		}
	})
}

// Not parallel: it sets the environment of the AWS SDK.
func TestConfigErrorHasCause(t *testing.T) {
	t.Setenv("AWS_CONFIG_FILE", "testdata/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "testdata/none")
	t.Setenv("AWS_PROFILE", "nobody")
	_, err := wire.Load(t.Context(), environment(nil), &bytes.Buffer{}, 5)
	const want = "the function's configuration is not usable: failed to get shared config profile, nobody"
	if _, ok := errors.AsType[*wire.ConfigError](err); !ok || err.Error() != want || errors.Unwrap(err) == nil {
		t.Errorf("got %v", err)
	}
}
