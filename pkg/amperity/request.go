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

// The kinds of configuration that can be run. Their texts are for messages.
const (
	ConfigKindCourierGroup       ConfigKind = "courier group"
	ConfigKindOrchestrationGroup ConfigKind = "orchestration group"
	ConfigKindCampaign           ConfigKind = "campaign"
)

// ConfigKindOf returns what a config id names, by its prefix: cg-, og- or cc-.
// It returns false if the id cannot be a config id.
func ConfigKindOf(configID string) (ConfigKind, bool) {
	kind, rest := splitConfigID(configID)
	if kind == "" || rest == "" || !isCleanID(configID) {
		return "", false
	}
	return kind, true
}

// splitConfigID splits an id after its prefix. The kind is empty for an unknown
// prefix.
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

// isCleanID reports whether an id is free of what typing and pasting add by
// mistake: blanks, slashes, quotes, control characters.
func isCleanID(id string) bool {
	return utf8.ValidString(id) && strings.IndexFunc(id, func(r rune) bool {
		return r == ' ' || !unicode.IsPrint(r) || strings.ContainsRune("/\\\"'`‘’“”", r)
	}) < 0
}

// RunMode is how much of a courier group's workflow runs.
type RunMode string

// The documented run modes (Amperity API reference, POST /workflow/runs).
const (
	// RunModeFull pulls data, refreshes domain tables, runs Stitch and
	// updates databases. It then sends the results downstream: to
	// orchestrations, campaigns and journeys.
	RunModeFull RunMode = "full"
	// RunModeRefresh pulls data, refreshes domain tables, runs Stitch and
	// updates databases.
	RunModeRefresh RunMode = "refresh"
	// RunModeSource pulls data and refreshes domain tables.
	RunModeSource RunMode = "source"
)

// RunRequest is the body of POST /workflow/runs (Amperity API reference).
type RunRequest struct {
	// ConfigID names what to run: a courier group (cg-…), an orchestration
	// group (og-…) or a campaign (cc-…).
	ConfigID string `json:"config_id"`
	// RangeFrom is the inclusive start of the dates to load: YYYY-MM-DD, or
	// an RFC 3339 timestamp in UTC. It is for courier groups only. Amperity
	// requires it for those that load files. Without RangeTo it means that
	// one day.
	RangeFrom string `json:"range_from,omitempty"`
	// RangeTo is the exclusive end, in one of the same two forms. It needs
	// RangeFrom.
	RangeTo string `json:"range_to,omitempty"`
	// RunMode is how much to run. It is for courier groups only. If it is
	// empty, Amperity takes the mode of the group's own schedule.
	RunMode RunMode `json:"run_mode,omitempty"`
}

// The fields in the user's spelling, for Problem.Field.
const (
	fieldConfigID  = "config_id"
	fieldRangeFrom = "range_from"
	fieldRangeTo   = "range_to"
	fieldRunMode   = "run_mode"
	fieldRunID     = "run id"
	fieldView      = "view"
)

// Validate checks the request against the documented rules. It returns nil, or
// a [*RequestError] with every fault. A valid request is encoded to JSON
// without loss.
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

// faults collects what is wrong with a request or with settings, so that one
// error can name all of it.
type faults []Problem

func (f *faults) faultf(field, format string, args ...any) {
	*f = append(*f, Problem{Field: field, Message: fmt.Sprintf(format, args...)})
}

// request returns the faults as the error of a request, or nil.
func (f faults) request() error {
	if len(f) == 0 {
		return nil
	}
	return &RequestError{Problems: f}
}

// checkConfigID returns the kind by the prefix, even if the rest is at fault.
func (f *faults) checkConfigID(id string) ConfigKind {
	kind, rest := splitConfigID(id)
	n := min(len(id), len("cg-"))
	meant := strings.ToLower(id[:n]) + id[n:]
	_, ok := ConfigKindOf(meant)
	switch {
	case id == "":
		f.faultf(fieldConfigID, "is missing: write the id of a courier group (cg-…), an orchestration group (og-…) or a campaign (cc-…)")
	case !isCleanID(id):
		f.faultf(fieldConfigID, "is %s: write it without blanks, slashes, quotes and unprintable characters", quote(id))
	case kind == "" && ok:
		f.faultf(fieldConfigID, "is %s, and capitals count: write %s", quote(id), quote(meant))
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

// checkInstant parses a date or a UTC timestamp. It returns false for a fault
// and for an empty value, which is not a fault.
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
	// time.Parse accepts more than RFC 3339: an hour of one digit, and a
	// comma before the fraction.
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

// hasShape reports whether s has the given shape, in which 0 stands for any
// digit.
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

// quote returns a caller's value for a message: cut if it is long, with
// unprintable characters escaped.
func quote(s string) string {
	const most = 64
	if runes := []rune(s); len(runes) > most {
		return fmt.Sprintf("%q…", string(runes[:most]))
	}
	return fmt.Sprintf("%q", s)
}

// View is how much of a run GetRun returns.
type View string

// The documented views (Amperity API reference, GET /workflow/runs/{id}).
const (
	// ViewOverview has id, state, type, name, tenant, created_at and
	// ended_at.
	ViewOverview View = "overview"
	// ViewVerbose has everything, the tasks included.
	ViewVerbose View = "verbose"
)

// checkRunID refuses an id that would make the URL of something other than a
// run: nothing, a slash, the dots of a path.
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
