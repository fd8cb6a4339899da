package dynamo

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
)

// Error says that a call of the ledger's table failed. Its tree of
// errors has the SDK's error, or the context's, and where it fits [ledger.ErrThrottled],
// [ledger.ErrBusy], [ledger.ErrTokenReused] or a [*ledger.SizeError].
//
// Its text shows keys, never documents or tokens.
type Error struct {
	// Op is DynamoDB's operation: GetItem, PutItem, TransactWriteItems, Query.
	Op string
	// Table is the table, as it was given to New.
	Table string
	// Hint says what to do, where that can be told; else empty.
	Hint string
	// Err is what failed.
	Err error

	also    []error // more for the tree
	passing bool    // the same write may get through a moment later
}

func (e *Error) Error() string {
	what := fmt.Sprintf("ledger table %s: %s: %s", e.Table, e.Op, says(e.Err))
	if e.Hint != "" {
		what += ": " + e.Hint
	}
	return what
}

// Unwrap gives Err, and what else the error is.
func (e *Error) Unwrap() []error { return append([]error{e.Err}, e.also...) }

// maxSaid bounds the words of others, in runes.
const maxSaid = 500

// says is an error's text, without the SDK's own names for the operation and
// the request where DynamoDB answered with a code.
func says(err error) string {
	said := err.Error()
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		said = api.ErrorCode() + ": " + api.ErrorMessage()
	} else if op, ok := errors.AsType[*smithy.OperationError](err); ok {
		said = op.Err.Error()
	}
	said = strings.TrimSuffix(strings.Join(strings.Fields(said), " "), ":")
	if r := []rune(said); len(r) > maxSaid {
		return string(r[:maxSaid]) + "…"
	}
	return said
}

const (
	hintTable = "LEDGER_TABLE must name a table of this account and region"
	hintRole  = "the function's role and its permissions boundary must allow dynamodb:%s on %s"
)

// maxItem is DynamoDB's bound on an item, names and values of all attributes.
const maxItem = 400 << 10

// fail tells what kind of failure an error of the SDK is. items are those of
// the write.
func (d *Ledger) fail(op string, err error, items ...ledger.Item) *Error {
	e := &Error{Op: op, Table: d.table, Err: err}
	if cancelled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		for i, reason := range cancelled.CancellationReasons {
			if i < len(items) {
				e.take(aws.ToString(reason.Code), aws.ToString(reason.Message), items[i:i+1])
			}
		}
		// The SDK tries a cancelled transaction no second time, for whatever
		// reason.
		e.passing = errors.Is(e, ledger.ErrBusy) || errors.Is(e, ledger.ErrThrottled)
		return e
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		e.take(api.ErrorCode(), api.ErrorMessage(), items)
		e.passing = errors.Is(e, ledger.ErrBusy)
	}
	return e
}

// take adds to the error what a code of DynamoDB means.
//
// Source: DynamoDB API reference, TransactionCanceledException for the codes of
// cancelled transactions; developer guide, "Error handling with DynamoDB", for
// the others.
func (e *Error) take(code, message string, items []ledger.Item) {
	switch code {
	case "ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded",
		"ProvisionedThroughputExceeded", "ThrottlingError":
		e.add(ledger.ErrThrottled)
	case "TransactionConflict", "TransactionConflictException", "TransactionInProgressException":
		e.add(ledger.ErrBusy)
	case "IdempotentParameterMismatchException":
		e.add(ledger.ErrTokenReused)
	case "ValidationException", "ValidationError":
		// "Item size has exceeded the maximum allowed size", of an update
		// "Item size to update has exceeded ...".
		if strings.Contains(message, "exceeded the maximum allowed size") && len(items) > 0 {
			large := slices.MaxFunc(items, func(a, b ledger.Item) int { return size(a) - size(b) })
			e.add(&ledger.SizeError{Key: large.Key, Size: size(large), Limit: maxItem})
		}
	case "ResourceNotFoundException":
		e.Hint = hintTable
	case "AccessDeniedException":
		// A transaction takes the permissions of what it does.
		action, resource := e.Op, "the table"
		switch e.Op {
		case opTransact:
			action = opPut
		case opQuery:
			resource = "the table's index " + index
		}
		e.Hint = fmt.Sprintf(hintRole, action, resource)
	}
}

func (e *Error) add(err error) {
	if !slices.Contains(e.also, err) {
		e.also = append(e.also, err)
		e.Hint = err.Error()
	}
}

// size is what an item has in bytes, but for a few of its attributes.
func size(item ledger.Item) int { return len(item.Key) + len(item.Doc) }
