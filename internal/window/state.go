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

// State is what the ledger keeps of one window. docs/ledger.md describes its
// JSON form.
type State struct {
	// Format is the version of this form, 1.
	Format int `json:"format"`
	// ConfigID and Period name the window; Route is its route's label.
	ConfigID string `json:"config_id"`
	Period   string `json:"period"`
	Route    string `json:"route,omitempty"`
	// RouteHash is the hash of the last rules that Evaluate used. RouteSeen is
	// when the route was last seen.
	RouteHash string    `json:"route_hash,omitempty"`
	RouteSeen time.Time `json:"route_seen,omitzero"`
	// Made is when the window was created. Expected: its deadline counts even
	// if it had passed by then.
	Made     time.Time `json:"made"`
	Expected bool      `json:"expected,omitempty"`

	// Revision is the revision of the latest launch; 0 if there was none.
	Revision int `json:"revision"`
	// Launch is the launch in flight.
	Launch *Flight `json:"launch,omitempty"`
	// CoveredUntil is the instant before which every file is covered.
	CoveredUntil time.Time `json:"covered_until,omitzero"`
	// LastPost is when the last request that may have started a run of the
	// window was sent.
	LastPost time.Time `json:"last_post,omitzero"`
	// Reruns counts the runs after the first that needed no operator.
	Reruns int `json:"reruns,omitempty"`
	// Declined: the last launch ended without a run.
	Declined bool `json:"declined,omitempty"`

	// Entries has the progress of each entry, by its pattern.
	Entries map[string]Progress `json:"entries,omitempty"`
	// Open are the files that no launch answers. After are those that came
	// since the decision of the launch in flight.
	Open  Files `json:"open,omitzero"`
	After Files `json:"after,omitzero"`
	// Marks are the arrivals whose duplicates the window recognizes. Fallen is
	// the latest event time among those that found no place.
	Marks  Marks     `json:"marks,omitempty"`
	Fallen time.Time `json:"fallen,omitzero"`
	// Ignored counts the files that the route's policy ignored.
	Ignored int `json:"ignored,omitempty"`

	// Missing is when the window found files missing at its deadline. Waived:
	// the window no longer waits for them. Complete: they came after all.
	Missing  time.Time `json:"missing,omitzero"`
	Waived   bool      `json:"waived,omitempty"`
	Complete bool      `json:"complete,omitempty"`
	// HoldNumber counts how often the operator was asked about this window
	// before its next launch.
	HoldNumber int `json:"hold,omitempty"`
	// WaitsSince is when the window began to wait for another run of the config
	// id.
	WaitsSince time.Time `json:"waits_since,omitzero"`

	// Notices are the announcements that are not yet confirmed.
	Notices []Notice `json:"notices,omitempty"`
}

// Flight is a launch that has not ended.
type Flight struct {
	Revision int `json:"revision"`
	// Turn counts how often the launch became the window's again.
	Turn    int       `json:"turn,omitempty"`
	Decided time.Time `json:"decided"`
	// Rerun: the window had a run before, and no operator asked for this one.
	Rerun bool `json:"rerun,omitempty"`
	// Files are the files that the launch was decided for.
	Files Files `json:"files,omitzero"`
}

// Files summarizes some files of the window.
type Files struct {
	Count int `json:"count"`
	// First and Last are when the first and the last file were received.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	// Latest is the latest event time.
	Latest time.Time `json:"latest,omitzero"`
	// Samples names some of the files, as s3://bucket/key.
	Samples []string `json:"samples,omitempty"`
	// Old counts the files whose events are older than [Memory]. Doubtful
	// counts the others that may be duplicates of files answered by a launch
	// without a run.
	Old      int `json:"old,omitempty"`
	Doubtful int `json:"doubtful,omitempty"`
}

// IsZero reports whether there are no files.
func (f Files) IsZero() bool { return f.Count == 0 }

// NotBefore returns the earliest time for the request of a launch with these
// files. An event time counts as no later than its receipt, so an event time in
// the future delays no request for longer than [Lead].
func (f Files) NotBefore() time.Time {
	if f.Latest.IsZero() {
		return time.Time{}
	}
	return f.Latest.Add(Lead)
}

