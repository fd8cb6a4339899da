package window

import (
	"testing"
	"time"
)

func TestEditedRouteDecidesItsOpenWindows(t *testing.T) {
	t.Parallel()
	play(t, []story{
		{name: "an edited route decides anew", route: day("a"), other: day("a").with(settle(10 * time.Minute)), lines: `
			06:00 a/1 comes              -> look at 06:02
			06:01 edited
			06:02 look                   -> route changed; look at 06:10
			06:03 look                   -> look at 06:10
			06:10 look                   -> launch 1`},
		{name: "a pattern that is widened keeps what came", route: day("orders", "b"), other: day("o*", "b"), lines: `
			06:00 orders/1 comes         -> nothing
			06:01 edited
			06:02 b/1 comes              -> route changed; look at 06:04
			06:04 look                   -> launch 1`},
		{name: "a set keeps its count", route: day("orders×3"), other: day("o*×3"), lines: `
			06:00 orders/1 orders/2 come -> nothing
			06:01 edited
			06:01 orders/1#2 comes       -> route changed; nothing
			06:02 orders/3 comes         -> look at 06:04`},
		{name: "a set that was complete stays so", route: day("orders×3", "b"), other: day("o*×3", "b"), lines: `
			06:00 orders/1..3 come       -> nothing
			06:01 edited
			06:02 b/1 comes              -> route changed; look at 06:04`},
		{name: "one of which fewer are wanted now is complete", route: day("orders×3"), other: day("o*×2"), lines: `
			06:00 orders/1 orders/2 come -> nothing
			06:01 edited
			06:02 look                   -> route changed; launch 1`},
		{name: "two entries that become one set count together", route: day("a1×2", "a2×2", "b"), other: day("a*×3"), lines: `
			06:00 a1/1 a2/1 come         -> nothing
			06:01 a2/2 comes             -> nothing
			06:02 edited
			06:03 look                   -> route changed; nothing
			06:04 a1/2 comes             -> look at 06:06`},
		{name: "two that become one are met", route: day("a1", "a2×2", "b"), other: day("a*"), lines: `
			06:00 a2/1 comes             -> nothing
			06:02 edited
			06:03 look                   -> route changed; launch 1`},
		{name: "a count that is lowered is met", route: day("a×3", "b"), other: day("a×2", "b"), lines: `
			06:00 a/1 a/2 come           -> nothing
			06:01 edited
			06:02 b/1 comes              -> route changed; look at 06:04`},
		{name: "and stays so when it is raised again", route: day("a×3", "b"), other: day("a×2", "b"), lines: `
			06:00 a/1 a/2 come           -> nothing
			06:01 edited
			06:01 look                   -> route changed; nothing
			06:02 restored
			06:03 b/1 comes              -> route changed; look at 06:05`},
		{name: "a count that is raised is waited for", route: day("a×2"), other: day("a×3"), lines: `
			06:00 a/1 comes              -> nothing
			06:01 edited
			06:02 a/2 comes              -> route changed; nothing
			06:03 a/3 comes              -> look at 06:05`},
		{name: "but not if it was met before", route: day("a×2", "b"), other: day("a×9", "b"), lines: `
			06:00 a/1 a/2 come           -> nothing
			06:01 edited
			06:02 b/1 comes              -> route changed; look at 06:04`},
		{name: "an entry that is added is waited for", route: day("a"), other: day("a", "b"), lines: `
			06:00 a/1 comes              -> look at 06:02
			06:01 edited
			06:02 look                   -> route changed; nothing
			06:03 b/1 comes              -> look at 06:05`},
		{name: "an entry that is removed is waited for no more", route: day("a", "b"), other: day("a"), lines: `
			06:00 a/1 comes              -> nothing
			06:01 edited
			06:02 look                   -> route changed; launch 1`},
		{name: "files of an entry that is removed still go with the window", route: day("a", "b"), other: day("a"), lines: `
			06:00 b/1 comes              -> nothing
			06:01 edited
			06:02 look                   -> route changed; launch 1`},
		{name: "an entry that is removed and comes back is still met", route: day("a", "b"), other: day("b"), lines: `
			06:00 a/1 comes              -> nothing
			06:01 edited
			06:01 expected               -> route changed; look at 06:02
			06:01 restored
			06:02 look                   -> route changed; nothing
			06:03 b/1 comes              -> look at 06:05`},
		{name: "where all that came is nobody's now, it goes with what is there", route: day("a", "b"), other: day("x", "y"), lines: `
			06:00 a/1 comes              -> nothing
			06:01 edited
			06:03 look                   -> route changed; launch 1`},
		{name: "a deadline that is set is looked at", route: day("a", "b"), other: day("a", "b").with(deadline("06:30")), lines: `
			06:00 a/1 comes              -> nothing
			06:10 edited
			06:10 look                   -> route changed; look at 06:30
			06:30 look                   -> missing (hold 1): b 0 of 1, a since 06:00; nothing`},
		{name: "what a lowered count has met is not missing", route: day("a×3", "b").with(deadline("06:30")), other: day("a×2", "b").with(deadline("06:30")), lines: `
			06:00 a/1 a/2 come           -> look at 06:30
			06:10 edited
			06:10 look                   -> route changed; look at 06:30
			06:30 look                   -> missing (hold 1): b 0 of 1, a since 06:10; nothing`},
	})
}

