package window

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// witness is a window with its model. Each witness takes in the same batches,
// split and ordered in its own way.
type witness struct {
	state *State
	model *model
	// shuffle splits and orders the batches; nil leaves them unchanged. told is
	// how many notices were compared.
	shuffle *rand.Rand
	told    int
}

// take folds a batch. A shuffled batch has duplicates, comes in parts, and goes
// through the state's JSON form.
func (w *witness) take(batch []Arrival, r Rules, received time.Time) (state, told Counts) {
	parts := [][]Arrival{batch}
	if w.shuffle != nil {
		batch = slices.Clone(batch)
		for n := w.shuffle.IntN(3); n > 0; n-- {
			batch = append(batch, batch[w.shuffle.IntN(len(batch))])
		}
		w.shuffle.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
		cut := w.shuffle.IntN(len(batch) + 1)
		parts = [][]Arrival{batch[:cut], batch[cut:]}
	}
	for _, part := range parts {
		for _, n := range []struct {
			sum  *Counts
			more Counts
		}{{&state, w.state.Fold(part, r, received)}, {&told, w.model.fold(part, r, received)}} {
			n.sum.New += n.more.New
			n.sum.Duplicates += n.more.Duplicates
			n.sum.Covered += n.more.Covered
		}
		w.rewrite()
	}
	return state, told
}

// rewrite sends the state through its JSON form.
func (w *witness) rewrite() {
	if w.shuffle == nil || w.shuffle.IntN(16) > 0 {
		return
	}
	b, err := json.Marshal(w.state)
	if err != nil {
		panic(err)
	}
	w.state = &State{}
	if err := json.Unmarshal(b, w.state); err != nil {
		panic(err)
	}
}

// coveredIsCovered checks that a file counts as covered only if it was put
// before the request of a run, by the true clock.
func (h *history) coveredIsCovered(w *witness) {
	for i := len(w.model.log) - 1; i >= 0 && w.model.log[i].what == came; i-- {
		c := w.model.log[i]
		if put, ok := h.put[id(&c.file)]; ok && c.found == isCovered && put.After(h.sent) {
			h.fail("%q was put at %s, and counts as covered by a request of %s", id(&c.file), stamp(put), stamp(h.sent))
		}
	}
}

// both compares the decisions of all windows and models.
func (h *history) both(ask func(*witness) (Decision, Decision)) Decision {
	var first Decision
	for i, w := range h.witnesses {
		state, told := ask(w)
		if state.Ignored != told.Ignored && !(forgetful(w.model.read()) && state.Ignored > 0 && told.Ignored > 0) {
			h.fail("witness %d ignores %d files, and the model %d", i, state.Ignored, told.Ignored)
		}
		state.Ignored, told.Ignored = 0, 0
		if !same(state, told) {
			h.fail("witness %d decides %+v, and the model %+v", i, state, told)
		}
		if i == 0 {
			first = state
		} else if !same(state, first) {
			h.fail("witness %d decides %+v, and the first %+v", i, state, first)
		}
		w.rewrite()
	}
	return first
}

func same(a, b Decision) bool {
	return a.Do == b.Do && a.At.Equal(b.At) && a.Reason == b.Reason && a.RouteChanged == b.RouteChanged
}

// forgetful: by design the number of open files is inexact if files were
// forgotten, or if events of the future came during a launch.
func forgetful(v *reading) bool {
	return len(v.taken) > 256 || slices.ContainsFunc(v.taken, func(t *taken) bool { return !t.own.Equal(t.event) })
}

// compare compares the states of the windows and the models.
func (h *history) compare() {
	for i, w := range h.witnesses {
		s, v := w.state, w.model.read()
		type facts struct {
			revision, reruns           int
			flies, open                bool
			covered, last              int64
			missed, waived, isComplete bool
		}
		told := facts{v.revision, v.reruns, v.flight != nil, len(v.open) > 0, v.covered.UnixNano(), v.lastPost.UnixNano(), v.missed, v.waived, v.complete}
		state := facts{s.Revision, s.Reruns, s.Launch != nil, s.Open.Count > 0, s.CoveredUntil.UnixNano(), s.LastPost.UnixNano(), !s.Missing.IsZero(), s.Waived, s.Complete}
		if state != told {
			h.fail("witness %d is %+v, and by the model %+v", i, state, told)
		}
		notices := w.model.notices()
		if len(notices) > w.told || len(s.Notices) > 0 {
			if d := cmp.Diff(notices[w.told:], s.Notices, cmpopts.IgnoreFields(Notice{}, "Met", "Files")); d != "" {
				h.fail("witness %d announces otherwise (-model +window):\n%s", i, d)
			}
		}
		w.told = len(notices)
		s.Notices = nil
	}
}

var (
	seedFlag = flag.Uint64("seed", 0, "replay this history alone")
	runsFlag = flag.Int("runs", 2_000, "how many random histories to play; make simulation plays 20,000")
)

func liveSeed(seed uint64) error {
	return live(func() chooser { return randomly{rand.New(rand.NewPCG(seed, 0))} }, seed)
}

func TestWindowsDoAsTheModelSays(t *testing.T) {
	t.Parallel()
	if *seedFlag != 0 {
		if err := liveSeed(*seedFlag); err != nil {
			t.Error(err)
		}
		return
	}
	runs := uint64(*runsFlag)
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for n := range workers {
		wg.Go(func() {
			for seed := uint64(n + 1); seed <= runs && !t.Failed(); seed += uint64(workers) {
				if err := liveSeed(seed); err != nil {
					t.Errorf("go test -run TestWindowsDoAsTheModelSays -seed %d\n%v", seed, err)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzAgainstTheModel(f *testing.F) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 2))
		b := make([]byte, 300)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		if err := live(func() chooser { return &byBytes{choices} }, 1); err != nil {
			t.Fatal(err)
		}
	})
}
