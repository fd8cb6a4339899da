package dynamo_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/ledger/dynamo"
)

// tokened is a ledger that chooses the tokens of its writes.
type tokened struct {
	*dynamo.Ledger
	token func(context.Context) string
}

func newWith(client dynamo.API, table string, token func(context.Context) string, sleep func(context.Context, time.Duration) error) tokened {
	return tokened{dynamo.New(client, table, sleep), token}
}

func (l tokened) Put(ctx context.Context, items ...ledger.Item) error {
	return l.Ledger.Put(ctx, l.token(ctx), items...)
}

// ledgerOf is the part of a ledger that the tests' helpers use.
type ledgerOf interface {
	Get(ctx context.Context, key string) (ledger.Item, error)
	Put(ctx context.Context, items ...ledger.Item) error
}

// tokens returns a new token for each call.
func tokens() func(context.Context) string {
	var n atomic.Int64
	return func(context.Context) string { return fmt.Sprint(n.Add(1)) }
}
