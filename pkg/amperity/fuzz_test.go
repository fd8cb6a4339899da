package amperity

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"unicode"
)

// FuzzRun checks that any JSON object is a run, and is encoded unchanged.
func FuzzRun(f *testing.F) {
	for _, s := range []string{
		aRun, `{}`, `null`, `[]`, `7`, `{"id":7,"state":{},"created_at":"yesterday","task_instances":{},"error":[]}`,
		`{"id":"wf-1","id":"wf-2"}`, `{"ID":"x","id":"y"}`, `{"id":"wf-1","task_instances":[{"task_instance_id":"t"},7,null],"error":{"data":null}}`,
		`{"id":"wf-1","warn_after_ms":1e400,"new":{"a":[1,2,{"b":"\u2028<&>"}]}}`, "{\"id\":\"\xff\"}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var run Run
		if json.Unmarshal(data, &run) != nil || run.Raw() == nil {
			return
		}
		again, err := json.Marshal(run)
		if err != nil {
			t.Fatalf("a run that was read cannot be written: %v", err)
		}
		if want := compact(t, data); !bytes.Equal(compact(t, again), want) {
			t.Fatalf("decoded from %s, encoded as %s", want, again)
		}
		var second Run
		if err := json.Unmarshal(again, &second); err != nil || second.ID != run.ID || second.State != run.State || len(second.Tasks) != len(run.Tasks) {
			t.Fatalf("decoded again it is another run: %v", err)
		}
		_ = run.Ended()
		if run.WarnAfter < 0 {
			t.Errorf("a negative duration: %s", run.WarnAfter)
		}
	})
}

// compact returns JSON without insignificant space, escaped as encoding/json
// escapes it.
func compact(t *testing.T, data []byte) []byte {
	t.Helper()
	raw, err := json.Marshal(json.RawMessage(data))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// FuzzAnswer checks the error of any response to any call: it is one of this
// package's, it is printable, and a 2xx that is not a run is an error.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "", []byte(aRun))
	f.Add(200, "", []byte(`{"data":[{"id":"wf-1"}],"next_token":"","total":1}`))
	f.Add(200, "", []byte(`{"data":[],"next_token":"a"}`))
	f.Add(400, "", []byte(`{"status":400,"message":"no\u001b[31m","request_id":"r","trace_id":"t"}`))
	f.Add(429, "2", []byte(``))
	f.Add(503, "Sun, 22 Nov 2026 05:00:30 GMT", []byte("<html>\x00"))
	f.Add(500, "-1", []byte("Bearer "+testToken))
	f.Fuzz(func(t *testing.T, status int, retryAfter string, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		r := request{method: http.MethodPost, path: runsPath, scrub: scrubber{NewToken(testToken)}}
		a := &answer{status: status, header: http.Header{"Retry-After": {retryAfter}, "Date": {"Sun, 22 Nov 2026 05:00:00 GMT"}}, body: body}
		var errs []error
		if a.ok() {
			run, err := r.run(a)
			if err == nil && run.ID == "" {
				t.Error("a run without an id")
			}
			if err != nil && NotProcessed(err) {
				t.Errorf("NotProcessed is true for an unreadable 2xx: %q", err)
			}
			page, _, listErr := r.page(a, map[string]bool{})
			if listErr == nil && page.Runs == nil {
				t.Error("a page without a list")
			}
			errs = append(errs, err, listErr)
		} else {
			err := r.apiError(a)
			if err.RetryAfter < 0 || err.RetryAfter > maxRetryAfter {
				t.Errorf("to wait for %s", err.RetryAfter)
			}
			errs = append(errs, err)
		}
		for _, err := range errs {
			if err == nil {
				continue
			}
			text := err.Error()
			// Look for the whole token: the fuzzer may make its
			// marker part of a body.
			if strings.Contains(text, testToken) {
				t.Error("the error shows the token")
			}
			if strings.IndexFunc(text, unicode.IsControl) >= 0 || len(text) > 4096 {
				t.Errorf("not fit to be shown, %d bytes: %q", len(text), text[:min(len(text), 200)])
			}
		}
	})
}

// FuzzValidate checks that a request is refused with a fault, or can be sent
// unchanged.
func FuzzValidate(f *testing.F) {
	f.Add("cg-1", "2026-11-22", "2026-11-23", "full")
	f.Add("og-1", "", "", "")
	f.Add("cg-\xff", "2026-11-22T00:00:00Z", "2026-11-22T00:00:00.1+00:00", "x")
	f.Add("", "0000-00-00", "9999-12-31", "")
	f.Fuzz(func(t *testing.T, id, from, to, mode string) {
		r := RunRequest{ConfigID: id, RangeFrom: from, RangeTo: to, RunMode: RunMode(mode)}
		err := r.Validate()
		var invalid *RequestError
		if err != nil {
			if !errors.As(err, &invalid) || len(invalid.Problems) == 0 {
				t.Fatalf("an error without a fault: %v", err)
			}
			return
		}
		body, err := json.Marshal(r)
		var again RunRequest
		if err != nil || json.Unmarshal(body, &again) != nil || again != r {
			t.Errorf("%+v is sent as %s: %v", r, body, err)
		}
		if _, ok := ConfigKindOf(id); !ok {
			t.Errorf("%q is valid and has no kind", id)
		}
	})
}
