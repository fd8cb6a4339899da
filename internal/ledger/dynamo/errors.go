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

// Error reports that a call of the ledger's table failed. Its error tree has
// the error of the SDK or the context, and if it applies [ledger.ErrThrottled],
// [ledger.ErrBusy], [ledger.ErrTokenReused] or a [*ledger.SizeError].
//
// Its text shows keys, but never documents or tokens.
type Error struct {
	// Op is DynamoDB's operation: GetItem, PutItem, TransactWriteItems, Query.
	Op string
	// Table is the table as passed to New.
	Table string
	// Hint is what to do, or empty if that is unknown.
	Hint string
	// Err is the error that occurred.
	Err error

	also    []error // further errors of the tree
	passing bool    // the same write may succeed a moment later
}

func (e *Error) Error() string {
	what := fmt.Sprintf("ledger table %s: %s: %s", e.Table, e.Op, says(e.Err))
	if e.Hint != "" {
		what += ": " + e.Hint
	}
	return what
}

// Unwrap returns Err and the further errors of the tree.
func (e *Error) Unwrap() []error { return append([]error{e.Err}, e.also...) }

// maxSaid bounds the text of an error of AWS, in runes.
const maxSaid = 500

// says returns an error's text. If DynamoDB returned a code, the text leaves
// out the SDK's names for the operation and the request.
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

// fail classifies an error of the SDK. items are the items of the write.
func (d *Ledger) fail(op string, err error, items ...ledger.Item) *Error {
	e := &Error{Op: op, Table: d.table, Err: err}
	if cancelled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		for i, reason := range cancelled.CancellationReasons {
			if i < len(items) {
				e.take(aws.ToString(reason.Code), aws.ToString(reason.Message), items[i:i+1])
			}
		}
		// The SDK never retries a cancelled transaction.
		e.passing = errors.Is(e, ledger.ErrBusy) || errors.Is(e, ledger.ErrThrottled)
		return e
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		e.take(api.ErrorCode(), api.ErrorMessage(), items)
		e.passing = errors.Is(e, ledger.ErrBusy)
	}
	return e
}

// take adds the meaning of a DynamoDB code to the error.
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
		// "Item size has exceeded the maximum allowed size", or for an update
		// "Item size to update has exceeded ...".
		if strings.Contains(message, "exceeded the maximum allowed size") && len(items) > 0 {
			large := slices.MaxFunc(items, func(a, b ledger.Item) int { return size(a) - size(b) })
			e.add(&ledger.SizeError{Key: large.Key, Size: size(large), Limit: maxItem})
		}
	case "ResourceNotFoundException":
		e.Hint = hintTable
	case "AccessDeniedException":
		// A transaction needs the permissions of its writes.
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

// size returns the bytes of an item, without a few of its attributes.
func size(item ledger.Item) int { return len(item.Key) + len(item.Doc) }
