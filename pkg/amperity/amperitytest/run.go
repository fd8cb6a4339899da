package amperitytest

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"
)

// run is one workflow run. It never changes but by being stopped: where it
// stands is a function of the time.
type run struct {
	id, configID           string
	name, tenant           string
	principalID, principal string
	version                string
	createdAt              time.Time
	stopped                time.Time // when it was asked to stop; zero: it was not
	script                 Script
	taskIDs                []string
	number                 int // in the order of the POSTs
}

// stopping is how long a run takes from being asked to stop until it is over.
const stopping = time.Second

// newRun makes a run; s.mu is held.
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

// defaultName is the same for each run of a config id, and does not tell it:
// neither does Amperity.
func defaultName(configID string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(configID))
	return fmt.Sprintf("Simulated workflow %04x", h.Sum32()&0xffff)
}

const idLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newID makes an id of the form that the documentation shows,
// "wf-20240619-14418-6UhqSe"; s.mu is held, or nobody knows s yet.
func (s *Server) newID(kind string, at time.Time) string {
	letters := make([]byte, 6)
	for i := range letters {
		letters[i] = idLetters[s.ids.IntN(len(idLetters))]
	}
	return fmt.Sprintf("%s-%s-%05d-%s", kind, at.UTC().Format("20060102"), s.ids.IntN(100_000), letters)
}

// newHex makes a request or trace id; s.mu is held.
func (s *Server) newHex() string { return fmt.Sprintf("%016x%016x", s.ids.Uint64(), s.ids.Uint64()) }

// exists reports whether the run is there already: a late one is not at first.
func (r *run) exists(now time.Time) bool { return !now.Before(r.createdAt) }

func (r *run) over(now time.Time) bool {
	_, ended := r.state(now)
	return !ended.IsZero()
}

// state gives the state of the run, and when it ended: zero if it goes on.
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

// The JSON of the API reference, in the order of its samples. These are not
// the client's structs, so that a mistake on one side is seen.

// overview has the documented keys of view=overview and no other.
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

// stamp writes a time as the documentation's samples do; the zero time is empty.
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

// whole is the run with all that view=verbose shows.
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

// tasks gives the tasks that the run has begun, one after the other. They share
// the time between the run's start and its end equally.
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
