package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// call is a new connection to a server, or a request.
type call struct {
	Service   string
	Operation string
	// Keys are the ledger keys that the request reads or writes.
	Keys []string
	// At is when the server saw it, Distance the round trip to the server.
	At       time.Time
	Distance time.Duration
}

// connected is the Operation of a new connection.
const connected = "connect"

// String returns the call without times, and with the kinds of its keys only.
func (c call) String() string {
	words := []string{c.Service, c.Operation}
	for _, key := range c.Keys {
		kind, _, _ := strings.Cut(key, "/")
		words = append(words, kind)
	}
	return strings.Join(words, " ")
}

// span returns the time from when the function began the call until it had the
// answer.
func (c call) span() (begin, end time.Time) {
	if c.Operation == connected {
		return c.At, c.At.Add(c.Distance)
	}
	return c.At.Add(-c.Distance / 2), c.At.Add(c.Distance / 2)
}

// steps groups calls: those of a step were concurrent, and each step followed
// the one before it. So there are as many steps as round trips in sequence.
func steps(calls []call) [][]call {
	ordered := slices.SortedStableFunc(slices.Values(calls), func(a, b call) int {
		_, endA := a.span()
		_, endB := b.span()
		return endA.Compare(endB)
	})
	var all [][]call
	for _, c := range ordered {
		if n := len(all); n > 0 && concurrent(all[n-1][0], c) {
			all[n-1] = append(all[n-1], c)
			continue
		}
		all = append(all, []call{c})
	}
	return all
}

// concurrent reports whether b began before a had ended. Servers see times that
// are a little off, so it must have begun well before that.
func concurrent(a, b call) bool {
	_, end := a.span()
	begin, _ := b.span()
	return begin.Before(end.Add(-min(a.Distance, b.Distance) / 4))
}

// standIn plays AWS (Secrets Manager, EventBridge and one table of DynamoDB)
// and Amperity for one function process at a time. It answers immediately. It
// keeps each wrong request as a fault, so that no figure comes from a function
// that did not do its job.
type standIn struct {
	mu     sync.Mutex
	table  table
	calls  []call
	faults []error
	runs   int
	// unsigned permits requests to AWS without a signature.
	unsigned bool
}

// reset prepares the stand-in for another process.
func (s *standIn) reset(t table, unsigned bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table, s.calls, s.faults, s.unsigned = copyOf(t), nil, nil, unsigned
	if s.table.items == nil {
		s.table.items = map[string]item{}
	}
}

// ledger returns a copy of the table.
func (s *standIn) ledger() table {
	s.mu.Lock()
	defer s.mu.Unlock()
	return copyOf(s.table)
}

// take returns the calls and the faults since the last take.
func (s *standIn) take() ([]call, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls, faults := s.calls, s.faults
	s.calls, s.faults = nil, nil
	return calls, errors.Join(faults...)
}

func (s *standIn) note(c call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, c)
}

// reply is an answer: 200 if it has no status.
type reply struct {
	Status int
	Body   any
}

// maxBody bounds what is read of a request: Lambda's own limit of an answer.
const maxBody = 6 << 20

// handler plays one service, which is at a distance.
func (s *standIn) handler(to service, distance func() time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := call{Service: to.Name, At: time.Now(), Distance: distance()}
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if err != nil {
			err = fmt.Errorf("the body broke off: %w", err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		var out reply
		if err == nil {
			out, err = s.answer(to, r, body, &c)
		}
		s.calls = append(s.calls, c)
		if err != nil {
			s.faults = append(s.faults, fmt.Errorf("%s %s %s: %w", to.Name, r.Method, r.URL.Path, err))
			out = reply{http.StatusBadRequest, map[string]any{"__type": "ValidationException", "message": "not what the bench expects"}}
		}
		write(w, to, out)
	})
}

