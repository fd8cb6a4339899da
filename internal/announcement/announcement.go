// Package announcement defines the published events about launches, runs and
// files: their names, their content and their exact bytes.
//
// Fill an [Announcement], set the id of its detail with [ID], and encode it for
// EventBridge with [Announcement.Encode]. Consumers receive each announcement
// at least once. A repeat has the same id, so that consumers can drop it. The
// package is pure: it sends nothing and imports no AWS SDK.
package announcement

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Source is the "source" of every event.
const Source = "amperity.workflow"

// Version is the version of the detail's form. It changes only if a field is
// removed or changes its meaning. New fields may be added at any time.
const Version = "1"

// DetailType is the "detail-type" of an event: what happened.
type DetailType string

// The published events.
const (
	// RunStarted: Amperity accepted the request and returned a run.
	RunStarted DetailType = "Amperity Workflow Run Started"
	// RunRejected: the input is invalid or Amperity refused the request
	// permanently. There is no run until the operator changes something.
	RunRejected DetailType = "Amperity Workflow Run Rejected"
	// RunBlocked: the request cannot be sent or processed now. Nothing was
	// started, and the launch is retried.
	RunBlocked DetailType = "Amperity Workflow Run Blocked"
	// RunHeld: the launch waits for the operator, because it could do harm if
	// it continued automatically.
	RunHeld DetailType = "Amperity Workflow Run Held"
	// RunDiscarded: the operator has discarded a held launch. Nothing more is
	// started for it.
	RunDiscarded DetailType = "Amperity Workflow Run Discarded"
	// FilesMissing: a window's deadline has passed and files are missing.
	FilesMissing DetailType = "Amperity Files Missing"
	// FilesComplete: the missing files have arrived, and the window launches.
	FilesComplete DetailType = "Amperity Files Complete"
	// FilesUnrouted: files arrived that no route matches. Nothing is started
	// for them.
	FilesUnrouted DetailType = "Amperity Files Unrouted"
	// WindowAbandoned: files were waiting in a window whose route is gone.
	// Nothing is started for them.
	WindowAbandoned DetailType = "Amperity Window Abandoned"
)

// Why a launch is held: values of Detail.Reason with RunHeld.
const (
	// ReasonUnknownOutcome: the outcome of a request is unknown, so a run may
	// still appear in Amperity.
	ReasonUnknownOutcome = "unknown_outcome"
	// ReasonTooOld: the launch could not be sent within its maximum age, or the
	// events of its files came more than 45 days late.
	ReasonTooOld = "too_old"
	// ReasonLateFile: a file arrived after its window's launch, or may be a
	// repeat of a file whose launch was rejected or discarded.
	ReasonLateFile = "late_file"
	// ReasonRerunLimit: the window has reached its limit of reruns.
	ReasonRerunLimit = "rerun_limit"
	// ReasonOverlap: another run of the config id has been running for too
	// long.
	ReasonOverlap = "overlap"
	// ReasonImplausibleDate: the dates in the keys of files are before 2000 or
	// more than 400 days ahead.
	ReasonImplausibleDate = "implausible_date"
)

// ReasonFilesMissing is the Detail.Reason with FilesMissing.
const ReasonFilesMissing = "files_missing"

// Why a launch is blocked: values of Detail.Reason with RunBlocked.
const (
	// ReasonUnreachable: no connection to Amperity or to the secret.
	ReasonUnreachable = "unreachable"
	// ReasonRateLimited: Amperity returned 429.
	ReasonRateLimited = "rate_limited"
	// ReasonUnauthorized: the token or the credentials were refused.
	ReasonUnauthorized = "unauthorized"
	// ReasonBusy: Amperity returned 409, because the group is running.
	ReasonBusy = "busy"
	// ReasonPaused: the stack is paused.
	ReasonPaused = "paused"
)

// Why a launch is rejected: values of Detail.Reason with RunRejected.
const (
	// ReasonInvalidInput: the input is not a valid launch.
	ReasonInvalidInput = "invalid_input"
	// ReasonRefused: Amperity refused the request permanently.
	ReasonRefused = "refused"
)

// What went wrong: values of Error.Kind.
const (
	// ErrorRejected: Amperity refused the request permanently (400, 403, 404
	// …).
	ErrorRejected = "rejected"
	// ErrorUnauthorized: 401, or the secret is unusable.
	ErrorUnauthorized = "unauthorized"
	// ErrorBusy: 409.
	ErrorBusy = "busy"
	// ErrorRateLimited: 429.
	ErrorRateLimited = "rate_limited"
	// ErrorUnreachable: nothing was sent.
	ErrorUnreachable = "unreachable"
	// ErrorUnknown: the request may have been processed, and its outcome is
	// unknown.
	ErrorUnknown = "unknown"
	// ErrorTooOld: nothing was sent, because the launch could not be sent in time
	// or its files are too old.
	ErrorTooOld = "too_old"
	// ErrorPaused: the stack is paused; nothing was sent.
	ErrorPaused = "paused"
	// ErrorInvalidInput: the input has faults; Message names all of them.
	ErrorInvalidInput = "invalid_input"
	// ErrorPolicy: the route's rules or this product's bounds hold the launch.
	ErrorPolicy = "policy"
	// ErrorDiscarded: the operator has discarded the launch. Message is the
	// reason.
	ErrorDiscarded = "discarded"
)

