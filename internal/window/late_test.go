package window

import (
	"testing"
	"time"
)

func TestLateFiles(t *testing.T) {
	t.Parallel()
	play(t, []story{
		{name: "a late file starts a rerun", route: day("a"), lines: `
			06:00 a/1 comes -> look at 06:02
			06:02 look      -> launch 1
			06:02 started   -> closed
			07:00 a/2 comes -> look at 07:02
			07:02 look      -> launch 2`},
		{name: "a rerun waits 15 minutes after the request of the previous run (H26)", route: day("a").with(settle(0)), lines: `
			06:00 a/1 comes              -> launch 1
			06:02 started posted 06:02   -> closed
			06:03 a/2 comes              -> look at 06:17:30
			06:17:29 look                -> look at 06:17:30
			06:17:30 look                -> launch 2`},
		{name: "a rerun waits 15 minutes after a discarded launch that may have started a run (H26)", route: day("a").with(settle(0)), lines: `
			06:00 a/1 comes              -> launch 1
			06:05 discarded posted 06:04 -> closed
			06:06 a/2 comes              -> look at 06:19:30
			06:19:30 look                -> launch 2`},
		{name: "a launch does not wait after a rejection", route: day("a").with(settle(0)), lines: `
			06:00 a/1 comes              -> launch 1
			06:00:01 rejected            -> closed
			06:00:02 a/2 comes           -> launch 2
			06:00:03 rejected            -> closed
			06:00:04 a/3 comes           -> launch 3`},
		{name: "a rejected rerun leaves the spacing as it was", route: day("a").with(settle(0)), lines: `
			06:00 a/1 comes              -> launch 1
			06:00 started                -> closed
			06:20 a/2 comes              -> launch 2
			06:20:01 rejected            -> closed
			06:20:02 a/3 comes           -> launch 3`},
		{name: "a window reruns three times automatically, and the fourth is held", route: day("a").with(settle(0)), lines: `
			06:00 a/1 comes              -> launch 1
			06:00 started                -> closed
			07:00 a/2 comes              -> launch 2
			07:00 started                -> closed
			08:00 a/3 comes              -> launch 3
			08:00 started                -> closed
			09:00 a/4 comes              -> launch 4
			09:00 started                -> closed
			10:00 a/5 comes              -> hold 5: rerun_limit
			10:30 a/6 comes              -> nothing
			11:00 started posted 11:00   -> closed
			12:00 a/7 comes              -> hold 6: rerun_limit`},
		{name: "a rerun that was rejected does not count", route: day("a").with(settle(0)), lines: `
			06:00 a/1 comes              -> launch 1
			06:00 started                -> closed
			07:00 a/2 comes              -> launch 2
			07:00 rejected               -> closed
			08:00 a/3 comes              -> launch 3
			08:00 rejected               -> closed
			09:00 a/4 comes              -> launch 4
			09:00 started                -> closed
			10:00 a/5 comes              -> launch 5
			10:00 started                -> closed
			11:00 a/6 comes              -> launch 6
			11:00 started                -> closed
			12:00 a/7 comes              -> hold 7: rerun_limit`},
		{name: "a rerun that the operator released does not count", route: day("a").with(settle(0), late(Hold)), other: day("a").with(settle(0)), lines: `
			06:00 a/1 comes              -> launch 1
			06:00 started                -> closed
			07:00 a/2 comes              -> hold 2: late_file
			07:30 started posted 07:30   -> closed
			08:00 edited
			08:00 a/3 comes              -> route changed; launch 3
			08:00 started                -> closed
			09:00 a/4 comes              -> launch 4
			09:00 started                -> closed
			10:00 a/5 comes              -> launch 5
			10:00 started                -> closed
			11:00 a/6 comes              -> hold 6: rerun_limit`},
		{name: "a route may hold late files", route: day("a").with(late(Hold)), lines: `
			06:00 a/1 comes              -> look at 06:02
			06:02 look                   -> launch 1
			06:02 started                -> closed
			06:03 a/2 a/3 come           -> look at 06:05
			06:05 look                   -> hold 2: late_file
			06:06 a/4 comes              -> nothing
			08:00 started posted 08:00   -> closed
			08:01 a/2 a/3 a/4 come       -> 3 covered; nothing`},
		{name: "a route may ignore late files", route: day("a").with(late(Ignore)), lines: `
			06:00 a/1 comes              -> look at 06:02
			06:02 look                   -> launch 1
			06:02:01 a/2 comes           -> nothing
			06:02:02 started             -> 1 open
			06:02:02 look                -> 1 ignored; nothing
			06:03 a/3 a/4 come           -> 2 ignored; nothing
			06:04 a/3 comes              -> 1 duplicate; nothing
			06:05 look                   -> nothing`},
		{name: "after a rejection nothing is late, so nothing is ignored", route: day("a").with(late(Ignore)), lines: `
			06:00 a/1 comes              -> look at 06:02
			06:02 look                   -> launch 1
			06:02 rejected               -> closed
			06:03 a/2 comes              -> look at 06:05
			06:05 look                   -> launch 2`},
	})
}

