package record

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
)

// runDoc is the document of a run. It names the run's launch.
type runDoc struct {
	Format int    `json:"format"`
	Launch string `json:"launch"` // empty: no owner; earlier versions wrote that
}

// OwnerOf returns the key of the launch that owns a run, or "". run is the
// run's item.
func OwnerOf(run ledger.Item) (string, error) {
	var of runDoc
	err := Decode(run, &of, func() int { return of.Format })
	return of.Launch, err
}

// RunItem returns the item that makes a launch the owner of a run. version is
// the present version of the run's item, or 0 if the item does not exist yet.
func RunItem(launchKey, runID string, version int64, now time.Time) ledger.Item {
	doc, _ := Encode(runDoc{Format: Format, Launch: launchKey}) // texts
	return ledger.Item{Key: RunKey(runID), Version: version, Doc: doc, Expires: now.Add(KeptFor)}
}

// RunKey returns the key of a run's item.
func RunKey(id string) string {
	const longest = 512 // Amperity's ids are much shorter
	if len(id) > longest {
		sum := sha256.Sum256([]byte(id))
		id = hex.EncodeToString(sum[:])
	}
	return runPrefix + id
}
