package window

import "testing"

func TestWhatARunCovers(t *testing.T) {
	t.Parallel()
	play(t, []story{
		{name: "a duplicate right after the launch starts nothing (H8)", route: day("a").with(settle(0)), lines: `
			00:01:40.3 a/1@00:01:40 comes        -> launch 1
			00:01:41 started posted 00:01:40.69  -> closed
			00:01:41.5 a/1 comes                 -> 1 duplicate; nothing`},
		{name: "a file after the request gets a run, even if the window hears of the end late (H9)", route: day("a").with(settle(0)), lines: `
			00:01:40 a/1 comes                   -> launch 1
			00:01:41 a/2 comes                   -> nothing
			00:04:10 started posted 00:01:40.9   -> 1 open
			00:04:10 look                        -> look at 00:17:10.9
			00:17:10.9 look                      -> launch 2`},
		{name: "an event up to 5 s before the request is not covered by it", route: day("a"), lines: `
			06:00 a/1 comes              -> look at 06:02
			06:02 look                   -> launch 1
			06:02:03 started             -> closed
			06:03 a/2@06:01:54.999 comes -> 1 covered; nothing
			06:03 a/3@06:01:55 comes     -> look at 06:05`},
		{name: "a duplicate of an event exactly 5 s before the request is known", route: day("a").with(settle(0)), lines: `
			06:02 a/1@06:01:55 comes     -> launch 1
			06:02:03 started             -> closed
			06:03 a/1 comes              -> 1 duplicate; nothing`},
		{name: "a file during the launch reopens the window only if the run cannot cover it", route: day("a"), lines: `
			06:00 a/1 comes                          -> look at 06:02
			06:02 look                               -> launch 1
			06:02:01 a/2@06:01:50 comes              -> nothing
			06:02:05 started posted 06:02            -> closed
			06:03 a/3 comes                          -> look at 06:05
			06:17:30 look                            -> launch 2
			06:17:31 a/4@06:17:24 a/5@06:17:26 come  -> nothing
			06:17:32 started posted 06:17:30         -> 1 open`},
		{name: "a file at exactly covered_until during the launch reopens the window", route: day("a"), lines: `
			06:00 a/1 comes                          -> look at 06:02
			06:02 look                               -> launch 1
			06:02:01 a/2@06:01:55 comes              -> nothing
			06:02:05 started posted 06:02            -> 1 open`},
		{name: "only files since the launch's own decision count as open", route: day("a").with(settle(0)), lines: `
			06:00 a/1 comes                -> launch 1
			06:00:01 a/2@+1h comes         -> nothing
			06:00:09 rejected              -> closed
			06:10 a/3 comes                -> launch 2
			06:10:01 a/4@06:09 a/5 come    -> nothing
			06:10:02 started posted 06:10  -> 1 open`},
		{name: "covered_until counts from the request, not from the decision", route: day("a"), lines: `
			06:00 a/1 comes                   -> look at 06:02
			06:02 look                        -> launch 1
			06:03 a/2 comes                   -> nothing
			06:10:01 started posted 06:10     -> closed
			06:11 a/3@06:09 comes             -> 1 covered; nothing`},
		{name: "covered_until never goes back", route: day("a"), lines: `
			06:00 a/1 comes                   -> look at 06:02
			06:02 look                        -> launch 1
			06:02 started posted 06:10        -> closed
			06:20 a/2 comes                   -> look at 06:22
			06:40 look                        -> launch 2
			06:40 started posted 06:05        -> 1 open
			06:41 a/3@06:07 comes             -> 1 covered; launch 3`},
		{name: "a window decides nothing while a launch is in flight (H16)", route: day("a").with(settle(0)), lines: `
			06:00 a/1 comes                -> launch 1
			06:01 a/2 comes                -> nothing
			09:00 look                     -> nothing
			09:00 started posted 06:00     -> 1 open
			09:00 look                     -> launch 2`},
		{name: "a future event counts as of its receipt, and its duplicates are known (H12)", route: day("a").with(settle(0)), lines: `
			06:00 a/1@+1h comes            -> launch 1
			06:00:01 started               -> closed
			06:00:30 a/1 comes             -> 1 duplicate; nothing
			06:59 a/1 comes                -> 1 duplicate; nothing
			07:30 a/1 comes                -> 1 duplicate; nothing
			08:00 a/2 comes                -> launch 2
			08:00 started                  -> closed
			08:01 a/1 comes                -> 1 covered; nothing`},
		{name: "quiet after a future event counts from its receipt (H12)", route: day("a"), lines: `
			06:00 a/1@+1h comes            -> look at 06:02
			06:02 look                     -> launch 1
			06:02 a/2@+1h comes            -> nothing
			06:02:08 started posted 06:02:08 -> closed`},
		{name: "a future event during the launch reopens the window if it came late enough (H12)", route: day("a"), lines: `
			06:00 a/1 comes                -> look at 06:02
			06:02 look                     -> launch 1
			06:02:04 a/2@+1h comes         -> nothing
			06:02:08 started posted 06:02:08 -> 1 open`},
	})
}

