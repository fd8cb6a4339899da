package announcement_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/announcement/announcementtest"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// encode encodes an announcement and checks the result against the limit, the
// schema and UTF-8.
func encode(t testing.TB, a announcement.Announcement, limit int) map[string]any {
	t.Helper()
	detail, err := a.Encode(limit)
	if err != nil {
		t.Fatal(err)
	}
	size := 14 + len("amperity.workflow") + len(a.Type) + len(detail)
	for _, r := range a.BoundedResources() {
		size += len(r)
	}
	if size > limit {
		t.Errorf("size is %d, the limit %d", size, limit)
	}
	if got := a.Size(detail); got != size {
		t.Errorf("Size gives %d, it is %d", got, size)
	}
	if !utf8.Valid(detail) {
		t.Error("the detail is not UTF-8")
	}
	var out map[string]any
	if err := json.Unmarshal(detail, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// kept returns the remaining fields of the run, and whether the detail says
// that it is truncated.
func kept(detail map[string]any) string {
	run, _ := detail["run"].(map[string]any)
	_, tasks := run["task_instances"]
	_, unknown := run["more"]
	return fmt.Sprintf("tasks %v, unknown field %v, truncated %v", tasks, unknown, detail["truncated"] == true)
}

func TestRunIsCutOnlyAboveTheLimit(t *testing.T) {
	t.Parallel()
	a := large(t, 4000, 4000)
	whole, err := a.Encode(announcement.DefaultLimit)
	if err != nil {
		t.Fatal(err)
	}
	limit := a.Size(whole)
	check(t, "at the limit", "tasks true, unknown field true, truncated false", kept(encode(t, a, limit)))
	check(t, "a byte above", "tasks false, unknown field true, truncated true", kept(encode(t, a, limit-1)))

	shorter, err := a.Encode(limit - 1)
	if err != nil {
		t.Fatal(err)
	}
	limit = a.Size(shorter)
	check(t, "without tasks at the limit", "tasks false, unknown field true, truncated true", kept(encode(t, a, limit)))
	check(t, "without tasks a byte above", "tasks false, unknown field false, truncated true", kept(encode(t, a, limit-1)))

	least, err := a.Encode(limit - 1)
	if err != nil {
		t.Fatal(err)
	}
	limit = a.Size(least)
	check(t, "reduced at the limit", "tasks false, unknown field false, truncated true", kept(encode(t, a, limit)))
	_, err = a.Encode(limit - 1)
	var tooLarge *announcement.SizeError
	if !errors.As(err, &tooLarge) {
		t.Fatalf("error is a %T", err)
	}
	check(t, "error", announcement.SizeError{Type: announcement.RunStarted, Size: limit, Limit: limit - 1}, *tooLarge)
}

func TestTheDefaultLimitLeavesRoomForTheEnvelope(t *testing.T) {
	t.Parallel()
	// The largest event that is published whole, as a target receives it.
	a := large(t, 0, 0)
	whole, err := a.Encode(announcement.DefaultLimit)
	if err != nil {
		t.Fatal(err)
	}
	a = large(t, announcement.DefaultLimit-a.Size(whole), 0)
	a.Resources = append(a.Resources, strings.Repeat("r", 1000), strings.Repeat("s", 1000))
	a.Resources = a.Resources[:1]
	if n := len(event(t, a, "2026-11-23T11:04:10Z")); n < announcement.DefaultLimit || n >= announcement.MaxEntry {
		t.Errorf("the event has %d bytes, outside %d and %d", n, announcement.DefaultLimit, announcement.MaxEntry)
	}
}

func TestAReducedRunKeepsWhatItIs(t *testing.T) {
	t.Parallel()
	a := large(t, 10, 10)
	a.Detail.Run = run(t, `{"task_instances":[{}],"id":"wf-2","state":"failed","type":"courier.group/run","name":"`+strings.Repeat("n", 600)+`",
		"tenant":"acme","created_at":"2026-11-23T11:04:09.724Z","ended_at":null,"warn_after_ms":60000,"id":"wf-1",
		"launched_version":{"not":"a text"},"current_version":123456789012345678901234567890,
		"error":{"type":"first"},"error":{"attribution":"customer","type":"x","message":"bad","data":{"much":1}},
		"more":"`+strings.Repeat("m", announcement.DefaultLimit)+`"}`)
	got := encode(t, a, announcement.DefaultLimit)
	check(t, "run", map[string]any{
		"id": "wf-1", "state": "failed", "type": "courier.group/run", "name": strings.Repeat("n", 509) + "…",
		"tenant": "acme", "created_at": "2026-11-23T11:04:09.724Z", "ended_at": nil, "warn_after_ms": 60000.0,
		"error": map[string]any{"attribution": "customer", "type": "x", "message": "bad"},
	}, got["run"])
	check(t, "truncated", true, got["truncated"])
}

func TestRunThatEventBridgeRefusesIsReduced(t *testing.T) {
	t.Parallel()
	nested := func(levels int) string { return strings.Repeat(`[`, levels) + strings.Repeat(`]`, levels) }
	for _, row := range []struct {
		promise, more string
		whole         bool
	}{
		{"deep nesting is kept up to 900 levels", nested(898), true},
		{"deeper nesting is dropped", nested(899), false},
		{"brackets in a text are no nesting", `"` + strings.Repeat(`[\"{\\`, 1000) + `"`, true},
		{"the largest integer is kept", "9223372036854775807", true},
		{"a larger one is dropped", "9223372036854775808", false},
		{"the smallest integer is kept", "[-9223372036854775808]", true},
		{"a smaller one is dropped", "[1, -9223372036854775809]", false},
		{"a fraction is no integer", "9223372036854775808.5", true},
		{"a power of ten is no integer", "1E30", true},
		{"digits in a text are no integer", `"9223372036854775808"`, true},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			a := large(t, 1, 1)
			a.Detail.Run = run(t, `{"id":"wf-1","more":`+row.more+`}`)
			got := encode(t, a, announcement.DefaultLimit)
			_, there := got["run"].(map[string]any)["more"]
			check(t, "kept", row.whole, there)
			check(t, "truncated", !row.whole, got["truncated"] == true)
			check(t, "id", "wf-1", got["run"].(map[string]any)["id"])
		})
	}
}

