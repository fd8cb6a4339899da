package trigger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/nearest"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/schedule"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Input is the checked input of trigger.
type Input struct {
	ConfigID string
	RunMode  amperity.RunMode
	// RangeFrom and RangeTo are sent unchanged if Range is nil.
	RangeFrom, RangeTo string
	// Range counts from the scheduled time, or from now if there is none.
	Range *schedule.Relative
	// ScheduledTime is when the schedule was due; zero for a manual start.
	ScheduledTime time.Time
	// ScheduleARN is the ARN of the schedule or rule, or empty.
	ScheduleARN string
	// IdempotencyKey is the caller's name for the launch, or empty.
	IdempotencyKey string
	// MaxAge is how long after ScheduledTime, or after the call of a manual start,
	// the run may still start.
	MaxAge time.Duration
	// IfUnknown is hold or retry.
	IfUnknown record.IfUnknown
}

// Bounds of the input. The input of an EventBridge schedule has at most 256 KB.
// Ours has ten short fields.
const (
	maxInput      = 64 << 10
	maxConfigID   = 200
	maxKeyLength  = 128
	maxARNLength  = 1600
	defaultMaxAge = 24 * time.Hour
	// maxMaxAge is longer than any retry or redrive takes.
	maxMaxAge = 45 * 24 * time.Hour
)

// InputError lists everything that is wrong with an input.
type InputError struct {
	Faults []Fault
}

// A Fault is one thing wrong with an input.
type Fault struct {
	// Field is the input's field, such as "range.from", or empty for the whole
	// input.
	Field string
	// Message states what is wrong and what to write instead.
	Message string
}

func (e *InputError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.Message
		if f.Field != "" {
			lines[i] = f.Field + ": " + f.Message
		}
	}
	return strings.Join(lines, "; ")
}

// faults collects the faults of one input.
type faults []Fault

func (f *faults) faultf(field, format string, args ...any) {
	*f = append(*f, Fault{Field: field, Message: fmt.Sprintf(format, args...)})
}

// ParseInput parses and checks trigger's input: a JSON object whose unknown
// fields are errors. Its error is an [*InputError] with every fault. The input
// then has the fields that could be read, only to show where it came from.
func ParseInput(payload []byte) (Input, error) {
	var f faults
	in := parse(payload, &f)
	if len(f) > 0 {
		return in, &InputError{Faults: f}
	}
	return in, nil
}

func parse(payload []byte, f *faults) (in Input) {
	if len(payload) > maxInput {
		f.faultf("", "the input has %d bytes and may have %d", len(payload), maxInput)
		return in
	}
	o, ok := object(payload, "", f)
	if !ok || foreign(o, f) {
		return in
	}
	in.ConfigID = o.filled("", "config_id", emptyIDText, f)
	if len(in.ConfigID) > maxConfigID {
		f.faultf("config_id", "has %d bytes and may have %d", len(in.ConfigID), maxConfigID)
	}
	in.RunMode = amperity.RunMode(o.filled("", "run_mode", emptyText, f))
	in.RangeFrom = o.filled("", "range_from", emptyText, f)
	in.RangeTo = o.filled("", "range_to", emptyText, f)
	in.IfUnknown = ifUnknown(o.text("if_unknown", f), in.RunMode, f)
	in.IdempotencyKey = idempotencyKey(o.filled("", "idempotency_key", emptyText, f), f)
	in.ScheduledTime = scheduledTime(o.filled("", "scheduled_time", emptyText, f), f)
	in.ScheduleARN = scheduleARN(o.text("schedule_arn", f), f)
	in.MaxAge = maxAge(o.text("max_age", f), !in.ScheduledTime.IsZero() || o.has("scheduled_time"), f)
	if raw, given := o["range"]; given && blank(raw) {
		f.faultf("range", "%s", emptyText)
	} else if given {
		in.Range = relative(raw, f)
		if in.RangeFrom != "" || in.RangeTo != "" {
			f.faultf("range", "a relative range and range_from or range_to exclude each other: give one of them")
		}
	}
	o.unknown(known, "", f)
	request := amperity.RunRequest{ConfigID: in.ConfigID, RangeFrom: in.RangeFrom, RangeTo: in.RangeTo, RunMode: in.RunMode}
	if in.Range != nil && in.RangeFrom == "" && in.RangeTo == "" {
		request.RangeFrom, request.RangeTo = in.Range.Resolve(time.Unix(0, 0))
	}
	var invalid *amperity.RequestError
	if err := request.Validate(); errors.As(err, &invalid) {
		for _, p := range invalid.Problems {
			if in.Range != nil && (p.Field == "range_from" || p.Field == "range_to") {
				p.Field = "range" // the two were made of it
			}
			// A field of the wrong type has already been reported.
			if !slices.ContainsFunc(*f, func(x Fault) bool { return x.Field == p.Field }) {
				*f = append(*f, Fault{Field: p.Field, Message: p.Message})
			}
		}
	}
	return in
}

