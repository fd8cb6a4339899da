package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
	"github.com/amperity-runs/amperity-runs/test/stack"
)

// metric is one metric as CloudWatch keeps it. Two are the same if all of their
// dimensions are.
type metric struct {
	Namespace, Name string
	Dimensions      map[string]string
}

// written are the metrics in the lines of a log, as CloudWatch reads them
// (User Guide, "Specification: Embedded metric format"), with their units.
func written(t *testing.T, log string) (metrics []metric, units map[string]string) {
	t.Helper()
	units = map[string]string{}
	for line := range strings.Lines(log) {
		var members map[string]any
		if json.Unmarshal([]byte(line), &members) != nil || members["_aws"] == nil {
			continue
		}
		var e struct {
			AWS struct {
				Timestamp         int64
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
					Metrics    []struct{ Name, Unit string }
				}
			} `json:"_aws"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || time.Since(time.UnixMilli(e.AWS.Timestamp)).Abs() > time.Hour {
			t.Errorf("%s: %v", line, err)
		}
		for _, d := range e.AWS.CloudWatchMetrics {
			for _, m := range d.Metrics {
				if _, ok := members[m.Name].(float64); !ok {
					t.Errorf("%s has no value of %s", line, m.Name)
				}
				units[m.Name] = m.Unit
				for _, names := range d.Dimensions {
					by := map[string]string{}
					for _, n := range names {
						if by[n], _ = members[n].(string); by[n] == "" {
							t.Errorf("%s has no %s, and so is no metric", line, n)
						}
					}
					metrics = append(metrics, metric{d.Namespace, m.Name, by})
				}
			}
		}
	}
	return metrics, units
}

// ofANewerVersion puts an item into the ledger that no sweep of this version
// can work on, and has not for a while.
func ofANewerVersion(t *testing.T, w *stack.World) {
	t.Helper()
	number := func(n int64) types.AttributeValue { return &types.AttributeValueMemberN{Value: fmt.Sprint(n)} }
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	_, err := dynamodb.NewFromConfig(w.AWS()).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(stack.Table), Item: map[string]types.AttributeValue{
		"pk": text("strange/x"), "v": number(6), "w": text("w"), "doc": text("{}"), "s": text("due"),
		"d": number(time.Now().Add(-time.Minute).UnixMilli()), "t": number(5),
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// wholeLog returns the log of a function after so many invocations. It waits for
// the end of the last, since the answer may come before the log.
func wholeLog(t *testing.T, e *stack.Emulator, invocations int) string {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 500 {
		if log := e.Log(); strings.Count(log, "REPORT RequestId") >= invocations {
			return log
		}
		<-tick.C
	}
	t.Fatalf("the log does not have the end of %d invocations: %s", invocations, e.Log())
	return ""
}

// Each alarm on a metric of ours watches one that the functions write, to the
// last dimension.
func TestAlarmsWatchWhatIsWritten(t *testing.T) {
	w := world(t)
	trigger, sweep := emulate(t, w, "trigger", nil), emulate(t, w, "sweep", nil)
	fault(t, w, amperitytest.Fault{Kind: amperitytest.Reset, Applied: true, ConfigID: "cg-123ABc4DE"})
	fault(t, w, amperitytest.Fault{Kind: amperitytest.Status, Status: 401, ConfigID: "cc-345CDe6FG", Times: -1})
	for _, sample := range []string{"trigger-manual.json", "trigger-campaign.json", "trigger-too-old.json"} { // unknown, blocked, held
		if _, err := trigger.Invoke(t.Context(), read(t, "events", sample)); err != nil {
			t.Fatal(err)
		}
	}
	later(t, w, stack.Table, 5*time.Minute)
	ofANewerVersion(t, w)
	for range 2 { // the launch without an answer is held after 15 minutes
		if _, err := sweep.Invoke(t.Context(), []byte("{}")); err != nil {
			t.Fatal(err)
		}
		later(t, w, stack.Table, 16*time.Minute)
	}
	if _, err := sweep.Invoke(t.Context(), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	checkPublished(t, []event{
		{blocked, winterKey, "unauthorized", ""},
		{held, manualKey, "unknown_outcome", ""},
		{held, oldKey, "too_old", dailySchedule},
	}, sorted(t, publishedNow(t, w)), nil)

	arrivals := emulate(t, w, "s3arrival", nil)
	if answer, err := arrivals.Invoke(t.Context(), batch(t, []string{`{"detail-type":"Scheduled Event","source":"aws.events","detail":{}}`})); err != nil || string(answer) != nothingAgain {
		t.Fatalf("answered %s, %v", answer, err)
	}

	byTrigger, _ := written(t, wholeLog(t, trigger, 3))
	byArrivals, _ := written(t, wholeLog(t, arrivals, 1))
	bySweep, units := written(t, wholeLog(t, sweep, 3))
	if diff := cmp.Diff(map[string]string{"Sweeps": "Count", "OldestDue": "Seconds", "Launches": "Count", "StaysBlocked": "Count", "StaysUndone": "Count"}, units); diff != "" {
		t.Errorf("what a sweep measures (-want +got)\n%s", diff)
	}

	// In the template functions have their logical ids for names, here their
	// own; each may write what another has written.
	names := map[string]string{}
	for _, f := range stack.Functions() {
		names["${"+f.LogicalID+"}"] = f.Name
	}
	made := variants(t)["everything on"]
	alarms := map[string][]string{} // the alarms on each metric, with the functions
	for _, id := range ofType(made, "AWS::CloudWatch::Alarm") {
		for _, m := range watchedBy(made[id]) {
			if m.Namespace != telemetry.Namespace {
				continue
			}
			function := names[m.Dimensions["function"]]
			if function == "" {
				t.Errorf("%s: no function is called %q", id, m.Dimensions["function"])
			}
			alarms[m.Name] = append(alarms[m.Name], id+" "+function)
			m.Dimensions["function"] = "sweep"
			if !slices.ContainsFunc(append(bySweep, byArrivals...), func(have metric) bool {
				if function == "s3arrival" && have.Dimensions["function"] == function {
					have.Dimensions = maps.Clone(have.Dimensions)
					have.Dimensions["function"] = "sweep"
				}
				return cmp.Equal(metric{m.Namespace, m.Name, m.Dimensions}, have)
			}) {
				t.Errorf("%s: nothing is measured as %s by %v", id, m.Name, m.Dimensions)
			}
			// What a policy holds is no alarm, and an outcome by itself is none.
			for _, have := range byTrigger {
				have.Dimensions = maps.Clone(have.Dimensions)
				have.Dimensions["function"] = "sweep"
				if cmp.Equal(metric{m.Namespace, m.Name, m.Dimensions}, have) {
					t.Errorf("%s goes off for %v", id, have)
				}
			}
		}
	}
	if diff := cmp.Diff(map[string][]string{
		"Sweeps":       {"SweepMissingAlarm sweep"},
		"OldestDue":    {"OldestDueAlarm sweep"},
		"OtherEvents":  {"OtherEventsAlarm s3arrival"},
		"StaysBlocked": {"StaysBlockedAlarm sweep"},
		"StaysUndone":  {"StaysUndoneAlarm sweep"},
		"Launches":     {"UnknownOutcomeAlarm trigger", "UnknownOutcomeAlarm s3arrival", "UnknownOutcomeAlarm sweep"},
	}, alarms); diff != "" {
		t.Errorf("alarms (-want +got)\n%s", diff)
	}
}
