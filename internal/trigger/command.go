package trigger

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/amperity-runs/amperity-runs/internal/held"
)

// word is what a person says of what is held.
type word struct {
	// verb is list, release, adopt or discard.
	verb string
	held.Command
	faults []Fault
}

// WordError lists everything that is wrong with what a person says.
type WordError struct {
	Faults []Fault
}

func (e *WordError) Error() string { return (&InputError{Faults: e.Faults}).Error() }

// maxReason bounds why something is discarded, in bytes.
const maxReason = 1000

// parseWord reads an input that is about what is held:
//
//	{"list":"held"}
//	{"release":"<launch key>","hold":2}
//	{"adopt":"<launch key>","run_id":"wf-…","hold":2}
//	{"discard":"<launch key>","hold":2,"reason":"…"}
//
// False: it is another input.
func parseWord(payload []byte) (word, bool) {
	if len(payload) > maxInput {
		return word{}, false
	}
	var any map[string]json.RawMessage
	if json.Unmarshal(payload, &any) != nil {
		return word{}, false
	}
	var verbs []string
	for _, verb := range []string{"list", "release", "adopt", "discard"} {
		if _, ok := any[verb]; ok {
			verbs = append(verbs, verb)
		}
	}
	if len(verbs) == 0 {
		return word{}, false
	}
	w := word{verb: verbs[0]}
	var f faults
	o, _ := object(payload, "", &f)
	switch {
	case len(verbs) > 1:
		f.faultf("", "%s exclude each other: give one of them", strings.Join(verbs, " and "))
	case o.has("config_id"):
		f.faultf("", "config_id asks for a new run, and %s is about what is held: give one of them", w.verb)
	default:
		w.read(o, &f)
	}
	w.faults = f
	return w, true
}

// read reads what belongs to the verb.
func (w *word) read(o fields, f *faults) {
	switch w.verb {
	case "list":
		if what, ok := o.given("list", f); ok && what != "held" {
			f.faultf("list", `must be "held"`)
		}
		o.unknown([]string{"list"}, "", f)
	case "release":
		w.ask(o, []string{"release", "hold"}, f)
	case "adopt":
		w.ask(o, []string{"adopt", "run_id", "hold"}, f)
		var ok bool
		if w.RunID, ok = o.given("run_id", f); ok && w.RunID == "" {
			f.faultf("run_id", "is missing: give the run's id, as wf-…, from Amperity's Workflows page")
		}
	case "discard":
		w.ask(o, []string{"discard", "hold", "reason"}, f)
		var ok bool
		switch w.Reason, ok = o.given("reason", f); {
		case ok && w.Reason == "":
			f.faultf("reason", "is missing: say why nothing is to be started, for whoever reads the event")
		case len(w.Reason) > maxReason:
			f.faultf("reason", "has %d bytes and may have %d", len(w.Reason), maxReason)
		}
	}
}

// ask reads which launch is meant, and the number that is answered.
func (w *word) ask(o fields, known []string, f *faults) {
	var ok bool
	if w.Key, ok = o.given(w.verb, f); ok && w.Key == "" {
		f.faultf(w.verb, "is empty: give the launch_key of the event")
	}
	raw, given := o.take("hold")
	n, err := strconv.Atoi(string(raw))
	switch {
	case !given:
		f.faultf("hold", "is missing: give the number \"hold\" of the event, so that a repeated call does nothing twice")
	case err != nil || n < 1:
		f.faultf("hold", "must be the number \"hold\" of the event")
	}
	w.Hold = n
	o.unknown(known, "", f)
}

// given returns the string member name without the blanks around it; null
// counts as left out. False: it is of another type, and that was reported.
func (o fields) given(name string, f *faults) (string, bool) {
	before := len(*f)
	s := strings.TrimSpace(o.text(name, f))
	return s, len(*f) == before
}
