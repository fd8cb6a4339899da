package route

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/route/source"
)

// said is one fault or warning of a routes file.
type said struct{ at, message string }

func saidBy(faults []source.Fault) []said {
	var all []said
	for _, f := range faults {
		all = append(all, said{fmt.Sprintf("%d:%d", f.Line, f.Column), f.Message})
	}
	return all
}

// oneRoute is a routes file of one good route, with more lines to it, the
// first of which is line 6.
func oneRoute(lines ...string) string {
	return "version: 1\nroutes:\n  - name: a\n    config_id: cg-1\n    files: a/{yyyy}{MM}{dd}\n" + indent(lines)
}

// filesRoute is a routes file of one route whose files are given, from column
// 12 of line 5 on, with more lines to it.
func filesRoute(files string, lines ...string) string {
	return "version: 1\nroutes:\n  - name: a\n    config_id: cg-1\n    files: " + files + "\n" + indent(lines)
}

func indent(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString("    " + l + "\n")
	}
	return b.String()
}

func TestRoutesFileMessages(t *testing.T) {
	t.Parallel()
	good := "routes:\n  - {name: a, config_id: cg-1, files: \"a/{yyyy}{MM}{dd}\"}\n"
	for _, tt := range []struct {
		name, src string
		want      []said
	}{
		// The file as a whole.
		{"empty", "", []said{{"1:1", `the file is empty; write "version: 1" and "routes:"`}}},
		{"only a comment", "# routes\n", []said{{"1:1", `the file is empty; write "version: 1" and "routes:"`}}},
		{"too large", strings.Repeat("# \n", 50_000), []said{{"1:1", `the file has 150000 bytes, and the limit is 131072`}}},
		{"not UTF-8", "version: 1\n# caf\xe9\n", []said{{"2:6", `the file is not valid UTF-8 from here on; save it as UTF-8`}}},
		{"too many brackets", "a: " + strings.Repeat("[", 40), []said{{"1:36", `more than 32 brackets are open here; close them`}}},
		{"no YAML", "version: 1\nroutes: [\n", []said{{"2:9", `not valid YAML: sequence end token ']' not found`}}},
		{"no YAML, with a * in it", filesRoute("part-*.csv: x"), []said{{"5:12", `not valid YAML: mapping value is not allowed in this context; compare the indentation of this line with the lines around it, and look for a missing blank after : or -`}}},
		{"a line that is indented by one too many", filesRoute("\n    - a/{yyyy}.csv\n     - b/{yyyy}.csv"), []said{{"6:7",
			`this and the next line are read as one text, "a/{yyyy}.csv - b/{yyyy}.csv"; indent the next line as those beside it, or write the text on one line`}}},
		{"a value that goes on", "version: 1\nroutes:\n  - name: a\n      daily\n    config_id: cg-1\n    files: a/{yyyy}/{MM}/{dd}/*\n", []said{
			{"3:11", `this and the next line are read as one text, "a daily"; indent the next line as those beside it, or write the text on one line`}}},
		{"no blank after a colon", "version: 1\nroutes:\n  - name: a\n    settle:5m\n    files: a/{yyyy}\n", []said{{"4:5",
			`not valid YAML: non-map value is specified; compare the indentation of this line with the lines around it, and look for a missing blank after : or -`}}},
		{"a date between brackets", filesRoute(`[a/{yyyy}-{MM}-{dd}.csv]`), []said{{"5:15", `between [ ] or { } a pattern with a date must stand in quotes: "a/{yyyy}-{MM}-{dd}.csv"`}}},
		{"a date between braces", filesRoute(`[{key: a/{yyyy}-{MM}-{dd}/*, count: 4}]`), []said{{"5:21", `between [ ] or { } a pattern with a date must stand in quotes: "a/{yyyy}-{MM}-{dd}.csv"`}}},
		{"a date in quotes, and something else", filesRoute(`["a/{yyyy}", 'b/{yyyy}', {key: ]`), []said{{"5:43", `not valid YAML: could not find '[' character corresponding to ']'`}}},
		{"a tab", "version: 1\nroutes:\n\t- name: a\n", []said{{"3:1", `not valid YAML: found character '\t' that cannot start any token; this is a tab: indent with blanks`}}},
		{"two documents", "version: 1\n" + good + "---\nversion: 1\n", []said{{"5:1", `a second YAML document begins; a routes file is one, so remove the --- before it`}}},
		{"a directive", "%YAML 1.1\n---\nversion: 1\n" + good, []said{{"1:1", `directives such as %YAML are not used here; remove the line`}}},
		{"lines that end in a carriage return alone", "# routes\r\rroutes", []said{{"3:1", `the routes file is the text "routes"; write it as "key: value" lines, with the keys version, timezone, ignore, routes`}}},
		{"lines that end as on Windows", "version: 2\r\nroutes: 7\r\n", []said{
			{"1:10", `version 2 is not known to this amperity-runs; write "version: 1"`},
			{"2:9", `routes is a number; write a list: - name: customers, and so on`},
		}},
		{"a list", "- a\n", []said{{"1:1", `the routes file is a list; write it as "key: value" lines, with the keys version, timezone, ignore, routes`}}},
		{"a word", "routes\n", []said{{"1:1", `the routes file is the text "routes"; write it as "key: value" lines, with the keys version, timezone, ignore, routes`}}},
		{"an unknown key", "version: 1\nbuckets: x\n" + good, []said{{"2:1", `the routes file has no key "buckets"; its keys are version, timezone, ignore, routes`}}},
		{"a slip in a key", "version: 1\ntime_zone: UTC\n" + good, []said{{"2:1", `the routes file has no key "time_zone"; did you mean timezone?`}}},
		{"a key twice", "version: 1\nversion: 1\n" + good, []said{{"2:1", `version is given twice, first in line 1; remove one`}}},
		{"a key that is no word", "version: 1\n1.5: 1\n" + good, []said{{"2:1", `a key must be a plain word; the keys of the routes file are version, timezone, ignore, routes`}}},
		{"a merge key", "version: 1\n<<: {a: 1}\n" + good, []said{{"2:1", `merge keys (<<) are not used here; write the keys out`}}},

		// version.
		{"no version", good, []said{{"1:1", `version is missing; write "version: 1" in the first line`}}},
		{"the next version", "version: 2\n" + good, []said{{"1:10", `version 2 is not known to this amperity-runs; write "version: 1"`}}},
		{"a version in quotes", "version: \"1\"\n" + good, []said{{"1:1", `version is the text "1"; write "version: 1"`}}},
		{"an empty version", "version:\n" + good, []said{{"1:1", `version is empty; write "version: 1"`}}},
		{"a version with a tag", "version: !!int 1\n" + good, []said{{"1:10", `tags (!) are not used here; write the value alone, in quotes if it is to be text`}}},

		// timezone.
		{"an unknown zone", "version: 1\ntimezone: America/Gotham\n" + good, []said{{"2:11", `timezone: "America/Gotham" is not a time zone; did you mean America/Godthab?`}}},
		{"a zone in small letters", "version: 1\ntimezone: america/new_york\n" + good, []said{{"2:11", `timezone: "america/new_york" is not a time zone; did you mean America/New_York?`}}},
		{"a folder of the machine's zones", "version: 1\ntimezone: posix/Europe/Berlin\n" + good, []said{{"2:11", `timezone: "posix/Europe/Berlin" is not a time zone; did you mean Europe/Berlin?`}}},
		{"the file of the machine's zone", "version: 1\ntimezone: localtime\n" + good, []said{{"2:11", `timezone: "localtime" is not a time zone; write a name of the IANA database, such as America/New_York or UTC`}}},
		{"the machine's zone", "version: 1\ntimezone: Local\n" + good, []said{{"2:11", `timezone: "Local" is not a time zone; write a name of the IANA database, such as America/New_York or UTC`}}},
		{"an empty zone", "version: 1\ntimezone:\n" + good, []said{{"2:1", `timezone is empty; write an IANA name such as America/New_York`}}},
		{"a zone in empty quotes", "version: 1\ntimezone: ''\n" + good, []said{{"2:11", `timezone is empty; write an IANA name such as America/New_York`}}},
		{"an offset for a zone", "version: 1\ntimezone: -5\n" + good, []said{{"2:11", `timezone is a number; write an IANA name such as America/New_York`}}},
		{"a list of zones", "version: 1\ntimezone: [UTC]\n" + good, []said{{"2:11", `timezone is a list; write an IANA name such as America/New_York`}}},
		{"a zone on several lines", "version: 1\ntimezone: |\n  UTC\n" + good, []said{{"2:11", `timezone must be on one line; write an IANA name such as America/New_York`}}},
		{"a zone with a line in quotes", "version: 1\ntimezone: \"UTC\\n\"\n" + good, []said{{"2:11", `timezone must be on one line; write an IANA name such as America/New_York`}}},
		{"no zone where the day needs one", filesRoute("customers/**"), []said{{"3:5", `the route has no timezone, and its keys carry no date: whose calendar tells the day a file arrived? Write "timezone: America/New_York" or the like, in the route or at the top of the file`}}},
		{"a wrong zone is no missing one", "timezone: Mars\n" + filesRoute("customers/**"), []said{{"1:11", `timezone: "Mars" is not a time zone; write a name of the IANA database, such as America/New_York or UTC`}}},

		// ignore.
		{"ignore as a text", "version: 1\nignore: logs/**\n" + good, []said{{"2:9", `ignore is the text "logs/**"; write a list: ["logs/**", "**/*.tmp"]`}}},
		{"ignore as nothing", "version: 1\nignore:\n" + good, []said{{"2:1", `ignore is empty; write ["logs/**", "**/*.tmp"], or leave it out`}}},
		{"a star without quotes", "version: 1\nignore: [*.tmp]\n" + good, []said{{"2:10", `a value that begins with * or { must stand in quotes: "**/a.csv"`}}},
		{"two stars without quotes", "version: 1\nignore:\n  - **/*.tmp\n" + good, []said{{"3:5", `a value that begins with * or { must stand in quotes: "**/a.csv"`}}},
		{"a date without quotes", filesRoute("{yyyy}/{MM}/{dd}/a.csv"), []said{{"5:12", `a value that begins with * or { must stand in quotes: "**/a.csv"`}}},
		{"a date without quotes in a list", filesRoute("[a, {yyyy}/{MM}/{dd}/a.csv]"), []said{{"5:16", `a value that begins with * or { must stand in quotes: "**/a.csv"`}}},
		{"an alias for a list", "version: 1\nignore: *x\n" + good, []said{{"2:9", `a value that begins with * or { must stand in quotes: "**/a.csv"`}}},
		{"a date to ignore", "version: 1\nignore: [\"logs/{yyyy}{MM}{dd}\"]\n" + good, []said{{"2:16", `a date field says nothing where files are ignored; write * in its place`}}},
		{"a number to ignore", "version: 1\nignore: [1]\n" + good, []said{{"2:10", `a pattern to ignore is a number; put it in quotes if that is what you mean, or write a pattern such as "orders/{yyyy}/{MM}/{dd}/*.csv"`}}},

		// routes.
		{"no routes", "version: 1\n", []said{{"1:1", `routes is missing; write "routes:" and under it a list of routes`}}},
		{"routes as a mapping", "version: 1\nroutes:\n  name: a\n", []said{{"3:3", `routes is a mapping; write a list: - name: customers, and so on`}}},
		{"a route that is a word", "version: 1\nroutes: [customers]\n", []said{{"2:10", `a route is the text "customers"; write it as "key: value" lines, with the keys name, config_id, run_mode, files, bucket, timezone, date_offset, settle, late, if_unknown, deadline`}}},
		{"a route that is empty", "version: 1\nroutes:\n  -\n", []said{{"3:5", `a route is empty; write it as "key: value" lines, with the keys name, config_id, run_mode, files, bucket, timezone, date_offset, settle, late, if_unknown, deadline`}}},
		{"a route without anything", "version: 1\nroutes: [{}]\n", []said{
			{"2:10", `the route has no name; write a label such as "name: customers"`},
			{"2:10", `the route has no config_id; write the id of a courier group (cg-…), orchestration group (og-…) or campaign (cc-…)`},
			{"2:10", `the route has no files; write a pattern such as "orders/{yyyy}/{MM}/{dd}/*.csv", or a list of them`},
		}},
		{"an anchor", oneRoute(`bucket: &b acme`), []said{{"6:13", `anchors (&) are not used here; write the value out in each place, or in quotes if it begins with &`}}},
		{"a slip in a route's key", oneRoute(`runmode: full`), []said{{"6:5", `a route has no key "runmode"; did you mean run_mode?`}}},
		{"a key with a dash", oneRoute(`date-offset: -1d`), []said{{"6:5", `a route has no key "date-offset"; did you mean date_offset?`}}},
		{"a key that is a number", oneRoute(`1: x`), []said{{"6:5", `a route has no key "1"; its keys are name, config_id, run_mode, files, bucket, timezone, date_offset, settle, late, if_unknown, deadline`}}},

		// name, config_id, run_mode, bucket, if_unknown.
		{"a number for a name", "version: 1\nroutes:\n  - {name: 7, config_id: cg-1, files: \"a/{yyyy}{MM}{dd}\"}\n", []said{{"3:12", `name is a number; put it in quotes if that is what you mean, or write a label such as customers`}}},
		{"yes for a name", "version: 1\nroutes:\n  - {name: true, config_id: cg-1, files: \"a/{yyyy}{MM}{dd}\"}\n", []said{{"3:12", `name is true or false; put it in quotes if that is what you mean, or write a label such as customers`}}},
		{"a long name", strings.Replace(oneRoute(), "name: a", "name: "+strings.Repeat("a", 101), 1), []said{{"3:11", `the name has 101 bytes; write a label of at most 100`}}},
		{"a name twice", "version: 1\nroutes:\n  - {name: a, config_id: cg-1, files: \"a/{yyyy}{MM}{dd}\"}\n  - {name: a, config_id: cg-2, files: \"b/{yyyy}{MM}{dd}\"}\n", []said{{"4:12", `the route in line 3 has the name "a" too; give each its own`}}},
		{"a config id of another kind", strings.Replace(oneRoute(), "cg-1", "wf-1", 1), []said{{"4:16", `"wf-1" is not a config id; write the id of a courier group (cg-…), orchestration group (og-…) or campaign (cc-…)`}}},
		{"a config id of 201 bytes", strings.Replace(oneRoute(), "cg-1", "cg-"+strings.Repeat("1", 198), 1), []said{{"4:16", `"cg-111111111111111111111111111111111111111111111111111111111" is not a config id; write the id of a courier group (cg-…), orchestration group (og-…) or campaign (cc-…)`}}},
		{"a config id of a prefix", strings.Replace(oneRoute(), "cg-1", "cg-", 1), []said{{"4:16", `"cg-" is not a config id; write the id of a courier group (cg-…), orchestration group (og-…) or campaign (cc-…)`}}},
		{"an empty config id", strings.Replace(oneRoute(), "cg-1", "", 1), []said{{"4:5", `config_id is empty; write the id of a courier group (cg-…), orchestration group (og-…) or campaign (cc-…)`}}},
		{"a slip in a run mode", oneRoute(`run_mode: sources`), []said{{"6:15", `run_mode "sources" is not known; did you mean source?`}}},
		{"an unknown run mode", oneRoute(`run_mode: quick`), []said{{"6:15", `run_mode "quick" is not known; write full, refresh or source`}}},
		{"a run mode for a campaign", strings.Replace(oneRoute(`run_mode: full`), "cg-1", "cc-1", 1), []said{{"6:5", `run_mode is for courier groups (cg-…) only, not for the campaign cc-1; leave it out`}}},
		{"a run mode for an orchestration group", strings.Replace(oneRoute(`run_mode: full`), "cg-1", "og-1", 1), []said{{"6:5", `run_mode is for courier groups (cg-…) only, not for the orchestration group og-1; leave it out`}}},
		{"an address for a bucket", oneRoute(`bucket: s3://acme`), []said{{"6:13", `"s3://acme" is not the name of a bucket; write the name alone, such as acme-landing`}}},
		{"a bucket of another stack", oneRoute(`bucket: elsewhere`), []said{{"6:13", `the stack receives no events of the bucket "elsewhere"; write one of BUCKETS (acme-landing, acme-archive), or add it there`}}},
		{"an unknown if_unknown", oneRoute(`if_unknown: run`), []said{{"6:17", `if_unknown "run" is not known; write hold or retry`}}},

		// files.
		{"an empty deadline", oneRoute(`deadline:`, `timezone: UTC`), []said{{"6:5", `deadline is empty; write a local time and the days after the file's date, such as "06:30 +1d"`}}},
		{"no entries", filesRoute("[]"), []said{{"5:5", `files is empty; write a pattern such as "orders/{yyyy}/{MM}/{dd}/*.csv", or a list of them`}}},
		{"empty files", filesRoute(""), []said{{"5:5", `files is empty; write a pattern such as "orders/{yyyy}/{MM}/{dd}/*.csv"`}}},
		{"an entry without its list", filesRoute(`{key: "a/{yyyy}{MM}{dd}"}`), []said{{"5:12", `files is a mapping; write - before it, or a pattern alone`}}},
		{"an entry without a key", filesRoute(`[{optional: true}]`), []said{{"5:13", `the entry has no key; write {key: "lines/{yyyy}/{MM}/{dd}/*.csv"}`}}},
		{"an entry with another key", filesRoute(`[{key: "a/{yyyy}{MM}{dd}", options: true}]`), []said{{"5:39", `an entry of files has no key "options"; did you mean optional?`}}},
		{"an entry that is a list", filesRoute(`[[a]]`), []said{{"5:13", `an entry of files is a list; write a pattern such as "orders/{yyyy}/{MM}/{dd}/*.csv"`}}},
		{"an optional that is a word", filesRoute(`[{key: "a/{yyyy}{MM}{dd}", optional: maybe}]`), []said{{"5:39", `optional is the text "maybe"; write true or false without quotes`}}},
		{"a pattern twice", filesRoute(`["a/{yyyy}{MM}{dd}", {key: "a/{yyyy}{MM}{dd}", optional: true}]`), []said{{"5:40", `this pattern stands in line 5 already; remove one`}}},
		{"other date fields", filesRoute(`["a/{yyyy}{MM}{dd}", {key: "b/*", optional: true}]`), []said{{"5:40", `the date fields of this pattern are none, those of the route's first are {yyyy}{MM}{dd}; all patterns of a route must have the same`}}},
		{"a fault within a plain pattern", filesRoute(`straße/{yyyy}/{mm}/{dd}`), []said{{"5:26", `{mm} is not a date field; did you mean {MM}?`}}},
		{"a fault within a quoted pattern", filesRoute(`"straße/{yyyy}/{mm}/{dd}"`), []said{{"5:27", `{mm} is not a date field; did you mean {MM}?`}}},
		{"a fault within a pattern in single quotes", filesRoute(`'{yyyy}/{mm}/{dd}'`), []said{{"5:20", `{mm} is not a date field; did you mean {MM}?`}}},
		{"a fault within a pattern with escapes", filesRoute(`"\x61/{mm}"`), []said{{"5:12", `{mm} is not a date field; did you mean {MM}?`}}},
		{"several faults within a pattern", filesRoute(`a}/***/{yy}`), []said{
			{"5:13", `} closes nothing; write \} for the character itself`},
			{"5:15", `3 stars in a row; write * for within a folder, ** for across folders`},
			{"5:19", `{yy} is not a date field; did you mean {yyyy}?`},
		}},
		{"two routes with the same windows", "version: 1\nroutes:\n  - {name: a, config_id: cg-1, files: \"a/{yyyy}{MM}{dd}\"}\n  - {name: b, config_id: cg-1, files: \"b/{yyyy}{MM}{dd}\"}\n", []said{{"4:5", `the route in line 3 starts cg-1 for days already; list the patterns of both in the "files" of one`}}},
		{"two routes with the same hours", "version: 1\nroutes:\n  - {name: a, config_id: cg-1, files: \"a/{yyyy}{MM}{dd}{HH}\"}\n  - {name: b, config_id: cg-1, files: \"b/{yyyy}{MM}{dd}{HH}\"}\n", []said{{"4:5", `the route in line 3 starts cg-1 for hours already; list the patterns of both in the "files" of one`}}},

		// date_offset.
		{"an offset without a unit", oneRoute(`date_offset: "-1"`), []said{{"6:19", `date_offset "-1" is not a number of days; write whole days such as -1d`}}},
		{"an offset that is a number", oneRoute(`date_offset: -1`), []said{{"6:18", `date_offset is a number; write whole days such as -1d`}}},
		{"an offset in hours", oneRoute(`date_offset: -24h`), []said{{"6:18", `date_offset "-24h" is not a number of days; write whole days such as -1d`}}},
		{"an offset too far", oneRoute(`date_offset: 367d`), []said{{"6:18", `date_offset "367d" is too far; the furthest is 366d`}}},

		// settle, late, count, deadline.
		{"a settle that is no duration", oneRoute(`settle: 10 minutes`), []said{{"6:13", `settle "10 minutes" is not a duration; write a duration such as 10m, or 0s for at once`}}},
		{"a settle of two days", oneRoute(`settle: 48h`), []said{{"6:13", `settle "48h" is not between 0s and 24h; write a duration such as 10m, or 0s for at once`}}},
		{"a settle that is a number", oneRoute(`settle: 0`), []said{{"6:13", `settle is a number; write a duration such as 10m, or 0s for at once`}}},
		{"an unknown late", oneRoute(`late: rerin`), []said{{"6:11", `late "rerin" is not known; did you mean rerun?`}}},
		{"a count of none", filesRoute(`[{key: "a/{yyyy}{MM}{dd}", count: 0}]`), []said{{"5:39", `count is 0; write a whole number from 1 to 10000 without quotes`}}},
		{"a count below none", filesRoute(`[{key: "a/{yyyy}{MM}{dd}", count: -1}]`), []said{{"5:39", `count is -1; write a whole number from 1 to 10000 without quotes`}}},
		{"a count of too many", filesRoute(`[{key: "a/{yyyy}{MM}{dd}", count: 10001}]`), []said{{"5:39", `count is 10001; write a whole number from 1 to 10000 without quotes`}}},
		{"a count that is a word", filesRoute(`[{key: "a/{yyyy}{MM}{dd}", count: all}]`), []said{{"5:39", `count is the text "all"; write a whole number from 1 to 10000 without quotes`}}},
		{"counts that are too many together", filesRoute(`[{key: "a/{yyyy}{MM}{dd}", count: 6000}, {key: "b/{yyyy}{MM}{dd}", count: 4001}]`), []said{
			{"3:5", `the counts of the route's files are 10001 together, and may be 10000; wait for a marker such as _SUCCESS instead`},
		}},
		{"counts that are too many with an optional one", filesRoute(`[{key: "a/{yyyy}{MM}{dd}", count: 6000}, {key: "b/{yyyy}{MM}{dd}", count: 6000, optional: true}]`), []said{
			{"3:5", `the counts of the route's files are 12000 together, and may be 10000; wait for a marker such as _SUCCESS instead`},
		}},
		{"a deadline without a zone", oneRoute(`deadline: "06:30"`), []said{{"6:5", `a deadline is local time, and the route has no timezone; write "timezone: America/New_York" or the like, in the route or at the top of the file`}}},
		{"a deadline for hours", filesRoute(`a/{yyyy}{MM}{dd}{HH}`, `deadline: "06:30"`), []said{{"6:5", `deadline is for routes by day, and the keys of this one have {HH}; leave it out`}}},
		{"all that can be wrong with a deadline", oneRoute(`timezone: UTC`, `deadline: {at: "25:00 +1d", days: mon-fry, except: [2026-02-30, 7], then: runn, hour: x}`), []said{
			{"7:21", `at "25:00 +1d" is not a deadline; write a local time and the days after the file's date, such as "06:30 +1d", from +0d to +31d`},
			{"7:39", `days: "mon-fry" is not a day of the week or a range of them; write days of the week such as mon-fri or mon,wed,sat-sun`},
			{"7:57", `except: "2026-02-30" is not a date; write it as 2026-12-25`},
			{"7:69", `a date is a number; write it as 2026-12-25`},
			{"7:79", `then "runn" is not known; did you mean run?`},
			{"7:85", `deadline has no key "hour"; its keys are at, days, except, then`},
		}},
		{"a deadline without a time", oneRoute(`timezone: UTC`, `deadline: {then: run}`), []said{{"7:5", `deadline has no at; write at: "06:30 +1d"`}}},
		{"a deadline of minus a day", oneRoute(`timezone: UTC`, `deadline: "06:30 -1d"`), []said{{"7:16", `deadline "06:30 -1d" is not a deadline; write a local time and the days after the file's date, such as "06:30 +1d", from +0d to +31d`}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, _, err := Parse("routes.yaml", []byte(tt.src), Options{Buckets: []string{"acme-landing", "acme-archive"}})
			var e *RoutesError
			if !errors.As(err, &e) || r != nil {
				t.Fatalf("got %v, %v", r, err)
			}
			if d := cmp.Diff(tt.want, saidBy(e.Faults), cmp.AllowUnexported(said{})); d != "" {
				t.Errorf("%s\n(-want +got):\n%s", tt.src[:min(len(tt.src), 1000)], d)
			}
		})
	}
}

