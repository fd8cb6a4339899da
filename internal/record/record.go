// Package record is the ledger's schema: the documents of launches, windows,
// config ids and runs, their keys, and the transactions that write them.
//
// Every package reads the fields of documents. Where an invariant spans several
// fields, a method changes them.
package record

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
)

// Format is the version of the documents' format.
const Format = 1

// Decode decodes a document into doc, and returns a [*DocumentError] unless its
// format is [Format]. version returns the format of doc.
func Decode(item ledger.Item, doc any, version func() int) error {
	if err := json.Unmarshal(item.Doc, doc); err != nil {
		return &DocumentError{Key: item.Key, Err: err}
	}
	if v := version(); v != Format {
		return &DocumentError{Key: item.Key, Err: fmt.Errorf("its format is %d, and this version knows %d: deploy the newer version again", v, Format)}
	}
	return nil
}

// Encode encodes a document. It does not fail for documents of texts, numbers,
// times and runs, which came as JSON.
func Encode(doc any) ([]byte, error) { return json.Marshal(doc) }

// DocumentError reports an item of the ledger that this version cannot decode.
// The item stays as it is.
type DocumentError struct {
	Key string
	Err error
}

func (e *DocumentError) Error() string {
	return fmt.Sprintf("the ledger's item %s cannot be read: %v", e.Key, e.Err)
}

// Unwrap returns the reason.
func (e *DocumentError) Unwrap() error { return e.Err }

const (
	// RevisitAfter is when the sweep revisits an item that its current owner is
	// about to update.
	RevisitAfter = time.Minute
	// KeptFor is how long the ledger remembers a launch after its end. Retries
	// and redrives arrive within 45 days.
	KeptFor = 50 * 24 * time.Hour
	// keptWindow is how long the ledger remembers a window. It exceeds the time
	// for which it remembers the window's launches.
	keptWindow = KeptFor + 50*24*time.Hour
	// MaxFolds bounds how often files are folded into an item that other
	// processes update too.
	MaxFolds = 20
)
