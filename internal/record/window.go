package record

import (
	"time"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// WindowSpec names a window, and holds what its route says about it.
type WindowSpec struct {
	ConfigID string
	// Period is the window's period, as in launch keys.
	Period string
	// Route is the route's name.
	Route string
	Rules window.Rules
	// Request is the request to Amperity for the window's runs.
	Request   amperity.RunRequest
	IfUnknown IfUnknown
}

// Key returns the key of the window's item.
func (w WindowSpec) Key() string { return WindowPrefix + w.ConfigID + "/" + w.Period }

// Window is the state of a window, with its item as last read or written.
type Window struct {
	Item  ledger.Item
	State *window.State
}

// windowDoc is the document of a window: its state, and what a release needs to
// launch it without the routes.
type windowDoc struct {
	*window.State
	Request   amperity.RunRequest `json:"request"`
	IfUnknown IfUnknown           `json:"if_unknown"`
}

// DecodeWindow decodes a window's document. w is the window's present spec; nil
// takes the spec from the document.
func DecodeWindow(item ledger.Item, w *WindowSpec) (*Window, *WindowSpec, error) {
	doc := windowDoc{State: &window.State{}}
	if err := Decode(item, &doc, func() int { return doc.Format }); err != nil {
		return nil, nil, err
	}
	if w == nil {
		w = &WindowSpec{ConfigID: doc.ConfigID, Period: doc.Period, Route: doc.Route, Request: doc.Request, IfUnknown: doc.IfUnknown}
	} else {
		doc.Route = w.Route
	}
	return &Window{item, doc.State}, w, nil
}

// NextItem returns the item to write for the window. The item falls due at
// look, or immediately if the window has notices to announce.
func (j *Window) NextItem(w *WindowSpec, look, now time.Time) (ledger.Item, error) {
	doc, err := Encode(windowDoc{j.State, w.Request, w.IfUnknown})
	item := ledger.Item{Key: w.Key(), Version: j.Item.Version, Due: look, Doc: doc}
	if len(j.State.Notices) > 0 {
		item.Due = now
	}
	if j.State.Asks() {
		item.Held = j.State.Missing
	}
	if j.State.Idle() && item.Due.IsZero() {
		// An expected window that never got a file expires too. No list names
		// it any longer.
		item.Expires = now.Add(keptWindow)
	}
	return item, err
}

// setWritten takes in that item was written.
func (j *Window) setWritten(item ledger.Item) {
	item.Version++
	j.Item = item
}
