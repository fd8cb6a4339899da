package trigger

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/amperity-runs/amperity-runs/internal/launch"
)

const noLedgerText = "without a ledger (LEDGER_TABLE=memory) nothing is held: start the run with config_id"

// word is what a person says of what is held.
type word struct {
	// verb is list, release, adopt or discard.
	verb string
	launch.Word
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
	if len(verbs) > 1 {
		f.faultf("", "%s exclude each other: give one of them", strings.Join(verbs, " and "))
	}
	switch w.verb {
	case "list":
		if o.text("list", &f) != "held" {
			f.faultf("list", `must be "held"`)
		}
		o.unknown([]string{"list"}, "", &f)
	case "release":
		w.ask(o, []string{"release", "hold"}, &f)
	case "adopt":
		w.ask(o, []string{"adopt", "run_id", "hold"}, &f)
		if w.RunID = o.text("run_id", &f); w.RunID == "" {
			f.faultf("run_id", "is missing: give the run's id, as wf-…, from Amperity's Workflows page")
		}
	case "discard":
		w.ask(o, []string{"discard", "hold", "reason"}, &f)
		switch w.Reason = o.text("reason", &f); {
		case w.Reason == "":
			f.faultf("reason", "is missing: say why nothing is to be started, for whoever reads the event")
		case len(w.Reason) > maxReason:
			f.faultf("reason", "has %d bytes and may have %d", len(w.Reason), maxReason)
		}
	}
	w.faults = f
	return w, true
}

// ask reads which launch is meant, and the number that is answered.
func (w *word) ask(o fields, known []string, f *faults) {
	if w.Key = o.text(w.verb, f); w.Key == "" {
		f.faultf(w.verb, "is empty: give the launch_key of the announcement")
	}
	raw, given := o.take("hold")
	n, err := strconv.Atoi(string(raw))
	switch {
	case !given:
		f.faultf("hold", "is missing: give the number \"hold\" of the announcement, so that a repeated call does nothing twice")
	case err != nil || n < 1:
		f.faultf("hold", "must be the number \"hold\" of the announcement")
	}
	w.Hold = n
	o.unknown(known, "", f)
}
