package trigger_test

import (
	"testing"

	"github.com/amperity-runs/amperity-runs/internal/record"
)

// Ledgers hold these keys and hashes of whole seconds. If they changed, a
// second delivery would start a second run.
func TestEachInstantHasOneKeyAndHash(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, input, key, hash string }{
		{"in UTC", `{"config_id":"cg-1","scheduled_time":"2026-11-22T06:00:00Z"}`, "schedule/cg-1/-/2026-11-22T06:00:00Z", "fd4f3c0189445ec4663769a9626a7505"},
		{"with a fraction of zeros", `{"config_id":"cg-1","scheduled_time":"2026-11-22T06:00:00.000Z"}`, "schedule/cg-1/-/2026-11-22T06:00:00Z", "fd4f3c0189445ec4663769a9626a7505"},
		{"with ten zeros", `{"config_id":"cg-1","scheduled_time":"2026-11-22T06:00:00.0000000000Z"}`, "schedule/cg-1/-/2026-11-22T06:00:00Z", "fd4f3c0189445ec4663769a9626a7505"},
		{"with an offset", `{"config_id":"cg-1","scheduled_time":"2026-11-22T07:00:00+01:00"}`, "schedule/cg-1/-/2026-11-22T06:00:00Z", "fd4f3c0189445ec4663769a9626a7505"},
		{"with an offset and a fraction of zeros", `{"config_id":"cg-1","scheduled_time":"2026-11-22T01:00:00.000-05:00"}`, "schedule/cg-1/-/2026-11-22T06:00:00Z", "fd4f3c0189445ec4663769a9626a7505"},
		{"of a schedule", `{"config_id":"cg-1","run_mode":"source","range":{"from":"-1d","to":"0d","timezone":"America/New_York"},"scheduled_time":"2026-11-22T06:00:00Z","schedule_arn":"` + arn + `"}`, "schedule/cg-1/" + arn + "/2026-11-22T06:00:00Z", "7b60c20c648e64c59ace32cc76ae3e0e"},
		{"with an idempotency key", `{"config_id":"cg-1","scheduled_time":"2026-11-22T06:00:00Z","idempotency_key":"k"}`, "manual/cg-1/k", "fd4f3c0189445ec4663769a9626a7505"},
		{"by hand", `{"config_id":"cg-1","range_from":"2026-11-22","idempotency_key":"k"}`, "manual/cg-1/k", "14e52a729e1cb1f9de940b057e47efbd"},
		{"a quarter of a second later", `{"config_id":"cg-1","scheduled_time":"2026-11-22T06:00:00.250Z"}`, "schedule/cg-1/-/2026-11-22T06:00:00.25Z", "e0362f3f361aa5d477af30d1b61f5c3e"},
		{"a quarter of a second later, written shorter", `{"config_id":"cg-1","scheduled_time":"2026-11-22T07:00:00.25+01:00"}`, "schedule/cg-1/-/2026-11-22T06:00:00.25Z", "e0362f3f361aa5d477af30d1b61f5c3e"},
		{"three quarters later", `{"config_id":"cg-1","scheduled_time":"2026-11-22T06:00:00.750Z"}`, "schedule/cg-1/-/2026-11-22T06:00:00.75Z", "088d52f8d441d4beded3c707ab2a8559"},
		{"a nanosecond later", `{"config_id":"cg-1","scheduled_time":"2026-11-22T06:00:00.000000001Z"}`, "schedule/cg-1/-/2026-11-22T06:00:00.000000001Z", "8696ad242c383d361f9870eb8c963162"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := &launcher{result: record.Result{Outcome: record.Started}}
			if res, err := invoke(t, l, &bus{}, tt.input); err != nil || len(l.got) != 1 {
				t.Fatalf("%+v, %v", res, err)
			}
			if got := l.got[0]; got.Key != tt.key || got.InputHash != tt.hash {
				t.Errorf("key %q, hash %q, want %q, %q", got.Key, got.InputHash, tt.key, tt.hash)
			}
		})
	}
}
