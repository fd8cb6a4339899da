package route

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/amperity-runs/amperity-runs/internal/golden"
)

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

// The golden file has the text of each fault, with its place in the file.
func TestRoutesFileFaults(t *testing.T) {
	t.Parallel()
	good := "routes:\n  - {name: a, config_id: cg-1, files: \"a/{yyyy}{MM}{dd}\"}\n"
	var texts strings.Builder
	for _, row := range []struct{ name, src string }{
		// The file as a whole.
		{"empty", ""},
		{"only a comment", "# routes\n"},
		{"too large", strings.Repeat("# \n", 50_000)},
		{"not UTF-8", "version: 1\n# caf\xe9\n"},
		{"too many brackets", "a: " + strings.Repeat("[", 40)},
		{"no YAML", "version: 1\nroutes: [\n"},
		{"no YAML, with a * in it", filesRoute("part-*.csv: x")},
		{"a line that is indented by one too many", filesRoute("\n    - a/{yyyy}.csv\n     - b/{yyyy}.csv")},
		{"a value that goes on", "version: 1\nroutes:\n  - name: a\n      daily\n    config_id: cg-1\n    files: a/{yyyy}/{MM}/{dd}/*\n"},
		{"no blank after a colon", "version: 1\nroutes:\n  - name: a\n    settle:5m\n    files: a/{yyyy}\n"},
		{"a date between brackets", filesRoute(`[a/{yyyy}-{MM}-{dd}.csv]`)},
		{"a date between braces", filesRoute(`[{key: a/{yyyy}-{MM}-{dd}/*, count: 4}]`)},
		{"a date in quotes, and something else", filesRoute(`["a/{yyyy}", 'b/{yyyy}', {key: ]`)},
		{"a tab", "version: 1\nroutes:\n\t- name: a\n"},
		{"two documents", "version: 1\n" + good + "---\nversion: 1\n"},
		{"a directive", "%YAML 1.1\n---\nversion: 1\n" + good},
		{"lines that end in a carriage return alone", "# routes\r\rroutes"},
		{"lines that end as on Windows", "version: 2\r\nroutes: 7\r\n"},
		{"a list", "- a\n"},
		{"a word", "routes\n"},
		{"an unknown key", "version: 1\nbuckets: x\n" + good},
		{"a slip in a key", "version: 1\ntime_zone: UTC\n" + good},
		{"a key twice", "version: 1\nversion: 1\n" + good},
		{"a key that is no word", "version: 1\n1.5: 1\n" + good},
		{"a merge key", "version: 1\n<<: {a: 1}\n" + good},

		// version.
		{"no version", good},
		{"the next version", "version: 2\n" + good},
		{"a version in quotes", "version: \"1\"\n" + good},
		{"an empty version", "version:\n" + good},
		{"a version with a tag", "version: !!int 1\n" + good},

		// timezone.
		{"an unknown zone", "version: 1\ntimezone: America/Gotham\n" + good},
		{"a zone in small letters", "version: 1\ntimezone: america/new_york\n" + good},
		{"a folder of the machine's zones", "version: 1\ntimezone: posix/Europe/Berlin\n" + good},
		{"the file of the machine's zone", "version: 1\ntimezone: localtime\n" + good},
		{"the machine's zone", "version: 1\ntimezone: Local\n" + good},
		{"an empty zone", "version: 1\ntimezone:\n" + good},
		{"a zone in empty quotes", "version: 1\ntimezone: ''\n" + good},
		{"an offset for a zone", "version: 1\ntimezone: -5\n" + good},
		{"a list of zones", "version: 1\ntimezone: [UTC]\n" + good},
		{"a zone on several lines", "version: 1\ntimezone: |\n  UTC\n" + good},
		{"a zone with a line in quotes", "version: 1\ntimezone: \"UTC\\n\"\n" + good},
		{"no zone where the day needs one", filesRoute("customers/**")},
		{"a wrong zone is no missing one", "timezone: Mars\n" + filesRoute("customers/**")},

		// ignore.
		{"ignore as a text", "version: 1\nignore: logs/**\n" + good},
		{"ignore as nothing", "version: 1\nignore:\n" + good},
		{"a star without quotes", "version: 1\nignore: [*.tmp]\n" + good},
		{"two stars without quotes", "version: 1\nignore:\n  - **/*.tmp\n" + good},
		{"a date without quotes", filesRoute("{yyyy}/{MM}/{dd}/a.csv")},
		{"a date without quotes in a list", filesRoute("[a, {yyyy}/{MM}/{dd}/a.csv]")},
		{"an alias for a list", "version: 1\nignore: *x\n" + good},
		{"a date to ignore", "version: 1\nignore: [\"logs/{yyyy}{MM}{dd}\"]\n" + good},
		{"a number to ignore", "version: 1\nignore: [1]\n" + good},

		// routes.
		{"no routes", "version: 1\n"},
		{"empty routes", "version: 1\nroutes:\n"},
		{"routes as a mapping", "version: 1\nroutes:\n  name: a\n"},
		{"a route that is a word", "version: 1\nroutes: [customers]\n"},
		{"a route that is empty", "version: 1\nroutes:\n  -\n"},
		{"a route without anything", "version: 1\nroutes: [{}]\n"},
		{"an anchor", oneRoute(`bucket: &b acme`)},
		{"a slip in a route's key", oneRoute(`runmode: full`)},
		{"a key with a dash", oneRoute(`date-offset: -1d`)},
		{"a key that is a number", oneRoute(`1: x`)},

		// name, config_id, run_mode, bucket, if_unknown.
		{"a number for a name", "version: 1\nroutes:\n  - {name: 7, config_id: cg-1, files: \"a/{yyyy}{MM}{dd}\"}\n"},
		{"yes for a name", "version: 1\nroutes:\n  - {name: true, config_id: cg-1, files: \"a/{yyyy}{MM}{dd}\"}\n"},
		{"a long name", strings.Replace(oneRoute(), "name: a", "name: "+strings.Repeat("a", 101), 1)},
		{"a name twice", "version: 1\nroutes:\n  - {name: a, config_id: cg-1, files: \"a/{yyyy}{MM}{dd}\"}\n  - {name: a, config_id: cg-2, files: \"b/{yyyy}{MM}{dd}\"}\n"},
		{"a config id of another kind", strings.Replace(oneRoute(), "cg-1", "wf-1", 1)},
		{"a config id in capitals", strings.Replace(oneRoute(), "cg-1", "CG-123ABc4DE", 1)},
		{"a config id of 201 bytes", strings.Replace(oneRoute(), "cg-1", "cg-"+strings.Repeat("1", 198), 1)},
		{"a config id of a prefix", strings.Replace(oneRoute(), "cg-1", "cg-", 1)},
		{"an empty config id", strings.Replace(oneRoute(), "cg-1", "", 1)},
		{"a slip in a run mode", oneRoute(`run_mode: sources`)},
		{"an unknown run mode", oneRoute(`run_mode: quick`)},
		{"a run mode for a campaign", strings.Replace(oneRoute(`run_mode: full`), "cg-1", "cc-1", 1)},
		{"a run mode for an orchestration group", strings.Replace(oneRoute(`run_mode: full`), "cg-1", "og-1", 1)},
		{"an address for a bucket", oneRoute(`bucket: s3://acme`)},
		{"a bucket of another stack", oneRoute(`bucket: elsewhere`)},
		{"an unknown if_unknown", oneRoute(`if_unknown: run`)},

		// files.
		{"an empty deadline", oneRoute(`deadline:`, `timezone: UTC`)},
		{"no entries", filesRoute("[]")},
		{"empty files", filesRoute("")},
		{"an entry without its list", filesRoute(`{key: "a/{yyyy}{MM}{dd}"}`)},
		{"an entry without a key", filesRoute(`[{optional: true}]`)},
		{"an entry with another key", filesRoute(`[{key: "a/{yyyy}{MM}{dd}", options: true}]`)},
		{"an entry that is a list", filesRoute(`[[a]]`)},
		{"an optional that is a word", filesRoute(`[{key: "a/{yyyy}{MM}{dd}", optional: maybe}]`)},
		{"a pattern twice", filesRoute(`["a/{yyyy}{MM}{dd}", {key: "a/{yyyy}{MM}{dd}", optional: true}]`)},
		{"other date fields", filesRoute(`["a/{yyyy}{MM}{dd}", {key: "b/*", optional: true}]`)},
		{"a fault within a plain pattern", filesRoute(`straße/{yyyy}/{mm}/{dd}`)},
		{"a fault within a quoted pattern", filesRoute(`"straße/{yyyy}/{mm}/{dd}"`)},
		{"a fault within a pattern in single quotes", filesRoute(`'{yyyy}/{mm}/{dd}'`)},
		{"a fault within a pattern with escapes", filesRoute(`"\x61/{mm}"`)},
		{"several faults within a pattern", filesRoute(`a}/***/{yy}`)},
		{"two routes with the same windows", "version: 1\nroutes:\n  - {name: a, config_id: cg-1, files: \"a/{yyyy}{MM}{dd}\"}\n  - {name: b, config_id: cg-1, files: \"b/{yyyy}{MM}{dd}\"}\n"},
		{"two routes with the same hours", "version: 1\nroutes:\n  - {name: a, config_id: cg-1, files: \"a/{yyyy}{MM}{dd}{HH}\"}\n  - {name: b, config_id: cg-1, files: \"b/{yyyy}{MM}{dd}{HH}\"}\n"},

		// date_offset.
		{"an offset without a unit", oneRoute(`date_offset: "-1"`)},
		{"an offset that is a number", oneRoute(`date_offset: -1`)},
		{"an offset in hours", oneRoute(`date_offset: -24h`)},
		{"an offset too far", oneRoute(`date_offset: 367d`)},

		// settle, late, count, deadline.
		{"a settle that is no duration", oneRoute(`settle: 10 minutes`)},
		{"a settle of two days", oneRoute(`settle: 48h`)},
		{"a settle that is a number", oneRoute(`settle: 0`)},
		{"an unknown late", oneRoute(`late: rerin`)},
		{"a count of none", filesRoute(`[{key: "a/{yyyy}{MM}{dd}", count: 0}]`)},
		{"a count below none", filesRoute(`[{key: "a/{yyyy}{MM}{dd}", count: -1}]`)},
		{"a count of too many", filesRoute(`[{key: "a/{yyyy}{MM}{dd}", count: 10001}]`)},
		{"a count that is a word", filesRoute(`[{key: "a/{yyyy}{MM}{dd}", count: all}]`)},
		{"counts that are too many together", filesRoute(`[{key: "a/{yyyy}{MM}{dd}", count: 6000}, {key: "b/{yyyy}{MM}{dd}", count: 4001}]`)},
		{"entries that are too many", filesRoute(manyEntries(160))},
		{"counts that are too many with an optional one", filesRoute(`[{key: "a/{yyyy}{MM}{dd}", count: 6000}, {key: "b/{yyyy}{MM}{dd}", count: 6000, optional: true}]`)},
		{"a deadline without a zone", oneRoute(`deadline: "06:30"`)},
		{"a deadline for hours", filesRoute(`a/{yyyy}{MM}{dd}{HH}`, `deadline: "06:30"`)},
		{"all that can be wrong with a deadline", oneRoute(`timezone: UTC`, `deadline: {at: "25:00 +1d", days: mon-fry, except: [2026-02-30, 7], then: runn, hour: x}`)},
		{"a deadline without a time", oneRoute(`timezone: UTC`, `deadline: {then: run}`)},
		{"a deadline of minus a day", oneRoute(`timezone: UTC`, `deadline: "06:30 -1d"`)},
	} {
		r, _, err := Parse("routes.yaml", []byte(row.src), Options{Buckets: []string{"acme-landing", "acme-archive"}})
		if _, ok := errors.AsType[*RoutesError](err); !ok || r != nil {
			t.Errorf("%s: got %v, %v", row.name, r, err)
			continue
		}
		texts.WriteString(golden.Row(row.name, err.Error()))
	}
	golden.Check(t, "testdata/faults.golden", texts.String())
}