var known = []string{"config_id", "run_mode", "range_from", "range_to", "range", "scheduled_time",
	"schedule_arn", "idempotency_key", "max_age", "if_unknown"}

// An EventBridge input transformer writes "" for a path that the event does not
// have. Other tools write null for a value that is not set. If that counted as
// left out, it could start the wrong run, such as a full run instead of one
// day.
const (
	emptyText       = "is empty: leave the field out, or correct the input transformer's path, which is missing from the event"
	emptyIDText     = "is empty: write the id of a courier group (cg-…), an orchestration group (og-…) or a campaign (cc-…), or correct the input transformer's path, which is missing from the event"
	emptyOffsetText = "is empty: write days or hours from the scheduled time, such as -1d, 0d or -6h, or correct the input transformer's path, which is missing from the event"
)

// foreign reports well-formed inputs that are meant for something else.
func foreign(o fields, f *faults) bool {
	if o.has("detail-type") && o.has("source") {
		f.faultf("", "this is a raw EventBridge event, which carries no config id: "+
			"give the rule's target an input transformer with the paths {\"time\":\"$.time\",\"rule\":\"$.resources[0]\"} and the template "+
			"{\"config_id\":\"cg-…\",\"range\":{\"from\":\"-1d\",\"to\":\"0d\"},\"scheduled_time\":<time>,\"schedule_arn\":<rule>}, "+
			"without range for an og-… or cc-…")
		return true
	}
	return false
}

// hash returns a hash of the input's meaning, independent of how it is written.
// It leaves out the idempotency key, which is in the launch key.
func (in Input) hash() string {
	text := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Format(time.RFC3339Nano)
	}
	relative := ""
	if in.Range != nil {
		relative = in.Range.String()
	}
	// Quotes around each part keep different lists different.
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []string{in.ConfigID, string(in.RunMode), in.RangeFrom, in.RangeTo, relative,
		text(in.ScheduledTime), in.ScheduleARN, in.MaxAge.String(), string(in.IfUnknown)}))
	return hex.EncodeToString(sum[:16])
}

func relative(raw json.RawMessage, f *faults) *schedule.Relative {
	o, ok := object(raw, "range", f)
	if !ok {
		return nil
	}
	before := len(*f)
	from := o.filled("range", "from", emptyOffsetText, f)
	to := o.filled("range", "to", emptyOffsetText, f)
	zone := o.filled("range", "timezone", emptyText, f)
	o.unknown([]string{"from", "to", "timezone"}, "range", f)
	if len(*f) > before {
		return nil
	}
	r, err := schedule.Parse(from, to, zone)
	var invalid *schedule.Error
	if errors.As(err, &invalid) {
		for _, p := range invalid.Faults {
			*f = append(*f, Fault{Field: p.Field, Message: p.Message})
		}
		return nil
	}
	return &r
}

func scheduledTime(s string, f *faults) time.Time {
	if s == "" {
		return time.Time{}
	}
	if strings.HasPrefix(s, "<") {
		f.faultf("scheduled_time", "%.60q is a placeholder that only EventBridge Scheduler fills in: write a time as 2026-11-22T06:00:00Z", s)
		return time.Time{}
	}
	// time.Parse drops digits after the nanoseconds, so two instants would be
	// one launch.
	if i := strings.IndexAny(s, ".,"); i >= 0 && len(strings.TrimRight(digits(s[i+1:]), "0")) > 9 {
		f.faultf("scheduled_time", "%.60q has more than nine digits after the second: write at most nine", s)
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	// Years outside this range are typing mistakes, and dates near them may not
	// have four digits.
	if err != nil || t.Year() < 2000 || t.Year() > 2999 {
		f.faultf("scheduled_time", "%.60q is not a time: write it as 2026-11-22T06:00:00Z", s)
		return time.Time{}
	}
	return t.UTC()
}

// digits returns the leading digits of s.
func digits(s string) string { return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))] }

func scheduleARN(s string, f *faults) string {
	if s == "" {
		return ""
	}
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[2] != "scheduler" && p[2] != "events" || p[5] == "" ||
		len(s) > maxARNLength || strings.ContainsFunc(s, notPrintable) {
		f.faultf("schedule_arn", "%.60q is not the ARN of a schedule or a rule: write <aws.scheduler.schedule-arn> in a schedule's input, or leave it out", s)
		return ""
	}
	return s
}

