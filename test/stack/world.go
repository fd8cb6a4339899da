package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/clock"
	"github.com/amperity-runs/amperity-runs/internal/ledger/dynamo"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

const (
	// Region is the region that moto plays.
	Region = "us-east-1"
	// SecretID is the name of the secret with the token, as in events/env.json.
	SecretID = "amperity-runs-local"
	// Table is the name of the table with the ledger, as there.
	Table = "amperity-runs-local"
	// accessKey is for moto, which looks at no key.
	accessKey = "local"
)

// Config says where a world is. Only Now is required.
type Config struct {
	// Now is the simulator's clock.
	Now func() time.Time
	// Token is what the secret holds and the simulator accepts; default
	// [amperitytest.DefaultToken].
	Token amperity.Token
	// SimulatorAddr and MotoAddr are where the two listen; default a free port
	// of this machine each. What listens on MotoAddr stands before moto.
	SimulatorAddr, MotoAddr string
}

// World is AWS, as far as the functions can tell, and Amperity.
type World struct {
	// URL is the address of moto for everybody, for AWS_ENDPOINT_URL.
	URL string
	// Simulator is Amperity.
	Simulator *amperitytest.Server
	// SecretARN is the secret with the token.
	SecretARN string

	tools  Tools
	moto   *process
	front  *front
	bus    *eventbridge.Client
	queues *sqs.Client
	queue  string
}

// NewWorld starts moto and the simulator, and makes in moto the secret, an
// empty ledger and a queue that gets everything published. Close it. If
// NewWorld fails, it closes what it has started.
func (t Tools) NewWorld(ctx context.Context, cfg Config) (*World, error) {
	w := &World{tools: t}
	if err := w.start(ctx, cfg); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

func (w *World) start(ctx context.Context, cfg Config) error {
	token := cfg.Token
	if token.IsZero() {
		token = amperity.NewToken(amperitytest.DefaultToken)
	}
	var err error
	w.Simulator, err = amperitytest.New(amperitytest.Config{
		Addr: cfg.SimulatorAddr, Now: cfg.Now, Tokens: []amperitytest.Token{{Value: token}},
	})
	if err != nil {
		return err
	}
	if err := w.startMoto(ctx, cfg.MotoAddr); err != nil {
		return err
	}
	return w.furnish(ctx, token)
}

// startMoto starts moto's server, and what stands before it at addr.
func (w *World) startMoto(ctx context.Context, addr string) error {
	moto, err := freeAddress()
	if err != nil {
		return err
	}
	if addr == "" {
		if addr, err = freeAddress(); err != nil {
			return err
		}
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	host, motoPort, err := net.SplitHostPort(moto)
	if err != nil {
		return err
	}
	cmd := exec.Command(w.tools.Program("moto_server"), "-H", host, "-p", motoPort)
	// moto looks for a home and for programs; it must not find credentials.
	cmd.Env = []string{"HOME=" + os.TempDir(), "PATH=" + os.Getenv("PATH")}
	w.URL = "http://" + net.JoinHostPort("127.0.0.1", port)
	w.moto, err = start(ctx, "moto", cmd, nil, func(ctx context.Context) bool { return answers(ctx, "http://"+moto+"/moto-api/") })
	if err != nil {
		return err
	}
	w.front, err = newFront(addr, moto)
	return err
}

// AWS returns the configuration of a client of moto.
func (w *World) AWS() aws.Config {
	return aws.Config{
		Region:       Region,
		BaseEndpoint: aws.String(w.URL),
		HTTPClient:   &http.Client{Transport: &http.Transport{}},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: accessKey}, nil
		}),
	}
}

func (w *World) furnish(ctx context.Context, token amperity.Token) error {
	w.bus, w.queues = eventbridge.NewFromConfig(w.AWS()), sqs.NewFromConfig(w.AWS())
	secret, err := secretsmanager.NewFromConfig(w.AWS()).CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String(SecretID), SecretString: aws.String(token.Reveal()),
	})
	if err != nil {
		return err
	}
	w.SecretARN = aws.ToString(secret.ARN)
	if err := w.MakeTable(ctx, Table); err != nil {
		return err
	}
	w.queue, err = w.Watch(ctx, "published", fmt.Sprintf(`{"source":[%q]}`, announcement.Source), nil)
	return err
}

