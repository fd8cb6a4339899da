package amperitytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	controlPath = "/_simulator/"
	runsLog     = controlPath + "runs"
	requestsLog = controlPath + "requests"
	faultsPath  = controlPath + "faults"
)

// control serves tests in other processes. It needs no token, and no rate limit
// or fault applies to it.
func (s *Server) control(w http.ResponseWriter, r *http.Request) {
	s.send(w, s.controlAnswer(r), all)
}

func (s *Server) controlAnswer(r *http.Request) answer {
	switch r.Method + " " + r.URL.Path {
	case "GET " + runsLog:
		return ok(http.StatusOK, struct {
			Runs []Started `json:"runs"`
		}{append([]Started{}, s.Runs()...)})
	case "GET " + requestsLog:
		return ok(http.StatusOK, struct {
			Requests []Request `json:"requests"`
		}{s.Requests()})
	case "POST " + faultsPath:
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		var f Fault
		if err := json.Unmarshal(body, &f); err != nil {
			return problemf(http.StatusBadRequest, "the body is not a fault: %v", err)
		}
		if err := s.Fault(f); err != nil {
			return answer{status: http.StatusBadRequest, message: err.Error()}
		}
		return ok(http.StatusCreated, f)
	case "DELETE " + faultsPath:
		s.ClearFaults()
		return ok(http.StatusOK, struct{}{})
	}
	return problemf(http.StatusNotFound, "the simulator has GET %s, GET %s, POST %s and DELETE %s", runsLog, requestsLog, faultsPath, faultsPath)
}

// faultJSON is the JSON form of a Fault.
type faultJSON struct {
	Method     string            `json:"method,omitempty"`
	PathSuffix string            `json:"path_suffix,omitempty"`
	ConfigID   string            `json:"config_id,omitempty"`
	Nth        int               `json:"nth,omitempty"`
	Times      int               `json:"times,omitempty"`
	Kind       Kind              `json:"kind"`
	Applied    bool              `json:"applied,omitempty"`
	Status     int               `json:"status,omitempty"`
	Header     map[string]string `json:"header,omitempty"`
	Body       string            `json:"body,omitempty"`
	Delay      duration          `json:"delay,omitempty"`
	Late       duration          `json:"late,omitempty"`
}

// MarshalJSON encodes the fault in its JSON form.
func (f Fault) MarshalJSON() ([]byte, error) {
	return json.Marshal(faultJSON{f.Method, f.PathSuffix, f.ConfigID, f.Nth, f.Times, f.Kind, f.Applied,
		f.Status, f.Header, f.Body, duration(f.Delay), duration(f.Late)})
}

// UnmarshalJSON decodes the JSON form. Unknown fields are errors.
// [Fault.Validate] checks whether the fields go together.
func (f *Fault) UnmarshalJSON(text []byte) error {
	var j faultJSON
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return err
	}
	*f = Fault{j.Method, j.PathSuffix, j.ConfigID, j.Nth, j.Times, j.Kind, j.Applied,
		j.Status, j.Header, j.Body, time.Duration(j.Delay), time.Duration(j.Late)}
	return nil
}

// duration is a time.Duration that is a string such as "1.5s" in JSON.
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalJSON(text []byte) error {
	var s string
	if json.Unmarshal(text, &s) == nil {
		if parsed, err := time.ParseDuration(s); err == nil {
			*d = duration(parsed)
			return nil
		}
	}
	return fmt.Errorf(`%s is no duration: write text such as "1.5s"`, text)
}
