// Package record is the ledger's schema: the documents of launches, windows,
// config ids and runs, their keys, and the transactions that write them.
//
// Fields of documents are read by every package. They are changed by methods
// where an invariant spans several of them.
package record

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
)

// Format is the version of the documents' form.
const Format = 1

// Decode reads a document of this version's form.
func Decode(item ledger.Item, doc any, version func() int) error {
	if err := json.Unmarshal(item.Doc, doc); err != nil {
		return &DocumentError{Key: item.Key, Err: err}
	}
	if v := version(); v != Format {
		return &DocumentError{Key: item.Key, Err: fmt.Errorf("its format is %d, and this version knows %d: deploy the newer version again", v, Format)}
	}
	return nil
}

// Encode writes a document: texts, numbers and what Amperity answered, which
// was JSON when it came.
func Encode(doc any) ([]byte, error) { return json.Marshal(doc) }

// DocumentError says that an item of the ledger cannot be read. Nothing is done
// about it until it can.
type DocumentError struct {
	Key string
	Err error
}

func (e *DocumentError) Error() string {
	return fmt.Sprintf("the ledger's item %s cannot be read: %v", e.Key, e.Err)
}

// Unwrap returns why.
func (e *DocumentError) Unwrap() error { return e.Err }

const (
	// soon is when the sweep revisits an item that its owner is about to write.
	RevisitAfter = time.Minute
	// keptFor is how long a launch is remembered once it is over. Retries and
	// redrives reach less than 45 days.
	KeptFor = 50 * 24 * time.Hour
	// keptWindow is how long a window is remembered after its launches.
	keptWindow = KeptFor + 50*24*time.Hour
	// maxFolds bounds how often a batch is folded anew into an item that others
	// write too.
	MaxFolds = 20
)
