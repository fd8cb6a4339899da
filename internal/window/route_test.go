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
		{name: "a widened pattern keeps its files", route: day("orders", "b"), other: day("o*", "b"), lines: `
			06:00 orders/1 comes         -> nothing
			06:01 edited
			06:02 b/1 comes              -> route changed; look at 06:04
			06:04 look                   -> launch 1`},
		{name: "a set keeps its count", route: day("orders×3"), other: day("o*×3"), lines: `
			06:00 orders/1 orders/2 come -> nothing
			06:01 edited
			06:01 orders/1#2 comes       -> route changed; nothing
			06:02 orders/3 comes         -> look at 06:04`},
		{name: "a complete set stays complete", route: day("orders×3", "b"), other: day("o*×3", "b"), lines: `
			06:00 orders/1..3 come       -> nothing
			06:01 edited
			06:02 b/1 comes              -> route changed; look at 06:04`},
		{name: "a set that needs fewer files now is complete", route: day("orders×3"), other: day("o*×2"), lines: `
			06:00 orders/1 orders/2 come -> nothing
			06:01 edited
			06:02 look                   -> route changed; launch 1`},
		{name: "two entries that become one set count together", route: day("a1×2", "a2×2", "b"), other: day("a*×3"), lines: `
			06:00 a1/1 a2/1 come         -> nothing
			06:01 a2/2 comes             -> nothing
			06:02 edited
			06:03 look                   -> route changed; nothing
			06:04 a1/2 comes             -> look at 06:06`},
		{name: "two met entries that become one are met", route: day("a1", "a2×2", "b"), other: day("a*"), lines: `
			06:00 a2/1 comes             -> nothing
			06:02 edited
			06:03 look                   -> route changed; launch 1`},
		{name: "a count that is lowered is met", route: day("a×3", "b"), other: day("a×2", "b"), lines: `
			06:00 a/1 a/2 come           -> nothing
			06:01 edited
			06:02 b/1 comes              -> route changed; look at 06:04`},
		{name: "a met count stays met if it is raised again", route: day("a×3", "b"), other: day("a×2", "b"), lines: `
			06:00 a/1 a/2 come           -> nothing
			06:01 edited
			06:01 look                   -> route changed; nothing
			06:02 restored
			06:03 b/1 comes              -> route changed; look at 06:05`},
		{name: "a window waits for a raised count", route: day("a×2"), other: day("a×3"), lines: `
			06:00 a/1 comes              -> nothing
			06:01 edited
			06:02 a/2 comes              -> route changed; nothing
			06:03 a/3 comes              -> look at 06:05`},
		{name: "a window does not wait for a raised count that was met before", route: day("a×2", "b"), other: day("a×9", "b"), lines: `
			06:00 a/1 a/2 come           -> nothing
			06:01 edited
			06:02 b/1 comes              -> route changed; look at 06:04`},
		{name: "a window waits for an added entry", route: day("a"), other: day("a", "b"), lines: `
			06:00 a/1 comes              -> look at 06:02
			06:01 edited
			06:02 look                   -> route changed; nothing
			06:03 b/1 comes              -> look at 06:05`},
		{name: "a window no longer waits for a removed entry", route: day("a", "b"), other: day("a"), lines: `
			06:00 a/1 comes              -> nothing
			06:01 edited
			06:02 look                   -> route changed; launch 1`},
		{name: "files of a removed entry still belong to the launch", route: day("a", "b"), other: day("a"), lines: `
			06:00 b/1 comes              -> nothing
			06:01 edited
			06:02 look                   -> route changed; launch 1`},
		{name: "a met entry that is removed and returns is still met", route: day("a", "b"), other: day("b"), lines: `
			06:00 a/1 comes              -> nothing
			06:01 edited
			06:01 expected               -> route changed; look at 06:02
			06:01 restored
			06:02 look                   -> route changed; nothing
			06:03 b/1 comes              -> look at 06:05`},
		{name: "if every file is of a removed entry, the window launches with them", route: day("a", "b"), other: day("x", "y"), lines: `
			06:00 a/1 comes              -> nothing
			06:01 edited
			06:03 look                   -> route changed; launch 1`},
		{name: "a window looks at a new deadline", route: day("a", "b"), other: day("a", "b").with(deadline("06:30")), lines: `
			06:00 a/1 comes              -> nothing
			06:10 edited
			06:10 look                   -> route changed; look at 06:30
			06:30 look                   -> missing (hold 1): b 0 of 1, a since 06:00; nothing`},
		{name: "an entry met by a lowered count is not missing", route: day("a×3", "b").with(deadline("06:30")), other: day("a×2", "b").with(deadline("06:30")), lines: `
			06:00 a/1 a/2 come           -> look at 06:30
			06:10 edited
			06:10 look                   -> route changed; look at 06:30
			06:30 look                   -> missing (hold 1): b 0 of 1, a since 06:10; nothing`},
	})
}

// H39: a required entry is added to a route; a late file comes for a window
// that launched before. Must hold: it does not wait for the new entry.
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
		{name: "an open window outlives its route by an hour, and then closes", route: day("a"), lines: `
			06:00 a/1 a/2 come           -> look at 06:02
			06:02 gone                   -> look at 07:00
			06:59:59 gone                -> look at 07:00
			07:00 gone                   -> abandoned with 2 files; nothing
			07:01 gone                   -> nothing`},
		{name: "if the route returns within the hour, the window continues", route: day("a"), lines: `
			06:00 a/1 comes              -> look at 06:02
			06:02 gone                   -> look at 07:00
			06:50 look                   -> launch 1`},
		{name: "the hour counts from when the route was last seen, to 15 minutes", route: day("a", "b"), lines: `
			06:00 a/1 comes              -> nothing
			06:15 look                   -> nothing
			06:20 gone                   -> look at 07:00
			06:31 look                   -> nothing
			06:40 gone                   -> look at 07:31`},
		{name: "a closed window knows its files, and a new file opens it", route: day("a"), lines: `
			06:00 a/1 comes              -> look at 06:02
			07:00 gone                   -> abandoned with 1 file; nothing
			08:00 a/1 comes              -> 1 duplicate; nothing
			08:01 a/2 comes              -> look at 08:03
			08:03 look                   -> launch 1`},
		{name: "a launch in flight continues without its route", route: day("a").with(settle(0)), lines: `
			06:00 a/1 comes              -> launch 1
			06:01 a/2 comes              -> nothing
			08:00 gone                   -> nothing
			08:00 started posted 06:00   -> 1 open
			08:00 gone                   -> abandoned with 1 file; nothing`},
		{name: "a window without files closes without an announcement", route: day("a").with(deadline("06:30")), lines: `
			00:00 expected               -> look at 06:30
			06:30 gone                   -> nothing`},
		{name: "a window that waited for another run waits anew once its route is back", route: day("a").with(settle(0)), lines: `
			06:00 busy
			06:00 a/1 comes              -> look at 06:01
			07:01 gone                   -> abandoned with 1 file; nothing
			+1 07:00 a/2 comes           -> look at +1 07:01`},
	})
}