// Watch makes a queue, and a rule on the default event bus that sends what
// matches the pattern to it, changed by the transformer unless that is nil. It
// returns the queue's URL.
func (w *World) Watch(ctx context.Context, name, pattern string, transformer *types.InputTransformer) (string, error) {
	made, err := w.queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(name)})
	if err != nil {
		return "", err
	}
	attributes, err := w.queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: made.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn},
	})
	if err != nil {
		return "", err
	}
	if _, err := w.bus.PutRule(ctx, &eventbridge.PutRuleInput{Name: aws.String(name), EventPattern: aws.String(pattern)}); err != nil {
		return "", err
	}
	_, err = w.bus.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: aws.String(name), Targets: []types.Target{{
		Id: aws.String("queue"), Arn: aws.String(attributes.Attributes["QueueArn"]), InputTransformer: transformer,
	}}})
	return aws.ToString(made.QueueUrl), err
}

// MakeTable makes a table for a ledger, as internal/ledger describes it at
// DynamoDB.
func (w *World) MakeTable(ctx context.Context, name string) error {
	attribute := func(name string, kind dynamodbtypes.ScalarAttributeType) dynamodbtypes.AttributeDefinition {
		return dynamodbtypes.AttributeDefinition{AttributeName: aws.String(name), AttributeType: kind}
	}
	key := func(name string, kind dynamodbtypes.KeyType) dynamodbtypes.KeySchemaElement {
		return dynamodbtypes.KeySchemaElement{AttributeName: aws.String(name), KeyType: kind}
	}
	client := dynamodb.NewFromConfig(w.AWS())
	_, err := client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:   aws.String(name),
		BillingMode: dynamodbtypes.BillingModePayPerRequest,
		KeySchema:   []dynamodbtypes.KeySchemaElement{key("pk", dynamodbtypes.KeyTypeHash)},
		AttributeDefinitions: []dynamodbtypes.AttributeDefinition{
			attribute("pk", dynamodbtypes.ScalarAttributeTypeS), attribute("s", dynamodbtypes.ScalarAttributeTypeS), attribute("d", dynamodbtypes.ScalarAttributeTypeN),
		},
		GlobalSecondaryIndexes: []dynamodbtypes.GlobalSecondaryIndex{{
			IndexName:  aws.String("due"),
			KeySchema:  []dynamodbtypes.KeySchemaElement{key("s", dynamodbtypes.KeyTypeHash), key("d", dynamodbtypes.KeyTypeRange)},
			Projection: &dynamodbtypes.Projection{ProjectionType: dynamodbtypes.ProjectionTypeKeysOnly},
		}},
	})
	if err != nil {
		return err
	}
	_, err = client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName:               aws.String(name),
		TimeToLiveSpecification: &dynamodbtypes.TimeToLiveSpecification{AttributeName: aws.String("x"), Enabled: aws.Bool(true)},
	})
	return err
}

// Asked counts the requests to DynamoDB so far, by operation.
func (w *World) Asked() map[string]int {
	w.front.one.mu.Lock()
	defer w.front.one.mu.Unlock()
	return maps.Clone(w.front.one.asked)
}

// Ledger is the ledger in a table.
func (w *World) Ledger(table string) *dynamo.Ledger {
	return dynamo.New(dynamodb.NewFromConfig(w.AWS()), table, clock.System{}.Sleep)
}

// Published is one event as a consumer gets it.
type Published struct {
	Source     string          `json:"source"`
	DetailType string          `json:"detail-type"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// Published takes the events out of the queue that have been published since
// the last call, in their order.
func (w *World) Published(ctx context.Context) ([]Published, error) {
	bodies, err := w.Receive(ctx, w.queue)
	if err != nil {
		return nil, err
	}
	return decode(bodies)
}

func decode(bodies []string) ([]Published, error) {
	events := make([]Published, len(bodies))
	for i, b := range bodies {
		if err := json.Unmarshal([]byte(b), &events[i]); err != nil {
			return nil, fmt.Errorf("what EventBridge put into the queue is not an event: %w", err)
		}
	}
	return events, nil
}

// Receive takes the bodies of all messages out of a queue.
func (w *World) Receive(ctx context.Context, queue string) ([]string, error) {
	var bodies []string
	for {
		got, err := w.queues.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &queue, MaxNumberOfMessages: 10})
		if err != nil {
			return nil, err
		}
		if len(got.Messages) == 0 {
			return bodies, nil
		}
		for _, m := range got.Messages {
			bodies = append(bodies, aws.ToString(m.Body))
			if _, err := w.queues.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &queue, ReceiptHandle: m.ReceiptHandle}); err != nil {
				return nil, err
			}
		}
	}
}

// Close ends all servers.
func (w *World) Close() {
	if w.front != nil {
		w.front.close()
	}
	if w.moto != nil {
		w.moto.stop()
	}
	if w.Simulator != nil {
		w.Simulator.Close()
	}
}
