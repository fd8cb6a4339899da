// Package announcement holds the events that are published about launches,
// runs and files: their names, their content and their exact bytes.
//
// Fill an [Announcement], give its detail an id made by [ID], and let
// [Announcement.Encode] write the bytes that go to EventBridge. Consumers get
// each announcement at least once: the id stays the same when one is published
// again, so that they can drop repeats. The package is pure; it sends nothing
// and knows no AWS.
package announcement

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Source is the "source" of every event.
const Source = "amperity.workflow"

// Version is the version of the detail's form. It changes only when a field is
// taken away or changes its meaning; new fields may come at any time.
const Version = "1"

// DetailType is the "detail-type" of an event: what happened.
type DetailType string

// The events that are published.
const (
	// RunStarted: Amperity accepted the request and answered with a run.
	RunStarted DetailType = "Amperity Workflow Run Started"
	// RunRejected: there will be no run until a person changes something,
	// because the input is invalid or Amperity refused the request for good.
	RunRejected DetailType = "Amperity Workflow Run Rejected"
	// RunBlocked: Amperity could not be asked for now. Nothing was started and
	// the launch is tried again.
	RunBlocked DetailType = "Amperity Workflow Run Blocked"
	// RunHeld: the launch is left for a person, because going on by itself
	// could do harm.
	RunHeld DetailType = "Amperity Workflow Run Held"
	// RunDiscarded: a person has ended a launch that was held; nothing more is
	// started for it.
	RunDiscarded DetailType = "Amperity Workflow Run Discarded"
	// FilesMissing: a window's deadline has passed and files are not there.
	FilesMissing DetailType = "Amperity Files Missing"
	// FilesComplete: the files that were missing have come, and the window
	// launches.
	FilesComplete DetailType = "Amperity Files Complete"
	// FilesUnrouted: files came that no route matches. Nothing is started for
	// them.
	FilesUnrouted DetailType = "Amperity Files Unrouted"
	// WindowAbandoned: files were waiting in a window whose route is gone.
	// Nothing is started for them.
	WindowAbandoned DetailType = "Amperity Window Abandoned"
)

// Why a launch is held: values of Detail.Reason with RunHeld.
const (
	// ReasonUnknownOutcome: the request was sent and no answer came, so a run
	// may still appear in Amperity.
	ReasonUnknownOutcome = "unknown_outcome"
	// ReasonTooOld: the launch could not be sent before its greatest age.
	ReasonTooOld = "too_old"
	// ReasonLateFile: a file came after its window's launch.
	ReasonLateFile = "late_file"
	// ReasonRerunLimit: the window has been run again as often as it may.
	ReasonRerunLimit = "rerun_limit"
	// ReasonOverlap: another run of the config id went on for too long.
	ReasonOverlap = "overlap"
	// ReasonImplausibleDate: the dates in the keys of files are before 2000 or
	// more than 400 days ahead.
	ReasonImplausibleDate = "implausible_date"
)

// ReasonFilesMissing is the Detail.Reason with FilesMissing.
const ReasonFilesMissing = "files_missing"

// Why a launch is blocked: values of Detail.Reason with RunBlocked.
const (
	// ReasonUnreachable: no connection to Amperity or to the secret's store.
	ReasonUnreachable = "unreachable"
	// ReasonRateLimited: Amperity answered 429.
	ReasonRateLimited = "rate_limited"
	// ReasonUnauthorized: the token or the credentials were refused.
	ReasonUnauthorized = "unauthorized"
	// ReasonBusy: Amperity answered 409, the group is running.
	ReasonBusy = "busy"
	// ReasonPaused: the stack is paused.
	ReasonPaused = "paused"
)

// Why a launch is rejected: values of Detail.Reason with RunRejected.
const (
	// ReasonInvalidInput: the input cannot be read as a launch.
	ReasonInvalidInput = "invalid_input"
	// ReasonRefused: Amperity answered that the request cannot be processed.
	ReasonRefused = "refused"
)

// What went wrong: values of Error.Kind.
const (
	// ErrorRejected: Amperity refused the request for good (400, 403, 404 …).
	ErrorRejected = "rejected"
	// ErrorUnauthorized: 401, or the secret cannot work.
	ErrorUnauthorized = "unauthorized"
	// ErrorBusy: 409.
	ErrorBusy = "busy"
	// ErrorRateLimited: 429.
	ErrorRateLimited = "rate_limited"
	// ErrorUnreachable: nothing was sent.
	ErrorUnreachable = "unreachable"
	// ErrorUnknown: the request may have been processed, the answer is not
	// known.
	ErrorUnknown = "unknown"
	// ErrorTooOld: the launch could not be sent in time; nothing was sent.
	ErrorTooOld = "too_old"
	// ErrorPaused: the stack is paused; nothing was sent.
	ErrorPaused = "paused"
	// ErrorInvalidInput: the input has faults; Message names all of them.
	ErrorInvalidInput = "invalid_input"
	// ErrorPolicy: the route's own rules, or bounds of this product, hold it.
	ErrorPolicy = "policy"
	// ErrorDiscarded: a person has ended it; Message is why.
	ErrorDiscarded = "discarded"
)

// What made a launch: values of Cause.Type.
const (
	CauseSchedule = "schedule"
	CauseArrival  = "arrival"
	CauseManual   = "manual"
)

// Announcement is one event: its type, the resources it is about and its
// detail.
type Announcement struct {
	Type DetailType
	// Resources are ARNs: of the schedule, or of the first file. What is
	// published of them is what BoundedResources gives. The ARN of a file begins with
	// arn:aws:s3:::, and the publisher puts in the partition of its region.
	Resources []string
	Detail    Detail
}

