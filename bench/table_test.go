package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTableKeepsItsConditions makes each request on a table with one item.
func TestTableKeepsItsConditions(t *testing.T) {
	t.Parallel()
	const (
		absent = `"ConditionExpression":"attribute_not_exists(pk)"}`
		second = `"ConditionExpression":"v = :v","ExpressionAttributeValues":{":v":{"N":"1"}}}`
		third  = `"ConditionExpression":"v = :v","ExpressionAttributeValues":{":v":{"N":"2"}}}`
		old    = `{"TableName":"bench-ledger","Item":{"pk":{"S":"old"},"v":{"N":"2"}},`
		fresh  = `{"TableName":"bench-ledger","Item":{"pk":{"S":"new"},"v":{"N":"1"}},`
	)
	both := func(a, b string) string { return `{"TransactItems":[{"Put":` + a + `},{"Put":` + b + `}]}` }
	for _, tt := range []struct {
		name, operation, body string
		status                int
		keys                  []string
		// versions of the items old and new after the request
		old, fresh string
	}{
		{"a new item is written", "PutItem", fresh + absent, 0, []string{"new"}, "1", "1"},
		{"an item that exists is not new", "PutItem", old + absent, 400, []string{"old"}, "1", ""},
		{"the version that was read is replaced", "PutItem", old + second, 0, []string{"old"}, "2", ""},
		{"another version is not", "PutItem", old + third, 400, []string{"old"}, "1", ""},
		{"an item that does not exist has no version", "PutItem", fresh + second, 400, []string{"new"}, "1", ""},
		{"a transaction writes all", "TransactWriteItems", both(old+second, fresh+absent), 0, []string{"old", "new"}, "2", "1"},
		{"or nothing", "TransactWriteItems", both(fresh+absent, old+third), 400, []string{"new", "old"}, "1", ""},
		{"a read changes nothing", "GetItem", `{"Key":{"pk":{"S":"old"}}}`, 0, []string{"old"}, "1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			table := table{map[string]item{"old": {"pk": []byte(`{"S":"old"}`), "v": []byte(`{"N":"1"}`)}}}
			out, keys, err := table.answer(tt.operation, []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.keys, keys); diff != "" || out.Status != tt.status {
				t.Errorf("status %d, keys:\n%s", out.Status, diff)
			}
			if v := table.items["old"].text("v"); v != tt.old {
				t.Errorf("old has version %q", v)
			}
			if v := table.items["new"].text("v"); v != tt.fresh {
				t.Errorf("new has version %q", v)
			}
		})
	}
}

func TestQueryListsWhatIsDueInOrder(t *testing.T) {
	t.Parallel()
	row := func(key, state, due string) item {
		return item{"pk": []byte(`{"S":"` + key + `"}`), "s": []byte(`{"S":"` + state + `"}`), "d": []byte(`{"N":"` + due + `"}`), "doc": []byte(`{"S":""}`)}
	}
	table := table{map[string]item{
		"b": row("b", "due", "20"), "a": row("a", "due", "10"), "late": row("late", "due", "31"),
		"held": row("held", "held", "1"), "done": {"pk": []byte(`{"S":"done"}`)},
	}}
	out, _, err := table.answer("Query", []byte(`{"KeyConditionExpression":"s = :s AND d <= :d","ExpressionAttributeValues":{":s":{"S":"due"},":d":{"N":"30"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, i := range out.Body.(map[string]any)["Items"].([]item) {
		keys = append(keys, i.text("pk"))
		if len(i) != 3 {
			t.Errorf("a row of the index has %d attributes, not 3", len(i))
		}
	}
	if diff := cmp.Diff([]string{"a", "b"}, keys); diff != "" {
		t.Error(diff)
	}
}
