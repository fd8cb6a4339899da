package conformance_test

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

// TestClientConformsToTheDocument calls each endpoint of the simulated API with
// the client, in every supported way.
func TestClientConformsToTheDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *amperitytest.Config) { c.PageSize = 2 })
	router := mustLoad(t, w.URL())
	rec := newRecorder()
	client, err := amperity.New("acme", amperity.StaticTokenSource(token), amperity.WithBaseURL(w.URL()), amperity.WithTransport(rec))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Script("cg-failed", amperitytest.Script{
		Duration: time.Hour, End: amperitytest.FailedPlatform, Tasks: []string{"Load", "Send"},
	}); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()

	var started []string
	for _, r := range []amperity.RunRequest{
		{ConfigID: "cg-failed", RangeFrom: "2026-11-22", RangeTo: "2026-11-23", RunMode: amperity.RunModeFull},
		{ConfigID: "cg-1", RangeFrom: "2026-11-22T05:00:00Z", RangeTo: "2026-11-22T06:00:00Z", RunMode: amperity.RunModeRefresh},
		{ConfigID: "cg-2", RangeFrom: "2026-11-22", RunMode: amperity.RunModeSource},
		{ConfigID: "og-1"},
		{ConfigID: "cc-1"},
	} {
		run, err := client.StartRun(ctx, r)
		if err != nil {
			t.Fatalf("%s: %v", r.ConfigID, err)
		}
		if !run.State.Is(amperity.StateScheduled) && !run.State.Is(amperity.StateInProgress) || run.Ended() || run.Tenant != "acme" {
			t.Errorf("%s: started as %+v", r.ConfigID, run)
		}
		started = append(started, run.ID)
		w.advance(time.Second)
	}
	var logged []string
	for _, run := range w.Runs() {
		logged = append(logged, run.ID)
	}
	if diff := cmp.Diff(logged, started); diff != "" {
		t.Error(diff)
	}
	if _, err := client.StartRun(ctx, amperity.RunRequest{ConfigID: "cg-failed"}); !errors.Is(err, amperity.ErrConflict) {
		t.Errorf("a start of a running config id: %v", err)
	}
	if run, err := client.StopRun(ctx, started[1]); err != nil || !run.State.Is(amperity.StateStopping) {
		t.Errorf("stopped: %+v, %v", run, err)
	}
	w.advance(time.Hour)
	if _, err := client.StopRun(ctx, started[1]); !errors.Is(err, amperity.ErrConflict) {
		t.Errorf("stopped again: %v", err)
	}

	// Each field of the verbose view arrives.
	run, err := client.GetRun(ctx, started[0], amperity.ViewVerbose)
	if err != nil {
		t.Fatal(err)
	}
	wantEnd := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	if !run.State.Is(amperity.StateFailed) || !run.Ended() || !run.EndedAt.Equal(wantEnd) || !run.CreatedAt.Equal(wantEnd.Add(-time.Hour)) ||
		run.Type != amperity.RunTypeCourierGroup || run.Name == "" || run.PrincipalID == "" || run.PrincipalName == "" ||
		run.LaunchedVersion == "" || run.CurrentVersion == "" {
		t.Errorf("verbose: %+v", run)
	}
	if run.Error == nil || run.Error.Attribution != "platform" || run.Error.Type == "" || run.Error.Message == "" {
		t.Errorf("error: %+v", run.Error)
	}
	if len(run.Tasks) != 2 || run.Tasks[1].Label != "Send" {
		t.Errorf("tasks: %+v", run.Tasks)
	}
	brief, err := client.GetRun(ctx, started[0], amperity.ViewOverview)
	if err != nil || brief.ID != started[0] || brief.PrincipalID != "" || brief.Tasks != nil {
		t.Errorf("overview: %+v, %v", brief, err)
	}
	if _, err := client.GetRun(ctx, "wf-1", amperity.ViewOverview); !errors.Is(err, amperity.ErrNotFound) {
		t.Errorf("an unknown run: %v", err)
	}

	for _, list := range []struct {
		options amperity.ListOptions
		want    int
	}{
		{amperity.ListOptions{}, 5},
		{amperity.ListOptions{Limit: 1, WithTotal: true}, 5},
		{amperity.ListOptions{State: amperity.StateSucceeded}, 3},
		{amperity.ListOptions{State: "In progress"}, 0},
		{amperity.ListOptions{Type: amperity.RunTypeCampaign}, 1},
		{amperity.ListOptions{CreatedFrom: wantEnd.Add(-time.Hour), CreatedTo: wantEnd.Add(-time.Hour + 3*time.Second)}, 3},
		{amperity.ListOptions{EndedFrom: wantEnd, EndedTo: wantEnd.Add(time.Second)}, 1},
		{amperity.ListOptions{CreatedFrom: wantEnd.Add(-time.Hour).In(time.FixedZone("", -5*3600))}, 5},
	} {
		found := 0
		for page, err := range client.ListRunPages(ctx, list.options) {
			if err != nil {
				t.Fatalf("%+v: %v", list.options, err)
			}
			found += len(page.Runs)
			if list.options.WithTotal != (page.Total != nil) || page.Total != nil && *page.Total != list.want {
				t.Errorf("%+v: total %v", list.options, page.Total)
			}
		}
		if found != list.want {
			t.Errorf("%+v: %d runs, want %d", list.options, found, list.want)
		}
	}

	seen := map[string]bool{}
	for _, e := range rec.all() {
		if err := e.checkRequest(router); err != nil {
			t.Errorf("%s %s: %v", e.request.Method, e.request.URL.Path, err)
		}
		if err := e.checkResponse(router); err != nil {
			t.Errorf("%s %s: answer %d: %v", e.request.Method, e.request.URL.Path, e.status, err)
		}
		route, _, err := router.FindRoute(e.request)
		if err != nil {
			t.Fatal(err)
		}
		seen[route.Operation.OperationID] = true
	}
	if diff := cmp.Diff([]string{"get-workflow", "list-workflows", "run-workflow", "stop-workflow"}, slices.Sorted(maps.Keys(seen))); diff != "" {
		t.Errorf("operations that the client used: %s", diff)
	}
}

// TestClientFetchesTokensFromTheServer tests the token endpoint, which the
// OpenAPI document lacks.
func TestClientFetchesTokensFromTheServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source, err := amperity.NewClientCredentials(amperity.ClientCredentialsConfig{
		TokenURL: w.TokenURL(), ClientID: "client-1", ClientSecret: amperity.NewToken("sec-xSECRETx-1"),
		Tenant: "acme", Transport: newRecorder(), Now: func() time.Time { return w.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	client, err := amperity.New("acme", source, amperity.WithBaseURL(w.URL()), amperity.WithTransport(newRecorder()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.StartRun(t.Context(), amperity.RunRequest{ConfigID: "cg-1"}); err != nil {
		t.Error(err)
	}
	// The server revokes the token before the client expects it to expire.
	w.ExpireTokens()
	if _, err := client.StartRun(t.Context(), amperity.RunRequest{ConfigID: "cg-2"}); err != nil {
		t.Errorf("with a token that is refused at first: %v", err)
	}
	if len(w.Runs()) != 2 {
		t.Errorf("%d runs", len(w.Runs()))
	}
}
