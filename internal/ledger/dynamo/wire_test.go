package dynamo_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
)

// wire responds to the real client's requests in order, instead of DynamoDB.
type wire struct {
	answers []string // "" breaks the connection; the last one stays
	bodies  []string
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	w.bodies = append(w.bodies, string(body))
	answer := w.answers[min(len(w.bodies), len(w.answers))-1]
	if answer == "" {
		return nil, io.ErrUnexpectedEOF
	}
	status := http.StatusOK
	if strings.Contains(answer, `"__type"`) {
		status = http.StatusBadRequest
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

// client returns the SDK's client. Its retries take no time.
func (w *wire) client() *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", HTTPClient: &http.Client{Transport: w}, BaseEndpoint: aws.String("http://dynamodb.test"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		}),
	})
}

// refused is DynamoDB's response with an error.
func refused(kind, rest string) string {
	return `{"__type":"com.amazonaws.dynamodb.v20120810#` + kind + `",` + rest + `}`
}

// The errors and the repeats are those of the SDK.
func TestSDKErrorsAndRepeatsAreUnderstood(t *testing.T) {
	t.Parallel()
	one, two := []ledger.Item{item("a", 0, `{}`)}, []ledger.Item{item("a", 0, `{}`), item("b", 0, `{}`)}
	stored := func(token string) string {
		return `{"pk":{"S":"a"},"v":{"N":"1"},"w":{"S":"` + token + `"},"doc":{"S":"{}"}}`
	}
	failed := func(token string) string {
		return refused("ConditionalCheckFailedException", `"message":"The conditional request failed","Item":`+stored(token))
	}
	reason := `{"Code":"ConditionalCheckFailed","Message":"The conditional request failed","Item":` + stored("1") + `}`
	for _, row := range []struct {
		name    string
		items   []ledger.Item
		answers []string
		sent    int
		want    string // in the error; "" is success
	}{
		{"a lost answer, then one's own item", one, []string{"", failed("1")}, 2, ""},
		{"a lost answer, then another's item", one, []string{"", failed("2")}, 2, "the ledger has newer versions: a (version 1)"},
		{"a lost answer of a transaction, then its own items", two,
			[]string{"", refused("TransactionCanceledException", `"Message":"Transaction cancelled","CancellationReasons":[`+reason+`,`+reason+`]`)}, 2, ""},
		{"a lost answer of a transaction, then that it is done", two, []string{"", `{}`}, 2, ""},
		{"no answer for good", one, []string{""}, 3, "unexpected EOF"},
		// The SDK sends three times, and Put tries five times.
		{"in progress for good", two, []string{refused("TransactionInProgressException", `"Message":"in progress"`)}, 15,
			"ledger table runs: TransactWriteItems: TransactionInProgressException: in progress: other transactions have the same items: try again"},
		{"throttled for good", one, []string{refused("ProvisionedThroughputExceededException", `"message":"Slow down"`)}, 3,
			"ledger table runs: PutItem: ProvisionedThroughputExceededException: Slow down: the ledger's table is throttled"},
		{"no permission", one, []string{`{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"no"}`}, 1,
			"ledger table runs: PutItem: AccessDeniedException: no: the function's role and its permissions boundary must allow dynamodb:PutItem on the table"},
		{"no table", one, []string{refused("ResourceNotFoundException", `"message":"Requested resource not found"`)}, 1,
			"ledger table runs: PutItem: ResourceNotFoundException: Requested resource not found: LEDGER_TABLE must name a table of this account and region"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := &wire{answers: row.answers}
			l, _ := over(w.client())
			err := l.Put(t.Context(), row.items...)
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("got  %v\nwant %s", err, row.want)
			}
			if len(w.bodies) != row.sent {
				t.Errorf("sent %d times", len(w.bodies))
			}
			// A repeat is the same request with the same ClientRequestToken.
			if len(w.bodies) > 1 && w.bodies[0] != w.bodies[1] {
				t.Errorf("the SDK repeats %s\nas %s", w.bodies[0], w.bodies[1])
			}
		})
	}
}