func TestFilesOlderThanTheLedgerRemembers(t *testing.T) {
	t.Parallel()
	play(t, []story{
		{name: "files older than the ledger's memory are held, once", route: day("a"), lines: `
			06:00 a/1..300@-46d come     -> look at 06:02
			06:01 a/301@-50d comes       -> look at 06:03
			06:03 look                   -> hold 1: too_old
			06:04 a/302@-46d comes       -> nothing
			06:05 discarded              -> closed
			06:06 a/302 comes            -> 1 duplicate; nothing`},
		{name: "released old files are covered", route: day("a"), lines: `
			06:00 a/1@-46d comes         -> look at 06:02
			06:02 look                   -> hold 1: too_old
			07:00 started posted 07:00   -> closed
			07:01 a/1 a/2@-46d come      -> 2 covered; nothing`},
		{name: "files of 45 days are not too old", route: day("a").with(settle(0)), lines: `
			06:00 a/1@-45d comes         -> launch 1`},
		{name: "a new file among old ones launches", route: day("a"), lines: `
			06:00 a/1@-46d comes         -> look at 06:02
			06:01 a/2 comes              -> look at 06:03
			06:03 look                   -> launch 1`},
		{name: "an old duplicate of an answered file does not hold a new file", route: day("a"), lines: `
			06:00 a/1..300@-46d come     -> look at 06:02
			06:02 look                   -> hold 1: too_old
			06:03 discarded              -> closed
			06:04 a/1 comes              -> look at 06:06
			06:05 a/301 comes            -> look at 06:07
			06:07 look                   -> launch 2`},
		{name: "an old duplicate alone is held", route: day("a"), lines: `
			06:00 a/1..300@-46d come     -> look at 06:02
			06:02 look                   -> hold 1: too_old
			06:03 discarded              -> closed
			06:04 a/1 comes              -> look at 06:06
			06:06 look                   -> hold 2: too_old`},
	})
}

