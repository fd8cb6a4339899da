package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/ledger/dynamo"
	"github.com/amperity-runs/amperity-runs/internal/ledger/ledgertest"
)

// waits records the waits of a ledger. None of them takes time.
type waits struct {
	asked []time.Duration
	err   error // of each wait
}

func (w *waits) sleep(_ context.Context, d time.Duration) error {
	w.asked = append(w.asked, d)
	return w.err
}

// over returns a ledger on a client. Its tokens are "1", "2" and so on.
func over(client dynamo.API) (tokened, *waits) {
	w := &waits{}
	return newWith(client, tableName, tokens(), w.sleep), w
}

func put(t *testing.T, l ledgerOf, items ...ledger.Item) {
	t.Helper()
	if err := l.Put(t.Context(), items...); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, l ledgerOf, key string) ledger.Item {
	t.Helper()
	item, err := l.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return item
}

func item(key string, version int64, doc string) ledger.Item {
	return ledger.Item{Key: key, Version: version, Doc: []byte(doc)}
}

// conflict fails the test unless err is a conflict with these current items.
func conflict(t *testing.T, err error, want ...ledger.Item) {
	t.Helper()
	c, ok := errors.AsType[*ledger.ConflictError](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff(want, c.Current); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestItemsHaveTheDocumentedAttributes(t *testing.T) {
	t.Parallel()
	at := ledgertest.Base.Add(7 * time.Millisecond)
	for _, row := range []struct {
		name string
		item ledger.Item
		want attributes
	}{
		{"due", ledger.Item{Due: at, Doc: []byte(`{"a":1}`)}, attributes{
			"doc": text(`{"a":1}`), "s": text("due"), "d": number("1795327200007"),
		}},
		{"held", ledger.Item{Held: at, Doc: []byte(`{}`)}, attributes{
			"doc": text(`{}`), "s": text("held"), "d": number("1795327200007"),
		}},
		{"held is kept beside due", ledger.Item{Due: at.Add(time.Hour), Held: at, Doc: []byte(`{}`)}, attributes{
			"doc": text(`{}`), "s": text("due"), "d": number("1795330800007"), "h": number("1795327200007"),
		}},
		{"over, and to be forgotten", ledger.Item{Expires: at, Doc: []byte(`{}`)}, attributes{
			"doc": text(`{}`), "x": number("1795327200"),
		}},
		{"tried in vain", ledger.Item{Due: at, Tries: 3, Doc: []byte(`{}`)}, attributes{
			"doc": text(`{}`), "s": text("due"), "d": number("1795327200007"), "t": number("3"),
		}},
		{"a time before 1970 is cut like any other", ledger.Item{Due: time.Unix(0, -1), Doc: []byte(`{}`)}, attributes{
			"doc": text(`{}`), "s": text("due"), "d": number("-1"),
		}},
		{"a document that is not UTF-8", ledger.Item{Doc: []byte("\"\xff\xfe\"")}, attributes{
			"doc": text("\"\uFFFD\""),
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			db := newTable()
			l, _ := over(db)
			row.item.Key, row.want["pk"], row.want["v"], row.want["w"] = "launch/a", text("launch/a"), number("1"), text("1")
			put(t, l, row.item)
			if diff := cmp.Diff(row.want, db.items["launch/a"], ignoreUnexported); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if got := get(t, l, "launch/a").Tries; got != row.item.Tries {
				t.Errorf("read %d tries", got)
			}
		})
	}
}

var ignoreUnexported = cmpopts.IgnoreUnexported(types.AttributeValueMemberS{}, types.AttributeValueMemberN{})

func TestInvalidKeySendsNoRequest(t *testing.T) {
	t.Parallel()
	db := newTable()
	l, _ := over(db)
	for _, key := range []string{"", strings.Repeat("k", ledger.MaxKey+1), "\xff"} {
		if got := get(t, l, key); got.Exists() || got.Key != key {
			t.Errorf("got %v", got)
		}
	}
	err := l.Put(t.Context(), item("unrouted/\xff", 0, `{}`))
	if want := `ledger table runs: PutItem: the key "unrouted/\xff" is not UTF-8`; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if len(db.calls) != 0 {
		t.Errorf("calls %q", db.calls)
	}
}

// The SDK repeats a write whose answer was lost.
func TestRepeatOfALostAnswerCountsAsDone(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		write []ledger.Item
		bare  bool // failed conditions return no items
		other bool // another writer writes a in between
		known bool // DynamoDB still knows the transaction
	}{
		{"of one item", []ledger.Item{item("a", 1, `{}`)}, false, false, false},
		{"of one item, which does not come back", []ledger.Item{item("a", 1, `{}`)}, true, false, false},
		{"of a claim", []ledger.Item{item("new", 0, `{}`)}, false, false, false},
		{"of a transaction", []ledger.Item{item("a", 1, `{}`), item("b", 1, `{}`), item("new", 0, `{}`)}, false, false, false},
		{"of a transaction, whose items do not come back", []ledger.Item{item("a", 1, `{}`), item("new", 0, `{}`)}, true, false, false},
		{"of one item, and another's write", []ledger.Item{item("a", 1, `{}`)}, false, true, false},
		{"of a transaction, and another's write", []ledger.Item{item("b", 1, `{}`), item("a", 1, `{}`), item("new", 0, `{}`)}, false, true, false},
		{"of a transaction, and another's write, and no items come back", []ledger.Item{item("b", 1, `{}`), item("a", 1, `{}`)}, true, true, false},
		{"of a transaction, and another's write, within ten minutes", []ledger.Item{item("b", 1, `{}`), item("a", 1, `{}`), item("new", 0, `{}`)}, false, true, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			db := newTable()
			l, _ := over(db)
			others := newWith(db, tableName, func(context.Context) string { return "another's" }, nil)
			put(t, l, item("a", 0, `{}`), item("b", 0, `{}`))
			db.bare = row.bare
			db.between = func() {
				if row.other {
					put(t, others, item("a", 2, `{"by":"another"}`))
				}
				if !row.known {
					db.forget()
				}
			}
			err := l.Put(t.Context(), row.write...)
			want := make([]ledger.Item, len(row.write))
			for i, w := range row.write {
				want[i] = item(w.Key, w.Version+1, `{}`)
				if row.other && w.Key == "a" {
					want[i] = item("a", 3, `{"by":"another"}`)
				}
			}
			if row.other && !row.known {
				conflict(t, err, want...)
			} else if err != nil {
				t.Fatal(err)
			}
			for _, w := range want {
				if diff := cmp.Diff(w, get(t, l, w.Key)); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			}
		})
	}
}

