package window

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// upload returns a file with a version id.
func upload(bucket, key, version string, event time.Time) Arrival {
	return Arrival{Entry: "a", Bucket: bucket, Key: key, Version: version, Versioned: true, EventTime: event}
}

// plain returns a file without a version id. Its version is the event's
// sequencer.
func plain(bucket, key, sequencer string, event time.Time) Arrival {
	return Arrival{Entry: "a", Bucket: bucket, Key: key, Version: sequencer, EventTime: event}
}

func TestReplicasAreDuplicates(t *testing.T) {
	t.Parallel()
	one := []Arrival{upload("acme", "a/1", "v1", at("06:00"))}
	for _, tt := range []struct {
		name string
		// first arrive at 06:00. If run is true, a run is posted at 06:10. then
		// arrive at 06:20.
		first []Arrival
		run   bool
		then  []Arrival
		want  Counts
		open  int // files that no run has
		count int // keys of the entry
	}{
		{"before the run", one, false, []Arrival{upload("copy", "a/1", "v1", at("06:12"))}, Counts{Duplicates: 1}, 1, 1},
		{"after the run", one, true, []Arrival{upload("copy", "a/1", "v1", at("06:12"))}, Counts{Duplicates: 1}, 0, 1},
		{"after the run, twice", one, true, []Arrival{upload("copy", "a/1", "v1", at("06:12")), upload("third", "a/1", "v1", at("06:15"))}, Counts{Duplicates: 2}, 0, 1},
		{"the replica's event is before the file's", []Arrival{upload("copy", "a/1", "v1", at("06:00"))}, false, one, Counts{Duplicates: 1}, 1, 1},
		{"a file that came late, and was in the run", one, true, []Arrival{upload("acme", "a/2", "v1", at("06:09")), upload("copy", "a/2", "v1", at("06:12"))}, Counts{Covered: 1, Duplicates: 1}, 0, 1},
		{"another version of the key, before the run", one, false, []Arrival{upload("acme", "a/1", "v2", at("06:12"))}, Counts{New: 1}, 2, 1},
		{"another version of the key, after the run", one, true, []Arrival{upload("acme", "a/1", "v2", at("06:12"))}, Counts{New: 1}, 1, 1},
		{"another version, and its replica", one, true, []Arrival{upload("acme", "a/1", "v2", at("06:12")), upload("copy", "a/1", "v2", at("06:13"))}, Counts{New: 1, Duplicates: 1}, 1, 1},
		{"the same version id of another key", one, false, []Arrival{upload("copy", "a/2", "v1", at("06:12"))}, Counts{New: 1}, 2, 2},
		{"the same key in another bucket, uploaded there", one, false, []Arrival{upload("copy", "a/1", "v9", at("06:12"))}, Counts{New: 1}, 2, 2},
		{"without version ids the bucket distinguishes", []Arrival{plain("acme", "a/1", "1", at("06:00"))}, false, []Arrival{plain("copy", "a/1", "1", at("06:12"))}, Counts{New: 1}, 2, 2},
		{"without version ids, after the run", []Arrival{plain("acme", "a/1", "1", at("06:00"))}, true, []Arrival{plain("copy", "a/1", "1", at("06:12"))}, Counts{New: 1}, 1, 2},
		{"a version id is no sequencer", []Arrival{plain("acme", "a/1", "1", at("06:00"))}, false, []Arrival{upload("acme", "a/1", "2", at("06:12"))}, Counts{New: 1}, 2, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := day("a×9")
			s := New("cg-1", "2026-11-22", "orders", at("06:00"))
			s.Fold(tt.first, r, at("06:00"))
			if tt.run {
				s.Decide(r, at("06:10"), false)
				s.Outcome(started(1, 0, at("06:10")))
			}
			if d := cmp.Diff(tt.want, s.Fold(tt.then, r, at("06:20"))); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if again := s.Fold(tt.then, r, at("06:21")); again.New > 0 {
				t.Errorf("delivered again: %+v", again)
			}
			if s.Open.Count != tt.open || s.Entries["a"].Count != tt.count {
				t.Errorf("%d open and %d keys, want %d and %d", s.Open.Count, s.Entries["a"].Count, tt.open, tt.count)
			}
		})
	}
}

