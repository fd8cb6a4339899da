package launch_test

import (
	"context"
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
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/window"
)

// newsBus stores announcements. It fails with its errors in turn.
type newsBus struct {
	mu    sync.Mutex
	errs  []error
	tries int
	news  []announcement.Announcement
}

func (b *newsBus) Announce(_ context.Context, as ...announcement.Announcement) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tries++
	if len(b.errs) > 0 {
		err := b.errs[0]
		b.errs = b.errs[1:]
		if err != nil {
			return err
		}
	}
	b.news = append(b.news, as...)
	return nil
}

// counts returns the first file and the number of files of each announcement.
func (b *newsBus) counts() (out []string) {
	for _, a := range b.news {
		n := fmt.Sprint(a.Detail.Unrouted.Count)
		if a.Detail.Unrouted.AtLeast {
			n += "+"
		}
		out = append(out, a.Detail.Unrouted.Files[0].Key+" "+n)
	}
	return out
}

// unroutedOffice returns an office with a newsBus.
func unroutedOffice(t *testing.T) (*office, *newsBus) {
	o, b := newOffice(t), &newsBus{}
	o.Announcer = b
	return o, b
}

// lost returns files of the bucket b that no route matches.
func lost(at time.Time, keys ...string) (files []window.Arrival) {
	for _, k := range keys {
		files = append(files, window.Arrival{Bucket: "b", Key: k, Version: "1", EventTime: at})
	}
	return files
}

// keys formats n keys with the numbers from from on.
func keys(form string, from, n int) (ks []string) {
	for i := range n {
		ks = append(ks, fmt.Sprintf(form, from+i))
	}
	return ks
}

// take records and announces the files of one batch, as s3arrival does.
func (o *office) take(files ...window.Arrival) {
	o.t.Helper()
	a, err := o.unrouted.Record(o.t.Context(), "b", files)
	if err != nil {
		o.t.Fatal(err)
	}
	o.unrouted.Announce(o.t.Context(), a)
}

// sweepUnrouted moves the clock, and works on due items.
func (o *office) sweepUnrouted(d time.Duration) {
	o.t.Helper()
	o.now = o.now.Add(d)
	var due []string
	for row := range o.ledger.Due(o.t.Context(), o.now) {
		due = append(due, row.Key)
	}
	for _, key := range due {
		if _, err := o.unrouted.Due(o.t.Context(), key); err != nil {
			o.t.Fatalf("%s: %v", key, err)
		}
	}
}

// settledUnrouted checks that an item is not due, and expires.
func (o *office) settledUnrouted(key string) {
	o.t.Helper()
	item, err := o.ledger.Get(o.t.Context(), key)
	if err != nil || !item.Due.IsZero() || item.Expires.IsZero() {
		o.t.Errorf("%s is due %s and expires %s (%v)", key, item.Due, item.Expires, err)
	}
}

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
			o, bus := unroutedOffice(t)
			o.take(lost(o.now, row.keys...)...)
			if diff := cmp.Diff(row.counts, bus.counts()); diff != "" {
				t.Errorf("announced (-want +got)\n%s", diff)
			}
			if s := o.ledger.Stats(); s.Puts != 2 || s.Items != 2 || s.Gets != 1 {
				t.Errorf("%d writes of %d items and %d reads, want 2, 2 and 1", s.Puts, s.Items, s.Gets)
			}
			o.settledUnrouted("unrouted/b")
			for _, a := range bus.news {
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
	o, bus := unroutedOffice(t)
	o.take(lost(o.now, "x/1", "r")...)
	o.now = o.now.Add(20 * time.Minute)
	o.take(lost(o.now, "x/2", "y/1")...) // y is new, x was announced
	o.sweepUnrouted(39 * time.Minute)
	want := []string{"x/1 1", "r 1", "y/1 1"}
	if diff := cmp.Diff(want, bus.counts()); diff != "" {
		t.Errorf("within the hour (-want +got)\n%s", diff)
	}
	o.sweepUnrouted(time.Minute)
	want = append(want, "x/2 1")
	if diff := cmp.Diff(want, bus.counts()); diff != "" {
		t.Errorf("at its end (-want +got)\n%s", diff)
	}
	o.settledUnrouted("unrouted/b")
	// All twenty groups are in use, and are then free again.
	o.now = o.now.Add(2 * time.Hour)
	o.take(lost(o.now, append(keys("%02d/x", 0, 20), "late/1")...)...)
	o.now = o.now.Add(time.Hour)
	o.take(lost(o.now, "late/2", "r2")...)
	if diff := cmp.Diff([]string{"late/1 1", "late/2 1", "r2 1"}, bus.counts()[len(want)+20:]); diff != "" {
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
			o, bus := unroutedOffice(t)
			o.take(lost(o.now.Add(-time.Hour), "first")...)
			begin := o.now
			for _, b := range row.batches {
				o.now = o.now.Add(time.Minute)
				o.take(lost(begin.Add(time.Duration(b.at)*time.Second), keys("%d", b.from, b.n)...)...)
			}
			o.sweepUnrouted(time.Hour)
			got := bus.counts()
			if len(got) != 2 || strings.TrimPrefix(got[1], "1 ") != row.want {
				t.Errorf("announced %v, want %s", got, row.want)
			}
			item, err := o.ledger.Get(t.Context(), "unrouted/b")
			if err != nil || len(item.Doc) > 16<<10 {
				t.Errorf("the document has %d bytes (%v)", len(item.Doc), err)
			}
		})
	}
}

