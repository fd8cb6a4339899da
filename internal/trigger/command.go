package trigger

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/amperity-runs/amperity-runs/internal/held"
)

// command is an operator's command about held launches.
type command struct {
	// verb is list, release, adopt or discard.
	verb string
	held.Command
	faults []Fault
}

// CommandError lists everything that is wrong with a command.
type CommandError struct {
	Faults []Fault
}

func (e *CommandError) Error() string { return (&InputError{Faults: e.Faults}).Error() }

// maxReason bounds the reason of a discard, in bytes.
const maxReason = 1000

// parseCommand parses an input that is a command:
//
//	{"list":"held"}
//	{"release":"<launch key>","hold":2}
//	{"adopt":"<launch key>","run_id":"wf-…","hold":2}
//	{"discard":"<launch key>","hold":2,"reason":"…"}
//
// It returns false for any other input.
func parseCommand(payload []byte) (command, bool) {
	if len(payload) > maxInput {
		return command{}, false
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(payload, &members) != nil {
		return command{}, false
	}
	var verbs []string
	for _, verb := range []string{"list", "release", "adopt", "discard"} {
		if _, ok := members[verb]; ok {
			verbs = append(verbs, verb)
		}
	}
	if len(verbs) == 0 {
		return command{}, false
	}
	c := command{verb: verbs[0]}
	var f faults
	o, _ := object(payload, "", &f)
	switch {
	case len(verbs) > 1:
		f.faultf("", "%s exclude each other: give one of them", strings.Join(verbs, " and "))
	case o.has("config_id"):
		f.faultf("", "config_id starts a new run, and %s is a command about a held launch: give one of them", c.verb)
	default:
		c.read(o, &f)
	}
	c.faults = f
	return c, true
}

// read reads the fields of the verb.
func (c *command) read(o fields, f *faults) {
	switch c.verb {
	case "list":
		if what, ok := o.given("list", f); ok && what != "held" {
			f.faultf("list", `must be "held"`)
		}
		o.unknown([]string{"list"}, "", f)
	case "release":
		c.parseTarget(o, []string{"release", "hold"}, f)
	case "adopt":
		c.parseTarget(o, []string{"adopt", "run_id", "hold"}, f)
		var ok bool
		if c.RunID, ok = o.given("run_id", f); ok && c.RunID == "" {
			f.faultf("run_id", "is missing: give the run's id, as wf-…, from Amperity's Workflows page")
		}
	case "discard":
		c.parseTarget(o, []string{"discard", "hold", "reason"}, f)
		var ok bool
		switch c.Reason, ok = o.given("reason", f); {
		case ok && c.Reason == "":
			f.faultf("reason", "is missing: say why nothing is to be started; the event repeats it")
		case len(c.Reason) > maxReason:
			f.faultf("reason", "has %d bytes and may have %d", len(c.Reason), maxReason)
		}
	}
}

// parseTarget reads the launch key and the hold number.
func (c *command) parseTarget(o fields, known []string, f *faults) {
	var ok bool
	if c.Key, ok = o.given(c.verb, f); ok && c.Key == "" {
		f.faultf(c.verb, "is empty: give the launch_key of the event")
	}
	raw, given := o.take("hold")
	n, err := strconv.Atoi(string(raw))
	switch {
	case !given:
		f.faultf("hold", "is missing: give the number \"hold\" of the event, so that a repeated call changes nothing")
	case err != nil || n < 1:
		f.faultf("hold", "must be the number \"hold\" of the event")
	}
	c.HoldNumber = n
	o.unknown(known, "", f)
}

// given returns the string member name without surrounding blanks. Null counts
// as left out. It returns false if the member has another type, which it has
// reported.
func (o fields) given(name string, f *faults) (string, bool) {
	before := len(*f)
	s := strings.TrimSpace(o.text(name, f))
	return s, len(*f) == before
}
