package amperitytest

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// runRequest is the body of POST /workflow/runs. A missing field is empty.
// decodeFields has refused a field that is present and empty.
type runRequest struct {
	configID, rangeFrom, rangeTo, runMode string
}

// start is POST /workflow/runs.
func (s *Server) start(c *call) answer {
	fields, bad := decodeFields(c, "config_id", "range_from", "range_to", "run_mode")
	if bad.status != 0 {
		return bad
	}
	req := runRequest{fields["config_id"], fields["range_from"], fields["range_to"], fields["run_mode"]}
	if bad := req.check(); bad.status != 0 {
		return bad
	}
	now := s.cfg.Now().UTC()

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.BusyWhileRunning {
		for _, r := range s.runs {
			if r.configID == req.configID && r.exists(now) && !r.over(now) {
				return problemf(http.StatusConflict, "%s is running already: %s", req.configID, r.id)
			}
		}
	}
	r := s.newRun(req, c, now)
	s.runs = append(s.runs, r)
	s.started = append(s.started, Started{
		ID: r.id, ConfigID: req.configID, RangeFrom: req.rangeFrom, RangeTo: req.rangeTo, RunMode: req.runMode,
		At: now, CreatedAt: r.createdAt, Principal: r.principalID,
	})
	// The response shows a late run in its first state.
	return ok(s.cfg.StartStatus, r.whole(r.createdAt))
}

// decodeFields decodes a JSON object of strings, strictly. It refuses unknown
// fields, repeated fields, names in another case, and anything after the
// object.
func decodeFields(c *call, known ...string) (map[string]string, answer) {
	contentType, _, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil || contentType != "application/json" {
		return nil, problemf(http.StatusBadRequest, "the content type %q is not application/json", c.Header.Get("Content-Type"))
	}
	if !utf8.Valid(c.body) {
		return nil, problemf(http.StatusBadRequest, "the body is not UTF-8")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(c.body, &whole); err != nil {
		return nil, problemf(http.StatusBadRequest, "the body is not JSON: %v", err)
	}
	// The body is one valid value from here on, so reading tokens cannot
	// fail.
	d := json.NewDecoder(bytes.NewReader(c.body))
	if token, _ := d.Token(); token != json.Delim('{') {
		return nil, problemf(http.StatusBadRequest, "the body is not a JSON object")
	}
	fields := map[string]string{}
	for d.More() {
		token, _ := d.Token()
		name, _ := token.(string)
		if !slices.Contains(known, name) {
			return nil, problemf(http.StatusBadRequest, "unknown field %q", name)
		}
		if _, twice := fields[name]; twice {
			return nil, problemf(http.StatusBadRequest, "the field %s is given twice", name)
		}
		token, _ = d.Token()
		value, isString := token.(string)
		if !isString || value == "" {
			return nil, problemf(http.StatusBadRequest, "the field %s is not a string that says something", name)
		}
		fields[name] = value
	}
	return fields, answer{}
}

// check checks the request against the rules of the API reference, POST
// /workflow/runs.
func (r runRequest) check() answer {
	if r.configID == "" {
		return problemf(http.StatusBadRequest, "the field config_id is missing")
	}
	if runType(r.configID) == "" {
		return problemf(http.StatusBadRequest, "config_id %q is none of a courier group (cg-), an orchestration group (og-) or a campaign (cc-)", r.configID)
	}
	if !strings.HasPrefix(r.configID, "cg-") && (r.rangeFrom != "" || r.rangeTo != "" || r.runMode != "") {
		return problemf(http.StatusBadRequest, "range_from, range_to and run_mode are for courier groups only")
	}
	if r.rangeTo != "" && r.rangeFrom == "" {
		return problemf(http.StatusBadRequest, "range_to needs range_from")
	}
	from, bad := rangeBound("range_from", r.rangeFrom)
	if bad.status != 0 {
		return bad
	}
	to, bad := rangeBound("range_to", r.rangeTo)
	if bad.status != 0 {
		return bad
	}
	if r.rangeTo != "" && !from.Before(to) {
		return problemf(http.StatusBadRequest, "range_from is not before range_to")
	}
	switch r.runMode {
	case "", "full", "refresh", "source":
	default:
		return problemf(http.StatusBadRequest, "run_mode %q is none of full, refresh, source", r.runMode)
	}
	return answer{}
}

// runType returns the type of the runs of a config id, or "" if it is not one.
// A config id is a prefix, a dash, and letters and digits, as in
// "cg-123ABc4DE".
func runType(configID string) string {
	prefix, rest, _ := strings.Cut(configID, "-")
	if rest == "" || strings.ContainsFunc(rest, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-' && r != '_'
	}) {
		return ""
	}
	switch prefix {
	case "cg":
		return "courier.group/run"
	case "og":
		return "orchestration.group/run"
	case "cc":
		return "campaign.send"
	}
	return ""
}
