package sim

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/announcement/announcementtest"
)

// TestEveryAnnouncementKeepsToItsSchema checks the announcements of random
// histories against the schemas in docs/events. It continues until every type
// was announced.
func TestEveryAnnouncementKeepsToItsSchema(t *testing.T) {
	t.Parallel()
	const least, most = 200, 5000
	types, err := announcementtest.DetailTypes()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := map[string]int{}
	seed := uint64(0)
	// more gives the next seed, if there is to be one more history.
	more := func() (uint64, bool) {
		mu.Lock()
		defer mu.Unlock()
		seed++
		return seed, !t.Failed() && (seed <= least || seed <= most && len(seen) < len(types))
	}
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for n, ok := more(); ok; n, ok = more() {
				w := Random(n, "", false)
				for _, a := range w.announced {
					if err := keepsToSchema(a.Announcement); err != nil {
						t.Errorf("go test ./test/sim -run TestRandom -seed %d: %v", n, err)
					}
					mu.Lock()
					seen[string(a.Type)]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	for _, name := range types {
		if seen[name] == 0 && !t.Failed() {
			t.Errorf("%s was never announced in %d histories", name, most)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		t.Logf("%6d %s", seen[name], name)
	}
}

// keepsToSchema encodes an announcement as it is published, and checks it
// against the schema of its type.
func keepsToSchema(a announcement.Announcement) error {
	detail, err := a.Encode(announcement.DefaultLimit)
	if err != nil {
		return err
	}
	if err := announcementtest.Validate(string(a.Type), detail); err != nil {
		return fmt.Errorf("%w\n%s", err, detail)
	}
	return nil
}
