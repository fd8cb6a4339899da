package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
	"github.com/amperity-runs/amperity-runs/test/stack"
)

// TestCostOnDynamoDBIsFlat: what the built functions ask of DynamoDB is the
// same whether the table has 10 or 1,000 windows and launches that are over.
func TestCostOnDynamoDBIsFlat(t *testing.T) {
	t.Parallel()
	routes := "version: 1\nroutes:\n"
	for i := range 10 {
		routes += fmt.Sprintf("  - {name: r%d, config_id: cg-%d, files: \"r%d/{yyyy}/{MM}/{dd}/*\"}\n", i, i, i)
	}
	file := filepath.Join(t.TempDir(), "routes.yaml")
	if err := os.WriteFile(file, []byte(routes), 0o600); err != nil {
		t.Fatal(err)
	}
	change := map[string]string{"ROUTES_FILE": file}
	costs := map[int][]string{}
	for _, n := range []int{10, 1000} {
		w := world(t)
		if err := w.Simulator.Script("", amperitytest.Script{}); err != nil {
			t.Fatal(err)
		}
		fill(t, w, n)
		arrivals, sweep := emulate(t, w, "s3arrival", change), emulate(t, w, "sweep", change)
		swept(t, sweep) // the first notes when it has seen which route
		asked := w.Asked()
		step := func(what string) {
			now := w.Asked()
			var words []string
			for _, operation := range slices.Sorted(maps.Keys(now)) {
				if more := now[operation] - asked[operation]; more > 0 {
					words = append(words, fmt.Sprintf("%d %s", more, operation))
				}
			}
			costs[n] = append(costs[n], what+": "+strings.Join(words, ", "))
			asked = w.Asked()
		}
		swept(t, sweep)
		step("a sweep with nothing to do")
		var bodies []string
		for i := range 1000 {
			event := landed("acme-landing", fmt.Sprintf("r%d/2026/10/22/%d.csv.gz", i%10, i))
			bodies = append(bodies, fmt.Sprintf(`{"detail-type":"Object Created","source":"aws.s3","time":%q,"detail":%s}`,
				time.Now().UTC().Format(time.RFC3339), aws.ToString(event.Detail)))
		}
		if answer, err := arrivals.Invoke(t.Context(), batch(t, bodies)); err != nil || string(answer) != nothingAgain {
			t.Fatalf("answered %s, %v", answer, err)
		}
		step("1,000 files of 10 windows")
		// What moves the times of the ten alone.
		for i := range 10 {
			makeDue(t, w, fmt.Sprintf("window/cg-%d/2026-10-22", i))
		}
		asked = w.Asked()
		if done := swept(t, sweep); done != 10 || len(w.Simulator.Runs()) != 10 {
			t.Errorf("%d windows were due, and have %d runs", done, len(w.Simulator.Runs()))
		}
		step("a sweep to which they are due")
	}
	for i, cost := range costs[10] {
		t.Log(cost)
		if costs[1000][i] != cost {
			t.Errorf("with 1,000 windows, %s", costs[1000][i])
		}
	}
}

// fill puts windows and launches into the ledger that are over.
func fill(t *testing.T, w *stack.World, n int) {
	t.Helper()
	client := dynamodb.NewFromConfig(w.AWS())
	var puts []types.WriteRequest
	put := func(key, doc string) {
		puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: key}, "v": &types.AttributeValueMemberN{Value: "1"}, "w": &types.AttributeValueMemberS{Value: "w"},
			"doc": &types.AttributeValueMemberS{Value: doc}, "x": &types.AttributeValueMemberN{Value: fmt.Sprint(time.Now().AddDate(1, 0, 0).Unix())},
		}}})
		if len(puts) == 25 {
			writeAll(t, client, puts)
			puts = nil
		}
	}
	for i := range n {
		day := time.Now().AddDate(0, 0, -i).Format(time.DateOnly)
		key := fmt.Sprintf("arrival/cg-past/%s/1", day)
		put("window/cg-past/"+day, `{"format":1,"config_id":"cg-past","period":"`+day+`","made":"2026-01-01T00:00:00Z","revision":1}`)
		put("launch/"+key, `{"format":1,"key":"`+key+`","state":"started"}`)
	}
	writeAll(t, client, puts)
}

func writeAll(t *testing.T, client *dynamodb.Client, puts []types.WriteRequest) {
	t.Helper()
	if len(puts) == 0 {
		return
	}
	out, err := client.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{stack.Table: puts}})
	if err != nil || len(out.UnprocessedItems) > 0 {
		t.Fatalf("%v, %v", err, out)
	}
}

// makeDue makes one window's quiet be over.
func makeDue(t *testing.T, w *stack.World, key string) {
	t.Helper()
	client := dynamodb.NewFromConfig(w.AWS())
	at := map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: key}}
	got, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String(stack.Table), Key: at})
	if err != nil || got.Item == nil {
		t.Fatalf("%s: %v", key, err)
	}
	shift(t, client, stack.Table, got.Item, 10*time.Minute)
}
