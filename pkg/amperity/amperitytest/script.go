package amperitytest

import (
	"strings"
	"time"
)

// Script says how a run goes. The zero Script is a run that has succeeded as
// soon as it was started.
type Script struct {
	// Name is the workflow's name; default: one that is the same for all runs
	// of a config id.
	Name string
	// Scheduled and Started are how long the run is in these states at first.
	Scheduled, Started time.Duration
	// Duration is the time from its creation to its end, those two included.
	Duration time.Duration
	// End is how it ends; default Succeeded.
	End End
	// ErrorType and ErrorMessage are those of a run that fails; default: the
	// documentation's example.
	ErrorType, ErrorMessage string
	// Tasks are the labels of its tasks, done one after the other; default one.
	Tasks []string
}

// End is how a run ends.
type End string

// How a run ends. Whose fault a failure is, is the "attribution" of its error:
// the customer's needs a change of configuration, the platform's is often gone
// in the next run (Amperity API reference, GET /workflow/runs/{id}).
const (
	Succeeded      End = "succeeded"
	FailedCustomer End = "failed-customer"
	FailedPlatform End = "failed-platform"
	Stopped        End = "stopped"
	Canceled       End = "canceled"
	Never          End = "never" // it goes on until it is stopped
)

// state is the run's state after the end.
func (e End) state() string {
	switch e {
	case "":
		return string(Succeeded)
	case FailedCustomer, FailedPlatform:
		return "failed"
	}
	return string(e)
}

// defaultScript is a quick success that is still seen in each state.
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
