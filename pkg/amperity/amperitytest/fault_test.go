package amperitytest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFaultLooksTheSameAppliedOrNot sends a POST into each fault. What the
// sender sees does not reveal whether a run started.
func TestFaultLooksTheSameAppliedOrNot(t *testing.T) {
	t.Parallel()
	type seen struct {
		Status int
		Header string // Retry-After
		Body   string // its beginning
		Broken bool   // no response, or only a part of one
	}
	for _, row := range []struct {
		name  string
		fault Fault
		want  seen
		runs  int
	}{
		{"a status", Fault{Kind: Status, Status: 503, Header: map[string]string{"Retry-After": "7"}}, seen{503, "7", `{"status":503,"message":"a fault on demand`, false}, 0},
		{"a status, applied", Fault{Kind: Status, Status: 504, Applied: true}, seen{504, "", `{"status":504,`, false}, 1},
		{"a status with a body", Fault{Kind: Status, Status: 200, Body: `{"id":"wf-1"}`}, seen{200, "", `{"id":"wf-1"}`, false}, 0},
		{"slow", Fault{Kind: Slow, Delay: time.Hour}, seen{201, "", `{"task_instances"`, false}, 1},
		{"slow, applied", Fault{Kind: Slow, Delay: time.Hour, Applied: true}, seen{201, "", `{"task_instances"`, false}, 1},
		{"a reset", Fault{Kind: Reset}, seen{Broken: true}, 0},
		{"a reset, applied", Fault{Kind: Reset, Applied: true}, seen{Broken: true}, 1},
		{"half a response", Fault{Kind: Truncate}, seen{201, "", `{"task_instances"`, true}, 1},
		{"a page of a proxy", Fault{Kind: NotJSON}, seen{200, "", "<html>", false}, 0},
		{"a page of a proxy, with its status", Fault{Kind: NotJSON, Status: 502, Body: "bad gateway"}, seen{502, "", "bad gateway", false}, 0},
		{"a page of a proxy, applied", Fault{Kind: NotJSON, Applied: true}, seen{201, "", "<html>", false}, 1},
		{"a redirect", Fault{Kind: Redirect}, seen{307, "", `{"status":307`, false}, 0},
		{"a redirect, applied", Fault{Kind: Redirect, Applied: true}, seen{307, "", `{"status":307`, false}, 1},
		{"a dropped connection", Fault{Kind: Drop}, seen{Broken: true}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var slept []time.Duration
			s, _ := setup(t, func(c *Config) {
				c.Sleep = func(_ context.Context, d time.Duration) error {
					slept = append(slept, d)
					return nil
				}
			})
			if err := s.Fault(row.fault); err != nil {
				t.Fatal(err)
			}
			r := send(t, s, startOf(courier))
			got := seen{r.status, "", r.body, r.err != nil}
			if r.header != nil {
				got.Header = r.header.Get("Retry-After")
			}
			if strings.HasPrefix(got.Body, row.want.Body) {
				got.Body = row.want.Body
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
			if row.fault.Kind == Truncate && !errors.Is(r.err, io.ErrUnexpectedEOF) {
				t.Errorf("reading the body: %v", r.err)
			}
			if row.fault.Kind == NotJSON && r.header.Get("Content-Type") != "text/html; charset=utf-8" {
				t.Errorf("content type %q", r.header.Get("Content-Type"))
			}
			if got := len(s.Runs()); got != row.runs {
				t.Errorf("%d runs, want %d", got, row.runs)
			}
			if row.fault.Delay > 0 != (len(slept) == 1) {
				t.Errorf("slept %v", slept)
			}
			// The fault has ended.
			if got := send(t, s, startOf(courier)); got.status != 201 {
				t.Errorf("then %d %v", got.status, got.err)
			}
		})
	}
}

func TestFollowedRedirectSendsThePOSTAgain(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	if err := s.Fault(Fault{Kind: Redirect, Applied: true}); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(startOf(courier).at(t, s.origin(), s.cfg.BasePath))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if len(s.Runs()) != 2 {
		t.Errorf("%d runs: a client that follows a redirect should start a second run", len(s.Runs()))
	}
}

// sleeper is a Config.Sleep that signals each call to the test, and waits for
// the test to wake it.
type sleeper struct {
	reached, wake chan struct{}
}

func newSleeper() sleeper { return sleeper{make(chan struct{}, 9), make(chan struct{}, 9)} }

