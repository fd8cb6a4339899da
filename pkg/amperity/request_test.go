package amperity

import (
	"errors"
	"strings"
	"testing"

	"github.com/amperity-runs/amperity-runs/internal/golden"
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

func TestInvalidRequestNamesEveryFaultyField(t *testing.T) {
	t.Parallel()
	var texts strings.Builder
	for _, row := range []struct {
		name    string
		request RunRequest
	}{
		{"nothing", RunRequest{}},
		{"a prefix only", RunRequest{ConfigID: "cg-"}},
		{"a run's id", RunRequest{ConfigID: "wf-1"}},
		{"a prefix in capitals", RunRequest{ConfigID: "CG-1"}},
		{"a blank before", RunRequest{ConfigID: " cg-1"}},
		{"a line end after", RunRequest{ConfigID: "cg-1\n"}},
		{"a blank only after the prefix", RunRequest{ConfigID: "cg- "}},
		{"a no-break space", RunRequest{ConfigID: "cg-1\u00a0"}},
		{"a zero-width space", RunRequest{ConfigID: "cg-1\u200b"}},
		{"a slash", RunRequest{ConfigID: "cg-1/stop"}},
		{"a backslash", RunRequest{ConfigID: `cg-1\`}},
		{"quotes", RunRequest{ConfigID: `"cg-1"`}},
		{"an apostrophe", RunRequest{ConfigID: `cg-1'`}},
		{"typographic quotes", RunRequest{ConfigID: "“cg-1”"}},
		{"bytes that are not UTF-8", RunRequest{ConfigID: "cg-\xff"}},

		{"a month that does not exist", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-13-01"}},
		{"29 February of a common year", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-02-29"}},
		{"a day first", RunRequest{ConfigID: "cg-1", RangeFrom: "22-11-2026"}},
		{"no dashes", RunRequest{ConfigID: "cg-1", RangeFrom: "20261122"}},
		{"slashes", RunRequest{ConfigID: "cg-1", RangeFrom: "2026/11/22"}},
		{"a blank after the date", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22 "}},
		{"a timestamp without zone", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22T05:00:00"}},
		{"a timestamp without seconds", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22T05:00Z"}},
		{"an hour of one digit", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22T5:00:00Z"}},
		{"a comma before the fraction", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22T05:00:00,1Z"}},
		{"hour 24", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22T24:00:00Z"}},
		{"a blank for the T", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22 05:00:00Z"}},
		{"another zone", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22T05:00:00-05:00"}},
		{"an unknown zone", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22T05:00:00-00:00"}},
		{"a relative date", RunRequest{ConfigID: "cg-1", RangeFrom: "-1d"}},

		{"an end without a start", RunRequest{ConfigID: "cg-1", RangeTo: "2026-11-22"}},
		{"an end that is the start", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22", RangeTo: "2026-11-22"}},
		{"an end that is the start, spelled differently", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22", RangeTo: "2026-11-22T00:00:00+00:00"}},
		{"an end before the start", RunRequest{ConfigID: "cg-1", RangeFrom: "2026-11-22", RangeTo: "2026-11-21T23:59:59Z"}},
		{"a run mode that does not exist", RunRequest{ConfigID: "cg-1", RunMode: "Full"}},

		{"an orchestration group with every field of courier groups", RunRequest{ConfigID: "og-1", RangeFrom: "2026-11-22", RangeTo: "2026-11-23", RunMode: "full"}},
		{"a campaign with a start", RunRequest{ConfigID: "cc-1", RangeFrom: "2026-11-22"}},
		{"a run mode for a campaign", RunRequest{ConfigID: "cc-1", RunMode: "full"}},
		{"a very long config id", RunRequest{ConfigID: strings.Repeat("x", 100)}},
		{"everything wrong", RunRequest{ConfigID: "x", RangeFrom: "a", RangeTo: "b", RunMode: "c"}},
		{"everything wrong, no start", RunRequest{RangeTo: "b", RunMode: "c"}},
	} {
		err := row.request.Validate()
		if _, ok := errors.AsType[*RequestError](err); !ok {
			t.Errorf("%s: got %v", row.name, err)
			continue
		}
		texts.WriteString(golden.Row(row.name, err.Error()))
	}
	golden.Check(t, "testdata/requests.golden", texts.String())
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
