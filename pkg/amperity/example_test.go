package amperity_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

// Start a run of a courier group over one day, and tell a failure after which it may be started again from one after
// which it may not.
func ExampleClient_StartRun() {
	server, err := amperitytest.New(amperitytest.Config{Now: time.Now}) // in production: no server, and no WithBaseURL
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client, err := amperity.New(amperitytest.DefaultTenant, amperity.StaticTokenSource(amperitytest.DefaultToken), amperity.WithBaseURL(server.URL()))
	if err != nil {
		fmt.Println(err)
		return
	}

	run, err := client.StartRun(context.Background(), amperity.RunRequest{
		ConfigID:  "cg-123ABc4DE",
		RangeFrom: "2026-11-22",
		RangeTo:   "2026-11-23",
		RunMode:   amperity.RunModeSource,
	})
	var invalid *amperity.RequestError
	switch {
	case err == nil:
		fmt.Println("started:", run.State)
	case !amperity.NotProcessed(err):
		fmt.Println("look in Amperity before you start it again:", err)
	case errors.As(err, &invalid), errors.Is(err, amperity.ErrRejected):
		fmt.Println("mend the request first:", err)
	case errors.Is(err, amperity.ErrUnauthorized):
		fmt.Println("renew the token first:", err)
	default:
		fmt.Println("nothing was started, try again later:", err)
	}
	// Output: started: scheduled
}

// Count the runs of the last day.
func ExampleClient_ListRuns() {
	server, err := amperitytest.New(amperitytest.Config{Now: time.Now})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client, err := amperity.New(amperitytest.DefaultTenant, amperity.StaticTokenSource(amperitytest.DefaultToken), amperity.WithBaseURL(server.URL()))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	for range 3 {
		if _, err := client.StartRun(ctx, amperity.RunRequest{ConfigID: "og-234BCd5EF"}); err != nil {
			fmt.Println(err)
			return
		}
	}

	count := 0
	for _, err := range client.ListRuns(ctx, amperity.ListOptions{CreatedFrom: time.Now().AddDate(0, 0, -1), Limit: 2}) {
		if err != nil {
			fmt.Println(err) // the list is not complete
			return
		}
		count++
	}
	fmt.Println(count, "runs")
	// Output: 3 runs
}
