package announcement

import (
	"fmt"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

const (
	// MaxEntry is EventBridge's long-standing limit for one entry, in bytes.
	// Many targets still have this limit, and newer accounts accept 1 MB.
	MaxEntry = 256 * 1024

	// envelopeAllowance is the space for what EventBridge adds around the
	// detail when it delivers the event: id, account, time, region and the keys
	// of the JSON object.
	envelopeAllowance = 2 * 1024

	// DefaultLimit is the limit for Encode: the entry limit less the allowance
	// for the envelope.
	DefaultLimit = MaxEntry - envelopeAllowance

	// MinLimit is the smallest limit for which Encode never fails with any
	// announcement of our types. An announcement with every field, all texts,
	// numbers and lists at their bounds, and the reduced run takes 219,843
	// bytes.
	MinLimit = 216 * 1024

	// sizeOfTime is the size of an entry's time. We let EventBridge set the
	// time, and count it to be safe.
	sizeOfTime = 14

	// maxDepth is how deep JSON may nest. EventBridge processes up to 1000
	// levels, including its own envelope.
	maxDepth = 900
)

// SizeError reports that an announcement does not fit, even after all cuts. It
// cannot occur with a limit of [MinLimit] or more.
type SizeError struct {
	Type  DetailType
	Size  int // bytes by EventBridge's formula, after cutting
	Limit int // bytes
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("%s: %d bytes, the limit is %d; give a limit of %d or more, under which everything fits", e.Type, e.Size, e.Limit, MinLimit)
}

// Encode returns the published detail: JSON in which "<", ">" and "&" are not
// escaped. It cuts our own texts at their bounds. If the entry is larger than
// limit (bytes by EventBridge's formula, see [Announcement.Size]), it drops the
// run's task_instances. If the entry is still too large, it keeps only the
// run's well-known fields. It does the same to a run that nests deeper, or has
// larger integers, than EventBridge processes. A cut sets "truncated", except
// in lists of files, which have a count. The error is a *[SizeError].
func (a Announcement) Encode(limit int) ([]byte, error) {
	d := a.Detail.bounded()
	if d.Version == "" {
		d.Version = Version
	}
	detail, fits := a.attempt(d, limit)
	if fits {
		return detail, nil
	}
	if run := d.Run; run != nil {
		d.Truncated = true
		for _, smaller := range []*amperity.Run{withoutTasks(run), reduced(run)} {
			d.Run = smaller
			if detail, fits = a.attempt(d, limit); fits {
				return detail, nil
			}
		}
	}
	return nil, &SizeError{Type: a.Type, Size: a.Size(detail), Limit: limit}
}

// attempt encodes d, and reports whether EventBridge would accept the result.
func (a Announcement) attempt(d Detail, limit int) (detail []byte, fits bool) {
	detail, err := encode(d)
	if err != nil {
		return nil, false // only a run's own bytes can be the cause
	}
	return detail, readable(detail, 0) && a.Size(detail) <= limit
}

// Size returns the size of an entry by EventBridge's documented formula: 14 for
// the time, and the bytes of source, detail-type, detail and each resource.
//
// Source: Amazon EventBridge User Guide, "Calculating PutEvents event entry
// size".
func (a Announcement) Size(detail []byte) int {
	size := sizeOfTime + len(Source) + len(a.Type) + len(detail)
	for _, r := range a.BoundedResources() {
		size += len(r)
	}
	return size
}
