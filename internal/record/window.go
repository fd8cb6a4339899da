package record

import (
	"time"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// WindowSpec names a window, and says what its route says of it.
type WindowSpec struct {
	ConfigID string
	// Period is the day or the hour, as in launch keys.
	Period string
	// Route is the route's name.
	Route string
	Rules window.Rules
	// Request is what is sent to Amperity for it.
	Request   amperity.RunRequest
	IfUnknown IfUnknown
}

// Key is the key of the window's item.
func (w WindowSpec) Key() string { return WindowPrefix + w.ConfigID + "/" + w.Period }

// Window is a window as it was read or written last.
type Window struct {
	Item  ledger.Item
	State *window.State
}

// windowDoc is the document of a window: its state, and what a person's word
// needs to launch it when nobody has the routes at hand.
type windowDoc struct {
	*window.State
	Request   amperity.RunRequest `json:"request"`
	IfUnknown IfUnknown           `json:"if_unknown"`
}

// DecodeWindow reads a window's document. w, unless it is nil, is what its route
// says now.
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

// Write gives the window's item as it is to be written, to be looked at at a
// time.
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
		// One that was expected and to which nothing came at all is forgotten
		// too, and is in nobody's list any more.
		item.Expires = now.Add(keptWindow)
	}
	return item, err
}
