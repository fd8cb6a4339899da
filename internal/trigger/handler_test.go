package trigger_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/clock"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/internal/trigger"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// launcher records the launches it is given.
type launcher struct {
	*launch.Launcher // which rejects
	got              []launch.Launch
	result           record.Result
	err              error
}

// on lets the launcher announce rejected inputs on a bus.
func (l *launcher) on(b *bus) *launcher {
	l.Launcher = launch.New(launch.Config{Announcer: b, Clock: clock.NewManual(now), Logger: telemetry.NewLogger(&bytes.Buffer{}, slog.LevelInfo), Tenant: "acme"})
	return l
}

func (l *launcher) Launch(_ context.Context, in launch.Launch) (record.Result, error) {
	l.got = append(l.got, in)
	return l.result, l.err
}

type bus struct {
	announced []announcement.Announcement
	err       error
}

func (b *bus) Announce(_ context.Context, as ...announcement.Announcement) error {
	b.announced = append(b.announced, as...)
	return b.err
}

const arn = "arn:aws:scheduler:us-east-1:123456789012:schedule/default/daily"

var now = time.Date(2026, 11, 22, 6, 0, 7, 0, time.UTC)

func invoke(t *testing.T, l *launcher, b *bus, input string) (record.Result, error) {
	t.Helper()
	h := &trigger.Handler{Launcher: l.on(b), Now: func() time.Time { return now }}
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "req-1"})
	out, err := h.Invoke(ctx, []byte(input))
	var res record.Result
	if err == nil {
		if err := json.Unmarshal(out, &res); err != nil {
			t.Fatalf("the answer is not JSON: %v", err)
		}
	}
	return res, err
}

func TestInputBecomesALaunch(t *testing.T) {
	t.Parallel()
	const scheduled = `"scheduled_time":"2026-11-22T06:00:00Z"`
	notAfter := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
	aDayFromNow := time.Date(2026, 11, 23, 6, 0, 7, 0, time.UTC)
	rows := []struct {
		name, input string
		want        launch.Launch
		warned      bool
	}{
		{"a schedule with a relative range in its time zone",
			`{"config_id":"cg-1","run_mode":"source","range":{"from":"-1d","to":"0d","timezone":"America/New_York"},` + scheduled + `,"schedule_arn":"` + arn + `"}`,
			launch.Launch{
				Key:       "schedule/cg-1/" + arn + "/2026-11-22T06:00:00Z",
				Cause:     announcement.Cause{Type: "schedule", ScheduleARN: arn, ScheduledTime: "2026-11-22T06:00:00Z", RequestID: "req-1"},
				Request:   amperity.RunRequest{ConfigID: "cg-1", RunMode: "source", RangeFrom: "2026-11-21", RangeTo: "2026-11-22"},
				IfUnknown: record.Retry, NotAfter: notAfter, Resource: arn,
			}, false},
		{"a schedule without an ARN, its time given with an offset",
			`{"config_id":"og-1","scheduled_time":"2026-11-22T01:00:00-05:00","max_age":"90m"}`,
			launch.Launch{
				Key:       "schedule/og-1/-/2026-11-22T06:00:00Z",
				Cause:     announcement.Cause{Type: "schedule", ScheduledTime: "2026-11-22T06:00:00Z", RequestID: "req-1"},
				Request:   amperity.RunRequest{ConfigID: "og-1"},
				IfUnknown: record.Hold, NotAfter: time.Date(2026, 11, 22, 7, 30, 0, 0, time.UTC),
			}, false},
		{"by hand, named by its idempotency key",
			`{"config_id":"cg-1","run_mode":"full","range_from":"2026-11-22","range_to":"2026-11-23","idempotency_key":"backfill-7","if_unknown":"retry"}`,
			launch.Launch{
				Key:       "manual/cg-1/backfill-7",
				Cause:     announcement.Cause{Type: "manual", RequestID: "req-1"},
				Request:   amperity.RunRequest{ConfigID: "cg-1", RunMode: "full", RangeFrom: "2026-11-22", RangeTo: "2026-11-23"},
				IfUnknown: record.Retry, NotAfter: aDayFromNow,
			}, false},
		{"by hand, named by the invocation, the range counted from now",
			`{"config_id":"cg-1","range":{"from":"-2h","to":"0h"}}`,
			launch.Launch{
				Key:       "manual/cg-1/req-1",
				Cause:     announcement.Cause{Type: "manual", RequestID: "req-1"},
				Request:   amperity.RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22T04:00:00Z", RangeTo: "2026-11-22T06:00:00Z"},
				IfUnknown: record.Hold, NotAfter: aDayFromNow,
			}, true},
		{"an idempotency key wins over the scheduled time",
			`{"config_id":"cc-1","idempotency_key":"k",` + scheduled + `}`,
			launch.Launch{
				Key:       "manual/cc-1/k",
				Cause:     announcement.Cause{Type: "schedule", ScheduledTime: "2026-11-22T06:00:00Z", RequestID: "req-1"},
				Request:   amperity.RunRequest{ConfigID: "cc-1"},
				IfUnknown: record.Hold, NotAfter: notAfter,
			}, false},
		{"null counts as left out",
			`{"config_id":"og-1","schedule_arn":null,"max_age":null,"if_unknown":null,"idempotency_key":"k"}`,
			launch.Launch{
				Key:       "manual/og-1/k",
				Cause:     announcement.Cause{Type: "manual", RequestID: "req-1"},
				Request:   amperity.RunRequest{ConfigID: "og-1"},
				IfUnknown: record.Hold, NotAfter: aDayFromNow,
			}, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			l := &launcher{result: record.Result{Outcome: record.Started, LaunchKey: row.want.Key}}
			res, err := invoke(t, l, &bus{}, row.input)
			if err != nil {
				t.Fatal(err)
			}
			if len(l.got) != 1 || l.got[0].InputHash == "" {
				t.Fatalf("got %+v, want one launch with the hash of its input", l.got)
			}
			l.got[0].InputHash = ""
			if diff := cmp.Diff([]launch.Launch{row.want}, l.got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if (res.Warning != "") != row.warned {
				t.Errorf("warning %q, want one: %t", res.Warning, row.warned)
			}
		})
	}
}

