package amperitytest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

// A test of code that starts a run. In a real test, startNightly is the code
// under test, and assertions replace the printing.
func Example() {
	startNightly := func(c *amperity.Client) error {
		_, err := c.StartRun(context.Background(), amperity.RunRequest{
			ConfigID: "cg-123ABc4DE", RangeFrom: "2026-11-22", RangeTo: "2026-11-23",
		})
		return err
	}

	srv, err := amperitytest.New(amperitytest.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	client, err := amperity.New(amperitytest.DefaultTenant, amperity.StaticTokenSource(amperitytest.DefaultToken),
		amperity.WithBaseURL(srv.URL()))
	if err != nil {
		fmt.Println(err)
		return
	}

	if err := startNightly(client); err != nil {
		fmt.Println(err)
	}

	// The response is lost after the run started.
	if err := srv.Fault(amperitytest.Fault{
		Method: "POST", Kind: amperitytest.Status, Status: 504, Applied: true,
	}); err != nil {
		fmt.Println(err)
	}
	err = startNightly(client)
	var answer *amperity.APIError
	fmt.Println("response lost:", errors.As(err, &answer) && answer.Status == 504)
	fmt.Println("safe to send again:", amperity.NotProcessed(err))

	for _, run := range srv.Runs() {
		fmt.Println("started", run.ConfigID, run.RangeFrom, run.RangeTo)
	}
	// Output:
	// response lost: true
	// safe to send again: false
	// started cg-123ABc4DE 2026-11-22 2026-11-23
	// started cg-123ABc4DE 2026-11-22 2026-11-23
}

// The test owns the clock, and sees the run end without waiting.
func ExampleServer_Script() {
	now := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	srv, err := amperitytest.New(amperitytest.Config{Now: func() time.Time { return now }})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	if err := srv.Script("cg-123ABc4DE", amperitytest.Script{
		Duration: 3 * time.Hour, End: amperitytest.FailedPlatform,
	}); err != nil {
		fmt.Println(err)
	}
	client, err := amperity.New(amperitytest.DefaultTenant, amperity.StaticTokenSource(amperitytest.DefaultToken),
		amperity.WithBaseURL(srv.URL()))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	run, err := client.StartRun(ctx, amperity.RunRequest{ConfigID: "cg-123ABc4DE"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(run.State)

	now = now.Add(3 * time.Hour)
	run, err = client.GetRun(ctx, run.ID, amperity.ViewVerbose)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(run.State, run.Error.Attribution)
	// Output:
	// in-progress
	// failed platform
}