func TestWriteWithAnotherTokenIsAConflict(t *testing.T) {
	t.Parallel()
	db := newTable()
	l, _ := over(db)
	others := newWith(db, tableName, func(context.Context) string { return "another's" }, nil)
	put(t, others, item("a", 0, `{"n":1}`), item("b", 0, `{"n":1}`))
	conflict(t, l.Put(t.Context(), item("a", 0, `{"n":1}`)), item("a", 1, `{"n":1}`))
	conflict(t, l.Put(t.Context(), item("a", 0, `{"n":1}`), item("b", 0, `{"n":1}`)), item("a", 1, `{"n":1}`), item("b", 1, `{"n":1}`))

	// The token on one item is not the token on all items.
	mine := newWith(db, tableName, func(context.Context) string { return "mine" }, nil)
	put(t, mine, item("a", 1, `{"n":2}`))
	conflict(t, mine.Put(t.Context(), item("a", 1, `{"n":2}`), item("b", 0, `{"n":2}`)), item("a", 2, `{"n":2}`), item("b", 1, `{"n":1}`))

	// A token on another version does not count.
	conflict(t, mine.Put(t.Context(), item("a", 0, `{"n":2}`)), item("a", 2, `{"n":2}`))
}

// In a cancelled transaction one item has the failed condition, at any
// position, and the others return their current state.
func TestOneFailedConditionDecides(t *testing.T) {
	t.Parallel()
	failed := types.CancellationReason{Code: aws.String("ConditionalCheckFailed"), Item: attributes{
		"pk": text("b"), "v": number("7"), "w": text("another's"), "doc": text(`{"n":7}`),
	}}
	for _, beside := range []string{"None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"} {
		t.Run(beside, func(t *testing.T) {
			t.Parallel()
			db := newTable()
			l, w := over(db)
			put(t, l, item("a", 0, `{"n":1}`))
			db.calls, db.before = nil, errFirst(1, cancelled(types.CancellationReason{Code: &beside}, failed, types.CancellationReason{Code: &beside}))
			err := l.Put(t.Context(), item("a", 1, `{}`), item("b", 6, `{}`), item("c", 0, `{}`))
			conflict(t, err, item("a", 1, `{"n":1}`), item("b", 7, `{"n":7}`), ledger.Item{Key: "c"})
			if diff := cmp.Diff([]string{"TransactWriteItems", "GetItem", "GetItem"}, db.calls); diff != "" {
				t.Errorf("calls (-want +got)\n%s", diff)
			}
			if len(w.asked) != 0 {
				t.Errorf("waited %v", w.asked)
			}
		})
	}
}

