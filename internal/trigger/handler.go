// Package trigger is the function that schedules, people and state machines
// invoke to start a workflow run.
package trigger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/held"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// A Launcher starts runs; see [launch.Launcher.Launch] for what its errors mean.
type Launcher interface {
	Launch(ctx context.Context, in launch.Launch) (record.Result, error)
}

// Held has the launches that wait for the operator, and carries out the answers;
// [launch.Resolver] is one.
type Held interface {
	Release(ctx context.Context, w held.Command) (record.Result, error)
	Adopt(ctx context.Context, w held.Command) (record.Result, error)
	Discard(ctx context.Context, w held.Command) (record.Result, error)
	List(ctx context.Context) (list []held.Launch, more bool, err error)
}

// Handler answers trigger's invocations.
type Handler struct {
	Launcher  Launcher
	Held      Held
	Announcer launch.Announcer
	// Now is the clock that relative ranges without a scheduled time, and
	// nothing else, count from.
	Now    func() time.Time
	Logger *slog.Logger
	// Tenant is named in the announcement of a rejected input.
	Tenant string
}

// manualWarning tells the caller that nothing names the start.
const manualWarning = "the input has no idempotency_key to know this start by: invoking it again starts another run"

// hintInput goes into the announcement of an input that is rejected.
const hintInput = "no run was started: correct the input where it is written, a schedule, a rule or a call"

// HeldList is the answer to {"list":"held"}.
type HeldList struct {
	Held []held.Launch `json:"held"`
	// More: there are others, which are not listed.
	More bool `json:"more,omitempty"`
}

// Invoke answers one invocation with a [launch.Result] as JSON, or with a
// [HeldList]. It returns an error only where nothing was begun and the
// invocation should be repeated: one of package launch. A person's word that
// cannot be carried out is an error too.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if c, ok := parseCommand(payload); ok {
		return h.runCommand(ctx, c)
	}
	res, err := h.handle(ctx, payload)
	if err != nil {
		return nil, err
	}
	return encode(res)
}

func (h *Handler) handle(ctx context.Context, payload []byte) (record.Result, error) {
	requestID := ""
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		requestID = lc.AwsRequestID
	}
	in, err := ParseInput(payload)
	if err != nil {
		return h.reject(ctx, in, payload, requestID, err)
	}
	l, warning := Decide(in, h.Now(), requestID)
	l.InputHash = in.hash()
	res, err := h.Launcher.Launch(ctx, l)
	if err == nil && res.Warning == "" {
		res.Warning = warning
	}
	return res, err
}

// encode writes an answer, with < and > as they are: some of our texts are there to
// be copied.
func encode(answer any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(answer)
	return bytes.TrimSpace(b.Bytes()), err
}

// runCommand does what a person says.
func (h *Handler) runCommand(ctx context.Context, c command) ([]byte, error) {
	if len(c.faults) > 0 {
		return nil, &CommandError{Faults: c.faults}
	}
	var res record.Result
	var err error
	switch c.verb {
	case "list":
		var answer HeldList
		if answer.Held, answer.More, err = h.Held.List(ctx); err != nil {
			return nil, err
		}
		return encode(answer)
	case "release":
		res, err = h.Held.Release(ctx, c.Command)
	case "adopt":
		res, err = h.Held.Adopt(ctx, c.Command)
	case "discard":
		res, err = h.Held.Discard(ctx, c.Command)
	}
	if err != nil {
		return nil, err
	}
	return encode(res)
}

// Decide makes the launch that in asks for. Relative ranges count from the
// scheduled time, else from now; requestID names a manual start that the
// caller gave no idempotency key. The warning, if any, is for the caller.
func Decide(in Input, now time.Time, requestID string) (l launch.Launch, warning string) {
	l = launch.Launch{
		Request:   amperity.RunRequest{ConfigID: in.ConfigID, RangeFrom: in.RangeFrom, RangeTo: in.RangeTo, RunMode: in.RunMode},
		Cause:     in.cause(requestID),
		Resource:  in.ScheduleARN,
		IfUnknown: in.IfUnknown,
	}
	// What is started by hand is not wanted for ever either.
	anchor := now
	l.NotAfter = now.Add(in.MaxAge)
	if scheduled := in.ScheduledTime; !scheduled.IsZero() {
		anchor = scheduled
		l.NotAfter = scheduled.Add(in.MaxAge)
	}
	if in.Range != nil {
		l.Request.RangeFrom, l.Request.RangeTo = in.Range.Resolve(anchor)
	}
	switch {
	case in.IdempotencyKey != "":
		l.Key = strings.Join([]string{"manual", in.ConfigID, in.IdempotencyKey}, "/")
	case !in.ScheduledTime.IsZero():
		arn := in.ScheduleARN
		if arn == "" {
			arn = "-"
		}
		l.Key = strings.Join([]string{"schedule", in.ConfigID, arn, l.Cause.ScheduledTime}, "/")
	default:
		l.Key = strings.Join([]string{"manual", in.ConfigID, requestID}, "/")
		warning = manualWarning
	}
	return l, warning
}

// cause tells what invoked the function, as far as the input says.
func (in Input) cause(requestID string) announcement.Cause {
	c := announcement.Cause{Type: announcement.CauseManual, ScheduleARN: in.ScheduleARN, RequestID: requestID}
	if !in.ScheduledTime.IsZero() {
		c.Type, c.ScheduledTime = announcement.CauseSchedule, in.ScheduledTime.Format(time.RFC3339Nano)
	}
	return c
}

// reject announces and answers an input that cannot be carried out. It is
// settled by that: delivering it again would not make it right. in is what could
// be read of it.
func (h *Handler) reject(ctx context.Context, in Input, payload []byte, requestID string, invalid error) (record.Result, error) {
	cause := in.cause(requestID)
	var resources []string
	if in.ScheduleARN != "" {
		resources = []string{in.ScheduleARN}
	}
	detail := &announcement.Error{Kind: announcement.ErrorInvalidInput, Message: invalid.Error()}
	h.Logger.WarnContext(ctx, "input rejected",
		slog.String(telemetry.Outcome, string(record.Rejected)),
		slog.String(telemetry.Reason, announcement.ReasonInvalidInput),
		slog.String(telemetry.ConfigID, in.ConfigID),
		slog.String("schedule_arn", in.ScheduleARN),
		slog.String(telemetry.Error, detail.Message),
		telemetry.Count("Launches", string(record.Rejected)))
	sum := sha256.Sum256(payload)
	err := h.Announcer.Announce(ctx, announcement.Announcement{
		Type:      announcement.RunRejected,
		Resources: resources,
		Detail: announcement.Detail{
			Version: announcement.Version,
			ID:      announcement.ID(announcement.RunRejected, "input", requestID, hex.EncodeToString(sum[:])),
			Tenant:  h.Tenant,
			Reason:  announcement.ReasonInvalidInput,
			Hint:    hintInput,
			Cause:   &cause,
			Error:   detail,
		},
	})
	if err != nil {
		return record.Result{}, &launch.AnnounceError{Err: err}
	}
	return record.Result{Outcome: record.Rejected, Reason: announcement.ReasonInvalidInput, Error: detail}, nil
}
