package route

import "time"

// stretch returns the period around t in which the offset of a zone stays the
// same. from is not after t, and until is after t. Each is zero if the period
// has no such bound.
//
// [time.Time.ZoneBounds] assumes 365 days for every year after the last entry
// of a zone's table. On the last day of a leap year, its end is not after t.
func stretch(t time.Time) (from, until time.Time) {
	from, until = t.ZoneBounds()
	if !until.IsZero() && !until.After(t) {
		until = time.Date(t.UTC().Year()+1, 1, 1, 0, 0, 0, 0, time.UTC).In(t.Location())
	}
	return from, until
}