// twoRoutes is a routes file of two routes with the given files.
func twoRoutes(a, b string) string {
	return "version: 1\nroutes:\n  - {name: a, config_id: cg-1, files: \"" + a + "\"}\n  - {name: b, config_id: cg-2, files: \"" + b + "\"}\n"
}

func TestRoutesFileWarnings(t *testing.T) {
	t.Parallel()
	var texts strings.Builder
	for _, row := range []struct{ name, src string }{
		{"no routes", "version: 1\nroutes: []\n"},
		{"an orchestration group", strings.Replace(oneRoute(), "cg-1", "og-1", 1)},
		{"an hour's window that waits for quiet for longer", strings.Replace(oneRoute("settle: 1h1m"), "{dd}", "{dd}{HH}", 1)},
		{"a run that starts with its first file", filesRoute("a/{yyyy}{MM}{dd}/*", "settle: 0s")},
		{"a deadline after the day, of keys without a date", filesRoute("a/**", "deadline: 06:30 +1d", "timezone: UTC")},
		{"a pattern from the root", filesRoute(`/orders/{yyyy}{MM}{dd}`)},
		{"a date of strftime", filesRoute(`a/%Y/{yyyy}{MM}{dd}`)},
		{"an encoded key", filesRoute(`dt%3D{yyyy}{MM}{dd}`)},
		{"two patterns in one", filesRoute(`"a/{yyyy}{MM}{dd}, b/{yyyy}{MM}{dd}"`)},
		{"a time zone of abbreviations", filesRoute("a/**", "timezone: EST")},
		{"hours, and another zone in the file", "timezone: Europe/Berlin\n" + filesRoute("a/{yyyy}{MM}{dd}{HH}/*")},
		{"a config id of an ellipsis", strings.Replace(oneRoute(), "cg-1", "cg-…", 1)},
		{"a config id of periods", strings.Replace(oneRoute(), "cg-1", "cg-...", 1)},
		{"a config id between angle brackets", strings.Replace(oneRoute(), "cg-1", "cg-<your-id>", 1)},
		{"a question mark", filesRoute(`a?/{yyyy}{MM}{dd}`)},
		{"a bracket", filesRoute(`"{yyyy}{MM}{dd}/[ab].csv"`)},
		{"a route that is ignored", "ignore: [\"**/*.tmp\", \"a/**\"]\n" + oneRoute()},
		{"a pattern within another of the route", filesRoute(`["a/*{yyyy}{MM}{dd}*", {key: "a/x{yyyy}{MM}{dd}.csv", optional: true}]`)},
		{"a required pattern within another of the route", filesRoute(`["a/*{yyyy}{MM}{dd}*", "a/x{yyyy}{MM}{dd}.csv"]`)},
		{"a required pattern before one that it is within", filesRoute(`["a/x{yyyy}{MM}{dd}.csv", "a/*{yyyy}{MM}{dd}*"]`)},
		{"a date with stars about it", filesRoute(`exports/**{yyyy}/{MM}/{dd}**.csv`)},
		{"an hour with stars about it", filesRoute(`a/{yyyy}{MM}{dd}/*{HH}*`)},
		{"a date before an hour, with stars about both", filesRoute(`a/*{yyyy}{MM}{dd}*{HH}*`)},
		{"several files by a pattern that one key matches", filesRoute(`[{key: "a/{yyyy}{MM}{dd}.csv", count: 3}]`)},
		{"the same pattern in two routes", twoRoutes("a/{yyyy}{MM}{dd}", "a/{yyyy}{MM}{dd}")},
		{"a pattern within one of another route", twoRoutes("a/{yyyy}{MM}{dd}/x.csv", "a/{yyyy}{MM}{dd}/*")},
	} {
		_, warnings, err := Parse("routes.yaml", []byte(row.src), Options{})
		if err != nil || len(warnings) == 0 {
			t.Errorf("%s: got %d warnings, error %v", row.name, len(warnings), err)
			continue
		}
		texts.WriteString(golden.Row(row.name, (&RoutesError{warnings}).Error()))
	}
	golden.Check(t, "testdata/warnings.golden", texts.String())
}

