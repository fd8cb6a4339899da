package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// player is a program that this test binary plays; see play.
func player(t *testing.T, role string) program {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return program{Name: role, Path: exe, Dir: t.TempDir(), Env: []string{"BENCH_TEST_ROLE=" + role}, Payload: empty,
		Announces: role == "announces" || role == "idles"}
}

// play is the main function of a function under measure. It returns the exit
// code, or never.
func play(role string) int {
	if role == "ends" {
		fmt.Fprintln(os.Stderr, "the token is "+bearer)
		return 0
	}
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + runtimePath
	post := func(path, body string) { must(http.Post(base+path, "application/json", strings.NewReader(body))) }
	if role == "breaks" {
		post("init/error", `{"errorMessage":"no settings"}`)
		select {}
	}
	for {
		res := must(http.Get(base + "invocation/next"))
		id := "invocation/" + res.Header.Get("Lambda-Runtime-Aws-Request-Id")
		switch role {
		case "refuses":
			post(id+"/error", `{"errorMessage":"not today"}`)
		case "announces":
			for _, kind := range []callKind{startRun, putEvents} {
				if _, err := repeat(context.Background(), &http.Transport{}, os.Getenv("AWS_ENDPOINT_URL"), kind, 0); err != nil {
					panic(err)
				}
			}
			post(id+"/response", `"done"`)
		default:
			post(id+"/response", `"done"`)
		}
	}
}

// must returns the answer, its body read.
func must(res *http.Response, err error) *http.Response {
	if err != nil {
		panic(err)
	}
	_, err = io.Copy(io.Discard, res.Body)
	res.Body.Close()
	if err != nil {
		panic(err)
	}
	return res
}

func TestColdStartTakesItsFiguresAtTheFirstAnnouncement(t *testing.T) {
	t.Parallel()
	r, err := coldStart(t.Context(), player(t, "announces"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Init <= 0 || r.Job <= r.Init || r.Memory.Peak < r.Memory.Resident || r.Memory.Resident == 0 || r.CPU <= 0 {
		t.Errorf("cannot be: %+v", r)
	}
}

func TestColdStartOfAProgramThatAnnouncesNothing(t *testing.T) {
	t.Parallel()
	r, err := coldStart(t.Context(), player(t, "answers"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Init <= 0 || r.Job <= r.Init || r.Memory.Resident == 0 {
		t.Errorf("cannot be: %+v", r)
	}
}

func TestColdStartReportsAFailure(t *testing.T) {
	t.Parallel()
	for role, want := range map[string]string{
		"ends":    "the process ended before it asked for an invocation\nits output ends with:\nthe token is [redacted]\n",
		"breaks":  `the function reported an error: {"errorMessage":"no settings"}`,
		"refuses": `the function reported an error: {"errorMessage":"not today"}`,
		"idles":   `an invocation made the requests [], not ["POST /workflow/runs" "PutEvents"]`,
	} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			_, err := coldStart(t.Context(), player(t, role))
			if err == nil || !strings.HasPrefix(err.Error(), role+" did not work: "+want) || strings.Contains(err.Error(), bearer) {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

func TestProcessServesOneInvocationAfterTheOther(t *testing.T) {
	t.Parallel()
	pr, err := start(t.Context(), player(t, "announces"), func(*process, time.Time) {})
	if err != nil {
		t.Fatal(err)
	}
	defer pr.Stop()
	if _, err := pr.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		ans, calls, err := pr.Invoke(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var served time.Duration
		for _, c := range calls {
			served += c.Took
		}
		if string(ans.Body) != `"done"` || ans.Took() <= served {
			t.Errorf("answer %s took %v, of which the stand-in %v", ans.Body, ans.Took(), served)
		}
	}
}

func TestInitOfThisProgramCanBeTraced(t *testing.T) {
	t.Parallel()
	costs, err := traceInit(t.Context(), player(t, "answers"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range costs {
		if c.Package == "runtime" {
			return
		}
	}
	t.Errorf("the runtime is not among %d packages", len(costs))
}

func TestEveryInvocationMakesItsCalls(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		p     program
		first bool
		want  []callKind
	}{
		{"hello makes none", program{}, true, nil},
		{"bare reads no secret", program{Announces: true}, true, []callKind{startRun, putEvents}},
		{"trigger reads the secret first", program{Announces: true, Secret: true, SecretOnce: true}, true, []callKind{readSecret, startRun, putEvents}},
		{"trigger keeps the token", program{Announces: true, Secret: true, SecretOnce: true}, false, []callKind{startRun, putEvents}},
		{"trigger notes the control run first", program{Announces: true, Ledger: true, Secret: true, SecretOnce: true}, true,
			[]callKind{putItem, getItem, transact, readSecret, startRun, getItem, transact, putEvents, putItem, getItem, putItem}},
		{"python reads the secret each time", program{Announces: true, Secret: true}, false, []callKind{readSecret, startRun, putEvents}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := tt.p.calls(tt.first)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			calls := each(got, func(k callKind) call { return call{Kind: k} })
			if !sameKinds(calls, tt.want) || sameKinds(append(calls, call{Kind: putEvents}), tt.want) {
				t.Errorf("%v and one more are not told apart", got)
			}
		})
	}
}

func TestTheEnvironmentIsLambdasOwn(t *testing.T) {
	t.Parallel()
	for _, kv := range environment(program{Dir: "/var/task"}, "127.0.0.1:1", "http://127.0.0.1:2") {
		if name, _, _ := strings.Cut(kv, "="); name == "AWS_CA_BUNDLE" || strings.Contains(name, "PROXY") {
			t.Errorf("%s is set", name)
		}
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	t.Parallel()
	var log tail
	for range 3 {
		if n, err := log.Write(bytes.Repeat([]byte("x"), tailSize-3)); n != tailSize-3 || err != nil {
			t.Fatal(n, err)
		}
	}
	fmt.Fprint(&log, "end")
	if s := log.String(); len(s) != tailSize || !strings.HasSuffix(s, "xend") {
		t.Errorf("kept %d bytes, ending with %q", len(s), s[len(s)-4:])
	}
}

func TestBeyondBareGoesRoundByRound(t *testing.T) {
	t.Parallel()
	got := beyondBare([]warmRun{{Total: 5}, {Total: 9}}, []warmRun{{Total: 2}, {Total: 10}})
	if diff := cmp.Diff([]time.Duration{3, -1}, got); diff != "" {
		t.Error(diff)
	}
}

func TestPauseEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := pause(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := pause(t.Context(), 0); err != nil {
		t.Error(err)
	}
}
