package amperity_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

// Send a request again only while nothing was processed.
func ExampleNotProcessed() {
	client, server := simulate(nil)
	defer server.Close()
	if err := server.Fault(amperitytest.Fault{Kind: amperitytest.Status, Status: 429, Times: 2}); err != nil {
		fmt.Println(err)
		return
	}

	var run *amperity.Run
	var err error
	for range 5 {
		run, err = client.StartRun(context.Background(), amperity.RunRequest{ConfigID: "og-234BCd5EF"})
		if !amperity.NotProcessed(err) {
			break // the run has started, or may have
		}
		// In production: wait, longer each time.
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(run.State, len(server.Runs()), len(server.Requests()))
	// Output: scheduled 1 3
}

// A response with a status other than 2xx.
func ExampleAPIError() {
	client, server := simulate(nil)
	defer server.Close()
	if err := server.Fault(amperitytest.Fault{
		Kind: amperitytest.Status, Status: 503, Header: map[string]string{"Retry-After": "3"},
	}); err != nil {
		fmt.Println(err)
		return
	}

	_, err := client.StartRun(context.Background(), amperity.RunRequest{ConfigID: "og-234BCd5EF"})
	var answer *amperity.APIError
	if errors.As(err, &answer) {
		fmt.Println(answer.Status, answer.Message)
		fmt.Println("retry after", answer.RetryAfter)
		fmt.Println(answer.Hint)
	}
	// Output:
	// 503 a fault on demand: 503 Service Unavailable
	// retry after 3s
	// it may have been processed all the same: look in Amperity before you send it again
}

// A request without a response.
func ExampleTransportError() {
	client, server := simulate(nil)
	defer server.Close()
	server.StopListening()

	_, err := client.StartRun(context.Background(), amperity.RunRequest{ConfigID: "og-234BCd5EF"})
	var failed *amperity.TransportError
	if errors.As(err, &failed) {
		fmt.Println("may have been sent:", failed.MayHaveBeenSent)
		fmt.Println("refused:", errors.Is(err, syscall.ECONNREFUSED))
	}
	// Output:
	// may have been sent: false
	// refused: true
}

// The page of a proxy, with a 2xx status.
func ExampleResponseError() {
	client, server := simulate(nil)
	defer server.Close()
	if err := server.Fault(amperitytest.Fault{Kind: amperitytest.NotJSON, Body: "<html>"}); err != nil {
		fmt.Println(err)
		return
	}

	_, err := client.StartRun(context.Background(), amperity.RunRequest{ConfigID: "og-234BCd5EF"})
	var unreadable *amperity.ResponseError
	fmt.Println(errors.As(err, &unreadable), amperity.NotProcessed(err))
	fmt.Println(err)
	// Output:
	// true false
	// POST /workflow/runs: 200 OK, but the answer is not JSON; it begins "<html>"
}

// A request that Amperity would refuse is not sent.
func ExampleRequestError() {
	client, server := simulate(nil)
	defer server.Close()
	_, err := client.StartRun(context.Background(), amperity.RunRequest{ConfigID: "cc-345CDe6FG", RangeFrom: "2026-11-22"})
	var invalid *amperity.RequestError
	if errors.As(err, &invalid) {
		for _, p := range invalid.Problems {
			printProblem(p)
		}
	}
	fmt.Println(len(server.Requests()), "requests")
	// Output:
	// range_from: is for courier groups (cg-…) only: leave it out, this is the id of a campaign
	// 0 requests
}

// Without a token nothing is sent.
func ExampleTokenError() {
	client, err := amperity.New("acme", amperity.StaticTokenSource(""))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err = client.StartRun(ctx, amperity.RunRequest{ConfigID: "og-234BCd5EF"})
	var none *amperity.TokenError
	fmt.Println(errors.As(err, &none), errors.Is(err, amperity.ErrUnauthorized))
	fmt.Println(err)
	// Output:
	// true true
	// no access token: the token is empty
}
