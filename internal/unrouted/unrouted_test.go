package unrouted_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/announcement/announcementtest"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/window"
)

func TestTwentyFoldersHaveTheirOwnAnnouncements(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		keys   []string
		counts []string
	}{
		"root":                    {[]string{"a", "b", "c"}, []string{"a 3"}},
		"a folder and the root":   {[]string{"a", "x/1", "b", "x/2", "x/y/3"}, []string{"a 2", "x/1 3"}},
		"a leading slash is root": {[]string{"/x", "a"}, []string{"/x 2"}},
		"20 folders":              {keys("%02d/x", 0, 20), keys("%02d/x 1", 0, 20)},
		"999 folders":             {keys("%03d/x", 0, 999), append(keys("%03d/x 1", 0, 20), "020/x 979")},
		"root and 999 folders":    {append([]string{"r"}, keys("%03d/x", 0, 999)...), append([]string{"r 980"}, keys("%03d/x 1", 0, 20)...)},
		"a folder with a very long name shares": {[]string{strings.Repeat("n", 257) + "/x", strings.Repeat("n", 256) + "/x", "r"},
			[]string{strings.Repeat("n", 257) + "/x 2", strings.Repeat("n", 256) + "/x 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.takeNew(row.keys...)
			f.checkAnnounced(row.counts...)
			if s := f.ledger.Stats(); s.Puts != 2 || s.Items != 2 || s.Gets != 1 {
				t.Errorf("%d writes of %d items and %d reads, want 2, 2 and 1", s.Puts, s.Items, s.Gets)
			}
			f.checkSettled("unrouted/b")
			for _, a := range f.bus.announced {
				detail, err := a.Encode(announcement.DefaultLimit)
				if err == nil {
					err = announcementtest.Validate(string(a.Type), detail)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestFolderIsAnnouncedOnceAnHour(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.takeNew("x/1", "r")
	f.clock.Advance(20 * time.Minute)
	f.takeNew("x/2", "y/1") // y is new, x was announced
	f.sweep(39 * time.Minute)
	want := []string{"x/1 1", "r 1", "y/1 1"}
	f.checkAnnounced(want...)
	f.sweep(time.Minute)
	want = append(want, "x/2 1")
	f.checkAnnounced(want...)
	f.checkSettled("unrouted/b")
	// All twenty groups are in use, and are then free again.
	f.clock.Advance(2 * time.Hour)
	f.takeNew(append(keys("%02d/x", 0, 20), "late/1")...)
	f.clock.Advance(time.Hour)
	f.takeNew("late/2", "r2")
	if diff := cmp.Diff([]string{"late/1 1", "late/2 1", "r2 1"}, f.bus.counts()[len(want)+20:]); diff != "" {
		t.Errorf("hours later (-want +got)\n%s", diff)
	}
}

func TestRepeatedUnroutedEventCountsOnce(t *testing.T) {
	t.Parallel()
	type batch struct {
		from, n int // of the keys
		at      int // seconds of the events
	}
	for name, row := range map[string]struct {
		batches []batch
		want    string
	}{
		"within the last thousand":                {[]batch{{1, 600, 0}, {1, 600, 0}, {300, 600, 0}}, "899"},
		"a thousand, again":                       {[]batch{{1, 1000, 0}, {1, 1000, 0}}, "1000"},
		"the thousand before are still known":     {[]batch{{1, 1000, 0}, {1001, 1000, 0}}, "2000"},
		"beyond, with events of the same time":    {[]batch{{1, 1000, 0}, {1001, 1000, 0}, {2001, 1000, 0}}, "2000+"},
		"beyond, repeats of the first":            {[]batch{{1, 1000, 0}, {1001, 1000, 1}, {1, 1000, 0}}, "2000+"},
		"beyond, with later events":               {[]batch{{1, 1000, 0}, {1001, 1000, 1}, {2001, 1000, 2}, {3001, 1000, 3}}, "4000"},
		"beyond, some repeats and some new":       {[]batch{{1, 1000, 0}, {1001, 1000, 1}, {1, 10, 0}, {2001, 10, 2}}, "2010+"},
		"beyond, with events out of order":        {[]batch{{1, 499, 5}, {501, 500, 0}, {1001, 1000, 0}, {1, 499, 5}}, "1999+"},
		"more than a thousand at once, repeated":  {[]batch{{1, 2500, 0}, {1, 2500, 0}}, "2500+"},
		"fewer than were counted, not told apart": {[]batch{{1, 1500, 0}, {1501, 3, 0}}, "1500+"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.take(lost(f.clock.Now().Add(-time.Hour), "first")...)
			begin := f.clock.Now()
			for _, b := range row.batches {
				f.clock.Advance(time.Minute)
				f.take(lost(begin.Add(time.Duration(b.at)*time.Second), keys("%d", b.from, b.n)...)...)
			}
			f.sweep(time.Hour)
			got := f.bus.counts()
			if len(got) != 2 || strings.TrimPrefix(got[1], "1 ") != row.want {
				t.Errorf("announced %v, want %s", got, row.want)
			}
			item, err := f.ledger.Get(t.Context(), "unrouted/b")
			if err != nil || len(item.Doc) > 16<<10 {
				t.Errorf("the document has %d bytes (%v)", len(item.Doc), err)
			}
		})
	}
}

func TestKnownUnroutedFilesAreNotWritten(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for range 2 {
		f.takeNew("x/1", "x/1", "r")
	}
	if s := f.ledger.Stats(); s.Puts != 2 || len(f.bus.announced) != 2 || f.bus.announced[0].Detail.Unrouted.Count != 1 {
		t.Errorf("%d writes, announced %v", s.Puts, f.bus.counts())
	}
	f.clock.Advance(time.Hour) // known, although the hour is over
	f.takeNew("x/1", "r")
	if s := f.ledger.Stats(); s.Puts != 2 || len(f.bus.announced) != 2 {
		t.Errorf("%d writes, announced %v", s.Puts, f.bus.counts())
	}
	// Another upload under the key is another file.
	f.take(window.Arrival{Bucket: "b", Key: "r", Version: "2", EventTime: f.clock.Now()})
	f.checkAnnounced("x/1 1", "r 1", "r 1")
}

// A crash delays an announcement, and a failure leads to a retry. Both announce
// the same files under the same id, even if more files arrive.
func TestUnroutedAnnouncementsAreRetried(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		errs []error
		// dies: s3arrival ends before it announces. unwritten: every write
		// after the first announcement fails.
		dies, unwritten bool
		want            []string
	}{
		"a crash before it":              {dies: true, want: []string{"x/1 1", "y/1 1", "x/2 1"}},
		"the first fails":                {errs: []error{errBus}, want: []string{"y/1 1", "x/1 1", "x/2 1"}},
		"both fail":                      {errs: []error{errBus, errBus}, want: []string{"x/1 1", "y/1 1", "x/2 1"}},
		"the sweep's fail, too":          {errs: []error{errBus, errBus, errBus, errBus}, want: []string{"x/1 1", "y/1 1", "x/2 1"}},
		"it is announced, and not noted": {unwritten: true, want: []string{"x/1 1", "y/1 1", "x/1 1", "y/1 1", "x/2 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.bus.errs = row.errs
			a, err := f.Record(t.Context(), "b", lost(f.clock.Now(), "x/1", "y/1"))
			if err != nil {
				t.Fatal(err)
			}
			decided := f.clock.Now()
			if row.unwritten {
				f.ledger.putErr = func() error { return errThrottled }
			}
			if !row.dies {
				f.Announce(t.Context(), a)
			}
			f.ledger.putErr = nil
			f.clock.Advance(30 * time.Second)
			f.takeNew("x/2")
			f.sweep(29 * time.Second) // not yet: s3arrival may be about to do it
			announced := len(f.bus.announced)
			f.sweep(time.Second)
			if again := len(f.bus.announced) - announced; (again > 0) != (announced < 2 || row.unwritten) && len(row.errs) < 4 {
				t.Errorf("the sweep announced %d", again)
			}
			f.sweep(time.Minute)
			f.sweep(time.Hour)
			f.checkAnnounced(row.want...)
			for _, a := range f.bus.announced {
				u := a.Detail.Unrouted.Files[0].Key
				folder, _, _ := strings.Cut(u, "/")
				at := decided
				if u == "x/2" {
					at = f.clock.Now()
				}
				if want := announcement.ID(announcement.FilesUnrouted, "b", folder, at.UTC().Format(time.RFC3339Nano)); a.Detail.ID != want {
					t.Errorf("%s has the id %s, want %s", u, a.Detail.ID, want)
				}
			}
			f.checkSettled("unrouted/b")
		})
	}
}

// Files that could not be announced for hours are not lost, and do not mix with
// later files.
func TestUnannouncedUnroutedFilesAreKept(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.bus.errs = slices.Repeat([]error{errBus}, 4)
	f.takeNew("x/1")
	for _, key := range []string{"x/2", "x/3"} {
		f.clock.Advance(61 * time.Minute)
		f.takeNew(key)
	}
	f.sweep(time.Minute)
	if f.bus.tries != 2 {
		t.Errorf("tried %d times", f.bus.tries)
	}
	f.bus.errs = nil
	for range 3 {
		f.sweep(time.Minute)
	}
	f.checkAnnounced("x/1 1", "x/2 2")
	f.checkSettled("unrouted/b")
	// A group without new files stays while its announcement waits.
	f.bus.errs = []error{errBus}
	f.clock.Advance(2 * time.Hour)
	f.takeNew("y/1")
	f.clock.Advance(2 * time.Hour)
	f.takeNew("z/1") // announces its own alone
	f.sweep(time.Minute)
	if diff := cmp.Diff([]string{"z/1 1", "y/1 1"}, f.bus.counts()[2:]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A process that froze before it announced does not confirm notices that were
// decided since.
func TestLateConfirmationRemovesNoNewNotice(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	frozen, err := f.Record(t.Context(), "b", lost(f.clock.Now(), "x/1"))
	if err != nil {
		t.Fatal(err)
	}
	f.sweep(time.Minute)
	f.clock.Advance(time.Hour)
	if _, err := f.Record(t.Context(), "b", lost(f.clock.Now(), "x/2")); err != nil {
		t.Fatal(err)
	}
	f.Announce(t.Context(), frozen)
	f.sweep(time.Minute)
	f.checkAnnounced("x/1 1", "x/1 1", "x/2 1")
	if first, again := f.bus.announced[0].Detail.ID, f.bus.announced[1].Detail.ID; first != again {
		t.Errorf("the repeat has the id %s, want %s", again, first)
	}
}

// The item is due as soon as its first group is.
func TestUnroutedItemIsDueWithItsFirstGroup(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.takeNew("x/1")
	f.clock.Advance(20 * time.Minute)
	f.bus.errs = []error{errBus}
	f.takeNew("x/2", "y/1")
	f.sweep(time.Minute)
	f.checkAnnounced("x/1 1", "y/1 1")
}

func TestUnroutedFileIsNamedOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.takeNew("x/0", "r")
	f.takeNew("x/1")
	f.takeNew(keys("%d", 0, 1500)...) // now x/1 is not known any more
	f.takeNew("x/1", "x/2")
	f.sweep(time.Hour)
	i := slices.Index(f.bus.counts(), "x/1 2+")
	if i < 0 || len(f.bus.announced[i].Detail.Unrouted.Files) != 2 {
		t.Errorf("announced %v", f.bus.counts())
	}
}

// A bus that does not answer costs two attempts, not one for each folder.
func TestFailingBusIsTriedTwice(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.bus.errs = slices.Repeat([]error{errBus}, 50)
	f.takeNew(keys("%02d/x", 0, 30)...)
	if f.bus.tries != 2 {
		t.Errorf("tried %d times", f.bus.tries)
	}
}

// Several instances record files at the same time. Each file is announced once.
func TestInstancesAnnounceEachUnroutedFileOnce(t *testing.T) {
	t.Parallel()
	const instances, batches, each = 4, 5, 40
	memory, bus := ledger.NewMemory(), &recordingBus{}
	var wg sync.WaitGroup
	fixtures := make([]*fixture, instances)
	for i := range fixtures {
		f := newInstance(t, memory, bus)
		fixtures[i] = f
		wg.Go(func() {
			for b := range batches {
				a, err := f.Record(t.Context(), "b", lost(f.clock.Now(), keys(fmt.Sprintf("%%d/%d-%d", i, b), 0, each)...))
				if err != nil {
					t.Error(err)
				}
				f.Announce(t.Context(), a)
			}
		})
	}
	wg.Wait()
	f := fixtures[0]
	for range 3 {
		f.sweep(61 * time.Minute)
	}
	f.checkSettled("unrouted/b")
	sum, seen := 0, map[string]bool{}
	for _, a := range f.bus.announced {
		if !seen[a.Detail.ID] {
			sum += a.Detail.Unrouted.Count
		}
		seen[a.Detail.ID] = true
	}
	if sum != instances*batches*each || len(seen) != len(f.bus.announced) {
		t.Errorf("%d files in %d announcements with %d ids, want %d files", sum, len(f.bus.announced), len(seen), instances*batches*each)
	}
}

// More files arrive between an announcement and its confirmation.
func TestFilesDuringAnAnnouncementStayOpen(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	met := false
	f.ledger.putErr = func() error {
		if len(f.bus.announced) == 1 && !met {
			met = true
			f.takeNew("x/2", "x/3")
		}
		return nil
	}
	f.takeNew("x/1")
	if f.ledger.putErr = nil; !met {
		t.Fatal("they did not meet")
	}
	f.sweep(time.Minute) // nothing to repeat
	f.sweep(time.Hour)
	f.checkAnnounced("x/1 1", "x/2 2")
	f.checkSettled("unrouted/b")
}

// Two processes fold files into the same item. A process with too many
// conflicts returns an error, so that its files are delivered again.
func TestUnroutedFilesSurviveConflicts(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		meets int
		fails bool
	}{"one": {1, false}, "nineteen": {19, false}, "twenty": {20, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			n, inside := 0, false
			f.ledger.putErr = func() error {
				if n < row.meets && !inside {
					n++
					inside = true
					f.takeNew(fmt.Sprint("other", n))
					inside = false
				}
				return nil
			}
			_, err := f.Record(t.Context(), "b", lost(f.clock.Now(), "x/1"))
			var lerr *record.LedgerError
			if (err != nil) != row.fails || row.fails && !errors.As(err, &lerr) {
				t.Fatalf("%T %v", err, err)
			}
			f.ledger.putErr = nil
			f.sweep(time.Minute)
			f.sweep(time.Hour)
			sum := 0
			for _, a := range f.bus.announced {
				sum += a.Detail.Unrouted.Count
			}
			want := row.meets + 1
			if row.fails {
				want--
			}
			if sum != want {
				t.Errorf("announced %v, want %d files", f.bus.counts(), want)
			}
		})
	}
}

func TestUnrecordedUnroutedFilesAreAnError(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(f *fixture){
		"a read fails":   func(f *fixture) { f.ledger.getErr = func() error { return errThrottled } },
		"a write fails":  func(f *fixture) { f.ledger.putErr = func() error { return errThrottled } },
		"a newer format": func(f *fixture) { f.put("unrouted/b", `{"format":2}`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			set(f)
			_, err := f.Record(t.Context(), "b", lost(f.clock.Now(), "x/1"))
			if lerr := (*record.LedgerError)(nil); !errors.As(err, &lerr) || len(f.bus.announced) > 0 {
				t.Errorf("%T %v; announced %v", err, err, f.bus.counts())
			}
		})
	}
	f := newFixture(t)
	f.put("unrouted/b", `{"format":2}`)
	f.put("unrouted/b/x", `{"format":2}`)
	for _, key := range []string{"unrouted/b", "unrouted/b/x"} {
		if _, err := f.Due(t.Context(), key); err == nil {
			t.Errorf("%s of another format was announced", key)
		}
	}
}

// Earlier versions wrote an item for each folder. Its files are announced under
// the id of the earlier version, and the item then expires.
func TestFolderItemsOfEarlierVersionsAreAnnounced(t *testing.T) {
	t.Parallel()
	const doc = `{"format":1,"bucket":"b","folder":"x","announced":"2026-11-22T05:30:00Z","since":"2026-11-22T05:40:00.5Z","count":25,` +
		`"files":[{"bucket":"b","key":"x/1"},{"bucket":"b","key":"x/2"}]}`
	f := newFixture(t)
	f.bus.errs = []error{errBus}
	f.put("unrouted/b/x", doc)
	f.sweep(0)
	if len(f.bus.announced) > 0 || f.bus.tries != 1 {
		t.Fatalf("announced %v", f.bus.counts())
	}
	f.sweep(time.Minute)
	f.checkAnnounced("x/1 25")
	if want := announcement.ID(announcement.FilesUnrouted, "b", "x", "2026-11-22T05:40:00.5Z", "25"); f.bus.announced[0].Detail.ID != want {
		t.Errorf("has the id %s, want %s", f.bus.announced[0].Detail.ID, want)
	}
	f.checkSettled("unrouted/b/x")
	item, err := f.ledger.Get(t.Context(), "unrouted/b/x")
	if want := `{"format":1,"bucket":"b","folder":"x","announced":"2026-11-22T06:01:00Z","count":0}`; err != nil || string(item.Doc) != want {
		t.Errorf("is now %s (%v)", item.Doc, err)
	}
	// The earlier version adds files during the announcement. They are
	// announced with the rest.
	f.put("unrouted/b/y", strings.ReplaceAll(doc, "x", "y"))
	f.ledger.putErr = func() error {
		f.ledger.putErr = nil
		return f.ledger.Put(t.Context(), "earlier version", ledger.Item{Key: "unrouted/b/y", Version: 1, Due: f.clock.Now(), Doc: []byte(strings.ReplaceAll(strings.ReplaceAll(doc, "x", "y"), "25", "26"))})
	}
	f.sweep(0)
	f.sweep(time.Minute)
	f.checkAnnounced("x/1 25", "y/1 25", "y/1 26")
	// An item that an earlier version has announced has no files.
	f.put("unrouted/b/z", `{"format":1,"bucket":"b","folder":"z","count":0}`)
	f.sweep(0)
	f.checkSettled("unrouted/b/z")
}

// The document fits into the ledger with room to spare, whatever the names.
func TestUnroutedDocumentStaysSmall(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		fill string
		most int
	}{"ordinary names": {"0123456789", 120 << 10}, "names that JSON makes six times as long": {"<", 320 << 10}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.bus.errs = slices.Repeat([]error{errBus}, 1000)
			long := strings.Repeat(row.fill, 1024)
			for i := range 3 {
				f.clock.Advance(time.Minute)
				var files []window.Arrival
				for j := range 1000 {
					folder := fmt.Sprintf("%02d%s", j%21, long)[:256]
					if j%21 == 20 {
						folder = long[:300]
					}
					files = append(files, lost(f.clock.Now(), fmt.Sprintf("%s/%d-%03d%s", folder, i, j, long)[:1024])...)
				}
				f.take(files...)
			}
			item, err := f.ledger.Get(t.Context(), "unrouted/b")
			if err != nil || len(item.Doc) > row.most || len(item.Doc) < 50<<10 {
				t.Errorf("the document has %d bytes (%v)", len(item.Doc), err)
			}
		})
	}
}

