package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// player is a program that this test binary plays; see play.
func player(t *testing.T, role string) program {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := program{Name: role, Path: exe, Dir: t.TempDir(), Env: []string{"BENCH_TEST_ROLE=" + role}, Payload: empty}
	if role == "starts" || role == "idles" {
		p.Runs = 1
	}
	return p
}

// play is the main function of a program under measure. It returns the exit
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
			continue
		case "starts":
			startRun(bearer)
		case "forges":
			startRun("another token")
		}
		post(id+"/response", `"done"`)
	}
}

func startRun(token string) {
	req, err := http.NewRequest(http.MethodPost, os.Getenv("AMPERITY_BASE_URL")+"/workflow/runs", strings.NewReader(`{"config_id":"cg-1"}`))
	if err != nil {
		panic(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer " + token}, "Amperity-Tenant": {tenant}, "Api-Version": {"2024-04-01"}, "Content-Type": {"application/json"}}
	must(http.DefaultClient.Do(req))
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

func testEnvironment(t *testing.T, d distances, a *authority) environment {
	t.Helper()
	w, err := openLoopback(d, a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return environment{world: w}
}

func TestLifeHasAllKindsOfInvocations(t *testing.T) {
	t.Parallel()
	samples, err := testEnvironment(t, distances{}, nil).live(t.Context(), player(t, "starts"), place{}, plan{Warm: 2, Thawed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]kind{cold, warm, warm, thawed}, each(samples, func(s sample) kind { return s.Kind })); diff != "" {
		t.Error(diff)
	}
	want := [][]string{
		{"amperity connect", "amperity POST /workflow/runs"},
		{"amperity POST /workflow/runs"},
		{"amperity POST /workflow/runs"},
		{"amperity connect", "amperity POST /workflow/runs"},
	}
	if diff := cmp.Diff(want, each(samples, func(s sample) []string { return each(s.Calls, call.String) })); diff != "" {
		t.Error(diff)
	}
	first := samples[0]
	if first.Init <= 0 || first.Invoke <= 0 || first.Total < first.Init+first.Invoke || first.InitUsed <= 0 || first.InvokeUsed <= 0 || first.Peak < 1<<20 {
		t.Errorf("cannot be: %+v", first)
	}
	if later := samples[1]; later.Init != 0 || later.Total != later.Invoke {
		t.Errorf("a warm invocation has an init: %+v", later)
	}
}

func TestLifeReportsAFailure(t *testing.T) {
	t.Parallel()
	for role, want := range map[string]string{
		"ends":    "the process ended before it asked for an invocation\nits output ends with:\nthe token is [redacted]\n",
		"breaks":  `the function reported an error: {"errorMessage":"no settings"}`,
		"refuses": `the function reported an error: {"errorMessage":"not today"}`,
		"idles":   "a cold invocation started 0 runs, not 1",
		"forges":  "amperity POST /api/workflow/runs: lacks a header that Amperity requires, or has another token",
	} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			_, err := testEnvironment(t, distances{}, nil).live(t.Context(), player(t, role), place{}, plan{})
			if err == nil || !strings.HasPrefix(err.Error(), role+" did not work: "+want) || strings.Contains(err.Error(), bearer) {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

func TestTraceShowsEachCall(t *testing.T) {
	t.Parallel()
	var trace strings.Builder
	e := testEnvironment(t, distances{}, nil)
	e.trace = &trace
	if _, err := e.live(t.Context(), player(t, "starts"), place{Memory: 256}, plan{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"starts, cold, 256 MB", "  amperity connect\n", "  amperity POST /workflow/runs\n"} {
		if !strings.Contains(trace.String(), want) {
			t.Errorf("no %q in:\n%s", want, trace.String())
		}
	}
}

func TestTheEnvironmentIsLambdasOwn(t *testing.T) {
	t.Parallel()
	for _, kv := range lambdaVariables("/var/task", "127.0.0.1:1", 256) {
		if name, _, _ := strings.Cut(kv, "="); name == "AWS_CA_BUNDLE" || strings.Contains(name, "PROXY") || strings.HasPrefix(name, "SSL_") {
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

func TestParsePeak(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, status string
		want         int64
		fails        bool
	}{
		{"VmHWM is in kB of 1024 bytes", "Name:\tbootstrap\nVmPeak:\t 1234 kB\nVmHWM:\t   12400 kB\nVmRSS:\t 1 kB\n", 12400 * 1024, false},
		{"a process that has ended has none", "Name:\tbootstrap\nState:\tZ (zombie)\n", 0, true},
		{"a text is no number", "VmHWM:\tmuch kB\n", 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, err := parsePeak(tt.status); got != tt.want || (err != nil) != tt.fails {
				t.Errorf("got %d, %v", got, err)
			}
		})
	}
}