// With more files than marks, each with a replica, the count is the number of
// files.
func TestReplicasOfManyFilesAreCountedOnce(t *testing.T) {
	t.Parallel()
	r := day("a×1000")
	s := New("cg-1", "2026-11-22", "orders", at("06:00"))
	for _, bucket := range []string{"acme", "copy"} {
		for i := range 700 {
			s.Fold([]Arrival{upload(bucket, fmt.Sprint("a/", i), "v1", at("06:00").Add(time.Duration(i)*time.Millisecond))}, r, at("06:01"))
		}
	}
	if p := s.Entries["a"]; p.Count != 700 || !p.Met.IsZero() {
		t.Errorf("%d keys, met at %v", p.Count, p.Met)
	}
	for i := range 300 {
		s.Fold([]Arrival{upload("copy", fmt.Sprint("a/x", i), "v1", at("06:02"))}, r, at("06:02"))
	}
	if p := s.Entries["a"]; p.Count != 1000 || p.Met.IsZero() || p.Keys != nil || p.Versions != nil {
		t.Errorf("%+v", p)
	}
}

// An edit of the route merges two entries. A file and its replica still count
// once.
func TestReplicasAreOneFileAfterAnEdit(t *testing.T) {
	t.Parallel()
	before, after := day("a1×3", "a2×3"), day("a*×5")
	s := New("cg-1", "2026-11-22", "orders", at("06:00"))
	a, b := upload("acme", "a1/1", "v1", at("06:00")), upload("acme", "a2/1", "v1", at("06:00"))
	a.Entry, b.Entry = "a1", "a2"
	s.Fold([]Arrival{a, b}, before, at("06:00"))
	s.Evaluate(before, at("06:00"))
	s.Evaluate(after, at("06:01"))
	s.Marks = nil // as after hundreds of other files
	a.Entry, b.Entry, a.Bucket, b.Bucket = "a*", "a*", "copy", "copy"
	s.Fold([]Arrival{a, b}, after, at("06:02"))
	if p := s.Entries["a*"]; p.Count != 2 {
		t.Errorf("%+v", s.Entries)
	}
}

// Marks of earlier versions have the bucket in their hash.
func TestMarksOfAnEarlierVersionAreKnown(t *testing.T) {
	t.Parallel()
	r := day("a")
	s := New("cg-1", "2026-11-22", "orders", at("06:00"))
	old := upload("acme", "a/1", "v1", at("06:00"))
	old.Versioned = false // the same hash
	s.Fold([]Arrival{old, plain("acme", "a/2", "1", at("06:00"))}, r, at("06:00"))
	got := s.Fold([]Arrival{upload("acme", "a/1", "v1", at("06:00")), plain("acme", "a/2", "1", at("06:00"))}, r, at("06:05"))
	if d := cmp.Diff(Counts{Duplicates: 2}, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// The latest covered files are known by their version ids, up to the number of
// marks.
func TestMarksOfCoveredFilesAreBounded(t *testing.T) {
	t.Parallel()
	r := day("a")
	s := New("cg-1", "2026-11-22", "orders", at("06:00"))
	for i := range 300 {
		s.Fold([]Arrival{upload("acme", fmt.Sprint("a/", i), "v1", at("06:00").Add(time.Duration(i)*time.Millisecond))}, r, at("06:01"))
	}
	s.Decide(r, at("06:10"), false)
	s.Outcome(started(1, 0, at("06:10")))
	if len(s.Marks) != MaxMarks || !s.Fallen.IsZero() {
		t.Errorf("%d marks, fallen %v", len(s.Marks), s.Fallen)
	}
	var replicas []Arrival
	for i := range 300 {
		replicas = append(replicas, upload("copy", fmt.Sprint("a/", i), "v1", at("06:12")))
	}
	if d := cmp.Diff(Counts{New: 300 - MaxMarks, Duplicates: MaxMarks}, s.Fold(replicas, r, at("06:20"))); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if len(s.Marks) != MaxMarks || !s.Fallen.IsZero() {
		t.Errorf("%d marks, fallen %v", len(s.Marks), s.Fallen)
	}
}