// Progress counts the files of one entry.
type Progress struct {
	// Count is how many distinct keys came. It stops once the entry is met.
	Count int `json:"count"`
	// Met is when there were enough; zero if there are not.
	Met time.Time `json:"met,omitzero"`
	// Keys are hashes of the keys, if the entry needs more than one and is not
	// met. Versions are hashes of the same files' keys and version ids, which
	// replicas share.
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

// Notice is a pending announcement. It stays in the state until it is
// confirmed, so that a crash delays it and never loses it.
type Notice struct {
	Type announcement.DetailType `json:"type"`
	At   time.Time               `json:"at"`
	// Revision and HoldNumber are those of the window at that time.
	Revision   int       `json:"revision,omitempty"`
	HoldNumber int       `json:"hold,omitempty"`
	Deadline   time.Time `json:"deadline,omitzero"`
	Unmet      []Unmet   `json:"unmet,omitempty"`
	Met        []Met     `json:"met,omitempty"`
	Files      Files     `json:"files,omitzero"`
	// Waived: the window no longer waits for missing files.
	Waived bool `json:"waived,omitempty"`
}

// New returns a new window.
func New(configID, period, route string, now time.Time) *State {
	return &State{Format: 1, ConfigID: configID, Period: period, Route: route, Made: now}
}

// Idle reports whether the window waits only for files, so that the ledger may
// forget it some day.
func (s *State) Idle() bool {
	return s.Launch == nil && s.Open.Count == 0 && len(s.Notices) == 0
}

// Asks reports whether the window still waits for files that were missing at
// its deadline, so that it may need the operator.
func (s *State) Asks() bool {
	return !s.Missing.IsZero() && s.Launch == nil && !s.launched() && (s.Revision == 0 || s.Open.Count > 0 && !s.Complete && !s.Waived)
}

func (s *State) notify(n Notice) {
	n.HoldNumber = s.HoldNumber
	if n.Revision == 0 {
		n.Revision = s.Revision + 1
	}
	if n.Files.IsZero() {
		n.Files = s.all()
	}
	s.Notices = append(s.Notices, n)
}

// all returns the files of the launch in flight, or those that the next launch
// would have.
func (s *State) all() Files {
	if s.Launch != nil {
		return s.Launch.Files
	}
	return s.Open
}

// unmet returns the entries that the window waits for, in the route's order.
func (s *State) unmet(r Rules) []Unmet {
	var us []Unmet
	for _, e := range r.Entries {
		if p := s.Entries[e.Pattern]; !e.Optional && p.Met.IsZero() && p.Count < max(1, e.Count) {
			us = append(us, Unmet{Pattern: e.Pattern, Have: p.Count, Want: max(1, e.Count)})
		}
	}
	if us == nil && s.empty(r) {
		// Every entry is optional. One file of any entry is enough.
		for _, e := range r.Entries {
			us = append(us, Unmet{Pattern: e.Pattern, Want: max(1, e.Count)})
		}
	}
	return us
}

// empty reports whether no entry has a file.
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

// Counts classifies the arrivals of one Fold.
type Counts struct {
	// New counts arrivals that were taken in, Duplicates those already known.
	// Covered counts those before CoveredUntil: a run has them, or they are
	// duplicates.
	New, Duplicates, Covered int
}

// Fold takes in arrivals received at the given time. An event time counts as no
// later than that.
func (s *State) Fold(arrivals []Arrival, r Rules, received time.Time) Counts {
	var n Counts
	known, before := s.Marks.index(), len(s.Marks)
	for _, a := range arrivals {
		m := mark{hash: a.identity(), event: a.EventTime.UnixMilli(), after: s.Launch != nil, versioned: a.Versioned}
		// Earlier versions included the bucket in every mark's hash.
		isKnown := known[m.hash] || a.Versioned && known[hash(a.Bucket, a.Key, a.Version)]
		event := earliest(a.EventTime.Truncate(time.Millisecond), received.Truncate(time.Millisecond))
		switch {
		case event.Before(s.CoveredUntil):
			n.Covered++
			if (m.versioned || m.event >= s.CoveredUntil.UnixMilli()) && !isKnown {
				// A file with a version id may have a replica with a later
				// event time. Without a version id a clock is wrong: the file
				// was received before its own event time. Its duplicate may be
				// received after that time.
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

// and returns the sum of two groups of files.
func (f Files) and(g Files) Files {
	return Files{Count: f.Count + g.Count, First: earliest(f.First, g.First), Last: latest(f.Last, g.Last), Latest: latest(f.Latest, g.Latest),
		Samples: slices.Concat(f.Samples, g.Samples)[:min(MaxSamples, len(f.Samples)+len(g.Samples))],
		Old:     f.Old + g.Old, Doubtful: f.Doubtful + g.Doubtful}
}

// add counts a file, and reports whether it is older than [Memory].
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
		return // a met entry stays met, even if the route changes
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

// want returns how many distinct keys an entry needs.
func (r Rules) want(pattern string) int {
	for _, e := range r.Entries {
		if e.Pattern == pattern {
			return max(1, e.Count)
		}
	}
	return 1
}

// migrateEntries moves the counts of entries that the route no longer has to
// the entries that match the same files now. For example, a pattern was
// widened, or two entries were merged. An entry that now needs no more files
// than came is met.
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

// plus adds the progress of another entry.
func (p Progress) plus(q Progress, want int) Progress {
	switch {
	case !p.Met.IsZero():
		return p
	case q.Count >= want:
		return q
	case len(q.Keys) == 0: // it was met, with a lower count
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

// identity returns a hash of an arrival. Two arrivals with the same identity
// are duplicates. If the file has a version id, the hash leaves out the bucket.
func (a *Arrival) identity() uint64 {
	if a.Versioned {
		return hash("", a.Key, a.Version)
	}
	return hash(a.Bucket, a.Key, a.Version)
}

// hash returns 64 bits of a cryptographic hash of a file's names, so that
// nobody can choose names with a given hash.
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

// Hash returns a hash of an arrival. A repeat of its event has the same hash.
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

// MarshalText encodes 8 bytes for each hash, in base64.
func (h Hashes) MarshalText() ([]byte, error) {
	raw := make([]byte, 0, 8*len(h))
	for _, x := range h {
		raw = binary.BigEndian.AppendUint64(raw, x)
	}
	return encode(raw), nil
}

// UnmarshalText decodes the text of MarshalText.
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

// decode decodes base64 of entries that all have the given length.
func decode(text []byte, length int) ([]byte, error) {
	raw, err := base64.RawStdEncoding.AppendDecode(nil, text)
	if err == nil && len(raw)%length != 0 {
		err = base64.CorruptInputError(len(text))
	}
	return raw, err
}