func idempotencyKey(s string, f *faults) string {
	if len(s) > maxKeyLength || strings.ContainsFunc(s, notPrintable) {
		f.faultf("idempotency_key", "must be at most %d printable ASCII characters without blanks", maxKeyLength)
	}
	return s
}

func notPrintable(r rune) bool { return r <= ' ' || r > '~' }

func maxAge(s string, scheduled bool, f *faults) time.Duration {
	if s == "" {
		return defaultMaxAge
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 || d > maxMaxAge {
		f.faultf("max_age", "%.60q is not a duration above 0 and up to 1080h: write it as 24h or 90m", s)
	}
	if !scheduled {
		f.faultf("max_age", "counts from scheduled_time: give that too, or leave max_age out")
	}
	return d
}

func ifUnknown(s string, mode amperity.RunMode, f *faults) record.IfUnknown {
	switch v := record.IfUnknown(s); v {
	case record.Hold, record.Retry:
		return v
	case "":
		if mode == amperity.RunModeSource || mode == amperity.RunModeRefresh {
			return record.Retry
		}
	default:
		f.faultf("if_unknown", "%.60q is neither hold nor retry", s)
	}
	return record.Hold
}

// fields are the members of one JSON object.
type fields map[string]json.RawMessage

func object(raw []byte, name string, f *faults) (fields, bool) {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 {
		f.faultf(name, "the input is empty: give at least {\"config_id\":\"cg-…\"}")
		return nil, false
	}
	what, example := "the input ", `{"config_id":"cg-…"}`
	if name == "range" {
		what, example = "", `{"from":"-1d","to":"0d"}`
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	var o fields
	if err := d.Decode(&o); err != nil || o == nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			f.faultf(name, "%sis not JSON, at byte %d: %v", what, syntax.Offset, syntax)
		} else if errors.Is(err, io.ErrUnexpectedEOF) {
			f.faultf(name, "%sis not JSON: it ends too soon", what)
		} else {
			f.faultf(name, "%smust be a JSON object, as %s", what, example)
		}
		return nil, false
	}
	if _, err := d.Token(); err != io.EOF {
		f.faultf(name, "%shas something after the JSON object: remove it", what)
		return nil, false
	}
	for _, twice := range repeated(raw) {
		f.faultf(join(name, twice), "is given twice: leave one out")
	}
	return o, true
}

// repeated returns the names that a valid JSON object has more than once. Which
// of the values was meant is unknown.
func repeated(object []byte) (names []string) {
	d := json.NewDecoder(bytes.NewReader(object))
	_, _ = d.Token() // the brace
	seen := map[string]bool{}
	for d.More() {
		key, _ := d.Token()
		name, _ := key.(string)
		if seen[name] && !slices.Contains(names, name) {
			names = append(names, name)
		}
		seen[name] = true
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return names
		}
	}
	return names
}

func join(parent, name string) string {
	name = fmt.Sprintf("%.60s", name)
	if parent == "" {
		return name
	}
	return parent + "." + name
}

func (o fields) has(name string) bool { _, ok := o[name]; return ok }

func (o fields) take(name string) (json.RawMessage, bool) {
	raw, ok := o[name]
	return raw, ok && string(raw) != "null"
}

// blank reports whether a JSON value is null or a string of blanks only.
func blank(raw json.RawMessage) bool {
	var s *string
	return json.Unmarshal(raw, &s) == nil && (s == nil || strings.TrimSpace(*s) == "")
}

// filled returns the string member name. If the member is present and blank, it
// reports a fault with the message empty.
func (o fields) filled(parent, name, empty string, f *faults) string {
	if raw, given := o[name]; given && blank(raw) {
		f.faultf(join(parent, name), "%s", empty)
		return ""
	}
	return o.textAt(parent, name, f)
}

// text returns the string member name. Null counts as left out.
func (o fields) text(name string, f *faults) string { return o.textAt("", name, f) }

func (o fields) textAt(parent, name string, f *faults) string {
	raw, ok := o.take(name)
	if !ok {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		f.faultf(join(parent, name), "must be a string")
	}
	return s
}

func (o fields) unknown(known []string, parent string, f *faults) {
	var names []string
	for name := range o {
		if !slices.Contains(known, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	list := ": the fields are " + strings.Join(known, ", ")
	for _, name := range names {
		if meant, ok := nearest.Match(name, known); ok {
			f.faultf(join(parent, name), "is not known here: did you mean %s?", meant)
			continue
		}
		f.faultf(join(parent, name), "is not known here%s", list)
		list = "" // once is enough
	}
}
