// Bare makes the two requests that trigger makes in a warm invocation, and does
// nothing else: no input is read, nothing is checked, signed, encoded or
// logged. Its time is what the requests themselves take.
package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	// As in trigger: a connection of its own for each POST to Amperity, one
	// that is kept for AWS.
	lambda.Start((&requests{
		amperity: &http.Transport{DisableKeepAlives: true},
		aws:      &http.Transport{},
		run:      os.Getenv("BARE_RUN"),
		events:   os.Getenv("BARE_EVENTS"),
		token:    os.Getenv("BARE_TOKEN"),
		tenant:   os.Getenv("AMPERITY_TENANT"),
		api:      os.Getenv("AMPERITY_BASE_URL"),
		endpoint: os.Getenv("AWS_ENDPOINT_URL"),
	}).handle)
}

type requests struct {
	amperity, aws                             http.RoundTripper
	run, events, token, tenant, api, endpoint string
}

func (r *requests) handle(ctx context.Context) (string, error) {
	err := send(ctx, r.amperity, r.api+"/workflow/runs", r.run, http.Header{
		"Authorization":   {"Bearer " + r.token},
		"Amperity-Tenant": {r.tenant},
		"Api-Version":     {"2024-04-01"},
		"Content-Type":    {"application/json"},
	})
	if err != nil {
		return "", err
	}
	return "done", send(ctx, r.aws, r.endpoint, r.events, http.Header{
		"Content-Type": {"application/x-amz-json-1.1"},
		"X-Amz-Target": {"AWSEvents.PutEvents"},
	})
}

func send(ctx context.Context, t http.RoundTripper, url, body string, h http.Header) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header = h
	res, err := t.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	// The status is not looked at: the stand-in remembers what it refused.
	_, err = io.Copy(io.Discard, res.Body)
	return err
}
