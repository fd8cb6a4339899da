package window

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
)

// State is what the ledger keeps of one window. Its JSON form is described in
// docs/ledger.md.
type State struct {
	// Format is the version of this form, 1.
	Format int `json:"format"`
	// ConfigID and Period name the window; Route is its route's label.
	ConfigID string `json:"config_id"`
	Period   string `json:"period"`
	Route    string `json:"route,omitempty"`
	// RouteHash is of the rules it was evaluated by last, RouteSeen when.
	RouteHash string    `json:"route_hash,omitempty"`
	RouteSeen time.Time `json:"route_seen,omitzero"`
	// Made is when the window came to be; Expected, that its deadline counts
	// although it may have passed by then.
	Made     time.Time `json:"made"`
	Expected bool      `json:"expected,omitempty"`

	// Revision is that of the latest launch; 0: there was none.
	Revision int `json:"revision"`
	// Launch is the launch that is not over.
	Launch *Flight `json:"launch,omitempty"`
	// CoveredUntil is the instant before which every file is covered.
	CoveredUntil time.Time `json:"covered_until,omitzero"`
	// LastPost is when the last request for the window was sent that may have
	// started a run.
	LastPost time.Time `json:"last_post,omitzero"`
	// Reruns counts the runs after the first that needed no person.
	Reruns int `json:"reruns,omitempty"`
	// Declined: the last launch ended without a run.
	Declined bool `json:"declined,omitempty"`

	// Entries is what has come for each entry, by its pattern.
	Entries map[string]Progress `json:"entries,omitempty"`
	// Open are the files that no launch answers, After those that came since
	// the present launch was decided.
	Open  Files `json:"open,omitzero"`
	After Files `json:"after,omitzero"`
	// Marks know the arrivals that a duplicate could be mistaken for; Fallen is
	// the latest event time among those that found no place.
	Marks  Marks     `json:"marks,omitempty"`
	Fallen time.Time `json:"fallen,omitzero"`
	// Ignored counts the files that the route's policy ignored.
	Ignored int `json:"ignored,omitempty"`

	// Missing is since when files are known to be missing at the deadline.
	// Waived: the window waits for them no more. Complete: they came after all.
	Missing  time.Time `json:"missing,omitzero"`
	Waived   bool      `json:"waived,omitempty"`
	Complete bool      `json:"complete,omitempty"`
	// Hold counts what a person was asked to decide about this window before
	// its next launch.
	Hold int `json:"hold,omitempty"`
	// WaitsSince is since when it waits for another run of the config id.
	WaitsSince time.Time `json:"waits_since,omitzero"`

	// Notices are the announcements that are not confirmed yet.
	Notices []Notice `json:"notices,omitempty"`
}

// Flight is a launch that is not over.
type Flight struct {
	Revision int `json:"revision"`
	// Turn counts how often the launch became the window's again.
	Turn    int       `json:"turn,omitempty"`
	Decided time.Time `json:"decided"`
	// Rerun: the window had a run before, and no person asked for this one.
	Rerun bool `json:"rerun,omitempty"`
	// Files are those that it was decided for.
	Files Files `json:"files,omitzero"`
}

// Files are some files of the window, in numbers.
type Files struct {
	Count int `json:"count"`
	// First and Last are when the first and the last were received.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	// Latest is the latest event time.
	Latest time.Time `json:"latest,omitzero"`
	// Samples are some of them, as s3://bucket/key.
	Samples []string `json:"samples,omitempty"`
	// Old counts those whose events are older than the ledger's memory,
	// Doubtful those of the others that may be duplicates of files that a
	// launch without a run has answered.
	Old      int `json:"old,omitempty"`
	Doubtful int `json:"doubtful,omitempty"`
}

// IsZero reports whether there are none.
func (f Files) IsZero() bool { return f.Count == 0 }

// NotBefore is the earliest time for the request of a launch with these files.
// An event time counts as no later than its receipt, so an event time in the
// future delays no request for longer than [Lead].
func (f Files) NotBefore() time.Time {
	if f.Latest.IsZero() {
		return time.Time{}
	}
	return f.Latest.Add(Lead)
}

