package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// item is an item of a DynamoDB table, in the form of DynamoDB's protocol.
type item map[string]json.RawMessage

// text returns the value of an attribute of type S or N, or "".
func (i item) text(name string) string {
	var value map[string]string
	if json.Unmarshal(i[name], &value) != nil {
		return ""
	}
	return value["S"] + value["N"]
}

// table is the ledger's table: the four operations and the two conditions that
// the ledger uses.
type table struct{ items map[string]item }

// copyOf returns a table with the same items. Items are never changed in place.
func copyOf(t table) table { return table{maps.Clone(t.items)} }

// put is PutItem's request, and a part of TransactWriteItems' request.
type put struct {
	TableName                 string
	Item                      item
	ConditionExpression       string
	ExpressionAttributeValues item
}

const (
	dynamoError     = "com.amazonaws.dynamodb.v20120810#"
	conditionFailed = "The conditional request failed"
)

// answer executes one operation. It also returns the keys that the operation
// concerns. The error reports a request that the ledger never sends.
func (t *table) answer(operation string, body []byte) (reply, []string, error) {
	var in struct {
		Key item
		put
		TransactItems []struct{ Put put }
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return reply{}, nil, err
	}
	done := reply{Body: map[string]any{}}
	switch operation {
	case "GetItem":
		key := in.Key.text("pk")
		if found := t.items[key]; found != nil {
			done.Body = map[string]any{"Item": found}
		}
		return done, []string{key}, nil
	case "PutItem":
		keys, failed, err := t.write([]put{in.put})
		if failed != nil {
			done = reply{http.StatusBadRequest, map[string]any{
				"__type": dynamoError + "ConditionalCheckFailedException", "message": conditionFailed, "Item": failed[0].Item,
			}}
		}
		return done, keys, err
	case "TransactWriteItems":
		var puts []put
		for _, w := range in.TransactItems {
			puts = append(puts, w.Put)
		}
		keys, failed, err := t.write(puts)
		if failed != nil {
			done = reply{http.StatusBadRequest, map[string]any{
				"__type": dynamoError + "TransactionCanceledException", "Message": "Transaction cancelled", "CancellationReasons": failed,
			}}
		}
		return done, keys, err
	case "Query":
		found, err := t.query(body)
		done.Body = map[string]any{"Items": found, "Count": len(found), "ScannedCount": len(found)}
		return done, nil, err
	}
	return reply{}, nil, fmt.Errorf("an operation of DynamoDB that no function needs: %q", operation)
}

// reason says why a write was not made.
type reason struct {
	Code    string
	Message string `json:",omitempty"`
	// Item is the item that the write would have replaced.
	Item item `json:",omitempty"`
}

// write makes all the writes, and returns the keys. If a condition fails it
// makes none, and returns a reason for each write.
func (t *table) write(puts []put) (keys []string, reasons []reason, err error) {
	failed := false
	for _, p := range puts {
		key := p.Item.text("pk")
		if p.TableName != ledgerTable || key == "" {
			return nil, nil, fmt.Errorf("a write of the item %q to the table %q", key, p.TableName)
		}
		old, exists := t.items[key]
		holds := false
		switch p.ConditionExpression {
		case "attribute_not_exists(pk)":
			holds = !exists
		case "v = :v":
			holds = exists && old.text("v") == p.ExpressionAttributeValues.text(":v")
		default:
			return nil, nil, fmt.Errorf("a write under the unknown condition %q", p.ConditionExpression)
		}
		why := reason{Code: "None"}
		if !holds {
			failed, why = true, reason{"ConditionalCheckFailed", conditionFailed, old}
		}
		keys, reasons = append(keys, key), append(reasons, why)
	}
	if failed {
		return keys, reasons, nil
	}
	for i, p := range puts {
		t.items[keys[i]] = p.Item
	}
	return keys, nil, nil
}

// query lists the items of one state up to a time, the oldest first, on a
// single page.
func (t *table) query(body []byte) ([]item, error) {
	var in struct {
		KeyConditionExpression    string
		ExpressionAttributeValues item
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	state, until := in.ExpressionAttributeValues.text(":s"), in.ExpressionAttributeValues.text(":d")
	if in.KeyConditionExpression != "s = :s AND d <= :d" || state == "" || until == "" {
		return nil, errors.New("a query that is not for the due items")
	}
	found := []item{}
	for _, i := range t.items {
		if i.text("s") == state && number(i.text("d")) <= number(until) {
			found = append(found, item{"pk": i["pk"], "s": i["s"], "d": i["d"]})
		}
	}
	slices.SortFunc(found, func(a, b item) int {
		return cmp.Or(cmp.Compare(number(a.text("d")), number(b.text("d"))), strings.Compare(a.text("pk"), b.text("pk")))
	})
	return found, nil
}

// number reads an integer. Another text counts as 0.
func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}