func TestARunIsPublishedAsItCame(t *testing.T) {
	t.Parallel()
	raw := `{"id":"wf-1","state":"Brand New","b":[1.50,{"z":1,"a":"<&>\u00e4\ud83d\ude00"}],"a":null,"task_instances":[{"id":"wft-1","x":true}]}`
	a := large(t, 1, 1)
	a.Detail.Run = run(t, raw)
	detail, err := a.Encode(announcement.DefaultLimit)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(string(detail), `,"run":`+raw+`}`) {
		t.Errorf("the run is not as it came: %s", detail)
	}
}

func TestResponsesThatAreNotUTF8BecomeUTF8(t *testing.T) {
	t.Parallel()
	a := large(t, 1, 1)
	a.Detail.Run = run(t, "{\"id\":\"wf-1\",\"more\":\"a\xff\xfeb\"}")
	got := encode(t, a, announcement.DefaultLimit)
	check(t, "text", "a\uFFFDb", got["run"].(map[string]any)["more"])
}

func TestTextsAreCutAtTheirBounds(t *testing.T) {
	t.Parallel()
	const (
		name    = 512
		text    = 2048
		message = 8192
	)
	long := strings.Repeat("x", 10000)
	cut := func(n int) string { return long[:n-len("…")] + "…" }
	a := announcement.Announcement{
		Type: announcement.RunRejected,
		Detail: announcement.Detail{
			Version: "1", ID: long, LaunchKey: long, Tenant: long, Reason: long, Hint: long,
			Cause: &announcement.Cause{
				Type: long, ScheduleARN: long, ScheduledTime: long, Route: long, Period: long, FirstFile: long, Files: 1, RequestID: long,
			},
			Request:  &amperity.RunRequest{ConfigID: long, RangeFrom: long, RangeTo: long, RunMode: amperity.RunMode(long)},
			Error:    &announcement.Error{Kind: long, Status: 400, Message: long, RequestID: long, TraceID: long},
			Unrouted: &announcement.Unrouted{Count: 1, Files: []announcement.File{{Bucket: long, Key: long}}},
		},
	}
	detail, err := a.Encode(announcement.DefaultLimit)
	if err != nil {
		t.Fatal(err)
	}
	var got announcement.Detail
	if err := json.Unmarshal(detail, &got); err != nil {
		t.Fatal(err)
	}
	check(t, "detail", announcement.Detail{
		Version: "1", ID: cut(name), LaunchKey: cut(text), Tenant: cut(name), Reason: cut(name), Hint: cut(text),
		Cause: &announcement.Cause{
			Type: cut(name), ScheduleARN: cut(text), ScheduledTime: cut(name), Route: cut(name), Period: cut(name),
			FirstFile: cut(text), Files: 1, RequestID: cut(name),
		},
		Request:   &amperity.RunRequest{ConfigID: cut(name), RangeFrom: cut(name), RangeTo: cut(name), RunMode: amperity.RunMode(cut(name))},
		Error:     &announcement.Error{Kind: cut(name), Status: 400, Message: cut(message), RequestID: cut(name), TraceID: cut(name)},
		Unrouted:  &announcement.Unrouted{Count: 1, Files: []announcement.File{{Bucket: cut(name), Key: cut(text)}}},
		Truncated: true,
	}, got)
	check(t, "the announcement given is untouched", long, a.Detail.Cause.Route)
}