// Progress is what has come for one entry.
type Progress struct {
	// Count is how many distinct keys came, as far as they were counted.
	Count int `json:"count"`
	// Met is when there were enough; zero: there are not.
	Met time.Time `json:"met,omitzero"`
	// Keys are hashes of the keys, while more than one is wanted. Versions are
	// hashes of the same files' keys and version ids, which replicas share.
	Keys     Hashes `json:"keys,omitempty"`
	Versions Hashes `json:"versions,omitempty"`
	// Bucket and Key name one of the files.
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
}

// Unmet is an entry that is not met.
type Unmet struct {
	Pattern string `json:"pattern"`
	// Have and Want count distinct keys.
	Have int `json:"have"`
	Want int `json:"want"`
}

// Met is an entry that is met.
type Met struct {
	Pattern string    `json:"pattern"`
	Since   time.Time `json:"since"`
}

// Notice is an announcement that is to be made. It stays in the state until it
// is confirmed, so that a crash delays it and never loses it.
type Notice struct {
	Type announcement.DetailType `json:"type"`
	At   time.Time               `json:"at"`
	// Revision and Hold are the window's at that time.
	Revision int       `json:"revision,omitempty"`
	Hold     int       `json:"hold,omitempty"`
	Deadline time.Time `json:"deadline,omitzero"`
	Unmet    []Unmet   `json:"unmet,omitempty"`
	Met      []Met     `json:"met,omitempty"`
	Files    Files     `json:"files,omitzero"`
	// Waived: the window waits no longer for what is missing.
	Waived bool `json:"waived,omitempty"`
}

// New makes a window that has just come to be.
func New(configID, period, route string, now time.Time) *State {
	return &State{Format: 1, ConfigID: configID, Period: period, Route: route, Made: now}
}

// Idle reports whether nothing is to come of the window by itself, so that it
// may be forgotten some day.
func (s *State) Idle() bool {
	return s.Launch == nil && s.Open.Count == 0 && len(s.Notices) == 0
}

// Asks reports whether the window waits for files that were missing at its
// deadline, and a person may be wanted.
func (s *State) Asks() bool {
	return !s.Missing.IsZero() && s.Launch == nil && !s.launched() && (s.Revision == 0 || s.Open.Count > 0 && !s.Complete && !s.Waived)
}

func (s *State) notify(n Notice) {
	n.Hold = s.Hold
	if n.Revision == 0 {
		n.Revision = s.Revision + 1
	}
	if n.Files.IsZero() {
		n.Files = s.all()
	}
	s.Notices = append(s.Notices, n)
}

// all are the files that the window would launch with, or launches with.
func (s *State) all() Files {
	if s.Launch != nil {
		return s.Launch.Files
	}
	return s.Open
}

// unmet are the entries that the window waits for, in the route's order.
func (s *State) unmet(r Rules) []Unmet {
	var us []Unmet
	for _, e := range r.Entries {
		if p := s.Entries[e.Pattern]; !e.Optional && p.Met.IsZero() && p.Count < max(1, e.Count) {
			us = append(us, Unmet{Pattern: e.Pattern, Have: p.Count, Want: max(1, e.Count)})
		}
	}
	if us == nil && s.empty(r) {
		// Every entry is optional: one file of any of them will do.
		for _, e := range r.Entries {
			us = append(us, Unmet{Pattern: e.Pattern, Want: max(1, e.Count)})
		}
	}
	return us
}

// empty reports whether nothing has come for any entry.
func (s *State) empty(r Rules) bool {
	for _, e := range r.Entries {
		if s.Entries[e.Pattern].Count > 0 {
			return false
		}
	}
	return true
}

func (s *State) met(r Rules) []Met {
	var ms []Met
	for _, e := range r.Entries {
		if p := s.Entries[e.Pattern]; !p.Met.IsZero() {
			ms = append(ms, Met{Pattern: e.Pattern, Since: p.Met})
		}
	}
	return ms
}