// answer checks a request and completes its call.
func (s *standIn) answer(to service, r *http.Request, body []byte, c *call) (reply, error) {
	if to.Name == amperity {
		c.Operation = r.Method + " " + strings.TrimPrefix(r.URL.Path, apiPrefix)
		return s.answerRun(r, body)
	}
	operation, known := strings.CutPrefix(r.Header.Get("X-Amz-Target"), to.Target)
	c.Operation = operation
	if r.Method != http.MethodPost || r.URL.Path != "/" || !known || r.Header.Get("Content-Type") != to.ContentType {
		return reply{}, fmt.Errorf("not a request of its protocol, target %q", r.Header.Get("X-Amz-Target"))
	}
	if !s.unsigned && !signed(r.Header) {
		return reply{}, fmt.Errorf("%s is not signed", operation)
	}
	switch {
	case to.ContentType == dynamoJSON:
		out, keys, err := s.table.answer(operation, body)
		c.Keys = keys
		return out, err
	case operation == "GetSecretValue":
		return answerSecret(body)
	case operation == "PutEvents":
		return answerEvents(body)
	}
	return reply{}, fmt.Errorf("unknown operation %q", operation)
}

func signed(h http.Header) bool {
	return strings.HasPrefix(h.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="+accessKey+"/") && h.Get("X-Amz-Date") != ""
}

func answerSecret(body []byte) (reply, error) {
	var in struct{ SecretId string }
	if json.Unmarshal(body, &in) != nil || in.SecretId != secretID {
		return reply{}, fmt.Errorf("GetSecretValue of the secret %q", in.SecretId)
	}
	return reply{Body: map[string]any{
		"ARN":           "arn:aws:secretsmanager:" + region + ":123456789012:secret:" + secretID + "-AbCdEf",
		"Name":          secretID,
		"VersionId":     "EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE",
		"SecretString":  bearer,
		"VersionStages": []string{"AWSCURRENT"},
		"CreatedDate":   1763600000.5,
	}}, nil
}

func answerEvents(body []byte) (reply, error) {
	var in struct {
		Entries []struct{ Source, Detail string }
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return reply{}, err
	}
	var ids []any
	for _, e := range in.Entries {
		if e.Source != source || !json.Valid([]byte(e.Detail)) {
			return reply{}, fmt.Errorf("PutEvents of an entry from %q", e.Source)
		}
		ids = append(ids, map[string]string{"EventId": "11710aed-b79e-4468-a20b-bb3c0c3b4860"})
	}
	return reply{Body: map[string]any{"FailedEntryCount": 0, "Entries": ids}}, nil
}

func (s *standIn) answerRun(r *http.Request, body []byte) (reply, error) {
	h := r.Header
	if r.Method != http.MethodPost || r.URL.Path != apiPrefix+"/workflow/runs" {
		return reply{}, errors.New("unknown operation")
	}
	if h.Get("Authorization") != "Bearer "+bearer || h.Get("Amperity-Tenant") != tenant || h.Get("Api-Version") == "" ||
		!strings.HasPrefix(h.Get("Content-Type"), "application/json") {
		return reply{}, errors.New("lacks a header that Amperity requires, or has another token")
	}
	var in struct {
		ConfigID string `json:"config_id"`
	}
	if json.Unmarshal(body, &in) != nil || in.ConfigID == "" {
		return reply{}, errors.New("names no config id")
	}
	s.runs++
	return reply{http.StatusCreated, map[string]any{
		"task_instances": []any{}, "id": fmt.Sprintf("wf-20261122-6001-%d", s.runs), "name": "Daily",
		"principal_name": "workflow key", "principal_id": "key-1", "type": "courier.group/run",
		"launched_version": "20261119.1", "current_version": "20261119.1", "state": "scheduled",
		"created_at": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), "tenant": tenant,
	}}, nil
}

func write(w http.ResponseWriter, to service, out reply) {
	text := mustJSON(out.Body)
	h := w.Header()
	h.Set("Content-Type", to.ContentType)
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("X-Amzn-Requestid", "b25f48e8-84fd-11e6-80d9-574e0c4664cb")
	if to.ContentType == dynamoJSON {
		// The SDK compares it (DynamoDB developer guide, "Response content").
		h.Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(text)), 10))
	}
	if out.Status != 0 {
		w.WriteHeader(out.Status)
	}
	// An error means that the function has gone away.
	_, _ = w.Write(text)
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only maps and texts come here
	}
	return b
}
