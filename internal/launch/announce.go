package launch

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// announceTimeout bounds one announcement.
const announceTimeout = 10 * time.Second

// Announce publishes an announcement, and logs a failure.
func (l *Launcher) Announce(ctx context.Context, a announcement.Announcement) error {
	actx, cancel := l.Clock.WithTimeout(ctx, announceTimeout)
	defer cancel()
	err := l.Announcer.Announce(actx, a)
	if err != nil {
		l.Logger.ErrorContext(ctx, "not announced", slog.String("type", string(a.Type)),
			slog.String(telemetry.LaunchKey, a.Detail.LaunchKey), slog.String(telemetry.Error, err.Error()))
	}
	return err
}

// announcementOf returns the announcement of a launch that is started,
// rejected, held or discarded.
func announcementOf(r *record.LaunchDoc, tenant string) announcement.Announcement {
	t := map[record.State]announcement.DetailType{
		record.StateStarted:   announcement.RunStarted,
		record.StateRejected:  announcement.RunRejected,
		record.StateHeld:      announcement.RunHeld,
		record.StateDiscarded: announcement.RunDiscarded,
	}[r.State]
	d := announcement.Detail{
		Version:    announcement.Version,
		LaunchKey:  r.Key,
		Tenant:     tenant,
		Reason:     r.Reason,
		Cause:      &r.Cause,
		Request:    &r.Request,
		Run:        r.Run,
		Truncated:  r.RunCut,
		Error:      ErrorWithTimes(r),
		Candidates: r.Candidates,
	}
	switch r.State {
	case record.StateStarted:
		d.ID = announcement.ID(t, r.Key, r.Run.ID)
	default:
		d.HoldNumber = r.HoldNumber
		d.ID = announcement.ID(t, r.Key, r.Reason, fmt.Sprint(r.HoldNumber))
		d.Hint = hintFor(r)
	}
	if len(r.Samples) > 0 {
		d.Window = &announcement.Window{ConfigID: r.Request.ConfigID, Period: r.Cause.Period, Route: r.Cause.Route, Files: r.Cause.Files, Samples: r.Samples}
	}
	a := announcement.Announcement{Type: t, Detail: d}
	if r.Resource != "" {
		a.Resources = []string{r.Resource}
	}
	return a
}

// blockedAnnouncement returns the announcement of a blocked launch.
func (l *Launcher) blockedAnnouncement(j *record.Launch) announcement.Announcement {
	a := announcement.Announcement{Type: announcement.RunBlocked, Detail: announcement.Detail{
		Version:   announcement.Version,
		ID:        announcement.ID(announcement.RunBlocked, j.Key, j.Reason, j.Blocked.Since.UTC().Format(time.RFC3339Nano)),
		LaunchKey: j.Key,
		Tenant:    l.Tenant,
		Reason:    j.Reason,
		Hint:      blockedHint(&j.LaunchDoc),
		Cause:     &j.Cause,
		Request:   &j.Request,
		Error:     j.Error,
	}}
	if j.Resource != "" {
		a.Resources = []string{j.Resource}
	}
	return a
}

// furtherRunDoc returns a copy of the document from which a further run is
// announced.
func furtherRunDoc(r *record.LaunchDoc, o record.OtherRun) *record.LaunchDoc {
	f := *r
	if o.HoldNumber == 0 {
		f.KeepRun(o.Run)
		return &f
	}
	f.State, f.Reason, f.HoldNumber, f.Run, f.Candidates = record.StateHeld, announcement.ReasonUnknownOutcome, o.HoldNumber, nil, []announcement.Candidate{candidateOf(o.Run)}
	f.Error = &announcement.Error{Kind: announcement.ErrorUnknown, Message: surplusText(r.Run.ID, o.RunID)}
	return &f
}

// hintFor returns what the operator should do about the state of a launch.
func hintFor(r *record.LaunchDoc) string {
	unclear := r.Reason == announcement.ReasonUnknownOutcome || r.MayHaveRun()
	switch {
	case r.State == record.StateRejected && r.Error != nil && r.Error.Kind == announcement.ErrorInvalidInput:
		return hintInvalid
	case r.State == record.StateRejected:
		return hintRejected
	case r.State == record.StateDiscarded && unclear:
		return hintDiscardedSent
	case r.State == record.StateDiscarded:
		return hintDiscarded
	case announcesFurtherRun(r):
		return hintSurplus
	case unclear && len(r.Candidates) > 0:
		ids := make([]string, len(r.Candidates))
		for i, c := range r.Candidates {
			ids[i] = c.ID
		}
		return fmt.Sprintf(hintCandidates, strings.Join(ids, ", "))
	case unclear && r.Error != nil && (r.Error.Kind == announcement.ErrorRejected || r.Error.Kind == announcement.ErrorInvalidInput):
		return hintEarlier + hintHeld
	case unclear:
		return hintHeld
	}
	text := hintPolicy
	switch r.Reason {
	case announcement.ReasonOverlap:
		text = hintOverlap
	case announcement.ReasonImplausibleDate:
		text = hintImplausible
	}
	switch {
	case r.Cause.FirstFile != "" && r.Cause.Files == 1:
		text += fmt.Sprintf(hintFile, r.Cause.FirstFile)
	case r.Cause.FirstFile != "":
		text += fmt.Sprintf(hintFiles, r.Cause.Files, r.Cause.FirstFile)
	}
	return text
}

// announcesFurtherRun reports whether a held document announces a further run
// that may be the launch's. [furtherRunDoc] returns such documents.
func announcesFurtherRun(r *record.LaunchDoc) bool {
	return slices.ContainsFunc(r.Others, func(o record.OtherRun) bool { return o.HoldNumber == r.HoldNumber })
}

// blockedHint returns what the operator should do about a blocked launch.
func blockedHint(r *record.LaunchDoc) string {
	text := hintBlocked
	if r.Reason == announcement.ReasonUnauthorized {
		text = hintToken
	}
	if !r.NotAfter.IsZero() {
		text += fmt.Sprintf(hintUntil, Stamp(r.NotAfter))
	}
	return text
}

// ErrorWithTimes returns the error as shown to the operator. If the outcome is
// unknown, it lists when the requests were sent, so that the run can be found
// in Amperity.
func ErrorWithTimes(r *record.LaunchDoc) *announcement.Error {
	if r.State != record.StateHeld || r.Reason != announcement.ReasonUnknownOutcome || r.Error == nil || len(r.Posts) == 0 {
		return r.Error
	}
	e := *r.Error
	e.Message += " (sent " + r.Posts[0].UTC().Format(time.RFC3339)
	for _, p := range r.Posts[1:] {
		e.Message += " and " + p.UTC().Format(time.RFC3339)
	}
	e.Message += ")"
	return &e
}

// candidatesOf describes runs to the operator, up to maxCandidates.
func candidatesOf(runs []*amperity.Run) []announcement.Candidate {
	var cs []announcement.Candidate
	for _, run := range runs[:min(len(runs), maxCandidates)] {
		cs = append(cs, candidateOf(run))
	}
	return cs
}

// candidateOf describes a run to the operator.
func candidateOf(run *amperity.Run) announcement.Candidate {
	c := announcement.Candidate{ID: run.ID, Name: run.Name, Type: string(run.Type), State: string(run.State),
		PrincipalID: run.PrincipalID, PrincipalName: run.PrincipalName}
	if !run.CreatedAt.IsZero() {
		c.CreatedAt = run.CreatedAt.UTC().Format(time.RFC3339)
	}
	return c
}

// Stamp formats a time for an event. The zero time is "".
func Stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
