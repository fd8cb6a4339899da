package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/amperity-runs/amperity-runs/test/stack"
)

// later lets so much time pass for the ledger, by moving the times in its items
// into the past: the functions have the machine's own clock. What is Amperity's
// or names something, such as a period, stays.
func later(t *testing.T, w *stack.World, table string, d time.Duration) {
	t.Helper()
	client := dynamodb.NewFromConfig(w.AWS())
	items, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String(table)})
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range items.Items {
		shift(t, client, table, item, d)
	}
}

// shift moves the times of one item into the past.
func shift(t *testing.T, client *dynamodb.Client, table string, item map[string]types.AttributeValue, d time.Duration) {
	t.Helper()
	earlier(t, item, "d", d.Milliseconds())
	earlier(t, item, "h", d.Milliseconds())
	earlier(t, item, "x", int64(d.Seconds()))
	var doc any
	if err := json.Unmarshal([]byte(item["doc"].(*types.AttributeValueMemberS).Value), &doc); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(moved(doc, -d))
	if err != nil {
		t.Fatal(err)
	}
	item["doc"] = &types.AttributeValueMemberS{Value: string(text)}
	if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(table), Item: item}); err != nil {
		t.Fatal(err)
	}
}

func earlier(t *testing.T, item map[string]types.AttributeValue, name string, by int64) {
	t.Helper()
	v, ok := item[name].(*types.AttributeValueMemberN)
	if !ok {
		return
	}
	n, err := strconv.ParseInt(v.Value, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	item[name] = &types.AttributeValueMemberN{Value: fmt.Sprint(n - by)}
}

// moved is v with its times moved.
func moved(v any, by time.Duration) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			switch k {
			case "period", "cause", "request", "run", "newest", "candidates":
			default:
				v[k] = moved(e, by)
			}
		}
	case []any:
		for i, e := range v {
			v[i] = moved(e, by)
		}
	case string:
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return at.Add(by).Format(time.RFC3339Nano)
		}
	}
	return v
}

// forget makes the ledger empty.
func forget(t *testing.T, w *stack.World) {
	t.Helper()
	_, err := dynamodb.NewFromConfig(w.AWS()).DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: aws.String(stack.Table)})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.MakeTable(t.Context(), stack.Table); err != nil {
		t.Fatal(err)
	}
}

// due are the keys of all that is due some day, the next first.
func due(t *testing.T, w *stack.World, table string) []string {
	t.Helper()
	var keys []string
	for row, err := range w.Ledger(table).Due(t.Context(), time.Now().AddDate(1, 0, 0)) {
		if err != nil {
			t.Fatal(err)
		}
		if item, err := w.Ledger(table).Get(t.Context(), row.Key); err != nil || !searched(item.Doc) {
			keys = append(keys, row.Key)
		}
	}
	return keys
}

// searched reports whether an item is a settled launch, which is due only
// because the sweep continues to search for its run.
func searched(doc []byte) bool {
	var launch struct {
		State           string
		Announced, Told bool
	}
	return json.Unmarshal(doc, &launch) == nil && launch.Announced && launch.Told &&
		slices.Contains([]string{"started", "held", "discarded"}, launch.State)
}

// swept invokes the sweep, which must fail at nothing, and returns how many
// items it worked on.
func swept(t *testing.T, sweep *stack.Emulator) int {
	t.Helper()
	answer, err := sweep.Invoke(t.Context(), read(t, "events", "sweep.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Done, Failed int
		More         bool
	}
	if err := json.Unmarshal(answer, &s); err != nil || s.Failed > 0 || s.More {
		t.Errorf("the sweep answers %s (%v)", answer, err)
	}
	return s.Done
}
