package dynamo_test

import (
	"maps"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/amperity-runs/amperity-runs/internal/ledger/dynamo"
	"github.com/amperity-runs/amperity-runs/internal/ledger/ledgertest"
)

func TestDynamoDBKeepsTheContract(t *testing.T) {
	ledgertest.Run(t, func(*testing.T) ledgertest.Table {
		db := newTable()
		l, _ := over(db)
		f := &faulty{Ledger: l.Ledger, db: db}
		db.before = f.before
		return f
	})
}

// faulty is the ledger of a table with the faults that the contract needs.
type faulty struct {
	*dynamo.Ledger
	db *table

	mu        sync.Mutex
	contend   int
	throttled bool
	page      int // to refuse
	pages     int // since then
}

func (f *faulty) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *faulty) Contend(n int)          { f.set(func() { f.contend = n }) }
func (f *faulty) ThrottleWrites(on bool) { f.set(func() { f.throttled = on }) }
func (f *faulty) ThrottlePage(n int)     { f.set(func() { f.page, f.pages = n, 0 }) }
func (f *faulty) TenMinutesLater()       { f.db.forget() }

func (f *faulty) LoseAnswer(between func()) {
	f.db.mu.Lock()
	defer f.db.mu.Unlock()
	f.db.between = between
}

func (f *faulty) Lag(on bool) {
	f.db.mu.Lock()
	defer f.db.mu.Unlock()
	f.db.lagging = nil
	if on {
		f.db.lagging = maps.Clone(f.db.items)
	}
}

// before responds like DynamoDB: for the same fault, a single write and a
// transaction have different errors.
//
// Source: DynamoDB developer guide, "Transaction conflict handling"; API
// reference, TransactWriteItems, Errors.
func (f *faulty) before(n int, op string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	second := func(code string) error {
		return cancelled(types.CancellationReason{Code: aws.String("None")}, types.CancellationReason{Code: aws.String(code)})
	}
	switch {
	case op == "Query":
		if f.pages++; f.pages == f.page {
			return &types.ProvisionedThroughputExceededException{}
		}
	case op == "GetItem":
	case f.throttled && op == "PutItem":
		return &types.ThrottlingException{}
	case f.throttled:
		return second("ThrottlingError")
	case f.contend == 0:
	default:
		f.contend--
		switch {
		case op == "PutItem":
			return &types.TransactionConflictException{}
		case n%2 == 0:
			return &types.TransactionInProgressException{}
		}
		return second("TransactionConflict")
	}
	return nil
}
