package announcement

import (
	"fmt"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

const (
	// MaxEntry is EventBridge's limit for one entry, in bytes, as it stood for
	// years and as many targets still have it; newer accounts take 1 MB.
	MaxEntry = 256 * 1024

	// envelopeAllowance is kept free for what EventBridge adds around the
	// detail when it delivers the event to a target: id, account, time, region
	// and the keys of the JSON object.
	envelopeAllowance = 2 * 1024

	// DefaultLimit is the limit to give to Encode: the entry limit less an
	// allowance for the envelope.
	DefaultLimit = MaxEntry - envelopeAllowance

	// MinLimit is the least limit under which Encode never fails, whatever an
	// announcement of one of our types holds. All our texts, numbers and lists
	// at their bounds, in one announcement that has every field, take 219,843
	// bytes with what is then left of the run.
	MinLimit = 216 * 1024

	// sizeOfTime is what an entry's time counts, set or not: we leave it to
	// EventBridge, and counting it costs nothing.
	sizeOfTime = 14

	// maxDepth is how deep JSON may nest. EventBridge processes up to 1000
	// levels, its own envelope among them.
	maxDepth = 900
)

// SizeError says that an announcement does not fit, however much of it is cut.
// It cannot come with a limit of [MinLimit] or more.
type SizeError struct {
	Type  DetailType
	Size  int // bytes by EventBridge's formula, after cutting
	Limit int // bytes
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("%s: %d bytes, the limit is %d; give a limit of %d or more, under which everything fits", e.Type, e.Size, e.Limit, MinLimit)
}

// Encode writes the detail as it is published: JSON, with "<", ">" and "&" as
// they are. Our own texts are cut at their bounds. If the entry is larger than
// limit (bytes, by EventBridge's formula, see [Announcement.Size]), the run's
// task_instances are dropped; if it is still larger only the run's well-known
// fields are kept. The same is done to a run that nests deeper, or has larger
// integers, than EventBridge processes. Whatever is cut sets "truncated", but
// for lists of files, which have a count. The error is a *[SizeError].
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

// attempt encodes d and tells whether EventBridge would take it.
func (a Announcement) attempt(d Detail, limit int) (detail []byte, fits bool) {
	detail, err := encode(d)
	if err != nil {
		return nil, false // only a run's own bytes can be the cause
	}
	return detail, readable(detail, 0) && a.Size(detail) <= limit
}

// Size is the size of an entry by the formula that EventBridge documents: 14
// for the time, and the bytes of source, detail-type, detail and each
// resource.
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
