package window

import "testing"

func TestDeadlines(t *testing.T) {
	t.Parallel()
	play(t, []story{
		{name: "a window announces missing files once at the deadline, and still waits for them", route: day("a", "b").with(deadline("06:30")), lines: `
			06:00 a/1 comes              -> look at 06:30
			06:30 look                   -> missing (hold 1): b 0 of 1, a since 06:00; nothing
			06:31 look                   -> nothing
			07:00 b/1 comes              -> look at 07:02
			07:02 look                   -> complete (launch 1): a since 06:00, b since 07:00; launch 1
			07:02 started                -> closed
			08:00 a/2 comes              -> look at 08:02
			08:02 look                   -> launch 2`},
		{name: "a window announces that nothing came", route: day("a", "b×2", "c?").with(deadline("06:30")), lines: `
			00:00 expected               -> look at 06:30
			06:30 look                   -> missing (hold 1): a 0 of 1, b 0 of 2; nothing`},
		{name: "the announcement counts the files of a set", route: day("a×3").with(deadline("06:30")), lines: `
			06:00 a/1 a/2 a/1#2 come     -> look at 06:30
			06:30 look                   -> missing (hold 1): a 2 of 3; nothing`},
		{name: "if every entry is optional, any file meets the deadline", route: day("a?", "b?").with(deadline("06:30")), lines: `
			06:27 b/1 comes              -> look at 06:29
			06:29 look                   -> launch 1
			06:30 look                   -> nothing`},
		{name: "if every entry is optional, no file misses the deadline", route: day("a?", "b×2?").with(deadline("06:30")), lines: `
			00:00 expected               -> look at 06:30
			06:30 look                   -> missing (hold 1): a 0 of 1, b 0 of 2; nothing`},
		{name: "files that are present but not yet quiet are not missing", route: day("a", "b").with(deadline("06:30")), lines: `
			06:28 a/1 comes              -> look at 06:30
			06:29 b/1 comes              -> look at 06:30
			06:30 look                   -> look at 06:31
			06:31 look                   -> launch 1`},
		{name: "a window that has launched has no deadline", route: day("a", "b").with(deadline("06:30")), lines: `
			06:00 a/1 b/1 come           -> look at 06:02
			06:02 look                   -> launch 1
			06:02 started                -> closed
			06:20 a/2 comes              -> look at 06:22
			06:22 look                   -> launch 2
			06:30 look                   -> nothing`},
		{name: "a window that the operator launched without all files has no deadline", route: day("a", "b").with(deadline("06:30")), lines: `
			06:00 a/1 comes              -> look at 06:30
			06:10 released               -> launch 1
			06:10 started                -> closed
			06:30 look                   -> nothing`},
		{name: "a file at exactly the deadline is in time", route: day("a").with(deadline("06:30")), lines: `
			00:00 expected               -> look at 06:30
			06:30 a/1 comes              -> look at 06:32`},
		{name: "with then: run a window launches with the files so far, and again for missing ones (H20)", route: day("a", "b", "c").with(deadline("06:30"), thenRun), lines: `
			06:00 a/1 b/1 come           -> look at 06:30
			06:30 look                   -> missing (hold 1): c 0 of 1, a since 06:00, b since 06:00; launch 1
			06:30 started                -> closed
			07:00 c/1 comes              -> look at 07:02
			07:02 look                   -> complete (launch 2): a since 06:00, b since 06:00, c since 07:00; launch 2`},
		{name: "with then: run a window still waits for quiet", route: day("a", "b").with(deadline("06:30"), thenRun), lines: `
			06:29 a/1 comes              -> look at 06:30
			06:30 look                   -> missing (hold 1): b 0 of 1, a since 06:29; look at 06:31
			06:31 look                   -> launch 1`},
		{name: "with then: run and no file a window launches with the first file", route: day("a", "b").with(deadline("06:30"), thenRun), lines: `
			00:00 expected               -> look at 06:30
			06:30 look                   -> missing (hold 1): a 0 of 1, b 0 of 1; nothing
			08:00 b/1 comes              -> look at 08:02
			08:02 look                   -> launch 1`},
		{name: "a window created after its deadline misses nothing", route: day("a", "b").with(deadline("06:30")), lines: `
			07:00 a/1 comes              -> nothing
			08:00 look                   -> nothing`},
		{name: "an expected window created after its deadline misses its files", route: day("a", "b").with(deadline("06:30")), lines: `
			07:00 expected               -> missing (hold 1): a 0 of 1, b 0 of 1; nothing`},
		{name: "after a discard a window continues to wait for the missing files", route: day("a×2", "b").with(deadline("06:30")), lines: `
			06:00 a/1 comes              -> look at 06:30
			06:30 look                   -> missing (hold 1): a 1 of 2, b 0 of 1; nothing
			06:40 released               -> launch 1
			06:41 discarded              -> closed
			07:00 a/2 comes              -> nothing
			08:00 look                   -> nothing
			08:01 b/1 comes              -> look at 08:03
			08:03 look                   -> complete (launch 2): a since 07:00, b since 08:01; launch 2`},
		{name: "a window edited after a rejection has a deadline", route: day("a").with(deadline("06:30")), other: day("a", "b").with(deadline("06:30")), lines: `
			06:00 a/1 comes              -> look at 06:02
			06:02 look                   -> launch 1
			06:03 rejected               -> closed
			06:10 edited
			06:10 a/2 comes              -> route changed; look at 06:30
			06:30 look                   -> missing (hold 1): b 0 of 1, a since 06:00; nothing`},
		{name: "a release with the files so far does not announce them as complete", route: day("a", "b").with(deadline("06:30")), lines: `
			06:00 a/1 comes              -> look at 06:30
			06:30 look                   -> missing (hold 1): b 0 of 1, a since 06:00; nothing
			06:40 released               -> launch 1
			06:40 started                -> closed
			07:00 b/1 comes              -> look at 07:02
			07:02 look                   -> complete (launch 2): a since 06:00, b since 07:00; launch 2`},
		{name: "missing files that arrive and are held are complete too", route: day("a", "b").with(deadline("06:30"), thenRun, late(Hold)), lines: `
			06:00 a/1 comes              -> look at 06:30
			06:30 look                   -> missing (hold 1): b 0 of 1, a since 06:00; launch 1
			06:30 started                -> closed
			07:00 b/1 comes              -> look at 07:02
			07:02 look                   -> complete (launch 2): a since 06:00, b since 07:00; hold 2: late_file`},
	})
}

// The files of FilesComplete are those of the launch.
func TestCompleteWindowCountsItsFiles(t *testing.T) {
	t.Parallel()
	r := day("a", "b").with(deadline("06:30"))
	s := New("cg-1", "2026-11-22", "orders", at("06:00"))
	s.Fold([]Arrival{file("a/1", at("06:00"))}, r, at("06:00"))
	s.Evaluate(r, at("06:30"))
	s.Fold([]Arrival{file("b/1", at("07:00"))}, r, at("07:00"))
	s.Decide(r, at("07:02"), false)
	var counts []int
	for _, n := range s.Notices {
		counts = append(counts, n.Files.Count)
	}
	if len(counts) != 2 || counts[0] != 1 || counts[1] != 2 {
		t.Errorf("announced %v files, want 1 and then 2", counts)
	}
}