// A name that no bucket can have gets no item of its own, and no item of an
// earlier version.
func TestInvalidBucketNamesShareAnItem(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for i, name := range []string{"", "a/b", strings.Repeat("n", 256)} {
		a, err := f.Record(t.Context(), name, []window.Arrival{{Bucket: name + "x", Key: fmt.Sprintf("x%d/1", i), EventTime: f.clock.Now()}})
		if err != nil {
			t.Fatal(err)
		}
		f.Announce(t.Context(), a)
	}
	f.sweep(time.Hour)
	f.checkAnnounced("x0/1 1", "x1/1 2")
	f.checkSettled("unrouted/")
}

// The sweep leaves an item alone that s3arrival updates at the same time.
func TestSweepLeavesAConflictToS3Arrival(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.takeNew("x/1")
	f.clock.Advance(time.Minute)
	f.takeNew("x/2")
	f.clock.Advance(time.Hour)
	f.ledger.putErr = func() error {
		f.ledger.putErr = nil
		f.takeNew("x/3")
		return nil
	}
	if did, err := f.Due(t.Context(), "unrouted/b"); did || err != nil {
		t.Errorf("did %t, %v", did, err)
	}
	f.checkAnnounced("x/1 1", "x/2 2")
	f.takeNew("x/4")
	f.clock.Advance(time.Hour)
	f.ledger.putErr = func() error { return errThrottled }
	if did, err := f.Due(t.Context(), "unrouted/b"); did || !errors.Is(err, errThrottled) {
		t.Errorf("did %t, %v", did, err)
	}
}

