package amperity_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// waitUntilEnded reads a run at intervals until it has ended or ctx has. A
// failed request proves nothing about the run. waitUntilEnded then reads again,
// unless no later request could succeed.
func waitUntilEnded(ctx context.Context, client *amperity.Client, id string, interval time.Duration) (*amperity.Run, error) {
	for {
		run, err := client.GetRun(ctx, id, amperity.ViewVerbose)
		switch {
		case err == nil && run.Ended():
			return run, nil
		case errors.Is(err, amperity.ErrRejected), errors.Is(err, amperity.ErrUnauthorized):
			return nil, err
		}
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Wait until a run has ended. The clock of this example's server moves by a
// second whenever the server reads it, so that nothing has to sleep.
func Example_waitUntilARunHasEnded() {
	var seconds atomic.Int64
	client, server := simulate(func() time.Time { return time.Unix(seconds.Add(1), 0) })
	defer server.Close()

	ctx := context.Background()
	run, err := client.StartRun(ctx, amperity.RunRequest{ConfigID: "cg-123ABc4DE"})
	if err != nil {
		fmt.Println(err)
		return
	}
	run, err = waitUntilEnded(ctx, client, run.ID, 0) // in production: a minute
	if err != nil {
		fmt.Println(err)
		return
	}
	if run.State.Is(amperity.StateSucceeded) {
		fmt.Println("succeeded")
	} else {
		fmt.Println(run.State, run.Error)
	}
	// Output: succeeded
}
