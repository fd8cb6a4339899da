package announcement_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// fill sets every field, including fields that are added later. It sets each
// text to the next result of text, each number to number, and each list to the
// given number of entries. It leaves out runs.
func fill(v reflect.Value, text func() string, number int64, entries int) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text())
	case reflect.Int:
		v.SetInt(number)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), entries, entries))
		for i := range entries {
			fill(v.Index(i), text, number, entries)
		}
	case reflect.Pointer:
		if v.Type() == reflect.TypeFor[*amperity.Run]() {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text, number, entries)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), text, number, entries)
		}
	default:
		panic(fmt.Sprintf("fill knows no %s", v.Type()))
	}
}

// longest is the type with the longest name.
const longest = announcement.RunDiscarded

// endless is the longest run after reduction: every kept field has a long text.
func endless(t testing.TB) *amperity.Run {
	t.Helper()
	long := strings.Repeat("x", 3000)
	var b strings.Builder
	b.WriteString(`{"more":` + strings.Repeat("[", 901) + strings.Repeat("]", 901))
	for _, name := range []string{
		"id", "state", "type", "name", "tenant", "created_at", "ended_at", "principal_id", "principal_name", "principal_email",
		"launched_version", "current_version", "warn_after_ms",
	} {
		fmt.Fprintf(&b, `,%q:%q`, name, long)
	}
	fmt.Fprintf(&b, `,"error":{"attribution":%[1]q,"type":%[1]q,"message":%[1]q}}`, long)
	return run(t, b.String())
}

func TestUnderTheLeastLimitTheLargestAnnouncementFits(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ promise, text string }{
		{"plain letters", strings.Repeat("x", 20000)},
		{"letters of two bytes", strings.Repeat("ä", 20000)},
		{"quotes", strings.Repeat(`"`, 20000)},
		{"control characters", strings.Repeat("\x01", 20000)},
		{"line separators", strings.Repeat("\u2028", 20000)},
		{"no text at all", strings.Repeat("\xff", 20000)},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			a := announcement.Announcement{Type: longest}
			fill(reflect.ValueOf(&a.Detail).Elem(), func() string { return row.text }, math.MinInt64, 40)
			a.Detail.Run = endless(t)
			for range 20 {
				a.Resources = append(a.Resources, strings.Repeat("r", 2048))
			}
			detail, err := a.Encode(announcement.MinLimit)
			if err != nil {
				t.Fatal(err)
			}
			size := a.Size(detail)
			t.Logf("%d bytes; the least limit is %d", size, announcement.MinLimit)
			if row.promise == "plain letters" && announcement.MinLimit-size > 4096 {
				t.Errorf("the largest announcement has %d bytes: the least limit, %d, is larger than need be", size, announcement.MinLimit)
			}
		})
	}
	if announcement.MinLimit >= announcement.DefaultLimit {
		t.Errorf("the least limit, %d, is not below the one that is used, %d", announcement.MinLimit, announcement.DefaultLimit)
	}
}

func TestTheLongestTypeIsTheLongest(t *testing.T) {
	t.Parallel()
	for _, e := range examples(t) {
		if len(e.announcement.Type) > len(longest) {
			t.Errorf("%s is longer than %s", e.announcement.Type, longest)
		}
	}
}

func TestCutListsSetTruncatedUnlessACountShowsIt(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		list string
		said bool
		set  func(d *announcement.Detail, n int)
		kept func(d announcement.Detail) int
	}{
		{"candidates", true,
			func(d *announcement.Detail, n int) { d.Candidates = make([]announcement.Candidate, n) },
			func(d announcement.Detail) int { return len(d.Candidates) }},
		{"unmet", true,
			func(d *announcement.Detail, n int) {
				d.Window = &announcement.Window{Unmet: make([]announcement.Unmet, n)}
			},
			func(d announcement.Detail) int { return len(d.Window.Unmet) }},
		{"met", true,
			func(d *announcement.Detail, n int) { d.Window = &announcement.Window{Met: make([]announcement.Met, n)} },
			func(d announcement.Detail) int { return len(d.Window.Met) }},
		{"samples", false,
			func(d *announcement.Detail, n int) {
				d.Window = &announcement.Window{Files: n, Samples: make([]string, n)}
			},
			func(d announcement.Detail) int { return len(d.Window.Samples) }},
	} {
		t.Run(row.list, func(t *testing.T) {
			t.Parallel()
			for _, n := range []int{19, 20, 21, 200} {
				a := announcement.Announcement{Type: announcement.FilesMissing}
				row.set(&a.Detail, n)
				detail, err := a.Encode(announcement.DefaultLimit)
				if err != nil {
					t.Fatal(err)
				}
				var got announcement.Detail
				if err := json.Unmarshal(detail, &got); err != nil {
					t.Fatal(err)
				}
				check(t, fmt.Sprint("kept of ", n), min(n, 20), row.kept(got))
				check(t, fmt.Sprint("truncated of ", n), n > 20 && row.said, got.Truncated)
				check(t, "the announcement given is untouched", n, row.kept(a.Detail))
			}
		})
	}
}

func FuzzEncodeNeverFailsAtTheLeastLimit(f *testing.F) {
	f.Add("acme", uint16(1), uint8(1), int64(1), []byte(answer))
	f.Add("\x01\"\\\u2028<", uint16(3000), uint8(40), int64(-1), []byte(`{"id":"wf-1","task_instances":[[[[]]]],"error":{"message":"x"}}`))
	f.Add("\xff", uint16(9000), uint8(21), int64(math.MinInt64), []byte(`{"id":1,"name":"`+strings.Repeat("é", 3000)+`","x":1e999,"y":99999999999999999999}`))
	f.Fuzz(func(t *testing.T, text string, times uint16, entries uint8, number int64, raw []byte) {
		if len(text) > 64 {
			text = text[:64]
		}
		long := strings.Repeat(text, int(times)%5000)
		a := announcement.Announcement{Type: longest, Resources: []string{long, text, long, text}}
		n := 0
		fill(reflect.ValueOf(&a.Detail).Elem(), func() string {
			if n++; n%2 == 0 {
				return text
			}
			return long
		}, number, int(entries)%40)
		a.Detail.Truncated = false
		if r := new(amperity.Run); json.Unmarshal(raw, r) == nil && r.ID != "" {
			a.Detail.Run = r
		}
		got := encode(t, a, announcement.MinLimit)
		if got["truncated"] == true {
			return
		}
		// A detail that is not truncated is whole, except for lists with a
		// count.
		want := a.Detail
		if len(want.Window.Samples) > announcement.MaxFiles {
			want.Window.Samples = want.Window.Samples[:announcement.MaxFiles]
		}
		if len(want.Unrouted.Files) > announcement.MaxFiles {
			want.Unrouted.Files = want.Unrouted.Files[:announcement.MaxFiles]
		}
		if want.Version == "" {
			want.Version = announcement.Version
		}
		plain, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var whole map[string]any
		if err := json.Unmarshal(plain, &whole); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(whole, got); diff != "" {
			t.Errorf("detail (-want +got):\n%s", diff)
		}
	})
}