func (s sleeper) sleep(ctx context.Context, _ time.Duration) error {
	s.reached <- struct{}{}
	select {
	case <-s.wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestHangLastsUntilTheClientLeaves(t *testing.T) {
	t.Parallel()
	for _, applied := range []bool{false, true} {
		sleeper := newSleeper()
		s, _ := setup(t, func(c *Config) { c.Sleep = sleeper.sleep })
		if err := s.Fault(Fault{Kind: Hang, Applied: applied, Delay: time.Second}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan reply)
		req := startOf(courier).at(t, s.origin(), s.cfg.BasePath).WithContext(ctx)
		go func() { done <- roundTrip(req) }()
		<-sleeper.reached
		sleeper.wake <- struct{}{}
		if got := len(s.Runs()) == 1; got != applied {
			t.Errorf("applied %v: run started %v", applied, got)
		}
		cancel()
		if got := <-done; !errors.Is(got.err, context.Canceled) {
			t.Errorf("applied %v: %v", applied, got.err)
		}
		// Shutdown lets requests end, but would wait forever for one
		// that hangs.
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if got := s.Requests()[0]; got.Status != 0 || got.Fault != Hang {
			t.Errorf("applied %v: %+v", applied, got)
		}
	}
}

func TestCloseInterruptsHangsAndDelays(t *testing.T) {
	t.Parallel()
	for _, fault := range []Fault{
		{Kind: Hang, Delay: time.Hour},
		{Kind: Slow, Delay: time.Hour},
		{Kind: Slow, Delay: time.Hour, Applied: true},
	} {
		for _, woken := range []bool{false, true} {
			sleeper := newSleeper()
			s, _ := setup(t, func(c *Config) { c.Sleep = sleeper.sleep })
			if err := s.Fault(fault); err != nil {
				t.Fatal(err)
			}
			done := make(chan reply)
			req := startOf(courier).at(t, s.origin(), s.cfg.BasePath)
			go func() { done <- roundTrip(req) }()
			<-sleeper.reached
			if woken && fault.Kind == Hang {
				sleeper.wake <- struct{}{}
			}
			if err := s.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			if got := <-done; got.err == nil {
				t.Errorf("%s: answered %d", fault.Kind, got.status)
			}
			s.Close()
		}
	}
}

func TestFaultMatchesItsRequests(t *testing.T) {
	t.Parallel()
	start, list := startOf(courier), request{}
	other := startOf("cg-other")
	for _, row := range []struct {
		name     string
		faults   []Fault
		requests []request
		want     []int
	}{
		{"by default the next one", []Fault{{Status: 503}}, []request{list, list}, []int{503, 200}},
		{"several", []Fault{{Status: 503, Times: 2}}, []request{list, list, list}, []int{503, 503, 200}},
		{"the third", []Fault{{Status: 503, Nth: 3}}, []request{list, list, list, list}, []int{200, 200, 503, 200}},
		{"from the second on", []Fault{{Status: 503, Nth: 2, Times: -1}}, []request{list, list, list, list}, []int{200, 503, 503, 503}},
		{"by method", []Fault{{Status: 503, Method: "post"}}, []request{list, start, start}, []int{200, 503, 201}},
		{"by path", []Fault{{Status: 503, PathSuffix: "/stop"}}, []request{list, {method: "POST", path: "/workflow/runs/wf-1/stop"}}, []int{200, 503}},
		{"by config id", []Fault{{Status: 503, ConfigID: courier}}, []request{list, other, start, start}, []int{200, 201, 503, 201}},
		{"one after the other", []Fault{{Status: 503}, {Status: 500}}, []request{list, list, list}, []int{503, 500, 200}},
		{"the first that matches", []Fault{{Status: 503, Method: "POST"}, {Status: 500}}, []request{list, start, start}, []int{500, 503, 201}},
		{"before the token is checked", []Fault{{Status: 503}}, []request{{header: map[string]string{"Authorization": "-"}}, {header: map[string]string{"Authorization": "-"}}}, []int{503, 401}},
		{"requests that another fault hit do not count", []Fault{{Status: 503}, {Status: 500, Nth: 2}}, []request{list, list, list}, []int{503, 200, 500}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, _ := setup(t)
			for _, f := range row.faults {
				f.Kind = Status
				if err := s.Fault(f); err != nil {
					t.Fatal(err)
				}
			}
			var got []int
			for _, r := range row.requests {
				got = append(got, send(t, s, r).status)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFaultMatchesTheConfigIDOfARun(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	ours, other := mustStart(t, s, courier), mustStart(t, s, "cg-other")
	if err := s.Fault(Fault{Kind: Status, Status: 500, ConfigID: courier, Times: 2}); err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, r := range []request{
		get(runsPath+"/"+other, ""), get(runsPath+"/"+ours, ""),
		{method: "POST", path: runsPath + "/" + ours + "/stop"}, get(runsPath+"/"+ours, ""),
	} {
		got = append(got, send(t, s, r).status)
	}
	if diff := cmp.Diff([]int{200, 500, 500, 200}, got); diff != "" {
		t.Error(diff)
	}
}

func TestLateRunAppearsLate(t *testing.T) {
	t.Parallel()
	s, clock := setup(t, func(c *Config) { c.BusyWhileRunning = true })
	if err := s.Fault(Fault{Kind: Status, Status: 504, Applied: true, Late: 150 * time.Second}); err != nil {
		t.Fatal(err)
	}
	if got := send(t, s, startOf(courier)); got.status != 504 {
		t.Fatal(got.status)
	}
	id := s.Runs()[0].ID
	find := func() (listed int, status int) {
		found, _, _ := ids(t, s, "")
		return len(found), send(t, s, get(runsPath+"/"+id, "")).status
	}
	clock.Advance(150*time.Second - time.Millisecond)
	if listed, status := find(); listed != 0 || status != 404 {
		t.Errorf("the run appears too early: %d listed, %d", listed, status)
	}
	clock.Advance(time.Millisecond)
	if listed, status := find(); listed != 1 || status != 200 {
		t.Errorf("the run does not appear: %d listed, %d", listed, status)
	}
	if got := send(t, s, startOf(courier)); got.status != 409 {
		t.Errorf("a second start beside it: %d", got.status)
	}
	want := Started{ID: id, ConfigID: courier, Principal: defaultPrincipalID,
		At: newClock().Now(), CreatedAt: newClock().Now().Add(150 * time.Second)}
	if diff := cmp.Diff([]Started{want}, s.Runs()); diff != "" {
		t.Error(diff)
	}
}

func TestRandomFaultsRepeatWithTheSeed(t *testing.T) {
	t.Parallel()
	draw := func(seed uint64, interleaved bool) string {
		s, _ := setup(t, func(c *Config) { c.Seed = seed })
		if err := s.FaultRandomly(0.4, Fault{Kind: Status, Status: 500}, Fault{Kind: Status, Status: 503, Method: "POST"}, Fault{Kind: Reset}); err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for range 30 {
			r := send(t, s, startOf(courier))
			got.WriteString(itoa(r.status) + " ")
			if interleaved {
				send(t, s, request{})
				send(t, s, startOf("cg-other"))
			}
		}
		return got.String()
	}
	first := draw(1, false)
	if again := draw(1, true); again != first {
		t.Errorf("other requests change the draw:\n%s\n%s", first, again)
	}
	if other := draw(2, false); other == first {
		t.Error("two seeds draw the same")
	}
	for _, status := range []string{"201 ", "500 ", "503 ", "0 "} {
		if !strings.Contains(first, status) {
			t.Errorf("%s never occurs in %s", status, first)
		}
	}
}

func TestClearFaultsRemovesEveryFault(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	if err := s.Fault(Fault{Kind: Reset, Times: -1}); err != nil {
		t.Fatal(err)
	}
	if err := s.FaultRandomly(1, Fault{Kind: Reset}); err != nil {
		t.Fatal(err)
	}
	s.ClearFaults()
	if got := send(t, s, request{}); got.status != 200 {
		t.Errorf("%d %v", got.status, got.err)
	}
}

func TestStopListeningRefusesConnections(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	kept := &http.Transport{} // keeps its connection
	defer kept.CloseIdleConnections()
	try := func() error {
		resp, err := kept.RoundTrip(request{}.at(t, s.origin(), s.cfg.BasePath))
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		return err
	}
	if err := try(); err != nil {
		t.Fatal(err)
	}
	s.StopListening()
	s.StopListening()
	if got := send(t, s, request{}); !errors.Is(got.err, syscall.ECONNREFUSED) {
		t.Errorf("a new connection: %v", got.err)
	}
	if err := try(); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the connection kept: %v", err)
	}
	for range 2 {
		if err := s.Listen(); err != nil {
			t.Fatal(err)
		}
	}
	if got := send(t, s, request{}); got.status != 200 {
		t.Errorf("then: %v", got.err)
	}
	s.StopListening()
	s.Close()
	if err := s.Listen(); err != nil {
		t.Errorf("after Close: %v", err)
	}
}

func TestListenFailsIfThePortIsTaken(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	s.StopListening()
	thief, err := net.Listen("tcp", s.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Error(err)
	}
	thief.Close()
	if err := s.Listen(); err != nil {
		t.Error(err)
	}
}

func TestRefuseEndsAfterItsDelay(t *testing.T) {
	t.Parallel()
	sleeper := newSleeper()
	s, _ := setup(t, func(c *Config) { c.Sleep = sleeper.sleep })
	refuse := Fault{Kind: Refuse, Delay: 3 * time.Second}
	if err := s.Fault(refuse); err != nil {
		t.Fatal(err)
	}
	<-sleeper.reached
	if got := send(t, s, request{}); !errors.Is(got.err, syscall.ECONNREFUSED) {
		t.Error(got.err)
	}
	sleeper.wake <- struct{}{}
	for send(t, s, request{}).status != 200 {
		// The server listens again when its goroutine runs.
	}

	// Close does not wait until the refusal ends.
	if err := s.Fault(refuse); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := s.Fault(refuse); err != nil {
		t.Error(err)
	}
}

func TestDropCountsConnections(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	if err := s.Fault(Fault{Kind: Drop, Nth: 2, Times: 2}); err != nil {
		t.Fatal(err)
	}
	var got []int
	for range 4 {
		got = append(got, send(t, s, request{}).status)
	}
	if diff := cmp.Diff([]int{200, 0, 0, 200}, got); diff != "" {
		t.Error(diff)
	}
	if len(s.Requests()) != 2 {
		t.Errorf("%d requests in the log", len(s.Requests()))
	}
}
