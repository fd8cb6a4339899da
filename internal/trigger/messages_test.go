package trigger_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/trigger"
)

func TestInvalidInputNamesEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	const fields = "is not known here: the fields are config_id, run_mode, range_from, range_to, range, scheduled_time, schedule_arn, idempotency_key, max_age, if_unknown"
	rows := []struct {
		name, input string
		want        []string
	}{
		// The whole.
		{"nothing", ``, []string{"the input is empty: give at least {\"config_id\":\"cg-…\"}"}},
		{"an empty object", `{}`, []string{"config_id: is missing: write the id of a courier group (cg-…), an orchestration group (og-…) or a campaign (cc-…)"}},
		{"a list", `[]`, []string{"the input must be a JSON object, as {\"config_id\":\"cg-…\"}"}},
		{"null", `null`, []string{"the input must be a JSON object, as {\"config_id\":\"cg-…\"}"}},
		{"the form of Amperity's curl samples", `{"config_id"="cg-1"}`, []string{"the input is not JSON, at byte 13: invalid character '=' after object key"}},
		{"cut off", `{"config_id":"cg-1"`, []string{"the input is not JSON: it ends too soon"}},
		{"two objects", `{"config_id":"cg-1"}{}`, []string{"the input has something after the JSON object: remove it"}},
		{"too long", `{"config_id":"` + strings.Repeat("a", 64<<10) + `"}`, []string{"the input has 65552 bytes and may have 65536"}},
		{"a raw EventBridge event", `{"version":"0","id":"x","detail-type":"Scheduled Event","source":"aws.events","time":"2026-11-22T06:00:00Z","resources":["arn:aws:events:us-east-1:123456789012:rule/r"],"detail":{}}`,
			[]string{`this is a raw EventBridge event, which carries no config id: give the rule's target an input transformer with the paths {"time":"$.time","rule":"$.resources[0]"} and the template {"config_id":"cg-…","scheduled_time":<time>,"schedule_arn":<rule>}`}},

		// Fields.
		{"unknown fields", `{"config_id":"cg-1","token":"tok-xSECRETx","Range":{},"notes":1}`, []string{"Range: is not known here: did you mean range?", "notes: " + fields, "token: is not known here"}},
		{"a relative range for a campaign", `{"config_id":"cc-1","range":{"from":"-1d","to":"0d"}}`, []string{"range: is for courier groups (cg-…) only: leave it out, this is the id of a campaign"}},
		{"a field given twice", `{"config_id":"cg-1","config_id":"cg-2","range":{"from":"-1d","to":"0d","to":"1d"}}`,
			[]string{"config_id: is given twice: leave one out", "range.to: is given twice: leave one out"}},
		{"wrong types", `{"config_id":7,"run_mode":[],"range_from":true,"scheduled_time":1}`,
			[]string{"config_id: must be a string", "run_mode: must be a string", "range_from: must be a string", "scheduled_time: must be a string"}},
		{"the ranges of an orchestration group", `{"config_id":"og-1","range_from":"2026-11-22","run_mode":"full"}`,
			[]string{"range_from: is for courier groups (cg-…) only: leave it out, this is the id of an orchestration group",
				"run_mode: is for courier groups (cg-…) only: leave it out, this is the id of an orchestration group"}},
		{"both ranges", `{"config_id":"cg-1","range_from":"2026-11-22","range":{"from":"-1d","to":"0d"}}`,
			[]string{"range: a relative range and range_from or range_to exclude each other: give one of them"}},
		{"a range of another type", `{"config_id":"cg-1","range":"-1d"}`, []string{"range: must be a JSON object, as {\"from\":\"-1d\",\"to\":\"0d\"}"}},
		{"faults in the range", `{"config_id":"cg-1","range":{"from":1,"until":"0d"}}`,
			[]string{"range.from: must be a string", "range.until: is not known here: the fields are from, to, timezone"}},
		{"an impossible range", `{"config_id":"cg-1","range":{"from":"0d","to":"-1d","timezone":"Mars"}}`,
			[]string{`range.to: "-1d" is not after range.from "0d": the range ends before range.to, so a single day or hour is -1d to 0d`,
				`range.timezone: "Mars" is not a time zone; write a name of the IANA database, such as America/New_York or UTC`}},
		{"the scheduler's placeholder, by hand", `{"config_id":"cg-1","scheduled_time":"<aws.scheduler.scheduled-time>"}`,
			[]string{`scheduled_time: "<aws.scheduler.scheduled-time>" is a placeholder that only EventBridge Scheduler fills in: write a time as 2026-11-22T06:00:00Z`}},
		{"no time", `{"config_id":"cg-1","scheduled_time":"yesterday"}`, []string{`scheduled_time: "yesterday" is not a time: write it as 2026-11-22T06:00:00Z`}},
		{"a time out of all reason", `{"config_id":"cg-1","scheduled_time":"0001-01-01T00:00:00Z"}`, []string{`scheduled_time: "0001-01-01T00:00:00Z" is not a time: write it as 2026-11-22T06:00:00Z`}},
		{"half a nanosecond", `{"config_id":"cg-1","scheduled_time":"2026-11-22T06:00:00.0000000005Z"}`,
			[]string{`scheduled_time: "2026-11-22T06:00:00.0000000005Z" has more than nine digits after the second: write at most nine`}},
		{"another ARN", `{"config_id":"cg-1","schedule_arn":"arn:aws:sqs:us-east-1:123456789012:q"}`,
			[]string{`schedule_arn: "arn:aws:sqs:us-east-1:123456789012:q" is not the ARN of a schedule or a rule: write <aws.scheduler.schedule-arn> in a schedule's input, or leave it out`}},
		{"a key with blanks", `{"config_id":"cg-1","idempotency_key":"a b"}`, []string{"idempotency_key: must be at most 128 printable ASCII characters without blanks"}},
		{"ages", `{"config_id":"cg-1","max_age":"-3h"}`,
			[]string{`max_age: "-3h" is not a duration above 0 and up to 1080h: write it as 24h or 90m`, "max_age: counts from scheduled_time: give that too, or leave max_age out"}},
		{"neither hold nor retry", `{"config_id":"cg-1","if_unknown":"again"}`, []string{`if_unknown: "again" is neither hold nor retry`}},
		{"many at once", `{"config_id":"x-1","run_mode":"quick","range_to":"2026-02-30"}`,
			[]string{`config_id: is "x-1": write an id that starts with cg- (courier group), og- (orchestration group) or cc- (campaign)`,
				`range_to: is "2026-02-30", which no calendar has: write a day that exists, as YYYY-MM-DD`, `run_mode: is "quick": write full, refresh or source`}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := trigger.ParseInput([]byte(row.input))
			if err == nil {
				t.Fatal("accepted")
			}
			if strings.Contains(err.Error(), "xSECRETx") {
				t.Error("the message holds a value of the input's")
			}
			if diff := cmp.Diff(strings.Join(row.want, "; "), err.Error()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
