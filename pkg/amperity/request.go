package amperity

// Kind is what a config id names.
type Kind string

// The kinds of configuration that can be run, in words for a person.
const (
	KindCourierGroup       Kind = "courier group"
	KindOrchestrationGroup Kind = "orchestration group"
	KindCampaign           Kind = "campaign"
)

// KindOf tells what a config id names by its prefix: cg-, og- or cc-. False if it is not a config id.
func KindOf(configID string) (Kind, bool) {
	return "", false
}

// RunMode is how much of a courier group's workflow is run.
type RunMode string

// The documented run modes (Amperity API reference, POST /workflow/runs).
const (
	// RunModeFull pulls data, refreshes domain tables, runs Stitch, updates databases and sends the results
	// downstream: orchestrations, campaigns and journeys too.
	RunModeFull RunMode = "full"
	// RunModeRefresh pulls data, refreshes domain tables, runs Stitch and updates databases.
	RunModeRefresh RunMode = "refresh"
	// RunModeSource pulls data and refreshes domain tables.
	RunModeSource RunMode = "source"
)

// RunRequest is the body of POST /workflow/runs.
type RunRequest struct {
	// ConfigID is what to run: a courier group (cg-…), an orchestration group (og-…) or a campaign (cc-…).
	ConfigID string `json:"config_id"`
	// RangeFrom is the start, inclusive, of the dates to load: YYYY-MM-DD or an RFC 3339 timestamp in UTC. Courier
	// groups only; required by Amperity for those that load files. Without RangeTo it means that one day.
	RangeFrom string `json:"range_from,omitempty"`
	// RangeTo is the end, exclusive, in the same forms; only with RangeFrom.
	RangeTo string `json:"range_to,omitempty"`
	// RunMode is how much to run; courier groups only. Empty: as the group's schedule is configured.
	RunMode RunMode `json:"run_mode,omitempty"`
}

// Validate checks the request by the documented rules. It gives nil or a *RequestError with every fault.
func (r RunRequest) Validate() error { return nil }

// View is how much of a run GetRun asks for.
type View string

// The documented views.
const (
	// ViewOverview is id, state, type, name, tenant, created_at and ended_at.
	ViewOverview View = "overview"
	// ViewVerbose is everything, with the tasks.
	ViewVerbose View = "verbose"
)