// Every part of an input changes its hash. The way it is written does not.
func TestInputHashDependsOnEveryField(t *testing.T) {
	t.Parallel()
	hash := func(input string) string {
		l := &launcher{result: record.Result{Outcome: record.Started}}
		if res, err := invoke(t, l, &bus{}, input); err != nil || len(l.got) != 1 {
			t.Fatalf("%s: %+v, %v", input, res, err)
		}
		return l.got[0].InputHash
	}
	const scheduled = `"scheduled_time":"2026-11-22T06:00:00Z","idempotency_key":"k"`
	seen := map[string]string{}
	for _, input := range []string{
		`{"config_id":"cg-1",` + scheduled + `}`,
		`{"config_id":"cg-2",` + scheduled + `}`,
		`{"config_id":"cg-1","run_mode":"full",` + scheduled + `}`,
		`{"config_id":"cg-1","range_from":"2026-11-22",` + scheduled + `}`,
		`{"config_id":"cg-1","range_from":"2026-11-22","range_to":"2026-11-23",` + scheduled + `}`,
		`{"config_id":"cg-1","range":{"from":"-1d","to":"0d"},` + scheduled + `}`,
		`{"config_id":"cg-1","range":{"from":"-2d","to":"0d"},` + scheduled + `}`,
		`{"config_id":"cg-1","range":{"from":"-1d","to":"0d","timezone":"America/New_York"},` + scheduled + `}`,
		`{"config_id":"cg-1","scheduled_time":"2026-11-22T07:00:00Z","idempotency_key":"k"}`,
		`{"config_id":"cg-1","schedule_arn":"` + arn + `",` + scheduled + `}`,
		`{"config_id":"cg-1","max_age":"1h",` + scheduled + `}`,
		`{"config_id":"cg-1","if_unknown":"retry",` + scheduled + `}`,
	} {
		h := hash(input)
		if other, ok := seen[h]; ok {
			t.Errorf("the same hash:\n%s\n%s", other, input)
		}
		seen[h] = input
	}
	same := `{ "idempotency_key":"k", "max_age":"24h", "if_unknown":"hold", "schedule_arn":null, "scheduled_time":"2026-11-22T01:00:00-05:00", "config_id":"cg-1" }`
	if first, ok := seen[hash(same)]; !ok || first != `{"config_id":"cg-1",`+scheduled+`}` {
		t.Errorf("written otherwise it is %q", first)
	}
}