func TestH39ALaunchedWindowWaitsForNoNewEntry(t *testing.T) {
	t.Parallel()
	play(t, []story{
		{name: "an entry is added, and then a late file comes", route: day("a"), other: day("a", "b"), lines: `
			06:00 a/1 comes              -> look at 06:02
			06:02 look                   -> launch 1
			06:02 started                -> closed
			06:30 edited
			07:00 a/2 comes              -> route changed; look at 07:02
			07:02 look                   -> launch 2`},
	})
}

func TestRemovedRouteAbandonsItsOpenWindows(t *testing.T) {
	t.Parallel()
	play(t, []story{
		{name: "an open window outlives its route by an hour, and is closed then", route: day("a"), lines: `
			06:00 a/1 a/2 come           -> look at 06:02
			06:02 gone                   -> look at 07:00
			06:59:59 gone                -> look at 07:00
			07:00 gone                   -> abandoned with 2 files; nothing
			07:01 gone                   -> nothing`},
		{name: "if the route is back within the hour, it goes on", route: day("a"), lines: `
			06:00 a/1 comes              -> look at 06:02
			06:02 gone                   -> look at 07:00
			06:50 look                   -> launch 1`},
		{name: "the hour counts from when the route was seen, to a quarter of one", route: day("a", "b"), lines: `
			06:00 a/1 comes              -> nothing
			06:15 look                   -> nothing
			06:20 gone                   -> look at 07:00
			06:31 look                   -> nothing
			06:40 gone                   -> look at 07:31`},
		{name: "after it is closed, its files are known and a new one opens it", route: day("a"), lines: `
			06:00 a/1 comes              -> look at 06:02
			07:00 gone                   -> abandoned with 1 file; nothing
			08:00 a/1 comes              -> 1 duplicate; nothing
			08:01 a/2 comes              -> look at 08:03
			08:03 look                   -> launch 1`},
		{name: "a launch that was decided goes on without its route", route: day("a").with(settle(0)), lines: `
			06:00 a/1 comes              -> launch 1
			06:01 a/2 comes              -> nothing
			08:00 gone                   -> nothing
			08:00 started posted 06:00   -> 1 open
			08:00 gone                   -> abandoned with 1 file; nothing`},
		{name: "a window without files is closed without a word", route: day("a").with(deadline("06:30")), lines: `
			00:00 expected               -> look at 06:30
			06:30 gone                   -> nothing`},
		{name: "what waited for another run waits anew when its route is back", route: day("a").with(settle(0)), lines: `
			06:00 busy
			06:00 a/1 comes              -> look at 06:01
			07:01 gone                   -> abandoned with 1 file; nothing
			+1 07:00 a/2 comes           -> look at +1 07:01`},
	})
}
