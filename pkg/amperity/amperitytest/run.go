package amperitytest

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"
)

// run is one workflow run. Only stopping changes it: its state is a function of
// the time.
type run struct {
	id, configID           string
	name, tenant           string
	principalID, principal string
	version                string
	createdAt              time.Time
	stopped                time.Time // when a request to stop it came; zero if none did
	script                 Script
	taskIDs                []string
	number                 int // in the order of the POSTs
}

// stopping is how long a run takes to end after a request to stop it.
const stopping = time.Second

// newRun returns a run. The caller holds s.mu.
func (s *Server) newRun(req runRequest, c *call, now time.Time) *run {
	script := s.nextScript(req.configID)
	s.asked[req.configID]++
	created := now.Add(c.late).Truncate(time.Millisecond)
	r := &run{
		configID: req.configID, name: script.Name, tenant: s.cfg.Tenant,
		principalID: c.who.principalID, principal: c.who.principal,
		version: s.version, createdAt: created, script: script, number: len(s.started),
	}
	if r.name == "" {
		r.name = defaultName(req.configID)
	}
	if r.principalID == "" {
		r.principalID = s.cfg.PrincipalID
	}
	if r.principal == "" {
		r.principal = s.cfg.PrincipalName
	}
	r.id = s.newID("wf", created)
	for range script.tasks() {
		r.taskIDs = append(r.taskIDs, s.newID("wft", created))
	}
	return r
}

// defaultName returns the same name for each run of a config id. The name does
// not reveal the config id, and neither does Amperity's.
func defaultName(configID string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(configID))
	return fmt.Sprintf("Simulated workflow %04x", h.Sum32()&0xffff)
}

const idLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newID returns an id in the documented form, "wf-20240619-14418-6UhqSe". The
// caller holds s.mu, or is the only one to know s.
func (s *Server) newID(kind string, at time.Time) string {
	letters := make([]byte, 6)
	for i := range letters {
		letters[i] = idLetters[s.ids.IntN(len(idLetters))]
	}
	return fmt.Sprintf("%s-%s-%05d-%s", kind, at.UTC().Format("20060102"), s.ids.IntN(100_000), letters)
}

// newHex returns a request or trace id. The caller holds s.mu.
func (s *Server) newHex() string { return fmt.Sprintf("%016x%016x", s.ids.Uint64(), s.ids.Uint64()) }

// exists reports whether the run exists by now. A late run does not at first.
func (r *run) exists(now time.Time) bool { return !now.Before(r.createdAt) }

func (r *run) over(now time.Time) bool {
	_, ended := r.state(now)
	return !ended.IsZero()
}

// state returns the state of the run and when it ended. The end is zero while
// the run continues.
func (r *run) state(now time.Time) (state string, ended time.Time) {
	if !r.stopped.IsZero() {
		end := r.stopped.Add(stopping)
		if now.Before(end) {
			return "stopping", time.Time{}
		}
		return "stopped", end
	}
	end := r.createdAt.Add(r.script.Duration)
	if r.script.End != Never && !now.Before(end) {
		return r.script.End.state(), end
	}
	switch elapsed := now.Sub(r.createdAt); {
	case elapsed < r.script.Scheduled:
		return "scheduled", time.Time{}
	case elapsed < r.script.Scheduled+r.script.Started:
		return "started", time.Time{}
	}
	return "in-progress", time.Time{}
}

// The JSON of the API reference, in the order of its samples. These structs are
// not the client's, so that a mistake on one side shows.

// overview has the documented keys of view=overview and no others.
type overview struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Type      string `json:"type"`
	State     string `json:"state"`
	CreatedAt string `json:"created_at"`
	EndedAt   string `json:"ended_at,omitempty"`
	Tenant    string `json:"tenant"`
}

