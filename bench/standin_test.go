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

	client "github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// url returns the address of one of the world's servers.
func (w *world) url(t *testing.T, s service) string {
	t.Helper()
	for _, v := range w.Environ {
		if url, ok := strings.CutPrefix(v, s.Variable+"="); ok {
			return url
		}
	}
	t.Fatalf("no address of %s", s.Name)
	return ""
}

func named(name string) service {
	for _, s := range services {
		if s.Name == name {
			return s
		}
	}
	panic(name)
}

func sdkConfig(w *world, t *testing.T, name string) aws.Config {
	t.Helper()
	return aws.Config{Region: region, BaseEndpoint: aws.String(w.url(t, named(name))),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: "key-xSECRETx"}, nil
		})}
}

func TestStandInServesTheRealClients(t *testing.T) {
	t.Parallel()
	w := testEnvironment(t, distances{}, nil).world
	secret, err := secretsmanager.NewFromConfig(sdkConfig(w, t, "secretsmanager")).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String(secretID)})
	if err != nil {
		t.Fatal(err)
	}
	if *secret.SecretString != bearer {
		t.Error("the secret is not the token that the stand-in accepts")
	}
	out, err := eventbridge.NewFromConfig(sdkConfig(w, t, "events")).PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		Source: aws.String(source), DetailType: aws.String("Amperity Workflow Run Started"), Detail: aws.String(`{}`), EventBusName: aws.String(eventBus)}}})
	if err != nil {
		t.Fatal(err)
	}
	if out.FailedEntryCount != 0 || len(out.Entries) != 1 || *out.Entries[0].EventId == "" {
		t.Errorf("PutEvents answered %d failed of %d entries", out.FailedEntryCount, len(out.Entries))
	}
	c, err := client.New(tenant, client.StaticTokenSource(bearer), client.WithBaseURL(w.url(t, named(amperity))))
	if err != nil {
		t.Fatal(err)
	}
	run, err := c.StartRun(t.Context(), client.RunRequest{ConfigID: configID, RangeFrom: "2026-11-21", RangeTo: "2026-11-22"})
	if err != nil {
		t.Fatal(err)
	}
	if run.ID == "" || run.Tenant != tenant {
		t.Errorf("got the run %q of %q", run.ID, run.Tenant)
	}
	calls, err := w.take()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"secretsmanager connect", "secretsmanager GetSecretValue", "events connect", "events PutEvents",
		"amperity connect", "amperity POST /workflow/runs"}
	if diff := cmp.Diff(want, each(calls, call.String)); diff != "" {
		t.Error(diff)
	}
	if again, err := w.take(); len(again) > 0 || err != nil {
		t.Errorf("take returns the same twice: %v, %v", again, err)
	}
}

func TestStandInKeepsWrongRequestsAsFaults(t *testing.T) {
	t.Parallel()
	runs := apiPrefix + "/workflow/runs"
	toAmperity := http.Header{"Authorization": {"Bearer " + bearer}, "Amperity-Tenant": {tenant}, "Api-Version": {"2024-04-01"}, "Content-Type": {"application/json"}}
	toAWS := func(contentType, target string) http.Header {
		return http.Header{"Content-Type": {contentType}, "X-Amz-Target": {target}, "X-Amz-Date": {"20261122T060000Z"},
			"Authorization": {"AWS4-HMAC-SHA256 Credential=" + accessKey + "/20261122/eu-west-1/x/aws4_request"}}
	}
	unsigned := toAWS(awsJSON, "AWSEvents.PutEvents")
	unsigned.Del("Authorization")
	const putItem = "DynamoDB_20120810.PutItem"
	for _, tt := range []struct {
		name, service, method, path string
		header                      http.Header
		body                        io.Reader
	}{
		{"a body that breaks off", amperity, "POST", runs, toAmperity, iotest.ErrReader(errors.New("reset"))},
		{"an unsigned request", "events", "POST", "/", unsigned, strings.NewReader(`{"Entries":[]}`)},
		{"a request of another service", "dynamodb", "POST", "/", toAWS(awsJSON, "AWSEvents.PutEvents"), strings.NewReader(`{}`)},
		{"another protocol", "events", "POST", "/", toAWS("text/xml", "AWSEvents.PutEvents"), strings.NewReader(`{}`)},
		{"an unknown operation", "events", "POST", "/", toAWS(awsJSON, "AWSEvents.PutRule"), strings.NewReader(`{}`)},
		{"another secret", "secretsmanager", "POST", "/", toAWS(awsJSON, "secretsmanager.GetSecretValue"), strings.NewReader(`{"SecretId":"other"}`)},
		{"no JSON for EventBridge", "events", "POST", "/", toAWS(awsJSON, "AWSEvents.PutEvents"), strings.NewReader(`-`)},
		{"an entry of another source", "events", "POST", "/", toAWS(awsJSON, "AWSEvents.PutEvents"), strings.NewReader(`{"Entries":[{"Source":"x","Detail":"{}"}]}`)},
		{"an unknown operation of DynamoDB", "dynamodb", "POST", "/", toAWS(dynamoJSON, "DynamoDB_20120810.Scan"), strings.NewReader(`{}`)},
		{"another table", "dynamodb", "POST", "/", toAWS(dynamoJSON, putItem), strings.NewReader(`{"TableName":"x","Item":{"pk":{"S":"a"}}}`)},
		{"a write without a condition", "dynamodb", "POST", "/", toAWS(dynamoJSON, putItem), strings.NewReader(`{"TableName":"bench-ledger","Item":{"pk":{"S":"a"}}}`)},
		{"a query for another state", "dynamodb", "POST", "/", toAWS(dynamoJSON, "DynamoDB_20120810.Query"), strings.NewReader(`{"KeyConditionExpression":"s = :s"}`)},
		{"another operation of Amperity", amperity, "GET", runs, toAmperity, strings.NewReader(``)},
		{"another token", amperity, "POST", runs, http.Header{"Authorization": {"Bearer x"}, "Amperity-Tenant": {tenant}}, strings.NewReader(`{"config_id":"cg-1"}`)},
		{"no config id", amperity, "POST", runs, toAmperity, strings.NewReader(`{}`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var in standIn
			in.reset(table{}, false)
			req := httptest.NewRequest(tt.method, tt.path, tt.body)
			req.Header = tt.header
			w := httptest.NewRecorder()
			in.handler(named(tt.service), func() time.Duration { return 0 }).ServeHTTP(w, req)
			if _, err := in.take(); w.Code != http.StatusBadRequest || err == nil {
				t.Errorf("status %d, error %v", w.Code, err)
			}
		})
	}
}

func TestStepsFollowEachOther(t *testing.T) {
	t.Parallel()
	start := time.Unix(0, 0)
	at := func(ms int, distance int, operation string) call {
		return call{Operation: operation, At: start.Add(time.Duration(ms) * time.Millisecond), Distance: time.Duration(distance) * time.Millisecond}
	}
	for _, tt := range []struct {
		name  string
		calls []call
		want  int
	}{
		{"none", nil, 0},
		{"each after the answer to the one before", []call{at(10, 2, "a"), at(12, 2, "b"), at(14, 2, "c")}, 3},
		{"two concurrent", []call{at(10, 4, "a"), at(11, 4, "b")}, 1},
		{"a far one beside two near ones", []call{at(30, 40, "far"), at(12, 2, "a"), at(15, 2, "b")}, 2},
		{"a connection is open after its distance", []call{at(10, 4, connected), at(16, 4, "a")}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := steps(tt.calls); len(got) != tt.want {
				t.Errorf("got %v, want %d steps", got, tt.want)
			}
		})
	}
}
