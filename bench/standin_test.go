package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"
)

func newTestStandIn(t *testing.T) *standIn {
	t.Helper()
	in, err := newStandIn()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.Close)
	return in
}

func TestStandInServesTheRealSDK(t *testing.T) {
	t.Parallel()
	in := newTestStandIn(t)
	var announced []time.Time
	in.onEvents = func(at time.Time) { announced = append(announced, at) }
	config := aws.Config{Region: region, BaseEndpoint: &in.url,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "key-xSECRETx"}, nil
		})}
	ctx := t.Context()

	id := secretID
	secret, err := secretsmanager.NewFromConfig(config).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		t.Fatal(err)
	}
	if *secret.SecretString != bearer {
		t.Error("the secret is not the token that the stand-in takes")
	}
	detail := `{"run":{"id":"` + runID + `"}}`
	out, err := eventbridge.NewFromConfig(config).PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		Source: aws.String(source), DetailType: aws.String(started), Detail: &detail, EventBusName: aws.String(eventBus)}}})
	if err != nil {
		t.Fatal(err)
	}
	if out.FailedEntryCount != 0 || len(out.Entries) != 1 || *out.Entries[0].EventId == "" {
		t.Errorf("PutEvents answered %d failed of %d entries", out.FailedEntryCount, len(out.Entries))
	}

	calls, err := in.Take()
	if err != nil {
		t.Fatal(err)
	}
	kinds := each(calls, func(c call) callKind { return c.Kind })
	if diff := cmp.Diff([]callKind{readSecret, putEvents}, kinds); diff != "" {
		t.Error(diff)
	}
	if len(announced) != 1 || !announced[0].Equal(calls[1].At) {
		t.Errorf("onEvents was called with %v, and the call is of %v", announced, calls[1].At)
	}
	if again, err := in.Take(); len(again) > 0 || err != nil {
		t.Errorf("Take gives the same twice: %v, %v", again, err)
	}
}

func TestSamplesAreTheRightRequests(t *testing.T) {
	t.Parallel()
	in := newTestStandIn(t)
	for _, kind := range []callKind{readSecret, startRun, putEvents} {
		took, err := repeat(t.Context(), &http.Transport{}, in.url, kind, 3)
		if err != nil || len(took) != 3 {
			t.Errorf("%s: %d of 3 were timed: %v", kind, len(took), err)
		}
	}
	if calls, err := in.Take(); len(calls) != 12 || err != nil {
		t.Errorf("%d of 12 requests were taken: %v", len(calls), err)
	}
}

func TestStandInRefusesOtherRequests(t *testing.T) {
	t.Parallel()
	runs, events := apiPrefix+"/workflow/runs", "AWSEvents.PutEvents"
	entry := `{"Entries":[{"Source":"amperity.workflow","DetailType":"Amperity Workflow Run Started","Detail":"{}"}]}`
	toAmperity := http.Header{"Authorization": {"Bearer " + bearer}, "Amperity-Tenant": {tenant}, "Api-Version": {"2024-04-01"}, "Content-Type": {"application/json"}}
	toAWS := func(target string) http.Header {
		return http.Header{"Content-Type": {awsJSON}, "X-Amz-Target": {target}}
	}
	for _, tt := range []struct {
		name, path string
		header     http.Header
		body       io.Reader
	}{
		{"a body that breaks off", runs, toAmperity, iotest.ErrReader(errors.New("reset"))},
		{"another service of AWS", "/", toAWS("Logs.PutLogEvents"), strings.NewReader("{}")},
		{"another secret", "/", toAWS("secretsmanager.GetSecretValue"), strings.NewReader(`{"SecretId":"other"}`)},
		{"another content type", "/", http.Header{"Content-Type": {"text/xml"}, "X-Amz-Target": {events}}, strings.NewReader(entry)},
		{"no JSON for AWS", "/", toAWS(events), strings.NewReader("-")},
		{"no entries", "/", toAWS(events), strings.NewReader(`{"Entries":[]}`)},
		{"no run in the entry", "/", toAWS(events), strings.NewReader(entry)},
		{"no JSON for Amperity", runs, toAmperity, strings.NewReader(`{"config_id"="cg-1"}`)},
		{"no headers for Amperity", runs, http.Header{"Authorization": {"Bearer " + bearer}}, strings.NewReader(`{}`)},
		{"another config id", runs, toAmperity, strings.NewReader(`{"config_id":"og-1","range_from":"2026-11-21"}`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := newTestStandIn(t)
			req := httptest.NewRequest(http.MethodPost, tt.path, tt.body)
			req.Header = tt.header
			w := httptest.NewRecorder()
			in.ServeHTTP(w, req)
			if calls, err := in.Take(); w.Code != http.StatusBadRequest || len(calls) > 0 || err == nil {
				t.Errorf("status %d, %d calls, error %v", w.Code, len(calls), err)
			}
		})
	}
}

func TestStandInServesTLS(t *testing.T) {
	t.Parallel()
	in := newTestStandIn(t)
	server, url, roots, err := serveTLS(in)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	if _, err := repeat(t.Context(), transportTrusting(roots), url, startRun, 1); err != nil {
		t.Error(err)
	}
}

// send sends one request and tells the status of its answer.
func send(t *testing.T, method, url, body string, h http.Header) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range h {
		req.Header[name] = values
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode
}