type workflow struct {
	TaskInstances   []task     `json:"task_instances"`
	ID              string     `json:"id"`
	Name            string     `json:"name"`
	PrincipalName   string     `json:"principal_name"`
	PrincipalID     string     `json:"principal_id"`
	Type            string     `json:"type"`
	LaunchedVersion string     `json:"launched_version"`
	State           string     `json:"state"`
	CreatedAt       string     `json:"created_at"`
	EndedAt         string     `json:"ended_at,omitempty"`
	Tenant          string     `json:"tenant"`
	CurrentVersion  string     `json:"current_version"`
	Error           *taskError `json:"error,omitempty"`
}

type task struct {
	ID                 string     `json:"id"`
	State              string     `json:"state"`
	Tenant             string     `json:"tenant"`
	CreatedAt          string     `json:"created_at"`
	EndedAt            string     `json:"ended_at,omitempty"`
	ExecutionType      string     `json:"execution_type"`
	Label              string     `json:"label"`
	RunID              string     `json:"run_id"`
	StateChangedAt     string     `json:"state_changed_at"`
	TaskDefinitionID   string     `json:"task_definition_id"`
	TaskDefinitionType string     `json:"task_definition_type"`
	TimeoutMS          int64      `json:"timeout_ms"`
	WorkflowID         string     `json:"workflow_id"`
	Error              *taskError `json:"error,omitempty"`
}

type taskError struct {
	Type        string `json:"type"`
	Message     string `json:"message"`
	Attribution string `json:"attribution"`
}

// stamp formats a time as the documentation's samples do. The zero time is
// empty.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

func (r *run) overview(now time.Time) overview {
	state, ended := r.state(now)
	return overview{
		ID: r.id, Name: r.name, Type: runType(r.configID), State: state,
		CreatedAt: stamp(r.createdAt), EndedAt: stamp(ended), Tenant: r.tenant,
	}
}

// whole returns the run with everything that view=verbose shows.
func (r *run) whole(now time.Time) workflow {
	o := r.overview(now)
	w := workflow{
		TaskInstances: r.tasks(now),
		ID:            o.ID, Name: o.Name, Type: o.Type, State: o.State,
		CreatedAt: o.CreatedAt, EndedAt: o.EndedAt, Tenant: o.Tenant,
		PrincipalID: r.principalID, PrincipalName: r.principal,
		LaunchedVersion: r.version, CurrentVersion: r.version,
	}
	if o.State == "failed" {
		w.Error = r.script.error()
	}
	return w
}

// tasks returns the tasks that have begun, in their order. Tasks run one after
// the other, and share the time of the run equally.
func (r *run) tasks(now time.Time) []task {
	state, ended := r.state(now)
	until := now
	if !ended.IsZero() {
		until = ended
	}
	begin := r.createdAt.Add(r.script.Scheduled + r.script.Started)
	labels := r.script.tasks()
	share := max(0, r.script.Duration-r.script.Scheduled-r.script.Started) / time.Duration(len(labels))
	tasks := []task{}
	for i, label := range labels {
		from := begin.Add(time.Duration(i) * share)
		if until.Before(from) {
			break
		}
		t := task{
			ID: r.taskIDs[i], State: "running", Tenant: r.tenant, CreatedAt: stamp(from), ExecutionType: "spark-sql",
			Label: label, RunID: "orb-" + strings.TrimPrefix(r.taskIDs[i], "wft-"), StateChangedAt: stamp(from),
			TaskDefinitionID: fmt.Sprintf("task/%d", i+1), TaskDefinitionType: runType(r.configID),
			TimeoutMS: (48 * time.Hour).Milliseconds(), WorkflowID: r.id,
		}
		if to := from.Add(share); i < len(labels)-1 && !until.Before(to) {
			t.State, t.EndedAt, t.StateChangedAt = "succeeded", stamp(to), stamp(to)
		}
		tasks = append(tasks, t)
	}
	if len(tasks) == 0 {
		return tasks
	}
	last := &tasks[len(tasks)-1]
	switch {
	case !ended.IsZero() && last.EndedAt == "":
		last.State, last.EndedAt, last.StateChangedAt = state, stamp(ended), stamp(ended)
	case state == "stopping":
		last.State = state
	}
	if state == "failed" {
		last.Error = r.script.error()
	}
	return tasks
}