func TestGoodRoutesHaveNoWarning(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, src string }{
		{"nothing to say", oneRoute()},
		{"one that waits for a marker", filesRoute("a/{yyyy}{MM}{dd}/_SUCCESS", "settle: 0s")},
		{"one that waits for quiet", filesRoute("a/{yyyy}{MM}{dd}/*", "settle: 1s")},
		{"one that waits for a count", filesRoute("[{key: \"a/{yyyy}{MM}{dd}/*\", count: 2}]", "settle: 0s")},
		{"one that waits for two entries", filesRoute("[\"a/{yyyy}{MM}{dd}/*\", \"b/{yyyy}{MM}{dd}/_SUCCESS\"]", "settle: 0s")},
		{"one that waits for an hour", strings.Replace(oneRoute("settle: 1h"), "{dd}", "{dd}{HH}", 1)},
		{"a deadline after the day before, of keys without a date", filesRoute("a/**", "deadline: 06:30 +1d", "date_offset: -1d", "timezone: UTC")},
		{"a deadline on the day, of keys without a date", filesRoute("a/**", `deadline: "18:00"`, "timezone: UTC")},
		{"a deadline after the day, of keys with one", oneRoute("deadline: 06:30 +1d", "timezone: UTC")},
		{"a deadline with which it runs", filesRoute("a/**", "deadline: {at: 06:30 +1d, then: run}", "timezone: UTC")},
		{"hours with a zone of their own", "timezone: Europe/Berlin\n" + filesRoute("a/{yyyy}{MM}{dd}{HH}/*", "timezone: UTC")},
		{"hours in a file of UTC", "timezone: Etc/UTC\n" + filesRoute("a/{yyyy}{MM}{dd}{HH}/*")},
		{"a config id with a dash", strings.Replace(oneRoute(), "cg-1", "cg-Daily_full-1", 1)},
		{"a per cent", filesRoute(`100%/{yyyy}{MM}{dd}`)},
		{"a route that is ignored in part", "ignore: [\"a/2026*\"]\n" + oneRoute()},
		{"an optional file", filesRoute(`["a/{yyyy}{MM}{dd}", {key: "b/{yyyy}{MM}{dd}", optional: true}]`)},
		{"nothing but optional files", filesRoute(`[{key: "a/{yyyy}{MM}{dd}", optional: true}, {key: "b/{yyyy}{MM}{dd}", optional: true}]`)},
		{"a date at the end", filesRoute(`a/*{yyyy}{MM}{dd}.csv`)},
		{"a date after a star, in folders of its own", filesRoute(`a/*/{yyyy}/{MM}/{dd}/*`)},
		{"a date that comes again after a star", filesRoute(`a/{yyyy}/{MM}/{dd}/*{yyyy}{MM}{dd}*`)},
		{"several files by a pattern that many match", filesRoute(`[{key: "a/{yyyy}{MM}{dd}/**", count: 3}]`)},
		{"patterns that have nothing in common", twoRoutes("a/{yyyy}{MM}{dd}/*", "b/{yyyy}{MM}{dd}/*")},
	} {
		if _, warnings, err := Parse("routes.yaml", []byte(row.src), Options{}); err != nil || len(warnings) > 0 {
			t.Errorf("%s: got %v, error %v", row.name, warnings, err)
		}
	}
}

// manyEntries returns n entries of files.
func manyEntries(n int) string {
	var entries []string
	for i := range n {
		entries = append(entries, fmt.Sprintf(`"erp/prod/{yyyy}/{MM}/{dd}/table_%04d/*.parquet"`, i))
	}
	return "[" + strings.Join(entries, ", ") + "]"
}

func TestARouteMayHaveManyEntries(t *testing.T) {
	t.Parallel()
	if _, _, err := Parse("routes.yaml", []byte(filesRoute(manyEntries(150))), Options{}); err != nil {
		t.Error(err)
	}
}
