package amperity_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

// simulate returns a client of a simulated Amperity, for the examples. now is
// the server's clock; nil is the machine's.
func simulate(now func() time.Time) (*amperity.Client, *amperitytest.Server) {
	server, err := amperitytest.New(amperitytest.Config{Now: now})
	if err != nil {
		panic(err)
	}
	client, err := amperity.New(amperitytest.DefaultTenant,
		amperity.StaticTokenSource(amperitytest.DefaultToken), amperity.WithBaseURL(server.URL()))
	if err != nil {
		panic(err)
	}
	return client, server
}

// Start a run of a courier group over one day. A program in production has no
// server of its own, and needs WithBaseURL only if its tenant is not hosted in
// Amazon AWS.
func Example() {
	server, err := amperitytest.New(amperitytest.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	client, err := amperity.New("demo", amperity.StaticTokenSource("simulator-token"),
		amperity.WithBaseURL(server.URL()))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	run, err := client.StartRun(ctx, amperity.RunRequest{ConfigID: "cg-123ABc4DE", RangeFrom: "2026-11-22"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(run.State)
	// Output: scheduled
}

// All settings have defaults that suit a tenant hosted in Amazon AWS.
func ExampleNew() {
	client, err := amperity.New("acme", amperity.StaticTokenSource("an access token"),
		amperity.WithBaseURL(amperity.DefaultBaseURL),
		amperity.WithAPIVersion(amperity.DefaultAPIVersion),
		amperity.WithUserAgent("acme-etl/1.0 amperity-runs/"+amperity.Version),
		amperity.WithDeprecationHook(func(d amperity.Deprecation) {
			fmt.Println(d.Path, "ends on", d.Sunset)
		}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()
	fmt.Println(client)
	// Output: amperity.Client(tenant acme at https://app.amperity.com/api)
}

// New names everything that is wrong with its arguments.
func ExampleConfigError() {
	_, err := amperity.New("acme.amperity.com", nil)
	var wrong *amperity.ConfigError
	if errors.As(err, &wrong) {
		for _, p := range wrong.Problems {
			printProblem(p)
		}
	}
	// Output:
	// tenant: is "acme.amperity.com", a host: write the tenant id alone, acme of acme.amperity.com
	// token source: is nil: give one, such as StaticTokenSource(…)
}

func printProblem(p amperity.Problem) { fmt.Printf("%s: %s\n", p.Field, p.Message) }

// Options may be collected before the client is made.
func ExampleOption() {
	server, err := amperitytest.New(amperitytest.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	options := []amperity.Option{amperity.WithBaseURL(server.URL())}
	options = append(options, amperity.WithUserAgent("acme-etl/1.0"))
	_, err = amperity.New("demo", amperity.StaticTokenSource("simulator-token"), options...)
	fmt.Println(err)
	// Output: <nil>
}

// A test needs no socket: the transport carries the requests to the server in
// memory.
func ExampleWithTransport() {
	server, err := amperitytest.New(amperitytest.Config{NoSocket: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client, err := amperity.New("demo", amperity.StaticTokenSource("simulator-token"),
		amperity.WithBaseURL(server.URL()), amperity.WithTransport(server.Transport()))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.StartRun(context.Background(), amperity.RunRequest{ConfigID: "og-234BCd5EF"})
	fmt.Println(len(server.Runs()), err)
	// Output: 1 <nil>
}

// A program that knows that it will start a run opens the connection earlier.
func ExampleWithDialTLS() {
	var mu sync.Mutex
	var early net.Conn // opened at a time, and not used yet
	var opened time.Time
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		mu.Lock()
		conn := early
		early = nil // a connection serves one request
		mu.Unlock()
		if conn != nil && time.Since(opened) < 3*time.Second {
			return conn, nil
		}
		return new(tls.Dialer).DialContext(ctx, network, addr)
	}
	client, err := amperity.New("acme", amperity.StaticTokenSource("an access token"), amperity.WithDialTLS(dial))
	fmt.Println(client, err)
	// Output: amperity.Client(tenant acme at https://app.amperity.com/api) <nil>
}

// Start a run, and choose what to do after a failure.
func ExampleClient_StartRun() {
	client, server := simulate(nil)
	defer server.Close()

	ctx, cancel := context.WithTimeout(context.Background(), amperity.DefaultTimeout)
	defer cancel()
	run, err := client.StartRun(ctx, amperity.RunRequest{
		ConfigID:  "cg-123ABc4DE",
		RangeFrom: "2026-11-22",
		RangeTo:   "2026-11-23",
		RunMode:   amperity.RunModeSource,
	})
	var invalid *amperity.RequestError
	switch {
	case err == nil:
		fmt.Println("started:", run.State)
	case errors.Is(err, amperity.ErrConflict):
		fmt.Println("a run is in the way, perhaps of this very request: read the list of runs:", err)
	case !amperity.NotProcessed(err):
		fmt.Println("a run may exist: read the list of runs:", err)
	case errors.As(err, &invalid), errors.Is(err, amperity.ErrRejected):
		fmt.Println("fix the request first:", err)
	case errors.Is(err, amperity.ErrUnauthorized):
		fmt.Println("renew the token first:", err)
	case errors.Is(err, amperity.ErrRateLimited):
		fmt.Println("send it again later, more slowly:", err)
	default:
		fmt.Println("not sent, send it again later:", err)
	}
	// Output: started: scheduled
}

// Read why a run failed.
func ExampleClient_GetRun() {
	client, server := simulate(nil)
	defer server.Close()
	if err := server.Script("cg-123ABc4DE", amperitytest.Script{End: amperitytest.FailedPlatform}); err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	started, err := client.StartRun(ctx, amperity.RunRequest{ConfigID: "cg-123ABc4DE"})
	if err != nil {
		fmt.Println(err)
		return
	}

	// The overview, which an empty view means too, has no tasks and no error.
	overview, err := client.GetRun(ctx, started.ID, amperity.ViewOverview)
	if err != nil {
		fmt.Println(err)
		return
	}
	run, err := client.GetRun(ctx, started.ID, amperity.ViewVerbose)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(overview.State, len(overview.Tasks), len(run.Tasks))
	fmt.Println(run.Error)
	_, err = client.GetRun(ctx, "wf-20240603-12345-MNabc", "")
	fmt.Println(errors.Is(err, amperity.ErrNotFound))
	// Output:
	// failed 0 1
	// platform: Found table in an invalid state. (amperity.workflow.task.stitch/table)
	// true
}

// Count the runs of the last day that have not ended.
func ExampleClient_ListRuns() {
	client, server := simulate(nil)
	defer server.Close()
	ctx := context.Background()
	for range 3 {
		if _, err := client.StartRun(ctx, amperity.RunRequest{ConfigID: "og-234BCd5EF"}); err != nil {
			fmt.Println(err)
			return
		}
	}

	running := 0
	for run, err := range client.ListRuns(ctx, amperity.ListOptions{CreatedFrom: time.Now().AddDate(0, 0, -1)}) {
		if err != nil {
			fmt.Println(err) // the list is not complete
			return
		}
		if !run.Ended() {
			running++
		}
	}
	fmt.Println(running, "runs")
	// Output: 3 runs
}

// Read the list page by page, with its total.
func ExampleClient_ListRunPages() {
	client, server := simulate(nil)
	defer server.Close()
	ctx := context.Background()
	for range 3 {
		if _, err := client.StartRun(ctx, amperity.RunRequest{ConfigID: "og-234BCd5EF"}); err != nil {
			fmt.Println(err)
			return
		}
	}

	show := func(page *amperity.Page) {
		if page.Total != nil {
			fmt.Println(len(page.Runs), "of", *page.Total)
		}
	}
	for page, err := range client.ListRunPages(ctx, amperity.ListOptions{Limit: 2, WithTotal: true}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		show(page)
	}
	// Output:
	// 2 of 3
	// 1 of 3
}

// Stop a run. A 409 means that the run has ended already.
func ExampleClient_StopRun() {
	client, server := simulate(nil)
	defer server.Close()
	ctx := context.Background()
	run, err := client.StartRun(ctx, amperity.RunRequest{ConfigID: "cg-123ABc4DE"})
	if err != nil {
		fmt.Println(err)
		return
	}

	run, err = client.StopRun(ctx, run.ID)
	if errors.Is(err, amperity.ErrConflict) {
		fmt.Println("the run has ended")
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(run.State)
	// Output: stopping
}