// Announced unrouted files are not due.
func TestAnnouncedUnroutedFilesAreNotDue(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.takeNew("x/1")
	f.clock.Advance(2 * time.Hour)
	if worked, err := f.Due(t.Context(), "unrouted/b"); worked || err != nil {
		t.Errorf("worked %t, %v", worked, err)
	}
}

// A group names files until their names exceed 2 KB of JSON.
func TestUnroutedFilesAreNamedUpToTheBound(t *testing.T) {
	t.Parallel()
	second := strings.Repeat("n", 100)
	both, err := json.Marshal([]announcement.File{{Bucket: "b", Key: "x/"}, {Bucket: "b", Key: second}})
	if err != nil {
		t.Fatal(err)
	}
	for over, want := range []int{2, 1} {
		f := newFixture(t)
		first := "x/" + strings.Repeat("n", 2<<10-len(both)-len("x/")+over)
		f.takeNew(first, "x/"+second)
		if len(f.bus.announced) != 1 || f.bus.announced[0].Detail.Unrouted.Count != 2 || len(f.bus.announced[0].Detail.Unrouted.Files) != want {
			t.Errorf("%d bytes too many: announced %+v", over, f.bus.announced)
		}
	}
}

// An event of the future does not spoil the counts of the files after it.
func TestEventOfTheFutureSpoilsNoCount(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.take(lost(f.clock.Now().AddDate(1, 0, 0), "first")...)
	for i := range 20 {
		f.clock.Advance(20 * time.Second)
		f.take(lost(f.clock.Now().Add(-time.Second), keys("%d", 1+100*i, 100)...)...)
	}
	f.sweep(time.Hour)
	f.checkAnnounced("first 1", "1 2000")
}
