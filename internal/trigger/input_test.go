package trigger_test

import (
	"strings"
	"testing"

	"github.com/amperity-runs/amperity-runs/internal/golden"
	"github.com/amperity-runs/amperity-runs/internal/trigger"
)

func TestInvalidInputNamesEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	var texts strings.Builder
	for _, row := range []struct{ name, input string }{
		// The whole.
		{"nothing", ``},
		{"an empty object", `{}`},
		{"a list", `[]`},
		{"null", `null`},
		{"the form of Amperity's curl samples", `{"config_id"="cg-1"}`},
		{"cut off", `{"config_id":"cg-1"`},
		{"two objects", `{"config_id":"cg-1"}{}`},
		{"too long", `{"config_id":"` + strings.Repeat("a", 64<<10) + `"}`},
		{"a raw EventBridge event", `{"version":"0","id":"x","detail-type":"Scheduled Event","source":"aws.events","time":"2026-11-22T06:00:00Z","resources":["arn:aws:events:us-east-1:123456789012:rule/r"],"detail":{}}`},

		// Fields.
		{"unknown fields", `{"config_id":"cg-1","token":"tok-xSECRETx","Range":{},"notes":1}`},
		{"a relative range for a campaign", `{"config_id":"cc-1","range":{"from":"-1d","to":"0d"}}`},
		{"a field given twice", `{"config_id":"cg-1","config_id":"cg-2","range":{"from":"-1d","to":"0d","to":"1d"}}`},
		{"wrong types", `{"config_id":7,"run_mode":[],"range_from":true,"scheduled_time":1}`},
		{"the ranges of an orchestration group", `{"config_id":"og-1","range_from":"2026-11-22","run_mode":"full"}`},
		{"both ranges", `{"config_id":"cg-1","range_from":"2026-11-22","range":{"from":"-1d","to":"0d"}}`},
		{"a range of another type", `{"config_id":"cg-1","range":"-1d"}`},
		{"faults in the range", `{"config_id":"cg-1","range":{"from":1,"until":"0d"}}`},
		{"an impossible range", `{"config_id":"cg-1","range":{"from":"0d","to":"-1d","timezone":"Mars"}}`},
		{"the scheduler's placeholder, by hand", `{"config_id":"cg-1","scheduled_time":"<aws.scheduler.scheduled-time>"}`},
		{"no time", `{"config_id":"cg-1","scheduled_time":"yesterday"}`},
		{"a time out of all reason", `{"config_id":"cg-1","scheduled_time":"0001-01-01T00:00:00Z"}`},
		{"half a nanosecond", `{"config_id":"cg-1","scheduled_time":"2026-11-22T06:00:00.0000000005Z"}`},
		{"another ARN", `{"config_id":"cg-1","schedule_arn":"arn:aws:sqs:us-east-1:123456789012:q"}`},
		{"a key with blanks", `{"config_id":"cg-1","idempotency_key":"a b"}`},
		{"ages", `{"config_id":"cg-1","max_age":"-3h"}`},
		{"neither hold nor retry", `{"config_id":"cg-1","if_unknown":"again"}`},
		{"many at once", `{"config_id":"x-1","run_mode":"quick","range_to":"2026-02-30"}`},
	} {
		_, err := trigger.ParseInput([]byte(row.input))
		if err == nil || strings.Contains(err.Error(), "xSECRETx") {
			t.Errorf("%s: accepted, or the message holds a value of the input", row.name)
			continue
		}
		texts.WriteString(golden.Row(row.name, err.Error()))
	}
	golden.Check(t, "testdata/input.golden", texts.String())
}
