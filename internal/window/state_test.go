package window

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func text(t *testing.T, s *State) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTheDocumentOfAWindow(t *testing.T) {
	t.Parallel()
	// The document of docs/ledger.md.
	s := launched(t)
	s.Route, s.RouteHash = "orders", "hash"
	s.Fold([]Arrival{file("a/2", at("06:03"))}, day("a"), at("06:04"))
	const want = `{"format":1,"config_id":"cg-1","period":"2026-11-22","route":"orders","route_hash":"hash","route_seen":"2026-11-22T06:02:00Z",` +
		`"made":"2026-11-22T06:00:00Z","revision":1,` +
		`"launch":{"revision":1,"decided":"2026-11-22T06:02:00Z","files":{"count":1,"first":"2026-11-22T06:00:00Z","last":"2026-11-22T06:00:00Z","latest":"2026-11-22T06:00:00Z","samples":["s3://b/a/1"]}},` +
		`"entries":{"a":{"count":1,"met":"2026-11-22T06:00:00Z","bucket":"b","key":"a/1"}},` +
		`"after":{"count":1,"first":"2026-11-22T06:04:00Z","last":"2026-11-22T06:04:00Z","latest":"2026-11-22T06:03:00Z","samples":["s3://b/a/2"]},` +
		`"marks":"EDrr2yfZrQkAAAGiAdnKIAFRuNSznyIQcQAAAaIB1wsAAA"}`
	if got := text(t, s); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// anyState returns a state with any valid values.
func anyState(r *rand.Rand) *State {
	some := func() bool { return r.IntN(3) > 0 }
	when := func() time.Time {
		if !some() {
			return time.Time{}
		}
		zone := time.FixedZone("", (r.IntN(29)-14)*3600)
		return time.Unix(r.Int64N(4e9), r.Int64N(1e9)).In([]*time.Location{time.UTC, zone}[r.IntN(2)])
	}
	word := func() string {
		return []string{"", "a", "orders/2026/11/22/*.csv", "ü", "<&>", "\u2028\x01\"\\", strings.Repeat("k", 1024)}[r.IntN(7)]
	}
	files := func() (f Files) {
		if some() {
			f = Files{Count: 1 + r.IntN(1e6), First: when(), Last: when(), Latest: when(), Old: r.IntN(3), Doubtful: r.IntN(3)}
			for range r.IntN(MaxSamples + 1) {
				f.Samples = append(f.Samples, word())
			}
		}
		return f
	}
	s := &State{
		Format: 1, ConfigID: word(), Period: word(), Route: word(), RouteHash: word(), RouteSeen: when(), Made: when(), Expected: some(),
		Revision: r.IntN(9), CoveredUntil: when(), LastPost: when(), Reruns: r.IntN(4), Declined: some(), Open: files(), After: files(),
		Fallen: when(), Ignored: r.IntN(9), Missing: when(), Waived: some(), Complete: some(), HoldNumber: r.IntN(3), WaitsSince: when(),
	}
	if some() {
		s.Launch = &Flight{Revision: r.IntN(9), Turn: r.IntN(3), Decided: when(), Rerun: some(), Files: files()}
	}
	for range r.IntN(MaxMarks + 1) {
		s.Marks = append(s.Marks, mark{hash: r.Uint64(), event: r.Int64() - r.Int64(), after: some(), versioned: some()})
	}
	for i := range r.IntN(4) {
		if s.Entries == nil {
			s.Entries = map[string]Progress{}
		}
		p := Progress{Count: r.IntN(9), Met: when(), Bucket: word(), Key: word()}
		for range r.IntN(5) {
			p.Keys = append(p.Keys, r.Uint64())
			p.Versions = append(p.Versions, r.Uint64())
		}
		s.Entries[fmt.Sprint(word(), i)] = p
	}
	for range r.IntN(3) {
		n := Notice{Type: "Amperity Files Missing", At: when(), Revision: r.IntN(3), HoldNumber: r.IntN(3), Deadline: when(), Files: files(), Waived: some()}
		for range r.IntN(3) {
			n.Unmet = append(n.Unmet, Unmet{Pattern: word(), Have: r.IntN(3), Want: r.IntN(3)})
			n.Met = append(n.Met, Met{Pattern: word(), Since: when()})
		}
		s.Notices = append(s.Notices, n)
	}
	return s
}

func TestStateSurvivesReadAndWrite(t *testing.T) {
	t.Parallel()
	const seed = 1
	r := rand.New(rand.NewPCG(seed, 0))
	for n := range 500 {
		was := text(t, anyState(r))
		var s State
		if err := json.Unmarshal([]byte(was), &s); err != nil {
			t.Fatalf("seed %d, state %d: %v\n%s", seed, n, err, was)
		}
		if is := text(t, &s); is != was {
			t.Fatalf("seed %d, state %d:\nwas %s\nis  %s", seed, n, was, is)
		}
	}
}

func TestInvalidMarksAreRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, doc string }{
		{"no base64", `{"marks":"*"}`},
		{"half a mark", `{"marks":"JMEN8mO3ONkAAA"}`},
		{"a key and a half", `{"entries":{"a":{"keys":"JMEN8mO3ONkAAAGd"}}}`},
		{"keys that are no base64", `{"entries":{"a":{"keys":"="}}}`},
	} {
		var s State
		if err := json.Unmarshal([]byte(tt.doc), &s); err == nil {
			t.Errorf("%s: read as %+v", tt.name, s)
		}
	}
}

