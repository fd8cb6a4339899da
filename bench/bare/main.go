// Bare makes the requests that trigger makes in a warm invocation, with those
// to the ledger or without them. It does nothing else: it reads no input, and
// checks, signs, encodes and logs nothing. So its time is that of the requests
// alone.
package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	// The requests to the ledger, each an operation and a body: three before
	// the run, two after it, and one after the event.
	var ledger [][2]string
	if text := os.Getenv("BARE_LEDGER"); text != "" {
		if err := json.Unmarshal([]byte(text), &ledger); err != nil || len(ledger) != 6 {
			log.Fatalf("BARE_LEDGER: %d requests, %v", len(ledger), err)
		}
	}
	// As in trigger: a connection of its own for each POST to Amperity, one
	// that is kept for AWS.
	lambda.Start((&requests{
		amperity: &http.Transport{DisableKeepAlives: true},
		aws:      &http.Transport{},
		ledger:   ledger,
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
	ledger                                    [][2]string
	run, events, token, tenant, api, endpoint string
}

func (r *requests) handle(ctx context.Context) (string, error) {
	if err := r.remember(ctx, 0, 3); err != nil {
		return "", err
	}
	err := send(ctx, r.amperity, r.api+"/workflow/runs", r.run, http.Header{
		"Authorization":   {"Bearer " + r.token},
		"Amperity-Tenant": {r.tenant},
		"Api-Version":     {"2024-04-01"},
		"Content-Type":    {"application/json"},
	})
	if err != nil {
		return "", err
	}
	if err := r.remember(ctx, 3, 5); err != nil {
		return "", err
	}
	err = send(ctx, r.aws, r.endpoint, r.events, http.Header{
		"Content-Type": {"application/x-amz-json-1.1"},
		"X-Amz-Target": {"AWSEvents.PutEvents"},
	})
	if err != nil {
		return "", err
	}
	return "done", r.remember(ctx, 5, 6)
}

// remember sends some of the requests to the ledger, if there is one.
func (r *requests) remember(ctx context.Context, from, to int) error {
	if r.ledger == nil {
		return nil
	}
	for _, l := range r.ledger[from:to] {
		err := send(ctx, r.aws, r.endpoint, l[1], http.Header{
			"Content-Type": {"application/x-amz-json-1.0"},
			"X-Amz-Target": {l[0]},
		})
		if err != nil {
			return err
		}
	}
	return nil
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
