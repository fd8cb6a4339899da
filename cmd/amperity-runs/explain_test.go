package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The function s3arrival counts a future event time as the time of receipt, and
// explain must do the same. --at sets the time itself.
func TestExplainCountsTimesAsS3arrivalDoes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	routes := filepath.Join(dir, "routes.yaml")
	if err := os.WriteFile(routes, []byte("version: 1\ntimezone: UTC\nroutes:\n  - {name: a, config_id: cg-1, files: \"a/**\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	event := func(at string) []string {
		file := filepath.Join(dir, "event-"+at[:10]+".json")
		body := fmt.Sprintf(`{"detail-type":"Object Created","source":"aws.s3","time":%q,"detail":{"bucket":{"name":"b"},"object":{"key":"a/x"}}}`, at)
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"--event", file}
	}
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"an event of the past", event("2026-11-20T05:00:00Z"), "day 2026-11-20"},
		{"an event of the future", event("2035-11-22T05:00:00Z"), "day 2026-11-22"},
		{"a file now", []string{"s3://b/a/x"}, "day 2026-11-22"},
		{"a file in the future", []string{"s3://b/a/x", "--at", "2035-11-22T05:00:00Z"}, "day 2035-11-22"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, err := parseExplain(append(tt.args, "--routes", routes), now)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			if err := o.explain(&out); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), "window    "+tt.want+",") {
				t.Errorf("no %q in\n%s", tt.want, out.String())
			}
		})
	}
}