// Put tries temporary errors five times in all.
func TestTemporaryErrorsAreRetried(t *testing.T) {
	t.Parallel()
	one, two := []ledger.Item{item("a", 0, `{}`)}, []ledger.Item{item("a", 0, `{}`), item("b", 0, `{}`)}
	reason := func(code string) error {
		return cancelled(types.CancellationReason{Code: aws.String("None")}, types.CancellationReason{Code: &code})
	}
	for _, row := range []struct {
		name  string
		items []ledger.Item
		err   error
		is    error
		want  string // the error after the last try
	}{
		{"a transaction meets another", two, reason("TransactionConflict"), ledger.ErrBusy,
			"ledger table runs: TransactWriteItems: TransactionCanceledException: Transaction cancelled, please refer cancellation reasons for specific reasons " +
				"[None, TransactionConflict]: other transactions have the same items: try again"},
		{"a single write meets a transaction", one, &types.TransactionConflictException{Message: aws.String("Transaction is ongoing for the item")}, ledger.ErrBusy,
			"ledger table runs: PutItem: TransactionConflictException: Transaction is ongoing for the item: other transactions have the same items: try again"},
		{"a transaction meets itself", two, &types.TransactionInProgressException{}, ledger.ErrBusy,
			"ledger table runs: TransactWriteItems: TransactionInProgressException: other transactions have the same items: try again"},
		{"a transaction is throttled", two, reason("ThrottlingError"), ledger.ErrThrottled,
			"ledger table runs: TransactWriteItems: TransactionCanceledException: Transaction cancelled, please refer cancellation reasons for specific reasons " +
				"[None, ThrottlingError]: the ledger's table is throttled"},
		{"a transaction is throttled by the table's settings", two, reason("ProvisionedThroughputExceeded"), ledger.ErrThrottled,
			"ledger table runs: TransactWriteItems: TransactionCanceledException: Transaction cancelled, please refer cancellation reasons for specific reasons " +
				"[None, ProvisionedThroughputExceeded]: the ledger's table is throttled"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			for failures := 1; failures <= 5; failures++ {
				db := newTable()
				db.before = errFirst(failures, row.err)
				l, w := over(db)
				err := l.Put(t.Context(), row.items...)
				if waited := min(failures, 4); len(w.asked) != waited {
					t.Errorf("%d failures: waited %v", failures, w.asked)
				}
				for i, d := range w.asked {
					if full := 25 * time.Millisecond << i; d < full/2 || d >= full {
						t.Errorf("wait %d: %v", i+1, d)
					}
				}
				// Each try is another request to DynamoDB.
				seen := map[string]bool{}
				for _, r := range db.requests {
					if seen[r] || len(r) != 32 {
						t.Errorf("ClientRequestTokens %q", db.requests)
					}
					seen[r] = true
				}
				if failures < 5 {
					if err != nil || get(t, l, "a").Version != 1 {
						t.Errorf("%d failures: %v", failures, err)
					}
					continue
				}
				if err == nil || err.Error() != row.want || !errors.Is(err, row.is) || !errors.Is(err, row.err) {
					t.Errorf("got  %v\nwant %s", err, row.want)
				}
			}
		})
	}
}

func TestEndOfTheContextEndsTheRetries(t *testing.T) {
	t.Parallel()
	db := newTable()
	db.before = errFirst(9, &types.TransactionConflictException{})
	l, w := over(db)
	w.err = context.DeadlineExceeded
	err := l.Put(t.Context(), item("a", 0, `{}`))
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ledger.ErrBusy) || len(db.calls) != 1 {
		t.Errorf("%d calls: %v", len(db.calls), err)
	}
}