func TestRetryOfASchedulePastMidnightKeepsTheRange(t *testing.T) {
	t.Parallel()
	in, err := trigger.ParseInput([]byte(`{"config_id":"cg-1","range":{"from":"-1d","to":"0d"},"scheduled_time":"2026-11-22T23:59:00Z"}`))
	if err != nil {
		t.Fatal(err)
	}
	first, _ := trigger.Decide(in, time.Date(2026, 11, 22, 23, 59, 1, 0, time.UTC), "a")
	second, _ := trigger.Decide(in, time.Date(2026, 11, 23, 0, 1, 0, 0, time.UTC), "b")
	if first.Key != second.Key || first.Request != second.Request {
		t.Errorf("the retry differs: %+v, %+v", first, second)
	}
}

func TestUnnamedManualStartReturnsAWarning(t *testing.T) {
	t.Parallel()
	res, err := invoke(t, &launcher{result: record.Result{Outcome: record.Started}}, &bus{}, `{"config_id":"og-1"}`)
	want := "the input has no idempotency_key: invoking it again starts another run"
	if err != nil || res.Warning != want {
		t.Errorf("got %q, %v", res.Warning, err)
	}
}

func TestRejectedInputIsAnnouncedAndAnswered(t *testing.T) {
	t.Parallel()
	l, b := &launcher{}, &bus{}
	res, err := invoke(t, l, b, `{"config_id":"nope"}`)
	if err != nil {
		t.Fatal(err)
	}
	if len(l.got) != 0 {
		t.Error("a rejected input was launched")
	}
	if res.Outcome != record.Rejected || res.Reason != "invalid_input" || res.Error == nil || res.LaunchKey != "" {
		t.Errorf("answered %+v", res)
	}
	if len(b.announced) != 1 || b.announced[0].Type != announcement.RunRejected || b.announced[0].Detail.Error.Message != res.Error.Message {
		t.Fatalf("announced %+v", b.announced)
	}
	if got, want := b.announced[0].Detail.Hint, "no run was started: correct the input where it is written, a schedule, a rule or a call"; got != want {
		t.Errorf("hint %q, want %q", got, want)
	}
	// The announcement names the schedule, if the input's fields can be read.
	b.announced = nil
	for input, want := range map[string]announcement.Cause{
		`{"config_id":"cg-1","run_mode":"fulll","schedule_arn":"` + arn + `","scheduled_time":"2026-11-22T06:00:00Z"}`: {Type: "schedule", ScheduleARN: arn, ScheduledTime: "2026-11-22T06:00:00Z", RequestID: "req-1"},
		`{"config_id":"cg-1","run_mode":"fulll","schedule_arn":"not one","scheduled_time":"06:00"}`:                    {Type: "manual", RequestID: "req-1"},
	} {
		b.announced = nil
		_, _ = invoke(t, l, b, input)
		var resources []string
		if want.ScheduleARN != "" {
			resources = []string{arn}
		}
		if diff := cmp.Diff(want, *b.announced[0].Detail.Cause) + cmp.Diff(resources, b.announced[0].Resources); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	b.announced = nil
	_, _ = invoke(t, l, b, `{"config_id":"nope"}`)
	// Lambda's retry of the same invocation has the same id. Another input has
	// another id.
	first := b.announced[0].Detail.ID
	_, _ = invoke(t, l, b, `{"config_id":"nope"}`)
	_, _ = invoke(t, l, b, `{"config_id":"nope2"}`)
	if b.announced[1].Detail.ID != first || b.announced[2].Detail.ID == first {
		t.Error("the announcement's id does not name the input")
	}
}

func TestInvokeReturnsTheErrorsOfALaunchByType(t *testing.T) {
	t.Parallel()
	// Lambda reports the outermost Go type as errorType, and Step Functions
	// match on it.
	_, err := invoke(t, &launcher{err: &launch.LeasedError{LaunchKey: "k"}}, &bus{}, `{"config_id":"og-1"}`)
	if _, ok := err.(*launch.LeasedError); !ok {
		t.Errorf("got %T", err)
	}
	_, err = invoke(t, &launcher{}, &bus{err: errors.New("bus is gone")}, `{}`)
	if _, ok := err.(*launch.AnnounceError); !ok || err.Error() != "the input was rejected and nothing was started, but that could not be announced: bus is gone" {
		t.Errorf("got %T: %v", err, err)
	}
}

func FuzzInput(f *testing.F) {
	for _, s := range []string{
		`{"config_id":"cg-1"}`, `{}`, `null`, `[]`, ``, `{"config_id"="cg-1"}`,
		`{"config_id":"cg-1","range":{"from":"-1d","to":"0d","timezone":"America/New_York"},"scheduled_time":"2026-11-22T06:00:00Z","schedule_arn":"` + arn + `"}`,
		`{"config_id":"og-1","idempotency_key":"k","if_unknown":"hold"}`,
		`{"config_id":"cg-1","run_mode":"full","range_from":""}`, `{"config_id":"cg-1","range":null,"max_age":"","schedule_arn":null}`,
		`{"config_id":"cg-1","scheduled_time":"2026-11-22T06:00:00.2500000001Z"}`,
		`{"config_id":"cg-1","range":{"from":"-1h","to":"+1h"},"max_age":"1h","scheduled_time":"2000-01-01T00:00:00+14:00"}`,
		`{"detail-type":"Scheduled Event","source":"aws.events"}`, `{"release":"x"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		in, err := trigger.ParseInput(payload)
		var invalid *trigger.InputError
		if err != nil {
			if !errors.As(err, &invalid) || len(invalid.Faults) == 0 || err.Error() == "" {
				t.Fatalf("an error without a fault: %v", err)
			}
			return
		}
		l, _ := trigger.Decide(in, now, "req-1")
		// An accepted input can be sent, and its key names one decision.
		if err := l.Request.Validate(); err != nil {
			t.Errorf("accepted, but its request is not valid: %v", err)
		}
		again, _ := trigger.Decide(in, now.Add(time.Hour), "req-1")
		if again.Key != l.Key || l.Key == "" {
			t.Errorf("the key depends on the clock: %q, %q", l.Key, again.Key)
		}
		if at, err := time.Parse(time.RFC3339, l.Cause.ScheduledTime); !in.ScheduledTime.IsZero() && (err != nil || !at.Equal(in.ScheduledTime)) {
			t.Errorf("the launch is of %q, and the input of %v", l.Cause.ScheduledTime, in.ScheduledTime)
		}
		if !in.ScheduledTime.IsZero() && again.Request != l.Request {
			t.Errorf("a retry would send another range: %+v, %+v", l.Request, again.Request)
		}
	})
}

// A redrive sets the request id as the idempotency key. The ledger must
// recognize the same input.
func TestUnnamedStartKeepsItsKeyAndHashWhenItsRequestIDIsItsName(t *testing.T) {
	t.Parallel()
	l := &launcher{}
	for _, input := range []string{`{"config_id":"cg-1"}`, `{"config_id":"cg-1","idempotency_key":"req-1"}`, `{"config_id":"cg-1","run_mode":"full"}`} {
		if _, err := invoke(t, l, &bus{}, input); err != nil {
			t.Fatal(err)
		}
	}
	if l.got[0].Key != l.got[1].Key || l.got[0].InputHash != l.got[1].InputHash {
		t.Errorf("%s, %s and %s, %s", l.got[0].Key, l.got[0].InputHash, l.got[1].Key, l.got[1].InputHash)
	}
	if l.got[0].InputHash == l.got[2].InputHash {
		t.Error("another run mode is taken for the same input")
	}
}