func TestKnownUnroutedFilesAreNotWritten(t *testing.T) {
	t.Parallel()
	o, bus := unroutedOffice(t)
	for range 2 {
		o.take(lost(o.now, "x/1", "x/1", "r")...)
	}
	if s := o.ledger.Stats(); s.Puts != 2 || len(bus.news) != 2 || bus.news[0].Detail.Unrouted.Count != 1 {
		t.Errorf("%d writes, announced %v", s.Puts, bus.counts())
	}
	o.now = o.now.Add(time.Hour) // known, although the hour is over
	o.take(lost(o.now, "x/1", "r")...)
	if s := o.ledger.Stats(); s.Puts != 2 || len(bus.news) != 2 {
		t.Errorf("%d writes, announced %v", s.Puts, bus.counts())
	}
	// Another upload under the key is another file.
	o.take(window.Arrival{Bucket: "b", Key: "r", Version: "2", EventTime: o.now})
	if diff := cmp.Diff([]string{"x/1 1", "r 1", "r 1"}, bus.counts()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A crash delays an announcement, and a failure leads to a retry. Both announce
// the same files under the same id, even if more files arrive.
func TestUnroutedAnnouncementsAreRetried(t *testing.T) {
	t.Parallel()
	errBus := errors.New("the bus is gone")
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
			o, bus := unroutedOffice(t)
			bus.errs = row.errs
			a, err := o.unrouted.Record(t.Context(), "b", lost(o.now, "x/1", "y/1"))
			if err != nil {
				t.Fatal(err)
			}
			decided := o.now
			if row.unwritten {
				o.putErr = func([]ledger.Item) error { return errThrottled }
			}
			if !row.dies {
				o.unrouted.Announce(t.Context(), a)
			}
			o.putErr = nil
			o.now = decided.Add(30 * time.Second)
			o.take(lost(o.now, "x/2")...)
			o.sweepUnrouted(29 * time.Second) // not yet: s3arrival may be about to do it
			announced := len(bus.news)
			o.sweepUnrouted(time.Second)
			if again := len(bus.news) - announced; (again > 0) != (announced < 2 || row.unwritten) && len(row.errs) < 4 {
				t.Errorf("the sweep announced %d", again)
			}
			o.sweepUnrouted(time.Minute)
			o.sweepUnrouted(time.Hour)
			if diff := cmp.Diff(row.want, bus.counts()); diff != "" {
				t.Errorf("announced (-want +got)\n%s", diff)
			}
			for _, a := range bus.news {
				u := a.Detail.Unrouted.Files[0].Key
				folder, _, _ := strings.Cut(u, "/")
				at := decided
				if u == "x/2" {
					at = o.now
				}
				if want := announcement.ID(announcement.FilesUnrouted, "b", folder, at.UTC().Format(time.RFC3339Nano)); a.Detail.ID != want {
					t.Errorf("%s has the id %s, want %s", u, a.Detail.ID, want)
				}
			}
			o.settledUnrouted("unrouted/b")
		})
	}
}

