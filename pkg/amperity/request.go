package amperity

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ConfigKind is what a config id names.
type ConfigKind string

// The kinds of configuration that can be run, in words for a person.
const (
	ConfigKindCourierGroup       ConfigKind = "courier group"
	ConfigKindOrchestrationGroup ConfigKind = "orchestration group"
	ConfigKindCampaign           ConfigKind = "campaign"
)

// ConfigKindOf tells what a config id names by its prefix: cg-, og- or cc-. False if it cannot be a config id.
func ConfigKindOf(configID string) (ConfigKind, bool) {
	kind, rest := splitConfigID(configID)
	if kind == "" || rest == "" || !isCleanID(configID) {
		return "", false
	}
	return kind, true
}

// splitConfigID parts the prefix from the rest; the kind is empty for an unknown prefix.
func splitConfigID(configID string) (kind ConfigKind, rest string) {
	switch {
	case strings.HasPrefix(configID, "cg-"):
		kind = ConfigKindCourierGroup
	case strings.HasPrefix(configID, "og-"):
		kind = ConfigKindOrchestrationGroup
	case strings.HasPrefix(configID, "cc-"):
		kind = ConfigKindCampaign
	default:
		return "", configID
	}
	return kind, configID[len("cg-"):]
}

// isCleanID reports whether an id holds nothing that a slip of the hand puts there: blanks, slashes, quotes, control
// characters.
func isCleanID(id string) bool {
	return utf8.ValidString(id) && strings.IndexFunc(id, func(r rune) bool {
		return r == ' ' || !unicode.IsPrint(r) || strings.ContainsRune("/\\\"'`‘’“”", r)
	}) < 0
}

// RunMode is how much of a courier group's workflow is run.
type RunMode string

// The documented run modes (Amperity API reference, POST /workflow/runs).
const (
	// RunModeFull pulls data, refreshes domain tables, runs Stitch, updates databases and sends the results
	// downstream: orchestrations, campaigns and journeys too.
	RunModeFull RunMode = "full"
	// RunModeRefresh pulls data, refreshes domain tables, runs Stitch and updates databases.
	RunModeRefresh RunMode = "refresh"
	// RunModeSource pulls data and refreshes domain tables.
	RunModeSource RunMode = "source"
)

// RunRequest is the body of POST /workflow/runs (Amperity API reference).
type RunRequest struct {
	// ConfigID is what to run: a courier group (cg-…), an orchestration group (og-…) or a campaign (cc-…).
	ConfigID string `json:"config_id"`
	// RangeFrom is the start, inclusive, of the dates to load: YYYY-MM-DD, or an RFC 3339 timestamp in UTC. Courier
	// groups only; Amperity requires it for those that load files. Without RangeTo it means that one day.
	RangeFrom string `json:"range_from,omitempty"`
	// RangeTo is the end, exclusive, in the same two forms; only with RangeFrom.
	RangeTo string `json:"range_to,omitempty"`
	// RunMode is how much to run; courier groups only. Empty: as the group's own schedule is configured.
	RunMode RunMode `json:"run_mode,omitempty"`
}

// The fields as their users write them, for Problem.Field.
const (
	fieldConfigID  = "config_id"
	fieldRangeFrom = "range_from"
	fieldRangeTo   = "range_to"
	fieldRunMode   = "run_mode"
	fieldRunID     = "run id"
	fieldView      = "view"
)

// Validate checks the request by the documented rules; what it lets through is encoded to JSON without loss. It gives
// nil, or a *RequestError with every fault.
func (r RunRequest) Validate() error {
	var f faults
	kind := f.checkConfigID(r.ConfigID)
	if kind == ConfigKindOrchestrationGroup || kind == ConfigKindCampaign {
		f.refuseForOthers(fieldRangeFrom, r.RangeFrom, kind)
		f.refuseForOthers(fieldRangeTo, r.RangeTo, kind)
		f.refuseForOthers(fieldRunMode, string(r.RunMode), kind)
		return f.request()
	}

	from, fromOK := f.checkInstant(fieldRangeFrom, r.RangeFrom)
	to, toOK := f.checkInstant(fieldRangeTo, r.RangeTo)
	switch {
	case r.RangeTo != "" && r.RangeFrom == "":
		f.faultf(fieldRangeTo, "needs range_from: write where the range starts, too")
	case fromOK && toOK && !from.Before(to):
		f.faultf(fieldRangeTo, "is %s, not after range_from, %s: write a later end, which is itself not in the range",
			quote(r.RangeTo), quote(r.RangeFrom))
	}

	switch r.RunMode {
	case "", RunModeFull, RunModeRefresh, RunModeSource:
	default:
		f.faultf(fieldRunMode, "is %s: write full, refresh or source", quote(string(r.RunMode)))
	}
	return f.request()
}

