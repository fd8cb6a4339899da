package intake

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/golden"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// TestExamplesMatchTheAnnouncements makes the announcements of windows that the
// golden files of package announcement pin, and that docs/events/README.md
// shows.
func TestExamplesMatchTheAnnouncements(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		t.Helper()
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	const order = "s3://acme-landing/orders/2026/11/22/orders_"
	sales := amperity.RunRequest{ConfigID: "cg-789GHi0JK", RangeFrom: "2026-11-22", RangeTo: "2026-11-23", RunMode: amperity.RunModeSource}
	salesWindow := &record.WindowSpec{ConfigID: sales.ConfigID, Period: "2026-11-22", Route: "sales", Request: sales}
	line := func(name string) string { return "s3://acme-landing/lines/2026/11/22/" + name + ".csv.gz" }
	const orders, lines = "orders/{yyyy}/{MM}/{dd}/orders_*.csv.gz", "lines/{yyyy}/{MM}/{dd}/*.csv.gz"
	first := at("2026-11-23T08:02:11.3Z")
	absent := window.Notice{
		Type: announcement.FilesMissing, At: at("2026-11-23T11:30:12.4Z"), Revision: 1, HoldNumber: 1, Deadline: at("2026-11-23T11:30:00Z"),
		Unmet: []window.Unmet{{Pattern: lines, Have: 1, Want: 4}},
		Met:   []window.Met{{Pattern: orders, Since: first}},
		Files: window.Files{Count: 2, First: first, Last: at("2026-11-23T08:02:15Z"), Samples: []string{order + "1.csv.gz", line("a")}},
	}
	there := window.Notice{
		Type: announcement.FilesComplete, At: at("2026-11-23T12:14:40.9Z"), Revision: 1, HoldNumber: 1,
		Met: []window.Met{{Pattern: orders, Since: first}, {Pattern: lines, Since: at("2026-11-23T12:04:31Z")}},
		Files: window.Files{Count: 5, First: first, Last: at("2026-11-23T12:04:31Z"),
			Samples: []string{order + "1.csv.gz", line("a"), line("b"), line("c"), line("d")}},
	}
	clicks := &record.WindowSpec{ConfigID: "cg-456DEf7GH", Period: "2026-11-22T05:00:00Z", Route: "clicks", Request: amperity.RunRequest{
		ConfigID: "cg-456DEf7GH", RangeFrom: "2026-11-22T05:00:00Z", RangeTo: "2026-11-22T06:00:00Z", RunMode: amperity.RunModeSource}}
	gone := window.Notice{
		Type: announcement.WindowAbandoned, At: at("2026-11-22T07:20:00Z"), Revision: 1,
		Files: window.Files{Count: 1, First: at("2026-11-22T06:01:02Z"), Last: at("2026-11-22T06:01:02Z"), Samples: []string{"s3://acme-landing/clicks/2026/11/22/05/0001.json"}},
	}
	for name, made := range map[string]announcement.Announcement{
		"files-missing":    noticeOf(absent, salesWindow, "acme"),
		"files-complete":   noticeOf(there, salesWindow, "acme"),
		"window-abandoned": noticeOf(gone, clicks, "acme"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := made.Encode(announcement.DefaultLimit)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(golden.Read(t, "../announcement/testdata/"+name+".golden.json"), string(got)+"\n"); diff != "" {
				t.Errorf("(-golden file +made)\n%s", diff)
			}
		})
	}
}
