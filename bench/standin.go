package main

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// What the stand-in knows and demands.
const (
	tenant      = "socktown"
	secretID    = "amperity/socktown"
	bearer      = "tok-xSECRETx-bench"
	eventBus    = "default"
	ledgerTable = "bench-ledger"
	region      = "eu-west-1"
	source      = "amperity.workflow"
	started     = "Amperity Workflow Run Started"
	configID    = "cg-123ABc4DE"
	runID       = "wf-20261122-6001-bench"
	awsJSON     = "application/x-amz-json-1.1"
	// DynamoDB's protocol is an older one.
	dynamoJSON   = "application/x-amz-json-1.0"
	dynamoPrefix = "DynamoDB_20120810."
	apiPrefix    = "/api"
)

// A callKind is one of the requests that the stand-in answers.
type callKind string

const (
	readSecret callKind = "GetSecretValue"
	startRun   callKind = "POST /workflow/runs"
	putEvents  callKind = "PutEvents"
	getItem    callKind = "GetItem"
	putItem    callKind = "PutItem"
	transact   callKind = "TransactWriteItems"
)

// call is one request that was answered.
type call struct {
	Kind callKind
	// At is when the request had come in, Took the time until its answer was
	// written. The two leave out the loopback interface and the HTTP server
	// around the handler.
	At   time.Time
	Took time.Duration
}

// standIn plays AWS (Secrets Manager, EventBridge, and a table of DynamoDB) and
// Amperity (POST /api/workflow/runs) for one function process.
// It answers at once, and it answers nothing but the right request: what it
// refuses is kept as a fault, so that no figure comes from a function that did
// not do its job.
type standIn struct {
	url    string
	server *http.Server
	runs   atomic.Int64
	// onEvents is called with the arrival time of a PutEvents request before
	// it is answered. It must be set before the first request.
	onEvents func(at time.Time)

	mu     sync.Mutex
	calls  []call
	faults []error
	// items are those of the table, by their keys.
	items map[string]item
}

func newStandIn() (*standIn, error) {
	s := &standIn{onEvents: func(time.Time) {}, items: map[string]item{}}
	server, addr, err := serve(s)
	if err != nil {
		return nil, err
	}
	s.server, s.url = server, "http://"+addr
	return s, nil
}

// Close breaks all connections.
func (s *standIn) Close() { s.server.Close() }

// Take returns the calls since the last Take, and the first request that was
// not the right one.
func (s *standIn) Take() ([]call, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls, faults := s.calls, s.faults
	s.calls, s.faults = nil, nil
	if len(faults) > 0 {
		return calls, faults[0]
	}
	return calls, nil
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		s.refuse(w, fmt.Errorf("a request's body broke off: %w", err))
		return
	}
	var kind callKind
	switch target := r.Header.Get("X-Amz-Target"); {
	case r.Method == http.MethodPost && r.URL.Path == apiPrefix+"/workflow/runs":
		kind, err = startRun, s.answerRun(w, r, body)
	case r.Method == http.MethodPost && r.URL.Path == "/" && target == "secretsmanager.GetSecretValue":
		kind, err = readSecret, s.answerSecret(w, r, body)
	case r.Method == http.MethodPost && r.URL.Path == "/" && target == "AWSEvents.PutEvents":
		s.onEvents(at)
		kind, err = putEvents, s.answerEvents(w, r, body)
	case r.Method == http.MethodPost && r.URL.Path == "/" && strings.HasPrefix(target, dynamoPrefix):
		kind = callKind(strings.TrimPrefix(target, dynamoPrefix))
		err = s.answerTable(w, r, kind, body)
	default:
		err = fmt.Errorf("unexpected request %s %s (X-Amz-Target %q)", r.Method, r.URL.Path, target)
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	took := time.Since(at)
	s.mu.Lock()
	s.calls = append(s.calls, call{kind, at, took})
	s.mu.Unlock()
}

