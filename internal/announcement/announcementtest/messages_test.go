package announcementtest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement/announcementtest"
)

func TestEachFaultOfAnEventHasItsMessage(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ promise, detailType, detail, message string }{
		{"a type without a schema", "Amperity Workflow Run Jogging", `{}`, `no schema in docs/events has the title "Amperity Workflow Run Jogging"`},
		{"a detail that is not JSON", "Amperity Files Unrouted", `{`, `detail of Amperity Files Unrouted is not JSON: unexpected EOF`},
		{
			"a detail with a fault", "Amperity Files Unrouted", `{"version":"1","id":"00000000000000000000000000000000","tenant":"","unrouted":{"count":1,"files":[{"bucket":"b","key":"k"}]}}`,
			`detail of Amperity Files Unrouted: jsonschema validation failed with 'https://github.com/amperity-runs/amperity-runs/blob/main/docs/events/files-unrouted.schema.json#'
- at '/tenant': minLength: got 0, want 1`,
		},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			err := announcementtest.Validate(row.detailType, []byte(row.detail))
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(row.message, err.Error()); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}
