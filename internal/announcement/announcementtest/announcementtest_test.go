package announcementtest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amperity-runs/amperity-runs/docs/events"
	"github.com/amperity-runs/amperity-runs/internal/announcement/announcementtest"
)

// golden is a published detail.
func golden(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", name+".golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

func TestTheSchemasAreStrictAboutOurFieldsAndOpenInTheRun(t *testing.T) {
	t.Parallel()
	const (
		started  = "Amperity Workflow Run Started"
		rejected = "Amperity Workflow Run Rejected"
		blocked  = "Amperity Workflow Run Blocked"
		held     = "Amperity Workflow Run Held"
		unrouted = "Amperity Files Unrouted"
	)
	for _, row := range []struct {
		promise, detailType, file, old, new string
		valid                               bool
	}{
		{"a new field of the run is taken", started, "run-started", `"queue":`, `"rank":1,"queue":`, true},
		{"a new state of the run is taken", started, "run-started", `"scheduled"`, `"pondering"`, true},
		{"an unexpected type in the run is taken", started, "run-started", `"name":"Sales & <Returns>"`, `"name":7`, true},
		{"a run has an id", started, "run-started", `"id":"wf-20261123-7Rk2",`, ``, false},
		{"a truncated event says so", started, "run-started", `"tenant":"acme","cause"`, `"truncated":true,"tenant":"acme","cause"`, true},
		{"a whole event does not", started, "run-started", `"tenant":"acme","cause"`, `"truncated":false,"tenant":"acme","cause"`, false},
		{"a new field of ours is not", started, "run-started", `"tenant":"acme","cause"`, `"more":1,"tenant":"acme","cause"`, false},
		{"a new field of the cause is not", started, "run-started", `"files":4`, `"files":4,"more":1`, false},
		{"a new field of the request is not", started, "run-started", `"run_mode":"source"`, `"run_mode":"source","more":1`, false},
		{"a started run has no error", started, "run-started", `"tenant":"acme","cause"`, `"error":{"kind":"busy","message":"x"},"tenant":"acme","cause"`, false},
		{"a started run has no reason", started, "run-started", `"tenant":"acme","cause"`, `"reason":"busy","tenant":"acme","cause"`, false},
		{"an id is 32 hexadecimal digits", started, "run-started", `"id":"`, `"id":"x`, false},
		{"a version is a text", started, "run-started", `"version":"1"`, `"version":1`, false},
		{"a launch key begins with its cause", started, "run-started", `"launch_key":"arrival/`, `"launch_key":"file/`, false},
		{"an arrival has a route", started, "run-started", `"route":"sales",`, ``, false},
		{"a period is a day", started, "run-started", `"period":"2026-11-22"`, `"period":"22.11.2026"`, false},
		{"a period is an hour", started, "run-started", `"period":"2026-11-22"`, `"period":"2026-11-22T05:00:00Z"`, true},
		{"a run mode is one of three", started, "run-started", `"run_mode":"source"`, `"run_mode":"all"`, false},
		{"a config id has a known prefix", started, "run-started", `"config_id":"cg-`, `"config_id":"xx-`, false},
		{"a schedule has a time", blocked, "run-blocked", `"scheduled_time":"2026-11-23T06:00:00Z",`, ``, false},
		{"a time is RFC 3339", blocked, "run-blocked", `"scheduled_time":"2026-11-23T06:00:00Z"`, `"scheduled_time":"6:00"`, false},
		{"a status is one of HTTP", blocked, "run-blocked", `"status":401`, `"status":0`, false},
		{"a blocked launch has a known reason", blocked, "run-blocked", `"reason":"unauthorized"`, `"reason":"tired"`, false},
		{"a blocked launch has an error", blocked, "run-blocked", `"error":`, `"run":`, false},
		{"a held launch has a known reason", held, "run-held", `"reason":"unknown_outcome"`, `"reason":"busy"`, false},
		{"a rejected input may lack a launch key", rejected, "run-rejected-input", ``, ``, true},
		{"a rejected request may be wrong", rejected, "run-rejected", `"config_id":"cg-`, `"config_id":"xx-`, true},
		{"a rejection is one of two kinds", rejected, "run-rejected", `"kind":"rejected"`, `"kind":"busy"`, false},
		{"files have a count", unrouted, "files-unrouted", `"count":2,`, ``, false},
		{"a file has a key", unrouted, "files-unrouted", `"key":"odrers/2026/11/22/a+b c.csv"`, `"key":""`, false},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			detail := golden(t, row.file)
			changed := strings.Replace(detail, row.old, row.new, 1)
			if row.old != "" && changed == detail {
				t.Fatal("the row changes nothing")
			}
			err := announcementtest.Validate(row.detailType, []byte(changed))
			if (err == nil) != row.valid {
				t.Errorf("valid is %v: %v", err == nil, err)
			}
		})
	}
}

func TestDefinitionsOfOneNameAreTheSameInEverySchema(t *testing.T) {
	t.Parallel()
	// A consumer generates one type of them. Errors differ in their kinds, and
	// the request of a rejection may be wrong.
	for _, name := range []string{"cause", "run", "request"} {
		var first string
		for _, file := range []string{"run-started", "run-rejected", "run-blocked", "run-held"} {
			data, err := events.Schemas.ReadFile(file + ".schema.json")
			if err != nil {
				t.Fatal(err)
			}
			_, definition, ok := strings.Cut(string(data), "\n    \""+name+"\": {\n      \"type\"")
			if !ok || name == "request" && file == "run-rejected" {
				continue
			}
			definition, _, _ = strings.Cut(definition, "\n    }")
			if first == "" {
				first = definition
			}
			if definition != first {
				t.Errorf("%s of %s differs", name, file)
			}
		}
		if first == "" {
			t.Errorf("%s is in no schema", name)
		}
	}
}
