package arrival

// Period is the day or hour of a window. It is comparable: two files belong to
// the same window of a config id if their periods are equal.
type Period struct {
	start int64
}

// String gives "2026-11-22" for a day, "2026-11-22T05:00:00Z" for an hour.
func (p Period) String() string { return "" }

// Range gives the range_from and range_to of the period.
func (p Period) Range() (from, to string) { return "", "" }