func TestATextIsCutByItsEncodedLengthAndBetweenCharacters(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ promise, tenant, want string }{
		{"at the bound nothing is cut", strings.Repeat("x", 512), strings.Repeat("x", 512)},
		{"above it the end is", strings.Repeat("x", 513), strings.Repeat("x", 509) + "…"},
		{"characters of two bytes", strings.Repeat("ä", 257), strings.Repeat("ä", 254) + "…"},
		{"quotes count two", strings.Repeat(`"`, 257), strings.Repeat(`"`, 254) + "…"},
		{"control characters count six", strings.Repeat("\x01", 86), strings.Repeat("\x01", 84) + "…"},
		{"bytes that are no text become U+FFFD", "a\xffb", "a\uFFFDb"},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			got := encode(t, announcement.Announcement{Type: announcement.RunHeld, Detail: announcement.Detail{Tenant: row.tenant}}, announcement.DefaultLimit)
			check(t, "tenant", row.want, got["tenant"].(string))
			check(t, "truncated", row.want != row.tenant, got["truncated"] == true)
		})
	}
}

func TestTwentyFilesAreListedAndAllAreCounted(t *testing.T) {
	t.Parallel()
	files := make([]announcement.File, 25)
	for i := range files {
		files[i] = announcement.File{Bucket: "b", Key: fmt.Sprint("k", i)}
	}
	a := named(t, "files-unrouted")
	a.Detail.Unrouted = &announcement.Unrouted{Count: 25, AtLeast: true, Files: files}
	detail, err := a.Encode(announcement.DefaultLimit)
	if err != nil {
		t.Fatal(err)
	}
	if err := announcementtest.Validate(string(a.Type), detail); err != nil {
		t.Error(err)
	}
	var got announcement.Detail
	if err := json.Unmarshal(detail, &got); err != nil {
		t.Fatal(err)
	}
	check(t, "unrouted", &announcement.Unrouted{Count: 25, AtLeast: true, Files: files[:20]}, got.Unrouted)
	check(t, "truncated", false, got.Truncated)
}

func TestResourcesAreWholeOrLeftOut(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range 12 {
		many = append(many, fmt.Sprint("arn:aws:s3:::b/", i))
	}
	for _, row := range []struct {
		promise   string
		resources []string
		want      []string
	}{
		{"none", nil, nil},
		{"an empty one is left out", []string{"", "arn:aws:s3:::b/k"}, []string{"arn:aws:s3:::b/k"}},
		{"the longest possible", []string{strings.Repeat("r", 2048)}, []string{strings.Repeat("r", 2048)}},
		{"a longer one is left out", []string{strings.Repeat("r", 2049), "arn:aws:s3:::b/k"}, []string{"arn:aws:s3:::b/k"}},
		{"one that is not UTF-8 is left out", []string{"arn:aws:s3:::b/\xff"}, nil},
		{"at most ten", many, many[:10]},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			check(t, "resources", row.want, announcement.Announcement{Resources: row.resources}.BoundedResources())
		})
	}
}

func TestIDIsStableAndDistinct(t *testing.T) {
	t.Parallel()
	// Published events have this id, so it must not change.
	check(t, "id", "1b73e7ab62d793633004540bde7a635a", announcement.ID(announcement.RunStarted, "manual/cg-1/a", "wf-1"))

	seen := map[string][]string{}
	for _, parts := range [][]string{
		{}, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"ab"}, {"a", "b"}, {"b", "a"}, {"a\x00b"}, {"a", "\x00b"},
	} {
		for _, typ := range []announcement.DetailType{announcement.RunStarted, announcement.RunHeld} {
			id := announcement.ID(typ, parts...)
			if other, ok := seen[id]; ok {
				t.Errorf("%q and %q have one id", parts, other)
			}
			seen[id] = slices.Concat([]string{string(typ)}, parts)
			check(t, "length", 32, len(id))
		}
	}
}

func TestTheSizeErrorSaysWhatToDo(t *testing.T) {
	t.Parallel()
	_, err := named(t, "files-unrouted").Encode(100)
	check(t, "message", "Amperity Files Unrouted: 340 bytes, the limit is 100; give a limit of 221184 or more, under which everything fits", err.Error())
}
