package announcement

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Bounds of our own texts, in bytes of their JSON form. A longer text is cut
// and ends in "…". Of the valid texts only error messages come near them. The
// bounds ensure that every announcement can be sent, whatever the input.
const (
	maxName    = 512  // tenant, names, ids, reasons
	maxText    = 2048 // keys, ARNs, hints, the fields of a request
	maxMessage = 8192 // an error's message

	// MaxFiles is how many files, entries or runs an announcement lists.
	MaxFiles = 20
	// maxListed bounds each file and pattern of a window's lists, and maxField
	// each field of a candidate, because many of them must fit together. A key
	// of S3 has at most 1024 bytes, and so has a pattern.
	maxListed = 1100
	maxField  = 256

	maxResources     = 10
	maxResourceBytes = 2048
)

// BoundedResources returns the published resources: at most 10, none empty or
// longer than 2048 bytes. It leaves out long ARNs, because a cut one would name
// another resource. The detail has the same information.
func (a Announcement) BoundedResources() []string {
	var out []string
	for _, r := range a.Resources {
		if r == "" || len(r) > maxResourceBytes || !utf8.ValidString(r) {
			continue
		}
		if len(out) == maxResources {
			break
		}
		out = append(out, r)
	}
	return out
}

// bounded returns a copy of d with each of our texts and lists within its
// bound. Run is unchanged.
func (d Detail) bounded() Detail {
	cut := func(s *string, limit int) {
		short := shorten(*s, limit)
		if short != *s {
			*s = short
			d.Truncated = true
		}
	}
	cut(&d.Version, maxName)
	cut(&d.ID, maxName)
	cut(&d.LaunchKey, maxText)
	cut(&d.Tenant, maxName)
	cut(&d.Reason, maxName)
	cut(&d.Hint, maxText)
	if d.Cause != nil {
		c := *d.Cause
		cut(&c.Type, maxName)
		cut(&c.ScheduleARN, maxText)
		cut(&c.ScheduledTime, maxName)
		cut(&c.Route, maxName)
		cut(&c.Period, maxName)
		cut(&c.FirstFile, maxText)
		cut(&c.RequestID, maxName)
		d.Cause = &c
	}
	if d.Request != nil {
		r := *d.Request
		cut(&r.ConfigID, maxName)
		cut(&r.RangeFrom, maxName)
		cut(&r.RangeTo, maxName)
		mode := string(r.RunMode)
		cut(&mode, maxName)
		r.RunMode = amperity.RunMode(mode)
		d.Request = &r
	}
	if d.Error != nil {
		e := *d.Error
		cut(&e.Kind, maxName)
		cut(&e.Message, maxMessage)
		cut(&e.RequestID, maxName)
		cut(&e.TraceID, maxName)
		d.Error = &e
	}
	d.Candidates = first(d.Candidates, &d.Truncated)
	for i := range d.Candidates {
		c := &d.Candidates[i]
		for _, s := range []*string{&c.ID, &c.Name, &c.Type, &c.State, &c.CreatedAt, &c.PrincipalID, &c.PrincipalName} {
			cut(s, maxField)
		}
	}
	if d.Window != nil {
		w := *d.Window
		for _, s := range []*string{&w.ConfigID, &w.Period, &w.Route, &w.Deadline, &w.FirstFile, &w.LastFile} {
			cut(s, maxName)
		}
		var more bool // the count of files shows it
		w.Samples = first(w.Samples, &more)
		for i := range w.Samples {
			cut(&w.Samples[i], maxListed)
		}
		w.Unmet = first(w.Unmet, &d.Truncated)
		for i := range w.Unmet {
			cut(&w.Unmet[i].Pattern, maxListed)
		}
		w.Met = first(w.Met, &d.Truncated)
		for i := range w.Met {
			cut(&w.Met[i].Pattern, maxListed)
			cut(&w.Met[i].Since, maxField)
		}
		d.Window = &w
	}
	if d.Unrouted != nil {
		u := Unrouted{Count: d.Unrouted.Count, AtLeast: d.Unrouted.AtLeast, Files: []File{}}
		for _, f := range d.Unrouted.Files {
			if len(u.Files) == MaxFiles {
				break // the count shows that there are more
			}
			cut(&f.Bucket, maxName)
			cut(&f.Key, maxText)
			u.Files = append(u.Files, f)
		}
		d.Unrouted = &u
	}
	return d
}

// first returns a copy of the first MaxFiles elements of a list, and sets more
// if there are others.
func first[T any](list []T, more *bool) []T {
	if len(list) > MaxFiles {
		list, *more = list[:MaxFiles], true
	}
	return slices.Clone(list)
}

const ellipsis = "…"

// shorten cuts s between two characters so that its JSON form, without the
// quotes, has at most limit bytes. Bytes that are not UTF-8 become U+FFFD,
// because JSON cannot represent them.
func shorten(s string, limit int) string {
	if len(s) <= limit/6 && utf8.ValidString(s) {
		return s // no character takes more than six times its bytes
	}
	if len(s) > limit {
		s = s[:limit+1] // long enough to be cut below; s can be a whole payload
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	size, fits := 0, 0
	for i, r := range s {
		if size+len(ellipsis) <= limit {
			fits = i
		}
		size += encodedLen(r)
		if size > limit {
			return s[:fits] + ellipsis
		}
	}
	return s
}

// encodedLen returns the most bytes that encoding/json writes for r without
// HTML escaping: \u00XX for control characters and the two line separators, and
// a backslash before quotes and backslashes.
func encodedLen(r rune) int {
	switch {
	case r < 0x20, r == 0x7f, r == '\u2028', r == '\u2029':
		return 6
	case r == '"', r == '\\':
		return 2
	default:
		return utf8.RuneLen(r)
	}
}