func TestRoutesFileWarnings(t *testing.T) {
	t.Parallel()
	two := func(a, b string) string {
		return "version: 1\nroutes:\n  - {name: a, config_id: cg-1, files: \"" + a + "\"}\n  - {name: b, config_id: cg-2, files: \"" + b + "\"}\n"
	}
	for _, tt := range []struct {
		name, src string
		want      []said
	}{
		{"nothing to say", oneRoute(), nil},
		{"no routes", "version: 1\nroutes: []\n", []said{{"2:1", `there are no routes: every file will be announced as unrouted`}}},
		{"an orchestration group", strings.Replace(oneRoute(), "cg-1", "og-1", 1), []said{{"3:5", `og-1 takes no date range: a file of any window starts the same run`}}},
		{"an hour's window that waits for quiet for longer", strings.Replace(oneRoute("settle: 1h1m"), "{dd}", "{dd}{HH}", 1), []said{{"3:5", `an hour's window waits for quiet for an hour at most, from its first file: a longer settle changes nothing`}}},
		{"a run that starts with its first file", filesRoute("a/{yyyy}{MM}{dd}/*", "settle: 0s"), []said{{"5:12", `with "settle: 0s" and without a marker or a count, the first file of a window starts its run, and further files come late; fine if one file is all that comes`}}},
		{"one that waits for a marker", filesRoute("a/{yyyy}{MM}{dd}/_SUCCESS", "settle: 0s"), nil},
		{"one that waits for quiet", filesRoute("a/{yyyy}{MM}{dd}/*", "settle: 1s"), nil},
		{"one that waits for a count", filesRoute("[{key: \"a/{yyyy}{MM}{dd}/*\", count: 2}]", "settle: 0s"), nil},
		{"one that waits for two entries", filesRoute("[\"a/{yyyy}{MM}{dd}/*\", \"b/{yyyy}{MM}{dd}/_SUCCESS\"]", "settle: 0s"), nil},
		{"one that waits for an hour", strings.Replace(oneRoute("settle: 1h"), "{dd}", "{dd}{HH}", 1), nil},
		{"a deadline after the day, of keys without a date", filesRoute("a/**", "deadline: 06:30 +1d", "timezone: UTC"), []said{{"3:5", `the keys have no date, so that no file counts for a day that is over: what is missing at the deadline cannot come after it; put the deadline on the day itself, as "18:00", add "then: run", or give the keys a date`}}},
		{"a deadline after the day before, of keys without a date", filesRoute("a/**", "deadline: 06:30 +1d", "date_offset: -1d", "timezone: UTC"), nil},
		{"a deadline on the day, of keys without a date", filesRoute("a/**", `deadline: "18:00"`, "timezone: UTC"), nil},
		{"a deadline after the day, of keys with one", oneRoute("deadline: 06:30 +1d", "timezone: UTC"), nil},
		{"a deadline with which it runs", filesRoute("a/**", "deadline: {at: 06:30 +1d, then: run}", "timezone: UTC"), nil},
		{"a pattern from the root", filesRoute(`/orders/{yyyy}{MM}{dd}`), []said{{"5:12", `keys in S3 do not begin with a / unless they were written so; "/orders/{yyyy}{MM}{dd}" matches no other`}}},
		{"a date of strftime", filesRoute(`a/%Y/{yyyy}{MM}{dd}`), []said{{"5:14", `"%Y/" stands for itself: keys are compared as S3 lists them, not URL-encoded, and dates are {yyyy}, {MM}, {dd} and {HH}`}}},
		{"an encoded key", filesRoute(`dt%3D{yyyy}{MM}{dd}`), []said{{"5:14", `"%3D" stands for itself: keys are compared as S3 lists them, not URL-encoded, and dates are {yyyy}, {MM}, {dd} and {HH}`}}},
		{"a per cent", filesRoute(`100%/{yyyy}{MM}{dd}`), nil},
		{"two patterns in one", filesRoute(`"a/{yyyy}{MM}{dd}, b/{yyyy}{MM}{dd}"`), []said{{"5:29", `"a/{yyyy}{MM}{dd}, b/{yyyy}{MM}{dd}" is one pattern, with a comma in it; for several write a list, ["a/*", "b/*"]`}}},
		{"a time zone of abbreviations", filesRoute("a/**", "timezone: EST"), []said{{"6:15", `EST has the same hours all year, without daylight saving time; write America/New_York if you mean the clocks there`}}},
		{"a question mark", filesRoute(`a?/{yyyy}{MM}{dd}`), []said{{"5:12", `"?" has no meaning in a pattern and stands for itself; only * and ** stand for others`}}},
		{"a bracket", filesRoute(`"{yyyy}{MM}{dd}/[ab].csv"`), []said{{"5:27", `"[" has no meaning in a pattern and stands for itself; only * and ** stand for others`}}},
		{"a route that is ignored", "ignore: [\"**/*.tmp\", \"a/**\"]\n" + oneRoute(), []said{{"6:12", `no file starts this: "a/**" under "ignore" covers all that the pattern matches`}}},
		{"a route that is ignored in part", "ignore: [\"a/2026*\"]\n" + oneRoute(), nil},
		{"an optional file", filesRoute(`["a/{yyyy}{MM}{dd}", {key: "b/{yyyy}{MM}{dd}", optional: true}]`), nil},
		{"nothing but optional files", filesRoute(`[{key: "a/{yyyy}{MM}{dd}", optional: true}, {key: "b/{yyyy}{MM}{dd}", optional: true}]`), nil},
		{"a pattern within another of the route", filesRoute(`["a/*{yyyy}{MM}{dd}*", {key: "a/x{yyyy}{MM}{dd}.csv", optional: true}]`), []said{{"5:14", `a key may hold two numbers that fit the fields, and the first one counts: "a/20261121_20261122" is for 2026-11-21; write more of the key in place of the * before them if that is wrong`}, {"5:42", `the pattern adds nothing: "a/*{yyyy}{MM}{dd}*" of the same route matches all that it does`}}},
		{"a required pattern within another of the route", filesRoute(`["a/*{yyyy}{MM}{dd}*", "a/x{yyyy}{MM}{dd}.csv"]`), []said{{"5:14", `a key may hold two numbers that fit the fields, and the first one counts: "a/20261121_20261122" is for 2026-11-21; write more of the key in place of the * before them if that is wrong`}, {"5:36", `no file meets this entry, and windows wait for it: "a/*{yyyy}{MM}{dd}*" of the same route, which stands before it, takes all that it matches; write this one first`}}},
		{"a required pattern before one that it is within", filesRoute(`["a/x{yyyy}{MM}{dd}.csv", "a/*{yyyy}{MM}{dd}*"]`), []said{{"5:39", `a key may hold two numbers that fit the fields, and the first one counts: "a/20261121_20261122" is for 2026-11-21; write more of the key in place of the * before them if that is wrong`}}},
		{"a date with stars about it", filesRoute(`exports/**{yyyy}/{MM}/{dd}**.csv`), []said{{"5:12", `a key may hold two numbers that fit the fields, and the first one counts: "exports/2026/11/21_2026/11/22.csv" is for 2026-11-21; write more of the key in place of the * before them if that is wrong`}}},
		{"an hour with stars about it", filesRoute(`a/{yyyy}{MM}{dd}/*{HH}*`), []said{{"5:12", `a key may hold two numbers that fit the fields, and the first one counts: "a/20261122/04_05" is for 2026-11-22, hour 04; write more of the key in place of the * before them if that is wrong`}}},
		{"a date before an hour, with stars about both", filesRoute(`a/*{yyyy}{MM}{dd}*{HH}*`), []said{{"5:12", `a key may hold two numbers that fit the fields, and the first one counts: "a/2026112204_05" is for 2026-11-22, hour 04; write more of the key in place of the * before them if that is wrong`}}},
		{"a date at the end", filesRoute(`a/*{yyyy}{MM}{dd}.csv`), nil},
		{"a date after a star, in folders of its own", filesRoute(`a/*/{yyyy}/{MM}/{dd}/*`), nil},
		{"a date that comes again after a star", filesRoute(`a/{yyyy}/{MM}/{dd}/*{yyyy}{MM}{dd}*`), nil},
		{"several files by a pattern that one key matches", filesRoute(`[{key: "a/{yyyy}{MM}{dd}.csv", count: 3}]`), []said{{"5:20", `windows wait for 3 files, and in each bucket one key matches the pattern in a window: give it a *, or leave out count`}}},
		{"several files by a pattern that many match", filesRoute(`[{key: "a/{yyyy}{MM}{dd}/**", count: 3}]`), nil},
		{"the same pattern in two routes", two("a/{yyyy}{MM}{dd}", "a/{yyyy}{MM}{dd}"), []said{{"4:40", `its files start the route "a" too, by "a/{yyyy}{MM}{dd}"; fine if both runs are wanted`}}},
		{"a pattern within one of another route", two("a/{yyyy}{MM}{dd}/x.csv", "a/{yyyy}{MM}{dd}/*"), []said{{"3:40", `its files start the route "b" too, by "a/{yyyy}{MM}{dd}/*"; fine if both runs are wanted`}}},
		{"patterns that have nothing in common", two("a/{yyyy}{MM}{dd}/*", "b/{yyyy}{MM}{dd}/*"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, warnings, err := Parse("routes.yaml", []byte(tt.src), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, saidBy(warnings), cmp.AllowUnexported(said{})); d != "" {
				t.Errorf("%s\n(-want +got):\n%s", tt.src, d)
			}
		})
	}
}

func TestRoutesErrorHasLineForEachFault(t *testing.T) {
	t.Parallel()
	_, _, err := Parse("routes-sandbox.yaml", []byte("version: 2\nroutes: 7\n"), Options{})
	const want = `routes-sandbox.yaml:1:10: version 2 is not known to this amperity-runs; write "version: 1"` + "\n" +
		`routes-sandbox.yaml:2:9: routes is a number; write a list: - name: customers, and so on`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
