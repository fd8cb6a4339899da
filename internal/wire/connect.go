package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"

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
	// is sent over it. A request over a connection that the server has closed
	// has an unknown outcome. We assume that no server closes a new connection
	// within seconds.
	amperityMaxAge = 3 * time.Second
	// connectTime bounds how long [Parts.ConnectLedger] and [Parts.ConnectAll]
	// wait.
	connectTime = time.Second
)

// connections has the clients of AWS, and opens connections before they are
// needed.
type connections struct {
	ledger        *dynamodb.Client
	events        *eventbridge.Client
	secrets       *secretsmanager.Client
	aws, amperity preconnector
	// baseURL is Amperity's.
	baseURL string
}

// preconnector opens the connections of one HTTP client before they are needed.
type preconnector struct {
	// dialer is the client's, or nil if the client has a dialer of its own.
	dialer *preconnect.Dialer
	// proxy returns the proxy that the client uses for a request; nil uses
	// none.
	proxy func(*http.Request) (*url.URL, error)
}

func newConnections(c aws.Config, baseURL string, now func() time.Time) connections {
	toAWS := preconnectAWS(&c, now) // changes c, which the clients copy
	return connections{
		ledger:   dynamodb.NewFromConfig(c),
		events:   eventbridge.NewFromConfig(c),
		secrets:  secretsmanager.NewFromConfig(c),
		aws:      toAWS,
		amperity: preconnectAmperity(now),
		baseURL:  baseURL,
	}
}

// preconnectAWS makes the SDK's clients dial with the result's dialer. If a
// connection turns out to be closed, the SDK sends the request again. So a
// connection that was opened during init may be used after a freeze.
func preconnectAWS(c *aws.Config, now func() time.Time) (p preconnector) {
	if c.HTTPClient == nil {
		c.HTTPClient = awshttp.NewBuildableClient() // the SDK's own default
	}
	client, ok := c.HTTPClient.(*awshttp.BuildableClient)
	if !ok || c.DefaultsMode != "" && c.DefaultsMode != aws.DefaultsModeLegacy {
		return p // a defaults mode has timeouts that a dialer would not keep
	}
	c.HTTPClient = client.WithTransportOptions(func(t *http.Transport) {
		p.proxy = t.Proxy
		p.dialer = preconnect.New(preconnect.Options{Dial: t.DialContext, TLS: t.TLSClientConfig, MaxAge: t.IdleConnTimeout, OverFreeze: true, Now: now})
		t.DialTLSContext = p.dialer.DialTLSContext
	})
	return p
}

// preconnectAmperity returns the preconnector of POST requests to Amperity.
func preconnectAmperity(now func() time.Time) preconnector {
	return preconnector{proxy: http.ProxyFromEnvironment, dialer: preconnect.New(preconnect.Options{
		Dial: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		// A resumed session spares the verification of the certificates, a
		// third of a handshake's processor time. It sends no early data.
		TLS:    &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(1)},
		MaxAge: amperityMaxAge, Now: now,
	})}
}

// open opens the connection that a request would use, in the background. It
// opens none for a request over http or through a proxy, and none to a host
// that net/http would encode. The returned channel is closed once there is
// nothing to wait for.
func (p preconnector) open(r *http.Request) <-chan struct{} {
	if p.dialer == nil || r.URL.Scheme != "https" || p.proxied(r) || !isASCII(r.URL.Hostname()) {
		none := make(chan struct{})
		close(none)
		return none
	}
	port := r.URL.Port()
	if port == "" {
		port = "443"
	}
	return p.dialer.Open(net.JoinHostPort(r.URL.Hostname(), port))
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

func (p preconnector) proxied(r *http.Request) bool {
	if p.proxy == nil {
		return false
	}
	proxy, err := p.proxy(r)
	return proxy != nil || err != nil
}

// openAmperity opens the connection of the next POST to Amperity, as open does.
func (c *connections) openAmperity() <-chan struct{} {
	u, err := url.Parse(c.baseURL)
	if err != nil {
		u = new(url.URL) // the settings refuse such a URL; open ignores this one
	}
	return c.amperity.open(&http.Request{URL: u})
}

// connectOnly is an HTTP client for the SDK that opens the connection of a
// request and does not send the request. So the SDK itself decides the address,
// by its endpoint rules, the region, and the variables that change them.
type connectOnly struct{ preconnector }

var errNotSent = errors.New("the connection was opened; the request was not sent, as intended")

func (o connectOnly) Do(r *http.Request) (*http.Response, error) {
	select {
	case <-o.open(r):
	case <-r.Context().Done():
	}
	return nil, errNotSent
}

// openLedger opens the connection of the next request to the ledger. The SDK
// prepares a request that is not sent. The error is errNotSent, or one that the
// first invocation will report.
func (c *connections) openLedger(ctx context.Context, table string) {
	_, _ = c.ledger.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(table),
		Key:       map[string]dynamodbtypes.AttributeValue{"pk": &dynamodbtypes.AttributeValueMemberS{Value: "-"}},
	}, func(o *dynamodb.Options) {
		o.HTTPClient, o.Retryer = connectOnly{c.aws}, aws.NopRetryer{}
	})
}

// openEvents does the same for the event bus.
func (c *connections) openEvents(ctx context.Context, bus string) {
	_, _ = c.events.PutEvents(ctx, &eventbridge.PutEventsInput{
		Entries: []eventbridgetypes.PutEventsRequestEntry{{EventBusName: aws.String(bus), Detail: aws.String("{}")}},
	}, func(o *eventbridge.Options) {
		o.HTTPClient, o.Retryer = connectOnly{c.aws}, aws.NopRetryer{}
	})
}

// ConnectLedger opens the connection to the ledger in the background, during
// init. Lambda grants a function its whole processor until it asks for an
// invocation, and a share of it afterwards.
//
// wait waits for the connection, for at most a second. ConnectLedger reports no
// failure: the first invocation tries again, and reports the error.
func (p *Parts) ConnectLedger(ctx context.Context) (wait func()) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	var all sync.WaitGroup
	all.Go(func() { p.connections.openLedger(ctx, p.Settings.LedgerTable) })
	return func() {
		defer cancel()
		all.Wait()
	}
}

// ConnectAll does during init what the first launch would otherwise wait for. It
// reads the token and the control run, which opens the connection to the
// ledger. It also opens connections to the event bus and to Amperity.
//
// ConnectAll waits for at most a second, and reports no failure, as
// [Parts.ConnectLedger].
func (p *Parts) ConnectAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { p.Launcher.Runs.PreloadControlRun(ctx) })
	all.Go(func() { p.connections.openEvents(ctx, p.Settings.EventBusName) })
	if !p.Settings.Paused {
		p.connections.openAmperity() // its round trips are long, so init does not wait for them
		all.Go(func() { _, _ = p.tokens.Token(ctx) })
	}
	all.Wait()
}
