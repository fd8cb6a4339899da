package amperitytest

import (
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ids returns the ids of a page, its next_token and its total.
func ids(t *testing.T, s *Server, query string) (found []string, next string, total any) {
	t.Helper()
	got := send(t, s, get("", query))
	v := got.object(t)
	data, isList := v["data"].([]any)
	if got.status != 200 || !isList {
		t.Fatalf("%s: %d %s", query, got.status, got.body)
	}
	for _, each := range data {
		found = append(found, each.(map[string]any)["id"].(string))
	}
	next, _ = v["next_token"].(string)
	return found, next, v["total"]
}

func TestListFiltersRuns(t *testing.T) {
	t.Parallel()
	s, clock := setup(t)
	// Start runs of a minute each, an hour apart, the first on 22 November
	// at 05:00.
	if err := s.Script("", Script{Scheduled: time.Second, Duration: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if err := s.Script("cg-stuck", Script{End: Never}); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, run := range []struct{ name, configID string }{
		{"five", "cg-1"}, {"six", "og-1"}, {"seven", "cg-stuck"}, {"eight", "cc-1"},
	} {
		names[mustStart(t, s, run.configID)] = run.name
		clock.Advance(time.Hour)
	}
	names[mustStart(t, s, "cg-1")] = "nine"

	for _, row := range []struct {
		query string
		want  []string
	}{
		{"", []string{"nine", "eight", "seven", "six", "five"}},
		// created: from inclusive, to exclusive
		{"created_from=2026-11-22T07:00:00Z", []string{"nine", "eight", "seven"}},
		{"created_from=2026-11-22T07:00:00.001Z", []string{"nine", "eight"}},
		{"created_to=2026-11-22T07:00:00.000Z", []string{"six", "five"}},
		{"created_from=2026-11-22T06&created_to=2026-11-22T08:00", []string{"seven", "six"}},
		// partial timestamps
		{"created_from=2026&created_to=2027", []string{"nine", "eight", "seven", "six", "five"}},
		{"created_from=2026-11&created_to=2026-12", []string{"nine", "eight", "seven", "six", "five"}},
		{"created_from=2026-11-22", []string{"nine", "eight", "seven", "six", "five"}},
		{"created_to=2026-11-22", nil},
		{"created_from=2026-11-22T08:00Z", []string{"nine", "eight"}},
		{"created_from=2026-11-22T08:00:00%2B00:00", []string{"nine", "eight"}},
		// ended: only runs that have
		{"ended_from=2026", []string{"eight", "six", "five"}},
		{"ended_to=2027", []string{"eight", "six", "five"}},
		{"ended_from=2026-11-22T05:01:00Z&ended_to=2026-11-22T06:01:00Z", []string{"five"}},
		// state, in any spelling
		{"state=succeeded", []string{"eight", "six", "five"}},
		{"state=Succeeded", []string{"eight", "six", "five"}},
		{"state=In+progress", []string{"seven"}},
		{"state=in_progress", []string{"seven"}},
		{"state=IN-PROGRESS", []string{"seven"}},
		{"state=scheduled", []string{"nine"}},
		{"state=no+such", nil},
		// type, in its exact spelling
		{"type=courier.group/run", []string{"nine", "seven", "five"}},
		{"type=campaign.send", []string{"eight"}},
		{"type=Campaign.Send", nil},
		// several filters
		{"type=courier.group/run&state=succeeded&created_from=2026-11-22", []string{"five"}},
		{"limit=2", []string{"nine", "eight"}},
	} {
		found, _, total := ids(t, s, row.query)
		var got []string
		for _, id := range found {
			got = append(got, names[id])
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s: %s", row.query, diff)
		}
		if total != nil {
			t.Errorf("%s: total %v", row.query, total)
		}
	}
}

func TestListItemsHaveTheOverviewKeys(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	id := mustStart(t, s, courier)
	want := map[string]any{"data": []any{map[string]any{
		"created_at": "2026-11-22T05:00:00.000Z", "id": id, "name": defaultName(courier),
		"state": "scheduled", "tenant": "acme", "type": "courier.group/run",
	}}}
	if diff := cmp.Diff(want, send(t, s, request{}).object(t)); diff != "" {
		t.Error(diff)
	}
	if got := send(t, s, get("", "state=failed")); got.body != `{"data":[]}` {
		t.Error(got.body)
	}
}

// TestPagesShowEveryRunOnce reads the list in pages of every size while other
// runs start. The pages show each of the first runs exactly once.
func TestPagesShowEveryRunOnce(t *testing.T) {
	t.Parallel()
	s, clock := setup(t, func(c *Config) { c.PageSize = 4 })
	var all []string
	for i := range 9 {
		all = append(all, mustStart(t, s, courier))
		if i%3 == 0 { // create some in the same millisecond
			clock.Advance(time.Minute)
		}
	}
	slices.Reverse(all)
	for limit := range 11 {
		query := url.Values{"type": {"courier.group/run"}, "with_total": {"true"}}
		size := 4
		if limit > 0 {
			query.Set("limit", strconv.Itoa(limit))
			size = min(limit, size)
		}
		there := slices.Clone(all)
		var got []string
		for pages := 1; ; pages++ {
			found, next, total := ids(t, s, query.Encode())
			got = append(got, found...)
			if len(found) > size || pages > len(all) {
				t.Fatalf("limit %d: page %d has %d runs", limit, pages, len(found))
			}
			if total != float64(len(all)) {
				t.Errorf("limit %d: total %v of %d", limit, total, len(all))
			}
			if next == "" {
				break
			}
			query.Set("next_token", next)
			clock.Advance(time.Millisecond)
			all = slices.Insert(all, 0, mustStart(t, s, courier))
		}
		if diff := cmp.Diff(there, got); diff != "" {
			t.Errorf("limit %d: %s", limit, diff)
		}
	}
}

func TestInstantsAreParsedStrictly(t *testing.T) {
	t.Parallel()
	utc := func(h, m, s, ns int) time.Time { return time.Date(2026, 11, 22, h, m, s, ns, time.UTC) }
	for _, row := range []struct {
		text string
		want time.Time
	}{
		{"2026", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"2026-11", time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)},
		{"2026-11-22", utc(0, 0, 0, 0)},
		{"2026-11-22T05", utc(5, 0, 0, 0)},
		{"2026-11-22T05Z", utc(5, 0, 0, 0)},
		{"2026-11-22T05:06", utc(5, 6, 0, 0)},
		{"2026-11-22T05:06:07", utc(5, 6, 7, 0)},
		{"2026-11-22T05:06:07Z", utc(5, 6, 7, 0)},
		{"2026-11-22T05:06:07.25Z", utc(5, 6, 7, 250_000_000)},
		{"2026-11-22T05:06:07.123456789+00:00", utc(5, 6, 7, 123_456_789)},
	} {
		got, _, isTime := parseInstant(row.text)
		if !isTime || !got.Equal(row.want) {
			t.Errorf("%s: %v %v", row.text, got, isTime)
		}
	}
	for _, text := range []string{
		"", "20", "20261122", "2026-1-2", "2026-13", "2026-02-29", "2026-11-22Z", "2026Z", "2026-11-22 05:06:07", "2026-11-22t05:06:07z",
		"2026-11-22T5:06:07Z", "2026-11-22T24:00:00Z", "2026-11-22T05:60Z", "2026-11-22T05:06:60Z", "2026-11-22T05:06:07,5Z",
		"2026-11-22T05:06.5Z", "2026-11-22T05:06:07.Z", "2026-11-22T05:06:07.1234567890Z", "2026-11-22T05:06:07.5.5Z",
		"2026-11-22T05:06:07-00:00", "2026-11-22T05:06:07+01:00", "+2026-11-22", " 2026-11-22", "٢٠٢٦",
	} {
		if got, _, isTime := parseInstant(text); isTime {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}

func TestForgetDropsOldEndedRuns(t *testing.T) {
	t.Parallel()
	s, clock := setup(t)
	if err := s.Script("cg-stuck", Script{End: Never}); err != nil {
		t.Fatal(err)
	}
	over := mustStart(t, s, "cg-1")
	stuck := mustStart(t, s, "cg-stuck")
	clock.Advance(time.Hour)
	young := mustStart(t, s, "cg-1")
	clock.Advance(time.Hour)
	s.Forget(clock.Now().Add(-time.Hour))
	found, _, _ := ids(t, s, "")
	if diff := cmp.Diff([]string{young, stuck}, found); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	if got := send(t, s, get("/"+over, "")); got.status != 404 {
		t.Errorf("the forgotten run: status %d, want 404", got.status)
	}
	if n := len(s.Runs()); n != 3 {
		t.Errorf("%d runs in the log, want 3", n)
	}
}
