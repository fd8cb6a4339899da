package announcementtest_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/amperity-runs/amperity-runs/docs/events"
	"github.com/amperity-runs/amperity-runs/internal/announcement/announcementtest"
	"github.com/amperity-runs/amperity-runs/internal/golden"
)

func TestTheSchemasAreStrictAboutOurFieldsAndOpenInTheRun(t *testing.T) {
	t.Parallel()
	const (
		started   = "Amperity Workflow Run Started"
		rejected  = "Amperity Workflow Run Rejected"
		blocked   = "Amperity Workflow Run Blocked"
		held      = "Amperity Workflow Run Held"
		discarded = "Amperity Workflow Run Discarded"
		missing   = "Amperity Files Missing"
		complete  = "Amperity Files Complete"
		unrouted  = "Amperity Files Unrouted"
		abandoned = "Amperity Window Abandoned"
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
		{"a new field of the cause is not", started, "run-started", `"files":5`, `"files":5,"more":1`, false},
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
		{"a blocked launch waits for no answer", blocked, "run-blocked", `"reason":"unauthorized"`, `"reason":"unauthorized","hold":1`, false},
		{"that the stack is paused is not announced", blocked, "run-blocked", `"reason":"unauthorized"`, `"reason":"paused"`, false},
		{"a run that the operator started without files", started, "run-started", `"first_file":"s3://acme-landing/orders/2026/11/22/orders_1.csv.gz","files":5,`, ``, true},
		{"files that are named are counted from one", started, "run-started", `"files":5`, `"files":0`, false},
		{"without a ledger nothing counts the launches of a window", started, "run-started", `,"revision":1`, ``, true},
		{"launches are counted from one", started, "run-started", `"revision":1`, `"revision":0`, false},
		{"a held launch has a known reason", held, "run-held", `"reason":"unknown_outcome"`, `"reason":"busy"`, false},
		{"a held launch has an error", held, "run-held", `"error":`, `"run":`, false},
		{"without a ledger it waits for no answer", held, "run-held", `"hold":1,`, ``, true},
		{"holds are counted from one", held, "run-held", `"hold":1`, `"hold":0`, false},
		{"a hold is a number", held, "run-held", `"hold":1`, `"hold":"1"`, false},
		{"a policy of the route may hold it", held, "run-held-late", ``, ``, true},
		{"nothing but what may hold it does", held, "run-held-late", `"kind":"policy"`, `"kind":"busy"`, false},
		{"candidates have an id", held, "run-held", `"id":"wf-20261127-3Mx9",`, ``, false},
		{"of a candidate the rest may not be known", held, "run-held", `"name":"Black Friday","type":"orchestration.group/run","state":"running","created_at":"2026-11-27T05:00:03Z",`, ``, true},
		{"a new field of a candidate is not taken", held, "run-held", `"state":"running"`, `"state":"running","more":1`, false},
		{"where there are candidates, there is one", held, "run-held-late", `,"error"`, `,"candidates":[],"error"`, false},
		{"a discarded launch says what it answered", discarded, "run-discarded", `"hold":1,`, ``, false},
		{"a discarded launch has the reason it was held for", discarded, "run-discarded", `"reason":"late_file"`, `"reason":"refused"`, false},
		{"a discarded launch says why", discarded, "run-discarded", `"message":"the same orders again, put there by mistake"`, `"message":""`, false},
		{"a discarded launch has no other error", discarded, "run-discarded", `"kind":"discarded"`, `"kind":"policy"`, false},
		{"missing files have a deadline", missing, "files-missing", `"deadline":"2026-11-23T11:30:00Z",`, ``, false},
		{"missing files are of an entry", missing, "files-missing", `"unmet":[{"pattern":"lines/{yyyy}/{MM}/{dd}/*.csv.gz","have":1,"want":4}],`, ``, false},
		{"an entry that is not met wants a file", missing, "files-missing", `"want":4`, `"want":0`, false},
		{"perhaps nothing came", missing, "files-missing", `"files":2,`, `"files":0,`, true},
		{"missing files wait for an answer", missing, "files-missing", `"hold":1,`, ``, false},
		{"missing files have their reason", missing, "files-missing", `"reason":"files_missing",`, ``, false},
		{"a window's launch is that of an arrival", missing, "files-missing", `"launch_key":"arrival/`, `"launch_key":"manual/`, false},
		{"a new field of the window is not taken", missing, "files-missing", `"route":"sales"`, `"route":"sales","more":1`, false},
		{"complete files ask nothing", complete, "files-complete", `"tenant":"acme",`, `"tenant":"acme","hold":1,`, false},
		{"complete files need no time for the last", complete, "files-complete", `"last_file_at":"2026-11-23T12:04:31Z",`, ``, true},
		{"since when an entry is met is a time", complete, "files-complete", `"since":"2026-11-23T08:02:11Z"`, `"since":"today"`, false},
		{"an abandoned window has files", abandoned, "window-abandoned", `,"samples":["s3://acme-landing/clicks/2026/11/22/05/0001.json"]`, ``, false},
		{"a sample is an object in S3", abandoned, "window-abandoned", `"s3://acme-landing/`, `"/acme-landing/`, false},
		{"a rejected input may lack a launch key", rejected, "run-rejected-input", ``, ``, true},
		{"a rejected request may be wrong", rejected, "run-rejected", `"config_id":"cg-`, `"config_id":"xx-`, true},
		{"a rejection is one of two kinds", rejected, "run-rejected", `"kind":"rejected"`, `"kind":"busy"`, false},
		{"files have a count", unrouted, "files-unrouted", `"count":2,`, ``, false},
		{"a count may be too low", unrouted, "files-unrouted", `"count":2,`, `"count":2,"at_least":true,`, true},
		{"a count that is exact does not say so", unrouted, "files-unrouted", `"count":2,`, `"count":2,"at_least":false,`, false},
		{"a file has a key", unrouted, "files-unrouted", `"key":"odrers/2026/11/22/a+b c.csv"`, `"key":""`, false},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			detail := strings.TrimSpace(golden.Read(t, "../testdata/"+row.file+".golden.json"))
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

func TestEachFaultOfAnEventIsNamed(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ detailType, detail, want string }{
		{"Amperity Workflow Run Jogging", `{}`, `no schema in docs/events has the title "Amperity Workflow Run Jogging"`},
		{"Amperity Files Unrouted", `{`, `detail of Amperity Files Unrouted is not JSON: unexpected EOF`},
		{"Amperity Files Unrouted", `{"tenant":""}`, "at '/tenant': minLength: got 0, want 1"},
	} {
		if err := announcementtest.Validate(row.detailType, []byte(row.detail)); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("got %v, want %s", err, row.want)
		}
	}
}

func TestDefinitionsOfOneNameAreTheSameInEverySchema(t *testing.T) {
	t.Parallel()
	// Consumers generate one type from the definitions. Errors differ in their
	// kinds, and the request of a rejection may be invalid.
	files, err := fs.Glob(events.Schemas, "*.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cause", "run", "request", "candidate", "window"} {
		first, found := "", 0
		for _, file := range files {
			data, err := events.Schemas.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, definition, ok := strings.Cut(string(data), "\n    \""+name+"\": {\n      \"type\"")
			if !ok || name == "request" && file == "run-rejected.schema.json" {
				continue
			}
			found++
			definition, _, _ = strings.Cut(definition, "\n    }")
			if first == "" {
				first = definition
			}
			if definition != first {
				t.Errorf("%s of %s differs", name, file)
			}
		}
		if want := map[string]int{"cause": 5, "run": 1, "request": 7, "candidate": 2, "window": 5}[name]; found != want {
			t.Errorf("%s is in %d schemas, want %d", name, found, want)
		}
	}
}
