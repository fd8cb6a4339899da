package amperity

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzPage checks that a page has every run of "data", each with its id, or is
// an error.
func FuzzPage(f *testing.F) {
	for _, seed := range []string{
		`{"data":[{"id":"a"}],"next_token":"t","total":1}`, `{"data":[]}`, `{"data":null}`, `{"data":[null]}`, `[]`, `{}`, ``,
		`{"data":[{"id":"a"}],"data":[]}`, `{"data":[{"id":""}]}`, `{"data":[],"next_token":{}}`, `{"data":[],"next_token":"seen"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, a := request{method: http.MethodGet, path: runsPath}, &answer{status: 200, body: body}
		if r.checkBody(a) != nil {
			return
		}
		page, next, err := r.page(a, map[string]bool{"seen": true})
		if err != nil {
			return
		}
		var envelope map[string]any
		if err := json.Unmarshal(body, &envelope); err != nil {
			t.Fatal(err)
		}
		if data, ok := envelope["data"].([]any); !ok || len(data) != len(page.Runs) || next == "seen" {
			t.Fatalf("%q has %d runs, then %q", body, len(page.Runs), next)
		}
		for _, run := range page.Runs {
			if run.ID == "" {
				t.Fatalf("%q has a run without an id", body)
			}
		}
	})
}

// FuzzRedirect checks that the message about a redirect is short and printable,
// and lacks the token.
func FuzzRedirect(f *testing.F) {
	for _, seed := range []string{"", "/", "https://evil.test/x", "//[::1", "https://" + testToken + ".test/", "https://a\x1b.test", "%", "https://\xff/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, location string) {
		got := redirectMessage(location, scrubber{NewToken(testToken)})
		if strings.Contains(got, testToken) {
			t.Fatal("the message shows the token")
		}
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\r\n\x1b") || utf8.RuneCountInString(got) > 200 {
			t.Fatalf("not fit to be shown: %q", got)
		}
	})
}

// FuzzRetryAfter checks that the wait is from zero to an hour, whatever the
// Date header.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"7", "-7", "99999999999999999999", "Sun, 22 Nov 2026 05:00:30 GMT", "soon", "", "٧"} {
		f.Add(seed, "Sun, 22 Nov 2026 05:00:00 GMT")
	}
	f.Add("Fri, 31 Dec 9999 23:59:59 GMT", "Sat, 01 Jan 0000 00:00:00 GMT")
	f.Fuzz(func(t *testing.T, value, date string) {
		h := http.Header{"Retry-After": {value}, "Date": {date}}
		if got := parseRetryAfter(h); got < 0 || got > maxRetryAfter {
			t.Fatalf("%q at %q is %s", value, date, got)
		}
	})
}
