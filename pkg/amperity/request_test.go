package amperity

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValidRequestIsAccepted(t *testing.T) {
	t.Parallel()
	for _, r := range []RunRequest{
		{ConfigID: "cg-123ABc4DE"},
		{ConfigID: "og-1"},
		{ConfigID: "cc-ü"},
		{ConfigID: "cg-1", RunMode: RunModeFull},
		{ConfigID: "cg-1", RunMode: RunModeRefresh},
		{ConfigID: "cg-1", RunMode: RunModeSource},
		{ConfigID: "cg-1", RangeFrom: "2026-11-22"},
		{ConfigID: "cg-1", RangeFrom: "2024-02-29", RangeTo: "2024-03-01"},
		{ConfigID: "cg-1", RangeFrom: "2026-11-22T05:00:00Z", RangeTo: "2026-11-22T06:00:00+00:00"},
		{ConfigID: "cg-1", RangeFrom: "2026-11-22T05:00:00.123Z", RangeTo: "2026-11-22T05:00:00.124Z"},
		{ConfigID: "cg-1", RangeFrom: "2026-11-22", RangeTo: "2026-11-22T00:00:01Z"},
	} {
		if err := r.Validate(); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

// testdata/errors.golden has the messages.
func TestInvalidRequestNamesEveryFaultyField(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name    string
		request RunRequest
		fields  []string
	}{
		{"nothing", RunRequest{}, []string{"config_id"}},
		{"a prefix only", RunRequest{ConfigID: "cg-"}, []string{"config_id"}},
		{"a run's id", RunRequest{ConfigID: "wf-1"}, []string{"config_id"}},
		{"a prefix in capitals", RunRequest{ConfigID: "CG-1"}, []string{"config_id"}},
		{"a blank before", RunRequest{ConfigID: " cg-1"}, []string{"config_id"}},
		{"a line end after", RunRequest{ConfigID: "cg-1\n"}, []string{"config_id"}},
		{"a blank only after the prefix", RunRequest{ConfigID: "cg- "}, []string{"config_id"}},
		{"a no-break space", RunRequest{ConfigID: "cg-1\u00a0"}, []string{"config_id"}},
		{"a zero-width space", RunRequest{ConfigID: "cg-1\u200b"}, []string{"config_id"}},
		{"a slash", RunRequest{ConfigID: "cg-1/stop"}, []string{"config_id"}},
		{"a backslash", RunRequest{ConfigID: `cg-1\`}, []string{"config_id"}},
		{"quotes", RunRequest{ConfigID: `"cg-1"`}, []string{"config_id"}},
		{"an apostrophe", RunRequest{ConfigID: `cg-1'`}, []string{"config_id"}},
		{"typographic quotes", RunRequest{ConfigID: "“cg-1”"}, []string{"config_id"}},
		{"bytes that are not UTF-8", RunRequest{ConfigID: "cg-\xff"}, []string{"config_id"}},

		{"a month that does not exist", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-13-01"}, []string{"range_from"}},
		{"29 February of a common year", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-02-29"}, []string{"range_from"}},
		{"a day first", RunRequest{ConfigID: "cg-1", RangeFrom: "22-11-2026"}, []string{"range_from"}},
		{"no dashes", RunRequest{ConfigID: "cg-1", RangeFrom: "20261122"}, []string{"range_from"}},
		{"slashes", RunRequest{ConfigID: "cg-1", RangeFrom: "2026/11/22"}, []string{"range_from"}},
		{"a blank after the date", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22 "}, []string{"range_from"}},
		{"a timestamp without zone", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22T05:00:00"}, []string{"range_from"}},
		{"a timestamp without seconds", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22T05:00Z"}, []string{"range_from"}},
		{"an hour of one digit", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22T5:00:00Z"}, []string{"range_from"}},
		{"a comma before the fraction", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22T05:00:00,1Z"}, []string{"range_from"}},
		{"hour 24", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22T24:00:00Z"}, []string{"range_from"}},
		{"a blank for the T", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22 05:00:00Z"}, []string{"range_from"}},
		{"another zone", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22T05:00:00-05:00"}, []string{"range_from"}},
		{"an unknown zone", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22T05:00:00-00:00"}, []string{"range_from"}},
		{"a relative date", RunRequest{ConfigID: "cg-1", RangeFrom: "-1d"}, []string{"range_from"}},

		{"an end without a start", RunRequest{ConfigID: "cg-1", RangeTo: "2026-11-22"}, []string{"range_to"}},
		{"an end that is the start", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22", RangeTo: "2026-11-22"}, []string{"range_to"}},
		{"an end that is the start, spelled differently", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22", RangeTo: "2026-11-22T00:00:00+00:00"}, []string{"range_to"}},
		{"an end before the start", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22", RangeTo: "2026-11-21T23:59:59Z"}, []string{"range_to"}},
		{"a run mode that does not exist", RunRequest{ConfigID: "cg-1", RunMode: "Full"}, []string{"run_mode"}},

		{"an orchestration group with every field of courier groups", RunRequest{ConfigID: "og-1", RangeFrom: "2026-11-22", RangeTo: "2026-11-23", RunMode: "full"},
			[]string{"range_from", "range_to", "run_mode"}},
		{"a campaign with a start", RunRequest{ConfigID: "cc-1", RangeFrom: "2026-11-22"}, []string{"range_from"}},
		{"everything wrong", RunRequest{ConfigID: "x", RangeFrom: "a", RangeTo: "b", RunMode: "c"}, []string{"config_id", "range_from", "range_to", "run_mode"}},
		{"everything wrong, no start", RunRequest{RangeTo: "b", RunMode: "c"}, []string{"config_id", "range_to", "range_to", "run_mode"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var invalid *RequestError
			if err := row.request.Validate(); !errors.As(err, &invalid) {
				t.Fatalf("got %v", err)
			}
			var fields []string
			for _, p := range invalid.Problems {
				fields = append(fields, p.Field)
			}
			if diff := cmp.Diff(row.fields, fields); diff != "" {
				t.Errorf("(-want +got)\n%s\n%v", diff, invalid)
			}
		})
	}
}

func TestConfigKindOfReadsThePrefix(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]ConfigKind{
		"cg-123ABc4DE": ConfigKindCourierGroup, "og-1": ConfigKindOrchestrationGroup, "cc-1": ConfigKindCampaign,
		"": "", "cg": "", "cg-": "", "CG-1": "", "wf-1": "", "cg- 1": "", "cg-a/b": "",
	} {
		if kind, ok := ConfigKindOf(id); kind != want || ok != (want != "") {
			t.Errorf("%q is %q, %t", id, kind, ok)
		}
	}
}
