package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/held"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// entry prints one launch or window that waits for the operator.
func (o *heldOptions) entry(out io.Writer, h held.Launch, now time.Time) {
	fmt.Fprintln(out, printable(h.LaunchKey))
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(out, "  %-12s %s\n", name, printable(text))
		}
	}
	row("reason", h.Reason)
	row("since", since(h.Since, now))
	if h.HoldNumber == 0 { // the trigger's version cannot read it
		row("message", h.Message)
		return
	}
	row("hold", fmt.Sprint(h.HoldNumber))
	row("cause", cause(h.Cause))
	row("config id", h.Request.ConfigID)
	row("range", rangeOf(h.Request))
	row("run mode", string(h.Request.RunMode))
	row("message", h.Message)
	for _, s := range h.Samples {
		row("file", s)
	}
	for _, c := range h.Candidates {
		row("candidate", candidate(c))
	}
	if h.Reason == announcement.ReasonUnknownOutcome {
		row("look first", "on the Workflows page in Amperity: a run may have been started, and a release starts another")
		for _, c := range h.Candidates {
			row("to adopt it", o.commandLine("adopt", h, "--run", c.ID))
		}
		if len(h.Candidates) == 0 {
			row("to adopt it", o.commandLine("adopt", h, "--run", "ID"))
		}
	}
	switch h.Reason {
	case announcement.ReasonImplausibleDate: // no release starts it
	case announcement.ReasonOverlap:
		row("to queue it", o.commandLine("release", h))
	default:
		row("to start it", o.commandLine("release", h))
	}
	row("to end it", o.commandLine("discard", h, "--reason", "THE REASON"))
}

// commandLine returns the command line that answers h.
func (o *heldOptions) commandLine(verb string, h held.Launch, more ...string) string {
	words := append([]string{"amperity-runs", "held", verb, h.LaunchKey, "--hold", fmt.Sprint(h.HoldNumber)}, more...)
	return shellWords(append(words, o.flags...))
}

// shellWords joins words for a POSIX shell, with quotes if a word needs them.
func shellWords(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = w
		if w == "" || strings.Trim(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,@%+=") != "" || strings.HasPrefix(w, "~") {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// since formats a time and its age.
func since(text string, now time.Time) string {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	return text + ", " + ago(now.Sub(t))
}

func ago(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return "just now"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

func cause(c announcement.Cause) string {
	words := []string{c.Type}
	add := func(name, text string) {
		if text != "" {
			words = append(words, strings.TrimSpace(name+" "+text))
		}
	}
	add("", c.ScheduleARN)
	add("route", c.Route)
	if c.Files > 0 {
		add("", counted(c.Files, "file"))
	}
	add("first", c.FirstFile)
	return strings.Join(words, ", ")
}

// rangeOf formats the range of a request, in the form of explain.
func rangeOf(r amperity.RunRequest) string {
	switch {
	case r.RangeFrom == "" && r.RangeTo == "":
		return "none"
	case r.RangeTo == "":
		return r.RangeFrom
	}
	return r.RangeFrom + " to " + r.RangeTo
}

func candidate(c announcement.Candidate) string {
	words := []string{c.ID}
	add := func(before, text string) {
		if text != "" {
			words = append(words, before+text)
		}
	}
	add("", c.State)
	add("created ", c.CreatedAt)
	add("", c.Name)
	add("by ", c.PrincipalName)
	return strings.Join(words, ", ")
}

// sentence describes the result of a command.
func (o *heldOptions) sentence(r record.Result) string {
	text := ""
	switch r.Outcome {
	case record.Started:
		if text = "started" + runText(r.Run); o.verb == "adopt" {
			text = "it has the run" + runText(r.Run) + " now"
		}
	case record.Discarded:
		text = "discarded; nothing more is started for it"
	case record.Rejected:
		text = "rejected" + why(r) + "; nothing was started. Fix that, then release it with --hold " + fmt.Sprint(r.HoldNumber)
		if r.HoldNumber == 0 {
			text = "rejected" + why(r) + "; nothing was done"
		}
	case record.Blocked:
		text = "nothing was started yet, it is blocked" + why(r) + "; it resumes automatically"
	case record.Held:
		text = "held again" + why(r) + "; it waits for an answer with --hold " + fmt.Sprint(r.HoldNumber)
	case record.Unknown:
		text = "a request was sent, and its outcome is unknown" + why(r) + "; the sweep looks for its run, so do not start it again"
	case record.Duplicate, record.Waiting:
		return undone(r)
	default:
		text = string(r.Outcome) + why(r)
	}
	if r.Warning != "" {
		text += "; " + r.Warning
	}
	return text
}

// present describes the present state after a command that changed nothing.
func present(r record.Result) string {
	stands := map[record.Outcome]string{
		record.Started:   "it was started" + runText(r.Run),
		record.Rejected:  "it was rejected" + why(r),
		record.Blocked:   "it is blocked and resumes automatically" + why(r),
		record.Held:      "it is held" + why(r),
		record.Discarded: "it was discarded" + why(r),
		record.Unknown:   "a request was sent, and the sweep looks for its run",
	}[r.Recorded]
	switch {
	case r.Outcome == record.Waiting && r.HoldNumber == 0:
		stands = "its window continues automatically"
	case r.Outcome == record.Waiting:
		stands = "its window waits"
	case stands == "":
		stands = "it is " + string(r.Recorded)
	}
	return stands
}

// undone describes a command that changed nothing, the present state, and why.
func undone(r record.Result) string {
	stands := present(r)
	if r.HoldNumber > 0 {
		stands += fmt.Sprintf(", with --hold %d", r.HoldNumber)
	}
	because := strings.TrimPrefix(r.Warning, "nothing was done: ")
	if because == "" {
		because = "another call was faster"
	}
	return "nothing was done; " + stands + " (" + because + ")"
}

func runText(run *amperity.Run) string {
	if run == nil || run.ID == "" {
		return ""
	}
	if run.State == "" {
		return " " + run.ID
	}
	return fmt.Sprintf(" %s (%s)", run.ID, run.State)
}

// why returns the reason and the message, to follow a text.
func why(r record.Result) string {
	text := ""
	if r.Reason != "" {
		text = " (" + r.Reason + ")"
	}
	if r.Error != nil && r.Error.Message != "" {
		text += ": " + r.Error.Message
	}
	return text
}

// maxExcerpt bounds the excerpt of an unknown text, in runes.
const maxExcerpt = 200

func excerpt(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > maxExcerpt {
		text = string(runes[:maxExcerpt]) + "…"
	}
	if text == "" {
		return "(empty)"
	}
	return text
}
