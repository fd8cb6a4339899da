// Package trigger is the function that schedules, operators and state machines
// invoke to start a workflow run.
package trigger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/held"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// A Launcher starts runs and announces inputs that cannot be carried out.
// [launch.Launcher] documents its errors.
type Launcher interface {
	Launch(ctx context.Context, in launch.Launch) (record.Result, error)
	Reject(ctx context.Context, r launch.Rejection) (record.Result, error)
}

// Held lists the launches that wait for the operator, and carries out the
// operator's commands. [held.Resolver] is one.
type Held interface {
	Release(ctx context.Context, cmd held.Command) (record.Result, error)
	Adopt(ctx context.Context, cmd held.Command) (record.Result, error)
	Discard(ctx context.Context, cmd held.Command) (record.Result, error)
	List(ctx context.Context) (list []held.Launch, more bool, err error)
}

// Handler answers trigger's invocations.
type Handler struct {
	Launcher Launcher
	Held     Held
	// Now returns the current time. A start without a scheduled time counts its
	// relative range and its age from it.
	Now func() time.Time
}

// manualWarning warns the caller that the start has no name.
const manualWarning = "the input has no idempotency_key: invoking it again starts another run"

// hintInput is the hint in the announcement of a rejected input.
const hintInput = "no run was started: correct the input where it is written, a schedule, a rule or a call"

// HeldList is the result of {"list":"held"}.
type HeldList struct {
	Held []held.Launch `json:"held"`
	// More: there are launches beyond those in Held.
	More bool `json:"more,omitempty"`
}

// Invoke handles one invocation. It returns a [record.Result] or a [HeldList]
// as JSON. If nothing was begun and the caller should repeat the invocation, it
// returns an error of package launch or record. It also returns an error for a
// command that cannot be carried out.
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

// encode encodes a result without escaping < and >, because users copy some of
// our texts.
func encode(answer any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(answer)
	return bytes.TrimSpace(b.Bytes()), err
}

// runCommand carries out an operator's command.
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

// Decide returns the launch that in requests. Relative ranges count from the
// scheduled time, or from now if there is none. requestID names a manual start
// without an idempotency key. The warning, if any, is for the caller.
func Decide(in Input, now time.Time, requestID string) (l launch.Launch, warning string) {
	l = launch.Launch{
		Request:   amperity.RunRequest{ConfigID: in.ConfigID, RangeFrom: in.RangeFrom, RangeTo: in.RangeTo, RunMode: in.RunMode},
		Cause:     in.cause(requestID),
		Resource:  in.ScheduleARN,
		IfUnknown: in.IfUnknown,
	}
	// A manual start expires too.
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

// cause returns what invoked the function, by the fields of the input.
func (in Input) cause(requestID string) announcement.Cause {
	c := announcement.Cause{Type: announcement.CauseManual, ScheduleARN: in.ScheduleARN, RequestID: requestID}
	if !in.ScheduledTime.IsZero() {
		c.Type, c.ScheduledTime = announcement.CauseSchedule, in.ScheduledTime.Format(time.RFC3339Nano)
	}
	return c
}

// reject announces an invalid input and returns the result. in has the fields
// that could be read.
func (h *Handler) reject(ctx context.Context, in Input, payload []byte, requestID string, invalid error) (record.Result, error) {
	sum := sha256.Sum256(payload)
	return h.Launcher.Reject(ctx, launch.Rejection{
		Delivery: []string{requestID, hex.EncodeToString(sum[:])},
		ConfigID: in.ConfigID,
		Cause:    in.cause(requestID),
		Resource: in.ScheduleARN,
		Problem:  invalid.Error(),
		Hint:     hintInput,
	})
}