func FuzzDocument(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 0))
	for range 3 {
		b, err := json.Marshal(anyState(r))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"marks":"","entries":{"a":{"keys":""}},"open":{"count":0,"samples":[]}}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var once, twice State
		if json.Unmarshal(doc, &once) != nil {
			return
		}
		b, err := json.Marshal(&once)
		if err != nil {
			return // a time that JSON has no form for
		}
		if err := json.Unmarshal(b, &twice); err != nil {
			t.Fatal(err)
		}
		if again := text(t, &twice); again != string(b) {
			t.Fatalf("written as %s, and then as %s", b, again)
		}
	})
}

// DynamoDB accepts items of up to 400 KB.
func TestTheDocumentDoesNotGrowWithTheFiles(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", 1000)
	for _, tt := range []struct {
		name      string
		r         Rules
		key       string
		versioned bool
		most      int
	}{
		{"without counts", day("a", "b?", "c"), "%s/2026/11/22/part-%d.csv.gz", false, 20 << 10},
		{"with counts of 10,000", day("a×9000", "b×1000?", "c"), "%s/2026/11/22/part-%d.csv.gz", false, 160 << 10},
		{"with counts of 10,000 and versions", day("a×9000", "b×1000?", "c"), "%s/2026/11/22/part-%d.csv.gz", true, 240 << 10},
		{"with the longest keys", day("a×9000", "b×1000?", "c"), "%s/" + long + "%d", false, 200 << 10},
		{"with the longest keys, of characters that take six bytes in JSON", day("a×9000", "b×1000?", "c"), "%s/" + strings.Repeat("<", 1000) + "%d", true, 300 << 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := New("cg-123ABc4DE", "2026-11-22", "orders", begin)
			largest := 0
			now := begin
			for i := 0; i < 100_000; i += 500 {
				now = now.Add(time.Second)
				var files []Arrival
				for n := range 500 {
					// More and more keys, and many of each entry.
					key := fmt.Sprintf(tt.key, []string{"a", "b", "a", "a"}[n%4], (i+n)%9900)
					files = append(files, Arrival{Entry: key[:1], Bucket: "acme-landing", Key: key, Version: fmt.Sprint(i, n), Versioned: tt.versioned, EventTime: now})
				}
				s.Fold(files, tt.r, now)
				s.Evaluate(tt.r.with(deadline("00:01")), now)
				switch i {
				case 40_000, 80_000:
					s.Decide(tt.r, now, false)
				case 60_000:
					s.Outcome(started(1, 0, now.Add(4*time.Second)))
				}
				if i%5000 == 0 || i >= 95_000 {
					largest = max(largest, len(text(t, s)))
				}
			}
			if len(s.Notices) == 0 || s.Launch == nil || s.After.Count == 0 {
				t.Errorf("the window is not as large as it can be: %d notices, %d files after, launching: %v", len(s.Notices), s.After.Count, s.Launch != nil)
			}
			t.Logf("%d bytes at most", largest)
			if largest > tt.most {
				t.Errorf("%d bytes, and %d are allowed", largest, tt.most)
			}
		})
	}
}

func TestTheFirstFilesAreKeptByName(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		keyLength int
		want      int
	}{
		{"20 of them", 10, 20},
		{"20 of a usual length", 190, 20},
		{"10 of twice that", 400, 10},
		{"one of the longest at least", 5000, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := New("cg-1", "2026-11-22", "orders", begin)
			key := func(i int) string { return fmt.Sprintf("a/%0*d", tt.keyLength-2, i) }
			for i := range 100 {
				s.Fold([]Arrival{file(key(i), begin)}, day("a"), begin)
			}
			if s.Open.Count != 100 || len(s.Open.Samples) != tt.want {
				t.Errorf("%d of %d by name", len(s.Open.Samples), s.Open.Count)
			}
			for i, sample := range s.Open.Samples {
				if sample != "s3://b/"+key(i) {
					t.Errorf("file %d is %.20s…", i, sample)
				}
			}
		})
	}
}

// An event time may be in the future, so that the file counts as received
// before CoveredUntil. Its duplicate comes after that time, and is known.
func TestDuplicateOfAFileFromTheFutureIsKnown(t *testing.T) {
	t.Parallel()
	at := func(clock string) time.Time {
		at, err := time.Parse(time.RFC3339, "2026-11-22T"+clock+":00Z")
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	s := New("cg-1", "2026-11-22", "a", at("06:00"))
	s.CoveredUntil = at("06:38")
	file := []Arrival{{Entry: "a", Bucket: "b", Key: "a/1", EventTime: at("07:37")}}
	if got, want := s.Fold(file, Rules{}, at("06:37")), (Counts{Covered: 1}); got != want {
		t.Errorf("before its time it is %+v, not %+v", got, want)
	}
	if got, want := s.Fold(file, Rules{}, at("07:40")), (Counts{Duplicates: 1}); got != want {
		t.Errorf("the second time it is %+v, not %+v", got, want)
	}
}

// An entry without a count needs one file, as one with the count 1.
func TestEntryWithoutACountNeedsOneFile(t *testing.T) {
	t.Parallel()
	for _, count := range []int{0, 1} {
		r := Rules{Entries: []Entry{{Pattern: "a", Count: count}, {Pattern: "b", Count: count}}}
		s := New("cg-1", "2026-11-22", "orders", at("06:00"))
		s.Fold([]Arrival{file("a/1", at("06:00"))}, r, at("06:01"))
		if d := cmp.Diff([]Unmet{{Pattern: "b", Want: 1}}, s.unmet(r)); d != "" {
			t.Errorf("count %d (-want +got):\n%s", count, d)
		}
	}
}

// Files that have no time delay no request.
func TestNoFilesDelayNoRequest(t *testing.T) {
	t.Parallel()
	if got := (Files{}).NotBefore(); !got.IsZero() {
		t.Errorf("not before %s", got)
	}
}
