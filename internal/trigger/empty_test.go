package trigger_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/clock"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/internal/trigger"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// api records the requests to Amperity.
type api struct{ sent []amperity.RunRequest }

func (a *api) StartRun(_ context.Context, r amperity.RunRequest) (*amperity.Run, error) {
	a.sent = append(a.sent, r)
	return &amperity.Run{ID: "wf-1"}, nil
}

func (*api) GetRun(context.Context, string, amperity.View) (*amperity.Run, error) {
	return nil, errors.New("no run is asked for")
}

func (*api) ListRunPages(context.Context, amperity.ListOptions) iter.Seq2[*amperity.Page, error] {
	return func(func(*amperity.Page, error) bool) {}
}

// send invokes the handler with a launcher that sends its requests to a.
func send(t *testing.T, a *api, b *bus, input string) record.Result {
	t.Helper()
	logger := telemetry.NewLogger(&bytes.Buffer{}, slog.LevelInfo)
	clock := clock.NewManual(now)
	h := &trigger.Handler{Now: clock.Now,
		Launcher: launch.New(launch.Config{API: a, Ledger: ledger.NewMemory(), Announcer: b, Clock: clock, Logger: logger, Tenant: "acme", Token: launch.NewToken})}
	out, err := h.Invoke(t.Context(), []byte(input))
	if err != nil {
		t.Fatalf("%s: %v", input, err)
	}
	var res record.Result
	if err := json.Unmarshal(out, &res); err != nil {
		t.Fatalf("the answer %s is not JSON: %v", out, err)
	}
	return res
}

// If an empty field counted as left out, it could start the wrong run, such as
// a full run instead of one day.
func TestEmptyFieldSendsNothing(t *testing.T) {
	t.Parallel()
	const (
		leaveOut = `is empty: leave the field out, or correct the input transformer's path, which is missing from the event`
		configID = `config_id: is empty: write the id of a courier group (cg-…), an orchestration group (og-…) or a campaign (cc-…), or correct the input transformer's path, which is missing from the event`
		offset   = `is empty: write days or hours from the scheduled time, such as -1d, 0d or -6h, or correct the input transformer's path, which is missing from the event`
	)
	for _, tt := range []struct{ field, input, want string }{
		{"config_id", `{"config_id":%,"idempotency_key":"k"}`, configID},
		{"run_mode", `{"config_id":"cg-1","run_mode":%}`, "run_mode: " + leaveOut},
		{"range", `{"config_id":"cg-1","run_mode":"full","range":%}`, "range: " + leaveOut},
		{"range beside range_from", `{"config_id":"cg-1","range":%,"range_from":"2026-11-22"}`, "range: " + leaveOut},
		{"range.from", `{"config_id":"cg-1","range":{"from":%,"to":"0d"}}`, "range.from: " + offset},
		{"range.to", `{"config_id":"cg-1","range":{"from":"-1d","to":%}}`, "range.to: " + offset},
		{"range.timezone", `{"config_id":"cg-1","range":{"from":"-1d","to":"0d","timezone":%}}`, "range.timezone: " + leaveOut},
		{"range_from", `{"config_id":"cg-1","run_mode":"full","range_from":%}`, "range_from: " + leaveOut},
		{"range_to", `{"config_id":"cg-1","range_from":"2026-11-22","range_to":%}`, "range_to: " + leaveOut},
		{"range_from before range_to", `{"config_id":"cg-1","range_from":%,"range_to":"2026-11-23"}`, "range_from: " + leaveOut + "; range_to: needs range_from: write where the range starts, too"},
		{"both ends", `{"config_id":"cg-1","range_from":%,"range_to":%}`, "range_from: " + leaveOut + "; range_to: " + leaveOut},
		{"range_from beside range", `{"config_id":"cg-1","range":{"from":"-1d","to":"0d"},"range_from":%}`, "range_from: " + leaveOut},
		{"range_from of an orchestration group", `{"config_id":"og-1","range_from":%}`, "range_from: " + leaveOut},
		{"scheduled_time", `{"config_id":"og-1","scheduled_time":%}`, "scheduled_time: " + leaveOut},
		{"scheduled_time with max_age", `{"config_id":"og-1","scheduled_time":%,"max_age":"2h"}`, "scheduled_time: " + leaveOut},
		{"idempotency_key", `{"config_id":"og-1","idempotency_key":%}`, "idempotency_key: " + leaveOut},
		{"all at once", `{"config_id":%,"run_mode":%,"range":%,"range_from":%,"range_to":%,"scheduled_time":%,"idempotency_key":%}`,
			configID + "; run_mode: " + leaveOut + "; range_from: " + leaveOut + "; range_to: " + leaveOut + "; idempotency_key: " + leaveOut +
				"; scheduled_time: " + leaveOut + "; range: " + leaveOut},
	} {
		for _, empty := range []string{`""`, `null`, `" "`, `"\t\n"`} {
			t.Run(tt.field+" "+empty, func(t *testing.T) {
				t.Parallel()
				a, b := &api{}, &bus{}
				res := send(t, a, b, string(bytes.ReplaceAll([]byte(tt.input), []byte("%"), []byte(empty))))
				if len(a.sent) > 0 {
					t.Errorf("sent %+v", a.sent)
				}
				if res.Outcome != record.Rejected || res.Reason != announcement.ReasonInvalidInput || res.Error == nil {
					t.Fatalf("answered %+v", res)
				}
				if diff := cmp.Diff(tt.want, res.Error.Message); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				if len(b.announced) != 1 || b.announced[0].Type != announcement.RunRejected || b.announced[0].Detail.Error.Message != res.Error.Message {
					t.Errorf("announced %+v", b.announced)
				}
			})
		}
	}
}

