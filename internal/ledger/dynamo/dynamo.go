// Package dynamo is the ledger in a DynamoDB table.
package dynamo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
)

// API is the part of *dynamodb.Client that the ledger uses. It must be safe for
// concurrent use if the ledger is used concurrently.
type API interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
}

// Ledger is a ledger in one DynamoDB table. It is safe for concurrent use.
//
// The table's partition key is pk, a string; it has no sort key. An item has
// these attributes:
//
//	pk   S  Item.Key
//	v    N  the version, from 1
//	w    S  the token of the last write
//	doc  S  Item.Doc; bytes that are not UTF-8 are replaced by U+FFFD
//	s    S  "due" if Item.Due is set, else "held" if Item.Held is, else absent
//	d    N  Item.Due or Item.Held, by s, in Unix milliseconds; absent without s
//	h    N  Item.Held in Unix milliseconds, where s is "due"; absent if not set
//	t    N  Item.Tries; absent if zero
//	x    N  Item.Expires in Unix seconds, the time to live; absent if not set
//
// The index "due" has the partition key s and the sort key d, and projects only
// the keys (KEYS_ONLY). It leaves out items without s and d. A write that
// changes neither does not write the index.
//
// The ledger needs dynamodb:GetItem and dynamodb:PutItem on the table, which
// suffice for a transaction of puts, and dynamodb:Query on the index.
type Ledger struct {
	client API
	table  string
	sleep  func(context.Context, time.Duration) error
}

// New returns the ledger in a table, given by its name or ARN. sleep waits for
// a duration, or returns an error as soon as the context is done.
func New(client API, table string, sleep func(context.Context, time.Duration) error) *Ledger {
	return &Ledger{client: client, table: table, sleep: sleep}
}

// Operations of DynamoDB, as the SDK and the IAM actions name them.
const (
	opGet      = "GetItem"
	opPut      = "PutItem"
	opTransact = "TransactWriteItems"
	opQuery    = "Query"
)

const (
	// tries is how often Put tries. It waits firstDelay after the first try,
	// and twice as long after each further one. The waits stay below 0.4 s
	// together. A concurrent transaction takes some milliseconds.
	tries      = 5
	firstDelay = 25 * time.Millisecond

	index = "due"

	// page is how many rows one page of a list has.
	page = 100
)

// Get reads an item with strong consistency. The error is an [*Error]. Times
// are in UTC.
func (d *Ledger) Get(ctx context.Context, key string) (ledger.Item, error) {
	w, err := d.read(ctx, key)
	return w.Item, err
}

func (d *Ledger) read(ctx context.Context, key string) (ledger.Written, error) {
	absent := ledger.Written{Item: ledger.Item{Key: key}}
	if err := ctx.Err(); err != nil {
		return ledger.Written{}, d.fail(opGet, err)
	}
	if key == "" || len(key) > ledger.MaxKey || !utf8.ValidString(key) {
		return absent, nil // Put refuses such a key, and DynamoDB would refuse the request
	}
	out, err := d.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:      aws.String(d.table),
		Key:            attributes{attrKey: text(key)},
		ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return ledger.Written{}, d.fail(opGet, err)
	}
	if len(out.Item) == 0 {
		return absent, nil
	}
	w, err := decode(key, out.Item)
	if err != nil {
		return ledger.Written{}, d.fail(opGet, err)
	}
	return w, nil
}

// Put writes all the items or none. Each item's Version is the version that it
// replaces, or 0 if the item must not exist. The error is a
// [*ledger.ConflictError], an error of [ledger.Check], or an [*Error].
//
// A repeat of a write that another writer has replaced has one of two results.
// For ten minutes DynamoDB recognizes a transaction by its ClientRequestToken,
// and returns success. Later, and always for a single item, the condition fails
// and the token is no longer on the item. That is a conflict.
//
// After an *Error it is unknown whether the write took effect. The SDK repeats
// a call whose answer was lost, and the last answer does not show the result of
// the first. Read the items before you write them again.
func (d *Ledger) Put(ctx context.Context, token string, items ...ledger.Item) error {
	if err := ledger.Check(items); err != nil {
		return err
	}
	op := opPut
	if len(items) > 1 {
		op = opTransact
	}
	for _, item := range items {
		if !utf8.ValidString(item.Key) {
			// The SDK would replace the bytes, and two keys could become one.
			return d.fail(op, fmt.Errorf("the key %.200q is not UTF-8", item.Key))
		}
	}
	if err := ctx.Err(); err != nil {
		return d.fail(op, err)
	}
	for try := 1; ; try++ {
		lost, err := d.write(ctx, token, try, items)
		switch {
		case lost != nil:
			return d.resolveConflict(ctx, op, token, items, lost)
		case err == nil:
			return nil
		case !err.passing || try == tries:
			return err
		}
		// Half of the wait is random, so that colliding writers do not collide
		// again.
		delay := firstDelay << (try - 1)
		if over := d.sleep(ctx, delay/2+rand.N(delay/2)); over != nil { // #nosec G404 -- jitter is no secret
			err.also = append(err.also, over)
			return err
		}
	}
}

// write tries once to write the items. If a condition failed, the first result
// has the items that DynamoDB returned, and nil for each item that it did not
// return.
func (d *Ledger) write(ctx context.Context, token string, try int, items []ledger.Item) ([]attributes, *Error) {
	if len(items) == 1 {
		return d.writeOne(ctx, token, items[0])
	}
	return d.writeAll(ctx, token, try, items)
}

