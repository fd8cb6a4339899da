package window

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"
)

// Marks are the arrivals that may not be before CoveredUntil, so that their
// duplicates are recognized. Earlier arrivals with a version id are among them,
// because a replica has a later event time of its own. Their JSON form is
// base64, 17 bytes for each mark: the hash, the event time in Unix
// milliseconds, and a byte whose bits are after (1) and versioned (2).
type Marks []mark

// mark is one arrival.
type mark struct {
	hash uint64
	// event is the event's own time, even if it is in the future. The mark is
	// kept until CoveredUntil has passed it.
	event int64
	// after: the arrival came after the decision of the launch in flight.
	after bool
	// versioned: the arrival has a version id.
	versioned bool
}

// The bits of a mark's last byte.
const (
	bitAfter     = 1
	bitVersioned = 2
)

func (ms Marks) index() map[uint64]bool {
	known := make(map[uint64]bool, len(ms))
	for _, m := range ms {
		known[m.hash] = true
	}
	return known
}

// trim keeps the latest [MaxMarks] marks. It returns the latest event time of
// those it drops, or zero if it drops none.
func (ms *Marks) trim() time.Time {
	slices.SortFunc(*ms, func(a, b mark) int {
		return cmp.Or(cmp.Compare(b.event, a.event), cmp.Compare(a.hash, b.hash))
	})
	if len(*ms) <= MaxMarks {
		return time.Time{}
	}
	fallen := (*ms)[MaxMarks].event
	*ms = slices.Clip((*ms)[:MaxMarks])
	return time.UnixMilli(fallen).UTC()
}

// after counts the marks that came after the decision and are not before t.
func (ms Marks) after(t time.Time) int {
	n := 0
	for _, m := range ms {
		if m.after && !time.UnixMilli(m.event).Before(t) {
			n++
		}
	}
	return n
}

// clearAfter forgets which arrivals came after a decision.
func (ms Marks) clearAfter() {
	for i := range ms {
		ms[i].after = false
	}
}

// forget drops the marks without a version id that are before t.
func (ms *Marks) forget(t time.Time) {
	*ms = slices.DeleteFunc(*ms, func(m mark) bool { return !m.versioned && time.UnixMilli(m.event).Before(t) })
}

const markSize = 8 + 8 + 1

// MarshalText encodes the marks.
func (ms Marks) MarshalText() ([]byte, error) {
	raw := make([]byte, 0, markSize*len(ms))
	for _, m := range ms {
		raw = binary.BigEndian.AppendUint64(raw, m.hash)
		raw = binary.BigEndian.AppendUint64(raw, uint64(m.event)) // #nosec G115 -- the 64 bits are read back as an int64
		bits := byte(0)
		if m.after {
			bits |= bitAfter
		}
		if m.versioned {
			bits |= bitVersioned
		}
		raw = append(raw, bits)
	}
	return encode(raw), nil
}

// UnmarshalText decodes the text of MarshalText.
func (ms *Marks) UnmarshalText(text []byte) error {
	raw, err := decode(text, markSize)
	if err != nil {
		return err
	}
	*ms = nil
	for ; len(raw) > 0; raw = raw[markSize:] {
		*ms = append(*ms, mark{
			hash:      binary.BigEndian.Uint64(raw),
			event:     int64(binary.BigEndian.Uint64(raw[8:])), // #nosec G115 -- the 64 bits were written from an int64
			after:     raw[16]&bitAfter != 0,
			versioned: raw[16]&bitVersioned != 0,
		})
	}
	return nil
}
