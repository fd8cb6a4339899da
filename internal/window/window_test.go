package window

import (
	"testing"
	"time"
)

func TestQuiet(t *testing.T) {
	t.Parallel()
	play(t, []story{
		// Quiet.
		{name: "a window launches once it has been quiet", route: day("a"), lines: `
			06:00 a/1 comes -> look at 06:02
			06:01:59 look   -> look at 06:02
			06:02 look      -> launch 1
			06:02 started   -> closed
			07:00 look      -> nothing`},
		{name: "each new file delays the launch", route: day("a"), lines: `
			06:00 a/1 comes -> look at 06:02
			06:01 a/2 comes -> look at 06:03
			06:02 look      -> look at 06:03
			06:03 look      -> launch 1`},
		{name: "a new version of a file is a new file", route: day("a"), lines: `
			06:00 a/1 comes   -> look at 06:02
			06:01 a/1#2 comes -> look at 06:03`},
		{name: "a duplicate does not delay the launch", route: day("a"), lines: `
			06:00 a/1 a/1 come -> 1 duplicate; look at 06:02
			06:01 a/1 comes    -> 1 duplicate; look at 06:02
			06:02 a/1 comes    -> 1 duplicate; launch 1`},
		{name: "quiet counts from the receipt, not from the event", route: day("a"), lines: `
			06:00 a/1@03:00 comes    -> look at 06:02
			06:01 a/2@-1m comes      -> look at 06:03
			06:03 look               -> launch 1`},
		{name: "quiet counts from the latest receipt by any instance's clock", route: day("a"), lines: `
			06:00:02 a/1 comes -> look at 06:02:02
			06:00 a/2 comes    -> look at 06:02:02`},
		{name: "with settle 0s a window launches immediately", route: day("a").with(settle(0)), lines: `
			06:00 a/1 comes -> launch 1`},
		{name: "a window without files has nothing to do", route: day("a"), lines: `
			06:00 expected -> nothing
			07:00 look     -> nothing`},
		{name: "a late sweep launches immediately", route: day("a"), lines: `
			06:00 a/1 comes -> look at 06:02
			+3 06:00 look   -> launch 1`},

		// A window waits for quiet at most as long as its period (H21).
		{name: "a feed without pauses launches after each hour", route: hour("a").with(settle(40 * time.Minute)), lines: `
			06:00 a/1 comes -> look at 06:40
			06:30 a/2 comes -> look at 07:00
			06:59 a/3 comes -> look at 07:00
			07:00 look      -> launch 1
			07:00 started   -> closed
			07:10 a/4 comes -> look at 07:50
			07:45 a/5 comes -> look at 08:10
			08:10 a/6 comes -> launch 2`},
		{name: "a feed without pauses launches after a day", route: day("a").with(settle(14 * time.Hour)), lines: `
			06:00 a/1 comes    -> look at 20:00
			19:00 a/2 comes    -> look at +1 06:00
			+1 05:59 a/3 comes -> look at +1 06:00
			+1 06:00 look      -> launch 1`},
		{name: "the hour counts from the first file that no run covers", route: hour("a").with(settle(30 * time.Minute)), lines: `
			06:00 a/1 comes                -> look at 06:30
			06:30 look                     -> launch 1
			06:40 a/2 comes                -> nothing
			08:00:01 a/3 comes             -> nothing
			08:00:02 started posted 08:00  -> 1 open
			08:00:02 look                  -> look at 08:30:01
			08:30:01 look                  -> launch 2`},

		{name: "the hour counts from when the last required entry was met", route: hour("a", "b").with(settle(10 * time.Minute)), lines: `
			06:00 a/1 comes -> nothing
			07:05 b/1 comes -> look at 07:15
			07:14 b/2 comes -> look at 07:24
			07:59 b/3 comes -> look at 08:05
			08:05 look      -> launch 1`},
		{name: "the hour counts from the first file once the deadline has ended the wait", route: hour("a", "b", "c").with(settle(20*time.Minute), deadline("07:10"), thenRun), lines: `
			06:00 a/1 comes -> nothing
			07:05 b/1 comes -> look at 07:10
			07:10 look      -> missing (hold 1): c 0 of 1, a since 06:00, b since 07:05; launch 1`},
		{name: "the hour counts from the first late file, even if an entry is met later", route: hour("a", "b").with(settle(40 * time.Minute)), lines: `
			06:00 a/1 comes -> nothing
			06:10 released  -> launch 1
			06:10 started   -> closed
			08:00 a/2 comes -> look at 08:40
			08:30 b/1 comes -> look at 09:00`},
		{name: "a window that waits for files is evaluated again, less often the longer it waits", route: day("a", "b"), looks: true, lines: `
			06:00 a/1 comes     -> look at 07:00
			06:30 a/2 comes     -> look at 07:30
			07:30 look          -> look at 09:00
			09:00 look          -> look at 12:00
			+1 12:00 look       -> look at +2 12:00
			+2 12:00 look       -> look at +3 12:00`},
	})
}