// The first try took effect although DynamoDB reported it as cancelled: a
// repeat was in flight. The next try finds its token.
func TestEarlierTryThatArrivesLateCountsAsDone(t *testing.T) {
	t.Parallel()
	db := newTable()
	write := []ledger.Item{item("a", 0, `{}`), item("b", 0, `{}`)}
	late := newWith(db, tableName, func(context.Context) string { return "1" }, nil)
	put(t, late, write...)
	db.before = func(n int, _ string) error {
		if n == 2 {
			return cancelled(types.CancellationReason{Code: aws.String("TransactionConflict")}, types.CancellationReason{Code: aws.String("None")})
		}
		return nil
	}
	l, w := over(db)
	if err := l.Put(t.Context(), write...); err != nil || len(w.asked) != 1 {
		t.Errorf("%d waits: %v", len(w.asked), err)
	}
}

func TestOtherErrorsAreReturned(t *testing.T) {
	t.Parallel()
	large := item("b", 0, strings.Repeat("x", 300))
	writes := [][]ledger.Item{{item("a", 0, `{}`)}, {item("a", 0, `{}`), large}}
	calls := map[string]func(context.Context, tokened) error{
		"GetItem": func(ctx context.Context, l tokened) error {
			_, err := l.Get(ctx, "a")
			return err
		},
		"PutItem":            func(ctx context.Context, l tokened) error { return l.Put(ctx, writes[0]...) },
		"TransactWriteItems": func(ctx context.Context, l tokened) error { return l.Put(ctx, writes[1]...) },
		"Query": func(ctx context.Context, l tokened) error {
			var errs []error
			for _, err := range l.Due(ctx, ledgertest.Base) {
				errs = append(errs, err)
			}
			if len(errs) != 1 {
				return fmt.Errorf("%d rows", len(errs))
			}
			return errs[0]
		},
	}
	for _, row := range []struct {
		op   string
		err  error
		is   error
		want string
	}{
		// Throttling, after the SDK's retries.
		{"GetItem", &types.ProvisionedThroughputExceededException{Message: aws.String("Slow down")}, ledger.ErrThrottled,
			"ledger table runs: GetItem: ProvisionedThroughputExceededException: Slow down: the ledger's table is throttled"},
		{"PutItem", &types.ThrottlingException{}, ledger.ErrThrottled,
			"ledger table runs: PutItem: ThrottlingException: the ledger's table is throttled"},
		{"TransactWriteItems", &types.RequestLimitExceeded{}, ledger.ErrThrottled,
			"ledger table runs: TransactWriteItems: RequestLimitExceeded: the ledger's table is throttled"},
		{"Query", &types.RequestLimitExceeded{}, ledger.ErrThrottled,
			"ledger table runs: Query: RequestLimitExceeded: the ledger's table is throttled"},
		// No table, no permission.
		{"GetItem", &types.ResourceNotFoundException{Message: aws.String("Requested resource not found")}, nil,
			"ledger table runs: GetItem: ResourceNotFoundException: Requested resource not found: LEDGER_TABLE must name a table of this account and region"},
		{"GetItem", code("AccessDeniedException", "User: arn is not authorized"), nil,
			"ledger table runs: GetItem: AccessDeniedException: User: arn is not authorized: the function's role and its permissions boundary must allow dynamodb:GetItem on the table"},
		{"TransactWriteItems", code("AccessDeniedException", "no"), nil,
			"ledger table runs: TransactWriteItems: AccessDeniedException: no: the function's role and its permissions boundary must allow dynamodb:PutItem on the table"},
		{"Query", code("AccessDeniedException", "no"), nil,
			"ledger table runs: Query: AccessDeniedException: no: the function's role and its permissions boundary must allow dynamodb:Query on the table's index due"},
		// Too large in spite of Put's checks.
		{"PutItem", code("ValidationException", "Item size has exceeded the maximum allowed size"), &ledger.SizeError{Key: "a", Size: 3, Limit: 409_600},
			"ledger table runs: PutItem: ValidationException: Item size has exceeded the maximum allowed size: the ledger's item a has 3 bytes, the limit is 409600"},
		{"TransactWriteItems", code("ValidationException", "Item size has exceeded the maximum allowed size"), &ledger.SizeError{Key: "b", Size: 301, Limit: 409_600},
			"ledger table runs: TransactWriteItems: ValidationException: Item size has exceeded the maximum allowed size: the ledger's item b has 301 bytes, the limit is 409600"},
		{"TransactWriteItems", cancelled(
			types.CancellationReason{Code: aws.String("ValidationError"), Message: aws.String("Item size to update has exceeded the maximum allowed size")},
			types.CancellationReason{Code: aws.String("None")}), &ledger.SizeError{Key: "a", Size: 3, Limit: 409_600},
			"ledger table runs: TransactWriteItems: TransactionCanceledException: Transaction cancelled, please refer cancellation reasons for specific reasons " +
				"[ValidationError, None]: the ledger's item a has 3 bytes, the limit is 409600"},
		// Everything else.
		{"TransactWriteItems", &types.TransactionCanceledException{Message: aws.String("without reasons")}, nil,
			"ledger table runs: TransactWriteItems: TransactionCanceledException: without reasons"},
		{"TransactWriteItems", &types.IdempotentParameterMismatchException{}, ledger.ErrTokenReused,
			"ledger table runs: TransactWriteItems: IdempotentParameterMismatchException: an earlier write has this token: make a new token for each write"},
		{"PutItem", errLost, nil, "ledger table runs: PutItem: connection reset by peer"},
		{"GetItem", code("InternalServerError", strings.Repeat("ä", 600)), nil,
			"ledger table runs: GetItem: InternalServerError: " + strings.Repeat("ä", 479) + "…"},
		{"Query", context.DeadlineExceeded, context.DeadlineExceeded, "ledger table runs: Query: context deadline exceeded"},
	} {
		t.Run(row.want, func(t *testing.T) {
			t.Parallel()
			db := newTable()
			db.before = errFirst(1, row.err)
			l, w := over(db)
			err := calls[row.op](t.Context(), l)
			if err == nil || err.Error() != row.want {
				t.Errorf("got  %v\nwant %s", err, row.want)
			}
			if !errors.Is(err, row.err) {
				t.Error("the SDK's error is not in the tree")
			}
			if e, ok := errors.AsType[*dynamo.Error](err); !ok || e.Op != row.op || e.Table != tableName {
				t.Errorf("got %#v", err)
			}
			if want, ok := row.is.(*ledger.SizeError); ok {
				got, _ := errors.AsType[*ledger.SizeError](err)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			} else if row.is != nil && !errors.Is(err, row.is) {
				t.Errorf("it is not %v", row.is)
			}
			if len(w.asked) != 0 || len(db.calls) != 1 {
				t.Errorf("%d calls, %d waits", len(db.calls), len(w.asked))
			}
		})
	}
}

