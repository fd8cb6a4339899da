package amperitytest

import (
	"net/http"
	"strings"
	"time"
)

// rangeBound parses range_from or range_to: a date, or a timestamp in UTC. It
// returns the zero time for an empty value.
func rangeBound(field, text string) (time.Time, answer) {
	if text == "" {
		return time.Time{}, answer{}
	}
	t, form, isTime := parseInstant(text)
	if !isTime || form != "0000-00-00" && form != "0000-00-00T00:00:00Z" {
		return time.Time{}, problemf(http.StatusBadRequest, "%s %q is neither a date like 2026-10-01 nor a timestamp in UTC like 2026-10-01T00:00:00Z", field, text)
	}
	return t, answer{}
}

// filterBound parses a bound of the list, which may be a partial timestamp.
func filterBound(parameter, text string) (time.Time, answer) {
	t, _, isTime := parseInstant(text)
	if !isTime {
		return time.Time{}, problemf(http.StatusBadRequest, "%s %q is not a timestamp in UTC, whole or partial", parameter, text)
	}
	return t, answer{}
}

// parseInstant parses an ISO 8601 timestamp in UTC that may end after any of
// its parts. It takes the earliest instant for the missing parts. form is the
// text with each digit written as 0, without a fraction of a second, and with Z
// for +00:00.
//
// time.Parse alone accepts more, such as hours of one digit.
func parseInstant(text string) (t time.Time, form string, isTime bool) {
	if cut, found := strings.CutSuffix(text, "+00:00"); found {
		text = cut + "Z"
	}
	form = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '0'
		}
		return r
	}, text)
	if whole, fraction, found := strings.Cut(form, "."); found {
		digits := strings.TrimSuffix(fraction, "Z")
		if len(whole) != len("0000-00-00T00:00:00") || digits == "" || len(digits) > 9 || strings.Trim(digits, "0") != "" {
			return time.Time{}, "", false
		}
		form = whole + fraction[len(digits):]
	}
	layout := ""
	switch form {
	case "0000":
		layout = "2006"
	case "0000-00":
		layout = "2006-01"
	case "0000-00-00":
		layout = "2006-01-02"
	case "0000-00-00T00", "0000-00-00T00Z":
		layout = "2006-01-02T15"
	case "0000-00-00T00:00", "0000-00-00T00:00Z":
		layout = "2006-01-02T15:04"
	case "0000-00-00T00:00:00", "0000-00-00T00:00:00Z":
		layout = "2006-01-02T15:04:05" // time.Parse accepts a fraction after the seconds anyway
	default:
		return time.Time{}, "", false
	}
	t, err := time.Parse(layout, strings.TrimSuffix(text, "Z"))
	return t, form, err == nil
}
