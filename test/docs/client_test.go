package docs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

// startDay starts a courier group over one day.
func startDay(ctx context.Context, client *amperity.Client, configID, day string) (*amperity.Run, error) {
	run, err := client.StartRun(ctx, amperity.RunRequest{ConfigID: configID, RangeFrom: day})
	if err != nil && !amperity.NotProcessed(err) {
		return nil, fmt.Errorf("a run may exist, look before you start it again: %w", err)
	}
	return run, err // an error here means that no run was started
}

func TestClientInTheDocumentationWorks(t *testing.T) {
	t.Parallel()
	own := read(t, "test/docs/client_test.go")
	begin := strings.Index(own, "// startDay starts")
	end := strings.Index(own, "\n}\n") + 3
	if want := "```go\n" + own[begin:end] + "```\n"; !strings.Contains(read(t, "docs/reference.md"), want) {
		t.Errorf("docs/reference.md does not have\n%s", want)
	}

	server, err := amperitytest.New(amperitytest.Config{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	client, err := amperity.New(amperitytest.DefaultTenant, amperity.StaticTokenSource(amperitytest.DefaultToken), amperity.WithBaseURL(server.URL()))
	if err != nil {
		t.Fatal(err)
	}
	run, err := startDay(t.Context(), client, "cg-123ABc4DE", "2026-11-22")
	if err != nil || run.ID != server.Runs()[0].ID {
		t.Error(run, err)
	}
	var rejected *amperity.RequestError
	if _, err := startDay(t.Context(), client, "cg-123ABc4DE", "22 November"); !errors.As(err, &rejected) || !amperity.NotProcessed(err) {
		t.Error(err)
	}
}