// Counts say what became of the arrivals of one Fold.
type Counts struct {
	// New were taken in. Duplicates were known. Covered are from before
	// CoveredUntil: a run has them, or they are duplicates.
	New, Duplicates, Covered int
}

// Fold takes in arrivals that were received at a time. An event time counts as
// no later than that.
func (s *State) Fold(arrivals []Arrival, r Rules, received time.Time) Counts {
	var n Counts
	known, before := s.Marks.index(), len(s.Marks)
	for _, a := range arrivals {
		m := mark{hash: a.identity(), event: a.EventTime.UnixMilli(), after: s.Launch != nil, versioned: a.Versioned}
		// Earlier versions put the bucket into every mark's hash.
		isKnown := known[m.hash] || a.Versioned && known[hash(a.Bucket, a.Key, a.Version)]
		event := earliest(a.EventTime.Truncate(time.Millisecond), received.Truncate(time.Millisecond))
		switch {
		case event.Before(s.CoveredUntil):
			n.Covered++
			if (m.versioned || m.event >= s.CoveredUntil.UnixMilli()) && !isKnown {
				// With a version id, its replica may have a later event time.
				// Without one, a clock is wrong: it was received before its own
				// time. Its duplicate may be received after that time.
				m.after = false
				known[m.hash] = true
				s.Marks = append(s.Marks, m)
			}
			continue
		case isKnown:
			n.Duplicates++
			continue
		}
		n.New++
		known[m.hash] = true
		s.Marks = append(s.Marks, m)
		s.progress(a, r, received)
		files := &s.Open
		if s.Launch != nil {
			files = &s.After
		}
		if old := files.add(a, event, received); !old && s.Declined && s.Launch == nil && !s.Fallen.IsZero() && m.event <= s.Fallen.UnixMilli() {
			files.Doubtful++
		}
	}
	if len(s.Marks) > before {
		if fallen := s.Marks.trim(); !fallen.Before(s.CoveredUntil) {
			s.Fallen = latest(s.Fallen, fallen)
		}
	}
	return n
}

// and gives these files and others together.
func (f Files) and(g Files) Files {
	return Files{Count: f.Count + g.Count, First: earliest(f.First, g.First), Last: latest(f.Last, g.Last), Latest: latest(f.Latest, g.Latest),
		Samples: slices.Concat(f.Samples, g.Samples)[:min(MaxSamples, len(f.Samples)+len(g.Samples))],
		Old:     f.Old + g.Old, Doubtful: f.Doubtful + g.Doubtful}
}

// add counts a file. It reports whether it is an old one.
func (f *Files) add(a Arrival, event, received time.Time) (old bool) {
	if f.Count++; f.First.IsZero() || received.Before(f.First) {
		f.First = received
	}
	f.Last = latest(f.Last, received)
	f.Latest = latest(f.Latest, event)
	f.sample("s3://" + a.Bucket + "/" + a.Key)
	if old = received.Sub(event) > Memory; old {
		f.Old++
	}
	return old
}

// sample keeps a file's name, if there is room.
func (f *Files) sample(name string) {
	room := MaxSampleBytes - len(name)
	for _, s := range f.Samples {
		room -= len(s)
	}
	if len(f.Samples) == 0 || len(f.Samples) < MaxSamples && room >= 0 {
		f.Samples = append(f.Samples, name)
	}
}

// progress counts a file for its entry.
func (s *State) progress(a Arrival, r Rules, received time.Time) {
	p := s.Entries[a.Entry]
	if !p.Met.IsZero() {
		return // and stays so, whatever a route says later
	}
	p.Bucket, p.Key = a.Bucket, a.Key
	want := r.want(a.Entry)
	if want > 1 {
		key := hash(a.Bucket, a.Key, "")
		if p.Keys.has(key) || a.Versioned && p.Versions.has(a.identity()) {
			return
		}
		p.Keys = append(p.Keys, key)
		if a.Versioned {
			p.Versions = append(p.Versions, a.identity())
		}
	}
	if p.Count++; p.Count >= want {
		p.Met, p.Keys, p.Versions = received, nil, nil
	}
	if s.Entries == nil {
		s.Entries = map[string]Progress{}
	}
	s.Entries[a.Entry] = p
}