// Detail is an event's "detail". Its JSON form is described by the schemas in
// docs/events, one per DetailType.
type Detail struct {
	// Version is [Version]; Encode sets it when it is empty.
	Version string `json:"version"`
	// ID names the announcement, made by [ID].
	ID string `json:"id"`
	// LaunchKey names the launch; empty where there is none.
	LaunchKey string `json:"launch_key,omitempty"`
	// Tenant is the Amperity tenant id.
	Tenant string `json:"tenant"`
	// Reason says why, in one word of the Reason constants.
	Reason string `json:"reason,omitempty"`
	// Hold is the number to name when a person ends what this asks for:
	// release, adopt or discard. It counts the times that a person was asked.
	Hold int `json:"hold,omitempty"`
	// Hint says in a sentence what a person should do.
	Hint string `json:"hint,omitempty"`
	// Cause says what made the launch.
	Cause *Cause `json:"cause,omitempty"`
	// Request is the request as it was, or would have been, sent to Amperity.
	Request *amperity.RunRequest `json:"request,omitempty"`
	// Run is Amperity's answer, every field of it.
	Run *amperity.Run `json:"run,omitempty"`
	// Error is what went wrong.
	Error *Error `json:"error,omitempty"`
	// Candidates are the runs that the launch may have started.
	Candidates []Candidate `json:"candidates,omitempty"`
	// Window is the window that the announcement is about.
	Window *Window `json:"window,omitempty"`
	// Unrouted are the files that no route matches.
	Unrouted *Unrouted `json:"unrouted,omitempty"`
	// Truncated tells that something was cut or left out so that the event
	// keeps within EventBridge's limit. Encode sets it.
	Truncated bool `json:"truncated,omitempty"`
}

// Cause is what made a launch.
type Cause struct {
	// Type is CauseSchedule, CauseArrival or CauseManual.
	Type string `json:"type"`
	// ScheduleARN is the schedule's or rule's ARN.
	ScheduleARN string `json:"schedule_arn,omitempty"`
	// ScheduledTime is when the schedule was due, RFC 3339.
	ScheduledTime string `json:"scheduled_time,omitempty"`
	// Route is the route's name.
	Route string `json:"route,omitempty"`
	// Period is the window's period, "2026-11-22" or "2026-11-22T05:00:00Z".
	Period string `json:"period,omitempty"`
	// FirstFile is the first file of the window, "s3://bucket/key".
	FirstFile string `json:"first_file,omitempty"`
	// Files is how many files the launch covers.
	Files int `json:"files,omitempty"`
	// Revision counts the launches of the window.
	Revision int `json:"revision,omitempty"`
	// RequestID is the Lambda request id.
	RequestID string `json:"request_id,omitempty"`
}

// Error is what went wrong.
type Error struct {
	// Kind is one of the Error constants.
	Kind string `json:"kind"`
	// Status is the HTTP status, 0 where no answer came.
	Status int `json:"status,omitempty"`
	// Message is for a person.
	Message string `json:"message"`
	// RequestID and TraceID are Amperity's, to quote to its support.
	RequestID string `json:"request_id,omitempty"`
	TraceID   string `json:"trace_id,omitempty"`
}

// Candidate is a run that may be the one that a launch has started.
type Candidate struct {
	ID            string `json:"id"`
	Name          string `json:"name,omitempty"`
	Type          string `json:"type,omitempty"`
	State         string `json:"state,omitempty"`
	CreatedAt     string `json:"created_at,omitempty"`
	PrincipalID   string `json:"principal_id,omitempty"`
	PrincipalName string `json:"principal_name,omitempty"`
}

// Window is a window and its files.
type Window struct {
	ConfigID string `json:"config_id"`
	Period   string `json:"period"`
	Route    string `json:"route,omitempty"`
	// Deadline is when its files were to be there, RFC 3339.
	Deadline string `json:"deadline,omitempty"`
	// Files counts what came, FirstFile and LastFile are when the first and
	// the last were received, RFC 3339; Samples are some of them, as
	// s3://bucket/key, at most [MaxFiles].
	Files     int      `json:"files"`
	FirstFile string   `json:"first_file_at,omitempty"`
	LastFile  string   `json:"last_file_at,omitempty"`
	Samples   []string `json:"samples,omitempty"`
	// Unmet and Met are the entries of the route's files that are not there,
	// and those that are; at most [MaxFiles] each.
	Unmet []Unmet `json:"unmet,omitempty"`
	Met   []Met   `json:"met,omitempty"`
}

// Unmet is an entry of a route's files that is not there.
type Unmet struct {
	Pattern string `json:"pattern"`
	// Have and Want count files of different names.
	Have int `json:"have"`
	Want int `json:"want"`
}

// Met is an entry of a route's files that is there.
type Met struct {
	Pattern string `json:"pattern"`
	// Since is RFC 3339.
	Since string `json:"since"`
}

// Unrouted are files that no route matches.
type Unrouted struct {
	// Count is how many there are, also where Files lists fewer.
	Count int `json:"count"`
	// AtLeast says that there may be more: so many files came that some could
	// not be told from repeats of their events.
	AtLeast bool `json:"at_least,omitempty"`
	// Files are the first of them, at most [MaxFiles] once encoded.
	Files []File `json:"files"`
}

// File is one object in S3.
type File struct {
	Bucket string `json:"bucket"`
	// Key is the object's key as it is, not URL-encoded.
	Key string `json:"key"`
}

// ID makes the id of an announcement from what it announces: 32 hexadecimal
// digits, the same for the same type and parts in the same order. Each part is
// hashed with its length, so that no two lists of parts run into each other.
func ID(t DetailType, parts ...string) string {
	h := sha256.New()
	write := func(s string) {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(s)))
		h.Write(length[:])
		h.Write([]byte(s))
	}
	write(string(t))
	for _, p := range parts {
		write(p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
