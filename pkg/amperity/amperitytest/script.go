package amperitytest

import (
	"strings"
	"time"
)

// Script describes how a run goes. The zero Script is a run that succeeds as
// soon as it starts.
type Script struct {
	// Name is the workflow's name. The default is one name for all runs of
	// a config id.
	Name string
	// Scheduled and Started are how long the run is in these two states at
	// first.
	Scheduled, Started time.Duration
	// Duration is the time from the run's creation to its end, Scheduled
	// and Started included.
	Duration time.Duration
	// End is how the run ends. The default is Succeeded.
	End End
	// ErrorType and ErrorMessage are those of a run that fails. The default
	// is the documentation's example.
	ErrorType, ErrorMessage string
	// Tasks are the labels of the run's tasks, which run one after the
	// other. The default is one task.
	Tasks []string
}

// End is how a run ends.
type End string

// The ends of a run. The "attribution" of a failure's error is the party at
// fault. The customer's failure needs a change of configuration. The platform's
// is often gone in the next run (Amperity API reference, GET
// /workflow/runs/{id}).
const (
	Succeeded      End = "succeeded"
	FailedCustomer End = "failed-customer"
	FailedPlatform End = "failed-platform"
	Stopped        End = "stopped"
	Canceled       End = "canceled"
	Never          End = "never" // continues until it is stopped
)

// state returns the run's state after the end.
func (e End) state() string {
	switch e {
	case "":
		return string(Succeeded)
	case FailedCustomer, FailedPlatform:
		return "failed"
	}
	return string(e)
}

// defaultScript returns a quick success that still passes through each state.
func defaultScript() Script {
	return Script{Scheduled: time.Second, Started: time.Second, Duration: 10 * time.Second}
}

func (s Script) check(i int, e *ConfigError) {
	if s.Scheduled < 0 || s.Started < 0 || s.Duration < 0 {
		e.problemf("script %d has a negative duration", i)
	}
	switch s.End {
	case "", Succeeded, FailedCustomer, FailedPlatform, Stopped, Canceled, Never:
	default:
		e.problemf("script %d ends as %q, which is none of succeeded, failed-customer, failed-platform, stopped, canceled, never", i, s.End)
	}
}

func (s Script) tasks() []string {
	if len(s.Tasks) == 0 {
		return []string{"Running the workflow"}
	}
	return s.Tasks
}

func (s Script) error() *taskError {
	e := taskError{
		Type: s.ErrorType, Message: s.ErrorMessage,
		Attribution: strings.TrimPrefix(string(s.End), "failed-"),
	}
	if e.Type == "" {
		e.Type = "amperity.workflow.task.stitch/table"
	}
	if e.Message == "" {
		e.Message = "Found table in an invalid state."
	}
	return &e
}
