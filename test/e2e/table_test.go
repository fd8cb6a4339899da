package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/clock"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/ledger/dynamo"
)

// asked keeps what a ledger asks of DynamoDB. All else of the API is nil.
type asked struct {
	dynamo.API
	put   *dynamodb.PutItemInput
	query *dynamodb.QueryInput
}

func (a *asked) PutItem(_ context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	a.put = in
	return &dynamodb.PutItemOutput{}, nil
}

func (a *asked) Query(_ context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	a.query = in
	return &dynamodb.QueryOutput{}, nil
}

// The table of the template is the one that internal/ledger/dynamo reads and
// writes.
func TestTheTableIsTheLedgers(t *testing.T) {
	made := variants(t)
	p := made["required parameters only"]["LedgerTable"].Properties

	// What the ledger calls things, learned from what it asks for.
	var db asked
	l := dynamo.New(&db, "table", clock.System{}.Sleep)
	dueAt, expires := time.UnixMilli(1_795_327_200_007), time.Unix(1_899_000_000, 0)
	err := l.Put(t.Context(), "token", ledger.Item{Key: "launch/a", Doc: []byte(`{}`), Due: dueAt, Expires: expires})
	if err != nil {
		t.Fatal(err)
	}
	for range l.Due(t.Context(), dueAt) {
	}
	name := func(v types.AttributeValue) string {
		for n, have := range db.put.Item {
			if cmp.Equal(v, have, cmp.AllowUnexported(types.AttributeValueMemberS{}, types.AttributeValueMemberN{})) {
				return n
			}
		}
		t.Fatalf("the ledger does not write %v", v)
		return ""
	}
	key := name(&types.AttributeValueMemberS{Value: "launch/a"})
	state := name(&types.AttributeValueMemberS{Value: "due"})
	at := name(&types.AttributeValueMemberN{Value: "1795327200007"})
	ttl := name(&types.AttributeValueMemberN{Value: "1899000000"})

	attribute := func(name, kind string) any { return map[string]any{"AttributeName": name, "AttributeType": kind} }
	element := func(name, kind string) any { return map[string]any{"AttributeName": name, "KeyType": kind} }
	want := map[string]any{
		"BillingMode":          "PAY_PER_REQUEST",
		"AttributeDefinitions": []any{attribute(key, "S"), attribute(state, "S"), attribute(at, "N")},
		"KeySchema":            []any{element(key, "HASH")},
		"GlobalSecondaryIndexes": []any{map[string]any{
			"IndexName":  aws.ToString(db.query.IndexName),
			"KeySchema":  []any{element(state, "HASH"), element(at, "RANGE")},
			"Projection": map[string]any{"ProjectionType": "KEYS_ONLY"},
		}},
		"TimeToLiveSpecification":          map[string]any{"AttributeName": ttl, "Enabled": true},
		"PointInTimeRecoverySpecification": map[string]any{"PointInTimeRecoveryEnabled": true},
		// No name, so that it can be replaced and made twice. No deletion
		// protection, or a first deployment that fails could not be rolled back.
		// No key: DynamoDB's own.
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("(-want +template)\n%s", diff)
	}
	want["SSESpecification"] = map[string]any{"SSEEnabled": true, "SSEType": "KMS", "KMSMasterKeyId": everything()["LedgerKmsKeyArn"]}
	if diff := cmp.Diff(want, made["everything on"]["LedgerTable"].Properties); diff != "" {
		t.Errorf("with a key (-want +template)\n%s", diff)
	}
	if index := "${LedgerTable.Arn}/index/" + aws.ToString(db.query.IndexName); !cmp.Equal([]any{index}, may(made["everything on"], "SweepRole")["dynamodb:Query"]) {
		t.Errorf("the sweep may not query %s", index)
	}
}