func (s *standIn) refuse(w http.ResponseWriter, err error) {
	s.mu.Lock()
	s.faults = append(s.faults, err)
	s.mu.Unlock()
	http.Error(w, `{"__type":"ValidationException","status":400,"message":"not what the bench expects"}`, http.StatusBadRequest)
}

func (s *standIn) answerSecret(w http.ResponseWriter, r *http.Request, body []byte) error {
	var in struct{ SecretId string }
	if err := awsInput(r, awsJSON, body, &in); err != nil {
		return err
	}
	if in.SecretId != secretID {
		return fmt.Errorf("GetSecretValue asks for the secret %q, not %q", in.SecretId, secretID)
	}
	return answer200(w, awsJSON, map[string]any{
		"ARN":           "arn:aws:secretsmanager:" + region + ":123456789012:secret:" + secretID + "-AbCdEf",
		"Name":          secretID,
		"VersionId":     "EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE",
		"SecretString":  bearer,
		"VersionStages": []string{"AWSCURRENT"},
		"CreatedDate":   1763600000.5,
	})
}

func (s *standIn) answerRun(w http.ResponseWriter, r *http.Request, body []byte) error {
	var in struct {
		ConfigID  string `json:"config_id"`
		RangeFrom string `json:"range_from"`
		RangeTo   string `json:"range_to"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return fmt.Errorf("POST /workflow/runs without a JSON body: %w", err)
	}
	h := r.Header
	if h.Get("Authorization") != "Bearer "+bearer || h.Get("Amperity-Tenant") != tenant || h.Get("Api-Version") == "" ||
		!strings.HasPrefix(h.Get("Content-Type"), "application/json") {
		return fmt.Errorf("POST /workflow/runs without the headers that Amperity requires")
	}
	if in.ConfigID != configID || in.RangeFrom == "" || in.RangeTo == "" {
		return fmt.Errorf("POST /workflow/runs for %q from %q to %q, not for %q and a day", in.ConfigID, in.RangeFrom, in.RangeTo, configID)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	return json.NewEncoder(w).Encode(map[string]any{
		"task_instances": []any{}, "id": fmt.Sprintf("%s-%d", runID, s.runs.Add(1)), "name": "Daily", "principal_name": "workflow key", "principal_id": "key-1",
		"type": "courier.group/run", "launched_version": "20261119.1", "current_version": "20261119.1",
		"state": "scheduled", "created_at": "2026-11-22T06:00:01.724Z", "tenant": tenant,
	})
}

func (s *standIn) answerEvents(w http.ResponseWriter, r *http.Request, body []byte) error {
	var in struct {
		Entries []struct{ Source, DetailType, Detail, EventBusName string }
	}
	if err := awsInput(r, awsJSON, body, &in); err != nil {
		return err
	}
	if len(in.Entries) != 1 {
		return fmt.Errorf("PutEvents with %d entries, not with the one that announces the run", len(in.Entries))
	}
	e := in.Entries[0]
	if e.Source != source || e.DetailType != started || !json.Valid([]byte(e.Detail)) || !strings.Contains(e.Detail, runID) {
		return fmt.Errorf("PutEvents with %q from %q, not with the run that was started", e.DetailType, e.Source)
	}
	return answer200(w, awsJSON, map[string]any{
		"FailedEntryCount": 0,
		"Entries":          []any{map[string]string{"EventId": "11710aed-b79e-4468-a20b-bb3c0c3b4860"}},
	})
}

// awsInput reads a request in one of AWS's JSON protocols.
func awsInput(r *http.Request, contentType string, body []byte, into any) error {
	if t := r.Header.Get("Content-Type"); t != contentType {
		return fmt.Errorf("a request to AWS of content type %q, not %s", t, contentType)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("a request to AWS without a JSON body: %w", err)
	}
	return nil
}

func answer200(w http.ResponseWriter, contentType string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	if contentType == dynamoJSON {
		// The SDK compares it (DynamoDB developer guide, "Response content").
		w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(text)), 10))
	}
	_, err = w.Write(text)
	return err
}
