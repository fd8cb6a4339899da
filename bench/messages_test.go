package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestOptionMessages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"build"}, `unexpected argument "build": everything is an option`},
		{[]string{"-warm", "0"}, "-runs and -warm must be at least 1"},
		{[]string{"-parts", "cold,hot"}, `unknown part "hot": the parts are cold, warm and routing`},
	} {
		t.Run(tt.want, func(t *testing.T) {
			t.Parallel()
			_, err := parseOptions(tt.args)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestStandInMessages(t *testing.T) {
	t.Parallel()
	runs, events := apiPrefix+"/workflow/runs", "AWSEvents.PutEvents"
	entry := `{"Entries":[{"Source":"amperity.workflow","DetailType":"Amperity Workflow Run Started","Detail":"{}"}]}`
	toAmperity := http.Header{"Authorization": {"Bearer " + bearer}, "Amperity-Tenant": {tenant}, "Api-Version": {"2024-04-01"}, "Content-Type": {"application/json"}}
	toAWS := func(target string) http.Header {
		return http.Header{"Content-Type": {awsJSON}, "X-Amz-Target": {target}}
	}
	for _, tt := range []struct {
		path   string
		header http.Header
		body   io.Reader
		want   string
	}{
		{runs, toAmperity, iotest.ErrReader(errors.New("reset")), "a request's body broke off: reset"},
		{"/", toAWS("Logs.PutLogEvents"), strings.NewReader("{}"), `unexpected request POST / (X-Amz-Target "Logs.PutLogEvents")`},
		{"/", toAWS("secretsmanager.GetSecretValue"), strings.NewReader(`{"SecretId":"other"}`),
			`GetSecretValue asks for the secret "other", not "amperity/socktown"`},
		{"/", http.Header{"Content-Type": {"text/xml"}, "X-Amz-Target": {events}}, strings.NewReader(entry),
			`a request to AWS of content type "text/xml", not application/x-amz-json-1.1`},
		{"/", toAWS(events), strings.NewReader("-"), "a request to AWS without a JSON body: invalid character ' ' in numeric literal"},
		{"/", toAWS(events), strings.NewReader(`{"Entries":[]}`), "PutEvents with 0 entries, not with the one that announces the run"},
		{"/", toAWS(events), strings.NewReader(entry),
			`PutEvents with "Amperity Workflow Run Started" from "amperity.workflow", not with the run that was started`},
		{runs, toAmperity, strings.NewReader(`{"config_id"="cg-1"}`),
			"POST /workflow/runs without a JSON body: invalid character '=' after object key"},
		{runs, http.Header{"Authorization": {"Bearer " + bearer}}, strings.NewReader(`{}`),
			"POST /workflow/runs without the headers that Amperity requires"},
		{runs, toAmperity, strings.NewReader(`{"config_id":"og-1","range_from":"2026-11-21"}`),
			`POST /workflow/runs for "og-1" from "2026-11-21" to "", not for "cg-123ABc4DE" and a day`},
	} {
		t.Run(tt.want, func(t *testing.T) {
			t.Parallel()
			in := newTestStandIn(t)
			req := httptest.NewRequest(http.MethodPost, tt.path, tt.body)
			req.Header = tt.header
			w := httptest.NewRecorder()
			in.ServeHTTP(w, req)
			if w.Code != http.StatusBadRequest {
				t.Errorf("status %d", w.Code)
			}
			calls, err := in.Take()
			if len(calls) > 0 || err == nil || err.Error() != tt.want {
				t.Errorf("got %d calls and %v", len(calls), err)
			}
		})
	}
}

func TestARefusedProbeIsAnError(t *testing.T) {
	t.Parallel()
	server, addr, err := serve(http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	_, err = repeat(t.Context(), &http.Transport{}, "http://"+addr, putEvents, 1)
	if want := "the stand-in answers PutEvents with status 404"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestMemoryMessages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ status, want string }{
		{"Name:\tbootstrap\nState:\tZ (zombie)\n", "/proc/PID/status lacks VmHWM, VmRSS or RssFile: the process has ended, or this is not Linux"},
		{"VmHWM:\tmuch kB\n", `/proc/PID/status: VmHWM is not a number of kB: strconv.ParseInt: parsing "much": invalid syntax`},
	} {
		t.Run(tt.want, func(t *testing.T) {
			t.Parallel()
			_, err := parseMemory(tt.status)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestProcessMessages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ role, want string }{
		{"ends", "ends did not work: the process ended before it asked for an invocation\nits output ends with:\nthe token is [redacted]\n"},
		{"breaks", "breaks did not work: the function reported an error: {\"errorMessage\":\"no settings\"}\nits output ends with:\n"},
		{"refuses", "refuses did not work: the function reported an error: {\"errorMessage\":\"not today\"}\nits output ends with:\n"},
		{"idles", "idles did not work: an invocation made the requests [], not [\"POST /workflow/runs\" \"PutEvents\"]\nits output ends with:\n"},
	} {
		t.Run(tt.role, func(t *testing.T) {
			t.Parallel()
			_, err := coldStart(t.Context(), player(t, tt.role))
			if err == nil {
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), bearer) {
				t.Fatal("the token is in the message")
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
	_, err := tracedCosts("hello", "{}\n")
	if want := "hello wrote no line of GODEBUG=inittrace=1"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestBuildMessages(t *testing.T) {
	t.Parallel()
	_, err := prepare(t.Context(), options{trigger: "testdata/none"}, t.TempDir())
	const want = `cannot read how testdata/none was built: could not read Go build info: open testdata/none: no such file or directory; run "make build" first`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	err = goBuild{Args: []string{"build", "-nonsense"}}.build(t.Context(), "./none", "out")
	const refused = "go build -nonsense -o out ./none: exit status 2\nflag provided but not defined: -nonsense\n" +
		"usage: go build [-o output] [build flags] [packages]\nRun 'go help build' for details.\n"
	if err == nil || err.Error() != refused {
		t.Errorf("got %v", err)
	}
}

func TestRoutingMessages(t *testing.T) {
	t.Parallel()
	err := complete(9, 10)
	if want := "9 of 10 records were decoded and routed"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := complete(10, 10); err != nil {
		t.Error(err)
	}
}