// What caused a launch: values of Cause.Type.
const (
	CauseSchedule = "schedule"
	CauseArrival  = "arrival"
	CauseManual   = "manual"
)

// Announcement is one event: its type, the resources it is about and its
// detail.
type Announcement struct {
	Type DetailType
	// Resources are ARNs: of the schedule, or of the first file.
	// BoundedResources returns the published ones. The ARN of a file begins
	// with arn:aws:s3:::, and the publisher inserts the partition of its
	// region.
	Resources []string
	Detail    Detail
}

// Detail is an event's "detail". The schemas in docs/events, one per
// DetailType, describe its JSON form.
type Detail struct {
	// Version is [Version]. Encode sets it if it is empty.
	Version string `json:"version"`
	// ID is the id of the announcement, from [ID].
	ID string `json:"id"`
	// LaunchKey is the key of the launch, or empty if there is none.
	LaunchKey string `json:"launch_key,omitempty"`
	// Tenant is the Amperity tenant id.
	Tenant string `json:"tenant"`
	// Reason is one of the Reason constants.
	Reason string `json:"reason,omitempty"`
	// HoldNumber is the number that a release, adopt or discard must name. It
	// counts how often the operator was asked.
	HoldNumber int `json:"hold,omitempty"`
	// Hint is a sentence that tells the operator what to do.
	Hint string `json:"hint,omitempty"`
	// Cause is what caused the launch.
	Cause *Cause `json:"cause,omitempty"`
	// Request is the request that was, or would have been, sent to Amperity.
	Request *amperity.RunRequest `json:"request,omitempty"`
	// Run is Amperity's response with all its fields.
	Run *amperity.Run `json:"run,omitempty"`
	// Error is what went wrong.
	Error *Error `json:"error,omitempty"`
	// Candidates are the runs that the launch may have started.
	Candidates []Candidate `json:"candidates,omitempty"`
	// Window is the window that the announcement is about.
	Window *Window `json:"window,omitempty"`
	// Unrouted are the files that no route matches.
	Unrouted *Unrouted `json:"unrouted,omitempty"`
	// Truncated reports whether something was cut or left out to keep the event
	// within EventBridge's limits. Encode sets it.
	Truncated bool `json:"truncated,omitempty"`
}

// Cause is what caused a launch.
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
	// Status is the HTTP status, or 0 without a response.
	Status int `json:"status,omitempty"`
	// Message is the error text for the operator.
	Message string `json:"message"`
	// RequestID and TraceID are Amperity's ids, for its support.
	RequestID string `json:"request_id,omitempty"`
	TraceID   string `json:"trace_id,omitempty"`
}

// Candidate is a run that the launch may have started.
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
	// Deadline is when the files were due, RFC 3339.
	Deadline string `json:"deadline,omitempty"`
	// Files counts the files. FirstFile and LastFile are when the first and the
	// last were received, RFC 3339. Samples names some of them as
	// s3://bucket/key, at most [MaxFiles].
	Files     int      `json:"files"`
	FirstFile string   `json:"first_file_at,omitempty"`
	LastFile  string   `json:"last_file_at,omitempty"`
	Samples   []string `json:"samples,omitempty"`
	// Unmet and Met are the missing and the present entries of the route's
	// files, at most [MaxFiles] each.
	Unmet []Unmet `json:"unmet,omitempty"`
	Met   []Met   `json:"met,omitempty"`
}

// Unmet is an entry of a route's files that is missing.
type Unmet struct {
	Pattern string `json:"pattern"`
	// Have and Want count files with different names.
	Have int `json:"have"`
	Want int `json:"want"`
}

// Met is an entry of a route's files that is present.
type Met struct {
	Pattern string `json:"pattern"`
	// Since is when the entry was met, RFC 3339.
	Since string `json:"since"`
}

// Unrouted are files that no route matches.
type Unrouted struct {
	// Count is the number of all files, even if Files lists fewer.
	Count int `json:"count"`
	// AtLeast says that Count may be too low: so many files came that some
	// could not be distinguished from repeats of their events.
	AtLeast bool `json:"at_least,omitempty"`
	// Files lists the first files, at most [MaxFiles] once encoded.
	Files []File `json:"files"`
}

// File is one object in S3.
type File struct {
	Bucket string `json:"bucket"`
	// Key is the object's key, not URL-encoded.
	Key string `json:"key"`
}

// ID returns the id of an announcement: 32 hexadecimal digits, the same for the
// same type and the same parts in the same order. It hashes each part with its
// length, so that different lists of parts have different ids.
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
