package amperitytest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// fuzzServer returns a server that the fuzzer calls without a network.
func fuzzServer(f *testing.F) *Server {
	f.Helper()
	s, err := New(Config{
		Tenant: "acme", Now: newClock().Now, RateLimit: -1,
		Tokens: []Token{{Value: amperity.NewToken(goodToken)}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	return s
}

func serveDirectly(s *Server, method, target, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+goodToken)
	r.Header.Set("amperity-tenant", "acme")
	r.Header.Set("api-version", "2024-04-01")
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// documented are the statuses of the API reference, "Responses", and 201.
var documented = []int{200, 201, 400, 401, 403, 404, 405, 409, 429}

func FuzzPost(f *testing.F) {
	for _, body := range []string{
		`{"config_id":"cg-123ABc4DE","range_from":"2026-11-22","range_to":"2026-11-23T00:00:00Z","run_mode":"full"}`,
		`{"config_id"="cg-123ABc4DE"}`, `{"config_id":"og-1"}{}`, `[`, `{"config_id":{}}`, `{"config_id":"cg-1","config_id":"cg-1"}`,
		"{\"config_id\":\"cg-\xff\"}", `{"config_id":"cg-1","range_from":"2026-11-22T00:00:00.Z"}`, ``,
	} {
		f.Add(body)
	}
	s := fuzzServer(f)
	f.Fuzz(func(t *testing.T, body string) {
		before := len(s.started)
		w := serveDirectly(s, "POST", "/api/workflow/runs", body)
		if !slices.Contains(documented, w.Code) {
			t.Fatalf("status %d", w.Code)
		}
		var answer map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("the answer: %v", err)
		}
		runs := s.started
		if w.Code != http.StatusCreated {
			if len(runs) != before || answer["status"] != float64(w.Code) {
				t.Fatalf("refused, but %d runs and %v", len(runs)-before, answer["status"])
			}
			return
		}
		// The run is the one that a plain reading of the body
		// describes.
		var sent struct {
			ConfigID  string `json:"config_id"`
			RangeFrom string `json:"range_from"`
			RangeTo   string `json:"range_to"`
			RunMode   string `json:"run_mode"`
		}
		if err := json.Unmarshal([]byte(body), &sent); err != nil {
			t.Fatalf("started by a body other than JSON: %v", err)
		}
		run := runs[len(runs)-1]
		if len(runs) != before+1 || run.ConfigID != sent.ConfigID || run.RangeFrom != sent.RangeFrom || run.RangeTo != sent.RangeTo || run.RunMode != sent.RunMode {
			t.Fatalf("started %+v by %s", run, body)
		}
	})
}

func FuzzList(f *testing.F) {
	for _, query := range []string{
		"", "limit=2&with_total=true", "next_token=" + cursor{Created: 1, Number: 1, Filters: 1}.token(),
		"created_from=2026-11-22T05%3A00%3A00Z&ended_to=2027", "state=In+progress&type=courier.group/run", "limit=-1", "a=%zz", "limit=1&limit=2",
	} {
		f.Add(query)
	}
	s := fuzzServer(f)
	for range 5 {
		if w := serveDirectly(s, "POST", "/api/workflow/runs", `{"config_id":"cg-1"}`); w.Code != http.StatusCreated {
			f.Fatal(w.Code)
		}
	}
	f.Fuzz(func(t *testing.T, query string) {
		target := url.URL{Path: "/api/workflow/runs", RawQuery: query}
		if _, err := url.ParseRequestURI(target.String()); err != nil || strings.ContainsAny(query, " \r\n") {
			return // such a request cannot be written
		}
		w := serveDirectly(s, "GET", target.String(), "")
		if !slices.Contains(documented, w.Code) {
			t.Fatalf("status %d", w.Code)
		}
		if w.Code == http.StatusOK {
			var p struct{ Data []map[string]any }
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Data == nil || len(p.Data) > 5 {
				t.Fatalf("%v %s", err, w.Body)
			}
		}
	})
}

func FuzzInstant(f *testing.F) {
	for _, text := range []string{"2026", "2026-11-22", "2026-11-22T05:06:07.123Z", "2026-11-22T05+00:00", "2026-02-29", "2026-11-22T05:06:07.Z", "0000-01-01"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, _, isTime := parseInstant(text)
		if !isTime {
			return
		}
		// The instant is in UTC, and begins with the text.
		if got.Location() != time.UTC {
			t.Fatalf("%s is in %v", text, got.Location())
		}
		bare := strings.TrimSuffix(strings.TrimSuffix(text, "+00:00"), "Z")
		whole := got.Format("2006-01-02T15:04:05.000000000")
		if !strings.HasPrefix(whole, bare) {
			t.Fatalf("%s is read as %s", text, whole)
		}
	})
}

func FuzzFault(f *testing.F) {
	for _, text := range []string{
		`{"kind":"status","status":503,"header":{"Retry-After":"3"},"times":-1}`,
		`{"kind":"slow","delay":"1.5s","late":"2m","applied":true}`, `{"kind":"refuse","delay":1}`, `{`, `null`, `{"kind":"reset"}{}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var f, again Fault
		if json.Unmarshal([]byte(text), &f) != nil {
			return
		}
		_ = f.Validate()
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(f, again, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}