// A done context sends no request. The SDK alone would begin one.
func TestDoneContextSendsNoRequest(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	db := newTable()
	l, _ := over(db)
	_, _ = l.Get(ctx, "a")
	_ = l.Put(ctx, item("a", 0, `{}`))
	_ = l.Put(ctx, item("a", 0, `{}`), item("b", 0, `{}`))
	for range l.Held(ctx) {
		continue
	}
	if len(db.calls) != 0 {
		t.Errorf("calls %q", db.calls)
	}
}

func TestTimesAreInUTC(t *testing.T) {
	t.Parallel()
	l, _ := over(newTable())
	local := ledgertest.Base.In(time.FixedZone("", 3600))
	put(t, l, ledger.Item{Key: "a", Due: local, Held: local, Expires: local})
	got := get(t, l, "a")
	times := []time.Time{got.Due, got.Held, got.Expires}
	for row, err := range l.Due(t.Context(), local) {
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, row.At)
	}
	for _, at := range times {
		if at.Location() != time.UTC || !at.Equal(local) {
			t.Errorf("got %v", times)
		}
	}
	if len(times) != 4 {
		t.Errorf("got %v", times)
	}
}

// A conflict with unreadable items is another error, because callers rely on
// the items of a conflict.
func TestUnreadableConflictIsAnError(t *testing.T) {
	t.Parallel()
	db := newTable()
	l, _ := over(db)
	put(t, l, item("a", 0, `{}`))
	db.bare = true
	db.before = func(_ int, op string) error {
		if op == "GetItem" {
			return &types.ThrottlingException{}
		}
		return nil
	}
	err := l.Put(t.Context(), item("a", 0, `{}`))
	if want := "ledger table runs: GetItem: ThrottlingException: the ledger's table is throttled"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	db.bare, db.items["a"] = false, attributes{"pk": text("a")}
	err = l.Put(t.Context(), item("a", 0, `{}`))
	if want := `ledger table runs: PutItem: item "a": attribute v is missing`; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// An operator may edit the table by hand.
func TestMalformedItemsAreErrors(t *testing.T) {
	t.Parallel()
	sound := func(change ...func(attributes)) attributes {
		a := attributes{"pk": text("a"), "v": number("1"), "w": text("1"), "doc": text("{}"), "s": text("due"), "d": number("5"), "h": number("5"), "t": number("5"), "x": number("5")}
		for _, c := range change {
			c(a)
		}
		return a
	}
	without := func(name string) attributes { return sound(func(a attributes) { delete(a, name) }) }
	with := func(name string, v types.AttributeValue) attributes {
		return sound(func(a attributes) { a[name] = v })
	}
	for _, row := range []struct {
		item attributes
		want string
	}{
		{without("v"), `item "a": attribute v is missing`},
		{without("w"), `item "a": attribute w is missing`},
		{without("doc"), `item "a": attribute doc is missing`},
		{without("s"), `item "a": attribute s is missing`},
		{without("d"), `item "a": attribute d is missing`},
		{with("v", text("1")), `item "a": attribute v is not a number`},
		{with("v", number("1.5")), `item "a": attribute v is not a whole number`},
		{with("v", number("1E+30")), `item "a": attribute v is not a whole number`},
		{with("v", number("0")), `item "a": the version in attribute v is below 1`},
		{with("w", number("1")), `item "a": attribute w is not a string`},
		{with("doc", &types.AttributeValueMemberM{}), `item "a": attribute doc is not a string`},
		{with("s", text("lost")), `item "a": attribute s is neither "due" nor "held"`},
		{with("s", &types.AttributeValueMemberNULL{Value: true}), `item "a": attribute s is not a string`},
		{with("d", &types.AttributeValueMemberB{}), `item "a": attribute d is not a number`},
		{with("h", text("5")), `item "a": attribute h is not a number`},
		{with("t", text("5")), `item "a": attribute t is not a number`},
		{with("x", text("5")), `item "a": attribute x is not a number`},
		{with("d", number("9223372036854775807")), ""},
	} {
		t.Run(row.want, func(t *testing.T) {
			t.Parallel()
			db := newTable()
			db.items["a"] = row.item
			l, _ := over(db)
			_, err := l.Get(t.Context(), "a")
			if row.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if want := "ledger table runs: GetItem: " + row.want; err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

// rowsOf returns the rows from each Query.
type rowsOf struct {
	*table
	rows []attributes
}

func (r rowsOf) Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return &dynamodb.QueryOutput{Items: r.rows}, nil
}

func TestMalformedRowsAreErrors(t *testing.T) {
	t.Parallel()
	good := attributes{"pk": text("a"), "s": text("held"), "d": number("5")}
	for _, row := range []struct {
		row  attributes
		want string
	}{
		{attributes{"pk": text("b"), "s": text("held")}, `ledger table runs: Query: item "b": attribute d is missing`},
		{attributes{"s": text("held"), "d": number("5")}, `ledger table runs: Query: item "": attribute pk is missing`},
		{attributes{"pk": number("5"), "d": number("5")}, `ledger table runs: Query: item "": attribute pk is not a string`},
	} {
		l, _ := over(rowsOf{newTable(), []attributes{good, row.row, good}})
		var got []string
		for listed, err := range l.Held(t.Context()) {
			got = append(got, fmt.Sprintf("%s %v", listed.Key, err))
		}
		if diff := cmp.Diff([]string{"a <nil>", " " + row.want}, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

// Put refuses invalid writes before it sends a request.
func TestInvalidWritesAreRefused(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		items []ledger.Item
		want  string
	}{
		{nil, "a write to the ledger has 0 items; it may have 1 to 25"},
		{make([]ledger.Item, 26), "a write to the ledger has 26 items; it may have 1 to 25"},
		{[]ledger.Item{item("a", 0, `{}`), item("a", 0, `{}`)}, "a write to the ledger has the item a twice"},
		{[]ledger.Item{item("a", 0, strings.Repeat("x", ledger.MaxDoc+1))}, "the ledger's item a has 389121 bytes, the limit is 389120"},
	} {
		db := newTable()
		l, _ := over(db)
		if err := l.Put(t.Context(), row.items...); err == nil || err.Error() != row.want || len(db.calls) != 0 {
			t.Errorf("%d calls, got %v", len(db.calls), err)
		}
	}
}
