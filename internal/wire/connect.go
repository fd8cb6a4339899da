package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventbridgetypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/amperity-runs/amperity-runs/internal/preconnect"
)

const (
	// amperityMaxAge is how old a connection to Amperity may be when a request
	// is sent over it. A request on a connection that the server has closed has
	// an unknown outcome. No server closes a new connection within seconds.
	amperityMaxAge = 3 * time.Second
	// connectTime bounds what [Parts.ConnectAll] waits for.
	connectTime = time.Second
)

// connections has the clients of AWS, and opens connections ahead.
type connections struct {
	ledger        *dynamodb.Client
	events        *eventbridge.Client
	secrets       *secretsmanager.Client
	aws, amperity ahead
	// baseURL is Amperity's.
	baseURL string
}

// ahead opens connections ahead for one kind of HTTP client.
type ahead struct {
	// dialer is nil if the client does not dial with one.
	dialer *preconnect.Dialer
	proxy  func(*http.Request) (*url.URL, error)
}

func newConnections(c aws.Config, baseURL string, now func() time.Time) connections {
	ahead := newAWSAhead(&c, now) // before the clients: it changes c
	return connections{
		ledger:   dynamodb.NewFromConfig(c),
		events:   eventbridge.NewFromConfig(c),
		secrets:  secretsmanager.NewFromConfig(c),
		aws:      ahead,
		amperity: newAmperityAhead(now),
		baseURL:  baseURL,
	}
}

// newAWSAhead makes the SDK's clients dial with the result's dialer. The SDK
// sends a request again after a connection turns out to be closed, so that one
// opened during init may be used after a freeze.
func newAWSAhead(c *aws.Config, now func() time.Time) (a ahead) {
	if c.HTTPClient == nil {
		c.HTTPClient = awshttp.NewBuildableClient() // the SDK's own default
	}
	client, ok := c.HTTPClient.(*awshttp.BuildableClient)
	if !ok {
		return a
	}
	c.HTTPClient = client.WithTransportOptions(func(t *http.Transport) {
		a.proxy = t.Proxy
		a.dialer = preconnect.New(preconnect.Options{Dial: t.DialContext, TLS: t.TLSClientConfig, MaxAge: t.IdleConnTimeout, OverFreeze: true, Now: now})
		t.DialTLSContext = a.dialer.DialTLSContext
	})
	return a
}

// newAmperityAhead returns what opens the connections of POST requests.
func newAmperityAhead(now func() time.Time) ahead {
	return ahead{proxy: http.ProxyFromEnvironment, dialer: preconnect.New(preconnect.Options{
		Dial: (&net.Dialer{Timeout: 10 * time.Second}).DialContext, TLS: &tls.Config{MinVersion: tls.VersionTLS12},
		MaxAge: amperityMaxAge, Now: now,
	})}
}

// open opens the connection that a request would use, in the background. A
// request over http or through a proxy opens its own. The result is closed once
// the connection is open or has failed.
func (a ahead) open(r *http.Request) <-chan struct{} {
	if a.dialer == nil || r.URL.Scheme != "https" || a.proxied(r) {
		none := make(chan struct{})
		close(none)
		return none
	}
	port := r.URL.Port()
	if port == "" {
		port = "443"
	}
	return a.dialer.Open(net.JoinHostPort(r.URL.Hostname(), port))
}

func (a ahead) proxied(r *http.Request) bool {
	if a.proxy == nil {
		return false
	}
	proxy, err := a.proxy(r)
	return proxy != nil || err != nil
}

// openAmperity opens the connection of the next POST to Amperity, as open does.
// The base URL was checked by the settings.
func (c *connections) openAmperity() <-chan struct{} {
	u, err := url.Parse(c.baseURL)
	if err != nil {
		u = new(url.URL) // has no connection
	}
	return c.amperity.open(&http.Request{URL: u})
}

// opener is an HTTP client of the SDK that opens the connection of a request
// instead of sending the request. So the SDK itself decides the address, by its
// endpoint rules, the region, and the variables that change them.
type opener struct{ ahead }

var errNotSent = errors.New("the request was not sent, by intent")

func (o opener) Do(r *http.Request) (*http.Response, error) {
	select {
	case <-o.open(r):
	case <-r.Context().Done():
	}
	return nil, errNotSent
}

// openLedger and openEvents open the connection of the next request to the
// ledger and to the event bus. The SDK prepares a request, which is not sent: the
// error is errNotSent, or one that the first invocation reports.

func (c *connections) openLedger(ctx context.Context, table string) {
	_, _ = c.ledger.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(table),
		Key:       map[string]dynamodbtypes.AttributeValue{"pk": &dynamodbtypes.AttributeValueMemberS{Value: "-"}},
	}, func(o *dynamodb.Options) {
		o.HTTPClient, o.Retryer = opener{c.aws}, aws.NopRetryer{}
	})
}

func (c *connections) openEvents(ctx context.Context, bus string) {
	_, _ = c.events.PutEvents(ctx, &eventbridge.PutEventsInput{
		Entries: []eventbridgetypes.PutEventsRequestEntry{{EventBusName: aws.String(bus), Detail: aws.String("{}")}},
	}, func(o *eventbridge.Options) {
		o.HTTPClient, o.Retryer = opener{c.aws}, aws.NopRetryer{}
	})
}

// ConnectLedger opens the connection to the ledger, which an invocation would
// wait for. Lambda gives a function its whole processor until it asks for an
// invocation, and a share of it afterwards.
//
// The result waits for the connection, for at most a second. A failure has no
// effect: the first invocation does the same again, and reports the error.
func (p *Parts) ConnectLedger(ctx context.Context) (wait func()) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	var all sync.WaitGroup
	all.Go(func() { p.connections.openLedger(ctx, p.Settings.LedgerTable) })
	return func() {
		defer cancel()
		all.Wait()
	}
}

// ConnectAll does in advance what a launch would wait for: it reads the control
// run, which opens the connection to the ledger, and the token, and it opens
// connections to the event bus and to Amperity. It waits for at most a second,
// and a failure has no effect, as with [Parts.ConnectLedger].
func (p *Parts) ConnectAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { p.Launcher.Runs.LoadControlRun(ctx) })
	all.Go(func() { p.connections.openEvents(ctx, p.Settings.EventBusName) })
	if !p.Settings.Paused {
		p.connections.openAmperity() // its round trips are long: init does not wait for them
		all.Go(func() { _, _ = p.tokens.Token(ctx) })
	}
	all.Wait()
}
