package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/amperity-runs/amperity-runs/test/stack"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

// putEvents sends events as S3 would, with the time at which it is called.
func putEvents(t *testing.T, w *stack.World, entries ...types.PutEventsRequestEntry) {
	t.Helper()
	out, err := eventbridge.NewFromConfig(w.AWS()).PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: entries})
	if err != nil || out.FailedEntryCount != 0 {
		t.Fatal(err, out)
	}
}

func landed(bucket, key string) types.PutEventsRequestEntry {
	return types.PutEventsRequestEntry{
		Source: aws.String("aws.s3"), DetailType: aws.String("Object Created"), Resources: []string{"arn:aws:s3:::" + bucket},
		Detail: aws.String(fmt.Sprintf(`{"version":"0","bucket":{"name":%q},"object":{"key":%q,"size":5,"etag":"b1946ac92492d2347c6235b4d2611184",`+
			`"sequencer":"0065A1B2C3D4E5F6A7"},"request-id":"C3D13FE58DE4C810","requester":"123456789012","reason":"PutObject"}`, bucket, key)),
	}
}

// batch writes message bodies as the SQS batch that Lambda makes of them.
func batch(t *testing.T, bodies []string) []byte {
	t.Helper()
	records := make([]map[string]string, len(bodies))
	for i, b := range bodies {
		records[i] = map[string]string{"messageId": fmt.Sprintf("message-%d", i+1), "eventSource": "aws:sqs", "body": b}
	}
	text, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// pattern is the event pattern of a rule of the stack.
func pattern(t *testing.T, made map[string]resource, rule string) string {
	t.Helper()
	text, err := json.Marshal(made[rule].Properties["EventPattern"])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheRuleKeepsToTheKeyPrefix(t *testing.T) {
	w := world(t)
	queue, err := w.Watch(t.Context(), "arrivals", pattern(t, stackOf(t, load(t).Translated, everything()), "ArrivalsRule"), nil)
	if err != nil {
		t.Fatal(err)
	}
	putEvents(t, w, landed("acme-landing", "inbound/a.csv"), landed("acme-landing", "outbound/a.csv"), landed("acme-landing", "in/inbound/a.csv"))
	bodies, err := w.Receive(t.Context(), queue)
	if err != nil {
		t.Fatal(err)
	}
	if len(bodies) != 1 || !strings.Contains(bodies[0], `"inbound/a.csv"`) {
		t.Errorf("came through the rule:\n%s", strings.Join(bodies, "\n"))
	}
}
