package e2e

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
	"github.com/amperity-runs/amperity-runs/test/stack"
)

// posts counts the requests that would start a run.
func posts(w *stack.World) (n int) {
	for _, r := range w.Simulator.Requests() {
		if r.Method == http.MethodPost && strings.HasSuffix(r.Path, "/workflow/runs") {
			n++
		}
	}
	return n
}

func fault(t *testing.T, w *stack.World, f amperitytest.Fault) {
	t.Helper()
	f.Method, f.PathSuffix = http.MethodPost, "/workflow/runs"
	if err := w.Simulator.Fault(f); err != nil {
		t.Fatal(err)
	}
}

// TestEventsForTheOperatorAreMailed checks that the template's rule mails one
// sentence for each event.
func TestEventsForTheOperatorAreMailed(t *testing.T) {
	w := world(t)
	given := everything()
	given["AmperityTenant"] = amperitytest.DefaultTenant
	made := stackOf(t, load(t).Translated, given)
	watch := func(rule string) string {
		transformer := at(made[rule].Properties, "Targets", 0, "InputTransformer")
		paths := map[string]string{}
		for k, v := range at(transformer, "InputPathsMap").(map[string]any) {
			paths[k] = v.(string)
		}
		queue, err := w.Watch(t.Context(), rule, pattern(t, made, rule), &types.InputTransformer{
			InputPathsMap: paths, InputTemplate: aws.String(at(transformer, "InputTemplate").(string)),
		})
		if err != nil {
			t.Fatal(err)
		}
		return queue
	}
	mails, files := watch("NotificationRule"), watch("FilesNotificationRule")
	e := emulate(t, w, "trigger", nil)
	fault(t, w, amperitytest.Fault{Kind: amperitytest.Status, Status: http.StatusForbidden, Body: `{"status":403,"message":"no permission"}`})
	for _, sample := range []string{"trigger-campaign.json", "trigger-manual.json", "trigger-too-old.json"} { // rejected, started, held
		if _, err := e.Invoke(t.Context(), read(t, "events", sample)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := emulate(t, w, "s3arrival", nil).Invoke(t.Context(), read(t, "events", "s3arrival-unrouted.json")); err != nil {
		t.Fatal(err)
	}
	got, err := w.Receive(t.Context(), mails)
	if err != nil {
		t.Fatal(err)
	}
	more, err := w.Receive(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, more...)
	// moto writes the name of what an event does not have, where AWS writes
	// nothing, and does not mask quotation marks.
	want := []string{
		`"Amperity Workflow Run Rejected in tenant demo \(refused\): POST /workflow/runs: 403 Forbidden: no permission.*; .+ \[manual/cc-345CDe6FG/winter-sale-2026, hold 1, stack .+ in .+\]"`,
		`"Amperity Workflow Run Held in tenant demo \(too_old\): the run was wanted until 2026-01-06T11:00:00Z, .*; ` +
			`nothing was sent to Amperity.* \[schedule/cg-123ABc4DE/` + dailySchedule + `/2026-01-05T11:00:00Z, hold 1, stack .+ in .+\]"`,
		`"Amperity Files Unrouted in tenant demo: nothing was started for files such as arn:aws:s3:::acme-landing/.+, because no route has them; ` +
			`run amperity-runs explain with the name, then mend routes.yaml or the name \[stack .+ in .+\]"`,
	}
	if len(got) != len(want) {
		t.Fatalf("%d mails, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
	for i := range want {
		if !regexp.MustCompile("^" + want[i] + "$").MatchString(got[i]) {
			t.Errorf("mail %d is\n%s\nwant\n%s", i+1, got[i], want[i])
		}
	}
}

func TestARunWhoseAnswerIsLostIsNotStartedAgain(t *testing.T) {
	w := world(t)
	fault(t, w, amperitytest.Fault{Kind: amperitytest.Reset, Applied: true})
	answer, err := emulate(t, w, "trigger", nil).Invoke(t.Context(), read(t, "events", "trigger-manual.json"))
	if err != nil {
		t.Fatal(err)
	}
	checkAnswer(t, `{"outcome":"unknown","reason":"unknown_outcome","launch_key":"`+manualKey+`","error":true}`, answer, nil)
	checkPublished(t, nil, publishedNow(t, w), nil)
	// The sweep finds a run, the first of this config id: whose it is, the
	// operator says.
	sweep := emulate(t, w, "sweep", nil)
	for range 2 {
		later(t, w, stack.Table, 16*time.Minute)
		swept(t, sweep)
	}
	checkPublished(t, []event{{held, manualKey, "unknown_outcome", ""}}, publishedNow(t, w), nil)
	if n := posts(w); n != 1 || len(w.Simulator.Runs()) != 1 {
		t.Errorf("%d requests, %d runs", n, len(w.Simulator.Runs()))
	}
}

// A paused stack starts nothing. Afterwards everything resumes.
func TestAPausedStackStartsNothing(t *testing.T) {
	paused := map[string]string{"PAUSED": "true"}
	w := world(t)
	answer, err := emulate(t, w, "trigger", paused).Invoke(t.Context(), read(t, "events", "trigger-manual.json"))
	if err != nil {
		t.Fatal(err)
	}
	checkAnswer(t, `{"outcome":"blocked","reason":"paused","launch_key":"`+manualKey+`","error":true}`, answer, nil)
	answer, err = emulate(t, w, "s3arrival", paused).Invoke(t.Context(), read(t, "events", "s3arrival-sqs-eventbridge.json"))
	if err != nil {
		t.Fatal(err)
	}
	checkAnswer(t, nothingAgain, answer, nil)
	sweep := emulate(t, w, "sweep", paused)
	for range 3 {
		later(t, w, stack.Table, 10*time.Minute)
		if n := swept(t, sweep); n != 2 {
			t.Errorf("the sweep looked at %d items", n)
		}
	}
	if published := publishedNow(t, w); len(published) > 0 || len(w.Simulator.Requests()) > 0 {
		t.Errorf("%d events, %d requests", len(published), len(w.Simulator.Requests()))
	}
	later(t, w, stack.Table, 10*time.Minute)
	swept(t, emulate(t, w, "sweep", nil))
	if n := len(w.Simulator.Runs()); n != 2 {
		t.Errorf("%d runs, want 2", n)
	}
}

func TestARenewedSecretIsReadWhenTheOldTokenIsRefused(t *testing.T) {
	w := world(t)
	e := emulate(t, w, "trigger", nil)
	if _, err := e.Invoke(t.Context(), read(t, "events", "trigger-manual.json")); err != nil {
		t.Fatal(err)
	}
	renewed := fixtureToken + "-renewed"
	w.Simulator.SetTokens(amperitytest.Token{Value: amperity.NewToken(renewed)})
	secret, err := json.Marshal(map[string]string{"token": renewed})
	if err != nil {
		t.Fatal(err)
	}
	_, err = secretsmanager.NewFromConfig(w.AWS()).PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: aws.String(stack.SecretID), SecretString: aws.String(string(secret)),
	})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := e.Invoke(t.Context(), read(t, "events", "trigger-campaign.json"))
	if err != nil {
		t.Fatal(err)
	}
	checkAnswer(t, samples["trigger-campaign.json"].answer, answer, nil)
	if n := len(w.Simulator.Runs()); n != 2 {
		t.Errorf("%d runs, want 2", n)
	}
}

func TestWrongSettingsAreNamedToEveryCaller(t *testing.T) {
	w := world(t)
	for _, f := range stack.Functions() {
		e := emulate(t, w, f.Name, map[string]string{"AMPERITY_TENANT": "", "PAUSED": "perhaps"})
		_, err := e.Invoke(t.Context(), []byte(`{}`))
		var failed *stack.FunctionError
		if !errors.As(err, &failed) || !strings.Contains(failed.Message, "AMPERITY_TENANT: ") || !strings.Contains(failed.Message, "PAUSED: ") {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	for _, name := range []string{"s3arrival", "sweep"} {
		e := emulate(t, w, name, map[string]string{"ROUTES_FILE": "routes-none.yaml"})
		_, err := e.Invoke(t.Context(), []byte(`{}`))
		var failed *stack.FunctionError
		if !errors.As(err, &failed) || !strings.Contains(failed.Message, "routes-none.yaml") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
