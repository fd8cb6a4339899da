package dynamo_test

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/amperity-runs/amperity-runs/internal/ledger/dynamo"
)

var _ dynamo.API = (*dynamodb.Client)(nil)

type attributes = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }

// textOf and numberOf read an attribute; a missing one is empty.
func textOf(v types.AttributeValue) string {
	s, _ := v.(*types.AttributeValueMemberS)
	if s == nil {
		return ""
	}
	return s.Value
}

func numberOf(v types.AttributeValue) int64 {
	n, _ := v.(*types.AttributeValueMemberN)
	if n == nil {
		return 0
	}
	i, _ := strconv.ParseInt(n.Value, 10, 64)
	return i
}

// tableName is the name of the tests' table.
const tableName = "runs"

// table is a client of a DynamoDB table in memory. It has the parts of DynamoDB
// that the ledger uses, refuses all others, and has faults on demand. A
// transaction is one step, and the index is up to date unless it should lag. It
// is not for races.
type table struct {
	// before decides the nth call, from 1. If it returns an error the call
	// returns it and does nothing.
	before func(n int, op string) error
	// between makes the next write lose its answer: the write takes effect,
	// between is called, and the SDK repeats the write.
	between func()
	// lagging is the content of the index; nil means the current items.
	lagging map[string]attributes
	// bare leaves out the items that failed conditions return.
	bare bool

	mu       sync.Mutex
	items    map[string]attributes
	calls    []string // operations
	requests []string // ClientRequestTokens
	// done are the transactions that took effect, by their ClientRequestTokens.
	done map[string][]types.TransactWriteItem
}

func newTable() *table {
	return &table{items: map[string]attributes{}, done: map[string][]types.TransactWriteItem{}}
}

// forget lets ten minutes pass, after which DynamoDB forgets a
// ClientRequestToken.
func (t *table) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.done)
}

// awsError returns an error as the SDK does.
func awsError(op string, err error) error {
	return &smithy.OperationError{ServiceID: "DynamoDB", OperationName: op, Err: err}
}

func code(code, message string) error {
	return &smithy.GenericAPIError{Code: code, Message: message}
}

// call counts a call, and refuses it if it should fail or is invalid.
func (t *table) call(ctx context.Context, op string, name *string, sound bool) error {
	t.mu.Lock()
	t.calls = append(t.calls, op)
	n := len(t.calls)
	t.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return awsError(op, err)
	}
	if t.before != nil {
		if err := t.before(n, op); err != nil {
			return awsError(op, err)
		}
	}
	if aws.ToString(name) != tableName || !sound {
		return awsError(op, code("ValidationException", "the fake table knows no such call"))
	}
	return nil
}

func (t *table) GetItem(ctx context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	if err := t.call(ctx, "GetItem", in.TableName, aws.ToBool(in.ConsistentRead) && textOf(in.Key["pk"]) != ""); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return &dynamodb.GetItemOutput{Item: maps.Clone(t.items[textOf(in.Key["pk"])])}, nil
}

func (t *table) PutItem(ctx context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	if err := t.call(ctx, "PutItem", in.TableName, true); err != nil {
		return nil, err
	}
	put := types.Put{
		TableName: in.TableName, Item: in.Item, ConditionExpression: in.ConditionExpression, ExpressionAttributeValues: in.ExpressionAttributeValues,
		ReturnValuesOnConditionCheckFailure: in.ReturnValuesOnConditionCheckFailure,
	}
	failed, err := t.write([]types.TransactWriteItem{{Put: &put}}, "")
	switch {
	case err != nil:
		return nil, awsError("PutItem", err)
	case failed != nil:
		return nil, awsError("PutItem", &types.ConditionalCheckFailedException{Message: aws.String("The conditional request failed"), Item: failed[0].Item})
	}
	return &dynamodb.PutItemOutput{}, nil
}

func (t *table) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	request := aws.ToString(in.ClientRequestToken)
	t.mu.Lock()
	t.requests = append(t.requests, request)
	t.mu.Unlock()
	if err := t.call(ctx, "TransactWriteItems", aws.String(tableName), request != "" && len(request) <= 36); err != nil {
		return nil, err
	}
	failed, err := t.write(in.TransactItems, request)
	switch {
	case err != nil:
		return nil, awsError("TransactWriteItems", err)
	case failed != nil:
		return nil, awsError("TransactWriteItems", cancelled(failed...))
	}
	return &dynamodb.TransactWriteItemsOutput{}, nil
}