func TestEntries(t *testing.T) {
	t.Parallel()
	play(t, []story{
		{name: "a window waits for every required entry", route: day("a", "b"), lines: `
			06:00 a/1 comes -> nothing
			06:10 look      -> nothing
			06:20 b/1 comes -> look at 06:22
			06:22 look      -> launch 1`},
		{name: "the entries may come in any order", route: day("a", "b", "c"), lines: `
			06:00 c/1 comes -> nothing
			06:01 b/1 comes -> nothing
			06:02 a/1 comes -> look at 06:04`},
		{name: "a window does not wait for an optional entry", route: day("a", "b?"), lines: `
			06:00 a/1 comes -> look at 06:02
			06:02 look      -> launch 1`},
		{name: "an optional entry alone launches nothing", route: day("a", "b?"), lines: `
			06:00 b/1 comes -> nothing
			06:10 look      -> nothing
			06:20 a/1 comes -> look at 06:22`},
		{name: "if every entry is optional, one file of any entry is enough", route: day("a?", "b?"), lines: `
			06:00 b/1 comes -> look at 06:02
			06:02 look      -> launch 1`},
		{name: "if every entry is optional, one file of a counted entry is enough", route: day("a×3?"), lines: `
			06:00 a/1 comes -> look at 06:02`},
		{name: "an entry with a count waits for that many keys", route: day("a×3"), lines: `
			06:00 a/1 comes -> nothing
			06:01 a/2 comes -> nothing
			06:02 a/3 comes -> look at 06:04
			06:04 look      -> launch 1`},
		{name: "the keys of a count may come in one batch", route: day("a×3", "b"), lines: `
			06:00 a/1 a/2 b/1 a/3 come -> look at 06:02`},
		{name: "a duplicate does not complete a set", route: day("a×2"), lines: `
			06:00 a/1 comes -> nothing
			06:01 a/1 comes -> 1 duplicate; nothing
			06:02 a/2 comes -> look at 06:04`},
		{name: "a new version does not complete a set", route: day("a×2"), lines: `
			06:00 a/1 comes     -> nothing
			06:01 a/1#2 comes   -> nothing
			06:02 a/1#3 comes   -> nothing
			06:03 a/2 comes     -> look at 06:05`},
		{name: "a met entry stays met for the window's life", route: day("a", "b"), lines: `
			06:00 a/1 b/1 come -> look at 06:02
			06:02 look         -> launch 1
			06:02 rejected     -> closed
			07:00 a/2 comes    -> look at 07:02
			07:02 look         -> launch 2`},
		{name: "a window that has launched waits for no entry (H20)", route: day("a", "b"), lines: `
			06:00 a/1 b/1 come -> look at 06:02
			06:02 look         -> launch 1
			06:02 started      -> closed
			08:00 b/1#2 comes  -> look at 08:02
			08:02 look         -> launch 2`},
	})
}

func TestWindowWithOnlyHeldFilesIsHeld(t *testing.T) {
	t.Parallel()
	r := Rules{Hash: "1", HoldReason: "implausible_date"}
	s := New("cg-1", "implausible-day-2026-11-22T06:00:00Z", "orders", at("06:00"))
	if d := s.Evaluate(r, at("06:00")); d.Do != Nothing || !d.At.IsZero() {
		t.Errorf("without a file: %+v", d)
	}
	s.Fold([]Arrival{file("a/1", at("06:00"))}, r, at("06:00"))
	if d := s.Evaluate(r, at("06:00")); d.Do != HoldIt || d.Reason != "implausible_date" {
		t.Errorf("a file: %+v", d)
	}
	s.Decide(r, at("06:00"), true)
	s.Fold([]Arrival{file("a/2", at("06:01")), file("a/1", at("06:00"))}, r, at("06:01"))
	if d := s.Evaluate(r, at("06:01")); d.Do != Nothing || s.After.Count != 1 {
		t.Errorf("another file: %+v, and %d since", d, s.After.Count)
	}
	// The operator discards it after the second file.
	s.Outcome(Outcome{Revision: 1, Answered: 1, At: at("06:02")})
	if d := s.Evaluate(r, at("06:02")); d.Do != Nothing || !s.Idle() {
		t.Errorf("after the discard: %+v", d)
	}
	s.Fold([]Arrival{file("a/3", at("06:03"))}, r, at("06:03"))
	if d := s.Evaluate(r, at("06:03")); d.Do != HoldIt || d.Reason != "implausible_date" {
		t.Errorf("a third file: %+v", d)
	}
}
