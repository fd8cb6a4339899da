package announcement_test

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/announcement/announcementtest"
	"github.com/amperity-runs/amperity-runs/internal/golden"
)

const readme = "../../docs/events/README.md"

func TestEveryByteOfAnAnnouncementIsPinned(t *testing.T) {
	t.Parallel()
	for _, e := range examples(t) {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			got, err := e.announcement.Encode(announcement.DefaultLimit)
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "testdata/"+e.name+".golden.json", string(got)+"\n")
			if err := announcementtest.Validate(string(e.announcement.Type), got); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEveryTypeHasASchemaAndAnExample(t *testing.T) {
	t.Parallel()
	want := []string{
		string(announcement.FilesComplete), string(announcement.FilesMissing), string(announcement.FilesUnrouted),
		string(announcement.RunBlocked), string(announcement.RunDiscarded), string(announcement.RunHeld),
		string(announcement.RunRejected), string(announcement.RunStarted), string(announcement.WindowAbandoned),
	}
	got, err := announcementtest.DetailTypes()
	if err != nil {
		t.Fatal(err)
	}
	check(t, "schemas", want, got)
	var shown []string
	for _, e := range examples(t) {
		shown = append(shown, string(e.announcement.Type))
	}
	slices.Sort(want)
	slices.Sort(shown)
	check(t, "examples", want, slices.Compact(shown))
}

// TestTheExamplesInTheDocsAreReal compares the events that docs/events/README.md
// shows with what is really encoded. Each follows a line
// "<!-- example: run-started -->". With -update it rewrites them.
func TestTheExamplesInTheDocsAreReal(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	shown := map[announcement.DetailType]bool{}
	for _, e := range examples(t) {
		marker := "<!-- example: " + e.name + " -->\n```json\n"
		before, rest, ok := strings.Cut(text, marker)
		if !ok {
			continue
		}
		shown[e.announcement.Type] = true
		got, after, _ := strings.Cut(rest, "```\n")
		want := event(t, e.announcement, e.at)
		if *golden.Update {
			text = before + marker + want + "```\n" + after
			continue
		}
		check(t, e.name, want, got)
	}
	check(t, "types shown", 9, len(shown))
	if *golden.Update {
		if err := os.WriteFile(readme, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// event returns the indented event that a rule's target receives for an
// announcement published at a time.
func event(t *testing.T, a announcement.Announcement, at string) string {
	t.Helper()
	detail, err := a.Encode(announcement.DefaultLimit)
	if err != nil {
		t.Fatal(err)
	}
	resources := a.BoundedResources()
	if resources == nil {
		resources = []string{}
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(struct {
		Version    string          `json:"version"`
		ID         string          `json:"id"`
		DetailType string          `json:"detail-type"`
		Source     string          `json:"source"`
		Account    string          `json:"account"`
		Time       string          `json:"time"`
		Region     string          `json:"region"`
		Resources  []string        `json:"resources"`
		Detail     json.RawMessage `json:"detail"`
	}{
		"0", "6a7e8feb-b491-4cf7-a9f1-bf3703467718", string(a.Type), announcement.Source,
		"123456789012", at, "us-east-1", resources, detail,
	}); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}