// cancelled returns the error of a transaction that was cancelled for the
// reasons.
func cancelled(reasons ...types.CancellationReason) error {
	message := "Transaction cancelled, please refer cancellation reasons for specific reasons ["
	for i, r := range reasons {
		if i > 0 {
			message += ", "
		}
		message += *r.Code
	}
	return &types.TransactionCanceledException{Message: aws.String(message + "]"), CancellationReasons: reasons}
}

// write returns the reasons why the write was refused, or nil.
func (t *table) write(items []types.TransactWriteItem, request string) ([]types.CancellationReason, error) {
	t.mu.Lock()
	failed, err := t.apply(items, request)
	var again func()
	if failed == nil && err == nil {
		again, t.between = t.between, nil
	}
	t.mu.Unlock()
	if again == nil {
		return failed, err
	}
	again()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.apply(items, request)
}

// apply is one step. A transaction that took effect is recognized by its
// request for ten minutes, whatever was written since.
//
// Source: DynamoDB API reference, TransactWriteItems, ClientRequestToken.
func (t *table) apply(items []types.TransactWriteItem, request string) ([]types.CancellationReason, error) {
	if done, ok := t.done[request]; ok {
		if !reflect.DeepEqual(done, items) {
			return nil, &types.IdempotentParameterMismatchException{}
		}
		return nil, nil
	}
	reasons, failed := make([]types.CancellationReason, len(items)), false
	for i, item := range items {
		put := item.Put
		if put == nil || aws.ToString(put.TableName) != tableName || put.ReturnValuesOnConditionCheckFailure != types.ReturnValuesOnConditionCheckFailureAllOld {
			return nil, code("ValidationException", "the fake table knows no such write")
		}
		reasons[i].Code = aws.String("None")
		now, there := t.items[textOf(put.Item["pk"])]
		var holds bool
		switch aws.ToString(put.ConditionExpression) {
		case "attribute_not_exists(pk)":
			holds = !there
		case "v = :v":
			holds = there && numberOf(now["v"]) == numberOf(put.ExpressionAttributeValues[":v"])
		default:
			return nil, code("ValidationException", "the fake table knows no such condition")
		}
		if !holds {
			reasons[i], failed = types.CancellationReason{Code: aws.String("ConditionalCheckFailed")}, true
			if !t.bare {
				reasons[i].Item = maps.Clone(now)
			}
		}
	}
	if failed {
		return reasons, nil
	}
	for _, item := range items {
		t.items[textOf(item.Put.Item["pk"])] = item.Put.Item
	}
	if request != "" {
		t.done[request] = items
	}
	return nil, nil
}

func (t *table) Query(ctx context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	condition, values := aws.ToString(in.KeyConditionExpression), in.ExpressionAttributeValues
	bounded := condition == "s = :s AND d <= :d" && len(values) == 2
	sound := (bounded || condition == "s = :s" && len(values) == 1) && aws.ToString(in.IndexName) == "due" && aws.ToInt32(in.Limit) == 100 && aws.ToBool(in.ScanIndexForward)
	if err := t.call(ctx, "Query", in.TableName, sound); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	order := func(a, b attributes) int {
		return cmp.Or(cmp.Compare(numberOf(a["d"]), numberOf(b["d"])), cmp.Compare(textOf(a["pk"]), textOf(b["pk"])))
	}
	items := t.items
	if t.lagging != nil {
		items = t.lagging
	}
	var rows []attributes
	for _, item := range items {
		if textOf(item["s"]) != textOf(values[":s"]) || bounded && numberOf(item["d"]) > numberOf(values[":d"]) {
			continue
		}
		row := attributes{"pk": item["pk"], "s": item["s"], "d": item["d"]}
		if len(in.ExclusiveStartKey) > 0 && order(row, in.ExclusiveStartKey) <= 0 {
			continue
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, order)
	out := &dynamodb.QueryOutput{Items: rows}
	if limit := int(*in.Limit); len(rows) >= limit {
		// DynamoDB returns a key even if the page is the last.
		out.Items, out.LastEvaluatedKey = rows[:limit], rows[limit-1]
	}
	return out, nil
}

// errFirst makes the first n calls fail.
func errFirst(n int, err error) func(int, string) error {
	return func(call int, _ string) error {
		if call <= n {
			return err
		}
		return nil
	}
}

var errLost = errors.New("connection reset by peer")
