// Floor makes the fewest round trips that a path of the functions needs, and
// does nothing else. It opens its connections concurrently as soon as the
// process starts. It signs nothing, trusts one root, and reads no input. So its
// time is close to the least that a Go program can take.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
)

const (
	domain     = ".eu-west-1.amazonaws.com"
	amperity   = "app.amperity.com"
	dynamoJSON = "application/x-amz-json-1.0"
	awsJSON    = "application/x-amz-json-1.1"
)

func main() {
	debug.SetGCPercent(-1)
	root, err := os.ReadFile(os.Getenv("FLOOR_ROOT"))
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root)
	trust := &tls.Config{RootCAs: roots, NextProtos: []string{"http/1.1"}}
	switch path := os.Getenv("FLOOR"); path {
	case "trigger":
		lambda.Start(newLaunch(trust).handle)
	case "s3arrival":
		lambda.Start((&arrival{ledger: open("dynamodb"+domain, trust)}).handle)
	case "sweep":
		lambda.Start((&sweep{ledger: open("dynamodb"+domain, trust)}).handle)
	default:
		log.Fatalf("FLOOR: no path %q", path)
	}
}

// connection is a connection that opens in the background.
type connection struct {
	host   string
	opened chan struct{}
	conn   *tls.Conn
	reader *bufio.Reader
	err    error
}

func open(host string, trust *tls.Config) *connection {
	c := &connection{host: host, opened: make(chan struct{})}
	go func() {
		defer close(c.opened)
		if c.conn, c.err = tls.Dial("tcp", host+":443", trust); c.err == nil {
			c.reader = bufio.NewReader(c.conn)
		}
	}()
	return c
}

// post sends one request, and returns the body of its answer.
func (c *connection) post(path, contentType, body string, header ...string) ([]byte, error) {
	<-c.opened
	if c.err != nil {
		return nil, c.err
	}
	head := "POST " + path + " HTTP/1.1\r\nHost: " + c.host + "\r\nContent-Type: " + contentType +
		"\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n"
	for _, line := range header {
		head += line + "\r\n"
	}
	if _, err := c.conn.Write([]byte(head + "\r\n" + body)); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("%s answers with status %d: %s", c.host, res.StatusCode, answer)
	}
	return answer, err
}

// dynamo sends one request to the ledger's table.
func (c *connection) dynamo(operation, body string) error {
	_, err := c.post("/", dynamoJSON, body, "X-Amz-Target: DynamoDB_20120810."+operation)
	return err
}

// sweep finds nothing due.
type sweep struct{ ledger *connection }

func (s *sweep) handle(context.Context) (string, error) {
	return "swept", s.ledger.dynamo("Query",
		`{"TableName":"bench-ledger","KeyConditionExpression":"s = :s AND d <= :d","ExpressionAttributeValues":{":s":{"S":"due"},":d":{"N":"1"}}}`)
}

// arrival reads a window, and writes it.
type arrival struct {
	ledger  *connection
	version int
}

func (a *arrival) handle(context.Context) (string, error) {
	if err := a.ledger.dynamo("GetItem", `{"TableName":"bench-ledger","Key":{"pk":{"S":"window/x"}}}`); err != nil {
		return "", err
	}
	a.version++
	return "recorded", a.ledger.dynamo("PutItem", put("window/x", a.version))
}

// launch starts a run and announces it.
type launch struct {
	trust          *tls.Config
	ledger, events *connection
	// amperity is for a single request.
	amperity *connection
	token    chan token
	known    string
	launches int
}

// token is the token, or why there is none.
type token struct {
	text string
	err  error
}

func newLaunch(trust *tls.Config) *launch {
	l := &launch{
		trust: trust, amperity: open(amperity, trust), ledger: open("dynamodb"+domain, trust), events: open("events"+domain, trust),
		token: make(chan token, 1),
	}
	secrets := open("secretsmanager"+domain, trust)
	go func() {
		answer, err := secrets.post("/", awsJSON, `{"SecretId":"amperity/socktown"}`, "X-Amz-Target: secretsmanager.GetSecretValue")
		var secret struct{ SecretString string }
		if err == nil {
			err = json.Unmarshal(answer, &secret)
		}
		l.token <- token{secret.SecretString, err}
	}()
	return l
}

func (l *launch) handle(context.Context) (string, error) {
	l.launches++
	key, config := fmt.Sprintf("launch/%d", l.launches), "config/x"
	if l.amperity == nil {
		l.amperity = open(amperity, l.trust)
	}
	if err := l.ledger.dynamo("TransactWriteItems", transaction(put(key, 1), put(config, 2*l.launches-1))); err != nil {
		return "", err
	}
	run, err := l.start()
	if err != nil {
		return "", err
	}
	announced := make(chan error, 1)
	go func() { announced <- l.announce(run) }()
	if err := l.ledger.dynamo("TransactWriteItems", transaction(put(key, 2), put(config, 2*l.launches), put("run/"+key, 1))); err != nil {
		return "", err
	}
	if err := <-announced; err != nil {
		return "", err
	}
	return "started", l.ledger.dynamo("PutItem", put(key, 3))
}

func (l *launch) start() ([]byte, error) {
	if l.known == "" {
		t := <-l.token
		if t.err != nil {
			return nil, t.err
		}
		l.known = t.text
	}
	c := l.amperity
	l.amperity = nil
	run, err := c.post("/api/workflow/runs", "application/json", `{"config_id":"cg-123ABc4DE","range_from":"2026-11-21","range_to":"2026-11-22"}`,
		"Authorization: Bearer "+l.known, "Amperity-Tenant: socktown", "Api-Version: 2024-04-01", "Connection: close")
	if c.conn != nil {
		// It is not used again, whatever became of the request.
		go func() { _ = c.conn.Close() }()
	}
	return run, err
}

func (l *launch) announce(run []byte) error {
	detail, err := json.Marshal(string(run))
	if err != nil {
		return err
	}
	_, err = l.events.post("/", awsJSON, `{"Entries":[{"Source":"amperity.workflow","DetailType":"Amperity Workflow Run Started","EventBusName":"default","Detail":`+
		string(detail)+`}]}`, "X-Amz-Target: AWSEvents.PutEvents")
	return err
}

// put is a write of an item of the ledger, about as long as its items are.
func put(key string, version int) string {
	condition := `"attribute_not_exists(pk)"`
	if version > 1 {
		condition = fmt.Sprintf(`"v = :v","ExpressionAttributeValues":{":v":{"N":"%d"}}`, version-1)
	}
	return fmt.Sprintf(`{"TableName":"bench-ledger","Item":{"pk":{"S":%q},"v":{"N":"%d"},"doc":{"S":%q}},"ConditionExpression":%s}`,
		key, version, strings.Repeat("x", 600), condition)
}

func transaction(puts ...string) string {
	return `{"ClientRequestToken":"00000000000000000000000000000000","TransactItems":[{"Put":` + strings.Join(puts, `},{"Put":`) + `}]}`
}
