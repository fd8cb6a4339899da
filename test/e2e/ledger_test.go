package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/clock"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/ledger/dynamo"
	"github.com/amperity-runs/amperity-runs/internal/ledger/ledgertest"
	"github.com/amperity-runs/amperity-runs/test/stack"
)

// Where moto (5.2.5) is not DynamoDB, as far as these tests go:
//
//   - Writes at the same time are not kept apart; see oneByOne.
//   - ClientRequestToken is ignored. A transaction that is sent again fails in
//     its conditions, where DynamoDB answers that it is done; see faulty.
//   - Nothing is ever throttled, or in progress, or a TransactionConflict; see
//     faulty.
//   - The index is up to date at once. DynamoDB's lags; see faulty.
//   - A page that is full has a LastEvaluatedKey only if something comes after
//     it.
//   - The time to live deletes nothing.
//
// What failed conditions give back (ALL_OLD) is as with DynamoDB, in
// transactions too.

// oneByOne sends one request at a time.
//
// moto answers each request in a thread of its own, without a lock
// (moto/server.py, threaded=True). PutItem compares and sets in two steps. A
// transaction copies the whole table, writes item by item, so that others read
// what is not decided yet, and if it is cancelled puts the copy in the table's
// place (moto/dynamodb/models/__init__.py, transact_write_items), with which
// all that others have written since is gone. With 200 items in the table, two
// of eight writers from the same version win now and then, and some get status
// 500 because the table changes while it is copied. DynamoDB keeps transactions
// and single reads and writes apart (developer guide, "Isolation levels for
// DynamoDB transactions"), and this is the ledger's test, not its.
type oneByOne struct {
	mu   sync.Mutex
	next http.RoundTripper
}

func (o *oneByOne) RoundTrip(r *http.Request) (*http.Response, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.next.RoundTrip(r) // moto is done when its answer begins
}

var tables atomic.Int64

// table makes a ledger's table with a name of its own.
func table(t *testing.T, w *stack.World) string {
	t.Helper()
	name := fmt.Sprintf("ledger-%d", tables.Add(1))
	if err := w.MakeTable(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	return name
}

// ledgerOver makes a ledger over a table in moto. The SDK's repeats come at
// once.
func ledgerOver(w *stack.World, table string, way http.RoundTripper) *dynamo.Ledger {
	cfg := w.AWS()
	cfg.HTTPClient = &http.Client{Transport: way}
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	}
	return dynamo.New(dynamodb.NewFromConfig(cfg), table, clock.System{}.Sleep)
}

func TestLedgerKeepsTheContract(t *testing.T) {
	w := world(t)
	ledgertest.Run(t, func(t *testing.T) ledgertest.Table {
		f := &faulty{next: &oneByOne{next: &http.Transport{}}, done: map[string]any{}}
		f.Ledger = ledgerOver(w, table(t, w), f)
		return f
	})
}

// losing loses the answer to the first write: moto has done it, then something
// happens, then the connection breaks.
type losing struct {
	between func()

	lost   bool
	ops    []string
	bodies []string // of writes
}

func (l *losing) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	l.ops = append(l.ops, op)
	resp, err := http.DefaultTransport.RoundTrip(r)
	if op == "GetItem" || err != nil {
		return resp, err
	}
	l.bodies = append(l.bodies, string(body))
	if l.lost {
		return resp, nil
	}
	l.lost = true
	resp.Body.Close()
	if l.between != nil {
		l.between()
	}
	return nil, io.ErrUnexpectedEOF
}