func TestWaitingForAnotherRun(t *testing.T) {
	t.Parallel()
	play(t, []story{
		{name: "a window waits while another run is running", route: day("a"), lines: `
			06:00 busy
			06:00 a/1 comes              -> look at 06:02
			06:02 look                   -> look at 06:03
			06:03 look                   -> look at 06:04
			06:04 free
			06:04 look                   -> launch 1`},
		{name: "a window looks less often after half an hour, and waits at most 12 hours", route: day("a"), lines: `
			06:00 busy
			06:00 a/1 comes              -> look at 06:02
			06:02 look                   -> look at 06:03
			06:32 look                   -> look at 06:33
			06:33 look                   -> look at 06:38
			18:01 look                   -> look at 18:02
			18:02 look                   -> hold 1: overlap`},
		{name: "a window waits for another launch as long as that is blocked", route: day("a"), lines: `
			06:00 busy
			06:00 a/1 comes              -> look at 06:02
			06:02 look                   -> look at 06:03
			06:03 queued
			06:03 look                   -> look at 06:04
			06:30 look                   -> look at 06:31
			06:31 look                   -> look at 06:36
			+2 06:00 look                -> look at +2 06:05
			+2 06:05 busy
			+2 06:05 look                -> look at +2 06:06
			+2 18:05 look                -> hold 1: overlap`},
		{name: "the 12 hours count for each run alone, not for the queue", route: day("a"), lines: `
			06:00 busy
			06:00 a/1 comes              -> look at 06:02
			06:02 look                   -> look at 06:03
			17:00 busy
			18:02 look                   -> look at 18:07
			+1 04:58 look                -> look at +1 05:00
			+1 05:00 look                -> hold 1: overlap`},
		{name: "the operator is asked once about a run", route: day("a"), lines: `
			06:00 busy
			06:00 a/1 comes              -> look at 06:02
			06:02 look                   -> look at 06:03
			18:00 asked
			18:02 look                   -> look at 18:07
			+3 06:00 look                -> look at +3 06:05
			+3 06:05 free
			+3 06:05 look                -> launch 1`},
		{name: "a run that cannot be read may have ended", route: day("a"), lines: `
			06:00 busy
			06:00 a/1 comes              -> look at 06:02
			06:02 look                   -> look at 06:03
			06:03 unread
			+2 06:00 look                -> look at +2 06:05
			+2 06:05 free
			+2 06:05 look                -> launch 1`},
		{name: "a run that cannot be read for three days holds the window", route: day("a"), lines: `
			06:00 busy
			06:00 a/1 comes              -> look at 06:02
			06:02 look                   -> look at 06:03
			06:03 unread
			+3 06:00 look                -> look at +3 06:02
			+3 06:02 look                -> hold 1: overlap`},
		{name: "a file that comes during the wait belongs to the launch", route: day("a"), lines: `
			06:00 busy
			06:00 a/1 comes              -> look at 06:02
			06:02 look                   -> look at 06:03
			06:03 a/2 comes              -> look at 06:05
			06:05 look                   -> look at 06:06
			06:06 free
			06:06 look                   -> launch 1
			06:06 started                -> closed
			06:07 a/2 comes              -> 1 covered; nothing`},
		{name: "a window waits anew for each launch", route: day("a").with(settle(0)), lines: `
			06:00 busy
			06:00 a/1 comes              -> look at 06:01
			12:00 free
			12:00 look                   -> launch 1
			12:00 started                -> closed
			17:00 busy
			17:00 a/2 comes              -> look at 17:01
			+1 04:59 look                -> look at +1 05:00
			+1 05:00 look                -> hold 2: overlap`},
		{name: "a window waits anew for files after ignored ones", route: day("a").with(settle(0)), other: day("a").with(settle(0), late(Ignore)), lines: `
			06:00 a/1 comes              -> launch 1
			06:00 started                -> closed
			07:00 busy
			07:00 a/2 comes              -> look at 07:01
			07:01 edited
			07:01 look                   -> route changed; 1 ignored; nothing
			+1 07:00 restored
			+1 07:00 a/3 comes           -> route changed; look at +1 07:01`},
		{name: "a window that must be held does not wait", route: day("a").with(late(Hold)), lines: `
			06:00 a/1 comes              -> look at 06:02
			06:02 look                   -> launch 1
			06:02 started                -> closed
			06:03 busy
			07:00 a/2 comes              -> look at 07:02
			07:02 look                   -> hold 2: late_file`},
	})
}

func TestOperatorReleasesAnEndedLaunch(t *testing.T) {
	t.Parallel()
	play(t, []story{
		{name: "a released rejected launch has all files since", route: day("a").with(settle(5 * time.Minute)), lines: `
			06:00 a/1 comes              -> look at 06:05
			06:05 look                   -> launch 1
			06:05 rejected               -> closed
			06:10 a/2 comes              -> look at 06:15
			06:11 reopened               -> launch 1 again
			06:12 a/3 comes              -> nothing
			06:13 look                   -> nothing
			06:14 started posted 06:12   -> 1 open
			06:15 a/1 a/2 come           -> 2 covered; look at 06:17`},
		{name: "a rejected launch is not released once its window has another launch", route: day("a").with(settle(0)), lines: `
			06:00 a/1 comes              -> launch 1
			06:00 rejected               -> closed
			06:10 a/2 comes              -> launch 2
			06:11 reopened               -> refused`},
	})
}
