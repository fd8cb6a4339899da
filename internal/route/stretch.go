package route

import "time"

// stretch returns the bounds of a time in which a zone has the offset that it
// has at t: from is not after t, until is after it, and each is zero if there is
// no such bound.
//
// [time.Time.ZoneBounds] counts 365 days for every year that a zone's table of
// changes does not reach. On the last day of a leap year its end is not after t.
func stretch(t time.Time) (from, until time.Time) {
	from, until = t.ZoneBounds()
	if !until.IsZero() && !until.After(t) {
		until = time.Date(t.UTC().Year()+1, 1, 1, 0, 0, 0, 0, time.UTC).In(t.Location())
	}
	return from, until
}