// TestLedgerALostAnswer: the SDK sends again what was done, with the same
// ClientRequestToken where it is a transaction.
func TestLedgerALostAnswer(t *testing.T) {
	w := world(t)
	text := []byte(`{}`)
	one := []ledger.Item{{Key: "a", Version: 1, Doc: text}}
	two := []ledger.Item{{Key: "new", Doc: text}, {Key: "a", Version: 1, Doc: text}}
	for _, row := range []struct {
		name  string
		write []ledger.Item
		other bool // somebody writes a in between
		ops   []string
	}{
		{"one item", one, false, []string{"PutItem", "PutItem"}},
		{"one item, and another's write", one, true, []string{"PutItem", "PutItem"}},
		{"a transaction", two, false, []string{"TransactWriteItems", "TransactWriteItems"}},
		{"a transaction, and another's write", two, true, []string{"TransactWriteItems", "TransactWriteItems"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			name := table(t, w)
			others := ledgerOver(w, name, http.DefaultTransport)
			if err := others.Put(t.Context(), "another's", ledger.Item{Key: "a", Doc: text}); err != nil {
				t.Fatal(err)
			}
			way := &losing{}
			if row.other {
				way.between = func() {
					if err := others.Put(t.Context(), "another's", ledger.Item{Key: "a", Version: 2, Doc: text}); err != nil {
						t.Error(err)
					}
				}
			}
			err := ledgerOver(w, name, way).Put(t.Context(), "mine", row.write...)
			want := map[string]int64{"new": int64(len(row.write) - 1), "a": 2}
			if row.other {
				want["a"] = 3
				if c, ok := errors.AsType[*ledger.ConflictError](err); !ok || c.Current[len(row.write)-1].Version != 3 {
					t.Errorf("got %v", err)
				}
			} else if err != nil {
				t.Error(err)
			}
			for key, version := range want {
				if got, err := others.Get(t.Context(), key); err != nil || got.Version != version {
					t.Errorf("%s has version %d (%v)", key, got.Version, err)
				}
			}
			// No reads: what failed conditions gave back was enough.
			if diff := cmp.Diff(row.ops, way.ops); diff != "" {
				t.Errorf("calls (-want +got)\n%s", diff)
			}
			if len(way.bodies) == 2 && way.bodies[0] != way.bodies[1] {
				t.Errorf("the SDK repeats %s\nas %s", way.bodies[0], way.bodies[1])
			}
			if len(row.write) > 1 && !strings.Contains(way.bodies[0], `"ClientRequestToken":"`) {
				t.Errorf("no ClientRequestToken in %s", way.bodies[0])
			}
		})
	}
}

// TestLedgerTheSameTransactionTwice: two calls with one token are one, as if
// the second were a repeat. DynamoDB knows it by the ClientRequestToken, and
// after ten minutes, as moto always, by the token on the items.
func TestLedgerTheSameTransactionTwice(t *testing.T) {
	w := world(t)
	way := &losing{lost: true}
	l := ledgerOver(w, table(t, w), way)
	write := []ledger.Item{{Key: "a", Doc: []byte(`{}`)}, {Key: "b", Doc: []byte(`{}`), Due: ledgertest.Base}}
	for range 2 {
		if err := l.Put(t.Context(), "mine", write...); err != nil {
			t.Fatal(err)
		}
	}
	var sent [2]any // the SDK writes an item's attributes in any order
	for i, body := range way.bodies {
		if err := json.Unmarshal([]byte(body), &sent[i]); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(sent[0], sent[1]); diff != "" {
		t.Errorf("the second is another (-first +second)\n%s", diff)
	}
	for _, item := range write {
		if got, err := l.Get(t.Context(), item.Key); err != nil || got.Version != 1 {
			t.Errorf("%s has version %d (%v)", item.Key, got.Version, err)
		}
	}
}

// TestLedgerWithoutATable: the error says what to do.
func TestLedgerWithoutATable(t *testing.T) {
	w := world(t)
	_, err := ledgerOver(w, "elsewhere", http.DefaultTransport).Get(t.Context(), "a")
	if want := "ledger table elsewhere: GetItem: ResourceNotFoundException: "; err == nil || !strings.HasPrefix(err.Error(), want) ||
		!strings.HasSuffix(err.Error(), ": LEDGER_TABLE must name a table of this account and region") {
		t.Errorf("got %v", err)
	}
}