// Files that could not be announced for hours are not lost, and do not mix with
// later files.
func TestUnannouncedUnroutedFilesAreKept(t *testing.T) {
	t.Parallel()
	o, bus := unroutedOffice(t)
	bus.errs = slices.Repeat([]error{errors.New("the bus is gone")}, 4)
	o.take(lost(o.now, "x/1")...)
	for _, key := range []string{"x/2", "x/3"} {
		o.now = o.now.Add(61 * time.Minute)
		o.take(lost(o.now, key)...)
	}
	o.sweepUnrouted(time.Minute)
	if bus.tries != 2 {
		t.Errorf("tried %d times", bus.tries)
	}
	bus.errs = nil
	for range 3 {
		o.sweepUnrouted(time.Minute)
	}
	if diff := cmp.Diff([]string{"x/1 1", "x/2 2"}, bus.counts()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	o.settledUnrouted("unrouted/b")
	// A group without new files stays while its announcement waits.
	bus.errs = []error{errors.New("the bus is gone")}
	o.now = o.now.Add(2 * time.Hour)
	o.take(lost(o.now, "y/1")...)
	o.now = o.now.Add(2 * time.Hour)
	o.take(lost(o.now, "z/1")...) // announces its own alone
	o.sweepUnrouted(time.Minute)
	if diff := cmp.Diff([]string{"z/1 1", "y/1 1"}, bus.counts()[2:]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A process that froze before it announced does not confirm notices that were
// decided since.
func TestLateConfirmationRemovesNoNewNotice(t *testing.T) {
	t.Parallel()
	o, bus := unroutedOffice(t)
	frozen, err := o.unrouted.Record(t.Context(), "b", lost(o.now, "x/1"))
	if err != nil {
		t.Fatal(err)
	}
	o.sweepUnrouted(time.Minute)
	o.now = o.now.Add(time.Hour)
	if _, err := o.unrouted.Record(t.Context(), "b", lost(o.now, "x/2")); err != nil {
		t.Fatal(err)
	}
	o.unrouted.Announce(t.Context(), frozen)
	o.sweepUnrouted(time.Minute)
	if diff := cmp.Diff([]string{"x/1 1", "x/1 1", "x/2 1"}, bus.counts()); diff != "" || bus.news[0].Detail.ID != bus.news[1].Detail.ID {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The item is due as soon as its first group is.
func TestUnroutedItemIsDueWithItsFirstGroup(t *testing.T) {
	t.Parallel()
	o, bus := unroutedOffice(t)
	o.take(lost(o.now, "x/1")...)
	o.now = o.now.Add(20 * time.Minute)
	bus.errs = []error{errors.New("the bus is gone")}
	o.take(lost(o.now, "x/2", "y/1")...)
	o.sweepUnrouted(time.Minute)
	if diff := cmp.Diff([]string{"x/1 1", "y/1 1"}, bus.counts()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestUnroutedFileIsNamedOnce(t *testing.T) {
	t.Parallel()
	o, bus := unroutedOffice(t)
	o.take(lost(o.now, "x/0", "r")...)
	o.take(lost(o.now, "x/1")...)
	o.take(lost(o.now, keys("%d", 0, 1500)...)...) // now x/1 is not known any more
	o.take(lost(o.now, "x/1", "x/2")...)
	o.sweepUnrouted(time.Hour)
	i := slices.Index(bus.counts(), "x/1 2+")
	if i < 0 || len(bus.news[i].Detail.Unrouted.Files) != 2 {
		t.Errorf("announced %v", bus.counts())
	}
}

// A bus that does not answer costs two attempts, not one for each folder.
func TestFailingBusIsTriedTwice(t *testing.T) {
	t.Parallel()
	o, bus := unroutedOffice(t)
	bus.errs = slices.Repeat([]error{errors.New("the bus is gone")}, 50)
	o.take(lost(o.now, keys("%02d/x", 0, 30)...)...)
	if bus.tries != 2 {
		t.Errorf("tried %d times", bus.tries)
	}
}

// Several instances record files at the same time. Each file is announced once.
func TestInstancesAnnounceEachUnroutedFileOnce(t *testing.T) {
	t.Parallel()
	const instances, batches, each = 4, 5, 40
	memory, bus := ledger.NewMemory(), &newsBus{}
	var wg sync.WaitGroup
	offices := make([]*office, instances)
	for i := range offices {
		o := newOffice(t)
		offices[i], o.ledger, o.Announcer, o.Store.Token = o, memory, bus, launch.NewToken
		wg.Go(func() {
			for b := range batches {
				a, err := o.unrouted.Record(t.Context(), "b", lost(o.now, keys(fmt.Sprintf("%%d/%d-%d", i, b), 0, each)...))
				if err != nil {
					t.Error(err)
				}
				o.unrouted.Announce(t.Context(), a)
			}
		})
	}
	wg.Wait()
	o := offices[0]
	for range 3 {
		o.sweepUnrouted(61 * time.Minute)
	}
	o.settledUnrouted("unrouted/b")
	sum, seen := 0, map[string]bool{}
	for _, a := range bus.news {
		if !seen[a.Detail.ID] {
			sum += a.Detail.Unrouted.Count
		}
		seen[a.Detail.ID] = true
	}
	if sum != instances*batches*each || len(seen) != len(bus.news) {
		t.Errorf("%d files in %d announcements with %d ids, want %d files", sum, len(bus.news), len(seen), instances*batches*each)
	}
}

// More files arrive between an announcement and its confirmation.
func TestFilesDuringAnAnnouncementStayOpen(t *testing.T) {
	t.Parallel()
	o, bus := unroutedOffice(t)
	met := false
	o.putErr = func([]ledger.Item) error {
		if len(bus.news) == 1 && !met {
			met = true
			o.take(lost(o.now, "x/2", "x/3")...)
		}
		return nil
	}
	o.take(lost(o.now, "x/1")...)
	if o.putErr = nil; !met {
		t.Fatal("they did not meet")
	}
	o.sweepUnrouted(time.Minute) // nothing to repeat
	o.sweepUnrouted(time.Hour)
	if diff := cmp.Diff([]string{"x/1 1", "x/2 2"}, bus.counts()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	o.settledUnrouted("unrouted/b")
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
			o, bus := unroutedOffice(t)
			n, inside := 0, false
			o.putErr = func([]ledger.Item) error {
				if n < row.meets && !inside {
					n++
					inside = true
					o.take(lost(o.now, fmt.Sprint("other", n))...)
					inside = false
				}
				return nil
			}
			_, err := o.unrouted.Record(t.Context(), "b", lost(o.now, "x/1"))
			var lerr *record.LedgerError
			if (err != nil) != row.fails || row.fails && !errors.As(err, &lerr) {
				t.Fatalf("%T %v", err, err)
			}
			o.putErr = nil
			o.sweepUnrouted(time.Minute)
			o.sweepUnrouted(time.Hour)
			sum := 0
			for _, a := range bus.news {
				sum += a.Detail.Unrouted.Count
			}
			want := row.meets + 1
			if row.fails {
				want--
			}
			if sum != want {
				t.Errorf("announced %v, want %d files", bus.counts(), want)
			}
		})
	}
}

func TestUnrecordedUnroutedFilesAreAnError(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(o *office){
		"a read fails":   func(o *office) { o.getErr = func(string) error { return errThrottled } },
		"a write fails":  func(o *office) { o.putErr = func([]ledger.Item) error { return errThrottled } },
		"a newer format": func(o *office) { putDoc(t, o, "unrouted/b", `{"format":2}`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, bus := unroutedOffice(t)
			set(o)
			_, err := o.unrouted.Record(t.Context(), "b", lost(o.now, "x/1"))
			if lerr := (*record.LedgerError)(nil); !errors.As(err, &lerr) || len(bus.news) > 0 {
				t.Errorf("%T %v; announced %v", err, err, bus.counts())
			}
		})
	}
	o, _ := unroutedOffice(t)
	putDoc(t, o, "unrouted/b", `{"format":2}`)
	putDoc(t, o, "unrouted/b/x", `{"format":2}`)
	for _, key := range []string{"unrouted/b", "unrouted/b/x"} {
		if _, err := o.unrouted.Due(t.Context(), key); err == nil {
			t.Errorf("%s of another format was announced", key)
		}
	}
}

func putDoc(t *testing.T, o *office, key, doc string) {
	t.Helper()
	if err := o.ledger.Put(t.Context(), "doc "+key, ledger.Item{Key: key, Due: o.now, Doc: []byte(doc)}); err != nil {
		t.Fatal(err)
	}
}

// Earlier versions wrote an item for each folder. Its files are announced under
// the id of the earlier version, and the item then expires.
func TestFolderItemsOfEarlierVersionsAreAnnounced(t *testing.T) {
	t.Parallel()
	const doc = `{"format":1,"bucket":"b","folder":"x","announced":"2026-11-22T05:30:00Z","since":"2026-11-22T05:40:00.5Z","count":25,` +
		`"files":[{"bucket":"b","key":"x/1"},{"bucket":"b","key":"x/2"}]}`
	o, bus := unroutedOffice(t)
	bus.errs = []error{errors.New("the bus is gone")}
	putDoc(t, o, "unrouted/b/x", doc)
	o.sweepUnrouted(0)
	if len(bus.news) > 0 || bus.tries != 1 {
		t.Fatalf("announced %v", bus.counts())
	}
	o.sweepUnrouted(time.Minute)
	if diff := cmp.Diff([]string{"x/1 25"}, bus.counts()); diff != "" {
		t.Fatalf("(-want +got)\n%s", diff)
	}
	if want := announcement.ID(announcement.FilesUnrouted, "b", "x", "2026-11-22T05:40:00.5Z", "25"); bus.news[0].Detail.ID != want {
		t.Errorf("has the id %s, want %s", bus.news[0].Detail.ID, want)
	}
	o.settledUnrouted("unrouted/b/x")
	item, err := o.ledger.Get(t.Context(), "unrouted/b/x")
	if want := `{"format":1,"bucket":"b","folder":"x","announced":"2026-11-22T06:01:00Z","count":0}`; err != nil || string(item.Doc) != want {
		t.Errorf("is now %s (%v)", item.Doc, err)
	}
	// The earlier version adds files during the announcement. They are
	// announced with the rest.
	putDoc(t, o, "unrouted/b/y", strings.ReplaceAll(doc, "x", "y"))
	o.putErr = func([]ledger.Item) error {
		o.putErr = nil
		return o.ledger.Put(t.Context(), "earlier version", ledger.Item{Key: "unrouted/b/y", Version: 1, Due: o.now, Doc: []byte(strings.ReplaceAll(strings.ReplaceAll(doc, "x", "y"), "25", "26"))})
	}
	o.sweepUnrouted(0)
	o.sweepUnrouted(time.Minute)
	if diff := cmp.Diff([]string{"x/1 25", "y/1 25", "y/1 26"}, bus.counts()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// An item that an earlier version has announced has no files.
	putDoc(t, o, "unrouted/b/z", `{"format":1,"bucket":"b","folder":"z","count":0}`)
	o.sweepUnrouted(0)
	o.settledUnrouted("unrouted/b/z")
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
			o, bus := unroutedOffice(t)
			bus.errs = slices.Repeat([]error{errors.New("the bus is gone")}, 1000)
			long := strings.Repeat(row.fill, 1024)
			for i := range 3 {
				o.now = o.now.Add(time.Minute)
				var files []window.Arrival
				for j := range 1000 {
					folder := fmt.Sprintf("%02d%s", j%21, long)[:256]
					if j%21 == 20 {
						folder = long[:300]
					}
					files = append(files, lost(o.now, fmt.Sprintf("%s/%d-%03d%s", folder, i, j, long)[:1024])...)
				}
				o.take(files...)
			}
			item, err := o.ledger.Get(t.Context(), "unrouted/b")
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
	o, bus := unroutedOffice(t)
	for i, name := range []string{"", "a/b", strings.Repeat("n", 256)} {
		a, err := o.unrouted.Record(t.Context(), name, []window.Arrival{{Bucket: name + "x", Key: fmt.Sprintf("x%d/1", i), EventTime: o.now}})
		if err != nil {
			t.Fatal(err)
		}
		o.unrouted.Announce(t.Context(), a)
	}
	o.sweepUnrouted(time.Hour)
	if diff := cmp.Diff([]string{"x0/1 1", "x1/1 2"}, bus.counts()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	o.settledUnrouted("unrouted/")
}

// The sweep leaves an item alone that s3arrival updates at the same time.
func TestSweepLeavesAConflictToS3Arrival(t *testing.T) {
	t.Parallel()
	o, bus := unroutedOffice(t)
	o.take(lost(o.now, "x/1")...)
	o.now = o.now.Add(time.Minute)
	o.take(lost(o.now, "x/2")...)
	o.now = o.now.Add(time.Hour)
	o.putErr = func([]ledger.Item) error {
		o.putErr = nil
		o.take(lost(o.now, "x/3")...)
		return nil
	}
	if did, err := o.unrouted.Due(t.Context(), "unrouted/b"); did || err != nil {
		t.Errorf("did %t, %v", did, err)
	}
	if diff := cmp.Diff([]string{"x/1 1", "x/2 2"}, bus.counts()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	o.take(lost(o.now, "x/4")...)
	o.now = o.now.Add(time.Hour)
	o.putErr = func([]ledger.Item) error { return errThrottled }
	if did, err := o.unrouted.Due(t.Context(), "unrouted/b"); did || !errors.Is(err, errThrottled) {
		t.Errorf("did %t, %v", did, err)
	}
}