// The same run starts without these fields.
func TestEmptyFieldCountsAsLeftOut(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"schedule_arn", "max_age", "if_unknown"} {
		for _, empty := range []string{`""`, `null`} {
			t.Run(field+" "+empty, func(t *testing.T) {
				t.Parallel()
				const rest = `"config_id":"cg-1","range":{"from":"-1d","to":"0d"},"scheduled_time":"2026-11-22T06:00:00Z"}`
				with, without := &launcher{}, &launcher{}
				for l, input := range map[*launcher]string{with: `{"` + field + `":` + empty + `,` + rest, without: `{` + rest} {
					if res, err := invoke(t, l, &bus{}, input); err != nil || len(l.got) != 1 {
						t.Fatalf("%s: %+v, %v", input, res, err)
					}
				}
				if diff := cmp.Diff(without.got, with.got); diff != "" {
					t.Errorf("(-without it +with it)\n%s", diff)
				}
				a := &api{}
				send(t, a, &bus{}, `{"`+field+`":`+empty+`,`+rest)
				if diff := cmp.Diff([]amperity.RunRequest{{ConfigID: "cg-1", RangeFrom: "2026-11-21", RangeTo: "2026-11-22"}}, a.sent); diff != "" {
					t.Errorf("sent (-want +got)\n%s", diff)
				}
			})
		}
	}
}

// No tool writes blanks for a missing value, so a blank is a mistake.
func TestBlankOptionalFieldSendsNothing(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		"schedule_arn": `schedule_arn: " " is not the ARN of a schedule or a rule: write <aws.scheduler.schedule-arn> in a schedule's input, or leave it out`,
		"max_age":      `max_age: " " is not a duration above 0 and up to 1080h: write it as 24h or 90m`,
		"if_unknown":   `if_unknown: " " is neither hold nor retry`,
	} {
		a := &api{}
		res := send(t, a, &bus{}, `{"config_id":"og-1","scheduled_time":"2026-11-22T06:00:00Z","`+field+`":" "}`)
		if len(a.sent) > 0 || res.Outcome != record.Rejected || res.Error.Message != want {
			t.Errorf("%s: sent %+v, answered %+v", field, a.sent, res)
		}
	}
}