func (d *Ledger) writeOne(ctx context.Context, token string, item ledger.Item) ([]attributes, *Error) {
	condition, values := unchanged(item)
	_, err := d.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName:                           aws.String(d.table),
		Item:                                encode(item, token),
		ConditionExpression:                 aws.String(condition),
		ExpressionAttributeValues:           values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if err == nil {
		return nil, nil
	}
	if failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return []attributes{failed.Item}, nil
	}
	return nil, d.fail(opPut, err, item)
}

func (d *Ledger) writeAll(ctx context.Context, token string, try int, items []ledger.Item) ([]attributes, *Error) {
	in := &dynamodb.TransactWriteItemsInput{ClientRequestToken: aws.String(requestToken(token, try))}
	for _, item := range items {
		condition, values := unchanged(item)
		in.TransactItems = append(in.TransactItems, types.TransactWriteItem{Put: &types.Put{
			TableName:                           aws.String(d.table),
			Item:                                encode(item, token),
			ConditionExpression:                 aws.String(condition),
			ExpressionAttributeValues:           values,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}})
	}
	_, err := d.client.TransactWriteItems(ctx, in)
	if err == nil {
		return nil, nil
	}
	if cancelled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		// The reasons are in the order of the items. One failed condition
		// decides, whatever the other reasons are.
		old, lost := make([]attributes, len(items)), false
		for i, reason := range cancelled.CancellationReasons {
			if aws.ToString(reason.Code) == "ConditionalCheckFailed" && i < len(old) {
				old[i], lost = reason.Item, true
			}
		}
		if lost {
			return old, nil
		}
	}
	return nil, d.fail(opTransact, err, items...)
}

// unchanged returns the condition that the item still has its version.
func unchanged(item ledger.Item) (condition string, values attributes) {
	if item.Version == 0 {
		return "attribute_not_exists(pk)", nil
	}
	return "v = :v", attributes{":v": number(item.Version)}
}

// requestToken returns the ClientRequestToken of one try. The SDK's own repeats
// have the same token, and DynamoDB returns success for a repeat of a completed
// transaction. Each further try has a new one, because DynamoDB does not
// document its answer to the token of a cancelled transaction. If an earlier
// try takes effect after all, the further try finds the write's token on the
// items.
//
// Source: DynamoDB API reference, TransactWriteItems, ClientRequestToken: at
// most 36 characters, valid for ten minutes.
func requestToken(token string, try int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", token, try))
	return hex.EncodeToString(sum[:16])
}

// resolveConflict distinguishes a write whose answer was lost from a lost race.
// It reads the items that DynamoDB did not return: those that do not exist, and
// in a transaction those whose own condition held.
func (d *Ledger) resolveConflict(ctx context.Context, op, token string, items []ledger.Item, old []attributes) error {
	now := make([]ledger.Written, len(items))
	for i, item := range items {
		var err error
		if len(old[i]) > 0 {
			if now[i], err = decode(item.Key, old[i]); err != nil {
				return d.fail(op, err)
			}
		} else if now[i], err = d.read(ctx, item.Key); err != nil {
			return err
		}
	}
	err := ledger.Refused(token, items, now)
	if errors.Is(err, ledger.ErrTokenReused) {
		return d.fail(op, err)
	}
	return err
}

// Due lists the items due at or before a time, the oldest first, page by page.
// DynamoDB chooses the order of items of the same millisecond. An error, an
// [*Error], ends the list. An item written meanwhile may be listed twice or not
// at all.
func (d *Ledger) Due(ctx context.Context, until time.Time) iter.Seq2[ledger.Listed, error] {
	return d.rows(ctx, stateDue, until)
}

// Held lists the items that wait for the operator, in the same way as Due.
func (d *Ledger) Held(ctx context.Context) iter.Seq2[ledger.Listed, error] {
	return d.rows(ctx, stateHeld, time.Time{})
}

func (d *Ledger) rows(ctx context.Context, state string, until time.Time) iter.Seq2[ledger.Listed, error] {
	condition, values := "s = :s", attributes{":s": text(state)}
	if !until.IsZero() {
		condition += " AND d <= :d"
		values[":d"] = number(until.UnixMilli())
	}
	return func(yield func(ledger.Listed, error) bool) {
		var after attributes
		for {
			if err := ctx.Err(); err != nil {
				yield(ledger.Listed{}, d.fail(opQuery, err))
				return
			}
			out, err := d.client.Query(ctx, &dynamodb.QueryInput{
				TableName:                 aws.String(d.table),
				IndexName:                 aws.String(index),
				KeyConditionExpression:    aws.String(condition),
				ExpressionAttributeValues: values,
				ScanIndexForward:          aws.Bool(true),
				Limit:                     aws.Int32(page),
				ExclusiveStartKey:         after,
			})
			if err != nil {
				yield(ledger.Listed{}, d.fail(opQuery, err))
				return
			}
			for _, a := range out.Items {
				row, err := decodeRow(a)
				if err != nil {
					yield(ledger.Listed{}, d.fail(opQuery, err))
					return
				}
				if !yield(row, nil) {
					return
				}
			}
			if after = out.LastEvaluatedKey; len(after) == 0 {
				return
			}
		}
	}
}
