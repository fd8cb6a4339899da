package sim

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
)

func TestSurroundingsOccur(t *testing.T) {
	t.Parallel()
	const seeds = 500
	got := map[string]int{}
	for seed := uint64(1); seed <= seeds; seed++ {
		w := newWorld(seed, &random{}, false)
		w.letters = "a"
		w.surround(seed, time.Hour)
		for name := range w.around.has {
			got[name]++
		}
		w.amperity.Close()
	}
	for _, s := range surroundingsOf {
		if least := seeds / s.in / 2; got[s.name] < least {
			t.Errorf("%d of %d histories have %s, want at least %d", got[s.name], seeds, s.name, least)
		}
	}
}

func TestPagesOverlapByOneRun(t *testing.T) {
	t.Parallel()
	w := newWorld(1, &random{}, false)
	defer w.amperity.Close()
	w.surround(1, time.Hour)
	w.around.overlaps = true
	p := &process{}
	var got []string
	for _, page := range []struct{ query, body string }{
		{"", `{"data":[{"id":"c"},{"id":"b"}],"next_token":"t"}`},
		{"?next_token=t", `{"data":[{"id":"a"}]}`},
		{"", `{"data":[{"id":"c"}]}`},
	} {
		req := httptest.NewRequest(http.MethodGet, "/workflow/runs"+page.query, nil)
		answer := w.paged(p, req, &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(page.body))})
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(body))
	}
	want := []string{`{"data":[{"id":"c"},{"id":"b"}],"next_token":"t"}`, `{"data":[{"id":"b"},{"id":"a"}]}`, `{"data":[{"id":"c"}]}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}

func TestSweepsSkipEmptyWeeks(t *testing.T) {
	t.Parallel()
	const week = 7 * 24 * time.Hour
	for _, tc := range []struct {
		name             string
		until, due, next time.Duration
		want             time.Duration
	}{
		{"the last input has come", 0, week, week, time.Minute},
		{"an input comes next", 2 * week, 2 * week, week, week},
		{"an item is due next", 2 * week, time.Hour + time.Second, week, time.Hour},
		{"an item is due now", 2 * week, time.Second, week, time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(1, &random{}, false)
			defer w.amperity.Close()
			w.around.until = Begin.Add(tc.until)
			w.at(Begin.Add(tc.next), func() {})
			if err := w.ledger.Put(t.Context(), "t", ledger.Item{Key: "launch/a", Due: Begin.Add(tc.due), Doc: []byte(`{}`)}); err != nil {
				t.Fatal(err)
			}
			if got := w.idle(); got != tc.want {
				t.Errorf("idle for %s, want %s", got, tc.want)
			}
		})
	}
}