// faults collects what is wrong with a request or with settings, so that all of it is said at once.
type faults []Problem

func (f *faults) faultf(field, format string, args ...any) {
	*f = append(*f, Problem{Field: field, Message: fmt.Sprintf(format, args...)})
}

// request gives the faults as the error of a request; nil if there are none.
func (f faults) request() error {
	if len(f) == 0 {
		return nil
	}
	return &RequestError{Problems: f}
}

// checkConfigID gives the kind by the prefix, even where the rest is at fault.
func (f *faults) checkConfigID(id string) ConfigKind {
	kind, rest := splitConfigID(id)
	switch {
	case id == "":
		f.faultf(fieldConfigID, "is missing: write the id of a courier group (cg-…), an orchestration group (og-…) or a campaign (cc-…)")
	case !isCleanID(id):
		f.faultf(fieldConfigID, "is %s: write it without blanks, slashes, quotes and unprintable characters", quote(id))
	case kind == "":
		f.faultf(fieldConfigID, "is %s: write an id that starts with cg- (courier group), og- (orchestration group) or cc- (campaign)", quote(id))
	case rest == "":
		f.faultf(fieldConfigID, "is %s, a prefix and nothing after it: write the whole id, such as cg-123ABc4DE", quote(id))
	}
	return kind
}

func (f *faults) refuseForOthers(field, value string, kind ConfigKind) {
	if value != "" {
		f.faultf(field, "is for courier groups (cg-…) only: leave it out, this is the id of %s", withArticle(kind))
	}
}

func withArticle(kind ConfigKind) string {
	if kind == ConfigKindOrchestrationGroup {
		return "an " + string(kind)
	}
	return "a " + string(kind)
}

// checkInstant reads a date or a UTC timestamp; false for a fault and for an empty value, which is none.
func (f *faults) checkInstant(field, value string) (time.Time, bool) {
	if value == "" {
		return time.Time{}, false
	}
	if hasShape(value, "0000-00-00") {
		day, err := time.Parse(time.DateOnly, value)
		if err != nil {
			f.faultf(field, "is %s, which no calendar has: write a day that exists, as YYYY-MM-DD", quote(value))
			return time.Time{}, false
		}
		return day, true
	}
	// time.Parse takes more than RFC 3339 does: an hour of one digit, and a comma before the fraction.
	const whole = "0000-00-00T00:00:00"
	t, err := time.Parse(time.RFC3339, value)
	if err != nil || !hasShape(value[:len(whole)], whole) || strings.Contains(value, ",") {
		f.faultf(field, "is %s: write a date, as YYYY-MM-DD, or a timestamp in UTC, such as 2026-11-22T05:00:00Z", quote(value))
		return time.Time{}, false
	}
	if !strings.HasSuffix(value, "Z") && !strings.HasSuffix(value, "+00:00") {
		f.faultf(field, "is %s, which is not in UTC: write %s", quote(value), t.UTC().Format(time.RFC3339Nano))
		return time.Time{}, false
	}
	return t, true
}

// hasShape reports whether a text is like shape, in which 0 stands for any digit.
func hasShape(s, shape string) bool {
	if len(s) != len(shape) {
		return false
	}
	for i := range len(s) {
		if shape[i] == '0' && (s[i] < '0' || s[i] > '9') || shape[i] != '0' && s[i] != shape[i] {
			return false
		}
	}
	return true
}

// quote shows a value of the caller in a message, cut where it is long, unprintable characters escaped.
func quote(s string) string {
	const most = 64
	if runes := []rune(s); len(runes) > most {
		return fmt.Sprintf("%q…", string(runes[:most]))
	}
	return fmt.Sprintf("%q", s)
}

// View is how much of a run GetRun asks for.
type View string

// The documented views (Amperity API reference, GET /workflow/runs/{id}).
const (
	// ViewOverview is id, state, type, name, tenant, created_at and ended_at.
	ViewOverview View = "overview"
	// ViewVerbose is everything, with the tasks.
	ViewVerbose View = "verbose"
)

// checkRunID refuses what would ask for something else than a run: nothing, a slash, the dots of a path.
func (f *faults) checkRunID(id string) {
	switch {
	case strings.Trim(id, ".") == "":
		f.faultf(fieldRunID, "is %s: write the id of a run, such as wf-20240603-12345-MNabc", quote(id))
	case !isCleanID(id):
		f.faultf(fieldRunID, "is %s: write it without blanks, slashes, quotes and unprintable characters", quote(id))
	}
}

func (f *faults) checkView(v View) {
	switch v {
	case "", ViewOverview, ViewVerbose:
	default:
		f.faultf(fieldView, "is %s: write overview or verbose", quote(string(v)))
	}
}