// want is how many distinct keys an entry wants.
func (r Rules) want(pattern string) int {
	for _, e := range r.Entries {
		if e.Pattern == pattern {
			return max(1, e.Count)
		}
	}
	return 1
}

// migrateEntries counts what came for entries that the route no longer has for those
// that take the same files now: a pattern was widened, say, or two became one.
// Where fewer are wanted now than came, the entry is met.
func (s *State) migrateEntries(r Rules, now time.Time) {
	has := map[string]bool{}
	for _, e := range r.Entries {
		has[e.Pattern] = true
	}
	for _, old := range slices.Sorted(maps.Keys(s.Entries)) {
		if has[old] || r.EntryOf == nil {
			continue
		}
		p := s.Entries[old]
		if into := r.EntryOf(p.Bucket, p.Key); has[into] {
			s.Entries[into] = s.Entries[into].plus(p, r.want(into))
			delete(s.Entries, old)
		}
	}
	for _, e := range r.Entries {
		if p := s.Entries[e.Pattern]; p.Met.IsZero() && p.Count >= r.want(e.Pattern) {
			p.Met, p.Keys, p.Versions = now, nil, nil
			s.Entries[e.Pattern] = p
		}
	}
}

// plus adds what came for another entry.
func (p Progress) plus(q Progress, want int) Progress {
	switch {
	case !p.Met.IsZero():
		return p
	case q.Count >= want:
		return q
	case len(q.Keys) == 0: // it was met, by fewer
		q.Keys = Hashes{hash(q.Bucket, q.Key, "")}
	}
	for _, key := range q.Keys {
		if !p.Keys.has(key) {
			p.Keys = append(p.Keys, key)
		}
	}
	for _, version := range q.Versions {
		if !p.Versions.has(version) {
			p.Versions = append(p.Versions, version)
		}
	}
	p.Count, p.Bucket, p.Key = len(p.Keys), q.Bucket, q.Key
	return p
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// identity stands for an arrival: two arrivals with the same identity are
// duplicates. The bucket is no part of it if the file has a version id.
func (a *Arrival) identity() uint64 {
	if a.Versioned {
		return hash("", a.Key, a.Version)
	}
	return hash(a.Bucket, a.Key, a.Version)
}

// hash stands for a file: 64 bits of a hash that nobody can aim at.
func hash(parts ...string) uint64 {
	h := sha256.New()
	for _, p := range parts {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(p))) // #nosec G115 -- a part is shorter than 4 GiB
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// Hash stands for an arrival. A repeat of its event has the same hash.
func Hash(a Arrival) uint64 { return hash(a.Bucket, a.Key, a.Version) }

// Hashes are hashes of keys. Their JSON form is their bytes in base64.
type Hashes []uint64

func (h Hashes) has(x uint64) bool {
	for _, y := range h {
		if x == y {
			return true
		}
	}
	return false
}

// MarshalText writes 8 bytes for each, in base64.
func (h Hashes) MarshalText() ([]byte, error) {
	raw := make([]byte, 0, 8*len(h))
	for _, x := range h {
		raw = binary.BigEndian.AppendUint64(raw, x)
	}
	return encode(raw), nil
}

// UnmarshalText reads what MarshalText writes.
func (h *Hashes) UnmarshalText(text []byte) error {
	raw, err := decode(text, 8)
	if err != nil {
		return err
	}
	*h = nil
	for ; len(raw) > 0; raw = raw[8:] {
		*h = append(*h, binary.BigEndian.Uint64(raw))
	}
	return nil
}

func encode(raw []byte) []byte {
	return base64.RawStdEncoding.AppendEncode(nil, raw)
}

// decode reads base64 of entries of a length.
func decode(text []byte, length int) ([]byte, error) {
	raw, err := base64.RawStdEncoding.AppendDecode(nil, text)
	if err == nil && len(raw)%length != 0 {
		err = base64.CorruptInputError(len(text))
	}
	return raw, err
}
