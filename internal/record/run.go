package record

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
)

// runDoc is the document of a run: whose it is.
type runDoc struct {
	Format int    `json:"format"`
	Launch string `json:"launch"` // empty: no launch's, as earlier versions wrote
}

// OwnerOf returns the key of the launch that a run's item names; empty: none.
func OwnerOf(run ledger.Item) (string, error) {
	var of runDoc
	err := Decode(run, &of, func() int { return of.Format })
	return of.Launch, err
}

// OwnedBy is the item that names the launch that a run belongs to. version is the
// item's own; 0: it does not exist yet.
func RunItem(launchKey, runID string, version int64, now time.Time) ledger.Item {
	doc, _ := Encode(runDoc{Format: Format, Launch: launchKey}) // texts
	return ledger.Item{Key: RunKey(runID), Version: version, Doc: doc, Expires: now.Add(KeptFor)}
}

// RunKey is the key of a run's item.
func RunKey(id string) string {
	const longest = 512 // no id of Amperity's comes near it
	if len(id) > longest {
		sum := sha256.Sum256([]byte(id))
		id = hex.EncodeToString(sum[:])
	}
	return runPrefix + id
}
