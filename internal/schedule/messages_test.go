package schedule

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every message that this package gives, as it stands.
func TestMessages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		from, to, zone string
		want           []Fault
	}{
		{"", "0d", "", []Fault{{"range.from", `is missing: write days or hours from the scheduled time, such as -1d, 0d or -6h`}}},
		{"-1d", "", "", []Fault{{"range.to", `is missing: write days or hours from the scheduled time, such as -1d, 0d or -6h`}}},
		{"yesterday", "0d", "", []Fault{{"range.from", `"yesterday" is not an offset: write a whole number of days or hours, such as -1d, 0d or -6h`}}},
		{"-1", "0d", "", []Fault{{"range.from", `"-1" is not an offset: write a whole number of days or hours, such as -1d, 0d or -6h`}}},
		{"d", "0d", "", []Fault{{"range.from", `"d" is not an offset: write a whole number of days or hours, such as -1d, 0d or -6h`}}},
		{"-d", "0d", "", []Fault{{"range.from", `"-d" is not an offset: write a whole number of days or hours, such as -1d, 0d or -6h`}}},
		{"--1d", "0d", "", []Fault{{"range.from", `"--1d" is not an offset: write a whole number of days or hours, such as -1d, 0d or -6h`}}},
		{"-1.5d", "0d", "", []Fault{{"range.from", `"-1.5d" is not an offset: write a whole number of days or hours, such as -1d, 0d or -6h`}}},
		{"-1_0d", "0d", "", []Fault{{"range.from", `"-1_0d" is not an offset: write a whole number of days or hours, such as -1d, 0d or -6h`}}},
		{"-1 d", "0d", "", []Fault{{"range.from", `"-1 d" is not an offset: write a whole number of days or hours, such as -1d, 0d or -6h`}}},
		{"-1D", "0d", "", []Fault{{"range.from", `"-1D" is not an offset: write a whole number of days or hours, such as -1d, 0d or -6h`}}},
		{"-1w", "0d", "", []Fault{{"range.from", `"-1w" is not an offset: write a whole number of days or hours, such as -1d, 0d or -6h`}}},
		{"2026-11-22", "0d", "", []Fault{{"range.from", `"2026-11-22" is not an offset: write a whole number of days or hours, such as -1d, 0d or -6h`}}},
		{"-1d", "+0xd", "", []Fault{{"range.to", `"+0xd" is not an offset: write a whole number of days or hours, such as -1d, 0d or -6h`}}},
		{"−1d", "0d", "", []Fault{{"range.from", `"−1d" is not an offset: write a whole number of days or hours, such as -1d, 0d or -6h`}}},
		{"-3661d", "0d", "", []Fault{{"range.from", `"-3661d" is too far away: the furthest is 3660d`}}},
		{"-1h", "87841h", "", []Fault{{"range.to", `"87841h" is too far away: the furthest is 87840h`}}},
		{"-1d", strings.Repeat("9", 30) + "d", "", []Fault{{"range.to", `"999999999999999999999999999999d" is too far away: the furthest is 3660d`}}},
		{"-1d", "0h", "", []Fault{{"range.to", `"0h" counts hours but range.from "-1d" counts days: write both with d or both with h`}}},
		{"-24h", "0d", "", []Fault{{"range.to", `"0d" counts days but range.from "-24h" counts hours: write both with d or both with h`}}},
		{"0d", "0d", "", []Fault{{"range.to", `"0d" is not after range.from "0d": the range ends before range.to, so a single day or hour is -1d to 0d`}}},
		{"0h", "-1h", "", []Fault{{"range.to", `"-1h" is not after range.from "0h": the range ends before range.to, so a single day or hour is -1h to 0h`}}},

		// Time zones.
		{"-1d", "0d", "America/Gotham", []Fault{{"range.timezone", `"America/Gotham" is not a time zone; did you mean America/Godthab?`}}},
		{"-1d", "0d", "america/new_york", []Fault{{"range.timezone", `"america/new_york" is not a time zone; did you mean America/New_York?`}}},
		{"-1d", "0d", "Local", []Fault{{"range.timezone", `"Local" is not a time zone; write a name of the IANA database, such as America/New_York or UTC`}}},
		{"-1d", "0d", "+05:00", []Fault{{"range.timezone", `"+05:00" is not a time zone; write a name of the IANA database, such as America/New_York or UTC`}}},
		{"-1d", "0d", "../../etc/passwd", []Fault{{"range.timezone", `"../../etc/passwd" is not a time zone; write a name of the IANA database, such as America/New_York or UTC`}}},
		{"-1d", "0d", strings.Repeat("A", 70), []Fault{{"range.timezone", `"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" is not a time zone; write a name of the IANA database, such as America/New_York or UTC`}}},

		// All at once.
		{"", "1", "Mars", []Fault{
			{"range.from", `is missing: write days or hours from the scheduled time, such as -1d, 0d or -6h`},
			{"range.to", `"1" is not an offset: write a whole number of days or hours, such as -1d, 0d or -6h`},
			{"range.timezone", `"Mars" is not a time zone; write a name of the IANA database, such as America/New_York or UTC`},
		}},
	} {
		t.Run(tt.from+" "+tt.to+" "+tt.zone, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(tt.from, tt.to, tt.zone)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if d := cmp.Diff(tt.want, e.Faults); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestAnErrorNamesEveryField(t *testing.T) {
	t.Parallel()
	_, err := Parse("-1d", "x", "Mars")
	const want = `range.to: "x" is not an offset: write a whole number of days or hours, such as -1d, 0d or -6h; ` +
		`range.timezone: "Mars" is not a time zone; write a name of the IANA database, such as America/New_York or UTC`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
