package s3arrival

import (
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/arrival"
	"github.com/amperity-runs/amperity-runs/internal/launch"
)

// work is one batch on its way: which messages want which windows, and what
// became of these.
type work struct {
	messages    []*message
	windows     []*window
	unrouted    []arrival.Arrival
	unroutedErr error
	arrivals    int
	duplicates  int
	ignored     int
}

// message is what is delivered again, or not: one SQS message, or the whole of
// any other envelope.
type message struct {
	id       string
	err      error
	windows  []*window
	unrouted bool
	work     *work
}

// window is one config id and one period of the batch.
type window struct {
	match    arrival.Match
	first    arrival.Arrival
	files    int
	messages []*message
	result   launch.Result
	err      error
}

type windowKey struct {
	configID string
	period   arrival.Period
}

type fileKey struct {
	window  windowKey
	bucket  string
	key     string
	version string
}

// fold gathers the files of a batch by window. Nothing of a message that
// cannot be read is acted upon: it is delivered again whole.
func (h *Handler) fold(batch arrival.Batch) *work {
	w := &work{}
	received := h.Now()
	windows := make(map[windowKey]*window)
	seen := make(map[fileKey]bool)
	for _, bm := range batch.Messages {
		m := &message{id: bm.ID, err: bm.Err, work: w}
		w.messages = append(w.messages, m)
		if bm.Err != nil {
			continue
		}
		w.ignored += bm.Ignored
		for _, a := range bm.Arrivals {
			w.arrivals++
			if h.Routes.Ignored(a.Key) {
				w.ignored++
				continue
			}
			matches := h.Routes.Match(a, received)
			if len(matches) == 0 {
				m.unrouted = true
				file := fileKey{bucket: a.Bucket, key: a.Key, version: version(a)}
				if !seen[file] {
					seen[file] = true
					w.unrouted = append(w.unrouted, a)
				}
			}
			for _, match := range matches {
				k := windowKey{match.Route.ConfigID, match.Period}
				win := windows[k]
				if win == nil {
					win = &window{match: match, first: a}
					windows[k] = win
					w.windows = append(w.windows, win)
				}
				win.take(m, fileKey{k, a.Bucket, a.Key, version(a)}, seen, w)
			}
		}
	}
	return w
}

// take counts one file for the window, unless it is there already.
func (win *window) take(m *message, file fileKey, seen map[fileKey]bool, w *work) {
	if n := len(win.messages); n == 0 || win.messages[n-1] != m {
		win.messages = append(win.messages, m)
		m.windows = append(m.windows, win)
	}
	if seen[file] {
		w.duplicates++
		return
	}
	seen[file] = true
	win.files++
}

func (win *window) key() string {
	// Revisions count the runs of a window; without a ledger there is no
	// second one to tell from the first.
	return strings.Join([]string{"arrival", win.match.Route.ConfigID, win.match.Period.String(), "1"}, "/")
}

func (win *window) launch() launch.Launch {
	return launch.Launch{
		Key:       win.key(),
		Request:   win.match.Request(),
		IfUnknown: launch.IfUnknown(win.match.Route.IfUnknown),
		Resource:  objectARN(win.first),
		Cause: announcement.Cause{
			Type:      announcement.CauseArrival,
			Route:     win.match.Route.Name,
			Period:    win.match.Period.String(),
			FirstFile: uri(win.first),
			Files:     win.files,
		},
	}
}

// settle says which messages to deliver again: those that could not be read,
// and those with something unsettled, but none of which a run was or may have
// been started: without a ledger the redelivery would start that run twice.
func (w *work) settle() []*message {
	var again []*message
	for _, m := range w.messages {
		if m.again() {
			again = append(again, m)
		}
	}
	return again
}

func (m *message) again() bool {
	if m.err != nil {
		return true
	}
	unsettled := m.unrouted && m.work.unroutedErr != nil
	for _, win := range m.windows {
		if win.result.MayHaveStarted() {
			return false
		}
		unsettled = unsettled || win.err != nil
	}
	return unsettled
}

// reason is why the message is delivered again.
func (m *message) reason() error {
	if m.err != nil {
		return m.err
	}
	for _, win := range m.windows {
		if win.err != nil {
			return win.err
		}
	}
	return m.work.unroutedErr
}

// abandoned lists the windows that no redelivery will launch.
func (w *work) abandoned() []*window {
	var given []*window
	for _, win := range w.windows {
		kept := win.err == nil
		for _, m := range win.messages {
			kept = kept || m.again()
		}
		if !kept {
			given = append(given, win)
		}
	}
	return given
}

func (w *work) summary() Summary {
	s := Summary{Arrivals: w.arrivals, Ignored: w.ignored, Windows: []WindowResult{}, Unrouted: []string{}}
	for _, win := range w.windows {
		res := win.result
		if win.err != nil {
			res.Warning = givenUp
		}
		s.Windows = append(s.Windows, WindowResult{ConfigID: win.match.Route.ConfigID, Period: win.match.Period.String(), Result: res})
	}
	for _, a := range w.unrouted {
		s.Unrouted = append(s.Unrouted, uri(a))
	}
	return s
}

const givenUp = "it is not tried again by itself, since another run of the same delivery was started: start it by hand"

// version tells two uploads under one key apart.
func version(a arrival.Arrival) string {
	if a.VersionID != "" {
		return a.VersionID
	}
	if a.Sequencer != "" {
		return a.Sequencer
	}
	return a.EventTime.Format(time.RFC3339Nano)
}

func uri(a arrival.Arrival) string { return "s3://" + a.Bucket + "/" + a.Key }

func objectARN(a arrival.Arrival) string { return "arn:aws:s3:::" + a.Bucket + "/" + a.Key }