func TestStorms(t *testing.T) {
	t.Parallel()
	play(t, []story{
		{name: "a storm costs one run, and its duplicates none (H38)", route: day("a"), lines: `
			06:00 a/1..1000 come       -> look at 06:02
			06:02 look                     -> launch 1
			06:02 started                  -> closed
			06:03 a/900..1000 come         -> 101 covered; nothing
			06:04 a/1..10 come             -> 10 covered; nothing`},
		{name: "the last 256 files of a storm just before the request are known (H38)", route: day("a").with(settle(0)), lines: `
			06:00 a/1..1000 come           -> launch 1
			06:00:02 started posted 06:00:01   -> closed
			06:00:03 a/745..1000 come          -> 256 duplicates; nothing`},
		{name: "a duplicate of a file beyond the 256 counts as new, which costs one run", route: day("a").with(settle(0)), lines: `
			06:00 a/1..1000 come           -> launch 1
			06:00:02 started posted 06:00:01   -> closed
			06:00:03 a/744 comes               -> look at 06:15:31
			06:00:04 a/1..743 come             -> look at 06:15:31
			06:15:31 look                      -> launch 2
			06:15:32 started posted 06:15:31   -> closed
			06:16 a/1..1000 come           -> 1000 covered; nothing`},
		{name: "the last 256 files of a storm during the launch are known", route: day("a").with(settle(0)), lines: `
			06:00 a/0 comes                    -> launch 1
			06:00:01 a/1..1000 come        -> nothing
			06:00:02 started posted 06:00      -> 256 open
			06:00:03 a/745..1000 come          -> 256 duplicates; look at 06:15:30`},
	})
}

func TestLaunchesWithoutARunAnswerWhatWasThere(t *testing.T) {
	t.Parallel()
	play(t, []story{
		{name: "a duplicate of a rejected file changes nothing", route: day("a"), lines: `
			06:00 a/1 a/2 come -> look at 06:02
			06:02 look         -> launch 1
			06:02 rejected     -> closed
			06:03 a/1 comes    -> 1 duplicate; nothing
			+9 06:00 a/2 comes -> 1 duplicate; nothing`},
		{name: "a duplicate of a file that came before the rejection changes nothing", route: day("a"), lines: `
			06:00 a/1 comes    -> look at 06:02
			06:02 look         -> launch 1
			06:02:01 a/2 comes -> nothing
			06:02:09 rejected  -> closed
			06:03 a/1 a/2 come -> 2 duplicates; nothing`},
		{name: "a rejection does not answer a file that came after it, even if the window heard of it later", route: day("a"), lines: `
			06:00 a/1 comes      -> look at 06:02
			06:02 look           -> launch 1
			06:03 a/2@06:01 a/3 come -> nothing
			06:04 rejected at 06:02:02 -> 2 open
			06:04 look           -> look at 06:05
			06:05 a/2 a/3 come   -> 2 duplicates; launch 2`},
		{name: "a discard does not answer a file that came a moment later", route: day("a").with(settle(0)), lines: `
			06:00 a/1 comes                   -> launch 1
			06:03:58 a/2 comes                -> nothing
			06:04:01 a/3 comes                -> nothing
			06:05 discarded at 06:04          -> 2 open
			06:05 look                        -> launch 2
			06:05 rejected                    -> closed
			06:05:01 a/2 a/3 come             -> 2 duplicates; nothing`},
		{name: "a new file after a rejection launches, and is not late", route: day("a").with(late(Hold)), lines: `
			06:00 a/1 comes    -> look at 06:02
			06:02 look         -> launch 1
			06:02 rejected     -> closed
			06:03 a/2 comes    -> look at 06:05
			06:05 look         -> launch 2`},
		{name: "a duplicate of a discarded file changes nothing (H17)", route: day("a").with(late(Hold)), lines: `
			06:00 a/1 comes                -> look at 06:02
			06:02 look                     -> launch 1
			06:02 started                  -> closed
			07:00 a/2 comes                -> look at 07:02
			07:02 look                     -> hold 2: late_file
			07:03 a/2 comes                -> 1 duplicate; nothing
			07:04 discarded                -> closed
			07:05 a/2 comes                -> 1 duplicate; nothing
			07:06 a/3 comes                -> look at 07:08
			07:08 look                     -> hold 3: late_file`},
		{name: "after a discarded launch that may have a run, files are late", route: day("a").with(late(Hold)), lines: `
			06:00 a/1 comes                -> look at 06:02
			06:02 look                     -> launch 1
			09:00 discarded posted 06:02   -> closed
			09:01 a/1 comes                -> 1 duplicate; nothing
			09:02 a/2 comes                -> look at 09:04
			09:04 look                     -> hold 2: late_file`},
		{name: "after a discarded launch without a run, files are not late", route: day("a").with(late(Hold)), lines: `
			06:00 a/1@-46d comes           -> look at 06:02
			06:02 look                     -> hold 1: too_old
			09:00 discarded                -> closed
			09:02 a/2 comes                -> look at 09:04
			09:04 look                     -> launch 2`},
		{name: "a file beyond the 256 before a rejection may be answered, so the operator decides", route: day("a"), lines: `
			06:00 a/1..1000 come           -> look at 06:02
			06:02 look                         -> launch 1
			06:02 rejected                     -> closed
			06:03 a/745..1000 come             -> 256 duplicates; nothing
			06:04 a/1..744 come                -> look at 06:06
			06:06 look                         -> hold 2: late_file
			06:07 a/1..1000 come               -> 256 duplicates; nothing
			06:08 discarded                    -> closed`},
		{name: "a new file among doubtful ones launches", route: day("a"), lines: `
			06:00 a/1..1000 come           -> look at 06:02
			06:02 look                         -> launch 1
			06:02 rejected                     -> closed
			06:04 a/1..10 come                 -> look at 06:06
			06:05 a/1001 comes                 -> look at 06:07
			06:07 look                         -> launch 2`},
		{name: "covered_until has a precision of one millisecond", route: day("a"), lines: `
			06:00 a/1@05:59:59.0004 comes      -> look at 06:02
			06:00 a/2..257@06:00:00.0004 come  -> look at 06:02
			06:02 look                         -> launch 1
			06:02 rejected                     -> closed
			06:03 a/1 comes                    -> look at 06:05
			06:05 look                         -> hold 2: late_file`},
	})
}
