package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/ledger/dynamo"
)

// faulty is a ledger in moto, and the way to it. It answers what DynamoDB
// answers and moto does not: the transactions that it knows by their
// ClientRequestTokens, conflicts with other transactions, throttling, and an
// index that lags.
type faulty struct {
	*dynamo.Ledger
	next http.RoundTripper

	mu        sync.Mutex
	contend   int
	throttled bool
	page      int // to refuse
	between   func()
	lag       []row          // what the index shows; nil: what is there
	done      map[string]any // by ClientRequestToken
	conflicts int            // answered so far
}

// row is one entry of the index.
type row struct {
	PK struct{ S string } `json:"pk"`
	S  struct{ S string } `json:"s"`
	D  struct{ N string } `json:"d"`
}

func (f *faulty) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *faulty) Contend(n int)             { f.set(func() { f.contend = n }) }
func (f *faulty) ThrottleWrites(on bool)    { f.set(func() { f.throttled = on }) }
func (f *faulty) ThrottlePage(n int)        { f.set(func() { f.page = n }) }
func (f *faulty) TenMinutesLater()          { f.set(func() { clear(f.done) }) }
func (f *faulty) LoseAnswer(between func()) { f.set(func() { f.between = between }) }

func (f *faulty) Lag(on bool) {
	f.set(func() { f.lag = nil })
	if !on {
		return
	}
	rows := []row{}
	take := func(state string, listed ledger.Listed) {
		var r row
		r.PK.S, r.S.S, r.D.N = listed.Key, state, strconv.FormatInt(listed.At.UnixMilli(), 10)
		rows = append(rows, r)
	}
	for listed := range f.Due(context.Background(), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)) {
		take("due", listed)
	}
	for listed := range f.Held(context.Background()) {
		take("held", listed)
	}
	f.set(func() { f.lag = rows })
}

// request is what matters here of a request to DynamoDB.
type request struct {
	ClientRequestToken        string
	TransactItems             any
	ExclusiveStartKey         any
	ExpressionAttributeValues map[string]map[string]any
}

func (f *faulty) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var in request
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if answer := f.answer(op, in); answer != "" {
		return respond(r, answer), nil
	}
	resp, err := f.next.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusOK || op != "PutItem" && op != "TransactWriteItems" {
		return resp, err
	}
	var between func()
	f.set(func() {
		if in.ClientRequestToken != "" {
			f.done[in.ClientRequestToken] = in.TransactItems
		}
		between, f.between = f.between, nil
	})
	if between == nil {
		return resp, nil
	}
	resp.Body.Close()
	between()
	return nil, io.ErrUnexpectedEOF
}

// answer is what DynamoDB answers and moto does not; empty where moto answers.
//
// Source: DynamoDB API reference, TransactWriteItems; developer guide,
// "Transaction conflict handling".
func (f *faulty) answer(op string, in request) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	fault := func(kind string) string { return `{"__type":"com.amazonaws.dynamodb.v20120810#` + kind + `"}` }
	second := func(code string) string {
		return `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"Transaction cancelled",` +
			`"CancellationReasons":[{"Code":"None"},{"Code":"` + code + `"}]}`
	}
	done, known := f.done[in.ClientRequestToken]
	switch {
	case op == "GetItem":
		return ""
	case op == "Query":
		if f.page == 1 && in.ExclusiveStartKey == nil || f.page == 2 && in.ExclusiveStartKey != nil {
			return fault("ProvisionedThroughputExceededException")
		}
		return f.lagging(in)
	case f.throttled && op == "PutItem":
		return fault("ThrottlingException")
	case f.throttled:
		return second("ThrottlingError")
	case f.contend > 0:
		f.contend--
		f.conflicts++
		switch {
		case op == "PutItem":
			return fault("TransactionConflictException")
		case f.conflicts%2 == 0:
			return fault("TransactionInProgressException")
		}
		return second("TransactionConflict")
	case known && !reflect.DeepEqual(done, in.TransactItems):
		return fault("IdempotentParameterMismatchException")
	case known:
		return `{}`
	}
	return ""
}

// lagging answers a query of an index that lags; empty if it does not.
func (f *faulty) lagging(in request) string {
	if f.lag == nil {
		return ""
	}
	rows := []row{}
	until, bounded := in.ExpressionAttributeValues[":d"]["N"].(string)
	for _, r := range f.lag {
		if r.S.S == in.ExpressionAttributeValues[":s"]["S"] && (!bounded || number(r.D.N) <= number(until)) {
			rows = append(rows, r)
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(number(a.D.N), number(b.D.N)) })
	answer, _ := json.Marshal(map[string]any{"Items": rows, "Count": len(rows), "ScannedCount": len(rows)})
	return string(answer)
}

func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

func respond(r *http.Request, answer string) *http.Response {
	status := http.StatusOK
	if strings.Contains(answer, `"__type"`) {
		status = http.StatusBadRequest
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}
}
